"""Joining: registration, verification, refusal, and the moment at which the agreement is concluded."""

from datetime import datetime

from domain import invoices, refunds
from domain.case import Case
from domain.catalogue import Catalogue
from domain.commands import RefuseRegistration, RegisterSubscriber
from domain.documents import found
from domain.facts import AgreementConcluded, RegistrationRefused, SubscriberRegistered, VerificationPassed
from domain.queue import queue
from domain.refusals import Code, Refusal
from domain.values import maker

_subscriber_registered = maker(SubscriberRegistered)


def registration_refusal(request: RegisterSubscriber, catalogue: Catalogue, now: datetime) -> Refusal | None:
    """Why the person cannot join under these regulations, in this currency, on this plan."""
    regulations = catalogue.in_force(request.regulations, now)
    if regulations is None:
        return Refusal(code=Code.UNKNOWN_REGULATIONS, message=f"no regulations {request.regulations} are in force")
    if request.currency not in regulations.currencies:
        accepted = ", ".join(regulations.currencies)
        return Refusal(
            code=Code.CURRENCY_NOT_ACCEPTED,
            message=f"{request.regulations} keeps accounts in {accepted}, not in {request.currency}",
        )
    tariff = catalogue.tariff(request.regulations, request.currency, now)
    if tariff is None or request.plan not in tariff.plans:
        plans = ", ".join(tariff.plans) if tariff else "none"
        return Refusal(
            code=Code.UNKNOWN_PLAN, message=f"the tariff in force has no plan {found(request.plan)}; its plans: {plans}"
        )
    return None


def registered(request: RegisterSubscriber, catalogue: Catalogue, now: datetime) -> SubscriberRegistered:
    """The fact of joining, under the regulations version accepted (telnexx/registration)."""
    regulations = catalogue.in_force(request.regulations, now)
    assert regulations is not None
    return _subscriber_registered(
        regulations=request.regulations,
        version=regulations.version,
        currency=request.currency,
        plan=request.plan,
        holder=request.holder,
        autorenew=request.autorenew,
        first_account=request.first_account,
        time_zone=regulations.time_zone,
        personal=request.personal,
    )


def after_registration(case: Case) -> None:
    """Where registration concludes the agreement, it does so at once."""
    if case.regulations.conclusion == "registration":
        case.record(AgreementConcluded(), "conclusion")


def pass_verification(case: Case) -> Refusal | None:
    """The person's documents are in order; a second time changes nothing."""
    if case.state.standing.verified:
        return None
    case.record(VerificationPassed(), "conclusion")
    conclusion(case)
    queue(case)
    return None


def conclusion(case: Case) -> None:
    """Verified and funded, whichever came later: the agreement stands (telnexx/conclusion)."""
    standing = case.state.standing
    if not standing.concluded and standing.verified and standing.funded:
        case.record(AgreementConcluded(), "conclusion")


def refuse_registration(case: Case, request: RefuseRegistration) -> Refusal | None:
    """The company refuses the person; what was paid in becomes refundable (telnexx/refusal)."""
    if case.state.standing.numbered:
        return Refusal(code=Code.REGISTRATION_FINAL, message="a number has been rented; only a termination ends that")
    case.record(RegistrationRefused(ground=request.ground), "registration-refusal")
    for order in list(case.state.orders.values()):
        invoices.expire_order(case, order, "registration refused", "registration-refusal")
    amount = case.balance.floor_minor()
    if amount.units > 0:
        refunds.pay_out(case, None, amount, case.takes(amount), "registration-refusal")
    return None
