"""Orders for numbers and channels, and what becomes of them: released, renewed by themselves or not."""

from domain import invoices
from domain.case import Case
from domain.charging import charge_tax
from domain.commands import AddChannels, OrderAdministrativeService, OrderNumber, ReleaseNumber, SetAutorenew
from domain.facts import (
    AdministrativeServiceCharged,
    AutorenewSet,
    Calculation,
    ChannelsAdded,
    OrderPlaced,
    PeriodicServiceCharged,
)
from domain.money import Money
from domain.periods import Period, days_left, period_of, whole_periods
from domain.prices import (
    WHOLE,
    Listed,
    administrative_price,
    listed_price,
    plan_terms,
    price_of_held,
    proration,
    with_tax,
)
from domain.queue import affordable, before, queue, queue_if_freed, shortage
from domain.refusals import Code, Refusal
from domain.state import CHANNEL, Order, Rental
from domain.values import maker

_order_placed = maker(OrderPlaced)


def order_number(case: Case, request: OrderNumber) -> Refusal | None:
    """Places the order; it is connected as soon as it is paid (telnexx/fifo)."""
    refusal = (
        services_suspended(case)
        or number_already_rented(case, request.number)
        or _unknown_periodic_service(case, request)
        or free_service(case, request.service)
    )
    if refusal is not None:
        return refusal
    autorenew = case.state.profile.autorenew if request.autorenew is None else request.autorenew
    placed = _order_placed(
        number=request.number,
        service=request.service,
        channels=request.channels,
        autorenew=autorenew,
        periods=request.periods,
        prepaid=request.prepaid,
    )
    case.record(placed, "queue")
    queue(case)
    return None


def add_channels(case: Case, request: AddChannels) -> Refusal | None:
    """More channels from today on, charged at once for the rest of this month or prepaid term (telnexx/channels)."""
    refusal = services_suspended(case) or unknown_number(case, request.number)
    if refusal is not None:
        return refusal
    rental = case.state.rentals[request.number]
    if not _channels_priced(case):
        return _unknown_service(case, CHANNEL)
    if rental.suspended:
        return Refusal(code=Code.PERIOD_NOT_PAID, message=f"{rental.number} is suspended until its period is paid")
    charged = _channels_charge(case, rental, price_of_held(case, CHANNEL), request.count)
    tax, tax_amount = with_tax(case, charged.amount)
    refusal = insufficient_funds(case, charged.amount + tax_amount)
    if refusal is not None:
        return refusal
    charge = case.record(charged, "channels")
    charge_tax(case, tax, charged.amount, tax_amount, (charge,))
    case.record(ChannelsAdded(number=rental.number, count=request.count), "channels")
    return None


def release_number(case: Case, request: ReleaseNumber) -> Refusal | None:
    """A waiting order is cancelled at once; a rental ends with its period or its running term."""
    order = case.state.orders.get(request.number)
    if order is not None:
        was = before(case)
        invoices.expire_order(case, order, "released", "autorenew")
        queue_if_freed(case, was)
        return None
    return _set_autorenew(case, request.number, autorenew=False)


def set_autorenew(case: Case, request: SetAutorenew) -> Refusal | None:
    """Whether the rental, or the one that is ordered, goes on by itself (telnexx/autorenew)."""
    order = case.state.orders.get(request.number)
    if order is not None:
        if order.autorenew != request.autorenew:
            case.record(AutorenewSet(number=request.number, autorenew=request.autorenew), "autorenew")
        return None
    return _set_autorenew(case, request.number, autorenew=request.autorenew)


def administrative(case: Case, request: OrderAdministrativeService) -> Refusal | None:
    """Paid per instance, before it is fulfilled (telnexx/administrative, hexaserv/resource-charge)."""
    refusal = services_suspended(case)
    if refusal is not None:
        return refusal
    return charge_administrative(case, request.service, request.quantity, ground=request.ground)


def charge_administrative(
    case: Case, service: str, quantity: int = 1, *, number: str | None = None, ground: str | None = None
) -> Refusal | None:
    """Charges `quantity` instances from the balance at once, tax after it; a refusal changes nothing."""
    priced = administrative_price(case, service)
    if priced is None:
        return _unknown_service(case, service)
    price, tariff = priced
    amount = (price * quantity).share(1, 1)
    tax, tax_amount = with_tax(case, amount)
    refusal = insufficient_funds(case, amount + tax_amount)
    if refusal is not None:
        return refusal
    charge = case.record(
        AdministrativeServiceCharged(
            service=service,
            quantity=quantity,
            amount=amount,
            tariff=tariff,
            calculation=Calculation(price=price, count=quantity),
            number=number,
            ground=ground,
            paid_from=case.takes(amount),
        ),
        "administrative",
    )
    charge_tax(case, tax, amount, tax_amount, (charge,))
    return None


