"""Opens a lot for what is paid in or granted, and books what debits take from lots and reversals put back.

A debit that reaches below zero takes more than the lots hold: the rest is a debt, which the next credit fills before it
leaves anything in its own lot (RULES, "Money back"). A fact does not carry that; the `debts` table does.
"""

from domain.facts import (
    AdjustmentPosted,
    AdministrativeServiceCharged,
    BalanceForfeited,
    ChargeReversed,
    CompensationGranted,
    ConnectionFeeCharged,
    ConnectionFeeDifferenceCharged,
    DepositCredited,
    DepositReversed,
    Fact,
    InvoiceExpired,
    PaymentAllocated,
    PeriodicServiceCharged,
    RefundDue,
    RemainderWrittenOff,
    RemainingTermCharged,
    TaxCharged,
    UsageCharged,
)
from projections.event import Event, Handler, Row, Rows, View, stored_instant, units
from projections.groups import MONEYLESS


def deposited(event: Event) -> Rows:
    """A deposit is a lot, known by when and how it was received."""
    data = event.data
    amount = units(data["amount"], data["currency"])
    received_at = stored_instant(data["received_at"])
    return _credited(event, "deposit", amount, received_at, data["method"], data["reference"])


def granted(event: Event) -> Rows:
    """A compensation is a lot that nobody paid in."""
    data = event.data
    return _credited(event, "compensation", units(data["amount"], data["currency"]), event.effective_at, None, None)


def adjusted(event: Event) -> Rows:
    """An adjustment is a lot or a debit, by its sign."""
    data = event.data
    amount = units(data["amount"], data["currency"])
    if amount > 0:
        return _credited(event, "adjustment", amount, event.effective_at, None, None)
    return _debited(event, -amount)


def debited(event: Event) -> Rows:
    """A debit takes from the lots that it names; one on an invoice takes from none."""
    data = event.data
    if "invoice" in data and event.type != PAYMENT:
        return ()
    return _debited(event, units(data["amount"], data["currency"]))


def refunded(event: Event) -> Rows:
    """A refund takes its fee from the lots too."""
    data = event.data
    return _debited(event, units(data["amount"], data["currency"]) + units(data["fee"], data["currency"]))


def reversed_deposit(event: Event) -> Rows:
    """The lot was charged back; what it had paid for is taken from others, or is a debt."""
    reversal: Row = ("reverse_lot", (event.effective_at, event.data["deposit"]))
    return (reversal, *debited(event))


def expired(event: Event) -> Rows:
    """What was paid on the invoice goes back to its lots."""
    return _restored(event, units(event.data["returned"], event.data["currency"]))


def reversed_charge(event: Event) -> Rows:
    """What the charge took goes back to its lots."""
    return _restored(event, units(event.data["credited"], event.data["currency"]))


def _credited(
    event: Event, kind: str, amount: int, received_at: str, method: str | None, reference: str | None
) -> Rows:
    currency = event.data["currency"]
    lot = (event.id, event.subject, event.version, kind, method, reference, received_at, currency, amount)
    return ("open_lot", lot), ("fill_debt", (amount, event.subject))


def _debited(event: Event, amount: int) -> Rows:
    takes = event.data.get("paid_from", ())
    currency = event.data["currency"]
    if len(takes) == 1 and units(takes[0]["amount"], currency) == amount:
        lot = takes[0]["lot"]
        return (
            ("spend", (amount, lot)),
            ("allocate", (event.position, 1, event.subject, event.version, lot, currency, amount)),
        )
    return _moved(event, takes, amount, 1)


def _restored(event: Event, amount: int) -> Rows:
    """What comes back of a debt that other money filled meanwhile has no lot to go to: the fact opens one."""
    parts = event.data.get("restored", ())
    own = [part for part in parts if part["lot"] == event.id]
    if not own:
        return _moved(event, parts, -amount, -1)
    (opened,) = own
    data = event.data
    credited = units(opened["amount"], data["currency"])
    others = [part for part in parts if part is not opened]
    rows = _moved(event, others, credited - amount, -1)
    received_at = stored_instant(opened["received_at"])
    lot = (event.id, event.subject, event.version, "reversal", None, None, received_at, data["currency"], credited)
    return [*rows, ("open_lot", lot)]


def _moved(event: Event, parts: list[dict[str, str]], amount: int, sign: int) -> Rows:
    """Books `parts`, each taken (1) or put back (-1); what `amount` has above them makes a debt, or fills one."""
    currency = event.data["currency"]
    rows: list[Row] = []
    rest = amount
    for line, part in enumerate(parts, 1):
        moved = sign * units(part["amount"], currency)
        rest -= moved
        rows.append(("spend", (moved, part["lot"])))
        rows.append(("allocate", (event.position, line, event.subject, event.version, part["lot"], currency, moved)))
    if rest > 0:
        rows.append(("owe", (event.subject, rest)))
    elif rest < 0:
        rows.append(("fill_debt", (-rest, event.subject)))
    return rows


PAYMENT = "subledger.payment-allocated.v1"
HANDLES: dict[type[Fact], Handler] = {
    DepositCredited: deposited,
    DepositReversed: reversed_deposit,
    CompensationGranted: granted,
    AdjustmentPosted: adjusted,
    UsageCharged: debited,
    PeriodicServiceCharged: debited,
    ConnectionFeeCharged: debited,
    ConnectionFeeDifferenceCharged: debited,
    AdministrativeServiceCharged: debited,
    RemainingTermCharged: debited,
    TaxCharged: debited,
    PaymentAllocated: debited,
    InvoiceExpired: expired,
    ChargeReversed: reversed_charge,
    RefundDue: refunded,
    BalanceForfeited: debited,
    RemainderWrittenOff: debited,
}
VIEW = View(name="lots", handles=HANDLES, ignores=MONEYLESS)
