"""Opening the views of a ledger folder: whatever state they are in, afterwards they stand at the end of the log."""

import sqlite3
from pathlib import Path

from infra.views.log import SqliteLog
from infra.views.rebuilding import rebuild, shape_in_use, views_file
from infra.views.runner import Progress, Runner, connect
from infra.views.sql import fingerprint
from projections.views import VIEWS


def open_views(folder: Path, progress: Progress | None = None) -> sqlite3.Connection:
    """The views' database, caught up with the log; missing, damaged, stale or too far views are folded anew first."""
    log = SqliteLog(folder / "events.db")
    try:
        if shape_in_use(folder) != fingerprint(VIEWS) or position_in_use(folder) > log.last():
            rebuild(folder, progress=progress)
        connection = connect(views_file(folder))
        try:
            Runner(connection).catch_up(log, progress=progress)
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        log.close()


def position_in_use(folder: Path) -> int:
    """The sequence that the views in use stand at."""
    connection = connect(views_file(folder))
    try:
        return Runner(connection, ()).position()
    finally:
        connection.close()
