"""What a process says of its health: true when it was said lately, and told to everybody who asks."""

import json
import socket
import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from infra.live.health import Health
from infra.servers import free_port
from tests.support.live import wait_until

LIMIT_S = 5.0


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def health(port: int) -> Iterator[Health]:
    with Health("write", "127.0.0.1", port) as endpoint:
        yield endpoint


def asked(port: int) -> int:
    """The status of `/health`; what it says in words is the same."""
    try:
        answer = urlopen(f"http://127.0.0.1:{port}/health", timeout=LIMIT_S)
    except HTTPError as refused:
        answer = refused
    with answer:
        assert json.loads(answer.read()) == {"ready": answer.status == 200, "process": "write"}
        return int(answer.status)


def test_a_process_that_says_nothing_new_is_not_ready_any_more(health: Health, port: int) -> None:
    """One that stands still, for whatever reason, cannot say so itself."""
    assert asked(port) == 503
    health.ready(True, seconds=0.3)
    assert asked(port) == 200
    wait_until(lambda: asked(port) == 503, LIMIT_S, "what was said to grow old")
    health.ready(True)
    assert asked(port) == 200
    health.ready(False)
    assert asked(port) == 503


def test_the_gauge_is_what_health_says(health: Health, port: int) -> None:
    health.ready(True, seconds=0.2)
    assert health.registry.get_sample_value("subledger_ready") == 1.0
    time.sleep(0.3)
    assert health.registry.get_sample_value("subledger_ready") == 0.0
    assert asked(port) == 503


def test_whoever_connects_and_says_nothing_keeps_nobody_waiting(health: Health, port: int) -> None:
    health.ready(True)
    with socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.2)
        assert asked(port) == 200
