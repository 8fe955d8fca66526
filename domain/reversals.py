"""Taking a charge back: what is left of it, the tax in proportion, and where the money goes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from domain import accounts
from domain.case import Case
from domain.charging import Returned, refills
from domain.facts import (
    AdministrativeServiceCharged,
    ChargeReversed,
    ConnectionFeeCharged,
    ConnectionFeeDifferenceCharged,
    InvoiceExpired,
    PaymentAllocated,
    PeriodicServiceCharged,
    Recorded,
    RemainingTermCharged,
    Takes,
    TaxCharged,
    UsageCharged,
)
from domain.money import Money

Charge = (
    PeriodicServiceCharged
    | UsageCharged
    | ConnectionFeeCharged
    | ConnectionFeeDifferenceCharged
    | AdministrativeServiceCharged
    | RemainingTermCharged
    | TaxCharged
)
MOST_LINES = 6
"""Facts after a charge among which its tax stands: the other lines of its bill come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """A charge that was found: its fact's id and what it says."""

    id: str
    fact: Charge
    recorded: Recorded


def find_charge(case: Case, charge: str) -> Charged | None:
    """The charge of that id; None where it is none, or stands on an invoice that was withdrawn."""
    recorded = case.fact(charge)
    if recorded is None or not isinstance(recorded.fact, Charge):
        return None
    found = Charged(id=charge, fact=recorded.fact, recorded=recorded)
    return None if _withdrawn(case, found) else found


def charges(case: Case) -> Iterator[Charged]:
    """All charges that stand, the oldest first."""
    recorded = list(case.newest_first())
    expired = {one.fact.invoice for one in recorded if isinstance(one.fact, InvoiceExpired)}
    for one in reversed(recorded):
        if isinstance(one.fact, Charge) and getattr(one.fact, "invoice", None) not in expired:
            yield Charged(id=one.id, fact=one.fact, recorded=one)


def left_of(case: Case, charge: Charged) -> Money:
    """What has not been taken back of the charge yet, without tax."""
    return charge.fact.amount - case.state.reversed.get(charge.id, case.zero)


def reverse(case: Case, charge: Charged, amount: Money, reason: str, rule: str, *, taxed: bool = True) -> None:
    """Takes `amount` of the charge back, with its tax in proportion where `taxed`.

    What is outstanding on its invoice is lowered first; the rest goes to the balance, into the lots that it came from.
    """
    tax_charge = _tax_of(case, charge) if taxed else None
    tax = _tax_share(case, charge, amount, tax_charge)
    invoice = getattr(charge.fact, "invoice", None)
    open_invoice = case.state.invoices.get(invoice) if invoice else None
    lowered = min(open_invoice.outstanding, amount + tax) if open_invoice else case.zero
    credited = amount + tax - lowered
    case.record(
        ChargeReversed(
            charge=charge.id,
            amount=amount,
            tax=tax,
            account=str(accounts.income_of(charge.fact)),
            tax_name=tax_charge.fact.name if tax_charge and isinstance(tax_charge.fact, TaxCharged) else None,
            tax_charge=tax_charge.id if tax_charge and tax.units else None,
            invoice=invoice if lowered.units else None,
            lowered=lowered,
            credited=credited,
            reason=reason,
            restored=refills(case, *_returned(case, charge, amount, tax_charge, tax, credited)),
        ),
        rule,
    )


def _withdrawn(case: Case, charge: Charged) -> bool:
    invoice = getattr(charge.fact, "invoice", None)
    if invoice is None or invoice in case.state.invoices:
        return False
    since = takewhile(lambda one: one.version > charge.recorded.version, case.newest_first())
    return any(isinstance(one.fact, InvoiceExpired) and one.fact.invoice == invoice for one in since)


def _tax_of(case: Case, charge: Charged) -> Charged | None:
    if isinstance(charge.fact, TaxCharged):
        return None
    for version in range(charge.recorded.version + 1, charge.recorded.version + 1 + MOST_LINES):
        recorded = case.fact(f"{case.state.subject}/{version}")
        if recorded is None:
            return None
        if isinstance(recorded.fact, TaxCharged) and charge.id in recorded.fact.on:
            return Charged(id=recorded.id, fact=recorded.fact, recorded=recorded)
    return None


def _tax_share(case: Case, charge: Charged, amount: Money, tax_charge: Charged | None) -> Money:
    if tax_charge is None or not isinstance(tax_charge.fact, TaxCharged):
        return case.zero
    tax = tax_charge.fact
    share = tax.amount.fine_share if isinstance(charge.fact, UsageCharged) else tax.amount.share
    return min(share(amount.units, tax.base.units), left_of(case, tax_charge))


def _returned(
    case: Case, charge: Charged, amount: Money, tax_charge: Charged | None, tax: Money, credited: Money
) -> tuple[Returned, ...]:
    """What comes back of each debit: of the invoice's payments, or of the charge and, by itself, of its tax.

    The tax stands on a whole bill, so that other charges' reversals put back parts of it as well.
    """
    invoice = getattr(charge.fact, "invoice", None)
    if invoice is not None:
        takes, before = allocated(case, invoice)
        return (Returned(amount=credited, takes=takes, before=before),)
    debits = [(charge, amount)] if tax_charge is None else [(tax_charge, tax), (charge, amount)]
    return tuple(
        Returned(amount=back, takes=debit.fact.paid_from, before=_put_back(case, debit)) for debit, back in debits
    )


def _put_back(case: Case, debit: Charged) -> Money:
    """How much of what the debit took is in its lots again; what came back while there was a debt filled that."""
    back = case.zero
    if debit.id not in case.state.reversed:
        return back
    for recorded in case.newest_first():
        if recorded.id == debit.id:
            break
        fact = recorded.fact
        if isinstance(fact, ChargeReversed) and debit.id in (fact.charge, fact.tax_charge):
            refilled = _refilled(case, recorded, fact)
            of_tax = min(refilled, fact.tax)
            back = back + (of_tax if fact.tax_charge == debit.id else refilled - of_tax)
    return back


def _refilled(case: Case, recorded: Recorded, fact: ChargeReversed) -> Money:
    """How much a reversal put into lots that were there before, its tax first."""
    refilled = case.zero
    for refill in fact.restored:
        if refill.lot != recorded.id:
            refilled = refilled + refill.amount
    return refilled


def allocated(case: Case, invoice: str) -> tuple[Takes, Money]:
    """The lots that paid the invoice, and how much of that was put back before."""
    takes: list[Takes] = []
    back = case.zero
    for recorded in case.newest_first():
        if recorded.id == invoice:
            break
        fact = recorded.fact
        if isinstance(fact, PaymentAllocated) and fact.invoice == invoice:
            takes.append(fact.paid_from)
        elif isinstance(fact, ChargeReversed):
            of = case.fact(fact.charge)
            if of is not None and getattr(of.fact, "invoice", None) == invoice:
                back = back + _refilled(case, recorded, fact)
    return tuple(take for part in reversed(takes) for take in part), back
