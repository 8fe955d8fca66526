"""The decision on one command: time first, then who may ask for it at all, then the rule that answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from domain import (
    clock,
    corrections,
    deposits,
    disputes,
    ending,
    holder,
    numbers,
    orders,
    plans,
    refunds,
    registration,
    termination,
    usage,
)
from domain.case import Case, Past
from domain.catalogue import Catalogue
from domain.commands import (
    AddChannels,
    AdvanceClock,
    AnnounceNumberReplacement,
    Command,
    ConfirmRefundPaid,
    CreditDeposit,
    DecideRefund,
    ErasePersonalData,
    GrantCompensation,
    OpenDispute,
    OrderAdministrativeService,
    OrderNumber,
    PassVerification,
    PostAdjustment,
    PublishRegulations,
    PublishTariff,
    RecordViolation,
    RefuseRegistration,
    RegisterSubscriber,
    ReleaseNumber,
    ReplaceNumber,
    ReportUsage,
    RequestPlanChange,
    RequestRefund,
    RequestTermination,
    ResolveDispute,
    ResumeServices,
    ReverseDeposit,
    SetAutorenew,
    SubscriberRequest,
    SuspendServices,
    TerminateAgreement,
    TransferAgreement,
    WithdrawPlanChange,
)
from domain.facts import CommandRefused, Recorded
from domain.refusals import Code, Malformed, Refusal
from domain.rules import LEDGER, basis_of, rule_of
from domain.state import State, Subscriber, Unregistered, evolve, resumed
from domain.usage import Metered
from domain.values import changer, maker

AFTER_REFUSED_REGISTRATION = (CreditDeposit, ConfirmRefundPaid, ErasePersonalData, AdvanceClock)
AFTER_THE_END = (
    AdvanceClock,
    CreditDeposit,
    ReverseDeposit,
    RequestRefund,
    DecideRefund,
    ConfirmRefundPaid,
    OpenDispute,
    ResolveDispute,
    PostAdjustment,
    ErasePersonalData,
)
PUBLICATIONS = (PublishRegulations, PublishTariff)
ONLY_AFTER_CONCLUSION = (RequestPlanChange, OrderAdministrativeService, AddChannels, ReplaceNumber, ReportUsage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a command led to: the facts in order, the state after them, and what its sender is told."""

    state: State
    facts: tuple[Recorded, ...] = ()
    refusal: Refusal | None = None
    basis: str | None = None
    malformed: Malformed | None = None
    metered: Metered | None = None


_decision = maker(Decision)
_recorded = maker(Recorded)
_as_of = changer(Subscriber, "as_of")


def decide(state: State, command: Command, catalogue: Catalogue, past: Past) -> Decision:
    """Decides `command` on `state`; pure, so that the same arguments give the same facts in ten years.

    `command.at` is the instant of the decision. `past` answers for facts that the state has let go of.
    """
    if state.as_of is not None and command.at < state.as_of:
        message = f"the last instant of {state.subject} was {state.as_of.isoformat()}"
        backwards = Refusal(code=Code.TIME_WENT_BACKWARDS, message=message)
        return Decision(state=state, refusal=backwards, basis=basis_of(rule_of(backwards.code), {}))
    if isinstance(state, Unregistered):
        return _first(state, command, catalogue, past)
    case = Case(state, command.at, catalogue, past)
    clock.advance(case)
    answer = _forbidden(case, command.request) or _answer(case, command)
    if isinstance(answer, Malformed):
        return Decision(state=state, malformed=answer)
    if isinstance(answer, Refusal):
        return _refused(case, command, answer)
    return _accepted(case, answer)


def _accepted(case: Case, metered: Metered | None) -> Decision:
    return _decision(state=_until(case), facts=tuple(case.facts), metered=metered)


def _refused(case: Case, command: Command, refusal: Refusal) -> Decision:
    rule = refusal.rule or rule_of(refusal.code)
    case.record(_refused_fact(command, refusal), rule)
    return Decision(state=_until(case), facts=tuple(case.facts), refusal=refusal, basis=case.facts[-1].basis)


def _until(case: Case) -> Subscriber:
    """The state as of now; after the end nothing is decided at a boundary, yet it passes, as it does in a replay."""
    state = case.state
    return resumed(state if state.as_of >= case.now else _as_of(state, case.now))


def _refused_fact(command: Command, refusal: Refusal) -> CommandRefused:
    return CommandRefused(
        command=type(command.request).__name__,
        code=refusal.code.value,
        message=refusal.message,
        earliest=refusal.earliest,
    )


def _first(state: Unregistered, command: Command, catalogue: Catalogue, past: Past) -> Decision:
    """A subject that nobody registered: it can join, and nothing else."""
    request = command.request
    if isinstance(request, RegisterSubscriber):
        refusal = registration.registration_refusal(request, catalogue, command.at)
        if refusal is None:
            return _register(state, command, request, catalogue, past)
    else:
        refusal = Refusal(code=Code.UNKNOWN_SUBSCRIBER, message=f"{state.subject} is not registered")
    basis = basis_of(rule_of(refusal.code), _clauses_named(request, catalogue, command.at))
    if isinstance(request, AdvanceClock):
        return Decision(state=state, refusal=refusal, basis=basis)
    recorded = Recorded(
        subject=state.subject,
        version=state.version + 1,
        fact=_refused_fact(command, refusal),
        effective_at=command.at,
        recorded_at=command.at,
        basis=basis,
    )
    return Decision(state=evolve(state, recorded), facts=(recorded,), refusal=refusal, basis=basis)


