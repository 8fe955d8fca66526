"""Writers that cannot do their work and are not told so by anybody: they are not ready, and end within a limit."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.kafka import index
from infra.kafka.errors import Unreachable
from infra.live import worker, writing
from infra.live.catalogue import LiveCatalogue
from infra.live.health import Health
from infra.live.places import COMMANDS, partition_of
from infra.live.settings import LiveSettings
from infra.live.writing import WriteProcess
from infra.servers import KafkaCluster
from tests.faults.load import Load, fully_checked
from tests.support.lines import line
from tests.support.live import Json, LiveLedger, wait_until

LIMIT_S = 30.0
STUCK_S = 2.0
PAGES = 60
"""An index without facts takes some thirty."""


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (worker, writing):
        monkeypatch.setattr(module, "STUCK_LIMIT_SECONDS", STUCK_S)


class Running:
    """A writer in a thread."""

    def __init__(self, settings: LiveSettings, threads: ThreadPoolExecutor) -> None:
        self.health = Health("write", "127.0.0.1", 0)
        self.process = WriteProcess(settings, self.health)
        self.future = threads.submit(self.process.run)

    def wait_ready(self) -> None:
        """Returns when it does its work."""
        wait_until(lambda: self.health.is_ready or self.future.done(), LIMIT_S, "the writer to be ready")

    def failed(self) -> BaseException | None:
        """What it ended with; it was not ready at the end."""
        failed = self.future.exception(LIMIT_S)
        assert not self.health.is_ready
        return failed


@contextmanager
def started(settings: LiveSettings) -> Iterator[Running]:
    """One that is told to stop at the end, if it has not ended."""
    with ThreadPoolExecutor(1, "write") as threads:
        running = Running(settings, threads)
        try:
            yield running
        finally:
            running.process.stop()


def impatient(settings: LiveSettings) -> LiveSettings:
    """The same ledger for a writer that waits for single answers less long."""
    copy = settings.model_copy()
    copy.__dict__["clients"] = replace(
        settings.clients, request_timeout_ms=1_500, bootstrap_timeout_ms=1_500, delivery_timeout_ms=2_000
    )
    return copy


def registration(subscriber: str) -> Json:
    """A command without an instant."""
    found = line("RegisterSubscriber", "c-1", subscriber=subscriber)
    return {name: value for name, value in found.items() if name != "at"}


def test_an_index_on_a_full_disk(ledger: LiveLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, no readiness meanwhile, an end; another machine's writer answers everything, each command once."""
    connected = index._Pool._create_connection

    def small(pool: Any) -> Any:
        connection = connected(pool)
        connection.cursor().execute(f"PRAGMA max_page_count = {PAGES}")
        return connection

    with Load(ledger, a_second=200) as load:
        with monkeypatch.context() as patched:
            patched.setattr(index._Pool, "_create_connection", small)
            with started(ledger.settings) as running:
                running.wait_ready()
                wait_until(lambda: not running.health.is_ready, LIMIT_S, "the shard not to be ready while it retries")
                failed = running.failed()
        assert isinstance(failed, Unreachable)
        assert "shard" in str(failed)
        assert str(failed).endswith("cannot be written: the disk is full")
        with ledger.running("write", data=str(tmp_path / "another machine")):
            load.stop()
            load.wait_answered()
    fully_checked(ledger, load)


