"""Opening the views of a ledger folder: whatever state they are in, afterwards they stand at the end of the log.

Several processes may do so at once, beside one that writes: each brings the views along in transactions of its own, and
a batch that another one has counted already is not counted again.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any

from infra.views import lock
from infra.views.log import SqliteLog
from infra.views.rebuilding import fold_anew, shape_in_use, views_file
from infra.views.runner import BUSY_TIMEOUT_SECONDS, Progress, Runner, ViewsError, connect, tuned
from infra.views.sql import fingerprint
from projections.views import VIEWS

ATTEMPTS = 3
"""Somebody may delete the views between their rebuild and their opening; not again and again."""


class OpenViews(sqlite3.Connection):
    """The views in use: until it is closed nobody puts another file in their place."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.descriptor: int | None = None

    def close(self) -> None:
        super().close()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def open_views(folder: Path, progress: Progress | None = None, until: int | None = None) -> OpenViews:
    """The views' database, caught up with the log or up to the sequence `until`.

    Missing, damaged, stale or too far views are folded anew first. Raises ViewsBusy where others hold them too long.
    """
    log = SqliteLog(folder / "events.db")
    try:
        connection = _usable(folder, log, progress)
        try:
            Runner(connection).catch_up(log, until=until, progress=progress)
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


def _usable(folder: Path, log: SqliteLog, progress: Progress | None) -> OpenViews:
    for _ in range(ATTEMPTS):
        descriptor = lock.in_use(folder)
        if _are_usable(folder, log):
            file = views_file(folder)
            connection = tuned(OpenViews(file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None))
            connection.descriptor = descriptor
            return connection
        os.close(descriptor)
        with lock.rebuilding(folder):
            if not _are_usable(folder, log):
                fold_anew(folder, progress)
    raise ViewsError(f"the views in {folder} were folded {ATTEMPTS} times and are not there")


def _are_usable(folder: Path, log: SqliteLog) -> bool:
    """Of this program's shape, and not ahead of the log: `events.db` may have been put back from a copy."""
    return shape_in_use(folder) == fingerprint(VIEWS) and position_in_use(folder) <= log.last()
