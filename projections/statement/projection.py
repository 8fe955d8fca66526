"""Writes one line for each fact that moved money; a fact that moved none leaves no line."""

from collections.abc import Callable

from domain.facts import (
    AdjustmentPosted,
    ChargeReversed,
    CompensationGranted,
    ConnectionFeeDifferenceCharged,
    DepositCredited,
    DepositReversed,
    Fact,
    InvoiceExpired,
    PaymentAllocated,
    RefundDue,
    TaxCharged,
    UsageCharged,
)
from projections.event import SHORT_NAMES, Event, Handler, Rows, View, stored_instant
from projections.groups import MONEYLESS
from projections.movements import MOVEMENTS, Data, Movement

DETAIL: dict[type[Fact], str] = {
    UsageCharged: "usage",
    DepositCredited: "reference",
    DepositReversed: "reference",
    ConnectionFeeDifferenceCharged: "plan",
    TaxCharged: "name",
    PaymentAllocated: "invoice",
    InvoiceExpired: "invoice",
    ChargeReversed: "charge",
    RefundDue: "refund",
    CompensationGranted: "evidence",
    AdjustmentPosted: "reason",
}
"""The field that tells one line from another of its type, where number, service and period do not."""


def line_of(fact: type[Fact], movement: Callable[[Data], Movement]) -> Handler:
    """The handler that writes a line for facts of one type."""
    detail = DETAIL.get(fact, "ground")

    def line(event: Event) -> Rows:
        data = event.data
        balance, outstanding = movement(data)
        if not balance and not outstanding:
            return ()
        period = data.get("period")
        return (
            (
                "add_line",
                (
                    event.position,
                    event.subject,
                    event.version,
                    SHORT_NAMES[event.type],
                    event.effective_at,
                    event.recorded_at,
                    data.get("number"),
                    data.get("service"),
                    data.get(detail),
                    stored_instant(period["start"]) if period else None,
                    stored_instant(period["end"]) if period else None,
                    data["currency"],
                    balance,
                    outstanding,
                ),
            ),
        )

    return line


HANDLES: dict[type[Fact], Handler] = {fact: line_of(fact, movement) for fact, movement in MOVEMENTS.items()}
VIEW = View(name="statement", handles=HANDLES, ignores=MONEYLESS)
