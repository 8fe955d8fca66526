"""Indexes each fact by its id. Inputs and arithmetic stay where they are, in the fact's own bytes at that position."""

from domain.facts import CommandRefused, Fact
from projections.event import SHORT_NAMES, Event, Handler, Rows, View
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    DISPUTES,
    INVOICES,
    ORDERS,
    PLAN_CHANGES,
    PUBLICATIONS,
    REFUND_STEPS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def decided(event: Event) -> Rows:
    """A fact that something was."""
    return (("decide", _decision(event, None)),)


def refused(event: Event) -> Rows:
    """The ledger's recorded no, and its code."""
    return (("decide", _decision(event, event.data["code"])),)


def _decision(event: Event, code: str | None) -> tuple[str | int | None, ...]:
    return (
        event.position,
        event.subject,
        event.version,
        SHORT_NAMES[event.type],
        event.effective_at,
        event.recorded_at,
        event.caused_by,
        event.basis,
        code,
        event.due,
    )


ACCEPTED = (
    AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
    | ORDERS
    | RENTALS
    | UNITS
    | CUT_OFFS
    | DEPOSITS
    | CHARGES
    | INVOICES
    | CORRECTIONS
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
)
HANDLES: dict[type[Fact], Handler] = {CommandRefused: refused, **dict.fromkeys(ACCEPTED, decided)}
VIEW = View(name="decisions", handles=HANDLES, ignores=PUBLICATIONS)
