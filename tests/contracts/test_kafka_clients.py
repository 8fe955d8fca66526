"""What a ledger rests on in Kafka's clients, by the bare clients: on a real broker and on the cluster in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    TopicAlreadyExistsError,
)

from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from tests.support.memory_kafka import MemoryClients, MemoryCluster
from tests.support.servers import new_topic

LIMIT_S = 20.0
ANSWER_S = 10.0


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.xdist_group("kafka")), "memory"])
def settings(request: pytest.FixtureRequest) -> KafkaSettings:
    if request.param == "memory":
        return KafkaSettings(bootstrap_servers="memory:1", clients=MemoryClients(MemoryCluster()))
    return KafkaSettings(bootstrap_servers=request.getfixturevalue("kafka_address"))


@pytest.fixture
def place(settings: KafkaSettings) -> Any:
    topic = new_topic()
    create_topic(settings, topic, configs={"message.timestamp.type": "LogAppendTime"})
    return TopicPartition(topic, 0)


@pytest.fixture
def writer(settings: KafkaSettings) -> Iterator[Callable[[str], Any]]:
    """Makes fenced producers."""
    made: list[Any] = []

    def make(transactional_id: str) -> Any:
        producer = settings.clients.producer(**settings.for_producer(transactional_id))
        made.append(producer)
        producer.init_transactions()
        return producer

    yield make
    for producer in made:
        producer.close(timeout=0)
        producer._sender.force_close()


def _send(producer: Any, place: Any, *values: bytes) -> list[int]:
    sent = [producer.send(place.topic, value, partition=place.partition) for value in values]
    return [future.get(timeout=ANSWER_S).offset for future in sent]


def _commit(producer: Any, place: Any, *values: bytes) -> list[int]:
    producer.begin_transaction()
    offsets = _send(producer, place, *values)
    producer.commit_transaction()
    return offsets


def _seen(settings: KafkaSettings, place: Any, end: int) -> list[tuple[int, bytes]]:
    """Offsets and values that a ledger's reader sees up to `end`."""
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + LIMIT_S
    with closing(settings.clients.consumer(**settings.for_consumer())) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        while consumer.position(place) < end:
            assert time.monotonic() < deadline, f"position {consumer.position(place)}, expected {end}"
            found += [(one.offset, one.value) for one in consumer.poll(timeout_ms=200).get(place, [])]
    return found


def _end(settings: KafkaSettings, place: Any, isolation: str = "read_committed") -> int:
    options = {**settings.for_consumer(), "isolation_level": isolation}
    with closing(settings.clients.consumer(**options)) as consumer:
        return int(consumer.end_offsets([place])[place])


