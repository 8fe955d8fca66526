"""A load of commands on a live ledger, and what came of it: acknowledged, answered, the longest pause."""

from __future__ import annotations

import itertools
import random
import threading
import time
from contextlib import closing, suppress
from typing import Any, Self

import orjson
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from infra.kafka.errors import Unreachable
from infra.live.places import COMMANDS, POSITION, REPLIES, partition_of, position_of
from infra.live.sending import Sender, Sent
from infra.live.settings import LiveSettings
from tests.support.lines import line
from tests.support.live import LiveLedger, wait_until
from tests.support.whole_ledger import Founded, WholeLedger, read_whole

SUBSCRIBERS = 25
COMMANDS_A_SECOND = 300
TICK_S = 0.05
ODD_SHARE = 0.03
"""Commands that are poisoned, too large, doubled or in the wrong partition."""
ANSWER_LIMIT_S = 120.0
POLL_MS = 100


class Load:
    """Sends from one thread and listens in another, for as long as its context lasts; `figures` say what was seen."""

    def __init__(self, ledger: LiveLedger, *, a_second: int = COMMANDS_A_SECOND, seed: int = 1) -> None:
        self._ledger = ledger
        self._a_second = a_second
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._enough = threading.Event()
        self._deaf = threading.Event()
        self._unacknowledged: list[tuple[Sent, bytes | None]] = []
        self._heard_at = time.monotonic()
        self._sending = threading.Thread(target=self._send_until_enough, name="load", daemon=True)
        self._listening = threading.Thread(target=self._listen, name="replies", daemon=True)
        self.acknowledged: dict[str, bytes | None] = {}
        """Position → value, of what the brokers have acknowledged."""
        self.lost = 0
        """Sent, and nobody knows whether they arrived."""
        self.answered: set[str] = set()
        self.longest_pause_s = 0.0
        self.failed: list[BaseException] = []

    def __enter__(self) -> Self:
        self._listening.start()
        self._sending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._sending.join(ANSWER_LIMIT_S)
        self._deaf.set()
        self._listening.join(ANSWER_LIMIT_S)

    def stop(self) -> None:
        """Sends no more; what was sent is acknowledged or given up when this returns."""
        self._enough.set()
        self._sending.join(ANSWER_LIMIT_S)
        assert not self._sending.is_alive(), "the load does not end"
        assert not self.failed, f"the load failed: {self.failed}"

    def wait_answered(self) -> None:
        """Returns when everything that was acknowledged has been answered."""
        try:
            wait_until(lambda: not self.unanswered, ANSWER_LIMIT_S, "an answer to every command")
        except AssertionError as late:
            missing = self.unanswered
            raise AssertionError(f"{late}; {len(missing)} have none, {missing[:3]} to {missing[-3:]}") from late

    @property
    def unanswered(self) -> list[str]:
        """Positions of commands that were acknowledged and not answered, in order."""
        return sorted(
            set(self.acknowledged) - self.answered, key=lambda one: [int(part) for part in one.split("/")[1:]]
        )

    def wait_for_answers(self, more: int, limit_s: float = ANSWER_LIMIT_S) -> None:
        """Returns when so many more answers have come."""
        wanted = len(self.answered) + more
        wait_until(lambda: bool(self.failed) or len(self.answered) >= wanted, limit_s, f"{more} more answers")
        assert not self.failed, f"the load failed: {self.failed}"

    def figures(self, what: str) -> str:
        """One line for people."""
        return (
            f"{what}: {len(self.acknowledged):,} commands acknowledged, {len(self.answered):,} answered,"
            f" {self.lost:,} of unknown fate, longest pause {self.longest_pause_s:.1f} s"
        )

    def _send_until_enough(self) -> None:
        try:
            sender = Sender(self._ledger.settings)
            for number in range(SUBSCRIBERS):
                for value in _joining(f"s-{number}"):
                    self._send(sender, value)
            while not self._enough.is_set():
                began = time.monotonic()
                for _ in range(int(self._a_second * TICK_S)):
                    self._send(sender, self._next())
                self._collect(wait=False)
                time.sleep(max(0.0, TICK_S - (time.monotonic() - began)))
            self._collect(wait=True)
            sender.close()
        except BaseException as failed:  # noqa: BLE001 - told to whoever asks the load to stop
            self.failed.append(failed)

    def _send(self, sender: Sender, value: bytes | None) -> None:
        key, partition = self._place(value)
        try:
            self._unacknowledged.append((sender.send(COMMANDS, value, key=key, partition=partition), value))
        except Unreachable:
            self.lost += 1

    def _place(self, value: bytes | None) -> tuple[bytes | None, int]:
        partitions = self._ledger.partitions
        with suppress(ValueError, TypeError, AttributeError):
            subscriber = orjson.loads(value or b"").get("subscriber")
            home = partition_of(subscriber, partitions)
            is_misplaced = self._random.random() < ODD_SHARE / 10
            return subscriber.encode(), (home + 1) % partitions if is_misplaced else home
        return (b"nobody" if value is None else None), self._random.randrange(partitions)

    def _collect(self, *, wait: bool) -> None:
        """Takes acknowledgements that have come, in order."""
        while self._unacknowledged and (wait or self._unacknowledged[0][0].is_settled):
            sent, value = self._unacknowledged.pop(0)
            try:
                partition, offset, _ = sent.arrived()
            except Unreachable:
                self.lost += 1
            else:
                self.acknowledged[position_of(partition, offset)] = value

    def _next(self) -> bytes | None:
        if self._random.random() < ODD_SHARE:
            return self._odd()
        number = next(self._numbers)
        subscriber = f"s-{self._random.randrange(SUBSCRIBERS)}"
        kind = self._random.choice(("CreditDeposit", "CreditDeposit", "ReportUsage", "SetAutorenew", "AdvanceClock"))
        data: dict[str, Any] = {}
        if kind == "CreditDeposit":
            data = {"reference": f"lp-{number}", "amount": "1.50"}
        elif kind == "ReportUsage":
            data = {"usage": f"call-{number}", "number": _number_of(subscriber)}
        elif kind == "SetAutorenew":
            data = {"number": _number_of(subscriber), "autorenew": self._random.random() < 0.5}
        return _live(kind, f"c-{number}", subscriber, **data)

    def _odd(self) -> bytes | None:
        again = _live("CreditDeposit", "c-1", "s-1", reference="lp-1", amount="1.50")
        large = b'{"id": "large", "data": "' + b"x" * 600_000 + b'"}'
        return self._random.choices((None, b"{", b"[]", again, large), (4, 4, 4, 10, 1))[0]

    def _listen(self) -> None:
        settings = self._ledger.settings
        clients = settings.clients
        places = [TopicPartition(settings.topic(REPLIES), number) for number in range(self._ledger.partitions)]
        with closing(clients.clients.consumer(**clients.for_consumer())) as consumer:
            consumer.assign(places)
            for place in places:
                consumer.seek(place, 0)
            while not self._deaf.is_set():
                with suppress(KafkaError):
                    self._hear(consumer.poll(timeout_ms=POLL_MS))

    def _hear(self, polled: dict[Any, list[Any]]) -> None:
        now = time.monotonic()
        if polled:
            if self.answered and not self._enough.is_set():
                self.longest_pause_s = max(self.longest_pause_s, now - self._heard_at)
            self._heard_at = now
        for records in polled.values():
            self.answered.update(dict(record.headers)[POSITION].decode() for record in records)


