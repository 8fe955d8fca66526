"""The wire form of facts: one CloudEvent 1.0 as JSON per fact, and back (CONTRACT §6).

A coder for every fact class is compiled from its annotations. Money is written as a decimal string; the currency of a
fact's amounts stands once beside them, and a payout in another currency has its own.
"""

import hashlib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime
from functools import lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from consumers.outcomes import instant
from consumers.ports import Stored
from domain.facts import (
    FACT_TYPES,
    WIRE_TYPES,
    WRITTEN,
    Calculation,
    Fact,
    Line,
    Recorded,
    Refill,
    RefundPaid,
    Take,
)
from domain.money import Money
from domain.periods import Period
from infra.upcasting import UPCASTERS as UPCASTERS  # noqa: PLC0414 - the codec's callers know both from here
from infra.upcasting import UndecodableFact as UndecodableFact  # noqa: PLC0414 - as above

Encode = Callable[[Any], Any]
Decode = Callable[[Any, str], Any]

SOURCE = "subledger"
SALT_BYTES = 16
DATASCHEMA = "https://subledger.example/schemas/{type}.json"


format_instant = instant
"""UTC with a Z: one form for facts and outcomes."""


def short_name(event_type: str) -> str:
    """`deposit-credited` for `subledger.deposit-credited.v1`."""
    return event_type.removeprefix(f"{SOURCE}.").rsplit(".v", 1)[0]


def parse_instant(text: str) -> datetime:
    """An instant from its wire form, as UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Coder:
    """How one fact class is written and read."""

    fact: type[Fact]
    type: str
    schema: str
    to_json: Callable[[Fact], dict[str, Any]]
    from_json: Callable[[dict[str, Any]], Fact]


def salt_of(key: bytes, fact_id: str) -> str:
    """16 bytes as hex: HMAC-SHA256 of the fact's id, so that nobody guesses a fact from its neighbour's proof."""
    begun_inner, begun_outer = _hmac_begun(key)
    inner, outer = begun_inner.copy(), begun_outer.copy()
    inner.update(fact_id.encode())
    outer.update(inner.digest())
    digest: str = outer.hexdigest()
    return digest[: 2 * SALT_BYTES]


def encode(stored: Stored, key: bytes) -> tuple[str, bytes]:
    """The wire type and the exact bytes of a fact. Source: CloudEvents 1.0, structured mode.

    The envelope is filled into a template, since every fact has the same one; only its data is different each time.
    """
    recorded = stored.recorded
    coder = CODERS[type(recorded.fact)]
    subject, version = _name(recorded.subject), recorded.version
    recorded_at, effective_at = recorded.recorded_at, recorded.effective_at
    time = format_instant(recorded_at)
    effective = time if effective_at is recorded_at else format_instant(effective_at)
    due = '"due":true,' if recorded.due else ""
    at = "" if stored.command_position is None else f'"commandposition":{_json(stored.command_position)},'
    envelope = (
        f'{{"specversion":"1.0","id":{subject[:-1]}/{version}","type":"{coder.type}",'
        f'"source":{_name(stored.source)},"subject":{subject},"time":"{time}",'
        f'"datacontenttype":"application/json","dataschema":"{coder.schema}","sequence":"{stored.sequence:020d}",'
        f'"streamversion":{version},"effectiveat":"{effective}","causationid":{_json(stored.caused_by)},'
        f'{at}"cataloguesequence":{stored.catalogue_sequence},"basis":{_name(recorded.basis)},'
        f'"salt":"{salt_of(key, recorded.id)}",{due}"data":'
    )
    return coder.type, b"%b%b}" % (envelope.encode(), orjson.dumps(coder.to_json(recorded.fact)))


def decode(state: bytes) -> Stored:
    """A fact from its bytes, older versions of its type upcast; UndecodableFact for anything else."""
    try:
        event = orjson.loads(state)
        return decode_event(event)
    except UndecodableFact:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise UndecodableFact(f"not a fact: {error!r} in {state[:200]!r}") from error


def decode_event(event: dict[str, Any]) -> Stored:
    """A fact from its decoded JSON."""
    event_type = event["type"]
    while event_type in UPCASTERS:
        event_type, upcast = UPCASTERS[event_type]
        event["data"] = upcast(event["data"])
    coder = BY_TYPE.get(event_type)
    if coder is None:
        raise UndecodableFact(f"unknown fact type {event_type}")
    return Stored(
        recorded=Recorded(
            subject=event["subject"],
            version=event["streamversion"],
            fact=coder.from_json(event["data"]),
            effective_at=parse_instant(event["effectiveat"]),
            recorded_at=parse_instant(event["time"]),
            basis=event["basis"],
            due=event.get("due", False),
        ),
        sequence=int(event["sequence"]),
        source=event["source"],
        caused_by=event["causationid"],
        catalogue_sequence=event["cataloguesequence"],
        command_position=event.get("commandposition"),
    )


def _json(text: str) -> str:
    """A text as JSON, in its quotation marks."""
    return orjson.dumps(text).decode()


_name = lru_cache(maxsize=32_768)(_json)
"""As `_json`, for what comes again and again: subjects, sources, bases."""


@lru_cache(maxsize=16)
def _hmac_begun(key: bytes) -> tuple[Any, Any]:
    """The hashes of HMAC-SHA256 with the key in them: half of the work, and the same for every fact (RFC 2104)."""
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    return inner, hashlib.sha256(bytes(byte ^ 0x5C for byte in block))


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    encode: Encode
    decode: Decode
    default: Any
    always: bool
    """Written also at its default."""


def _same(value: Any) -> Any:
    return value


def _same_back(value: Any, _: str) -> Any:
    return value


def _records(cls: type) -> tuple[Encode, Decode]:
    """A nested record: its amounts are in the fact's currency."""
    compiled = _compile(cls)
    to_json = _writer(cls, compiled, None)

    def from_json(value: Any, currency: str) -> Any:
        return cls(
            **{field.name: field.decode(value[field.name], currency) for field in compiled if field.name in value}
        )

    return to_json, from_json


