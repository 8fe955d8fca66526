"""The deadlines of all subscribers, worked out from the views and the regulations in force.

Early or repeated is harmless, since time advanced without anything being due records nothing. An instant after which
something is due (funding, invoices) is given a microsecond later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.catalogue import Catalogue
from domain.periods import local_date, next_boundary, period_of, start_of_day
from infra.views.times import instant, stored

AFTER = timedelta(microseconds=1)

Ask = Callable[..., Iterator[Any]]
"""A source's `ask`: view, question, parameters; the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The next instant at which time alone may change a subscriber's account; it may turn out harmless."""

    subscriber: str
    at: datetime
    reason: str
    """`period_end`, `plan_change`, `announced_end`, `number_replacement`, `invoice_due`, `funding`, `unpaid_end`."""


def deadlines(ask: Ask, catalogue: Catalogue, until: datetime) -> tuple[Deadline, ...]:
    """Everything that falls due up to `until` and has not been seen to, by instant, then subscriber."""
    found = {
        *_period_ends(ask, until),
        *_appointments(ask, until),
        *_invoices(ask, until),
        *_funding(ask, catalogue, until),
        *_unpaid_ends(ask, catalogue, until),
    }
    return tuple(sorted(found, key=lambda one: (one.at, one.subscriber, one.reason)))


def _period_ends(ask: Ask, until: datetime) -> Iterator[Deadline]:
    """The first period's end that a subscriber's facts have not come to."""
    for (zone,) in ask("deadlines", "time_zones"):
        last_boundary = stored(period_of(until, zone).start)
        for subject, passed_at in ask("deadlines", "periods_ended", zone, last_boundary):
            at = next_boundary(period_of(instant(passed_at), zone).start, zone)
            yield Deadline(subscriber=subject, at=at, reason="period_end")


def _appointments(ask: Ask, until: datetime) -> Iterator[Deadline]:
    for subject, kind, at in ask("deadlines", "appointments", stored(until)):
        yield Deadline(subscriber=subject, at=instant(at), reason=kind)


def _invoices(ask: Ask, until: datetime) -> Iterator[Deadline]:
    for subject, due_at in ask("dues", "invoices_due", stored(until - AFTER)):
        yield Deadline(subscriber=subject, at=instant(due_at) + AFTER, reason="invoice_due")


def _funding(ask: Ask, catalogue: Catalogue, until: datetime) -> Iterator[Deadline]:
    """The first window counts from the registration, later ones from the order (telnexx/funding-36h)."""
    for subject, placed, registered, name in ask("dues", "orders_without_funds"):
        placed_at = instant(placed)
        regulations = catalogue.in_force(name, placed_at)
        if regulations is None or regulations.funding_hours is None:
            continue
        window = timedelta(hours=regulations.funding_hours)
        first = instant(registered) + window
        at = (first if placed_at <= first else placed_at + window) + AFTER
        if at <= until:
            yield Deadline(subscriber=subject, at=at, reason="funding")


def _unpaid_ends(ask: Ask, catalogue: Catalogue, until: datetime) -> Iterator[Deadline]:
    """Grace in days ends at the first instant of the day after its last one (hexaserv/grace-7d)."""
    rows = ask("rentals", "all_unpaid_rentals", stored(until))
    for subject, since, name, zone in rows:
        unpaid_since = instant(since)
        regulations = catalogue.in_force(name, unpaid_since)
        grace = regulations.unpaid_ends_after if regulations is not None else None
        if grace is None or grace.days is None:
            continue
        at = start_of_day(local_date(unpaid_since, zone) + timedelta(days=grace.days + 1), zone)
        if at <= until:
            yield Deadline(subscriber=subject, at=at, reason="unpaid_end")
