"""Publishing regulations and tariffs: with notice, never into the past, never changing what cannot change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import documents as read
from domain.catalogue import Catalogue, Regulations, evolve_catalogue, read_regulations, read_tariff
from domain.commands import CATALOGUE_SUBJECT, Command, PublishRegulations, PublishTariff
from domain.documents import Fault
from domain.facts import CatalogueFact, CommandRefused, Recorded, RegulationsPublished, TariffPublished
from domain.periods import add_days, local_text
from domain.refusals import Code, Malformed, Refusal
from domain.rules import basis_of, rule_of

UNCHANGEABLE = ("time_zone", "currencies", "pay_with")
"""Parameters that hold for the life of a regulations name: accounts, periods and invoices are built on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueState:
    """The catalogue and where its stream stands: `version` is also its sequence, since the stream is alone."""

    catalogue: Catalogue
    version: int = 0
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a publishing command led to."""

    state: CatalogueState
    facts: tuple[Recorded, ...] = ()
    refusal: Refusal | None = None
    basis: str | None = None
    malformed: Malformed | None = None


def publish(state: CatalogueState, command: Command, ledger_as_of: datetime | None) -> Publication:
    """Decides a publication; `ledger_as_of` is the last instant of the whole ledger, before which nothing may count."""
    if state.as_of is not None and command.at < state.as_of:
        message = f"the catalogue's last instant was {state.as_of.isoformat()}"
        backwards = Refusal(code=Code.TIME_WENT_BACKWARDS, message=message)
        return Publication(state=state, refusal=backwards, basis=basis_of(rule_of(backwards.code), {}))
    earliest = max(command.at, ledger_as_of or command.at)
    try:
        fact, refusal, rule, clauses = _read(state.catalogue, command, earliest)
    except Fault as fault:
        return Publication(
            state=state,
            malformed=Malformed(path=f"data.{fault.path}" if fault.path else "data", message=fault.message),
        )
    if refusal is not None:
        rule, fact = refusal.rule or rule_of(refusal.code), None
    recorded = Recorded(
        subject=CATALOGUE_SUBJECT,
        version=state.version + 1,
        fact=fact or _refused(command, refusal),
        effective_at=command.at,
        recorded_at=command.at,
        basis=basis_of(rule, clauses),
    )
    return Publication(
        state=evolve_publication(state, recorded), facts=(recorded,), refusal=refusal, basis=recorded.basis
    )


def evolve_publication(state: CatalogueState, recorded: Recorded) -> CatalogueState:
    """The catalogue's state after one of its facts."""
    catalogue = state.catalogue
    if isinstance(recorded.fact, RegulationsPublished | TariffPublished):
        catalogue = evolve_catalogue(catalogue, recorded.fact)
    return CatalogueState(catalogue=catalogue, version=recorded.version, as_of=recorded.recorded_at)


def initial(document: Mapping[str, Any], effective_from: datetime) -> RegulationsPublished:
    """The publication of a regulations document that a new ledger begins with."""
    parameters = {key: value for key, value in document.items() if key not in HEAD}
    read_regulations(parameters, document["regulations"], document["version"], effective_from)
    return RegulationsPublished(
        regulations=document["regulations"],
        version=document["version"],
        effective_from=effective_from,
        material=True,
        document=parameters,
    )


def initial_tariff(document: Mapping[str, Any]) -> TariffPublished:
    """The publication of a tariff that a new ledger begins with."""
    tariff = read_tariff(document)
    return TariffPublished(
        tariff=tariff.name,
        regulations=tariff.regulations,
        currency=tariff.currency,
        effective_from=tariff.effective_from,
        document=dict(document),
    )


HEAD = {
    "regulations": read.key,
    "version": read.key,
    "effective_from": read.instant,
}

Judged = tuple[CatalogueFact | None, Refusal | None, str, Mapping[str, str]]


def _read(catalogue: Catalogue, command: Command, earliest: datetime) -> Judged:
    match command.request:
        case PublishRegulations():
            return _regulations(catalogue, command.request.document, command.at, earliest)
        case PublishTariff():
            return _tariff(catalogue, command.request.document, earliest)
        case _:
            raise TypeError(f"{type(command.request).__name__} publishes nothing")


def _regulations(catalogue: Catalogue, document: Any, now: datetime, earliest: datetime) -> Judged:
    try:
        head, parameters, proposed = _split(catalogue, document)
    except _UnknownBase as unknown:
        no_base = Refusal(code=Code.UNKNOWN_REGULATIONS, message=f"no regulations {unknown} were published")
        return None, no_base, "regulations-notice", {}
    name = proposed.name
    fact = RegulationsPublished(
        regulations=name,
        version=proposed.version,
        effective_from=proposed.effective_from,
        material=head["material"],
        document=parameters,
    )
    known = catalogue.regulations.get(name)
    if not known:
        refusal = effective_in_the_past(earliest, proposed.time_zone) if fact.effective_from < earliest else None
        return fact, refusal, "regulations-notice", proposed.clauses
    present = catalogue.in_force(name, now) or known[-1]
    allowed = max(_notice_over(present, fact, now), earliest)
    refusal = _not_changeable(present, proposed)
    if refusal is None and fact.effective_from < earliest:
        refusal = effective_in_the_past(allowed, proposed.time_zone)
    if refusal is None and fact.effective_from < allowed:
        refusal = regulations_notice(allowed, proposed.time_zone)
    return fact, refusal, "regulations-notice", present.clauses


