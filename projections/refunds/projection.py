"""Follows each refund and each dispute under the id of the fact that it began with."""

from domain.facts import (
    DisputeOpened,
    DisputeResolved,
    Fact,
    RefundApproved,
    RefundDenied,
    RefundDue,
    RefundPaid,
    RefundRequested,
)
from projections.event import Event, Handler, Rows, View, units
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    INVOICES,
    ORDERS,
    PLAN_CHANGES,
    PUBLICATIONS,
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def requested(event: Event) -> Rows:
    """The subscriber asked for money back."""
    data = event.data
    return (("request", (event.id, event.subject, event.effective_at, data.get("reason"), data.get("method"))),)


def decided(event: Event) -> Rows:
    """A reviewer granted or declined the request."""
    data = event.data
    approved = event.type == APPROVED
    return (("decide", (event.effective_at, approved, data["reviewer"], data["reason"], data["refund"])),)


def due(event: Event) -> Rows:
    """The money is owed; a refund that nobody requested begins here."""
    data = event.data
    currency = data["currency"]
    amount, fee = units(data["amount"], currency), units(data["fee"], currency)
    return (("owe", (data["refund"], event.subject, event.effective_at, currency, amount, fee, data.get("method"))),)


def paid(event: Event) -> Rows:
    """The payout, in its own currency."""
    data = event.data
    currency = data["paid_currency"]
    payout = (
        event.effective_at,
        currency,
        units(data["paid"], currency),
        data.get("rate"),
        data["method"],
        data["reference"],
        data["refund"],
    )
    return (("pay", payout),)


def opened(event: Event) -> Rows:
    """The subscriber disputes a charge."""
    data = event.data
    return (("open", (event.id, event.subject, data["charge"], event.effective_at, data["reason"])),)


def resolved(event: Event) -> Rows:
    """A reviewer decided the dispute."""
    data = event.data
    return (("resolve", (event.effective_at, data["upheld"], data["reviewer"], data["reason"], data["dispute"])),)


APPROVED = "subledger.refund-approved.v1"
HANDLES: dict[type[Fact], Handler] = {
    RefundRequested: requested,
    RefundApproved: decided,
    RefundDenied: decided,
    RefundDue: due,
    RefundPaid: paid,
    DisputeOpened: opened,
    DisputeResolved: resolved,
}
VIEW = View(
    name="refunds",
    handles=HANDLES,
    ignores=(SETTLEMENTS - {RefundDue})
    | PUBLICATIONS
    | AGREEMENT
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
    | REFUSALS,
)
