"""`subledger timeline`: every fact of a subscriber in words, with both times."""

import click

from infra.cli.opening import opened_views, zone_of
from infra.cli.options import Asked, examples, json_option, name_argument, source_options
from infra.cli.output import print_json, print_table
from infra.explain.words import local, words

SAME = "="
"""Stands for a recorded instant that is the one it counts from."""


@click.command(epilog=examples("subledger timeline s-001", "subledger timeline s-001 --json"))
@name_argument("subscriber", "SUBSCRIBER")
@json_option
@source_options
def command(subscriber: str, as_json: bool, ledger: Asked) -> None:
    """Tell everything that happened to SUBSCRIBER, in the order recorded.

    "Counts from" is when a fact takes effect, "recorded" when the ledger learnt it; = means at that same instant.
    """
    with opened_views(ledger) as (_, views):
        zone = zone_of(views, subscriber)
        entries = views.timeline(subscriber)
    if as_json:
        for entry in entries:
            print_json(
                {
                    "id": entry.id,
                    "sequence": entry.sequence,
                    "type": entry.type,
                    "effective_at": entry.effective_at,
                    "recorded_at": entry.recorded_at,
                    "basis": entry.basis,
                    "command": entry.command,
                    "due": entry.due,
                    "says": words(entry.fact, zone),
                }
            )
        return
    rows = (
        (
            entry.id,
            local(entry.effective_at, zone),
            SAME if entry.recorded_at == entry.effective_at else local(entry.recorded_at, zone),
            words(entry.fact, zone),
        )
        for entry in entries
    )
    print_table(("fact", "counts from", "recorded", "what happened"), rows, title=f"{subscriber}, times of {zone.key}")
