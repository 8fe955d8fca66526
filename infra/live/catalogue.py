"""The port `CatalogueStore` on Kafka, and how a ledger was founded: the topic `catalogue.v1`, one partition.

Every process reads it; only the writer of the shard that the subscriber `catalogue` belongs to writes it, through a
fenced log of its own that is opened with the first publication.
"""

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock

from eventsourcing.persistence import PersistenceError

from consumers.outcomes import recorded_events
from consumers.ports import Answer, Group, Known, Stored, StoreError
from domain.catalogue import Catalogue
from domain.publishing import CatalogueState, evolve_publication
from infra import codec
from infra.embedded.folder import initial_publications
from infra.kafka.errors import Unreachable
from infra.kafka.log import FencedLog
from infra.kafka.reader import Batch, Partition, PartitionReader, written_end
from infra.kafka.settings import KafkaSettings
from infra.live import notes, topics
from infra.live.places import CATALOGUE, EVENTS, FACTS, catalogue_partition, position_of
from infra.live.settings import LiveSettings
from infra.live.shard import KafkaShard, Remembered, log_record, shard_place

VISIBLE_POLL_S = 0.005
TAIL_RECORDS = 16
"""How many of a partition's last records are looked at for a note; four times as many while there is none."""


class NotFounded(Exception):
    """The topics have no ledger yet; `subledger topics create` founds one."""


class LiveCatalogue:
    """The catalogue as it is published: read to the end of the topic each time it is asked for. Any thread."""

    def __init__(self, settings: LiveSettings) -> None:
        """Connects. Raises infra.kafka.errors.Unreachable, and NotFounded where there is no such topic."""
        self._settings = settings
        self._partition = Partition(settings.topic(CATALOGUE), 0)
        self._reader = PartitionReader(settings.clients, self._partition, offset=0, after=0, record_format=FACTS)
        self._lock = Lock()
        self._begun = self._done = 0
        """Number of the last reading that was begun, and of the last that came to the topic's end."""
        self._state = CatalogueState(catalogue=Catalogue())
        self._answers: dict[str, notes.Answered] = {}
        self._facts: list[Stored] = []
        self.founding: notes.Founding | None = None
        try:
            self.state()
        except Unreachable:
            self.close()
            # Brokers that know no such topic do not say where it ends either.
            if topics.is_missing(settings, CATALOGUE):
                raise self._not_founded() from None
            raise
        except BaseException:
            self.close()
            raise

    def state(self) -> CatalogueState:
        """The catalogue with everything that was published before the call.

        Whoever waited for another's reading that began after the call has what they asked for: while brokers are silent
        shards do not wait for them one after the other. Raises Unreachable.
        """
        before = self._begun
        limit_s = self._settings.clients.stall_limit_s
        if not self._lock.acquire(timeout=limit_s):
            raise Unreachable(f"{self._partition}: others were still reading it after {limit_s:g} s")
        try:
            if self._done <= before:
                self._begun += 1
                for batch in self._reader.until(self._reader.end_offset()):
                    self._take(batch)
                self._done = self._begun
            return self._state
        finally:
            self._lock.release()

    def wait_for(self, sequence: int) -> None:
        """Returns when everybody sees what was published up to there.

        A commit is answered before its markers are written, and only then do readers see it (KIP-98). Raises
        Unreachable when that takes longer than reading may stall.
        """
        deadline = time.monotonic() + self._settings.clients.stall_limit_s
        while self.state().version < sequence:
            if time.monotonic() > deadline:
                raise Unreachable(f"{self._partition}: the publication {sequence} was committed and cannot be read")
            time.sleep(VISIBLE_POLL_S)

    def founded(self) -> notes.Founding:
        """What was settled when the ledger was made. Raises NotFounded."""
        if self.founding is None:
            raise self._not_founded()
        return self.founding

    def answer(self, command_id: str) -> Known | None:
        """What was answered to a publication."""
        with self._lock:
            known = self._answers.get(command_id)
            if known is None:
                return None
            last = known.first_sequence + known.facts - 1
            facts = [stored for stored in self._facts if known.first_sequence <= stored.sequence <= last]
        return Remembered(
            outcome=notes.outcome_of(command_id, known.verdict, recorded_events(facts)),
            position=position_of(catalogue_partition(self.founded().partitions), known.offset),
            fingerprint=known.fingerprint,
            impersonal=known.impersonal,
        )

    def close(self) -> None:
        """Closes the connection."""
        self._reader.close()

    def _not_founded(self) -> NotFounded:
        return NotFounded(f"{self._partition.topic} has no ledger yet; `subledger topics create` makes one")

    def _take(self, batch: Batch) -> None:
        for entry in batch.entries:
            stored = codec.decode(entry.value)
            self._facts.append(stored)
            self._state = evolve_publication(self._state, stored.recorded)
        for one in batch.notes:
            note = notes.decode(one.payload)
            self.founding = note.founding or self.founding
            self._answers.update((answered.command_id, answered) for answered in note.answered)


