"""The process `subledger write`: one consumer group over the shards of `commands.v1`, each shard one fenced writer.

The thread of the process polls and hands records to a thread per shard, which decides, commits and replies. Offsets
committed to the group are a hint, written after the replies: what is read again is answered from the index with the
first outcome, so that a reply that a crash swallowed is sent after all.
"""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from eventsourcing.persistence import PersistenceError
from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from consumers.ports import StoreError
from consumers.serving import Received, Served
from infra.kafka import groups
from infra.kafka.errors import CorruptLog, Fenced, Unreachable, reason
from infra.live import topics
from infra.live.catalogue import LiveCatalogue
from infra.live.health import Health, WriterMetrics
from infra.live.keys import salt_key
from infra.live.places import COMMANDS
from infra.live.sending import NeverTaken, Sender, Told
from infra.live.settings import LiveSettings
from infra.live.watch import Watch, stack_of
from infra.live.worker import STUCK_LIMIT_SECONDS, ShardLost, ShardStuck, ShardWorker

GROUP = "write"
BACKLOG_RECORDS = 2_000
"""Records of a shard that wait in memory before its partition is paused."""
HINT_SECONDS = 1.0
HINT_LIMIT_S = 3.0
"""How long the group may take for a hint: nothing is polled meanwhile, and the next one says as much."""
REOPEN_SECONDS = 2.0
CORRUPT_LIMIT = 3
"""How often a shard whose log cannot be right is opened anew before the process ends with the diagnosis."""
ABSENT_LIMIT_S = 60.0
"""How long the brokers may be absent before the process ends and leaves waiting to whoever restarts it."""
SIGN_OF_LIFE_S = 10.0
"""How often the brokers are asked where the commands end, and so whether they are there."""
LEAST_S = 0.2
STEADY_S = 30.0
"""A shard that has been open for so long is not taken for one that fails again and again."""
TURN_LIMIT_S = 180.0
"""How long a turn of the process may take: longer than all its own limits together."""
GROUP_LIMIT_S = 180.0
"""The same for an attempt of a shard to decide and store a group."""
STANDING_LIMIT_S = 60.0
"""How long commands may be there without one being read, though nothing waits here, before the process ends."""


