"""Follows a number from its order to its end; a fact names the number, the tables know which rental of it is meant."""

from domain.facts import (
    AutorenewSet,
    ChannelsAdded,
    Fact,
    NumberRented,
    NumberReplaced,
    NumberReplacementAnnounced,
    OrderCancelled,
    OrderPlaced,
    PeriodicServiceCharged,
    RentalEnded,
    RentalResumed,
    RentalSuspended,
)
from domain.state import CHANNEL
from projections.event import Event, Handler, Rows, View, optional_instant, stored_instant, units
from projections.groups import (
    AGREEMENT,
    CHARGES,
    CONDUCT,
    CORRECTIONS,
    CUT_OFFS,
    DEPOSITS,
    DISPUTES,
    INVOICES,
    PLAN_CHANGES,
    PUBLICATIONS,
    REFUND_STEPS,
    REFUSALS,
    SETTLEMENTS,
    UNITS,
)


def ordered(event: Event) -> Rows:
    """A number is asked for."""
    data = event.data
    rental = (
        event.subject,
        event.version,
        data["number"],
        data["service"],
        data["channels"],
        data["autorenew"],
        data.get("periods"),
        data.get("prepaid", False),
        event.effective_at,
    )
    return (("order", rental),)


def cancelled(event: Event) -> Rows:
    """The order is gone."""
    data = event.data
    return (("end", (event.effective_at, data["reason"], event.subject, data["number"])),)


def charged(event: Event) -> Rows:
    """A period is paid, or invoiced: the price and the plan that it was charged by."""
    data = event.data
    if data["service"] == CHANNEL:
        return ()
    price = units(data["calculation"]["price"], data["currency"])
    paid_until = stored_instant(data["period"]["end"])
    return (("charge", (data["plan"], price, data["currency"], paid_until, event.subject, data["number"])),)


def rented(event: Event) -> Rows:
    """The number is connected and somebody holds it."""
    data = event.data
    number = data["number"]
    paid_until = stored_instant(data["period"]["end"])
    rental = (event.effective_at, optional_instant(data.get("term_ends_at")), paid_until, event.subject, number)
    return ("rent", rental), ("hold", (number, event.subject, event.version, data["service"], event.effective_at))


def ended(event: Event) -> Rows:
    """The number is given back."""
    data = event.data
    ending = (event.effective_at, data["reason"], event.subject, data["number"])
    return ("end", ending), ("give_back", ending)


def replaced(event: Event) -> Rows:
    """The rental goes on under another number: one tenure ends and another begins."""
    data = event.data
    old, new = data["number"], data["new_number"]
    return (
        ("hold_instead", (new, event.version, event.effective_at, event.subject, old)),
        ("give_back", (event.effective_at, "replaced", event.subject, old)),
        ("renumber", (new, event.subject, old)),
    )


def announced(event: Event) -> Rows:
    """The number will be replaced."""
    data = event.data
    replacement = (data["new_number"], stored_instant(data["takes_effect_at"]), event.subject, data["number"])
    return (("announce", replacement),)


def channels_added(event: Event) -> Rows:
    data = event.data
    return (("add_channels", (data["count"], event.subject, data["number"])),)


def suspended(event: Event) -> Rows:
    """The number is out of use since the period that could not be paid began."""
    data = event.data
    return (("suspend", (stored_instant(data["period"]["start"]), event.subject, data["number"])),)


def resumed(event: Event) -> Rows:
    return (("resume", (event.subject, event.data["number"])),)


def autorenew_set(event: Event) -> Rows:
    data = event.data
    return (("set_autorenew", (data["autorenew"], event.subject, data["number"])),)


HANDLES: dict[type[Fact], Handler] = {
    OrderPlaced: ordered,
    OrderCancelled: cancelled,
    PeriodicServiceCharged: charged,
    NumberRented: rented,
    RentalEnded: ended,
    NumberReplaced: replaced,
    NumberReplacementAnnounced: announced,
    ChannelsAdded: channels_added,
    RentalSuspended: suspended,
    RentalResumed: resumed,
    AutorenewSet: autorenew_set,
}
VIEW = View(
    name="rentals",
    handles=HANDLES,
    ignores=(CHARGES - {PeriodicServiceCharged})
    | PUBLICATIONS
    | AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
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
