"""Prices: which tariff version speaks at an instant, and what a number costs for a month or a part of it."""

from dataclasses import dataclass
from datetime import datetime

from domain.case import Case
from domain.catalogue import Plan, Tariff, Tax, UsagePrice
from domain.facts import Calculation, PlanChanged
from domain.money import Money, half_up, minor_unit
from domain.periods import Period, days_left, nth_period_end, period_of
from domain.state import CHANNEL, Order, Rental, Waiting
from domain.values import maker

WHOLE = 1_000_000
"""One, in millionths: discounts and tax rates are counted in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A periodic price as listed: per period, before discount, with the tariff version that says so."""

    price: Money
    tariff: str
    discount: str | None = None
    discount_millionths: int = 0
    refundable: bool = False
    third_party: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of what an order or a renewal costs; `service` None is the connection fee."""

    service: str | None
    amount: Money
    calculation: Calculation
    tariff: str
    refundable: bool = False
    third_party: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What has to be paid as a whole: lines, then tax once on their sum."""

    number: str
    plan: str
    period: Period
    lines: tuple[BillLine, ...]
    net: Money
    tax: Tax | None
    tax_amount: Money
    rule: str

    @property
    def total(self) -> Money:
        return self.net + self.tax_amount


_listed = maker(Listed)
_bill_line = maker(BillLine)
_new_bill = maker(Bill)
_calculation = maker(Calculation)


def plan_in_force(case: Case, plan: str) -> Plan | None:
    """The plan as the tariff in force has it; None where that tariff does not have it."""
    return _tariffs(case, case.effective_at)[0].plans.get(plan)


def plan_terms(case: Case, plan: str, at: datetime) -> tuple[Tariff, Plan]:
    """The plan by the newest tariff that has it: a plan that was dropped keeps its last prices."""
    for tariff in _tariffs(case, at):
        if plan in tariff.plans:
            return tariff, tariff.plans[plan]
    raise LookupError(f"{case.state.subject}: no tariff ever had the plan {plan}")


def listed_price(case: Case, plan: str, service: str, at: datetime) -> Listed | None:
    """What the plan asks for a period of `service`, by the newest tariff that prices it."""
    for tariff in _tariffs(case, at):
        terms = tariff.plans.get(plan)
        entry = terms.periodic.get(service) if terms else None
        if terms is not None and entry is not None:
            return _listed(
                price=entry.price,
                tariff=tariff.name,
                discount=terms.discount,
                discount_millionths=terms.discount_millionths,
                refundable=entry.refundable,
                third_party=entry.third_party,
            )
    return None


def usage_price(case: Case, service: str) -> tuple[UsagePrice, str] | None:
    """The price of a minute or unit now, and its tariff."""
    tariff, plan = plan_terms(case, case.state.profile.plan, case.effective_at)
    price = plan.usage.get(service)
    return (price, tariff.name) if price else None


def administrative_price(case: Case, service: str) -> tuple[Money, str] | None:
    """The price of one instance of an administrative service now, and its tariff."""
    tariff, plan = plan_terms(case, case.state.profile.plan, case.effective_at)
    price = plan.administrative.get(service)
    return (price, tariff.name) if price is not None else None


def connection_fee(case: Case, plan: str, at: datetime) -> tuple[Money, str]:
    """The plan's connection fee as listed, and its tariff."""
    tariff, terms = plan_terms(case, plan, at)
    return terms.connection_fee, tariff.name


def connection_fee_due(case: Case) -> bool:
    """The connection fee comes with the first number, and never twice."""
    standing = case.state.standing
    return not standing.numbered and standing.fee_invoice is None


def tax_in_force(case: Case, at: datetime) -> Tax | None:
    """The tax of the tariff in force at `at`."""
    return _tariffs(case, at)[0].tax


def with_tax(case: Case, net: Money, at: datetime | None = None) -> tuple[Tax | None, Money]:
    """The tax on a sum of charges, half-up to the minor unit; (None, 0) where there is none."""
    tax = tax_in_force(case, at or case.effective_at)
    if tax is None:
        return None, net.zero()
    amount = net.share(tax.millionths, WHOLE)
    return (tax, amount) if amount.units else (None, amount)


def fine_tax(case: Case, net: Money) -> tuple[Tax | None, Money]:
    """The tax on one report of usage, half-up to 10⁻⁶."""
    tax = tax_in_force(case, case.effective_at)
    if tax is None:
        return None, net.zero()
    amount = net.fine_share(tax.millionths, WHOLE)
    return (tax, amount) if amount.units else (None, amount)


def proration(
    listed: Listed, count: int, days: int | None = None, of: int | None = None, further: int = 0
) -> tuple[Money, Calculation]:
    """`price × count × (1 − discount) × (days ÷ of + further)`, rounded half-up to the minor unit, once.

    `days` None is a whole period. Source: telnexx/proration, telnexx/periodic-in-advance.
    """
    denominator = of or 1
    shares = (days if days is not None else 1) + further * denominator
    numerator = listed.price.units * count * (WHOLE - listed.discount_millionths) * shares
    minor = minor_unit(listed.price.currency)
    amount = Money(half_up(numerator, denominator * WHOLE * minor) * minor, listed.price.currency)
    calculation = _calculation(
        price=listed.price,
        count=count,
        discount=listed.discount,
        days=days,
        of=of,
        periods=further + 1 if further else None,
    )
    return amount, calculation