def _period_to_json(period: Period) -> dict[str, str]:
    return {"start": format_instant(period.start), "end": format_instant(period.end)}


def _period_from_json(value: Any, _: str) -> Period:
    return Period(parse_instant(value["start"]), parse_instant(value["end"]))


def _codec_of(annotation: Any) -> tuple[Encode, Decode]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        (inner,) = (part for part in get_args(annotation) if part is not type(None))
        return _codec_of(inner)
    if origin is tuple:
        to_json, from_json = _codec_of(get_args(annotation)[0])
        return (
            lambda items: [to_json(item) for item in items],
            lambda items, currency: tuple(from_json(item, currency) for item in items),
        )
    if annotation in NESTED:
        return _records(annotation)
    return SIMPLE.get(annotation, (_same, _same_back))


SIMPLE: dict[Any, tuple[Encode, Decode]] = {
    Money: (Money.__str__, Money.parse),
    datetime: (format_instant, lambda value, _: parse_instant(value)),
    date: (date.isoformat, lambda value, _: date.fromisoformat(value)),
    Period: (_period_to_json, _period_from_json),
}
NESTED = (Calculation, Line, Take, Refill)


def _compile(cls: type) -> tuple[_Field, ...]:
    hints = get_type_hints(cls)
    compiled = []
    for field in fields(cls):
        to_json, from_json = _codec_of(hints[field.name])
        default = None if field.default is MISSING else field.default
        always = field.default is MISSING or WRITTEN in field.metadata
        compiled.append(_Field(field.name, to_json, from_json, default, always))
    return tuple(compiled)


def _coder(cls: type[Fact]) -> Coder:
    compiled = _compile(cls)
    hints = get_type_hints(cls)
    amounts = [field.name for field in fields(cls) if hints[field.name] is Money]
    first_amount = amounts[0] if amounts and "currency" not in hints else None

    foreign = "paid" if cls is RefundPaid else None

    def from_json(data: dict[str, Any]) -> Fact:
        currency = data.get("currency", "")
        given = {
            field.name: field.decode(data[field.name], data["paid_currency"] if field.name == foreign else currency)
            for field in compiled
            if field.name in data
        }
        return cls(**given)

    name = WIRE_TYPES[cls]
    return Coder(cls, name, DATASCHEMA.format(type=name), _writer(cls, compiled, first_amount), from_json)


def _writer(cls: type, compiled: tuple[_Field, ...], first_amount: str | None) -> Callable[[Any], dict[str, Any]]:
    """A function that writes a record's fields in order, compiled as source: every fact passes through one.

    Fields at their default are left out, but for those marked; the currency follows the first amount.
    """
    scope: dict[str, Any] = {f"encode_{field.name}": field.encode for field in compiled}
    scope |= {f"default_{field.name}": field.default for field in compiled}
    lines = []
    for field in compiled:
        name = field.name
        value = f"record.{name}" if field.encode is _same else f"encode_{name}(record.{name})"
        differs = "is not None" if field.default is None else f"!= default_{name}"
        condition = "" if field.always else f"if record.{name} {differs}: "
        lines.append(f" {condition}data['{name}'] = {value}")
        if name == first_amount:
            lines.append(f" data['currency'] = record.{name}.currency")
    if cls is RefundPaid:
        lines.append(" data['paid_currency'] = record.paid.currency")
    source = "def write(record):\n data = {}\n" + "\n".join(lines) + "\n return data\n"
    exec(source, scope)  # noqa: S102 - the source is made of field names alone
    write: Callable[[Any], dict[str, Any]] = scope["write"]
    return write


CODERS: dict[type[Fact], Coder] = {cls: _coder(cls) for cls in FACT_TYPES}
BY_TYPE: dict[str, Coder] = {coder.type: coder for coder in CODERS.values()}
