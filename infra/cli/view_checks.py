"""The views against the log: folded afresh into a file beside them, and compared row for row."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from infra.cli.log_checks import Fault
from infra.embedded.folder import EmbeddedLedger
from infra.views.opening import open_views
from infra.views.rebuilding import fold_all, views_file
from infra.views.sql import schema_of
from projections.views import VIEWS

MOST_ROWS_SHOWN = 3
LONGEST_ROW_SHOWN = 200


def view_faults(ledger: EmbeddedLedger) -> Iterator[Fault]:
    """The rows by which the views in use and a fresh fold of the log differ; the views catch up with the log first."""
    open_views(ledger.folder).close()
    fresh = ledger.folder / "views.db.check"
    try:
        fold_all(ledger.folder, fresh, ledger.shard.sequence())
        yield from _differences(views_file(ledger.folder), fresh)
    finally:
        fresh.unlink(missing_ok=True)


def _differences(in_use: Path, fresh: Path) -> Iterator[Fault]:
    connection = sqlite3.connect(in_use, isolation_level=None)
    try:
        connection.execute("ATTACH DATABASE ? AS fresh", (str(fresh),))
        for view in VIEWS:
            for table in schema_of(view).tables:
                yield from _table_differences(connection, table)
    finally:
        connection.close()


def _table_differences(connection: sqlite3.Connection, table: str) -> Iterator[Fault]:
    for kept, other, what in (
        (f"main.{table}", f"fresh.{table}", "a row that the log does not lead to"),
        (f"fresh.{table}", f"main.{table}", "missing the row"),
    ):
        rows = connection.execute(f"SELECT * FROM {kept} EXCEPT SELECT * FROM {other} LIMIT {MOST_ROWS_SHOWN}")
        for row in rows.fetchall():
            yield Fault(where=f"view {table}", what=f"{what}: {str(row)[:LONGEST_ROW_SHOWN]}")
