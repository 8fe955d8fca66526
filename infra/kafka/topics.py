"""Making and describing the topics of logs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError  # type: ignore[import-untyped]

from infra.kafka.errors import Unreachable, reason
from infra.kafka.settings import KafkaSettings

HISTORY = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""Topic settings where history lives: nothing is ever deleted or compacted."""

CREATE_TIMEOUT_MS = 30_000
VISIBLE_LIMIT_S = 30.0
VISIBLE_POLL_S = 0.02


def create_topic(
    settings: KafkaSettings,
    topic: str,
    *,
    partitions: int = 1,
    replication_factor: int = -1,
    configs: Mapping[str, str] = HISTORY,
) -> bool:
    """Creates a topic unless it exists, and returns when it can be written to; True if it was created.

    A replication factor of -1 is the broker's own `default.replication.factor`. Raises Unreachable.
    """
    options = {"num_partitions": partitions, "replication_factor": replication_factor, "configs": dict(configs)}
    try:
        with closing(settings.clients.admin(**settings.for_admin())) as admin:
            created = _create(admin, topic, options)
            _wait_for_leaders(admin, topic)
    except KafkaError as failed:
        raise Unreachable(f"topic {topic} could not be created: {reason(failed)}") from failed
    return created


def _create(admin: Any, topic: str, options: Mapping[str, Any]) -> bool:
    try:
        admin.create_topics({topic: options}, timeout_ms=CREATE_TIMEOUT_MS)
    except TopicAlreadyExistsError:
        return False
    return True


def _wait_for_leaders(admin: Any, topic: str) -> None:
    deadline = time.monotonic() + VISIBLE_LIMIT_S
    while not _has_leaders(admin, topic):
        if time.monotonic() > deadline:
            raise Unreachable(f"topic {topic} has no leader {VISIBLE_LIMIT_S} s after it was created")
        time.sleep(VISIBLE_POLL_S)


def _has_leaders(admin: Any, topic: str) -> bool:
    try:
        (description,) = admin.describe_topics([topic])
    except UnknownTopicOrPartitionError:
        return False
    partitions = description.get("partitions", ())
    return bool(partitions) and all(_leader(partition) >= 0 for partition in partitions)


def _leader(partition: Mapping[str, Any]) -> int:
    return int(partition.get("leader_id", partition.get("leader", -1)))
