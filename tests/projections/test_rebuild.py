"""A rebuilt view equals the one kept live, row for row."""

import subprocess
from pathlib import Path

import pytest

from infra.views import rebuilding
from infra.views.opening import open_views, position_in_use
from infra.views.rebuilding import RebuildFailed, rebuild, views_file
from infra.views.runner import connect
from projections.event import View
from projections.views import VIEWS
from tests.projections.conftest import entries_of
from tests.projections.tables import all_rows, kept_live, rows_of


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_rebuilt_alone_equals_the_live_one(folder: Path, view: View) -> None:
    live = kept_live(folder, 20)
    expected = all_rows(live)
    for table in expected[view.name]:
        live.execute(f"DELETE FROM {table}")
    live.close()
    rebuild(folder, view.name)
    again = connect(views_file(folder))
    assert rows_of(again, view) == expected[view.name]
    assert all_rows(again) == expected
    again.close()


def test_every_view_has_rows_somewhere(recorded: dict[int, Path]) -> None:
    """What the comparisons above compare is not empty."""
    seen: set[tuple[str, str]] = set()
    for folder in recorded.values():
        connection = open_views(folder)
        seen |= {(name, table) for name, tables in all_rows(connection).items() for table in tables if tables[table]}
        connection.close()
        for left in folder.glob("views.db*"):
            left.unlink()
    assert {name for name, _ in seen} == {view.name for view in VIEWS}


@pytest.mark.parametrize("two_processes", [False, True], ids=["one process", "two processes"])
def test_all_views_rebuilt_equal_the_live_ones(
    folder: Path, two_processes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "TWO_PROCESSES_FROM_FACTS", 1 if two_processes else 10**9)
    live = kept_live(folder, 20)
    expected = all_rows(live)
    indexes = "SELECT name, sql FROM sqlite_master ORDER BY name"
    shape = live.execute(indexes).fetchall()
    live.execute("DELETE FROM balances")
    live.close()
    assert rebuild(folder) == len(entries_of(folder))
    again = connect(views_file(folder))
    assert all_rows(again) == expected
    assert again.execute(indexes).fetchall() == shape
    again.close()
    assert position_in_use(folder) == len(entries_of(folder))
    assert sorted(path.name for path in folder.glob("views.db*") if path.suffix in (".part", ".half")) == []


def test_a_failed_rebuild_leaves_the_views_as_they_were(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = kept_live(folder, 20)
    expected = all_rows(live)
    live.close()
    monkeypatch.setattr(rebuilding, "TWO_PROCESSES_FROM_FACTS", 1)
    monkeypatch.setattr(rebuilding, "_second_process", lambda *_: subprocess.Popen(["false"]))
    with pytest.raises(RebuildFailed, match="ended with 1"):
        rebuild(folder)
    again = connect(views_file(folder))
    assert all_rows(again) == expected
    again.close()
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob("*.half"))
