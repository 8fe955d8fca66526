"""Conservation, idempotency, and that time, cuts, replays and snapshots change nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import strategies as st

import consumers.writer as writer_module
from consumers.writer import Writer
from domain.accounts import balance_change, postings
from domain.facts import Recorded, RegulationsPublished
from domain.state import State, Subscriber, Unregistered, evolve, resumed
from infra import snapshots
from infra.embedded import folder
from infra.embedded.folder import EmbeddedLedger
from infra.views.verification import verify_views
from tests.properties.everywhere import everywhere
from tests.properties.histories import Case
from tests.properties.providers import COMBINED, world_of
from tests.properties.worlds import BUILT_IN, World, parameters_without_a_strategy
from tests.support.lines import Line
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

SUBJECT = "s-1"
Outcomes = list[dict[str, Any]]


class Run:
    """A ledger in memory, and the writer that it has at present."""

    def __init__(self, world: World) -> None:
        self.shard = MemoryShard()
        self.catalogue = MemoryCatalogue(world.publications)
        self.writer = self.restarted()

    def restarted(self) -> Writer:
        self.writer = Writer(self.shard, self.catalogue, PlainSealer())
        return self.writer

    def execute(self, lines: Iterable[Line]) -> Outcomes:
        outcomes = [self.writer.execute(line) for line in lines]
        self.writer.commit()
        return outcomes

    @property
    def facts(self) -> list[Recorded]:
        return self.shard.stream(SUBJECT)

    def state(self) -> State:
        return self.writer.state(SUBJECT)


def lived(case: Case) -> tuple[Run, Outcomes]:
    world, lines = case
    run = Run(world)
    outcomes = run.execute(lines)
    assert all(outcome["status"] != "invalid" for outcome in outcomes), outcomes
    return run, outcomes


def as_decided(facts: Sequence[Recorded]) -> list[Recorded]:
    """Facts without the instant at which they were learnt."""
    return [replace(one, recorded_at=one.effective_at) for one in facts]


def test_every_parameter_is_drawn() -> None:
    assert parameters_without_a_strategy() == set()


@pytest.mark.parametrize("name", COMBINED)
def test_no_given_system_combines_what_an_invented_provider_combines(name: str) -> None:
    def combined(fact: RegulationsPublished) -> list[Any]:
        return [fact.document[parameter] for parameter in COMBINED[name]]

    regulations = [fact for fact in world_of(name).publications if isinstance(fact, RegulationsPublished)]
    given = [combined(fact) for fact in regulations if fact in BUILT_IN]
    own = [combined(fact) for fact in regulations if fact.regulations == name]
    assert given
    assert len(own) == 2, "a second version takes effect within the histories"
    assert own[0] not in given


@everywhere(3)
def test_no_money_is_made_or_lost(case: Case) -> None:
    run, _ = lived(case)
    state: State = Unregistered(subject=SUBJECT)
    balance = 0
    for recorded in run.facts:
        sums: dict[str, int] = {}
        for posting in postings(SUBJECT, recorded.fact):
            sums[posting.amount.currency] = sums.get(posting.amount.currency, 0) + posting.amount.units
        assert not any(sums.values()), f"{recorded} does not sum to zero"
        state = evolve(state, recorded)
        balance += balance_change(SUBJECT, recorded.fact)
        if isinstance(state, Subscriber):
            account = state.account
            assert account.balance.units == balance, recorded
            assert sum(lot.left.units for lot in account.lots) == max(0, balance), recorded
            assert all(lot.left.units > 0 for lot in account.lots), recorded
            assert all(invoice.outstanding.units > 0 for invoice in state.invoices.values()), recorded
            assert all(units >= 0 for rental in state.rentals.values() for units in rental.units.values())


@everywhere()
def test_facts_come_in_the_order_of_their_instants_and_versions(case: Case) -> None:
    run, outcomes = lived(case)
    facts = run.facts
    assert [one.version for one in facts] == list(range(1, len(facts) + 1))
    assert [one.sequence for one in run.shard.facts] == list(range(1, len(facts) + 1))
    assert all(one.effective_at <= one.recorded_at for one in facts)
    assert [one.recorded_at for one in facts] == sorted(one.recorded_at for one in facts)
    assert [event["id"] for outcome in outcomes for event in outcome["events"]] == [one.id for one in facts]


@everywhere()
def test_every_command_twice_changes_nothing(case: Case) -> None:
    world, lines = case
    once, first = lived(case)
    twice = Run(world)
    for line, outcome in zip(lines, first, strict=True):
        assert twice.execute([line]) == [outcome]
        (again,) = twice.execute([line])
        recorded_nothing = outcome.get("code") in ("time_went_backwards", "command_id_reused")
        assert again == (outcome if recorded_nothing else {**outcome, "status": "duplicate"})
    assert twice.shard.facts == once.shard.facts
    assert twice.execute(lines) == [{**outcome, "status": "duplicate"} for outcome in first]


@everywhere(hours=st.sampled_from([7, 24, 100, 719, 2000]))
def test_how_often_the_clock_runs_changes_nothing(case: Case, hours: int) -> None:
    world, lines = case
    untouched, first = lived(case)
    ticked = Run(world)
    outcomes = []
    for index, line in enumerate(lines):
        since = lines[index - 1]["at"] if index else line["at"]
        ticked.execute(ticks(since, line["at"], timedelta(hours=hours), index))
        outcomes += ticked.execute([line])
    assert as_decided(ticked.facts) == as_decided(untouched.facts)
    assert ticked.state() == untouched.state()
    assert [one["status"] for one in outcomes] == [one["status"] for one in first]
    assert [one.get("balance") for one in outcomes] == [one.get("balance") for one in first]


def ticks(since: str, until: str, every: timedelta, index: int) -> list[Line]:
    """The clock runs after `since` and before `until`."""
    first, end = datetime.fromisoformat(since), datetime.fromisoformat(until)
    lines: list[Line] = []
    now = first + every
    while now < end:
        lines.append(
            {
                "id": f"t-{index}-{len(lines)}",
                "type": "AdvanceClock",
                "subscriber": SUBJECT,
                "at": now.isoformat(),
                "actor": "clock",
                "data": {},
            }
        )
        now += every
    return lines


@everywhere()
def test_a_replay_gives_the_live_state(case: Case) -> None:
    world, lines = case
    run = Run(world)
    for line in lines:
        run.execute([line])
        live = run.state()
        folded: State = Unregistered(subject=SUBJECT)
        for recorded in run.facts:
            folded = evolve(folded, recorded)
        if isinstance(folded, Subscriber) and live.as_of is not None:
            # A boundary at which nothing could be paid leaves no fact, and a command that changed nothing neither.
            folded = resumed(replace(folded, as_of=live.as_of))
        assert folded == live
        assert run.shard.load(SUBJECT).state == live
        assert list(getattr(folded, "rentals", ())) == list(getattr(live, "rentals", ()))


@everywhere(data=st.data())
def test_cut_after_any_command_and_resumed_is_uncut(case: Case, data: st.DataObject) -> None:
    world, lines = case
    uncut, first = lived(case)
    cut = data.draw(st.integers(0, len(lines)), label="cut after")
    resumed = Run(world)
    outcomes = resumed.execute(lines[:cut])
    resumed.restarted()
    outcomes += resumed.execute(lines[cut:])
    assert resumed.shard.facts == uncut.shard.facts
    assert outcomes == first
    assert resumed.state() == uncut.state()


@everywhere()
def test_cut_after_every_command_and_resumed_from_snapshots_is_uncut(case: Case) -> None:
    world, lines = case
    uncut, first = lived(case)
    resumed = Run(world)
    outcomes = []
    with patch.object(writer_module, "SNAPSHOT_EVERY_FACTS", 3):
        for line in lines:
            resumed.restarted()
            outcomes += resumed.execute([line])
    assert resumed.shard.facts == uncut.shard.facts
    assert outcomes == first


@everywhere()
def test_what_was_decided_and_not_committed_can_be_decided_again(case: Case) -> None:
    world, lines = case
    uncut, first = lived(case)
    crashed = Run(world)
    outcomes = []
    for line in lines:
        crashed.writer.execute(line)
        crashed.restarted()
        outcomes += crashed.execute([line])
    assert crashed.shard.facts == uncut.shard.facts
    assert outcomes == first


@everywhere()
def test_a_snapshot_is_the_state_and_everything_goes_on_from_it(case: Case) -> None:
    world, lines = case
    uncut, _ = lived(case)
    run = Run(world)
    for line in lines:
        run.execute([line])
        kept = run.writer._states[SUBJECT]
        loaded = snapshots.load(snapshots.dump(kept.state))
        assert loaded == kept.state
        kept.state = loaded
    assert run.shard.facts == uncut.shard.facts


def build(path: Path, world: World) -> EmbeddedLedger:
    with patch.object(folder, "initial_catalogue", lambda: iter(world.publications)):
        return EmbeddedLedger(path, create=True)


@everywhere(0.4, data=st.data())
def test_the_embedded_store_gives_what_the_one_in_memory_gives(case: Case, data: st.DataObject) -> None:
    world, lines = case
    memory, first = lived(case)
    cut = data.draw(st.integers(0, len(lines)), label="cut after")
    with TemporaryDirectory() as place, patch.object(writer_module, "SNAPSHOT_EVERY_FACTS", 5):
        outcomes = []
        for part in (lines[:cut], lines[cut:]):
            with build(Path(place) / "ledger", world) as ledger:
                embedded = ledger.writer()
                for line in part:
                    outcomes.append(embedded.execute(line))
                    embedded.commit()
                stored = list(ledger.shard.past(SUBJECT).newest_first())[::-1]
                sequence = ledger.shard.sequence()
    assert outcomes == first
    assert stored == memory.facts
    assert sequence == len(memory.shard.facts)


@everywhere(0.2)
def test_views_that_were_kept_equal_those_rebuilt(case: Case) -> None:
    world, lines = case
    half = len(lines) // 2
    with TemporaryDirectory() as place, build(Path(place) / "ledger", world) as ledger:
        for part in (lines[:half], lines[half:]):
            embedded = ledger.writer()
            for line in part:
                embedded.execute(line)
            embedded.commit()
            verdicts = verify_views(ledger.folder)
            assert verdicts
            assert [verdict for verdict in verdicts if not verdict.holds] == []


@everywhere(0.5, at_once=2)
def test_subscribers_do_not_touch_each_other(cases: list[Case]) -> None:
    world, lines = cases[0]
    alone, first = lived(cases[0])
    others = [{**line, "subscriber": "s-2"} for line in cases[1][1]]
    together = Run(world)
    outcomes: dict[str, Outcomes] = {SUBJECT: [], "s-2": []}
    for line in sorted([*lines, *others], key=lambda one: datetime.fromisoformat(one["at"])):
        outcomes[line["subscriber"]] += together.execute([line])
    assert together.facts == alone.facts
    assert [without_sequences(one) for one in outcomes[SUBJECT]] == [without_sequences(one) for one in first]


def without_sequences(outcome: dict[str, Any]) -> dict[str, Any]:
    return {**outcome, "events": [{**event, "sequence": None} for event in outcome.get("events", [])]}
