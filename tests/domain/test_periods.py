"""Calendar arithmetic: periods and days where clocks change, leap years, month ends, days that do not exist."""

from datetime import UTC, date, datetime

import pytest

from domain.periods import (
    add_days,
    add_months,
    days_left,
    local_date,
    month,
    next_boundary,
    nth_period_end,
    period_of,
    start_of_day,
    whole_periods,
)

KYIV = "Europe/Kyiv"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-01-01", KYIV, "2025-12-31T22:00:00"),
        ("2026-03-29", KYIV, "2026-03-28T22:00:00"),  # clocks go forward at 03:00
        ("2026-03-30", KYIV, "2026-03-29T21:00:00"),
        ("2026-10-25", KYIV, "2026-10-24T21:00:00"),  # clocks go back at 04:00
        ("2026-10-26", KYIV, "2026-10-25T22:00:00"),
        ("2024-02-29", KYIV, "2024-02-28T22:00:00"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00"),  # midnight is skipped: the day begins at 01:00
        ("2018-11-05", "America/Sao_Paulo", "2018-11-05T02:00:00"),
        ("2018-02-18", "America/Sao_Paulo", "2018-02-18T03:00:00"),  # 00:00 came twice, the second time on the 17th
        ("2023-04-28", "Africa/Cairo", "2023-04-27T22:00:00"),  # midnight is skipped
        ("2023-10-27", "Africa/Cairo", "2023-10-26T22:00:00"),  # 23:00 comes twice
        ("2022-03-27", "Asia/Beirut", "2022-03-26T22:00:00"),  # midnight is skipped
        ("2022-10-30", "Asia/Beirut", "2022-10-29T22:00:00"),
        ("2021-03-14", "America/Havana", "2021-03-14T05:00:00"),  # midnight is skipped
        ("2021-11-07", "America/Havana", "2021-11-07T04:00:00"),  # 00:00 to 01:00 comes twice: the first counts
        ("2011-12-29", "Pacific/Apia", "2011-12-29T10:00:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00"),  # a day that did not exist begins where the next does
        ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00"),
        ("1919-03-31", "America/Toronto", "1919-03-31T04:30:00"),  # 23:30 to 00:30 is skipped: midnight with it
        ("2026-06-01", "Asia/Kathmandu", "2026-05-31T18:15:00"),
        ("2026-06-01", "Australia/Lord_Howe", "2026-05-31T13:30:00"),
        ("2026-06-01", "UTC", "2026-06-01T00:00:00"),
    ],
)
def test_a_local_day_begins_at_its_first_instant(day: str, zone: str, expected: str) -> None:
    first = start_of_day(date.fromisoformat(day), zone)
    assert first == utc(expected)


@pytest.mark.parametrize(
    ("instant", "zone", "start", "end"),
    [
        ("2026-01-05T10:00:00", KYIV, "2025-12-31T22:00:00", "2026-01-31T22:00:00"),
        ("2026-01-31T21:59:59", KYIV, "2025-12-31T22:00:00", "2026-01-31T22:00:00"),
        ("2026-01-31T22:00:00", KYIV, "2026-01-31T22:00:00", "2026-02-28T22:00:00"),
        ("2024-02-29T12:00:00", KYIV, "2024-01-31T22:00:00", "2024-02-29T22:00:00"),
        ("2026-03-15T12:00:00", KYIV, "2026-02-28T22:00:00", "2026-03-31T21:00:00"),
        ("2026-10-15T12:00:00", KYIV, "2026-09-30T21:00:00", "2026-10-31T22:00:00"),
        ("2026-12-15T12:00:00", KYIV, "2026-11-30T22:00:00", "2026-12-31T22:00:00"),
        ("2018-11-15T12:00:00", "America/Sao_Paulo", "2018-11-01T03:00:00", "2018-12-01T02:00:00"),
        ("2011-12-15T12:00:00", "Pacific/Apia", "2011-12-01T10:00:00", "2011-12-31T10:00:00"),
    ],
)
def test_a_period_is_a_local_calendar_month(instant: str, zone: str, start: str, end: str) -> None:
    period = period_of(utc(instant), zone)
    assert (period.start, period.end) == (utc(start), utc(end))


