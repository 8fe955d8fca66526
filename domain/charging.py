"""Charging: a bill becomes facts, paid from the balance or put on an invoice; what comes back refills its lots."""

from collections.abc import Mapping
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
from domain.state import Order
from domain.values import maker

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


def refills(case: Case, takes: Takes, amount: Money, already_back: Money) -> Refills:
    """Where `amount` goes that returns to the balance: a debt first, then the lots it came from, the newest first.

    `already_back` is what an earlier reversal put back of the same takes.
    """
    before, after = case.balance, case.balance + amount
    rest = max(after, case.zero) - max(before, case.zero)
    refilled = []
    for take in reversed(takes):
        skipped = min(already_back, take.amount)
        already_back = already_back - skipped
        part = min(rest, take.amount - skipped)
        if part.units:
            refilled.append(_refill(case, take.lot, part))
            rest = rest - part
    if rest.units:
        own_id = f"{case.state.subject}/{case.state.version + 1}"
        refilled.append(Refill(lot=own_id, amount=rest, received_at=case.effective_at))
    return tuple(refilled)


def _refill(case: Case, lot: str, amount: Money) -> Refill:
    for known in case.state.account.lots:
        if known.id == lot:
            return Refill(lot=lot, amount=amount, received_at=known.received_at, method=known.method)
    created = case.fact(lot)
    if created is None:
        return Refill(lot=lot, amount=amount, received_at=case.effective_at)
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
