"""What ends a process whose main thread stands still: a library's call that never returns is told by nobody else.

Every wait of ours has a limit; one inside of a client has not always. A process that stands still answers nobody, stays
a member of its group where another thread keeps that alive, and is not restarted by anybody who only asks whether it
is there. It is ended as by a crash, which loses nothing, with the stack that shows where it stood.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

EXIT_CODE = 4
"""A service cannot be reached (CONTRACT §8)."""
LOOK_SECONDS = 5.0


class Watch:
    """A context manager around the main thread's loop, which calls `turn` each time that it comes round."""

    def __init__(
        self, limit_s: float, *, look_s: float = LOOK_SECONDS, end: Callable[[int], object] = os._exit
    ) -> None:
        """`limit_s`: how long a turn may take, longer than all its own limits together."""
        self._limit_s = limit_s
        self._look_s = look_s
        self._end = end
        self._watched = threading.get_ident()
        self._turned_at = time.monotonic()
        self._is_over = threading.Event()

    def turn(self) -> None:
        """The loop has come round."""
        self._turned_at = time.monotonic()

    def __enter__(self) -> Self:
        threading.Thread(target=self._look, name="watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()

    def _look(self) -> None:
        while not self._is_over.wait(self._look_s):
            if time.monotonic() - self._turned_at > self._limit_s:
                structlog.get_logger().critical(
                    "stands still; ends as by a crash", limit_seconds=self._limit_s, stack=stack_of(self._watched)
                )
                self._end(EXIT_CODE)
                return


def stack_of(thread: int | None) -> str:
    """Where a thread is, for people; empty where it is no more."""
    frame = sys._current_frames().get(thread or 0)
    return "" if frame is None else "".join(traceback.format_stack(frame))
