"""The documents that every new ledger begins with: regulations, tariffs, and the texts of the clauses."""

from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from typing import Any

import orjson

from domain.facts import CatalogueFact
from domain.periods import start_of_day
from domain.publishing import initial, initial_tariff

IN_EFFECT_SINCE = date(2024, 1, 1)
"""Local day from whose first instant the initial regulations hold."""


def initial_catalogue() -> Iterator[CatalogueFact]:
    """The publications that a new ledger's catalogue holds: regulations first, then tariffs, by name."""
    for document in _documents("regulations"):
        yield initial(document, start_of_day(IN_EFFECT_SINCE, document["time_zone"]))
    for document in _documents("tariffs"):
        yield initial_tariff(document)


def clause_texts() -> dict[str, dict[str, str]]:
    """Clause id → what the source document says, in our words."""
    texts: dict[str, dict[str, str]] = orjson.loads((files(__name__) / "clauses.json").read_bytes())
    return texts


def _documents(folder: str) -> Iterator[dict[str, Any]]:
    for file in sorted((files(__name__) / folder).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            yield orjson.loads(file.read_bytes())
