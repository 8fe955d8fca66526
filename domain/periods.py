"""Instants, local days and calendar months: where a period begins in a zone, and how far away a day is."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EARLIEST_YEAR, LATEST_YEAR = 2000, 2199
"""Instants outside these years are taken for mistakes, so that no clock runs for thousands of periods."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar month of a zone: `[start, end)`, both UTC (CONTRACT §1)."""

    start: datetime
    end: datetime


def local_date(instant: datetime, zone: str) -> date:
    """The calendar day that `instant` falls on in `zone`."""
    return _local(instant, zone).date()


@lru_cache(maxsize=4096)
def start_of_day(day: date, zone: str) -> datetime:
    """The first instant of the local `day`, also where a change of clocks skips midnight or repeats it."""
    tz = _zone(zone)
    first = datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC)
    if first.astimezone(tz).date() == day and (first - _SECOND).astimezone(tz).date() < day:
        return first
    return _first_second_of(day, tz, first)


def local_text(instant: datetime, zone: str) -> str:
    """`instant` as people in `zone` write it: 2026-01-29T00:00:00+02:00."""
    return instant.astimezone(_zone(zone)).isoformat()


def period_of(instant: datetime, zone: str) -> Period:
    """The calendar month that holds `instant`."""
    local = _local(instant, zone)
    return month(local.year, local.month, zone)


@lru_cache(maxsize=8192)
def month(year: int, number: int, zone: str) -> Period:
    """The calendar month `number` (1 to 12) of `year` in `zone`."""
    following = date(year + number // 12, number % 12 + 1, 1)
    return Period(start_of_day(date(year, number, 1), zone), start_of_day(following, zone))


@lru_cache(maxsize=8192)
def nth_period_end(start: datetime, count: int, zone: str) -> datetime:
    """The end of the `count`-th period from the one that begins at `start`, that one counted."""
    first = local_date(start, zone)
    months = first.year * 12 + first.month - 1 + count
    return start_of_day(date(months // 12, months % 12 + 1, 1), zone)


def next_boundary(boundary: datetime, zone: str) -> datetime:
    """The first instant of the period after the one that begins at `boundary`."""
    return nth_period_end(boundary, 1, zone)


def whole_periods(start: datetime, end: datetime, zone: str) -> int:
    """How many periods lie between two boundaries."""
    first, last = local_date(start, zone), local_date(end, zone)
    return (last.year - first.year) * 12 + last.month - first.month


def days_left(instant: datetime, zone: str) -> tuple[int, int]:
    """Days of the month that remain, today counted, and the days that the month has."""
    today = local_date(instant, zone)
    of = calendar.monthrange(today.year, today.month)[1]
    return of - today.day + 1, of


def add_days(instant: datetime, days: int, zone: str) -> datetime:
    """The same time of day on the local calendar, `days` later (or earlier)."""
    tz = _zone(zone)
    local = instant.astimezone(tz).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=tz).astimezone(UTC)


def add_months(instant: datetime, months: int, zone: str) -> datetime:
    """The same local day and time `months` later (or earlier), on the month's last day where it has no such day."""
    tz = _zone(zone)
    local = instant.astimezone(tz).replace(tzinfo=None)
    count = local.year * 12 + local.month - 1 + months
    year, number = count // 12, count % 12 + 1
    day = min(local.day, calendar.monthrange(year, number)[1])
    return local.replace(year=year, month=number, day=day).replace(tzinfo=tz).astimezone(UTC)


@lru_cache(maxsize=1024)
def _local(instant: datetime, zone: str) -> datetime:
    """The rules of one command ask about the same few instants."""
    return instant.astimezone(_zone(zone))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _first_second_of(day: date, tz: ZoneInfo, near: datetime) -> datetime:
    """Midnight is missing: the first second around it that the zone calls `day` or later."""
    low, high = near - timedelta(hours=26), near + timedelta(hours=26)
    while high - low > _SECOND:
        middle = (low + (high - low) // 2).replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(tz).date() >= day else (middle, high)
    return high
