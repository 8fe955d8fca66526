"""What is sent beside the ledger: replies, dead letters, commands. Acknowledged by all brokers, in no transaction."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from consumers.serving import Served
from infra.kafka.errors import Unreachable
from infra.kafka.producer import CommitDoubtful, FencedProducer
from infra.kafka.reader import Partition
from infra.kafka.records import OutgoingRecord
from infra.live.places import DEAD_LETTERS, POSITION, REASON, REPLIES, position_of
from infra.live.settings import LiveSettings

CLOSE_LIMIT_S = 10.0


class Sender:
    """A plain idempotent producer; any thread. Raises Unreachable where no broker answers."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._limit_s = settings.clients.delivery_timeout_ms / 1000
        self._lock = threading.Lock()
        try:
            self._producer: Any = settings.clients.clients.producer(**settings.clients.for_plain_producer())
        except KafkaError as failed:
            raise Unreachable(f"no broker answered at {settings.brokers}: {failed!r}") from failed

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
        try:
            with self._lock:
                future = self._producer.send(
                    self._settings.topic(topic), value, key=key, partition=partition, headers=list(headers)
                )
        except KafkaError as failed:
            raise Unreachable(f"{self._settings.topic(topic)}: nothing can be sent: {failed!r}") from failed
        return Sent(future, self._limit_s)

    def tell(self, partition: int, served: Sequence[Served]) -> list["Sent"]:
        """Begins to send the reply to each command, and a dead letter for each that was none."""
        sent = []
        for one in served:
            position = (POSITION, position_of(partition, one.received.offset).encode())
            key = one.received.key
            if one.is_poison:
                reason = {name: one.outcome[name] for name in ("path", "message")}
                headers = (position, (REASON, orjson.dumps(reason)))
                sent.append(self.send(DEAD_LETTERS, one.received.value, key=key, partition=partition, headers=headers))
            reply = orjson.dumps(one.outcome)
            sent.append(self.send(REPLIES, reply, key=key, partition=partition, headers=(position,)))
        return sent

    def close(self) -> None:
        """Ends it; what was not acknowledged may not have arrived."""
        with suppress(KafkaError):
            self._producer.close(timeout=CLOSE_LIMIT_S)


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

    def __init__(self, future: Any, limit_s: float) -> None:
        self._future = future
        self._limit_s = limit_s

    @property
    def is_settled(self) -> bool:
        """Whether it is known what became of it."""
        return bool(self._future.is_done)

    def arrived(self) -> tuple[int, int, int]:
        """Partition, offset and timestamp in ms, waiting for them. Raises Unreachable."""
        try:
            stored = self._future.get(timeout=self._limit_s)
        except KafkaError as failed:
            raise Unreachable(f"a record was not acknowledged: {failed!r}") from failed
        return stored.partition, stored.offset, stored.timestamp
