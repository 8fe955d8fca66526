"""Remembers deposit references and free services; the other findings are read from `rentals` and `balances`."""

from domain.facts import DepositCredited, Fact, NumberReplaced, OrderCancelled, PeriodicServiceCharged, RentalEnded
from domain.state import CHANNEL
from projections.event import Event, Handler, Rows, View, units
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
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def credited(event: Event) -> Rows:
    """Within one account a reference is never credited twice; across accounts nobody asks."""
    return (("credit", (event.data["reference"], event.subject, event.version)),)


def charged(event: Event) -> Rows:
    """A service is free or not by the price that it was charged at last."""
    data = event.data
    if data["service"] == CHANNEL:
        return ()
    if units(data["calculation"]["price"], data["currency"]):
        return (("not_free", (event.subject, data["number"])),)
    return (("free", (event.subject, data["number"], data["service"])),)


def gone(event: Event) -> Rows:
    return (("not_free", (event.subject, event.data["number"])),)


def replaced(event: Event) -> Rows:
    return (("renumber", (event.data["new_number"], event.subject, event.data["number"])),)


HANDLES: dict[type[Fact], Handler] = {
    DepositCredited: credited,
    PeriodicServiceCharged: charged,
    RentalEnded: gone,
    OrderCancelled: gone,
    NumberReplaced: replaced,
}
VIEW = View(
    name="findings",
    handles=HANDLES,
    ignores=(DEPOSITS - {DepositCredited})
    | (CHARGES - {PeriodicServiceCharged})
    | (RENTALS - {RentalEnded, NumberReplaced})
    | (ORDERS - {OrderCancelled})
    | PUBLICATIONS
    | AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
    | UNITS
    | CUT_OFFS
    | INVOICES
    | CORRECTIONS
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS,
)
