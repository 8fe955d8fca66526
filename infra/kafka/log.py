"""The log of one partition with one fenced writer: fence, barrier, group commit, index after the commit.

    log = FencedLog(LogPlace(settings=…, partition=Partition("ledger.events.v1", 3), folder=…))
    log.open()                                  fence, barrier, index up to the barrier
    log.append([LogRecord(…), …])               range(18, 20): the sequences the records got
    log.close()

Kafka cannot refuse a conflicting append (KAFKA-2260); a single fenced writer with an index of its own can. The order of
the write path is the whole of its safety:

1. Fence: `init_transactions` under the log's one transactional id. The predecessor can never commit again.
2. Barrier: a record of our own is committed and the partition read up to it, so that everything the predecessor
   committed is in the index before anything is decided. (Reading before fencing is the classic mistake.)
3. Append: conflicts are refused from the index; what remains is committed as one transaction, every future checked.
4. Only then the index, in one SQLite transaction, and only then the answer.
5. Doubt (any exception after something may have been sent): the producer and what is known in memory are thrown away,
   1 and 2 again, and the answer is read from the log. Fenced: the log is given up until somebody calls `open` again.

Threads may append at once: whoever has the turn commits for all who wait, as one transaction.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from threading import Event, Lock
from types import TracebackType
from typing import Self
from uuid import uuid4

from infra.kafka.errors import CorruptLog, Fenced, LogClosed, NotCommitted, OutcomeUnknown, reason
from infra.kafka.group import Group, Ticket
from infra.kafka.index import LocalIndex
from infra.kafka.mirror import LogPlace, Mirror, SeenBarrier
from infra.kafka.producer import CommitDoubtful, FencedProducer, Stored
from infra.kafka.records import Barrier, LogRecord, Tracked, barrier_record

_log = logging.getLogger(__name__)


class _State(Enum):
    CLOSED = auto()
    OPEN = auto()
    DOUBTFUL = auto()
    """Something failed and so did the recovery; the next append begins with another one."""
    FENCED = auto()
    """Given up to another writer."""


class FencedLog:
    """The writer's side of one partition."""

    def __init__(self, place: LogPlace, *, transactional_id: str | None = None) -> None:
        """`transactional_id` is the same for every writer of this partition, and for nothing else."""
        self.place = place
        self._transactional_id = transactional_id or f"{place.partition.topic}.{place.partition.number}"
        self._writer = uuid4().hex
        self._incarnation = 0
        self._state = _State.CLOSED
        self._mirror: Mirror | None = None
        self._producer: FencedProducer | None = None
        self._waiting: deque[Ticket] = deque()
        self._lock = Lock()

    def open(self) -> None:
        """Takes the partition over and brings the index up to date; also after it was fenced.

        Raises Unreachable if no broker answers, Fenced if another writer was quicker, CorruptLog if the log has a gap
        or a repeat, or the index is ahead of it or different from it.
        """
        with self._turn():
            self._discard()
            try:
                self._take_over()
            except BaseException:
                self._discard()
                raise

    def append(
        self,
        records: Sequence[LogRecord],
        *,
        tracking: Tracked | None = None,
        notes: Sequence[bytes] = (),
        after: int | None = None,
    ) -> range:
        """Commits the records, the tracking position and the notes, all or nothing; returns the records' sequences.

        `after` is the last sequence the caller knows; None does not care. Of `tracking`, `previous` is filled in. No
        two notes of a log may be alike.

        Raises IntegrityError if a record's version is not the next of its stream, a tracking position is not greater
        than the last, or the log is not at `after`: nothing was sent. DataError if a record is too large: nothing was
        sent. NotCommitted: known not to be in the log. OutcomeUnknown: not known, the next append or `open` finds out.
        Fenced: the log belongs to another writer now. LogClosed.
        """
        ticket = Ticket(records, tracking, notes, after)
        if ticket.is_empty:
            return range(0)
        self._waiting.append(ticket)
        try:
            with self._turn():
                if not ticket.is_settled:
                    self._commit_waiting()
        except BaseException as failed:
            self._withdraw(ticket, failed)
            raise
        return ticket.outcome()

    @property
    def index(self) -> LocalIndex:
        """The index, for reading. Raises LogClosed."""
        return self._open_mirror.index

    @property
    def last_sequence(self) -> int:
        """Sequence of the last committed event, 0 for none. Raises LogClosed."""
        return self.index.position.sequence

    @property
    def incarnation(self) -> int:
        """Counts the takings over. Another one than before: somebody else may have written in between."""
        return self._incarnation

    @property
    def is_fenced(self) -> bool:
        """Whether another writer has taken over."""
        return self._state is _State.FENCED

    def listen(self, listener: Event) -> None:
        """Sets `listener` whenever events were appended. Raises LogClosed."""
        self._open_mirror.listen(listener)

    def unlisten(self, listener: Event) -> None:
        """Undoes `listen`."""
        if self._mirror is not None:
            self._mirror.unlisten(listener)

    def refresh(self) -> None:
        """Nothing to do: the writer's own index is up to date after each append."""

    def close(self) -> None:
        """Gives the partition up without a word to the broker; the next writer's fence ends what was open."""
        with self._turn():
            self._discard()
            self._state = _State.CLOSED
            if self._mirror is not None:
                self._mirror.close()
                self._mirror = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _open_mirror(self) -> Mirror:
        if self._mirror is None:
            raise LogClosed(f"{self.place.partition}: the log is not open")
        return self._mirror

    @contextmanager
    def _turn(self) -> Iterator[None]:
        limit_s = self.place.settings.turn_limit_s
        if not self._lock.acquire(timeout=limit_s):
            raise OutcomeUnknown(f"{self.place.partition}: others were still at work after {limit_s} s")
        try:
            yield
        finally:
            self._lock.release()

    def _withdraw(self, ticket: Ticket, failed: BaseException) -> None:
        """A caller that gives up waiting takes its ticket back, unless somebody is committing it already."""
        try:
            self._waiting.remove(ticket)
        except ValueError:
            return
        ticket.refuse(failed)

    def _commit_waiting(self) -> None:
        """Commits what waits, as one transaction, and settles every ticket it took."""
        self._require_open()
        group = self._gather()
        if not group.tickets:
            return
        try:
            self._commit(group)
        except Fenced as fenced:
            self._give_up()
            group.fail(fenced)
        except Exception as doubt:  # noqa: BLE001 - whatever it was, the records may have been sent
            self._answer_from_log(group, doubt)
        except BaseException as interrupted:
            # The process is ending, or a caller was interrupted: nobody may build on what is in memory.
            self._discard()
            group.fail(OutcomeUnknown(f"{self.place.partition}: interrupted by {interrupted!r}"))
            raise

    def _require_open(self) -> None:
        if self._state is _State.DOUBTFUL:
            self._recover()
        if self._state is _State.FENCED:
            raise Fenced(f"{self.place.partition}: given up to another writer; `open` takes it back")
        if self._state is _State.CLOSED:
            raise LogClosed(f"{self.place.partition}: the log is not open")

    def _gather(self) -> Group:
        """Takes waiting tickets up to the limit of a transaction; refuses those that conflict."""
        group = Group(self._open_mirror, self.place.settings.record_bytes_limit)
        while self._waiting and len(group.outgoing) < self.place.settings.group_records_limit:
            group.add(self._waiting.popleft())
        return group

    def _commit(self, group: Group) -> None:
        stored = self._commit_records(group)
        group.committed(stored)
        self._open_mirror.add(group.entries, list(group.tracked.values()), group.notes, stored[-1].offset + 1)
        for key, version in group.versions.items():
            self._open_mirror.versions.remember(key, version)
        group.succeed()

    def _commit_records(self, group: Group) -> list[Stored]:
        if self._producer is None:
            raise LogClosed(f"{self.place.partition}: the log has no producer")
        return self._producer.commit(group.outgoing)

    def _answer_from_log(self, group: Group, doubt: Exception) -> None:
        """Recovers, then looks which of the group's tickets are in the log. They are settled in any case."""
        _log.warning("%s: doubtful commit: %s", self.place.partition, reason(doubt))
        try:
            self._recover()
        except Exception as failed:  # noqa: BLE001 - every ticket gets an answer
            message = (
                f"{self.place.partition}: commit was doubtful ({reason(doubt)}) and recovery failed ({reason(failed)})"
            )
            unknown = OutcomeUnknown(message)
            unknown.__cause__ = failed
            group.fail(failed if isinstance(failed, Fenced | CorruptLog) else unknown)
            return
        for ticket in group.tickets:
            if group.is_in(self.index, ticket):
                ticket.succeed()
            else:
                ticket.refuse(NotCommitted(f"{self.place.partition}: nothing of it is in the log: {reason(doubt)}"))

    def _recover(self) -> None:
        """Takes the partition over again, unless another writer has done so since our last barrier."""
        self._discard()
        self._open_mirror.forget()
        try:
            self._require_not_succeeded(self._open_mirror.look_further())
            self._take_over()
        except Fenced:
            self._give_up()
            raise

    def _require_not_succeeded(self, seen: Sequence[SeenBarrier]) -> None:
        foreign = [barrier for offset, barrier in seen if barrier.writer != self._writer]
        if foreign:
            raise Fenced(f"{self.place.partition}: writer {foreign[-1].writer} has taken over")

    def _take_over(self) -> None:
        """Fence, barrier, catch up: in this order."""
        self._incarnation += 1
        barrier = Barrier(self._writer, self._incarnation)
        self._producer = FencedProducer(self.place.settings, self.place.partition, self._transactional_id)
        self._producer.fence()
        stored = self._commit_barrier(self._producer, barrier)
        seen = self._caught_up(stored.offset + 1)
        if (stored.offset, barrier) not in seen:
            raise CorruptLog(f"{self.place.partition}: our barrier, committed at offset {stored.offset}, is not there")
        self._state = _State.OPEN
        _log.info("%s: open at sequence %d", self.place.partition, self.last_sequence)

    def _commit_barrier(self, producer: FencedProducer, barrier: Barrier) -> Stored:
        try:
            (stored,) = producer.commit([barrier_record(barrier)])
        except CommitDoubtful as doubt:
            raise NotCommitted(f"{self.place.partition}: the barrier could not be committed: {doubt}") from doubt
        return stored

    def _caught_up(self, end: int) -> list[SeenBarrier]:
        if self._mirror is None:
            self._mirror = Mirror(self.place)
        self._mirror.forget()
        return self._mirror.catch_up(end)

    def _discard(self) -> None:
        """Throws the producer away. What is in memory is not trusted any more."""
        producer, self._producer = self._producer, None
        if self._state is _State.OPEN:
            self._state = _State.DOUBTFUL
        if producer is not None:
            producer.discard()

    def _give_up(self) -> None:
        self._discard()
        self._state = _State.FENCED
