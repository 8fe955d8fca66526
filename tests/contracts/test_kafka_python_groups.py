"""A fault of kafka-python 3.0.12's group membership, on a real broker, and that `infra.kafka.groups` cures it.

If the first test fails after an upgrade, the fault may be gone, and `take_up` with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.coordinator.base import MemberState  # type: ignore[import-untyped]

from infra.kafka.groups import subscribe, take_up
from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from tests.support.servers import new_topic

POLL_MS = 1
"""So short that no poll sees a rejoin to its end."""
JOIN_S = 20.0
STUCK_S = 3.0


@pytest.fixture
def topic(kafka_address: str) -> str:
    made = new_topic()
    create_topic(KafkaSettings(bootstrap_servers=kafka_address), made)
    return made


@pytest.fixture
def consumer(kafka_address: str) -> Iterator[Any]:
    settings = KafkaSettings(bootstrap_servers=kafka_address)
    with closing(settings.clients.consumer(**settings.for_group_consumer(f"group-{uuid4().hex}"))) as made:
        yield made


def test_a_rejoin_that_outlasts_its_poll_is_never_taken_up(consumer: Any, topic: str) -> None:
    _join_and_notice_a_change(consumer, topic)
    _poll(consumer, STUCK_S, lambda: False)
    assert _state(consumer) is MemberState.REBALANCING  # The fault: its join was answered long ago.


def test_ours_takes_it_up(consumer: Any, topic: str) -> None:
    _join_and_notice_a_change(consumer, topic)
    _poll(consumer, JOIN_S, lambda: _state(consumer) is MemberState.STABLE, between=lambda: take_up(consumer))
    assert _state(consumer) is MemberState.STABLE
    assert consumer.assignment() == {TopicPartition(topic, 0)}


def test_the_topics_are_known_before_the_group_is_joined(consumer: Any, topic: str) -> None:
    """So that the first assignment is not one of nothing."""
    subscribe(consumer, [topic], None)
    assert consumer._cluster.partitions_for_topic(topic) == {0}
    _poll(consumer, JOIN_S, lambda: _state(consumer) is MemberState.STABLE, between=lambda: take_up(consumer))
    assert consumer.assignment() == {TopicPartition(topic, 0)}


def _join_and_notice_a_change(consumer: Any, topic: str) -> None:
    """A member that assigned partitions finds that the metadata are not those by which it did."""
    subscribe(consumer, [topic], None)
    _poll(consumer, JOIN_S, lambda: _state(consumer) is MemberState.STABLE)
    consumer._coordinator._assignment_snapshot = {}
    _poll(consumer, JOIN_S, lambda: _state(consumer) is MemberState.REBALANCING)


def _poll(
    consumer: Any, limit_s: float, enough: Callable[[], bool], between: Callable[[], None] = lambda: None
) -> None:
    deadline = time.monotonic() + limit_s
    while not enough() and time.monotonic() < deadline:
        consumer.poll(POLL_MS)
        between()


def _state(consumer: Any) -> MemberState:
    return consumer.group_metadata().state
