"""Money and time as the rules speak of them: exact fractions, local calendar days, periods that are calendar months."""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

ZERO = Fraction(0)
MICRO = Fraction(1, 10**6)

_TWO = """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
    "BTC": 8,
    "XMR": 12,
}


def minor(currency: str) -> Fraction:
    """The currency's minor unit."""
    return Fraction(1, 10 ** MINOR_DIGITS[currency])


def half_up(amount: Fraction, step: Fraction) -> Fraction:
    """Rounded half-up to a multiple of `step` (amounts here are never negative)."""
    return floor(amount / step + Fraction(1, 2)) * step


def down(amount: Fraction, step: Fraction) -> Fraction:
    """Rounded down to a multiple of `step`."""
    return floor(amount / step) * step


def show(amount: Fraction, currency: str) -> str:
    """CONTRACT §4: at least the minor digits, no exponent, no trailing zeros beyond them."""
    digits = 12
    scaled = amount * 10**digits
    assert scaled.denominator == 1, f"{amount} has no exact decimal form"
    sign = "-" if scaled < 0 else ""
    whole, rest = divmod(abs(scaled.numerator), 10**digits)
    text = f"{rest:0{digits}d}".rstrip("0").ljust(MINOR_DIGITS[currency], "0")
    return f"{sign}{whole}.{text}" if text else f"{sign}{whole}"


_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def decimal(text: object, places: int) -> Fraction | None:
    """A decimal string with at most `places` decimals, else None."""
    if not isinstance(text, str) or not text.isascii() or not _DECIMAL.fullmatch(text):
        return None
    if len(text.partition(".")[2]) > places:
        return None
    return Fraction(text)


def instant(text: object) -> dt.datetime | None:
    """An ISO 8601 instant with a zone, in UTC, else None."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        read = dt.datetime.fromisoformat(text)
        return read.astimezone(dt.UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None


def iso(moment: dt.datetime) -> str:
    """An instant as text, in UTC."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def first_instant(zone: ZoneInfo, day: dt.date) -> dt.datetime:
    """The first instant of a local date."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC)


def local_date(zone: ZoneInfo, moment: dt.datetime) -> dt.date:
    """The local date that holds an instant."""
    return moment.astimezone(zone).date()


def plus_days(zone: ZoneInfo, moment: dt.datetime, days: int) -> dt.datetime:
    """So many calendar days of local time later (or earlier): the same wall clock on another date."""
    local = moment.astimezone(zone)
    return (local + dt.timedelta(days=days)).astimezone(dt.UTC)


def plus_months(zone: ZoneInfo, moment: dt.datetime, months: int) -> dt.datetime:
    """So many local calendar months later (or earlier); a day that the month lacks becomes its last day."""
    local = moment.astimezone(zone)
    index = local.year * 12 + local.month - 1 + months
    year, month = divmod(index, 12)
    day = min(local.day, days_in_month(dt.date(year, month + 1, 1)))
    return local.replace(year=year, month=month + 1, day=day).astimezone(dt.UTC)


def month_after(day: dt.date) -> dt.date:
    """The first day of the next month."""
    return dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)


def days_in_month(day: dt.date) -> int:
    """How many days the month of a date has."""
    return (month_after(day) - day.replace(day=1)).days


def period_start(zone: ZoneInfo, moment: dt.datetime) -> dt.datetime:
    """The first instant of the period that holds `moment`."""
    return first_instant(zone, local_date(zone, moment).replace(day=1))


def period_end(zone: ZoneInfo, moment: dt.datetime) -> dt.datetime:
    """The end of the period that holds `moment`: the next period's first instant."""
    return first_instant(zone, month_after(local_date(zone, moment)))


def period_ends(zone: ZoneInfo, moment: dt.datetime, count: int) -> dt.datetime:
    """The end of the `count`th period, the one that holds `moment` counted."""
    end = moment
    for _ in range(count):
        end = period_end(zone, end)
    return end


def periods_between(zone: ZoneInfo, start: dt.datetime, end: dt.datetime) -> int:
    """Whole periods that begin at or after `start` and end at or before `end`."""
    begins = start if period_start(zone, start) == start else period_end(zone, start)
    count = 0
    while begins < end:
        begins, count = period_end(zone, begins), count + 1
    return count
