"""The views in PostgreSQL have the rows of the views in SQLite, kept live in batches of any size, and folded anew."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from psycopg import RawCursor

from consumers.writer import Writer
from infra import codec
from infra.live.notes import Answered
from infra.postgres import rebuilding, schema
from infra.postgres.arrays import block, literal
from infra.postgres.connecting import Connection, connect, try_lock
from infra.postgres.keeping import Balance, Entry, PostgresViews, RowsRefused, ShardBatch
from infra.postgres.questions import ask
from infra.postgres.rebuilding import RebuildRefused, open_current, rebuild
from infra.postgres.schema import NotOurs, Position
from infra.postgres.statements import executions_of
from infra.views.folding import _merging
from infra.views.runner import OutOfSequence, Runner, StaleViews
from infra.views.runner import begin as sqlite_begin
from infra.views.sql import Statement, _statements, schema_of, statements_of, text_of
from infra.views.verification import agreeing
from infra.views.wire import read
from projections.event import View
from projections.views import BY_NAME, VIEWS
from tests.codec.write_examples import KEY
from tests.projections.tables import Tables, all_rows
from tests.scenarios.scenario import Do, steps_of
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.jsonl"))


def kept_in(connection: Connection, entries: Sequence[Entry], batch: int, shard: int = 0) -> PostgresViews:
    """Views of `entries`, kept `batch` facts at a time; offsets are twice the sequences."""
    views = PostgresViews(connection)
    for first in range(0, len(entries), batch):
        some = entries[first : first + batch]
        views.apply([batch_of(shard, some)])
    return views


def batch_of(shard: int, entries: Sequence[Entry]) -> ShardBatch:
    before, last = entries[0][0] - 1, entries[-1][0]
    return ShardBatch(shard=shard, begin=Position(before, 2 * before), end=Position(last, 2 * last), entries=[*entries])


def rows_in(connection: Connection) -> dict[str, Tables]:
    """Every row of every view, ordered as `all_rows` does it."""
    return {
        view.name: {
            table: sorted(plain(connection.execute(f"SELECT * FROM {table}".encode())), key=repr)
            for table in schema_of(view).tables
        }
        for view in VIEWS
    }


def plain(rows: Any) -> Iterator[tuple[Any, ...]]:
    """Rows with truth values as SQLite has them."""
    return (tuple(int(value) if isinstance(value, bool) else value for value in row) for row in rows)


@pytest.fixture(scope="module")
def corpus() -> list[Entry]:
    """The facts of every scenario as one log; subscribers are told apart by the number of their scenario."""
    entries: list[Entry] = []
    for number, path in enumerate(SCENARIOS):
        shard = MemoryShard()
        writer = Writer(shard, MemoryCatalogue(), PlainSealer())
        for step in steps_of(path):
            if isinstance(step, Do):
                writer.execute(_renamed(step.command, number))
        writer.commit()
        for stored in shard.facts:
            placed = replace(stored, sequence=len(entries) + 1)
            entries.append((placed.sequence, codec.encode(placed, KEY)[1]))
    return entries


def _renamed(command: dict[str, Any], number: int) -> dict[str, Any]:
    """The command for a subscriber of another name; ids of facts that it speaks of begin with the name."""
    subscriber = command.get("subscriber")
    if not isinstance(subscriber, str) or subscriber == "catalogue":
        return command
    other = f"{number}.{subscriber}"
    renamed: dict[str, Any] = json.loads(json.dumps(command).replace(f'"{subscriber}/', f'"{other}/'))
    return {**renamed, "subscriber": other}


@pytest.fixture(scope="module")
def in_sqlite(corpus: list[Entry]) -> Iterator[sqlite3.Connection]:
    """The views of the corpus in SQLite."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        sqlite_begin(connection)
        Runner(connection).apply(corpus)
        yield connection