def test_an_index_that_cannot_be_begun(ledger: LiveLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard is tried again and again, and never for ever."""
    connected = index._Pool._create_connection

    def smallest(pool: Any) -> Any:
        connection = connected(pool)
        connection.cursor().execute("PRAGMA max_page_count = 2")
        return connection

    monkeypatch.setattr(index._Pool, "_create_connection", smallest)
    with started(ledger.settings) as running:
        failed = running.failed()
    assert isinstance(failed, Unreachable)
    assert str(failed).endswith("cannot be written: the disk is full")


def test_a_call_that_never_returns(ledger: LiveLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that has begun a group and says nothing more is found, and where it stands; another writer goes on."""
    never = threading.Event()
    with monkeypatch.context() as patched, started(ledger.settings) as running:
        running.wait_ready()
        patched.setattr(LiveCatalogue, "state", lambda _: never.wait())
        patched.setattr(writing, "GROUP_LIMIT_S", STUCK_S)
        sent = registration("s-1")
        ledger.put(COMMANDS, json.dumps(sent).encode(), key=b"s-1", partition=partition_of("s-1", ledger.partitions))
        failed = running.failed()
    never.set()
    assert isinstance(failed, Unreachable)
    assert "has been at one group" in str(failed)
    with ledger.running("write"):
        (outcome,) = ledger.submit([sent])
    assert outcome["status"] in {"accepted", "duplicate"}


def test_a_silence_of_the_brokers_is_no_readiness(kafka_node: KafkaCluster, tmp_path: Path) -> None:
    """Nobody has sent anything, so nothing has failed."""
    with LiveLedger(kafka_node.bootstrap_servers, tmp_path, sandbox=False) as ledger:
        settings = impatient(ledger.settings)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(writing, "SIGN_OF_LIFE_S", 1.0)
            with started(settings) as running:
                running.wait_ready()
                kafka_node.nodes[0].pause()
                wait_until(lambda: not running.health.is_ready, LIMIT_S, "a writer without brokers not to be ready")
                for _ in range(20):
                    assert not running.health.is_ready
                    time.sleep(0.1)
                kafka_node.nodes[0].resume()
                running.wait_ready()
                assert [one["status"] for one in ledger.submit([registration("s-1")])] == ["accepted"]


STOP_S = 6.0
STOP_MARGIN_S = 3.0
"""What the main thread may be at when it is told: a commit to the group, a question to the brokers."""


def test_told_to_stop_while_brokers_are_silent_in_the_midst_of_commits(
    kafka_node: KafkaCluster, tmp_path: Path
) -> None:
    """It ends in time, and what was sent is answered by the next one, each command once."""
    with LiveLedger(kafka_node.bootstrap_servers, tmp_path, partitions=2, sandbox=False) as ledger:
        settings = impatient(ledger.settings.model_copy(update={"stop_seconds": STOP_S}))
        with Load(ledger, a_second=200) as load:
            with started(settings) as running:
                running.wait_ready()
                load.wait_for_answers(200)
                kafka_node.nodes[0].pause()
                time.sleep(2.0)
                told_at = time.monotonic()
                running.process.stop()
                assert running.failed() is None
                assert time.monotonic() - told_at < STOP_S + STOP_MARGIN_S
            kafka_node.nodes[0].resume()
            with ledger.running("write"):
                load.stop()
                load.wait_answered()
        fully_checked(ledger, load)


def test_commands_that_the_consumer_does_not_bring(ledger: LiveLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python has more than one way to read a partition no more; a process begun anew reads it."""
    monkeypatch.setattr(writing, "SIGN_OF_LIFE_S", 0.2)
    monkeypatch.setattr(writing, "STANDING_LIMIT_S", 2.0)
    with started(ledger.settings) as running:
        running.wait_ready()
        assert [one["status"] for one in ledger.submit([registration("s-1")])] == ["accepted"]
        consumer = running.process._consumer

        is_deaf = threading.Event()

        def deaf(timeout_ms: int) -> dict[Any, Any]:
            is_deaf.set()
            time.sleep(timeout_ms / 1000)
            return {}

        monkeypatch.setattr(consumer, "poll", deaf)
        assert is_deaf.wait(LIMIT_S)
        with ThreadPoolExecutor(1) as threads:
            answered = threads.submit(ledger.submit, [registration("s-2")])
            failed = running.failed()
            assert isinstance(failed, Unreachable)
            assert "were not read" in str(failed)
            with ledger.writing_here():
                assert [one["status"] for one in answered.result(LIMIT_S)] == ["accepted"]


def test_a_shard_that_is_given_back_while_it_waits_to_be_opened_again(ledger: LiveLedger) -> None:
    """It is opened once: two threads of one shard would fence each other, and nobody would stop the first."""
    with ledger.writing_here() as process:
        wait_until(lambda: len(process._shards) == ledger.partitions, LIMIT_S, "all shards")
        process._reopen_at[0] = time.monotonic() + 0.5
        process.assigned([0])
        first = process._shards[0]
        time.sleep(1.0)
        assert process._shards[0] is first
        assert [thread.name for thread in threading.enumerate()].count("shard 0") == 1
        process._reopen_at[0] = 0.0
        wait_until(lambda: not process._reopen_at, LIMIT_S, "the moment to be over")
        assert process._shards[0] is first


def test_those_who_wait_for_the_catalogue_share_one_reading(ledger: LiveLedger) -> None:
    """While brokers are silent, shards would otherwise wait for them one after the other."""
    live = LiveCatalogue(ledger.settings)
    asked, begun = live._reader.end_offset, []

    def slow() -> int:
        begun.append(time.monotonic())
        time.sleep(0.2)
        return asked()

    live._reader.end_offset = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as threads:
        states = [threads.submit(live.state) for _ in range(8)]
        assert {one.result(LIMIT_S).version for one in states} == {live._state.version}
    assert len(begun) == 2
    live.close()
