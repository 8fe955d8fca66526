"""Sending commands to a live ledger and waiting for their outcomes, in the order in which they were sent.

Personal data is sealed before a command leaves the process. A publication waits for what was sent before it, and what
follows waits for the publication, as if there were one shard.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from consumers import outcomes
from consumers.outcomes import Outcome
from consumers.serving import LARGEST_COMMAND_BYTES
from domain import documents
from domain.commands import CATALOGUE_SUBJECT
from domain.documents import Fault
from infra import incoming
from infra.kafka.errors import Unreachable, reason
from infra.live.catalogue import LiveCatalogue
from infra.live.keys import LiveKeys
from infra.live.places import CATALOGUE, COMMANDS, EVENTS, POSITION, REPLIES, partition_of, position_of
from infra.live.sending import Sender, Sent
from infra.live.settings import LiveSettings
from infra.sealing import PREFIX

LARGEST_WINDOW = 2_000
"""Commands on their way at a time."""
POLL_MS = 50


class NoReply(Exception):
    """Commands were sent and not answered in time; sent again, each is answered with what became of it."""


@dataclass(slots=True)
class _Pending:
    sent: Sent | None
    outcome: Outcome | None = None
    position: str | None = None


class Submission:
    """One sender with its window of commands on their way; a generator of outcomes in order."""

    def __init__(self, settings: LiveSettings) -> None:
        """Connects. Raises Unreachable, NotFounded."""
        self._settings = settings
        self._catalogue = LiveCatalogue(settings)
        self._partitions = self._catalogue.founded().partitions
        self._catalogue.close()
        self._keys = LiveKeys(settings.keys)
        self._sender = Sender(settings)
        self._replies = self._connected()
        self._window: deque[_Pending] = deque()
        self._by_position: dict[str, _Pending] = {}

    def send(self, lines: Sequence[bytes | None]) -> Iterator[Outcome]:
        """Sends each line, and yields the outcomes that have come and whose turn it is. Raises Unreachable, NoReply."""
        for line in lines:
            value = _parsed(line)
            publishes = isinstance(value, dict) and value.get("subscriber") == CATALOGUE_SUBJECT
            if publishes:
                yield from self.rest()
            elif len(self._window) >= LARGEST_WINDOW:
                yield from self._until(LARGEST_WINDOW // 2)
            self._window.append(self._sent(line, value))
            if publishes:
                yield from self.rest()

    def rest(self) -> Iterator[Outcome]:
        """Waits for all that is on its way. Raises Unreachable, NoReply."""
        yield from self._until(0)

    @property
    def on_their_way(self) -> int:
        """Commands sent whose outcome has not been yielded."""
        return len(self._window)

    def close(self) -> None:
        """Ends the connections."""
        self._keys.close()
        self._sender.close()
        with suppress(KafkaError):
            self._replies.close(autocommit=False)

    def _connected(self) -> Any:
        """A reader of the replies that begins behind those that are there."""
        clients = self._settings.clients
        topic = self._settings.topic(REPLIES)
        partitions = [TopicPartition(topic, number) for number in range(self._partitions)]
        try:
            consumer = clients.clients.consumer(**clients.for_consumer())
            consumer.assign(partitions)
            for partition, end in consumer.end_offsets(partitions, timeout_ms=clients.request_timeout_ms).items():
                consumer.seek(partition, end)
        except KafkaError as failed:
            raise Unreachable(f"{topic} cannot be read: {reason(failed)}") from failed
        return consumer

    def _sent(self, line: bytes | None, value: Any) -> _Pending:
        if line is None or len(line) > LARGEST_COMMAND_BYTES:
            fault = Fault("", f"expected a line of at most {LARGEST_COMMAND_BYTES} bytes")
            return _Pending(None, outcomes.invalid(None, fault))
        if isinstance(value, Fault):
            # It could not be sealed, and what is personal in it would stay readable on the topic.
            return _Pending(None, outcomes.invalid(None, value))
        key, partition = None, 0
        if isinstance(value, dict) and isinstance(subscriber := value.get("subscriber"), str):
            key, partition = subscriber.encode(), partition_of(subscriber, self._partitions)
            line = self._sealed(subscriber, value, line)
        return _Pending(self._sender.send(COMMANDS, line, key=key, partition=partition))

    def _sealed(self, subscriber: str, value: dict[str, Any], line: bytes) -> bytes:
        """The line with its personal data sealed; as it is where there is none, or none that could be recorded."""
        data, identity = value.get("data"), value.get("id")
        if not isinstance(data, dict) or "personal" not in data or not isinstance(identity, str):
            return line
        try:
            personal = documents.personal(data["personal"], "data.personal")
        except Fault:
            return line
        if isinstance(personal, str) and personal.startswith(PREFIX):
            return line
        sealed = self._keys.seal(subscriber, identity, personal)
        return orjson.dumps({**value, "data": {**data, "personal": sealed}})

    def _until(self, left: int) -> Iterator[Outcome]:
        """Yields outcomes in order until so many are left."""
        self._learn_positions()
        deadline = time.monotonic() + self._settings.reply_seconds
        while len(self._window) > left:
            if self._window[0].outcome is not None:
                pending = self._window.popleft()
                assert pending.outcome is not None
                self._by_position.pop(pending.position or "", None)
                yield pending.outcome
                deadline = time.monotonic() + self._settings.reply_seconds
            elif time.monotonic() > deadline:
                raise NoReply(
                    f"{len(self._window):,} commands were sent and not answered within"
                    f" {self._settings.reply_seconds:g} s; is `subledger write` running?"
                )
            else:
                self._take_replies()

    def _learn_positions(self) -> None:
        for pending in self._window:
            if pending.position is None and pending.sent is not None:
                partition, offset, _ = pending.sent.arrived()
                pending.position = position_of(partition, offset)
                self._by_position[pending.position] = pending

    def _take_replies(self) -> None:
        try:
            polled = self._replies.poll(timeout_ms=POLL_MS)
        except KafkaError as failed:
            raise Unreachable(f"replies cannot be read: {reason(failed)}") from failed
        for partition, records in polled.items():
            for record in records:
                pending = self._by_position.get(dict(record.headers).get(POSITION, b"").decode())
                if pending is not None and pending.outcome is None:
                    pending.outcome = _placed(orjson.loads(record.value), partition.partition)


def _parsed(line: bytes | None) -> Any:
    try:
        return None if line is None else incoming.parse(line)
    except orjson.JSONDecodeError:
        return None
    except Fault as fault:
        return fault


def _placed(outcome: Outcome, partition: int) -> Outcome:
    """The outcome with the position that a reader may ask to see at least; none where nothing was recorded."""
    events = outcome.get("events")
    if not events:
        return outcome
    subject, _, _ = events[-1]["id"].rpartition("/")
    place = f"{CATALOGUE}/0" if subject == CATALOGUE_SUBJECT else f"{EVENTS}/{partition}"
    return {**outcome, "position": f"{place}/{events[-1]['sequence']}"}