def term_price(priced: list[tuple[Listed, int]], periods: int) -> tuple[Money, Money]:
    """What a period of several services with their counts costs, and `periods` of it, each rounded half-up once."""
    currency = priced[0][0].price.currency
    exact = sum(listed.price.units * count * (WHOLE - listed.discount_millionths) for listed, count in priced)
    minor = minor_unit(currency)
    one, all_ = (Money(half_up(exact * times, WHOLE * minor) * minor, currency) for times in (1, periods))
    return one, all_


def order_bill(case: Case, order: Order, *, with_fee: bool) -> Bill:
    """What an order costs if it is connected now, the connection fee with the first number."""
    at = case.effective_at
    plan = case.state.profile.plan
    period = period_of(at, case.zone)
    days, of = _part_of_month(at, case.zone)
    further = (order.periods or 1) - 1 if order.prepaid else 0
    if further:
        period = Period(period.start, nth_period_end(period.start, further + 1, case.zone))
    lines = []
    fee, tariff = connection_fee(case, plan, at)
    charged_fee = fee.share(1, 1)
    if with_fee and charged_fee.units:
        lines.append(_bill_line(service=None, amount=charged_fee, calculation=_calculation(price=fee), tariff=tariff))
    lines.append(_line(order.service, _price_in_use(case, plan, order.service, at), 1, days, of, further))
    if order.channels:
        listed = _price_in_use(case, plan, CHANNEL, at)
        lines.append(_line(CHANNEL, listed, order.channels, days, of, further))
    rule = "renewal" if days is None else "proration"
    return _bill(case, order.number, plan, period, lines, at, rule)


def renewal_bill(case: Case, rental: Rental, item: Waiting) -> Bill:
    """A period of a rental with its channels, at the plan and tariff in force at the boundary that it begins with."""
    period = Period(item.since, nth_period_end(item.since, 1, case.zone))
    lines = [_line(rental.service, _price_in_use(case, item.plan, rental.service, item.since), 1)]
    if item.channels:
        listed = _price_in_use(case, item.plan, CHANNEL, item.since)
        lines.append(_line(CHANNEL, listed, item.channels))
    return _bill(case, rental.number, item.plan, period, lines, item.since, "renewal")


def renewal_of(case: Case, rental: Rental, boundary: datetime) -> Waiting:
    """The renewal that falls due at `boundary`."""
    plan = case.state.profile.plan
    return Waiting(number=rental.number, since=boundary, renewal=True, plan=plan, channels=rental.channels)


def price_of_held(case: Case, service: str) -> Listed:
    """What a service in use (a rental's or order's own, or its channels) costs now."""
    return _price_in_use(case, case.state.profile.plan, service, case.effective_at)


def _part_of_month(at: datetime, zone: str) -> tuple[int | None, int | None]:
    days, of = days_left(at, zone)
    return (None, None) if days == of else (days, of)


def _tariffs(case: Case, at: datetime) -> tuple[Tariff, ...]:
    """What is or was in force at `at`, the newest first; one was when the account was registered."""
    profile = case.state.profile
    return case.catalogue.tariffs_until(profile.regulations, profile.currency, at)


def _price_in_use(case: Case, plan: str, service: str, at: datetime) -> Listed:
    """A service in use that its plan no longer prices, or never did, keeps its last price."""
    listed = listed_price(case, plan, service, at) or _price_under_earlier_plan(case, service, at)
    if listed is None:
        raise LookupError(f"{case.state.subject}: no plan of this account ever priced {service}")
    return listed


def _price_under_earlier_plan(case: Case, service: str, at: datetime) -> Listed | None:
    """What was ordered while a plan change was scheduled, and the new plan never priced, keeps the old plan's price."""
    for recorded in case.newest_first():
        if isinstance(recorded.fact, PlanChanged):
            listed = listed_price(case, recorded.fact.from_plan, service, at)
            if listed is not None:
                return listed
    return None


def _line(
    service: str, listed: Listed, count: int, days: int | None = None, of: int | None = None, further: int = 0
) -> BillLine:
    amount, calculation = proration(listed, count, days, of, further)
    return _bill_line(
        service=service,
        amount=amount,
        calculation=calculation,
        tariff=listed.tariff,
        refundable=listed.refundable,
        third_party=listed.third_party,
    )


def _bill(case: Case, number: str, plan: str, period: Period, lines: list[BillLine], at: datetime, rule: str) -> Bill:
    net = case.zero
    for line in lines:
        net = net + line.amount
    tax, tax_amount = with_tax(case, net, at)
    return _new_bill(
        number=number,
        plan=plan,
        period=period,
        lines=tuple(lines),
        net=net,
        tax=tax,
        tax_amount=tax_amount,
        rule=rule,
    )
