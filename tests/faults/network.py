"""A network namespace of one's own with a cable to this one, which can be cut (Linux, root, iproute2).

Brokers listen on loopback, and each namespace has a loopback of its own: so two forwarders carry their ports over the
cable, and inside of the namespace brokers are where they are outside. While the cable is cut connections stay, and
nothing comes through.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self
from uuid import uuid4

from tests.support.live import CHECKOUT

COMMAND_LIMIT_S = 20.0
OUTSIDE, INSIDE = "10.213.77.1", "10.213.77.2"


class Cable:
    """A context manager; `command` is what runs a program inside."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = [str(port) for port in ports]
        self._name = f"sl{uuid4().hex[:8]}"
        self._link = f"{self._name}o"
        self._stack = ExitStack()

    @property
    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self._name]

    def cut(self) -> None:
        _run("ip", "link", "set", self._link, "down")

    def mend(self) -> None:
        _run("ip", "link", "set", self._link, "up")

    def __enter__(self) -> Self:
        try:
            self._lay()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _lay(self) -> None:
        inner = f"{self._name}i"
        _run("ip", "netns", "add", self._name)
        self._stack.callback(_run, "ip", "netns", "delete", self._name)
        _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", inner, "netns", self._name)
        _run("ip", "address", "add", f"{OUTSIDE}/30", "dev", self._link)
        _run("ip", "link", "set", self._link, "up")
        for words in (
            ("address", "add", f"{INSIDE}/30", "dev", inner),
            ("link", "set", inner, "up"),
            ("link", "set", "lo", "up"),
        ):
            _run("ip", "-n", self._name, *words)
        self._forward([], OUTSIDE, "127.0.0.1")
        self._forward(self.command, "127.0.0.1", OUTSIDE)

    def _forward(self, prefix: Sequence[str], here: str, there: str) -> None:
        command = [*prefix, sys.executable, "-m", "tests.faults.forwarding", here, there, *self._ports]
        process = self._stack.enter_context(
            subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        )
        self._stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "a forwarder did not begin"


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()} (root and iproute2 are needed)"
