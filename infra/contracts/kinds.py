"""The JSON Schema of each kind of value: as intake's readers take it, and as the codec writes it.

A reader tells its own pattern, bounds or choices, since they are what it closes over; a record tells its fields by
its annotations, as it tells them to the codec. Patterns are such as ECMA-262, RE2, Java and Python read alike, so
they use no look-around. Source: JSON Schema 2020-12.
"""

import inspect
import re
import sys
from dataclasses import MISSING, fields
from datetime import date, datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from domain import documents as read
from domain.documents import LARGEST_AMOUNT, LONGEST_KEY, LONGEST_SEALED, LONGEST_TEXT, RATE_DECIMALS, SEALED, Reader
from domain.money import ACCOUNT_DECIMALS, MINOR_DIGITS, Money
from domain.periods import Period
from infra.codec import DATASCHEMA, NESTED
from infra.contracts import docstrings

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_DECIMALS = max(MINOR_DIGITS.values())
CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x9f]"

BOOLEAN: Schema = {"type": "boolean"}
AMOUNT: Schema = {
    "description": "A decimal string, never a number: of the currency beside it, without an exponent.",
    "type": "string",
    "pattern": rf"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]{{1,{MOST_DECIMALS}}})?$",
}
CURRENCY: Schema = {"description": "ISO 4217, BTC or XMR.", "type": "string", "pattern": "^[A-Z]{3}$"}
INSTANT: Schema = {
    "description": "An instant as ISO 8601 in UTC with a Z, to the microsecond where there is a fraction.",
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z$",
}


def document(name: str, title: str, schema: Schema) -> Schema:
    """A schema that stands for itself under the address that facts name in `dataschema`."""
    return {"$schema": DRAFT, "$id": DATASCHEMA.format(type=name), "title": title, **schema}


def closed(properties: Schema, optional: frozenset[str] | set[str] = frozenset()) -> Schema:
    """An object of these fields and no others; all but the `optional` ones are required."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def described(schema: Schema, *texts: str | None) -> Schema:
    """The schema with the first text that there is in place of its own description."""
    text = next(filter(None, texts), None)
    if text is None:
        return schema
    return {"description": text, **{name: part for name, part in schema.items() if name != "description"}}


def of_reader(reader: Reader) -> Schema:
    """What a reader of `domain/documents.py` takes.

    A schema is never stricter than the reader. It is wider in what it cannot say: years before 2000 or after 2199,
    and which characters beside controls are not printable.
    """
    if reader in SPELT:
        return SPELT[reader]
    closure = inspect.getclosurevars(reader)
    match dict(closure.nonlocals):
        case {"choices": choices}:
            return {"type": "string", "enum": list(choices)}
        case {"least": least, "most": most}:
            return {"type": "integer", "minimum": least, "maximum": most}
        case _:
            return {"type": "string", "pattern": _pattern(reader)}


def e164() -> str:
    """The pattern of a telephone number."""
    return _pattern(read.is_e164)


def _pattern(reader: Any) -> str:
    """The one regular expression that a reader matches its value against, anchored."""
    seen = inspect.getclosurevars(reader)
    known = (*seen.globals.values(), *seen.nonlocals.values())
    (expression,) = (value for value in known if isinstance(value, re.Pattern))
    return f"^{expression.pattern}$"


def _decimal(decimals: int, sign: str) -> str:
    """Decimal strings up to the largest amount, which is a power of ten."""
    digits = len(str(LARGEST_AMOUNT)) - 1
    below = rf"(?:0|[1-9][0-9]{{0,{digits - 1}}})(?:\.[0-9]{{1,{decimals}}})?"
    return rf"^{sign}(?:{LARGEST_AMOUNT}(?:\.0{{1,{decimals}}})?|{below})$"


def _printable(longest: int) -> Schema:
    return {
        "description": f"1 to {longest} printable characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
        "not": {"pattern": CONTROL_CHARACTERS},
    }


SPELT: dict[Reader, Schema] = {
    read.boolean: BOOLEAN,
    read.text: _printable(LONGEST_TEXT),
    read.command_id: _printable(LONGEST_KEY),
    read.personal: {
        "description": "Personal data, a text or an object of texts; it is sealed before anything is stored.",
        "anyOf": [
            _printable(LONGEST_TEXT),
            {"type": "string", "pattern": f"^{SEALED.pattern}$", "maxLength": LONGEST_SEALED},
            {
                "type": "object",
                "propertyNames": {"pattern": _pattern(read.key)},
                "additionalProperties": _printable(LONGEST_TEXT),
            },
        ],
    },
    read.amount: {
        "description": f"A decimal string with at most {ACCOUNT_DECIMALS} decimals, never a number.",
        "type": "string",
        "pattern": _decimal(ACCOUNT_DECIMALS, "-?"),
    },
    read.rate: {
        "description": f"An exchange rate: a positive decimal string with at most {RATE_DECIMALS} decimals.",
        "type": "string",
        "pattern": _decimal(RATE_DECIMALS, ""),
        "not": {"pattern": r"^0(?:\.0*)?$"},
    },
    read.currency: {"type": "string", "enum": sorted(MINOR_DIGITS)},
    read.instant: {
        "description": "An instant as ISO 8601 with a zone, to the microsecond.",
        "type": "string",
        "format": "date-time",
        "pattern": _pattern(read.instant),
    },
    read.day: {
        "description": "A calendar date of ISO 8601.",
        "type": "string",
        "format": "date",
        "pattern": _pattern(read.day),
    },
}
"""Readers that compute, and what they take."""

WRITTEN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: BOOLEAN,
    int: {"type": "integer"},
    Money: AMOUNT,
    datetime: INSTANT,
    date: {"type": "string", "format": "date"},
    Period: {
        "description": "From its first instant to the first after it.",
        **closed({"start": INSTANT, "end": INSTANT}),
    },
}
"""What the codec writes for each annotation."""


def of_record(record: type) -> Schema:
    """What the codec writes for a record: fields that are at their default are left out, the others are there."""
    hints = get_type_hints(record)
    said = docstrings.of_module(sys.modules[record.__module__])
    properties = {
        field.name: described(_of_annotation(hints[field.name]), said.get(f"{record.__name__}.{field.name}"))
        for field in fields(record)
    }
    return closed(properties, {field.name for field in fields(record) if field.default is not MISSING})


def description(record: type) -> str | None:
    """A record's docstring."""
    return docstrings.of_module(sys.modules[record.__module__]).get(record.__name__)


def _of_annotation(annotation: Any) -> Schema:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _of_annotation(inner)
    if origin is tuple:
        return {"type": "array", "items": _of_annotation(get_args(annotation)[0])}
    if origin is dict:
        return {"type": "object"}
    if annotation in NESTED:
        return described(of_record(annotation), description(annotation))
    return WRITTEN[annotation]
