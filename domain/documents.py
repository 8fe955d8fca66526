"""Reading values out of JSON: each reader takes a value and the path to it, and answers with the value or a fault.

Commands and catalogue documents are read with the same readers, so a fault is worded the same way everywhere.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from domain.money import MINOR_DIGITS, parse_decimal
from domain.periods import EARLIEST_YEAR, LATEST_YEAR

LONGEST_KEY = 64
LONGEST_FACT_ID = LONGEST_KEY + len("/") + 19
"""A subject and a version, which is counted with 63 bits."""
LONGEST_TEXT = 512
LONGEST_SEALED = 700_000
LARGEST_WHOLE = 1_000_000_000
"""A whole number beyond this is taken for a mistake: no call lasts thirty years, nobody orders a billion."""
LARGEST_AMOUNT = 1_000_000_000
"""In units of the currency; sums of such amounts stay within 63 bits of millionths for years."""
LARGEST_PRICE = 100_000_000
MOST_CHANNELS = 1000
LONGEST_TERM_PERIODS = 60
"""A price times channels times periods stays within 63 bits of millionths, which is what databases count with."""
LONGEST_NOTICE_DAYS = 3660
RATE_DECIMALS = 12

_SUBJECT = re.compile(r"[A-Za-z0-9._-]{1,64}")
SEALED = re.compile(r"sealed:v[0-9]+:[A-Za-z0-9+/=]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR_AND_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = re.compile(rf"{_DAY}T{_HOUR_AND_MINUTE}:[0-5][0-9](\.[0-9]{{1,6}})?(Z|[+-]{_HOUR_AND_MINUTE})")
_DATE = re.compile(_DAY)


class Fault(ValueError):
    """The first thing wrong with a document: where, and what was expected."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


Reader = Callable[[Any, str], Any]


def found(value: Any) -> str:
    """How a value is named in a message, short: what is no text as JSON has it."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "a value nested too deeply"
    return f"{text[:40]}…" if len(text) > 40 else text


def text(value: Any, path: str) -> str:
    """1 to 512 characters, none of them a control character."""
    if not isinstance(value, str):
        raise Fault(path, f"expected text, found {found(value)}")
    if not 1 <= len(value) <= LONGEST_TEXT or not value.isprintable():
        raise Fault(path, f"expected 1 to {LONGEST_TEXT} printable characters, found {found(value)}")
    return value


def without_spaces(longest: int) -> Reader:
    """A reader of 1 to `longest` printable ASCII characters without spaces."""
    expression = re.compile(rf"[!-~]{{1,{longest}}}")

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or expression.fullmatch(value) is None:
            raise Fault(path, f"expected 1 to {longest} printable characters without spaces, found {found(value)}")
        return value

    return read


key = without_spaces(LONGEST_KEY)
fact_id = without_spaces(LONGEST_FACT_ID)
"""Room for every fact's id; what is none is not known."""


