"""A sample load for a ledger to look at: subscribers join, then call, pay, order and change plans at a given pace.

The commands are those of the benchmark's mix without their instants, since a live ledger takes time from its broker.
"""

import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Self

import orjson

from infra.bench import mix
from infra.live.settings import LiveSettings
from infra.live.submitting import Submission

COMMANDS = 1_000_000
"""After so many the load ends; at twenty a second that is fourteen hours."""
TURN_SECONDS = 0.25
JOINING_AT_ONCE = 100
"""Joining takes no pace: there is little to see before it is done."""
JOINING_COMMANDS = 4
LATENCIES_KEPT = 1_000
STOP_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How it went so far; latencies from sending to outcome, of the last thousand commands."""

    answered: int
    refused: int
    median_ms: float
    longest_ms: float


class SampleLoad:
    """A thread that sends and waits for outcomes; a context manager. `failed` says why it has ended, if it has."""

    def __init__(self, settings: LiveSettings, *, pace: float, subscribers: int) -> None:
        """`pace` is in commands a second. Nothing is connected before it is entered."""
        self._settings = settings
        self._pace = pace
        self._subscribers = subscribers
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._answered = self._refused = 0
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_LIMIT_S)

    def figures(self) -> Figures:
        """The figures now."""
        with self._lock:
            return Figures(
                answered=self._answered,
                refused=self._refused,
                median_ms=1000 * statistics.median(self._latencies or [0.0]),
                longest_ms=1000 * max(self._latencies, default=0.0),
            )

    def _run(self) -> None:
        try:
            with closing(Submission(self._settings)) as submission:
                commands = timeless(self._subscribers)
                joining = JOINING_COMMANDS * self._subscribers
                for start in range(0, joining, JOINING_AT_ONCE):
                    self._send(submission, list(islice(commands, min(JOINING_AT_ONCE, joining - start))))
                self._go_on(submission, commands)
        except Exception as failed:  # noqa: BLE001 - who watches the load decides what follows
            self.failed = failed

    def _go_on(self, submission: Submission, commands: Iterator[bytes]) -> None:
        """Everyday commands at the pace; a turn that came late sends what has come due meanwhile."""
        begun, sent = time.monotonic(), 0
        while not self._stopping.wait(TURN_SECONDS):
            due = int((time.monotonic() - begun) * self._pace) - sent
            lines = list(islice(commands, due))
            sent += due
            if due and not lines:
                return
            self._send(submission, lines)

    def _send(self, submission: Submission, lines: list[bytes]) -> None:
        if self._stopping.is_set() or not lines:
            return
        sent_at = time.perf_counter()
        for outcomes in (submission.send(lines), submission.rest()):
            for outcome in outcomes:
                with self._lock:
                    self._answered += 1
                    self._refused += outcome["status"] == "refused"
                    self._latencies.append(time.perf_counter() - sent_at)


def timeless(subscribers: int) -> Iterator[bytes]:
    """The benchmark's mix as lines, each without `at`."""
    for command in mix(COMMANDS, subscribers):
        yield orjson.dumps(_without_instant(command))


def _without_instant(command: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in command.items() if name != "at"}
