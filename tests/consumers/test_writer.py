"""The writer: each command decided once and answered the same for ever; a failed commit leaves nothing of its group."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.ports import Group, StoreError
from consumers.writer import SNAPSHOT_EVERY_FACTS, Writer
from infra.documents import initial_catalogue
from tests.contracts.stores import STORES, Ledger, MemoryLedger
from tests.support.lines import Line, first_month, line
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

LATER = "2026-01-06T12:00:00+02:00"
TARIFF: dict[str, Any] = {
    "tariff": "telnexx-usd-2026",
    "regulations": "telnexx",
    "currency": "USD",
    "effective_from": LATER,
    "tax": None,
    "plans": {"start": {"connection_fee": "1.00", "periodic": {"did.ua": "1.00"}, "usage": {}, "administrative": {}}},
}


@pytest.fixture(params=list(STORES))
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    opened = STORES[request.param](tmp_path / "ledger", "")
    yield opened
    opened.close()


def run(writer: Writer, *lines: Line) -> list[dict[str, Any]]:
    outcomes = [writer.execute(command) for command in lines]
    writer.commit()
    return outcomes


def names(outcome: dict[str, Any]) -> list[str]:
    return [event["type"].removeprefix("subledger.").removesuffix(".v1") for event in outcome["events"]]


def publication(command_id: str, document: dict[str, Any], at: str = LATER) -> Line:
    name = "PublishTariff" if "tariff" in document else "PublishRegulations"
    return {**line(name, command_id, at, "catalogue"), "data": document}


def test_an_outcome_names_its_facts_with_their_places(ledger: Ledger) -> None:
    outcomes = run(ledger.writer(), *first_month())
    assert outcomes[0] == {
        "command": "c-1",
        "status": "accepted",
        "balance": "0.00",
        "currency": "USD",
        "events": [
            {
                "id": "s-1/1",
                "type": "subledger.subscriber-registered.v1",
                "effective_at": "2026-01-05T10:00:00Z",
                "sequence": 1,
            }
        ],
    }
    assert names(outcomes[3]) == [
        "order-placed",
        "connection-fee-charged",
        "periodic-service-charged",
        "included-units-granted",
        "number-rented",
    ]
    assert outcomes[3]["balance"] == "42.30"
    assert (outcomes[4]["continue"], outcomes[4]["charged"]) == (False, "0.00")
    sequences = [event["sequence"] for outcome in outcomes for event in outcome["events"]]
    assert sequences == list(range(1, len(sequences) + 1))


def test_the_same_command_again_is_answered_with_the_first_outcome_and_records_nothing(ledger: Ledger) -> None:
    writer = ledger.writer()
    first = run(writer, *first_month())
    sequence = ledger.shard.sequence()
    assert run(writer, *first_month()) == [{**outcome, "status": "duplicate"} for outcome in first]
    assert ledger.shard.sequence() == sequence


def test_a_command_repeated_within_its_group_is_a_duplicate(ledger: Ledger) -> None:
    writer = ledger.writer()
    first, again = run(writer, first_month()[0], first_month()[0])
    assert again == {**first, "status": "duplicate"}


def test_duplicates_are_recognised_after_a_restart(ledger: Ledger) -> None:
    first = run(ledger.writer(), *first_month())
    ledger.restart()
    assert run(ledger.writer(), *first_month()) == [{**outcome, "status": "duplicate"} for outcome in first]


def test_a_refused_command_is_not_decided_afresh(ledger: Ledger) -> None:
    order = line("OrderNumber", "c-9", LATER, number="+380441234568", service="did.fr")
    writer = ledger.writer()
    refused = run(writer, *first_month(), order)[-1]
    assert (refused["status"], refused["code"], names(refused)) == ("refused", "unknown_service", ["command-refused"])
    assert refused["balance"] == "42.30"
    assert run(writer, order) == [{**refused, "status": "duplicate"}]


def test_an_id_with_another_content_is_refused_and_records_nothing(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month())
    sequence = ledger.shard.sequence()
    (outcome,) = run(writer, line("CreditDeposit", "c-3", amount="60.00"))
    assert (outcome["status"], outcome["code"], outcome["events"]) == ("refused", "command_id_reused", [])
    assert outcome["basis"] == "subledger/command-id-reused"
    assert ledger.shard.sequence() == sequence
    (again,) = run(writer, line("CreditDeposit", "c-3"))
    assert again["status"] == "duplicate"


def test_an_id_is_one_subscribers_own(ledger: Ledger) -> None:
    outcomes = run(ledger.writer(), *first_month(), *first_month("s-2"))
    assert [outcome["status"] for outcome in outcomes] == ["accepted"] * 10
    assert ledger.shard.past("s-2").deposit("lp-1") is not None


def test_time_that_went_backwards_records_nothing_and_takes_no_id(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month())
    sequence = ledger.shard.sequence()
    early = line("CreditDeposit", "c-9", "2026-01-05T11:59:59+02:00", reference="lp-2")
    (outcome,) = run(writer, early)
    assert (outcome["status"], outcome["code"], outcome["events"]) == ("refused", "time_went_backwards", [])
    assert outcome["balance"] == "42.30"
    assert ledger.shard.sequence() == sequence
    (outcome,) = run(writer, line("CreditDeposit", "c-9", LATER, reference="lp-2"))
    assert outcome["status"] == "accepted"


def test_a_repeated_command_is_recognised_before_its_time_is_looked_at(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month(), line("AdvanceClock", "c-9", "2026-03-01T12:00:00+02:00"))
    assert run(writer, first_month()[0])[0]["status"] == "duplicate"


def test_a_malformed_command_leaves_nothing_and_the_next_one_goes_on(ledger: Ledger) -> None:
    writer = ledger.writer()
    bad = line("CreditDeposit", "c-9", amount=5.0)
    broken, none, good = run(writer, bad, ["not", "a", "command"], first_month()[0])  # type: ignore[arg-type]
    assert (broken["command"], broken["status"], broken["path"]) == ("c-9", "invalid", "data.amount")
    assert (none["command"], none["status"], none["path"]) == (None, "invalid", "")
    assert good["status"] == "accepted"
    assert run(writer, {**first_month()[1], "id": "c-9"})[0]["status"] == "accepted"


def test_a_fault_that_only_the_rental_shows_is_malformed_and_records_nothing(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month())
    sequence = ledger.shard.sequence()
    replace_number = line("ReplaceNumber", "c-9", "2026-02-05T12:00:00+02:00", new_number="site-1")
    (outcome,) = run(writer, replace_number)
    assert (outcome["status"], outcome["path"]) == ("invalid", "data.new_number")
    assert ledger.shard.sequence() == sequence
    (earlier,) = run(writer, line("AdvanceClock", "c-10", LATER))
    assert earlier["status"] == "accepted"


def test_the_clock_of_a_stranger_records_nothing(ledger: Ledger) -> None:
    (outcome,) = run(ledger.writer(), line("AdvanceClock", "c-1"))
    assert (outcome["status"], outcome["code"], outcome["events"]) == ("refused", "unknown_subscriber", [])
    assert ledger.shard.sequence() == 0


@pytest.mark.parametrize("subscriber", ["s-1", "s-9"])
def test_a_refused_report_of_usage_says_stop(ledger: Ledger, subscriber: str) -> None:
    report = line("ReportUsage", "c-9", LATER, subscriber, service="voice.out", usage="call-9")
    outcome = run(ledger.writer(), *first_month(), report)[-1]
    assert outcome["status"] == "refused"
    assert (outcome["continue"], outcome["charged"]) == (False, "0.00")


def test_a_report_that_goes_back_in_time_or_reuses_an_id_says_stop_too(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month())
    early = line("ReportUsage", "c-9", "2026-01-05T11:00:00+02:00", usage="call-9")
    reused = line("ReportUsage", "c-5", usage="call-9")
    for outcome in run(writer, early, reused):
        assert outcome["status"] == "refused"
        assert (outcome["continue"], outcome["charged"], outcome["balance"]) == (False, "0.00", "42.30")


def test_how_far_a_call_was_reported_is_known_after_a_restart(ledger: Ledger) -> None:
    run(ledger.writer(), *first_month(), line("ReportUsage", "c-6", usage="call-2", elapsed_seconds=59, ended=False))
    ledger.restart()
    (outcome,) = run(ledger.writer(), line("ReportUsage", "c-7", usage="call-2", elapsed_seconds=10, ended=True))
    assert names(outcome) == ["usage-charged"]
    ledger.restart()
    (outcome,) = run(ledger.writer(), line("ReportUsage", "c-8", usage="call-2", elapsed_seconds=90, ended=True))
    assert outcome["code"] == "usage_ended"


def test_a_stream_is_folded_from_nearby_however_often_the_writer_begins_anew(ledger: Ledger) -> None:
    run(ledger.writer(), *first_month())
    for day in range(6, 16):
        at = f"2026-01-{day:02}T12:00:00+02:00"
        calls = [f"u-{day}-{part}" for part in range(SNAPSHOT_EVERY_FACTS // 4)]
        run(ledger.writer(), *[line("ReportUsage", call, at, usage=call) for call in calls])
        ledger.restart()
        state, snapshot_version = ledger.shard.load("s-1")
        assert state.version - snapshot_version < SNAPSHOT_EVERY_FACTS
    assert snapshot_version > SNAPSHOT_EVERY_FACTS


def test_outstanding_is_shown_under_invoices_always_and_never_elsewhere(ledger: Ledger) -> None:
    registration = line(
        "RegisterSubscriber", "c-1", subscriber="s-2", regulations="illyvoip", currency="EUR", plan="basic"
    )
    order = line("OrderNumber", "c-2", subscriber="s-2", number="+493012345678", service="did.de")
    joined, ordered = run(ledger.writer(), registration, order)
    assert (joined["balance"], joined["outstanding"]) == ("0.00", "0.00")
    assert (ordered["balance"], ordered["outstanding"]) == ("0.00", "6.47")
    early = line("AdvanceClock", "c-3", "2023-01-05T12:00:00+02:00", "s-2")
    assert run(ledger.writer(), early)[0]["outstanding"] == "6.47"
    assert "outstanding" not in run(ledger.writer(), *first_month())[0]


def test_what_is_published_counts_for_the_commands_after_it_and_not_for_those_before(ledger: Ledger) -> None:
    writer = ledger.writer()
    order = line("OrderNumber", "c-9", LATER, number="+380441234568")
    before = run(writer, *first_month())[-1]
    published, after = run(writer, publication("p-1", TARIFF), order)
    assert before["balance"] == "42.30"
    assert (published["status"], names(published)) == ("accepted", ["tariff-published"])
    assert published["events"][0]["id"] == "catalogue/10"
    # 1.00 × 26 ÷ 31 = 0.84
    assert after["balance"] == "41.46"
    ledger.restart()
    (renewed,) = run(ledger.writer(), line("AdvanceClock", "c-10", "2026-02-01T12:00:00+02:00"))
    assert renewed["balance"] == "39.46"


def test_facts_know_the_last_catalogue_fact_that_they_were_decided_on() -> None:
    memory = MemoryLedger()
    writer = memory.writer()
    run(writer, *first_month())
    run(
        writer,
        publication("p-1", TARIFF),
        line("PassVerification", "c-6", LATER),
        line("CreditDeposit", "c-7", LATER, reference="lp-2"),
    )
    known = {stored.caused_by: stored.catalogue_sequence for stored in memory.shard.facts}
    assert (known["c-5"], known["c-7"]) == (9, 10)
    assert {stored.source for stored in memory.shard.facts} == {"subledger/telnexx"}
    assert all(stored.command_position is None for stored in memory.shard.facts)


def test_a_publication_is_decided_once(ledger: Ledger) -> None:
    writer = ledger.writer()
    (first,) = run(writer, publication("p-1", TARIFF))
    ledger.restart()
    again, reused, unknown = run(
        ledger.writer(),
        publication("p-1", TARIFF),
        publication("p-1", {**TARIFF, "tariff": "other"}),
        publication("p-2", {**TARIFF, "regulations": "nobody"}),
    )
    assert again == {**first, "status": "duplicate"}
    assert (reused["code"], reused["events"]) == ("command_id_reused", [])
    assert (unknown["code"], names(unknown)) == ("unknown_regulations", ["command-refused"])
    assert ledger.catalogue.load().version == 11


def test_nothing_is_published_before_the_ledgers_last_instant(ledger: Ledger) -> None:
    writer = ledger.writer()
    run(writer, *first_month(), line("AdvanceClock", "c-9", "2026-01-06T12:00:01+02:00"))
    (outcome,) = run(writer, publication("p-1", TARIFF))
    assert outcome["code"] == "effective_in_the_past"
    assert datetime.fromisoformat(outcome["earliest"]) == datetime(2026, 1, 6, 10, 0, 1, tzinfo=UTC)
    ledger.restart()
    (outcome,) = run(ledger.writer(), publication("p-2", {**TARIFF, "effective_from": "2026-01-06T12:00:01+02:00"}))
    assert outcome["status"] == "accepted"


def test_a_malformed_document_is_named_and_leaves_nothing(ledger: Ledger) -> None:
    (outcome,) = run(ledger.writer(), publication("p-1", {**TARIFF, "plans": 7}))
    assert (outcome["status"], outcome["path"]) == ("invalid", "data.plans")
    assert ledger.catalogue.load().version == len(list(initial_catalogue()))


def test_personal_data_is_sealed_before_anything_is_recorded_and_its_key_destroyed_with_the_erasure() -> None:
    memory = MemoryLedger()
    writer = memory.writer()
    registration = line("RegisterSubscriber", "c-1", personal={"name": "N. N."})
    run(writer, registration)
    assert getattr(memory.shard.facts[0].recorded.fact, "personal", None) == "sealed:s-1:c-1:{'name': 'N. N.'}"
    assert run(writer, registration)[0]["status"] == "duplicate"
    writer.execute(line("ErasePersonalData", "c-2", LATER))
    assert memory.sealer.erased == [], "the key outlives a commit that may still fail"
    writer.commit()
    assert memory.sealer.intended == memory.sealer.erased == ["s-1"]


class FailingShard(MemoryShard):
    """Fails the next commit, once told to."""

    failing = False

    def commit(self, group: Group) -> None:
        if self.failing:
            raise StoreError("the disk is full")
        super().commit(group)


def test_a_commit_that_fails_makes_the_writer_forget_all_that_it_decided() -> None:
    shard, sealer = FailingShard(), PlainSealer()
    writer = Writer(shard, MemoryCatalogue(), sealer)
    run(writer, *first_month())
    before = writer.state("s-1")
    later = [
        line("CreditDeposit", "c-6", LATER, reference="lp-2"),
        line("ReportUsage", "c-7", LATER, usage="call-2", elapsed_seconds=120, ended=False),
        line("ErasePersonalData", "c-8", LATER),
        *first_month("s-2"),
    ]
    first = [writer.execute(command) for command in later]
    shard.failing = True
    with pytest.raises(StoreError):
        writer.commit()
    assert writer.state("s-1") == before
    assert writer.undecided == 0
    assert sealer.erased == []
    shard.failing = False
    assert run(writer, *later) == first
    assert shard.sequence() == max(event["sequence"] for outcome in first for event in outcome["events"])


def test_a_publication_after_a_failed_commit_is_not_decided() -> None:
    shard, catalogue = FailingShard(), MemoryCatalogue()
    writer = Writer(shard, catalogue, PlainSealer())
    writer.execute(first_month()[0])
    shard.failing = True
    with pytest.raises(StoreError):
        writer.execute(publication("p-1", TARIFF))
    assert catalogue.answer("p-1") is None
    assert shard.sequence() == 0


def test_what_a_group_decided_is_seen_by_its_later_commands() -> None:
    writer = MemoryLedger().writer()
    outcomes = [writer.execute(command) for command in first_month()]
    again = writer.execute(line("CreditDeposit", "c-6"))
    assert outcomes[-1]["status"] == "accepted"
    assert again["code"] == "reference_already_credited"
    dispute = writer.execute(line("OpenDispute", "c-7", charge="s-1/7"))
    assert dispute["status"] == "accepted"
