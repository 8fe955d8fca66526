"""The port `ShardStore` on Kafka: facts and notes go to the shard's fenced log, questions to its local index."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from eventsourcing.persistence import PersistenceError

from consumers.ports import Answer, Group, Inquiry, Known, Loaded, Stored, StoreError, impersonal
from domain.state import State
from infra import codec, snapshots
from infra.embedded.recorder import CommittedRows
from infra.embedded.stores import LookedUp, StoredPast, folded
from infra.kafka.log import FencedLog
from infra.kafka.mirror import LogPlace
from infra.kafka.reader import Partition
from infra.kafka.records import LogRecord
from infra.kafka.settings import KafkaSettings
from infra.live import notes
from infra.live.index import UPSERT_SNAPSHOT, ShardTables
from infra.live.places import FACTS, headers_of, offset_in, position_of

COLUMNS = "c.command_offset, c.fingerprint, c.impersonal, c.first_sequence, c.facts, c.verdict"
SELECT_ANSWER = f"SELECT {COLUMNS} FROM commands c WHERE c.subject = ? AND c.command_id = ?"
SELECT_ANSWERS = (
    f"SELECT c.subject, c.command_id, {COLUMNS} FROM json_each(?) j "
    "JOIN commands c ON c.subject = j.value ->> 0 AND c.command_id = j.value ->> 1"
)
SELECT_ANSWERED = (
    "SELECT j.value ->> 0, j.value ->> 1 FROM json_each(?) j "
    "JOIN commands c ON c.subject = j.value ->> 0 AND c.command_id = j.value ->> 1 LIMIT 1"
)
SELECT_CREDITED = (
    "SELECT j.value ->> 0, j.value ->> 1 FROM json_each(?) j "
    "JOIN deposits d ON d.subject = j.value ->> 0 AND d.reference = j.value ->> 1 LIMIT 1"
)
SELECT_RECORDED = "SELECT state FROM stored_events WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
SELECT_PROGRESS = "SELECT through, as_of FROM progress"
SELECT_SNAPSHOT = "SELECT shape, state FROM snapshots WHERE subject = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the index knows of a command that was decided; its content is known by fingerprints alone."""

    outcome: dict[str, Any]
    position: str | None
    fingerprint: str
    impersonal: str | None

    def is_of(self, command: dict[str, Any]) -> bool:
        return self.fingerprint == notes.fingerprint(command)

    def is_of_but_for_personal(self, command: dict[str, Any]) -> bool:
        return self.impersonal == notes.fingerprint(impersonal(command))


def shard_place(settings: KafkaSettings, topic: str, partition: int, folder: Path) -> LogPlace:
    """The log of one shard with its index in `folder`; the catalogue's is made alike."""
    return LogPlace(
        settings=settings,
        partition=Partition(topic, partition),
        folder=folder,
        originator_ids="text",
        extensions=(ShardTables(),),
        record_format=FACTS,
    )


def log_record(stored: Stored, key: bytes) -> LogRecord:
    """A fact on its way to the log, salted under `key`."""
    recorded = stored.recorded
    type_, value = codec.encode(stored, key)
    return LogRecord(recorded.subject, recorded.version, type_, value, headers_of(recorded.id, recorded.subject))


