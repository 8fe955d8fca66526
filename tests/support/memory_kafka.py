"""A Kafka cluster in memory, and clients of it with the interface of kafka-python's, for whoever takes `Clients`.

    cluster = MemoryCluster()
    settings = KafkaSettings(bootstrap_servers="memory:1", clients=MemoryClients(cluster))

It keeps Kafka's contract as far as a ledger rests on it (KIP-98): transactions with control markers that take offsets,
epochs and fencing by transactional id, aborted records that `read_committed` does not show, a last stable offset that
lags behind a commit's answer until the markers are written, timestamps by the broker's clock, consumers that begin
anew at an offset that is not there, groups that hand out partitions cooperatively. Errors are kafka-python's classes.

A `Network` between a client and the cluster may lose a request, its answer, or let it arrive later than the client's
patience; a `Clock` says what time it is at the brokers, and how clients wait. Both do nothing of note by default.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    IllegalStateError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from kafka.partitioner.default import murmur2  # type: ignore[import-untyped]
from kafka.producer.future import RecordMetadata  # type: ignore[import-untyped]
from kafka.record.util import encode_varint  # type: ignore[import-untyped]

from infra.kafka.decoding import Place, Record
from infra.kafka.records import Header

MESSAGE_MAX_BYTES = 1_048_588
"""The broker's default `message.max.bytes`."""
NAP_MS = 2
"""How long a client on the wall clock sleeps before it looks again."""
BROKER_DEFAULTS = {
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
}


class Fate(Enum):
    """What becomes of a request."""

    ANSWERED = auto()
    ANSWER_LOST = auto()
    """It is done, and the client never hears of it."""
    LOST = auto()
    """It is never done."""
    LATE = auto()
    """The client gives up, and then it is done, if it is still valid."""


class Network:
    """What is between one process and the cluster. This one loses nothing."""

    def before(self, request: str) -> Fate:
        """Called before a request is sent; may raise what ends the process."""
        return Fate.ANSWERED

    def after(self, request: str) -> None:
        """Called when a request was done and its answer is not yet known to the client."""

    def late_ms(self) -> int:
        """How much later than the client's patience a late request arrives."""
        return 0

    def marker_ms(self) -> int:
        """How long after a commit's answer its markers are written."""
        return 0

    def records(self, found: int) -> int:
        """How many of the records that a poll found are in its first answer."""
        return found


class Clock(Protocol):
    """Time at the brokers, and how clients wait."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""

    def monotonic_ms(self) -> float:
        """The same from anywhere, without jumps."""

    def wait(self, ms: float) -> None:
        """Waits at most so long."""


class WallClock:
    """The time of this machine."""

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000

    def wait(self, ms: float) -> None:
        time.sleep(min(ms, NAP_MS) / 1000)


class _Slot(NamedTuple):
    """What stands at one offset."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int
    writer: str | None
    """Transactional id, if it is part of a transaction."""
    is_marker: bool


@dataclass(slots=True)
class _Log:
    """One partition."""

    first: int = 0
    """The oldest offset that is still there."""
    slots: list[_Slot] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    """Transactional id → first offset of its undecided transaction."""
    aborted: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        return len(self.slots)

    @property
    def stable_end(self) -> int:
        return min(self.open.values(), default=self.end)

    def mark(self, writer: str, timestamp_ms: int, *, committed: bool) -> None:
        begun = self.open.pop(writer, None)
        if begun is not None and not committed:
            ours = (offset for offset in range(begun, self.end) if self.slots[offset].writer == writer)
            self.aborted.update(offset for offset in ours if not self.slots[offset].is_marker)
        self.slots.append(_Slot(None, None, (), timestamp_ms, writer, True))


@dataclass(slots=True)
class _Topic:
    logs: list[_Log]
    configs: dict[str, str]


class _State(Enum):
    EMPTY = auto()
    ONGOING = auto()
    DECIDED = auto()
    """Committed or aborted, the markers not yet written."""


@dataclass(slots=True)
class _Transactions:
    """What the coordinator knows of one transactional id."""

    epoch: int = -1
    state: _State = _State.EMPTY
    partitions: dict[TopicPartition, None] = field(default_factory=dict)
    timeout_ms: int = 60_000
    begun_ms: int = 0
    commits: bool = False
    markers_at_ms: int = 0
    was_timed_out: bool = False
    """The broker itself has bumped the epoch: that is no fence."""


