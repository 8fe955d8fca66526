"""`subledger balance`: what a subscriber has, now or at another instant of either clock."""

from dataclasses import asdict

import click

from infra.cli.clocks import named
from infra.cli.opening import opened_views, zone_of
from infra.cli.options import Asked, examples, instant_of, json_option, name_argument, source_options
from infra.cli.output import print_fields, print_json


@click.command(
    epilog=examples(
        "subledger balance s-001",
        "subledger balance s-001 --as-of 2026-02-01               what counts until that day began",
        "subledger balance s-001 --as-of 2026-02-01T09:30:00+02:00",
        "subledger balance s-001 --known-at 2026-02-01            by what had been recorded until then",
    )
)
@name_argument("subscriber", "SUBSCRIBER")
@click.option("--as-of", metavar="T", help="By what counts up to and including this instant.")
@click.option("--known-at", metavar="T", help="By what was recorded up to and including this instant.")
@json_option
@source_options
def command(subscriber: str, as_of: str | None, known_at: str | None, as_json: bool, ledger: Asked) -> None:
    """Show the balance of SUBSCRIBER, what of it is available, what is invoiced, and what would be paid back.

    An instant is ISO 8601 with a zone, or a local date, which is its first instant in the subscriber's zone.
    """
    with opened_views(ledger) as (_, views):
        counting = instant_of(as_of, "--as-of", lambda: views.time_zone(subscriber)) if as_of is not None else None
        known = (
            instant_of(known_at, "--known-at", lambda: views.time_zone(subscriber)) if known_at is not None else None
        )
        balance = views.balance(subscriber, counting, known)
        zone = zone_of(views, subscriber)
    if as_json:
        asked = {"as_of": counting, "known_at": known}
        print_json({**asdict(balance), **{name: instant for name, instant in asked.items() if instant}})
        return
    shown = [("Subscriber", subscriber)]
    shown += [(name, named(instant, zone)) for name, instant in (("As of", counting), ("Known at", known)) if instant]
    shown.append(("Balance", f"{balance.balance} {balance.currency}"))
    for name, amount in (
        ("Available", balance.available),
        ("Outstanding", balance.outstanding),
        ("Refundable", balance.refundable),
    ):
        if amount is not None:
            shown.append((name, f"{amount} {balance.currency}"))
    print_fields(shown)
