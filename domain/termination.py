"""Notice of the end: by the subscriber, by the company, for cause; and violations, which may lead to it."""

from datetime import datetime

from domain.case import Case
from domain.commands import RecordViolation, RequestTermination, TerminateAgreement
from domain.ending import end_agreement
from domain.facts import (
    ServicesResumed,
    ServicesSuspended,
    TerminationAnnounced,
    ViolationRecorded,
    WarningIssued,
)
from domain.periods import add_days, local_text, period_of
from domain.refusals import Code, Refusal


def request_termination(case: Case, request: RequestTermination) -> Refusal | None:
    """At any time without a reason; how soon depends on the regulations and on running terms."""
    if case.regulations.ticket_required and request.ticket is None:
        return Refusal(code=Code.TICKET_REQUIRED, message="a cancellation is confirmed with a ticket number")
    ends_at = termination(case)
    refusal = _already_announced(case, ends_at)
    if refusal is not None:
        return refusal
    announced = TerminationAnnounced(
        ends_at=ends_at, by="subscriber", cause="subscriber", ground=request.reason, ticket=request.ticket
    )
    base = case.now if case.regulations.subscriber_termination == "at_once" else case.state.next_boundary
    _announce(case, announced, "early-termination" if ends_at > base else "termination")
    return None


def termination(case: Case) -> datetime:
    """The end that the subscriber's notice leads to; with several running terms the longest notice counts.

    Source: telnexx/termination-by-subscriber, telnexx/early-termination-60d.
    """
    at_once = case.regulations.subscriber_termination == "at_once"
    ends = [case.now if at_once else case.state.next_boundary]
    days = case.regulations.term_notice_days
    for rental in case.state.rentals.values():
        if days is not None and rental.term_ends_at is not None and rental.in_term(case.now):
            ends.append(min(_end_of_period_after(case, days), rental.term_ends_at))
    return max(ends)


def terminate_agreement(case: Case, request: TerminateAgreement) -> Refusal | None:
    """The company ends it: with notice, or for a cause as the regulations say."""
    if request.cause == "notice":
        return _company_termination(case, request)
    ends_at = _end_for_cause(case)
    refusal = _already_announced(case, ends_at)
    if refusal is None:
        cause(case, request.cause, request.ground, charge_remaining_term=request.charge_remaining_term)
    return refusal


def cause(case: Case, why: str, ground: str, *, charge_remaining_term: bool = False) -> None:
    """For cause: services stop at once; the end comes at once or with the period (telnexx/violations)."""
    ends_at = _end_for_cause(case)
    if ends_at > case.now and not case.state.standing.suspended:
        case.record(ServicesSuspended(ground=ground), "cause")
    present = case.state.standing.announced
    if present is not None and present.ends_at <= ends_at:
        return
    announced = TerminationAnnounced(
        ends_at=ends_at, by="company", cause=why, ground=ground, charge_remaining_term=charge_remaining_term
    )
    _announce(case, announced, "cause")


def record_violation(case: Case, request: RecordViolation) -> Refusal | None:
    """A violation is recorded; the sanction is the command's, or follows from the number of violations."""
    if request.kind not in case.regulations.violation_kinds:
        kinds = ", ".join(case.regulations.violation_kinds)
        return Refusal(code=Code.UNKNOWN_VIOLATION_KIND, message=f"expected one of {kinds}, found {request.kind}")
    violation = ViolationRecorded(kind=request.kind, ground=request.ground, unlawful=request.unlawful)
    case.record(violation, "cause")
    limit = case.regulations.violations_until_termination
    too_many = limit is not None and case.state.standing.violations >= limit
    if request.sanction == "warning":
        case.record(WarningIssued(ground=request.ground), "cause")
    elif request.sanction == "suspension":
        suspend_services(case, request.ground)
    elif request.sanction == "termination" or request.unlawful or too_many:
        cause(case, "violation", request.ground)
    return None


def suspend_services(case: Case, ground: str) -> None:
    """The company stops the services; a second time changes nothing."""
    if not case.state.standing.suspended:
        case.record(ServicesSuspended(ground=ground), "cause")


def resume_services(case: Case) -> Refusal | None:
    """The company lets the services go on."""
    if not case.state.standing.suspended:
        return Refusal(code=Code.NOT_SUSPENDED, message="the services are not suspended")
    case.record(ServicesResumed(), "cause")
    return None


def _company_termination(case: Case, request: TerminateAgreement) -> Refusal | None:
    days = case.regulations.company_notice_days
    ends_at = _end_of_period_after(case, days) if days else case.now
    refusal = _already_announced(case, ends_at)
    if refusal is None:
        announced = TerminationAnnounced(
            ends_at=ends_at,
            by="company",
            cause="notice",
            ground=request.ground,
            charge_remaining_term=request.charge_remaining_term,
        )
        _announce(case, announced, "company-termination")
    return refusal


def _announce(case: Case, announced: TerminationAnnounced, rule: str) -> None:
    case.record(announced, rule)
    if announced.ends_at <= case.now:
        end_agreement(case, announced.cause, charge_remaining_term=announced.charge_remaining_term)


def _already_announced(case: Case, ends_at: datetime) -> Refusal | None:
    announced = case.state.standing.announced
    if announced is None or ends_at < announced.ends_at:
        return None
    return Refusal(
        code=Code.TERMINATION_ALREADY_ANNOUNCED,
        message=f"the agreement ends at {local_text(announced.ends_at, case.zone)} already",
    )


def _end_for_cause(case: Case) -> datetime:
    at_once = case.regulations.termination_for_cause == "at_once"
    return case.now if at_once else case.state.next_boundary


def _end_of_period_after(case: Case, days: int) -> datetime:
    return period_of(add_days(case.now, days, case.zone), case.zone).end
