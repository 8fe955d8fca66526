"""Stores that pass the contract of `consumers.ports`, each with a restart that leaves nothing but what was stored."""

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from consumers.outcomes import Outcome
from consumers.ports import CatalogueStore, ShardStore
from consumers.writer import Writer
from infra.embedded.folder import EmbeddedLedger
from infra.kafka.log import FencedLog
from infra.kafka.topics import create_topic
from infra.live.catalogue import KafkaCatalogue, LiveCatalogue, found
from infra.live.places import CATALOGUE, EVENTS, position_of
from infra.live.settings import LiveSettings
from infra.live.shard import KafkaShard, shard_place
from tests.support.live_settings import in_memory, on_brokers
from tests.support.memory_kafka import MemoryCluster
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

    def __init__(self) -> None:
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


class KafkaLedger:
    """A live ledger of one shard: facts and notes on Kafka, questions to the local index."""

    KEY = bytes(32)

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        for topic in (EVENTS, CATALOGUE):
            create_topic(settings.clients, settings.topic(topic))
        found(settings, self.KEY, 1, sandbox=True, folder=settings.data)
        self._positions = count()
        self._open()

    @property
    def shard(self) -> ShardStore:
        return self._shard

    @property
    def catalogue(self) -> CatalogueStore:
        return self._catalogue

    def writer(self) -> Writer:
        return _PlacedWriter(self._shard, self._catalogue, PlainSealer(), self._positions)

    def restart(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self._catalogue.close()
        self._shard.close()
        self._log.close()
        self._live.close()

    def _open(self) -> None:
        settings = self._settings
        self._live = LiveCatalogue(settings)
        self._log = FencedLog(shard_place(settings.clients, settings.topic(EVENTS), 0, settings.data))
        self._log.open()
        self._shard = KafkaShard(self._log, self.KEY)
        self._catalogue = KafkaCatalogue(self._live, settings, self.KEY, self._shard)


class _PlacedWriter(Writer):
    """A writer whose commands stand one behind the other in a partition, as they do on Kafka."""

    def __init__(
        self, shard: ShardStore, catalogue: CatalogueStore, sealer: PlainSealer, positions: "count[int]"
    ) -> None:
        super().__init__(shard, catalogue, sealer)
        self._positions = positions

    def execute(self, value: Any, *, appended_at: datetime | None = None, position: str | None = None) -> Outcome:
        place = position_of(0, next(self._positions)) if position is None else position
        return super().execute(value, appended_at=appended_at, position=place)


def memory(_: Path, __: str) -> Ledger:
    return MemoryLedger()


def sqlite(folder: Path, _: str) -> Ledger:
    return FolderLedger(folder)


def kafka_in_memory(folder: Path, _: str) -> Ledger:
    return KafkaLedger(in_memory(MemoryCluster(), folder))


def kafka(folder: Path, brokers: str) -> Ledger:
    return KafkaLedger(on_brokers(brokers, folder))


STORES = {made.__name__: made for made in (memory, sqlite, kafka_in_memory)}
"""What makes a ledger in a folder; those that need no server."""
