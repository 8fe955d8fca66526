"""A process that keeps the views up while another one writes the log.

    python -m infra.views.follower FOLDER

It reads `events.db` without the ledger's lock and is the only one to write `views.db`. Its standard input is the line
to the writer: the final sequence as one line of text, or the end of the input where the writer is gone. Then it follows
up to there, or to the end of the log, and ends. Nothing depends on it: if it dies, the views lag, and whoever opens
them next catches up.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.interpreter import without_collector
from infra.views.log import SqliteLog
from infra.views.opening import open_views
from infra.views.rebuilding import environment
from infra.views.runner import Runner

BACKLOG_FACTS = 5_000
"""A shorter backlog is caught up within the time that a process takes to start."""
PART_FACTS = 5_000
"""While the log grows, so many facts are counted at once: at its end little is left to do."""
FULL_BATCH_FACTS = 20_000
"""So many facts share a transaction: a page that many of them touch is written once."""
LONGEST_TRANSACTION_SECONDS = 2.0
"""Whoever opens the views meanwhile waits for it."""
POLL_SECONDS = 0.1
"""How long the follower waits for more facts; a log that has not grown meanwhile is followed to its end."""
FINISH_TIMEOUT_SECONDS = 600.0


class Follower:
    """The writer's side: starts the process once there is enough to do, and tells it where to end.

    A context manager around a run of commands; `committed(sequence)` after each commit. Leaving it without an exception
    waits until the views stand at the last committed sequence.
    """

    def __init__(self, folder: Path, sequence: int, backlog: int = BACKLOG_FACTS) -> None:
        self._folder = folder
        self._backlog = backlog
        self._first = self._last = sequence
        self._process: subprocess.Popen[bytes] | None = None

    def committed(self, sequence: int) -> None:
        """The log now reaches to `sequence`."""
        self._last = sequence
        if self._process is None and sequence - self._first >= self._backlog:
            arguments = [sys.executable, "-m", "infra.views.follower", str(self._folder)]
            # A group of its own: Ctrl-C is for the writer, who tells this process how it ends.
            self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, env=environment(), process_group=0)

    def finish(self) -> None:
        """Lets the process follow to the last committed sequence, and waits for it; whether it lived or not."""
        if self._process is None:
            return
        try:
            self._process.communicate(f"{self._last}\n".encode(), timeout=FINISH_TIMEOUT_SECONDS)
        except BrokenPipeError:
            self._process.wait()
        except subprocess.TimeoutExpired:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def follow(folder: Path, line: int) -> None:
    """Follows the log of `folder` until the descriptor `line` says where to end."""
    log = SqliteLog(folder / "events.db")
    connection = open_views(folder)
    runner = Runner(connection)
    position = committed = runner.position()
    seen, since = 0, time.monotonic()
    final: int | None = None
    try:
        with without_collector():
            while final is None or position < min(final, log.last()):
                last = log.last()
                rests = final is not None or last == seen
                while last - position >= (1 if rests else PART_FACTS):
                    if position == committed:
                        since = time.monotonic()
                    position = runner.added(log.read(position, PART_FACTS))
                    if position - committed >= FULL_BATCH_FACTS:
                        runner.commit()
                        committed = position
                if rests or time.monotonic() - since > LONGEST_TRANSACTION_SECONDS:
                    runner.commit()
                    committed = position
                seen = last
                if final is None:
                    final = _told(line, log)
            runner.commit()
    finally:
        connection.close()
        log.close()


def _told(line: int, log: SqliteLog) -> int | None:
    """The sequence to end at; None where nothing was said for a while."""
    ready, _, _ = select.select([line], [], [], POLL_SECONDS)
    if not ready:
        return None
    text = os.read(line, 100).strip()
    return int(text) if text else log.last()


def main(arguments: Sequence[str]) -> None:
    (folder,) = arguments
    follow(Path(folder), sys.stdin.fileno())


if __name__ == "__main__":
    main(sys.argv[1:])