def command_id(value: Any, path: str) -> str:
    """1 to 64 printable characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_KEY or not value.isprintable():
        raise Fault(path, f"expected 1 to {LONGEST_KEY} printable characters, found {found(value)}")
    return value


def subject(value: Any, path: str) -> str:
    """1 to 64 of `A-Z a-z 0-9 . _ -`."""
    if not isinstance(value, str) or _SUBJECT.fullmatch(value) is None:
        raise Fault(path, f"expected 1 to {LONGEST_KEY} characters of A-Z a-z 0-9 . _ -, found {found(value)}")
    return value


def is_e164(number: str) -> bool:
    """Whether `number` is a telephone number in ITU-T E.164 form: + and up to fifteen digits."""
    return _E164.fullmatch(number) is not None


def personal(value: Any, path: str) -> Any:
    """Personal data as it arrives: a text, an object of texts, or what became of either where it was sealed before."""
    if isinstance(value, str) and SEALED.fullmatch(value) is not None and len(value) <= LONGEST_SEALED:
        return value
    if isinstance(value, dict):
        return {key(name, f"{path}.{name}"): text(item, f"{path}.{name}") for name, item in value.items()}
    return text(value, path)


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise Fault(path, f"expected true or false, found {found(value)}")
    return value


def bounded(least: int, most: int) -> Reader:
    """A reader of a whole number from `least` to `most`."""

    def read(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Fault(path, f"expected a whole number from {least} to {most}, found {found(value)}")
        return value

    return read


whole = bounded(0, LARGEST_WHOLE)
count = bounded(1, LARGEST_WHOLE)
channels = bounded(0, MOST_CHANNELS)
added_channels = bounded(1, MOST_CHANNELS)
periods = bounded(1, LONGEST_TERM_PERIODS)
days = bounded(0, LONGEST_NOTICE_DAYS)
hours = bounded(0, LONGEST_NOTICE_DAYS * 24)


def amount(value: Any, path: str) -> int:
    """Millionths, from a decimal string with at most 6 decimals."""
    if not isinstance(value, str):
        raise Fault(path, f'expected an amount as a decimal string such as "12.50", found {found(value)}')
    try:
        units = parse_decimal(value, 6)
    except ValueError as error:
        raise Fault(path, f"{error}, found {found(value)}") from None
    if abs(units) > LARGEST_AMOUNT * 10**6:
        raise Fault(path, f"expected at most {LARGEST_AMOUNT}, found {found(value)}")
    return units


def price(value: Any, path: str) -> int:
    """An amount that is not negative."""
    units = amount(value, path)
    if not 0 <= units <= LARGEST_PRICE * 10**6:
        raise Fault(path, f"expected a price from 0.00 to {LARGEST_PRICE}, found {found(value)}")
    return units


def rate(value: Any, path: str) -> int:
    """An exchange rate in 10⁻¹²: a positive decimal string with at most 12 decimals."""
    if not isinstance(value, str):
        raise Fault(path, f"expected a rate as a decimal string, found {found(value)}")
    try:
        units = parse_decimal(value, RATE_DECIMALS)
    except ValueError as error:
        raise Fault(path, f"{error}, found {found(value)}") from None
    if not 0 < units <= LARGEST_AMOUNT * 10**RATE_DECIMALS:
        raise Fault(path, f"expected a positive rate of at most {LARGEST_AMOUNT}, found {found(value)}")
    return units


def fraction(value: Any, path: str) -> str:
    """A decimal string between 0 and 1, such as a tax rate; kept as text."""
    if amount(value, path) not in range(10**6 + 1):
        raise Fault(path, f"expected a fraction from 0 to 1, found {found(value)}")
    return str(value)


def currency(value: Any, path: str) -> str:
    """An ISO 4217 code, BTC or XMR."""
    if not isinstance(value, str) or value not in MINOR_DIGITS:
        raise Fault(path, f"expected a currency code of ISO 4217, BTC or XMR, found {found(value)}")
    return value


def country(value: Any, path: str) -> str:
    """An ISO 3166 alpha-2 code: two capitals."""
    if not isinstance(value, str) or _COUNTRY.fullmatch(value) is None:
        raise Fault(path, f"expected a country code of two capitals such as DE, found {found(value)}")
    return value


def instant(value: Any, path: str) -> datetime:
    """ISO 8601 with a zone, to the microsecond, as UTC."""
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise Fault(path, f"expected an instant with a zone such as 2026-01-05T12:00:00+02:00, found {found(value)}")
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault(path, f"expected an instant that exists, found {found(value)}") from None
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise Fault(path, f"expected a year from {EARLIEST_YEAR} to {LATEST_YEAR}, found {found(value)}")
    return moment


def day(value: Any, path: str) -> date:
    """An ISO 8601 calendar date."""
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise Fault(path, f"expected a date such as 2026-02-15, found {found(value)}")
    try:
        moment = date.fromisoformat(value)
    except ValueError:
        raise Fault(path, f"expected a date that exists, found {found(value)}") from None
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise Fault(path, f"expected a year from {EARLIEST_YEAR} to {LATEST_YEAR}, found {found(value)}")
    return moment


def one_of(*choices: str) -> Reader:
    """A reader that accepts one of `choices`."""
    known = frozenset(choices)

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise Fault(path, f"expected one of {', '.join(choices)}, found {found(value)}")
        return value

    return read


def optional(reader: Reader) -> Reader:
    """A reader that lets null through."""

    def read(value: Any, path: str) -> Any:
        return None if value is None else reader(value, path)

    return read


def listed(reader: Reader) -> Reader:
    """A reader of a list without repetitions, as a tuple."""

    def read(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Fault(path, f"expected a list, found {found(value)}")
        items = tuple(reader(item, f"{path}[{index}]") for index, item in enumerate(value))
        if len(set(items)) < len(items):
            raise Fault(path, "expected no entry twice")
        return items

    return read


def mapped(reader: Reader, keys: Reader = key) -> Reader:
    """A reader of an object whose keys are free."""

    def read(value: Any, path: str) -> dict[str, Any]:
        return {
            keys(name, f"{path}.{name}"): reader(item, f"{path}.{name}")
            for name, item in an_object(value, path).items()
        }

    return read


def an_object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Fault(path, f"expected an object, found {found(value)}")
    return value


def fields(value: Any, path: str, required: Mapping[str, Reader], optionals: Mapping[str, Reader]) -> dict[str, Any]:
    """The fields of an object in the order of `required`, then of `optionals`; unknown fields are the last fault."""
    document = an_object(value, path)
    prefix = f"{path}." if path else ""
    read = {}
    for name, reader in required.items():
        if name not in document:
            raise Fault(prefix + name, "missing")
        read[name] = reader(document[name], prefix + name)
    for name, reader in optionals.items():
        if name in document:
            read[name] = reader(document[name], prefix + name)
    no_others(document, path, [*required, *optionals])
    return read


def no_others(document: Mapping[str, Any], path: str, known: Sequence[str]) -> None:
    """Raises Fault at the first field that nobody knows."""
    for name in document:
        if name not in known:
            raise Fault(f"{path}.{name}" if path else str(name), "unknown field")
