"""`verify` on a live ledger: each partition against itself, the notes against the facts, PostgreSQL against the log.

The log is read once, partition by partition. What PostgreSQL has counted of it is compared with the copies there, byte
for byte, and folded anew into a database of its own; the copies, ordered by subscriber, are then followed as those of
an embedded ledger are. What the views have not counted yet is checked against itself alone.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from msgspec import ValidationError

from consumers.outcomes import Outcome
from infra.codec import UndecodableFact
from infra.kafka.errors import CorruptLog
from infra.kafka.reader import Batch, Partition, PartitionReader
from infra.kafka.records import Entry
from infra.live import notes
from infra.live.notes import Answered
from infra.live.places import CATALOGUE, EVENTS, FACTS, position_of
from infra.postgres.schema import BEGINNING, CATALOGUE_SHARD, Position
from infra.postgres.source import PostgresSource
from infra.views.folding import UnknownFact
from infra.views.rebuilding import bulk_connect
from infra.views.runner import Runner, ViewsError, create
from infra.views.verification import INITIAL, LogVerdicts, Verdict, agreeing, compared
from projections.views import VIEWS

SELECT_COPIES = "SELECT sequence, value FROM facts WHERE shard = $1 ORDER BY sequence"
SELECT_BY_SUBJECT = "SELECT sequence, subject, version, type, value FROM facts ORDER BY subject, version"
SELECT_VERSIONS = "SELECT sequence, version FROM facts WHERE subject = $1"
SELECT_TOLD = "SELECT command_id, first_sequence, facts, verdict FROM answers WHERE subject = $1"
SELECT_ANSWERS = """
SELECT subject, command_id, command_offset, first_sequence, facts, verdict
FROM unnest($1::text[], $2::text[]) AS asked(subject, command_id) JOIN answers USING (subject, command_id)
WHERE shard = $3"""
SELECT_ANSWERED = "SELECT COUNT(*) FROM answers WHERE shard = $1"


class LiveVerdicts:
    """What is asked of a live ledger beyond what is asked of every one."""

    def __init__(self) -> None:
        self.places = Verdict(name="facts say where their command stands, in the order of the commands")
        self.notes = Verdict(name="each fact is in the note of its command's answer")
        self.copies = Verdict(name="the copies in PostgreSQL are the bytes of the log")
        self.answers = Verdict(name="the answers in PostgreSQL are the notes of the log")

    @property
    def all(self) -> tuple[Verdict, ...]:
        return self.places, self.notes, self.copies, self.answers


def verify_live(source: PostgresSource) -> tuple[LogVerdicts, tuple[Verdict, ...]]:
    """The verdicts on the log, and those on what was made of it; the views are folded only from a log that is sound."""
    key = source.settings.keys / "salt.key"
    log = LogVerdicts(key.read_bytes() if key.exists() else None, _Told(source))
    live = LiveVerdicts()
    with TemporaryDirectory(prefix="subledger-verify-") as folder:
        anew = bulk_connect(Path(folder) / "views.db")
        try:
            create(anew, VIEWS, indexes=False)
            for shard in (CATALOGUE_SHARD, *source.topics.ends()):
                _Shard(source, shard, log, live, anew).verify()
            for _ in log.streams_of(source.stream(SELECT_BY_SUBJECT)):
                pass
            if not all(verdict.holds for verdict in (*log.all, *live.all)):
                return log, live.all
            return log, (*live.all, *(compared(source.table, anew, view) for view in VIEWS), agreeing(anew))
        finally:
            anew.close()


class _Shard:
    """One partition read from its beginning to its end."""

    def __init__(
        self, source: PostgresSource, shard: int, log: LogVerdicts, live: LiveVerdicts, anew: sqlite3.Connection
    ) -> None:
        self._source = source
        self._shard = shard
        self._log = log
        self._live = live
        self._runner = None if shard == CATALOGUE_SHARD else Runner(anew, VIEWS, shard)
        self._counted: Position = source.counted.get(shard, BEGINNING)
        self._copies: Iterator[Any] = source.stream(SELECT_COPIES, shard)
        self._last_place: tuple[str, str, str] | None = None
        self._unanswered: dict[int, tuple[str, str, int]] = {}
        """Sequence of a fact that no note has named yet: its subject, its command and where that stands."""
        self._answered = 0

    def verify(self) -> None:
        """Reads the partition; what makes the rest unreadable is a fault of its sequence."""
        settings = self._source.settings
        of_catalogue = self._shard == CATALOGUE_SHARD
        partition = Partition(settings.topic(CATALOGUE if of_catalogue else EVENTS), max(self._shard, 0))
        reader = PartitionReader(settings.clients, partition, offset=0, after=0, record_format=FACTS)
        with reader:
            try:
                for batch in reader.until(reader.end_offset()):
                    self._take(batch)
            except CorruptLog as error:
                self._log.sequence.fail(f"{partition}: {error}")
        for sequence, (subject, command, _) in islice(self._unanswered.items(), 1):
            self._live.notes.fail(f"{partition}: no note names the fact {sequence} of {subject}'s command {command}")
        self._live.copies.check(next(self._copies, None) is None, lambda: f"{partition}: more copies than facts")
        ((stored,),) = self._source.rows(SELECT_ANSWERED, self._shard)
        self._live.answers.check(
            stored == self._answered, lambda: f"{partition}: expected {self._answered} answers, found {stored}"
        )

    def _take(self, batch: Batch) -> None:
        self._log.sequence.checked += len(batch.entries)
        for entry in batch.entries:
            self._envelope(entry)
        counted = [(one.sequence, one.value) for one in batch.entries if one.sequence <= self._counted.sequence]
        for sequence, value in counted:
            found = next(self._copies, None)
            self._live.copies.check(found == (sequence, value), partial(_other_copy, self._shard, sequence, found))
        if counted and self._runner is not None:
            self._fold(self._runner, counted)
        for note in batch.notes:
            self._note(note.payload, is_counted=note.offset < self._counted.next_offset)

    def _envelope(self, entry: Entry) -> None:
        """What a fact's record, its place and its command's place say of one another."""
        try:
            event = orjson.loads(entry.value)
            cause, position = event["causationid"], event.get("commandposition", "")
            of_itself = (event["subject"], event["streamversion"], event["type"], int(event["sequence"]))
        except (ValueError, KeyError, TypeError) as error:
            self._log.facts.fail(f"shard {self._shard}, offset {entry.offset}: not a fact: {error!r}")
            return
        said = (entry.key, entry.version, entry.type, entry.sequence)
        self._log.ids.check(
            said == of_itself, lambda: f"offset {entry.offset}: the record says {said}, the fact {of_itself}"
        )
        if cause == INITIAL:
            return
        self._live.places.check(*self._placed(entry, cause, position))
        self._unanswered[entry.sequence] = (entry.key, cause, _offset(position))

    def _placed(self, entry: Entry, cause: str, position: str) -> tuple[bool, Any]:
        """Commands are decided in the order in which they stand; facts of one command stand together."""
        before, now = self._last_place, (entry.key, cause, position)
        self._last_place = now
        in_shard = self._shard == CATALOGUE_SHARD or position == position_of(self._shard, _offset(position))
        same = before is not None and before[:2] == now[:2]
        follows = before is None or (position == before[2] if same else _offset(position) > _offset(before[2]))
        return in_shard and follows and _offset(position) >= 0, partial(_misplaced, entry, position, before)

    def _fold(self, runner: Runner, counted: Sequence[tuple[int, bytes]]) -> None:
        try:
            runner.apply(counted)
        except (UndecodableFact, UnknownFact, ViewsError) as error:
            self._log.facts.fail(f"shard {self._shard}: {error}")
            self._runner = None

    def _note(self, payload: bytes, *, is_counted: bool) -> None:
        try:
            answered = notes.decode(payload).answered
        except ValidationError as error:
            self._live.notes.fail(f"shard {self._shard}: a note cannot be read: {error}")
            return
        for one in answered:
            for sequence in range(one.first_sequence, one.first_sequence + one.facts):
                found = self._unanswered.pop(sequence, None)
                expected = (one.subject, one.command_id, one.offset)
                self._live.notes.check(found == expected, partial(_unnoted, self._shard, sequence, expected, found))
        if is_counted and answered:
            self._answered += len(answered)
            self._compare(answered)

    def _compare(self, answered: Sequence[Answered]) -> None:
        subjects, commands = [one.subject for one in answered], [one.command_id for one in answered]
        rows = self._source.rows(SELECT_ANSWERS, subjects, commands, self._shard)
        found = {(row[0], row[1]): (*row[2:5], orjson.loads(row[5])) for row in rows}
        for one in answered:
            expected = (one.offset, one.first_sequence, one.facts, one.verdict)
            stored = found.get((one.subject, one.command_id))
            self._live.answers.check(
                stored == expected, partial(_other_answer, one.subject, one.command_id, expected, stored)
            )


class _Told:
    """What senders were told, by the copies in PostgreSQL, looked up a subject at a time."""

    def __init__(self, source: PostgresSource) -> None:
        self._source = source
        self._subject: str | None = None
        self._outcomes: dict[str, Outcome] = {}

    def __call__(self, subject: str, command_id: str) -> Outcome | None:
        if subject != self._subject:
            self._subject, self._outcomes = subject, dict(self._of(subject))
        return self._outcomes.get(command_id)

    def _of(self, subject: str) -> Iterator[tuple[str, Outcome]]:
        versions = dict(self._source.rows(SELECT_VERSIONS, subject))
        for command_id, first, facts, verdict in self._source.rows(SELECT_TOLD, subject):
            events = [{"id": f"{subject}/{versions.get(sequence)}"} for sequence in range(first, first + facts)]
            yield command_id, notes.outcome_of(command_id, orjson.loads(verdict), events)


def _offset(position: str) -> int:
    """-1 for what is no position."""
    text = position.rpartition("/")[2]
    return int(text) if text.isdecimal() else -1


def _other_copy(shard: int, sequence: int, found: tuple[int, bytes] | None) -> str:
    said = "is missing" if found is None else f"is that of {found[0]}, or altered"
    return f"shard {shard}, sequence {sequence}: the copy {said}"


def _misplaced(entry: Entry, position: str, before: tuple[str, str, str] | None) -> str:
    return f"{entry.key}/{entry.version}: its command stands at {position or 'no place'}, the one before at {before}"


def _unnoted(shard: int, sequence: int, expected: object, found: object) -> str:
    return f"shard {shard}, sequence {sequence}: the note says {expected}, the fact {found}"


def _other_answer(subject: str, command_id: str, expected: object, found: object) -> str:
    return f"{subject}'s {command_id}: expected {expected}, found {found}"