class ShardThread:
    """One shard's thread: takes what the process polled, works it through, tells the outcomes."""

    def __init__(self, worker: ShardWorker, sender: Sender, settings: LiveSettings) -> None:
        self.number = worker.number
        self._worker = worker
        self._sender = sender
        self._settings = settings
        self._say = structlog.get_logger()
        self._waiting: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._told: deque[tuple[int, list[Told]]] = deque()
        self.start_offset: int | None = None
        """Known once the shard is open."""
        self.failed: BaseException | None = None
        self.seeked_at: float | None = None
        self._group_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"shard {self.number}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_seeked(self) -> bool:
        """Whether its records come."""
        return self.seeked_at is not None

    @property
    def is_working(self) -> bool:
        """Whether it does with them what it should, as far as is known."""
        return self.is_seeked and self.is_alive and not self._worker.is_retrying

    @property
    def stuck(self) -> str | None:
        """Where it stands, if it has been at one attempt to store a group for longer than that can take."""
        since = self._group_since
        if since is None or self._worker.is_retrying or time.monotonic() - since < GROUP_LIMIT_S:
            return None
        return stack_of(self._thread.ident)

    @property
    def backlog(self) -> int:
        """Records that wait."""
        return self._waiting.qsize()

    def offer(self, records: Iterable[Received]) -> None:
        """Hands over what was polled, in order."""
        for record in records:
            self._waiting.put(record)

    def hint(self) -> int | None:
        """The offset behind the last command whose outcome has been told; None where there is nothing new.

        Raises Unreachable where an outcome could not be told.
        """
        reached = None
        while self._told and all(sent.is_settled for sent in self._told[0][1]):
            offset, sent = self._told.popleft()
            for one in sent:
                try:
                    one.arrived()
                except NeverTaken as failed:
                    # Nobody would take it the next time either; its facts are stored.
                    self._say.error("an outcome cannot be told", shard=self.number, error=str(failed))
            reached = offset + 1
        return reached

    def stop(self) -> None:
        """Tells it to end after the group it is at."""
        self._stopping.set()

    def join(self, limit_s: float) -> bool:
        """Waits for its end; whether it came."""
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.start_offset = self._worker.open()
            while not self._stopping.is_set():
                batch = self._gather()
                if batch:
                    self._group_since = time.monotonic()
                    served = self._worker.work(batch, self._stopping.is_set)
                    self._group_since = None
                    self._tell(batch, served)
        except Exception as failed:  # noqa: BLE001 - the process decides what follows
            self.failed = failed
        finally:
            with suppress(PersistenceError, StoreError):
                self._worker.close()

    def _tell(self, batch: Sequence[Received], served: Sequence[Served]) -> None:
        if served:
            self._told.append((batch[-1].offset, self._sender.tell(self.number, served)))

    def _gather(self) -> list[Received]:
        """A group: as many as are there, up to the limits of count and time."""
        try:
            batch = [self._waiting.get(timeout=self._settings.poll_ms / 1000)]
        except queue.Empty:
            return []
        deadline = time.monotonic() + self._settings.group_ms / 1000
        while len(batch) < self._settings.group_commands:
            try:
                batch.append(self._waiting.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return batch


class WriteProcess:
    """The process. `run` until `stop`; raises what it cannot go on with."""

    def __init__(self, settings: LiveSettings, health: Health) -> None:
        """Raises Unreachable, NotFounded, WrongTopics, WrongKey: nothing was taken over."""
        self._settings = settings
        self._health = health
        self._say = structlog.get_logger()
        self._catalogue = LiveCatalogue(settings)
        self.founding = self._catalogue.founded()
        topics.check(settings, self.founding.partitions)
        self._key = salt_key(settings.keys, self.founding)
        self._metrics = WriterMetrics(health.registry)
        self._sender = Sender(settings)
        self._stopping = threading.Event()
        self._stop_by = math.inf
        self._shards: dict[int, ShardThread] = {}
        self._reopen_at: dict[int, float] = {}
        self._next_check = self._well_at = time.monotonic()
        self._corrupt: dict[int, int] = {}
        self._failing: dict[int, float] = {}
        """Shard → since when it has failed again and again."""
        self._standing: dict[int, tuple[int, float]] = {}
        """Shard whose commands are not read → the offset at which they wait, and since when."""
        self._is_reachable = True
        self._topic = settings.topic(COMMANDS)
        group = f"{settings.topics}.{GROUP}"
        self._consumer: Any = settings.clients.clients.consumer(**settings.clients.for_group_consumer(group))
        groups.subscribe(self._consumer, [self._topic], _Rebalance(self))

    def stop(self) -> None:
        """Lets `run` end: after the groups that are being committed, with nothing half done."""
        self._stop_by = min(self._stop_by, time.monotonic() + self._settings.stop_seconds)
        self._stopping.set()

    def run(self) -> None:
        """Works until `stop`. Raises Unreachable, WrongTopics, CorruptLog."""
        try:
            with Watch(TURN_LIMIT_S) as watch:
                self._work(watch)
        finally:
            self._close()

    def _work(self, watch: Watch) -> None:
        next_hint = next_sign = self._well_at = time.monotonic()
        while not self._stopping.is_set():
            watch.turn()
            self._poll()
            self._look_after_shards()
            now = time.monotonic()
            if now >= next_hint:
                self._write_hints()
                next_hint = now + HINT_SECONDS
            if now >= next_sign:
                self._require_reading()
                next_sign = now + SIGN_OF_LIFE_S
            if now >= self._next_check:
                self._check()
            self._tell_health()

    def _check(self) -> None:
        """Whether the brokers are there, and keep all history. Raises WrongTopics, and Unreachable after a while."""
        now = time.monotonic()
        try:
            topics.check(self._settings, self.founding.partitions)
        except Unreachable as absent:
            if now - self._well_at > ABSENT_LIMIT_S:
                raise
            self._say.warning("brokers do not answer", error=str(absent))
            self._is_reachable = False
            self._next_check = now + REOPEN_SECONDS
        else:
            self._well_at = now
            self._is_reachable = True
            self._next_check = now + self._settings.check_seconds

    def _require_reading(self) -> None:
        """Raises Unreachable where commands are there and the consumer does not bring them, whatever it says."""
        idle = {self._partition(one.number): one for one in self._shards.values() if one.is_seeked and not one.backlog}
        places = [place for place in idle if place not in self._consumer.paused()]
        limit_ms = self._settings.clients.request_timeout_ms
        standing: dict[int, tuple[int, float]] = {}
        try:
            ends = self._consumer.end_offsets(places, timeout_ms=limit_ms) if places else {}
            for place, end in ends.items():
                position = self._consumer.position(place, timeout_ms=limit_ms)
                if position is not None and position < end:
                    at, since = self._standing.get(place.partition, (-1, 0.0))
                    standing[place.partition] = (position, since if at == position else time.monotonic())
        except KafkaError:
            self._is_reachable = False
            self._next_check = 0.0  # Which says what that is, and for how long it has been so.
        self._standing = standing
        for number, (position, since) in standing.items():
            if time.monotonic() - since > STANDING_LIMIT_S:
                raise Unreachable(
                    f"{self._topic}/{number}: commands from offset {position} on are there, and were not read for"
                    f" {STANDING_LIMIT_S:g} s"
                )

    def _tell_health(self) -> None:
        """Ready: every shard that the group gave us works, there is one at least, and the brokers are there."""
        shards = self._shards.values()
        self._health.ready(
            bool(shards) and self._is_reachable and not self._reopen_at and all(shard.is_working for shard in shards)
        )

    def assigned(self, numbers: Iterable[int]) -> None:
        """These shards are ours now."""
        for number in numbers:
            self._open(number)

    def revoked(self, numbers: Iterable[int]) -> None:
        """These shards are not ours any more: each ends with the group it is at."""
        numbers = list(numbers)
        gone = [self._shards.pop(number) for number in numbers if number in self._shards]
        for number in numbers:
            self._reopen_at.pop(number, None)
            self._failing.pop(number, None)
        self._end_all(gone, time.monotonic() + self._settings.stop_seconds)

    def _end_all(self, shards: Sequence[ShardThread], deadline: float) -> None:
        """Ends shards, and writes down how far they came; a thread that is not through by the deadline is left alone.

        What it may still be committing is answered from the log by whoever has the shard next.
        """
        for shard in shards:
            shard.stop()
        for shard in shards:
            shard.join(_left(deadline))
        self._write_hints(shards)

    def _open(self, number: int) -> None:
        self._reopen_at.pop(number, None)
        if number in self._shards:  # Two threads of one shard would fence each other.
            return
        worker = ShardWorker(self._settings, number, catalogue=self._catalogue, key=self._key, metrics=self._metrics)
        self._shards[number] = ShardThread(worker, self._sender, self._settings)
        self._consumer.pause(self._partition(number))

    def _poll(self) -> None:
        groups.take_up(self._consumer)
        try:
            polled = self._consumer.poll(timeout_ms=self._settings.poll_ms)
        except KafkaError as failed:
            self._say.warning("commands cannot be read", error=reason(failed))
            self._stopping.wait(REOPEN_SECONDS)
            self._is_reachable = False
            self._next_check = 0.0
            return
        for partition, records in polled.items():
            shard = self._shards.get(partition.partition)
            if shard is not None and shard.is_seeked:
                shard.offer(_received(record) for record in records)

    def _look_after_shards(self) -> None:
        open_shards = 0
        for number, shard in list(self._shards.items()):
            if (stack := shard.stuck) is not None:
                self._say.critical("a shard stands still", shard=number, stack=stack)
                raise Unreachable(f"shard {number} has been at one group for {GROUP_LIMIT_S:g} s")
            if not shard.is_alive:
                self._end(number, shard)
            elif shard.start_offset is not None:
                self._feed(number, shard)
                open_shards += shard.is_seeked
                if shard.seeked_at is not None and time.monotonic() - shard.seeked_at > STEADY_S:
                    self._failing.pop(number, None)
        for number, at in list(self._reopen_at.items()):
            if time.monotonic() >= at:
                del self._reopen_at[number]
                if self._partition(number) in self._consumer.assignment():
                    self._open(number)
        self._metrics.shards.set(open_shards)

    def _feed(self, number: int, shard: ShardThread) -> None:
        """Lets a shard's records come, from where it stands; pauses them while too many wait."""
        partition = self._partition(number)
        if not shard.is_seeked:
            try:
                self._seek(partition, shard)
            except KafkaError as failed:  # It is tried again with the next poll.
                self._say.warning("not settled in the group yet", shard=number, error=reason(failed))
        elif shard.backlog >= BACKLOG_RECORDS:
            self._consumer.pause(partition)
        elif partition in self._consumer.paused() and shard.backlog < BACKLOG_RECORDS // 2:
            self._consumer.resume(partition)
        self._metrics.lag.labels(str(number)).set(shard.backlog)

    def _seek(self, partition: Any, shard: ShardThread) -> None:
        """To the hint, where that is not beyond what the index says.

        A first hint is written before anything is decided: without one nobody knows whose replies a crash swallowed.
        Raises CorruptLog where commands were lost, KafkaError where the group is not settled yet.
        """
        assert shard.start_offset is not None
        limit_ms = self._settings.clients.request_timeout_ms
        first = self._consumer.beginning_offsets([partition], timeout_ms=limit_ms)[partition]
        if first > shard.start_offset:
            raise CorruptLog(
                f"{self._topic}/{shard.number} begins at offset {first}, and commands from offset {shard.start_offset}"
                " on were never decided: is retention switched on?"
            )
        hint = self._consumer.committed(partition, timeout_ms=limit_ms)
        start = min(hint, shard.start_offset) if hint is not None else shard.start_offset
        if hint is None:
            self._commit({shard.number: start})
        self._consumer.seek(partition, max(start, first))
        self._consumer.resume(partition)
        shard.seeked_at = time.monotonic()

    def _end(self, number: int, shard: ShardThread) -> None:
        """A shard that has ended by itself: given up first; whether it is still ours is asked later."""
        del self._shards[number]
        with suppress(KeyError, AssertionError):
            self._consumer.pause(self._partition(number))
        failed = shard.failed
        self._metrics.restarts.inc()
        cause = failed.__cause__ if isinstance(failed, ShardLost) else failed
        cause = cause.__cause__ if isinstance(cause, StoreError) else cause
        self._say.warning("shard lost", shard=number, error=str(failed))
        if isinstance(failed, ShardStuck):
            raise Unreachable(f"shard {number} could store nothing for {STUCK_LIMIT_SECONDS:g} s: {failed}")
        if isinstance(cause, CorruptLog):
            self._corrupt[number] = self._corrupt.get(number, 0) + 1
            if self._corrupt[number] >= CORRUPT_LIMIT:
                raise cause
        elif failed is not None and not isinstance(failed, PersistenceError | StoreError | ShardLost):
            raise failed
        elif not isinstance(cause, Fenced):
            since = self._failing.setdefault(number, time.monotonic())
            if time.monotonic() - since > STUCK_LIMIT_SECONDS:
                raise Unreachable(f"shard {number} could not be opened for {STUCK_LIMIT_SECONDS:g} s: {failed}")
        self._reopen_at[number] = time.monotonic() + REOPEN_SECONDS

    def _write_hints(self, shards: Iterable[ShardThread] | None = None) -> None:
        hints = {}
        for shard in self._shards.values() if shards is None else shards:
            try:
                reached = shard.hint()
            except Unreachable as failed:
                # Its outcomes were not all told: it begins again behind the last hint, and tells them once more.
                shard.failed = shard.failed or failed
                shard.stop()
                continue
            if reached is not None:
                hints[shard.number] = reached
        if hints:
            with suppress(KafkaError):  # A hint that is not written costs the reading of what was answered.
                self._commit(hints)

    def _commit(self, hints: dict[int, int]) -> None:
        """Writes hints to the group. Raises KafkaError where they were not taken."""
        offsets = {self._partition(number): OffsetAndMetadata(offset, "", -1) for number, offset in hints.items()}
        limit_s = min(HINT_LIMIT_S, _left(self._stop_by) / 4)
        self._consumer.commit(offsets, timeout_ms=int(limit_s * 1000))

    def _close(self) -> None:
        """Gives everything up within `stop_seconds` of being told to stop, whether brokers answer or not.

        Half of what is left is for the shards, so that there is time to tell the group, and whoever waits for replies.
        """
        self._health.ready(False)
        now = time.monotonic()
        stop_by = min(self._stop_by, now + self._settings.stop_seconds)
        with suppress(KafkaError, Unreachable):
            self._end_all([self._shards.pop(number) for number in list(self._shards)], now + (stop_by - now) / 2)
        self._sender.close(_left(stop_by) / 2)
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=int(_left(stop_by) * 1000))
        self._catalogue.close()

    def _partition(self, number: int) -> Any:
        return TopicPartition(self._topic, number)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the consumer group says."""

    def __init__(self, process: WriteProcess) -> None:
        self._process = process

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._process.revoked(partition.partition for partition in revoked)

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._process.assigned(partition.partition for partition in assigned)


def _left(deadline: float) -> float:
    """Seconds until then; a little where it is over, for what takes no time."""
    return max(LEAST_S, deadline - time.monotonic())


def _received(record: Any) -> Received:
    appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Received(offset=record.offset, key=record.key, value=record.value, appended_at=appended_at)
