"""The answer to a command, as CONTRACT §5 shows it."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from consumers.ports import Stored
from domain.commands import Command, ReportUsage
from domain.decide import Decision
from domain.documents import Fault
from domain.facts import WIRE_TYPES
from domain.periods import local_text
from domain.publishing import Publication
from domain.refusals import Refusal
from domain.state import State, Subscriber

Outcome = dict[str, Any]


@lru_cache(maxsize=8192)
def instant(moment: datetime) -> str:
    """UTC with a Z, fractions of a second only where there are any; all facts of a command share a few instants."""
    return moment.isoformat()[:-6] + "Z"


def decided(command: Command, decision: Decision, stored: Sequence[Stored], invoiced: bool) -> Outcome:
    """What a subscriber's command led to."""
    zone = decision.state.profile.time_zone if isinstance(decision.state, Subscriber) else "UTC"
    outcome = _verdict(command.id, decision.refusal, decision.basis, zone)
    if isinstance(decision.state, Subscriber):
        state = decision.state
        outcome["balance"] = str(state.account.balance)
        if invoiced:
            outstanding = state.account.balance.zero()
            for invoice in state.invoices.values():
                outstanding = outstanding + invoice.outstanding
            outcome["outstanding"] = str(outstanding)
        outcome["currency"] = state.profile.currency
    if isinstance(command.request, ReportUsage):
        metered = decision.metered
        outcome["continue"] = metered.goes_on if metered else False
        outcome["charged"] = str(metered.charged) if metered else _nothing(decision.state)
    outcome["events"] = recorded_events(stored)
    return outcome


def published(command_id: str, publication: Publication, stored: Sequence[Stored]) -> Outcome:
    """What a publication led to."""
    outcome = _verdict(command_id, publication.refusal, publication.basis, "UTC")
    outcome["events"] = recorded_events(stored)
    return outcome


def duplicate(first: Outcome) -> Outcome:
    """The first outcome again; nothing was recorded this time."""
    return {**first, "status": "duplicate"}


def invalid(command_id: Any, fault: Fault) -> Outcome:
    """Not a command: the path of the first fault."""
    identity = command_id if isinstance(command_id, str) else None
    return {"command": identity, "status": "invalid", "path": fault.path, "message": fault.message}


def _nothing(state: State) -> str:
    return str(state.account.balance.zero()) if isinstance(state, Subscriber) else "0.00"


def _verdict(command_id: str, refusal: Refusal | None, basis: str | None, zone: str) -> Outcome:
    outcome: Outcome = {"command": command_id, "status": "accepted"}
    if refusal is not None:
        outcome.update(status="refused", code=refusal.code.value, basis=basis, message=refusal.message)
        if refusal.earliest is not None:
            outcome["earliest"] = local_text(refusal.earliest, zone)
    return outcome


def recorded_events(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """What an outcome says of the facts that its command recorded."""
    return [
        {
            "id": one.recorded.id,
            "type": WIRE_TYPES[type(one.recorded.fact)],
            "effective_at": instant(one.recorded.effective_at),
            "sequence": one.sequence,
        }
        for one in stored
    ]
