"""Reading a command: from a JSON value to a `Command`, or the path of the first fault in the order of CONTRACT §2.

The fields, their order, kinds and defaults are those of the records in `domain/commands.py`; nothing is listed twice.
"""

from collections.abc import Mapping
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

LARGEST_LINE_BYTES = 1_000_000
"""A longer line is not a command: the broker's default limit for a record is about as much."""

ENVELOPE = ("id", "type", "subscriber", "at", "actor", "data")

READERS: dict[object, Reader] = {
    commands.Key: read.key,
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
        Field(name=field.name, reader=_reader(hints[field.name]), required=field.default is MISSING)
        for field in fields(request)
    )


FIELDS: dict[str, tuple[Field, ...]] = {
    name: () if name in PUBLICATIONS else _fields(request) for name, request in REQUESTS.items()
}


def read_command(value: Any, now: datetime | None = None) -> Command:
    """The command that `value` (decoded JSON) is; raises Fault with the path of the first thing wrong.

    `now` is the instant that a live ledger decides at; a command may then not carry one of its own.
    """
    document = read.an_object(value, "")
    identity = read.command_id(_present(document, "id"), "id")
    request_type = _REQUEST_TYPE(_present(document, "type"), "type")
    subscriber = _subscriber(_present(document, "subscriber"), request_type)
    at = _instant(document, now)
    actor = read.command_id(_present(document, "actor"), "actor")
    request = _request(request_type, _present(document, "data"))
    read.no_others(document, "", ENVELOPE)
    return Command(id=identity, subscriber=subscriber, at=at, actor=actor, request=request)


def _present(document: Mapping[str, Any], name: str) -> Any:
    if name not in document:
        raise Fault(name, "missing")
    return document[name]


def _subscriber(value: Any, request_type: str) -> str:
    subscriber = read.subject(value, "subscriber")
    publishes = request_type in PUBLICATIONS
    if publishes != (subscriber == CATALOGUE_SUBJECT):
        expected = f"the word {CATALOGUE_SUBJECT}" if publishes else f"a subscriber, not the word {CATALOGUE_SUBJECT}"
        raise Fault("subscriber", f"expected {expected}, found {read.found(value)}")
    return subscriber


def _instant(document: Mapping[str, Any], now: datetime | None) -> datetime:
    if now is None:
        moment: datetime = read.instant(_present(document, "at"), "at")
        return moment
    if "at" in document:
        raise Fault("at", "a live ledger takes the instant from its broker; expected no instant")
    return now


def _request(request_type: str, value: Any) -> Request:
    request = REQUESTS[request_type]
    if request_type in PUBLICATIONS:
        return _publication(request_type, Document(dict(read.an_object(value, "data"))))
    data = read.an_object(value, "data")
    known = FIELDS[request_type]
    given = {}
    for field in known:
        if field.name in data:
            given[field.name] = field.reader(data[field.name], f"data.{field.name}")
        elif field.required:
            raise Fault(f"data.{field.name}", "missing")
    built = request(**given)
    _whole(built)
    if len(given) < len(data):
        read.no_others(data, "data", [field.name for field in known])
    return built


def _publication(request_type: str, document: Document) -> Publication:
    if request_type == PublishRegulations.__name__:
        return PublishRegulations(document=document)
    return PublishTariff(document=document)


def _whole(request: Request) -> None:
    """What no single field can say."""
    if isinstance(request, ReportUsage):
        _usage(request)
    elif isinstance(request, OrderNumber):
        if request.service.startswith(DID) and not is_e164(request.number):
            raise Fault("data.number", "expected a number in E.164 form such as +380441234567")
        if request.prepaid and request.periods is None:
            raise Fault("data.periods", "missing: a prepaid order needs a term")


def _usage(request: ReportUsage) -> None:
    by_time = request.elapsed_seconds is not None or request.ended is not None
    if request.units is not None and by_time:
        raise Fault("data.units", "expected either elapsed_seconds and ended, or units")
    if request.units is None:
        if request.elapsed_seconds is None:
            raise Fault("data.elapsed_seconds", "missing: expected elapsed_seconds and ended, or units")
        if request.ended is None:
            raise Fault("data.ended", "missing: expected elapsed_seconds and ended, or units")
