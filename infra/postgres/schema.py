"""The tables of the views in PostgreSQL, out of the same files as SQLite's, and the tables that stand beside them.

Everything is in one PostgreSQL schema, the ledger's: the views, the functions that keep them (`statements`), and

    positions   how far each shard is counted: its last sequence, and the offset to read next
    shape       by which tables, statements and projections the rows were made
    facts       each fact's stored bytes, as they are on Kafka, by place, by id and by the command that caused it
    answers     how each command was answered, out of the writer's notes (`infra/live/notes.py`)

The catalogue's facts have shard -1. Its publications are in `facts` alone, since no view has rows of them.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from psycopg import RawCursor, sql
from psycopg.errors import InvalidSchemaName, UndefinedTable

from infra.postgres.connecting import Connection
from infra.postgres.statements import FUNCTION, executions_of, functions_of
from infra.views.runner import ViewsError
from infra.views.sql import fingerprint as fingerprint_of_views
from infra.views.sql import schema_of
from projections.event import View
from projections.views import VIEWS

CATALOGUE_SHARD = -1

TEXT_COLUMN = re.compile(r"\bTEXT\b")
INTEGER_COLUMN = re.compile(r"\bINTEGER\b")
WITHOUT_ROWID = re.compile(r"\s*WITHOUT ROWID\s*$")
TABLE_NAME = re.compile(r"CREATE TABLE (\w+)")
KEY_OF_COLUMN = re.compile(r"(?P<columns>\w+) \w+(?: COLLATE \S+)? NOT NULL(?P<key> PRIMARY KEY)")
KEY_OF_COLUMNS = re.compile(r"(?P<key>,\s*PRIMARY KEY \((?P<columns>[^)]*)\))")

BOOK = (
    """CREATE TABLE positions (
    shard INTEGER NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    next_offset BIGINT NOT NULL
)""",
    "CREATE TABLE shape (fingerprint TEXT NOT NULL)",
)
"""How far the rows are, and by which program they were made."""

COPIES = (
    """CREATE TABLE facts (
    shard INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    command_id TEXT COLLATE "C" NOT NULL,
    recorded_at TEXT COLLATE "C" NOT NULL,
    value BYTEA NOT NULL
)""",
    """CREATE TABLE answers (
    subject TEXT COLLATE "C" NOT NULL,
    command_id TEXT COLLATE "C" NOT NULL,
    shard INTEGER NOT NULL,
    command_offset BIGINT NOT NULL,
    first_sequence BIGINT NOT NULL,
    facts INTEGER NOT NULL,
    verdict TEXT NOT NULL
)""",
)
"""`first_sequence` is 0 where a command recorded nothing; `verdict` is the outcome without `command` and `events`."""

INDEXES_OF_COPIES = (
    "ALTER TABLE facts ADD PRIMARY KEY (shard, sequence)",
    "CREATE UNIQUE INDEX facts_by_id ON facts (subject, version)",
    "CREATE INDEX facts_by_command ON facts (command_id)",
    "ALTER TABLE answers ADD PRIMARY KEY (subject, command_id)",
    "CREATE INDEX answers_by_command ON answers (command_id)",
)


class Position(NamedTuple):
    """How far a shard is counted."""

    sequence: int
    """Of the last fact that is counted; 0 before the first."""
    next_offset: int
    """Of the record that is read next."""


BEGINNING = Position(0, 0)


class NotOurs(ViewsError):
    """A schema of the ledger's name holds something else."""


def next_to(schema: str) -> str:
    """The schema in which views are folded anew; no ledger is called so, since their schemas have no hyphen."""
    return f"{schema}-next"


def gone_from(schema: str) -> str:
    """What the schema in use is called once it has been replaced, until it is dropped."""
    return f"{schema}-gone"


def tables_of(view: View) -> Iterator[str]:
    """The statements that make a view's tables in PostgreSQL, primary keys included."""
    for statement in schema_of(view).create_tables:
        bare = WITHOUT_ROWID.sub("", statement)
        yield INTEGER_COLUMN.sub("BIGINT", TEXT_COLUMN.sub('TEXT COLLATE "C"', bare))


