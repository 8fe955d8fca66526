"""How the interpreter is set for much work: what it does by default suits programs that do little.

States, facts and rows have no cycles, and looking for some after every 700 allocations would cost a tenth of the time.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_SECONDS = 0.0005
"""How long a thread that computes keeps others waiting. With Python's 5 ms, what brokers say is heard late, and the
thread that stores waits before each statement."""


def set_for_work(*, collect_after: int) -> None:
    """Threads take turns more often, and cycles are looked for after so many allocations."""
    gc.set_threshold(collect_after)
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def without_collector() -> Iterator[None]:
    """Looks for no cycles meanwhile: for bulk work that makes none and would be searched again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