@pytest.fixture
def name() -> str:
    """A schema of the test's own."""
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def empty(postgres_dsn: str, name: str) -> Iterator[Connection]:
    """Empty views in it."""
    with closing(connect(postgres_dsn, name)) as connection:
        schema.begin(connection, name)
        yield connection
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())


@pytest.mark.parametrize("batch", [1_000_000, 500, 7])
def test_rows_kept_live_are_those_of_sqlite(
    corpus: list[Entry], in_sqlite: sqlite3.Connection, empty: Connection, batch: int
) -> None:
    kept_in(empty, corpus, batch)
    expected = all_rows(in_sqlite)
    assert rows_in(empty) == expected
    empty_tables = [table for tables in expected.values() for table in tables if not tables[table]]
    assert empty_tables == []


def test_rows_folded_anew_are_those_kept_live(
    postgres_dsn: str, corpus: list[Entry], empty: Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "BULK_FACTS", 300)
    monkeypatch.setattr(rebuilding, "FEW_FACTS", 0)
    kept_in(empty, corpus, 500)
    expected, structure = rows_in(empty), structure_of(empty, name)
    copies = empty.execute("SELECT * FROM facts ORDER BY shard, sequence").fetchall()
    empty.execute("DELETE FROM balances")
    empty.execute("UPDATE lots SET spent = 1")
    told: list[tuple[int, int]] = []
    assert rebuild(postgres_dsn, name, lambda done, total: told.append((done, total))) == len(corpus)
    assert rows_in(empty) == expected
    assert structure_of(empty, name) == structure
    assert empty.execute("SELECT * FROM facts ORDER BY shard, sequence").fetchall() == copies
    assert schema.shape(empty) == schema.fingerprint()
    assert told[-1] == (len(corpus), len(corpus))
    left = empty.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", (f"{name}%",)).fetchall()
    assert left == [(name,)]


