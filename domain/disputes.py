"""Disputes: opened within a window, resolved by a named reviewer, and what is upheld comes back."""

from datetime import timedelta

from domain import reversals
from domain.case import Case
from domain.commands import OpenDispute, ResolveDispute
from domain.facts import DisputeOpened, DisputeResolved
from domain.invoices import oldest_invoice_first, settled
from domain.money import Money
from domain.periods import local_text
from domain.queue import queue
from domain.refunds import pay_out_raise
from domain.refusals import Code, Refusal, counted


def dispute(case: Case, request: OpenDispute) -> Refusal | None:
    """One dispute per charge, within so many hours of the instant it counts from (illyvoip/dispute-3d)."""
    charge = reversals.find_charge(case, request.charge)
    if charge is None:
        return Refusal(code=Code.UNKNOWN_CHARGE, message=f"{request.charge} is no charge of this account")
    hours = case.regulations.dispute_hours
    if hours is not None and case.now > (last := charge.recorded.effective_at + timedelta(hours=hours)):
        return Refusal(
            code=Code.DISPUTE_WINDOW_CLOSED,
            message=f"{request.charge} could be disputed for {counted(hours, 'hour')}, "
            f"until {local_text(last, case.zone)}",
        )
    if any(one.charge == request.charge for one in case.state.disputes.values()):
        return Refusal(code=Code.ALREADY_DISPUTED, message=f"{request.charge} was disputed before")
    case.record(DisputeOpened(charge=request.charge, reason=request.reason), "dispute")
    return None


def resolve_dispute(case: Case, request: ResolveDispute) -> Refusal | None:
    """Upheld: the amount, at most what is left of the charge, is taken back with its tax; then the queue is paid."""
    opened = case.state.disputes.get(request.dispute)
    if opened is None:
        return Refusal(code=Code.UNKNOWN_DISPUTE, message=f"no dispute {request.dispute} was opened")
    if opened.resolved:
        return Refusal(code=Code.ALREADY_RESOLVED, message=f"dispute {request.dispute} was resolved before")
    if request.amount is not None and request.amount <= 0:
        return Refusal(code=Code.AMOUNT_NOT_POSITIVE, message="what is taken back is more than 0.00")
    resolved = DisputeResolved(
        dispute=request.dispute,
        charge=opened.charge,
        upheld=request.upheld,
        reviewer=request.reviewer,
        reason=request.reason,
    )
    case.record(resolved, "dispute")
    if request.upheld:
        _uphold(case, opened.charge, request)
    return None


def _uphold(case: Case, charge_id: str, request: ResolveDispute) -> None:
    charge = reversals.find_charge(case, charge_id)
    if charge is None:
        return
    left = reversals.left_of(case, charge)
    asked = left if request.amount is None else Money.of_millionths(request.amount, case.state.profile.currency)
    amount = min(asked, left)
    before = case.balance
    if amount.units:
        invoice = case.state.invoices.get(getattr(charge.fact, "invoice", None) or "")
        reversals.reverse(case, charge, amount, request.reason, "dispute")
        if invoice is not None and invoice.id not in case.state.invoices:
            settled(case, invoice)
    after_a_raise(case, case.balance - before)


def after_a_raise(case: Case, raised: Money) -> None:
    """What raised the balance pays the queue; after the end it is due back where the regulations refund the balance."""
    if case.state.standing.ended is None:
        queue(case)
        return
    oldest_invoice_first(case)
    if case.regulations.balance_at_termination == "refund":
        pay_out_raise(case, raised, "settlement")
