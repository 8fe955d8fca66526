"""Money back: what the regulations' refund rule gives, who decides, and how it is paid out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from domain import reversals
from domain.case import Case
from domain.commands import ConfirmRefundPaid, DecideRefund, RequestRefund
from domain.documents import RATE_DECIMALS
from domain.facts import (
    Line,
    PeriodicServiceCharged,
    RefundApproved,
    RefundDenied,
    RefundDue,
    RefundPaid,
    RefundRequested,
    RemainderWrittenOff,
    Takes,
    TaxCharged,
    UsageCharged,
)
from domain.invoices import oldest_invoice_first
from domain.money import ACCOUNT_DECIMALS, Money, decimal_places, format_decimal, minor_unit, parse_decimal
from domain.periods import local_text, period_of, whole_periods
from domain.prices import Listed, proration
from domain.refusals import Code, Refusal, counted, too_large
from domain.rules import basis_of
from domain.state import Lot, Refund, Rental, spend

FOR_CAUSE = frozenset({"violation", "unlawful_use", "non_payment"})
"""Causes of an end that the company gives."""
MONEY_BACK = "money_back"
"""The cause of an end by the money-back guarantee."""
FEE = "processing fee"
"""The line that every refund of the guarantee has, and no other one."""
ANY = "*"
"""Any country, any method, in the table of processing fees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidLeft:
    """Whole periods of a prepaid rental that lie ahead, and the charge that paid for them."""

    charge: str
    periods: int


def pay_out_balance(case: Case, rule: str) -> None:
    """The whole balance, rounded down to the minor unit, is due; what is below it is written off."""
    amount = case.balance.floor_minor()
    if amount.units > 0:
        pay_out(case, None, amount, case.takes(amount), rule)
    write_off(case, rule)


def pay_out_raise(case: Case, raised: Money, rule: str) -> None:
    """After the end, what raised the balance is due at once, less what was owed; nothing while a debt is left.

    Where an invoice was open there was no balance before, so what the raise left of itself is the balance.
    """
    lots = tuple(lot.id for lot in case.state.account.lots)
    pay_out_part(case, max(min(raised, case.balance), case.zero), lots, rule)


def pay_out_part(case: Case, amount: Money, lot_ids: tuple[str, ...], rule: str) -> None:
    """`amount` out of those lots is due, rounded down; after the end the fraction is written off."""
    payable = amount.floor_minor()
    if payable.units > 0:
        pay_out(case, None, payable, spend(_lots(case, lot_ids), payable), rule)
    rest = amount - payable
    if rest.units > 0 and case.state.standing.ended:
        case.record(RemainderWrittenOff(amount=rest, paid_from=spend(_lots(case, lot_ids), rest)), rule)


def _lots(case: Case, lot_ids: tuple[str, ...]) -> tuple[Lot, ...]:
    return tuple(lot for lot in case.state.account.lots if lot.id in lot_ids)


def write_off(case: Case, rule: str) -> None:
    """Less than a minor unit is left, which nobody can pay out."""
    if case.balance.units > 0:
        case.record(RemainderWrittenOff(amount=case.balance, paid_from=case.takes(case.balance)), rule)


def pay_out(
    case: Case,
    refund: str | None,
    amount: Money,
    takes: Takes,
    rule: str,
    *,
    fee: Money | None = None,
    lines: tuple[Line, ...] = (),
    method: str | None = None,
) -> None:
    """`amount` leaves the balance into what is owed to the subscriber, under the id of its request or its own."""
    own_id = f"{case.state.subject}/{case.state.version + 1}"
    case.record(
        RefundDue(
            refund=refund or own_id,
            amount=amount,
            fee=fee or case.zero,
            lines=lines or tuple(Line(label="deposit", lot=take.lot, amount=take.amount) for take in takes),
            method=method,
            paid_from=takes,
        ),
        rule,
    )


def prepaid_periods_left(case: Case) -> tuple[PrepaidLeft, ...]:
    """Prepaid rentals of refundable services with whole periods that remain (illyvoip/cancellation)."""
    found = []
    for rental in case.state.rentals.values():
        left = _periods_left(case, rental)
        charged = case.fact(rental.charge)
        if left > 0 and charged is not None and isinstance(charged.fact, PeriodicServiceCharged):
            if charged.fact.refundable:
                found.append(PrepaidLeft(charge=rental.charge, periods=left))
    return tuple(found)


