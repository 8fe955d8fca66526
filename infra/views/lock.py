"""Who has the views of a folder open: several may read and keep them, and their file is swapped when nobody has.

A rebuilt file takes the place of the one in use. SQLite deletes a write-ahead log by its name, so a process that still
had the old file open would delete the log of the new one: hence the swap waits for everybody. Of two processes that
find the views to be missing, one folds them and the other waits.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consumers.ports import StoreError

IN_USE = "views.lock"
REBUILDING = "rebuild.lock"
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.02


class ViewsBusy(StoreError):
    """Another process has the views, for longer than was waited."""


def in_use(folder: Path) -> int:
    """Keeps the views from being swapped until the descriptor is closed. Raises ViewsBusy."""
    return _held(folder / IN_USE, fcntl.LOCK_SH, f"the views in {folder} are being exchanged by another process")


@contextmanager
def exchanging(folder: Path) -> Iterator[None]:
    """Nobody has the views open. Raises ViewsBusy."""
    with _while_held(folder / IN_USE, f"the views in {folder} are open in another process"):
        yield


@contextmanager
def rebuilding(folder: Path) -> Iterator[None]:
    """Nobody else folds the views anew. Raises ViewsBusy."""
    with _while_held(folder / REBUILDING, f"the views in {folder} are being rebuilt by another process"):
        yield


@contextmanager
def _while_held(file: Path, otherwise: str) -> Iterator[None]:
    descriptor = _held(file, fcntl.LOCK_EX, otherwise)
    try:
        yield
    finally:
        os.close(descriptor)


def _held(file: Path, operation: int, otherwise: str) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise ViewsBusy(otherwise) from None
            time.sleep(POLL_SECONDS)
        else:
            return descriptor
