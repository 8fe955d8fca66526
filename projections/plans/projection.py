"""Follows the agreement from registration to its end, and each plan change from its request to what became of it."""

from domain.facts import (
    AgreementConcluded,
    AgreementTerminated,
    AgreementTransferred,
    DepositCredited,
    Fact,
    PersonalDataErased,
    PlanChanged,
    PlanChangeLapsed,
    PlanChangeScheduled,
    PlanChangeWithdrawn,
    RegistrationRefused,
    ServicesResumed,
    ServicesSuspended,
    SubscriberRegistered,
    TerminationAnnounced,
    VerificationPassed,
)
from projections.event import SHORT_NAMES, Event, Handler, Rows, View, stored_instant
from projections.groups import (
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    DISPUTES,
    INVOICES,
    ORDERS,
    PUBLICATIONS,
    REFUND_STEPS,
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)


def registered(event: Event) -> Rows:
    """The agreement's terms."""
    data = event.data
    agreement = (
        event.subject,
        data["regulations"],
        data["version"],
        data["currency"],
        data["time_zone"],
        data["holder"],
        data["plan"],
        data["first_account"],
        event.effective_at,
    )
    return (("register", agreement),)


def dated(statement: str) -> Handler:
    """The handler that notes when something happened first, with `statement`."""

    def noted(event: Event) -> Rows:
        return ((statement, (event.effective_at, event.subject)),)

    return noted


def resumed(event: Event) -> Rows:
    return (("resume", (event.subject,)),)


def termination_announced(event: Event) -> Rows:
    return (("announce_end", (stored_instant(event.data["ends_at"]), event.subject)),)


def terminated(event: Event) -> Rows:
    return (("terminate", (event.effective_at, event.data["cause"], event.subject)),)


def transferred(event: Event) -> Rows:
    return (("transfer", (event.data["holder"], event.subject)),)


def change_scheduled(event: Event) -> Rows:
    """A change of plan begins its life as scheduled."""
    data = event.data
    change = (
        event.subject,
        event.version,
        data["from_plan"],
        data["plan"],
        event.effective_at,
        stored_instant(data["takes_effect_at"]),
    )
    return (("schedule", change),)


def change_settled(event: Event) -> Rows:
    """The scheduled change was made, withdrawn, or lapsed."""
    return (("settle", (SHORT_NAMES[event.type].removeprefix("plan-"), event.effective_at, event.subject)),)


def plan_changed(event: Event) -> Rows:
    return (*change_settled(event), ("change", (event.data["plan"], event.subject)))


HANDLES: dict[type[Fact], Handler] = {
    SubscriberRegistered: registered,
    RegistrationRefused: dated("refuse"),
    VerificationPassed: dated("verify"),
    DepositCredited: dated("fund"),
    AgreementConcluded: dated("conclude"),
    ServicesSuspended: dated("suspend"),
    ServicesResumed: resumed,
    TerminationAnnounced: termination_announced,
    AgreementTerminated: terminated,
    AgreementTransferred: transferred,
    PersonalDataErased: dated("erase"),
    PlanChangeScheduled: change_scheduled,
    PlanChangeWithdrawn: change_settled,
    PlanChangeLapsed: change_settled,
    PlanChanged: plan_changed,
}
VIEW = View(
    name="plans",
    handles=HANDLES,
    ignores=(DEPOSITS - {DepositCredited})
    | (CONDUCT - {ServicesSuspended, ServicesResumed})
    | PUBLICATIONS
    | ORDERS
    | RENTALS
    | UNITS
    | CUT_OFFS
    | CHARGES
    | INVOICES
    | CORRECTIONS
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS,
)