def by_refund_rules(case: Case, prepaid: tuple[PrepaidLeft, ...]) -> None:
    """At the end: whole prepaid periods come back, less the connection fee once; then as if a refund was requested.

    What comes back pays open invoices first, as whatever raises the balance does.
    """
    if not case.state.standing.in_breach:
        fee = case.state.standing.connection_fee or case.zero
        for left in prepaid:
            fee = _reverse_prepaid(case, left, fee)
        oldest_invoice_first(case)
    if case.regulations.refunds != "discretionary" or case.balance.units > 0:
        request_refund(case, RequestRefund(), end=None)


def request_refund(case: Case, request: RequestRefund, end: Callable[[Case], None] | None) -> Refusal | None:
    """By the regulations' refund rule: at once, by discretion, or not at all.

    `end` ends the agreement where the rule asks for that; None where it has ended.
    """
    match case.regulations.refunds:
        case "on_termination":
            message = "what is left is paid out when the agreement ends, not on request"
            return Refusal(code=Code.NOT_REFUNDABLE, message=message)
        case "unused_deposits":
            refusal = unused_deposits_refusal(case)
            if refusal is None:
                unused_deposits(case, request)
        case "discretionary":
            refusal = discretionary_refusal(case)
            if refusal is None:
                case.record(_requested(request), "refund")
        case "money_back":
            refusal = money_back_refusal(case)
            if refusal is None:
                money_back(case, request, end)
        case rule:
            assert_never(rule)
    return refusal


def unused_deposits_refusal(case: Case) -> Refusal | None:
    """Why nothing is refunded of unused deposits; None where something is."""
    waived = _eligibility_waived(case)
    if waived is not None:
        return Refusal(
            code=Code.NOT_REFUNDABLE,
            rule="eligibility",
            message=f"refunds are for first accounts without a violation; {waived}",
        )
    if _sum(case, _refundable(case)).floor_minor().units > 0:
        return None
    by_age = [lot for lot in case.state.account.lots if lot.method is not None and _young_enough(case, lot)]
    if _sum(case, tuple(by_age)).floor_minor().units > 0:
        methods = ", ".join(sorted({str(lot.method) for lot in by_age}))
        return Refusal(
            code=Code.METHOD_NOT_REFUNDABLE,
            message=f"what is unused was paid by {methods}, which is credited for use and not refunded",
        )
    days = case.regulations.refund_days
    since = "" if days is None else f" of the last {counted(days, 'day')}, since {_days_ago(case, days)}"
    return Refusal(code=Code.NOT_REFUNDABLE, message=f"nothing is left of deposits{since}")


def _eligibility_waived(case: Case) -> str | None:
    """Why nothing of this account is refunded, whatever was paid in (illyvoip/first-account-only)."""
    if not case.state.profile.first_account:
        return "this is a further account"
    return "there was a violation" if case.state.standing.in_breach else None


def _days_ago(case: Case, days: int) -> str:
    return local_text(case.effective_at - timedelta(days=days), case.zone)


def unused_deposits(case: Case, request: RequestRefund) -> None:
    """What is left of deposits young enough, by refundable methods, a line per lot (illyvoip/refund-90d)."""
    rule = "first-deposit" if _first_deposit_unused(case) else "refund"
    refund = case.record(RefundRequested(reason=request.reason, method=request.method, country=request.country), rule)
    lots = _refundable(case)
    total = _sum(case, lots)
    amount = total.floor_minor()
    takes = spend(lots, amount)
    pay_out(case, refund, amount, takes, rule, method=request.method)
    rest = total - amount
    if rest.units and case.state.standing.ended:
        left = _lots(case, tuple(lot.id for lot in lots))
        case.record(RemainderWrittenOff(amount=rest, paid_from=spend(left, rest)), rule)


def discretionary_refusal(case: Case) -> Refusal | None:
    """No discretion after a violation (calycom/discretionary-refund)."""
    if case.state.standing.in_breach:
        return Refusal(code=Code.NOT_REFUNDABLE, message="a violation rules out any refund")
    return None


