"""Reads a ledger from Kafka with plain kafka-python: every fact once, in order, or a stop.

consumer.py BROKERS TOPIC PARTITION     prints sequence, type and subject of each fact
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]


def facts(
    brokers: str, topic: str, partition: int, after: int = 0, offset: int = 0, idle_ms: int = 10_000
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Offset and fact, of all facts behind sequence `after`, each once; ends when nothing new came for `idle_ms`."""
    place = TopicPartition(topic, partition)
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        isolation_level="read_committed",  # The default shows facts that were never committed.
        auto_offset_reset="earliest",  # The default skips to the end when an offset is not there.
        enable_auto_commit=False,  # The position is a sequence, stored with what was made of the facts.
        consumer_timeout_ms=idle_ms,
    )
    try:
        consumer.assign([place])
        consumer.seek(place, offset)
        for record in consumer:
            if record.key is None:  # A writer's own mark, not a fact.
                continue
            sequence = int(dict(record.headers)["ce_sequence"])
            if sequence <= after:  # Known already: stored twice, or read again.
                continue
            if sequence != after + 1:  # Offsets have gaps, sequences never have.
                raise RuntimeError(f"{topic}/{partition}: expected sequence {after + 1}, found {sequence}")
            yield record.offset, json.loads(record.value)
            after = sequence
    finally:
        consumer.close()


if __name__ == "__main__":
    for _, fact in facts(sys.argv[1], sys.argv[2], int(sys.argv[3])):
        print(int(fact["sequence"]), fact["type"], fact["subject"], flush=True)
