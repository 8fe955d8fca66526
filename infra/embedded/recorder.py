"""The library's SQLite recorder, grown by what a decided command leaves beside its facts, in the same transaction."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.sqlite import SQLiteAggregateRecorder, SQLiteApplicationRecorder, SQLiteCursor, SQLiteDatastore

FactRow = tuple[str, int, str, bytes]
"""Subject, version, type and bytes of a fact."""
Beside = Iterable[tuple[str, Sequence[tuple[Any, ...]]]]
"""Statements, and the rows that each inserts."""

ROWS_AT_ONCE = 4_000
"""Rows of one INSERT; 32,766 parameters are what SQLite takes."""
CACHE_KIB = 65_536
"""Of either connection: with less, a group's changed pages are written before it is complete, and read again."""
CHECKPOINT_PAGES = 16_384
"""64 MiB of log before it is copied into the database: a group commit then seldom waits for that."""
# Names that a sender gives mostly rise: keys that begin with them grow at their end. Keys that begin with the subject
# change a page for nearly every command of a large ledger.
CREATE_COMMANDS = (
    # What was asked and answered under each command id: a repeated command is recognised from here, and whose it was.
    "CREATE TABLE IF NOT EXISTS commands (subject TEXT, command_id TEXT, command BLOB, outcome BLOB, "
    "PRIMARY KEY (command_id, subject))"
)
CREATE_BESIDE = (
    # How far each call or message has been reported, also by reports that recorded no fact.
    "CREATE TABLE IF NOT EXISTS calls (subject TEXT, usage TEXT, elapsed_seconds INTEGER, ended INTEGER, "
    "PRIMARY KEY (usage, subject)) WITHOUT ROWID",
    # References of deposits: one is never credited twice.
    "CREATE TABLE IF NOT EXISTS deposits (subject TEXT, reference TEXT, version INTEGER, "
    "PRIMARY KEY (reference, subject)) WITHOUT ROWID",
    # The last instant of subjects whose last command recorded no fact; time never goes backwards.
    "CREATE TABLE IF NOT EXISTS instants (subject TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID",
)
INSERT_COMMAND = "INSERT INTO commands VALUES (?, ?, ?, ?)"
UPSERT_CALL = "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)"
INSERT_DEPOSIT = "INSERT INTO deposits VALUES (?, ?, ?)"
UPSERT_INSTANT = "INSERT OR REPLACE INTO instants VALUES (?, ?)"
LEDGER_INSTANT = ""
"""The subject under which the whole ledger's last instant is kept; no subscriber has an empty name."""


class CommittedRows:
    """Point queries on the committed rows of a shard's file, through a connection of its own, made when it is needed.

    The pool's transactions would slow them down.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def one(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        """The first row of a query, as a tuple; None where there is none.

        Queries between two commits share one read transaction: taking its lock anew costs more than the query.
        """
        connection = self._open()
        if not connection.in_transaction:
            connection.execute("BEGIN")
        return connection.execute(statement, parameters).fetchone()

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> Iterable[Any]:
        """The rows of a query."""
        self.release()
        return self._open().execute(statement, parameters)

    def release(self) -> None:
        """Ends the read transaction: what is read next sees what has been committed meanwhile."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, isolation_level=None)
            self._connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        return self._connection


class SnapshotRecorder(SQLiteAggregateRecorder):
    """The last snapshot of each stream: whatever it replaces goes in the same transaction, or they would outgrow it."""

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        older = f"DELETE FROM {self.events_table_name} WHERE originator_id = ? AND originator_version <= ?"
        c.executemany(older, [(stored.originator_id, stored.originator_version) for stored in stored_events])
        super()._insert_events(c, stored_events, **kwargs)


class ShardRecorder(SQLiteApplicationRecorder):
    """Facts of one shard in one table, notification ids dense from 1, and the index of commands beside them."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name)
        self._committed = CommittedRows(str(datastore.pool.db_name))
        self._tuned = False
        self._beside: ThreadPoolExecutor | None = None

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), CREATE_COMMANDS, *CREATE_BESIDE]

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        first_id: int | None = None,
        **_: Any,
    ) -> Sequence[int]:
        rows = [(str(s.originator_id), s.originator_version, s.topic, s.state) for s in stored_events]
        return self._insert_rows(c, rows, first_id, ())

    def _insert_rows(
        self, c: SQLiteCursor, facts: Sequence[FactRow], first_id: int | None, beside: Beside
    ) -> Sequence[int]:
        """Inserts facts and, in the same transaction, the rows of `beside` (statement, parameters).

        `first_id` is the notification id that the first fact must get; IntegrityError where the table has others.
        """
        if not self._tuned:
            c.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            c.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            # An INSERT of many rows keeps what it changes, in case it fails half-way: not in a file.
            c.execute("PRAGMA temp_store=MEMORY")
            self._tuned = True
        before = self._last_id(c)
        if first_id is not None and first_id != before + 1:
            raise IntegrityError(f"expected the next notification id to be {first_id}, found {before + 1}")
        _insert(c, self.insert_events_statement, facts)
        ids = range(before + 1, before + 1 + len(facts))
        if facts and self._last_id(c) != ids[-1]:
            raise IntegrityError(f"expected notification ids up to {ids[-1]}, found {self._last_id(c)}")
        for statement, others in beside:
            _insert(c, statement, others)
        return ids

    def one(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        """The first row of a query on committed data, as a tuple; None where there is none."""
        return self._committed.one(statement, parameters)

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> Iterable[Any]:
        """The rows of a query on committed data."""
        return self._committed.rows(statement, parameters)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self.release()
        return super().insert_events(stored_events, **kwargs)

    def insert_rows(
        self, facts: Sequence[FactRow], *, first_id: int | None = None, beside: Beside = ()
    ) -> Sequence[int]:
        """As `insert_events`, with the rows of `beside` in the same transaction."""
        self.release()
        return self._store(facts, first_id, beside)

    def insert_beside(
        self, facts: Sequence[FactRow], *, first_id: int | None, beside: Beside, after: Callable[[], None]
    ) -> Callable[[], Any]:
        """As `insert_rows`, and then `after`, in a thread of its own; the answer waits for both, and raises.

        SQLite lets other threads run meanwhile, so this costs the caller little, also where the disk is slow.
        """
        if self._beside is None:
            self._beside = ThreadPoolExecutor(1, "storing")
        self.release()

        def store() -> None:
            self._store(facts, first_id, beside)
            after()

        return self._beside.submit(store).result

    def release(self) -> None:
        """What is asked next sees what has been committed meanwhile."""
        self._committed.release()

    def close(self) -> None:
        if self._beside is not None:
            self._beside.shutdown()
        self._committed.close()
        self.datastore.close()

    def _store(self, facts: Sequence[FactRow], first_id: int | None, beside: Beside) -> Sequence[int]:
        with self.datastore.transaction(commit=True) as c:
            return self._insert_rows(c, facts, first_id, beside)

    def _last_id(self, c: SQLiteCursor) -> int:
        c.execute(self.select_max_notification_id_statement)
        return c.fetchone()[0] or 0


def _insert(c: SQLiteCursor, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Many rows in few executions: between two, SQLite gives the interpreter back, which another thread may not do."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        values = statement[statement.rindex("(") :]
        c.execute(statement + f",{values}" * (len(part) - 1), list(chain.from_iterable(part)))
