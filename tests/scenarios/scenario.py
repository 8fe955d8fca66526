"""A scenario file: what is sent, what must come of it, and how far an answer is from what was expected.

JSON Lines: `{"about": TEXT}`, then steps in order.

    {"do": COMMAND, "expect": {...}}           the outcome holds these fields; `events` is the exact list of fact names
    {"ask": [VERB, ARG...], "expect": {...}}   `subledger VERB ARG... --json` answers with an object holding these

A step without `expect` must be accepted. Values are compared as JSON, instants as instants. `rows`, `count` and `exit`
stand for the lines that a question printed, their number and the exit code.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.codec import short_name

INSTANTS = frozenset({"earliest", "effective_at", "as_of", "known_at"})
ACCEPTED = {"status": "accepted"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """A command and what its outcome must hold."""

    number: int
    command: Json
    expect: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A reading verb with its arguments and what its answer must hold."""

    number: int
    words: list[str]
    expect: Json


def steps_of(path: Path) -> Iterator[Do | Ask]:
    """The steps of a file in order; KeyError for a line that is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        step: Json = json.loads(line) if line.strip() and not line.startswith("//") else {"about": ""}
        if "do" in step:
            yield Do(number=number, command=step["do"], expect=step.get("expect", ACCEPTED))
        elif "ask" in step:
            yield Ask(number=number, words=step["ask"], expect=step["expect"])
        elif "about" not in step:
            raise KeyError(f"{path.name}:{number}: expected do, ask or about, found {', '.join(step)}")


def instant_of(command: Json) -> datetime | None:
    """The instant at which a command is sent; None where a scenario sends none on purpose."""
    try:
        moment = datetime.fromisoformat(command["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def ticks(subscriber: str, last: datetime, until: datetime, every: timedelta) -> Iterator[Json]:
    """Clock ticks for a subscriber between two instants, neither of them included."""
    moment = last + every
    while moment < until:
        yield {
            "id": f"tick-{moment:%Y%m%dT%H%M%S%z}",
            "type": "AdvanceClock",
            "subscriber": subscriber,
            "at": moment.isoformat(),
            "actor": "clock",
            "data": {},
        }
        moment += every


def faults(expected: Any, found: Any, path: str = "") -> list[str]:
    """What is missing from `found`, or different in it, one sentence a fault with its path."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return [f"{path}: expected an object, found {found!r}"]
        return [fault for key, value in expected.items() for fault in _field(key, value, found, path)]
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return [f"{path}: expected {expected!r}, found {found!r}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [fault for index, (one, other) in pairs for fault in faults(one, other, f"{path}[{index}]")]
    return [] if expected == found else [f"{path}: expected {expected!r}, found {found!r}"]


def _field(key: str, value: Any, found: Json, path: str) -> list[str]:
    where = f"{path}.{key}" if path else key
    if key not in found:
        return [f"{where}: missing, expected {value!r}"]
    if key == "events":
        names = [short_name(event["type"]) if isinstance(event, dict) else event for event in found[key]]
        return [] if names == value else [f"{where}: expected {value}, found {names}"]
    if key in INSTANTS and isinstance(value, str):
        same = datetime.fromisoformat(value) == datetime.fromisoformat(found[key])
        return [] if same else [f"{where}: expected {value}, found {found[key]}"]
    return faults(value, found[key], where)
