"""The double-entry journal of a fact: which accounts it moves money between (RULES, "Accounts of the journal").

An amount is positive where the account is debited. Every fact's postings sum to zero in each currency.
"""

from dataclasses import dataclass

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
    RefundPaid,
    RemainderWrittenOff,
    RemainingTermCharged,
    TaxCharged,
    UsageCharged,
)
from domain.money import Money

CONNECTION = "Income:Connection"
REMAINING_TERM = "Income:RemainingTerm"


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a journal entry: a debit where `amount` is positive, a credit where it is negative."""

    account: str
    amount: Money


def clearing(method: str) -> str:
    return f"Assets:Clearing:{method}"


def receivable(subscriber: str) -> str:
    return f"Assets:Receivable:{subscriber}"


def prepaid(subscriber: str) -> str:
    return f"Liabilities:Prepaid:{subscriber}"


def refunds(subscriber: str) -> str:
    return f"Liabilities:Refunds:{subscriber}"


def tax(name: str) -> str:
    return f"Liabilities:Tax:{name}"


def periodic(service: str) -> str:
    return f"Income:Periodic:{service}"


def usage(service: str) -> str:
    return f"Income:Usage:{service}"


def administrative(service: str) -> str:
    return f"Income:Administrative:{service}"


def income_of(fact: Fact) -> str | None:
    """The account that a charge was credited to; None for what is not a charge."""
    match fact:
        case PeriodicServiceCharged():
            return periodic(fact.service)
        case UsageCharged():
            return usage(fact.service)
        case ConnectionFeeCharged() | ConnectionFeeDifferenceCharged():
            return CONNECTION
        case AdministrativeServiceCharged():
            return administrative(fact.service)
        case RemainingTermCharged():
            return REMAINING_TERM
        case TaxCharged():
            return tax(fact.name)
        case _:
            return None


def postings(subscriber: str, fact: Fact) -> tuple[Posting, ...]:
    """The journal lines of `fact`; none where no money moves."""
    return tuple(posting for posting in _entry(subscriber, fact) if posting.amount.units)


def balance_change(subscriber: str, fact: Fact) -> int:
    """By how many inner units `fact` changes the subscriber's balance."""
    account = prepaid(subscriber)
    return -sum(posting.amount.units for posting in _entry(subscriber, fact) if posting.account == account)


def _entry(subscriber: str, fact: Fact) -> tuple[Posting, ...]:
    balance = prepaid(subscriber)
    match fact:
        case UsageCharged():
            return _move(fact.amount, balance, usage(fact.service))
        case (
            PeriodicServiceCharged()
            | ConnectionFeeCharged()
            | ConnectionFeeDifferenceCharged()
            | AdministrativeServiceCharged()
            | RemainingTermCharged()
            | TaxCharged()
        ):
            payer = receivable(subscriber) if getattr(fact, "invoice", None) else balance
            return _move(fact.amount, payer, str(income_of(fact)))
        case DepositCredited():
            return _move(fact.amount, clearing(fact.method), balance)
        case DepositReversed():
            return _move(fact.amount, balance, clearing(fact.method))
        case PaymentAllocated():
            return _move(fact.amount, balance, receivable(subscriber))
        case InvoiceExpired():
            withdrawn = (Posting(str(line.account), line.amount) for line in fact.withdrawn)
            return (*withdrawn, Posting(receivable(subscriber), -fact.outstanding), Posting(balance, -fact.returned))
        case ChargeReversed():
            return (
                Posting(fact.account, fact.amount),
                Posting(tax(fact.tax_name or ""), fact.tax),
                Posting(receivable(subscriber), -fact.lowered),
                Posting(balance, -fact.credited),
            )
        case RefundDue():
            return (
                Posting(balance, fact.amount + fact.fee),
                Posting(refunds(subscriber), -fact.amount),
                Posting("Income:ProcessingFees", -fact.fee),
            )
        case RefundPaid():
            return _move(fact.amount, refunds(subscriber), clearing(fact.method))
        case BalanceForfeited():
            return _move(fact.amount, balance, "Income:Forfeited")
        case RemainderWrittenOff():
            return _move(fact.amount, balance, "Income:Rounding")
        case CompensationGranted():
            return _move(fact.amount, "Expenses:Compensation", balance)
        case AdjustmentPosted():
            return _move(fact.amount, "Expenses:Adjustments", balance)
        case _:
            return ()


def _move(amount: Money, debited: str, credited: str) -> tuple[Posting, ...]:
    return Posting(debited, amount), Posting(credited, -amount)
