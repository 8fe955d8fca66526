"""What the long-running processes have in common: they stop when they are told to, and log what an operator needs."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LIMIT_S = 30.0

TOLD_WHILE_LOGGING = """
import os, signal, sys, threading
from structlog import _output
from infra.live.running import run

class Busy:
    def __init__(self, settings, health):
        self.told = threading.Event()

    def run(self):
        with _output._get_lock_for_file(sys.stderr):
            os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        assert self.told.wait(10), "it was not told"

    def stop(self):
        self.told.set()

run("busy", Busy)
"""
CHATTER = """
import logging
from infra.live import logs
logs.configure("write")
logging.getLogger("kafka.net.manager").error("Connection failed")
logging.getLogger("kafka.cluster").error("Metadata refresh: failed")
logging.getLogger("kafka.coordinator.consumer").error("Offset commit failed")
logging.getLogger("infra.kafka.log").info("open at sequence 3")
"""


def said(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A Python program of its own, ended."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("name", [signal.SIGTERM.name, signal.SIGINT.name])
def test_told_to_stop_in_the_midst_of_a_log_line(name: str) -> None:
    """The handler must wait for nothing that the main thread holds: neither would ever go on."""
    ended = said(TOLD_WHILE_LOGGING, name)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count('"stopping"') == 1
    assert ended.stderr.splitlines()[-1].startswith('{"event": "stopped"')


def test_attempts_to_connect_are_not_logged_one_by_one() -> None:
    """Whoever needs the connection says once what became of it; what kafka-python says of anything else stays."""
    lines = said(CHATTER).stderr.splitlines()
    assert [line.split('"')[3] for line in lines] == ["Offset commit failed", "open at sequence 3"]
