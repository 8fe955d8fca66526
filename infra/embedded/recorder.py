"""The library's SQLite recorder, grown by what a decided command leaves beside its facts, in the same transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteDatastore

CACHE_KIB = 65_536
CHECKPOINT_PAGES = 16_384
"""64 MiB of log before it is copied into the database: a group commit then seldom waits for that."""
CREATE = (
    # What was asked and answered under each command id: a repeated command is recognised from here.
    "CREATE TABLE IF NOT EXISTS commands (subject TEXT, command_id TEXT, command BLOB, outcome BLOB, "
    "PRIMARY KEY (subject, command_id))",
    # How far each call or message has been reported, also by reports that recorded no fact.
    "CREATE TABLE IF NOT EXISTS calls (subject TEXT, usage TEXT, elapsed_seconds INTEGER, ended INTEGER, "
    "PRIMARY KEY (subject, usage)) WITHOUT ROWID",
    # References of deposits: one is never credited twice.
    "CREATE TABLE IF NOT EXISTS deposits (subject TEXT, reference TEXT, version INTEGER, "
    "PRIMARY KEY (subject, reference)) WITHOUT ROWID",
    # The last instant of subjects whose last command recorded no fact; time never goes backwards.
    "CREATE TABLE IF NOT EXISTS instants (subject TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID",
)
INSERT_COMMAND = "INSERT INTO commands VALUES (?, ?, ?, ?)"
UPSERT_CALL = "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)"
INSERT_DEPOSIT = "INSERT INTO deposits VALUES (?, ?, ?)"
UPSERT_INSTANT = "INSERT OR REPLACE INTO instants VALUES (?, ?)"
LEDGER_INSTANT = ""
"""The subject under which the whole ledger's last instant is kept; no subscriber has an empty name."""


class ShardRecorder(SQLiteApplicationRecorder):
    """Facts of one shard in one table, notification ids dense from 1, and the index of commands beside them."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "stored_events") -> None:
        super().__init__(datastore, events_table_name)
        self._reader: sqlite3.Connection | None = None
        self._tuned = False

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), *CREATE]

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        first_id: int | None = None,
        beside: Iterable[tuple[str, Sequence[tuple[Any, ...]]]] = (),
        **_: Any,
    ) -> Sequence[int]:
        """Inserts facts and, in the same transaction, the rows of `beside` (statement, parameters).

        `first_id` is the notification id that the first fact must get; IntegrityError where the table has others.
        """
        if not self._tuned:
            c.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._tuned = True
        before = self._last_id(c)
        if first_id is not None and first_id != before + 1:
            raise IntegrityError(f"expected the next notification id to be {first_id}, found {before + 1}")
        c.executemany(
            self.insert_events_statement,
            [(s.originator_id, s.originator_version, s.topic, s.state) for s in stored_events],
        )
        ids = range(before + 1, before + 1 + len(stored_events))
        if stored_events and self._last_id(c) != ids[-1]:
            raise IntegrityError(f"expected notification ids up to {ids[-1]}, found {self._last_id(c)}")
        for statement, rows in beside:
            c.executemany(statement, rows)
        return ids

    def one(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        """The first row of a query on committed data, as a tuple; None where there is none.

        Queries between two commits share one read transaction: taking its lock anew costs more than the query.
        """
        reader = self.reader
        if not reader.in_transaction:
            reader.execute("BEGIN")
        return reader.execute(statement, parameters).fetchone()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        if self._reader is not None and self._reader.in_transaction:
            self._reader.execute("COMMIT")
        return super().insert_events(stored_events, **kwargs)

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> Iterable[Any]:
        """The rows of a query on committed data."""
        if self.reader.in_transaction:
            self.reader.execute("COMMIT")
        return self.reader.execute(statement, parameters)

    @property
    def reader(self) -> sqlite3.Connection:
        """A connection of its own for point queries, which the pool's transactions would slow down."""
        if self._reader is None:
            self._reader = sqlite3.connect(self.datastore.pool.db_name, isolation_level=None)
            self._reader.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        return self._reader

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.datastore.close()

    def _last_id(self, c: SQLiteCursor) -> int:
        c.execute(self.select_max_notification_id_statement)
        return c.fetchone()[0] or 0
