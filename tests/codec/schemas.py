"""The checked-in JSON Schemas, asked by a validator what is wrong with a value."""

import json
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.style.checkout import ROOT

FOLDER = ROOT / "docs" / "schemas"
FORMATS = FormatChecker(formats=["date"])


def _is_an_instant(value: object) -> bool:
    """RFC 3339 as far as the ledger goes: the instant exists and has a zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


FORMATS.checks("date-time", raises=ValueError)(_is_an_instant)


@cache
def schemas() -> dict[str, Any]:
    """Name → schema: what `$id` ends with, without `.json`."""
    files = sorted(FOLDER.rglob("*.json"))
    return {str(file.relative_to(FOLDER).with_suffix("")): json.loads(file.read_bytes()) for file in files}


def faults(name: str, value: Any) -> list[str]:
    """What the schema of that name refuses, by path; `value` is decoded JSON."""
    return [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(value)]


@cache
def _validator(name: str) -> Any:
    return Draft202012Validator(schemas()[name], registry=_registry(), format_checker=FORMATS)


@cache
def _registry() -> Any:
    found = schemas().values()
    return Registry().with_resources([(schema["$id"], DRAFT202012.create_resource(schema)) for schema in found])
