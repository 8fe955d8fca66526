"""The JSON Schema of each command, from the fields and readers that intake reads it with."""

from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from consumers.intake import ENVELOPE, FIELDS, PUBLICATIONS, REQUESTS, Field
from domain import commands
from domain import documents as read
from domain.commands import CATALOGUE_SUBJECT, OrderNumber, ReportUsage, Request
from domain.numbers import DID
from infra.contracts import docstrings
from infra.contracts.kinds import Schema, closed, described, document, e164, of_reader

ANY = "command"
"""The name of the schema of all commands."""

_BY_TIME, _BY_UNITS = ("elapsed_seconds", "ended"), ("units",)

WHOLE: dict[type[Request], Schema] = {
    ReportUsage: {
        "oneOf": [
            {"required": list(mine), "properties": dict.fromkeys(others, False)}
            for mine, others in ((_BY_TIME, _BY_UNITS), (_BY_UNITS, _BY_TIME))
        ]
    },
    OrderNumber: {
        "allOf": [
            {
                "if": {"properties": {"prepaid": {"const": True}}, "required": ["prepaid"]},
                "then": {"required": ["periods"]},
            },
            {
                "if": {"properties": {"service": {"pattern": f"^{DID.replace('.', '[.]')}"}}},
                "then": {"properties": {"number": {"pattern": e164()}}},
            },
        ]
    },
}
"""What no single field can say, as intake's function of that name says it."""


def name_of(request: str) -> str:
    """The name of a command's schema."""
    return f"commands/{request}"


def schemas() -> dict[str, Schema]:
    """Name → schema of every command, and of any of them."""
    found = {name_of(name): _command(name, request) for name, request in REQUESTS.items()}
    choices: Schema = {"oneOf": [{"$ref": f"{name}.json"} for name in found]}
    return {**found, ANY: document(ANY, "Any command", choices)}


def _command(name: str, request: type[Request]) -> Schema:
    key = of_reader(read.command_id)
    subscriber: Schema = {"not": {"const": CATALOGUE_SUBJECT}, **of_reader(read.subject)}
    parts: dict[str, Schema] = {
        "id": described(key, "The idempotency key, chosen by the sender."),
        "type": {"const": name},
        "subscriber": {"const": CATALOGUE_SUBJECT} if name in PUBLICATIONS else subscriber,
        "at": described(of_reader(read.instant), "The instant of the command, in a sandbox; a live ledger refuses it."),
        "actor": described(key, "Who asks."),
        "data": _publication() if name in PUBLICATIONS else _data(request),
    }
    said = docstrings.of_module(commands).get(name)
    envelope = closed({part: parts[part] for part in ENVELOPE}, {"at"})
    return document(name_of(name), name, described(envelope, said))


def _publication() -> Schema:
    return {"description": "The document as a whole; the catalogue's own reader says what is in it.", "type": "object"}


def _data(request: type[Request]) -> Schema:
    hints = get_type_hints(request)
    defaults = {field.name: field.default for field in fields(request)}
    known = FIELDS[request.__name__]
    properties = {field.name: _field(field, request, hints[field.name], defaults[field.name]) for field in known}
    return {**closed(properties, {field.name for field in known if not field.required}), **WHOLE.get(request, {})}


def _field(field: Field, request: type[Request], annotation: Any, default: Any) -> Schema:
    said = docstrings.of_module(commands)
    schema = of_reader(field.reader)
    kind = getattr(_inner(annotation), "__name__", "")
    text = said.get(f"{request.__name__}.{field.name}") or schema.get("description") or said.get(kind)
    shown = {} if default is MISSING or default is None else {"default": default}
    return {**described(schema, text), **shown}


def _inner(annotation: Any) -> Any:
    """An annotation without its `| None`."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    return annotation
