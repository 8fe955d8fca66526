"""One shard of the writer: a fenced log, a ledger's writer on it, and the way of a batch of commands through both.

    open    fence, barrier, index; the offset from which commands are read
    work    a batch: decide, commit, reply, until that is known to have happened
    close   the shard is given up

After a doubtful commit everything in memory is thrown away, the log is opened anew and the same batch is worked through
again: what was committed is answered from the index. Fenced: the shard is given up at once.
"""

import time
from collections.abc import Callable, Sequence

import structlog
from eventsourcing.persistence import PersistenceError

from consumers.ports import StoreError
from consumers.serving import Received, Served, Shard, serve
from consumers.writer import Writer
from domain.state import Subscriber
from infra import incoming
from infra.kafka.errors import CorruptLog, Fenced, LogError
from infra.kafka.log import FencedLog
from infra.live.catalogue import KafkaCatalogue, LiveCatalogue
from infra.live.health import WriterMetrics
from infra.live.keys import LiveKeys
from infra.live.places import EVENTS, partition_of, position_of
from infra.live.settings import LiveSettings
from infra.live.shard import KafkaShard, shard_place

RETRY_SECONDS = 0.5
RETRY_MOST_SECONDS = 5.0
STUCK_LIMIT_SECONDS = 60.0
"""How long a shard that is not lost tries to store a batch before it is given up for another process to try."""


class ShardLost(Exception):
    """Another writer has the shard, or its log cannot be right. `cause` says which."""


class ShardStuck(ShardLost):
    """The shard is ours, its log may be right, and nothing could be stored within the limit."""


class ShardWorker:
    """The writer of one shard. One thread."""

    def __init__(
        self,
        settings: LiveSettings,
        number: int,
        *,
        catalogue: LiveCatalogue,
        key: bytes,
        metrics: WriterMetrics,
    ) -> None:
        founding = catalogue.founded()
        self.number = number
        self._settings = settings
        self._catalogue = catalogue
        self._sealer = LiveKeys(settings.keys)
        self._key = key
        self._metrics = metrics
        self._shard = Shard(
            number=number,
            home=lambda subscriber: partition_of(subscriber, founding.partitions),
            position=lambda offset: position_of(number, offset),
            is_sandbox=founding.sandbox,
        )
        place = shard_place(settings.clients, settings.topic(EVENTS), number, settings.data)
        self._log = FencedLog(place, transactional_id=f"{settings.topics}.{number}")
        self._store: KafkaShard | None = None
        self._publications: KafkaCatalogue | None = None
        self._writer: Writer | None = None
        self.is_retrying = False
        """Whether a batch waits for what failed to be better."""
        self._say = structlog.get_logger().bind(shard=number)

    def open(self) -> int:
        """Takes the shard over; the offset of the first command that may not have been dealt with.

        Raises LogError and CorruptLog of `infra.kafka.errors`.
        """
        started = time.monotonic()
        self._log.open()
        self._begin()
        assert self._store is not None
        seconds = round(time.monotonic() - started, 3)
        self._say.info("shard opened", sequence=self._log.last_sequence, seconds=seconds)
        return self._store.through + 1

    def work(self, batch: Sequence[Received], give_up: Callable[[], bool]) -> list[Served]:
        """Decides and stores a batch; its outcomes may be told now. Empty where `give_up` said so before it was stored.

        Raises ShardLost, and ShardStuck after STUCK_LIMIT_SECONDS.
        """
        wait_s = RETRY_SECONDS
        failing_since: float | None = None
        while not give_up():
            try:
                served = self._attempt(batch)
            except StoreError as error:
                if isinstance(error.__cause__, Fenced | CorruptLog):
                    raise ShardLost(str(error.__cause__)) from error
                self._say.warning("commit in doubt", error=str(error))
                failed: Exception = error
            except PersistenceError as error:
                if isinstance(error, Fenced | CorruptLog):
                    raise ShardLost(str(error)) from error
                self._say.warning("log not available", error=str(error))
                failed = error
            else:
                self.is_retrying = False
                return served
            self.is_retrying = True
            self._metrics.restarts.inc()
            self._writer = None
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > STUCK_LIMIT_SECONDS:
                raise ShardStuck(_at_root(failed)) from failed
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MOST_SECONDS)
        return []

    def close(self) -> None:
        """Gives the shard up."""
        self._end()
        self._sealer.close()
        self._log.close()
        self._say.info("shard closed")

    def _attempt(self, batch: Sequence[Received]) -> list[Served]:
        if self._writer is None:
            self._log.open()
            self._begin()
        writer, store = self._writer, self._store
        assert writer is not None
        assert store is not None
        through = store.through
        started = time.perf_counter()
        # A publication in the batch stores what was decided before it, up to the command before the batch at least.
        served = serve(writer, self._shard, batch, incoming.parse)
        store.through = max(through, batch[-1].offset)
        decided = time.perf_counter()
        writer.commit()
        self._metrics.group(served, decided - started, time.perf_counter() - decided)
        return served

    def _finish_erasures(self) -> None:
        """What a crash or a doubtful commit left between the fact of an erasure and the end of its key."""
        assert self._store is not None
        for subject in self._sealer.intended():
            if self._shard.home(subject) != self.number:
                continue
            state = self._store.load(subject).state
            if isinstance(state, Subscriber) and state.profile.erased:
                self._sealer.erase(subject)
            else:
                self._sealer.keep(subject)

    def _begin(self) -> None:
        """A writer that knows nothing but what is stored."""
        self._end()
        self._store = KafkaShard(self._log, self._key)
        self._publications = KafkaCatalogue(self._catalogue, self._settings, self._key, self._store)
        self._writer = Writer(self._store, self._publications, self._sealer)
        self._finish_erasures()

    def _end(self) -> None:
        for part in (self._store, self._publications):
            if part is not None:
                part.close()
        self._store = self._publications = self._writer = None


def _at_root(failed: BaseException) -> str:
    """What the first of our own exceptions that led to this one says."""
    while isinstance(failed.__cause__, LogError | StoreError):
        failed = failed.__cause__
    return str(failed)
