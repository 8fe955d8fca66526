"""What is sent beside the ledger: replies, dead letters, commands. Acknowledged by all brokers, in no transaction.

kafka-python's idempotent producer does not always survive a silence of the brokers: when a batch that was sent has
expired it asks for a new producer id, and where the answer to that is lost it waits for ever, neither sending nor
failing what it is given. So nothing waits for it beyond a limit of ours, and after any failure it is thrown away.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from kafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped]

from consumers.serving import Served
from infra.kafka.errors import Unreachable, nobody_answered, reason
from infra.kafka.producer import CommitDoubtful, FencedProducer, drop
from infra.kafka.reader import Partition
from infra.kafka.records import OutgoingRecord
from infra.live.places import DEAD_LETTERS, POSITION, REASON, REPLIES, position_of
from infra.live.settings import LiveSettings

CLOSE_LIMIT_S = 10.0
SETTLE_MARGIN_S = 1.0
"""So long after a record should have been delivered or given up it is given up here."""


class NeverTaken(Unreachable):
    """The record is larger than its topic takes: sending it again is of no use."""


class Sender:
    """A plain idempotent producer; any thread. Raises Unreachable where no broker answers."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._limit_s = settings.clients.delivery_timeout_ms / 1000 + SETTLE_MARGIN_S
        self._lock = threading.Lock()
        self._producer = self._made()

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> "Sent":
        """Begins to send a record to the topic (`replies.v1`); whether it arrived is asked of what is returned."""
        with self._lock:
            if self._producer is None:
                self._producer = self._made()
            producer = self._producer
            try:
                future = producer.send(
                    self._settings.topic(topic), value, key=key, partition=partition, headers=list(headers)
                )
            except KafkaError as failed:
                self._forget(producer)
                raise Unreachable(f"{self._settings.topic(topic)}: nothing can be sent: {reason(failed)}") from failed
        return Sent(future, self._limit_s, lambda: self._doubt(producer))

    def tell(self, partition: int, served: Sequence[Served]) -> list["Told"]:
        """Begins to send the reply to each command, and a dead letter for each that was none."""
        told = []
        for one in served:
            position = (POSITION, position_of(partition, one.received.offset).encode())
            send = partial(self.send, key=one.received.key, partition=partition)
            if one.is_poison:
                reason = {name: one.outcome[name] for name in ("path", "message")}
                headers = (position, (REASON, orjson.dumps(reason)))
                told.append(Told(partial(send, DEAD_LETTERS, one.received.value, headers=headers)))
            reply = orjson.dumps(one.outcome)
            told.append(Told(partial(send, REPLIES, reply, headers=(position,))))
        return told

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        """Ends it; what was not acknowledged within the limit may not have arrived."""
        if not self._lock.acquire(timeout=limit_s):
            return  # Somebody is making a producer, or sends by one that does not answer: the process ends without it.
        try:
            with suppress(KafkaError):
                if self._producer is not None:
                    self._producer.close(timeout=limit_s)
        finally:
            self._lock.release()

    def _made(self) -> Any:
        clients = self._settings.clients
        try:
            return clients.clients.producer(**clients.for_plain_producer())
        except KafkaError as failed:
            raise nobody_answered(self._settings.brokers, failed) from failed

    def _doubt(self, producer: Any) -> None:
        """What was given to that producer did not arrive: whoever sends next does so through another one."""
        with self._lock:
            self._forget(producer)

    def _forget(self, producer: Any) -> None:
        if producer is self._producer:
            self._producer = None
            drop(producer)


class FencedSender:
    """Batches of records, each one transaction; whoever is made later under the same name ends what this one can send.

    So of two that tell the latest of something, a slow one never has the last word.
    """

    def __init__(self, settings: LiveSettings, topic: str, name: str) -> None:
        """Takes over from a predecessor. Raises Unreachable, Fenced."""
        place = Partition(settings.topic(topic), 0)
        self._producer = FencedProducer(settings.clients, place, f"{settings.topics}.{name}")
        try:
            self._producer.fence()
        except BaseException:
            self._producer.discard()
            raise

    def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Returns when all are there. Raises Unreachable where that is not known, Fenced where another took over.

        After either it is closed and never used again.
        """
        if not records:
            return
        try:
            self._producer.commit(records)
        except CommitDoubtful as doubt:
            raise Unreachable(str(doubt)) from doubt

    def close(self) -> None:
        """Ends it without a word to the brokers."""
        self._producer.discard()


class Sent:
    """A record on its way."""

    __slots__ = ("_deadline", "_doubt", "_future")

    def __init__(self, future: Any, limit_s: float, doubt: Callable[[], None]) -> None:
        """`doubt` is told where it has not arrived within the limit."""
        self._future = future
        self._deadline = time.monotonic() + limit_s
        self._doubt = doubt

    @property
    def is_settled(self) -> bool:
        """Whether it is known what became of it, or too late to wait for that."""
        return bool(self._future.is_done) or time.monotonic() > self._deadline

    def arrived(self) -> tuple[int, int, int]:
        """Partition, offset and timestamp in ms, waiting for them. Raises Unreachable, NeverTaken."""
        try:
            stored = self._future.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except KafkaError as failed:
            self._doubt()
            if isinstance(failed, MessageSizeTooLargeError):
                raise NeverTaken(f"a record is larger than its topic takes: {reason(failed)}") from failed
            raise Unreachable(f"a record was not acknowledged: {reason(failed)}") from failed
        return stored.partition, stored.offset, stored.timestamp


class Told:
    """A reply or a dead letter on its way."""

    __slots__ = ("_send", "_sent")

    def __init__(self, send: Callable[[], Sent]) -> None:
        """Sends it. Raises Unreachable."""
        self._send = send
        self._sent = send()

    @property
    def is_settled(self) -> bool:
        """Whether it is known what became of it, or too late to wait for that."""
        return self._sent.is_settled

    def arrived(self) -> None:
        """Returns when it is there. Raises Unreachable, and NeverTaken where it is too large by itself.

        For its size a batch is refused whole, and the producer with it for good, whatever it is given next: so what was
        refused is sent once more, alone and through another one.
        """
        try:
            self._sent.arrived()
        except NeverTaken:
            self._send().arrived()