class KafkaShard:
    """One shard, on a log that is open. One thread."""

    def __init__(self, log: FencedLog, key: bytes, commands_partition: int | None = None) -> None:
        """`commands_partition`: where its commands come from, if not from the partition of the same number."""
        self._log = log
        self._key = key
        self._partition = log.place.partition.number if commands_partition is None else commands_partition
        self._committed = CommittedRows(str(log.place.index_file))
        self._answers: dict[tuple[str, str], Remembered | None] = {}
        self._looked_up = LookedUp()
        self.through = self._progress()[0]
        """Offset of the last command dealt with; whoever reads the commands moves it on before each commit."""

    def sequence(self) -> int:
        return self._log.last_sequence

    def last_instant(self) -> datetime | None:
        as_of = self._progress()[1]
        return codec.parse_instant(as_of) if as_of else None

    def load(self, subject: str) -> Loaded:
        return folded(self._committed, subject, self._snapshot(subject))

    def past(self, subject: str) -> StoredPast:
        return StoredPast(self._committed, subject, self._looked_up)

    def prepare(self, inquiry: Inquiry) -> None:
        self._answers = dict.fromkeys(inquiry.commands)
        rows = list(self._committed.rows(SELECT_ANSWERS, (orjson.dumps(inquiry.commands),)))
        for subject, command_id, *row in rows:
            self._answers[subject, command_id] = self._remembered(command_id, subject, row)
        self._looked_up.ask(self._committed, inquiry)

    def answer(self, subject: str, command_id: str) -> Known | None:
        if (subject, command_id) in self._answers:
            return self._answers[subject, command_id]
        row = self._committed.one(SELECT_ANSWER, (subject, command_id))
        return None if row is None else self._remembered(command_id, subject, row)

    def commit(self, group: Group) -> None:
        self._answers.clear()
        self._looked_up.clear()
        self._committed.release()
        if not group.answers:
            return
        self._require_new(group)
        records = [log_record(stored, self._key) for stored in group.facts]
        beside = list(notes.of_group(self.through, _noted(group)))
        after = group.facts[0].sequence - 1 if group.facts else None
        incarnation = self._log.incarnation
        try:
            self._log.append(records, notes=beside, after=after)
        except PersistenceError as error:
            raise StoreError(f"the group of {len(group.answers)} commands was not stored: {error}") from error
        if self._log.incarnation != incarnation:
            # It is in the log, and so may be what another writer put there before we took the log over again: what the
            # caller has in memory is not the shard any more.
            raise StoreError(f"the shard was taken over anew while {len(group.answers)} commands were being stored")
        self._take_snapshots(group.snapshots.values())

    def _require_new(self, group: Group) -> None:
        """Raises StoreError for a command answered before or a reference credited before: nothing was sent.

        Kafka would take them, and then no index could be made of the log any more.
        """
        answered = [(one.subject, one.command_id) for one in group.answers]
        again = self._committed.one(SELECT_ANSWERED, (orjson.dumps(answered),))
        if again is not None or len(set(answered)) != len(answered):
            raise StoreError(f"a command of the group is answered already: {again or 'twice in the group'}")
        if group.deposits:
            again = self._committed.one(SELECT_CREDITED, (orjson.dumps(list(group.deposits)),))
            if again is not None:
                raise StoreError(f"a reference of the group is credited already: {again}")
        self._committed.release()

    def close(self) -> None:
        """Gives the index back; the log stays open."""
        self._committed.close()

    def _progress(self) -> tuple[int, str | None]:
        row = self._committed.one(SELECT_PROGRESS, ())
        return (int(row[0]), row[1]) if row else (-1, None)

    def _remembered(self, command_id: str, subject: str, row: Sequence[Any]) -> Remembered:
        offset, fingerprint, without_personal, first, count, verdict = row
        return Remembered(
            outcome=notes.outcome_of(command_id, orjson.loads(verdict), list(self._events(first, count))),
            position=position_of(self._partition, offset),
            fingerprint=fingerprint,
            impersonal=without_personal,
        )

    def _events(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        """What an outcome says of the facts that its command recorded."""
        if count:
            for (value,) in self._committed.rows(SELECT_RECORDED, (first, first + count - 1)):
                yield notes.event_of(value)

    def _snapshot(self, subject: str) -> State | None:
        row = self._committed.one(SELECT_SNAPSHOT, (subject,))
        return snapshots.load(row[1]) if row is not None and row[0] == snapshots.SHAPE else None

    def _take_snapshots(self, states: Any) -> None:
        """Snapshots are a cache: the facts are stored whether they are or not."""
        rows = [(state.subject, snapshots.SHAPE, snapshots.dump(state)) for state in states]
        if rows:
            with (
                suppress(PersistenceError, sqlite3.Error),
                self._log.index.datastore.transaction(commit=True) as cursor,
            ):
                cursor.executemany(UPSERT_SNAPSHOT, rows)


def _noted(group: Group) -> notes.Note:
    """What the group leaves beside its facts."""
    sequences: dict[str | None, list[int]] = {}
    for stored in group.facts:
        sequences.setdefault(stored.command_position, []).append(stored.sequence)
    return notes.Note(
        through=0,
        answered=[_answered(answer, sequences.get(answer.position, [])) for answer in group.answers],
        calls=[notes.Metered(*key, call.elapsed_seconds, call.ended) for key, call in group.calls.items()],
        deposits=[(*key, version) for key, version in group.deposits.items()],
        as_of=codec.format_instant(group.as_of) if group.as_of else None,
        instants=[(subject, codec.format_instant(at)) for subject, at in group.instants.items()],
    )


def _answered(answer: Answer, sequences: Sequence[int]) -> notes.Answered:
    assert answer.position is not None
    command = answer.command
    return notes.Answered(
        subject=answer.subject,
        command_id=answer.command_id,
        offset=offset_in(answer.position),
        fingerprint=notes.fingerprint(command),
        impersonal=notes.fingerprint(impersonal(command)) if "personal" in command["data"] else None,
        first_sequence=sequences[0] if sequences else 0,
        facts=len(sequences),
        verdict=notes.verdict_of(answer.outcome),
    )
