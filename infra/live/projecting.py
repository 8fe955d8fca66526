"""The process `subledger project`: follows every shard, keeps the views in PostgreSQL, tells balances as they change.

One process does it for a ledger, by an advisory lock of its schema; a second one waits as a hot standby. Positions are
those in the database, written with the rows: consumers' offsets are not committed. A batch's balances are on
`balances.v1`, acknowledged, before the batch is committed: a crash in between repeats them, and loses none.

While a batch is being written, in a thread of its own, the next one is read and folded. After anything doubtful
everything in memory is thrown away: connections, what was read, what was folded; positions are read again.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Protocol

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from domain.money import Money
from infra.contracts.balance_record import BalanceRecord
from infra.kafka.errors import CorruptLog, Fenced, Unreachable
from infra.kafka.records import OutgoingRecord
from infra.live import topics
from infra.live.catalogue import LiveCatalogue
from infra.live.following import Follower
from infra.live.health import LATENCIES, SIZES, Health
from infra.live.places import BALANCES
from infra.live.sending import FencedSender
from infra.live.settings import LiveSettings
from infra.postgres.connecting import connect, first_line, try_lock
from infra.postgres.keeping import Balance, BeforeCommit, PostgresViews, Prepared, ShardBatch
from infra.postgres.rebuilding import open_current
from infra.postgres.schema import Position
from infra.views.runner import Progress
from infra.views.times import instant

BATCH_FACTS = 5_000
"""What was read is written when it is as much as this, …"""
BATCH_SECONDS = 0.05
"""… or when the first of it has waited for so long, …"""
FEW_RECORDS = 500
"""… or when less than this came at once: then there is nothing to wait for."""
SIGN_OF_LIFE_SECONDS = 10.0
"""How long a quiet process waits before it asks both servers whether they are there."""
RETRY_SECONDS = 0.5
RETRY_MOST_SECONDS = 5.0
STANDBY_SECONDS = 1.0
ABSENT_LIMIT_SECONDS = 60.0
"""How long a server may be absent before the process ends and leaves waiting to whoever restarts it."""
LAG_SECONDS = 1.0
WAIT_SECONDS = 1.0
"""How often a wait for the database looks whether the process should end."""


class ServerAbsent(Unreachable):
    """Kafka or PostgreSQL has not answered for ABSENT_LIMIT_SECONDS; the message names what failed last."""


class _GivenUp(Exception):
    """What was still being written when the process should have ended: the database forgets it."""


class ViewStore(Protocol):
    """Where the views are kept; PostgreSQL, or something that keeps its promises."""

    def positions(self) -> Mapping[int, Position]:
        """How far each shard is counted."""

    def prepare(self, batches: Sequence[ShardBatch]) -> Prepared:
        """Folds batches; any thread."""

    def write(self, prepared: Prepared, before_commit: BeforeCommit | None = None) -> None:
        """Writes a folded batch with its positions, all or nothing, `before_commit` told before."""

    def alive(self) -> None:
        """Raises psycopg.Error where the server does not answer."""

    def close(self) -> None:
        """Ends the connection, whatever it is at."""


class ProjectorMetrics:
    """What a projector counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.facts = Counter("subledger_facts_folded", "Facts counted in the views.", registry=registry)
        self.batch = Histogram("subledger_batch_facts", "Facts of a transaction.", buckets=SIZES, registry=registry)
        self.commit = Histogram("subledger_commit_seconds", "Writing a batch.", buckets=LATENCIES, registry=registry)
        self.restarts = Counter("subledger_restarts", "Connections made anew after a doubt.", registry=registry)
        self.lag = Gauge("subledger_lag_records", "Records that wait.", ("shard",), registry=registry)


def open_postgres(settings: LiveSettings, progress: Progress) -> ViewStore | None:
    """The views of this ledger, folded by this program; None while another process keeps them.

    Missing views are begun, those of another version of the program folded anew. Raises psycopg.Error, and what
    `progress` raises.
    """
    connection = connect(settings.dsn, settings.schema_name, name="subledger project")
    try:
        if not try_lock(connection, "project", settings.schema_name):
            connection.close()
            return None
        open_current(connection, settings.dsn, settings.schema_name, progress)
        return PostgresViews(connection)
    except BaseException:
        connection.close()
        raise


