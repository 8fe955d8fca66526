"""Pytest fixtures of real servers: one Kafka node, three Kafka nodes, PostgreSQL.

`SUBLEDGER_TEST_KAFKA=host:port` and `SUBLEDGER_TEST_POSTGRES=dsn` name running servers instead of the first and the
last. A server that cannot be had is a failure with a sentence that says what to install, never a skip.

A test module imports the fixtures it uses, or the root conftest names this module in `pytest_plugins`.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.servers import KafkaCluster, PostgresServer, running_kafka, running_postgres


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    """`host:port` of one broker that no test hurts; topics are told apart by their names (`new_topic`)."""
    running = running_kafka()
    if running is not None:
        yield running.address
        return
    with KafkaCluster() as cluster:
        yield cluster.bootstrap_servers


@pytest.fixture
def kafka_node() -> Iterator[KafkaCluster]:
    """One broker of the test's own, to be killed and paused."""
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Three brokers of the test's own."""
    with KafkaCluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """Connection string of a database that no test hurts."""
    running = running_postgres()
    if running is not None:
        yield running.address
        return
    with PostgresServer() as server:
        yield server.dsn


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A database server of the test's own, to be killed and paused."""
    with PostgresServer() as server:
        yield server


def new_topic(prefix: str = "test") -> str:
    """A topic name that no other test has."""
    return f"{prefix}.{uuid4().hex[:12]}"
