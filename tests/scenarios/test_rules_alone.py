"""Every scenario's commands by the rules alone, on stores in memory: what is wrong here is not the store's fault."""

import json
from pathlib import Path

import orjson
import pytest

from tests.contracts.stores import MemoryLedger
from tests.scenarios.scenario import Do, faults, steps_of

FILES = sorted(Path(__file__).parent.glob("*.jsonl"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decided(path: Path) -> None:
    """The outcomes are those that the file names."""
    writer = MemoryLedger().writer()
    found = []
    for step in steps_of(path):
        if isinstance(step, Do):
            outcome = writer.execute(orjson.loads(json.dumps(step.command)))
            found += [f"line {step.number}: {fault}" for fault in faults(step.expect, outcome)]
            writer.commit()
    assert not found, "\n".join(found)
