"""What was published, as the verbs of the catalogue look at it: versions by name, and a document that is in a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from domain import documents as read
from domain.catalogue import PARAMETERS, read_tariff
from domain.commands import CATALOGUE_SUBJECT
from domain.documents import Fault
from domain.facts import RegulationsPublished, TariffPublished
from domain.publishing import HEAD
from infra import codec, incoming
from infra.cli.failures import Unusable
from infra.explain.words import local
from infra.views.source import Publications, Source

LARGEST_DOCUMENT_BYTES = 1_000_000
INITIAL = "initial"
"""What the publications that a ledger begins with were caused by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One version of regulations, or one tariff; also one that is still a file."""

    kind: str
    """`regulations` or `tariff`."""
    name: str
    version: str | None
    regulations: str
    currency: str | None
    effective_from: datetime
    document: Mapping[str, Any]
    published_at: datetime | None = None
    """None for what the ledger began with, and for a file."""
    material: bool | None = None
    """Whether a change of regulations is material; None for tariffs."""

    @property
    def title(self) -> str:
        """`telnexx version 2`, `tariff telnexx-usd-2024`."""
        return f"{self.name} version {self.version}" if self.kind == "regulations" else f"tariff {self.name}"


def publications(source: Source) -> Iterator[Published]:
    """Every publication, the oldest first."""
    for _, state in source.facts(CATALOGUE_SUBJECT):
        stored = codec.decode(state)
        fact = stored.recorded.fact
        published_at = None if stored.caused_by == INITIAL else stored.recorded.recorded_at
        if isinstance(fact, RegulationsPublished):
            yield _regulations(fact, published_at)
        elif isinstance(fact, TariffPublished):
            yield _tariff(fact, published_at)


def _regulations(fact: RegulationsPublished, published_at: datetime | None) -> Published:
    return Published(
        kind="regulations",
        name=fact.regulations,
        version=fact.version,
        regulations=fact.regulations,
        currency=None,
        effective_from=fact.effective_from,
        document=fact.document,
        published_at=published_at,
        material=fact.material,
    )


def _tariff(fact: TariffPublished, published_at: datetime | None) -> Published:
    return Published(
        kind="tariff",
        name=fact.tariff,
        version=None,
        regulations=fact.regulations,
        currency=fact.currency,
        effective_from=fact.effective_from,
        document=fact.document,
        published_at=published_at,
    )


def last_instant(source: Source) -> datetime:
    """The ledger's last instant: nothing in it, publications included, is later."""
    catalogue = Publications(source.facts(CATALOGUE_SUBJECT)).latest.as_of
    assert catalogue is not None
    decided = source.last_instant()
    return max(catalogue, decided) if decided else catalogue


def named(published: list[Published], name: str, place: str) -> Published:
    """The latest version that `name` names; Unusable where there is none."""
    versions = _versions(published, name)
    if not versions:
        known = ", ".join(sorted({one.name for one in published}))
        raise Unusable(f"nothing called {name} is published in {place}; there are {known}")
    return versions[-1]


def pair(published: list[Published], old: str, new: str | None, place: str) -> tuple[Published, Published]:
    """What is compared, the earlier one first; Unusable where either is not there, or they are of two kinds.

    Without `new` it is the version that `old` names, against the one published before it.
    """
    first = named(published, old, place)
    if new is None:
        return _before(published, first), first
    second = named(published, new, place) if _versions(published, new) else _in_file(new, published, place)
    if first.kind != second.kind:
        raise Unusable(f"{old} is {_a(first)} and {new} is {_a(second)}; only two of a kind can be compared")
    return first, second


def read_document(file: str) -> dict[str, Any]:
    """The JSON object in a file; Unusable with the file's name for anything else."""
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(LARGEST_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise Unusable(f"{file}: {(error.strerror or str(error)).lower()}") from None
    if len(text) > LARGEST_DOCUMENT_BYTES:
        raise Unusable(f"{file}: expected at most {LARGEST_DOCUMENT_BYTES:,} bytes")
    try:
        document = incoming.parse(text)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"{file}: expected a JSON document: {error}") from None
    except Fault as fault:
        raise Unusable(f"{file}: {fault.path}: {fault.message}") from None
    if not isinstance(document, dict):
        raise Unusable(f"{file}: expected a JSON object")
    return document


def told(one: Published, zone: ZoneInfo) -> str:
    """Which document it is, from when it is in effect and when it was published, on the clock of `zone`."""
    said = f"{one.title}, in effect from {local(one.effective_from, zone)} ({zone.key})"
    if one.published_at is not None:
        said += f", published {local(one.published_at, zone)}"
    return f"{said}, not a material change" if one.material is False else said


def zone_of(one: Published, published: list[Published]) -> ZoneInfo:
    """The clock of the regulations that the document is or belongs to; UTC where there are none."""
    document = one.document if one.kind == "regulations" else {}
    for other in published:
        if other.kind == "regulations" and other.name == one.regulations:
            document = other.document
    return ZoneInfo(document.get("time_zone", "UTC"))


def _versions(published: list[Published], name: str) -> list[Published]:
    plain, _, version = name.partition("@")
    return [one for one in published if one.name == plain and version in ("", one.version)]


def _before(published: list[Published], one: Published) -> Published:
    """The version of the same regulations, or the tariff of the same regulations and currency, published before."""
    alike = [
        other
        for other in published
        if (other.kind, other.regulations, other.currency) == (one.kind, one.regulations, one.currency)
    ]
    earlier = alike[: alike.index(one)]
    if not earlier:
        raise Unusable(f"nothing was published before {one.title}; name another version, or a file")
    return earlier[-1]


def _a(one: Published) -> str:
    return "a tariff" if one.kind == "tariff" else "regulations"


def _in_file(file: str, published: list[Published], place: str) -> Published:
    """The document in a file as it would be published, what it extends included; Unusable with the path of a fault."""
    if not Path(file).exists():
        raise Unusable(f"{file} is neither published in {place} nor a file")
    document = read_document(file)
    try:
        if "tariff" in document:
            return _tariff_in_file(document)
        return _regulations_in_file(document, published, place)
    except Fault as fault:
        raise Unusable(f"{file}: {fault.path}: {fault.message}") from None


def _tariff_in_file(document: dict[str, Any]) -> Published:
    tariff = read_tariff(document)
    return Published(
        kind="tariff",
        name=tariff.name,
        version=None,
        regulations=tariff.regulations,
        currency=tariff.currency,
        effective_from=tariff.effective_from,
        document=document,
    )


def _regulations_in_file(document: dict[str, Any], published: list[Published], place: str) -> Published:
    """Parameters that the ledger does not know are kept: a comparison shows them as they are written."""
    head: dict[str, Any] = {}
    for field, reader in HEAD.items():
        if field not in document:
            raise Fault(field, "missing")
        head[field] = reader(document[field], field)
    parameters = {name: value for name, value in document.items() if name not in (*HEAD, "material", "extends", "set")}
    if "extends" in document:
        parameters |= named(published, read.key(document["extends"], "extends"), place).document
    parameters |= read.an_object(document.get("set", {}), "set")
    for name, value in parameters.items():
        if name in PARAMETERS:
            PARAMETERS[name](value, f"set.{name}" if name in document.get("set", {}) else name)
    return Published(
        kind="regulations",
        name=head["regulations"],
        version=head["version"],
        regulations=head["regulations"],
        currency=None,
        effective_from=head["effective_from"],
        document=parameters,
        material=read.boolean(document.get("material", True), "material"),
    )