def decide_refund(case: Case, request: DecideRefund) -> Refusal | None:
    """A named reviewer grants or declines, with a reason."""
    refund = case.state.refunds.get(request.refund)
    if refund is None:
        return Refusal(code=Code.UNKNOWN_REFUND, message=f"no refund {request.refund} was requested")
    if refund.decided:
        return Refusal(code=Code.ALREADY_DECIDED, message=f"refund {request.refund} was decided before")
    if not request.approved:
        denied = RefundDenied(refund=request.refund, reviewer=request.reviewer, reason=request.reason)
        case.record(denied, "refund")
        return None
    approved = RefundApproved(refund=request.refund, reviewer=request.reviewer, reason=request.reason)
    case.record(approved, "refund")
    amount = case.balance.floor_minor()
    if amount.units > 0:
        pay_out(case, request.refund, amount, case.takes(amount), "refund")
    if case.state.standing.ended:
        write_off(case, "refund")
    return None


def confirm_refund_paid(case: Case, request: ConfirmRefundPaid) -> Refusal | None:
    """The payout: in the account's currency, or in one that the regulations pay refunds in, at a stated rate."""
    refund = case.state.refunds.get(request.refund)
    if refund is None or refund.due is None:
        return Refusal(code=Code.UNKNOWN_REFUND, message=_not_due(request.refund, refund))
    if refund.paid:
        return Refusal(code=Code.ALREADY_PAID, message=f"refund {request.refund} was paid before")
    account = case.state.profile.currency
    currency = request.currency or account
    if currency != account and request.rate is None:
        return Refusal(code=Code.RATE_REQUIRED, message=f"a rate from {account} to {currency} is needed")
    payable = case.regulations.refund_currencies
    accepted = (account,) if payable is None else payable
    if currency not in accepted:
        return Refusal(
            code=Code.METHOD_NOT_REFUNDABLE,
            rule="payout",
            message=f"refunds are paid in {', '.join(accepted) or 'no currency'}, not in {currency}",
        )
    rate = request.rate if currency != account else None
    paid = _converted(refund.due, currency, rate) if rate else refund.due
    beyond = too_large(paid)
    if beyond is not None:
        return beyond
    case.record(
        RefundPaid(
            refund=request.refund,
            amount=refund.due,
            paid=paid,
            method=request.method,
            reference=request.reference,
            rate=format_decimal(rate, RATE_DECIMALS, 0) if rate else None,
        ),
        "payout",
    )
    return None


def _not_due(refund_id: str, refund: Refund | None) -> str:
    """Why there is nothing to be paid out under that name."""
    if refund is None:
        return f"no refund {refund_id} was requested or is due"
    if not refund.decided:
        return f"refund {refund_id} waits for a decision"
    return f"refund {refund_id} was denied" if refund.denied else f"nothing is due of refund {refund_id}"


def money_back_refusal(case: Case) -> Refusal | None:
    """Within so many days of the first charge, and not after an end for cause."""
    ended = case.state.standing.ended
    if ended in FOR_CAUSE:
        return Refusal(
            code=Code.NOT_REFUNDABLE,
            rule="refund-after-cause",
            message="an agreement that was ended for cause is not refunded",
        )
    if ended == MONEY_BACK or _given_back_before(case):
        return Refusal(code=Code.NOT_REFUNDABLE, message="the money was given back before")
    first = next(reversals.charges(case), None)
    if first is None:
        return Refusal(code=Code.NOT_REFUNDABLE, message="nothing has been charged yet")
    days = case.regulations.refund_days
    if days is not None and case.effective_at > (last := first.recorded.effective_at + timedelta(days=days)):
        return Refusal(
            code=Code.NOT_REFUNDABLE,
            message=f"money was given back for {counted(days, 'day')} from the first charge, {first.id}, "
            f"until {local_text(last, case.zone)}",
        )
    return None


def _given_back_before(case: Case) -> bool:
    """Whether the guarantee was made use of, also by the settlement of an ordinary end."""
    return any(
        isinstance(recorded.fact, RefundDue) and any(line.label == FEE for line in recorded.fact.lines)
        for recorded in case.newest_first()
    )


def money_back(case: Case, request: RequestRefund, end: Callable[[Case], None] | None) -> None:
    """Every charge but usage and third parties' costs comes back; the balance less the fee is due.

    `end` ends what has not ended yet, and open invoices are paid, before the payout. Source: hexaserv/money-back-30d.
    """
    refund = case.record(_requested(request), "refund")
    third_party = []
    for charge in list(reversals.charges(case)):
        fact = charge.fact
        left = reversals.left_of(case, charge)
        if isinstance(fact, PeriodicServiceCharged) and fact.third_party:
            third_party.append(third_party_line(case, charge.id, fact, left))
        elif not isinstance(fact, UsageCharged | TaxCharged) and left.units:
            reversals.reverse(case, charge, left, "money back", "refund")
    if end is not None:
        end(case)
    oldest_invoice_first(case)
    _pay_out_less_fee(case, refund, request, third_party)


