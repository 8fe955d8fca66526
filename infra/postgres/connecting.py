"""Connections to the database of the views: where names are looked up, and how values come back.

A statement may take as long as it takes while the server lives. One that has stood still, on a machine that was frozen
or with a disk that does not answer, keeps its connections open and says nothing, for ever: so whoever waits asks it
over another connection from time to time whether it is there.
"""

import time
from typing import Any, Self

import psycopg
from psycopg import RawCursor, sql
from psycopg.abc import RV, Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.waiting import READY_NONE

CONNECT_TIMEOUT_SECONDS = 10
SILENCE_SECONDS = 10.0
"""How long a server may say nothing before it is asked whether it is there; and how often."""
LOOK_SECONDS = 0.1
"""How often a wait looks how long it has been."""
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


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for a server that lives, and for no other: then it raises psycopg.OperationalError."""

    dsn: str = ""
    """Where the server is asked whether it lives."""

    @classmethod
    def to(cls, dsn: str, **options: Any) -> Self:
        """One that is open. psycopg.OperationalError where no server answers in time."""
        made = cls.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS, **options)
        made.dsn = dsn
        return made

    def wait(self, gen: PQGen[RV], interval: float = LOOK_SECONDS, timeout: float | None = None) -> RV:
        """What psycopg waits by, whatever it waits for."""
        return super().wait(self._watched(gen), interval, timeout)

    def _watched(self, gen: PQGen[RV]) -> PQGen[RV]:
        try:
            wanted = next(gen)
            heard_at = time.monotonic()
            while True:
                ready = yield wanted
                if ready != READY_NONE:
                    heard_at = time.monotonic()
                elif self.dsn and time.monotonic() - heard_at > SILENCE_SECONDS:
                    self._require_server()
                    heard_at = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _require_server(self) -> None:
        """Ends the connection and raises psycopg.OperationalError where the server says nothing to another one either.

        One that says that it has no place for another one lives.
        """
        try:
            psycopg.connect(self.dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
        except psycopg.errors.ConnectionTimeout as silent:
            # Nobody waits for what it was asked any more: what would undo it fails at once.
            self.pgconn.finish()
            raise psycopg.OperationalError("the server takes connections and says nothing") from silent
        except psycopg.OperationalError:
            return


class WholeNumberLoader(Loader):
    """Sums of BIGINT are NUMERIC in PostgreSQL; in the views they are whole, and SQLite answers with integers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(dsn: str, schema: str, *, name: str = "subledger") -> Connection:
    """A connection in autocommit mode on which unqualified tables are those of `schema`, which need not exist.

    psycopg.OperationalError where no server answers in CONNECT_TIMEOUT_SECONDS. `name` is what `pg_stat_activity`
    shows.
    """
    connection = Connection.to(
        dsn,
        autocommit=True,
        application_name=name,
        keepalives_idle=KEEPALIVE_IDLE_SECONDS,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=UNACKNOWLEDGED_MS,
    )
    connection.adapters.register_loader("numeric", WholeNumberLoader)
    use_schema(connection, schema)
    return connection


def is_connection_string(dsn: str) -> bool:
    """Whether libpq can read it."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return False
    return True


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
