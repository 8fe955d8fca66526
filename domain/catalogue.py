"""The catalogue: regulations and tariffs as versioned data, read from documents and looked up by instant."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain import documents as read
from domain.documents import LARGEST_PRICE, Fault
from domain.facts import CatalogueFact, RegulationsPublished, TariffPublished
from domain.money import ACCOUNT_DECIMALS, Money, money, parse_decimal

Version = TypeVar("Version", "Regulations", "Tariff")
METHODS = ("card", "bank_transfer", "crypto", "electronic_money", "cash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long a rental may stay unpaid: whole periods, or local days after the day it fell due."""

    months: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulations:
    """One version of a provider's rules: every parameter of CATALOGUE.md, in its order."""

    time_zone: str
    currencies: tuple[str, ...]
    conclusion: Literal["verified_and_funded", "registration"]
    funding_hours: int | None
    pay_with: Literal["balance", "invoices"]
    invoice_due_days: int | None
    unpaid_invoice: Literal["outstanding", "expires"] | None
    plan_change_notice_days: int
    late_plan_change: Literal["refuse", "next_period"]
    unpaid_renewal: Literal["suspend", "continue", "end"]
    unpaid_ends_after: Grace | None
    unpaid_end_counts_from: Literal["period_start", "then"]
    agreement_ends_with_last_rental: bool
    subscriber_termination: Literal["period_end", "at_once"]
    term_notice_days: int | None
    company_notice_days: int
    termination_for_cause: Literal["period_end", "at_once"]
    violations_until_termination: int | None
    balance_at_termination: Literal["refund", "by_refund_rules", "keep"]
    balance_at_termination_for_cause: Literal["refund", "forfeit"]
    refunds: Literal["on_termination", "unused_deposits", "money_back", "discretionary"]
    refund_days: int | None
    non_refundable_methods: tuple[str, ...]
    refund_currencies: tuple[str, ...] | None
    processing_fees: Mapping[str, Mapping[str, int]] | None
    dispute_hours: int | None
    compensation_cap: Literal["balance_at_fault", "paid_in_last_months"] | None
    compensation_months: int | None
    number_replacement_notice_days: int
    regulations_notice_days: int
    immaterial_notice_days: int
    clauses: Mapping[str, str]
    ticket_required: bool
    transfer_needs_consent: bool
    discounts_allowed: bool
    one_free_service: bool
    erase_personal_data_at_end: bool
    violation_kinds: tuple[str, ...]
    name: str = ""
    version: str = ""
    effective_from: datetime
    invoiced: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "invoiced", self.pay_with == "invoices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """Added on top of listed prices: `rate` is a fraction as text, `millionths` the same as an integer of 10⁻⁶."""

    name: str
    rate: str
    millionths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicPrice:
    price: Money
    refundable: bool = False
    third_party: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePrice:
    per: Literal["minute", "unit"]
    price: Money
    included: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A named group of prices; `discount` is a fraction off every periodic price, in millionths."""

    connection_fee: Money
    periodic: Mapping[str, PeriodicPrice]
    usage: Mapping[str, UsagePrice]
    administrative: Mapping[str, Money]
    discount: str | None = None
    discount_millionths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One currency's prices under one regulations name, from `effective_from` on."""

    name: str
    regulations: str
    currency: str
    effective_from: datetime
    tax: Tax | None
    plans: Mapping[str, Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every version ever published."""

    regulations: Mapping[str, tuple[Regulations, ...]] = field(default_factory=dict)
    tariffs: Mapping[tuple[str, str], tuple[Tariff, ...]] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Per regulations name the parameters of the version published last, as JSON: what `extends` builds on."""
    versions: frozenset[tuple[str, str]] = frozenset()

    def in_force(self, name: str, at: datetime) -> Regulations | None:
        """The regulations called `name` at instant `at`; None where there were none."""
        versions = self.regulations.get(name, ())
        if len(versions) == 1:
            return versions[0] if versions[0].effective_from <= at else None
        index = bisect_right(versions, at, key=_since)
        return versions[index - 1] if index else None

    def tariff(self, regulations: str, currency: str, at: datetime) -> Tariff | None:
        """The tariff in force at `at` for that pair."""
        return next(iter(self.tariffs_until(regulations, currency, at)), None)

    def tariffs_until(self, regulations: str, currency: str, at: datetime) -> tuple[Tariff, ...]:
        """All tariffs of the pair that are or were in force at `at`, the newest first."""
        versions = self.tariffs.get((regulations, currency), ())
        if len(versions) == 1:
            return versions if versions[0].effective_from <= at else ()
        return versions[: bisect_right(versions, at, key=_since)][::-1]


def evolve_catalogue(catalogue: Catalogue, fact: CatalogueFact) -> Catalogue:
    """The catalogue with one more publication in it."""
    match fact:
        case RegulationsPublished():
            version = read_regulations(fact.document, fact.regulations, fact.version, fact.effective_from)
            others = tuple(
                v for v in catalogue.regulations.get(fact.regulations, ()) if v.effective_from != fact.effective_from
            )
            return replace(
                catalogue,
                regulations={**catalogue.regulations, version.name: _sorted((*others, version))},
                documents={**catalogue.documents, version.name: fact.document},
                versions=catalogue.versions | {(version.name, version.version)},
            )
        case TariffPublished():
            tariff = read_tariff(fact.document)
            pair = (tariff.regulations, tariff.currency)
            kept = tuple(t for t in catalogue.tariffs.get(pair, ()) if t.effective_from != tariff.effective_from)
            return replace(catalogue, tariffs={**catalogue.tariffs, pair: _sorted((*kept, tariff))})


def read_regulations(document: Mapping[str, Any], name: str, version: str, effective_from: datetime) -> Regulations:
    """Regulations from their parameters; Fault with the path of what is missing, unknown or of the wrong kind."""
    parameters = read.fields(document, "", PARAMETERS, {})
    parameters["clauses"] = {rule: _clause_id(name, clause) for rule, clause in parameters["clauses"].items()}
    return Regulations(name=name, version=version, effective_from=effective_from, **parameters)


def read_tariff(document: Any) -> Tariff:
    """A tariff from its document; Fault with the path of the first thing wrong."""
    head = read.fields(
        document,
        "",
        {
            "tariff": read.key,
            "regulations": read.key,
            "currency": read.currency,
            "effective_from": read.instant,
            "tax": read.optional(_tax),
            "plans": read.mapped(lambda value, _: value),
        },
        {},
    )
    currency: str = head["currency"]
    plans = {name: _plan(plan, f"plans.{name}", currency) for name, plan in head["plans"].items()}
    return Tariff(
        name=head["tariff"],
        regulations=head["regulations"],
        currency=currency,
        effective_from=head["effective_from"],
        tax=head["tax"],
        plans=plans,
    )


def _since(version: Regulations | Tariff) -> datetime:
    return version.effective_from


def _sorted(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    return tuple(sorted(versions, key=_since))


def _clause_id(name: str, clause: str) -> str:
    return clause if "/" in clause else f"{name}/{clause}"


def _zone(value: Any, path: str) -> str:
    name = read.text(value, path)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Fault(path, f"expected a time zone of the IANA database, found {read.found(value)}") from None
    return name


def _grace(value: Any, path: str) -> Grace:
    given = read.fields(value, path, {}, {"months": read.periods, "days": read.days})
    if len(given) != 1:
        raise Fault(path, 'expected either {"months": n} or {"days": n}')
    return Grace(**given)


def _fees(value: Any, path: str) -> dict[str, dict[str, int]]:
    fees: dict[str, dict[str, int]] = read.mapped(read.mapped(read.price, read.one_of("*", *METHODS)))(value, path)
    return fees


def _tax(value: Any, path: str) -> Tax:
    given = read.fields(value, path, {"name": read.text, "rate": read.fraction}, {})
    return Tax(name=given["name"], rate=given["rate"], millionths=parse_decimal(given["rate"], 6))


def _price(currency: str) -> read.Reader:
    """A price in `currency`: times channels times periods it stays within what databases count with."""
    most = money(LARGEST_PRICE * 10**ACCOUNT_DECIMALS, currency)

    def entry(value: Any, path: str) -> Money:
        price = Money.of_millionths(read.price(value, path), currency)
        if price > most:
            raise Fault(path, f"expected a price of at most {most} {currency}, found {read.found(value)}")
        return price

    return entry


def _plan(value: Any, path: str, currency: str) -> Plan:
    given = read.fields(
        value,
        path,
        {
            "connection_fee": _price(currency),
            "periodic": read.mapped(_periodic(currency)),
            "usage": read.mapped(_usage(currency)),
            "administrative": read.mapped(_price(currency)),
        },
        {"discount": read.fraction},
    )
    discount = given.get("discount")
    return Plan(
        connection_fee=given["connection_fee"],
        periodic=given["periodic"],
        usage=given["usage"],
        administrative=given["administrative"],
        discount=discount,
        discount_millionths=parse_decimal(discount, 6) if discount else 0,
    )


def _periodic(currency: str) -> read.Reader:
    price = _price(currency)

    def entry(value: Any, path: str) -> PeriodicPrice:
        if isinstance(value, str):
            return PeriodicPrice(price=price(value, path))
        given = read.fields(value, path, {"price": price}, {"refundable": read.boolean, "third_party": read.boolean})
        return PeriodicPrice(
            price=given["price"],
            refundable=given.get("refundable", False),
            third_party=given.get("third_party", False),
        )

    return entry


def _usage(currency: str) -> read.Reader:
    required = {"per": read.one_of("minute", "unit"), "price": _price(currency)}

    def entry(value: Any, path: str) -> UsagePrice:
        given = read.fields(value, path, required, {"included": read.whole})
        return UsagePrice(per=given["per"], price=given["price"], included=given.get("included", 0))

    return entry


PARAMETERS: dict[str, read.Reader] = {
    "time_zone": _zone,
    "currencies": read.listed(read.currency),
    "conclusion": read.one_of("verified_and_funded", "registration"),
    "funding_hours": read.optional(read.hours),
    "pay_with": read.one_of("balance", "invoices"),
    "invoice_due_days": read.optional(read.days),
    "unpaid_invoice": read.optional(read.one_of("outstanding", "expires")),
    "plan_change_notice_days": read.days,
    "late_plan_change": read.one_of("refuse", "next_period"),
    "unpaid_renewal": read.one_of("suspend", "continue", "end"),
    "unpaid_ends_after": read.optional(_grace),
    "unpaid_end_counts_from": read.one_of("period_start", "then"),
    "agreement_ends_with_last_rental": read.boolean,
    "subscriber_termination": read.one_of("period_end", "at_once"),
    "term_notice_days": read.optional(read.days),
    "company_notice_days": read.days,
    "termination_for_cause": read.one_of("period_end", "at_once"),
    "violations_until_termination": read.optional(read.count),
    "balance_at_termination": read.one_of("refund", "by_refund_rules", "keep"),
    "balance_at_termination_for_cause": read.one_of("refund", "forfeit"),
    "refunds": read.one_of("on_termination", "unused_deposits", "money_back", "discretionary"),
    "refund_days": read.optional(read.days),
    "non_refundable_methods": read.listed(read.one_of(*METHODS)),
    "refund_currencies": read.optional(read.listed(read.currency)),
    "processing_fees": read.optional(_fees),
    "dispute_hours": read.optional(read.hours),
    "compensation_cap": read.optional(read.one_of("balance_at_fault", "paid_in_last_months")),
    "compensation_months": read.optional(read.periods),
    "number_replacement_notice_days": read.days,
    "regulations_notice_days": read.days,
    "immaterial_notice_days": read.days,
    "clauses": read.mapped(read.key),
    "ticket_required": read.boolean,
    "transfer_needs_consent": read.boolean,
    "discounts_allowed": read.boolean,
    "one_free_service": read.boolean,
    "erase_personal_data_at_end": read.boolean,
    "violation_kinds": read.listed(read.key),
}
"""A reader for each parameter, in the order of CATALOGUE.md, which is the order of faults."""

assert set(PARAMETERS) <= {parameter.name for parameter in fields(Regulations)}
