"""The tables that a shard's local index has beside the facts, folded from the notes of the events' topic.

They are what `consumers.ports.ShardStore` asks for: answers by command id, calls, deposits, instants, and how far the
commands have been dealt with. Like the index they are a cache.
"""

from collections.abc import Sequence

import orjson
from eventsourcing.sqlite import SQLiteCursor

from infra.embedded.recorder import CREATE_BESIDE, INSERT_DEPOSIT, UPSERT_CALL, UPSERT_INSTANT
from infra.kafka.records import Entry
from infra.kafka.records import Note as LogNote
from infra.live import notes

CREATE = (
    *CREATE_BESIDE,
    "CREATE TABLE IF NOT EXISTS commands (subject TEXT, command_id TEXT, command_offset INTEGER, fingerprint TEXT, "
    "impersonal TEXT, first_sequence INTEGER, facts INTEGER, verdict BLOB, PRIMARY KEY (command_id, subject))",
    # One row: how far the commands have been dealt with, and the latest instant of anything decided.
    "CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), through INTEGER, as_of TEXT)",
    "CREATE TABLE IF NOT EXISTS snapshots (subject TEXT PRIMARY KEY, shape TEXT, state BLOB) WITHOUT ROWID",
)
INSERT_COMMAND = "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
UPSERT_PROGRESS = "INSERT OR REPLACE INTO progress VALUES (1, ?, ?)"
UPSERT_SNAPSHOT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)"


class ShardTables:
    """An extension of the index of one shard."""

    def create(self, cursor: SQLiteCursor) -> None:
        for statement in CREATE:
            cursor.execute(statement)

    def apply(self, cursor: SQLiteCursor, entries: Sequence[Entry], notes_: Sequence[LogNote]) -> None:
        for one in notes_:
            _add(cursor, notes.decode(one.payload))


def _add(cursor: SQLiteCursor, note: notes.Note) -> None:
    cursor.executemany(
        INSERT_COMMAND,
        [
            (
                one.subject,
                one.command_id,
                one.offset,
                one.fingerprint,
                one.impersonal,
                one.first_sequence,
                one.facts,
                orjson.dumps(one.verdict),
            )
            for one in note.answered
        ],
    )
    cursor.executemany(UPSERT_CALL, [(one.subject, one.usage, one.elapsed_seconds, one.ended) for one in note.calls])
    cursor.executemany(INSERT_DEPOSIT, note.deposits)
    cursor.executemany(UPSERT_INSTANT, note.instants)
    cursor.execute(UPSERT_PROGRESS, (note.through, note.as_of))
