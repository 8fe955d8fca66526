"""Counts what a subscriber has that a period's end may touch, and notes appointed instants.

No fact says when the next period begins: it follows from the time zone and from how far the subscriber's facts have
come, which is what `clocks` holds. Deadlines that depend on the regulations in force (funding, grace in days) are
worked out when they are asked for. A deadline that turns out to be harmless is no fault; one that is missed would be.
"""

from domain.facts import (
    AgreementTerminated,
    Fact,
    NumberReplaced,
    NumberReplacementAnnounced,
    OrderCancelled,
    OrderPlaced,
    PeriodicServiceCharged,
    PlanChanged,
    PlanChangeLapsed,
    PlanChangeScheduled,
    PlanChangeWithdrawn,
    RentalEnded,
    RentalSuspended,
    SubscriberRegistered,
    TerminationAnnounced,
)
from projections.event import Event, Handler, Rows, View, stored_instant
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    DISPUTES,
    INVOICES,
    PUBLICATIONS,
    REFUND_STEPS,
    REFUSALS,
    RENTALS,
    SETTLEMENTS,
    UNITS,
)

PLAN_CHANGE, END, REPLACEMENT = "plan_change", "announced_end", "number_replacement"


def registered(event: Event) -> Rows:
    """Periods are counted in the regulations' zone."""
    return (("start", (event.subject, event.data["time_zone"], event.recorded_at)),)


def ordered(event: Event) -> Rows:
    """One more that a period's end touches: the order, later the rental that it becomes."""
    return (("hold", (event.recorded_at, 1, event.subject)),)


def cancelled(event: Event) -> Rows:
    return (("hold", (event.recorded_at, -1, event.subject)),)


def ended(event: Event) -> Rows:
    return (
        ("hold", (event.recorded_at, -1, event.subject)),
        ("cancel", (event.subject, REPLACEMENT, event.data["number"])),
    )


def touched(event: Event) -> Rows:
    """A period's end was dealt with, at the latest."""
    return (("hold", (event.recorded_at, 0, event.subject)),)


def change_scheduled(event: Event) -> Rows:
    return (("appoint", (event.subject, PLAN_CHANGE, "", stored_instant(event.data["takes_effect_at"]))),)


def change_settled(event: Event) -> Rows:
    return (("cancel", (event.subject, PLAN_CHANGE, "")),)


def end_announced(event: Event) -> Rows:
    return (("appoint", (event.subject, END, "", stored_instant(event.data["ends_at"]))),)


def terminated(event: Event) -> Rows:
    return (("cancel_all", (event.subject,)),)


def replacement_announced(event: Event) -> Rows:
    data = event.data
    return (("appoint", (event.subject, REPLACEMENT, data["number"], stored_instant(data["takes_effect_at"]))),)


def replaced(event: Event) -> Rows:
    return (("cancel", (event.subject, REPLACEMENT, event.data["number"])),)


HANDLES: dict[type[Fact], Handler] = {
    SubscriberRegistered: registered,
    OrderPlaced: ordered,
    OrderCancelled: cancelled,
    RentalEnded: ended,
    PeriodicServiceCharged: touched,
    RentalSuspended: touched,
    PlanChangeScheduled: change_scheduled,
    PlanChangeWithdrawn: change_settled,
    PlanChangeLapsed: change_settled,
    PlanChanged: change_settled,
    TerminationAnnounced: end_announced,
    AgreementTerminated: terminated,
    NumberReplacementAnnounced: replacement_announced,
    NumberReplaced: replaced,
}
VIEW = View(
    name="deadlines",
    handles=HANDLES,
    ignores=(AGREEMENT - frozenset(HANDLES))
    | (RENTALS - frozenset(HANDLES))
    | (CHARGES - {PeriodicServiceCharged})
    | PUBLICATIONS
    | CONDUCT
    | UNITS
    | CUT_OFFS
    | DEPOSITS
    | INVOICES
    | CORRECTIONS
    | SETTLEMENTS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS,
)
