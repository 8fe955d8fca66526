"""The full check of a ledger's topics: what a model decides for the same commands in the same order, byte for byte.

The model is the writer of the embedded ledger on a store in memory, one for each shard. It is told what only the world
can know: when the broker took a command, which publications a decision knew, and what personal data was sealed to.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from kafka import TopicPartition  # type: ignore[import-untyped]

from consumers.ports import Answer, Stored
from consumers.serving import Received, Shard, serve
from consumers.writer import Writer
from domain.catalogue import Catalogue
from domain.facts import CommandRefused
from domain.publishing import CatalogueState, evolve_publication
from infra import codec
from infra.kafka.reader import Partition, PartitionReader
from infra.kafka.records import Entry
from infra.live import notes
from infra.live.places import CATALOGUE, COMMANDS, EVENTS, FACTS, POSITION, REPLIES, partition_of, position_of
from infra.live.settings import LiveSettings
from infra.sealing import PREFIX
from tests.support.memory_store import MemoryShard

READ_LIMIT_S = 60.0
RECORDS_NOTHING = {"command_id_reused", "time_went_backwards"}

Outcome = dict[str, Any]
Sealed = Mapping[tuple[str, str, bytes], str]
"""Subject, command's id and personal data as canonical JSON → what it was sealed to while there was a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """The ledger that is checked."""

    settings: LiveSettings
    partitions: int
    is_sandbox: bool
    key: bytes
    sealed: Sealed = field(default_factory=dict)


@dataclass
class ShardLog:
    """What a shard's topics say; the facts by our own reader, which checks that all is dense."""

    commands: list[Received]
    facts: list[Entry]
    answered: list[notes.Answered]
    caused: dict[str, list[Stored]] = field(default_factory=dict)
    """Position of a command → the facts that it led to."""


@dataclass
class WholeLedger:
    """Everything that is on a ledger's topics, and what the model decides for its commands."""

    shards: list[ShardLog]
    publications: list[Stored]
    replies: list[tuple[str, Outcome]]
    """Position and outcome of each reply, in no order."""
    expected: dict[str, Outcome] = field(default_factory=dict)
    """Position of a command → its first outcome."""

    @property
    def facts(self) -> int:
        return sum(len(shard.facts) for shard in self.shards)

    @property
    def commands(self) -> int:
        return sum(len(shard.commands) for shard in self.shards)

    def require_told(self, position: str, outcome: Outcome) -> None:
        """What a sender was told is the first outcome.

        Of a refusal that recorded nothing there is none to remember: it may name a later balance.
        """
        first = self.expected[position]
        if outcome.get("code") in RECORDS_NOTHING and first.get("code") in RECORDS_NOTHING:
            assert (outcome["command"], outcome["events"]) == (first["command"], [])
        else:
            assert outcome == first, f"{position} was answered {outcome}, expected {first}"


def read_whole(founded: Founded) -> WholeLedger:
    """Reads all topics and checks decisions and replies. AssertionError says what is wrong, CorruptLog what is broken.

    Every command on the topic must be answered by now.
    """
    settings = founded.settings
    publications = [codec.decode(entry.value) for entry in _log(settings, CATALOGUE, 0)[0]]
    shards = [_shard_log(settings, number) for number in range(founded.partitions)]
    replies = [
        (dict(record.headers)[POSITION].decode(), orjson.loads(record.value))
        for number in range(founded.partitions)
        for record in records(settings, REPLIES, number)
    ]
    whole = WholeLedger(shards, publications, replies)
    for number, shard in enumerate(shards):
        whole.expected |= _decided(founded, number, shard, publications)
    for position, outcome in replies:
        whole.require_told(position, outcome)
    silent = set(whole.expected) - {position for position, _ in replies}
    assert not silent, f"never answered: {sorted(silent)[:10]}"
    return whole


def records(settings: LiveSettings, topic: str, number: int) -> list[Any]:
    """All committed records of one partition."""
    place = TopicPartition(settings.topic(topic), number)
    found: list[Any] = []
    deadline = time.monotonic() + READ_LIMIT_S
    with closing(settings.clients.clients.consumer(**settings.clients.for_consumer())) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        (end,) = consumer.end_offsets([place]).values()
        while consumer.position(place) < end:
            assert time.monotonic() < deadline, f"{place} could not be read to its end"
            found += consumer.poll(timeout_ms=200).get(place, [])
    return found


def _log(settings: LiveSettings, topic: str, number: int) -> tuple[list[Entry], list[notes.Note]]:
    partition = Partition(settings.topic(topic), number)
    entries: list[Entry] = []
    found: list[notes.Note] = []
    with PartitionReader(settings.clients, partition, offset=0, after=0, record_format=FACTS) as reader:
        for batch in reader.until(reader.end_offset()):
            entries += batch.entries
            found += [notes.decode(note.payload) for note in batch.notes]
    return entries, found


