"""The log as views read it: facts in order from a place, without the ledger's lock and without writing."""

import sqlite3
from pathlib import Path
from typing import Protocol

READ_CACHE_KIB = 8_192
SELECT_AFTER = "SELECT rowid, CAST(state AS BLOB) FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?"
SELECT_LAST = "SELECT MAX(rowid) FROM stored_events"

Entry = tuple[int, bytes]
"""A sequence and the exact bytes stored there."""


class Log(Protocol):
    """Facts of one shard in the order of their sequences."""

    def read(self, after: int, limit: int) -> list[Entry]:
        """At most `limit` facts that follow the sequence `after`; none at the end."""

    def last(self) -> int:
        """The last sequence; 0 in an empty log."""


class SqliteLog:
    """`events.db`, opened read-only: a writer beside it is never held up."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size=-{READ_CACHE_KIB}")

    def read(self, after: int, limit: int) -> list[Entry]:
        return self._connection.execute(SELECT_AFTER, (after, limit)).fetchall()

    def last(self) -> int:
        return int(self._connection.execute(SELECT_LAST).fetchone()[0] or 0)

    def close(self) -> None:
        self._connection.close()
