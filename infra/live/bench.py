"""`subledger bench --ledger kafka`: what this machine does with a live ledger, beside the library underneath.

Servers are those of the environment, or real ones that are started here on the same machine. One shard, one month of
the embedded benchmark's mix; a sandbox ledger, so that the mix is the same. Each figure comes from one run.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import orjson
import psycopg
from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from kafka import TopicPartition  # type: ignore[import-untyped]

from infra.bench import SEED, mix, saves_a_second
from infra.live import topics
from infra.live.places import COMMANDS, EVENTS, REPLIES
from infra.live.sending import Sender
from infra.live.settings import PREFIX, LiveSettings, load
from infra.servers import KafkaCluster, PostgresServer

PACE_A_SECOND = 500
PACED_SECONDS = 20
LISTEN_MS = 4
"""How long the sender listens before it sends what is due: asking more often takes the others' processor."""
READY_LIMIT_S = 300.0
WORK_LIMIT_S = 1_800.0
POLL_S = 0.02
PRODUCED_AT_ONCE = 5_000


def report(commands: int, subscribers: int, saves: int) -> Iterator[str]:
    """The lines of the report, each as soon as it is known."""
    with ExitStack() as stack:
        ledger = stack.enter_context(BenchLedger())
        yield f"one shard; {commands:,} commands, {subscribers:,} subscribers, a month; zstd batches; seed {SEED}"
        yield f"groups of up to {ledger.settings.group_commands} commands; servers on this machine, fsync as they do"
        yield ""
        with _database(ledger.settings.dsn) as dsn:
            plain = library_saves(dsn, saves)
            yield _line("saves of eventsourcing on PostgreSQL", plain, "a second")
            projected = library_projection(dsn, saves)
            yield _line("events through its ProjectionRunner", projected, "a second")
        yield from _throughput(ledger, commands, subscribers, plain)
        yield from _latency(ledger, subscribers)
        yield from _restarts(ledger)
        yield from _views(ledger, projected)


