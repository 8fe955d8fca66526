"""Metering: minutes by cumulative reports, messages by the unit; included units first, then money, never a debt."""

from dataclasses import dataclass

from domain.case import Call, Case
from domain.catalogue import UsagePrice
from domain.charging import charge_tax
from domain.commands import ReportUsage
from domain.facts import UsageCharged, UsageCutOff
from domain.money import Money
from domain.orders import services_suspended, unknown_number
from domain.prices import fine_tax, usage_price
from domain.queue import available, shortage
from domain.refusals import Code, Refusal
from domain.state import Rental
from domain.values import maker

MINUTE_SECONDS = 60
_usage_charged = maker(UsageCharged)
_call = maker(Call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a report leads to: how far the usage is known now, what it cost without tax, whether it may go on."""

    call: Call
    charged: Money
    goes_on: bool


_metered = maker(Metered)


def metering(case: Case, request: ReportUsage) -> Refusal | Metered:
    """One report of a call so far, or of messages (telnexx/basic-per-minute, hexaserv/sms-delivered)."""
    refusal = services_suspended(case) or unknown_number(case, request.number)
    if refusal is not None:
        return refusal
    rental = case.state.rentals[request.number]
    priced = usage_price(case, request.service)
    by_units = request.units is not None
    if priced is None or (priced[0].per == "unit") != by_units:
        kind = "units" if by_units else "minutes"
        return Refusal(
            code=Code.UNKNOWN_SERVICE,
            message=f"the plan {case.state.profile.plan} has no price for {request.service} by {kind}",
        )
    refusal = paid_period(rental)
    if refusal is not None:
        return refusal
    known = case.past.call(request.usage)
    if known is not None and known.ended:
        return Refusal(code=Code.USAGE_ENDED, message=f"{request.usage} has ended")
    if by_units:
        return _units(case, request, rental, *priced)
    return _minutes(case, request, rental, known, *priced)


def paid_period(rental: Rental) -> Refusal | None:
    """Usage needs a paid period, or a grace in which service goes on (telnexx/periodic-before-basic)."""
    if not rental.suspended:
        return None
    return Refusal(code=Code.PERIOD_NOT_PAID, message=f"{rental.number} is suspended until its period is paid")


def _minutes(
    case: Case, request: ReportUsage, rental: Rental, known: Call | None, price: UsagePrice, tariff: str
) -> Metered:
    elapsed, ended = request.elapsed_seconds or 0, bool(request.ended)
    before = known.elapsed_seconds if known else 0
    stale = elapsed < before
    done = before // MINUTE_SECONDS
    reached = done if stale else -(-elapsed // MINUTE_SECONDS) if ended else elapsed // MINUTE_SECONDS
    due = max(0, reached - done)
    included = min(due, _included_left(rental, request.service))
    by_money = _payable(case, price, due - included)
    minutes = included + by_money
    cut_off = minutes < due
    charged = price.price * by_money
    if minutes or (ended and not cut_off):
        _charge(case, request, price, tariff, included, by_money, ended=ended, elapsed=max(elapsed, before))
    goes_on = not ended and not cut_off and _one_more(case, request, price)
    if cut_off or not (ended or goes_on or stale):
        _cut_off(case, request, price, tariff, elapsed, due - minutes)
        return _metered(call=_call(elapsed_seconds=max(elapsed, before), ended=True), charged=charged, goes_on=False)
    return _metered(call=_call(elapsed_seconds=max(elapsed, before), ended=ended), charged=charged, goes_on=goes_on)


def _units(case: Case, request: ReportUsage, rental: Rental, price: UsagePrice, tariff: str) -> Refusal | Metered:
    """All or nothing."""
    units = request.units or 0
    included = min(units, _included_left(rental, request.service))
    by_money = units - included
    cost = _with_tax(case, price.price * by_money)
    if by_money and not _affordable(case, cost):
        return Refusal(code=Code.INSUFFICIENT_FUNDS, message=shortage(case, cost))
    _charge(case, request, price, tariff, included, by_money, ended=True, elapsed=None)
    return Metered(
        call=Call(elapsed_seconds=0, ended=True),
        charged=price.price * by_money,
        goes_on=_one_more(case, request, price),
    )


def _charge(
    case: Case,
    request: ReportUsage,
    price: UsagePrice,
    tariff: str,
    included: int,
    by_money: int,
    *,
    ended: bool,
    elapsed: int | None,
) -> None:
    amount = price.price * by_money
    tax, tax_amount = fine_tax(case, amount)
    charge = case.record(
        _usage_charged(
            number=request.number,
            usage=request.usage,
            service=request.service,
            minutes=None if elapsed is None else included + by_money,
            units=request.units,
            included=included,
            amount=amount,
            rate=price.price,
            tariff=tariff,
            elapsed_seconds=elapsed,
            ended=ended,
            paid_from=case.takes(amount),
        ),
        "metering",
    )
    charge_tax(case, tax, amount, tax_amount, (charge,))


def _cut_off(
    case: Case, request: ReportUsage, price: UsagePrice, tariff: str, elapsed: int, unpaid_minutes: int
) -> None:
    """The next minute cannot be paid: the service stops, and that minute is not charged."""
    cut_off = UsageCutOff(
        number=request.number,
        usage=request.usage,
        service=request.service,
        elapsed_seconds=elapsed,
        unpaid_minutes=unpaid_minutes,
        rate=price.price,
        tariff=tariff,
    )
    case.record(cut_off, "metering")


def _one_more(case: Case, request: ReportUsage, price: UsagePrice) -> bool:
    """Whether another minute or unit could be paid, by what is included or by what is available."""
    rental = case.state.rentals[request.number]
    return _included_left(rental, request.service) > 0 or _payable(case, price, 1) == 1


def _included_left(rental: Rental, service: str) -> int:
    return rental.units.get(service, 0)


def _payable(case: Case, price: UsagePrice, count: int) -> int:
    """How many of `count` the available balance pays, tax included; the most that can, found by halving."""
    if not count or _affordable(case, _with_tax(case, price.price * count)):
        return count
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _affordable(case, _with_tax(case, price.price * middle)) else (low, middle)
    return low


def _affordable(case: Case, cost: Money) -> bool:
    return case.balance.units >= 0 and cost <= available(case)


def _with_tax(case: Case, net: Money) -> Money:
    tax, amount = fine_tax(case, net)
    return net if tax is None else net + amount
