"""A live ledger's topics with facts on them, put there without the writing process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from consumers.ports import Stored
from infra import codec
from infra.kafka.log import FencedLog
from infra.kafka.records import LogRecord
from infra.live import notes, topics
from infra.live.catalogue import found
from infra.live.keys import salt_key
from infra.live.places import EVENTS, headers_of
from infra.live.settings import LiveSettings
from infra.live.shard import shard_place
from tests.codec.write_examples import KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTopics:
    """The topics of one ledger, founded."""

    settings: LiveSettings
    folder: Path

    @contextmanager
    def shard(self, number: int) -> Iterator[FencedLog]:
        """The writer's side of a shard."""
        folder = self.folder / "writer"
        with FencedLog(shard_place(self.settings.clients, self.settings.topic(EVENTS), number, folder)) as log:
            yield log


def founded(settings: LiveSettings, folder: Path, partitions: int) -> LiveTopics:
    """Topics with a ledger that takes time from its commands."""
    topics.create(settings, partitions)
    found(settings, salt_key(settings.keys, None), partitions, sandbox=True, folder=folder / "writer")
    return LiveTopics(settings=settings, folder=folder)


def append(log: FencedLog, facts: Sequence[Stored], answered: Sequence[notes.Answered] = ()) -> list[bytes]:
    """Commits facts behind those that are there, under the sequences that follow; their bytes."""
    placed = [replace(stored, sequence=log.last_sequence + number) for number, stored in enumerate(facts, 1)]
    records = [_record(stored) for stored in placed]
    note = notes.encode(notes.Note(through=log.last_sequence + len(facts), answered=list(answered)))
    log.append(records, notes=[note])
    return [record.value for record in records]


def _record(stored: Stored) -> LogRecord:
    recorded = stored.recorded
    type_, value = codec.encode(stored, KEY)
    return LogRecord(recorded.subject, recorded.version, type_, value, headers_of(recorded.id, recorded.subject))
