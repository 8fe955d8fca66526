"""One subscriber's state, and what falls due for it as time passes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .books import Books, Charge, Emit, Invoice, Lot, Posting
from .catalogue import Catalogue, Periodic, Regulations
from .values import (
    MICRO,
    ZERO,
    days_in_month,
    down,
    first_instant,
    half_up,
    local_date,
    minor,
    period_end,
    period_ends,
    periods_between,
    plus_days,
)

Instant = dt.datetime


@dataclass(eq=False)
class Order:
    """A number that waits for its money."""

    number: str
    service: str
    channels: int
    autorenew: bool
    periods: int | None
    prepaid: bool
    placed_at: Instant
    cancelled_after: Instant | None  # `funding_hours`
    invoice: Invoice | None = None
    kept: tuple[str, dict[str, int]] | None = None  # of a prepaid term: the plan, and the units it includes
    term_charge: Charge | None = None


@dataclass(eq=False)
class Rental:
    """A number held, with its channels."""

    number: str
    service: str
    channels: int
    autorenew: bool
    periods: int | None
    term_end: Instant | None
    prepaid_until: Instant | None
    paid_until: Instant
    suspended: bool = False
    units: dict[str, int] = field(default_factory=dict)
    replacement: tuple[Instant, str] | None = None
    kept: tuple[str, dict[str, int]] | None = None
    term_charge: Charge | None = None


@dataclass(eq=False)
class Renewal:
    """A rental's period that fell due and waits (`pay_with: balance`)."""

    rental: Rental
    period_start: Instant
    quote: Quote
    units: dict[str, int]
    unpaid_since: Instant


@dataclass
class Line:
    """One line of what is asked."""

    fact: str
    kind: str
    account: str
    service: str
    amount: Fraction
    price: Fraction = ZERO
    refundable: bool = False
    third_party: bool = False
    tariff: str = ""


@dataclass
class Quote:
    """What an order or a renewal costs: its lines, each rounded once, and the tax on their sum."""

    lines: list[Line]
    tax_name: str
    tax: Fraction
    tax_step: Fraction

    @property
    def base(self) -> Fraction:
        """The sum without tax."""
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def total(self) -> Fraction:
        """The sum with tax."""
        return self.base + self.tax


@dataclass
class Announced:
    """An end of the agreement that was announced."""

    at: Instant
    for_cause: bool
    remaining_term: bool


@dataclass
class Refund:
    """A request for money back, or money due without one."""

    id: str
    state: str  # requested, denied, due, nothing, paid
    due: Fraction = ZERO


@dataclass
class Usage:
    """A call or a message."""

    reported: int = 0
    minutes: int = 0
    ended: bool = False


