"""The model passes the given scenarios, and survives a smoke fuzz with its own assertions on."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pathlib
from typing import Any

import pytest

from .catalogue import BUILT_IN
from .compare import differences
from .generate import generate
from .ledger_model import Model
from .values import instant

SCENARIOS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "scenarios"
FILES = sorted(SCENARIOS.glob("*.jsonl"))


def faults_of(expected: dict[str, Any], outcome: dict[str, Any]) -> list[str]:
    """What an outcome lacks of what a step expects (`basis` is not modelled)."""
    faults = []
    for key, value in expected.items():
        found: Any = outcome.get(key)
        if key == "basis":
            continue
        if key == "events":
            found = [event["name"] for event in outcome.get("events", [])]
        elif key == "earliest" and found is not None:
            found = value if instant(found) == instant(value) else found
        if found != value:
            faults.append(f"{key}: expected {value!r}, found {found!r}")
    return faults


@pytest.mark.skipif(not FILES, reason="the shared scenarios are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: pathlib.Path) -> None:
    """Every `do` step of a given scenario holds; every command sent again is a duplicate or as invalid as before."""
    model = Model()
    faults: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("//") or "do" not in json.loads(line):
            continue
        step = json.loads(line)
        outcome = model.execute(step["do"])
        expected = step.get("expect", {"status": "accepted"})
        faults += [f"{step['do']['id']}: {fault}" for fault in faults_of(expected, outcome)]
        again = model.execute(step["do"])
        assert again["status"] == ("invalid" if outcome["status"] == "invalid" else "duplicate")
    assert not faults, "\n".join(faults)


PROVIDERS = (None, None, *BUILT_IN)
RUNS = 300


@pytest.mark.parametrize("chunk", range(6))
def test_smoke_fuzz(chunk: int) -> None:
    """No assertion of the model fails; a run is repeatable; what it answers is of the known kinds."""
    for seed in range(chunk * RUNS // 6, (chunk + 1) * RUNS // 6):
        commands = generate(seed, provider=PROVIDERS[seed % len(PROVIDERS)])
        model = Model()
        for command in commands:
            outcome = model.execute(command)
            assert outcome["status"] in ("accepted", "refused", "duplicate", "invalid"), (seed, command, outcome)
            assert differences(outcome, copy.deepcopy(outcome)) == []


def ticks(model: Model, name: str, until: dt.datetime) -> None:
    """An `AdvanceClock` every five days for one account, up to an instant."""
    subject = model.subjects.get(name)
    if subject is None or subject.account is None or subject.last is None:
        return
    tick = subject.last + dt.timedelta(days=5)
    while tick < until:
        envelope = {"id": f"tick-{tick.timestamp()}", "subscriber": name, "at": tick.isoformat()}
        model.execute({**envelope, "type": "AdvanceClock", "actor": "clock", "data": {}})
        tick += dt.timedelta(days=5)


def told(model: Model, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """A subject's facts: what was recorded, and when it counts."""
    return [(fact["name"], fact["effective_at"], fact["data"]) for fact in model.subjects[name].facts]


@pytest.mark.parametrize("seed", range(60))
def test_ticks_change_nothing(seed: int) -> None:
    """Time split into many `AdvanceClock` is the same history (CONTRACT §3)."""
    plain, ticked = Model(), Model()
    for command in generate(seed, provider=PROVIDERS[seed % len(PROVIDERS)], length=80):
        outcome = plain.execute(command)
        if outcome["status"] in ("accepted", "refused") and outcome.get("code") != "time_went_backwards":
            at = instant(command["at"])
            assert at is not None
            ticks(ticked, command["subscriber"], at)
        ticked.execute(command)
        if outcome["status"] != "invalid" and command["subscriber"] in plain.subjects:
            assert told(plain, command["subscriber"]) == told(ticked, command["subscriber"]), (seed, command)
