"""Time does its part first: what falls due, in which order, and what happens then (CONTRACT §3, RULES)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain import disputes, ending, invoices, numbers, plans, renewals
from domain.case import Case
from domain.catalogue import Catalogue, Regulations
from domain.periods import local_date, start_of_day
from domain.queue import before, queue_if_freed
from domain.state import Invoice, Order, Rental, State, Subscriber, Unregistered, pass_boundary


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """Something that happens by itself at `at`; ties are settled by `rank`.

    `after`: it is due only later than that instant, so that what comes in at that very instant still counts.
    """

    at: datetime
    rank: int
    act: Callable[[Case], None] = field(compare=False)
    after: bool = field(default=False, compare=False)

    def reached(self, now: datetime) -> bool:
        return self.at < now if self.after else self.at <= now


def advance(case: Case) -> None:
    """Decides everything that has fallen due up to and including now, each at its own instant."""
    if case.now < case.state.next_boundary and not may_fall_due_within_a_period(case.state):
        return
    while (due := _first_due(case.state, case.catalogue)) is not None and due.reached(case.now):
        case.effective_at, case.due = due.at, True
        due.act(case)
    case.effective_at, case.due = case.now, False


def may_fall_due_within_a_period(state: Subscriber) -> bool:
    """Whether anything but the next boundary can come by time alone; most accounts have nothing, and are told fast."""
    return bool(state.orders or state.queue or state.invoices or state.replacements)


def due(state: State, catalogue: Catalogue) -> datetime | None:
    """The next instant at which time alone may change the account; None where it never will."""
    if isinstance(state, Unregistered):
        return None
    living = state.rentals or state.orders or state.scheduled_plan or state.standing.announced
    first = _first_due(state, catalogue) if living else min(_invoice_dues(state, catalogue), default=None)
    if first is None:
        return None
    return first.at + timedelta(microseconds=1) if first.after else first.at


def _first_due(state: Subscriber, catalogue: Catalogue) -> Due | None:
    if state.standing.ended or state.standing.refused:
        return min(_invoice_dues(state, catalogue), default=None)
    return min(_dues(state, catalogue), default=None)


def _dues(state: Subscriber, catalogue: Catalogue) -> Iterator[Due]:
    yield Due(state.next_boundary, 0, boundary)
    for announced in state.replacements.values():
        yield Due(announced.at, 2, numbers.replacement)
    unpaid = unpaid_rentals(state)
    if unpaid:
        yield from _unpaid_ends_in_days(state, catalogue, unpaid)
    for order in state.orders.values() if not state.standing.funded else ():
        deadline = _funding_deadline(state, catalogue, order)
        if deadline is not None:
            yield Due(deadline, 3, funding, after=True)
    yield from _invoice_dues(state, catalogue)


def _invoice_dues(state: Subscriber, catalogue: Catalogue) -> Iterator[Due]:
    for invoice in _expiring(state, catalogue):
        yield Due(invoice.due, 4, invoice_expiry, after=True)


def _expiring(state: Subscriber, catalogue: Catalogue) -> Iterator[Invoice]:
    """Open invoices that expire, by the regulations that they were issued under, the oldest first."""
    for invoice in state.invoices.values():
        regulations = _regulations(state, catalogue, invoice.issued_at)
        if regulations.unpaid_invoice == "expires" and regulations.invoice_due_days is not None:
            yield invoice


def boundary(case: Case) -> None:
    """A period ends and the next begins: units lapse, what ends ends, the plan changes, rentals are renewed."""
    start = case.effective_at
    ending.lapse_units(case)
    announced = case.state.standing.announced
    if announced is not None and announced.ends_at <= start:
        ending.end_agreement(case, announced.cause, charge_remaining_term=announced.charge_remaining_term)
        return
    was = before(case)
    last_end = _unpaid_ends_in_months(case, start)
    last_end = renewals.not_renewed(case, start) or last_end
    if last_end is not None and case.regulations.agreement_ends_with_last_rental:
        ending.end_with_last_rental(case, *last_end)
    if case.state.standing.ended:
        return
    queue_if_freed(case, was)
    plans.plan_change(case)
    if case.regulations.invoiced and case.state.standing.concluded:
        invoices.reissue_orders(case)
    renewals.renewal(case, start)
    if not case.state.standing.ended:
        case.state = pass_boundary(case.state)


def funding(case: Case) -> None:
    """No funds in time: the waiting orders are cancelled (telnexx/funding-36h)."""
    was = before(case)
    for order in list(case.state.orders.values()):
        if _funding_deadline(case.state, case.catalogue, order) == case.effective_at:
            invoices.expire_order(case, order, "no funds in time", "funding")
    queue_if_freed(case, was)


def invoice_expiry(case: Case) -> None:
    """The oldest invoice not paid in time is withdrawn, with what it was for; its money may pay the next one.

    Source: calycom/invoice-3d.
    """
    invoice = next(one for one in _expiring(case.state, case.catalogue) if one.due == case.effective_at)
    balance = case.balance
    order = case.state.orders.get(invoice.number)
    if order is not None and order.invoice == invoice.id:
        invoices.expire_order(case, order, "invoice not paid", "expiry")
    else:
        invoices.expiry(case, invoice, "not paid")
        _end_expired_rental(case, invoice)
    returned = case.balance - balance
    if case.state.standing.ended:
        disputes.after_a_raise(case, returned)
    else:
        invoices.oldest_invoice_first(case)


def _end_expired_rental(case: Case, invoice: Invoice) -> None:
    rental = case.state.rentals.get(invoice.number)
    if rental is not None and invoice.is_of_rental(rental.number):
        ended = ending.end_unpaid(case, rental, "expiry")
        if case.regulations.agreement_ends_with_last_rental:
            ending.end_with_last_rental(case, *ended)


def unpaid_rentals(state: Subscriber) -> list[tuple[Rental, datetime]]:
    """Rentals with an unpaid period, and since when the oldest one is."""
    unpaid = []
    for rental in state.rentals.values():
        since = rental.unpaid_since
        if since is None and state.invoices:
            issued = [one.issued_at for one in state.invoices.values() if one.is_of_rental(rental.number)]
            since = min(issued, default=None)
        if since is not None:
            unpaid.append((rental, since))
    return unpaid


def _unpaid_ends_in_months(case: Case, start: datetime) -> ending.Ended | None:
    """Unpaid for the allowed whole periods: the rental ends before anything is renewed (telnexx/unpaid-termination)."""
    last = None
    for rental, since in unpaid_rentals(case.state):
        grace = _regulations(case.state, case.catalogue, since).unpaid_ends_after
        if (
            grace is not None
            and grace.months is not None
            and renewals.months_over(since, grace.months, start, case.zone)
        ):
            last = ending.end_after_grace(case, rental, since)
    return last


def unpaid_end_in_days(case: Case) -> None:
    """Unpaid for the allowed days: the rental ends, with the last one the agreement (hexaserv/grace-7d)."""
    was = before(case)
    for rental, since in unpaid_rentals(case.state):
        if _days_over_at(case.state, case.catalogue, since) == case.effective_at:
            ending.end_with_last_rental(case, *ending.end_after_grace(case, rental, since))
    if not case.state.standing.ended:
        queue_if_freed(case, was)


def _unpaid_ends_in_days(
    state: Subscriber, catalogue: Catalogue, unpaid: list[tuple[Rental, datetime]]
) -> Iterator[Due]:
    for _, since in unpaid:
        over_at = _days_over_at(state, catalogue, since)
        if over_at is not None:
            yield Due(over_at, 1, unpaid_end_in_days)


def _days_over_at(state: Subscriber, catalogue: Catalogue, since: datetime) -> datetime | None:
    grace = _regulations(state, catalogue, since).unpaid_ends_after
    if grace is None or grace.days is None:
        return None
    zone = state.profile.time_zone
    return start_of_day(local_date(since, zone) + timedelta(days=grace.days + 1), zone)


def _funding_deadline(state: Subscriber, catalogue: Catalogue, order: Order) -> datetime | None:
    hours = _regulations(state, catalogue, order.placed_at).funding_hours
    if hours is None or state.standing.funded:
        return None
    first_window = state.profile.registered_at + timedelta(hours=hours)
    return first_window if order.placed_at <= first_window else order.placed_at + timedelta(hours=hours)


def _regulations(state: Subscriber, catalogue: Catalogue, at: datetime) -> Regulations:
    regulations = catalogue.in_force(state.profile.regulations, at)
    if regulations is None:
        raise LookupError(f"{state.subject}: no regulations {state.profile.regulations} in force at {at}")
    return regulations
