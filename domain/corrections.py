"""Money that the company gives or corrects: compensations within their cap, adjustments by two people."""

from datetime import datetime

from domain.accounts import balance_change
from domain.case import Case
from domain.commands import GrantCompensation, PostAdjustment
from domain.disputes import after_a_raise
from domain.facts import AdjustmentPosted, CompensationGranted, DepositCredited
from domain.money import Money
from domain.periods import add_months
from domain.queue import queue
from domain.refusals import Code, Refusal, too_large


def compensation(case: Case, request: GrantCompensation) -> Refusal | None:
    """Losses from a fault are made good up to the regulations' cap, all grants for one fault counted together."""
    if request.fault_at > case.now:
        return Refusal(code=Code.INSTANT_IN_FUTURE, message="fault_at lies after the command")
    amount = Money.of_millionths(request.amount, case.state.profile.currency)
    before = granted_for(case, request.fault_at)
    cap = compensation_cap(case, request.fault_at)
    if cap is None:
        return Refusal(code=Code.ABOVE_COMPENSATION_CAP, message="these regulations grant no compensation")
    if amount + before > cap:
        return Refusal(
            code=Code.ABOVE_COMPENSATION_CAP,
            message=f"at most {cap} for this fault, {before} granted before, {amount} asked for",
        )
    if amount.units <= 0:
        return Refusal(code=Code.AMOUNT_NOT_POSITIVE, message=f"a compensation is more than 0.00, found {amount}")
    granted = CompensationGranted(
        amount=amount,
        fault_at=request.fault_at,
        complaint_at=request.complaint_at,
        evidence=request.evidence,
        cap=cap,
        granted_before=before,
    )
    case.record(granted, "compensation")
    queue(case)
    return None


def compensation_cap(case: Case, fault_at: datetime) -> Money | None:
    """What was in the account at the fault, or what was paid in the months before it; None: nothing is granted."""
    cap = case.regulations.compensation_cap
    if cap == "balance_at_fault":
        return balance_as_of(case, fault_at)
    if cap == "paid_in_last_months":
        since = add_months(fault_at, -(case.regulations.compensation_months or 0), case.zone)
        return deposited_between(case, since, fault_at)
    return None


def balance_as_of(case: Case, instant: datetime) -> Money:
    """The balance at the end of `instant`, by what is known now: later effects are taken off again."""
    units = case.balance.units
    for recorded in case.newest_first():
        if recorded.recorded_at <= instant:
            break
        if recorded.effective_at > instant:
            units -= balance_change(recorded.subject, recorded.fact)
    return Money(units, case.state.profile.currency)


def deposited_between(case: Case, since: datetime, until: datetime) -> Money:
    """Deposits received from `since` to `until`, both included, without those that were reversed."""
    total = case.zero
    for recorded in case.newest_first():
        if recorded.recorded_at < since:
            break
        fact = recorded.fact
        if isinstance(fact, DepositCredited) and since <= fact.received_at <= until:
            if recorded.id not in case.state.reversed_deposits:
                total = total + fact.amount
    return total


def granted_for(case: Case, fault_at: datetime) -> Money:
    """Compensations granted for the same fault before."""
    total = case.zero
    for recorded in case.newest_first():
        if recorded.recorded_at < fault_at:
            break
        if isinstance(recorded.fact, CompensationGranted) and recorded.fact.fault_at == fault_at:
            total = total + recorded.fact.amount
    return total


def adjustment(case: Case, request: PostAdjustment, actor: str) -> Refusal | None:
    """A correction by two people, up or down, never below zero."""
    if request.reviewer == actor:
        return Refusal(code=Code.REVIEWER_IS_ACTOR, message=f"{actor} cannot review their own adjustment")
    amount = Money.of_millionths(request.amount, case.state.profile.currency)
    if not amount.units:
        return Refusal(code=Code.AMOUNT_NOT_POSITIVE, message="an adjustment of 0.00 corrects nothing")
    beyond = too_large(amount)
    if beyond is not None:
        return beyond
    if amount.units < 0 and (case.balance + amount).units < 0:
        return Refusal(code=Code.INSUFFICIENT_FUNDS, message=f"{-amount} would be taken, the balance is {case.balance}")
    takes = case.takes(-amount) if amount.units < 0 else ()
    posted = AdjustmentPosted(
        amount=amount, reason=request.reason, reviewer=request.reviewer, actor=actor, paid_from=takes
    )
    case.record(posted, "adjustment")
    if amount.units > 0:
        after_a_raise(case, amount)
    return None
