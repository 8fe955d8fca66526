"""What is owed and waits: one queue, paid strictly in order, each item whole (telnexx/fifo), or invoices, oldest first."""

from domain import invoices
from domain.case import Case
from domain.charging import charge, connect, included_units
from domain.facts import RentalResumed
from domain.money import Money
from domain.prices import Bill, order_bill, renewal_bill
from domain.state import Waiting


def available(case: Case) -> Money:
    """The balance less all that waits for it; an order at today's price, the connection fee once."""
    left = case.balance
    if not case.state.queue:
        return left
    fee_due = connection_fee_due(case)
    for item in case.state.queue:
        if item.renewal or case.state.orders[item.number].invoice is None:
            left = left - _bill(case, item, with_fee=fee_due).total
        fee_due = fee_due and item.renewal
    return left


def affordable(case: Case, price: Money) -> bool:
    """Whether something that is paid at once can be paid: nothing can while the balance is below zero."""
    return case.balance.units >= 0 and price <= available(case)


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


def queue_if_head_left(case: Case, head: Waiting | None) -> None:
    """Pays the queue where `head`, which was its head, has gone: what it held back may go on."""
    if head is not None and (not case.state.queue or case.state.queue[0] != head):
        queue(case)


def head_of(case: Case) -> Waiting | None:
    return case.state.queue[0] if case.state.queue else None


def connection_fee_due(case: Case) -> bool:
    """The connection fee comes with the first number, and never twice."""
    standing = case.state.standing
    return not standing.numbered and standing.fee_invoice is None


def pay_renewal(case: Case, item: Waiting, bill: Bill) -> None:
    """A rental's period, its channels, its units; a rental that was suspended for it works again."""
    charge(case, bill)
    if bill.period.end > case.effective_at:
        included_units(case, item.number, item.plan, bill.period, item.since)
    rental = case.state.rentals[item.number]
    if rental.suspended and rental.paid_until > case.effective_at:
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