class KafkaCatalogue:
    """The port, for the writer of one shard. One thread."""

    def __init__(self, live: LiveCatalogue, settings: LiveSettings, key: bytes, shard: KafkaShard) -> None:
        self._live = live
        self._settings = settings
        self._key = key
        self._shard = shard
        self._log: FencedLog | None = None

    def load(self) -> CatalogueState:
        return self._live.state()

    def answer(self, command_id: str) -> Known | None:
        self._live.state()
        return self._live.answer(command_id)

    def latest_elsewhere(self) -> datetime | None:
        partitions = self._live.founded().partitions
        own = catalogue_partition(partitions)
        instants = [
            latest_instant(self._settings.clients, Partition(self._settings.topic(EVENTS), number))
            for number in range(partitions)
            if number != own
        ]
        return max((one for one in instants if one is not None), default=None)

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        try:
            store = KafkaShard(self._opened(), self._key, catalogue_partition(self._live.founded().partitions))
            store.through = self._shard.through
            store.commit(Group(facts=list(facts), answers=[answer]))
            store.close()
            self._live.wait_for(facts[-1].sequence)
        except BaseException as failed:
            self.close()
            if isinstance(failed, PersistenceError):
                raise StoreError(f"the publication was not stored: {failed}") from failed
            raise

    def close(self) -> None:
        """Gives the catalogue's log up."""
        if self._log is not None:
            with suppress(PersistenceError):
                self._log.close()
            self._log = None

    def _opened(self) -> FencedLog:
        if self._log is None:
            log = catalogue_log(self._settings, self._settings.data)
            log.open()
            self._log = log
        return self._log


def catalogue_log(settings: LiveSettings, folder: Path) -> FencedLog:
    """The writer's side of the catalogue."""
    topic = settings.topic(CATALOGUE)
    return FencedLog(shard_place(settings.clients, topic, 0, folder), transactional_id=topic)


def found(settings: LiveSettings, key: bytes, partitions: int, *, sandbox: bool, folder: Path) -> notes.Founding:
    """Founds the ledger with the initial publications unless that was done before; what was settled is returned."""
    founding = notes.Founding(partitions=partitions, sandbox=sandbox, salt_key=key_digest(key))
    live = LiveCatalogue(settings)
    try:
        if live.founding is not None:
            return live.founding
    finally:
        live.close()
    with catalogue_log(settings, folder) as log:
        if log.last_sequence == 0:
            records = [log_record(stored, key) for stored in initial_publications()]
            log.append(records, notes=[notes.encode(notes.Note(through=-1, founding=founding))], after=0)
    return founding


def key_digest(key: bytes) -> str:
    """By which a process knows that it has the ledger's key."""
    return hashlib.sha256(key).hexdigest()


def latest_instant(settings: KafkaSettings, partition: Partition) -> datetime | None:
    """The latest instant of anything decided in that shard and told to anybody, by the last note in its partition.

    Raises Unreachable where what was written before the call is not decided within the limit of a stall.
    """
    written = written_end(settings, partition)
    wanted = TAIL_RECORDS
    with PartitionReader(settings, partition, offset=0, after=None, record_format=FACTS) as reader:
        deadline = time.monotonic() + settings.stall_limit_s
        while reader.end_offset() < written:
            if time.monotonic() > deadline:
                raise Unreachable(f"{partition}: a transaction stayed open for {settings.stall_limit_s:g} s")
            time.sleep(VISIBLE_POLL_S)
        while True:
            start = max(0, written - wanted)
            reader.seek(start)
            seen = [notes.decode(note.payload) for batch in reader.until(written) for note in batch.notes]
            if seen or not start:
                as_of = seen[-1].as_of if seen else None
                return codec.parse_instant(as_of) if as_of else None
            wanted *= 4
