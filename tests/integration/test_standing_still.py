"""Servers that keep their connections and say nothing: whoever waits for them ends, within a limit, or goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import TopicPartition  # type: ignore[import-untyped]

from infra.kafka.errors import Unreachable
from infra.kafka.settings import KafkaSettings
from infra.live import projecting, topic_reading
from infra.live.following import STANDING_SECONDS, Follower
from infra.live.health import Health
from infra.live.places import EVENTS
from infra.live.projecting import ProjectProcess, ServerAbsent
from infra.live.settings import LiveSettings
from infra.live.topic_reading import every_fact
from infra.postgres import connecting
from infra.postgres.connecting import connect
from infra.postgres.keeping import PostgresViews
from infra.servers import KafkaCluster, PostgresServer
from tests.support.live import LiveLedger, wait_until

LIMIT_S = 20.0
SILENCE_S = 0.5
LEAST_CONNECT_S = 2
"""libpq waits no shorter."""


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "SILENCE_SECONDS", SILENCE_S)
    monkeypatch.setattr(connecting, "CONNECT_TIMEOUT_SECONDS", LEAST_CONNECT_S)
    monkeypatch.setattr(projecting, "ABSENT_LIMIT_SECONDS", 2.0)
    monkeypatch.setattr(projecting, "SIGN_OF_LIFE_SECONDS", 0.5)
    monkeypatch.setattr(topic_reading, "ABSENT_LIMIT_SECONDS", 1.0)
    monkeypatch.setattr(topic_reading, "SIGN_OF_LIFE_SECONDS", 0.5)


def impatient(settings: LiveSettings) -> LiveSettings:
    """The same ledger for a process that waits for brokers no longer than a second."""
    copy = settings.model_copy()
    limits: dict[str, Any] = {"bootstrap_timeout_ms": 500, "request_timeout_ms": 1_000, "stall_limit_s": 2.0}
    clients: KafkaSettings = replace(settings.clients, **limits)
    copy.__dict__["clients"] = clients
    return copy


@pytest.fixture
def running() -> Iterator[Callable[[ProjectProcess], "Outcome"]]:
    """Runs a projector in a thread, which is told to stop at the latest with the test."""
    begun: list[tuple[ProjectProcess, threading.Thread]] = []

    def begin(process: ProjectProcess) -> "Outcome":
        outcome = Outcome(process.run)
        begun.append((process, outcome.thread))
        return outcome

    yield begin
    for process, thread in begun:
        process.stop()
        thread.join(LIMIT_S)


class Outcome:
    """What something in a thread of its own ended with."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failed: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def wait(self) -> BaseException | None:
        """The exception that it ended with."""
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive(), "it goes on"
        return self.failed

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as failed:  # noqa: BLE001 - the test looks at it
            self.failed = failed


def test_a_database_that_stands_still_is_noticed(postgres_server: PostgresServer) -> None:
    """It keeps its connections open; no keep-alive and no limit of its own ends a wait for it."""
    with closing(connect(postgres_server.dsn, "public")) as connection:
        postgres_server.pause()
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="says nothing"), connection.transaction():
            connection.execute("SELECT 1")
        assert time.monotonic() - started < LIMIT_S
        with pytest.raises(psycopg.OperationalError, match="closed"):
            connection.execute("SELECT 1")
        postgres_server.kill()


def test_a_statement_takes_as_long_as_it_takes_while_the_server_lives(postgres_dsn: str) -> None:
    with closing(connect(postgres_dsn, "public")) as connection:
        assert connection.execute("SELECT pg_sleep(%s), 7", (5 * SILENCE_S,)).fetchone() == ("", 7)


def test_a_projector_whose_brokers_stay_away_ends(
    kafka_node: KafkaCluster, postgres_dsn: str, tmp_path: Path, running: Callable[[ProjectProcess], Outcome]
) -> None:
    """That the database answers is no reason to begin again for ever; and who follows facts hears of it, too."""
    with LiveLedger(kafka_node.bootstrap_servers, tmp_path, postgres=postgres_dsn) as ledger:
        settings, health = impatient(ledger.settings), Health("project", "127.0.0.1", 0)
        outcome = running(ProjectProcess(settings, health))
        wait_until(lambda: health.is_ready, LIMIT_S, "the projector to be ready")
        follower = Outcome(lambda: list(every_fact(settings, 1, follow=True)))
        time.sleep(1.0)
        kafka_node.nodes[0].kill()
        assert isinstance(outcome.wait(), ServerAbsent)
        assert not health.is_ready
        assert isinstance(follower.wait(), Unreachable)


def test_a_projector_that_can_write_nothing_is_not_ready_and_ends(
    kafka_address: str,
    postgres_dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: Callable[[ProjectProcess], Outcome],
) -> None:
    """Both servers answer whatever they are asked, and the database's disk is full."""

    def full(*_: object) -> None:
        raise psycopg.errors.DiskFull("could not extend file: No space left on device")

    with LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn) as ledger:
        monkeypatch.setattr(PostgresViews, "write", full)
        health = Health("project", "127.0.0.1", 0)
        outcome = running(ProjectProcess(ledger.settings, health))
        while outcome.thread.is_alive():
            assert not health.is_ready
            time.sleep(0.02)
        failed = outcome.wait()
        assert isinstance(failed, ServerAbsent)
        assert "No space left on device" in str(failed)


def test_a_consumer_that_brings_nothing_is_not_believed(kafka_address: str, tmp_path: Path) -> None:
    """kafka-python has more than one way to read a partition no more, and to say nothing of it."""
    with LiveLedger(kafka_address, tmp_path) as ledger, closing(Follower(ledger.settings, 1, {})) as follower:
        place = TopicPartition(ledger.settings.topic(EVENTS), 0)
        now = time.monotonic()
        while not follower.is_at_the_end(now):
            follower.poll(100)
        follower._consumer.pause(place)
        with ledger.writing_here():
            wait_until(lambda: not follower.is_at_the_end(now), LIMIT_S, "a record of the writer")
        follower.poll(100)
        assert not follower.is_at_the_end(now + STANDING_SECONDS)
        with pytest.raises(Unreachable, match="were not read"):
            follower.is_at_the_end(now + STANDING_SECONDS + 1)
