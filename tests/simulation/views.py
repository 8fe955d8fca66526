"""The projector's database, simulated: SQLite under the promises that PostgreSQL makes it (`ViewStore`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
import psycopg

from infra.postgres.keeping import BALANCE_TYPES, Balance, BeforeCommit, Prepared, ShardBatch
from infra.postgres.schema import BEGINNING, CATALOGUE_SHARD, Position
from infra.views.folding import Folding
from infra.views.runner import OutOfSequence, begin
from infra.views.sql import question
from infra.views.wire import WireFact, read
from projections.event import SHARD_STEP
from projections.views import VIEWS
from tests.simulation.scheduler import Scheduler

CREATE = (
    "CREATE TABLE progress (shard INTEGER PRIMARY KEY, sequence INTEGER, next_offset INTEGER)",
    "CREATE TABLE facts (shard INTEGER, sequence INTEGER, value BLOB, PRIMARY KEY (shard, sequence))",
    "CREATE TABLE answers (subject TEXT, command_id TEXT, shard INTEGER, command_offset INTEGER, verdict TEXT,"
    " PRIMARY KEY (subject, command_id))",
)
SELECT_BALANCE = (
    "SELECT b.subject, b.currency, b.balance, b.outstanding, a.regulations FROM balances b"
    " JOIN agreements a ON a.subject = b.subject WHERE b.subject = ?"
)


class Database:
    """The server: what is committed outlives every connection; who holds the advisory lock loses it with his own."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        empty_views().backup(self.connection)
        self.holder: SimulatedViews | None = None

    def connect(self) -> SimulatedViews | None:
        """A session that has the lock; None while another one has it."""
        self.scheduler.point("database: connect")
        if self.holder is not None:
            return None
        self.holder = SimulatedViews(self)
        return self.holder

    def cut(self) -> None:
        """The server ends the session that has the lock, in the middle of whatever it is at."""
        if self.holder is not None:
            self.holder.end()

    def ask(self, view: str, name: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return iter(self.connection.execute(question(view, name).sql, tuple(parameters)).fetchall())


class SimulatedViews:
    """One session. Its transaction is written at once when it commits, so that nobody sees half of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._folding = Folding(VIEWS)
        self._is_open = True

    def positions(self) -> dict[int, Position]:
        self._point("positions")
        rows = self._database.connection.execute("SELECT shard, sequence, next_offset FROM progress")
        return {shard: Position(sequence, offset) for shard, sequence, offset in rows}

    def prepare(self, batches: Sequence[ShardBatch]) -> Prepared:
        facts = [fact for batch in batches for fact in _facts(batch)]
        folded = [fact for fact in facts if fact.subject != "catalogue"]
        return Prepared(
            batches=batches,
            statements=list(self._folding.fold(folded)),
            changed={fact.subject: fact for fact in folded if fact.type in BALANCE_TYPES},
            facts=len(facts),
        )

    def write(self, prepared: Prepared, before_commit: BeforeCommit | None = None) -> None:
        self._point("begin")
        connection = self._database.connection
        standing = self.positions()
        for batch in prepared.batches:
            at = standing.get(batch.shard, BEGINNING)
            if at != batch.begin:
                raise OutOfSequence(f"shard {batch.shard}: expected what follows {at}, found {batch.begin}")
        balances = self._balances_after(prepared)
        if before_commit is not None and prepared.changed:
            before_commit(balances)
        self._point("commit")
        connection.execute("BEGIN")
        _execute(connection, prepared)
        connection.execute("COMMIT")
        self._point("committed")

    def alive(self) -> None:
        self._point("alive")

    def close(self) -> None:
        self.end()

    def end(self) -> None:
        self._is_open = False
        if self._database.holder is self:
            self._database.holder = None

    def _balances_after(self, prepared: Prepared) -> list[Balance]:
        """What the transaction would see: executed and rolled back, since only one writes."""
        connection = self._database.connection
        connection.execute("BEGIN")
        try:
            _execute(connection, prepared)
            return [_balance(connection, fact) for fact in prepared.changed.values()]
        finally:
            connection.execute("ROLLBACK")

    def _point(self, what: str) -> None:
        self._require_open()
        self._database.scheduler.point(f"database: {what}")
        self._require_open()

    def _require_open(self) -> None:
        if not self._is_open:
            raise psycopg.OperationalError("the server closed the connection unexpectedly")


@cache
def empty_views() -> sqlite3.Connection:
    """Empty views, made once."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    begin(connection)
    for statement in CREATE:
        connection.execute(statement)
    return connection


def _execute(connection: sqlite3.Connection, prepared: Prepared) -> None:
    for text, rows in prepared.statements:
        connection.executemany(text, rows)  # type: ignore[arg-type]
    for batch in prepared.batches:
        connection.executemany("INSERT INTO facts VALUES (?, ?, ?)", [(batch.shard, *entry) for entry in batch.entries])
        connection.executemany(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
            [
                (one.subject, one.command_id, batch.shard, one.offset, msgspec.json.encode(one.verdict).decode())
                for one in batch.answers
            ],
        )
        connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", (batch.shard, *batch.end))


def _balance(connection: sqlite3.Connection, fact: WireFact) -> Balance:
    subject, currency, balance, outstanding, regulations = connection.execute(
        SELECT_BALANCE, (fact.subject,)
    ).fetchone()
    shard, sequence = divmod(fact.position, SHARD_STEP)
    return Balance(subject, currency, balance, outstanding, regulations, shard, sequence, fact.recorded_at)


def _facts(batch: ShardBatch) -> list[WireFact]:
    """A batch's facts; OutOfSequence where one does not follow the other, or they do not lead to its end."""
    facts = [read(sequence, value, max(batch.shard, 0)) for sequence, value in batch.entries]
    expected = list(range(batch.begin.sequence + 1, batch.end.sequence + 1))
    if [sequence for sequence, _ in batch.entries] != expected:
        raise OutOfSequence(f"shard {batch.shard}: {len(facts)} facts do not lead from {batch.begin} to {batch.end}")
    if batch.shard == CATALOGUE_SHARD:
        assert all(fact.subject == "catalogue" for fact in facts)
    return facts
