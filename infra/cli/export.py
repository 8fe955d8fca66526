"""`subledger export`: the double-entry journal for programs that keep accounts."""

from functools import cache

import click

from infra.cli.journal_formats import FORMATS, booked_on
from infra.cli.opening import opened_views, zone_of
from infra.cli.options import Asked, examples, source_options
from infra.cli.output import stdout


@click.group("export")
def command() -> None:
    """Write the ledger's books for other programs."""


@command.command(
    "journal",
    short_help="every posting, for hledger or beancount",
    epilog=examples(
        "subledger export journal --format hledger > books.journal      hledger -f books.journal check --strict",
        "subledger export journal --format beancount > books.beancount  bean-check books.beancount",
    ),
)
@click.option("--format", "name", type=click.Choice(list(FORMATS)), required=True, help="Who shall read it.")
@source_options
def journal(name: str, ledger: Asked) -> None:
    """Write every posting, with all accounts and currencies declared, so that strict checks pass."""
    wanted = FORMATS[name]
    out = stdout()
    with opened_views(ledger) as (_, views):
        zone = cache(lambda subscriber: zone_of(views, subscriber))
        for line in wanted.declarations(views.trial_balance().accounts):
            out.write(line.encode())
        for entry in views.journal():
            out.write(wanted.entry(entry, booked_on(entry, zone(entry.subscriber))).encode())