def _clauses_named(request: object, catalogue: Catalogue, at: datetime) -> Mapping[str, str]:
    """The clauses of the regulations that somebody asks to join under, as far as they exist."""
    if not isinstance(request, RegisterSubscriber):
        return {}
    regulations = catalogue.in_force(request.regulations, at)
    return regulations.clauses if regulations else {}


def _register(
    state: Unregistered, command: Command, request: RegisterSubscriber, catalogue: Catalogue, past: Past
) -> Decision:
    fact = registration.registered(request, catalogue, command.at)
    joined = _recorded(
        subject=state.subject,
        version=state.version + 1,
        fact=fact,
        effective_at=command.at,
        recorded_at=command.at,
        basis=basis_of("registration", _clauses_named(request, catalogue, command.at)),
    )
    subscriber = evolve(state, joined)
    assert isinstance(subscriber, Subscriber)
    case = Case(subscriber, command.at, catalogue, past)
    case.facts.append(joined)
    registration.after_registration(case)
    return _accepted(case, None)


def _forbidden(case: Case, request: object) -> Refusal | None:
    """What may not be asked for in this standing, whatever the details."""
    standing = case.state.standing
    if isinstance(request, RegisterSubscriber):
        return Refusal(code=Code.ALREADY_REGISTERED, message=f"{case.state.subject} is registered already")
    if isinstance(request, RequestPlanChange):
        refusal = plans.unknown_plan(case, request.plan)
        if refusal is not None:
            return refusal
    if standing.refused and not isinstance(request, AFTER_REFUSED_REGISTRATION):
        return Refusal(code=Code.REGISTRATION_REFUSED, message="the registration was refused")
    if standing.ended and not isinstance(request, AFTER_THE_END):
        return Refusal(code=Code.AGREEMENT_TERMINATED, message="the agreement has ended")
    if not standing.concluded and isinstance(request, ONLY_AFTER_CONCLUSION):
        missing = " and ".join(
            name for name, there in (("verification", standing.verified), ("funds", standing.funded)) if not there
        )
        return Refusal(code=Code.NOT_VERIFIED, message=f"the agreement is not concluded; missing: {missing}")
    return None


def _answer(case: Case, command: Command) -> Refusal | Malformed | Metered | None:
    request = command.request
    if isinstance(request, PUBLICATIONS):
        raise TypeError(f"{type(request).__name__} is decided by the catalogue, not for {LEDGER} subscribers")
    return _by_rule(case, request, command.actor)


def _by_rule(case: Case, request: SubscriberRequest, actor: str) -> Refusal | Malformed | Metered | None:
    match request:
        case ReportUsage():
            return usage.metering(case, request)
        case CreditDeposit():
            return deposits.deposit(case, request)
        case AdvanceClock():
            return None
        case OrderNumber():
            return orders.order_number(case, request)
        case AddChannels():
            return orders.add_channels(case, request)
        case ReleaseNumber():
            return orders.release_number(case, request)
        case SetAutorenew():
            return orders.set_autorenew(case, request)
        case OrderAdministrativeService():
            return orders.administrative(case, request)
        case ReplaceNumber():
            return numbers.change(case, request)
        case AnnounceNumberReplacement():
            return numbers.announce_replacement(case, request)
        case RequestPlanChange():
            return plans.request_plan_change(case, request)
        case WithdrawPlanChange():
            return plans.withdraw_plan_change(case)
        case RegisterSubscriber():
            raise TypeError("a registration is decided before a case is opened")
        case PassVerification():
            return registration.pass_verification(case)
        case RefuseRegistration():
            return registration.refuse_registration(case, request)
        case ReverseDeposit():
            return deposits.reverse_deposit(case, request)
        case RecordViolation():
            return termination.record_violation(case, request)
        case SuspendServices():
            termination.suspend_services(case, request.ground)
            return None
        case ResumeServices():
            return termination.resume_services(case)
        case RequestTermination():
            return termination.request_termination(case, request)
        case TerminateAgreement():
            return termination.terminate_agreement(case, request)
        case RequestRefund():
            return _request_refund(case, request)
        case DecideRefund():
            return refunds.decide_refund(case, request)
        case ConfirmRefundPaid():
            return refunds.confirm_refund_paid(case, request)
        case OpenDispute():
            return disputes.dispute(case, request)
        case ResolveDispute():
            return disputes.resolve_dispute(case, request)
        case GrantCompensation():
            return corrections.compensation(case, request)
        case PostAdjustment():
            return corrections.adjustment(case, request, actor)
        case TransferAgreement():
            return holder.transfer(case, request)
        case ErasePersonalData():
            return holder.erasure(case, request)
        case _:
            assert_never(request)


def _request_refund(case: Case, request: RequestRefund) -> Refusal | None:
    """The refund rule; where the guarantee ends the agreement, the person's data goes after the refund."""
    had_ended = bool(case.state.standing.ended)
    refusal = refunds.request_refund(case, request, end=None if had_ended else ending.money_back_end)
    if case.state.standing.ended and not had_ended:
        ending.erase_at_end(case)
    return refusal
