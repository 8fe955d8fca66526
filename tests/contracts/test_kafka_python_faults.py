"""Four faults of kafka-python 3.0.12's transactional producer, on a real broker, and that we are guarded against each.

Each test first shows the fault with the bare client, so that an upstream fix or a regression is noticed, then does the
same through `FencedProducer`. If the first half of a test fails after an upgrade, the fault may be gone: read the
release notes, and ask whether its guard in `infra/kafka/producer.py` can go too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import InvalidProducerEpochError, KafkaError, KafkaTimeoutError  # type: ignore[import-untyped]
from kafka.producer.transaction_manager import TransactionState  # type: ignore[import-untyped]

from infra.kafka.producer import CommitDoubtful, FencedProducer
from infra.kafka.reader import Partition
from infra.kafka.records import OutgoingRecord
from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from infra.servers import KafkaCluster
from tests.support.servers import new_topic

DELIVERY_MS = 1_500
COMMIT_DEADLINE_S = 3.0
ANSWER_S = 10.0
READ_S = 2.0


@pytest.fixture
def settings(kafka_node: KafkaCluster) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=kafka_node.bootstrap_servers,
        delivery_timeout_ms=DELIVERY_MS,
        request_timeout_ms=DELIVERY_MS - 300,
        commit_deadline_s=COMMIT_DEADLINE_S,
    )


@pytest.fixture
def partition(settings: KafkaSettings) -> Partition:
    topic = new_topic()
    create_topic(settings, topic)
    return Partition(topic, 0)


@pytest.fixture
def bare(settings: KafkaSettings) -> Iterator[Callable[..., Any]]:
    """Makes bare transactional producers with our settings, some changed."""
    made: list[Any] = []

    def make(transactional_id: str, **changed: Any) -> Any:
        producer = KafkaProducer(**{**settings.for_producer(transactional_id), **changed})
        made.append(producer)
        producer.init_transactions()
        return producer

    yield make
    for producer in made:
        producer._sender.force_close()


def test_an_expired_batch_is_left_out_of_a_commit_that_reports_success(
    kafka_node: KafkaCluster,
    settings: KafkaSettings,
    partition: Partition,
    bare: Callable[..., Any],
) -> None:
    """The record's future fails, the transaction stays open, the commit says yes, and the record is not there."""
    producer = bare("expiring")
    producer.begin_transaction()
    producer.send(partition.topic, b"kept", partition=0).get(ANSWER_S)
    kafka_node.nodes[0].kill()
    lost = producer.send(partition.topic, b"lost", partition=0)
    with pytest.raises(KafkaTimeoutError):
        lost.get(ANSWER_S)
    kafka_node.nodes[0].start()
    producer.commit_transaction()  # This is the fault: it does not raise.
    assert _values(settings, partition) == [b"kept"]


def test_ours_does_not_commit_when_a_batch_expires(
    kafka_node: KafkaCluster,
    settings: KafkaSettings,
    partition: Partition,
) -> None:
    """A commit without every record is no commit: CommitDoubtful, and nothing is there after the next fence."""
    producer = _fenced(settings, partition)
    producer.commit([_record(b"before")])
    kafka_node.nodes[0].kill()
    with pytest.raises(CommitDoubtful):
        producer.commit([_record(b"lost")])
    producer.discard()
    kafka_node.nodes[0].start()
    successor = _fenced(settings, partition)
    successor.commit([_record(b"after")])
    successor.discard()
    assert _values(settings, partition) == [b"before", b"after"]


def test_a_record_of_a_failed_transaction_is_committed_by_the_next(
    settings: KafkaSettings, partition: Partition, bare: Callable[..., Any]
) -> None:
    """A transaction that the broker timed out leaves its queue behind, and the next transaction commits it."""
    patient = {"delivery_timeout_ms": 30_000, "request_timeout_ms": 20_000}
    producer = bare("leaving", transaction_timeout_ms=1_000, batch_size=1, **patient)
    _let_the_broker_abort(producer, partition)
    refused = producer.send(partition.topic, b"refused", partition=0)
    queued = producer.send(partition.topic, b"left behind", partition=0)
    with pytest.raises(InvalidProducerEpochError):
        refused.get(ANSWER_S)
    with pytest.raises(KafkaTimeoutError):
        queued.get(READ_S)
    with pytest.raises(KafkaError):
        producer.commit_transaction()
    producer.begin_transaction()
    producer.send(partition.topic, b"next", partition=0).get(ANSWER_S)
    producer.commit_transaction()
    assert _values(settings, partition) == [b"left behind", b"next"]  # The fault: "left behind" was never committed.


