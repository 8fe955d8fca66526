"""Folds the views anew into a schema beside the one in use, and swaps them in one transaction when they are done.

The facts come from the copies in the database, each shard's in order and without a gap, so that views are folded as
fast as rows can be written; copies that are lost or of an old form are read again from the topics, as a new ledger's
are. A projector may go on meanwhile: the swap takes its positions, with the facts that came in between counted. Indexes
come last, and of commits before the swap nobody waits for the disk: what a crash leaves is thrown away.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress

import psycopg
from psycopg import RawCursor, sql

from infra.postgres import schema
from infra.postgres.arrays import block
from infra.postgres.connecting import IDLE_SESSION_SECONDS, Connection, connect, try_lock, use_schema
from infra.postgres.keeping import SESSION, Entry
from infra.postgres.schema import CATALOGUE_SHARD, TABLE_NAME
from infra.postgres.statements import Execution, copy_of, executions_of, functions_of
from infra.views.folding import Folding, Rows
from infra.views.runner import OutOfSequence, Progress, ViewsError
from infra.views.sql import WRITES, schema_of, statements_of
from infra.views.wire import WireFact, read
from projections.views import VIEWS

BULK_FACTS = 20_000
"""Facts folded at once."""
FEW_FACTS = 2_000
"""So many may be left for the transaction of the swap, in which the projector waits."""
MOST_ROUNDS = 20
"""Of folding what came while the last round was folded; what is left then, however much, is left for the swap."""
SWAP_ATTEMPTS = 5
LOCK_SECONDS = 10
BULK_SESSION = (
    *SESSION,
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '256MB'",
    f"SET lock_timeout = '{LOCK_SECONDS}s'",
    "SET statement_timeout = 0",
)
SELECT_FACTS = """
SELECT sequence, value FROM {schema}.facts WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"""
SELECT_EXTENTS = "SELECT shard, sequence FROM {schema}.positions WHERE shard <> $1 ORDER BY shard"

Run = tuple[str, Rows]
"""A statement as the folding hands it out, and its rows."""
Load = Callable[[Sequence[Run]], None]


class RebuildRefused(ViewsError):
    """Another process folds these views anew."""


def open_current(connection: Connection, dsn: str, name: str, progress: Progress | None = None) -> None:
    """Brings the schema to the tables and rows of this program: begun where there are none, folded anew where old.

    What `progress` raises ends the folding, and leaves the rows as they were.
    """
    found = schema.shape(connection)
    if found == schema.fingerprint():
        return
    if found is None or not schema.has_copies(connection):
        schema.begin(connection, name)
    else:
        # The session that holds the projector's lock is silent meanwhile, and must not be ended for that.
        connection.execute("SET idle_session_timeout = 0")
        rebuild(dsn, name, progress)
        connection.execute(f"SET idle_session_timeout = '{IDLE_SESSION_SECONDS}s'".encode())


def rebuild(dsn: str, name: str, progress: Progress | None = None) -> int:
    """Folds every view of the schema `name` anew; answers with how many facts they count.

    RebuildRefused where another process is at it, OutOfSequence where the copies have a gap, ViewsError where there
    are none to fold from.
    """
    with closing(connect(dsn, name, name="subledger rebuild")) as connection:
        if not try_lock(connection, "rebuild", name):
            raise RebuildRefused("another process folds the views anew")
        connection.execute("SET idle_session_timeout = 0")
        if not schema.has_copies(connection):
            raise ViewsError("there are no facts to fold from; `subledger project` reads them from the topics")
        with closing(connect(dsn, schema.next_to(name), name="subledger rebuild")) as loading:
            return _Rebuild(connection, loading, name, progress).run()


def extent(dsn: str, name: str) -> int:
    """How many facts the views of the schema `name` count; 0 where there are none."""
    with closing(connect(dsn, name, name="subledger rebuild")) as connection:
        if schema.shape(connection) is None:
            return 0
        return sum(at.sequence for shard, at in schema.positions(connection).items() if shard != CATALOGUE_SHARD)


class _Rebuild:
    """One rebuild: `reading` sees the schema in use, `loading` the one that is being made."""

    def __init__(self, reading: Connection, loading: Connection, name: str, progress: Progress | None) -> None:
        self._reading = reading
        self._loading = loading
        self._name = name
        self._progress = progress
        self._folding = Folding(VIEWS)
        self._reached: dict[int, int] = {}
        self._executions: dict[str, Execution] = {}

    def run(self) -> int:
        """Everything, in order."""
        later = self._prepare()
        self._fold_until_few(self._copy)
        schema.execute_all(self._loading, later)
        tables = ", ".join(table for view in VIEWS for table in schema_of(view).tables)
        schema.execute_all(self._loading, (f"ANALYZE {tables}",))
        for attempt in range(1, SWAP_ATTEMPTS + 1):
            self._fold_until_few(self._execute)
            try:
                self._swap()
                break
            except psycopg.errors.LockNotAvailable:
                if attempt == SWAP_ATTEMPTS:
                    raise
        with suppress(psycopg.errors.LockNotAvailable):
            self._loading.execute(self._named("DROP SCHEMA IF EXISTS {gone} CASCADE"))
        return sum(self._reached.values())

    def _prepare(self) -> list[str]:
        """Empty tables; answers with what is made once they are full."""
        schema.execute_all(self._loading, BULK_SESSION)
        only_copied = _only_copied()
        later = []
        with self._loading.transaction():
            schema.create_schema(self._loading, schema.next_to(self._name))
            schema.execute_all(self._loading, schema.BOOK)
            for table in schema.view_tables():
                create, key = table, ""
                if TABLE_NAME.findall(table)[0] in only_copied:
                    create, key = schema.without_key(table)
                    later.append(key)
                schema.execute_all(self._loading, (create,))
            self._executions = executions_of(self._loading, VIEWS)
            schema.execute_all(self._loading, tuple(functions_of(self._executions)))
        return [*later, *schema.view_indexes()]

    def _fold_until_few(self, load: Load) -> None:
        """Folds what the copies have, until hardly anything comes; one batch is loaded while the next is folded."""
        with ThreadPoolExecutor(1, "loading") as executor:
            for _ in range(MOST_ROUNDS):
                if self._left() <= FEW_FACTS:
                    break
                loading: Future[None] | None = None
                for runs in self._runs(self._reading):
                    if loading is not None:
                        loading.result()
                    loading = executor.submit(self._load_in_transaction, load, runs)
                if loading is not None:
                    loading.result()

    def _load_in_transaction(self, load: Load, runs: Sequence[Run]) -> None:
        with self._loading.transaction():
            load(runs)

    def _left(self) -> int:
        return sum(last - self._reached.get(shard, 0) for shard, last in self._extents(self._reading))

    def _extents(self, connection: Connection) -> list[tuple[int, int]]:
        select = self._named(SELECT_EXTENTS).as_string(connection)
        return RawCursor(connection).execute(select.encode(), (CATALOGUE_SHARD,)).fetchall()

    def _runs(self, connection: Connection) -> Iterator[list[Run]]:
        """The facts that are not folded, folded, shard by shard."""
        extents = self._extents(connection)
        total = sum(last for _, last in extents)
        for shard, last in extents:
            while self._reached.get(shard, 0) < last:
                yield self._folding.fold(self._facts(connection, shard))
                if self._progress is not None:
                    self._progress(sum(self._reached.values()), total)

    def _facts(self, connection: Connection, shard: int) -> list[WireFact]:
        """The next facts of a shard. OutOfSequence where one is missing."""
        after = self._reached.get(shard, 0)
        select = self._named(SELECT_FACTS).as_string(connection).encode()
        cursor = RawCursor(connection)
        entries: list[Entry] = cursor.execute(select, (shard, after, BULK_FACTS), prepare=True, binary=True).fetchall()
        facts = []
        for expected, (sequence, value) in enumerate(entries, after + 1):
            if sequence != expected:
                raise OutOfSequence(f"shard {shard}: expected the fact of sequence {expected}, found {sequence}")
            facts.append(read(sequence, value, shard))
        if not facts:
            raise OutOfSequence(f"shard {shard}: expected the fact of sequence {after + 1}, found none")
        self._reached[shard] = after + len(facts)
        return facts

    def _copy(self, runs: Sequence[Run]) -> None:
        """Loads runs into tables without keys and indexes."""
        cursor = RawCursor(self._loading)
        for text, rows in runs:
            execution = self._executions[text]
            if execution.copy is None:
                cursor.execute(execution.text.encode(), execution.parameters(rows), prepare=True)
                continue
            with cursor.copy(execution.copy.encode()) as copy:
                copy.write(block(rows, execution.is_text))

    def _execute(self, runs: Sequence[Run]) -> None:
        """Loads runs as a projector does."""
        cursor = RawCursor(self._loading)
        with self._loading.pipeline():
            for text, rows in runs:
                execution = self._executions[text]
                cursor.execute(execution.text.encode(), execution.parameters(rows), prepare=True)

    def _swap(self) -> None:
        """The last facts, the copies, the names: all in one transaction, which the projector's next one waits for."""
        reached = dict(self._reached)
        try:
            with self._loading.transaction():
                self._loading.execute(self._named("LOCK TABLE {schema}.positions IN ACCESS EXCLUSIVE MODE"))
                for runs in self._runs(self._loading):
                    self._execute(runs)
                for statement in SWAP:
                    self._loading.execute(self._named(statement))
                schema.sign(self._loading)
                for statement in RENAME:
                    self._loading.execute(self._named(statement))
                self._loading.execute("SET LOCAL synchronous_commit = on")
        except BaseException:
            self._reached = reached
            raise
        use_schema(self._loading, self._name)

    def _named(self, statement: str) -> sql.Composed:
        names = {"schema": self._name, "next": schema.next_to(self._name), "gone": schema.gone_from(self._name)}
        return sql.SQL(statement).format(**{name: sql.Identifier(value) for name, value in names.items()})


SWAP = (
    "INSERT INTO {next}.positions SELECT * FROM {schema}.positions",
    "ALTER TABLE {schema}.facts SET SCHEMA {next}",
    "ALTER TABLE {schema}.answers SET SCHEMA {next}",
)
RENAME = (
    "DROP SCHEMA IF EXISTS {gone} CASCADE",
    "ALTER SCHEMA {schema} RENAME TO {gone}",
    "ALTER SCHEMA {next} RENAME TO {schema}",
)


def _only_copied() -> frozenset[str]:
    """Tables into which rows are only ever copied: their keys are nothing to find a row by until the load is over."""
    written: dict[str, list[bool]] = {}
    for view in VIEWS:
        for statement in statements_of(view).values():
            for table in WRITES.findall(statement.sql):
                written.setdefault(table, []).append(copy_of(statement) is not None)
    read_by_others = {
        table
        for view in VIEWS
        for statement in statements_of(view).values()
        for table in re.findall(r"\b(?:FROM|JOIN) (\w+)", statement.sql)
    }
    return frozenset(table for table, copied in written.items() if all(copied)) - read_by_others
