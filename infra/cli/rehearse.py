"""`subledger rehearse`: what would happen until an instant, on a copy in memory."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from consumers.intake import LARGEST_LINE_BYTES
from consumers.outcomes import Outcome
from consumers.writer import Writer
from domain.clock import due
from infra import codec
from infra.cli.clocks import Clocks
from infra.cli.lines import BLOCK_LINES, LineReader
from infra.cli.opening import common_zone, opened
from infra.cli.options import Asked, examples, instant_of, json_option, source_options
from infra.cli.output import print_json, print_line, print_table, say
from infra.cli.rehearsal import Rehearsal
from infra.cli.run import Opened, answer, parsed
from infra.explain.words import words

ACTOR = "rehearsal"
UTC_ZONE = ZoneInfo("UTC")


@click.command(
    epilog=examples(
        "subledger rehearse --until 2026-04-02T00:00:00+03:00                the clock alone",
        "subledger rehearse --until 2026-04-02T00:00:00+03:00 plans.jsonl    these commands first",
    )
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--until", "until", metavar="T", required=True, help="How far the clock runs.")
@json_option
@source_options
def command(file: str | None, until: str, as_json: bool, ledger: Asked) -> None:
    """Show what would happen until an instant: the commands of FILE, if any, then everything that falls due.

    Works on a copy in memory; nothing is recorded. With --json one outcome a line: those of FILE in order, then one for
    every subscriber to whom something happens by time alone.
    """
    with opened(ledger) as source:
        instant = instant_of(until, "--until", lambda: common_zone(source))
        rehearsal = Rehearsal(source)
        writer = rehearsal.writer()
        of_file = list(_of_file(file, writer))
        outcomes = [*of_file]
        outcomes += _of_time([*source.subjects(), *rehearsal.subjects()], writer, instant)
        writer.commit()
        if as_json:
            for outcome in outcomes:
                print_json(outcome)
        else:
            _show(rehearsal, instant)
            _warn(of_file)
    say("nothing was recorded")


def _of_file(file: str | None, writer: Writer) -> Iterator[Outcome]:
    """The outcomes of the file's commands, each at its own instant."""
    if file is None:
        return
    with Opened(file) as (descriptor, _):
        for block in LineReader(descriptor, LARGEST_LINE_BYTES).blocks():
            for line in block:
                yield answer(parsed(line), writer)
            writer.commit()


def _of_time(everybody: Iterable[str], writer: Writer, until: datetime) -> Iterator[Outcome]:
    """One outcome for every subscriber to whom time alone does something up to `until`."""
    for subscriber in sorted(set(everybody)):
        next_due = due(writer.state(subscriber), writer.catalogue.catalogue)
        if next_due is not None and next_due <= until:
            outcome = writer.execute(_tick(subscriber, until))
            if outcome.get("events"):
                yield {"subscriber": subscriber, **outcome}
        if writer.undecided >= BLOCK_LINES:
            writer.commit()


def _tick(subscriber: str, until: datetime) -> dict[str, Any]:
    instant = codec.format_instant(until)
    return {
        "id": f"rehearsal until {instant}",
        "type": "AdvanceClock",
        "subscriber": subscriber,
        "at": instant,
        "actor": ACTOR,
        "data": {},
    }


def _show(rehearsal: Rehearsal, until: datetime) -> None:
    """What would be recorded, in the order in which it would count, and the balances after it."""
    facts = sorted(rehearsal.facts, key=lambda stored: (stored.recorded.effective_at, stored.sequence))
    if not facts:
        say("nothing would happen")
        return
    zones = {subject: rehearsal.zone(subject) for subject in {stored.recorded.subject for stored in facts}}
    clocks = Clocks(zones.values())
    rows = []
    for stored in facts:
        recorded = stored.recorded
        own = zones[recorded.subject]
        rows.append((clocks.local(recorded.effective_at, own), recorded.subject, words(recorded.fact, own)))
    title = f"What would happen until {clocks.local(until, clocks.shared or UTC_ZONE)}{clocks.words}"
    print_table(("would count from", "subscriber", "what"), rows, title=title)
    print_line()
    print_table(("subscriber", ">balance now", ">balance then", ""), rehearsal.balances())


def _warn(outcomes: list[Outcome]) -> None:
    """Says which lines of the file would not be accepted, and why."""
    for line, outcome in enumerate(outcomes, 1):
        if outcome["status"] == "refused":
            say(f"line {line:,} would be refused: {outcome['message']} ({outcome['code']})")
        elif outcome["status"] == "invalid":
            where = f"{outcome['path']}: " if outcome["path"] else ""
            say(f"line {line:,} is invalid: {where}{outcome['message']}")
