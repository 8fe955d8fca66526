"""One run: a ledger on simulated brokers, everybody who works on it, and everything that happens to them."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import structlog

from infra.kafka import producer, reader
from infra.kafka import topics as kafka_topics
from infra.kafka.index import LocalIndex, remove_index
from infra.live import calendar, catalogue, following, projecting, sending, topics, worker
from infra.live.catalogue import found
from infra.live.keys import LiveKeys
from infra.live.places import partition_of
from infra.live.settings import LiveSettings
from infra.live.writing import _received
from infra.sealing import KeyFolder, key_in
from tests.model.generate import generate
from tests.simulation.scheduler import CALM, Odds, Scheduler, SimulatedClock, SimulatedTime
from tests.simulation.views import Database
from tests.support.live_settings import in_memory, reached_by
from tests.support.memory_kafka import Fate, MemoryClients, MemoryCluster, Network

TOPICS = "sim"
LIMITS = {
    "stall_limit_s": 5.0,
    # These two are waited for on the real clock, in which nothing takes long here.
    "commit_deadline_s": 3600.0,
    "fence_deadline_s": 3600.0,
}
MOST_POINTS = 2_500
"""How long a storm lasts at most."""
MOST_SWITCHES = 20_000
MOST_CALM_SWITCHES = 20_000
DAY_MS = 86_400_000
POLL_MS = 400
LOOK_MS = 200
"""How often the calm is asked whether everything is settled."""


class Weather(Network):
    """What happens to the requests of one life of one process."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.is_dead = False
        """The process has crashed: whatever its remains try is never done."""

    def before(self, request: str) -> Fate:
        if self.is_dead:
            return Fate.LOST
        self._scheduler.point(request)
        rng, odds = self._scheduler.rng, self._scheduler.odds
        chance = rng.random()
        for fate, probability in (
            (Fate.LOST, odds.lost),
            (Fate.ANSWER_LOST, odds.answer_lost),
            (Fate.LATE, odds.late),
        ):
            chance -= probability
            if chance < 0:
                return fate
        return Fate.ANSWERED

    def after(self, request: str) -> None:
        self._scheduler.point(f"{request} done")

    def late_ms(self) -> int:
        return self._scheduler.rng.randint(1, self._scheduler.odds.late_ms)

    def marker_ms(self) -> int:
        return self._scheduler.rng.randint(0, self._scheduler.odds.marker_ms)

    def records(self, found: int) -> int:
        return found if self._scheduler.rng.random() < 0.7 else self._scheduler.rng.randint(0, found)


@dataclass(slots=True)
class Acknowledged:
    """A record that a sender was told to be on the topic."""

    partition: int
    offset: int
    value: bytes | None


@dataclass(slots=True)
class Told:
    """What a sender heard."""

    position: str
    outcome: dict[str, Any]


@dataclass
class World:
    """Everything that outlives a process, and what the check will want to know."""

    seed: int
    folder: Path
    scheduler: Scheduler
    cluster: MemoryCluster
    clock: SimulatedClock
    database: Database
    partitions: int
    is_sandbox: bool
    odds: Odds
    key: bytes
    script: list[list[bytes | None]]
    """What each sender sends, in order."""
    is_calm: bool = False
    acknowledged: list[Acknowledged] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    sealed: dict[tuple[str, str, bytes], str] = field(default_factory=dict)
    """What personal data was sealed to, while there was a key."""
    senders_done: int = 0
    lives: int = 0
    doubled: set[int] = field(default_factory=set)
    """Shards that a second writer comes to now and then."""
    look_ms: int = 0
    read_settings: dict[str, LiveSettings] = field(default_factory=dict)

    def settings(self, actor: str, network: Network) -> LiveSettings:
        """Those of one life of an actor: a copy, since reading the environment takes longer than many a life."""
        known = self.read_settings.get(actor)
        if known is None:
            data, keys = self.folder / actor, self.folder / "keys"
            known = in_memory(
                self.cluster, self.folder, limits=LIMITS, topics=TOPICS, data=data, keys=keys, poll_ms=POLL_MS
            )
            self.read_settings[actor] = known
        return reached_by(known, MemoryClients(self.cluster, network))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)

    def wait_s(self, seconds: float) -> None:
        self.scheduler.wait(seconds * 1000)

    @property
    def rng(self) -> random.Random:
        return self.scheduler.rng


def made(seed: int, folder: Path) -> World:
    """A founded ledger with nothing on it, and what its senders will send."""
    scheduler = Scheduler(seed)
    rng = scheduler.rng
    clock = SimulatedClock(scheduler)
    cluster = MemoryCluster(clock)
    is_sandbox = rng.random() < 0.5
    partitions = rng.choice((1, 2, 3))
    keys = folder / "keys"
    keys.mkdir(parents=True)
    (keys / "salt.key").write_bytes(bytes(32))
    world = World(
        seed=seed,
        folder=folder,
        scheduler=scheduler,
        cluster=cluster,
        clock=clock,
        database=Database(scheduler),
        partitions=partitions,
        is_sandbox=is_sandbox,
        odds=Odds.drawn(rng),
        key=key_in(keys / "salt.key"),
        script=_script(rng, seed, partitions, is_sandbox=is_sandbox),
    )
    settings = world.settings("founder", Network())
    topics.create(settings, partitions)
    found(settings, world.key, partitions, sandbox=is_sandbox, folder=settings.data)
    return world


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """The code under test in the simulation's time, with a point at each durable change that is not on the brokers."""
    scheduler = world.scheduler
    time = SimulatedTime(scheduler)
    with ExitStack() as stack:
        for module in (producer, reader, kafka_topics, worker, catalogue, following, projecting, sending, calendar):
            if hasattr(module, "time"):
                stack.enter_context(mock.patch.object(module, "time", time))
        for owner, name in (
            (LocalIndex, "apply"),
            (KeyFolder, "intend_to_erase"),
            (KeyFolder, "erase"),
            (KeyFolder, "keep"),
        ):
            stack.enter_context(mock.patch.object(owner, name, _with_points(scheduler, name, getattr(owner, name))))
        stack.enter_context(mock.patch.object(LiveKeys, "seal", _remembering(world, LiveKeys.seal)))
        stack.enter_context(
            mock.patch.object(
                calendar, "ask", lambda database, view, name, parameters=(): database.ask(view, name, parameters)
            )
        )
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        stack.callback(structlog.reset_defaults)
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        yield


