"""Kafka's record batches (message format 2, KIP-98) decoded in one pass, in place of kafka-python's own decoding.

Reading is what a rebuild does all day, and kafka-python takes three to four times as long for it: a function call and a
property for each part, headers that nobody asked for, a tuple of thirteen. Here lengths are read where they stand, and
headers are decoded when somebody looks at them. What decides which records may be seen (checksums, aborted
transactions, control batches) is asked of kafka-python's batch, as before.

`install` replaces one class of a consumer's fetcher. `tests/contracts/test_record_decoding.py` compares both decoders
record by record, and fails where a new kafka-python has no such place any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from kafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped]
from kafka.errors import CorruptRecordError  # type: ignore[import-untyped]
from kafka.protocol.consumer import IsolationLevel  # type: ignore[import-untyped]

from infra.kafka.records import Header

FORMAT = 2
"""The only format that brokers have stored since Kafka 4 (KIP-724)."""
CONTINUES = 0x80
LONGEST_VARINT_BITS = 63


class Place(NamedTuple):
    """Where a batch of records stands."""

    topic: str
    partition: int
    leader_epoch: int


class Record:
    """One record as it was fetched. `headers` raises CorruptRecordError where they cannot be read."""

    __slots__ = ("_place", "_rest", "key", "offset", "timestamp", "value")

    def __init__(
        self, place: Place, offset: int, timestamp: int, key: bytes | None, value: bytes | None, rest: bytes
    ) -> None:
        """`rest` is what stands behind the value: the headers."""
        self._place = place
        self.offset = offset
        self.timestamp = timestamp
        """Milliseconds since 1970."""
        self.key = key
        self.value = value
        self._rest = rest

    @property
    def topic(self) -> str:
        return self._place.topic

    @property
    def partition(self) -> int:
        return self._place.partition

    @property
    def leader_epoch(self) -> int:
        """Under which leader of the partition it was written (KIP-320)."""
        return self._place.leader_epoch

    @property
    def headers(self) -> list[Header]:
        """Names and values, in order, a null value as an empty one; decoded anew each time."""
        return _headers(self._rest)

    def leading_headers(self, most: int) -> list[Header]:
        """The first ones, without a look at what is behind them."""
        return _headers(self._rest, most)


def install(consumer: Any) -> Any:
    """Lets a KafkaConsumer that has not polled yet decode with this module."""
    fetcher = consumer._fetcher
    fetcher.PartitionRecords = partial(FetchedRecords, fetcher)
    return consumer


class FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition, as kafka-python's consumer takes them."""

    def __init__(self, fetcher: Any, *args: Any, **options: Any) -> None:
        """`fetcher` is whose they are."""
        self._fetcher = fetcher
        super().__init__(*args, **options)

    def drain(self) -> None:
        """Gives up its place in the fetcher when everything has been taken.

        kafka-python leaves it there, and looks only into an empty place for records that it set aside while their
        partition was paused: a partition that was resumed after another one had been read never came again.
        """
        super().drain()
        if self._fetcher._next_partition_records is self:
            self._fetcher._next_partition_records = None

    def _unpack_records(self, tp: Any, records: Any, *_: Any) -> Iterator[Record]:
        while (batch := records.next_batch()) is not None:
            if batch.magic != FORMAT:
                raise CorruptRecordError(f"{tp}: format {batch.magic} at offset {batch.base_offset}, not {FORMAT}")
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"{tp}: the batch at offset {batch.base_offset} fails its CRC")
            self.leader_epoch = batch.leader_epoch
            if self._may_be_seen(batch):
                for record in decoded(batch, Place(tp.topic, tp.partition, batch.leader_epoch)):
                    self.next_fetch_offset = record.offset + 1
                    yield record
                self.records_read += batch.records_count
                self.bytes_read += batch.size_in_bytes
            # Behind the batch, not behind its last record: compaction may have removed that.
            self.next_fetch_offset = batch.next_offset
        self.drain()

    def _may_be_seen(self, batch: Any) -> bool:
        """Whether a batch holds records for the application: no markers, nothing that was aborted."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch


def decoded(batch: Any, place: Place) -> list[Record]:
    """The records of kafka-python's DefaultRecordBatch. Raises CorruptRecordError.

    A record is: length, attributes (one byte), timestamp delta, offset delta, key, value, headers; numbers and lengths
    are zigzag varints, a length of -1 is null.
    """
    batch._maybe_uncompress()
    buffer, at = bytes(batch._buffer), batch._pos
    first_offset, first_timestamp = batch.base_offset, batch.first_timestamp
    is_append_time, append_time = bool(batch.timestamp_type), batch.max_timestamp
    found = []
    try:
        for _ in range(batch.records_count):
            length, at = _varint(buffer, at)
            end = at + length
            if length < 0 or end > len(buffer):
                raise CorruptRecordError(
                    f"{place.topic}/{place.partition}: a record of {length} bytes at offset {first_offset} and behind"
                )
            timestamp_delta, at = _varint(buffer, at + 1)
            offset_delta, at = _varint(buffer, at)
            size, at = _varint(buffer, at)
            key = None
            if size >= 0:
                key = buffer[at : at + size]
                at += size
            size, at = _varint(buffer, at)
            value = None
            if size >= 0:
                value = buffer[at : at + size]
                at += size
            if at >= end:
                raise CorruptRecordError(
                    f"{place.topic}/{place.partition}: the record at offset {first_offset + offset_delta} is cut off"
                )
            timestamp = append_time if is_append_time else first_timestamp + timestamp_delta
            found.append(Record(place, first_offset + offset_delta, timestamp, key, value, buffer[at:end]))
            at = end
    except IndexError as cut:
        raise CorruptRecordError(
            f"{place.topic}/{place.partition}: the batch at offset {first_offset} is cut off"
        ) from cut
    if at != len(buffer):
        raise CorruptRecordError(
            f"{place.topic}/{place.partition}: {len(buffer) - at} bytes behind the batch at offset {first_offset}"
        )
    return found


def _headers(rest: bytes, most: int | None = None) -> list[Header]:
    if rest == b"\x00":
        return []
    found: list[Header] = []
    try:
        count, at = _varint(rest, 0)
        for _ in range(count if most is None else min(count, most)):
            size, at = _varint(rest, at)
            name = rest[at : at + size].decode()
            at += size
            # Most values are shorter than 64 bytes, whose length is one even byte.
            if (byte := rest[at]) < CONTINUES and not byte & 1:
                size, at = byte >> 1, at + 1
            else:
                size, at = _varint(rest, at)
            found.append((name, rest[at : at + size] if size >= 0 else b""))
            at += max(size, 0)
    except (IndexError, UnicodeDecodeError) as wrong:
        raise CorruptRecordError(f"headers cannot be read: {wrong}") from wrong
    if count < 0 or (most is None and at != len(rest)) or at > len(rest):
        raise CorruptRecordError(f"{count} headers end at byte {at} of {len(rest)}")
    return found


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint (Protocol Buffers) and the place behind it; most are one byte or two."""
    byte = buffer[at]
    if byte < CONTINUES:
        return (byte >> 1) ^ -(byte & 1), at + 1
    number = byte & 0x7F
    shift = 7
    while True:
        at += 1
        byte = buffer[at]
        number |= (byte & 0x7F) << shift
        if byte < CONTINUES:
            return (number >> 1) ^ -(number & 1), at + 1
        shift += 7
        if shift > LONGEST_VARINT_BITS:
            raise CorruptRecordError(f"a number of more than {LONGEST_VARINT_BITS} bits")
