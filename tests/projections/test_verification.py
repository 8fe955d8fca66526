"""A sound ledger has no fault; each kind of damage is found by the verdict that it belongs to."""

import re
import sqlite3
from pathlib import Path

import pytest

from infra.embedded.source import EmbeddedSource
from infra.views.opening import open_views
from infra.views.rebuilding import views_file
from infra.views.verification import Verdict, agreeing, differences, verify_log, verify_views
from projections.views import VIEWS
from tests.projections.conftest import entries_of


def verdicts(folder: Path) -> dict[str, Verdict]:
    with EmbeddedSource(folder) as source:
        return {verdict.name: verdict for verdict in (*verify_log(source).all, *verify_views(folder))}


def wrong(folder: Path) -> set[str]:
    return {name for name, verdict in verdicts(folder).items() if not verdict.holds}


def tamper(file: Path, statement: str, *parameters: object) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    assert connection.execute(statement, parameters).rowcount == 1
    connection.close()


def test_a_sound_ledger_holds_in_every_respect(folder: Path) -> None:
    found = verdicts(folder)
    assert [name for name, verdict in found.items() if not verdict.holds] == []
    facts = len(entries_of(folder))
    assert found["facts decode"].checked >= facts
    assert found["view decisions is the fold of the log"].checked == facts
    assert {f"view {view.name} is the fold of the log" for view in VIEWS} <= set(found)
    assert not list(folder.glob("*.check*"))


def test_a_missing_fact(one_folder: Path) -> None:
    connection = open_views(one_folder)
    connection.close()
    tamper(one_folder / "events.db", "DELETE FROM stored_events WHERE rowid = 1")
    assert {"sequences dense and from 1", "stream versions dense and from 1"} <= wrong_of_log(one_folder)


def test_an_altered_charge(one_folder: Path) -> None:
    """A charge says which lots paid it, so that its amount cannot be another one."""
    sequence, state = next((one, data) for one, data in entries_of(one_folder) if b'"paid_from":[{' in data)
    altered = re.sub(rb'"amount":"[0-9.]+"', b'"amount":"0.000001"', state, count=1)
    tamper(one_folder / "events.db", "UPDATE stored_events SET state = ? WHERE rowid = ?", altered, sequence)
    assert "balances are the sums of postings, lots the sums of balances" in wrong_of_log(one_folder)


def test_bytes_that_are_no_fact(one_folder: Path) -> None:
    tamper(one_folder / "events.db", "UPDATE stored_events SET state = ? WHERE rowid = ?", b'{"id": 1}', 3)
    assert "facts decode" in wrong_of_log(one_folder)


def test_another_key(one_folder: Path) -> None:
    (one_folder / "salt.key").write_bytes(bytes(32))
    assert wrong(one_folder) == {"salts are the key's"}


def test_a_missing_command(one_folder: Path) -> None:
    tamper(one_folder / "events.db", "DELETE FROM commands WHERE rowid = (SELECT MIN(rowid) FROM commands)")
    assert wrong(one_folder) == {
        "every fact has its command",
        "answers name the facts and the balance that followed",
    }


@pytest.mark.parametrize(
    ("view", "statement"),
    [
        ("balances", "UPDATE balances SET balance = balance + 1 WHERE subject = 's-1'"),
        ("journal", "DELETE FROM postings WHERE position = (SELECT MIN(position) FROM postings) AND line = 1"),
        ("findings", "INSERT INTO free_services VALUES ('s-0', 'nowhere', 'nothing')"),
    ],
)
def test_a_tampered_view(one_folder: Path, view: str, statement: str) -> None:
    connection = open_views(one_folder)
    connection.close()
    tamper(views_file(one_folder), statement)
    assert wrong(one_folder) == {f"view {view} is the fold of the log"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lots SET spent = spent + 1 WHERE id = (SELECT MIN(id) FROM lots)",
        "DELETE FROM statement_lines WHERE position = (SELECT MIN(position) FROM statement_lines WHERE amount <> 0)",
        "UPDATE balances SET outstanding = 1 WHERE subject = (SELECT MIN(subject) FROM balances)",
    ],
)
def test_views_that_disagree(one_folder: Path, statement: str) -> None:
    """As a program would fold them that misses a fact in one view, so that a fold anew misses it as well."""
    connection = open_views(one_folder)
    assert agreeing(connection).holds
    assert connection.execute(statement).rowcount == 1
    assert agreeing(connection).wrong == 1
    connection.close()


def test_rows_that_differ_are_told_one_by_one() -> None:
    assert list(differences([(1,), (2,)], [(1,), (3,)])) == [((2,), (3,))]
    assert list(differences([(1,)], [(1,), (2,)])) == [(None, (2,))]
    assert list(differences([(1,), (2,)], [(1,)])) == [((2,), None)]


def wrong_of_log(folder: Path) -> set[str]:
    with EmbeddedSource(folder) as source:
        return {verdict.name for verdict in verify_log(source).all if not verdict.holds}
