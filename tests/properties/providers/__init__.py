"""Providers that nobody has heard of, each run by its documents alone.

A file holds `about` and `publications` in the order of their instants, each with `at`, when it is published, and the
`document` as a person writes it: regulations and a tariff from 2025 on, and another version of both some time in 2026,
published with the notice that the first one asks for.
"""

import json
from pathlib import Path
from typing import Any

from consumers.writer import Writer
from domain.facts import CatalogueFact, RegulationsPublished, TariffPublished
from tests.properties.worlds import World
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

HERE = Path(__file__).parent

COMBINED: dict[str, tuple[str, ...]] = {
    "fjordtone": ("pay_with", "unpaid_renewal", "refunds"),
    "saguaro": ("pay_with", "refunds", "unpaid_renewal", "term_notice_days"),
    "kitewave": ("pay_with", "refunds", "refund_currencies", "violations_until_termination"),
}
"""Provider → parameters that none of the given systems combines as it does."""


def world_of(name: str) -> World:
    """The catalogue after the provider's publications, each of which is accepted as a command."""
    catalogue = MemoryCatalogue()
    writer = Writer(MemoryShard(), catalogue, PlainSealer())
    for index, publication in enumerate(_publications(name)):
        outcome = writer.execute(_command(f"p-{index}", publication))
        assert outcome["status"] == "accepted", outcome
    facts = [recorded.fact for recorded in catalogue.facts]
    published = tuple(fact for fact in facts if isinstance(fact, CatalogueFact))
    regulations = next(f for f in published if isinstance(f, RegulationsPublished) and f.regulations == name)
    tariff = next(f for f in published if isinstance(f, TariffPublished) and f.regulations == name)
    plans = tariff.document["plans"]
    return World(
        publications=published,
        regulations=name,
        currency=tariff.currency,
        plans=tuple(plans),
        services=tuple(sorted({service for plan in plans.values() for service in plan["periodic"]})),
        zone=regulations.document["time_zone"],
    )


def _publications(name: str) -> list[dict[str, Any]]:
    document = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    publications: list[dict[str, Any]] = document["publications"]
    return publications


def _command(command_id: str, publication: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": command_id,
        "type": "PublishTariff" if "tariff" in publication["document"] else "PublishRegulations",
        "subscriber": "catalogue",
        "at": publication["at"],
        "actor": "desk-1",
        "data": publication["document"],
    }
