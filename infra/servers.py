"""Real Kafka and PostgreSQL servers on this machine, started, hurt and removed by tests and by `make live`.

`KafkaCluster` runs one node or three (KRaft) from Apache Kafka's published Maven artifacts with the machine's Java 17.
`PostgresServer` runs the machine's own binaries. Both are context managers, both take fixed free ports (so that a node
comes back where it was), every wait has a named limit, and leaving the context removes their folders. If this process
is killed, its servers are killed and removed too.

A server is a process that can be told to `stop`, `kill` (SIGKILL), `restart`, `pause` (SIGSTOP) and `resume`.

Errors:

    ServerError
    ├── ServerMissing       a program is not installed; the message says what to install
    └── ServerDidNotStart   it was started and did not become ready; the message ends with its last log lines
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

KAFKA_VERSION = "4.3.1"
SCALA_VERSION = "2.13"
LOG4J_VERSION = "2.25.4"
DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

DOWNLOAD_LIMIT_S = 600.0
FORMAT_LIMIT_S = 60.0
INITDB_LIMIT_S = 120.0
READY_LIMIT_S = 120.0
TERM_LIMIT_S = 20.0
KILL_LIMIT_S = 20.0
POLL_S = 0.05
LOG_LINES_IN_ERRORS = 15
BROKER_HEAP = "-Xmx512m"

# Below Linux's range of ephemeral ports (32768 and up): an outgoing connection cannot take a stopped node's port.
PORTS = range(20000, 32000)
PORT_ATTEMPTS = 200

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>subledger</groupId><artifactId>kafka-server</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_{SCALA_VERSION}</artifactId>
      <version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version></dependency>
  </dependencies>
</project>
"""

_LOG4J = """<Configuration>
  <Appenders><Console name="STDOUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="STDOUT"/></Root></Loggers>
</Configuration>
"""


class ServerError(Exception):
    """Base of what can go wrong with a server on this machine."""


class ServerMissing(ServerError):
    """A program that a server needs is not installed."""


class ServerDidNotStart(ServerError):
    """A server was started and did not become ready within its limit."""


