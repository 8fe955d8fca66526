"""A subscriber as the facts leave it: the state, and `evolve`, which folds one fact into it and has no opinion.

Nothing here is ever changed in place: mappings are copied when an entry changes, so old states stay true.

A boundary at which nothing could be paid leaves no fact (`unpaid_renewal: continue`), yet the renewal waits from then
on. `pass_boundary` is that silent step. It is taken live when a boundary has been decided, and in a replay by the first
fact that was recorded after the boundary, so both end in the same state.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from domain.facts import (
    AdjustmentPosted,
    AdministrativeServiceCharged,
    AgreementConcluded,
    AgreementTerminated,
    AgreementTransferred,
    AutorenewSet,
    BalanceForfeited,
    ChannelsAdded,
    ChargeReversed,
    CommandRefused,
    CompensationGranted,
    ConnectionFeeCharged,
    ConnectionFeeDifferenceCharged,
    DepositCredited,
    DepositReversed,
    DisputeOpened,
    DisputeResolved,
    IncludedUnitsGranted,
    IncludedUnitsLapsed,
    InvoiceExpired,
    InvoiceIssued,
    NumberRented,
    NumberReplaced,
    NumberReplacementAnnounced,
    OrderCancelled,
    OrderPlaced,
    PaymentAllocated,
    PeriodicServiceCharged,
    PersonalDataErased,
    PlanChanged,
    PlanChangeLapsed,
    PlanChangeScheduled,
    PlanChangeWithdrawn,
    Recorded,
    Refill,
    Refills,
    RefundApproved,
    RefundDenied,
    RefundDue,
    RefundPaid,
    RefundRequested,
    RegistrationRefused,
    RegulationsPublished,
    RemainderWrittenOff,
    RemainingTermCharged,
    RentalEnded,
    RentalResumed,
    RentalSuspended,
    ServicesResumed,
    ServicesSuspended,
    SubscriberFact,
    SubscriberRegistered,
    Take,
    Takes,
    TariffPublished,
    TaxCharged,
    TerminationAnnounced,
    UsageCharged,
    UsageCutOff,
    VerificationPassed,
    ViolationRecorded,
    WarningIssued,
)
from domain.money import Money
from domain.periods import next_boundary, period_of
from domain.values import changer, maker, replace

PUBLISHED = (RegulationsPublished, TariffPublished)
CHANNEL = "channel"
"""The service that prices additional channels (CATALOGUE)."""


class CorruptStream(Exception):
    """A fact that is impossible in the state before it: the stream is damaged, and nothing may be decided on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One deposit (or compensation, adjustment, refilled reversal) and what is left of it."""

    id: str
    left: Money
    received_at: datetime
    method: str | None
    """How a deposit was paid; None for money that was never paid in and is never paid out by refund rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A number asked for and not yet connected."""

    number: str
    service: str
    channels: int
    autorenew: bool
    periods: int | None
    prepaid: bool
    placed_at: datetime
    invoice: str | None = None
    """Issued for it; paid in full once it is no longer among the open ones."""
    plan: str = ""
    charge: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    """Granted with the payment, a moment before the number is connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """One number held, with its channels."""

    number: str
    service: str
    channels: int
    autorenew: bool
    rented_at: datetime
    periods: int | None
    term_ends_at: datetime | None
    prepaid: bool
    paid_until: datetime
    plan: str
    """The plan by which the current period was paid; prepaid periods keep it."""
    charge: str
    """The fact that charged the current period, or the prepaid term."""
    suspended: bool = False
    unpaid_since: datetime | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    """Included units that are left until the period's end, by service."""
    term_units: Mapping[str, int] = field(default_factory=dict)
    """What a prepaid term includes in each of its periods, as granted with its payment."""

    def in_term(self, at: datetime) -> bool:
        """Whether an agreement for more than one period is running (telnexx/early-termination-60d)."""
        return (
            self.periods is not None and self.periods > 1 and self.term_ends_at is not None and at < self.term_ends_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The number that a rental will go on under, and from when."""

    new_number: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An item of the queue: an order, or a rental's renewal for the period that begins at `since`."""

    number: str
    since: datetime
    renewal: bool
    plan: str = ""
    channels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice with something outstanding."""

    id: str
    number: str
    renewal: bool
    issued_at: datetime
    due: datetime
    period_start: datetime
    period_end: datetime
    outstanding: Money
    ended: bool = False
    """Its rental has ended. It stays owed, but says nothing about a later rental of the same number."""

    def is_of_rental(self, number: str) -> bool:
        """Whether it demands a period of the rental that has `number` now."""
        return self.renewal and not self.ended and self.number == number


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The end that lies ahead."""

    ends_at: datetime
    cause: str
    charge_remaining_term: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund: requested, approved or denied, then due, then paid."""

    due: Money | None = None
    decided: bool = True
    denied: bool = False
    paid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    charge: str
    resolved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who the subscriber is and what was agreed."""

    regulations: str
    currency: str
    plan: str
    holder: str
    autorenew: bool
    first_account: bool
    time_zone: str
    registered_at: datetime
    erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the agreement has come, and whether it is in good order."""

    verified: bool = False
    funded: bool = False
    """A deposit was credited once, whatever became of it."""
    concluded: bool = False
    refused: bool = False
    connection_fee: Money | None = None
    """What was charged with the first number, if anything."""
    numbered: bool = False
    """A number was rented once: the connection fee never comes again."""
    fee_invoice: str | None = None
    """The invoice that the connection fee stands on; nobody asks once a number was rented."""
    suspended: bool = False
    violations: int = 0
    in_breach: bool = False
    """A violation, or an end for one: refund rules ask for it."""
    announced: Announced | None = None
    ended: str | None = None
    """The cause of the end, once it has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The money. The lots' rests sum to the balance, or to nothing while it is below zero."""

    balance: Money
    lots: tuple[Lot, ...] = ()
    """Oldest first by `received_at`, then by order of arrival: the order in which they are spent."""
    deposits: int = 0
    spent: bool = False
    """Something was taken from the balance once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered:
    """A subject that nobody registered; its stream holds refusals at most."""

    subject: str
    version: int = 0
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """The account holder and the account: everything that decides what is legal next."""

    subject: str
    version: int
    as_of: datetime
    profile: Profile
    account: Account
    next_boundary: datetime
    standing: Standing = Standing()
    orders: Mapping[str, Order] = field(default_factory=dict)
    rentals: Mapping[str, Rental] = field(default_factory=dict)
    """In the order in which they were first rented."""
    queue: tuple[Waiting, ...] = ()
    replacements: Mapping[str, Replacement] = field(default_factory=dict)
    """Announced by the company, by the number that will be replaced."""
    scheduled_plan: str | None = None
    scheduled_for: datetime | None = None
    invoices: Mapping[str, Invoice] = field(default_factory=dict)
    """Open ones, oldest first."""
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    reversed: Mapping[str, Money] = field(default_factory=dict)
    """What was taken back of each charge that was touched."""
    reversed_deposits: frozenset[str] = frozenset()


State = Unregistered | Subscriber

_followed = changer(Subscriber, "version", "as_of")
_with_account = changer(Subscriber, "account")
_with_standing = changer(Subscriber, "standing")
_with_account_and_standing = changer(Subscriber, "account", "standing")
_with_orders = changer(Subscriber, "orders")
_with_orders_and_queue = changer(Subscriber, "orders", "queue")
_with_rentals = changer(Subscriber, "rentals")
_with_standing_and_rentals = changer(Subscriber, "standing", "rentals")
_order_with_units = changer(Order, "units")
_charged_order = changer(Order, "plan", "charge")
_rental_with_units = changer(Rental, "units")
_subscriber = maker(Subscriber)
_profile = maker(Profile)
_account = maker(Account)
_lot = maker(Lot)
_take = maker(Take)
_order = maker(Order)
_waiting = maker(Waiting)
_new_rental = maker(Rental)


def evolve(state: State, recorded: Recorded) -> State:
    """The state after `recorded`. Raises CorruptStream for a fact that cannot follow this state."""
    if recorded.version != state.version + 1:
        raise CorruptStream(f"{recorded.subject}: expected version {state.version + 1}, found {recorded.version}")
    fact = recorded.fact
    if isinstance(state, Unregistered):
        return _registered(state, recorded)
    if isinstance(fact, PUBLISHED):
        raise CorruptStream(f"{recorded.id}: a fact of the catalogue in a subscriber's stream")
    passed = _passed_silently(state, recorded)
    followed = _followed(passed, recorded.version, max(state.as_of, recorded.recorded_at))
    return _applied(followed, fact, recorded)


def at_end_of_log(state: State, last_asked: datetime | None) -> State:
    """What a store answers for what it has folded: the state at the subject's last instant, if that left no fact.

    Before the last fact nobody can know whether more follow.
    """
    if not isinstance(state, Subscriber):
        return state
    return resumed(state if last_asked is None else replace(state, as_of=max(state.as_of, last_asked)))


def resumed(state: Subscriber) -> Subscriber:
    """The state of a log that ends here: what was due by its last instant was decided, also where no fact says so."""
    while state.next_boundary <= state.as_of:
        state = pass_boundary(state)
    return pass_replacements(state, state.as_of, inclusive=True) if state.replacements else state


def pass_boundary(state: Subscriber) -> Subscriber:
    """The next boundary is behind: every rental that it left unpaid waits in the queue, in the order first rented."""
    boundary = state.next_boundary
    queue, rentals = list(state.queue), dict(state.rentals)
    for rental in state.rentals.values():
        if rental.paid_until > boundary or _waits_since(state, rental, boundary):
            continue
        queue = [*_without_replaced(queue, rental), _renewal_waiting(state, rental, boundary)]
        rentals[rental.number] = replace(rental, unpaid_since=rental.unpaid_since or boundary)
    return replace(
        state,
        queue=tuple(queue),
        rentals=rentals,
        next_boundary=next_boundary(boundary, state.profile.time_zone),
    )


def _waits_since(state: Subscriber, rental: Rental, boundary: datetime) -> bool:
    return any(item.renewal and item.number == rental.number and item.since == boundary for item in state.queue)


def _without_replaced(queue: Iterable[Waiting], rental: Rental) -> Iterator[Waiting]:
    """A rental that was suspended owes nothing for the time before: its new renewal replaces the one that waits."""
    return (item for item in queue if not (rental.suspended and item.renewal and item.number == rental.number))


def _renewal_waiting(state: Subscriber, rental: Rental, boundary: datetime) -> Waiting:
    return Waiting(
        number=rental.number, since=boundary, renewal=True, plan=state.profile.plan, channels=rental.channels
    )


def pass_replacements(state: Subscriber, until: datetime, *, inclusive: bool = False) -> Subscriber:
    """Announced replacements whose instant is behind and that did not happen, for the new number is taken, are void."""
    void = {
        number
        for number, one in state.replacements.items()
        if (one.at < until or (inclusive and one.at == until)) and taken(state, one.new_number)
    }
    if not void:
        return state
    return replace(
        state, replacements={number: one for number, one in state.replacements.items() if number not in void}
    )


def taken(state: Subscriber, number: str) -> bool:
    """Whether the subscriber rents or has ordered `number`."""
    return number in state.rentals or number in state.orders


def spend(lots: tuple[Lot, ...], amount: Money) -> Takes:
    """What `amount` takes from each lot in their order, as far as they reach; the last one keeps what is left over."""
    takes = []
    for lot in lots:
        if not amount.units:
            break
        taken = min(lot.left, amount)
        takes.append(_take(lot=lot.id, amount=taken))
        amount = amount - taken
    return tuple(takes)


def age(lot: str, received_at: datetime) -> tuple[datetime, int]:
    """The order of lots: by when the money was received, then by the order of arrival."""
    return received_at, int(lot.rpartition("/")[2])


def invoice_of(recorded: Recorded, issued: InvoiceIssued, *, renewal: bool, outstanding: Money) -> Invoice:
    """The invoice that a fact issued, with what is outstanding on it."""
    return Invoice(
        id=recorded.id,
        number=issued.number,
        renewal=renewal,
        issued_at=recorded.effective_at,
        due=issued.due,
        period_start=issued.period.start,
        period_end=issued.period.end,
        outstanding=outstanding,
    )


def _registered(state: Unregistered, recorded: Recorded) -> State:
    fact = recorded.fact
    if isinstance(fact, CommandRefused):
        return replace(state, version=recorded.version, as_of=recorded.recorded_at)
    if not isinstance(fact, SubscriberRegistered):
        raise CorruptStream(f"{recorded.id}: {type(fact).__name__} before the registration")
    return _subscriber(
        subject=state.subject,
        version=recorded.version,
        as_of=recorded.recorded_at,
        profile=_profile(
            regulations=fact.regulations,
            currency=fact.currency,
            plan=fact.plan,
            holder=fact.holder,
            autorenew=fact.autorenew,
            first_account=fact.first_account,
            time_zone=fact.time_zone,
            registered_at=recorded.effective_at,
        ),
        account=_account(balance=Money(0, fact.currency)),
        next_boundary=period_of(recorded.effective_at, fact.time_zone).end,
    )


def _passed_silently(state: Subscriber, recorded: Recorded) -> Subscriber:
    if recorded.due:
        while state.next_boundary < recorded.effective_at:
            state = pass_boundary(state)
        return pass_replacements(state, recorded.effective_at) if state.replacements else state
    while state.next_boundary <= recorded.recorded_at:
        state = pass_boundary(state)
    return pass_replacements(state, recorded.recorded_at, inclusive=True) if state.replacements else state


def _applied(state: Subscriber, fact: SubscriberFact, recorded: Recorded) -> Subscriber:
    match fact:
        case UsageCharged():
            return _used(state, fact)
        case DepositCredited():
            return _deposited(state, fact, recorded)
        case PeriodicServiceCharged():
            charged = state if fact.invoice else _debited(state, fact.amount, fact.paid_from)
            return _period_paid(charged, fact, recorded)
        case IncludedUnitsGranted():
            return _units_set(state, fact.number, fact.service, fact.units)
        case IncludedUnitsLapsed():
            return _units_set(state, fact.number, fact.service, None)
        case CommandRefused() | UsageCutOff() | WarningIssued():
            return state
        case ConnectionFeeCharged():
            state = _standing(state, connection_fee=fact.amount)
            return state if fact.invoice else _debited(state, fact.amount, fact.paid_from)
        case AdministrativeServiceCharged() | ConnectionFeeDifferenceCharged():
            return _debited(state, fact.amount, fact.paid_from)
        case TaxCharged():
            return state if fact.invoice else _debited(state, fact.amount, fact.paid_from)
        case RemainingTermCharged() | BalanceForfeited() | RemainderWrittenOff():
            return _debited(state, fact.amount, fact.paid_from)
        case OrderPlaced():
            return _ordered(state, fact, recorded)
        case OrderCancelled():
            return _without_order(state, fact.number)
        case NumberRented():
            return _rented(state, fact, recorded)
        case ChannelsAdded():
            rental = _rental(state, fact.number)
            return _with_rental(state, replace(rental, channels=rental.channels + fact.count))
        case AutorenewSet():
            return _autorenew_set(state, fact)
        case NumberReplacementAnnounced():
            _rental(state, fact.number)
            announced = Replacement(new_number=fact.new_number, at=fact.takes_effect_at)
            return replace(state, replacements={**state.replacements, fact.number: announced})
        case NumberReplaced():
            return _renumbered(state, fact)
        case RentalSuspended():
            return _suspended(state, fact)
        case RentalResumed():
            rental = _rental(state, fact.number)
            return _with_rental(state, replace(rental, suspended=False, unpaid_since=None))
        case RentalEnded():
            _rental(state, fact.number)
            rentals = {number: rental for number, rental in state.rentals.items() if number != fact.number}
            queue = tuple(item for item in state.queue if item.number != fact.number)
            replacements = {number: one for number, one in state.replacements.items() if number != fact.number}
            invoices = {
                key: replace(one, ended=True) if one.is_of_rental(fact.number) else one
                for key, one in state.invoices.items()
            }
            return replace(state, rentals=rentals, queue=queue, replacements=replacements, invoices=invoices)
        case VerificationPassed():
            return _standing(state, verified=True)
        case AgreementConcluded():
            return _standing(state, concluded=True)
        case RegistrationRefused():
            return _standing(state, refused=True)
        case ServicesSuspended():
            return _standing(state, suspended=True)
        case ServicesResumed():
            return _standing(state, suspended=False)
        case ViolationRecorded():
            return _standing(state, violations=state.standing.violations + 1, in_breach=True)
        case TerminationAnnounced():
            announced_end = Announced(
                ends_at=fact.ends_at, cause=fact.cause, charge_remaining_term=fact.charge_remaining_term
            )
            in_breach = state.standing.in_breach or fact.cause == "violation"
            return _standing(state, announced=announced_end, in_breach=in_breach)
        case AgreementTerminated():
            ended = _standing(state, ended=fact.cause, announced=None)
            return replace(ended, queue=(), orders={}, scheduled_plan=None, scheduled_for=None)
        case PlanChangeScheduled():
            return replace(state, scheduled_plan=fact.plan, scheduled_for=fact.takes_effect_at)
        case PlanChangeWithdrawn() | PlanChangeLapsed():
            return replace(state, scheduled_plan=None, scheduled_for=None)
        case PlanChanged():
            changed = replace(state, scheduled_plan=None, scheduled_for=None)
            return replace(changed, profile=replace(state.profile, plan=fact.plan))
        case DepositReversed():
            reversed_ = _debited(state, fact.amount, fact.paid_from)
            return replace(reversed_, reversed_deposits=state.reversed_deposits | {fact.deposit})
        case CompensationGranted():
            return _credited(state, fact.amount, _gift(recorded, fact.amount))
        case AdjustmentPosted():
            if fact.amount.units > 0:
                return _credited(state, fact.amount, _gift(recorded, fact.amount))
            return _debited(state, -fact.amount, fact.paid_from)
        case ChargeReversed():
            return _reversed(state, fact)
        case InvoiceIssued():
            return _invoiced(state, fact, recorded)
        case PaymentAllocated():
            paid = _debited(state, fact.amount, fact.paid_from)
            return _settle_part(paid, fact.invoice, fact.amount)
        case InvoiceExpired():
            return _expired(state, fact)
        case RefundRequested():
            return _refund(state, recorded.id, Refund(decided=False))
        case RefundApproved():
            return _refund(state, fact.refund, replace(state.refunds[fact.refund], decided=True))
        case RefundDenied():
            return _refund(state, fact.refund, replace(state.refunds[fact.refund], decided=True, denied=True))
        case RefundDue():
            owed = _debited(state, fact.amount + fact.fee, fact.paid_from)
            return _refund(owed, fact.refund, Refund(due=fact.amount))
        case RefundPaid():
            return _refund(state, fact.refund, replace(state.refunds[fact.refund], paid=True))
        case DisputeOpened():
            return replace(state, disputes={**state.disputes, recorded.id: Dispute(charge=fact.charge)})
        case DisputeResolved():
            resolved = replace(state.disputes[fact.dispute], resolved=True)
            return replace(state, disputes={**state.disputes, fact.dispute: resolved})
        case AgreementTransferred():
            return replace(state, profile=replace(state.profile, holder=fact.holder))
        case PersonalDataErased():
            return replace(state, profile=replace(state.profile, erased=True))
        case SubscriberRegistered():
            raise CorruptStream(f"{recorded.id}: registered a second time")
        case _:
            assert_never(fact)


def _standing(state: Subscriber, **changes: Any) -> Subscriber:
    return _with_standing(state, replace(state.standing, **changes))


def _rental(state: Subscriber, number: str) -> Rental:
    try:
        return state.rentals[number]
    except KeyError:
        raise CorruptStream(f"{state.subject}: {number} is not rented") from None


def _with_rental(state: Subscriber, rental: Rental) -> Subscriber:
    return _with_rentals(state, {**state.rentals, rental.number: rental})


def _refund(state: Subscriber, refund: str, value: Refund) -> Subscriber:
    return replace(state, refunds={**state.refunds, refund: value})


def _gift(recorded: Recorded, amount: Money) -> Lot:
    return Lot(id=recorded.id, left=amount, received_at=recorded.effective_at, method=None)


def _credited(state: Subscriber, amount: Money, lot: Lot) -> Subscriber:
    return replace(state, account=_filled(state.account, amount, lot, deposits=state.account.deposits))


def _filled(account: Account, amount: Money, lot: Lot, *, deposits: int) -> Account:
    """The debt is filled first; what is above it is the lot's."""
    balance, lots = account.balance + amount, account.lots
    if account.balance.units >= 0:
        lots = _with_lot(lots, lot) if amount.units else lots
    elif balance.units > 0:
        lots = _with_lot(lots, replace(lot, left=balance))
    return _account(balance=balance, lots=lots, deposits=deposits, spent=account.spent)


def _with_lot(lots: tuple[Lot, ...], lot: Lot) -> tuple[Lot, ...]:
    if not lots or age(lots[-1].id, lots[-1].received_at) < age(lot.id, lot.received_at):
        return (*lots, lot)
    return tuple(sorted((*lots, lot), key=lambda one: age(one.id, one.received_at)))


def _debited(state: Subscriber, amount: Money, takes: Takes) -> Subscriber:
    if not amount.units:
        return state
    return _with_account(state, _spent(state.account, amount, takes))


def _spent(account: Account, amount: Money, takes: Takes) -> Account:
    lots = _taken(account.lots, takes)
    return _account(balance=account.balance - amount, lots=lots, deposits=account.deposits, spent=True)


def _taken(lots: tuple[Lot, ...], takes: Takes) -> tuple[Lot, ...]:
    """What the takes leave of the lots. They begin with the oldest, so that most lots need not be looked at."""
    taken = {take.lot: take.amount for take in takes}
    kept = []
    for place, lot in enumerate(lots, 1):
        if lot.id not in taken:
            kept.append(lot)
        elif (left := lot.left - taken.pop(lot.id)).units:
            kept.append(_lot(id=lot.id, left=left, received_at=lot.received_at, method=lot.method))
        if not taken:
            return (*kept, *lots[place:])
    return tuple(kept)


def _deposited(state: Subscriber, fact: DepositCredited, recorded: Recorded) -> Subscriber:
    lot = _lot(id=recorded.id, left=fact.amount, received_at=fact.received_at, method=fact.method)
    account = _filled(state.account, fact.amount, lot, deposits=state.account.deposits + 1)
    standing = state.standing if state.standing.funded else replace(state.standing, funded=True)
    return _with_account_and_standing(state, account, standing)


def _used(state: Subscriber, fact: UsageCharged) -> Subscriber:
    """Included units, then money."""
    paid = _debited(state, fact.amount, fact.paid_from)
    if not fact.included:
        return paid
    rental = _rental(state, fact.number)
    left = rental.units[fact.service] - fact.included
    return _with_rental(paid, _rental_with_units(rental, {**rental.units, fact.service: left}))


def _units_set(state: Subscriber, number: str, service: str, units: int | None) -> Subscriber:
    holder = state.orders.get(number) or _rental(state, number)
    others = {name: left for name, left in holder.units.items() if name != service}
    changed = others if units is None else {**others, service: units}
    if isinstance(holder, Order):
        return _with_orders(state, {**state.orders, number: _order_with_units(holder, changed)})
    return _with_rental(state, _rental_with_units(holder, changed))


def _ordered(state: Subscriber, fact: OrderPlaced, recorded: Recorded) -> Subscriber:
    order = _order(
        number=fact.number,
        service=fact.service,
        channels=fact.channels,
        autorenew=fact.autorenew,
        periods=fact.periods,
        prepaid=fact.prepaid,
        placed_at=recorded.effective_at,
    )
    item = _waiting(number=fact.number, since=recorded.effective_at, renewal=False)
    return _with_orders_and_queue(state, {**state.orders, fact.number: order}, (*state.queue, item))


def _without_order(state: Subscriber, number: str) -> Subscriber:
    orders = {key: order for key, order in state.orders.items() if key != number}
    queue = tuple(item for item in state.queue if item.renewal or item.number != number)
    return _with_orders_and_queue(state, orders, queue)


def _rented(state: Subscriber, fact: NumberRented, recorded: Recorded) -> Subscriber:
    order = state.orders.get(fact.number)
    if order is None or not order.charge:
        raise CorruptStream(f"{recorded.id}: {fact.number} was rented without a paid order")
    rental = _new_rental(
        number=fact.number,
        service=fact.service,
        channels=fact.channels,
        autorenew=fact.autorenew,
        rented_at=recorded.effective_at,
        periods=fact.periods,
        term_ends_at=fact.term_ends_at,
        prepaid=fact.prepaid,
        paid_until=fact.period.end,
        plan=order.plan,
        charge=order.charge,
        units=order.units,
        term_units=order.units if fact.prepaid else {},
    )
    standing = state.standing
    if not standing.numbered:
        standing = replace(standing, numbered=True)
    rentals = {**state.rentals, fact.number: rental}
    return _with_standing_and_rentals(_without_order(state, fact.number), standing, rentals)


def _suspended(state: Subscriber, fact: RentalSuspended) -> Subscriber:
    """Its renewal waits from now on, unless an invoice demands it, behind what is owed for the time that it worked."""
    rental, start = _rental(state, fact.number), fact.period.start
    if rental.paid_until <= start:
        queue = (*_without_replaced(state.queue, rental), _renewal_waiting(state, rental, start))
        state = replace(state, queue=queue)
    return _with_rental(state, replace(rental, suspended=True, unpaid_since=rental.unpaid_since or start))


def _autorenew_set(state: Subscriber, fact: AutorenewSet) -> Subscriber:
    if fact.number in state.orders:
        order = replace(state.orders[fact.number], autorenew=fact.autorenew)
        return replace(state, orders={**state.orders, fact.number: order})
    return _with_rental(state, replace(_rental(state, fact.number), autorenew=fact.autorenew))


def _renumbered(state: Subscriber, fact: NumberReplaced) -> Subscriber:
    old, new = fact.number, fact.new_number
    rental = replace(_rental(state, old), number=new)
    announced = state.replacements.get(old)
    replacements = {number: one for number, one in state.replacements.items() if number != old}
    if announced is not None and announced.new_number != new:
        replacements[new] = announced
    return replace(
        state,
        replacements=replacements,
        rentals={new if key == old else key: rental if key == old else one for key, one in state.rentals.items()},
        queue=tuple(replace(item, number=new) if item.number == old else item for item in state.queue),
        invoices={
            key: replace(invoice, number=new) if invoice.is_of_rental(old) else invoice
            for key, invoice in state.invoices.items()
        },
    )


def _period_paid(state: Subscriber, fact: PeriodicServiceCharged, recorded: Recorded) -> Subscriber:
    """Remembers the charge, and where it is a rental's own renewal, that the period is paid (or invoiced)."""
    holder = state.orders.get(fact.number) or _rental(state, fact.number)
    if fact.service == CHANNEL:
        return state
    if isinstance(holder, Order):
        return _with_orders(state, {**state.orders, fact.number: _charged_order(holder, fact.plan, recorded.id)})
    start = fact.period.start
    queue = tuple(
        item
        for item in state.queue
        if not (
            item.renewal
            and item.number == fact.number
            and (item.since == start or (holder.suspended and item.since < start))
        )
    )
    waiting = [item.since for item in queue if item.renewal and item.number == fact.number]
    unpaid_since = holder.unpaid_since if fact.invoice else min(waiting, default=None)
    paid = replace(
        holder,
        plan=fact.plan,
        charge=recorded.id,
        paid_until=fact.period.end,
        unpaid_since=unpaid_since,
    )
    return replace(_with_rental(state, paid), queue=queue)


def _invoiced(state: Subscriber, fact: InvoiceIssued, recorded: Recorded) -> Subscriber:
    renewal = fact.number in state.rentals
    if not renewal:
        order = replace(state.orders[fact.number], invoice=recorded.id)
        state = replace(state, orders={**state.orders, fact.number: order})
        if not state.standing.numbered and state.standing.fee_invoice is None:
            state = _standing(state, fee_invoice=recorded.id)
    if not fact.total.units:
        return state
    invoice = invoice_of(recorded, fact, renewal=renewal, outstanding=fact.total)
    return replace(state, invoices={**state.invoices, invoice.id: invoice})


def _settle_part(state: Subscriber, invoice: str, amount: Money) -> Subscriber:
    left = state.invoices[invoice].outstanding - amount
    if left.units:
        open_ = replace(state.invoices[invoice], outstanding=left)
        return replace(state, invoices={**state.invoices, invoice: open_})
    return replace(state, invoices={key: one for key, one in state.invoices.items() if key != invoice})


def _expired(state: Subscriber, fact: InvoiceExpired) -> Subscriber:
    state = replace(state, invoices={key: one for key, one in state.invoices.items() if key != fact.invoice})
    order = state.orders.get(fact.number)
    if order is not None and order.invoice == fact.invoice:
        state = replace(state, orders={**state.orders, fact.number: replace(order, invoice=None)})
    if state.standing.fee_invoice == fact.invoice:
        state = _standing(state, fee_invoice=None)
    return _refilled(state, fact.returned, fact.restored)


def _reversed(state: Subscriber, fact: ChargeReversed) -> Subscriber:
    nothing = fact.amount.zero()
    taken_back = {**state.reversed, fact.charge: fact.amount + state.reversed.get(fact.charge, nothing)}
    if fact.tax_charge is not None:
        taken_back[fact.tax_charge] = fact.tax + state.reversed.get(fact.tax_charge, nothing)
    state = replace(state, reversed=taken_back)
    if fact.invoice is not None:
        state = _settle_part(state, fact.invoice, fact.lowered)
    return _refilled(state, fact.credited, fact.restored)


def _refilled(state: Subscriber, amount: Money, refills: Refills) -> Subscriber:
    lots = state.account.lots
    for refill in refills:
        lots = _with_refill(lots, refill)
    account = replace(state.account, balance=state.account.balance + amount, lots=lots)
    return replace(state, account=account)


def _with_refill(lots: tuple[Lot, ...], refill: Refill) -> tuple[Lot, ...]:
    if any(lot.id == refill.lot for lot in lots):
        return tuple(replace(lot, left=lot.left + refill.amount) if lot.id == refill.lot else lot for lot in lots)
    lot = Lot(id=refill.lot, left=refill.amount, received_at=refill.received_at, method=refill.method)
    return _with_lot(lots, lot)
