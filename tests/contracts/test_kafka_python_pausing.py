"""A fault of kafka-python 3.0.12's consumer, and that ours is cured of it: a partition that was paused and resumed.

Records that were fetched and not yet given out when their partition was paused are set aside. They are taken up again
only into an empty place, which the fetch of another partition fills for ever: the resumed partition is never read, nor
fetched, again. A writer of several shards pauses each whose backlog grows. If the first test fails after an upgrade,
the fault may be gone, and `FetchedRecords.drain` with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from infra.kafka.settings import KafkaPython, KafkaSettings
from infra.kafka.topics import create_topic
from tests.support.servers import new_topic

EACH = 9
AT_ONCE = 3
"""Records that a poll gives out: fewer than a fetch brings, so that some wait in the client."""
READ_S = 3.0


@pytest.fixture
def settings(kafka_address: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka_address)


@pytest.fixture
def places(settings: KafkaSettings) -> list[Any]:
    """Two partitions with some records each."""
    topic = new_topic()
    create_topic(settings, topic, partitions=2)
    found = [TopicPartition(topic, number) for number in range(2)]
    with closing(settings.clients.producer(**settings.for_plain_producer())) as producer:
        for place in found:
            sent = [producer.send(topic, b"%d" % number, partition=place.partition) for number in range(EACH)]
            for one in sent:
                one.get(10)
    return found


def test_a_resumed_partition_is_never_read_again(settings: KafkaSettings, places: list[Any]) -> None:
    read = _read_with_a_pause(KafkaConsumer, settings, places)
    assert sorted(read.values()) == [AT_ONCE, EACH]  # The fault: both should be EACH.


def test_ours_goes_on_where_it_was_paused(settings: KafkaSettings, places: list[Any]) -> None:
    read = _read_with_a_pause(KafkaPython().consumer, settings, places)
    assert sorted(read.values()) == [EACH, EACH]


def _read_with_a_pause(make: Callable[..., Any], settings: KafkaSettings, places: list[Any]) -> dict[Any, int]:
    """Records read of each: the first that gives some is paused, the other read to its end, the first resumed."""
    read = dict.fromkeys(places, 0)
    with closing(make(**{**settings.for_consumer(), "max_poll_records": AT_ONCE})) as consumer:
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)

        def poll_until(enough: Callable[[], bool]) -> None:
            deadline = time.monotonic() + READ_S
            while not enough() and time.monotonic() < deadline:
                for place, records in consumer.poll(100).items():
                    read[place] += len(records)

        poll_until(lambda: any(read.values()))
        first, other = sorted(places, key=lambda place: -read[place])
        consumer.pause(first)
        poll_until(lambda: read[other] == EACH)
        consumer.resume(first)
        poll_until(lambda: read[first] == EACH)
    return read
