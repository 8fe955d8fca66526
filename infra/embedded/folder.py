"""The ledger folder: who holds it, its keys, its shard, its catalogue and its read models.

ledger/
  lock            held by the one process that has the ledger open
  events.db       the facts of the shard: the truth
  catalogue.db    the facts of the catalogue: the truth
  salt.key        the key of the facts' salts, made with the ledger
  keys/           sealed keys of personal data
  views.db        read models; may be deleted at any time
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from consumers.ports import Stored, StoreError
from consumers.writer import Writer
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import Recorded
from domain.periods import start_of_day
from domain.rules import LEDGER, basis_of
from domain.state import Subscriber
from infra.documents import IN_EFFECT_SINCE, initial_catalogue
from infra.embedded.application import LedgerApplication
from infra.embedded.stores import EmbeddedCatalogue, EmbeddedShard
from infra.sealing import KeyFolder, key_in

LOCK_WAIT_SECONDS = 3.0
LOCK_POLL_SECONDS = 0.05


class LedgerHeld(StoreError):
    """Another process has the ledger open."""


class NoLedger(StoreError):
    """There is no ledger in the folder."""


class PartMissing(StoreError):
    """A file that the ledger was begun with is gone, and nothing else holds what was in it."""


class EmbeddedLedger:
    """An open ledger folder; a context manager, held by one process at a time."""

    def __init__(self, folder: Path, *, create: bool = False, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        if not create and not (folder / "events.db").exists():
            raise NoLedger(f"there is no ledger in {folder}; `subledger run FILE --ledger {folder}` makes one")
        folder.mkdir(parents=True, exist_ok=True)
        check_whole(folder)
        self.folder = folder
        self._lock = _lock(folder / "lock", wait_seconds)
        try:
            self._open(folder)
        except BaseException:
            self._lock_release()
            raise

    def _open(self, folder: Path) -> None:
        key = key_in(folder / "salt.key")
        self.catalogue_application = LedgerApplication(str(folder / "catalogue.db"), key)
        self.catalogue = EmbeddedCatalogue(self.catalogue_application)
        if not self.catalogue.load().version:
            _begin_catalogue(self.catalogue_application)
        self.application = LedgerApplication(str(folder / "events.db"), key)
        self.shard = EmbeddedShard(self.application)
        self._keys: KeyFolder | None = None
        if (folder / "keys").exists():
            self._finish_erasures()

    def _finish_erasures(self) -> None:
        """What a crash left between the fact of an erasure and the end of its key."""
        for subject in self.keys.intended():
            state = self.shard.load(subject).state
            if isinstance(state, Subscriber) and state.profile.erased:
                self.keys.erase(subject)
            else:
                self.keys.keep(subject)

    @property
    def keys(self) -> KeyFolder:
        """The keys of personal data, opened when they are needed."""
        if self._keys is None:
            self._keys = KeyFolder(self.folder / "keys")
        return self._keys

    def writer(self) -> Writer:
        """The one writer of the shard."""
        return Writer(self.shard, self.catalogue, _LazyKeys(self))

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()
        self.application.close()
        self.catalogue_application.close()
        self._lock_release()

    def _lock_release(self) -> None:
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _LazyKeys:
    """Opens the key folder only when something is sealed or erased: most commands carry no personal data."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger

    def seal(self, subject: str, command_id: str, personal: object) -> str:
        return self._ledger.keys.seal(subject, command_id, personal)

    def intend_to_erase(self, subject: str) -> None:
        self._ledger.keys.intend_to_erase(subject)

    def erase(self, subject: str) -> None:
        self._ledger.keys.erase(subject)


def check_whole(folder: Path) -> None:
    """Raises PartMissing where facts are there without a file that they rest on: a new one would not be the same."""
    if not _holds_something(folder / "events.db"):
        return
    for file, what in ((folder / "catalogue.db", "what was published"), (folder / "salt.key", "the key of the salts")):
        if not _holds_something(file):
            raise PartMissing(f"{file} is missing or empty: {what} belongs to these facts; bring it back from a backup")


def _holds_something(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def initial_publications() -> Iterator[Stored]:
    """The facts that every catalogue begins with."""
    at = start_of_day(IN_EFFECT_SINCE, "UTC")
    for version, fact in enumerate(initial_catalogue(), 1):
        recorded = Recorded(
            subject=CATALOGUE_SUBJECT,
            version=version,
            fact=fact,
            effective_at=at,
            recorded_at=at,
            basis=basis_of("catalogue", {}),
        )
        yield Stored(
            recorded=recorded, sequence=version, source=LEDGER, caused_by="initial", catalogue_sequence=version
        )


def _begin_catalogue(application: LedgerApplication) -> None:
    """Records the initial publications, all in one transaction."""
    events = [application.mapper.to_stored_event(one) for one in initial_publications()]  # type: ignore[arg-type]
    application.shard.insert_events(events, first_id=1)


def _lock(file: Path, wait_seconds: float) -> int:
    """Takes the folder for this process; waits shortly, then says who holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip() or "another process"
                os.close(descriptor)
                raise LedgerHeld(f"{file.parent} is held by {holder}") from None
            time.sleep(LOCK_POLL_SECONDS)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    words = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} ({words}) since {since}\n".encode(), 0)
    return descriptor
