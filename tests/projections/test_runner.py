"""Rows and position are one transaction; what does not follow is refused; the size of batches does not matter."""

import sqlite3
from pathlib import Path

import pytest

from infra.codec import UndecodableFact
from infra.views import runner as running
from infra.views.log import SqliteLog
from infra.views.opening import open_views
from infra.views.rebuilding import views_file
from infra.views.runner import OutOfSequence, Runner, begin, connect
from tests.projections.conftest import entries_of
from tests.projections.tables import all_rows, kept_live


def test_the_size_of_batches_does_not_matter(folder: Path) -> None:
    one_by_one = kept_live(folder, 1)
    expected = all_rows(one_by_one)
    one_by_one.close()
    for batch in (2, 7, 100, 100_000):
        for left in folder.glob("views.db*"):
            left.unlink()
        connection = kept_live(folder, batch)
        assert all_rows(connection) == expected, batch
        connection.close()


def test_rows_and_position_are_written_together_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies after the rows and before the position; the next one finds neither, and goes on."""
    entries = entries_of(folder)
    connection = connect(views_file(folder))
    begin(connection)
    runner = Runner(connection)
    runner.apply(entries[:50])
    before = all_rows(connection)
    with monkeypatch.context() as dying:
        dying.setattr(running, "UPSERT_POSITION", "INSERT INTO nowhere VALUES (?, ?)")
        with pytest.raises(sqlite3.OperationalError):
            runner.apply(entries[50:100])
    assert runner.position() == 50
    assert all_rows(connection) == before
    runner.apply(entries[50:])
    after = all_rows(connection)
    connection.close()
    for left in folder.glob("views.db*"):
        left.unlink()
    undisturbed = kept_live(folder, 50)
    assert all_rows(undisturbed) == after
    undisturbed.close()


def test_a_gap_is_refused(folder: Path) -> None:
    entries = entries_of(folder)
    connection = connect(views_file(folder))
    begin(connection)
    runner = Runner(connection)
    runner.apply(entries[:10])
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 11, found 12"):
        runner.apply(entries[11:20])
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 13, found 14"):
        runner.apply([*entries[10:12], *entries[13:20]])
    assert runner.position() == 10
    connection.close()


def test_what_is_added_is_seen_once_it_is_committed_and_all_of_it_is_given_up_together(folder: Path) -> None:
    entries = entries_of(folder)
    connection, beside = connect(views_file(folder)), connect(views_file(folder))
    begin(connection)
    runner, other = Runner(connection), Runner(beside)
    runner.add(entries[:10])
    assert runner.added(entries[10:20]) == 20
    assert (runner.position(), other.position()) == (20, 0)
    runner.commit()
    assert other.position() == 20
    runner.add(entries[20:30])
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 31, found 32"):
        runner.add(entries[31:40])
    runner.commit()
    assert (runner.position(), other.position()) == (20, 20)
    runner.apply(entries[20:])
    assert other.position() == len(entries)
    connection.close()
    beside.close()


def test_a_repeat_is_refused(folder: Path) -> None:
    entries = entries_of(folder)
    connection = connect(views_file(folder))
    begin(connection)
    runner = Runner(connection)
    runner.apply(entries[:10])
    before = all_rows(connection)
    with pytest.raises(OutOfSequence, match="expected the fact of sequence 11, found 10"):
        runner.apply(entries[9:20])
    assert all_rows(connection) == before
    connection.close()


def test_bytes_of_another_place_are_refused(folder: Path) -> None:
    entries = entries_of(folder)
    connection = connect(views_file(folder))
    begin(connection)
    with pytest.raises(UndecodableFact, match="expected the fact of sequence 1"):
        Runner(connection).apply([(1, entries[4][1])])
    with pytest.raises(UndecodableFact, match="sequence 1 is not a fact"):
        Runner(connection).apply([(1, b"{}")])
    connection.close()


def test_nothing_is_applied_of_nothing(folder: Path) -> None:
    connection = connect(views_file(folder))
    begin(connection)
    runner = Runner(connection)
    runner.apply([])
    assert runner.position() == 0
    connection.close()


def test_catching_up_stops_where_it_is_told(folder: Path) -> None:
    told = []
    connection = connect(views_file(folder))
    begin(connection)
    log = SqliteLog(folder / "events.db")
    runner = Runner(connection)
    assert runner.catch_up(log, until=30, batch=20, progress=lambda done, total: told.append((done, total))) == 30
    assert told == [(20, 30), (30, 30)]
    assert runner.catch_up(log) == log.last()
    log.close()
    connection.close()


@pytest.mark.parametrize("damage", ["missing", "not a database", "of another program", "ahead of the log"])
def test_views_that_cannot_be_used_are_folded_anew(folder: Path, damage: str) -> None:
    connection = open_views(folder)
    expected = all_rows(connection)
    if damage == "of another program":
        connection.execute("UPDATE shape SET fingerprint = 'older'")
        connection.execute("DELETE FROM balances")
    if damage == "ahead of the log":
        connection.execute("UPDATE positions SET sequence = sequence + 1")
        connection.execute("DELETE FROM balances")
    connection.close()
    if damage == "missing":
        views_file(folder).unlink()
    if damage == "not a database":
        views_file(folder).write_bytes(b"no database" * 1000)
    again = open_views(folder)
    assert all_rows(again) == expected
    again.close()
