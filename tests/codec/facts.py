"""Random facts of every type, built from the annotations of their records."""

from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from consumers.ports import Stored
from domain.facts import FACT_TYPES, Fact, Recorded, RefundPaid
from domain.money import MINOR_DIGITS, Money
from domain.periods import Period

TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20)
BEGINNING, HORIZON = datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), HORIZON - BEGINNING).map(lambda since: BEGINNING + since)
DATES = st.dates(date(2000, 1, 1), date(2199, 12, 31))
UNITS = st.one_of(st.integers(-(10**18), 10**18), st.sampled_from([0, 1, -1, 10_000, 2_700_000]))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def facts() -> st.SearchStrategy[Fact]:
    """A fact of any type in any currency."""
    return st.sampled_from(FACT_TYPES).flatmap(fact_of)


def fact_of(fact_type: type[Fact]) -> st.SearchStrategy[Fact]:
    """A fact of that type: its amounts in one currency, a payout in one of its own."""
    return st.tuples(st.sampled_from(sorted(MINOR_DIGITS)), st.sampled_from(sorted(MINOR_DIGITS))).flatmap(
        lambda currencies: _record(fact_type, *currencies)
    )


def stored() -> st.SearchStrategy[Stored]:
    """A fact in its envelope."""
    recorded = st.builds(
        Recorded,
        subject=st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
        version=st.integers(1, 2**53),
        fact=facts(),
        effective_at=INSTANTS,
        recorded_at=INSTANTS,
        basis=TEXT,
        due=st.booleans(),
    )
    return st.builds(
        Stored,
        recorded=recorded,
        sequence=st.integers(1, 10**18),
        source=TEXT,
        caused_by=TEXT,
        catalogue_sequence=st.integers(1, 2**53),
        command_position=st.none() | TEXT,
    )


def _record(record: type, currency: str, paid_in: str) -> st.SearchStrategy[Any]:
    hints = get_type_hints(record)
    drawn = {}
    for field in fields(record):
        own = paid_in if record is RefundPaid and field.name == "paid" else currency
        if record is not RefundPaid and field.name == "currency":
            drawn[field.name] = st.just(currency)
            continue
        value = _value(hints[field.name], own, paid_in)
        drawn[field.name] = value if field.default is MISSING else st.just(field.default) | value
    return st.builds(record, **drawn)


def _value(annotation: Any, currency: str, paid_in: str) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return st.none() | _value(inner, currency, paid_in)
    if origin is tuple:
        return st.lists(_value(get_args(annotation)[0], currency, paid_in), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT, JSON, max_size=3)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        bool: st.booleans(),
        int: st.integers(0, 2**53),
        datetime: INSTANTS,
        date: DATES,
        Money: UNITS.map(lambda units: Money(units, currency)),
        Period: st.builds(Period, INSTANTS, INSTANTS),
    }
    return simple[annotation] if annotation in simple else _record(annotation, currency, paid_in)
