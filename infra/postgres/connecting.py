"""Connections to the database of the views: where names are looked up, and how values come back."""

from typing import Any

import psycopg
from psycopg import RawCursor, sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader

CONNECT_TIMEOUT_SECONDS = 10
KEEPALIVE_IDLE_SECONDS = 10
"""A server that vanished without a word is noticed after this and three probes, one each five seconds."""
UNACKNOWLEDGED_MS = 30_000
"""What was sent and not acknowledged for this long ends the connection."""

IDLE_SESSION_SECONDS = 60
"""Longer than anybody who does its work is silent, inside a transaction and outside."""
HELD_BY_THE_LIVING = (
    f"SET idle_session_timeout = '{IDLE_SESSION_SECONDS}s'",
    f"SET idle_in_transaction_session_timeout = '{IDLE_SESSION_SECONDS}s'",
    "SET client_connection_check_interval = '2s'",
    f"SET tcp_keepalives_idle = {KEEPALIVE_IDLE_SECONDS}",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)

Connection = psycopg.Connection[tuple[Any, ...]]


class WholeNumberLoader(Loader):
    """Sums of BIGINT are NUMERIC in PostgreSQL; in the views they are whole, and SQLite answers with integers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(dsn: str, schema: str, *, name: str = "subledger") -> Connection:
    """A connection in autocommit mode on which unqualified tables are those of `schema`, which need not exist.

    psycopg.OperationalError where no server answers in CONNECT_TIMEOUT_SECONDS. `name` is what `pg_stat_activity`
    shows.
    """
    connection = psycopg.connect(
        dsn,
        autocommit=True,
        application_name=name,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        keepalives_idle=KEEPALIVE_IDLE_SECONDS,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=UNACKNOWLEDGED_MS,
    )
    connection.adapters.register_loader("numeric", WholeNumberLoader)
    use_schema(connection, schema)
    return connection


def use_schema(connection: Connection, schema: str) -> None:
    """From now on unqualified names are looked up in `schema`, and nowhere else but the system's catalogue."""
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))


def try_lock(connection: Connection, purpose: str, schema: str) -> bool:
    """Whether this session is now the one that does `purpose` (`project`, `rebuild`) in `schema`.

    It stays so until the connection ends; the server ends a session that is silent for IDLE_SESSION_SECONDS, or whose
    machine is, so that a process that was stopped or cut off does not keep others out.
    """
    for statement in HELD_BY_THE_LIVING:
        connection.execute(statement.encode())
    question = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
    row = RawCursor(connection).execute(question.encode(), (f"subledger/{schema}/{purpose}",)).fetchone()
    return bool(row and row[0])


def first_line(error: Exception) -> str:
    """An exception's first line, for logs and people: libpq says much on several."""
    return str(error).strip().partition("\n")[0]
