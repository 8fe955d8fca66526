"""A live ledger to read: views, facts and answers from PostgreSQL, commands and the end of the log from Kafka."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from psycopg import RawCursor, RawServerCursor

from consumers.ports import Answer
from domain.case import Call
from domain.facts import Recorded
from domain.state import State, Subscriber, Unregistered, at_end_of_log, evolve
from infra import codec
from infra.live import notes
from infra.live.places import CATALOGUE, EVENTS, catalogue_partition
from infra.live.settings import LiveSettings
from infra.live.topic_reading import TopicReader
from infra.postgres import schema
from infra.postgres.connecting import Connection, connect
from infra.postgres.questions import ask, text_of
from infra.postgres.schema import BEGINNING, CATALOGUE_SHARD
from infra.views.log import Entry
from infra.views.runner import StaleViews, ViewsError
from infra.views.source import Parameter, Parked, Position
from infra.views.sql import question

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""One moment of the views, whatever is being counted meanwhile."""
POLL_SECONDS = 0.02
ROWS_AT_ONCE = 2_000
LONG_ANSWERS = frozenset({("journal", "journal")})
"""Questions with as many rows as the ledger has postings: they come in parts."""

SELECT_FACT = "SELECT sequence, value FROM facts WHERE subject = $1 AND version = $2"
SELECT_FACTS = """
SELECT version, sequence, value FROM facts
WHERE subject = $1 AND version > $2 AND sequence > $3 ORDER BY version LIMIT $4"""
SELECT_NEWEST_FIRST = """
SELECT version, value FROM facts WHERE subject = $1 AND version < $2 ORDER BY version DESC LIMIT $3"""
SELECT_SUBJECTS = "SELECT subject FROM facts WHERE version = 1 AND shard <> $1 ORDER BY subject"
SELECT_ANSWER = """
SELECT subject, command_id, shard, command_offset, first_sequence, facts, verdict
FROM answers WHERE subject = $1 AND command_id = $2"""
SELECT_ANSWERS = """
SELECT subject, command_id, shard, command_offset, first_sequence, facts, verdict
FROM answers WHERE command_id = $1 ORDER BY shard < 0, subject"""
SELECT_RECORDED = "SELECT value FROM facts WHERE shard = $1 AND sequence >= $2 AND sequence < $3 ORDER BY sequence"
SELECT_LAST_COMMAND = """
SELECT shard, command_offset, facts FROM answers WHERE subject = $1 ORDER BY command_offset DESC LIMIT 1"""
SELECT_CALL = """
SELECT MAX(elapsed_seconds), COALESCE(BOOL_OR(ended), false) FROM usage_reports
WHERE subject = $1 AND usage = $2 HAVING COUNT(*) > 0"""
SELECT_DEPOSIT = "SELECT version FROM credited_references WHERE subject = $1 AND reference = $2"


class UnreadablePosition(ValueError):
    """What should be a position is none."""


class Behind(Exception):
    """The views have not counted what was asked for within the time that was to be waited."""


