"""Stores that pass the contract of `consumers.ports`, each with a restart that leaves nothing but what was stored."""

from pathlib import Path
from typing import Protocol

from consumers.ports import CatalogueStore, ShardStore
from consumers.writer import Writer
from infra.embedded.folder import EmbeddedLedger
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer


class Ledger(Protocol):
    """A ledger under test."""

    @property
    def shard(self) -> ShardStore:
        """The shard's store as it is open now."""

    @property
    def catalogue(self) -> CatalogueStore:
        """The catalogue's store as it is open now."""

    def writer(self) -> Writer:
        """A writer that knows nothing but what is stored."""

    def restart(self) -> None:
        """The process ends and another one begins."""

    def close(self) -> None:
        """Gives everything back."""


class MemoryLedger:
    """Stores in memory, which outlive their writers."""

    def __init__(self, _: Path | None = None) -> None:
        self.shard = MemoryShard()
        self.catalogue = MemoryCatalogue()
        self.sealer = PlainSealer()

    def writer(self) -> Writer:
        return Writer(self.shard, self.catalogue, self.sealer)

    def restart(self) -> None:
        """What is stored is all that there is."""

    def close(self) -> None:
        """Nothing is held."""


class FolderLedger:
    """A ledger folder: SQLite through the `eventsourcing` library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open = EmbeddedLedger(folder, create=True)

    @property
    def shard(self) -> ShardStore:
        return self.open.shard

    @property
    def catalogue(self) -> CatalogueStore:
        return self.open.catalogue

    def writer(self) -> Writer:
        return self.open.writer()

    def restart(self) -> None:
        self.open.close()
        self.open = EmbeddedLedger(self.folder)

    def close(self) -> None:
        self.open.close()


STORES: dict[str, type[MemoryLedger] | type[FolderLedger]] = {"memory": MemoryLedger, "sqlite": FolderLedger}