def _stable(settings: KafkaSettings, place: Any, end: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while _end(settings, place) < end:
        assert time.monotonic() < deadline, f"the log ends at {_end(settings, place)}, expected {end}"


def test_markers_take_offsets_and_positions_go_past_them(
    settings: KafkaSettings, place: Any, writer: Callable[[str], Any]
) -> None:
    producer = writer("marking")
    assert _commit(producer, place, b"a", b"b") == [0, 1]
    assert _commit(producer, place, b"c") == [3]
    _stable(settings, place, 5)
    assert _seen(settings, place, 5) == [(0, b"a"), (1, b"b"), (3, b"c")]


def test_aborted_records_are_not_seen(settings: KafkaSettings, place: Any, writer: Callable[[str], Any]) -> None:
    producer = writer("aborting")
    producer.begin_transaction()
    _send(producer, place, b"never")
    producer.abort_transaction()
    assert _commit(producer, place, b"kept") == [2]
    _stable(settings, place, 4)
    assert _seen(settings, place, 4) == [(2, b"kept")]


def test_an_open_transaction_holds_the_stable_end_back(
    settings: KafkaSettings, place: Any, writer: Callable[[str], Any]
) -> None:
    open_, other = writer("open"), writer("other")
    open_.begin_transaction()
    _send(open_, place, b"undecided")
    _commit(other, place, b"decided")
    assert _end(settings, place) == 0
    assert _end(settings, place, "read_uncommitted") >= 2
    open_.commit_transaction()
    _stable(settings, place, 4)
    assert [value for _, value in _seen(settings, place, 4)] == [b"undecided", b"decided"]


def test_the_next_writer_of_an_id_ends_the_transaction_of_the_last_and_fences_it(
    settings: KafkaSettings, place: Any, writer: Callable[[str], Any]
) -> None:
    first = writer("one id")
    first.begin_transaction()
    _send(first, place, b"cut off")
    second = writer("one id")
    _commit(second, place, b"after")
    with pytest.raises(KafkaError) as refused:
        _send(first, place, b"too late")
        first.commit_transaction()
    causes = (refused.value, refused.value.__cause__, *refused.value.args)
    assert any(isinstance(cause, ProducerFencedError | InvalidProducerEpochError) for cause in causes), causes
    _stable(settings, place, 4)
    assert [value for _, value in _seen(settings, place, 4)] == [b"after"]


def test_records_bear_the_time_at_which_the_broker_took_them(
    settings: KafkaSettings, place: Any, writer: Callable[[str], Any]
) -> None:
    before = int(time.time() * 1000)
    producer = writer("telling the time")
    producer.begin_transaction()
    stored = producer.send(place.topic, b"now", partition=0).get(timeout=ANSWER_S)
    producer.commit_transaction()
    assert before <= stored.timestamp <= int(time.time() * 1000)


def test_a_position_that_is_not_there_begins_anew(settings: KafkaSettings, place: Any) -> None:
    """`auto_offset_reset="earliest"`: silently, which is why readers check where a log begins and ends."""
    with closing(settings.clients.producer(**settings.for_plain_producer())) as producer:
        for number in range(4):
            producer.send(place.topic, b"%d" % number, partition=0).get(timeout=ANSWER_S)
    with closing(settings.clients.admin(**settings.for_admin())) as admin:
        admin.delete_records({place: 2})
    assert [value for _, value in _seen(settings, place, 4)] == [b"2", b"3"]
    with closing(settings.clients.consumer(**settings.for_consumer())) as consumer:
        consumer.assign([place])
        assert consumer.beginning_offsets([place])[place] == 2
        consumer.seek(place, 100)
        deadline = time.monotonic() + LIMIT_S
        while not (found := consumer.poll(timeout_ms=200)):
            assert time.monotonic() < deadline
        assert found[place][0].offset == 2


def test_a_paused_partition_is_not_read(settings: KafkaSettings, place: Any) -> None:
    with closing(settings.clients.producer(**settings.for_plain_producer())) as producer:
        producer.send(place.topic, b"a", partition=0).get(timeout=ANSWER_S)
    with closing(settings.clients.consumer(**settings.for_consumer())) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        consumer.pause(place)
        assert consumer.paused() == {place}
        assert consumer.poll(timeout_ms=300) == {}
        consumer.resume(place)
        deadline = time.monotonic() + LIMIT_S
        while not consumer.poll(timeout_ms=200):
            assert time.monotonic() < deadline


def test_a_group_remembers_offsets(settings: KafkaSettings, place: Any) -> None:
    group = new_topic("group")
    with closing(settings.clients.consumer(**settings.for_group_consumer(group))) as consumer:
        consumer.assign([place])
        assert consumer.committed(place, timeout_ms=10_000) is None
        consumer.commit({place: OffsetAndMetadata(7, "", -1)}, timeout_ms=10_000)
    with closing(settings.clients.consumer(**settings.for_group_consumer(group))) as consumer:
        consumer.assign([place])
        assert consumer.committed(place, timeout_ms=10_000) == 7


def test_topics_are_described_and_made_once(settings: KafkaSettings, place: Any) -> None:
    with closing(settings.clients.admin(**settings.for_admin())) as admin:
        (description,) = admin.describe_topics([place.topic])
        assert len(description["partitions"]) == 1
        with pytest.raises(TopicAlreadyExistsError):
            admin.create_topics({place.topic: {"num_partitions": 1, "replication_factor": 1}})
        wanted = [ConfigResource(ConfigResourceType.TOPIC, place.topic)]
        described = admin.describe_configs(wanted, config_filter="all")["topic"][place.topic]
        assert described["message.timestamp.type"]["value"] == "LogAppendTime"
        assert described["cleanup.policy"]["value"] == "delete"


NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=200)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NOWHERE.clients.consumer(**NOWHERE.for_consumer()),
        lambda: NOWHERE.clients.producer(**NOWHERE.for_plain_producer()),
        lambda: NOWHERE.clients.admin(**NOWHERE.for_admin()),
    ],
    ids=["consumer", "producer", "admin"],
)
def test_a_client_that_could_not_be_made_leaves_no_thread(make: Callable[[], Any]) -> None:
    """A process tries again while brokers are away; kafka-python leaves a thread and its sockets each time."""
    before = set(threading.enumerate())
    with pytest.raises(KafkaError):
        make()
    deadline = time.monotonic() + LIMIT_S
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
