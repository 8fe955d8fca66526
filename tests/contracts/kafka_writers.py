"""Writers in processes of their own, to be killed and paused by `test_kafka_log`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from infra.kafka.errors import Fenced
from infra.kafka.log import FencedLog
from infra.kafka.mirror import LogPlace, Mirror
from infra.kafka.producer import FencedProducer, Stored
from infra.kafka.reader import Partition
from infra.kafka.records import LogRecord, OutgoingRecord
from infra.kafka.settings import KafkaSettings

FENCED_EXIT = 42
APPENDS = 100_000


def append_for_ever(log: FencedLog) -> None:
    """Prints each acknowledged sequence; ends with `FENCED_EXIT` when another writer takes over."""
    for version in range(1, APPENDS):
        try:
            (sequence,) = log.append([LogRecord(f"{log.place.role}-{os.getpid()}", version, "counted", b"x")])
        except Fenced:
            sys.exit(FENCED_EXIT)
        print(sequence, flush=True)


def die_between_commit_and_index(log: FencedLog) -> None:
    """Appends two events and is gone when Kafka has committed them."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    mock.patch.object(Mirror, "add", die).start()
    log.append([LogRecord("s-1", version, "counted", b"committed") for version in (2, 3)])


def die_in_mid_transaction(log: FencedLog) -> None:
    """Sends two events and is gone before the commit."""

    def die(producer: FencedProducer, records: Sequence[OutgoingRecord]) -> list[Stored]:
        bare = producer._producer
        bare.begin_transaction()
        for sent in [bare.send(log.place.partition.topic, r.value, r.key, r.headers, 0) for r in records]:
            sent.get(10)
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    mock.patch.object(FencedProducer, "commit", die).start()
    log.append([LogRecord("s-1", version, "counted", b"never committed") for version in (2, 3)])


WAYS = {way.__name__: way for way in (append_for_ever, die_between_commit_and_index, die_in_mid_transaction)}


def main() -> None:
    """Arguments: what to do, brokers, topic, folder of the index."""
    way, brokers, topic, folder = sys.argv[1:]
    settings = KafkaSettings(bootstrap_servers=brokers)
    with FencedLog(LogPlace(settings=settings, partition=Partition(topic, 0), folder=Path(folder))) as log:
        WAYS[way](log)


if __name__ == "__main__":
    main()