def fully_checked(ledger: LiveLedger, load: Load) -> WholeLedger:
    """Everything acknowledged is decided once, as a model decides it, and answered so."""
    settings: LiveSettings = ledger.settings
    key = (settings.keys / "salt.key").read_bytes()
    whole = read_whole(Founded(settings=settings, partitions=ledger.partitions, is_sandbox=ledger.is_sandbox, key=key))
    on_topic = {
        position_of(number, command.offset): command.value
        for number, shard in enumerate(whole.shards)
        for command in shard.commands
    }
    for position, value in load.acknowledged.items():
        assert position in on_topic, f"lost: {position} {value!r:.100}"
        assert on_topic[position] == value, f"{position} holds {on_topic[position]!r:.100}, expected {value!r:.100}"
    return whole


def _joining(subscriber: str) -> list[bytes]:
    """What makes a subscriber one with a number and money."""
    return [
        _live("RegisterSubscriber", "join-1", subscriber, holder=f"h-{subscriber}"),
        _live("PassVerification", "join-2", subscriber),
        _live("CreditDeposit", "join-3", subscriber, reference=f"first-{subscriber}", amount="100.00"),
        _live("OrderNumber", "join-4", subscriber, number=_number_of(subscriber)),
    ]


def _number_of(subscriber: str) -> str:
    return f"+38044{int(subscriber.removeprefix('s-')):07d}"


def _live(kind: str, command_id: str, subscriber: str, **data: Any) -> bytes:
    """A command of a live ledger: without an instant."""
    command = line(kind, command_id, subscriber=subscriber, **data)
    del command["at"]
    return orjson.dumps(command)
