"""What holds of every log whatever Kafka's transactions do: dense sequences and dense stream versions.

No Python client speaks KIP-890, so a delayed end of a transaction could commit or abort the wrong one. Hence each event
carries its sequence and its version, and everybody who reads or writes passes them through these checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.kafka.errors import SequenceBroken, VersionBroken
from infra.kafka.records import Entry


class DenseSequence:
    """Accepts 1, 2, 3 … and nothing else."""

    def __init__(self, last: int | None) -> None:
        """`last` is the sequence before the next one; None accepts any first one."""
        self.last = last

    def accept(self, sequence: int, offset: int) -> None:
        """Takes the next sequence. Raises SequenceBroken for a gap or a repeat."""
        if self.last is not None and sequence != self.last + 1:
            kind = "a gap" if sequence > self.last + 1 else "a repeat"
            raise SequenceBroken(
                f"{kind} at offset {offset}: expected sequence {self.last + 1}, found {sequence}"
                " (were records deleted by retention or compaction, or written past the fence?)"
            )
        self.last = sequence


class StreamVersions:
    """The last version of every stream, as far as memory allows; the rest is looked up.

    While nothing has been forgotten since an empty log, a stream that is not remembered is known to be new, so that a
    rebuild from zero looks nothing up.
    """

    def __init__(self, look_up: Callable[[str], int | None], *, limit: int, complete: bool) -> None:
        """`look_up` gives the last stored version of a stream, `limit` the number of streams to keep at `trim`.

        `complete`: the log is empty, so that what has not been seen does not exist.
        """
        self._look_up = look_up
        self._limit = limit
        self._complete = complete
        self._last: dict[str, int] = {}

    def last(self, key: str) -> int | None:
        """Last version of a stream, None if it has none."""
        known = self._last.get(key)
        if known is None and not self._complete:
            known = self._look_up(key)
            if known is not None:
                self.remember(key, known)
        return known

    def remember(self, key: str, version: int) -> None:
        """Notes that `version` is the last of the stream."""
        self._last[key] = version

    def trim(self) -> None:
        """Forgets, if there is too much to remember. Only when all that was accepted can be looked up again."""
        if len(self._last) > self._limit:
            self._last.clear()
            self._complete = False

    def accept_all(self, entries: Sequence[Entry]) -> None:
        """Takes events that were read, in order. Raises VersionBroken for a gap or a repeat in a stream."""
        known = self._last
        for entry in entries:
            key, version = entry.key, entry.version
            last = known.get(key)
            if last is None:
                last = self.last(key)
            if last is not None and version != last + 1:
                raise VersionBroken(_break(entry, last + 1))
            known[key] = version


def _break(entry: Entry, expected: int) -> str:
    kind = "a gap" if entry.version > expected else "a repeat"
    return (
        f"{kind} in stream {entry.key!r} at offset {entry.offset}: expected version {expected}, found {entry.version}"
    )
