"""Writers killed, paused, doubled and misled under load: every acknowledged command is decided once, in its order."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from infra.kafka.index import remove_index
from infra.live.places import COMMANDS, EVENTS
from infra.live.topics import configs_of
from tests.faults.conftest import SESSION, Hurt
from tests.faults.hurt_processes import WRITERS
from tests.faults.load import Load, fully_checked
from tests.support.live import LiveLedger, wait_until

DIES_WITHIN_S = 60.0
ENDS_WITHIN_S = 60.0

STEPS = 8
"""How often a step is survived before it kills."""


def test_killed_at_every_step_of_the_write_path(ledger: LiveLedger, hurt: Hurt) -> None:
    """One writer after the other dies, each at another step; the last one lives."""
    with Load(ledger) as load:
        for way in WRITERS:
            child = hurt(ledger, way, 2 if way.endswith("hint") else STEPS)
            assert child.wait(DIES_WITHIN_S) == -signal.SIGKILL, f"{way}: {(ledger.folder / f'{way}.log').read_text()}"
        with ledger.running("write"):
            load.wait_for_answers(300)
            load.stop()
            load.wait_answered()
    whole = fully_checked(ledger, load)
    print(load.figures(f"writer killed at {len(WRITERS)} steps"), f"{whole.facts:,} facts")


def test_paused_past_its_successor_and_woken(ledger: LiveLedger, tmp_path: Path) -> None:
    """SIGSTOP until the group has given its shards to another writer, then SIGCONT."""
    with Load(ledger) as load, ledger.running("write", session_seconds=SESSION) as sleeper:
        load.wait_for_answers(300)
        sleeper.send_signal(signal.SIGSTOP)
        with ledger.running("write", data=str(tmp_path / "successor")):
            load.wait_for_answers(300)
            sleeper.send_signal(signal.SIGCONT)
            load.wait_for_answers(600)
            load.stop()
            load.wait_answered()
    fully_checked(ledger, load)
    print(load.figures("writer paused past its successor"))


MEETING_LIMIT_S = 60.0


def test_two_writers_on_every_shard(ledger: LiveLedger, hurt: Hurt) -> None:
    """Two groups, so that each writer believes that all shards are its own: they fence each other, and that is all."""
    with Load(ledger) as load, ledger.running("write") as first:
        load.wait_for_answers(300)
        ledger.settings.data.rename(ledger.folder / "first")
        other = hurt(ledger, "in-another-group", 0)
        deadline = time.monotonic() + MEETING_LIMIT_S
        while "shard lost" not in first.said and time.monotonic() < deadline:
            load.wait_for_answers(100)
        load.wait_for_answers(600)
        assert other.poll() is None, (ledger.folder / "in-another-group.log").read_text()
        other.kill()
        other.wait()
        load.wait_for_answers(300)
        load.stop()
        load.wait_answered()
        fences = first.said.count("shard lost")
    assert fences, "the writers did not meet"
    fully_checked(ledger, load)
    print(load.figures("two writers on each shard"), f"{fences} fences of the first")


def test_indexes_deleted_truncated_and_stale(ledger: LiveLedger) -> None:
    """Whatever was done to the file, the next writer begins where the topic ends."""
    damages: tuple[Callable[[Path, Path], None], ...] = (_copied, _deleted, _truncated, _put_back)
    copies = ledger.folder / "older"
    copies.mkdir()
    with Load(ledger) as load:
        for damage in damages:
            with ledger.running("write"):
                load.wait_for_answers(200)
            for file in _indexes(ledger):
                damage(file, copies / file.name)
        with ledger.running("write"):
            load.stop()
            load.wait_answered()
    fully_checked(ledger, load)
    print(load.figures("indexes deleted, truncated, put back"))


def test_an_index_ahead_of_the_log_is_refused(ledger: LiveLedger) -> None:
    """Exit 1 with both positions; the sound index that is put back goes on."""
    with Load(ledger) as load:
        with ledger.running("write"):
            load.wait_for_answers(200)
        for file in _indexes(ledger):
            shutil.copy(file, ledger.folder / file.name)
            with closing(sqlite3.connect(file)) as index, index:
                index.execute("UPDATE log_position SET next_offset = next_offset + 1000000")
        refused = ledger.start("write")
        assert refused.ended(ENDS_WITHIN_S) == 1
        assert "has read up to" in refused.said
        assert "Traceback" not in refused.said
        for file in _indexes(ledger):
            remove_index(file)
            shutil.copy(ledger.folder / file.name, file)
        with ledger.running("write"):
            load.stop()
            load.wait_answered()
    fully_checked(ledger, load)
    print(load.figures("index ahead of the log"))


@pytest.mark.parametrize("topic", [COMMANDS, EVENTS])
def test_retention_switched_on_behind_our_back(ledger: LiveLedger, topic: str) -> None:
    """The writer stops with exit 1 and names topic and setting, while everything is still there."""
    with Load(ledger, a_second=100) as load:
        writer = ledger.start("write", check_seconds="1")
        writer.wait_ready()
        load.wait_for_answers(50)
        _configure(ledger, topic, "86400000")
        assert writer.ended(ENDS_WITHIN_S) == 1
        assert f"{ledger.settings.topic(topic)}: retention.ms is 86400000" in writer.said
        assert "Traceback" not in writer.said
        _configure(ledger, topic, "-1")
        with ledger.running("write"):
            load.stop()
            load.wait_answered()
    fully_checked(ledger, load)
    print(load.figures(f"retention switched on for {topic}"))


def _configure(ledger: LiveLedger, topic: str, retention_ms: str) -> None:
    clients = ledger.settings.clients
    name = ledger.settings.topic(topic)
    with closing(clients.clients.admin(**clients.for_admin())) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": retention_ms})])
        wait_until(lambda: _retention(admin, name) == retention_ms, 30.0, f"{name} to be configured")


def _retention(admin: object, name: str) -> str | None:
    return configs_of(admin, name).get("retention.ms")


def _indexes(ledger: LiveLedger) -> list[Path]:
    found = sorted(ledger.settings.data.glob("*events*.sqlite"))
    assert found, "there are no indexes to hurt"
    return found


def _copied(file: Path, older: Path) -> None:
    shutil.copy(file, older)


def _deleted(file: Path, _: Path) -> None:
    remove_index(file)


def _truncated(file: Path, _: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def _put_back(file: Path, older: Path) -> None:
    remove_index(file)
    shutil.copy(older, file)
