"""The ledger as an application of the `eventsourcing` library: our mapper, its recorder, its snapshot store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent, Transcoder
from eventsourcing.sqlite import SQLiteFactory
from eventsourcing.utils import Environment

from consumers.ports import Stored
from domain.state import State
from infra import codec, snapshots
from infra.embedded.recorder import FactRow, ShardRecorder, SnapshotRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A state at a version; a cache, thrown away when the shape of states changes."""

    originator_id: str
    originator_version: int
    state: State


class FactMapper(Mapper[str]):
    """Facts to and from their wire form: wire names instead of module paths, CloudEvents instead of transcodings."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        if isinstance(domain_event, Snapshot):
            return StoredEvent(
                domain_event.originator_id,
                domain_event.originator_version,
                snapshots.SHAPE,
                snapshots.dump(domain_event.state),
            )
        assert isinstance(domain_event, Stored)
        topic, state = codec.encode(domain_event, self._key)
        return StoredEvent(domain_event.recorded.subject, domain_event.recorded.version, topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        if stored_event.topic.startswith(snapshots.PREFIX):
            return stored_event
        return codec.decode(stored_event.state)


class LedgerApplication(Application[str]):
    """One shard: `ledger` for subscribers, `catalogue` for what is published."""

    name = "ledger"
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "ORIGINATOR_ID_TYPE": "text",
        "IS_SNAPSHOTTING_ENABLED": "y",
        "APPLICATION_RECORDER_TOPIC": "infra.embedded.recorder:ShardRecorder",
    }

    def __init__(self, database: str, key: bytes) -> None:
        self._key = key
        super().__init__({"SQLITE_DBNAME": database})
        assert isinstance(self.recorder, ShardRecorder)
        self.shard: ShardRecorder = self.recorder

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        factory = super().construct_factory(env)
        assert isinstance(factory, SQLiteFactory)
        factory.aggregate_recorder_class = SnapshotRecorder
        return factory

    def construct_mapper(self) -> Mapper[str]:
        return FactMapper(self._key)

    def row_of(self, stored: Stored) -> FactRow:
        """What is inserted for a fact: as the mapper's StoredEvent has it, without the cost of making one."""
        recorded = stored.recorded
        topic, state = codec.encode(stored, self._key)
        return recorded.subject, recorded.version, topic, state

    def construct_transcoder(self) -> Transcoder:
        raise NotImplementedError("facts are written by infra/codec.py")

    def stored(self, *, after: int = 0, limit: int) -> Iterator[tuple[int, bytes]]:
        """Sequence and exact bytes of facts in order, at most `limit` of them."""
        statement = "SELECT rowid, state FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?"
        yield from self.shard.rows(statement, (after, limit))

    def close(self) -> None:
        """Closes the files, once nothing is being stored in them any more."""
        self.shard.close()
        super().close()
