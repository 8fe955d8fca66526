"""The log of one partition for readers in other processes: an index that follows the topic and fences nobody."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Lock, Thread
from time import sleep

from infra.kafka.errors import LogClosed
from infra.kafka.index import LocalIndex
from infra.kafka.mirror import LogPlace, Mirror
from infra.kafka.reader import PartitionReader
from infra.kafka.records import LogRecord, Tracked

FOLLOW_POLL_MS = 50
YIELD_S = 0.001
END_LIMIT_S = 30.0


class FollowedLog:
    """The reader's side of one partition: same reading methods as `FencedLog`, and no writing.

    A thread of its own follows the topic. If it meets a corrupt log or its index cannot be written, reading raises what
    it met.
    """

    def __init__(self, place: LogPlace) -> None:
        self.place = place
        self._mirror: Mirror | None = None
        self._reader: PartitionReader | None = None
        self._thread: Thread | None = None
        self._lock = Lock()
        self._is_ending = Event()
        self._error: BaseException | None = None

    def open(self) -> None:
        """Brings the index up to date and starts to follow. Raises Unreachable, CorruptLog."""
        self._mirror = Mirror(self.place)
        self._mirror.catch_up()
        self._reader = self._mirror.connect()
        self._thread = Thread(target=self._follow, name=f"follower of {self.place.partition}", daemon=True)
        self._thread.start()

    def append(
        self, records: Sequence[LogRecord], *, tracking: Tracked | None = None, after: int | None = None
    ) -> range:
        """Raises LogClosed: a follower does not write."""
        raise LogClosed(f"{self.place.partition} is followed here, not written")

    @property
    def index(self) -> LocalIndex:
        """The index, for reading. Raises LogClosed, or what stopped the following."""
        if self._error is not None:
            raise self._error
        return self._open_mirror.index

    def refresh(self) -> None:
        """Returns when everything that was committed before the call is in the index."""
        reader, mirror = self._reader, self._open_mirror
        if reader is None or self._error is not None:
            return  # `index` says what is wrong.
        with self._lock:
            for batch in reader.until(reader.end_offset()):
                mirror.absorb(batch)

    def listen(self, listener: Event) -> None:
        """Sets `listener` whenever events have arrived."""
        self._open_mirror.listen(listener)

    def unlisten(self, listener: Event) -> None:
        """Undoes `listen`."""
        if self._mirror is not None:
            self._mirror.unlisten(listener)

    def close(self) -> None:
        """Stops following."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(END_LIMIT_S)
        if self._reader is not None:
            self._reader.close()
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None

    @property
    def _open_mirror(self) -> Mirror:
        if self._mirror is None:
            raise LogClosed(f"{self.place.partition}: the log is not open")
        return self._mirror

    def _follow(self) -> None:
        reader, mirror = self._reader, self._mirror
        if reader is None or mirror is None:
            return
        try:
            while not self._is_ending.is_set():
                with self._lock:
                    mirror.absorb(reader.poll(FOLLOW_POLL_MS))
                sleep(YIELD_S)  # A lock is not fair: let `refresh` have it.
        except BaseException as failed:  # noqa: BLE001 - raised to whoever reads next
            self._error = failed
            mirror.wake_listeners()