def services_suspended(case: Case) -> Refusal | None:
    """The company has stopped the services (telnexx/violations)."""
    if case.state.standing.suspended:
        return Refusal(code=Code.SERVICES_SUSPENDED, message="the services are suspended by the company")
    return None


def unknown_number(case: Case, number: str) -> Refusal | None:
    """Only a number that is rented can be changed; a waiting order is not rented yet."""
    if number in case.state.rentals:
        return None
    return Refusal(code=Code.UNKNOWN_NUMBER, message=f"{number} is not rented")


def number_already_rented(case: Case, number: str) -> Refusal | None:
    """A number is rented or ordered once per subscriber."""
    if number in case.state.rentals or number in case.state.orders:
        return Refusal(code=Code.NUMBER_ALREADY_RENTED, message=f"{number} is rented or ordered already")
    return None


def insufficient_funds(case: Case, price: Money) -> Refusal | None:
    """What is paid at once needs the available balance: the balance less all that waits (telnexx/deposit)."""
    if affordable(case, price):
        return None
    return Refusal(code=Code.INSUFFICIENT_FUNDS, message=shortage(case, price))


def free_service(case: Case, service: str) -> Refusal | None:
    """At most one service at price zero in an account, waiting orders counted (hexaserv/one-free-account)."""
    if not case.regulations.one_free_service:
        return None
    listed = listed_price(case, case.state.profile.plan, service, case.effective_at)
    if listed is None or not _is_free(listed):
        return None
    held: list[Rental | Order] = [*case.state.rentals.values(), *case.state.orders.values()]
    for one in held:
        if _is_free(price_of_held(case, one.service)):
            return Refusal(code=Code.FREE_SERVICE_ALREADY_HELD, message=f"{one.number} ({one.service}) is free already")
    return None


def _is_free(listed: Listed) -> bool:
    return not listed.price.units or listed.discount_millionths == WHOLE


def _unknown_periodic_service(case: Case, request: OrderNumber) -> Refusal | None:
    plan = case.state.profile.plan
    if request.service == CHANNEL or _not_in_force(case, plan, request.service):
        return _unknown_service(case, request.service)
    if request.channels and not _channels_priced(case):
        return _unknown_service(case, CHANNEL)
    return None


def _channels_priced(case: Case) -> bool:
    """Channels have a price in force, or are in use and keep their last one."""
    holders: list[Rental | Order] = [*case.state.rentals.values(), *case.state.orders.values()]
    in_use = any(one.channels for one in holders)
    return in_use or not _not_in_force(case, case.state.profile.plan, CHANNEL)


def _not_in_force(case: Case, plan: str, service: str) -> bool:
    """A new order needs a price in force; a plan that the tariff in force dropped keeps the prices it had last."""
    _, terms = plan_terms(case, plan, case.effective_at)
    return service not in terms.periodic


def _unknown_service(case: Case, service: str) -> Refusal:
    return Refusal(
        code=Code.UNKNOWN_SERVICE, message=f"the plan {case.state.profile.plan} has no price for {service} here"
    )


def _set_autorenew(case: Case, number: str, *, autorenew: bool) -> Refusal | None:
    refusal = unknown_number(case, number)
    if refusal is None and case.state.rentals[number].autorenew != autorenew:
        case.record(AutorenewSet(number=number, autorenew=autorenew), "autorenew")
    return refusal


def _channels_charge(case: Case, rental: Rental, listed: Listed, count: int) -> PeriodicServiceCharged:
    this = period_of(case.effective_at, case.zone)
    days, of = days_left(case.effective_at, case.zone)
    further, end = 0, this.end
    if rental.prepaid and rental.paid_until > this.end:
        further, end = whole_periods(this.end, rental.paid_until, case.zone), rental.paid_until
    whole = days == of
    amount, calculation = proration(listed, count, None if whole else days, None if whole else of, further)
    return PeriodicServiceCharged(
        number=rental.number,
        service=CHANNEL,
        amount=amount,
        period=Period(this.start, end),
        tariff=listed.tariff,
        plan=case.state.profile.plan,
        calculation=calculation,
        refundable=listed.refundable,
        third_party=listed.third_party,
        paid_from=case.takes(amount),
    )