def _shard_log(settings: LiveSettings, number: int) -> ShardLog:
    commands = [
        Received(
            offset=record.offset,
            key=record.key,
            value=record.value,
            appended_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        )
        for record in records(settings, COMMANDS, number)
    ]
    entries, found = _log(settings, EVENTS, number)
    shard = ShardLog(commands, entries, [one for note in found for one in note.answered])
    versions: dict[str, int] = {}
    for entry in entries:
        stored = codec.decode(entry.value)
        assert stored.sequence == entry.sequence, f"{entry.key}/{entry.version}: value and header disagree"
        assert stored.recorded.version == entry.version == versions.get(entry.key, 0) + 1, f"{entry.key} has a gap"
        versions[entry.key] = entry.version
        shard.caused.setdefault(str(stored.command_position), []).append(stored)
    return shard


class _PublishedCatalogue:
    """The catalogue as a decision knew it: the model is told which version that was."""

    def __init__(self, facts: Sequence[Stored]) -> None:
        self.facts = facts
        self.states = [CatalogueState(catalogue=Catalogue())]
        for stored in facts:
            self.states.append(evolve_publication(self.states[-1], stored.recorded))
        self.version = len([stored for stored in facts if stored.caused_by == "initial"])
        self.position = ""
        self.answers: dict[str, Answer] = {}

    @property
    def published(self) -> list[Stored]:
        """What the command at this position published."""
        return [stored for stored in self.facts if stored.command_position == self.position]

    def load(self) -> CatalogueState:
        return self.states[self.version]

    def answer(self, command_id: str) -> Answer | None:
        return self.answers.get(command_id)

    def latest_elsewhere(self) -> datetime | None:
        """What the refusal says, if that is why it was refused; an acceptance says that there was no such instant."""
        refusals = [stored.recorded.fact for stored in self.published]
        past = [fact for fact in refusals if isinstance(fact, CommandRefused) and fact.code == "effective_in_the_past"]
        return past[0].earliest if past else None

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        assert list(facts) == self.published, f"published {self.published}, expected {facts}"
        self.answers[answer.command_id] = answer
        self.version = facts[-1].sequence


class _KnownSeals:
    """Seals as the ledger did while there was a key."""

    def __init__(self, sealed: Sealed) -> None:
        self._sealed = sealed
        self.erased: set[str] = set()

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        if subject in self.erased:
            return f"{PREFIX}erased"
        return self._sealed[subject, command_id, orjson.dumps(personal, option=orjson.OPT_SORT_KEYS)]

    def intend_to_erase(self, subject: str) -> None:
        """The model does not crash."""

    def erase(self, subject: str) -> None:
        self.erased.add(subject)


def _decided(founded: Founded, number: int, shard: ShardLog, publications: Sequence[Stored]) -> dict[str, Outcome]:
    """Position → outcome by the model, whose facts are the topic's, byte for byte."""
    store, catalogue = MemoryShard(), _PublishedCatalogue(publications)
    model = Writer(store, catalogue, _KnownSeals(founded.sealed))
    part = Shard(
        number=number,
        home=lambda subscriber: partition_of(subscriber, founded.partitions),
        position=lambda offset: position_of(number, offset),
        is_sandbox=founded.is_sandbox,
    )
    expected: dict[str, Outcome] = {}
    for command in shard.commands:
        position = catalogue.position = position_of(number, command.offset)
        caused = shard.caused.get(position, [])
        if caused:
            catalogue.version = caused[0].catalogue_sequence
        if catalogue.published:
            catalogue.version = catalogue.published[0].sequence - 1
        before = len(store.facts)
        (served,) = serve(model, part, [command], orjson.loads)
        model.commit()
        decided = store.facts[before:]
        assert [codec.encode(one, founded.key) for one in decided] == [
            codec.encode(one, founded.key) for one in caused
        ], f"{position} {command.value!r:.200}: the topic has {caused}, expected {decided}"
        expected[position] = orjson.loads(orjson.dumps(served.outcome))
    values = [codec.encode(stored, founded.key)[1] for stored in store.facts]
    assert values == [entry.value for entry in shard.facts], f"shard {number}: the topic's facts are not the model's"
    ours = Counter((one.subject, one.command_id) for one in shard.answered)
    assert set(ours.values()) <= {1}, f"decided twice: {ours.most_common(1)}"
    assert set(ours) == set(store._answers), "the answers in the notes are not the model's"
    return expected


def _bytes(facts: Sequence[Stored], founded: Founded) -> list[bytes]:
    return [codec.encode(stored, founded.key)[1] for stored in facts]
