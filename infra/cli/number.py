"""`subledger number`: who held a number, and when."""

from zoneinfo import ZoneInfo

import click

from domain.documents import is_e164
from infra.cli.clocks import Clocks
from infra.cli.opening import opened_views, zone_of
from infra.cli.options import Asked, examples, json_option, name_argument, source_options
from infra.cli.output import print_json, print_table, say
from infra.explain.words import reason
from infra.views.reading import Tenure


@click.command(epilog=examples("subledger number +380441234567"))
@name_argument("number", "NUMBER")
@json_option
@source_options
def command(number: str, as_json: bool, ledger: Asked) -> None:
    """Tell who held NUMBER, from when until when, and why it was given back."""
    with opened_views(ledger) as (_, views):
        tenures = views.number(number)
        zones = {tenure.subscriber: zone_of(views, tenure.subscriber) for tenure in tenures}
    clocks = Clocks(zones.values())
    if as_json:
        for tenure in tenures:
            print_json(tenure)
    elif tenures:
        rows = (_row(tenure, zones[tenure.subscriber], clocks) for tenure in tenures)
        print_table(("subscriber", "service", "since", "until", "why it ended"), rows, title=f"{number}{clocks.words}")
    else:
        written = "" if is_e164(number) else "; telephone numbers begin with + and the country, such as +380441234567"
        say(f"nobody has held {number}{written}")


def _row(tenure: Tenure, zone: ZoneInfo, clocks: Clocks) -> tuple[str, ...]:
    until = clocks.local(tenure.until, zone) if tenure.until else "held now"
    return tenure.subscriber, tenure.service, clocks.local(tenure.since, zone), until, reason(tenure.reason or "")
