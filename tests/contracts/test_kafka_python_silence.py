"""A fault of kafka-python 3.0.12's plain producer, on a real broker, and that `Sender` is guarded against it.

A batch that was sent, was not answered and has expired makes the idempotent producer ask for a new producer id. Where
the broker is silent for that request too, the producer waits for its answer for ever: what it is given later is neither
sent nor failed, also when the broker is well again. If the first test fails after an upgrade, the fault may be gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError, KafkaTimeoutError  # type: ignore[import-untyped]

from infra.kafka.errors import Unreachable
from infra.kafka.producer import drop
from infra.kafka.topics import create_topic
from infra.live.places import REPLIES
from infra.live.sending import Sender
from infra.live.settings import LiveSettings
from infra.servers import KafkaCluster
from tests.support.live import wait_until
from tests.support.live_settings import on_brokers

DELIVERY_MS = 1_500
SILENT_S = 6.0
"""Longer than the delivery of a batch and the request for a producer id after it."""
ANSWER_S = 10.0


@pytest.fixture
def settings(kafka_node: KafkaCluster, tmp_path: Path) -> LiveSettings:
    """A ledger's settings with less patience, and the topic of its replies."""
    given = on_brokers(kafka_node.bootstrap_servers, tmp_path)
    given.__dict__["clients"] = replace(
        given.clients, delivery_timeout_ms=DELIVERY_MS, request_timeout_ms=DELIVERY_MS - 300
    )
    create_topic(given.clients, given.topic(REPLIES))
    return given


def test_after_a_silence_nothing_is_sent_or_failed_any_more(kafka_node: KafkaCluster, settings: LiveSettings) -> None:
    producer: Any = KafkaProducer(**settings.clients.for_plain_producer())
    topic = settings.topic(REPLIES)
    producer.send(topic, b"before", partition=0).get(ANSWER_S)
    with _silence(kafka_node):
        with pytest.raises(KafkaError):
            producer.send(topic, b"during", partition=0).get(ANSWER_S)
        time.sleep(SILENT_S)
    later = producer.send(topic, b"after", partition=0)
    with pytest.raises(KafkaTimeoutError, match="Timeout after waiting"):
        later.get(ANSWER_S)
    assert not later.is_done  # The fault: its delivery timeout has passed several times.
    drop(producer)


def test_ours_sends_again_when_the_broker_is_back(kafka_node: KafkaCluster, settings: LiveSettings) -> None:
    """What was on its way is Unreachable within its limit, what comes later arrives."""
    with closing(Sender(settings)) as sender:
        sender.send(REPLIES, b"before", key=None, partition=0).arrived()
        with _silence(kafka_node):
            during = [sender.send(REPLIES, b"during", key=None, partition=0) for _ in range(2)]
            time.sleep(SILENT_S)
            assert all(one.is_settled for one in during)
            for one in during:
                with pytest.raises(Unreachable):
                    one.arrived()
        assert _sent_at_last(sender) > 0


def _sent_at_last(sender: Sender) -> int:
    """The offset of a record that was sent until it arrived."""
    deadline = time.monotonic() + 4 * ANSWER_S
    while True:
        try:
            return sender.send(REPLIES, b"after", key=None, partition=0).arrived()[1]
        except Unreachable:
            assert time.monotonic() < deadline, "nothing arrives any more"


@contextmanager
def _silence(cluster: KafkaCluster) -> Iterator[None]:
    """The node answers nothing as long as this context lasts."""
    node = cluster.nodes[0]
    node.pause()
    stopped = Path(f"/proc/{node.pid}/stat")
    wait_until(lambda: stopped.read_text().rpartition(")")[2].split()[0] == "T", ANSWER_S, "the broker to stand still")
    try:
        yield
    finally:
        node.resume()
