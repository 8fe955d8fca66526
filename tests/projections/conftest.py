"""Ledgers in which every type of fact occurs, from the generator of command sequences, with a copy for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from domain.facts import FACT_TYPES, WIRE_TYPES, CatalogueFact
from infra.embedded.folder import EmbeddedLedger
from infra.views.log import Entry, SqliteLog
from tests.model.generate import generate

SEEDS = (30, 14, 26)
"""Sequences of commands that lead to every type of fact between them; `test_every_type_of_fact_occurs` says whether."""
COMMANDS_EACH = 300
SUBSCRIBERS = 4


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A ledger folder for each seed, without views."""
    folders = {}
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp("recorded") / str(seed)
        with EmbeddedLedger(folder, create=True) as ledger:
            writer = ledger.writer()
            for command in generate(seed, subscribers=SUBSCRIBERS, length=COMMANDS_EACH):
                writer.execute(command)
            writer.commit()
        folders[seed] = folder
    return folders


@pytest.fixture(params=SEEDS)
def folder(request: pytest.FixtureRequest, recorded: dict[int, Path], tmp_path: Path) -> Path:
    """A ledger of the test's own, without views; the test runs once for each seed."""
    own = tmp_path / "ledger"
    shutil.copytree(recorded[request.param], own)
    return own


@pytest.fixture
def one_folder(recorded: dict[int, Path], tmp_path: Path) -> Path:
    """A ledger of the test's own, without views, for what need not be seen on each of them."""
    own = tmp_path / "ledger"
    shutil.copytree(recorded[SEEDS[0]], own)
    return own


@pytest.fixture
def ledger(folder: Path) -> Iterator[EmbeddedLedger]:
    """The same ledger, open."""
    with EmbeddedLedger(folder) as opened:
        yield opened


def entries_of(folder: Path) -> list[Entry]:
    """The whole log of a ledger folder."""
    log = SqliteLog(folder / "events.db")
    try:
        return log.read(0, log.last())
    finally:
        log.close()


SUBSCRIBER_TYPES = frozenset(WIRE_TYPES[fact] for fact in FACT_TYPES if fact not in get_args(CatalogueFact))