class PostgresSource:
    """The ledger that the settings name. Nothing is written.

    Raises psycopg.OperationalError and infra.kafka.errors.Unreachable where a server is absent, StaleViews where the
    rows were made by another program, ViewsError where there are none.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.settings = settings
        self.topics = TopicReader(settings)
        self._streams = count()
        self.connection: Connection = connect(settings.dsn, settings.schema_name, name="subledger reader")
        try:
            self._require_views()
            self.connection.execute(BEGIN)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return f"the ledger of the topics {self.settings.topics}"

    @property
    def keys(self) -> Path:
        return self.settings.keys

    def wait_for(self, wanted: Sequence[str], limit_seconds: float) -> None:
        """Returns when the views have counted every position of `wanted`. Raises UnreadablePosition, Behind."""
        goals = [_goal(text) for text in wanted]
        self._require_shards(goals)
        deadline = time.monotonic() + limit_seconds
        while missing := [goal for goal in goals if self._counted(goal[0]).sequence < goal[1]]:
            if time.monotonic() >= deadline:
                shard, sequence = missing[0]
                stand = self._counted(shard).sequence
                place = CATALOGUE if shard == CATALOGUE_SHARD else f"{EVENTS}/{shard}"
                raise Behind(f"the views have counted {place} up to {stand}, not to {sequence}, in {limit_seconds:g} s")
            time.sleep(POLL_SECONDS)
            self.move_on()

    def facts(self, subject: str, after: int = 0) -> Iterable[Entry]:
        version = 0
        while rows := self.rows(SELECT_FACTS, subject, version, after, ROWS_AT_ONCE):
            for version, sequence, value in rows:  # noqa: B007 - where the next part begins
                yield sequence, value

    def fact(self, subject: str, version: int) -> Entry | None:
        rows = self.rows(SELECT_FACT, subject, version)
        return rows[0] if rows else None

    def answer(self, subject: str, command_id: str) -> Answer | None:
        rows = self.rows(SELECT_ANSWER, subject, command_id)
        return self._answered(*rows[0]) if rows else None

    def answers(self, command_id: str) -> Sequence[Answer]:
        return [self._answered(*row) for row in self.rows(SELECT_ANSWERS, command_id)]

    def subjects(self) -> Sequence[str]:
        return [row[0] for row in self.rows(SELECT_SUBJECTS, CATALOGUE_SHARD)]

    def last_instant(self) -> datetime | None:
        instants = (self.topics.last_instant(shard, end) for shard, end in self.topics.ends().items())
        return max((one for one in instants if one is not None), default=None)

    def load(self, subject: str) -> State:
        state: State = Unregistered(subject=subject)
        for _, value in self.facts(subject):
            state = evolve(state, codec.decode(value).recorded)
        return at_end_of_log(state, self._last_asked(subject) if isinstance(state, Subscriber) else None)

    def past(self, subject: str) -> "CopiedPast":
        return CopiedPast(self, subject)

    def ask(self, view: str, name: str, *parameters: Parameter) -> Iterator[Any]:
        if (view, name) not in LONG_ANSWERS:
            return ask(self.connection, view, name, parameters)
        return self.stream(text_of(question(view, name)), *parameters)

    def last_sequence(self) -> int:
        return sum(at.sequence for shard, at in self.counted.items() if shard != CATALOGUE_SHARD)

    def positions(self) -> Sequence[Position]:
        found = []
        for shard, end in self.topics.ends().items():
            at = self._counted(shard)
            last = self.topics.last_sequence(shard, at, end) if at.next_offset < end else at.sequence
            found.append(Position(shard=shard, sequence=at.sequence, log=last))
        return found

    def parked(self) -> Iterable[Parked]:
        return self.topics.parked()

    def move_on(self) -> None:
        self.connection.execute("COMMIT")
        self.connection.execute(BEGIN)
        self.__dict__.pop("counted", None)

    def close(self) -> None:
        self.connection.close()
        self.topics.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def counted(self) -> Mapping[int, schema.Position]:
        """Shard → how far it is counted."""
        return schema.positions(self.connection)

    def rows(self, statement: str, *parameters: Parameter | Sequence[str]) -> list[Any]:
        """All rows of a statement with `$N` parameters."""
        return RawCursor(self.connection).execute(statement.encode(), parameters).fetchall()

    def stream(self, statement: str, *parameters: Parameter) -> Iterator[Any]:
        """The same, part by part."""
        with RawServerCursor(self.connection, f"stream_{next(self._streams)}") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(statement.encode(), parameters)

    def table(self, name: str, order: Sequence[str]) -> Iterator[Any]:
        """All rows of a view's table, ordered by columns."""
        return self.stream(f"SELECT * FROM {name} ORDER BY {', '.join(order)}")

    def _require_shards(self, goals: Iterable[tuple[int, int]]) -> None:
        """Raises UnreadablePosition where the ledger has no such shard; one that is counted need not be asked for."""
        asked = {shard for shard, _ in goals} - self.counted.keys() - {CATALOGUE_SHARD}
        if asked and (unknown := asked - self.topics.ends().keys()):
            count = len(self.topics.ends())
            raise UnreadablePosition(
                f"expected a shard from 0 to {count - 1}, of which the ledger has {count}, found {min(unknown)}"
            )

    def _counted(self, shard: int) -> schema.Position:
        return self.counted.get(shard, BEGINNING)

    def _require_views(self) -> None:
        found = schema.shape(self.connection)
        if found is None:
            raise ViewsError(f"PostgreSQL has none of {self.settings.topics} yet: `subledger project` keeps them")
        if found != schema.fingerprint():
            raise StaleViews("they were folded by another version of the program")

    def _answered(
        self, subject: str, command_id: str, shard: int, offset: int, first: int, facts: int, verdict: str
    ) -> Answer:
        """The command from its topic, the outcome from its verdict and its facts."""
        events = [notes.event_of(value) for (value,) in self.rows(SELECT_RECORDED, shard, first, first + facts)]
        return Answer(
            subject=subject,
            command_id=command_id,
            command=self._command(shard, offset),
            outcome=notes.outcome_of(command_id, orjson.loads(verdict), events),
        )

    def _command(self, shard: int, offset: int) -> dict[str, Any]:
        """As it was sent; in a live ledger, where it carries no instant, with that of its arrival."""
        partition = catalogue_partition(len(self.topics.ends())) if shard == CATALOGUE_SHARD else shard
        value, arrived_at = self.topics.command(partition, offset)
        sent: dict[str, Any] = orjson.loads(value)
        return sent if "at" in sent else {**sent, "at": codec.format_instant(arrived_at)}

    def _last_asked(self, subject: str) -> datetime | None:
        """The instant of a last command that recorded no fact; None where the last fact says how far time has come."""
        for shard, offset, facts in self.rows(SELECT_LAST_COMMAND, subject):
            if not facts:
                return codec.parse_instant(self._command(shard, offset)["at"])
        return None


