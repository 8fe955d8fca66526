"""A process of its own keeps the views up; if it dies, nothing is lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from infra.views.follower import Follower
from infra.views.opening import open_views, position_in_use
from infra.views.rebuilding import views_file
from tests.projections.conftest import entries_of
from tests.projections.tables import all_rows, kept_live

START_SECONDS = 30.0


def wait_for_position(folder: Path, sequence: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not views_file(folder).exists() or position_in_use(folder) < sequence:
        assert time.monotonic() < deadline, "the follower did not follow"
        time.sleep(0.05)


def test_the_follower_ends_with_the_views_at_the_final_sequence(folder: Path) -> None:
    entries = entries_of(folder)
    with Follower(folder, 0, backlog=1) as follower:
        follower.committed(len(entries))
    assert follower._process is not None
    assert follower._process.returncode == 0
    assert position_in_use(folder) == len(entries)
    followed = open_views(folder)
    found = all_rows(followed)
    followed.close()
    for left in folder.glob("views.db*"):
        left.unlink()
    live = kept_live(folder, 20)
    assert found == all_rows(live)
    live.close()


def test_a_short_backlog_starts_no_process(one_folder: Path) -> None:
    with Follower(one_folder, 0, backlog=10_000) as follower:
        follower.committed(9_999)
    assert follower._process is None
    assert not views_file(one_folder).exists()


def test_a_killed_follower_leaves_views_that_catch_up(one_folder: Path) -> None:
    entries = entries_of(one_folder)
    with Follower(one_folder, 0, backlog=1) as follower:
        follower.committed(1)
        assert follower._process is not None
        os.kill(follower._process.pid, signal.SIGKILL)
        follower.committed(len(entries))
    connection = open_views(one_folder)
    connection.close()
    assert position_in_use(one_folder) == len(entries)


def test_a_follower_whose_writer_is_gone_follows_to_the_end(one_folder: Path) -> None:
    entries = entries_of(one_folder)
    follower = Follower(one_folder, 0, backlog=1)
    follower.committed(1)
    assert follower._process is not None
    assert follower._process.stdin is not None
    follower._process.stdin.close()
    assert follower._process.wait(START_SECONDS) == 0
    assert position_in_use(one_folder) == len(entries)


def test_an_exception_in_the_writer_ends_the_follower(one_folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), Follower(one_folder, 0, backlog=1) as follower:
        follower.committed(1)
        raise ZeroDivisionError
    assert follower._process is not None
    assert follower._process.returncode == -signal.SIGKILL


def test_views_follow_while_the_writer_is_at_it(one_folder: Path) -> None:
    entries = entries_of(one_folder)
    with Follower(one_folder, 0, backlog=1) as follower:
        follower.committed(10)
        wait_for_position(one_folder, len(entries))
        follower.committed(len(entries))
    assert position_in_use(one_folder) == len(entries)
