"""Posts each fact that moves money to the accounts of RULES, "Accounts of the journal".

The accounts and amounts are those of `domain/accounts.py`, read off the wire; the tests hold the two against each other
for every type of fact. Zero postings are left out, as there.
"""

from domain import accounts
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
    RefundPaid,
    RemainderWrittenOff,
    RemainingTermCharged,
    TaxCharged,
    UsageCharged,
)
from projections.event import SHORT_NAMES, Event, Handler, Row, Rows, View, units
from projections.groups import MONEYLESS

Posting = tuple[str, int]
"""An account, and what it is debited in inner units; credited where negative."""


def used(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), accounts.usage(event.data["service"]))


def periodic(event: Event) -> Rows:
    return _move(event, _payer(event), accounts.periodic(event.data["service"]))


def connected(event: Event) -> Rows:
    return _move(event, _payer(event), accounts.CONNECTION)


def administrative(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), accounts.administrative(event.data["service"]))


def remaining_term(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), accounts.REMAINING_TERM)


def taxed(event: Event) -> Rows:
    return _move(event, _payer(event), accounts.tax(event.data["name"]))


def deposited(event: Event) -> Rows:
    return _move(event, accounts.clearing(event.data["method"]), accounts.prepaid(event.subject))


def charged_back(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), accounts.clearing(event.data["method"]))


def allocated(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), accounts.receivable(event.subject))


def expired(event: Event) -> Rows:
    """What the invoice charged is taken back from where it was booked."""
    data = event.data
    currency = data["currency"]
    return _entry(
        event,
        *((line["account"], units(line["amount"], currency)) for line in data["withdrawn"]),
        (accounts.receivable(event.subject), -units(data["outstanding"], currency)),
        (accounts.prepaid(event.subject), -units(data["returned"], currency)),
    )


def reversed_charge(event: Event) -> Rows:
    """Income and tax go back to the invoice as far as it is unpaid, the rest to the balance."""
    data = event.data
    currency = data["currency"]
    return _entry(
        event,
        (data["account"], units(data["amount"], currency)),
        (accounts.tax(data.get("tax_name") or ""), units(data["tax"], currency)),
        (accounts.receivable(event.subject), -units(data["lowered"], currency)),
        (accounts.prepaid(event.subject), -units(data["credited"], currency)),
    )


def refund_due(event: Event) -> Rows:
    """The refund is owed, the fee is earned."""
    data = event.data
    amount, fee = units(data["amount"], data["currency"]), units(data["fee"], data["currency"])
    return _entry(
        event,
        (accounts.prepaid(event.subject), amount + fee),
        (accounts.refunds(event.subject), -amount),
        ("Income:ProcessingFees", -fee),
    )


def refund_paid(event: Event) -> Rows:
    """At its cost in the account's currency, whatever it was paid in."""
    return _move(event, accounts.refunds(event.subject), accounts.clearing(event.data["method"]))


def forfeited(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), "Income:Forfeited")


def written_off(event: Event) -> Rows:
    return _move(event, accounts.prepaid(event.subject), "Income:Rounding")


def compensated(event: Event) -> Rows:
    return _move(event, "Expenses:Compensation", accounts.prepaid(event.subject))


def adjusted(event: Event) -> Rows:
    return _move(event, "Expenses:Adjustments", accounts.prepaid(event.subject))


def _payer(event: Event) -> str:
    return accounts.receivable(event.subject) if "invoice" in event.data else accounts.prepaid(event.subject)


def _move(event: Event, debited: str, credited: str) -> Rows:
    data = event.data
    currency = data["currency"]
    amount = units(data["amount"], currency)
    if not amount:
        return ()
    position, subject, version, kind = event.position, event.subject, event.version, SHORT_NAMES[event.type]
    effective_at, recorded_at = event.effective_at, event.recorded_at
    debit, credit = (amount, 0) if amount > 0 else (0, -amount)
    return (
        ("post", (position, 1, subject, version, kind, effective_at, recorded_at, debited, currency, amount)),
        ("post", (position, 2, subject, version, kind, effective_at, recorded_at, credited, currency, -amount)),
        ("total", (debited, currency, debit, credit)),
        ("total", (credited, currency, credit, debit)),
    )


def _entry(event: Event, *postings: Posting) -> Rows:
    """An entry of any number of lines; a line of zero is left out."""
    currency = event.data["currency"]
    head = (event.subject, event.version, SHORT_NAMES[event.type], event.effective_at, event.recorded_at)
    rows: list[Row] = []
    for account, amount in postings:
        if amount:
            line = len(rows) // 2 + 1
            rows.append(("post", (event.position, line, *head, account, currency, amount)))
            rows.append(("total", (account, currency, max(amount, 0), max(-amount, 0))))
    return rows


HANDLES: dict[type[Fact], Handler] = {
    UsageCharged: used,
    PeriodicServiceCharged: periodic,
    ConnectionFeeCharged: connected,
    ConnectionFeeDifferenceCharged: connected,
    AdministrativeServiceCharged: administrative,
    RemainingTermCharged: remaining_term,
    TaxCharged: taxed,
    DepositCredited: deposited,
    DepositReversed: charged_back,
    PaymentAllocated: allocated,
    InvoiceExpired: expired,
    ChargeReversed: reversed_charge,
    RefundDue: refund_due,
    RefundPaid: refund_paid,
    BalanceForfeited: forfeited,
    RemainderWrittenOff: written_off,
    CompensationGranted: compensated,
    AdjustmentPosted: adjusted,
}
VIEW = View(name="journal", handles=HANDLES, ignores=MONEYLESS - {RefundPaid})