@pytest.mark.parametrize(
    ("instant", "left", "of"),
    [
        ("2026-01-05T10:00:00", 27, 31),
        ("2025-12-31T22:00:00", 31, 31),
        ("2026-01-31T21:59:59.999999", 1, 31),
        ("2026-02-08T10:00:00", 21, 28),
        ("2024-02-08T10:00:00", 22, 29),
        ("2024-02-29T21:59:59", 1, 29),
        ("2026-03-29T00:30:00", 3, 31),
        ("2026-10-25T01:30:00", 7, 31),
        ("2026-04-30T20:59:59", 1, 30),
    ],
)
def test_the_present_day_counts_as_remaining(instant: str, left: int, of: int) -> None:
    assert days_left(utc(instant), KYIV) == (left, of)


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2025-12-31T22:00:00", 1, "2026-01-31T22:00:00"),
        ("2025-12-31T22:00:00", 3, "2026-03-31T21:00:00"),
        ("2025-12-31T22:00:00", 12, "2026-12-31T22:00:00"),
        ("2023-11-30T22:00:00", 3, "2024-02-29T22:00:00"),
        ("2026-09-30T21:00:00", 1, "2026-10-31T22:00:00"),
    ],
)
def test_the_nth_period_is_counted_from_the_first_never_from_the_last(start: str, count: int, end: str) -> None:
    assert nth_period_end(utc(start), count, KYIV) == utc(end)
    assert whole_periods(utc(start), utc(end), KYIV) == count


@pytest.mark.parametrize(
    ("instant", "days", "expected"),
    [
        ("2026-03-28T10:00:00", 1, "2026-03-29T09:00:00"),  # noon to noon over the change: 23 hours
        ("2026-10-24T09:00:00", 1, "2026-10-25T10:00:00"),  # 25 hours
        ("2026-03-05T10:00:00", 60, "2026-05-04T09:00:00"),
        ("2024-02-28T10:00:00", 1, "2024-02-29T10:00:00"),
        ("2026-03-31T09:00:00", -2, "2026-03-29T09:00:00"),
    ],
)
def test_a_day_later_is_the_same_time_of_day(instant: str, days: int, expected: str) -> None:
    later = add_days(utc(instant), days, KYIV)
    assert later == utc(expected)
    assert later.tzinfo is UTC


@pytest.mark.parametrize(
    ("instant", "months", "expected"),
    [
        ("2026-04-05T09:00:00", -3, "2026-01-05T10:00:00"),
        ("2026-05-31T09:00:00", -3, "2026-02-28T10:00:00"),
        ("2024-05-31T09:00:00", -3, "2024-02-29T10:00:00"),
        ("2026-01-31T10:00:00", 1, "2026-02-28T10:00:00"),
        ("2026-01-15T10:00:00", -1, "2025-12-15T10:00:00"),
        ("2026-01-15T10:00:00", 0, "2026-01-15T10:00:00"),
    ],
)
def test_a_month_earlier_is_the_same_day_or_the_months_last(instant: str, months: int, expected: str) -> None:
    other = add_months(utc(instant), months, KYIV)
    assert other == utc(expected)
    assert other.tzinfo is UTC


@pytest.mark.parametrize(
    "zone", [KYIV, "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia", "America/Havana", "Asia/Gaza"]
)
def test_periods_follow_each_other_without_a_gap_for_two_hundred_years(zone: str) -> None:
    first = boundary = month(2000, 1, zone).start
    for _ in range(12 * 199):
        following = next_boundary(boundary, zone)
        assert period_of(boundary, zone).end == following
        assert local_date(following, zone).day == 1
        boundary = following
    assert whole_periods(first, boundary, zone) == 12 * 199