def run(world: World, actors: Sequence[tuple[str, Callable[[World, str], None]]]) -> None:
    """First the storm, then a calm in which everything has to come to its end."""
    scheduler = world.scheduler
    senders = len(world.script)
    for name, body in actors:
        scheduler.spawn(name, lambda body=body, name=name: body(world, name))  # type: ignore[misc]
    try:
        scheduler.odds = world.odds
        scheduler.run(lambda: world.senders_done == senders or scheduler.points > MOST_POINTS, MOST_SWITCHES)
        scheduler.odds = CALM
        world.is_calm = True
        assert scheduler.run(lambda: world.senders_done == senders, MOST_CALM_SWITCHES), "senders do not end"
        assert scheduler.run(lambda: _is_settled(world), MOST_CALM_SWITCHES), "the ledger does not settle"
    finally:
        scheduler.end()


def damage(world: World, folder: Path, name: str, number: int) -> None:
    """What may happen to an index while no process has it open."""
    files = sorted(folder.glob("*events*.sqlite")) if folder.exists() else []
    older = world.folder / f"{name}-older"
    for file in files:
        chance = world.rng.random()
        if chance < 0.1:
            remove_index(file)
        elif chance < 0.15 and file.stat().st_size:
            kept = world.rng.randint(0, file.stat().st_size)
            with file.open("r+b") as opened:
                opened.truncate(kept)
        elif chance < 0.25:
            shutil.copy(file, older)
        elif chance < 0.35 and older.exists():
            remove_index(file)
            shutil.copy(older, file)


def received(records: Sequence[Any]) -> list[Any]:
    """What the process `write` makes of records."""
    return [_received(record) for record in records]


def _is_settled(world: World) -> bool:
    """Every command is dealt with, and the views have every fact."""
    from tests.simulation.checks import is_settled

    if world.scheduler.now_ms < world.look_ms:
        return False
    world.look_ms = world.scheduler.now_ms + LOOK_MS
    return is_settled(world)


def _script(rng: random.Random, seed: int, partitions: int, *, is_sandbox: bool) -> list[list[bytes | None]]:
    length = rng.choice((15, 40, 80))
    provider = rng.choice((None, "telnexx", "illyvoip", "hexaserv"))
    commands = generate(seed, provider=provider, subscribers=rng.randint(1, 4), length=length)
    if not is_sandbox:
        commands = [{name: part for name, part in command.items() if name != "at"} for command in commands]
    lines: list[bytes | None] = [orjson.dumps(command) for command in commands]
    for _ in range(rng.choice((0, 2, 6))):
        lines.insert(rng.randint(0, len(lines)), _poison(rng))
    for _ in range(rng.choice((0, 3, 10))):
        lines.insert(rng.randint(0, len(lines)), rng.choice(lines))
    senders = rng.choice((1, 1, 2, 3))
    return [lines[number::senders] for number in range(senders)]


def _poison(rng: random.Random) -> bytes | None:
    """What is no command."""
    return rng.choice(
        (
            None,
            b"",
            b"{",
            b"[]",
            b"\xff\xfe",
            b'{"id": 1}',
            b'{"id": "c-x", "type": "CreditDeposit", "subscriber": "s-1", "data": {"amount": 1.5}}',
            b'{"id": "c-y", "type": "AdvanceClock", "subscriber": "s-1", "at": "2026-01-01T00:00:00", "data": {}}',
            b'{"id": "long", "data": "' + b"x" * 500_001 + b'"}',
        )
    )


def partition_for(value: bytes | None, partitions: int, rng: random.Random) -> tuple[bytes | None, int]:
    """Key and partition that a sender chooses; now and then the wrong one."""
    with suppress(ValueError, TypeError, AttributeError):
        subscriber = orjson.loads(value or b"").get("subscriber")
        if isinstance(subscriber, str):
            home = partition_of(subscriber, partitions)
            return subscriber.encode(), home if rng.random() > 0.01 else rng.randrange(partitions)
    return (b"nobody" if value is None else None), rng.randrange(partitions)


def _with_points(scheduler: Scheduler, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def stopping(*arguments: Any, **named: Any) -> Any:
        scheduler.point(name)
        answer = original(*arguments, **named)
        scheduler.point(f"{name} done")
        return answer

    return stopping


def _remembering(world: World, seal: Callable[..., str]) -> Callable[..., str]:
    def sealing(keys: LiveKeys, subject: str, command_id: str, personal: Any) -> str:
        text = seal(keys, subject, command_id, personal)
        world.sealed.setdefault((subject, command_id, orjson.dumps(personal, option=orjson.OPT_SORT_KEYS)), text)
        return text

    return sealing
