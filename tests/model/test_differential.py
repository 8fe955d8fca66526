"""The ledger against an independent model of the rules: the same commands, the same outcomes.

The model was written from RULES alone, without a look at the domain. Where both readings of a sentence are possible,
DECISIONS.md says which one was taken, and the model follows; two orders of facts are left open on purpose, see `open_`.
"""

from typing import Any

import pytest

from consumers.writer import Writer
from tests.model.compare import differences
from tests.model.generate import generate
from tests.model.ledger_model import Model
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

PROVIDERS = ("telnexx", "illyvoip", "hexaserv", "calycom", None)
"""None: random regulations and tariffs."""
CHUNKS, SEEDS_A_CHUNK = 8, 15


def open_(outcome: dict[str, Any]) -> bool:
    """Whether a boundary had to order things that RULES gives no order for.

    Several unpaid orders whose invoices are withdrawn and issued anew at one boundary; a waiting order that is paid at
    the boundary at which a prepaid term's units are granted.
    """
    names = [event["type"].removeprefix("subledger.").removesuffix(".v1") for event in outcome.get("events", [])]
    reissued = min(names.count("invoice-expired"), names.count("invoice-issued"))
    return reissued > 1 or {"number-rented", "included-units-granted", "included-units-lapsed"} <= set(names)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_ledger_and_the_model_answer_alike(chunk: int) -> None:
    compared = 0
    for seed in range(chunk * SEEDS_A_CHUNK, (chunk + 1) * SEEDS_A_CHUNK):
        commands = generate(seed, provider=PROVIDERS[seed % len(PROVIDERS)])
        model, writer = Model(), Writer(MemoryShard(), MemoryCatalogue(), PlainSealer())
        for number, command in enumerate(commands):
            expected, found = model.execute(command), writer.execute(command)
            if open_(found):
                break
            faults = [fault for fault in differences(expected, found) if not _about_the_catalogue(command, fault)]
            assert not faults, f"seed {seed}, command {number} {command}: {faults}"
            compared += 1
    assert compared > SEEDS_A_CHUNK * 20, "too little was compared to mean anything"


def _about_the_catalogue(command: Any, fault: str) -> bool:
    """The model numbers the catalogue's facts without the initial ones, and names no instant for a late document."""
    of_catalogue = isinstance(command, dict) and command.get("subscriber") == "catalogue"
    return of_catalogue and ("other ids" in fault or fault.startswith("earliest"))