def structure_of(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    """Tables' columns, indexes and functions, without the schema's name."""
    return connection.execute(
        """
        SELECT table_name, column_name || data_type || is_nullable || coalesce(collation_name, '')
        FROM information_schema.columns WHERE table_schema = %(name)s
        UNION ALL SELECT tablename, replace(indexdef, %(name)s, '') FROM pg_indexes WHERE schemaname = %(name)s
        UNION ALL SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %(name)s::regnamespace
        ORDER BY 1, 2
        """,
        {"name": name},
    ).fetchall()


def test_a_projector_goes_on_over_a_swap_of_schemas(
    postgres_dsn: str, corpus: list[Entry], in_sqlite: sqlite3.Connection, empty: Connection, name: str
) -> None:
    """Its connection, its prepared statements and its positions hold on the other side."""
    half = len(corpus) // 2
    views = kept_in(empty, corpus[:half], 100)
    assert rebuild(postgres_dsn, name) == half
    views.apply([batch_of(0, corpus[half:])])
    assert rows_in(empty) == all_rows(in_sqlite)


def test_questions_have_the_same_answers(corpus: list[Entry], in_sqlite: sqlite3.Connection, empty: Connection) -> None:
    kept_in(empty, corpus, 1_000_000)
    asked = 0
    for view in VIEWS:
        for statement in _statements(text_of(view.name, "queries.sql")):
            for parameters in _parameters(in_sqlite, statement):
                expected = in_sqlite.execute(statement.sql, parameters).fetchall()
                assert list(plain(ask(empty, view.name, statement.name, parameters))) == expected
                asked += bool(expected)
    assert asked > 1_000


VALUES = {
    "subject": "SELECT DISTINCT subject FROM agreements",
    "number": "SELECT DISTINCT number FROM tenures",
    "lot": "SELECT DISTINCT lot FROM allocations",
    "time_zone": "SELECT DISTINCT time_zone FROM clocks",
    "version": "SELECT DISTINCT version FROM decisions WHERE version < 5",
}
INSTANT = "2026-04-01T00:00:00"


def _parameters(connection: sqlite3.Connection, statement: Statement) -> Iterator[tuple[Any, ...]]:
    """Every subject, number, lot or zone of the corpus, with one instant for every instant."""
    columns = [
        [value for (value,) in connection.execute(VALUES[name])] if name in VALUES else [INSTANT]
        for name in statement.parameters
    ]
    return product(*columns)


def test_a_batch_that_does_not_follow_writes_nothing(corpus: list[Entry], empty: Connection) -> None:
    views = kept_in(empty, corpus[:20], 20)
    before = rows_in(empty)
    for wrong in (corpus[25:30], corpus[15:25]):
        with pytest.raises(OutOfSequence, match="expected what follows sequence 20"):
            views.apply([batch_of(0, wrong)])
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 22, found 23"):
        views.apply([batch_of(0, [corpus[20], *corpus[22:25]])])
    moved = ShardBatch(shard=0, begin=Position(20, 41), end=Position(20, 50))
    with pytest.raises(OutOfSequence, match="from offset 40, found"):
        views.apply([moved])
    assert rows_in(empty) == before
    assert views.positions() == {0: Position(20, 40)}


def test_the_views_of_every_scenario_agree(in_sqlite: sqlite3.Connection) -> None:
    verdict = agreeing(in_sqlite)
    assert verdict.holds, verdict.faults
    assert verdict.checked > len(SCENARIOS)


def test_a_fact_under_another_sequence_is_refused_whole(corpus: list[Entry], empty: Connection) -> None:
    """Its id is there already; so is an answer to a command that was answered."""
    views = kept_in(empty, corpus[:20], 20)
    before = rows_in(empty)
    again = corpus[3][1].replace(b'"sequence":"00000000000000000004"', b'"sequence":"00000000000000000021"')
    with pytest.raises(RowsRefused, match="duplicate key"):
        views.apply([batch_of(0, [(21, again)])])
    answer = Answered("s-1", "c-1", 17, "f", None, 0, 0, {})
    answered = ShardBatch(shard=0, begin=Position(20, 40), end=Position(20, 41), answers=[answer])
    views.apply([answered])
    with pytest.raises(RowsRefused, match="answers"):
        views.apply([replace(answered, begin=answered.end, end=Position(20, 42))])
    assert rows_in(empty) == before
    assert views.positions() == {0: Position(20, 41)}


def test_views_of_another_program_are_not_written_to(corpus: list[Entry], empty: Connection) -> None:
    views = kept_in(empty, corpus[:20], 20)
    empty.execute("UPDATE shape SET fingerprint = 'another'")
    with pytest.raises(StaleViews, match="replaced"):
        views.apply([batch_of(0, corpus[20:25])])
    with pytest.raises(StaleViews, match="another version"):
        PostgresViews(empty)
    assert views.positions() == {0: Position(20, 40)}


def test_stale_views_are_folded_anew_and_missing_ones_begun(
    postgres_dsn: str, corpus: list[Entry], in_sqlite: sqlite3.Connection, empty: Connection, name: str
) -> None:
    kept_in(empty, corpus, 1_000)
    empty.execute("UPDATE shape SET fingerprint = 'another'")
    empty.execute("DELETE FROM postings")
    open_current(empty, postgres_dsn, name)
    assert rows_in(empty) == all_rows(in_sqlite)
    empty.execute("UPDATE shape SET fingerprint = 'another'")
    empty.execute("COMMENT ON TABLE facts IS 'another form'")
    open_current(empty, postgres_dsn, name)
    assert schema.positions(empty) == {}
    assert schema.shape(empty) == schema.fingerprint()


def test_a_rebuild_ends_though_facts_keep_coming(
    postgres_dsn: str, corpus: list[Entry], empty: Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round leaves something to fold: after some rounds the swap takes what is left."""
    monkeypatch.setattr(rebuilding, "FEW_FACTS", 0)
    monkeypatch.setattr(rebuilding, "MOST_ROUNDS", 3)
    kept_in(empty, corpus[:1_000], 1_000)
    later = iter(corpus[1_000 : 1_000 + 2 * 3])
    positions: list[int] = []

    def another(folded: int, facts: int) -> None:
        positions.append(folded)
        for entry in later:
            PostgresViews(empty).apply([batch_of(0, [entry])])
            break

    assert rebuild(postgres_dsn, name, another) == 1_006
    assert positions == list(range(1_000, 1_007)), "six rounds, and the swap"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as expected:
        sqlite_begin(expected)
        Runner(expected).apply(corpus[:1_006])
        assert rows_in(empty) == all_rows(expected)


def test_tables_of_somebody_else_are_left_alone(postgres_dsn: str, name: str) -> None:
    with closing(connect(postgres_dsn, name)) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        connection.execute("CREATE TABLE theirs (precious TEXT)")
        with pytest.raises(NotOurs, match="not a ledger's"):
            open_current(connection, postgres_dsn, name)
        assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
        connection.execute("DROP TABLE theirs")
        open_current(connection, postgres_dsn, name)
        assert schema.shape(connection) == schema.fingerprint()
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def test_a_rebuild_refuses_copies_with_a_gap(
    postgres_dsn: str, corpus: list[Entry], empty: Connection, name: str
) -> None:
    kept_in(empty, corpus[:3_000], 1_000)
    before = rows_in(empty)
    empty.execute("DELETE FROM facts WHERE sequence = 1500")
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 1500, found 1501"):
        rebuild(postgres_dsn, name)
    assert rows_in(empty) == before


def test_one_rebuild_at_a_time(postgres_dsn: str, empty: Connection, name: str) -> None:
    with closing(connect(postgres_dsn, name)) as other:
        assert try_lock(other, "rebuild", name)
        with pytest.raises(RebuildRefused):
            rebuild(postgres_dsn, name)


COLUMNS = pytest.mark.parametrize(
    "column",
    [
        ["", "plain", "NULL", "null"],
        ['a "quoted" word', "back\\slash", "{braces}", "comma, comma", " spaces "],
        [None, "after nothing", None, '"'],
        ["Ünïcode £ 🙂", "tab\there", "line\nbreak", "return\r", r"\N", r"\.", "None"],
        [None, None],
    ],
)


@COLUMNS
def test_text_survives_the_way_in_an_array(empty: Connection, column: list[str | None]) -> None:
    found = RawCursor(empty).execute("SELECT unnest($1::text[])", (literal(column, is_text=True),)).fetchall()
    assert [value for (value,) in found] == column


@COLUMNS
def test_text_survives_the_way_in_a_copy(empty: Connection, column: list[str | None]) -> None:
    cursor = RawCursor(empty)
    cursor.execute("CREATE TEMPORARY TABLE copied (place BIGINT, value TEXT, truth BOOLEAN)")
    rows = [(place, value, not place if place else None) for place, value in enumerate(column)]
    with cursor.copy("COPY copied FROM STDIN") as copy:
        copy.write(block(rows, (False, True, False)))
    assert cursor.execute("SELECT * FROM copied ORDER BY place").fetchall() == rows
    cursor.execute("DROP TABLE copied")


def test_numbers_and_truth_values_survive_the_way_in_an_array(empty: Connection) -> None:
    cursor = RawCursor(empty)
    numbers = [0, -1, None, 2**62]
    found = cursor.execute("SELECT unnest($1::bigint[])", (literal(numbers, is_text=False),)).fetchall()
    assert [value for (value,) in found] == numbers
    truths = [True, False, None, 1, 0]
    found = cursor.execute("SELECT unnest($1::boolean[])", (literal(truths, is_text=False),)).fetchall()
    assert [value for (value,) in found] == truths


def test_facts_and_answers_are_copied_as_they_are(corpus: list[Entry], empty: Connection) -> None:
    views = PostgresViews(empty)
    batch = batch_of(3, corpus[:10])
    verdict = {"status": "accepted", "balance": "1.00", "message": 'a "word"'}
    batch.answers.append(Answered("s-1", "c-1", 17, "f", None, 1, 10, verdict))
    batch.answers.append(Answered("s-2", "c-1", 18, "f", None, 0, 0, verdict))
    views.apply([batch])
    found = empty.execute("SELECT sequence, value FROM facts WHERE shard = 3 ORDER BY sequence").fetchall()
    assert found == corpus[:10]
    first = read(*corpus[0])
    assert empty.execute(
        "SELECT subject, version, type, command_id, recorded_at FROM facts WHERE sequence = 1"
    ).fetchone() == (first.subject, first.version, first.type, first.caused_by, first.recorded_at)
    answers = empty.execute("SELECT * FROM answers ORDER BY subject").fetchall()
    assert [(*row[:6], orjson.loads(row[6])) for row in answers] == [
        ("s-1", "c-1", 3, 17, 1, 10, verdict),
        ("s-2", "c-1", 3, 18, 0, 0, verdict),
    ]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_only_what_depends_on_the_order_of_rows_goes_row_by_row(empty: Connection, view: View) -> None:
    """A statement that slips into a function costs ten times as much; each of these has its reason beside it."""
    executions = executions_of(empty, [view])
    called = {name for name, statement in statements_of(view).items() if executions[statement.sql].function is not None}
    assert called == {
        # Renumbering may free the number that the next row takes.
        "rentals": {"renumber", "hold_instead"},
        "findings": {"renumber"},
        # A payment closes an invoice where it is the last one.
        "dues": {"settle", "renumber"},
        # A later row leaves what it does not know as an earlier one said it.
        "refunds": {"owe"},
    }.get(view.name, set())


def test_the_key_of_every_table_can_be_made_later(empty: Connection) -> None:
    for create in schema.view_tables():
        bare, key = schema.without_key(create)
        (table,) = schema.TABLE_NAME.findall(create)
        select = "SELECT conkey FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'"
        expected = empty.execute(select, (table,)).fetchone()
        empty.execute(f"DROP TABLE {table}".encode())
        empty.execute(bare.encode())
        assert empty.execute(select, (table,)).fetchone() is None
        empty.execute(key.encode())
        assert empty.execute(select, (table,)).fetchone() == expected


@pytest.mark.parametrize(
    ("view", "name", "rows", "left"),
    [
        ("plans", "fund", [("1", "s"), ("2", "s"), ("3", "t")], [("3", "t"), ("1", "s")]),
        ("plans", "conclude", [("1", "s"), ("2", "s"), ("3", "t")], [("2", "s"), ("3", "t")]),
        ("lots", "fill_debt", [(5, "s"), (7, "s"), (1, "t")], [(12, "s"), (1, "t")]),
    ],
)
def test_rows_that_agree_become_one(
    view: str, name: str, rows: list[tuple[Any, ...]], left: list[tuple[Any, ...]]
) -> None:
    """The first counts, or the last, or the sum: as the comment over the statement says."""
    merge = _merging(statements_of(BY_NAME[view])[name])
    assert merge(rows) == left


def test_balances_are_told_before_the_commit_and_a_refusal_undoes_it(
    corpus: list[Entry], in_sqlite: sqlite3.Connection, empty: Connection, name: str, postgres_dsn: str
) -> None:
    views = PostgresViews(empty)
    told: dict[str, int] = {}

    def tell(balances: list[Balance]) -> None:
        with closing(connect(postgres_dsn, name)) as other:
            assert schema.positions(other) == {}
        told.update({one.subject: one.balance for one in balances})

    def refuse(balances: list[Balance]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        views.apply([batch_of(0, corpus)], refuse)
    assert views.positions() == {}
    views.apply([batch_of(0, corpus)], tell)
    assert told == dict(in_sqlite.execute("SELECT subject, balance FROM balances").fetchall())
