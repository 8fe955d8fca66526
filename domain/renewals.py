"""Renewals at a boundary: what goes on is charged, what was declined ends, what cannot be paid waits."""

from datetime import datetime

from domain import ending, invoices
from domain.case import Case
from domain.charging import grant_units, included_units
from domain.ending import Ended
from domain.facts import RentalResumed, RentalSuspended
from domain.periods import Period, next_boundary, nth_period_end
from domain.prices import Bill, renewal_bill, renewal_of
from domain.queue import before, pay_renewal, queue, queue_if_freed
from domain.state import Rental
from domain.values import replace


def months_over(since: datetime, months: int, boundary: datetime, zone: str) -> bool:
    """Whether `months` whole periods have passed from the boundary `since` to `boundary`."""
    return nth_period_end(since, months, zone) <= boundary


def not_renewed(case: Case, start: datetime) -> Ended | None:
    """Rentals whose renewal was declined, or whose term is over without autorenew, end (telnexx/autorenew)."""
    last = None
    for rental in list(case.state.rentals.values()):
        running_term = rental.term_ends_at is not None and rental.term_ends_at > start
        if not rental.autorenew and not running_term:
            last = ending.end_rental(case, rental, "not_renewed", "autorenew")
    return last


def renewal(case: Case, start: datetime) -> None:
    """Continuing rentals in the order first rented, behind what waits already (telnexx/periodic-in-advance)."""
    blocked = _pay_what_waits(case)
    for number in list(case.state.rentals):
        rental = case.state.rentals[number]
        if rental.paid_until > start:
            _grant_within_term(case, rental, start)
            continue
        bill = renewal_bill(case, rental, renewal_of(case, rental, start))
        if case.regulations.invoiced:
            _renew_by_invoice(case, rental, bill)
        elif not blocked and bill.total <= case.balance and case.balance.units >= 0:
            pay_renewal(case, renewal_of(case, rental, start), bill)
        else:
            blocked = _unpaid(case, rental, bill)
        if case.state.standing.ended:
            return


def _pay_what_waits(case: Case) -> bool:
    """Pays the queue; True where something still waits that holds the renewals back.

    A suspended rental's old renewal does not: the new one takes its place.
    """
    suspended = {number for number, rental in case.state.rentals.items() if rental.suspended}
    kept = tuple(item for item in case.state.queue if not (item.renewal and item.number in suspended))
    case.state = replace(case.state, queue=kept)
    queue(case)
    return bool(case.state.queue)


def _unpaid(case: Case, rental: Rental, bill: Bill) -> bool:
    """The renewal cannot be paid; True where something waits.

    Source: telnexx/suspension, hexaserv/grace-7d, calycom/expiry.
    """
    policy = case.regulations.unpaid_renewal
    if policy == "end":
        was = before(case)
        ended = ending.end_unpaid(case, rental)
        if case.regulations.agreement_ends_with_last_rental:
            ending.end_with_last_rental(case, *ended)
        queue_if_freed(case, was)
        return bool(case.state.queue)
    if policy == "suspend":
        suspended = RentalSuspended(number=rental.number, period=bill.period, owed=bill.total)
        case.record(suspended, "suspension")
    return True


def _renew_by_invoice(case: Case, rental: Rental, bill: Bill) -> None:
    policy = case.regulations.unpaid_renewal
    payable = case.balance.units >= 0 and bill.total <= case.balance
    if policy == "end" and not payable:
        _unpaid(case, rental, bill)
        return
    if rental.suspended:
        for replaced in invoices.renewals_open(case, rental.number):
            invoices.expiry(case, replaced, "new period", "invoice")
    invoice = invoices.issue(case, bill, "renewal")
    invoices.oldest_invoice_first(case)
    unpaid = invoice in case.state.invoices
    if policy == "suspend" and unpaid:
        _unpaid(case, rental, bill)
    elif not rental.suspended:
        included_units(case, rental.number, bill.plan, bill.period, bill.period.start)
    elif case.state.rentals[rental.number].suspended and not unpaid:
        included_units(case, rental.number, bill.plan, bill.period, bill.period.start)
        case.record(RentalResumed(number=rental.number), "suspension")


def _grant_within_term(case: Case, rental: Rental, start: datetime) -> None:
    """A prepaid term's next period: nothing to pay, but its included units are granted, as many as in its first."""
    if rental.prepaid and rental.rented_at < start:
        period = Period(start, next_boundary(start, case.zone))
        grant_units(case, rental.number, rental.term_units, period)
