"""Keeping a local index equal to its log: opening, checking, rebuilding and catching up.

Whatever is read passes through every check: sequences dense, stream versions dense, tracking chained, and the tail of
the index compared with the log, event by event, before anything is added to it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

from infra.interpreter import without_collector
from infra.kafka.checks import StreamVersions
from infra.kafka.errors import HistoryDeleted, IndexAhead, IndexDiffers, TrackingBroken
from infra.kafka.index import IndexDamaged, IndexExtension, LocalIndex, OriginatorIds, remove_index
from infra.kafka.reader import Batch, Partition, PartitionReader
from infra.kafka.records import Barrier, Entry, Note, RecordFormat, Tracked
from infra.kafka.settings import KafkaSettings

OVERLAP_OFFSETS = 512
"""How many of the newest indexed offsets are compared with the log when an index is opened."""

STREAMS_REMEMBERED = 200_000

SeenBarrier = tuple[int, Barrier]
"""A barrier and its offset."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Which log, and where on this machine its index is."""

    settings: KafkaSettings
    partition: Partition
    folder: Path
    """The folder of the index file; two processes on one log each have their own."""
    role: str = "writer"
    """Part of the index file's name, so that a writer and a follower may share a folder."""
    originator_ids: OriginatorIds = "uuid"
    """What the library's recorders give back as ids of streams."""
    extensions: Sequence[IndexExtension] = ()
    record_format: RecordFormat = RecordFormat()  # noqa: RUF009 - frozen, and equal wherever it is made

    @property
    def index_file(self) -> Path:
        return self.folder / f"{self.partition.topic}-{self.partition.number}.{self.role}.sqlite"


