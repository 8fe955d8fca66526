"""The contract of `consumers.ports.ShardStore` and `CatalogueStore`, which every store of a ledger passes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.ports import Answer, Group, Known, Stored, StoreError, StoresBeside
from domain.case import Call
from domain.facts import DepositCredited, Recorded, RegulationsPublished, SubscriberRegistered
from domain.state import State, Subscriber, Unregistered, evolve
from infra import snapshots
from infra.embedded import recorder
from tests.contracts.stores import STORES, FolderLedger, Ledger, kafka
from tests.support.lines import first_month, line

NOON = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture(params=[*STORES, pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "kafka":
        opened = kafka(tmp_path / "ledger", request.getfixturevalue("kafka_address"))
    else:
        opened = STORES[request.param](tmp_path / "ledger", "")
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FolderLedger]:
    opened = FolderLedger(tmp_path / "ledger")
    yield opened
    opened.close()


def registration(subject: str = "s-1", version: int = 1, sequence: int = 1) -> Stored:
    fact = SubscriberRegistered(
        regulations="telnexx",
        version="1",
        currency="USD",
        plan="start",
        holder="h-1",
        autorenew=True,
        first_account=True,
        time_zone="Europe/Kyiv",
    )
    recorded = Recorded(
        subject=subject,
        version=version,
        fact=fact,
        effective_at=NOON,
        recorded_at=NOON,
        basis="telnexx/registration",
    )
    return Stored(
        recorded=recorded, sequence=sequence, source="subledger/telnexx", caused_by="c-1", catalogue_sequence=9
    )


def answered(subject: str = "s-1", command_id: str = "c-1") -> Answer:
    command = {"id": command_id, "data": {"amount": "1.00", "nested": [1, None, True]}}
    outcome = {"command": command_id, "status": "accepted", "events": []}
    return Answer(subject=subject, command_id=command_id, command=command, outcome=outcome, position="commands.v1/0/7")


def remembers(known: Known | None, answer: Answer) -> bool:
    """Whether a store gives back what was answered, and knows the command by its content."""
    other = {**answer.command, "data": {}}
    return (
        known is not None
        and known.outcome == answer.outcome
        and known.is_of(answer.command)
        and not known.is_of(other)
        and known.position in {None, answer.position}
    )


def one_registration() -> Group:
    return Group(facts=[registration()], answers=[answered()])


def lived(ledger: Ledger) -> list[Recorded]:
    """A first month, committed; answers with the facts, oldest first."""
    writer = ledger.writer()
    for command in first_month():
        assert writer.execute(command)["status"] == "accepted"
    writer.commit()
    return list(ledger.shard.past("s-1").newest_first())[::-1]


def test_an_empty_shard_has_no_fact_and_no_instant(ledger: Ledger) -> None:
    assert ledger.shard.sequence() == 0
    assert ledger.shard.last_instant() is None
    assert ledger.shard.load("s-1").state == Unregistered(subject="s-1")
    assert ledger.shard.answer("s-1", "c-1") is None
    past = ledger.shard.past("s-1")
    assert (past.call("call-1"), past.deposit("lp-1"), past.fact(1), list(past.newest_first())) == (
        None,
        None,
        None,
        [],
    )


def test_what_was_committed_is_there_after_a_restart(ledger: Ledger) -> None:
    ledger.shard.commit(
        Group(
            facts=[registration()],
            answers=[answered()],
            calls={("s-1", "call-1"): Call(elapsed_seconds=61, ended=False)},
            deposits={("s-1", "lp-1"): 1},
            as_of=NOON,
        )
    )
    ledger.restart()
    assert ledger.shard.sequence() == 1
    assert remembers(ledger.shard.answer("s-1", "c-1"), answered())
    past = ledger.shard.past("s-1")
    assert past.fact(1) == registration().recorded
    assert past.call("call-1") == Call(elapsed_seconds=61, ended=False)
    assert past.deposit("lp-1") == 1
    assert ledger.shard.last_instant() == NOON


def test_an_answer_belongs_to_one_subject(ledger: Ledger) -> None:
    ledger.shard.commit(one_registration())
    assert ledger.shard.answer("s-2", "c-1") is None
    ledger.shard.commit(Group(facts=[registration("s-2", sequence=2)], answers=[answered("s-2")]))
    assert remembers(ledger.shard.answer("s-2", "c-1"), answered("s-2"))
    assert ledger.shard.sequence() == 2


def test_a_group_is_stored_whole_or_not_at_all(ledger: Ledger) -> None:
    ledger.shard.commit(one_registration())
    broken = Group(
        facts=[registration("s-2", sequence=2)],
        answers=[answered("s-2", "c-2"), answered()],
        calls={("s-2", "call-1"): Call(elapsed_seconds=1, ended=True)},
        deposits={("s-2", "lp-1"): 1},
    )
    with pytest.raises(StoreError):
        ledger.shard.commit(broken)
    assert ledger.shard.sequence() == 1
    assert ledger.shard.load("s-2").state == Unregistered(subject="s-2")
    assert ledger.shard.answer("s-2", "c-2") is None
    past = ledger.shard.past("s-2")
    assert (past.call("call-1"), past.deposit("lp-1"), past.fact(1)) == (None, None, None)
    ledger.shard.commit(Group(facts=[registration("s-2", sequence=2)], answers=[answered("s-2", "c-2")]))
    assert ledger.shard.sequence() == 2


@pytest.mark.parametrize("sequence", [1, 3])
def test_the_sequence_is_dense(ledger: Ledger, sequence: int) -> None:
    ledger.shard.commit(one_registration())
    with pytest.raises(StoreError):
        ledger.shard.commit(Group(facts=[registration("s-2", sequence=sequence)], answers=[answered("s-2", "c-2")]))
    assert ledger.shard.sequence() == 1


def test_a_subjects_version_is_stored_once(ledger: Ledger) -> None:
    ledger.shard.commit(one_registration())
    with pytest.raises(StoreError):
        ledger.shard.commit(Group(facts=[registration(sequence=2)], answers=[answered(command_id="c-2")]))
    assert ledger.shard.sequence() == 1


def test_a_reference_is_credited_once_per_subject(ledger: Ledger) -> None:
    ledger.shard.commit(Group(answers=[answered()], deposits={("s-1", "lp-1"): 1}))
    with pytest.raises(StoreError):
        ledger.shard.commit(Group(answers=[answered(command_id="c-2")], deposits={("s-1", "lp-1"): 2}))
    ledger.shard.commit(Group(answers=[answered("s-2")], deposits={("s-2", "lp-1"): 4}))
    assert ledger.shard.past("s-1").deposit("lp-1") == 1
    assert ledger.shard.past("s-2").deposit("lp-1") == 4


def test_how_far_a_call_was_reported_is_kept_up_to_date(ledger: Ledger) -> None:
    for count, seconds in enumerate([60, 120], 1):
        call = Call(elapsed_seconds=seconds, ended=seconds == 120)
        ledger.shard.commit(Group(answers=[answered(command_id=f"c-{count}")], calls={("s-1", "call-1"): call}))
    assert ledger.shard.past("s-1").call("call-1") == Call(elapsed_seconds=120, ended=True)


def test_a_loaded_state_is_the_fold_of_its_facts(ledger: Ledger) -> None:
    facts = lived(ledger)
    folded: State = Unregistered(subject="s-1")
    for recorded in facts:
        folded = evolve(folded, recorded)
    assert ledger.shard.load("s-1").state == folded
    ledger.restart()
    assert ledger.shard.load("s-1").state == folded


def test_a_boundary_that_was_decided_is_not_decided_again_after_a_restart(ledger: Ledger) -> None:
    # The number cannot pay February: it is suspended once, however often the ledger is opened.
    new_year, february = "2026-01-01T00:00:00+02:00", "2026-02-01T00:00:00+02:00"
    joined = [
        line("RegisterSubscriber", "c-1", new_year),
        line("PassVerification", "c-2", new_year),
        line("CreditDeposit", "c-3", new_year, amount="9.00"),
        line("OrderNumber", "c-4", new_year),
        line("AdvanceClock", "c-5", february),
    ]
    writer = ledger.writer()
    decided = [writer.execute(command) for command in joined]
    writer.commit()
    assert [event["type"] for event in decided[-1]["events"]] == [
        "subledger.included-units-lapsed.v1",
        "subledger.rental-suspended.v1",
    ]
    live = writer.state("s-1")
    ledger.restart()
    assert ledger.shard.load("s-1").state == live
    assert ledger.writer().execute(line("AdvanceClock", "c-6", february))["events"] == []
    assert ledger.writer().execute(line("AdvanceClock", "c-7", "2026-02-10T00:00:00+02:00"))["events"] == []


def test_facts_are_looked_up_by_version_and_read_newest_first(ledger: Ledger) -> None:
    facts = lived(ledger)
    assert [one.version for one in facts] == list(range(1, len(facts) + 1))
    past = ledger.shard.past("s-1")
    assert [past.fact(one.version) for one in facts] == facts
    assert past.fact(len(facts) + 1) is None
    assert list(past.newest_first()) == facts[::-1]
    version = past.deposit("lp-1")
    deposit = past.fact(version or 0)
    assert deposit is not None
    assert isinstance(deposit.fact, DepositCredited)
    assert past.call("call-1") == Call(elapsed_seconds=60, ended=True)


def test_a_command_without_a_fact_moves_the_subjects_time_on(ledger: Ledger) -> None:
    lived(ledger)
    later = datetime(2026, 1, 9, 12, tzinfo=UTC)
    ledger.shard.commit(Group(answers=[answered(command_id="c-9")], instants={"s-1": later}, as_of=later))
    ledger.restart()
    state = ledger.shard.load("s-1").state
    assert isinstance(state, Subscriber)
    assert state.as_of == later
    assert ledger.shard.last_instant() == later


def test_a_snapshot_and_the_facts_after_it_give_the_same_state(ledger: Ledger) -> None:
    facts = lived(ledger)
    whole = ledger.shard.load("s-1").state
    half: State = Unregistered(subject="s-1")
    for recorded in facts[: len(facts) // 2]:
        half = evolve(half, recorded)
    ledger.shard.commit(Group(answers=[answered(command_id="c-9")], snapshots={"s-1": half}))
    ledger.restart()
    assert ledger.shard.load("s-1") == (whole, half.version)


def test_an_empty_group_changes_nothing(ledger: Ledger) -> None:
    ledger.shard.commit(Group())
    assert ledger.shard.sequence() == 0


def test_the_catalogue_begins_with_the_built_in_documents(ledger: Ledger) -> None:
    state = ledger.catalogue.load()
    assert {"telnexx", "illyvoip", "hexaserv", "calycom"} == set(state.catalogue.regulations)
    assert state.version == 9
    assert ledger.catalogue.answer("p-1") is None


def test_a_publication_and_its_answer_are_stored_together(ledger: Ledger) -> None:
    state = ledger.catalogue.load()
    stored = publication(state.version + 1)
    answer = answered("catalogue", "p-1")
    ledger.catalogue.commit([stored], answer)
    ledger.restart()
    assert ledger.catalogue.load().version == state.version + 1
    assert "sixth" in ledger.catalogue.load().catalogue.regulations
    assert remembers(ledger.catalogue.answer("p-1"), answer)


def test_a_publication_that_is_answered_already_is_not_stored(ledger: Ledger) -> None:
    version = ledger.catalogue.load().version
    ledger.catalogue.commit([publication(version + 1)], answered("catalogue", "p-1"))
    with pytest.raises(StoreError):
        ledger.catalogue.commit([publication(version + 2)], answered("catalogue", "p-1"))
    with pytest.raises(StoreError):
        ledger.catalogue.commit([publication(version + 3)], answered("catalogue", "p-2"))
    assert ledger.catalogue.load().version == version + 1
    assert ledger.catalogue.answer("p-2") is None


def publication(version: int) -> Stored:
    from infra.documents import initial_catalogue

    telnexx = next(
        one for one in initial_catalogue() if isinstance(one, RegulationsPublished) and one.regulations == "telnexx"
    )
    fact = replace(telnexx, regulations="sixth", version=str(version), effective_from=NOON)
    recorded = Recorded(
        subject="catalogue",
        version=version,
        fact=fact,
        effective_at=NOON,
        recorded_at=NOON,
        basis="subledger/regulations-notice",
    )
    return Stored(recorded=recorded, sequence=version, source="subledger", caused_by="p-1", catalogue_sequence=version)


# What only SQLite can show


@pytest.mark.parametrize("statement", ["INSERT_COMMAND", "UPSERT_CALL", "INSERT_DEPOSIT", "UPSERT_INSTANT"])
def test_a_failure_in_the_middle_of_the_transaction_leaves_nothing(
    folder: FolderLedger, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    group = Group(
        facts=[registration()],
        answers=[answered()],
        calls={("s-1", "call-1"): Call(elapsed_seconds=1, ended=True)},
        deposits={("s-1", "lp-1"): 1},
    )
    with monkeypatch.context() as broken:
        broken.setattr(recorder, statement, "INSERT INTO no_such_table VALUES (?)")
        with pytest.raises(StoreError):
            folder.shard.commit(group)
    folder.restart()
    assert folder.shard.sequence() == 0
    assert folder.shard.load("s-1").state == Unregistered(subject="s-1")
    assert folder.shard.answer("s-1", "c-1") is None
    folder.shard.commit(group)
    assert folder.shard.sequence() == 1


def test_after_a_failed_commit_the_same_commands_can_be_decided_again(
    folder: FolderLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = folder.writer()
    for command in first_month():
        writer.execute(command)
    with monkeypatch.context() as broken:
        broken.setattr(recorder, "UPSERT_CALL", "INSERT INTO no_such_table VALUES (?)")
        with pytest.raises(StoreError):
            writer.commit()
    statuses = [writer.execute(command)["status"] for command in first_month()]
    writer.commit()
    assert statuses == ["accepted"] * 5
    assert folder.shard.sequence() == len(list(folder.shard.past("s-1").newest_first()))


def test_a_snapshot_of_another_shape_is_ignored(folder: FolderLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = lived(folder)
    whole = folder.shard.load("s-1").state
    assert isinstance(whole, Subscriber)
    wrong = replace(whole, version=len(facts), scheduled_plan="never")
    folder.shard.commit(Group(answers=[answered(command_id="c-9")], snapshots={"s-1": wrong}))
    folder.restart()
    assert folder.shard.load("s-1").state == wrong, "a snapshot of the present shape is believed"
    monkeypatch.setattr(snapshots, "SHAPE", f"{snapshots.PREFIX}another")
    assert folder.shard.load("s-1").state == whole


def test_a_snapshot_takes_the_place_of_the_one_before(folder: FolderLedger) -> None:
    states: list[State] = [Unregistered(subject="s-1")]
    for recorded in lived(folder):
        states.append(evolve(states[-1], recorded))
    for number, state in enumerate(states[1:]):
        folder.shard.commit(Group(answers=[answered(command_id=f"c-{number + 90}")], snapshots={"s-1": state}))
    kept = folder.open.application.shard.rows("SELECT originator_version FROM stored_snapshots", ())
    assert list(kept) == [(states[-1].version,)]


def test_answers_that_recorded_nothing_are_stored_too(ledger: Ledger) -> None:
    writer = ledger.writer()
    for command in first_month():
        writer.execute(command)
    again = line("PassVerification", "c-6")
    assert writer.execute(again)["events"] == []
    writer.commit()
    ledger.restart()
    assert ledger.writer().execute(again)["status"] == "duplicate"


def test_a_group_that_is_stored_beside_is_there_once_the_wait_is_over(folder: FolderLedger) -> None:
    assert isinstance(folder.shard, StoresBeside)
    folder.shard.begin_commit(one_registration())()
    assert folder.shard.sequence() == 1
    assert remembers(folder.shard.answer("s-1", "c-1"), answered())


def test_a_group_that_cannot_be_stored_beside_says_so_when_it_is_waited_for(folder: FolderLedger) -> None:
    assert isinstance(folder.shard, StoresBeside)
    folder.shard.commit(one_registration())
    wait = folder.shard.begin_commit(one_registration())
    with pytest.raises(StoreError, match="1 commands was not stored"):
        wait()
    assert folder.shard.sequence() == 1


def test_commands_decided_while_others_are_stored_are_decided_as_ever(folder: FolderLedger, tmp_path: Path) -> None:
    undisturbed = FolderLedger(tmp_path / "undisturbed")
    expected = lived(undisturbed)
    writer = folder.writer()
    for command in first_month():
        assert writer.execute(command)["status"] == "accepted"
        writer.hand_over()
        assert writer.execute(command)["status"] == "duplicate"
    writer.settle()
    assert list(folder.shard.past("s-1").newest_first())[::-1] == expected
    assert folder.writer().state("s-1") == undisturbed.writer().state("s-1")
    undisturbed.close()


def test_after_a_failure_beside_the_writer_goes_on_from_what_is_stored(folder: FolderLedger) -> None:
    writer, other = folder.writer(), folder.writer()
    first, second, *_ = first_month()
    other.execute(first)
    writer.execute(first)
    other.commit()
    writer.hand_over()
    writer.execute(second)
    with pytest.raises(StoreError):
        writer.settle()
    assert writer.sequence == other.sequence
    assert writer.execute(first)["status"] == "duplicate"
    assert writer.execute(second)["status"] == "accepted"
    writer.commit()
    assert folder.shard.load("s-1").state == writer.state("s-1")