def _split(catalogue: Catalogue, document: Any) -> tuple[dict[str, Any], dict[str, Any], Regulations]:
    """The head of a document, its whole parameters, those it extends included, and what they make; unknown fields last.

    Source: RULES, "`path` is the first fault in the order of the table, unknown fields last".
    """
    given = read.an_object(document, "")
    head: dict[str, Any] = {"material": True}
    for field, reader in HEAD.items():
        if field not in given:
            raise Fault(field, "missing")
        head[field] = reader(given[field], field)
        if field == "version" and (head["regulations"], head[field]) in catalogue.versions:
            raise Fault(field, f"version {head[field]} of {head['regulations']} was published before")
    if "material" in given:
        head["material"] = read.boolean(given["material"], "material")
    rest = {key: value for key, value in given.items() if key not in head}
    if "extends" not in rest and "set" not in rest:
        return head, rest, _proposed(head, rest)
    known = tuple(field for field in ("extends", "set") if field in rest)
    base = _base(catalogue, rest, known)
    parameters = {**base, **read.an_object(rest.get("set", {}), "set")}
    try:
        proposed = _proposed(head, parameters)
    except Fault as fault:
        raise Fault(f"set.{fault.path}", fault.message) from None
    read.no_others(rest, "", known)
    return head, parameters, proposed


def _proposed(head: Mapping[str, Any], parameters: Mapping[str, Any]) -> Regulations:
    return read_regulations(parameters, head["regulations"], head["version"], head["effective_from"])


def _base(catalogue: Catalogue, rest: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    """The parameters that the document extends: those of the latest version published, in effect or not."""
    if "extends" not in rest:
        return {}
    base = read.key(rest["extends"], "extends")
    if base not in catalogue.documents:
        read.an_object(rest.get("set", {}), "set")
        read.no_others(rest, "", known)
        raise _UnknownBase(base)
    return catalogue.documents[base]


class _UnknownBase(Exception):
    """`extends` names regulations that nobody published."""


def _not_changeable(present: Regulations, proposed: Regulations) -> Refusal | None:
    for parameter in UNCHANGEABLE:
        if getattr(present, parameter) != getattr(proposed, parameter):
            return Refusal(code=Code.NOT_CHANGEABLE, message=f"{parameter} of {present.name} cannot change")
    return None


def _notice_over(present: Regulations, fact: RegulationsPublished, now: datetime) -> datetime:
    """The first instant that a change may take effect, by the notice of the version in force."""
    days = present.regulations_notice_days if fact.material else present.immaterial_notice_days
    return add_days(now, days, present.time_zone)


def regulations_notice(allowed: datetime, zone: str) -> Refusal:
    """A change of existing regulations needs its notice, longer for a material one (telnexx/regulations-notice)."""
    return Refusal(
        code=Code.NOTICE_TOO_SHORT,
        rule="regulations-notice",
        message=f"with the notice that is needed, {local_text(allowed, zone)} is the first instant possible",
        earliest=allowed,
    )


def effective_in_the_past(allowed: datetime, zone: str) -> Refusal:
    """A past decision is never repriced: nothing counts before its publication or the ledger's last instant."""
    return Refusal(
        code=Code.EFFECTIVE_IN_THE_PAST,
        message=f"the past is decided; {local_text(allowed, zone)} is the first instant possible",
        earliest=allowed,
    )


def _tariff(catalogue: Catalogue, document: Any, earliest: datetime) -> Judged:
    tariff = read_tariff(document)
    fact = initial_tariff(document)
    versions = catalogue.regulations.get(tariff.regulations)
    if not versions:
        refusal = Refusal(code=Code.UNKNOWN_REGULATIONS, message=f"no regulations {tariff.regulations} were published")
        return fact, refusal, "tariff", {}
    regulations = catalogue.in_force(tariff.regulations, tariff.effective_from) or versions[0]
    return fact, _tariff_refusal(regulations, tariff.currency, fact, earliest), "tariff", regulations.clauses


def _tariff_refusal(
    regulations: Regulations, currency: str, fact: TariffPublished, earliest: datetime
) -> Refusal | None:
    if currency not in regulations.currencies:
        accepted = ", ".join(regulations.currencies)
        return Refusal(code=Code.CURRENCY_NOT_ACCEPTED, message=f"{regulations.name} keeps accounts in {accepted}")
    if fact.effective_from < earliest:
        return effective_in_the_past(earliest, regulations.time_zone)
    return discount(regulations, fact)


def discount(regulations: Regulations, fact: TariffPublished) -> Refusal | None:
    """Some regulations know no discounts (illyvoip/no-discounts)."""
    discounted = sorted(name for name, plan in fact.document["plans"].items() if "discount" in plan)
    if regulations.discounts_allowed or not discounted:
        return None
    return Refusal(
        code=Code.DISCOUNT_NOT_ALLOWED, message=f"these regulations allow no discount; plan {discounted[0]} has one"
    )


def _refused(command: Command, refusal: Refusal | None) -> CommandRefused:
    if refusal is None:
        raise TypeError("a publication is either a fact or a refusal")
    return CommandRefused(
        command=type(command.request).__name__,
        code=refusal.code.value,
        message=refusal.message,
        earliest=refusal.earliest,
    )