def third_party_line(case: Case, charge: str, fact: PeriodicServiceCharged, left: Money) -> Line:
    """What a third party was paid is not given back; the line says which charge stays (hexaserv/domain-deduction)."""
    basis = basis_of("third-party", case.regulations.clauses)
    return Line(label=f"third party: {fact.service}", basis=basis, charge=charge, amount=left)


def _pay_out_less_fee(case: Case, refund: str, request: RequestRefund, third_party: list[Line]) -> None:
    balance = max(case.balance, case.zero)
    fee = min(processing_fee(case, request), balance)
    amount = (balance - fee).floor_minor()
    lines = (
        Line(label="balance", amount=balance),
        Line(label=FEE, amount=-fee),
        *third_party,
    )
    takes = case.takes(amount + fee)
    pay_out(case, refund, amount, takes, "refund", fee=fee, lines=lines, method=request.method)
    write_off(case, "refund")


def processing_fee(case: Case, request: RequestRefund) -> Money:
    """The fee for the refund's country and method; the entry for any country where the country has none."""
    fees = case.regulations.processing_fees or {}
    for country in (request.country or ANY, ANY):
        by_method = fees.get(country, {})
        for method in (request.method or ANY, ANY):
            if method in by_method:
                return Money.of_millionths(by_method[method], case.state.profile.currency).share(1, 1)
    return case.zero


def _requested(request: RequestRefund) -> RefundRequested:
    return RefundRequested(reason=request.reason, method=request.method, country=request.country)


def _converted(due: Money, currency: str, rate: int) -> Money:
    """`due × rate`, rounded down to the minor unit of the payout's currency."""
    scaled = due.units * rate * 10 ** decimal_places(currency)
    units = scaled // 10 ** (decimal_places(due.currency) + RATE_DECIMALS)
    minor = minor_unit(currency)
    return Money(units // minor * minor, currency)


def _first_deposit_unused(case: Case) -> bool:
    return case.state.account.deposits == 1 and not case.state.account.spent


def _young_enough(case: Case, lot: Lot) -> bool:
    days = case.regulations.refund_days
    if days is None or _first_deposit_unused(case):
        return True
    return lot.received_at >= case.effective_at - timedelta(days=days)


def _refundable(case: Case) -> tuple[Lot, ...]:
    barred = case.regulations.non_refundable_methods
    return tuple(
        lot
        for lot in case.state.account.lots
        if lot.method is not None and lot.method not in barred and _young_enough(case, lot)
    )


def _sum(case: Case, lots: tuple[Lot, ...]) -> Money:
    total = case.zero
    for lot in lots:
        total = total + lot.left
    return total


def _periods_left(case: Case, rental: Rental) -> int:
    """Periods of a prepaid term that lie ahead as a whole; one that begins at this very instant does."""
    if not rental.prepaid or rental.term_ends_at is None or rental.term_ends_at <= case.effective_at:
        return 0
    this = period_of(case.effective_at, case.zone)
    ahead = this.start if this.start == case.effective_at else this.end
    return whole_periods(ahead, rental.term_ends_at, case.zone)


def _reverse_prepaid(case: Case, left: PrepaidLeft, fee: Money) -> Money:
    """Takes whole periods back at the price then charged; answers with the connection fee still to be kept."""
    charge = reversals.find_charge(case, left.charge)
    if charge is None or not isinstance(charge.fact, PeriodicServiceCharged):
        return fee
    price = charge.fact.calculation
    discount = parse_decimal(price.discount or "0", ACCOUNT_DECIMALS)
    listed = Listed(price=price.price, tariff=charge.fact.tariff, discount_millionths=discount)
    whole, _ = proration(listed, 1, further=left.periods - 1)
    whole = min(whole, reversals.left_of(case, charge))
    kept = min(fee, whole)
    if (whole - kept).units:
        reversals.reverse(case, charge, whole - kept, "whole prepaid periods left", "settlement", taxed=False)
    return fee - kept
