"""Those who work on the simulated ledger: each is a loop of lives, and a life is a process from its start to its end.

A life that crashes leaves nothing but what is durable: its connections are silent from then on, and the next life
begins from the topics, the index file and the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from eventsourcing.persistence import PersistenceError
from kafka import OffsetAndMetadata, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry

from infra.kafka.errors import CorruptLog, Unreachable
from infra.live import sending
from infra.live.calendar import CalendarProcess
from infra.live.catalogue import LiveCatalogue
from infra.live.health import Health, WriterMetrics
from infra.live.places import COMMANDS, POSITION, REPLIES, position_of
from infra.live.projecting import ProjectProcess, ServerAbsent
from infra.live.sending import Sender
from infra.live.settings import LiveSettings
from infra.live.worker import ShardLost, ShardWorker
from tests.simulation.scheduler import Crash
from tests.simulation.world import (
    DAY_MS,
    POLL_MS,
    Acknowledged,
    Told,
    Weather,
    World,
    damage,
    partition_for,
    received,
)

REPLY_LIMIT_S = 10.0
JUMPS_MS = (-60_000, 1_000, 60_000, DAY_MS, 20 * DAY_MS, 40 * DAY_MS)
Life = Callable[[World, LiveSettings], None]


class Lives:
    """An actor: one life after the other."""

    def __init__(self, live: Life) -> None:
        self._live = live

    def __call__(self, world: World, name: str) -> None:
        while True:
            weather = Weather(world.scheduler)
            world.lives += 1
            try:
                self._live(world, world.settings(name, weather))
                return
            except (Unreachable, ServerAbsent, KafkaError):
                pass  # Whoever watches over the process starts it again.
            except Crash:
                if world.is_calm:
                    raise
            finally:
                weather.is_dead = True
            damage(world, world.folder / name, name, 0)
            world.wait_s(world.rng.choice((0, 1, 10)))


def writer(number: int, *, is_second: bool) -> Lives:
    """The writer of a shard; a second one comes and goes, as if the group had handed the shard to two."""

    def live(world: World, settings: LiveSettings) -> None:
        while is_second:
            world.wait_s(world.rng.randint(1, 60))
            if world.is_calm:
                return
            if world.rng.random() < 0.5:
                break
        _write(world, settings, number, batches=world.rng.randint(1, 5) if is_second else None)

    return Lives(live)


def _write(world: World, settings: LiveSettings, number: int, *, batches: int | None) -> None:
    catalogue = LiveCatalogue(settings)
    worker = ShardWorker(
        settings, number, catalogue=catalogue, key=world.key, metrics=WriterMetrics(CollectorRegistry())
    )
    try:
        _Shard(world, settings, number, worker).work(batches)
    finally:
        with suppress(Exception, Crash):
            worker.close()
        catalogue.close()


class _Shard:
    """What the process `write` does for a shard, one step after the other."""

    def __init__(self, world: World, settings: LiveSettings, number: int, worker: ShardWorker) -> None:
        self._world = world
        self._settings = settings
        self._number = number
        self._worker = worker
        self._place = TopicPartition(settings.topic(COMMANDS), number)
        self._sender = Sender(settings)
        clients = settings.clients
        self._consumer = clients.clients.consumer(**clients.for_group_consumer("sim.write"))
        self._consumer.assign([self._place])
        self._told: deque[tuple[int, list[sending.Told]]] = deque()

    def work(self, batches: int | None) -> None:
        """Until it is over, or so many batches were worked through; opened again whenever the shard was lost."""
        while not self._is_over(batches):
            try:
                self._open()
                while not self._is_over(batches):
                    batches = self._batch(batches)
            except (ShardLost, PersistenceError) as lost:
                cause = lost.__cause__ if isinstance(lost, ShardLost) else lost
                if isinstance(cause, CorruptLog) or isinstance(getattr(cause, "__cause__", None), CorruptLog):
                    raise
                if isinstance(lost, Unreachable):
                    raise
                self._worker.close()
                self._world.wait_s(2)

    def _is_over(self, batches: int | None) -> bool:
        return batches is not None and (batches <= 0 or self._world.is_calm)

    def _open(self) -> None:
        start = self._worker.open()
        hint = self._consumer.committed(self._place, timeout_ms=1000)
        self._consumer.seek(self._place, start if hint is None else min(hint, start))
        if hint is None:
            self._hint(start)
        self._told.clear()

    def _batch(self, batches: int | None) -> int | None:
        rng = self._world.rng
        polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=rng.choice((1, 3, 20, 500)))
        records = polled.get(self._place)
        if records:
            served = self._worker.work(received(records), lambda: False)
            self._told.append((records[-1].offset, self._sender.tell(self._number, served)))
            batches = None if batches is None else batches - 1
        if self._told and rng.random() < 0.3:
            self._write_hint()
        return batches

    def _write_hint(self) -> None:
        reached = None
        while self._told and all(sent.is_settled for sent in self._told[0][1]):
            offset, sent = self._told.popleft()
            for one in sent:
                one.arrived()
            reached = offset + 1
        if reached is not None:
            self._hint(reached)

    def _hint(self, offset: int) -> None:
        with suppress(KafkaError):
            self._consumer.commit({self._place: OffsetAndMetadata(offset, "", -1)}, timeout_ms=1000)


def sender(number: int) -> Lives:
    """Sends its part of the script, waits for replies, and sends again what was not answered."""
    begun = [0]

    def live(world: World, settings: LiveSettings) -> None:
        lines = world.script[number]
        sending = _Sending(world, settings)
        while begun[0] < len(lines):
            window = lines[begun[0] : begun[0] + world.rng.randint(1, 12)]
            sending.send(window)
            begun[0] += len(window)
        world.senders_done += 1

    return Lives(live)


class _Sending:
    """One life of a sender."""

    def __init__(self, world: World, settings: LiveSettings) -> None:
        self._world = world
        self._sender = Sender(settings)
        self._consumer = settings.clients.clients.consumer(**settings.clients.for_consumer())
        self._consumer.assign([TopicPartition(settings.topic(REPLIES), n) for n in range(world.partitions)])

    def send(self, window: list[bytes | None]) -> None:
        """Returns when every line of the window was answered; raises Unreachable where one was not acknowledged."""
        waiting: dict[str, bytes | None] = {}
        for line in window:
            self._send(line, waiting)
        since = self._world.scheduler.now_ms
        while waiting:
            for record in self._replies():
                position = dict(record.headers)[POSITION].decode()
                if waiting.pop(position, b"") != b"":
                    since = self._world.scheduler.now_ms
            if waiting and self._world.scheduler.now_ms - since > REPLY_LIMIT_S * 1000:
                again, waiting = list(waiting.values()), {}
                for line in again:
                    self._send(line, waiting)
                since = self._world.scheduler.now_ms

    def _send(self, line: bytes | None, waiting: dict[str, bytes | None]) -> None:
        key, partition = partition_for(line, self._world.partitions, self._world.rng)
        sent = self._sender.send(COMMANDS, line, key=key, partition=partition)
        partition, offset, _ = sent.arrived()
        self._world.acknowledged.append(Acknowledged(partition, offset, line))
        waiting[position_of(partition, offset)] = line

    def _replies(self) -> list[Any]:
        from orjson import loads

        records = [record for some in self._consumer.poll(timeout_ms=POLL_MS).values() for record in some]
        for record in records:
            self._world.told.append(Told(dict(record.headers)[POSITION].decode(), loads(record.value)))
        return records


def projector() -> Lives:
    """Keeps the views."""

    def live(world: World, settings: LiveSettings) -> None:
        process = ProjectProcess(
            settings,
            Health("project", "", 0),
            open_store=lambda *_: world.database.connect(),
            executor=_AtOnce(),
            clock=lambda: world.scheduler.now_ms / 1000,
            pause=world.wait_s,
        )
        try:
            while True:
                process.step()
        finally:
            if process._session is not None:
                process._session.store.close()

    return Lives(live)


def calendar() -> Lives:
    """Lets time pass; a sandbox has no use for it."""

    def live(world: World, settings: LiveSettings) -> None:
        database: Any = world.database
        process = CalendarProcess(settings, Health("calendar", "", 0), clock=world.now, connect_to=lambda _: database)
        while not world.is_calm:
            world.scheduler.point("calendar looks")
            process.step()
            world.wait_s(settings.calendar_seconds)

    return Lives(live)


def nemesis(world: World, _: str) -> None:
    """What happens to servers and clocks."""
    while True:
        world.wait_s(world.rng.randint(1, 30))
        if world.is_calm:
            return
        chance = world.rng.random()
        if chance < 0.1:
            world.database.cut()
        elif chance < 0.2 and not world.is_sandbox:
            world.clock.ahead_ms += world.rng.choice(JUMPS_MS)
        elif chance < 0.25 and world.odds.crash:
            world.cluster.is_down = True
            world.wait_s(world.rng.randint(1, 20))
            world.cluster.is_down = False


def everybody(world: World) -> list[tuple[str, Callable[[World, str], None]]]:
    """The actors of a run, by name."""
    actors: list[tuple[str, Callable[[World, str], None]]] = [("nemesis", nemesis)]
    for number in range(world.partitions):
        actors.append((f"writer-{number}", writer(number, is_second=False)))
        if world.rng.random() < 0.6:
            actors.append((f"second-{number}", writer(number, is_second=True)))
            world.doubled.add(number)
    actors.append(("projector", projector()))
    if world.rng.random() < 0.4:
        actors.append(("standby", projector()))
    if not world.is_sandbox:
        actors += [(f"calendar-{number}", calendar()) for number in range(world.rng.randint(1, 2))]
    return [*actors, *((f"sender-{number}", sender(number)) for number in range(len(world.script)))]


class _AtOnce(Executor):
    """Work that is handed over is done before the call returns, and a crash in it is one of the whole process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as failed:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(failed)
        return future
