"""The money-back guarantee: charges reversed, the agreement ended, a fee by country and method kept (hexaserv/money-back-30d)."""

from datetime import timedelta

from domain import ending, refunds, reversals
from domain.case import Case
from domain.commands import RequestRefund
from domain.facts import Line, PeriodicServiceCharged, PersonalDataErased, RefundRequested, TaxCharged, UsageCharged
from domain.money import Money
from domain.refusals import Code, Refusal

ANY = "*"


def request_refund(case: Case, request: RequestRefund) -> Refusal | None:
    """By the regulations' refund rule: at once, by discretion, or not at all."""
    rule = case.regulations.refunds
    if rule == "on_termination":
        return Refusal(
            code=Code.NOT_REFUNDABLE, message="what is left is paid out when the agreement ends, not on request"
        )
    if rule == "unused_deposits":
        refusal = refunds.unused_deposits_refusal(case)
        if refusal is None:
            refunds.unused_deposits(case, request)
        return refusal
    if rule == "discretionary":
        refusal = refunds.discretionary_refusal(case)
        if refusal is None:
            case.record(_requested(request), "refund")
        return refusal
    refusal = money_back_refusal(case)
    if refusal is None:
        money_back(case, request)
    return refusal


def money_back_refusal(case: Case) -> Refusal | None:
    """Within so many days of the first charge, and not after an end for cause."""
    if case.state.standing.ended in ending.FOR_CAUSE and case.state.standing.in_breach:
        return Refusal(
            code=Code.NOT_REFUNDABLE,
            rule="refund-after-cause",
            message="an agreement that was ended for cause is not refunded",
        )
    first = case.state.account.first_charge_at
    if first is None:
        return Refusal(code=Code.NOT_REFUNDABLE, message="nothing has been charged yet")
    days = case.regulations.refund_days
    if days is not None and case.effective_at > first + timedelta(days=days):
        return Refusal(code=Code.NOT_REFUNDABLE, message=f"the {days} days from the first charge are over")
    return None


def money_back(case: Case, request: RequestRefund) -> None:
    """Every charge but usage and third parties' costs comes back; the balance less the fee is due."""
    refund = case.record(_requested(request), "refund")
    third_party = []
    for charge in list(reversals.charges(case)):
        fact = charge.fact
        left = reversals.left_of(case, charge)
        if isinstance(fact, PeriodicServiceCharged) and fact.third_party:
            third_party.append(Line(label=f"third party: {fact.service}", charge=charge.id, amount=left))
        elif not isinstance(fact, UsageCharged | TaxCharged) and left.units:
            reversals.reverse(case, charge, left, "money back", "refund")
    if case.state.standing.ended is None:
        ending.end_agreement(case, "money_back")
    _pay_out(case, refund, request, third_party)


def _pay_out(case: Case, refund: str, request: RequestRefund, third_party: list[Line]) -> None:
    balance = max(case.balance, case.zero)
    fee = min(processing_fee(case, request), balance)
    amount = (balance - fee).floor_minor()
    lines = (
        Line(label="balance", amount=balance),
        Line(label="processing fee", amount=-fee),
        *third_party,
    )
    takes = case.takes(amount + fee)
    refunds.pay_out(case, refund, amount, takes, "refund", fee=fee, lines=lines, method=request.method)
    refunds.write_off(case, "refund")
    if case.regulations.erase_personal_data_at_end and not case.state.profile.erased:
        case.record(PersonalDataErased(reason="the agreement has ended"), "erasure")


def processing_fee(case: Case, request: RequestRefund) -> Money:
    """The fee for the refund's country and method; the entry for any country where the country has none."""
    fees = case.regulations.processing_fees or {}
    for country in (request.country or ANY, ANY):
        by_method = fees.get(country, {})
        for method in (request.method or ANY, ANY):
            if method in by_method:
                return Money(by_method[method], case.state.profile.currency)
    return case.zero


def _requested(request: RequestRefund) -> RefundRequested:
    return RefundRequested(reason=request.reason, method=request.method, country=request.country)
