"""Reading a command: from a JSON value to a `Command`, or the path of the first fault in the order of CONTRACT §2.

The fields, their order, kinds and defaults are those of the records in `domain/commands.py`; nothing is listed twice.
A reader for each type is compiled from them as source: every command passes through one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from domain import commands
from domain import documents as read
from domain.commands import (
    CATALOGUE_SUBJECT,
    Command,
    Document,
    OrderNumber,
    Publication,
    PublishRegulations,
    PublishTariff,
    ReportUsage,
    Request,
)
from domain.documents import Fault, Reader, is_e164
from domain.numbers import DID
from domain.values import maker

DataReader = Callable[[Mapping[str, Any]], Request]

LARGEST_LINE_BYTES = 1_000_000
"""A longer line is not a command: the broker's default limit for a record is about as much."""

ENVELOPE = ("id", "type", "subscriber", "at", "actor", "data")

READERS: dict[object, Reader] = {
    commands.Key: read.key,
    commands.Name: read.command_id,
    commands.FactId: read.fact_id,
    commands.Text: read.text,
    commands.CurrencyCode: read.currency,
    commands.Millionths: read.amount,
    commands.Count: read.count,
    commands.Whole: read.whole,
    commands.Channels: read.channels,
    commands.AddedChannels: read.added_channels,
    commands.Periods: read.periods,
    commands.Rate: read.rate,
    commands.Sealed: read.personal,
    commands.Country: read.country,
    bool: read.boolean,
    datetime: read.instant,
    date: read.day,
}
"""A reader for each kind of value that a command's field may be annotated with."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a command's data: its reader, and its default where it may be left out."""

    name: str
    reader: Reader
    required: bool
    default: Any = None


REQUESTS: dict[str, type[Request]] = {request.__name__: request for request in get_args(Request)}
PUBLICATIONS = frozenset(request.__name__ for request in get_args(Publication))
_REQUEST_TYPE = read.one_of(*REQUESTS)


def _reader(annotation: Any) -> Reader:
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _reader(inner)
    if get_origin(annotation) is Literal:
        return read.one_of(*get_args(annotation))
    return READERS[annotation]


def _fields(request: type[Request]) -> tuple[Field, ...]:
    hints = get_type_hints(request)
    return tuple(
        Field(field.name, _reader(hints[field.name]), field.default is MISSING, field.default)
        for field in fields(request)
    )


FIELDS: dict[str, tuple[Field, ...]] = {
    name: () if name in PUBLICATIONS else _fields(request) for name, request in REQUESTS.items()
}


def _data_reader(request: type[Request], known: Sequence[Field]) -> DataReader:
    """A function from a command's data to its request, field by field in their order."""
    names = [field.name for field in known]
    scope: dict[str, Any] = {"make": maker(request), "missing": _missing, "no_others": read.no_others, "names": names}
    checks = CHECKS.get(request, {})
    scope |= {f"read_{field.name}": field.reader for field in known}
    scope |= {f"check_{name}": check for name, check in checks.items()}
    scope |= {f"default_{field.name}": field.default for field in known}
    lines = ["given = 0", *(line for field in known for line in _reading(field, checked=field.name in checks))]
    lines += ["if given < len(data): no_others(data, 'data', names)"]
    lines += [f"return make({', '.join(f'{name}={name}' for name in names)})"]
    exec("def read(data):\n" + "".join(f" {line}\n" for line in lines), scope)  # noqa: S102 - made of field names alone
    reader: DataReader = scope["read"]
    return reader


def _reading(field: Field, *, checked: bool) -> Iterator[str]:
    """The lines that read one field."""
    name, path = field.name, f"'data.{field.name}'"
    if checked:
        yield f"check_{name}(data)"
    yield f"if '{name}' in data: {name} = read_{name}(data['{name}'], {path}); given += 1"
    yield f"else: raise missing({path})" if field.required else f"else: {name} = default_{name}"


