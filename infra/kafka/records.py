"""What is in a partition: events, tracking records, notes and barriers, and how each is written as a Kafka record.

    event     key: stream id (UTF-8), value: the event's bytes unchanged, headers: `type`, `version`, `sequence`
    tracking  no key, empty value, headers: `tracking` (application), `position`, `previous`
    note      no key, empty value, headers: `note` (bytes of the application's own, kept beside its events)
    barrier   no key, empty value, headers: `barrier` (id of the writer), `incarnation`

Only events have a sequence: 1, 2, 3 … per partition, without gaps, where Kafka's offsets have gaps (a commit marker
takes an offset). A barrier is housekeeping: a writer writes one when it starts and reads up to it. Numbers are decimal
digits in ASCII. A consumer that wants the events skips records without a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from infra.kafka.errors import ForeignRecord

Header = tuple[str, bytes]

# What Kafka's record format adds to key, value and headers, generously (KIP-98: lengths, timestamp, offset delta).
RECORD_OVERHEAD_BYTES = 64
HEADER_OVERHEAD_BYTES = 10

TRACKING = "tracking"
TRACKING_POSITION = "position"
TRACKING_PREVIOUS = "previous"
NOTE = "note"
BARRIER = "barrier"
INCARNATION = "incarnation"


class LogRecord(NamedTuple):
    """An event on its way to the log; its sequence is given when it is appended."""

    key: str
    """Id of the stream."""
    version: int
    """Position in the stream; the next is one more."""
    type: str
    """The event's type, by its stored name."""
    value: bytes
    headers: tuple[Header, ...] = ()
    """Further headers, for consumers; this module does not read them."""


class Entry(NamedTuple):
    """An event as it stands in the log."""

    sequence: int
    key: str
    version: int
    type: str
    value: bytes
    offset: int
    timestamp_ms: int
    """Kafka's timestamp of the record."""


class Tracked(NamedTuple):
    """How far this log's application has got with the events of another."""

    application: str
    position: int
    previous: int | None
    """The position before; readers check the chain."""


class Note(NamedTuple):
    """What an application keeps beside its events, in the same transaction, and consumers of events skip."""

    payload: bytes
    """No two notes of a log are alike: a doubtful commit is recognised by them."""
    offset: int


class Barrier(NamedTuple):
    """The mark a writer leaves when it has fenced its predecessor."""

    writer: str
    incarnation: int
    """Counts the fences of this writer."""


class OutgoingRecord(NamedTuple):
    """Exactly what is handed to the producer."""

    key: bytes | None
    value: bytes
    headers: list[Header]
    partition: int | None = None
    """None: the partition that the producer is of."""

    @property
    def size_bytes(self) -> int:
        """An upper bound of the record's size in a batch of its own."""
        headers = sum(len(name) + len(value) + HEADER_OVERHEAD_BYTES for name, value in self.headers)
        return len(self.key or b"") + len(self.value) + headers + RECORD_OVERHEAD_BYTES


class IncomingRecord(Protocol):
    """What is used of a record that was read (`decoding.Record`)."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    def leading_headers(self, most: int) -> Sequence[Header]: ...


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """The names of the three headers of an event; Subledger's own facts use those of CloudEvents."""

    type: str = "type"
    version: str = "version"
    sequence: str = "sequence"

    def event(self, record: LogRecord, sequence: int) -> OutgoingRecord:
        """The event with its sequence; further headers come after ours."""
        headers = [
            (self.type, record.type.encode()),
            (self.version, b"%d" % record.version),
            (self.sequence, b"%d" % sequence),
            *record.headers,
        ]
        return OutgoingRecord(record.key.encode(), record.value, headers)

    def read(self, record: IncomingRecord) -> Entry | Tracked | Note | Barrier:
        """The meaning of a Kafka record. Raises ForeignRecord if it has none."""
        key = record.key
        try:
            if key is None:
                return _mark(dict(record.headers), record.offset)
            (type_name, type_), (version_name, version), (sequence_name, sequence) = record.leading_headers(3)
            if type_name != self.type or version_name != self.version or sequence_name != self.sequence:
                raise ValueError("an event's first three headers are something else")
            return Entry(
                int(sequence),
                key.decode(),
                int(version),
                type_.decode(),
                record.value if record.value is not None else b"",
                record.offset,
                record.timestamp,
            )
        except (KeyError, ValueError, TypeError) as wrong:
            raise ForeignRecord(
                f"the record at offset {record.offset} is not an event, a tracking record, a note or a barrier"
                f" ({type(wrong).__name__}: {wrong}); its headers are {[name for name, _ in record.headers]}"
            ) from wrong


def tracking_record(tracked: Tracked) -> OutgoingRecord:
    """A tracking record; `previous` is empty for the first of an application."""
    previous = b"" if tracked.previous is None else b"%d" % tracked.previous
    headers = [
        (TRACKING, tracked.application.encode()),
        (TRACKING_POSITION, b"%d" % tracked.position),
        (TRACKING_PREVIOUS, previous),
    ]
    return OutgoingRecord(None, b"", headers)


def note_record(payload: bytes) -> OutgoingRecord:
    """A note."""
    return OutgoingRecord(None, b"", [(NOTE, payload)])


def barrier_record(barrier: Barrier) -> OutgoingRecord:
    """A barrier record."""
    return OutgoingRecord(None, b"", [(BARRIER, barrier.writer.encode()), (INCARNATION, b"%d" % barrier.incarnation)])


def _mark(headers: dict[str, bytes], offset: int) -> Tracked | Note | Barrier:
    if NOTE in headers:
        return Note(headers[NOTE], offset)
    if BARRIER in headers:
        return Barrier(headers[BARRIER].decode(), int(headers[INCARNATION]))
    previous = headers[TRACKING_PREVIOUS]
    return Tracked(headers[TRACKING].decode(), int(headers[TRACKING_POSITION]), int(previous) if previous else None)
