"""Opens an item when something falls due and cannot be paid at once, and closes it when it is paid or withdrawn.

A renewal that waits while the service goes on leaves no fact (`unpaid_renewal: continue`); whoever reads the queue
finds it as a rental whose paid period is over.
"""

from domain.facts import (
    ChargeReversed,
    Fact,
    InvoiceExpired,
    InvoiceIssued,
    NumberRented,
    NumberReplaced,
    OrderCancelled,
    OrderPlaced,
    PaymentAllocated,
    RentalEnded,
    RentalResumed,
    RentalSuspended,
)
from projections.event import Event, Handler, Rows, View, stored_instant, units
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    DISPUTES,
    PLAN_CHANGES,
    PUBLICATIONS,
    REFUND_STEPS,
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def ordered(event: Event) -> Rows:
    """An order waits until the number is connected."""
    item = (event.subject, event.version, "order", event.data["number"], event.effective_at, None, None, None)
    return (("wait", item),)


def suspended(event: Event) -> Rows:
    """A renewal waits; it replaces the one of an earlier period."""
    data = event.data
    number, currency = data["number"], data["currency"]
    since = stored_instant(data["period"]["start"])
    item = (
        event.subject,
        event.version,
        "renewal",
        number,
        since,
        None,
        units(data["owed"], currency),
        currency,
    )
    return ("close", (event.effective_at, "replaced", event.subject, number, "renewal")), ("wait", item)


def invoiced(event: Event) -> Rows:
    """An invoice with nothing on it counts as paid."""
    data = event.data
    total = units(data["total"], data["currency"])
    if not total:
        return ()
    item = (
        event.subject,
        event.version,
        "invoice",
        data["number"],
        event.effective_at,
        stored_instant(data["due"]),
        total,
        data["currency"],
    )
    return (("wait", item),)


def closing(kind: str, outcome: str) -> Handler:
    """The handler that closes what waits of `kind` for the number of the fact."""

    def close(event: Event) -> Rows:
        return (("close", (event.effective_at, outcome, event.subject, event.data["number"], kind)),)

    return close


def allocated(event: Event) -> Rows:
    """Part of an invoice is paid, or the last of it."""
    data = event.data
    return _settled(event, data["invoice"], units(data["amount"], data["currency"]), "paid")


def lowered(event: Event) -> Rows:
    """A reversal lowers what is outstanding on the charge's invoice."""
    data = event.data
    amount = units(data["lowered"], data["currency"])
    return _settled(event, data["invoice"], amount, "reversed") if amount else ()


def expired(event: Event) -> Rows:
    """The invoice is withdrawn."""
    return (("withdraw", (event.effective_at, event.subject, _version(event.data["invoice"]))),)


def replaced(event: Event) -> Rows:
    """What waits for the old number waits for the new one."""
    data = event.data
    return (("renumber", (data["new_number"], event.subject, data["number"])),)


def _settled(event: Event, invoice: str, amount: int, outcome: str) -> Rows:
    return (("settle", (amount, event.effective_at, outcome, event.subject, _version(invoice))),)


def _version(fact_id: str) -> int:
    return int(fact_id.rpartition("/")[2])


HANDLES: dict[type[Fact], Handler] = {
    OrderPlaced: ordered,
    NumberRented: closing("order", "rented"),
    OrderCancelled: closing("order", "cancelled"),
    RentalSuspended: suspended,
    RentalResumed: closing("renewal", "paid"),
    RentalEnded: closing("renewal", "ended"),
    NumberReplaced: replaced,
    InvoiceIssued: invoiced,
    PaymentAllocated: allocated,
    ChargeReversed: lowered,
    InvoiceExpired: expired,
}
VIEW = View(
    name="dues",
    handles=HANDLES,
    ignores=(RENTALS - frozenset(HANDLES))
    | (CORRECTIONS - {ChargeReversed})
    | PUBLICATIONS
    | AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
    | UNITS
    | CUT_OFFS
    | DEPOSITS
    | CHARGES
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS,
)
