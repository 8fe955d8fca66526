"""Plan changes: asked for with notice, in effect at the period's end, paid for by the difference of connection fees."""

from datetime import datetime, timedelta

from domain.case import Case
from domain.charging import charge_tax
from domain.commands import RequestPlanChange
from domain.facts import (
    ConnectionFeeDifferenceCharged,
    PlanChanged,
    PlanChangeLapsed,
    PlanChangeScheduled,
    PlanChangeWithdrawn,
)
from domain.orders import services_suspended
from domain.periods import local_date, local_text, next_boundary, start_of_day
from domain.prices import connection_fee, plan_in_force, with_tax
from domain.queue import affordable
from domain.refusals import Code, Refusal, notice
from domain.state import CHANNEL, Order, Rental


def request_plan_change(case: Case, request: RequestPlanChange) -> Refusal | None:
    """Schedules the change for the end of this period, or of the next where late requests are deferred."""
    refusal = services_suspended(case) or _service_without_price(case, request.plan)
    if refusal is not None:
        return refusal
    end = case.state.next_boundary
    deadline = notice_deadline(case, end)
    late = case.now > deadline
    following = next_boundary(end, case.zone)
    if late and case.regulations.late_plan_change == "refuse":
        return plan_change_notice(case, deadline, following)
    if case.state.scheduled_plan is not None:
        return Refusal(
            code=Code.CHANGE_ALREADY_SCHEDULED, message=f"a change to {case.state.scheduled_plan} is scheduled"
        )
    if request.plan == case.state.profile.plan:
        return Refusal(code=Code.SAME_PLAN, message=f"the plan is {request.plan} already")
    scheduled = PlanChangeScheduled(
        from_plan=case.state.profile.plan, plan=request.plan, takes_effect_at=following if late else end
    )
    case.record(scheduled, "plan-change")
    return None


def unknown_plan(case: Case, plan: str) -> Refusal | None:
    """The tariff in force must have the plan."""
    if plan_in_force(case, plan) is not None:
        return None
    return Refusal(code=Code.UNKNOWN_PLAN, message=f"the tariff in force has no plan {plan}")


def plan_change_notice(case: Case, deadline: datetime, earliest: datetime) -> Refusal:
    """The notice was too short for this period's end (telnexx/plan-change-notice)."""
    needed = notice(case.regulations.plan_change_notice_days)
    return Refusal(
        code=Code.NOTICE_TOO_SHORT,
        message=f"{needed} before the period's end was needed, that was {local_text(deadline, case.zone)}",
        earliest=earliest,
    )


def notice_deadline(case: Case, period_end: datetime) -> datetime:
    """The last moment to give notice for a period's end: that many local calendar days before it, inclusive."""
    days = case.regulations.plan_change_notice_days
    return start_of_day(local_date(period_end, case.zone) - timedelta(days=days), case.zone)


def withdraw_plan_change(case: Case) -> Refusal | None:
    """The subscriber keeps the present plan after all."""
    if case.state.scheduled_plan is None:
        return Refusal(code=Code.NO_CHANGE_SCHEDULED, message="no plan change is scheduled")
    case.record(PlanChangeWithdrawn(plan=case.state.scheduled_plan), "plan-change")
    return None


def plan_change(case: Case) -> None:
    """At the boundary it was scheduled for: the difference is charged, then the plan changes, or the change lapses."""
    target, due = case.state.scheduled_plan, case.state.scheduled_for
    if target is None or due is None or due > case.effective_at:
        return
    if connection_difference(case, target):
        case.record(PlanChanged(from_plan=case.state.profile.plan, plan=target), "plan-change")


def connection_difference(case: Case, target: str) -> bool:
    """Charges the dearer plan's connection fee less the present one's; False where it cannot be paid.

    Source: telnexx/connection-fee-difference, at the tariff of the day of the change.
    """
    present = case.state.profile.plan
    from_fee, _ = connection_fee(case, present, case.effective_at)
    fee, tariff = connection_fee(case, target, case.effective_at)
    difference = (fee - from_fee).share(1, 1)
    if difference.units <= 0 or not case.state.standing.numbered:
        return True
    tax, tax_amount = with_tax(case, difference)
    if not affordable(case, difference + tax_amount):
        lapsed = PlanChangeLapsed(from_plan=present, plan=target, difference=difference + tax_amount, tariff=tariff)
        case.record(lapsed, "connection-difference")
        return False
    charge = case.record(
        ConnectionFeeDifferenceCharged(
            amount=difference,
            from_plan=present,
            plan=target,
            from_fee=from_fee,
            fee=fee,
            tariff=tariff,
            paid_from=case.takes(difference),
        ),
        "connection-difference",
    )
    charge_tax(case, tax, difference, tax_amount, (charge,))
    return True


def _service_without_price(case: Case, plan: str) -> Refusal | None:
    """The new plan must price every service in use: rentals, waiting orders, channels."""
    target = plan_in_force(case, plan)
    holders: list[Rental | Order] = [*case.state.rentals.values(), *case.state.orders.values()]
    used = {holder.service for holder in holders} | {CHANNEL for holder in holders if holder.channels}
    missing = sorted(service for service in used if target is None or service not in target.periodic)
    if not missing:
        return None
    return Refusal(code=Code.UNKNOWN_SERVICE, message=f"the plan {plan} has no price for {', '.join(missing)}")
