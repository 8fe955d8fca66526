"""`subledger statement`: opening balance, what moved it, closing balance; a table, JSON, or a page to print."""

from zoneinfo import ZoneInfo

import click

from infra.cli.failures import Unusable
from infra.cli.opening import opened_views
from infra.cli.options import Asked, examples, instant_of, json_option, name_argument, source_options
from infra.cli.output import print_json, print_line, print_table, stdout
from infra.explain.statement_lines import line_words
from infra.explain.words import local
from infra.views.reading import Statement, StatementLine


@click.command(
    epilog=examples(
        "subledger statement s-001",
        "subledger statement s-001 --from 2026-01-01 --to 2026-02-01      January",
        "subledger statement s-001 --html > statement.html                a page to print",
    )
)
@name_argument("subscriber", "SUBSCRIBER")
@click.option("--from", "start", metavar="D", help="The first instant; from the beginning where none is given.")
@click.option("--to", "end", metavar="D", help="Up to, and without, this instant; all of it where none is given.")
@click.option("--html", "as_html", is_flag=True, help="A printable A4 page on stdout.")
@json_option
@source_options
def command(subscriber: str, start: str | None, end: str | None, as_html: bool, as_json: bool, ledger: Asked) -> None:
    """Show what moved the balance of SUBSCRIBER, in the order in which it counts, with the balance after each line.

    An instant is ISO 8601 with a zone, or a local date, which is its first instant in the subscriber's zone.
    """
    with opened_views(ledger) as (_, views):
        first = instant_of(start, "--from", lambda: views.time_zone(subscriber)) if start is not None else None
        until = instant_of(end, "--to", lambda: views.time_zone(subscriber)) if end is not None else None
        if first is not None and until is not None and until < first:
            raise Unusable("--to: expected an instant that is not before that of --from")
        statement = views.statement(subscriber, first, until)
    if as_html:
        from infra.html.statement import page

        stdout().write(page(statement).encode())
    elif as_json:
        print_json(statement)
    else:
        show(statement)


def show(statement: Statement) -> None:
    """The table, for people."""
    zone = ZoneInfo(statement.time_zone)
    rows = [
        ("", "", "Opening balance", "", statement.opening),
        *(_row(line, zone) for line in statement.lines),
        ("", "", "Closing balance", "", statement.closing),
    ]
    print_table(("counts from", "fact", "what", ">amount", ">balance"), rows, title=_title(statement, zone))
    if statement.outstanding is not None:
        print_line(f"Invoiced and unpaid: {statement.outstanding} {statement.currency}")


def _title(statement: Statement, zone: ZoneInfo) -> str:
    span = [f"from {local(statement.start, zone)}"] if statement.start else []
    span += [f"until {local(statement.end, zone)}"] if statement.end else []
    about = [f"Statement of {statement.subscriber}", *span, f"in {statement.currency}", f"plan {statement.plan}"]
    return ", ".join([*about, f"times of {statement.time_zone}"])


def _row(line: StatementLine, zone: ZoneInfo) -> tuple[str, ...]:
    return local(line.effective_at, zone), line.id, line_words(line, zone), signed(line.amount), line.balance


def signed(amount: str) -> str:
    """An amount with its sign, since what it did to the balance is meant; nothing has none."""
    return amount if amount.startswith("-") or not amount.strip("0.") else f"+{amount}"