@dataclass(slots=True)
class _Group:
    """A consumer group: who is in it, who has what, and the committed offsets."""

    members: list[object] = field(default_factory=list)
    owners: dict[TopicPartition, object] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)


class MemoryCluster:
    """The brokers. Any thread. `is_down` makes them unreachable."""

    def __init__(self, clock: Clock | None = None, *, brokers: int = 1) -> None:
        self.clock: Clock = clock or WallClock()
        self.brokers = brokers
        self.is_down = False
        self._topics: dict[str, _Topic] = {}
        self._coordinator: dict[str, _Transactions] = {}
        self._groups: dict[str, _Group] = {}
        self._late: list[tuple[int, int, Callable[[], object]]] = []
        self._lates = 0
        self._lock = threading.RLock()

    def create_topic(self, name: str, partitions: int, configs: Mapping[str, str]) -> None:
        with self._lock:
            if name in self._topics:
                raise TopicAlreadyExistsError(name)
            self._topics[name] = _Topic([_Log() for _ in range(partitions)], {**BROKER_DEFAULTS, **configs})

    def topic(self, name: str) -> _Topic | None:
        return self._topics.get(name)

    def alter_topic(self, name: str, configs: Mapping[str, str]) -> None:
        """Changes a topic's configuration behind everybody's back."""
        self._topics[name].configs.update(configs)

    def delete_records(self, place: TopicPartition, before: int) -> None:
        """What retention does."""
        with self._lock:
            log = self._log(place)
            log.first = max(log.first, min(before, log.end))

    def fence(self, writer: str, timeout_ms: int) -> int:
        """`InitProducerId`: ends what is open under this id and gives out the next epoch."""
        with self._lock:
            self.settle()
            known = self._coordinator.setdefault(writer, _Transactions())
            if known.state is _State.ONGOING:
                self._decide(known, commits=False, markers_at_ms=0)
            self._write_markers(writer, known)
            known.epoch += 1
            known.timeout_ms = timeout_ms
            known.was_timed_out = False
            return known.epoch

    def produce_in_transaction(
        self, writer: str, epoch: int, place: TopicPartition, records: Sequence[_Outgoing]
    ) -> list[tuple[int, int]]:
        """`AddPartitionsToTxn` and `Produce`: offset and timestamp of each record."""
        with self._lock:
            self.settle()
            known = self._valid(writer, epoch)
            self._write_markers(writer, known)  # The client is told CONCURRENT_TRANSACTIONS until they are.
            if known.state is _State.EMPTY:
                known.state, known.begun_ms = _State.ONGOING, self.clock.now_ms()
            known.partitions[place] = None
            log = self._log(place)
            log.open.setdefault(writer, log.end)
            return self._append(place, records, writer)

    def end_transaction(self, writer: str, epoch: int, *, commits: bool, marker_ms: int) -> None:
        """`EndTxn`: decided when it is answered, though the markers may come later."""
        with self._lock:
            self.settle()
            known = self._valid(writer, epoch)
            if known.state is _State.ONGOING:
                self._decide(known, commits=commits, markers_at_ms=self.clock.now_ms() + marker_ms)
                self.settle()

    def produce(self, place: TopicPartition, records: Sequence[_Outgoing]) -> list[tuple[int, int]]:
        """Records in no transaction."""
        with self._lock:
            self.settle()
            return self._append(place, records, None)

    def later(self, ms: int, request: Callable[[], object]) -> None:
        """Lets a request arrive in so many milliseconds, whoever is still interested."""
        with self._lock:
            self._lates += 1
            self._late.append((self.clock.now_ms() + ms, self._lates, request))

    def settle(self) -> None:
        """Does what is due: late requests, markers, transactions that took too long."""
        with self._lock:
            now = self.clock.now_ms()
            due = sorted(one for one in self._late if one[0] <= now)
            self._late = [one for one in self._late if one[0] > now]
            for _, _, request in due:
                try:
                    request()
                except KafkaError:
                    continue  # It came too late to be valid, and nobody waits for its answer.
            for writer, known in self._coordinator.items():
                if known.state is _State.ONGOING and now - known.begun_ms > known.timeout_ms:
                    known.epoch += 1
                    known.was_timed_out = True
                    self._decide(known, commits=False, markers_at_ms=now)
                if known.state is _State.DECIDED and known.markers_at_ms <= now:
                    self._write_markers(writer, known)

    def fetch(
        self, place: TopicPartition, offset: int, limit: int, *, is_committed: bool
    ) -> tuple[list[Any], int, int]:
        """Records from `offset` on, the offset behind what was looked at, and the high watermark."""
        with self._lock:
            self.settle()
            log = self._log(place)
            if not log.first <= offset <= log.end:
                offset = log.first  # The consumer's `auto_offset_reset` is earliest.
            end = log.stable_end if is_committed else log.end
            found: list[Any] = []
            while offset < end and len(found) < limit:
                slot = log.slots[offset]
                if not slot.is_marker and not (is_committed and offset in log.aborted):
                    found.append(_consumed(place, offset, slot))
                offset += 1
            while offset < end and log.slots[offset].is_marker:
                offset += 1
            return found, offset, log.end

    def ends(self, places: Iterable[TopicPartition], *, is_committed: bool) -> dict[TopicPartition, int]:
        """The last stable offset, or the high watermark."""
        with self._lock:
            self.settle()
            logs = {place: self._log(place) for place in places}
            return {place: log.stable_end if is_committed else log.end for place, log in logs.items()}

    def beginnings(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        with self._lock:
            return {place: self._log(place).first for place in places}

    def group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    @property
    def lock(self) -> Any:
        return self._lock

    def _log(self, place: TopicPartition) -> _Log:
        topic = self._topics.get(place.topic)
        if topic is None or not 0 <= place.partition < len(topic.logs):
            raise UnknownTopicOrPartitionError(f"{place.topic}/{place.partition}")
        log: _Log = topic.logs[place.partition]
        return log

    def _append(self, place: TopicPartition, records: Sequence[_Outgoing], writer: str | None) -> list[tuple[int, int]]:
        log, now = self._log(place), self.clock.now_ms()
        stored = []
        for record in records:
            stored.append((log.end, now))
            log.slots.append(_Slot(record.key, record.value, record.headers, now, writer, False))
        return stored

    def _valid(self, writer: str, epoch: int) -> _Transactions:
        known = self._coordinator.get(writer)
        if known is None or epoch > known.epoch:
            raise IllegalStateError(f"{writer} has no epoch {epoch}")
        if epoch < known.epoch:
            if known.was_timed_out:
                raise InvalidProducerEpochError(f"{writer}: the broker has ended the transaction of epoch {epoch}")
            raise ProducerFencedError(f"{writer}: epoch {epoch} is over, {known.epoch} is the present one")
        return known

    def _decide(self, known: _Transactions, *, commits: bool, markers_at_ms: int) -> None:
        known.state, known.commits, known.markers_at_ms = _State.DECIDED, commits, markers_at_ms

    def _write_markers(self, writer: str, known: _Transactions) -> None:
        if known.state is not _State.DECIDED:
            return
        for place in known.partitions:
            self._log(place).mark(writer, self.clock.now_ms(), committed=known.commits)
        known.partitions.clear()
        known.state = _State.EMPTY


@dataclass(frozen=True, slots=True)
class _Outgoing:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def size_bytes(self) -> int:
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


class MemoryClients:
    """Makes the clients of one process (`infra.kafka.settings.Clients`)."""

    def __init__(self, cluster: MemoryCluster, network: Network | None = None) -> None:
        self.cluster = cluster
        self.network = network or Network()

    def producer(self, **options: Any) -> MemoryProducer:
        return MemoryProducer(self, options)

    def consumer(self, **options: Any) -> MemoryConsumer:
        return MemoryConsumer(self, options)

    def admin(self, **options: Any) -> MemoryAdmin:
        return MemoryAdmin(self, options)

    def connect(self) -> None:
        if self.network.before("connect") is not Fate.ANSWERED or self.cluster.is_down:
            raise KafkaTimeoutError("memory")

    def ask(self, request: str, do: Callable[[], Any]) -> Any:
        """The answer to a request; KafkaTimeoutError where there comes none, done or not."""
        fate = self.network.before(request)
        if fate is Fate.LOST or self.cluster.is_down:
            raise KafkaTimeoutError(f"{request}: no answer")
        if fate is Fate.LATE:
            self.cluster.later(self.network.late_ms(), do)
            raise KafkaTimeoutError(f"{request}: no answer in time")
        answer = do()
        self.network.after(request)
        if fate is Fate.ANSWER_LOST:
            raise KafkaTimeoutError(f"{request}: the answer was lost")
        return answer


class MemoryFuture:
    """What `send` gives (kafka-python's FutureRecordMetadata)."""

    def __init__(self, producer: MemoryProducer) -> None:
        self._producer = producer
        self._stored: Any = None
        self._failed: Exception | None = None
        self._is_done = False

    @property
    def is_done(self) -> bool:
        self._producer.push()
        return self._is_done

    def get(self, timeout: float | None = None) -> Any:
        self._producer.push()
        if self._failed is not None:
            raise self._failed
        return self._stored

    def succeed(self, place: TopicPartition, offset: int, timestamp_ms: int) -> None:
        self._stored = RecordMetadata(place.topic, place.partition, place, offset, timestamp_ms, None, -1, -1, -1)
        self._is_done = True

    def fail(self, failed: Exception) -> None:
        self._failed = failed
        self._is_done = True


class MemoryProducer:
    """kafka-python's KafkaProducer: transactional with a `transactional_id`, plain without.

    What was sent goes out as one request per partition, when somebody asks for its fate.
    """

    def __init__(self, clients: MemoryClients, options: Mapping[str, Any]) -> None:
        self._clients = clients
        self._cluster = clients.cluster
        self._id: str | None = options.get("transactional_id")
        self._timeout_ms = int(options.get("transaction_timeout_ms") or 60_000)
        self._limit = int(options.get("max_request_size") or MESSAGE_MAX_BYTES)
        self._epoch = -1
        self._in_transaction = False
        self._queue: dict[TopicPartition, list[tuple[_Outgoing, MemoryFuture]]] = {}
        self._broken: Exception | None = None
        self._sender = SimpleNamespace(force_close=self._abandon)
        self._pushing = threading.RLock()
        clients.connect()

    def init_transactions(self) -> None:
        def fence() -> None:
            self._epoch = self._cluster.fence(str(self._id), self._timeout_ms)

        self._clients.ask("fence", fence)

    def begin_transaction(self) -> None:
        if self._in_transaction or self._epoch < 0:
            raise IllegalStateError("begin_transaction before the last one ended, or before init_transactions")
        self._in_transaction = True

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
        partition: int | None = None,
    ) -> MemoryFuture:
        if self._id is not None and not self._in_transaction:
            raise IllegalStateError("send outside a transaction")
        if key is None and value is None:
            raise ValueError("Need at least one: key or value")
        record = _Outgoing(key, value, tuple(headers or ()))
        future = MemoryFuture(self)
        place = TopicPartition(topic, self._partition(topic, key) if partition is None else partition)
        if record.size_bytes > min(self._limit, MESSAGE_MAX_BYTES):
            future.fail(MessageSizeTooLargeError(f"{record.size_bytes} bytes"))
            return future
        with self._pushing:
            self._queue.setdefault(place, []).append((record, future))
            if self._id is None:
                self.push()
        return future

    def push(self) -> None:
        """Sends what is queued."""
        with self._pushing:
            queue, self._queue = self._queue, {}
            for place, sent in queue.items():
                self._push(place, sent)

    def _push(self, place: TopicPartition, sent: Sequence[tuple[_Outgoing, MemoryFuture]]) -> None:
        records = [record for record, _ in sent]
        try:
            if self._broken is not None:
                raise self._broken
            stored = self._clients.ask("produce", lambda: self._produce(place, records))
        except KafkaError as failed:
            self._broken = failed if self._id is not None else None
            for _, future in sent:
                future.fail(failed)
        else:
            for (_, future), (offset, timestamp_ms) in zip(sent, stored, strict=True):
                future.succeed(place, offset, timestamp_ms)

    def _produce(self, place: TopicPartition, records: Sequence[_Outgoing]) -> list[tuple[int, int]]:
        if self._id is None:
            return self._cluster.produce(place, records)
        return self._cluster.produce_in_transaction(self._id, self._epoch, place, records)

    def commit_transaction(self) -> None:
        self._end(commits=True)

    def abort_transaction(self) -> None:
        self._queue.clear()
        self._end(commits=False)

    def _end(self, *, commits: bool) -> None:
        self.push()
        if self._broken is not None:
            raise self._broken
        marker_ms = self._clients.network.marker_ms()
        writer, epoch = str(self._id), self._epoch

        def end() -> None:
            self._cluster.end_transaction(writer, epoch, commits=commits, marker_ms=marker_ms)

        self._clients.ask("commit" if commits else "abort", end)
        self._in_transaction = False

    def flush(self, timeout: float | None = None) -> None:
        self.push()

    def partitions_for(self, topic: str) -> set[int]:
        known = self._cluster.topic(topic)
        return set(range(len(known.logs))) if known else set()

    def close(self, timeout: float | None = None) -> None:
        """With a timeout of 0 what is queued is thrown away."""
        if timeout != 0:
            self.push()
        self._abandon()

    def _abandon(self) -> None:
        with self._pushing:
            for sent in self._queue.values():
                for _, future in sent:
                    future.fail(KafkaTimeoutError("the producer was closed"))
            self._queue.clear()
            self._broken = self._broken or IllegalStateError("the producer was closed")

    def _partition(self, topic: str, key: bytes | None) -> int:
        count = len(self.partitions_for(topic)) or 1
        return 0 if key is None else (murmur2(key) & 0x7FFFFFFF) % count