class KafkaCluster:
    """One Kafka node, or three, in a folder of their own; `bootstrap_servers` is where clients connect.

    A node is `cluster.nodes[i]`; its number in Kafka's metadata (`node.id`) is i + 1.
    """

    def __init__(self, nodes: int = 1, *, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are lines of server.properties and win over ours. Raises ValueError unless nodes is 1 or 3."""
        if nodes not in (1, 3):
            raise ValueError(f"a cluster has 1 or 3 nodes, not {nodes}")
        self.folder = Path(tempfile.mkdtemp(prefix="subledger-kafka-"))
        self._cluster_id = _cluster_id()
        addresses = [(free_port(), free_port()) for _ in range(nodes)]
        self.nodes = tuple(
            KafkaNode(number, self.folder / f"node{number}", addresses, dict(settings or {}))
            for number in range(1, nodes + 1)
        )

    @property
    def bootstrap_servers(self) -> str:
        """`host:port,…` of every node, running or not."""
        return ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Formats the data folders and starts every node; returns when all are ready. Raises ServerError."""
        for node in self.nodes:
            node.format(self._cluster_id)
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_ready()

    def stop(self) -> None:
        """Stops every node (TERM, then KILL) and removes the cluster's folder."""
        for node in self.nodes:
            node.signal(signal.SIGCONT)
            node.signal(signal.SIGTERM)
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Process:
    """A server process with its log; knows how to be signalled and waited for."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def log_file(self) -> Path:
        """The log of the last start; each start has its own."""
        return self.folder / f"console-{self._starts}.log"

    @property
    def pid(self) -> int:
        """Process id; raises ServerError if it was never started."""
        if self._process is None:
            raise ServerError(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Starts the process without waiting for it to be ready."""
        if self.is_running:
            raise ServerError(f"{self.name} is running already, as process {self.pid}")
        self._starts += 1
        self._process = self._spawn()
        self._watchdog = _watch(self._process.pid, self.folder)

    def start(self) -> None:
        """Starts the process and waits until it is ready. Raises ServerDidNotStart."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """TERM, and KILL after `TERM_LIMIT_S`. Does nothing to a process that is not running."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if not self._wait_gone(TERM_LIMIT_S):
            self.kill()

    def kill(self) -> None:
        """SIGKILL: the process gets no chance to say goodbye."""
        self.signal(signal.SIGKILL)
        if not self._wait_gone(KILL_LIMIT_S):
            raise ServerError(f"{self.name} (process {self.pid}) is still there {KILL_LIMIT_S} s after SIGKILL")

    def restart(self) -> None:
        """Stops and starts on the same ports and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: undoes `pause`."""
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        """Sends a signal if the process is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def wait_ready(self) -> None:
        """Returns when the server answers. Raises ServerDidNotStart after `READY_LIMIT_S` or if it ended."""
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._is_ready():
            if not self.is_running or time.monotonic() > deadline:
                raise ServerDidNotStart(f"{self.name} did not become ready; its log ends:\n{self._last_lines()}")
            time.sleep(POLL_S)

    def _spawn(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _wait_gone(self, limit_s: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        self._dismiss_watchdog()
        return True

    def _dismiss_watchdog(self) -> None:
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.kill()
            watchdog.communicate()

    def _last_lines(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return "\n".join(lines[-LOG_LINES_IN_ERRORS:])


class KafkaNode(_Process):
    """One broker-and-controller process of a cluster."""

    def __init__(
        self, number: int, folder: Path, addresses: Sequence[tuple[int, int]], settings: Mapping[str, str]
    ) -> None:
        super().__init__(f"Kafka node {number}", folder)
        self.number = number
        self.port = addresses[number - 1][0]
        self._alone = len(addresses) == 1
        folder.mkdir(parents=True)
        self._properties = folder / "server.properties"
        properties = {**_properties(number, addresses, folder), **settings}
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        self._log4j = folder / "log4j2.xml"
        self._log4j.write_text(_LOG4J)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def format(self, cluster_id: str) -> None:
        """Prepares the data folder, once (KIP-853: `--standalone` where the node is its own quorum)."""
        quorum = ["--standalone"] if self._alone else []
        arguments = ["format", *quorum, "-t", cluster_id, "-c", str(self._properties)]
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", *arguments],
            env=_class_path(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FORMAT_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise ServerDidNotStart(f"{self.name}: format failed:\n{done.stdout.decode(errors='replace')}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("wb") as log:
            return subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._properties)],
                env=_class_path(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        return "Kafka Server started" in self.log_file.read_text(errors="replace")

    def _java(self) -> list[str]:
        return [
            _program("java", "Java 17 (Debian: openjdk-17-jre-headless)"),
            BROKER_HEAP,
            "-XX:+UseSerialGC",
            f"-Dkafka.logs.dir={self.folder}",
            f"-Dlog4j2.configurationFile={self._log4j}",
        ]


class PostgresServer(_Process):
    """A PostgreSQL server on a loopback port with fsync on, run as the `postgres` user where we are root."""

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are server parameters (`-c name=value`)."""
        super().__init__("PostgreSQL", Path(tempfile.mkdtemp(prefix="subledger-postgres-")))
        self.port = free_port()
        self._settings = dict(settings or {})
        self._binaries = _postgres_binaries()
        self._account = "postgres" if os.geteuid() == 0 else None

    @property
    def dsn(self) -> str:
        """A connection string for psycopg."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def start(self) -> None:
        """Makes the data folder if there is none, then starts. Raises ServerError."""
        if not self._data.exists():
            self._initdb()
        super().start()

    def stop(self) -> None:
        """INT ("fast": open transactions are rolled back), then KILL. The data stay until `remove`."""
        self.resume()
        self.signal(signal.SIGINT)
        if not self._wait_gone(TERM_LIMIT_S):
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the postmaster and its children, which have sessions of their own."""
        children = self._children()
        super().kill()
        for child in children:
            _signal_if_there(child, signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP to the postmaster and its children."""
        for process in [self.pid, *self._children()]:
            _signal_if_there(process, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to the postmaster and its children."""
        if self.is_running:
            for process in [self.pid, *self._children()]:
                _signal_if_there(process, signal.SIGCONT)

    def remove(self) -> None:
        """Removes the data."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.remove()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _initdb(self) -> None:
        if self._account:
            shutil.chown(self.folder, self._account, self._account)
        done = subprocess.run(
            [
                *(str(self._binaries / "initdb"), "-D", str(self._data)),
                *("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"),
            ],
            user=self._account,
            group=self._account,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INITDB_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise ServerDidNotStart(f"initdb failed:\n{done.stdout.decode(errors='replace')}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        parameters = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), **self._settings}
        chosen = [part for name, value in parameters.items() for part in ("-c", f"{name}={value}")]
        with self.log_file.open("wb") as log:
            return subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *chosen],
                user=self._account,
                group=self._account,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        answer = subprocess.run(
            [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "5"], check=False
        )
        return answer.returncode == 0

    def _children(self) -> list[int]:
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(child) for child in listing.read_text().split()] if listing.exists() else []


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that somebody else runs, named by an environment variable."""

    address: str
    """`host:port,…` of Kafka, or the connection string of PostgreSQL."""


def running_kafka(environ: Mapping[str, str] = os.environ) -> RunningServer | None:
    """The brokers that `SUBLEDGER_TEST_KAFKA` names, if it does."""
    address = environ.get("SUBLEDGER_TEST_KAFKA")
    return RunningServer(address) if address else None


def running_postgres(environ: Mapping[str, str] = os.environ) -> RunningServer | None:
    """The database that `SUBLEDGER_TEST_POSTGRES` names, if it does."""
    dsn = environ.get("SUBLEDGER_TEST_POSTGRES")
    return RunningServer(dsn) if dsn else None


def free_port() -> int:
    """A loopback port nobody listens on now, and never the same twice in this process. Raises ServerError."""
    for _ in range(PORT_ATTEMPTS):
        port = random.SystemRandom().choice(PORTS)
        if port not in _ports_given and _can_listen(port):
            _ports_given.add(port)
            return port
    raise ServerError(f"no free port found in {PORTS} after {PORT_ATTEMPTS} attempts")


def kafka_libraries() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time and kept in a cache keyed by version.

    The cache is `$SUBLEDGER_CACHE`, or `~/.cache/subledger`. Raises ServerMissing without Maven, ServerError if the
    download fails. Two processes may call this at once: each fetches into a folder of its own and renames it.
    """
    cache = Path(os.environ.get("SUBLEDGER_CACHE") or Path.home() / ".cache" / "subledger")
    wanted = cache / f"kafka-{SCALA_VERSION}-{KAFKA_VERSION}"
    if not wanted.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as work:
            _put(_fetch_kafka(Path(work)), wanted)
    return wanted


def _fetch_kafka(work: Path) -> Path:
    maven = _program("mvn", "Maven 3 (Debian: maven)")
    pom, libraries = work / "pom.xml", work / "libs"
    pom.write_text(_POM)
    goals = [DEPENDENCY_PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={libraries}"]
    try:
        done = subprocess.run(
            [maven, "-q", "-B", "-ntp", "-f", str(pom), *goals],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DOWNLOAD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ServerError(f"Maven did not fetch Kafka {KAFKA_VERSION} within {DOWNLOAD_LIMIT_S} s") from late
    if done.returncode:
        raise ServerError(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{done.stdout.decode(errors='replace')}")
    return libraries


def _put(fetched: Path, wanted: Path) -> None:
    try:
        fetched.rename(wanted)
    except OSError:
        if not wanted.is_dir():  # Another process that put the same jars there first is as good.
            raise


def _properties(number: int, addresses: Sequence[tuple[int, int]], folder: Path) -> dict[str, str]:
    broker, controller = addresses[number - 1]
    listeners = f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "listeners": listeners,
        "advertised.listeners": listeners,
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "log.cleaner.dedupe.buffer.size": "16777216",
        # A node that was killed is let in again, and its partitions move, after this time instead of 9 s.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        **(_ALONE if len(addresses) == 1 else _THREE),
        **_quorum(addresses),
    }


_ALONE = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

_THREE = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "replica.lag.time.max.ms": "3000",
}


def _quorum(addresses: Sequence[tuple[int, int]]) -> dict[str, str]:
    controllers = [f"127.0.0.1:{controller}" for _, controller in addresses]
    if len(controllers) == 1:
        return {"controller.quorum.bootstrap.servers": controllers[0]}
    voters = ",".join(f"{number}@{address}" for number, address in enumerate(controllers, 1))
    return {"controller.quorum.voters": voters}


def _cluster_id() -> str:
    while True:
        text = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _class_path() -> dict[str, str]:
    # Java itself expands the asterisk to every jar of the folder.
    return {**os.environ, "CLASSPATH": f"{kafka_libraries()}/*"}


def _program(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ServerMissing(f"`{name}` was not found: install {what}, or name running servers in SUBLEDGER_TEST_KAFKA.")
    return path


def _postgres_binaries() -> Path:
    """The newest of Debian's folders of PostgreSQL binaries, or the folder of `initdb` on the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_version, reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*folders, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerMissing(
        "PostgreSQL's server was not found: install it (Debian: postgresql), or name one in SUBLEDGER_TEST_POSTGRES."
    )


def _major_version(binaries: Path) -> int:
    name = binaries.parent.name
    return int(name) if name.isdigit() else 0


def _watch(pid: int, folder: Path) -> subprocess.Popen[bytes]:
    """A process that kills the server and removes its folder if we die without stopping it.

    It waits for the end of its input, which comes with our death, of whatever kind.
    """
    script = 'read -r _; kill -9 "$1"; sleep 1; rm -rf "$2"; rmdir "$(dirname "$2")"'
    return subprocess.Popen(
        ["sh", "-c", script, "watchdog", str(pid), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _signal_if_there(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # It ended on its own; there is nothing to signal.


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


_ports_given: set[int] = set()
