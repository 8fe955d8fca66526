"""Lines of a stream in bounded memory, in blocks of what is there: a sender who waits for an answer gets it."""

import os
import select
import stat
from collections.abc import Iterator

BLOCK_LINES = 5_000
"""At most so many lines are handed over, executed and committed together: a page that several touch is written once."""
READ_BYTES = 1 << 18
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some programs put in front of a file in UTF-8; it is no part of the first line."""


class LineReader:
    """Blocks of lines from a file descriptor; None stands for a line longer than `longest` bytes, which is skipped."""

    def __init__(self, descriptor: int, longest: int) -> None:
        self._descriptor = descriptor
        self._longest = longest
        self.is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._lines: list[bytes | None] = []
        self._rest = bytearray()
        self._skipping = False
        self._is_first = True
        self._ended = False
        self.bytes_read = 0

    def blocks(self) -> Iterator[list[bytes | None]]:
        """Lines without their line ends, at most BLOCK_LINES at once; fewer only where no more input is ready."""
        while self._lines or not self._ended:
            while len(self._lines) < BLOCK_LINES and not self._ended and (not self._lines or self._ready()):
                self._read()
            block, self._lines = self._lines[:BLOCK_LINES], self._lines[BLOCK_LINES:]
            if block:
                yield block

    def _ready(self) -> bool:
        """Whether a read answers at once; a file always does."""
        return self.is_file or bool(select.select([self._descriptor], [], [], 0)[0])

    def _read(self) -> None:
        chunk = os.read(self._descriptor, READ_BYTES)
        self.bytes_read += len(chunk)
        if not chunk:
            self._ended = True
            if self._rest or self._skipping:
                self._take(b"")
            return
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            self._take(end)
        if not self._skipping:
            self._rest += rest
            if len(self._rest) > self._longest:
                self._rest.clear()
                self._skipping = True

    def _take(self, end: bytes) -> None:
        """A line is complete: what was kept of it, and its end."""
        if self._rest:
            end = bytes(self._rest) + end
            self._rest.clear()
        if self._is_first:
            end, self._is_first = end.removeprefix(BYTE_ORDER_MARK), False
        too_long = self._skipping or len(end) > self._longest
        self._lines.append(None if too_long else end)
        self._skipping = False