class Mirror:
    """The index of a log with what is needed to extend it. One thread at a time, except for reading `index`."""

    def __init__(self, place: LogPlace) -> None:
        """Opens the index, or an empty one in place of a damaged one. Raises IndexDiffers for another log's index."""
        self.place = place
        self.index = _open_index(place)
        self.versions = self._new_versions()
        self._noted: deque[bytes] = deque(maxlen=place.settings.group_records_limit)
        """Digests of the notes read last: what a doubtful commit left in the log is among them."""
        self._listeners: set[Event] = set()
        self._to_confirm: int | None = None

    def forget(self) -> None:
        """Throws away what is known in memory; the index file stays, it only ever holds what was committed."""
        self.index.reload()
        self.versions = self._new_versions()

    def connect(self) -> PartitionReader:
        """A reader that starts early enough to compare the index's tail with the log.

        Raises HistoryDeleted if the partition has lost its beginning, IndexAhead if it ends before the index does.
        """
        position = self.index.position
        start = max(0, min(position.event_offset, position.next_offset - OVERLAP_OFFSETS))
        overlapping = position.sequence > 0
        reader = self._reader(start, None if overlapping else 0)
        self._to_confirm = position.sequence if overlapping else None
        try:
            self._check_extent(reader)
        except BaseException:
            reader.close()
            raise
        return reader

    def catch_up(self, end: int | None = None) -> list[SeenBarrier]:
        """Reads up to offset `end` (default: the last stable offset) and returns the barriers on the way.

        Raises CorruptLog when log and index cannot both be right, Unreachable when brokers do not answer.
        """
        with without_collector(), self.connect() as reader:
            seen = self._absorb_until(reader, reader.end_offset() if end is None else end)
        self._require_confirmed()
        return seen

    def look_further(self) -> list[SeenBarrier]:
        """Reads on from where the index is, as far as everything is decided, and returns the barriers on the way.

        Unlike `catch_up` it may be called while a transaction is in doubt: the log's stable end may then lie before
        what the index has, because the markers of our own last commit are still being written.
        """
        position = self.index.position
        self._to_confirm = None
        with self._reader(position.next_offset, position.sequence) as reader:
            return self._absorb_until(reader, reader.end_offset())

    def absorb(self, batch: Batch) -> None:
        """Checks what was read against the index and adds what is new to it."""
        known = self.index.position.sequence
        if batch.entries and batch.entries[0].sequence <= known:
            overlap = known + 1 - batch.entries[0].sequence
            self._compare(batch.entries[:overlap])
            fresh = batch.entries[overlap:]
        else:
            fresh = batch.entries
        if batch.next_offset > self.index.position.next_offset:
            if fresh:
                self._require_confirmed()
            self.versions.accept_all(fresh)
            notes = [note for note in batch.notes if note.offset >= self.index.position.next_offset]
            self._noted.extend(sha256(note.payload).digest() for note in notes)
            self.add(fresh, self._fresh_tracked(batch.tracked), notes, batch.next_offset)

    def add(
        self, entries: Sequence[Entry], tracked: Sequence[Tracked], notes: Sequence[Note], next_offset: int
    ) -> None:
        """Adds what is known to be committed, and wakes who listens."""
        self.index.apply(entries, tracked, notes, next_offset)
        self.versions.trim()
        if entries:
            self.wake_listeners()

    def has_read(self, note: bytes) -> bool:
        """Whether that note is among the last ones read from the log."""
        return sha256(note).digest() in self._noted

    def listen(self, listener: Event) -> None:
        """Sets `listener` whenever events are added."""
        self._listeners.add(listener)

    def unlisten(self, listener: Event) -> None:
        """Undoes `listen`."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """Closes the index, and wakes who listens, for they would wait for ever."""
        self.index.close()
        self.wake_listeners()

    def wake_listeners(self) -> None:
        """Lets everybody who listens look at the index."""
        for listener in list(self._listeners):
            listener.set()

    def _reader(self, offset: int, after: int | None) -> PartitionReader:
        place = self.place
        return PartitionReader(
            place.settings, place.partition, offset=offset, after=after, record_format=place.record_format
        )

    def _absorb_until(self, reader: PartitionReader, end: int) -> list[SeenBarrier]:
        seen: list[SeenBarrier] = []
        for batch in reader.until(end):
            self.absorb(batch)
            seen += batch.barriers
        return seen

    def _new_versions(self) -> StreamVersions:
        empty = self.index.position.sequence == 0
        return StreamVersions(self.index.last_version, limit=STREAMS_REMEMBERED, complete=empty)

    def _check_extent(self, reader: PartitionReader) -> None:
        partition, position = self.place.partition, self.index.position
        start, end = reader.start_offset(), reader.end_offset()
        if start > 0:
            raise HistoryDeleted(
                f"{partition} begins at offset {start}, not 0: is retention or compaction switched on?"
            )
        if end < position.next_offset:
            raise IndexAhead(
                f"{partition} ends at offset {end}, but {self.index.file} has read up to {position.next_offset}"
                f" (sequence {position.sequence}): the log has lost records, or this is another cluster's log"
            )

    def _compare(self, entries: Sequence[Entry]) -> None:
        """Compares events that the index has already with the log's. Raises IndexDiffers."""
        rows = self.index.events(entries[0].sequence, entries[-1].sequence)
        for row, entry in zip(rows, entries, strict=True):
            if row != entry[:5]:
                raise IndexDiffers(
                    f"{self.place.partition} and {self.index.file} differ at sequence {entry.sequence} (offset"
                    f" {entry.offset}): the log has {_brief(entry)}, the index has {_brief(row)}"
                )
        if entries[-1].sequence == self._to_confirm:
            self._to_confirm = None

    def _require_confirmed(self) -> None:
        if self._to_confirm is not None:
            raise IndexDiffers(
                f"{self.place.partition} has no event with sequence {self._to_confirm} at offset"
                f" {self.index.position.event_offset}, where {self.index.file} has its last one"
            )

    def _fresh_tracked(self, tracked: Sequence[Tracked]) -> list[Tracked]:
        """The tracking records that the index does not have. Raises TrackingBroken where the chain is broken."""
        fresh: dict[str, Tracked] = {}
        for each in tracked:
            last = fresh[each.application].position if each.application in fresh else None
            last = self.index.last_tracked(each.application) if last is None else last
            if last is not None and each.position <= last:
                continue  # Read again in the overlap.
            if each.previous != last:
                raise TrackingBroken(
                    f"{self.place.partition}: tracking of {each.application} goes from {each.previous} to"
                    f" {each.position}, expected from {last}"
                )
            fresh[each.application] = each
        return list(fresh.values())


def _open_index(place: LogPlace) -> LocalIndex:
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        return _index(place)
    except IndexDamaged as damaged:
        _log.warning("%s; it is rebuilt from %s", damaged, place.partition)
        remove_index(place.index_file)
        return _index(place)


def _index(place: LogPlace) -> LocalIndex:
    return LocalIndex(
        place.index_file, place.partition, originator_ids=place.originator_ids, extensions=place.extensions
    )


def _brief(row: Sequence[object]) -> str:
    sequence, key, version, type_ = row[:4]
    return f"{type_} of {key} version {version} as {sequence}, value {row[4]!r:.60}"
