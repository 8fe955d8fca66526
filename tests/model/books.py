"""The money side of an account: lots, charges, invoices, and a double entry for every fact that moves money."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .values import ZERO, iso, show

Emit = Callable[[str, dt.datetime, dict[str, Any]], str]
Posting = tuple[str, Fraction]


@dataclass(eq=False)
class Lot:
    """Money that came in, and what is left of it."""

    order: int
    kind: str  # deposit, compensation, adjustment, returned
    method: str
    received_at: dt.datetime
    amount: Fraction
    left: Fraction = ZERO
    reversed: bool = False


Taken = list[tuple[Lot, Fraction]]
"""What a debit took, lot by lot."""


@dataclass(eq=False)
class Charge:
    """A debit with an id."""

    id: str
    kind: str  # connection, difference, periodic, administrative, usage, tax, remaining_term
    account: str
    amount: Fraction
    left: Fraction
    effective_at: dt.datetime
    invoice: Invoice | None
    taken: Taken
    third_party: bool = False
    refundable: bool = False
    price: Fraction = ZERO
    tax: Charge | None = None
    base: Fraction = ZERO  # of a tax: the sum it was computed on
    step: Fraction = ZERO  # of a tax: what it was rounded to
    void: bool = False  # it stood on an invoice that expired
    disputed: bool = False


@dataclass(eq=False)
class Invoice:
    """What is asked for an order or a renewal under `pay_with: invoices`."""

    id: str
    owner: Any  # the order or the rental
    issued_at: dt.datetime
    due: dt.datetime | None
    total: Fraction
    for_order: bool
    has_fee: bool = False
    allocated: Fraction = ZERO
    taken: Taken = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    live: bool = True
    unpaid_since: dt.datetime | None = None

    @property
    def outstanding(self) -> Fraction:
        """Invoiced and unpaid."""
        return self.total - self.allocated if self.live else ZERO


class Books:
    """One account's money. `fact` is the only door: it records, posts, and checks that nothing was made or lost."""

    def __init__(self, subscriber: str, currency: str, emit: Emit) -> None:
        self.subscriber = subscriber
        self.currency = currency
        self._emit = emit
        self.lots: list[Lot] = []
        self.invoices: list[Invoice] = []
        self.charges: dict[str, Charge] = {}
        self.journal: dict[str, Fraction] = defaultdict(lambda: ZERO)
        self.history: list[tuple[dt.datetime, Fraction]] = []
        self.prepaid = f"Liabilities:Prepaid:{subscriber}"
        self.receivable = f"Assets:Receivable:{subscriber}"
        self.payable = f"Liabilities:Refunds:{subscriber}"

    @property
    def balance(self) -> Fraction:
        """What is not allocated; below zero it is a debt."""
        return -self.journal[self.prepaid]

    @property
    def outstanding(self) -> Fraction:
        """What is invoiced and unpaid."""
        return sum((invoice.outstanding for invoice in self.invoices), ZERO)

    def text(self, amount: Fraction) -> str:
        """An amount of the account's currency as it stands on the wire."""
        return show(amount, self.currency)

    def fact(self, name: str, at: dt.datetime, data: dict[str, Any], *postings: Posting) -> str:
        """Record a fact; its postings sum to zero; the lots hold what the balance says."""
        assert sum((amount for _, amount in postings), ZERO) == 0, f"{name} does not balance"
        before = self.balance
        for account, amount in postings:
            self.journal[account] += amount
        if self.balance != before:
            self.history.append((at, self.balance - before))
        shown = {key: self.text(value) if isinstance(value, Fraction) else value for key, value in data.items()}
        shown = {key: iso(value) if isinstance(value, dt.datetime) else value for key, value in shown.items()}
        recorded = self._emit(name, at, shown)
        self._check_lots(name)
        return recorded

    def _check_lots(self, where: str) -> None:
        """The lots hold what the balance says."""
        held = sum((lot.left for lot in self.lots if lot.left), ZERO)
        assert held == max(ZERO, self.balance), f"{where}: lots hold {held}, the balance is {self.balance}"

    def check(self, where: str) -> None:
        """The invariants of the money, after every command."""
        self._check_lots(where)
        assert all(lot.left >= 0 for lot in self.lots), where
        assert sum(self.journal.values(), ZERO) == 0, where
        for invoice in self.invoices:
            assert not invoice.live or 0 <= invoice.allocated <= invoice.total, f"{where}: {invoice}"
            paid = sum((part for _, part in invoice.taken), ZERO)
            assert not invoice.live or paid == invoice.allocated, f"{where}: {paid} taken, {invoice.allocated} paid"
        assert all(0 <= charge.left <= charge.amount for charge in self.charges.values()), where

    def balance_at(self, at: dt.datetime) -> Fraction:
        """The balance as of an instant, as known now."""
        return sum((change for moment, change in self.history if moment <= at), ZERO)

    def oldest_first(self) -> list[Lot]:
        """Spending uses the oldest lot first, by `received_at`."""
        return sorted(self.lots, key=lambda lot: (lot.received_at, lot.order))

    def put(self, kind: str, method: str, received_at: dt.datetime, amount: Fraction) -> Lot:
        """A new lot; debt is filled first. The fact that posts it must follow."""
        lot = Lot(len(self.lots), kind, method, received_at, amount)
        lot.left = max(ZERO, amount - max(ZERO, -self.balance))
        self.lots.append(lot)
        return lot

    def take(self, amount: Fraction, lots: list[Lot] | None = None) -> Taken:
        """Spend from lots in order; what they do not hold becomes debt. The fact that posts it must follow."""
        taken: Taken = []
        rest = amount
        for lot in self.oldest_first() if lots is None else lots:
            part = min(lot.left, rest)
            if part > 0:
                lot.left -= part
                rest -= part
                taken.append((lot, part))
        return taken

    def refill(self, at: dt.datetime, *parts: tuple[Fraction, Taken]) -> None:
        """Give back to the lots a debit took from, newest first; debt is filled before them."""
        debt = max(ZERO, -self.balance)
        for amount, taken in parts:
            rest = amount
            for lot, part in sorted(taken, key=lambda row: (row[0].received_at, row[0].order), reverse=True):
                back = min(part, rest)
                fills = min(debt, back)
                lot.left += back - fills
                debt -= fills
                rest -= back
                reduce_taken(taken, lot, back)
            fills = min(debt, rest)
            debt -= fills
            rest -= fills
            if rest > 0:  # it had been paid by running into debt, and the debt was filled since
                lot = Lot(len(self.lots), "returned", "", at, rest, rest)
                self.lots.append(lot)


def reduce_taken(taken: Taken, lot: Lot, back: Fraction) -> None:
    """Note that a part of what was taken from a lot is back in it."""
    for index, (owner, part) in enumerate(taken):
        if owner is lot and back > 0:
            less = min(part, back)
            taken[index] = (owner, part - less)
            back -= less
    taken[:] = [row for row in taken if row[1] > 0]
