"""Writes one row for each report of a call or message that was charged, and for each cut-off."""

from domain.facts import Fact, UsageCharged, UsageCutOff
from projections.event import Event, Handler, Rows, View, units
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    DEPOSITS,
    DISPUTES,
    INVOICES,
    ORDERS,
    PLAN_CHANGES,
    PUBLICATIONS,
    REFUND_STEPS,
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def charged(event: Event) -> Rows:
    """Minutes or units that are new since the last report of the same usage."""
    data = event.data
    currency = data["currency"]
    used = (
        event.position,
        event.subject,
        event.version,
        data["usage"],
        data["number"],
        data["service"],
        event.effective_at,
        data.get("minutes"),
        data.get("units"),
        data["included"],
        currency,
        units(data["amount"], currency),
        units(data["rate"], currency),
        data.get("elapsed_seconds"),
        data["ended"],
        False,
    )
    return (("use", used),)


def cut_off(event: Event) -> Rows:
    """The service stopped, since the next minute could not be paid."""
    data = event.data
    currency = data["currency"]
    stopped = (
        event.position,
        event.subject,
        event.version,
        data["usage"],
        data["number"],
        data["service"],
        event.effective_at,
        None,
        None,
        0,
        currency,
        0,
        units(data["rate"], currency),
        data["elapsed_seconds"],
        True,
        True,
    )
    return (("use", stopped),)


HANDLES: dict[type[Fact], Handler] = {UsageCharged: charged, UsageCutOff: cut_off}
VIEW = View(
    name="usage",
    handles=HANDLES,
    ignores=(CHARGES - {UsageCharged})
    | PUBLICATIONS
    | AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
    | ORDERS
    | RENTALS
    | UNITS
    | DEPOSITS
    | INVOICES
    | CORRECTIONS
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS,
)