class MemoryConsumer:
    """kafka-python's KafkaConsumer, with partitions assigned by hand or by a group."""

    def __init__(self, clients: MemoryClients, options: Mapping[str, Any]) -> None:
        self._clients = clients
        self._cluster = clients.cluster
        self._is_committed = options.get("isolation_level") == "read_committed"
        self._limit = int(options.get("max_poll_records") or 500)
        self._group: _Group | None = None
        if options.get("group_id") is not None:
            self._group = self._cluster.group(options["group_id"])
        self._positions: dict[TopicPartition, int] = {}
        self._highwater: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._topics: tuple[str, ...] = ()
        self._listener: Any = None
        clients.connect()

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(places, 0)
        self._paused.clear()

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def subscribe(self, topics: Sequence[str], listener: Any = None) -> None:
        self._topics, self._listener = tuple(topics), listener
        assert self._group is not None
        with self._cluster.lock:
            self._group.members.append(self)

    def seek(self, place: TopicPartition, offset: int) -> None:
        if place not in self._positions:
            raise AssertionError(f"{place} is not assigned")
        self._positions[place] = offset

    def position(self, place: TopicPartition, timeout_ms: float | None = None) -> int:
        return self._positions[place]

    def highwater(self, place: TopicPartition) -> int | None:
        return self._highwater.get(place)

    def pause(self, *places: TopicPartition) -> None:
        for place in places:
            if place not in self._positions:
                raise AssertionError(f"{place} is not assigned")
            self._paused.add(place)

    def resume(self, *places: TopicPartition) -> None:
        self._paused.difference_update(places)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def poll(self, timeout_ms: float = 0, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
        deadline = self._cluster.clock.monotonic_ms() + timeout_ms
        while True:
            self._rebalance()
            found = self._fetch(max_records or self._limit)
            left = deadline - self._cluster.clock.monotonic_ms()
            if found or left <= 0:
                return found
            self._cluster.clock.wait(left)

    def _fetch(self, limit: int) -> dict[TopicPartition, list[Any]]:
        found: dict[TopicPartition, list[Any]] = {}
        fate = self._clients.network.before("fetch")
        if fate is not Fate.ANSWERED or self._cluster.is_down:
            return found
        for place in list(self._positions):
            if place in self._paused:
                continue
            position = self._positions[place]
            records, behind, high = self._cluster.fetch(place, position, limit, is_committed=self._is_committed)
            few = self._clients.network.records(len(records))
            if few < len(records):
                records, behind = records[:few], records[few].offset
            self._positions[place], self._highwater[place] = behind, high
            if records:
                found[place] = records
        return found

    def end_offsets(
        self, places: Iterable[TopicPartition], timeout_ms: float | None = None
    ) -> dict[TopicPartition, int]:
        answer: dict[TopicPartition, int] = self._clients.ask(
            "ends", lambda: self._cluster.ends(places, is_committed=self._is_committed)
        )
        return answer

    def beginning_offsets(
        self, places: Iterable[TopicPartition], timeout_ms: float | None = None
    ) -> dict[TopicPartition, int]:
        answer: dict[TopicPartition, int] = self._clients.ask("beginnings", lambda: self._cluster.beginnings(places))
        return answer

    def committed(self, place: TopicPartition, timeout_ms: float | None = None) -> int | None:
        group = self._group
        assert group is not None
        answer: int | None = self._clients.ask("committed", lambda: group.offsets.get(place))
        return answer

    def commit(self, offsets: Mapping[TopicPartition, Any], timeout_ms: float | None = None) -> None:
        group = self._group
        assert group is not None
        self._clients.ask("hint", lambda: group.offsets.update({place: at.offset for place, at in offsets.items()}))

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        known = self._cluster.topic(topic)
        return set(range(len(known.logs))) if known else None

    def close(self, autocommit: bool = True, timeout_ms: float | None = None) -> None:
        group = self._group
        if group is not None:
            with self._cluster.lock:
                if self in group.members:
                    group.members.remove(self)
                group.owners = {place: owner for place, owner in group.owners.items() if owner is not self}
        self._positions = {}

    def _rebalance(self) -> None:
        """Cooperatively (KIP-429): a partition is given up in one round and taken by another member in a later one."""
        group = self._group
        if group is None or not self._topics or self not in group.members:
            return
        with self._cluster.lock:
            every = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in sorted(self.partitions_for_topic(topic) or ())
            ]
            mine = set(every[group.members.index(self) :: len(group.members)])
            revoked = [place for place in self._positions if place not in mine]
            free = [place for place in every if place in mine and place not in group.owners]
        if revoked:
            if self._listener is not None:
                self._listener.on_partitions_revoked(revoked)
            for place in revoked:
                self._positions.pop(place, None)
                self._paused.discard(place)
                group.owners.pop(place, None)
        if free:
            for place in free:
                group.owners[place] = self
                self._positions[place] = group.offsets.get(place, 0)
            if self._listener is not None:
                self._listener.on_partitions_assigned(free)


