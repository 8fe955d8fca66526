"""A live ledger of a test's own: topics under a new prefix, own folders, its processes, senders and readers.

    with LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn) as ledger:
        with ledger.running("write"), ledger.running("project"):
            outcomes = ledger.submit([command, …])
            done = ledger.verb("balance", "s-1", "--json", "--ledger", "kafka")

The processes are those that users start: `python -m infra.cli.main write`, with this ledger's environment. Every wait
has a limit that forgives a slow machine.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
from kafka import TopicPartition  # type: ignore[import-untyped]
from psycopg import sql

from infra.kafka.reader import Partition, PartitionReader
from infra.live import catalogue, keys, topics
from infra.live.health import Health
from infra.live.places import CATALOGUE, EVENTS, FACTS
from infra.live.sending import Sender
from infra.live.settings import PREFIX, LiveSettings
from infra.live.submitting import Submission
from infra.live.writing import WriteProcess
from infra.servers import free_port
from tests.support.servers import new_topic

CHECKOUT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "infra.cli.main")
READY_LIMIT_S = 90.0
STOP_LIMIT_S = 90.0
VERB_LIMIT_S = 180.0
READ_LIMIT_S = 60.0
POLL_S = 0.05

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as it is stored."""

    sequence: int
    value: bytes

    @property
    def event(self) -> Json:
        """Its JSON."""
        event: Json = json.loads(self.value)
        return event


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Any topic's record, as plain kafka-python reads it."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def json(self) -> Json:
        """Its value as JSON."""
        found: Json = json.loads(self.value or b"")
        return found


