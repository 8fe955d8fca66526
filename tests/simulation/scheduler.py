"""Who goes on, who waits, who dies: a seeded scheduler of fibers that stop at every side effect.

A fiber is a thread that runs only while it has the baton, and there is one baton. It gives it back at a *point*: a call
into the simulated brokers or database, a commit of an index, a wait. So everything that happens is in one order, which
follows from the seed alone; no real clock and no real sleep is in it.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

HANG_LIMIT_S = 60.0
"""Real seconds without a point: the code under test waits for something that the simulation does not know."""


class Crash(BaseException):
    """The process of this fiber is gone, between two side effects."""


class Hung(Exception):
    """A fiber did not come to its next point."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How hard a run is: probabilities at each point."""

    crash: float = 0.0
    pause: float = 0.0
    switch: float = 0.02
    lost: float = 0.0
    answer_lost: float = 0.0
    late: float = 0.0
    pause_ms: int = 15_000
    late_ms: int = 20_000
    marker_ms: int = 0

    @staticmethod
    def drawn(rng: random.Random) -> Odds:
        """Some runs are violent, some are almost calm."""
        level = rng.choice((0.0, 0.3, 1.0, 3.0))
        return Odds(
            crash=level * rng.choice((0.0, 0.001, 0.004)),
            pause=level * rng.choice((0.0, 0.001, 0.003)),
            switch=rng.choice((0.02, 0.1, 0.3)),
            lost=level * rng.choice((0.0, 0.002, 0.006)),
            answer_lost=level * rng.choice((0.0, 0.002, 0.006)),
            late=level * rng.choice((0.0, 0.002, 0.006)),
            marker_ms=rng.choice((0, 5, 200)),
        )


CALM = Odds()


class Fiber:
    """One line of execution."""

    def __init__(self, scheduler: Scheduler, name: str, body: Callable[[], None]) -> None:
        self.name = name
        self.wake_ms = 0
        self.is_done = False
        self.error: BaseException | None = None
        self.is_condemned = False
        """It is to crash at its next point: the simulation ends."""
        self.go = threading.Semaphore(0)
        self._scheduler = scheduler
        self._body = body
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(HANG_LIMIT_S)

    def _run(self) -> None:
        self.go.acquire()
        try:
            if not self.is_condemned:
                self._body()
        except Crash:
            pass
        except BaseException as failed:  # noqa: BLE001 - the run fails with it
            self.error = failed
        finally:
            self.is_done = True
            self._scheduler.back.release()


class Scheduler:
    """The one clock and the one source of chance of a run."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.odds = CALM
        self.now_ms = 0
        self.points = 0
        self.back = threading.Semaphore(0)
        self._fibers: list[Fiber] = []
        self._current: Fiber | None = None
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """A digest of every point so far: two runs of a seed have the same."""
        return self._trace.hexdigest()

    def spawn(self, name: str, body: Callable[[], None]) -> Fiber:
        fiber = Fiber(self, name, body)
        self._fibers.append(fiber)
        return fiber

    def run(self, is_over: Callable[[], bool], most_switches: int) -> bool:
        """Lets fibers go on until it is over, or nobody can, or there were too many switches. Whether it is over."""
        for _ in range(most_switches):
            if is_over():
                return True
            waiting = [fiber for fiber in self._fibers if not fiber.is_done]
            if not waiting:
                return is_over()
            ready = [fiber for fiber in waiting if fiber.wake_ms <= self.now_ms]
            if not ready:
                self.now_ms = min(fiber.wake_ms for fiber in waiting)
                ready = [fiber for fiber in waiting if fiber.wake_ms <= self.now_ms]
            self._resume(self.rng.choice(ready))
        return is_over()

    def end(self) -> None:
        """Everybody who is still there crashes."""
        for fiber in self._fibers:
            fiber.is_condemned = True
            while not fiber.is_done:
                self._resume(fiber)
            fiber.join()

    def point(self, what: str) -> None:
        """A side effect is about to happen, or has just happened. May raise Crash; nothing outside a fiber."""
        fiber = self._current
        if fiber is None:
            return
        self.points += 1
        self._trace.update(f"{fiber.name} {what} {self.now_ms}\n".encode())
        if fiber.is_condemned:
            raise Crash(fiber.name)
        rng, odds = self.rng, self.odds
        if rng.random() < odds.crash:
            raise Crash(fiber.name)
        if rng.random() < odds.pause:
            self.wait(rng.randint(1, odds.pause_ms))
        elif rng.random() < odds.switch:
            self.wait(rng.randint(0, 2))

    def wait(self, ms: float) -> None:
        """The fiber goes on in so many milliseconds, not earlier."""
        fiber = self._me
        if fiber.is_condemned:
            raise Crash(fiber.name)
        fiber.wake_ms = self.now_ms + max(0, int(ms))
        self.back.release()
        fiber.go.acquire()
        if fiber.is_condemned:
            raise Crash(fiber.name)

    @property
    def _me(self) -> Fiber:
        assert self._current is not None, "a point outside a fiber"
        return self._current

    def _resume(self, fiber: Fiber) -> None:
        self._current = fiber
        fiber.go.release()
        if not self.back.acquire(timeout=HANG_LIMIT_S):
            raise Hung(f"{fiber.name} did not come to its next point within {HANG_LIMIT_S:g} s")
        self._current = None
        if fiber.error is not None:
            raise fiber.error


class SimulatedTime:
    """What stands in for the module `time` in the code under test."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def monotonic(self) -> float:
        return self._scheduler.now_ms / 1000

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self._scheduler.wait(seconds * 1000)


class SimulatedClock:
    """Time at the brokers: it runs with the scheduler's, and jumps."""

    EPOCH_MS = 1_767_607_200_000
    """2026-01-05T10:00:00Z."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return self.EPOCH_MS + self._scheduler.now_ms + self.ahead_ms

    def monotonic_ms(self) -> float:
        return self._scheduler.now_ms

    def wait(self, ms: float) -> None:
        self._scheduler.wait(ms)