class Account:
    """State and consequences. What a command may do is decided in `decisions.py`."""

    def __init__(self, subscriber: str, emit: Emit, catalogue: Catalogue, data: dict[str, Any], now: Instant) -> None:
        self.id = subscriber
        self.catalogue = catalogue
        self.regulations: str = data["regulations"]
        self.books = Books(subscriber, data["currency"], emit)
        self.pair = (self.regulations, self.books.currency)
        self.plan: str = data["plan"]
        self.earlier_plans: list[str] = []
        self.stale_before: Instant | None = None
        self.unpaid_before: dict[str, Instant | None] = {}
        self.holder: str = data["holder"]
        self.autorenew: bool = data.get("autorenew", True)
        self.first_account: bool = data.get("first_account", True)
        self.registered_at = now
        self.verified = False
        self.concluded = False
        self.ever_credited = False
        self.refused = False
        self.suspended = False
        self.erased = False
        self.ended_at: Instant | None = None
        self.ended_for_cause = False
        self.money_back_given = False
        self.violations = 0
        self.violated = False
        self.announced: Announced | None = None
        self.change: tuple[Instant, str] | None = None
        self.ever_rented = False
        self.ever_debited = False
        self.connection_fee = ZERO
        self.rentals: list[Rental] = []
        self.orders: list[Order] = []
        self.queue: list[Order | Renewal] = []
        self.usage: dict[str, Usage] = {}
        self.deposits: dict[str, Lot] = {}
        self.refunds: dict[str, Refund] = {}
        self.disputes: dict[str, tuple[Charge, bool]] = {}
        self.compensated: dict[Instant, Fraction] = {}
        self.zone = self.rules(now).zone
        self.next_boundary = period_end(self.zone, now)

    # ------------------------------------------------------------------------------------------- what is in force

    def rules(self, at: Instant) -> Regulations:
        """The version of the regulations in force."""
        found = self.catalogue.rules(self.regulations, at)
        assert found is not None
        return found

    @property
    def invoices(self) -> bool:
        """`pay_with: invoices`; it cannot change."""
        found: bool = self.catalogue.regulations[self.regulations][0]["pay_with"] == "invoices"
        return found

    @property
    def unit(self) -> Fraction:
        """The currency's minor unit."""
        return minor(self.books.currency)

    def included(self, at: Instant, plan: str | None = None) -> dict[str, int]:
        """The units that a plan includes in a period, by usage service in alphabetical order."""
        _, prices = self.catalogue.plan(self.pair, at, plan or self.plan)
        return {name: entry["included"] for name, entry in sorted(prices["usage"].items()) if entry.get("included", 0)}

    def connection_price(self, at: Instant, plan: str) -> Fraction:
        """A plan's connection fee."""
        return Fraction(self.catalogue.plan(self.pair, at, plan)[1]["connection_fee"])

    # ----------------------------------------------------------------------------------------------------- prices

    def price(self, at: Instant, service: str, *, in_use: bool) -> Periodic | None:
        """The plan's price; what is in use and not in the plan keeps the last price it had under an earlier plan."""
        for plan in [self.plan, *reversed(self.earlier_plans)] if in_use else [self.plan]:
            found = self.catalogue.periodic(self.pair, at, plan, service, in_use=in_use)
            if found is not None:
                return found
        return None

    def quote(self, at: Instant, lines: list[Line], *, usage: bool = False) -> Quote:
        """Tax: once on the sum, half-up to the minor unit; on usage to 10⁻⁶."""
        name, rate = self.catalogue.tax(self.pair, at)
        step = MICRO if usage else self.unit
        return Quote(lines, name, half_up(sum((line.amount for line in lines), ZERO) * rate, step), step)

    def prorated(self, at: Instant) -> Fraction:
        """Remaining days ÷ days of the month, this local day counted as remaining."""
        today = local_date(self.zone, at)
        return Fraction(days_in_month(today) - today.day + 1, days_in_month(today))

    def periodic_line(self, at: Instant, service: str, count: int, parts: Fraction, *, in_use: bool) -> Line:
        """A periodic service for `parts` of periods, rounded once."""
        price = self.price(at, service, in_use=in_use)
        assert price is not None
        return Line(
            "periodic-service-charged", "periodic", f"Income:Periodic:{service}", service,
            half_up(price.price * count * parts, self.unit), price.price, price.refundable, price.third_party,
            price.tariff,
        )  # fmt: skip

    def order_quote(self, at: Instant, order: Order, *, fee: bool) -> Quote:
        """The connection fee if no number was rented yet; the number and its channels, prorated or the whole term."""
        lines: list[Line] = []
        price = half_up(self.connection_price(at, self.plan), self.unit)
        if fee and not self.ever_rented and price > 0:
            lines.append(Line("connection-fee-charged", "connection", "Income:Connection", "connection", price))
        parts = self.prorated(at)
        if order.prepaid and order.periods:
            parts += order.periods - 1
        lines.append(self.periodic_line(at, order.service, 1, parts, in_use=True))
        if order.channels:
            lines.append(self.periodic_line(at, "channel", order.channels, parts, in_use=True))
        return self.quote(at, lines)

    def renewal_quote(self, at: Instant, rental: Rental) -> Quote:
        """One charge per service line at the prices in force at the boundary."""
        lines = [self.periodic_line(at, rental.service, 1, Fraction(1), in_use=True)]
        if rental.channels:
            lines.append(self.periodic_line(at, "channel", rental.channels, Fraction(1), in_use=True))
        return self.quote(at, lines)

    def available(self, at: Instant) -> Fraction:
        """Balance less all that waits; a waiting order at today's price, the connection fee once."""
        waiting, fee = ZERO, True
        if self.invoices:
            waiting = self.books.outstanding
            fee = not any(invoice.live and invoice.has_fee for invoice in self.books.invoices)
        for item in self.queue:
            if isinstance(item, Renewal):
                waiting += item.quote.total
            elif item.invoice is None:
                waiting += self.order_quote(at, item, fee=fee).total
                fee = False
        return self.books.balance - waiting

    def can_pay(self, price: Fraction, at: Instant) -> bool:
        """What is paid at once needs `available` ≥ price; while the balance is negative nothing can be paid."""
        return self.books.balance >= 0 and self.available(at) >= price

    # ---------------------------------------------------------------------------------------------------- charges

    def charge(self, at: Instant, quote: Quote, invoice: Invoice | None, data: dict[str, Any]) -> list[Charge]:
        """One fact per line, then the tax if any; from the balance, or on an invoice."""
        charges: list[Charge] = []
        for line in quote.lines:
            more = {"service": line.service, **data, "amount": line.amount}
            made = self._charge_line(at, line.fact, line.kind, line.account, line.amount, invoice, more)
            made.third_party, made.refundable, made.price = line.third_party, line.refundable, line.price
            charges.append(made)
            if line.kind == "connection":
                self.connection_fee = line.amount
        if quote.tax > 0:
            more = {"base": quote.base, "amount": quote.tax, "name": quote.tax_name}
            account = f"Liabilities:Tax:{quote.tax_name}"
            tax = self._charge_line(at, "tax-charged", "tax", account, quote.tax, invoice, more)
            tax.base, tax.step = quote.base, quote.tax_step
            for made in charges:
                made.tax = tax
        return charges

    def _charge_line(
        self, at: Instant, fact: str, kind: str, account: str, amount: Fraction, invoice: Invoice | None,
        data: dict[str, Any],
    ) -> Charge:  # fmt: skip
        books = self.books
        taken = books.take(amount) if invoice is None else []
        source = books.prepaid if invoice is None else books.receivable
        # A zero price is charged as a fact with amount 0.00 and no postings.
        postings: list[Posting] = [(source, amount), (account, -amount)] if amount else []
        self.ever_debited = self.ever_debited or (invoice is None and amount > 0)
        made_id = books.fact(fact, at, data, *postings)
        made = Charge(made_id, kind, account, amount, amount, at, invoice, taken)
        books.charges[made_id] = made
        if invoice is not None:
            invoice.charges.append(made)
        return made

    def reverse(self, at: Instant, charge: Charge, amount: Fraction, *, with_tax: bool) -> Fraction:
        """`charge-reversed`: what is outstanding on its invoice is lowered first, the rest goes to the balance."""
        books = self.books
        amount = min(amount, charge.left)
        tax = ZERO
        if with_tax and charge.tax is not None and charge.tax.base > 0:
            tax = min(half_up(charge.tax.amount * amount / charge.tax.base, charge.tax.step), charge.tax.left)
        total = amount + tax
        if total == 0:
            return ZERO
        charge.left -= amount
        postings: list[Posting] = [(charge.account, amount)]
        if charge.tax is not None and tax > 0:
            charge.tax.left -= tax
            postings.append((charge.tax.account, tax))
        if charge.invoice is None:
            lowered = ZERO
            parts = [(amount, charge.taken)] + ([(tax, charge.tax.taken)] if charge.tax is not None else [])
            books.refill(at, *parts)
        else:
            lowered = min(total, charge.invoice.outstanding)
            charge.invoice.total -= total
            charge.invoice.allocated -= total - lowered
            books.refill(at, (total - lowered, charge.invoice.taken))
        postings += [(books.receivable, -lowered), (books.prepaid, lowered - total)]
        data = {"charge": charge.id, "amount": amount, "tax": tax, "lowered": lowered}
        books.fact("charge-reversed", at, data, *postings)
        return total - lowered

    # --------------------------------------------------------------------------------------------------- invoices

    def issue(self, at: Instant, owner: Order | Rental, quote: Quote) -> Invoice:
        """`invoice-issued` with its lines, one fact each; then the balance is applied."""
        days = self.rules(at)["invoice_due_days"]
        due = None if days is None else at + dt.timedelta(hours=24 * days)
        data = {"number": owner.number, "net": quote.base, "tax": quote.tax, "total": quote.total, "due": due}
        books = self.books
        invoice = Invoice("", owner, at, due, quote.total, isinstance(owner, Order))
        invoice.has_fee = isinstance(owner, Order) and not self.ever_rented and self._fee_is_open()
        invoice.id = books.fact("invoice-issued", at, data)
        books.invoices.append(invoice)
        charges = self.charge(at, quote, invoice, {"number": owner.number})
        if isinstance(owner, Order):
            owner.invoice = invoice
            self._keep_term(at, owner, charges)
            if quote.total == 0:
                self.connect(at, owner)
        self.allocate(at)
        return invoice

    def allocate(self, at: Instant) -> None:
        """A payment is applied to the oldest invoice with anything outstanding, partly if need be."""
        books = self.books
        for invoice in list(books.invoices):
            amount = min(books.balance, invoice.outstanding)
            stale = invoice.for_order and self.stale_before is not None and invoice.issued_at < self.stale_before
            if amount <= 0 or (stale and amount == invoice.outstanding):
                continue
            invoice.taken += books.take(amount)
            invoice.allocated += amount
            self.ever_debited = True
            data = {"invoice": invoice.id, "amount": amount, "outstanding": invoice.outstanding}
            books.fact("payment-allocated", at, data, (books.prepaid, amount), (books.receivable, -amount))
            self.settle_if_paid(at, invoice)

    def settle_if_paid(self, at: Instant, invoice: Invoice) -> None:
        """Order fully paid: the number is rented. Renewal of a suspended rental fully paid: it resumes."""
        if not invoice.live or invoice.outstanding > 0:
            return
        if invoice.for_order:
            if invoice.owner in self.orders:
                self.connect(at, invoice.owner)
        elif invoice.owner in self.rentals and invoice.owner.suspended:
            self.grant(at, invoice.owner, self.included(invoice.issued_at))
            invoice.owner.suspended = False
            self.books.fact("rental-resumed", at, {"number": invoice.owner.number})

    def expire(self, at: Instant, invoice: Invoice) -> None:
        """`invoice-expired`: its charges are void, what was allocated returns to the balance."""
        books = self.books
        back = invoice.allocated
        postings: list[Posting] = []
        for charge in invoice.charges:
            if charge.left:
                postings.append((charge.account, charge.left))
            charge.left, charge.void = ZERO, True
        postings += [(books.receivable, back - invoice.total), (books.prepaid, -back)]
        books.refill(at, (back, invoice.taken))
        invoice.live = False
        data = {"invoice": invoice.id, "returned": back}
        books.fact("invoice-expired", at, data, *[row for row in postings if row[1]])

    # ------------------------------------------------------------------------------------------------------ queue

    def pay_queue(self, at: Instant) -> None:
        """The queue is paid from its head while the head can be paid; under invoices the balance is applied."""
        if self.invoices:
            self.allocate(at)
            return
        while self.queue and self.ended_at is None and not self.refused:
            head = self.queue[0]
            if self.books.balance < 0 or (isinstance(head, Order) and not self.concluded):
                return
            quote = head.quote if isinstance(head, Renewal) else self.order_quote(at, head, fee=True)
            if quote.total > self.books.balance:
                return
            self.queue.pop(0)
            if isinstance(head, Order):
                self._keep_term(at, head, self.charge(at, quote, None, {"number": head.number}))
                self.connect(at, head)
            else:
                self._pay_renewal(at, head)

    def _pay_renewal(self, at: Instant, item: Renewal) -> None:
        """Paid at the boundary or later: the whole period's price; units, if the period still runs; resumption."""
        rental = item.rental
        self.charge(at, item.quote, None, {"number": rental.number})
        end = period_end(self.zone, item.period_start)
        if at < end:
            self.grant(at, rental, item.units)
        rental.paid_until = max(rental.paid_until, end)
        if rental.suspended and self._unpaid_since(rental) is None:
            rental.suspended = False
            self.books.fact("rental-resumed", at, {"number": rental.number})

    def _keep_term(self, at: Instant, order: Order, charges: list[Charge]) -> None:
        """A prepaid term keeps the plan, its units and its price."""
        if order.prepaid:
            order.kept = (self.plan, self.included(at))
            order.term_charge = next(made for made in charges if made.kind == "periodic")

    def connect(self, at: Instant, order: Order) -> None:
        """A paid order: units are granted, the number is rented."""
        self.orders.remove(order)
        if order in self.queue:
            self.queue.remove(order)
        end = period_end(self.zone, at)
        term_end = period_ends(self.zone, at, order.periods) if order.periods else None
        rental = Rental(
            order.number, order.service, order.channels, order.autorenew, order.periods, term_end,
            term_end if order.prepaid else None, end, kept=order.kept, term_charge=order.term_charge,
        )  # fmt: skip
        self.rentals.append(rental)
        self.ever_rented = True
        self.grant(at, rental, order.kept[1] if order.kept else self.included(at))
        self.books.fact("number-rented", at, {"number": rental.number, "service": rental.service, "term_end": term_end})

    def grant(self, at: Instant, rental: Rental, units: dict[str, int]) -> None:
        """`included-units-granted` for each usage service with included units (alphabetical)."""
        for service, count in sorted(units.items()):
            rental.units[service] = count
            data = {"number": rental.number, "service": service, "units": count}
            self.books.fact("included-units-granted", at, data)

    def place(self, at: Instant, order: Order) -> None:
        """What an order does once placed: its invoice is issued if the agreement is concluded; the queue is paid."""
        self.orders.append(order)
        self.queue.append(order)
        self.books.fact("order-placed", at, {"number": order.number, "service": order.service})
        if self.invoices:
            self.invoice_orders(at)
        else:
            self.pay_queue(at)

    def invoice_orders(self, at: Instant) -> None:
        """Waiting orders without an invoice get one, once the agreement is concluded."""
        for order in list(self.orders):
            if self.concluded and order.invoice is None:
                self.issue(at, order, self.order_quote(at, order, fee=self._fee_is_open()))

    def _fee_is_open(self) -> bool:
        """The connection fee stands on the first invoice issued (again, if that one expired)."""
        return not any(invoice.live and invoice.has_fee for invoice in self.books.invoices)

    def conclude(self, at: Instant) -> None:
        """`agreement-concluded`."""
        self.concluded = True
        self.books.fact("agreement-concluded", at, {})

    def cancel(self, at: Instant, order: Order) -> None:
        """`order-cancelled`, its invoice expired first."""
        if order.invoice is not None and order.invoice.live:
            self.expire(at, order.invoice)
        self.orders.remove(order)
        if order in self.queue:
            self.queue.remove(order)
        self.books.fact("order-cancelled", at, {"number": order.number})

    # ------------------------------------------------------------------------------------------------ time passing

    def advance(self, now: Instant) -> None:
        """Everything due up to and including `now`, each at its own instant, in order (CONTRACT §3)."""
        while True:
            due = self._next_due()
            if due is None or due[:2] > (now, 0):
                return
            at, _, rank, what = due
            if rank == 0:
                self._boundary(at)
            elif rank == 1:
                self._unpaid_ends_in_days(at)
            elif rank == 2:
                self._replace_announced(at, what)
            elif rank == 3:
                self._cancel_unfunded(at)
            else:
                self._expire_due(at, what)

    def _next_due(self) -> tuple[Instant, int, int, Any] | None:
        """The next instant at which something is due; 1 in second place: due only when now is later than it."""
        found: list[tuple[Instant, int, int, Any]] = []
        if self.refused:
            return None
        if self.ended_at is None:
            found.append((self.next_boundary, 0, 0, None))
            found += [(at, 0, 1, None) for rental in self.rentals for at in [self._ends_at(rental)] if at]
            found += [(rental.replacement[0], 0, 2, rental) for rental in self.rentals if rental.replacement]
            if not self.ever_credited:
                found += [(order.cancelled_after, 1, 3, order) for order in self.orders if order.cancelled_after]
        for invoice in self.books.invoices:
            if invoice.due is not None and invoice.outstanding > 0 and self._expires(invoice):
                found.append((invoice.due, 1, 4, invoice))
        return min(found, key=lambda row: row[:3], default=None)

    def _expires(self, invoice: Invoice) -> bool:
        found: bool = self.rules(invoice.issued_at)["unpaid_invoice"] == "expires"
        return found

    def _deadline(self, since: Instant) -> Instant | None:
        """`unpaid_ends_after`, counted from the day it fell due, by the version then in force."""
        after = self.rules(since)["unpaid_ends_after"]
        if after is None:
            return None
        if "months" in after:
            return period_ends(self.zone, since, after["months"])
        day = local_date(self.zone, since) + dt.timedelta(days=after["days"] + 1)
        return first_instant(self.zone, day)

    def _in_days(self, since: Instant) -> bool:
        after: dict[str, int] = self.rules(since)["unpaid_ends_after"] or {}
        return "days" in after

    def _unpaid_since(self, rental: Rental) -> Instant | None:
        """The instant at which the oldest unpaid period of a rental fell due."""
        since = [item.unpaid_since for item in self.queue if isinstance(item, Renewal) and item.rental is rental]
        since += [
            invoice.unpaid_since
            for invoice in self.books.invoices
            if invoice.owner is rental and invoice.outstanding > 0 and invoice.unpaid_since is not None
        ]
        return min(since, default=None)

    def _ends_at(self, rental: Rental, unit: str = "days") -> Instant | None:
        since = self._unpaid_since(rental)
        if since is None or self._in_days(since) != (unit == "days"):
            return None
        return self._deadline(since)

    def _replace_announced(self, at: Instant, rental: Rental) -> None:
        """At the first instant of the announced date → `number-replaced`."""
        assert rental.replacement is not None
        old, new = rental.number, rental.replacement[1]
        rental.replacement = None
        if self.holds(new):  # READINGS: taken in the meantime
            return
        rental.number = new
        self.books.fact("number-replaced", at, {"number": old, "new_number": new})

    def _cancel_unfunded(self, at: Instant) -> None:
        """`funding_hours` are over and nothing was ever credited: each order of that window, then the queue."""
        for order in list(self.orders):
            if order.cancelled_after == at:
                self.cancel(at, order)
        self.pay_queue(at)

    def _expire_due(self, at: Instant, invoice: Invoice) -> None:
        """`unpaid_invoice: expires`: the order is cancelled, the rental ends."""
        balance = self.books.balance
        self.expire(at, invoice)
        if invoice.for_order:
            if invoice.owner in self.orders:
                self.cancel(at, invoice.owner)
        elif invoice.owner in self.rentals:
            self._expire_of(at, invoice.owner)
            self.end_rental(invoice.owner, at)
            if self.rules(at)["agreement_ends_with_last_rental"]:
                self.end_if_empty(at, at)
        self.pay_queue(at)
        self.raised(at, self.books.balance - balance)

    def _unpaid_ends_in_days(self, at: Instant) -> None:
        """`{"days": n}`: at the first instant of the (n+1)th local day after the day it fell due."""
        dated = [self._end_unpaid(at, rental) for rental in list(self.rentals) if self._ends_at(rental) == at]
        if not self.end_if_empty(at, max(dated)):
            self.pay_queue(at)

    def _end_unpaid(self, at: Instant, rental: Rental) -> Instant:
        since = self._unpaid_since(rental)
        assert since is not None
        dated = since if self.rules(at)["unpaid_end_counts_from"] == "period_start" else at
        self._expire_of(at, rental)
        self.end_rental(rental, dated)
        return dated

    def _expire_of(self, at: Instant, rental: Rental) -> None:
        """Withdraws all that is open of the rental: before an unpaid end, or a new invoice in its place."""
        for invoice in self.books.invoices:
            if invoice.owner is rental and invoice.outstanding > 0:
                self.expire(at, invoice)

    def end_rental(self, rental: Rental, dated: Instant) -> None:
        """`rental-ended`, its waiting item gone."""
        self.rentals.remove(rental)
        self.queue = [item for item in self.queue if not (isinstance(item, Renewal) and item.rental is rental)]
        self.books.fact("rental-ended", dated, {"number": rental.number})

    def end_if_empty(self, at: Instant, dated: Instant) -> bool:
        """No rental is left and no order waits: the agreement ends; settlement is dated when it falls due."""
        if self.rentals or self.orders or self.ended_at is not None:
            return False
        self._withdraw_change(at)
        self._terminated(at, dated, for_cause=False)
        self.allocate(at)
        self.settle(at, [], remaining_term=False)
        return True

    def _boundary(self, at: Instant) -> None:
        """A period boundary, its steps in order."""
        self.next_boundary = period_end(self.zone, at)
        self._lapse(at)
        if self.announced is not None and self.announced.at <= at:
            self.end_agreement(at, for_cause=self.announced.for_cause, remaining_term=self.announced.remaining_term)
            return
        if self._end_what_ends(at):
            return
        self._change_plan(at)
        self._reissue_orders(at)
        self._renew(at)

    def _lapse(self, at: Instant) -> None:
        """Step 1: included units of the period that ends lapse."""
        for rental in self.rentals:
            for service, left in sorted(rental.units.items()):
                if left > 0:
                    data = {"number": rental.number, "service": service, "units": left}
                    self.books.fact("included-units-lapsed", at, data)
            rental.units = {}

    def _end_what_ends(self, at: Instant) -> bool:
        """Step 2: unpaid for the allowed time, then not renewed; what that frees is paid. True: the agreement ended."""
        waiting = len(self.queue)
        balance = self.books.balance
        dated: list[Instant] = []
        for rental in list(self.rentals):
            deadline = self._ends_at(rental, "months")
            if deadline is not None and deadline <= at:
                dated.append(self._end_unpaid(at, rental))
        for rental in list(self.rentals):
            if not rental.autorenew and (rental.term_end is None or rental.term_end <= at):
                self.end_rental(rental, at)
                dated.append(at)
        if dated and self.rules(at)["agreement_ends_with_last_rental"] and self.end_if_empty(at, max(dated)):
            return True
        if len(self.queue) < waiting or self.books.balance > balance:
            self.pay_queue(at)
        return False

    def _change_plan(self, at: Instant) -> None:
        """Step 3: the connection-fee difference at this instant's tariff, if positive, then the plan."""
        if self.change is None or self.change[0] > at:
            return
        plan = self.change[1]
        self.change = None
        data = {"plan": plan, "from": self.plan}
        difference = self.connection_price(at, plan) - self.connection_price(at, self.plan)
        difference = half_up(difference, self.unit) if difference > 0 else ZERO
        if difference > 0 and self.ever_rented:
            fact = "connection-fee-difference-charged"
            quote = self.quote(at, [Line(fact, "difference", "Income:Connection", "connection", difference)])
            if not self.can_pay(quote.total, at):
                self.books.fact("plan-change-lapsed", at, data)
                return
            self.charge(at, quote, None, {})
        self.earlier_plans.append(self.plan)
        self.plan = plan
        self.books.fact("plan-changed", at, data)

    def _reissue_orders(self, at: Instant) -> None:
        """An order's invoice that is not fully paid is withdrawn and issued anew at the whole price."""
        self.stale_before = at
        for order in list(self.orders):
            if order in self.orders and order.invoice is not None:
                self.expire(at, order.invoice)
                self.issue(at, order, self.order_quote(at, order, fee=self._fee_is_open()))
        self.stale_before = None

    def _renew(self, at: Instant) -> None:
        """Step 4: continuing rentals are renewed in the order first rented."""
        ended = False
        self.unpaid_before = {rental.number: self._unpaid_since(rental) for rental in self.rentals}
        self.queue = [one for one in self.queue if not (isinstance(one, Renewal) and one.rental.suspended)]
        for rental in list(self.rentals):
            if rental.prepaid_until is not None and rental.prepaid_until > at:
                if rental.paid_until > at:  # connected at this very boundary, its units are granted
                    continue
                rental.paid_until = period_end(self.zone, at)
                self.grant(at, rental, rental.kept[1] if rental.kept else {})
            elif rental.paid_until <= at:
                paid = self._renew_by_invoice(at, rental) if self.invoices else self._renew_by_balance(at, rental)
                if not paid:
                    ended = self._unpaid(at, rental) or ended
        if ended and self.rules(at)["agreement_ends_with_last_rental"] and self.end_if_empty(at, at):
            return
        self.pay_queue(at)

    def _unpaid(self, at: Instant, rental: Rental) -> bool:
        """A renewal that is not payable: `suspend`, `continue` or `end`."""
        then: str = self.rules(at)["unpaid_renewal"]
        if then == "suspend":
            rental.suspended = True
            self.books.fact("rental-suspended", at, {"number": rental.number})
        elif then == "continue" and self.invoices:
            self.grant(at, rental, self.included(at))
        elif then == "end":
            self._expire_of(at, rental)
            self.end_rental(rental, at)
            self.pay_queue(at)
        return then == "end"

    def _renew_by_balance(self, at: Instant, rental: Rental) -> bool:
        since = at
        if rental.suspended:  # the new renewal replaces the waiting one
            since = self.unpaid_before.get(rental.number) or at
        item = Renewal(rental, at, self.renewal_quote(at, rental), self.included(at), since)
        self.queue.append(item)
        self.pay_queue(at)
        return item not in self.queue

    def _renew_by_invoice(self, at: Instant, rental: Rental) -> bool:
        quote = self.renewal_quote(at, rental)
        if self.rules(at)["unpaid_renewal"] == "end" and (self.books.balance < 0 or quote.total > self.books.balance):
            return False
        since = at
        if rental.suspended:
            since = self._unpaid_since(rental) or at
            self._expire_of(at, rental)
        rental.paid_until = period_end(self.zone, at)
        was_suspended = rental.suspended
        invoice = self.issue(at, rental, quote)
        invoice.unpaid_since = since
        if invoice.outstanding > 0:
            return False
        if rental.suspended:  # a total of zero counts as paid
            self.settle_if_paid(at, invoice)
        elif not was_suspended:
            self.grant(at, rental, self.included(at))
        return True

    # ----------------------------------------------------------------------------------------------------- the end

    def _withdraw_change(self, at: Instant) -> None:
        if self.change is not None:
            self.books.fact("plan-change-withdrawn", at, {"plan": self.change[1]})
            self.change = None

    def _terminated(self, at: Instant, dated: Instant, *, for_cause: bool) -> None:
        self.ended_at, self.ended_for_cause = at, for_cause
        self.queue = []
        self.books.fact("agreement-terminated", dated, {"for_cause": for_cause})

    def end_agreement(self, at: Instant, *, for_cause: bool, remaining_term: bool, settled: bool = True) -> None:
        """When the end comes: units lapse, the change is withdrawn, orders and rentals end, then settlement."""
        self._lapse(at)
        self._withdraw_change(at)
        for order in list(self.orders):
            self.cancel(at, order)
        ended = list(self.rentals)
        for rental in ended:
            self.end_rental(rental, at)
        self._terminated(at, at, for_cause=for_cause)
        if settled:
            self.allocate(at)
            self.settle(at, ended, remaining_term=remaining_term)

    def settle(self, at: Instant, ended: list[Rental], *, remaining_term: bool) -> None:
        """By `balance_at_termination` (or `…_for_cause`); personal data last."""
        rules = self.rules(at)
        how = rules["balance_at_termination_for_cause" if self.ended_for_cause else "balance_at_termination"]
        if how == "refund":
            self.make_due(at, self.books.balance)
        elif how == "by_refund_rules":
            if not self.violated:
                self._give_back_prepaid(at, ended)
                self.allocate(at)
            self.refund_by_rules(at, {}, settling=True)
        elif how == "forfeit":
            if remaining_term:
                self._charge_remaining(at, ended)
            left = self.books.balance
            if left > 0:
                self.books.take(left)
                data = {"amount": left}
                self.books.fact("balance-forfeited", at, data, (self.books.prepaid, left), ("Income:Forfeited", -left))
        self.erase_at_end(at)

    def erase_at_end(self, at: Instant) -> None:
        """`erase_personal_data_at_end` → `personal-data-erased` last."""
        if self.rules(at)["erase_personal_data_at_end"] and not self.erased:
            self.erased = True
            self.books.fact("personal-data-erased", at, {})

    def _give_back_prepaid(self, at: Instant, ended: list[Rental]) -> None:
        """Whole prepaid periods that remain of refundable services, without tax, less the connection fee (once)."""
        fee = self.connection_fee
        for rental in ended:
            charge = rental.term_charge
            if charge is None or rental.prepaid_until is None or not charge.refundable:
                continue
            count = periods_between(self.zone, at, rental.prepaid_until)
            amount = min(half_up(charge.price * count, self.unit), charge.left)
            less = min(fee, amount)
            fee -= less
            self.reverse(at, charge, amount - less, with_tax=False)

    def _charge_remaining(self, at: Instant, ended: list[Rental]) -> None:
        """`remaining-term-charged`: the unpaid whole periods of running terms, at today's price, without tax."""
        for rental in ended:
            if rental.term_end is None or rental.prepaid_until is not None or rental.term_end <= at:
                continue
            unpaid_from = at if self.invoices else min(at, rental.paid_until)
            count = periods_between(self.zone, unpaid_from, rental.term_end)
            price = self.price(at, rental.service, in_use=True)
            assert price is not None
            whole = price.price
            if rental.channels:
                channel = self.price(at, "channel", in_use=True)
                assert channel is not None
                whole += channel.price * rental.channels
            amount = half_up(whole * count, self.unit)
            if count:
                data = {"number": rental.number, "periods": count, "amount": amount}
                name, account = "remaining-term-charged", "Income:RemainingTerm"
                self._charge_line(at, name, "remaining_term", account, amount, None, data)

    def raised(self, at: Instant, by: Fraction) -> None:
        """What raises the balance after the end: where `balance_at_termination` is `refund` → `refund-due` for it."""
        if self.ended_at is not None and self.rules(at)["balance_at_termination"] == "refund":
            self.make_due(at, min(by, self.books.balance))

    # --------------------------------------------------------------------------------------------------- money back

    def make_due(
        self, at: Instant, amount: Fraction, *, request: str | None = None, lots: list[Lot] | None = None,
        fee: Fraction = ZERO, always: bool = False,
    ) -> None:  # fmt: skip
        """`refund-due`, rounded down to the minor unit; the rest `remainder-written-off` when the agreement ended."""
        books = self.books
        amount = max(amount, ZERO)
        due = down(amount, self.unit)
        refund_id = request
        if due > 0 or always:
            books.take(due + fee, lots)
            self.ever_debited = True
            data = {"refund": request, "amount": due, "fee": fee}
            postings = [(books.prepaid, due + fee), (books.payable, -due), ("Income:ProcessingFees", -fee)]
            made = books.fact("refund-due", at, data, *[row for row in postings if row[1]])
            refund_id = request or made
            self.refunds[refund_id] = Refund(refund_id, "due", due)
        elif request is not None:
            self.refunds[request].state = "nothing"
        rest = amount - due
        if rest > 0 and self.ended_at is not None:
            books.take(rest, lots)
            data = {"amount": rest}
            books.fact("remainder-written-off", at, data, (books.prepaid, rest), ("Income:Rounding", -rest))

    def refundable_lots(self, at: Instant, *, any_method: bool = False) -> list[Lot]:
        """`unused_deposits`: lots at most `refund_days` × 24 h old, or the only deposit; refundable methods."""
        rules = self.rules(at)
        days = rules["refund_days"]
        only = len(self.deposits) == 1 and not self.ever_debited
        return [
            lot
            for lot in self.books.oldest_first()
            if lot.kind == "deposit"
            and (only or days is None or at - lot.received_at <= dt.timedelta(hours=24 * days))
            and (any_method or lot.method not in rules["non_refundable_methods"])
        ]

    def within_money_back(self, at: Instant) -> bool:
        """`money_back` within `refund_days` × 24 h of the first charge, the last instant included."""
        charges = [charge.effective_at for charge in self.books.charges.values() if not charge.void]
        days = self.rules(at)["refund_days"]
        return bool(charges) and (days is None or at - min(charges) <= dt.timedelta(hours=24 * days))

    def why_not_refundable(self, at: Instant) -> str | None:
        """The code that refuses a request for money back at this instant, if any."""
        rule = self.rules(at)["refunds"]
        if rule == "unused_deposits":
            if not self.first_account or self.violated:
                return "not_refundable"
            if down(sum((lot.left for lot in self.refundable_lots(at)), ZERO), self.unit) > 0:
                return None
            any_method = sum((lot.left for lot in self.refundable_lots(at, any_method=True)), ZERO)
            return "method_not_refundable" if down(any_method, self.unit) > 0 else "not_refundable"
        if rule == "discretionary":
            return "not_refundable" if self.violated else None
        if rule == "money_back":
            spoiled = self.money_back_given or (self.ended_at is not None and self.ended_for_cause)
            return None if self.within_money_back(at) and not spoiled else "not_refundable"
        return "not_refundable"

    def refund_by_rules(self, at: Instant, data: dict[str, Any], *, settling: bool = False) -> None:
        """`RequestRefund` that is not refused, by `refunds`; at a settlement silent if nothing is due."""
        rule = self.rules(at)["refunds"]
        empty = rule == "discretionary" and self.books.balance <= 0
        if settling and (empty or self.why_not_refundable(at) is not None):
            return
        request = self.books.fact("refund-requested", at, dict(data))
        self.refunds[request] = Refund(request, "requested")
        if rule == "unused_deposits":
            lots = self.refundable_lots(at)
            self.make_due(at, sum((lot.left for lot in lots), ZERO), request=request, lots=lots)
        elif rule == "money_back":
            self._money_back(at, request, data)

    def _money_back(self, at: Instant, request: str, data: dict[str, Any]) -> None:
        """Each charge that is not third party nor usage is reversed with its tax; the end; the rest less a fee."""
        self.money_back_given = True
        was_ended = self.ended_at is not None
        for charge in list(self.books.charges.values()):
            if charge.kind not in ("usage", "tax") and not charge.third_party and not charge.void:
                self.reverse(at, charge, charge.left, with_tax=True)
        if not was_ended:
            self.end_agreement(at, for_cause=False, remaining_term=False, settled=False)
        self.allocate(at)
        fee = min(self.processing_fee(at, data.get("country"), data.get("method")), max(ZERO, self.books.balance))
        self.make_due(at, self.books.balance - fee, request=request, fee=fee, always=True)
        if not was_ended:
            self.erase_at_end(at)

    def processing_fee(self, at: Instant, country: str | None, method: str | None) -> Fraction:
        """By country, then method: country → method → amount, `*` for any."""
        table = self.rules(at)["processing_fees"] or {}
        for row in (table.get(country), table.get("*")):
            for key in (method, "*"):
                if row is not None and key in row:
                    return half_up(Fraction(row[key]), self.unit)
        return ZERO

    # ------------------------------------------------------------------------------------------------------- asking

    def holds(self, number: str) -> bool:
        """Rented, or waiting in an order."""
        return self.rental(number) is not None or self.order(number) is not None

    def rental(self, number: str) -> Rental | None:
        """The rental of a number."""
        return next((rental for rental in self.rentals if rental.number == number), None)

    def order(self, number: str) -> Order | None:
        """The waiting order for a number."""
        return next((order for order in self.orders if order.number == number), None)

    def services_in_use(self) -> set[str]:
        """Of rentals and waiting orders, and `channel` if any has channels."""
        held: list[Rental | Order] = [*self.rentals, *self.orders]
        services = {item.service for item in held}
        return services | ({"channel"} if any(item.channels for item in held) else set())

    def end_for_subscriber(self, now: Instant) -> Instant:
        """Where `RequestTermination` ends the agreement; with several rentals the longest notice counts."""
        rules = self.rules(now)
        this_end = period_end(self.zone, now)
        ends = [now if rules["subscriber_termination"] == "at_once" else this_end]
        days = rules["term_notice_days"]
        for rental in self.rentals:
            if days is not None and rental.term_end is not None and (rental.periods or 0) > 1 and rental.term_end > now:
                notice = period_end(self.zone, plus_days(self.zone, now, days))
                ends.append(min(notice, rental.term_end))
        return max(ends)

    def end_by_notice(self, now: Instant) -> Instant:
        """The end of the period that holds now + `company_notice_days` (0: now)."""
        days = self.rules(now)["company_notice_days"]
        return period_end(self.zone, plus_days(self.zone, now, days)) if days else now

    def end_for_cause(self, now: Instant) -> Instant:
        """`termination_for_cause`."""
        return now if self.rules(now)["termination_for_cause"] == "at_once" else period_end(self.zone, now)
