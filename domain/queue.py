"""What is owed and waits: one queue, paid strictly in order, each item whole, or invoices, the oldest first."""

from dataclasses import dataclass

from domain import invoices
from domain.case import Case
from domain.charging import charge, connect, included_units
from domain.facts import RentalResumed
from domain.money import Money
from domain.prices import Bill, connection_fee_due, order_bill, renewal_bill
from domain.state import Waiting


def available(case: Case) -> Money:
    """The balance less all that waits for it: open invoices; orders at today's price, the connection fee once."""
    left = case.balance
    if case.state.invoices:
        left = left - invoices.outstanding(case)
    if not case.state.queue:
        return left
    fee_due = connection_fee_due(case)
    for item in case.state.queue:
        if item.renewal or case.state.orders[item.number].invoice is None:
            left = left - _bill(case, item, with_fee=fee_due).total
        fee_due = False
    return left


def affordable(case: Case, price: Money) -> bool:
    """Whether something that is paid at once can be paid: nothing can while the balance is below zero."""
    return case.balance.units >= 0 and price <= available(case)


def shortage(case: Case, price: Money) -> str:
    """What is needed and what is there, with what waits for the balance: the reason of a refusal."""
    left = available(case)
    waiting = case.balance - left
    sum_of = f": {case.balance} less {waiting} that waits" if waiting else ""
    return f"{price} {price.currency} is needed, {left} is available{sum_of}"


def queue(case: Case) -> None:
    """Pays what waits, from the head, and stops at the first item that cannot be paid whole."""
    if not case.state.standing.concluded or case.state.standing.ended:
        return
    if case.regulations.invoiced:
        invoices.demand_waiting_orders(case)
        invoices.oldest_invoice_first(case)
        return
    while case.state.queue and _paid(case, case.state.queue[0]):
        pass


@dataclass(frozen=True, slots=True)
class Before:
    """What waited and what the balance was, to tell afterwards whether something was freed."""

    waiting: frozenset[Waiting]
    balance: Money


def before(case: Case) -> Before:
    return Before(frozenset(case.state.queue), case.balance)


def queue_if_freed(case: Case, was: Before) -> None:
    """Pays the queue where the balance was raised, or something that waited has gone."""
    if case.balance > was.balance or not was.waiting <= frozenset(case.state.queue):
        queue(case)


def pay_renewal(case: Case, item: Waiting, bill: Bill) -> None:
    """A rental's period, its channels, its units; a rental that was suspended for it works again."""
    charge(case, bill)
    if bill.period.end > case.effective_at:
        included_units(case, item.number, item.plan, bill.period, item.since)
    still_owed = any(one.renewal and one.number == item.number for one in case.state.queue)
    if case.state.rentals[item.number].suspended and not still_owed:
        case.record(RentalResumed(number=item.number), "suspension")


def _paid(case: Case, item: Waiting) -> bool:
    bill = _bill(case, item, with_fee=connection_fee_due(case))
    if case.balance.units < 0 or case.balance < bill.total:
        return False
    if item.renewal:
        pay_renewal(case, item, bill)
    else:
        order = case.state.orders[item.number]
        charge(case, bill)
        connect(case, case.state.orders[order.number])
    return True


def _bill(case: Case, item: Waiting, *, with_fee: bool) -> Bill:
    if item.renewal:
        return renewal_bill(case, case.state.rentals[item.number], item)
    return order_bill(case, case.state.orders[item.number], with_fee=with_fee)
