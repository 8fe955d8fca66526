"""Writes a stored example of each fact type that has none yet; what is there is never touched.

    python -m tests.codec.write_examples

An example is the exact value of an event's record. Once a release has shipped, its examples are the past: they must
decode for ever, so this script only adds, and a new version of a type gets a new file.
"""

import json
import random
from datetime import UTC, date, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from consumers.ports import Stored
from domain.facts import FACT_TYPES, WIRE_TYPES, Fact, Recorded
from domain.money import Money
from domain.periods import Period
from infra import codec

FOLDER = Path(__file__).parent / "examples"
KEY = b"an example's key, known to all.."
AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
SAID = {
    "number": "+380441234567", "new_number": "+380441234569", "service": "did.ua", "regulations": "telnexx",
    "version": "1", "currency": "USD", "plan": "business", "from_plan": "start", "tariff": "telnexx-usd-2024",
    "method": "card", "reference": "lp-991", "holder": "h-1", "from_holder": "h-0", "time_zone": "Europe/Kyiv",
    "rate": "0.18", "name": "VAT", "usage": "call-1", "cause": "violation", "by": "company", "reviewer": "lead-1",
    "actor": "desk-1", "account": "Income:Periodic:did.ua", "tax_name": "VAT", "kind": "spam", "code": "same_plan",
    "command": "RequestPlanChange", "rounding": "half_up_minor", "discount": "0.10", "purpose": "order",
    "lot": "s-1/3", "charge": "s-1/6", "deposit": "s-1/3", "invoice": "s-1/5", "refund": "s-1/7", "dispute": "s-1/9",
    "tax_charge": "s-1/8", "country": "ME", "payer": "h-1", "personal": "sealed:v1:AAAA",
}  # fmt: skip
"""What text fields say in examples; every other one says its own name."""


def write_missing(folder: Path = FOLDER) -> list[Path]:
    """Writes the examples that are missing; answers with their files."""
    written = []
    for number, fact_type in enumerate(FACT_TYPES, 1):
        file = folder / f"{WIRE_TYPES[fact_type]}.json"
        if not file.exists():
            file.write_bytes(_example(fact_type, number))
            written.append(file)
    return written


def _example(fact_type: type[Fact], number: int) -> bytes:
    recorded = Recorded(
        subject="s-1",
        version=number,
        fact=_record(fact_type, random.Random(number)),
        effective_at=AT,
        recorded_at=AT.replace(microsecond=250_000),
        basis="telnexx/proration",
        due=number % 2 == 0,
    )
    stored = Stored(
        recorded=recorded,
        sequence=number,
        source="subledger/telnexx",
        caused_by="c-17",
        catalogue_sequence=9,
        command_position="subledger.commands.v1/3/1881",
    )
    return codec.encode(stored, KEY)[1]


def _record(record: type, rng: random.Random) -> Any:
    hints = get_type_hints(record)
    return record(**{name: _value(name, hints[name], rng) for name in hints})


def _value(name: str, annotation: Any, rng: random.Random) -> Any:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _value(name, inner, rng)
    if origin is tuple:
        return tuple(_value(name, get_args(annotation)[0], rng) for _ in range(2))
    if origin is dict:
        return {"tariff": "telnexx-usd-2024", "plans": {"start": {"connection_fee": "5.00"}}, "tax": None}
    simple = {
        str: SAID.get(name, name.replace("_", " ")),
        bool: True,
        int: 2,
        datetime: AT,
        date: date(2026, 3, 1),
        Money: Money(rng.choice([2_700_000, 187_500, 42_112_500, 1]), "USD"),
        Period: Period(datetime(2025, 12, 31, 22, tzinfo=UTC), datetime(2026, 1, 31, 22, tzinfo=UTC)),
    }
    return simple[annotation] if annotation in simple else _record(annotation, rng)


if __name__ == "__main__":
    print(json.dumps([file.name for file in write_missing()], indent=1))
