"""The command line called in this process, and ledgers for it to look at."""

import gc
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from infra.cli.main import main

CHECKOUT = Path(__file__).parents[2]
DEMO = CHECKOUT / "demo" / "telnexx-first-quarter.jsonl"
PROGRAM = (sys.executable, "-m", "infra.cli.main")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        """Its lines as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Answer]


@pytest.fixture
def call(capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """`call("balance", "s-1", "--ledger", folder)`."""
    return caller(capsysbinary)


def caller(capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Calls the command line in this process."""

    def called(*arguments: object) -> Answer:
        capsysbinary.readouterr()
        with _process_as_it_was():
            code = main([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return Answer(code, captured.out.decode(), captured.err.decode())

    return called


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    """A verb sets up its whole process, which other tests share with it here."""
    threshold, interval, root = gc.get_threshold(), sys.getswitchinterval(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the demo's quarter, made once; nobody writes to it."""
    folder = tmp_path_factory.mktemp("demo") / "ledger"
    subprocess.run([*PROGRAM, "run", str(DEMO), "--ledger", str(folder)], check=True, capture_output=True, cwd=CHECKOUT)
    return folder


@pytest.fixture
def quarter(made: Path, tmp_path: Path) -> Path:
    """A copy of the demo's ledger, to do anything to."""
    folder = tmp_path / "quarter"
    shutil.copytree(made, folder)
    return folder


@pytest.fixture
def empty(call: Call, tmp_path: Path) -> Path:
    """A ledger in which nothing has happened."""
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text("")
    folder = tmp_path / "empty"
    assert call("run", nothing, "--ledger", folder).code == 0
    return folder