def view_tables() -> tuple[str, ...]:
    """The statements that make every view's tables."""
    return tuple(statement for view in VIEWS for statement in tables_of(view))


def view_indexes() -> tuple[str, ...]:
    """The statements that make every view's indexes, primary keys not among them."""
    return tuple(statement for view in VIEWS for statement in schema_of(view).create_indexes)


def without_key(table: str) -> tuple[str, str]:
    """The statement that makes a table without its primary key, and the one that makes the key later."""
    name = TABLE_NAME.findall(table)[0]
    found = KEY_OF_COLUMN.search(table) or KEY_OF_COLUMNS.search(table)
    if found is None:
        raise ValueError(f"the table {name} has no primary key")
    return table.replace(found["key"], ""), f"ALTER TABLE {name} ADD PRIMARY KEY ({found['columns']})"


def fingerprint() -> str:
    """Changes with every table, statement and projection: rows of another fingerprint are folded anew."""
    digest = hashlib.sha256(fingerprint_of_views(VIEWS).encode())
    for statement in (*BOOK, *COPIES, *INDEXES_OF_COPIES, *view_tables(), *view_indexes(), FUNCTION):
        digest.update(statement.encode())
    return digest.hexdigest()


def form_of_copies() -> str:
    """Changes with the tables `facts` and `answers`: copies of another form cannot be taken over."""
    return hashlib.sha256("\n".join((*COPIES, *INDEXES_OF_COPIES)).encode()).hexdigest()


def has_copies(connection: Connection) -> bool:
    """Whether the connection's schema has copies of facts and answers in the form that this program keeps."""
    row = connection.execute("SELECT obj_description(to_regclass('facts'), 'pg_class')").fetchone()
    return row is not None and row[0] == form_of_copies()


def shape(connection: Connection) -> str | None:
    """The fingerprint of the program that made the rows of the connection's schema; None where there are none."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT fingerprint FROM shape").fetchone()
    except (UndefinedTable, InvalidSchemaName):
        return None
    return str(row[0]) if row else None


def positions(connection: Connection) -> dict[int, Position]:
    """Shard → how far it is counted. Shards of which nothing is counted are not in it."""
    rows = connection.execute("SELECT shard, sequence, next_offset FROM positions").fetchall()
    return {int(shard): Position(int(sequence), int(offset)) for shard, sequence, offset in rows}


def create_schema(connection: Connection, schema: str) -> None:
    """An empty schema called `schema`; what was in it is gone."""
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))


def begin(connection: Connection, schema: str) -> None:
    """Empty views in `schema`, complete with indexes and functions, in one transaction.

    Raises NotOurs where there are tables in `schema` that no views of ours stand beside.
    """
    with connection.transaction():
        if shape(connection) is None and _has_tables(connection, schema):
            raise NotOurs(f"the schema {schema} of the database has tables that are not a ledger's; none was touched")
        create_schema(connection, schema)
        execute_all(connection, (*BOOK, *COPIES, *INDEXES_OF_COPIES, *view_tables(), *view_indexes()))
        execute_all(connection, (f"COMMENT ON TABLE facts IS '{form_of_copies()}'",))
        execute_all(connection, tuple(functions_of(executions_of(connection, VIEWS))))
        sign(connection)


def _has_tables(connection: Connection, schema: str) -> bool:
    question = "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)))"
    row = RawCursor(connection).execute(question, (schema,)).fetchone()
    return bool(row and row[0])


def sign(connection: Connection) -> None:
    """Notes by which program the rows of the connection's schema are made."""
    RawCursor(connection).execute("INSERT INTO shape VALUES ($1)", (fingerprint(),))


def execute_all(connection: Connection, statements: Sequence[str]) -> None:
    """Executes fixed texts in order."""
    for statement in statements:
        connection.execute(statement.encode())
