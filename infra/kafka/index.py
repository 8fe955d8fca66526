"""The local index of a log: a SQLite copy of its partition, written only after Kafka has committed.

It is a cache. It holds the library's own tables (stored events with the sequence as rowid, tracking), any tables an
extension folds from the events, and one row that says how far it has got. Events, tracking, extensions and that row
change in one SQLite transaction. Delete the file and it is rebuilt from the topic.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from eventsourcing.persistence import PersistenceError, Tracking
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool, SQLiteCursor, SQLiteDatastore
from eventsourcing.sqlite import SQLiteProcessRecorder as ReadRecorder

from infra.kafka.errors import IndexDiffers, LogError
from infra.kafka.reader import Partition
from infra.kafka.records import Entry, Note, Tracked

FORMAT = 1
"""Raised when the tables change; an index of another format is rebuilt."""

LOCK_TIMEOUT_S = 5
PAGE_CACHE_KIB = 64 * 1024
CHECKPOINT_PAGES = 16_384
"""64 MiB of write-ahead log before it is copied into the file: the copying waits for the disk, and a commit for it."""
POOL_SIZE = 5
CLOSE_LIMIT_S = 10.0
HEADER_BYTES = 100
NO_SPACE = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})
"""How SQLite names a disk that is full: for the file and its write-ahead log, for what all who use it share."""

OriginatorIds = Literal["uuid", "text"]

_CREATE_POSITION = """
CREATE TABLE IF NOT EXISTS log_position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    event_offset INTEGER NOT NULL,
    next_offset INTEGER NOT NULL
)"""
_START_POSITION = "INSERT INTO log_position VALUES (1, ?, ?, ?, 0, -1, 0) ON CONFLICT DO NOTHING"
_SELECT_POSITION = "SELECT * FROM log_position"
_MOVE_POSITION = (
    "UPDATE log_position SET sequence = ?, event_offset = ?, next_offset = ? WHERE sequence = ? AND next_offset = ?"
)
_INSERT_EVENT = (
    "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"
)
_SELECT_LAST_VERSION = "SELECT MAX(originator_version) FROM stored_events WHERE originator_id = ?"
_SELECT_EVENTS = (
    "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
)
_SELECT_EXTENT = "SELECT COUNT(*), COALESCE(MAX(rowid), 0) FROM stored_events"

EventRow = tuple[int, str, int, str, bytes]
"""Sequence, stream, version, type, value."""


class IndexDamaged(LogError):
    """The file is not a whole index; it has to be rebuilt."""


class IndexUnwritable(LogError):
    """What holds the file takes no more."""


class IndexMoved(LogError):
    """Somebody else has written to the index since it was read."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far an index has got."""

    sequence: int = 0
    """Sequence of the last event, 0 for none."""
    event_offset: int = -1
    """Kafka's offset of that event, -1 for none."""
    next_offset: int = 0
    """Where reading goes on."""

    def after(self, entries: Sequence[Entry], next_offset: int) -> Position:
        """The position behind further events."""
        if not entries:
            return Position(self.sequence, self.event_offset, next_offset)
        return Position(entries[-1].sequence, entries[-1].offset, next_offset)


class IndexExtension(Protocol):
    """Further tables folded from the same events, in the same SQLite transactions (command ids, for one)."""

    def create(self, cursor: SQLiteCursor) -> None:
        """Creates its tables if they do not exist."""

    def apply(self, cursor: SQLiteCursor, entries: Sequence[Entry], notes: Sequence[Note]) -> None:
        """Folds events and notes, each in the order of the log. May raise; then nothing of the batch is kept."""


