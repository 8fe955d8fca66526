"""Invoices: issued when something falls due, paid oldest first and in part, withdrawn when their time is over."""

from datetime import datetime, timedelta

from domain import accounts
from domain.case import Case
from domain.charging import Returned, charge, connect, included_units, refills
from domain.facts import InvoiceExpired, InvoiceIssued, Line, OrderCancelled, PaymentAllocated, RentalResumed
from domain.money import Money
from domain.periods import Period
from domain.prices import Bill, connection_fee_due, order_bill
from domain.reversals import allocated
from domain.state import Invoice, Order, invoice_of


def outstanding(case: Case) -> Money:
    """What is invoiced and unpaid: shown beside the balance, never netted."""
    total = case.zero
    for invoice in case.state.invoices.values():
        total = total + invoice.outstanding
    return total


def issue(case: Case, bill: Bill, purpose: str) -> str:
    """An invoice with its lines and its tax, due after `invoice_due_days` × 24 h (illyvoip/advance-invoices)."""
    lines = tuple(
        Line(label=line.service or "connection", account=_account(line.service), amount=line.amount)
        for line in bill.lines
    )
    issued = InvoiceIssued(
        number=bill.number,
        purpose=purpose,
        period=bill.period,
        lines=lines,
        tax=bill.tax_amount,
        total=bill.total,
        due=case.effective_at + timedelta(days=case.regulations.invoice_due_days or 0),
    )
    invoice = case.record(issued, "invoice")
    charge(case, bill, invoice)
    return invoice


def demand_waiting_orders(case: Case) -> None:
    """Issues an invoice for each order that has none, and applies the balance to it."""
    for order in list(case.state.orders.values()):
        if order.invoice is None:
            _demand(case, order)


def oldest_invoice_first(case: Case, stale_before: datetime | None = None) -> None:
    """Applies the balance to open invoices, the oldest first, the last one in part if need be.

    Orders' invoices issued before `stale_before` are about to be withdrawn; none of them is paid in full any more: a
    number would be connected for a new period at the last one's prorated price.
    """
    while case.balance.units > 0 and (invoice := _oldest_payable(case, stale_before)) is not None:
        amount = min(case.balance, invoice.outstanding)
        allocated = PaymentAllocated(invoice=invoice.id, amount=amount, paid_from=case.takes(amount))
        case.record(allocated, "queue")
        if invoice.id not in case.state.invoices:
            settled(case, invoice)


def _oldest_payable(case: Case, stale_before: datetime | None) -> Invoice | None:
    for invoice in case.state.invoices.values():
        stale = not invoice.renewal and stale_before is not None and invoice.issued_at < stale_before
        if not (stale and case.balance >= invoice.outstanding):
            return invoice
    return None


def settled(case: Case, invoice: Invoice) -> None:
    """Nothing is outstanding on the invoice any more: its number is connected, or works again."""
    order = case.state.orders.get(invoice.number)
    if order is not None and order.invoice == invoice.id:
        if not case.state.standing.ended:
            connect(case, order)
        return
    rental = case.state.rentals.get(invoice.number)
    if rental is None or not invoice.is_of_rental(rental.number):
        return
    if rental.suspended and not renewals_open(case, rental.number):
        if invoice.period_end > case.effective_at:
            grant_for_invoice(case, invoice)
        case.record(RentalResumed(number=invoice.number), "suspension")


def grant_for_invoice(case: Case, invoice: Invoice) -> None:
    """The included units of the period that a renewal's invoice demands payment for."""
    rental = case.state.rentals[invoice.number]
    period = Period(invoice.period_start, invoice.period_end)
    included_units(case, invoice.number, rental.plan, period, invoice.period_start)


def renewals_open(case: Case, number: str) -> list[Invoice]:
    """The unpaid invoices of a rental's renewals, the oldest first."""
    return [one for one in case.state.invoices.values() if one.is_of_rental(number)]


def expiry(case: Case, invoice: Invoice, reason: str, rule: str = "expiry") -> None:
    """The invoice is withdrawn; what was allocated to it returns to the lots it came from (calycom/invoice-3d)."""
    withdrawn = _withdrawn_lines(case, invoice)
    returned = case.zero
    for line in withdrawn:
        returned = returned + line.amount
    returned = returned - invoice.outstanding
    takes, before = allocated(case, invoice.id)
    expired = InvoiceExpired(
        invoice=invoice.id,
        number=invoice.number,
        reason=reason,
        withdrawn=withdrawn,
        outstanding=invoice.outstanding,
        returned=returned,
        restored=refills(case, Returned(amount=returned, takes=takes, before=before)),
    )
    case.record(expired, rule)


def expire_order(case: Case, order: Order, reason: str, rule: str) -> None:
    """An order goes: its invoice first, if one was issued, also where nothing of it is outstanding any more."""
    if order.invoice is not None:
        expiry(case, case.state.invoices.get(order.invoice) or _taken_back(case, order.invoice), reason, rule)
    case.record(OrderCancelled(number=order.number, reason=reason), rule)


def reissue_orders(case: Case) -> None:
    """At a boundary: unpaid order invoices are withdrawn and issued anew at the new period's whole price."""
    for order in list(case.state.orders.values()):
        if order.invoice is not None:
            expiry(case, case.state.invoices[order.invoice], "new period", "invoice")
            _demand(case, case.state.orders[order.number], stale_before=case.effective_at)


def _demand(case: Case, order: Order, stale_before: datetime | None = None) -> None:
    bill = order_bill(case, order, with_fee=connection_fee_due(case))
    invoice = issue(case, bill, "order")
    if bill.total.units:
        oldest_invoice_first(case, stale_before)
    elif case.state.orders[order.number].invoice == invoice:
        connect(case, case.state.orders[order.number])


def _taken_back(case: Case, invoice: str) -> Invoice:
    """An invoice of which reversals left nothing outstanding, while its order still waits."""
    recorded = case.fact(invoice)
    assert recorded is not None
    assert isinstance(recorded.fact, InvoiceIssued)
    return invoice_of(recorded, recorded.fact, renewal=False, outstanding=case.zero)


def _account(service: str | None) -> str:
    return accounts.CONNECTION if service is None else accounts.periodic(service)


def _withdrawn_lines(case: Case, invoice: Invoice) -> tuple[Line, ...]:
    """What the invoice still demands of each charge: the lines and the tax, less what disputes took back."""
    version = int(invoice.id.rpartition("/")[2])
    subject = case.state.subject
    lines = []
    for following in range(version + 1, version + 2 + 4):
        recorded = case.fact(f"{subject}/{following}")
        if recorded is None or getattr(recorded.fact, "invoice", None) != invoice.id:
            break
        account = accounts.income_of(recorded.fact)
        if account is None:
            break
        left = recorded.fact.amount - case.state.reversed.get(recorded.id, case.zero)  # type: ignore[union-attr]
        lines.append(Line(label=_label(account), account=account, charge=recorded.id, amount=left))
    return tuple(lines)


def _label(account: str) -> str:
    return "connection" if account == accounts.CONNECTION else account.rpartition(":")[2]
