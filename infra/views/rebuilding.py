"""Folds views anew from the log, beside the ones in use, and swaps them in when they are done.

A long log is folded by two processes, each half of the views into a file of its own; the smaller file is then copied
into the larger. Indexes come last, and nothing is flushed to disk before the swap: what a crash leaves is thrown away.

    python -m infra.views.rebuilding EVENTS_DB FILE LAST VIEW...     folds some views into a file: the second process
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.views import lock
from infra.views.log import SqliteLog
from infra.views.runner import Progress, Runner, ViewsError, connect, create, shape
from infra.views.sql import fingerprint, schema_of
from projections.event import View
from projections.views import BY_NAME, VIEWS

BULK_BATCH = 20_000
BULK_CACHE_KIB = 131_072
TWO_PROCESSES_FROM_FACTS = 20_000
"""A shorter log is folded sooner than a second process has started."""
SECOND_HALF = ("lots", "rentals", "plans", "usage", "dues", "deadlines", "findings", "refunds")
"""Views of the second process: less than half of the work, since it starts later, and a quarter of the bytes, since
they are copied; the others are the decisions, the journal, the statement and the balances."""


class RebuildFailed(ViewsError):
    """Views could not be folded to their end; the ones in use are as they were."""


def views_file(folder: Path) -> Path:
    """Where a ledger folder keeps its views."""
    return folder / "views.db"


def rebuild(folder: Path, view: str | None = None, progress: Progress | None = None) -> int:
    """Folds every view, or the one called `view`, from the log anew; answers with the sequence they stand at.

    The views in use can be read until the new ones are complete. Raises ViewsBusy where somebody does not let go.
    """
    with lock.rebuilding(folder):
        if view is None or shape_in_use(folder) != fingerprint(VIEWS):
            return fold_anew(folder, progress)
        return _rebuild_one(folder, BY_NAME[view], progress)


def fold_into(file: Path, events: Path, views: Sequence[View], last: int, progress: Progress | None = None) -> None:
    """Folds `views` over the log up to the sequence `last` into a new file, without indexes."""
    file.unlink(missing_ok=True)
    log = SqliteLog(events)
    connection = bulk_connect(file)
    create(connection, views, indexes=False)
    Runner(connection, views).catch_up(log, until=last, batch=BULK_BATCH, progress=progress)
    connection.close()
    log.close()


def bulk_connect(file: Path) -> sqlite3.Connection:
    """A database that nothing depends on yet: no journal, no flushing."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute(f"PRAGMA cache_size=-{BULK_CACHE_KIB}")
    return connection


def fold_all(folder: Path, file: Path, last: int, progress: Progress | None = None) -> None:
    """Folds every view into `file`, complete with indexes and its position, with two processes for a long log."""
    events = folder / "events.db"
    second = [BY_NAME[name] for name in SECOND_HALF] if last >= TWO_PROCESSES_FROM_FACTS else []
    first = [view for view in VIEWS if view not in second]
    beside = file.with_suffix(".half")
    process = _second_process(events, beside, last, second) if second else None
    try:
        fold_into(file, events, first, last, progress)
        if process is not None and process.wait() != 0:
            raise RebuildFailed(f"the process that folded {', '.join(SECOND_HALF)} ended with {process.returncode}")
        _complete(file, beside, second)
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        beside.unlink(missing_ok=True)


def fold_anew(folder: Path, progress: Progress | None = None) -> int:
    """Every view, for whoever has the lock of rebuilding."""
    log = SqliteLog(folder / "events.db")
    last = log.last()
    log.close()
    part = folder / "views.db.part"
    try:
        fold_all(folder, part, last, progress)
        with lock.exchanging(folder):
            _swap(part, views_file(folder))
    finally:
        part.unlink(missing_ok=True)
    return last


def _rebuild_one(folder: Path, view: View, progress: Progress | None) -> int:
    """Folds one view up to where the others stand, and swaps its tables in one transaction."""
    connection = connect(views_file(folder))
    log = SqliteLog(folder / "events.db")
    try:
        position = Runner(connection).catch_up(log)
    finally:
        log.close()
    part = folder / "views.db.part"
    try:
        fold_into(part, folder / "events.db", [view], position, progress)
        connection.execute("ATTACH DATABASE ? AS part", (str(part),))
        connection.execute("BEGIN IMMEDIATE")
        if Runner(connection, ()).position() != position:
            raise RebuildFailed(f"the other views have moved on from {position} while {view.name} was folded")
        schema = schema_of(view)
        for table in schema.tables:
            connection.execute(f"DROP TABLE main.{table}")
        for statement in schema.create_tables:
            connection.execute(statement)
        _copy(connection, schema.tables)
        for statement in schema.create_indexes:
            connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        connection.close()
        part.unlink(missing_ok=True)
    return position


def _complete(file: Path, beside: Path, second: Sequence[View]) -> None:
    connection = bulk_connect(file)
    connection.execute("PRAGMA threads=2")
    if second:
        connection.execute("ATTACH DATABASE ? AS part", (str(beside),))
    for view in VIEWS:
        schema = schema_of(view)
        if view in second:
            for statement in schema.create_tables:
                connection.execute(statement)
            _copy(connection, schema.tables)
        for statement in schema.create_indexes:
            connection.execute(statement)
    connection.execute("INSERT INTO shape VALUES (?)", (fingerprint(VIEWS),))
    connection.close()


def _copy(connection: sqlite3.Connection, tables: Sequence[str]) -> None:
    for table in tables:
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM part.{table}")


def _swap(part: Path, file: Path) -> None:
    """Puts the new file in the place of the old one.

    The old one goes first and its write-ahead log next: a log must never lie beside a database that it is not of. What
    a crash leaves in between is no views, and they are folded anew.
    """
    with part.open("rb") as written:
        os.fsync(written.fileno())
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    part.replace(file)


def shape_in_use(folder: Path) -> str | None:
    """The fingerprint of the views in use; None where there are none, or they cannot be read."""
    if not views_file(folder).exists():
        return None
    connection = sqlite3.connect(views_file(folder))
    try:
        return shape(connection)
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()


def _second_process(events: Path, file: Path, last: int, views: Sequence[View]) -> "subprocess.Popen[bytes]":
    arguments = [str(events), str(file), str(last), *(view.name for view in views)]
    # A group of its own: Ctrl-C is for this process, which then ends the second one.
    program = [sys.executable, "-m", "infra.views.rebuilding"]
    return subprocess.Popen([*program, *arguments], env=environment(), process_group=0)


def environment() -> dict[str, str]:
    """The environment in which another process finds the same packages."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join((root, path)) if path else root}


def main(arguments: Sequence[str]) -> None:
    events, file, last, *names = arguments
    fold_into(Path(file), Path(events), [BY_NAME[name] for name in names], int(last))


if __name__ == "__main__":
    main(sys.argv[1:])