def read_command(value: Any, now: datetime | None = None) -> Command:
    """The command that `value` (decoded JSON) is; raises Fault with the path of the first thing wrong.

    `now` is the instant that a live ledger decides at; a command may then not carry one of its own.
    """
    document = read.an_object(value, "")
    try:
        identity = read.command_id(document["id"], "id")
        request_type = _REQUEST_TYPE(document["type"], "type")
        subscriber = _subscriber(document["subscriber"], request_type)
        at = read.instant(document["at"], "at") if now is None else _instant_of_broker(document, now)
        actor = read.command_id(document["actor"], "actor")
        data = document["data"]
    except KeyError as absent:
        raise _missing(absent.args[0]) from None
    request = DATA_READERS[request_type](read.an_object(data, "data"))
    if len(document) > len(ENVELOPE) - (now is not None):
        read.no_others(document, "", ENVELOPE)
    return _command(id=identity, subscriber=subscriber, at=at, actor=actor, request=request)


_command = maker(Command)


def _missing(path: str) -> Fault:
    return Fault(path, "missing")


def _subscriber(value: Any, request_type: str) -> str:
    subscriber = read.subject(value, "subscriber")
    publishes = request_type in PUBLICATIONS
    if publishes != (subscriber == CATALOGUE_SUBJECT):
        expected = f"the word {CATALOGUE_SUBJECT}" if publishes else f"a subscriber, not the word {CATALOGUE_SUBJECT}"
        raise Fault("subscriber", f"expected {expected}, found {read.found(value)}")
    return subscriber


def _instant_of_broker(document: Mapping[str, Any], now: datetime) -> datetime:
    if "at" in document:
        raise Fault("at", "a live ledger takes the instant from its broker; expected no instant")
    return now


def _regulations(document: Mapping[str, Any]) -> Publication:
    return PublishRegulations(document=Document(dict(document)))


def _tariff(document: Mapping[str, Any]) -> Publication:
    return PublishTariff(document=Document(dict(document)))


def _telephone_number(data: Mapping[str, Any]) -> None:
    number, service = data.get("number"), data.get("service")
    if isinstance(number, str) and isinstance(service, str) and service.startswith(DID) and not is_e164(number):
        raise Fault("data.number", "expected a number in E.164 form such as +380441234567")


def _term_of_prepaid(data: Mapping[str, Any]) -> None:
    if data.get("prepaid") is True and "periods" not in data:
        raise Fault("data.periods", "missing: a prepaid order needs a term")


def _elapsed_or_units(data: Mapping[str, Any]) -> None:
    if "elapsed_seconds" not in data and "units" not in data:
        raise Fault("data.elapsed_seconds", "missing: expected elapsed_seconds and ended, or units")


def _ended_or_units(data: Mapping[str, Any]) -> None:
    if "ended" not in data and "units" not in data:
        raise Fault("data.ended", "missing: expected elapsed_seconds and ended, or units")


def _units_alone(data: Mapping[str, Any]) -> None:
    if "units" in data and ("elapsed_seconds" in data or "ended" in data):
        raise Fault("data.units", "expected either elapsed_seconds and ended, or units")


CHECKS: dict[type[Request], dict[str, Callable[[Mapping[str, Any]], None]]] = {
    OrderNumber: {"number": _telephone_number, "periods": _term_of_prepaid},
    ReportUsage: {"elapsed_seconds": _elapsed_or_units, "ended": _ended_or_units, "units": _units_alone},
}
"""What no single field can say, by the field at which it would be a fault: asked before that field is read."""
DATA_READERS: dict[str, DataReader] = {
    PublishRegulations.__name__: _regulations,
    PublishTariff.__name__: _tariff,
    **{name: _data_reader(request, FIELDS[name]) for name, request in REQUESTS.items() if name not in PUBLICATIONS},
}
"""A reader of the data of each type of command."""
