"""The log of one partition under everything that may fail: fencing, crashes, doubt, damaged indexes, broken logs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from eventsourcing.persistence import DataError, IntegrityError, InternalError
from eventsourcing.sqlite import SQLiteCursor
from kafka import KafkaAdminClient, TopicPartition  # type: ignore[import-untyped]

from infra.kafka import mirror, settings
from infra.kafka.errors import (
    Fenced,
    ForeignRecord,
    HistoryDeleted,
    IndexAhead,
    IndexDiffers,
    LogClosed,
    NotCommitted,
    OutcomeUnknown,
    SequenceBroken,
    TrackingBroken,
    Unreachable,
    VersionBroken,
)
from infra.kafka.follower import FollowedLog
from infra.kafka.log import FencedLog
from infra.kafka.mirror import LogPlace, Mirror
from infra.kafka.producer import CommitDoubtful, FencedProducer, Stored
from infra.kafka.reader import Partition, PartitionReader
from infra.kafka.records import Entry, LogRecord, Note, OutgoingRecord, RecordFormat, Tracked, tracking_record
from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from infra.servers import KafkaCluster
from tests.contracts.kafka_writers import FENCED_EXIT
from tests.support.memory_kafka import MemoryClients, MemoryCluster
from tests.support.servers import new_topic

CHILD_LIMIT_S = 60.0
FORMAT = RecordFormat()


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.xdist_group("kafka")), "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LogPlace:
    """A new, empty log: on a real broker, and on the cluster in memory that stands in for one elsewhere."""
    if request.param == "memory":
        clients = MemoryClients(MemoryCluster())
        return _place(KafkaSettings(bootstrap_servers="memory:1", clients=clients), tmp_path)
    return _place(KafkaSettings(bootstrap_servers=request.getfixturevalue("kafka_address")), tmp_path)


@pytest.fixture
def real_place(kafka_address: str, tmp_path: Path) -> LogPlace:
    """A new, empty log that other processes reach too."""
    return _place(KafkaSettings(bootstrap_servers=kafka_address), tmp_path)


@pytest.fixture
def log(place: LogPlace) -> Iterator[FencedLog]:
    """The writer of a new log, open."""
    with FencedLog(place) as log:
        yield log


class TestAppending:
    def test_sequences_are_dense_from_one(self, log: FencedLog) -> None:
        """1, 2, 3 … over appends, refusals and restarts, whatever Kafka's offsets do."""
        assert log.append(_events("s-1", 1, 2)) == range(1, 3)
        with pytest.raises(IntegrityError):
            log.append(_events("s-1", 2, 3))
        assert log.append(_events("s-2", 1)) == range(3, 4)
        log.close()
        log.open()
        assert log.append(_events("s-2", 2)) == range(4, 5)
        assert [entry.sequence for entry in _read(log.place)] == [1, 2, 3, 4]

    def test_an_append_is_all_or_nothing(self, log: FencedLog) -> None:
        """One conflicting record refuses the whole append, before anything is sent."""
        log.append(_events("s-1", 1))
        with pytest.raises(IntegrityError, match="'s-1' is at version 1, cannot add version 1"):
            log.append([*_events("s-2", 1), *_events("s-1", 1)])
        with pytest.raises(IntegrityError, match="'s-1' is at version 1, cannot add version 3"):
            log.append([*_events("s-2", 1), *_events("s-1", 3)])
        assert [entry.key for entry in _read(log.place)] == ["s-1"]

    def test_of_threads_that_conflict_one_wins(self, log: FencedLog) -> None:
        """Twenty threads append the same version of a stream; one gets a sequence, the others a conflict."""

        def attempt(number: int) -> int | None:
            try:
                (sequence,) = log.append([LogRecord("s-1", 1, "claimed", b"%d" % number)])
            except IntegrityError:
                return None
            return sequence

        with ThreadPoolExecutor(20) as threads:
            outcomes = list(threads.map(attempt, range(20)))
        assert sorted(outcome for outcome in outcomes if outcome) == [1]
        assert len(_read(log.place)) == 1

    def test_waiting_threads_share_a_transaction(self, log: FencedLog, monkeypatch: pytest.MonkeyPatch) -> None:
        """While one commit is under way others queue up, and go into one transaction together."""
        groups: list[int] = []
        commit = FencedProducer.commit

        def slow(producer: FencedProducer, records: Sequence[OutgoingRecord]) -> list[Stored]:
            groups.append(len(records))
            time.sleep(0.3)
            return commit(producer, records)

        monkeypatch.setattr(FencedProducer, "commit", slow)
        with ThreadPoolExecutor(10) as threads:
            outcomes = list(threads.map(lambda number: log.append(_events(f"s-{number}", 1)), range(10)))
        assert sorted(sequence for outcome in outcomes for sequence in outcome) == list(range(1, 11))
        assert sum(groups) == 10
        assert len(groups) < 5

    def test_a_record_that_is_too_large_is_refused_before_it_is_sent(self, log: FencedLog) -> None:
        """DataError with the figures; the log goes on."""
        with pytest.raises(DataError, match="version 1 of stream 's-1' takes .* the limit is 900000"):
            log.append([LogRecord("s-1", 1, "large", bytes(900_000))])
        assert log.append([LogRecord("s-1", 1, "fits", bytes(899_000))]) == range(1, 2)

    def test_an_append_may_say_what_it_has_seen(self, log: FencedLog) -> None:
        """`after` refuses an append that was decided on an older log."""
        log.append(_events("s-1", 1), after=0)
        with pytest.raises(IntegrityError, match="expected the log at sequence 0, it is at 1"):
            log.append(_events("s-2", 1), after=0)

    def test_tracking_is_committed_with_the_events(self, log: FencedLog, tmp_path: Path) -> None:
        """Events and tracking position are one transaction, and both come back from the topic alone."""
        log.append(_events("s-1", 1), tracking=Tracked("upstream", 5, None))
        log.append((), tracking=Tracked("upstream", 9, None))
        with pytest.raises(IntegrityError, match="tracking of upstream is at 9, cannot go to 9"):
            log.append(_events("s-1", 2), tracking=Tracked("upstream", 9, None))
        with closing(Mirror(replace(log.place, folder=tmp_path / "elsewhere"))) as rebuilt:
            rebuilt.catch_up()
            assert rebuilt.index.last_tracked("upstream") == 9
            assert rebuilt.index.position.sequence == 1

    def test_a_closed_log_says_so(self, place: LogPlace) -> None:
        """Neither before `open` nor after `close`."""
        log = FencedLog(place)
        with pytest.raises(LogClosed):
            log.append(_events("s-1", 1))
        log.open()
        log.close()
        with pytest.raises(LogClosed):
            log.append(_events("s-1", 1))

    def test_no_broker_is_said_within_the_limit(self, tmp_path: Path) -> None:
        """Unreachable, after the stated time."""
        nobody = KafkaSettings(bootstrap_servers="127.0.0.1:9", bootstrap_timeout_ms=500, fence_deadline_s=2.0)
        started = time.monotonic()
        with pytest.raises(Unreachable):
            FencedLog(_place_of(nobody, "nowhere", tmp_path)).open()
        assert time.monotonic() - started < 5


