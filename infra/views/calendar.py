"""The deadlines of all subscribers, worked out from the views and the regulations in force.

Early or repeated is harmless, since time advanced without anything being due records nothing. An instant after which
something is due (funding, invoices) is given a microsecond later.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.catalogue import Catalogue
from domain.periods import local_date, next_boundary, period_of, start_of_day
from infra.views.sql import question
from infra.views.times import instant, stored

AFTER = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The next instant at which time alone may change a subscriber's account; it may turn out harmless."""

    subscriber: str
    at: datetime
    reason: str
    """`period_end`, `plan_change`, `announced_end`, `number_replacement`, `invoice_due`, `funding`, `unpaid_end`."""


def deadlines(connection: sqlite3.Connection, catalogue: Catalogue, until: datetime) -> tuple[Deadline, ...]:
    """Everything that falls due up to `until` and has not been seen to, by instant, then subscriber."""
    found = {
        *_period_ends(connection, until),
        *_appointments(connection, until),
        *_invoices(connection, until),
        *_funding(connection, catalogue, until),
        *_unpaid_ends(connection, catalogue, until),
    }
    return tuple(sorted(found, key=lambda one: (one.at, one.subscriber, one.reason)))


def _period_ends(connection: sqlite3.Connection, until: datetime) -> Iterator[Deadline]:
    """The first period's end that a subscriber's facts have not come to."""
    for (zone,) in connection.execute(question("deadlines", "time_zones").sql).fetchall():
        last_boundary = stored(period_of(until, zone).start)
        for subject, passed_at in connection.execute(question("deadlines", "periods_ended").sql, (zone, last_boundary)):
            at = next_boundary(period_of(instant(passed_at), zone).start, zone)
            yield Deadline(subscriber=subject, at=at, reason="period_end")


def _appointments(connection: sqlite3.Connection, until: datetime) -> Iterator[Deadline]:
    for subject, kind, at in connection.execute(question("deadlines", "appointments").sql, (stored(until),)):
        yield Deadline(subscriber=subject, at=instant(at), reason=kind)


def _invoices(connection: sqlite3.Connection, until: datetime) -> Iterator[Deadline]:
    for subject, due_at in connection.execute(question("dues", "invoices_due").sql, (stored(until - AFTER),)):
        yield Deadline(subscriber=subject, at=instant(due_at) + AFTER, reason="invoice_due")


def _funding(connection: sqlite3.Connection, catalogue: Catalogue, until: datetime) -> Iterator[Deadline]:
    """The first window counts from the registration, later ones from the order (telnexx/funding-36h)."""
    for subject, placed, registered, name in connection.execute(question("dues", "orders_without_funds").sql):
        placed_at = instant(placed)
        regulations = catalogue.in_force(name, placed_at)
        if regulations is None or regulations.funding_hours is None:
            continue
        window = timedelta(hours=regulations.funding_hours)
        first = instant(registered) + window
        at = (first if placed_at <= first else placed_at + window) + AFTER
        if at <= until:
            yield Deadline(subscriber=subject, at=at, reason="funding")


def _unpaid_ends(connection: sqlite3.Connection, catalogue: Catalogue, until: datetime) -> Iterator[Deadline]:
    """Grace in days ends at the first instant of the day after its last one (hexaserv/grace-7d)."""
    rows = connection.execute(question("rentals", "all_unpaid_rentals").sql, (stored(until),))
    for subject, since, name, zone in rows:
        unpaid_since = instant(since)
        regulations = catalogue.in_force(name, unpaid_since)
        grace = regulations.unpaid_ends_after if regulations is not None else None
        if grace is None or grace.days is None:
            continue
        at = start_of_day(local_date(unpaid_since, zone) + timedelta(days=grace.days + 1), zone)
        if at <= until:
            yield Deadline(subscriber=subject, at=at, reason="unpaid_end")
