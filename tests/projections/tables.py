"""Rows of views as tests compare them."""

import sqlite3
from pathlib import Path
from typing import Any

from infra.views.rebuilding import views_file
from infra.views.runner import Runner, begin, connect
from infra.views.sql import schema_of
from projections.event import View
from projections.views import VIEWS
from tests.projections.conftest import entries_of

Tables = dict[str, list[Any]]


def rows_of(connection: sqlite3.Connection, view: View) -> Tables:
    """Every row of a view's tables, in the order of all its columns."""
    return {
        table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in schema_of(view).tables
    }


def all_rows(connection: sqlite3.Connection) -> dict[str, Tables]:
    return {view.name: rows_of(connection, view) for view in VIEWS}


def kept_live(folder: Path, batch: int) -> sqlite3.Connection:
    """Views of the whole log, kept `batch` facts at a time."""
    entries = entries_of(folder)
    connection = connect(views_file(folder))
    begin(connection)
    runner = Runner(connection)
    for first in range(0, len(entries), batch):
        runner.apply(entries[first : first + batch])
    return connection