class LocalIndex:
    """One index file. Reading is safe from any thread; `apply` is called by one at a time."""

    def __init__(
        self,
        file: Path,
        partition: Partition,
        *,
        originator_ids: OriginatorIds = "uuid",
        extensions: Sequence[IndexExtension] = (),
    ) -> None:
        """Opens the file, creating it if there is none.

        Raises IndexDamaged if it is not a whole index, IndexDiffers if it is the index of another partition.
        """
        self.file = file
        self.partition = partition
        self._extensions = extensions
        try:
            _check_length(file)
            self.datastore = _Datastore(str(file), originator_ids)
            self.reader = ReadRecorder(self.datastore)
            self._create()
            self.position = self._read_position()
            self._check_extent()
        except (PersistenceError, sqlite3.Error) as failed:
            self.close()
            if isinstance(failed, IndexDiffers | IndexDamaged):
                raise
            self._require_space(failed)
            raise IndexDamaged(f"{file}: {failed}") from failed

    def apply(
        self, entries: Sequence[Entry], tracked: Sequence[Tracked], notes: Sequence[Note], next_offset: int
    ) -> None:
        """Adds what has been committed, and the new position, in one SQLite transaction.

        Raises IndexMoved if another process has written meanwhile, IndexUnwritable if the disk is full.
        """
        position = self.position.after(entries, next_offset)
        try:
            with self.datastore.transaction(commit=True) as c:
                self._move(c, position)
                c.executemany(_INSERT_EVENT, [entry[:5] for entry in entries])
                for each in tracked:
                    self.reader._insert_tracking(c, Tracking(each.application, each.position))
                for extension in self._extensions:
                    extension.apply(c, entries, notes)
        except (PersistenceError, sqlite3.Error) as failed:
            self._require_space(failed)
            raise
        self.position = position

    def last_version(self, stream: str) -> int | None:
        """Version of a stream's last event, None if it has none."""
        row = self._one(_SELECT_LAST_VERSION, (stream,))
        return None if row[0] is None else int(row[0])

    def last_tracked(self, application: str) -> int | None:
        """Position of an application's last tracking record, None if it has none."""
        return self.reader.max_tracking_id(application)

    def events(self, first: int, last: int) -> list[EventRow]:
        """The events of a range of sequences, both ends included, in order."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(_SELECT_EVENTS, (first, last))
            return [tuple(row) for row in c.fetchall()]

    def reload(self) -> None:
        """Forgets the position in memory and reads the stored one."""
        self.position = self._read_position()

    def close(self) -> None:
        """Closes the file's connections."""
        if hasattr(self, "datastore"):
            self.datastore.close()

    def _require_space(self, failed: Exception) -> None:
        """Raises IndexUnwritable where that is what failed: the file is as sound as before."""
        cause = failed if isinstance(failed, sqlite3.Error) else failed.__cause__
        if getattr(cause, "sqlite_errorname", None) in NO_SPACE:
            raise IndexUnwritable(f"{self.file} cannot be written: the disk is full") from failed

    def _create(self) -> None:
        self.reader.create_table()
        with self.datastore.transaction(commit=True) as c:
            c.execute(_CREATE_POSITION)
            c.execute(_START_POSITION, (FORMAT, *self.partition))
            for extension in self._extensions:
                extension.create(c)

    def _read_position(self) -> Position:
        row = self._one(_SELECT_POSITION)
        if row["format"] != FORMAT:
            raise IndexDamaged(f"{self.file}: written in format {row['format']}, this program writes {FORMAT}")
        belongs_to = Partition(row["topic"], row["partition"])
        if belongs_to != self.partition:
            raise IndexDiffers(f"{self.file}: the index of {belongs_to}, not of {self.partition}")
        return Position(row["sequence"], row["event_offset"], row["next_offset"])

    def _check_extent(self) -> None:
        count, last = self._one(_SELECT_EXTENT)
        if not count == last == self.position.sequence:
            raise IndexDamaged(
                f"{self.file}: has {count} events, the last is {last}, and says it has {self.position.sequence}"
            )

    def _move(self, c: SQLiteCursor, position: Position) -> None:
        old = self.position
        c.execute(
            _MOVE_POSITION,
            (position.sequence, position.event_offset, position.next_offset, old.sequence, old.next_offset),
        )
        if c.sqlite_cursor.rowcount != 1:
            raise IndexMoved(f"{self.file}: another process has moved the index on from {old}")

    def _one(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        with self.datastore.transaction(commit=False) as c:
            c.execute(statement, parameters)
            return c.fetchone()


class _Pool(SQLiteConnectionPool):
    """Connections that do not wait for the disk at each commit: a lost tail is read from the topic again.

    With a write-ahead log, NORMAL may lose the last transactions at a power cut but leaves no damaged file.
    """

    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        cursor.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
        return connection

    def close(self) -> None:
        """Waits for connections in use, which the library's pool closes under the feet of the threads using them.

        SQLite crashes the process then. A connection that does not come back in time is left to its thread.
        """
        if self._closed or not self._get_semaphore.acquire(timeout=CLOSE_LIMIT_S):
            return
        try:
            with self._put_condition:
                self._put_condition.wait_for(lambda: not self._in_use, timeout=CLOSE_LIMIT_S)
                self._in_use.clear()
            super().close()
        finally:
            self._get_semaphore.release()


class _Datastore(SQLiteDatastore):
    def __init__(self, db_name: str, originator_ids: OriginatorIds) -> None:
        super().__init__(db_name, originator_id_type=originator_ids)
        self.pool = _Pool(db_name=db_name, lock_timeout=LOCK_TIMEOUT_S, pool_size=POOL_SIZE)


def _check_length(file: Path) -> None:
    """A file shorter than its own header says was truncated (SQLite's file format, section 1.3).

    Only without a write-ahead log: with one, the pages that are missing from the file may be there.
    """
    log = file.with_name(file.name + "-wal")
    if not file.exists() or (log.exists() and log.stat().st_size):
        return
    header = _head(file)
    if 0 < len(header) < HEADER_BYTES:
        raise IndexDamaged(f"{file}: {len(header)} bytes are not even a header")
    if header:
        page_bytes = int.from_bytes(header[16:18], "big")
        expected = (65536 if page_bytes == 1 else page_bytes) * int.from_bytes(header[28:32], "big")
        if file.stat().st_size < expected:
            raise IndexDamaged(f"{file}: {file.stat().st_size} bytes long, its header says {expected}")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(HEADER_BYTES)


def remove_index(file: Path) -> None:
    """Removes an index file with its write-ahead log."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
