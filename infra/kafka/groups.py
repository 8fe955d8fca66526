"""Members of consumer groups, guarded against two faults of kafka-python 3.0.12.

The member that assigns partitions before it has heard of the topic assigns none, and notices when its metadata grow
old. And where it notices that a topic has changed while it is a member, it joins anew; if the poll in which it does so
is over before the others have answered, it believes that nothing is left to do: it never takes up the assignment, sends
no heartbeats, commits no offsets, and does not hear that it was put out of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def subscribe(consumer: Any, topics: Sequence[str], listener: Any) -> None:
    """Subscribes, and asks for the topics' metadata before the group can be joined. Raises KafkaError."""
    consumer.subscribe(list(topics), listener=listener)
    for topic in topics:
        consumer.partitions_for_topic(topic)


def take_up(consumer: Any) -> None:
    """Lets the next poll take up a rebalance that was left halfway; to be called between polls."""
    coordinator = consumer._coordinator
    if coordinator.rebalance_in_progress() and not coordinator.need_rejoin():
        coordinator.request_rejoin()
