"""All facts of a live ledger as they are committed: one consumer over the events' partitions and the catalogue's.

It starts where it is told to, commits no offsets, and checks that each shard's sequences are dense. What it has read
waits until it is taken, shard by shard, as a batch that says from which position to which it leads.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import CorruptRecordError, KafkaError  # type: ignore[import-untyped]
from msgspec import ValidationError

from infra.kafka.checks import DenseSequence
from infra.kafka.errors import (
    CorruptLog,
    ForeignRecord,
    HistoryDeleted,
    SequenceBroken,
    Unreachable,
    nobody_answered,
    reason,
)
from infra.kafka.records import Entry, Note
from infra.live import notes
from infra.live.places import CATALOGUE, EVENTS, FACTS
from infra.live.settings import LiveSettings
from infra.postgres.keeping import ShardBatch
from infra.postgres.schema import BEGINNING, CATALOGUE_SHARD, Position

CLOSE_MS = 5_000
STANDING_SECONDS = 30.0
"""How long records may be there without one being read before the consumer is not believed any more."""


class _Shard:
    """One partition, and what was read of it since the last batch."""

    __slots__ = ("answers", "begin", "entries", "next_offset", "number", "partition", "sequence")

    def __init__(self, number: int, partition: Any, begin: Position) -> None:
        self.number = number
        self.partition = partition
        self.begin = begin
        self.next_offset = begin.next_offset
        self.sequence = DenseSequence(begin.sequence)
        self.entries: list[tuple[int, bytes]] = []
        self.answers: list[notes.Answered] = []

    def add(self, record: Any) -> None:
        """Raises CorruptLog."""
        found = FACTS.read(record)
        if isinstance(found, Entry):
            self.sequence.accept(found.sequence, found.offset)
            self.entries.append((found.sequence, found.value))
        elif isinstance(found, Note):
            try:
                self.answers += notes.decode(found.payload).answered
            except ValidationError as wrong:
                raise ForeignRecord(f"the note at offset {found.offset} cannot be read: {wrong}") from wrong

    def take(self) -> ShardBatch:
        end = Position(self.begin.sequence + len(self.entries), self.next_offset)
        batch = ShardBatch(shard=self.number, begin=self.begin, end=end, entries=self.entries, answers=self.answers)
        self.begin, self.entries, self.answers = end, [], []
        return batch


class Follower:
    """The facts of every shard from given positions on; one thread."""

    def __init__(self, settings: LiveSettings, partitions: int, positions: Mapping[int, Position]) -> None:
        """`partitions` is how many shards there are. Raises Unreachable, HistoryDeleted, SequenceBroken."""
        self._limit_ms = settings.clients.request_timeout_ms
        places = {number: TopicPartition(settings.topic(EVENTS), number) for number in range(partitions)}
        places[CATALOGUE_SHARD] = TopicPartition(settings.topic(CATALOGUE), 0)
        self._shards = {
            place: _Shard(number, place, positions.get(number, BEGINNING)) for number, place in places.items()
        }
        self._fault: CorruptLog | None = None
        self._since: float | None = None
        self._standing: dict[Any, tuple[int, float]] = {}
        """Partition with records that were not read → the offset at which they wait, and since when."""
        try:
            self._consumer: Any = settings.clients.clients.consumer(**settings.clients.for_consumer())
        except KafkaError as failed:
            raise nobody_answered(settings.brokers, failed) from failed
        try:
            self._consumer.assign(list(self._shards))
            self._require_history()
            for place, shard in self._shards.items():
                self._consumer.seek(place, shard.begin.next_offset)
        except BaseException:
            self.close()
            raise

    @property
    def waiting(self) -> int:
        """Facts and answers that were read and not taken."""
        return sum(len(shard.entries) + len(shard.answers) for shard in self._shards.values())

    def waited(self, now: float) -> float:
        """For how many seconds the oldest of them has waited."""
        return 0.0 if self._since is None else now - self._since

    @property
    def is_broken(self) -> bool:
        """A partition cannot be right: nothing more is read; `require_sound` says why."""
        return self._fault is not None

    def poll(self, wait_ms: int, now: float | None = None) -> int:
        """Reads what there is, waiting for it up to `wait_ms`; says how many records that was. Raises Unreachable."""
        if self._fault is not None:
            return 0
        try:
            polled = self._consumer.poll(timeout_ms=wait_ms)
        except CorruptRecordError as corrupt:
            self._fault = CorruptLog(f"a batch of records fails its CRC: {reason(corrupt)}")
            self._fault.__cause__ = corrupt
            return 0
        except KafkaError as failed:
            raise Unreachable(f"the events could not be read: {reason(failed)}") from failed
        records = 0
        for place, found in polled.items():
            records += len(found)
            self._add(self._shards[place], found)
        if self._since is None and self.waiting:
            self._since = time.monotonic() if now is None else now
        return records

    def take(self) -> list[ShardBatch]:
        """What was read since the last time, of shards that have anything."""
        self._since = None
        return [shard.take() for shard in self._shards.values() if shard.entries or shard.answers]

    def require_sound(self) -> None:
        """Raises the CorruptLog that reading ended with, once all before it was taken."""
        if self._fault is not None and not self.waiting:
            raise self._fault

    def lag(self) -> dict[int, int]:
        """Shard → offsets between what was read and what is there, as the last answer of the brokers said."""
        known = ((shard, self._consumer.highwater(place)) for place, shard in self._shards.items())
        return {shard.number: max(0, end - shard.next_offset) for shard, end in known if end is not None}

    def is_at_the_end(self, now: float) -> bool:
        """Whether everything that is there was read. Raises Unreachable where the brokers do not answer.

        And where they have records that the consumer does not bring, for too long: a new one would.
        """
        ends = self._offsets(self._consumer.end_offsets)
        standing: dict[Any, tuple[int, float]] = {}
        for place, end in ends.items():
            position = self._position(place)
            if position is not None and position < end:
                at, since = self._standing.get(place, (-1, now))
                standing[place] = (position, since if at == position else now)
        self._standing = standing
        for place, (position, since) in standing.items():
            if now - since > STANDING_SECONDS:
                raise Unreachable(
                    f"{place.topic}/{place.partition}: records from offset {position} on are there, and were not read"
                    f" for {now - since:.0f} s"
                )
        return not standing

    def close(self) -> None:
        """Closes the connection."""
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _add(self, shard: _Shard, records: list[Any]) -> None:
        """What comes behind a fault in any partition is left for whoever has mended it."""
        for record in records:
            if self._fault is not None:
                return
            try:
                shard.add(record)
            except CorruptLog as fault:
                self._fault = type(fault)(f"{shard.partition.topic}/{shard.partition.partition}: {fault}")
                self._fault.__cause__ = fault
                return
            shard.next_offset = record.offset + 1
        position = self._position(shard.partition)
        if position is not None:
            shard.next_offset = max(shard.next_offset, position)

    def _position(self, place: Any) -> int | None:
        try:
            position = self._consumer.position(place, timeout_ms=self._limit_ms)
        except KafkaError as failed:
            raise Unreachable(f"{place.topic}/{place.partition} could not be read: {reason(failed)}") from failed
        return None if position is None else int(position)

    def _require_history(self) -> None:
        """The log reaches from before each position to behind it."""
        first = self._offsets(self._consumer.beginning_offsets)
        end = self._offsets(self._consumer.end_offsets)
        for place, shard in self._shards.items():
            name, wanted = f"{place.topic}/{place.partition}", shard.begin.next_offset
            if first[place] > wanted:
                raise HistoryDeleted(
                    f"{name} begins at offset {first[place]}, and the views need what follows offset {wanted}:"
                    " is retention switched on?"
                )
            if end[place] < wanted:
                raise SequenceBroken(
                    f"{name} ends at offset {end[place]}, and the views have counted up to {wanted}:"
                    " it is not the topic that they were folded from"
                )

    def _offsets(self, question: Any) -> dict[Any, int]:
        try:
            answers: dict[Any, int] = question(list(self._shards), timeout_ms=self._limit_ms)
        except KafkaError as failed:
            raise Unreachable(f"the brokers did not say where the events end: {reason(failed)}") from failed
        return answers
