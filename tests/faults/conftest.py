"""Ledgers to be hurt, and which rounds are too long for every day."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.live.settings import PREFIX
from infra.servers import KafkaCluster
from tests.support.live import CHECKOUT, LiveLedger

LONG = "test_long_round"
PARTITIONS = 2
SESSION = "3"
"""Seconds after which the group gives the shards of a silent writer to another one."""

Hurt = Callable[[LiveLedger, str, int], "subprocess.Popen[bytes]"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long round runs with `--examples` (`make soak`)."""
    if config.getoption("--examples") is None:
        long = [item for item in items if LONG in item.nodeid]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture
def ledger(kafka_address: str, tmp_path: Path) -> Iterator[LiveLedger]:
    """A live ledger of two shards on a broker that is not hurt."""
    with LiveLedger(kafka_address, tmp_path, partitions=PARTITIONS, sandbox=False) as founded:
        yield founded


@pytest.fixture
def ledger_on_three(kafka_cluster: KafkaCluster, tmp_path: Path) -> Iterator[LiveLedger]:
    """A live ledger on three brokers, each of which may be hurt."""
    brokers = kafka_cluster.bootstrap_servers
    with LiveLedger(brokers, tmp_path, partitions=PARTITIONS, sandbox=False) as founded:
        yield founded


@pytest.fixture
def hurt() -> Iterator[Hurt]:
    """Starts a process that ends itself: `hurt(ledger, "in-mid-reply", 20)`; killed at the latest with the test."""
    with ExitStack() as stack:

        def start(ledger: LiveLedger, way: str, times: int) -> subprocess.Popen[bytes]:
            log = stack.enter_context((ledger.folder / f"{way}.log").open("ab"))
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.hurt_processes", way, str(times)],
                cwd=CHECKOUT,
                env={**ledger.environment, f"{PREFIX}SESSION_SECONDS": SESSION},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            stack.callback(child.wait)
            stack.callback(child.kill)
            return child

        yield start
