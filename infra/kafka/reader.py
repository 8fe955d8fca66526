"""Reading one partition of a log, committed records only, with every sequence checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka import TopicPartition as KafkaPartition  # type: ignore[import-untyped]
from kafka.errors import CorruptRecordError, KafkaError  # type: ignore[import-untyped]

from infra.kafka.checks import DenseSequence
from infra.kafka.errors import CorruptLog, Unreachable, nobody_answered, reason
from infra.kafka.records import Barrier, Entry, Note, RecordFormat, Tracked
from infra.kafka.settings import KafkaSettings

POLL_MS = 200


class Partition(NamedTuple):
    """One partition of one topic; a log is one of these."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(slots=True)
class Batch:
    """What one poll found, in the order of the log."""

    next_offset: int
    """Where the following batch starts; behind commit markers and aborted records too."""
    entries: list[Entry] = field(default_factory=list)
    tracked: list[Tracked] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    barriers: list[tuple[int, Barrier]] = field(default_factory=list)
    """Each with its offset."""


class PartitionReader:
    """Reads a partition from an offset; one thread at a time.

    Raises SequenceBroken at a gap or a repeat, ForeignRecord at a record that is none of ours, Unreachable when brokers
    do not answer within the settings' limits.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        partition: Partition,
        *,
        offset: int,
        after: int | None,
        record_format: RecordFormat | None = None,
    ) -> None:
        """Starts at `offset`, where the sequence before is `after` (0 for an empty log, None if it is not known)."""
        self._settings = settings
        self._partition = partition
        self._kafka_partition = KafkaPartition(partition.topic, partition.number)
        self._read = (record_format or RecordFormat()).read
        self._sequence = DenseSequence(after)
        self._consumer: Any = _connect(settings)
        self._next_offset = offset
        self._consumer.assign([self._kafka_partition])
        self._consumer.seek(self._kafka_partition, offset)

    @property
    def sequence(self) -> int | None:
        """The last sequence read, or `after`."""
        return self._sequence.last

    @property
    def next_offset(self) -> int:
        """The offset that is read next."""
        return self._next_offset

    def seek(self, offset: int) -> None:
        """Goes on reading at `offset`, where any sequence may come first."""
        self._consumer.seek(self._kafka_partition, offset)
        self._next_offset = offset
        self._sequence = DenseSequence(None)

    def start_offset(self) -> int:
        """The oldest offset that the partition still has. Raises Unreachable."""
        return self._ask(self._consumer.beginning_offsets)

    def end_offset(self) -> int:
        """The last stable offset: below it every transaction is decided (KIP-98). Raises Unreachable."""
        return self._ask(self._consumer.end_offsets)

    def poll(self, wait_ms: int = POLL_MS) -> Batch:
        """The next records, waiting for them up to `wait_ms`; maybe none."""
        polled = self._fetch(wait_ms)
        batch = Batch(self._next_offset)
        accept, keep = self._sequence.accept, batch.entries.append
        for record in polled.get(self._kafka_partition, ()):
            found = self._read(record)
            if isinstance(found, Entry):
                accept(found.sequence, record.offset)
                keep(found)
            elif isinstance(found, Tracked):
                batch.tracked.append(found)
            elif isinstance(found, Note):
                batch.notes.append(found)
            else:
                batch.barriers.append((record.offset, found))
        self._next_offset = batch.next_offset = self._position()
        return batch

    def until(self, offset: int) -> Iterator[Batch]:
        """Batches until everything below `offset` has been read; the last may reach further.

        Raises Unreachable when nothing arrives for `stall_limit_s` before that.
        """
        progress = time.monotonic()
        while self._next_offset < offset:
            before = self._next_offset
            batch = self.poll()
            if batch.next_offset > before:
                progress = time.monotonic()
                yield batch
            elif time.monotonic() - progress > self._settings.stall_limit_s:
                raise Unreachable(
                    f"{self._partition}: nothing was read for {self._settings.stall_limit_s} s at offset {before},"
                    f" though the log reaches to {offset}"
                )

    def close(self) -> None:
        """Closes the connection."""
        self._consumer.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fetch(self, wait_ms: int) -> Any:
        try:
            return self._consumer.poll(timeout_ms=wait_ms)
        except CorruptRecordError as corrupt:
            raise CorruptLog(f"{self._partition}: a batch behind offset {self._next_offset} fails its CRC") from corrupt
        except KafkaError as failed:
            raise Unreachable(
                f"{self._partition}: could not be read at {self._next_offset}: {reason(failed)}"
            ) from failed

    def _position(self) -> int:
        position = self._consumer.position(self._kafka_partition, timeout_ms=self._settings.request_timeout_ms)
        return self._next_offset if position is None else int(position)

    def _ask(self, question: Any) -> int:
        try:
            answers = question([self._kafka_partition], timeout_ms=self._settings.request_timeout_ms)
        except KafkaError as failed:
            raise Unreachable(
                f"{self._partition}: the brokers did not say where the log ends: {reason(failed)}"
            ) from failed
        return int(answers[self._kafka_partition])


def written_end(settings: KafkaSettings, partition: Partition) -> int:
    """The offset behind everything written, decided or not: the high watermark. Raises Unreachable."""
    whole = KafkaPartition(*partition)
    try:
        options = {**settings.for_consumer(), "isolation_level": "read_uncommitted"}
        with closing(settings.clients.consumer(**options)) as consumer:
            return int(consumer.end_offsets([whole], timeout_ms=settings.request_timeout_ms)[whole])
    except KafkaError as failed:
        raise Unreachable(f"{partition}: the brokers did not say where it ends: {reason(failed)}") from failed


def _connect(settings: KafkaSettings) -> Any:
    try:
        return settings.clients.consumer(**settings.for_consumer())
    except KafkaError as failed:
        raise nobody_answered(settings.bootstrap_servers, failed) from failed