class TestFencing:
    def test_the_second_writer_fences_the_first(self, log: FencedLog, tmp_path: Path) -> None:
        """The first gives up at once and for good, until it is opened again; nothing is lost or doubled."""
        log.append(_events("s-1", 1))
        with FencedLog(replace(log.place, folder=tmp_path / "second")) as second:
            assert second.last_sequence == 1
            with pytest.raises(Fenced):
                log.append(_events("s-1", 2))
            assert log.is_fenced
            with pytest.raises(Fenced):
                log.append(_events("s-1", 2))
            assert second.append(_events("s-1", 2)) == range(2, 3)
            log.open()
            assert log.append(_events("s-1", 3)) == range(3, 4)
            with pytest.raises(Fenced):
                second.append(_events("s-1", 3))
        assert [entry.version for entry in _read(log.place)] == [1, 2, 3]

    def test_a_writer_paused_past_its_successor_is_fenced_when_it_wakes(
        self, real_place: LogPlace, tmp_path: Path
    ) -> None:
        """SIGSTOP, a successor, SIGCONT: everything acknowledged is there once, and the sleeper ends as fenced."""
        with _child("append_for_ever", real_place, tmp_path / "paused") as child:
            acknowledged = [int(_line(child)) for _ in range(20)]
            child.send_signal(signal.SIGSTOP)
            with FencedLog(real_place) as successor:
                successor.append(_events("s-1", 1))
                child.send_signal(signal.SIGCONT)
                assert child.wait(CHILD_LIMIT_S) == FENCED_EXIT
                acknowledged += [int(line) for line in _rest(child)]
                successor.append(_events("s-1", 2))
        stored = _read(real_place)
        assert set(acknowledged) <= {entry.sequence for entry in stored if entry.key != "s-1"}
        assert [entry.sequence for entry in stored] == list(range(1, len(stored) + 1))

    def test_after_doubt_a_writer_does_not_take_the_log_back_from_its_successor(
        self, log: FencedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A doubtful commit looks at the log first: with a successor's barrier there it gives up."""
        with FencedLog(replace(log.place, folder=tmp_path / "second")) as second:
            monkeypatch.setattr(log._producer, "commit", _raises(CommitDoubtful("no answer")))
            with pytest.raises(Fenced, match="has taken over"):
                log.append(_events("s-1", 1))
            assert second.append(_events("s-1", 1)) == range(1, 2)


class TestDoubt:
    def test_a_commit_whose_answer_was_lost_is_found_in_the_log(
        self, log: FencedLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Committed, but the answer never came: the append succeeds, once."""
        producer = log._producer
        assert producer is not None
        commit = producer.commit

        def lose_the_answer(records: Sequence[OutgoingRecord]) -> list[Stored]:
            commit(records)
            raise CommitDoubtful("the answer was lost")

        monkeypatch.setattr(producer, "commit", lose_the_answer)
        assert log.append(_events("s-1", 1, 2), tracking=Tracked("upstream", 1, None)) == range(1, 3)
        assert log.append(_events("s-1", 3)) == range(3, 4)
        assert [entry.version for entry in _read(log.place)] == [1, 2, 3]

    def test_a_commit_that_did_not_happen_is_known_not_to_have(
        self, log: FencedLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """NotCommitted; the same append may be tried again, and the log is ready for it."""
        monkeypatch.setattr(log._producer, "commit", _raises(CommitDoubtful("never sent")))
        with pytest.raises(NotCommitted, match="never sent"):
            log.append(_events("s-1", 1))
        assert log.append(_events("s-1", 1)) == range(1, 2)

    def test_the_producer_in_doubt_is_never_used_again(self, log: FencedLog, monkeypatch: pytest.MonkeyPatch) -> None:
        """Recovery makes a new producer."""
        doubtful = log._producer
        monkeypatch.setattr(doubtful, "commit", _raises(CommitDoubtful("no answer")))
        with pytest.raises(NotCommitted):
            log.append(_events("s-1", 1))
        assert log._producer is not doubtful

    def test_an_index_that_cannot_be_written_is_doubt_too(self, place: LogPlace) -> None:
        """Kafka has committed and the disk is full: the answer comes from the log, by way of a new catch-up."""
        commands = CommandIds(failures=0)
        with FencedLog(replace(place, extensions=(commands,))) as log:
            commands.failures = 1
            assert log.append(_events("s-1", 1)) == range(1, 2)
            assert commands.failures == 0
            assert log.append(_events("s-1", 2)) == range(2, 3)
            assert commands.seen(log) == [1, 2]

    def test_a_silent_broker_leaves_the_outcome_unknown_until_it_is_back(
        self,
        kafka_node: KafkaCluster,
        tmp_path: Path,
    ) -> None:
        """OutcomeUnknown within the deadlines; when the broker answers again the next append finds out first."""
        impatient = KafkaSettings(
            bootstrap_servers=kafka_node.bootstrap_servers,
            request_timeout_ms=1_000,
            delivery_timeout_ms=1_500,
            commit_deadline_s=2.0,
            bootstrap_timeout_ms=1_000,
            fence_deadline_s=3.0,
        )
        with FencedLog(_place(impatient, tmp_path)) as log:
            log.append(_events("s-1", 1))
            kafka_node.nodes[0].pause()
            started = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                log.append(_events("s-1", 2))
            assert time.monotonic() - started < 15
            kafka_node.nodes[0].resume()
            _retry(lambda: log.append(_events("s-2", 1)), until=20)
            stored = _read(log.place)
            assert [entry.sequence for entry in stored] == list(range(1, len(stored) + 1))
            assert {entry.key for entry in stored} == {"s-1", "s-2"}


class TestCrashes:
    def test_killed_between_commit_and_index(self, real_place: LogPlace, tmp_path: Path) -> None:
        """What Kafka has committed is found by the next writer, with the index that the dead one left."""
        _begin(real_place)
        with _child("die_between_commit_and_index", real_place, tmp_path) as child:
            assert child.wait(CHILD_LIMIT_S) == -signal.SIGKILL
        with FencedLog(real_place) as log:
            assert log.last_sequence == 3
            assert log.append(_events("s-1", 4)) == range(4, 5)

    def test_killed_in_mid_transaction(self, real_place: LogPlace, tmp_path: Path) -> None:
        """The fence ends the dead writer's transaction at once; nothing of it is ever read."""
        _begin(real_place)
        with _child("die_in_mid_transaction", real_place, tmp_path) as child:
            assert child.wait(CHILD_LIMIT_S) == -signal.SIGKILL
        started = time.monotonic()
        with FencedLog(real_place) as log:
            assert time.monotonic() - started < real_place.settings.transaction_timeout_ms / 1000 / 2
            assert log.last_sequence == 1
            assert log.append(_events("s-1", 2)) == range(2, 3)
        assert b"never committed" not in [entry.value for entry in _read(real_place)]

    def test_a_broker_killed_under_load_loses_and_doubles_nothing(
        self,
        kafka_cluster: KafkaCluster,
        tmp_path: Path,
    ) -> None:
        """Three brokers, the partition's leader killed −9 under appends: each acknowledged one is there, once."""
        place = _place(KafkaSettings(bootstrap_servers=kafka_cluster.bootstrap_servers), tmp_path)
        acknowledged: list[int] = []
        enough = Event()

        def write(log: FencedLog) -> None:
            while not enough.is_set():
                events = _events(f"s-{time.monotonic_ns()}", 1, 2, 3)
                acknowledged.extend(_retry(partial(log.append, events), until=60))

        with FencedLog(place) as log:
            writing = Thread(target=write, args=(log,))
            writing.start()
            _wait_until(lambda: len(acknowledged) > 300)
            kafka_cluster.nodes[_leader(place) - 1].kill()
            before = len(acknowledged)
            _wait_until(lambda: len(acknowledged) > before + 300)
            enough.set()
            writing.join(CHILD_LIMIT_S)
            assert not writing.is_alive()
        stored = [entry.sequence for entry in _read(place)]
        assert stored == list(range(1, len(stored) + 1))
        assert set(acknowledged) <= set(stored)


class TestIndex:
    def test_deleted_it_is_rebuilt(self, place: LogPlace) -> None:
        """A missing index is read from the topic."""
        _begin(place, appends=20)
        before = _rows(place)
        place.index_file.unlink()
        with FencedLog(place) as log:
            assert log.last_sequence == 20
        assert _rows(place) == before

    def test_more_streams_than_are_remembered(self, place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """Versions that were forgotten are looked up in the index, while writing and while rebuilding."""
        monkeypatch.setattr(mirror, "STREAMS_REMEMBERED", 3)
        monkeypatch.setattr(settings, "POLL_RECORDS", 7)
        with FencedLog(place) as log:
            for version in range(1, 4):
                for number in range(10):
                    log.append(_events(f"s-{number}", version))
            with pytest.raises(IntegrityError, match="is at version 3, cannot add version 3"):
                log.append(_events("s-0", 3))
        place.index_file.unlink()
        with FencedLog(place) as log:
            assert log.append(_events("s-0", 4)) == range(31, 32)

    def test_stale_it_catches_up(self, place: LogPlace, tmp_path: Path) -> None:
        """An older copy of the file is brought up to date."""
        _begin(place)
        older = place.index_file.read_bytes()
        with FencedLog(replace(place, folder=tmp_path / "elsewhere")) as log:
            log.append(_events("s-1", 2, 3))
        place.index_file.write_bytes(older)
        with FencedLog(place) as log:
            assert log.last_sequence == 3
            assert log.append(_events("s-1", 4)) == range(4, 5)

    @pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.9])
    def test_truncated_it_is_rebuilt(self, place: LogPlace, kept: float) -> None:
        """Cut anywhere, it comes back whole."""
        _begin(place, appends=300)
        before = _rows(place)
        whole = place.index_file.read_bytes()
        place.index_file.write_bytes(whole[: int(len(whole) * kept)])
        with FencedLog(place) as log:
            assert log.last_sequence == 300
        assert _rows(place) == before

    def test_overwritten_with_something_else_it_is_rebuilt(self, place: LogPlace) -> None:
        """A file that is no database at all."""
        _begin(place)
        place.index_file.write_bytes(b"not a database " * 1000)
        with FencedLog(place) as log:
            assert log.last_sequence == 1

    def test_with_rows_missing_it_is_rebuilt(self, place: LogPlace) -> None:
        """Rows deleted from the middle are noticed by their number."""
        _begin(place, appends=50)
        _change(place, "DELETE FROM stored_events WHERE rowid = 25")
        with FencedLog(place) as log:
            assert len(log.index.events(1, 50)) == 50

    def test_ahead_of_the_log_it_is_refused(self, place: LogPlace, tmp_path: Path) -> None:
        """An index that has read further than the log goes: the log lost records, or it is another cluster's."""
        _begin(place, appends=20)
        other = _place(place.settings, tmp_path / "other")
        _begin(other)
        _change(place, "UPDATE log_position SET topic = ?", other.partition.topic)
        place.index_file.rename(other.index_file)
        with pytest.raises(IndexAhead, match=f"{other.partition.topic}/0 ends at offset .* has read up to"):
            FencedLog(other).open()

    def test_different_from_the_log_it_is_refused(self, place: LogPlace) -> None:
        """One changed byte near the end is named with its sequence and both values."""
        _begin(place, appends=20)
        _change(place, "UPDATE stored_events SET state = ? WHERE rowid = 15", b"forged")
        with pytest.raises(IndexDiffers, match=r"differ at sequence 15 .* b'forged'"):
            FencedLog(place).open()

    def test_of_another_partition_it_is_refused(self, place: LogPlace) -> None:
        """An index that says it is of another topic is not taken for this one's."""
        _begin(place)
        _change(place, "UPDATE log_position SET topic = 'another'")
        with pytest.raises(IndexDiffers, match="the index of another/0, not of"):
            FencedLog(place).open()

    def test_extensions_are_folded_and_rebuilt_with_the_events(self, place: LogPlace) -> None:
        """Tables of one's own change in the events' transactions and come back from the topic."""
        commands = CommandIds()
        extended = replace(place, extensions=(commands,))
        with FencedLog(extended) as log:
            log.append(_events("s-1", 1, 2))
            assert commands.seen(log) == [1, 2]
        place.index_file.unlink()
        with FencedLog(extended) as log:
            assert commands.seen(log) == [1, 2]


class TestBrokenLogs:
    """What Kafka's transactions should make impossible is diagnosed all the same, before anything is decided."""

    @pytest.mark.parametrize(
        ("sequences", "diagnosis"),
        [((1, 3), "a gap at offset .*: expected sequence 2, found 3"), ((1, 1), "a repeat .*: expected sequence 2")],
    )
    def test_sequences(self, place: LogPlace, sequences: tuple[int, ...], diagnosis: str) -> None:
        """A gap or a repeat in the partition's sequence stops the writer."""
        _forge(place, [FORMAT.event(LogRecord("s-1", number, "t", b""), number) for number in sequences])
        with pytest.raises(SequenceBroken, match=diagnosis):
            FencedLog(place).open()

    @pytest.mark.parametrize(
        ("versions", "diagnosis"),
        [((1, 3), "a gap in stream 's-1' .*: expected version 2, found 3"), ((1, 1), "a repeat in stream 's-1'")],
    )
    def test_versions(self, place: LogPlace, versions: tuple[int, ...], diagnosis: str) -> None:
        """A gap or a repeat in one stream stops the writer."""
        _forge(place, [FORMAT.event(LogRecord("s-1", v, "t", b""), s) for s, v in enumerate(versions, 1)])
        with pytest.raises(VersionBroken, match=diagnosis):
            FencedLog(place).open()

    def test_tracking(self, place: LogPlace) -> None:
        """A tracking record that leaves one out stops the writer."""
        _forge(place, [tracking_record(Tracked("up", 1, None)), tracking_record(Tracked("up", 3, 2))])
        with pytest.raises(TrackingBroken, match="from 2 to 3, expected from 1"):
            FencedLog(place).open()

    def test_foreign_records(self, place: LogPlace) -> None:
        """A record of somebody else's stops the writer."""
        _forge(place, [OutgoingRecord(b"key", b"value", [("trace", b"1")])])
        with pytest.raises(ForeignRecord, match=r"the record at offset 0 is not .* \['trace'\]"):
            FencedLog(place).open()

    def test_a_break_behind_a_current_index(self, place: LogPlace) -> None:
        """A writer that went on past its fence is noticed by the next one that opens."""
        _begin(place, appends=3)
        _forge(place, [FORMAT.event(LogRecord("s-9", 1, "t", b""), 3)])
        with pytest.raises(SequenceBroken, match="expected sequence 4, found 3"):
            FencedLog(place).open()

    def test_deleted_history(self, place: LogPlace) -> None:
        """Retention behind our back: the partition does not begin at its beginning."""
        _begin(place, appends=10)
        with closing(place.settings.clients.admin(**place.settings.for_admin())) as admin:
            admin.delete_records({TopicPartition(*place.partition): 5})
        with pytest.raises(HistoryDeleted, match="begins at offset 5, not 0"):
            FencedLog(place).open()

    def test_a_follower_says_what_it_met(self, place: LogPlace) -> None:
        """Reading from a follower raises the diagnosis of the log."""
        _begin(place)
        follower = FollowedLog(replace(place, role="follower"))
        follower.open()
        try:
            _forge(place, [FORMAT.event(LogRecord("s-9", 1, "t", b""), 7)])
            with pytest.raises(InternalError, match="expected sequence 2, found 7"):
                _wait_until(lambda: follower.index.position.sequence > 1)
        finally:
            follower.close()


@dataclass
class CommandIds:
    """An extension such as a shard's writer has: which sequences were seen. Fails when told to."""

    failures: int = 0
    applied: list[int] = field(default_factory=list)

    def create(self, cursor: SQLiteCursor) -> None:
        cursor.execute("CREATE TABLE IF NOT EXISTS commands (sequence INTEGER PRIMARY KEY)")

    def apply(self, cursor: SQLiteCursor, entries: Sequence[Entry], notes: Sequence[Note]) -> None:
        if self.failures and entries:
            self.failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        cursor.executemany("INSERT INTO commands VALUES (?)", [(entry.sequence,) for entry in entries])

    def seen(self, log: FencedLog) -> list[int]:
        with log.index.datastore.transaction(commit=False) as c:
            c.execute("SELECT sequence FROM commands ORDER BY sequence")
            return [row[0] for row in c.fetchall()]


def _place(reached_by: KafkaSettings, folder: Path) -> LogPlace:
    topic = new_topic()
    create_topic(reached_by, topic)
    return _place_of(reached_by, topic, folder)


def _place_of(reached_by: KafkaSettings, topic: str, folder: Path) -> LogPlace:
    return LogPlace(settings=reached_by, partition=Partition(topic, 0), folder=folder, originator_ids="text")


def _events(stream: str, *versions: int) -> list[LogRecord]:
    return [LogRecord(stream, version, "counted", b"%d" % version) for version in versions]


def _begin(place: LogPlace, appends: int = 1) -> None:
    """A log with events 1 … of stream s-1, its index closed."""
    with FencedLog(place) as log:
        for event in _events("s-1", *range(1, appends + 1)):
            log.append([event])


def _read(place: LogPlace) -> list[Entry]:
    """Everything committed, through a reader that checks that it is dense."""
    with PartitionReader(place.settings, place.partition, offset=0, after=0) as reader:
        return [entry for batch in reader.until(reader.end_offset()) for entry in batch.entries]


def _forge(place: LogPlace, records: Sequence[OutgoingRecord]) -> None:
    """Commits records that our writer would never write."""
    producer = FencedProducer(place.settings, place.partition, "forger")
    producer.fence()
    producer.commit(records)
    producer.discard()


def _rows(place: LogPlace) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(place.index_file)) as connection:
        return connection.execute("SELECT rowid, * FROM stored_events ORDER BY rowid").fetchall()


