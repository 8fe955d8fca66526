"""Charging: a bill becomes facts, paid from the balance or put on an invoice; what comes back refills its lots."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.case import Case
from domain.catalogue import Tax
from domain.facts import (
    ConnectionFeeCharged,
    DepositCredited,
    IncludedUnitsGranted,
    NumberRented,
    PeriodicServiceCharged,
    Refill,
    Refills,
    Takes,
    TaxCharged,
)
from domain.money import Money
from domain.periods import Period, nth_period_end, period_of
from domain.prices import Bill, BillLine, plan_terms
from domain.state import Order, age
from domain.values import maker, replace

_connection_fee_charged = maker(ConnectionFeeCharged)
_included_units_granted = maker(IncludedUnitsGranted)
_number_rented = maker(NumberRented)
_periodic_service_charged = maker(PeriodicServiceCharged)


def charge(case: Case, bill: Bill, invoice: str | None = None) -> None:
    """One fact per line of the bill, then its tax; from the balance unless they stand on `invoice`."""
    charged = tuple(_charge_line(case, bill, line, invoice) for line in bill.lines)
    charge_tax(case, bill.tax, bill.net, bill.tax_amount, charged, invoice)


def charge_tax(
    case: Case, tax: Tax | None, base: Money, amount: Money, on: tuple[str, ...], invoice: str | None = None
) -> None:
    """Tax on the charges `on`, a charge of its own and never folded into a price (illyvoip/tax)."""
    if tax is None:
        return
    case.record(
        TaxCharged(
            name=tax.name,
            rate=tax.rate,
            base=base,
            amount=amount,
            on=on,
            invoice=invoice,
            paid_from=() if invoice else case.takes(amount),
        ),
        "tax",
    )


def included_units(case: Case, number: str, plan: str, period: Period, at: datetime) -> None:
    """Grants what the plan includes in a period by its terms at `at`, a fact per service (telnexx/included-minutes)."""
    _, terms = plan_terms(case, plan, at)
    grant_units(case, number, {service: price.included for service, price in terms.usage.items()}, period)


def grant_units(case: Case, number: str, units: Mapping[str, int], period: Period) -> None:
    """A fact per service with included units, by the alphabet."""
    for service in sorted(units):
        if units[service]:
            granted = _included_units_granted(number=number, service=service, units=units[service], period=period)
            case.record(granted, "included-units")


def connect(case: Case, order: Order) -> None:
    """The order is paid: its number is rented from now on, for a term where one was agreed."""
    this = period_of(case.effective_at, case.zone)
    term_end = nth_period_end(this.start, order.periods, case.zone) if order.periods else None
    paid_until = term_end if order.prepaid and term_end else this.end
    included_units(case, order.number, case.state.profile.plan, this, case.effective_at)
    case.record(
        _number_rented(
            number=order.number,
            service=order.service,
            channels=order.channels,
            autorenew=order.autorenew,
            period=Period(this.start, paid_until),
            term_ends_at=term_end,
            periods=order.periods,
            prepaid=order.prepaid,
        ),
        "renewal",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """`amount` of what one debit took that comes back; `before` of the same `takes` did so already."""

    amount: Money
    takes: Takes
    before: Money


def refills(case: Case, *parts: Returned) -> Refills:
    """Where what returns to the balance goes: a debt first, then the lots that each part came from, newest first.

    No lot gets back more than was taken from it: what an earlier reversal put back is skipped.
    """
    total = case.zero
    for part in parts:
        total = total + part.amount
    rest = max(case.balance + total, case.zero) - max(case.balance, case.zero)
    refilled = []
    for part in parts:
        for refill in _put_back(case, part, min(rest, part.amount)):
            refilled.append(refill)
            rest = rest - refill.amount
    if rest.units:
        own_id = f"{case.state.subject}/{case.state.version + 1}"
        refilled.append(Refill(lot=own_id, amount=rest, received_at=case.effective_at))
    return tuple(refilled)


def _put_back(case: Case, part: Returned, rest: Money) -> Iterator[Refill]:
    """At most `rest` of the part, into the lots that it was taken from, those received last first."""
    before = part.before
    lots = (_refill(case, take.lot, take.amount) for take in part.takes)
    for lot in sorted(lots, key=lambda one: age(one.lot, one.received_at), reverse=True):
        skipped = min(before, lot.amount)
        before = before - skipped
        amount = min(rest, lot.amount - skipped)
        if amount.units:
            yield replace(lot, amount=amount)
            rest = rest - amount


def _refill(case: Case, lot: str, amount: Money) -> Refill:
    for known in case.state.account.lots:
        if known.id == lot:
            return Refill(lot=lot, amount=amount, received_at=known.received_at, method=known.method)
    created = case.fact(lot)
    assert created is not None
    fact = created.fact
    if isinstance(fact, DepositCredited):
        return Refill(lot=lot, amount=amount, received_at=fact.received_at, method=fact.method)
    return Refill(lot=lot, amount=amount, received_at=created.effective_at)


def _charge_line(case: Case, bill: Bill, line: BillLine, invoice: str | None) -> str:
    takes = () if invoice else case.takes(line.amount)
    if line.service is None:
        return case.record(
            _connection_fee_charged(
                amount=line.amount,
                plan=bill.plan,
                tariff=line.tariff,
                number=bill.number,
                calculation=line.calculation,
                invoice=invoice,
                paid_from=takes,
            ),
            "administrative",
        )
    return case.record(
        _periodic_service_charged(
            number=bill.number,
            service=line.service,
            amount=line.amount,
            period=bill.period,
            tariff=line.tariff,
            plan=bill.plan,
            calculation=line.calculation,
            refundable=line.refundable,
            third_party=line.third_party,
            invoice=invoice,
            paid_from=takes,
        ),
        bill.rule,
    )
