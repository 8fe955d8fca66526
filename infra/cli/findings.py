"""`subledger findings`: what a person should look at."""

import click

from infra.cli.opening import opened_views
from infra.cli.options import Asked, examples, json_option, source_options
from infra.cli.output import print_json, print_table, say


@click.command(epilog=examples("subledger findings", "subledger findings --json"))
@json_option
@source_options
def command(as_json: bool, ledger: Asked) -> None:
    """List what a person should look at: it breaks no rule of one account, yet it may be wrong.

    A number rented by two subscribers at once, a payment's reference credited to two, free services in several accounts
    of one holder, debts; of a live ledger also the commands that could not be read, the last hundred of each shard.
    """
    with opened_views(ledger) as (_, views):
        found = views.findings()
    if as_json:
        for finding in found:
            print_json(finding)
    elif found:
        rows = ((one.kind.replace("_", " "), one.subject, one.message) for one in found)
        print_table(("what", "about", "found"), rows)
    else:
        say("there is nothing to look at")