def _change(place: LogPlace, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(place.index_file)) as connection, connection:
        connection.execute(statement, parameters)


def _leader(place: LogPlace) -> int:
    with closing(KafkaAdminClient(**place.settings.for_admin())) as admin:
        (topic,) = admin.describe_topics([place.partition.topic])
    return int(topic["partitions"][place.partition.number]["leader_id"])


@contextmanager
def _child(way: str, place: LogPlace, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A writer in a process of its own, which does not outlive the test."""
    command = [sys.executable, "-m", "tests.contracts.kafka_writers", way]
    arguments = [place.settings.bootstrap_servers, place.partition.topic, str(folder)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def _rest(child: subprocess.Popen[str]) -> list[str]:
    assert child.stdout is not None
    return child.stdout.read().split()


def _raises(error: Exception) -> Callable[..., list[Stored]]:
    def commit(_: object) -> list[Stored]:
        raise error

    return commit


def _retry(append: Callable[[], range], *, until: float) -> range:
    """Appends until it succeeds; a conflict means that an earlier attempt did."""
    deadline = time.monotonic() + until
    while True:
        try:
            return append()
        except (NotCommitted, OutcomeUnknown, Unreachable):
            assert time.monotonic() < deadline, "the log did not come back"
        except IntegrityError:
            return range(0)


def _wait_until(reached: Callable[[], bool], limit_s: float = CHILD_LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
