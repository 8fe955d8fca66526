"""The process `subledger calendar`: lets time pass for subscribers whom no command names.

It asks the deadlines' view who is due and sends each an `AdvanceClock`. Nothing depends on when, how often or by how
many processes that is done: time does its part at its own instants whatever command comes (CONTRACT §3), and a command
under an id that was used is answered with its first outcome.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
import structlog
from prometheus_client import Counter, Gauge

from infra.kafka.errors import Unreachable
from infra.live.catalogue import LiveCatalogue
from infra.live.health import READY_SECONDS, Health
from infra.live.places import COMMANDS, partition_of
from infra.live.sending import Sender
from infra.live.settings import LiveSettings, SettingsFault
from infra.postgres.connecting import Connection, connect, first_line
from infra.postgres.questions import ask
from infra.views.calendar import Deadline, deadlines

ACTOR = "calendar"
SENT_AT_ONCE = 5_000
AGAIN_AFTER = timedelta(seconds=30)
AGAIN_AT_MOST = timedelta(hours=6)
"""A deadline that stays was harmless, or came to the broker before its instant: it is tried again, ever more seldom."""
ABSENT_LIMIT_S = 60.0
RETRY_SECONDS = 2.0

Clock = Callable[[], datetime]


@dataclass(slots=True)
class _Tried:
    """How often a subscriber's deadline was sent, and when it may be sent again."""

    deadline: datetime
    attempts: int
    again_at: datetime


class Reminders:
    """Which deadlines are to be sent now: each once, and again where it stays. It may forget all at any instant."""

    def __init__(self) -> None:
        self._tried: dict[str, _Tried] = {}

    def due(self, found: Iterable[Deadline], now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
        """Subscriber and command for each whose instant has come; the earliest of a subscriber stands for all."""
        current: dict[str, _Tried] = {}
        for deadline in found:
            subscriber = deadline.subscriber
            if deadline.at > now or subscriber in current:
                continue
            tried = self._tried.get(subscriber)
            if tried is None or tried.deadline != deadline.at:
                tried = _Tried(deadline.at, 0, now)
            current[subscriber] = tried
            if now >= tried.again_at:
                tried.attempts += 1
                tried.again_at = now + min(AGAIN_AFTER * 2 ** min(tried.attempts - 1, 20), AGAIN_AT_MOST)
                yield subscriber, _command(subscriber, deadline.at, tried.attempts)
        self._tried = current


class CalendarProcess:
    """The process. `run` until `stop`; `step` looks once."""

    def __init__(
        self,
        settings: LiveSettings,
        health: Health,
        clock: Clock = lambda: datetime.now(UTC),
        connect_to: Callable[[LiveSettings], Connection] | None = None,
    ) -> None:
        """Raises Unreachable, NotFounded, and SettingsFault for a sandbox ledger, whose time is in its commands."""
        self._settings = settings
        self._health = health
        self._clock = clock
        self._connect = connect_to or _connected
        self._catalogue = LiveCatalogue(settings)
        founding = self._catalogue.founded()
        if founding.sandbox:
            self._catalogue.close()
            raise SettingsFault(
                f"the ledger of {settings.topics}.* is a sandbox, its time is that of its commands: send AdvanceClock"
            )
        self._partitions = founding.partitions
        self._sender = Sender(settings)
        self._connection: Connection | None = None
        self._reminders = Reminders()
        self._ahead = timedelta()
        """By how much this machine's clock was ahead of the broker's, when a record was last acknowledged."""
        self._stopping = threading.Event()
        self._well_at = time.monotonic()
        self._say = structlog.get_logger()
        self._sent = Counter("subledger_reminders", "AdvanceClock commands sent.", registry=health.registry)
        self._clock_ahead = Gauge(
            "subledger_clock_ahead_seconds",
            "By how much this clock is ahead of the broker's.",
            registry=health.registry,
        )
        self._restarts = Counter("subledger_restarts", "Connections made anew after a doubt.", registry=health.registry)

    def stop(self) -> None:
        """Lets `run` end after the look that it is at."""
        self._stopping.set()

    def run(self) -> None:
        """Works until `stop`. Raises Unreachable where a server was absent for ABSENT_LIMIT_S."""
        try:
            while not self._stopping.is_set():
                try:
                    self.step()
                except (psycopg.Error, Unreachable) as failed:
                    self._lost(failed)
                else:
                    self._well_at = time.monotonic()
                    self._health.ready(True, self._settings.calendar_seconds + READY_SECONDS)
                self._stopping.wait(self._settings.calendar_seconds)
        finally:
            self.close()

    def step(self) -> int:
        """Looks who is due by now and sends each a reminder; how many. Raises psycopg.Error, Unreachable."""
        connection = self._connection or self._connect(self._settings)
        self._connection = connection
        now = self._clock() - max(self._ahead, timedelta())
        found = deadlines(
            lambda view, name, *parameters: ask(connection, view, name, parameters),
            self._catalogue.state().catalogue,
            now,
        )
        total = 0
        batch: list[tuple[str, dict[str, Any]]] = []
        for reminder in self._reminders.due(found, now):
            batch.append(reminder)
            if len(batch) >= SENT_AT_ONCE:
                total += self._send(batch)
                batch = []
        total += self._send(batch)
        if total:
            self._say.info("reminded", subscribers=total, until=now.isoformat())
        return total

    def close(self) -> None:
        """Ends the connections."""
        self._health.ready(False)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._sender.close()
        self._catalogue.close()

    def _send(self, reminders: list[tuple[str, dict[str, Any]]]) -> int:
        """Sends and waits for every acknowledgement, which also tells what time it is at the broker."""
        sent = [
            self._sender.send(
                COMMANDS,
                orjson.dumps(command),
                key=subscriber.encode(),
                partition=partition_of(subscriber, self._partitions),
            )
            for subscriber, command in reminders
        ]
        for one in sent:
            _, _, timestamp_ms = one.arrived()
            self._ahead = self._clock() - datetime.fromtimestamp(timestamp_ms / 1000, UTC)
        self._sent.inc(len(sent))
        self._clock_ahead.set(self._ahead.total_seconds())
        return len(sent)

    def _lost(self, failed: Exception) -> None:
        """Begins again a little later."""
        self._health.ready(False)
        self._restarts.inc()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if time.monotonic() - self._well_at > ABSENT_LIMIT_S:
            raise failed
        self._say.warning("begins again", error=first_line(failed))
        self._stopping.wait(RETRY_SECONDS)


def _command(subscriber: str, at: datetime, attempt: int) -> dict[str, Any]:
    """The same for every calendar that sends this deadline for the same time: it is then decided once."""
    return {
        "id": f"clock-{at.strftime('%Y%m%dT%H%M%S.%fZ')}-{attempt}",
        "type": "AdvanceClock",
        "subscriber": subscriber,
        "actor": ACTOR,
        "data": {},
    }


def _connected(settings: LiveSettings) -> Connection:
    return connect(settings.dsn, settings.schema_name, name="subledger calendar")
