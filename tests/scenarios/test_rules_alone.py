"""Every scenario by the rules alone, on stores in memory: what is wrong here is not the store's fault.

What each decides is kept whole in `decided/`, a line an outcome and below it a line a fact with its journal entry, so
that no word, clause, amount or account changes unseen. Where a change is meant, write them anew and read what differs:

    python -m tests.scenarios.test_rules_alone
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.accounts import postings
from infra import codec
from tests.codec.write_examples import KEY
from tests.contracts.stores import MemoryLedger
from tests.scenarios.scenario import Do, faults, steps_of

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.jsonl"))
DECIDED = HERE / "decided"
FACT_PARTS = ("id", "type", "effectiveat", "basis", "data")
"""Of a fact as it is stored; the others are the same for all, or say again what the command said."""


def decided(path: Path) -> Iterator[tuple[Do, dict[str, Any], list[str]]]:
    """Each command of a file with its outcome, and what is kept of both."""
    ledger = MemoryLedger()
    writer = ledger.writer()
    told = 0
    for step in steps_of(path):
        if not isinstance(step, Do):
            continue
        outcome = writer.execute(orjson.loads(json.dumps(step.command)))
        writer.commit()
        kept = {name: value for name, value in outcome.items() if name != "events"}
        yield step, outcome, [_json(kept), *(f"    {_fact(stored)}" for stored in ledger.shard.facts[told:])]
        told = len(ledger.shard.facts)


def _fact(stored: Any) -> str:
    event = json.loads(codec.encode(stored, KEY)[1])
    parts = [event[name] for name in FACT_PARTS]
    if entry := postings(stored.recorded.subject, stored.recorded.fact):
        parts.append([f"{line.account} {line.amount}" for line in entry])
    return " ".join(part if isinstance(part, str) else _json(part) for part in parts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decided(path: Path) -> None:
    """The outcomes are those that the file names, and in every detail those that were decided before."""
    found, lines = [], []
    for step, outcome, kept in decided(path):
        found += [f"line {step.number}: {fault}" for fault in faults(step.expect, outcome)]
        lines += kept
    assert not found, "\n".join(found)
    assert lines == (DECIDED / f"{path.stem}.txt").read_text(encoding="utf-8").splitlines()


def test_nothing_else_is_kept() -> None:
    assert sorted(path.stem for path in DECIDED.iterdir()) == [path.stem for path in FILES]


def write_anew() -> None:
    """Writes what every scenario decides."""
    for path in DECIDED.glob("*.txt"):
        path.unlink()
    for path in FILES:
        lines = [line for _, _, kept in decided(path) for line in kept]
        (DECIDED / f"{path.stem}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    write_anew()
