"""A main thread that stands still ends its process, with the stack that shows where; one that turns does not."""

from __future__ import annotations

import queue
import time

from structlog.testing import capture_logs

from infra.live.watch import EXIT_CODE, Watch, stack_of

LIMIT_S, LOOK_S = 0.2, 0.01
ENDS_WITHIN_S = 10.0


def _stand_still(ended: queue.SimpleQueue[int]) -> int:
    return ended.get(timeout=ENDS_WITHIN_S)


def test_who_stands_still_is_ended_and_it_is_said_where() -> None:
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    with capture_logs() as said, Watch(LIMIT_S, look_s=LOOK_S, end=ended.put):
        assert _stand_still(ended) == EXIT_CODE
    (one,) = said
    assert one["log_level"] == "critical"
    assert "_stand_still" in one["stack"]


def test_who_turns_in_time_is_left_alone() -> None:
    """Also after the loop is over, whatever its last turn was."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    with Watch(ENDS_WITHIN_S, look_s=LOOK_S, end=ended.put) as watch:
        watch.turn()
        time.sleep(5 * LOOK_S)
    watch._turned_at -= 2 * ENDS_WITHIN_S
    time.sleep(5 * LOOK_S)
    assert ended.empty()


def test_a_thread_that_is_no_more_is_nowhere() -> None:
    assert stack_of(None) == ""
