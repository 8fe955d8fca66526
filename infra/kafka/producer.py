"""The transactional producer of one partition, guarded against kafka-python's known faults.

In kafka-python 3.0.12 a batch that expires leaves the transaction "in progress" and the commit succeeds without it; a
record queued in a failed transaction is committed by the next; `commit_transaction` waits without a limit; `close`
does not abort. Hence: one thread owns the producer, every future is checked before the commit, each call has a
deadline, and after any exception the producer is discarded and never used again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from kafka.errors import (  # type: ignore[import-untyped]
    KafkaError,
    ProducerFencedError,
)

from infra.kafka.errors import Fenced, Unreachable, reason
from infra.kafka.reader import Partition
from infra.kafka.records import OutgoingRecord
from infra.kafka.settings import KafkaSettings

_Answer = TypeVar("_Answer")
_Job = tuple[Callable[[], Any], "Future[Any]"]

_log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """Where a record is, as the broker said."""

    offset: int
    timestamp_ms: int


class CommitDoubtful(Exception):
    """A transaction did not end with a clear yes. It may still be committed, until the next fence."""


class FencedProducer:
    """One incarnation of the writer of a partition. `fence` comes first; after any exception only `discard` is left."""

    def __init__(self, settings: KafkaSettings, partition: Partition, transactional_id: str) -> None:
        self._settings = settings
        self._partition = partition
        self._transactional_id = transactional_id
        self._producer: Any = None
        self._is_discarded = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # A daemon: a commit that never returns must not keep the process from ending.
        self._owner = Thread(target=self._work, name=f"producer {transactional_id}", daemon=True)
        self._owner.start()

    def fence(self) -> None:
        """Connects and takes the partition over: the predecessor can never commit again (KIP-98, `init_transactions`).

        Raises Unreachable when that has not happened within the fence deadline, Fenced if somebody else was quicker.
        """
        try:
            self._within(self._settings.fence_deadline_s, self._connect_and_fence)
        except ProducerFencedError as fenced:
            raise Fenced(f"{self._partition}: another writer took over while this one was starting") from fenced
        except (KafkaError, TimeoutError) as failed:
            raise Unreachable(f"{self._partition}: could not be taken over: {reason(failed)}") from failed

    def commit(self, records: Sequence[OutgoingRecord]) -> list[Stored]:
        """Commits the records, in order, as one transaction, and says where each one is.

        Raises Fenced if another writer has taken over, CommitDoubtful for everything else, and always within the commit
        deadline.
        """
        try:
            return self._within(self._settings.commit_deadline_s, lambda: self._transact(records))
        except Exception as failed:
            if _was_fenced(failed):
                raise Fenced(f"{self._partition}: another writer has taken over: {reason(failed)}") from failed
            raise CommitDoubtful(f"{self._partition}: {reason(failed)}") from failed

    def discard(self) -> None:
        """Throws the producer away without waiting for it. What it left open is ended by the next fence."""
        self._is_discarded = True
        self._jobs.put(None)
        if self._producer is not None:
            drop(self._producer)

    def _connect_and_fence(self) -> None:
        producer = self._settings.clients.producer(**self._settings.for_producer(self._transactional_id))
        if self._is_discarded:  # We were too late, and fencing now would fence our own successor.
            drop(producer)
            raise TimeoutError("connected after the fence deadline")
        self._producer = producer
        producer.init_transactions()

    def _transact(self, records: Sequence[OutgoingRecord]) -> list[Stored]:
        deadline = time.monotonic() + self._settings.commit_deadline_s
        producer, (topic, number) = self._producer, self._partition
        producer.begin_transaction()
        sent = [
            producer.send(
                topic,
                record.value,
                record.key,
                record.headers,
                number if record.partition is None else record.partition,
            )
            for record in records
        ]
        acknowledged = [future.get(timeout=max(0.0, deadline - time.monotonic())) for future in sent]
        _check_order([(answer.partition, answer.offset) for answer in acknowledged])
        stored = [Stored(answer.offset, answer.timestamp) for answer in acknowledged]
        producer.commit_transaction()
        return stored

    def _within(self, limit_s: float, job: Callable[[], _Answer]) -> _Answer:
        answer: Future[_Answer] = Future()
        self._jobs.put((job, answer))
        return answer.result(limit_s)

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, answer = task
            try:
                answer.set_result(job())
            except BaseException as failed:  # noqa: BLE001 - whoever waits for the answer gets it
                _log.debug("%s: %r", self._transactional_id, failed)
                answer.set_exception(failed)


def drop(producer: Any) -> None:
    """Ends a producer at once. `close` flushes first and raises when it cannot, and then its thread would go on."""
    with contextlib.suppress(KafkaError):
        producer.close(timeout=0)
    producer._sender.force_close()


def _check_order(places: Sequence[tuple[int, int]]) -> None:
    """Within each partition the records stand in the order in which they were sent."""
    last: dict[int, int] = {}
    for partition, offset in places:
        if offset <= last.get(partition, -1):
            raise CommitDoubtful(f"the broker stored records out of order, at (partition, offset) {places}")
        last[partition] = offset


def _was_fenced(failed: Exception) -> bool:
    """Whether a successor is the reason; kafka-python wraps it in a plain KafkaError when a later call meets it.

    InvalidProducerEpochError is not enough: the broker says that too when it has timed our transaction out by itself.
    """
    return any(isinstance(cause, ProducerFencedError) for cause in (failed, failed.__cause__, *failed.args))
