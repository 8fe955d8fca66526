"""What the long-running processes have in common: settings, logs, the endpoint, and a clean stop on TERM and INT."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

from infra import interpreter
from infra.live import logs
from infra.live.health import Health
from infra.live.settings import LiveSettings, load

COLLECT_AFTER_ALLOCATIONS = 100_000
"""Futures and what failed with its traceback do make cycles: a process that lives long collects them."""


class Process(Protocol):
    """A process that works until it is stopped."""

    def run(self) -> None:
        """Works until `stop` was called."""

    def stop(self) -> None:
        """Lets `run` end cleanly; from any thread, or a signal's handler."""


def run(name: str, make: Callable[[LiveSettings, Health], Process]) -> None:
    """Runs a process of this environment's ledger until it is told to stop."""
    settings = load()
    interpreter.set_for_work(collect_after=COLLECT_AFTER_ALLOCATIONS)
    logs.configure(name)
    say = structlog.get_logger()
    with Health(name, settings.metrics_host, settings.metrics_port) as health:
        process = make(settings, health)
        _stop_when_told(process, say)
        say.info("started", topics=settings.topics)
        process.run()
        say.info("stopped")


def _stop_when_told(process: Process, say: Any) -> None:
    """Stops the process on TERM and INT, in a thread of its own.

    A handler runs in the midst of whatever the main thread is at. Where that holds the lock of the log, or of the event
    that `stop` sets, the handler would wait for it for ever; putting something into this queue waits for nothing.
    """
    told: SimpleQueue[int] = SimpleQueue()

    def listen() -> None:
        while True:
            say.info("stopping", signal=signal.Signals(told.get()).name)
            process.stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: told.put(received))
