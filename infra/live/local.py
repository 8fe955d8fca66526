"""A whole live ledger on one machine, for `make live`: servers, topics, processes and a sample load.

    broker, PostgreSQL ─► topics ─► project ─► write ─► calendar ─► load

INT or TERM ends it in the opposite order: nothing is sent any more, then nobody lets time pass, then what was sent is
decided and counted, then the servers go. It is a ledger to look at: its folder goes with it.

Exit codes are those of CONTRACT §8; where a process ends that nobody told to, the code is that process's own, and 128
and the signal where one killed it.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from infra.live.failures import Kind, diagnosis
from infra.live.load import SampleLoad
from infra.live.settings import PREFIX, LiveSettings
from infra.live.submitting import NoReply
from infra.servers import KafkaCluster, PostgresServer, ServerError, free_port

PARTITIONS = 3
SUBSCRIBERS = 300
PACE_A_SECOND = 20.0
READY_LIMIT_S = 120.0
FOUND_LIMIT_S = 120.0
STOP_LIMIT_S = 60.0
SCRAPE_LIMIT_S = 2.0
LOOK_SECONDS = 0.2
LINE_SECONDS = 5.0
"""How often the status is said where it is no terminal's line."""
TERMINAL_SECONDS = 0.5
INCOMPLETE, UNREACHABLE = 3, 4
CODES = {Kind.UNUSABLE: 2, Kind.WRONG: 1, Kind.ABSENT: UNREACHABLE}
LOGS = "processes.log"


class Ended(Exception):
    """A part of it has ended by itself, or could not begin; `exit_code` is that of the whole."""

    def __init__(self, said: str, exit_code: int) -> None:
        super().__init__(said)
        self.exit_code = exit_code