def test_ours_commits_nothing_of_a_failed_transaction(settings: KafkaSettings, partition: Partition) -> None:
    """After a failure the producer is thrown away with its queue; its successor commits only its own."""
    quick = replace(settings, transaction_timeout_ms=1_000)
    producer = _fenced(quick, partition)
    _let_the_broker_abort(producer._producer, partition)
    producer._producer._transaction_manager._current_state = TransactionState.READY
    with pytest.raises(CommitDoubtful):
        producer.commit([_record(b"refused"), _record(b"left behind")])
    producer.discard()
    successor = _fenced(settings, partition)
    successor.commit([_record(b"next")])
    successor.discard()
    assert _values(settings, partition) == [b"next"]


def test_commit_waits_without_a_limit(
    kafka_node: KafkaCluster,
    partition: Partition,
    bare: Callable[..., Any],
) -> None:
    """While the broker is gone `commit_transaction` outlasts every timeout there is."""
    producer = bare("waiting")
    producer.begin_transaction()
    producer.send(partition.topic, b"kept", partition=0).get(ANSWER_S)
    kafka_node.nodes[0].kill()
    committing = Thread(target=producer.commit_transaction, daemon=True)
    committing.start()
    committing.join(4 * DELIVERY_MS / 1000)
    assert committing.is_alive(), "the fault is gone: commit_transaction ended within its timeouts"


def test_ours_has_a_deadline(
    kafka_node: KafkaCluster,
    settings: KafkaSettings,
    partition: Partition,
) -> None:
    """A commit to a silent broker ends with CommitDoubtful within its deadline."""
    producer = _fenced(settings, partition)
    kafka_node.nodes[0].pause()
    started = time.monotonic()
    with pytest.raises(CommitDoubtful):
        producer.commit([_record(b"whether it is there nobody knows")])
    assert time.monotonic() - started < COMMIT_DEADLINE_S + 1
    producer.discard()
    assert time.monotonic() - started < COMMIT_DEADLINE_S + 2, "discarding waited for the broker"


def test_close_leaves_the_transaction_open_until_the_next_fence(
    settings: KafkaSettings, partition: Partition, bare: Callable[..., Any]
) -> None:
    """`close` does not abort: readers are held up at the open transaction. Our fence ends it."""
    producer = bare("same id")
    producer.begin_transaction()
    producer.send(partition.topic, b"never committed", partition=0).get(ANSWER_S)
    producer.close(timeout=ANSWER_S)
    assert _stable_end(settings, partition) == 0  # The fault: the record at offset 0 is still undecided.
    successor = FencedProducer(settings, partition, "same id")
    successor.fence()
    successor.commit([_record(b"next")])
    successor.discard()
    assert _values(settings, partition) == [b"next"]


def _let_the_broker_abort(producer: Any, partition: Partition) -> None:
    """Begins a transaction and waits until the broker has given up on it (its timeout is 1 s)."""
    producer.begin_transaction()
    producer.send(partition.topic, b"aborted", partition=0).get(ANSWER_S)
    time.sleep(4)


def _fenced(settings: KafkaSettings, partition: Partition) -> FencedProducer:
    producer = FencedProducer(settings, partition, "ours")
    producer.fence()
    return producer


def _record(value: bytes) -> OutgoingRecord:
    return OutgoingRecord(None, value, [])


def _values(settings: KafkaSettings, partition: Partition) -> list[bytes]:
    """The committed values of the partition."""
    kafka_partition, values = TopicPartition(*partition), []
    with closing(KafkaConsumer(**settings.for_consumer())) as consumer:
        consumer.assign([kafka_partition])
        consumer.seek(kafka_partition, 0)
        deadline = time.monotonic() + READ_S
        while time.monotonic() < deadline:
            values += [record.value for record in consumer.poll(200).get(kafka_partition, ())]
    return values


def _stable_end(settings: KafkaSettings, partition: Partition) -> int:
    kafka_partition = TopicPartition(*partition)
    with closing(KafkaConsumer(**settings.for_consumer())) as consumer:
        return int(consumer.end_offsets([kafka_partition])[kafka_partition])
