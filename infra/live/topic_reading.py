"""A live ledger's topics for those who ask: where they end, one command, all facts; nothing is written or committed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from infra import codec
from infra.kafka.errors import HistoryDeleted, Unreachable, nobody_answered, reason
from infra.kafka.reader import POLL_MS, Partition, PartitionReader
from infra.kafka.records import Entry, Note
from infra.live import notes
from infra.live.catalogue import NotFounded
from infra.live.following import Follower
from infra.live.places import COMMANDS, DEAD_LETTERS, EVENTS, FACTS, POSITION, REASON
from infra.live.settings import LiveSettings
from infra.postgres.schema import CATALOGUE_SHARD, Position
from infra.views.source import Parked

FETCH_BYTES = 100_000
"""At once: single records are looked at."""
TAIL_RECORDS = 16
"""How many of a partition's last records are looked at for a fact; four times as many while there is none."""
PARKED_RECORDS = 100
"""How many of a partition's last dead letters are told of; the topic has all of them."""
FOLLOW_POLL_MS = 200
SIGN_OF_LIFE_SECONDS = 10.0
"""How long whoever follows waits for facts before the brokers are asked whether they are there."""
ABSENT_LIMIT_SECONDS = 60.0
"""How long they may be absent."""


class TopicReader:
    """One connection that looks here and there, made when it is needed. Raises Unreachable, NotFounded."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings

    def ends(self) -> dict[int, int]:
        """Shard → the offset behind its last committed record."""
        topic = self._settings.topic(EVENTS)
        try:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise NotFounded(f"there is no topic {topic}; `subledger topics create` makes it")
            places = [TopicPartition(topic, number) for number in numbers]
            found = self._consumer.end_offsets(places, timeout_ms=self._settings.clients.request_timeout_ms)
        except KafkaError as failed:
            raise Unreachable(f"the brokers did not say where {topic} ends: {reason(failed)}") from failed
        return {place.partition: int(offset) for place, offset in sorted(found.items())}

    def last_sequence(self, shard: int, counted: Position, end: int) -> int:
        """The sequence of the shard's last fact below the offset `end`; the views have counted up to `counted`."""
        place = TopicPartition(self._settings.topic(EVENTS), shard)
        wanted = TAIL_RECORDS
        while True:
            start = max(counted.next_offset, end - wanted)
            found = [FACTS.read(record) for record in self._records(place, start, end)]
            facts = [entry.sequence for entry in found if isinstance(entry, Entry)]
            if facts or start == counted.next_offset:
                return max(facts, default=counted.sequence)
            wanted *= 4

    def last_instant(self, shard: int, end: int) -> datetime | None:
        """The latest instant of anything decided in the shard, by the last note below the offset `end`."""
        place = TopicPartition(self._settings.topic(EVENTS), shard)
        wanted = TAIL_RECORDS
        while True:
            start = max(0, end - wanted)
            found = [FACTS.read(record) for record in self._records(place, start, end)]
            instants = [notes.decode(note.payload).as_of for note in found if isinstance(note, Note)]
            if instants or not start:
                last = instants[-1] if instants else None
                return codec.parse_instant(last) if last else None
            wanted *= 4

    def command(self, partition: int, offset: int) -> tuple[bytes, datetime]:
        """A command's bytes, and when the broker took it. HistoryDeleted where it is not there any more."""
        place = TopicPartition(self._settings.topic(COMMANDS), partition)
        for record in self._records(place, offset, offset + 1):
            if record.offset == offset:
                return record.value, datetime.fromtimestamp(record.timestamp / 1000, UTC)
        raise HistoryDeleted(f"{place.topic}/{partition}: there is no command at offset {offset} any more")

    def parked(self) -> Iterator[Parked]:
        """The last dead letters of each shard, each command once: whoever sends in doubt sends again."""
        topic = self._settings.topic(DEAD_LETTERS)
        limit = self._settings.clients.request_timeout_ms
        try:
            places = [TopicPartition(topic, shard) for shard in self.ends()]
            begins = self._consumer.beginning_offsets(places, timeout_ms=limit)
            ends = self._consumer.end_offsets(places, timeout_ms=limit)
        except KafkaError as failed:
            raise Unreachable(f"the brokers did not say where {topic} ends: {reason(failed)}") from failed
        for place in places:
            start = max(begins[place], ends[place] - PARKED_RECORDS)
            letters = (dict(record.headers) for record in self._records(place, start, ends[place]))
            # A record that somebody else put there says neither.
            found = [_parked(headers) for headers in letters if POSITION in headers and REASON in headers]
            yield from {one.position: one for one in found}.values()

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if "_consumer" in self.__dict__:
            self._consumer.close(autocommit=False)

    @cached_property
    def _consumer(self) -> Any:
        clients = self._settings.clients
        options = {**clients.for_consumer(), "max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_bytes": FETCH_BYTES}
        try:
            return clients.clients.consumer(**options)
        except KafkaError as failed:
            raise nobody_answered(clients.bootstrap_servers, failed) from failed

    def _records(self, place: Any, start: int, end: int) -> Iterator[Any]:
        """The records from the offset `start` to below `end`; gaps are what transactions leave."""
        limit = self._settings.clients.stall_limit_s
        deadline = time.monotonic() + limit
        try:
            self._consumer.assign([place])
            self._consumer.seek(place, start)
            while self._consumer.position(place, timeout_ms=self._settings.clients.request_timeout_ms) < end:
                for record in self._consumer.poll(timeout_ms=POLL_MS).get(place, ()):
                    if record.offset < end:
                        yield record
                if time.monotonic() > deadline:
                    raise Unreachable(f"{place.topic}/{place.partition}: offset {end} was not reached in {limit} s")
        except KafkaError as failed:
            raise Unreachable(f"{place.topic}/{place.partition} could not be read: {reason(failed)}") from failed