class MemoryAdmin:
    """kafka-python's KafkaAdminClient."""

    def __init__(self, clients: MemoryClients, options: Mapping[str, Any]) -> None:
        self._clients = clients
        self._cluster = clients.cluster
        clients.connect()

    def create_topics(self, topics: Mapping[str, Mapping[str, Any]], timeout_ms: float | None = None) -> None:
        for name, options in topics.items():
            count, configs = int(options["num_partitions"]), options.get("configs") or {}
            self._clients.ask("create", lambda: self._cluster.create_topic(name, count, configs))  # noqa: B023 - done at once

    def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        def describe(name: str) -> dict[str, Any]:
            known = self._cluster.topic(name)
            count = len(known.logs) if known else 0
            return {"name": name, "partitions": [{"partition_index": n, "leader_id": 1} for n in range(count)]}

        answer: list[dict[str, Any]] = self._clients.ask("describe", lambda: [describe(name) for name in names])
        return answer

    def describe_cluster(self) -> dict[str, Any]:
        if self._cluster.is_down:
            raise RequestTimedOutError("memory")
        return {"brokers": [{"broker_id": number} for number in range(1, self._cluster.brokers + 1)]}

    def describe_configs(self, resources: Sequence[Any], config_filter: str = "all") -> dict[str, Any]:
        def configs(name: str) -> dict[str, Any]:
            known = self._cluster.topic(name)
            if known is None:
                raise UnknownTopicOrPartitionError(name)
            return {setting: {"value": value} for setting, value in known.configs.items()}

        described: dict[str, Any] = self._clients.ask(
            "configs", lambda: {resource.name: configs(resource.name) for resource in resources}
        )
        return {"topic": described}

    def delete_records(self, offsets: Mapping[TopicPartition, int]) -> None:
        for place, before in offsets.items():
            self._cluster.delete_records(place, before)

    def close(self) -> None:
        """Nothing is held."""


def _consumed(place: TopicPartition, offset: int, slot: _Slot) -> Record:
    return Record(
        Place(place.topic, place.partition, -1), offset, slot.timestamp_ms, slot.key, slot.value, _encoded(slot.headers)
    )


def _encoded(headers: Iterable[Header]) -> bytes:
    """Headers as they stand in a record batch."""
    found = list(headers)
    encoded = bytearray()
    encode_varint(len(found), encoded.append)
    for name, value in found:
        for part in (name.encode(), value):
            encode_varint(len(part), encoded.append)
            encoded += part
    return bytes(encoded)
