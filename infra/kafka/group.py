"""Several callers' appends in one Kafka transaction: what is refused, what is sent, who gets which answer."""

from __future__ import annotations

from collections.abc import Sequence

from eventsourcing.persistence import DataError, IntegrityError

from infra.kafka.errors import OutcomeUnknown
from infra.kafka.index import LocalIndex
from infra.kafka.mirror import Mirror
from infra.kafka.producer import Stored
from infra.kafka.records import Entry, LogRecord, Note, OutgoingRecord, Tracked, note_record, tracking_record


class Ticket:
    """One caller's append and, once it is settled, its outcome."""

    def __init__(
        self, records: Sequence[LogRecord], tracking: Tracked | None, notes: Sequence[bytes], after: int | None
    ) -> None:
        self.records = records
        self.tracking = tracking
        self.notes = notes
        self.after = after
        self.sequences = range(0)
        self.is_settled = False
        self._error: BaseException | None = None

    @property
    def is_empty(self) -> bool:
        return not self.records and not self.notes and self.tracking is None

    def succeed(self) -> None:
        """It is in the log, at `sequences`."""
        self.is_settled = True

    def refuse(self, error: BaseException) -> None:
        """It failed; the caller gets `error`."""
        self._error = error
        self.is_settled = True

    def outcome(self) -> range:
        """The sequences, or the error raised."""
        if self._error is not None:
            raise self._error
        if not self.is_settled:
            raise OutcomeUnknown("whoever had the turn was interrupted while it was committing this append")
        return self.sequences


class Group:
    """The tickets of one transaction. A ticket that conflicts is refused and takes nothing with it."""

    def __init__(self, mirror: Mirror, record_bytes_limit: int) -> None:
        self._mirror = mirror
        self._format = mirror.place.record_format
        self._record_bytes_limit = record_bytes_limit
        self.tickets: list[Ticket] = []
        self.outgoing: list[OutgoingRecord] = []
        self.tracked: dict[str, Tracked] = {}
        self.versions: dict[str, int] = {}
        self.entries: list[Entry] = []
        self.notes: list[Note] = []
        self._records: list[tuple[LogRecord, int]] = []
        """Each event with its place in `outgoing`."""
        self._notes: list[tuple[bytes, int]] = []
        """Each note with its place in `outgoing`."""
        self._first = self._next = mirror.index.position.sequence + 1

    def add(self, ticket: Ticket) -> None:
        """Takes the ticket in, or refuses it with whatever is wrong with it: nothing of it has been sent."""
        try:
            versions = self._checked_versions(ticket)
            tracked = self._checked_tracking(ticket.tracking)
            outgoing = self._encoded(ticket)
        except Exception as refused:  # noqa: BLE001 - one caller's mistake is not the others'
            ticket.refuse(refused)
            return
        place = len(self.outgoing)
        self._records += zip(ticket.records, range(place, place + len(ticket.records)), strict=True)
        self.outgoing += outgoing
        self.versions.update(versions)
        if tracked is not None:
            self.outgoing.append(tracking_record(tracked))
            self.tracked[tracked.application] = tracked
        for payload in ticket.notes:
            self._notes.append((payload, len(self.outgoing)))
            self.outgoing.append(note_record(payload))
        ticket.sequences = range(self._next, self._next + len(ticket.records))
        self._next += len(ticket.records)
        self.tickets.append(ticket)

    def committed(self, stored: Sequence[Stored]) -> None:
        """Kafka has committed it; `stored` is where each outgoing record is."""
        for sequence, (record, place) in enumerate(self._records, self._first):
            where = stored[place]
            self.entries.append(Entry(sequence, *record[:4], where.offset, where.timestamp_ms))
        self.notes = [Note(payload, stored[place].offset) for payload, place in self._notes]

    def succeed(self) -> None:
        """Settles every ticket."""
        for ticket in self.tickets:
            ticket.succeed()

    def fail(self, error: BaseException) -> None:
        """Settles every ticket with an error."""
        for ticket in self.tickets:
            ticket.refuse(error)

    def is_in(self, index: LocalIndex, ticket: Ticket) -> bool:
        """Whether the index, having caught up with the log, has this very ticket where it was to be."""
        if ticket.notes:
            return self._mirror.has_read(ticket.notes[0])
        sequences, tracking = ticket.sequences, ticket.tracking
        if sequences:
            expected = [(sequence, *record[:4]) for sequence, record in zip(sequences, ticket.records, strict=True)]
            return index.events(sequences[0], sequences[-1]) == expected
        return tracking is not None and (index.last_tracked(tracking.application) or 0) >= tracking.position

    def _checked_versions(self, ticket: Ticket) -> dict[str, int]:
        """The last version of each stream the ticket writes to. Raises IntegrityError."""
        if ticket.after is not None and ticket.after != self._next - 1:
            raise IntegrityError(f"expected the log at sequence {ticket.after}, it is at {self._next - 1}")
        versions: dict[str, int] = {}
        for record in ticket.records:
            last = versions.get(record.key, self.versions.get(record.key))
            last = self._mirror.versions.last(record.key) if last is None else last
            if last is not None and record.version != last + 1:
                raise IntegrityError(f"stream {record.key!r} is at version {last}, cannot add version {record.version}")
            versions[record.key] = record.version
        return versions

    def _checked_tracking(self, tracking: Tracked | None) -> Tracked | None:
        """The tracking record with its predecessor. Raises IntegrityError unless it goes forward."""
        if tracking is None:
            return None
        application = tracking.application
        earlier = self.tracked.get(application)
        last = self._mirror.index.last_tracked(application) if earlier is None else earlier.position
        if last is not None and tracking.position <= last:
            raise IntegrityError(f"tracking of {application} is at {last}, cannot go to {tracking.position}")
        return tracking._replace(previous=last)

    def _encoded(self, ticket: Ticket) -> list[OutgoingRecord]:
        """The records as they are sent. Raises DataError for one that is too large."""
        outgoing = [self._format.event(record, self._next + place) for place, record in enumerate(ticket.records)]
        for note in map(note_record, ticket.notes):
            if note.size_bytes > self._record_bytes_limit:
                raise DataError(f"a note takes {note.size_bytes} bytes, the limit is {self._record_bytes_limit}")
        for encoded, record in zip(outgoing, ticket.records, strict=True):
            if encoded.size_bytes > self._record_bytes_limit:
                raise DataError(
                    f"version {record.version} of stream {record.key!r} takes {encoded.size_bytes} bytes,"
                    f" the limit is {self._record_bytes_limit}"
                )
        return outgoing