class CopiedPast:
    """A subject's facts, looked up one by one. A call is known by its reports that recorded a fact."""

    def __init__(self, source: PostgresSource, subject: str) -> None:
        self._source = source
        self._subject = subject

    def call(self, usage: str) -> Call | None:
        for elapsed, ended in self._source.rows(SELECT_CALL, self._subject, usage):
            return Call(elapsed_seconds=elapsed or 0, ended=ended)
        return None

    def deposit(self, reference: str) -> int | None:
        rows = self._source.rows(SELECT_DEPOSIT, self._subject, reference)
        return int(rows[0][0]) if rows else None

    def fact(self, version: int) -> Recorded | None:
        found = self._source.fact(self._subject, version)
        return None if found is None else codec.decode(found[1]).recorded

    def newest_first(self) -> Iterator[Recorded]:
        version = 1 << 62
        while rows := self._source.rows(SELECT_NEWEST_FIRST, self._subject, version, ROWS_AT_ONCE):
            for version, value in rows:  # noqa: B007 - where the next part begins
                yield codec.decode(value).recorded


def _goal(text: str) -> tuple[int, int]:
    """Shard and sequence of a position as outcomes say it."""
    topic, _, place = text.partition("/")
    shard, _, sequence = place.partition("/")
    if topic not in (EVENTS, CATALOGUE) or not shard.isdecimal() or not sequence.isdecimal():
        raise UnreadablePosition(f"expected a position such as {EVENTS}/3/1881, found {text}")
    if topic == CATALOGUE and int(shard):
        raise UnreadablePosition(f"expected {CATALOGUE}/0, of which there is one partition, found {text}")
    return CATALOGUE_SHARD if topic == CATALOGUE else int(shard), int(sequence)