def _parked(headers: dict[str, bytes]) -> Parked:
    why = orjson.loads(headers[REASON])
    return Parked(position=headers[POSITION].decode(), path=why["path"], message=why["message"])


def every_fact(settings: LiveSettings, first: int, *, follow: bool) -> Iterator[list[bytes]]:
    """The exact bytes of all facts from the sequence `first` on, shard by shard; then those that come, as they come.

    Raises Unreachable, NotFounded, CorruptLog.
    """
    with closing(TopicReader(settings)) as reader:
        ends = reader.ends()
    positions = {}
    for shard, end in ends.items():
        partition = Partition(settings.topic(EVENTS), shard)
        with PartitionReader(settings.clients, partition, offset=0, after=0, record_format=FACTS) as log:
            for batch in log.until(end):
                yield [entry.value for entry in batch.entries if entry.sequence >= first]
            positions[shard] = Position(log.sequence or 0, log.next_offset)
    if follow:
        yield from _following(settings, positions, first)


def _following(settings: LiveSettings, positions: dict[int, Position], first: int) -> Iterator[list[bytes]]:
    with closing(Follower(settings, len(positions), positions)) as follower:
        well_at = asked_at = time.monotonic()
        while True:
            now = time.monotonic()
            if follower.poll(FOLLOW_POLL_MS):
                well_at = asked_at = now
            elif now - asked_at > SIGN_OF_LIFE_SECONDS:
                asked_at = now
                try:
                    follower.is_at_the_end(now)
                    well_at = now
                except Unreachable:
                    if now - well_at > ABSENT_LIMIT_SECONDS:
                        raise
            for batch in follower.take():
                if batch.shard != CATALOGUE_SHARD:
                    yield _wanted(batch.entries, first)
            follower.require_sound()


def _wanted(entries: Sequence[tuple[int, bytes]], first: int) -> list[bytes]:
    return [value for sequence, value in entries if sequence >= first]