class BenchLedger:
    """A sandbox ledger of one shard under a prefix of its own, and its processes."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _begin(self) -> None:
        """Raises SettingsFault, Unreachable, ServerError."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="subledger-bench-")))
        given = load()
        brokers = given.kafka or self._stack.enter_context(KafkaCluster()).bootstrap_servers
        dsn = given.postgres.get_secret_value() or self._stack.enter_context(PostgresServer()).dsn
        values = {
            "KAFKA": brokers,
            "POSTGRES": dsn,
            "TOPICS": f"bench-{uuid4().hex[:8]}",
            "DATA": str(folder / "data"),
            "KEYS": str(folder / "keys"),
        }
        self.environment = {**os.environ, **{PREFIX + name: value for name, value in values.items()}}
        os.environ.update(self.environment)
        self.settings = load()
        topics.create(self.settings, 1)
        self.verb("topics", "create", "--partitions", "1", "--sandbox")

    def __exit__(self, *_: object) -> None:
        for name in list(self._processes):
            self.stop(name)
        self._stack.close()

    def verb(self, *words: str) -> None:
        """Runs a verb to its end."""
        subprocess.run(
            _program(*words), env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def start(self, name: str) -> None:
        """Starts a process."""
        self._processes[name] = subprocess.Popen(_program(name), env=self.environment, stderr=subprocess.DEVNULL)

    def stop(self, name: str) -> None:
        """Ends it with TERM, and waits."""
        process = self._processes.pop(name)
        process.terminate()
        process.wait(READY_LIMIT_S)

    def resident_mib(self, name: str) -> float:
        """Memory of a running process."""
        pages = int(Path(f"/proc/{self._processes[name].pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20


class Replies:
    """The replies of the one shard, from where they end when this is made."""

    def __init__(self, settings: LiveSettings) -> None:
        clients = settings.clients
        self._place = TopicPartition(settings.topic(REPLIES), 0)
        self._consumer: Any = clients.clients.consumer(**clients.for_consumer())
        self._consumer.assign([self._place])
        self._consumer.seek(self._place, self._consumer.end_offsets([self._place])[self._place])
        self.seen = 0

    def take(self, wait_ms: int = 50) -> list[str]:
        """Ids of the commands whose replies have come."""
        polled = self._consumer.poll(timeout_ms=wait_ms)
        records = polled.get(self._place, ())
        self.seen += len(records)
        return [orjson.loads(record.value)["command"] for record in records]

    def wait(self, count: int) -> None:
        """Returns when so many replies have come since this was made. Raises TimeoutError."""
        deadline = time.monotonic() + WORK_LIMIT_S
        while self.seen < count:
            self.take()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count - self.seen} replies are missing")

    def close(self) -> None:
        self._consumer.close(autocommit=False)


def _throughput(ledger: BenchLedger, commands: int, subscribers: int, plain: float) -> Iterator[str]:
    """A backlog is produced first, so that the writer is what is measured."""
    produce(ledger.settings, mix(commands, subscribers))
    with closing(Replies(ledger.settings)) as replies:
        ledger.start("write")
        replies.wait(1)
        first, started = replies.seen, time.perf_counter()
        replies.wait(commands)
        rate = (commands - first) / (time.perf_counter() - started)
    yield _line("commands a second, one shard", rate, f"{rate / plain:.1f} × a save of the library")
    yield _line("  resident memory of the writer", ledger.resident_mib("write"), "MiB")
    facts, size = facts_and_bytes(ledger.settings)
    yield _line("  bytes a fact on the broker's disk", size / facts, f"{facts:,} facts")


def _latency(ledger: BenchLedger, subscribers: int) -> Iterator[str]:
    """From the call that produces a command to its reply in the sender's hands."""
    chance = random.Random(SEED)  # noqa: S311 - a repeatable load, not a secret
    total = PACE_A_SECOND * PACED_SECONDS
    sent: dict[str, float] = {}
    taken: list[float] = []
    with closing(Replies(ledger.settings)) as replies, closing(Sender(ledger.settings)) as sender:
        begun = time.perf_counter()
        deadline = time.monotonic() + PACED_SECONDS + READY_LIMIT_S
        while len(taken) < total and time.monotonic() < deadline:
            while len(sent) < total and (now := time.perf_counter()) >= begun + len(sent) / PACE_A_SECOND:
                who = f"s-{chance.randrange(min(subscribers, 1000))}"
                command_id = f"paced-{len(sent)}"
                sent[command_id] = now
                sender.send(COMMANDS, _credit(command_id, who), key=who.encode(), partition=0)
            taken += [time.perf_counter() - sent[command_id] for command_id in replies.take(LISTEN_MS)]
    marks = statistics.quantiles(taken, n=100)
    yield _line(f"reply at {PACE_A_SECOND} commands a second, p50", marks[49] * 1000, "ms")
    yield _line("  p99", marks[98] * 1000, "ms")


def _restarts(ledger: BenchLedger) -> Iterator[str]:
    """How soon a writer that was stopped answers again, with its index and without."""
    ledger.stop("write")
    facts, _ = facts_and_bytes(ledger.settings)
    yield _line(f"writer ready, index of {facts:,} facts current", _ready_seconds(ledger, 1), "s")
    ledger.stop("write")
    for file in ledger.settings.data.iterdir():
        file.unlink()
    seconds = _ready_seconds(ledger, 2)
    yield _line("index rebuilt, until ready", facts / seconds, "facts a second")


def _ready_seconds(ledger: BenchLedger, turn: int) -> float:
    """From the start of the process to the reply to a command that was there before."""
    with closing(Replies(ledger.settings)) as replies, closing(Sender(ledger.settings)) as sender:
        sender.send(COMMANDS, _credit(f"ready-{turn}", "s-0"), key=b"s-0", partition=0).arrived()
        started = time.perf_counter()
        ledger.start("write")
        replies.wait(1)
        return time.perf_counter() - started


def _views(ledger: BenchLedger, projected: float) -> Iterator[str]:
    """A projector that begins with nothing, then a rebuild."""
    ledger.stop("write")
    facts, _ = facts_and_bytes(ledger.settings)
    ledger.start("project")
    with psycopg.connect(ledger.settings.dsn, autocommit=True) as connection:
        first, started = _first_batch(connection, ledger.settings.schema_name)
        _wait_for(connection, ledger.settings.schema_name, facts)
    rate = (facts - first) / (time.perf_counter() - started)
    yield _line("facts followed into PostgreSQL", rate, f"a second, {rate / projected:.1f} × the ProjectionRunner")
    yield _line("  resident memory of the projector", ledger.resident_mib("project"), "MiB")
    ledger.stop("project")
    started = time.perf_counter()
    ledger.verb("rebuild", "--ledger", "kafka")
    yield _line("views rebuilt in PostgreSQL", facts / (time.perf_counter() - started), "facts a second")


def _first_batch(connection: Any, schema: str) -> tuple[int, float]:
    """How many facts the first transaction counted, and when that was seen: the start of a process is not measured."""
    deadline = time.monotonic() + READY_LIMIT_S
    while not (counted := _counted(connection, schema)):
        if time.monotonic() > deadline:
            raise TimeoutError("the projector has counted nothing")
        time.sleep(POLL_S)
    return counted, time.perf_counter()


def _wait_for(connection: Any, schema: str, facts: int) -> None:
    deadline = time.monotonic() + WORK_LIMIT_S
    while (counted := _counted(connection, schema)) < facts:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the projector has counted {counted} of {facts} facts")
        time.sleep(POLL_S)


def _counted(connection: Any, schema: str) -> int:
    try:
        row = connection.execute(f'SELECT sequence FROM "{schema}".positions WHERE shard = 0').fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(row[0]) if row else 0


def produce(settings: LiveSettings, commands: Iterator[dict[str, Any]]) -> None:
    """Appends commands to the one partition, every one acknowledged."""
    with closing(Sender(settings)) as sender:
        while part := list(islice(commands, PRODUCED_AT_ONCE)):
            sent = [
                sender.send(COMMANDS, orjson.dumps(one), key=one["subscriber"].encode(), partition=0) for one in part
            ]
            for one in sent:
                one.arrived()


def facts_and_bytes(settings: LiveSettings) -> tuple[int, int]:
    """Facts in the shard's index, and bytes of its partition on the broker's disk."""
    import sqlite3

    (file,) = settings.data.glob(f"{settings.topic(EVENTS)}-0.*.sqlite")
    with closing(sqlite3.connect(file)) as index:
        facts = int(index.execute("SELECT MAX(rowid) FROM stored_events").fetchone()[0])
    with closing(settings.clients.clients.admin(**settings.clients.for_admin())) as admin:
        described = admin.describe_log_dirs({settings.topic(EVENTS): [0]})
    sizes = [
        partition["partition_size"]
        for broker in described
        for folder in broker["log_dirs"]
        for topic in folder["topics"]
        if topic["name"] == settings.topic(EVENTS)
        for partition in topic["partitions"]
    ]
    return facts, max(sizes)


class _Sums(PostgresTrackingRecorder):
    """A view of one row an account, as the library's documentation would make it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sql_create_statements.append(
            psycopg.sql.SQL("CREATE TABLE IF NOT EXISTS {}.sums (account TEXT PRIMARY KEY, credits BIGINT)").format(
                psycopg.sql.Identifier(self.datastore.schema)
            )
        )

    def add(self, account: str, tracking: Tracking) -> None:
        """Counts one credit with its position, in one transaction."""
        schema = psycopg.sql.Identifier(self.datastore.schema)
        statement = psycopg.sql.SQL(
            "INSERT INTO {}.sums VALUES (%s, 1) ON CONFLICT (account) DO UPDATE SET credits = sums.credits + 1"
        )
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(statement.format(schema), (account,))


class _Summing(Projection[_Sums]):
    """Projects credits into sums."""

    name = "summing"
    topics = ()

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.add(str(domain_event.originator_id), tracking)


@contextmanager
def _database(dsn: str) -> Iterator[str]:
    """An empty database on the same server, for as long as it is needed."""
    name = f"bench_{uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        try:
            yield psycopg.conninfo.make_conninfo(dsn, dbname=name)
        finally:
            connection.execute(psycopg.sql.SQL("DROP DATABASE {} (FORCE)").format(psycopg.sql.Identifier(name)))


def _library_environment(dsn: str) -> dict[str, str]:
    given = psycopg.conninfo.conninfo_to_dict(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given.get("dbname", "postgres")),
        "POSTGRES_HOST": str(given.get("host", "127.0.0.1")),
        "POSTGRES_PORT": str(given.get("port", "5432")),
        "POSTGRES_USER": str(given.get("user", "postgres")),
        "POSTGRES_PASSWORD": str(given.get("password", "")),
    }


def library_saves(dsn: str, count: int) -> float:
    """`app.save` calls a second on the library's own PostgreSQL recorder with its defaults."""
    return saves_a_second(_library_environment(dsn), count)


def library_projection(dsn: str, count: int) -> float:
    """Events a second that the library's ProjectionRunner takes from that recorder into a PostgreSQL view."""
    environment = _library_environment(dsn)
    started = time.perf_counter()
    with ProjectionRunner(
        application_class=Application, projection_class=_Summing, view_class=_Sums, env=environment
    ) as runner:
        runner.wait(count, timeout=WORK_LIMIT_S)
        return count / (time.perf_counter() - started)


def _credit(command_id: str, who: str) -> bytes:
    data = {"amount": "1.00", "currency": "USD", "method": "card", "reference": command_id}
    at = "2026-01-31T12:00:00+02:00"
    command = {"id": command_id, "type": "CreditDeposit", "subscriber": who, "at": at, "actor": "bench", "data": data}
    return orjson.dumps(command)


def _program(*words: str) -> Sequence[str]:
    return [sys.executable, "-m", "infra.cli.main", *words]


def _line(name: str, figure: float, unit: str) -> str:
    shown = f"{figure:,.0f}" if figure >= 100 else f"{figure:,.1f}"
    return f"{name:<46}{shown:>12} {unit}"
