"""An invoice as its reader sees it: lines, tax, total, and what has become of it since."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from domain.case import Past
from domain.facts import (
    ChargeReversed,
    ConnectionFeeCharged,
    InvoiceExpired,
    InvoiceIssued,
    PaymentAllocated,
    PeriodicServiceCharged,
    Recorded,
    TaxCharged,
)
from domain.money import Money
from domain.periods import Period, local_date, local_text
from infra.explain.arithmetic import arithmetic
from infra.explain.words import per_cent
from infra.views.source import place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One charge: what for, how it was worked out, how much, and the fact that charged it."""

    charge: str
    what: str
    arithmetic: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDocument:
    """What is printed. Amounts are decimal strings in `currency`; instants are local."""

    id: str
    subscriber: str
    holder: str
    regulations: str
    number: str
    currency: str
    issued: str
    due: str
    period: str
    lines: tuple[InvoiceLine, ...]
    tax: str
    tax_words: str | None
    total: str
    reversed: str
    """What disputes and refunds took back of its charges, with the tax."""
    withdrawn: str
    """What was still charged when the invoice was withdrawn."""
    paid: str
    returned: str
    """What of `paid` went back to the balance: outstanding = total − reversed − withdrawn − paid + returned."""
    outstanding: str
    status: str


class NotAnInvoice(LookupError):
    """The id names no invoice."""


def invoice_document(past: Past, invoice_id: str, *, holder: str, regulations: str, zone: str) -> InvoiceDocument:
    """The invoice `<subject>/<version>`; NotAnInvoice for any other fact."""
    place = place_of(invoice_id)
    issued = past.fact(place[1]) if place else None
    if place is None or issued is None or not isinstance(issued.fact, InvoiceIssued):
        raise NotAnInvoice(f"{invoice_id} is no invoice")
    fact = issued.fact
    since = _since(past, issued)
    charges = [one for one in since if getattr(one.fact, "invoice", None) == invoice_id]
    zero = fact.total.zero()
    paid = _sum(zero, (one.fact.amount for one in charges if isinstance(one.fact, PaymentAllocated)))
    ids = {one.id for one in charges}
    back = [one.fact for one in since if isinstance(one.fact, ChargeReversed) and one.fact.charge in ids]
    expired = next((one.fact for one in charges if isinstance(one.fact, InvoiceExpired)), None)
    taken_back = _sum(zero, (one.amount + one.tax for one in back))
    withdrawn = _sum(zero, (line.amount for line in expired.withdrawn)) if expired else zero
    returned = _sum(zero, (one.credited for one in back)) + (expired.returned if expired else zero)
    outstanding = fact.total - taken_back - withdrawn - paid + returned
    return InvoiceDocument(
        id=invoice_id,
        subscriber=place[0],
        holder=holder,
        regulations=regulations,
        number=fact.number,
        currency=fact.total.currency,
        issued=local_text(issued.effective_at, zone),
        due=local_text(fact.due, zone),
        period=_month(fact.period, zone),
        lines=tuple(_lines(charges)),
        tax=str(fact.tax),
        tax_words=next((_tax_words(one.fact) for one in charges if isinstance(one.fact, TaxCharged)), None),
        total=str(fact.total),
        reversed=str(taken_back),
        withdrawn=str(withdrawn),
        paid=str(paid),
        returned=str(returned),
        outstanding=str(outstanding),
        status=_status(expired, outstanding),
    )


def _since(past: Past, issued: Recorded) -> list[Recorded]:
    """The subscriber's facts after the invoice, the oldest first."""
    after = []
    for recorded in past.newest_first():
        if recorded.version <= issued.version:
            break
        after.append(recorded)
    return after[::-1]


def _lines(charges: list[Recorded]) -> list[InvoiceLine]:
    lines = []
    for one in charges:
        if isinstance(one.fact, ConnectionFeeCharged):
            what = f"Connection fee, plan {one.fact.plan}"
        elif isinstance(one.fact, PeriodicServiceCharged):
            what = f"{one.fact.service}, {one.fact.number}"
        else:
            continue
        worked_out = "; ".join(arithmetic(one.fact))
        lines.append(InvoiceLine(charge=one.id, what=what, arithmetic=worked_out, amount=str(one.fact.amount)))
    return lines


def _tax_words(tax: TaxCharged) -> str:
    return f"{tax.name} {per_cent(tax.rate)} of {tax.base}"


def what_became_of(invoice: InvoiceDocument) -> tuple[tuple[str, str], ...]:
    """What is between the total and what is outstanding, each with its sign; what did not happen is left out."""
    changes = (
        ("Taken back", invoice.reversed, "-"),
        ("Withdrawn", invoice.withdrawn, "-"),
        ("Paid", invoice.paid, "-"),
        ("Returned to the balance", invoice.returned, ""),
    )
    happened = tuple((name, f"{sign}{amount}") for name, amount, sign in changes if amount.strip("0."))
    return (*happened, ("Outstanding", invoice.outstanding))


def _status(expired: InvoiceExpired | None, outstanding: Money) -> str:
    if expired is not None:
        return f"withdrawn: {expired.reason}"
    return "open" if outstanding.units else "paid"


def _sum(zero: Money, amounts: Iterable[Money]) -> Money:
    total = zero
    for amount in amounts:
        total = total + amount
    return total


def _month(period: Period, zone: str) -> str:
    first, last = local_date(period.start, zone), local_date(period.end - timedelta(microseconds=1), zone)
    return f"{first} to {last}"


def printed(instant: str) -> str:
    """An instant of an invoice as people read it; its offset stays."""
    return instant.replace("T", " ")
