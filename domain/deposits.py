"""Money in: deposits credited once per reference, and charged back as a whole."""

from domain import refunds
from domain.case import Case
from domain.commands import CreditDeposit, ReverseDeposit
from domain.facts import DepositCredited, DepositReversed, Takes
from domain.invoices import oldest_invoice_first
from domain.money import Money
from domain.queue import queue
from domain.refusals import Code, Refusal, too_large
from domain.registration import conclusion
from domain.state import spend
from domain.values import maker

_deposit_credited = maker(DepositCredited)


def deposit(case: Case, request: CreditDeposit) -> Refusal | None:
    """Credits what the company received, whatever the state; then it pays what waits (telnexx/deposit)."""
    amount = Money.of_millionths(request.amount, request.currency)
    refusal = _refusal(case, request, amount)
    if refusal is not None:
        return refusal
    received_at = request.received_at or case.now
    credited = _deposit_credited(
        amount=amount,
        method=request.method,
        reference=request.reference,
        payer=request.payer,
        received_at=received_at,
    )
    lot = case.record(credited, "deposit", received_at)
    standing = case.state.standing
    if standing.ended or standing.refused:
        _after_the_end(case, lot)
        return None
    conclusion(case)
    queue(case)
    return None


def reverse_deposit(case: Case, request: ReverseDeposit) -> Refusal | None:
    """A chargeback takes the whole deposit: its own rest first, then the oldest lots; the rest is a debt."""
    version = case.past.deposit(request.reference)
    recorded = case.fact(f"{case.state.subject}/{version}") if version else None
    if recorded is None or not isinstance(recorded.fact, DepositCredited):
        return Refusal(code=Code.UNKNOWN_DEPOSIT, message=f"no deposit {request.reference} was credited")
    if recorded.id in case.state.reversed_deposits:
        return Refusal(code=Code.ALREADY_REVERSED, message=f"deposit {request.reference} was reversed before")
    amount = recorded.fact.amount
    case.record(
        DepositReversed(
            deposit=recorded.id,
            reference=request.reference,
            amount=amount,
            method=recorded.fact.method,
            ground=request.ground,
            paid_from=_own_rest_first(case, recorded.id, amount),
        ),
        "deposit",
    )
    return None


def _refusal(case: Case, request: CreditDeposit, amount: Money) -> Refusal | None:
    currency = case.state.profile.currency
    if request.currency != currency:
        return Refusal(
            code=Code.CURRENCY_NOT_ACCEPTED, message=f"the account is kept in {currency}, not in {request.currency}"
        )
    if case.past.deposit(request.reference) is not None:
        return Refusal(
            code=Code.REFERENCE_ALREADY_CREDITED, message=f"reference {request.reference} was credited before"
        )
    if request.received_at is not None and request.received_at > case.now:
        return Refusal(code=Code.INSTANT_IN_FUTURE, message="received_at lies after the command")
    if amount.units <= 0:
        return Refusal(code=Code.AMOUNT_NOT_POSITIVE, message=f"a deposit is more than 0.00, found {amount}")
    return too_large(amount)


def _after_the_end(case: Case, deposit_id: str) -> None:
    """Debt and open invoices are paid first; what is left of this deposit is due back."""
    oldest_invoice_first(case)
    left = next((lot.left for lot in case.state.account.lots if lot.id == deposit_id), case.zero)
    refunds.pay_out_part(case, left, (deposit_id,), "settlement")


def _own_rest_first(case: Case, deposit_id: str, amount: Money) -> Takes:
    lots = case.state.account.lots
    ordered = (*(lot for lot in lots if lot.id == deposit_id), *(lot for lot in lots if lot.id != deposit_id))
    return spend(ordered, amount)