class LiveProcess:
    """One of the long-running processes, started as users start it."""

    def __init__(self, verb: str, ledger: "LiveLedger", settings: dict[str, str]) -> None:
        """`settings` are fields of LiveSettings, in capitals, for this process alone."""
        self.verb = verb
        self.port = free_port()
        self.log = ledger.folder / f"{verb}-{self.port}.log"
        environment = ledger.environment | {PREFIX + name: value for name, value in settings.items()}
        environment[f"{PREFIX}METRICS_PORT"] = str(self.port)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, verb], cwd=CHECKOUT, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """Everything that it has logged."""
        return self.log.read_text(errors="replace")

    def wait_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Returns when `/health` says that it does its work."""
        wait_until(lambda: self._is_ready() or not self.is_running, limit_s, f"{self.verb} to be ready")
        assert self.is_running, f"{self.verb} ended with {self._process.returncode}:\n{self.said}"

    def metrics(self) -> str:
        """What `/metrics` says."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it is still there."""
        if self.is_running:
            self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tells it to stop and waits; its exit code."""
        self.send_signal(number)
        return self.ended()

    def ended(self, limit_s: float = STOP_LIMIT_S) -> int:
        """Waits for its end; its exit code."""
        return self._process.wait(limit_s)

    def kill(self) -> None:
        """SIGKILL, and nothing is left."""
        self.send_signal(signal.SIGKILL)
        self._process.wait(STOP_LIMIT_S)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


class LiveLedger:
    """A founded ledger; a context manager that ends what was started on it and drops its schema."""

    def __init__(
        self,
        brokers: str,
        folder: Path | None = None,
        *,
        postgres: str = "",
        partitions: int = 1,
        sandbox: bool = True,
    ) -> None:
        """`folder` for data, keys and logs; one of its own where none is given. `postgres` only for the views."""
        self._stack = ExitStack()
        self._given = folder
        self._brokers, self._postgres = brokers, postgres
        self.partitions, self.is_sandbox = partitions, sandbox
        self._submission: Submission | None = None
        self._facts: dict[int, list[Fact]] = {}
        self._readers: dict[int, PartitionReader] = {}

    def __enter__(self) -> Self:
        try:
            self._found()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def variables(self) -> dict[str, str]:
        """What says where the ledger is; for a test that patches its own environment."""
        return {
            f"{PREFIX}KAFKA": self._brokers,
            f"{PREFIX}POSTGRES": self._postgres,
            f"{PREFIX}TOPICS": self.settings.topics,
            f"{PREFIX}DATA": str(self.settings.data),
            f"{PREFIX}KEYS": str(self.settings.keys),
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process with the ledger's variables."""
        return {**os.environ, **self.variables}

    def start(self, verb: str, **settings: str) -> LiveProcess:
        """Starts `write`, `project` or `calendar`; killed at the latest with the ledger's end."""
        process = LiveProcess(verb, self, {name.upper(): value for name, value in settings.items()})
        self._stack.callback(process.kill)
        return process

    @contextmanager
    def running(self, verb: str, **settings: str) -> Iterator[LiveProcess]:
        """A process that is ready, and that has to end well when it is told to."""
        process = self.start(verb, **settings)
        try:
            process.wait_ready()
            yield process
        except BaseException:
            process.kill()
            raise
        code = process.stop()
        assert code == 0, f"{verb} ended with {code}:\n{process.said}"

    @contextmanager
    def writing_here(self) -> Iterator[WriteProcess]:
        """A writer in a thread of this process, which begins sooner than a process; it must end without a failure."""
        process = WriteProcess(self.settings, Health("write", "127.0.0.1", 0))
        with ThreadPoolExecutor(1, "write") as threads:
            running = threads.submit(process.run)
            try:
                yield process
            finally:
                process.stop()
                running.result(STOP_LIMIT_S)

    def submit(self, lines: Iterable[Json | bytes]) -> list[Json]:
        """Sends commands as `subledger submit` does, in this process; their outcomes in order."""
        values = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        if self._submission is None:
            self._submission = self.submission()
            self._stack.callback(self._submission.close)
        return [*self._submission.send(values), *self._submission.rest()]

    def submission(self) -> Submission:
        """A sender of its own, to be closed by the caller."""
        return Submission(self.settings)

    def verb(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs the program with the ledger's environment, changed by `variables`, to its end."""
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=CHECKOUT,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERB_LIMIT_S,
            check=False,
        )

    def put(self, topic: str, value: bytes | None, *, key: bytes | None, partition: int = 0) -> int:
        """Appends a record without any of the sender's care; its offset."""
        with closing(Sender(self.settings)) as sender:
            _, offset, _ = sender.send(topic, value, key=key, partition=partition).arrived()
        return offset

    def facts(self, outcomes: Sequence[Json] = ()) -> dict[int, list[Fact]]:
        """Shard → all its facts, once those of `outcomes` (with their `position`) can be read; gaps are found."""
        wanted = dict.fromkeys(range(self.partitions), 0)
        for position in (one["position"] for one in outcomes if one.get("position")):
            topic, shard, sequence = position.split("/")
            if topic == EVENTS:
                wanted[int(shard)] = max(wanted[int(shard)], int(sequence))
        for shard, sequence in wanted.items():
            self._read(shard, sequence)
        return {shard: list(facts) for shard, facts in self._facts.items()}

    def publications(self) -> list[Fact]:
        """The facts of the catalogue."""
        place = Partition(self.settings.topic(CATALOGUE), 0)
        with PartitionReader(self.settings.clients, place, offset=0, after=0, record_format=FACTS) as reader:
            batches = list(reader.until(reader.end_offset()))
        return [Fact(entry.sequence, entry.value) for batch in batches for entry in batch.entries]

    def records(self, topic: str) -> list[Record]:
        """All committed records of a topic (`replies.v1`), read without any of our code, by partition and offset."""
        clients = self.settings.clients
        with closing(clients.clients.consumer(**clients.for_consumer())) as consumer:
            name = self.settings.topic(topic)
            places = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            found: list[Record] = []
            deadline = time.monotonic() + READ_LIMIT_S
            while any(consumer.position(place) < ends[place] for place in places):
                assert time.monotonic() < deadline, f"{name} could not be read to its end"
                for records in consumer.poll(timeout_ms=200).values():
                    found += [_record(one) for one in records]
        return sorted(found, key=lambda one: (one.partition, one.offset))

    def _found(self) -> None:
        made = self._given or Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="subledger-test-")))
        self.folder = made
        places = {"topics": new_topic("ledger"), "data": made / "data", "keys": made / "keys"}
        given: dict[str, Any] = {"_env_file": None, "kafka": self._brokers, "postgres": self._postgres, **places}
        self.settings = LiveSettings(**given)
        self._stack.callback(self._drop_views)
        topics.create(self.settings, self.partitions)
        key = keys.salt_key(self.settings.keys, None)
        catalogue.found(self.settings, key, self.partitions, sandbox=self.is_sandbox, folder=made / "founding")

    def _read(self, shard: int, sequence: int) -> None:
        if shard not in self._readers:
            place = Partition(self.settings.topic(EVENTS), shard)
            reader = PartitionReader(self.settings.clients, place, offset=0, after=0, record_format=FACTS)
            self._stack.callback(reader.close)
            self._readers[shard], self._facts[shard] = reader, []
        reader, facts = self._readers[shard], self._facts[shard]
        deadline = time.monotonic() + READ_LIMIT_S
        while True:
            for batch in reader.until(reader.end_offset()):
                facts += [Fact(entry.sequence, entry.value) for entry in batch.entries]
            if len(facts) >= sequence:
                return
            assert time.monotonic() < deadline, f"shard {shard} ends at {len(facts)}, expected {sequence}"

    def _drop_views(self) -> None:
        if self._postgres:
            with suppress(psycopg.OperationalError), psycopg.connect(self._postgres, autocommit=True) as connection:
                name = sql.Identifier(self.settings.schema_name)
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


def wait_until(what: Callable[[], bool], limit_s: float, expected: str) -> None:
    """Waits for something to be so; fails with what was expected."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, f"expected {expected} within {limit_s:g} s"
        time.sleep(POLL_S)


def _record(found: Any) -> Record:
    return Record(
        partition=found.partition,
        offset=found.offset,
        timestamp_ms=found.timestamp,
        key=found.key,
        value=found.value,
        headers=dict(found.headers),
    )
