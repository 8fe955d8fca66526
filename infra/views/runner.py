"""Keeps the views: a batch of facts becomes rows, and rows and the new position are one database transaction.

So each fact counts exactly once, whatever dies when. A batch must begin where the views stand: a gap or a repeat is
refused and writes nothing.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from infra.interpreter import without_collector
from infra.views.folding import Folding
from infra.views.inserting import insert
from infra.views.log import Entry, Log
from infra.views.sql import fingerprint, schema_of
from infra.views.wire import read
from projections.event import View
from projections.views import VIEWS

CATCH_UP_BATCH = 5_000
"""Facts per transaction when views follow the log: few enough to be seen soon, enough to make a commit cheap."""
CACHE_KIB = 65_536
BUSY_TIMEOUT_SECONDS = 30.0
CHECKPOINT_PAGES = 8_000
"""Pages in the write-ahead log before they are moved into the database: what changes often is moved less often."""

CREATE_BOOK = (
    "CREATE TABLE positions (shard INTEGER PRIMARY KEY, sequence INTEGER NOT NULL)",
    "CREATE TABLE shape (fingerprint TEXT NOT NULL)",
)
"""Beside the views: how far they are, and by which tables and projections they were folded."""
SELECT_POSITION = "SELECT sequence FROM positions WHERE shard = ?"
UPSERT_POSITION = "INSERT INTO positions VALUES (?, ?) ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence"

AnyConnection = TypeVar("AnyConnection", bound=sqlite3.Connection)

Progress = Callable[[int, int], None]
"""Told the facts folded so far, and how many there are."""


class ViewsError(Exception):
    """The views cannot be kept or read.

    OutOfSequence    the batch does not follow on the views' position
    StaleViews       the views were folded by another version of the program; only a rebuild helps
    """


class OutOfSequence(ViewsError):
    """A gap or a repeat: the facts handed in do not follow the last one counted."""


class StaleViews(ViewsError):
    """Tables or projections have changed since these views were folded."""


def connect(file: Path) -> sqlite3.Connection:
    """The database of the views. A crash of the machine may lose the last transactions, never the order of them."""
    return tuned(sqlite3.connect(file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None))


def tuned(connection: AnyConnection) -> AnyConnection:
    """A new connection to views, made ready for many small transactions."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    # An INSERT of many rows keeps what it changes, in case it fails half-way: not in a file.
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    return connection


def create(connection: sqlite3.Connection, views: Sequence[View], *, indexes: bool = True) -> None:
    """Empty tables of `views`, and the book of positions; the indexes too, unless a bulk load makes them last."""
    for statement in CREATE_BOOK:
        connection.execute(statement)
    for view in views:
        schema = schema_of(view)
        for statement in (*schema.create_tables, *(schema.create_indexes if indexes else ())):
            connection.execute(statement)


class Runner:
    """Brings the views of one database along one shard's log."""

    def __init__(self, connection: sqlite3.Connection, views: Sequence[View] = VIEWS, shard: int = 0) -> None:
        self._connection = connection
        self._folding = Folding(views)
        self._shard = shard
        self._is_counting = False

    def position(self) -> int:
        """The sequence of the last fact that the views count; 0 before the first."""
        row = self._connection.execute(SELECT_POSITION, (self._shard,)).fetchone()
        return int(row[0]) if row else 0

    def apply(self, entries: Sequence[Entry]) -> None:
        """Counts `entries`, all or none. OutOfSequence where they do not follow the position, each on the other."""
        self.add(entries)
        self.commit()

    def add(self, entries: Sequence[Entry]) -> None:
        """As `apply`, in a transaction that stays open: nobody sees it, and nobody else counts, until `commit`.

        Where it raises, nothing since the last `commit` is counted.
        """
        if not entries:
            return
        first, last = entries[0][0], entries[-1][0]
        try:
            executions = self._executions(entries)
            if not self._is_counting:
                self._connection.execute("BEGIN IMMEDIATE")
                self._is_counting = True
            expected = self.position() + 1
            if first != expected:
                raise OutOfSequence(f"expected the fact of sequence {expected}, found {first}")
            for statement, rows in executions:
                insert(self._connection, statement, rows)
            self._connection.execute(UPSERT_POSITION, (self._shard, last))
        except BaseException:
            if self._is_counting:
                self._is_counting = False
                self._connection.execute("ROLLBACK")
            raise

    def commit(self) -> None:
        """What was added is counted, with its position, in one transaction."""
        if self._is_counting:
            self._is_counting = False
            self._connection.execute("COMMIT")

    def catch_up(
        self,
        log: Log,
        *,
        until: int | None = None,
        batch: int = CATCH_UP_BATCH,
        progress: Progress | None = None,
    ) -> int:
        """Counts what the log has beyond the position, up to the sequence `until`; answers with the new position.

        Where another process has counted some of it meanwhile, it goes on from there.
        """
        total = until if until is not None else log.last()
        position = self.position()
        with without_collector():
            while position < total:
                entries = log.read(position, min(batch, total - position))
                if not entries:
                    break
                position = self.added(entries)
                self.commit()
                if progress is not None:
                    progress(position, total)
        return position

    def added(self, entries: Sequence[Entry]) -> int:
        """Adds `entries`; the position after them, whoever counted them. OutOfSequence where nobody did."""
        try:
            self.add(entries)
        except OutOfSequence:
            position = self.position()
            if position < entries[0][0]:
                raise
            return position
        return entries[-1][0]

    def _executions(self, entries: Sequence[Entry]) -> list[tuple[str, list[tuple[str | int | None, ...]]]]:
        facts = []
        expected = entries[0][0]
        for sequence, state in entries:
            if sequence != expected:
                raise OutOfSequence(f"expected the fact of sequence {expected}, found {sequence}")
            facts.append(read(sequence, state, self._shard))
            expected += 1
        return self._folding.fold(facts)


def begin(connection: sqlite3.Connection) -> None:
    """Makes empty views, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        create(connection, VIEWS)
        connection.execute("INSERT INTO shape VALUES (?)", (fingerprint(VIEWS),))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def shape(connection: sqlite3.Connection) -> str | None:
    """The fingerprint of the program that the views were folded by; None where there are no views."""
    try:
        row = connection.execute("SELECT fingerprint FROM shape").fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row else None