class Child:
    """One long-running process: started, asked after, stopped. A context manager that leaves nothing behind."""

    def __init__(self, verb: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.verb = verb
        self.port = free_port()
        self._folder = folder
        self._environment = {
            **environment,
            f"{PREFIX}DATA": str(folder / verb),
            f"{PREFIX}METRICS_PORT": str(self.port),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None
        """Its exit code, once it has been stopped."""

    def __enter__(self) -> Self:
        with (self._folder / LOGS).open("ab") as log:
            # A session of its own: Ctrl-C on the terminal is for us, who tell each process in its turn.
            self._process = subprocess.Popen(
                program(self.verb),
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self.code = _exit_code(self._process.wait(STOP_LIMIT_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.code = _exit_code(self._process.wait(STOP_LIMIT_S))

    def require_running(self) -> None:
        """Raises Ended where it has ended."""
        assert self._process is not None
        found = self._process.poll()
        if found is not None:
            raise Ended(f"{self.verb} has ended with {_exit_code(found)}: {self._last_words()}", _exit_code(found))

    def is_ready(self) -> bool:
        """Whether it says that it does its work."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=SCRAPE_LIMIT_S) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def totals(self) -> dict[str, float]:
        """Metric → its value, summed over labels; nothing where it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=SCRAPE_LIMIT_S) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return {}
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def _last_words(self) -> str:
        lines = (self._folder / LOGS).read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"


class Status:
    """The line that says how it goes: one that is written over on a terminal, else a new one every few seconds."""

    def __init__(self, write: Child, project: Child, load: SampleLoad) -> None:
        self._write, self._project, self._load = write, project, load
        self._on_terminal = sys.stdout.isatty()
        self._next_at = 0.0

    def show(self, *, last: bool = False) -> None:
        """Says it, if it is time to."""
        now = time.monotonic()
        if now < self._next_at and not last:
            return
        self._next_at = now + (TERMINAL_SECONDS if self._on_terminal else LINE_SECONDS)
        before, after = ("\r\x1b[K", "\n" if last else "") if self._on_terminal else ("", "\n")
        # A line that the terminal breaks in two could not be written over.
        room = shutil.get_terminal_size().columns - 1 if self._on_terminal else None
        sys.stdout.write(before + self.line()[:room] + after)
        sys.stdout.flush()

    def line(self) -> str:
        """Commands answered, facts stored, what waits, and how long an outcome takes."""
        written, projected = self._write.totals(), self._project.totals()
        load = self._load.figures()
        return (
            f"{load.answered:,} commands, {load.refused:,} of them refused; "
            f"{written.get('subledger_facts_total', 0):,.0f} facts; "
            f"waiting: {written.get('subledger_lag_commands', 0):,.0f} commands, "
            f"{projected.get('subledger_lag_records', 0):,.0f} records; "
            f"outcome after {load.median_ms:,.0f} ms, at most {load.longest_ms:,.0f} ms"
        )


def live(seconds: float | None, pace: float, subscribers: int, stopping: Event) -> int:
    """Brings it up, runs it until `stopping` or for so many seconds of load, takes it down; the exit code."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="subledger-live-")))
        environment = _servers(stack, folder, stopping)
        if environment is None:
            return 0
        _found(folder, environment)
        children = [Child(verb, folder, environment) for verb in ("project", "write", "calendar")]
        for child in children:
            stack.enter_context(child)
        if not _wait_ready(children, stopping):
            return 0
        _say_where(environment, children, folder)
        load = stack.enter_context(SampleLoad(_settings(environment), pace=pace, subscribers=subscribers))
        _watch(children, load, seconds, stopping)
        say("stopping: load, calendar, write, project, PostgreSQL, broker")
    return next((child.code for child in reversed(children) if child.code), 0)


def _servers(stack: ExitStack, folder: Path, stopping: Event) -> dict[str, str] | None:
    """The environment of the ledger's processes once its servers run; None where it was stopped meanwhile."""
    say("starting a broker")
    broker = stack.enter_context(KafkaCluster())
    if stopping.is_set():
        return None
    say("starting PostgreSQL")
    database = stack.enter_context(PostgresServer())
    if stopping.is_set():
        return None
    ours = {
        f"{PREFIX}KAFKA": broker.bootstrap_servers,
        f"{PREFIX}POSTGRES": database.dsn,
        f"{PREFIX}TOPICS": "subledger",
        f"{PREFIX}DATA": str(folder / "data"),
        f"{PREFIX}KEYS": str(folder / "keys"),
    }
    settings = {f"{PREFIX}{field.upper()}" for field in LiveSettings.model_fields}
    # Settings of another ledger, such as its certificates, are none of this one's.
    return {**{name: value for name, value in os.environ.items() if name not in settings}, **ours}


def _found(folder: Path, environment: Mapping[str, str]) -> None:
    """Makes the topics. Raises Ended with the verb's sentence and exit code."""
    words = program("topics", "create", "--partitions", str(PARTITIONS))
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=FOUND_LIMIT_S,
        start_new_session=True,
        check=False,
    )
    if done.returncode:
        raise Ended(f"the topics were not made: {done.stderr.strip()}", _exit_code(done.returncode))


def _wait_ready(children: Sequence[Child], stopping: Event) -> bool:
    """Whether all are ready; False where it was stopped meanwhile. Raises Ended."""
    deadline = time.monotonic() + READY_LIMIT_S
    for child in children:
        say(f"waiting for {child.verb}")
        while not child.is_ready():
            child.require_running()
            if time.monotonic() > deadline:
                raise Ended(f"{child.verb} was not ready within {READY_LIMIT_S:g} s", INCOMPLETE)
            if stopping.wait(LOOK_SECONDS):
                return False
    return True


def _watch(children: Sequence[Child], load: SampleLoad, seconds: float | None, stopping: Event) -> None:
    """Returns when it was stopped, or its time is over. Raises Ended where a part has ended by itself."""
    status = Status(children[1], children[0], load)
    until = None if seconds is None else time.monotonic() + seconds
    try:
        while not stopping.wait(LOOK_SECONDS) and (until is None or time.monotonic() < until):
            for child in children:
                child.require_running()
            if load.failed is not None:
                raise _ended(load.failed)
            status.show()
    finally:
        status.show(last=True)


def _ended(failed: Exception) -> Ended:
    """What became of the load, with the exit code that `subledger submit` would have had."""
    found = diagnosis(failed)
    if found is not None:
        kind, sentence = found
        return Ended(f"the load has ended: {sentence}", CODES[kind])
    if isinstance(failed, NoReply):
        return Ended(f"the load has ended: {failed}", INCOMPLETE)
    raise failed


def _say_where(environment: Mapping[str, str], children: Sequence[Child], folder: Path) -> None:
    """What to paste into another terminal, on stdout."""
    sys.stdout.write("".join(f"{line}\n" for line in _where(environment, children, folder)))
    sys.stdout.flush()


def _where(environment: Mapping[str, str], children: Sequence[Child], folder: Path) -> Iterator[str]:
    yield "# for another terminal:"
    for name in ("KAFKA", "POSTGRES", "TOPICS", "DATA", "KEYS"):
        yield f"export {PREFIX}{name}={shlex.quote(environment[PREFIX + name])}"
    yield "# then, for example: subledger balance s-1 --ledger kafka"
    for child in children:
        yield f"# {child.verb:<9} http://127.0.0.1:{child.port}/metrics  /health"
    yield f"# logs      {folder / LOGS}"


def _settings(environment: Mapping[str, str]) -> LiveSettings:
    """The ledger's settings in this process, whatever its own environment says."""
    for name in [f"{PREFIX}{field.upper()}" for field in LiveSettings.model_fields]:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in environment.items() if name.startswith(PREFIX)})
    no_file: dict[str, Any] = {"_env_file": None}
    return LiveSettings(**no_file)


def program(*words: str) -> list[str]:
    """The command line of a verb of this very program."""
    return [sys.executable, "-m", "infra.cli.main", *words]


def say(text: str) -> None:
    """Talk goes to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _exit_code(found: int) -> int:
    """As a shell says it: 128 and the signal for a process that was killed."""
    return found if found >= 0 else 128 - found


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it; the exit code. A second signal changes nothing: the end is on its way, within its limits."""
    parser = argparse.ArgumentParser(prog="make live", description="A whole live ledger on this machine.")
    parser.add_argument("--seconds", type=float, default=None, help="end by itself after so many seconds of load")
    parser.add_argument("--pace", type=float, default=PACE_A_SECOND, help="commands a second (default %(default)g)")
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS, help="(default %(default)d)")
    given = parser.parse_args(arguments)
    stopping = Event()

    def stop(number: int, _: Any) -> None:
        if not stopping.is_set():
            say(f"{signal.Signals(number).name}: ending")
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        return live(given.seconds, given.pace, given.subscribers, stopping)
    except Ended as ended:
        say(str(ended))
        return ended.exit_code
    except ServerError as error:
        if stopping.is_set():
            return 0
        say(str(error))
        return UNREACHABLE


if __name__ == "__main__":
    sys.exit(main())
