"""Runs of the simulation: nothing is lost, doubled or reordered, whatever is crashed, paused, doubled, lost or late."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from consumers.writer import Writer
from infra.kafka.group import Group
from infra.kafka.log import FencedLog, _State
from infra.kafka.mirror import Mirror
from infra.kafka.producer import FencedProducer
from tests.simulation.running import SeedFailed, simulate

BLOCKS = 20
SEEDS = 200


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_ledger_survives(block: int, request: pytest.FixtureRequest) -> None:
    """Always the same seeds, or with `--examples N` that many that are drawn anew."""
    wanted: int | None = request.config.getoption("--examples")
    first = block if wanted is None else random.SystemRandom().randrange(1 << 40) * BLOCKS + block
    count = (wanted or SEEDS) // BLOCKS
    for seed in range(first, first + count * BLOCKS, BLOCKS):
        simulate(seed)


def test_a_seed_reproduces_exactly() -> None:
    """Two processes with different orders of their sets take the same steps at the same instants."""
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation.running", "11", "12", "13"],
            env={**os.environ, "PYTHONHASHSEED": order},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout
        for order in ("1", "2")
    ]
    assert traces[0] == traces[1]
    assert len(traces[0].splitlines()) == 3


def _without_catching_up(log: FencedLog) -> None:
    """Fences and does not read what the predecessor left."""
    log._mirror = log._mirror or Mirror(log.place)
    log._producer = FencedProducer(log.place.settings, log.place.partition, log._transactional_id)
    log._producer.fence()
    log._state = _State.OPEN


def _never_again(log: FencedLog, group: Group, doubt: Exception) -> None:
    """Takes every doubtful commit for one that happened, and hides that it has taken the log over again."""
    log._discard()
    log._take_over()
    group.succeed()


def _forgetful(writer: Writer, known: object, value: object, command: object, position: str | None) -> object:
    """Decides a repeated command afresh."""
    return writer._decide(value, command, position)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (FencedLog, "_take_over", _without_catching_up),
        (FencedLog, "_answer_from_log", _never_again),
        (Writer, "_again", _forgetful),
    ],
)
def test_it_notices(owner: type, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are wrong in one place do not survive."""
    monkeypatch.setattr(owner, name, wrong)
    if wrong is _never_again:
        monkeypatch.setattr(FencedLog, "incarnation", 0)
    with pytest.raises(SeedFailed):
        for seed in range(SEEDS):
            simulate(seed)
