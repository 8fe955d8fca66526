"""By how much a fact moves a subscriber's balance, and what is invoiced and unpaid (`outstanding`).

The same numbers as `domain/accounts.py` posts to `Liabilities:Prepaid` and `Assets:Receivable`, read off the wire.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.facts import (
    AdjustmentPosted,
    AdministrativeServiceCharged,
    BalanceForfeited,
    ChargeReversed,
    CompensationGranted,
    ConnectionFeeCharged,
    ConnectionFeeDifferenceCharged,
    DepositCredited,
    DepositReversed,
    Fact,
    InvoiceExpired,
    PaymentAllocated,
    PeriodicServiceCharged,
    RefundDue,
    RemainderWrittenOff,
    RemainingTermCharged,
    TaxCharged,
    UsageCharged,
)
from projections.event import units

Data = Mapping[str, Any]
Movement = tuple[int, int]
"""What is added to the balance, and what is added to `outstanding`, in inner units."""


def _credit(data: Data) -> Movement:
    return units(data["amount"], data["currency"]), 0


def _debit(data: Data) -> Movement:
    return -units(data["amount"], data["currency"]), 0


def _charge(data: Data) -> Movement:
    amount = units(data["amount"], data["currency"])
    return (0, amount) if "invoice" in data else (-amount, 0)


def _payment(data: Data) -> Movement:
    amount = units(data["amount"], data["currency"])
    return -amount, -amount


def _expiry(data: Data) -> Movement:
    currency = data["currency"]
    return units(data["returned"], currency), -units(data["outstanding"], currency)


def _reversal(data: Data) -> Movement:
    currency = data["currency"]
    return units(data["credited"], currency), -units(data["lowered"], currency)


def _refund(data: Data) -> Movement:
    currency = data["currency"]
    return -units(data["amount"], currency) - units(data["fee"], currency), 0


MOVEMENTS: dict[type[Fact], Callable[[Data], Movement]] = {
    UsageCharged: _debit,
    DepositCredited: _credit,
    DepositReversed: _debit,
    PeriodicServiceCharged: _charge,
    ConnectionFeeCharged: _charge,
    ConnectionFeeDifferenceCharged: _debit,
    AdministrativeServiceCharged: _debit,
    TaxCharged: _charge,
    RemainingTermCharged: _debit,
    PaymentAllocated: _payment,
    InvoiceExpired: _expiry,
    ChargeReversed: _reversal,
    RefundDue: _refund,
    BalanceForfeited: _debit,
    RemainderWrittenOff: _debit,
    CompensationGranted: _credit,
    AdjustmentPosted: _credit,
}
"""Every fact that moves the balance or what is outstanding; no other does."""