class _Session:
    """The connections and what is in memory between two doubts."""

    def __init__(self, store: ViewStore, follower: Follower, sender: FencedSender) -> None:
        self.store = store
        self.follower = follower
        self.sender = sender
        self.writing: Future[None] | None = None
        self.asked_at = 0.0
        self.told_lag_at = 0.0
        self.is_proven = False
        """Whether a batch was written, or there was none to write."""


class ProjectProcess:
    """The process. `run` until `stop`; raises what it cannot go on with.

    `step` is one poll and at most one batch. The loop, the clock, the pauses, the thread and the place of the views are
    the caller's to replace.
    """

    def __init__(
        self,
        settings: LiveSettings,
        health: Health,
        *,
        open_store: Callable[[LiveSettings, Progress], ViewStore | None] = open_postgres,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """`pause` waits for so many seconds, or until `stop`. Raises Unreachable, NotFounded, WrongTopics."""
        self._settings = settings
        self._health = health
        self._open_store = open_store
        self._executor = executor or ThreadPoolExecutor(1, "views")
        self._clock = clock
        self._say = structlog.get_logger()
        self._metrics = ProjectorMetrics(health.registry)
        self._catalogue = LiveCatalogue(settings)
        self._partitions = self._catalogue.founded().partitions
        topics.check(settings, self._partitions)
        self._invoiced: dict[str, bool] = {}
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._stop_at = math.inf
        self._session: _Session | None = None
        self._well_at = clock()
        self._wait_s = RETRY_SECONDS
        self._check_at = clock() + settings.check_seconds
        self._is_standby = False

    def stop(self) -> None:
        """Lets `run` end after the batch that is being written, or without it where that takes too long."""
        self._stop_at = min(self._stop_at, self._clock() + self._settings.stop_seconds)
        self._stopping.set()

    def run(self) -> None:
        """Works until `stop`.

        Raises CorruptLog and its kind, ViewsError, UndecodableFact where the log and the views cannot both be right;
        WrongTopics; ServerAbsent.
        """
        try:
            while not self._stopping.is_set():
                self.step()
            self._settle()
        except _GivenUp as what:
            self._say.warning(f"gave {what} up to stop in time", limit_seconds=self._settings.stop_seconds)
        finally:
            self.close()

    def step(self) -> None:
        """One poll, at most one batch; or one attempt to begin again. Raises as `run`."""
        try:
            if self._session is None:
                self._session = self._begin()
            if self._session is not None:
                self._follow(self._session)
                self._check_topics()
        except (psycopg.OperationalError, psycopg.InterfaceError, Unreachable, Fenced) as failed:
            self._lost(failed)

    def close(self) -> None:
        """Gives everything up, within the settings' `stop_seconds`; what is not committed will be read again."""
        self._health.ready(False)
        self._discard()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._catalogue.close()

    def _begin(self) -> _Session | None:
        """Connections and positions; None while another process keeps the views."""
        store = self._open_store(self._settings, self._go_on)
        if store is None:
            self._well_at = self._clock()
            if not self._is_standby:
                self._say.info("another process keeps the views; waiting as its standby")
            self._is_standby = True
            self._pause(STANDBY_SECONDS)
            return None
        self._is_standby = False
        try:
            positions = store.positions()
            follower = Follower(self._settings, self._partitions, positions)
        except BaseException:
            store.close()
            raise
        try:
            sender = FencedSender(self._settings, BALANCES, "project")
        except BaseException:
            follower.close()
            store.close()
            raise
        self._say.info("following", facts=sum(position.sequence for position in positions.values()))
        return _Session(store, follower, sender)

    def _go_on(self, folded: int, facts: int) -> None:
        """Between two batches of folding views anew. Raises _GivenUp where the process should end."""
        if self._stopping.is_set():
            raise _GivenUp(f"folding the views anew, at {folded:,} of {facts:,} facts,")

    def _follow(self, session: _Session) -> None:
        follower, now = session.follower, self._clock()
        records = follower.poll(self._settings.poll_ms if not follower.waiting else 0, now)
        waiting = follower.waiting
        if waiting and (
            waiting >= BATCH_FACTS
            or records < FEW_RECORDS
            or follower.waited(self._clock()) >= BATCH_SECONDS
            or follower.is_broken
        ):
            self._write(session, follower.take())
        elif not waiting:
            self._settle()
            follower.require_sound()
            self._look_around(session)
        self._health.ready(session.is_proven)
        self._tell_lag(session)

    def _write(self, session: _Session, batches: Sequence[ShardBatch]) -> None:
        """Folds, waits for the batch before, and has this one written."""
        prepared = session.store.prepare(batches)
        self._settle()
        session.writing = self._executor.submit(self._transact, session, prepared)

    def _transact(self, session: _Session, prepared: Prepared) -> None:
        started = time.perf_counter()
        session.store.write(prepared, lambda balances: self._tell(session.sender, balances))
        self._metrics.commit.observe(time.perf_counter() - started)
        self._metrics.batch.observe(prepared.facts)
        self._metrics.facts.inc(prepared.facts)

    def _settle(self) -> None:
        """Waits for the batch that is being written, if one is; raises what became of it."""
        session = self._session
        if session is None or session.writing is None:
            return
        while not wait([session.writing], timeout=WAIT_SECONDS).done:
            if self._clock() > self._stop_at:
                session.writing = None
                raise _GivenUp("a batch")
        writing, session.writing = session.writing, None
        writing.result()
        self._is_well(session)

    def _is_well(self, session: _Session) -> None:
        self._well_at = session.asked_at = self._clock()
        session.is_proven = True
        self._wait_s = RETRY_SECONDS

    def _tell(self, sender: FencedSender, balances: Sequence[Balance]) -> None:
        """Balances on their topic, in one transaction. Raises Unreachable, Fenced."""
        outgoing = []
        for one in balances:
            record = self._record(one)
            outgoing.append(OutgoingRecord(record.key, record.value(), [], one.shard))
        sender.send(outgoing)

    def _record(self, one: Balance) -> BalanceRecord:
        outstanding = Money(one.outstanding, one.currency) if self._has_invoices(one.regulations) else None
        return BalanceRecord(
            subscriber=one.subject,
            balance=Money(one.balance, one.currency),
            outstanding=outstanding,
            shard=one.shard,
            sequence=one.sequence,
            recorded_at=instant(one.recorded_at),
        )

    def _has_invoices(self, regulations: str) -> bool:
        """Whether regulations issue invoices: no later version of them can change that. Raises CorruptLog.

        They were published before anybody was registered under them, so the catalogue's topic has them.
        """
        known = self._invoiced.get(regulations)
        if known is None:
            versions = self._catalogue.state().catalogue.regulations.get(regulations)
            if not versions:
                raise CorruptLog(f"there are facts under the regulations {regulations}, which were never published")
            known = self._invoiced[regulations] = any(version.invoiced for version in versions)
        return known

    def _look_around(self, session: _Session) -> None:
        """In quiet times: asks both servers whether they are there."""
        if self._clock() - session.asked_at < SIGN_OF_LIFE_SECONDS:
            return
        session.store.alive()
        if session.follower.is_at_the_end(self._clock()):
            self._is_well(session)
        elif session.is_proven:
            session.asked_at = self._clock()

    def _check_topics(self) -> None:
        if self._clock() >= self._check_at:
            topics.check(self._settings, self._partitions)
            self._check_at = self._clock() + self._settings.check_seconds

    def _tell_lag(self, session: _Session) -> None:
        now = self._clock()
        if now - session.told_lag_at >= LAG_SECONDS:
            session.told_lag_at = now
            for shard, records in session.follower.lag().items():
                self._metrics.lag.labels(str(shard)).set(records)

    def _lost(self, failed: Exception) -> None:
        """Begins again a little later. Raises ServerAbsent once that has gone on for too long."""
        self._discard()
        self._health.ready(False)
        self._metrics.restarts.inc()
        absent_s = self._clock() - self._well_at
        if absent_s > ABSENT_LIMIT_SECONDS:
            raise ServerAbsent(f"nothing could be written for {absent_s:.0f} s: {_sentence(failed)}") from failed
        self._say.warning("begins again", error=_sentence(failed), retry_seconds=self._wait_s)
        self._pause(self._wait_s)
        self._wait_s = min(2 * self._wait_s, RETRY_MOST_SECONDS)

    def _discard(self) -> None:
        """Throws away connections and all that is in memory; the positions in the database say where to go on."""
        session, self._session = self._session, None
        if session is None:
            return
        if session.writing is not None:
            with suppress(Exception):
                session.writing.result(self._settings.stop_seconds)
        session.store.close()
        session.follower.close()
        session.sender.close()


def _sentence(failed: Exception) -> str:
    """An exception's first line; its kind where it says nothing."""
    return first_line(failed) or repr(failed)
