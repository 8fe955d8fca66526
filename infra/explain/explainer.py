"""Why a fact is as it is: when it counts, its clause, its tariff, its arithmetic, the command behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from consumers.ports import Answer, Stored
from domain.catalogue import Regulations
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import WIRE_TYPES, CommandRefused, Line, SubscriberRegistered, Takes
from domain.rules import LEDGER, PARTS
from infra import codec
from infra.documents import clause_texts
from infra.explain.arithmetic import arithmetic
from infra.explain.own_rules import OWN_RULES
from infra.explain.words import money, words
from infra.views.source import Publications, Source, place_of

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """What a decision rests on: the clause's id, what it says, and the document it stands in."""

    id: str
    says: str | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidFrom:
    """A part of a debit, and the deposit (or other credit) that paid it."""

    lot: str
    amount: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The ledger's no: its code, its reason with the numbers, and the first instant that would do, if any."""

    code: str
    message: str
    earliest: datetime | None
    balance: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One fact explained. Amounts are decimal text, instants aware UTC; `time_zone` is the subscriber's."""

    id: str
    type: str
    subject: str
    says: str
    effective_at: datetime
    recorded_at: datetime
    time_zone: str
    due: bool
    """It came by time alone."""
    clause: Clause
    also: tuple[Clause, ...]
    """Clauses that single lines of it rest on."""
    regulations: str | None
    """Name and version that decided."""
    tariff: str | None
    arithmetic: tuple[str, ...]
    paid_from: tuple[PaidFrom, ...]
    refused: Refused | None
    command: Mapping[str, Any] | None
    """The command that it was recorded with, as it was sent; None for what a new ledger begins with."""
    with_it: tuple[str, ...]
    """Ids of all facts recorded with the same command."""
    data: Mapping[str, Any]


class Explainer:
    """Explains facts of one ledger."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts = clause_texts()
        self._zones: dict[str, ZoneInfo] = {}

    def fact(self, fact_id: str) -> Explanation | None:
        """The fact called `fact_id` (`s-1/7`), explained; None where there is none."""
        place = place_of(fact_id)
        stored = self._stored(*place) if place else None
        return None if stored is None else self._explained(stored)

    def zone(self, subject: str) -> ZoneInfo:
        """The subject's clock: that of its registration, else UTC."""
        if subject not in self._zones:
            self._zones[subject] = self._zone(subject)
        return self._zones[subject]

    def _zone(self, subject: str) -> ZoneInfo:
        for _, state in self._source.facts(subject):
            fact = codec.decode(state).recorded.fact
            if isinstance(fact, SubscriberRegistered):
                return ZoneInfo(fact.time_zone)
        return UTC_ZONE

    def _stored(self, subject: str, version: int) -> Stored | None:
        found = self._source.fact(subject, version)
        return codec.decode(found[1]) if found else None

    def _explained(self, stored: Stored) -> Explanation:
        recorded = stored.recorded
        zone = self.zone(recorded.subject)
        asked = self._source.answer(recorded.subject, stored.caused_by)
        version = self._version(stored)
        return Explanation(
            id=recorded.id,
            type=codec.short_name(WIRE_TYPES[type(recorded.fact)]),
            subject=recorded.subject,
            says=words(recorded.fact, zone),
            effective_at=recorded.effective_at,
            recorded_at=recorded.recorded_at,
            time_zone=zone.key,
            due=recorded.due,
            clause=self._clause(recorded.basis, version),
            also=tuple(self._clause(line.basis, version) for line in _lines(recorded.fact) if line.basis),
            regulations=f"{version.name} version {version.version}" if version else None,
            tariff=getattr(recorded.fact, "tariff", None),
            arithmetic=arithmetic(recorded.fact),
            paid_from=self._paid_from(getattr(recorded.fact, "paid_from", ()), zone),
            refused=_refused(recorded.fact, asked),
            command=asked.command if asked else None,
            with_it=tuple(event["id"] for event in asked.outcome["events"]) if asked else (),
            data=codec.CODERS[type(recorded.fact)].to_json(recorded.fact),
        )

    def _clause(self, basis: str, version: Regulations | None) -> Clause:
        """The clause with its text; where a published document has clauses that nobody quoted, the rule in words."""
        text = self._texts.get(basis)
        if text is not None:
            return Clause(id=basis, says=text["says"], source=text.get("source"))
        if basis.startswith(f"{LEDGER}/"):
            own = OWN_RULES.get(basis.removeprefix(f"{LEDGER}/"))
            return Clause(id=basis, says=own, source="a rule of this ledger's own" if own else None)
        rule = next((rule for rule, clause in version.clauses.items() if clause == basis), None) if version else None
        says = OWN_RULES.get(rule or "") or OWN_RULES.get(PARTS.get(rule or "", ""))
        return Clause(id=basis, says=says, source="in this ledger's words; the catalogue does not quote the clause")

    def _version(self, stored: Stored) -> Regulations | None:
        """The version in force when the fact counts from, by the catalogue that the decision knew."""
        name = stored.source.partition("/")[2]
        known = self._publications.at(stored.catalogue_sequence).catalogue
        return known.in_force(name, stored.recorded.effective_at) if name else None

    @cached_property
    def _publications(self) -> Publications:
        return Publications(self._source.facts(CATALOGUE_SUBJECT))

    def _paid_from(self, takes: Takes, zone: ZoneInfo) -> tuple[PaidFrom, ...]:
        paid = []
        for take in takes:
            subject, _, version = take.lot.rpartition("/")
            lot = self._stored(subject, int(version))
            says = words(lot.recorded.fact, zone) if lot else "a fact that is not in the log"
            paid.append(PaidFrom(lot=take.lot, amount=money(take.amount), says=says))
        return tuple(paid)


def _lines(fact: object) -> tuple[Line, ...]:
    return getattr(fact, "lines", ())


def _refused(fact: object, asked: Answer | None) -> Refused | None:
    if not isinstance(fact, CommandRefused):
        return None
    outcome = asked.outcome if asked else {}
    balance = f"{outcome['balance']} {outcome['currency']}" if "balance" in outcome else None
    return Refused(code=fact.code, message=fact.message, earliest=fact.earliest, balance=balance)
