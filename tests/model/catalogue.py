"""Regulations and tariffs as documents: the built-in ones, the shape of a document, which version is in force."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from .values import MINOR_DIGITS, ZERO, decimal, first_instant, instant

METHODS = ("card", "bank_transfer", "crypto", "electronic_money", "cash")
AUP_KINDS = [
    "unlawful", "fraud", "offensive_content", "infringement", "spam", "denial_of_service", "impersonation",
    "insecure_account", "excessive_use",
]  # fmt: skip

_ZONES = available_timezones()

Document = dict[str, Any]


class Malformed(Exception):
    """A document or a command has a fault at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def _whole(low: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and value >= low


def _flag(value: object) -> bool:
    return type(value) is bool


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _or_null(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


def _list_of(kind: Callable[[Any], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(kind(item) for item in value)


def _word(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _currency(value: object) -> bool:
    return isinstance(value, str) and value in MINOR_DIGITS


def _zone(value: object) -> bool:
    return isinstance(value, str) and value in _ZONES


def _ends_after(value: object) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    ((unit, count),) = value.items()
    return (unit == "months" and _whole(1)(count)) or (unit == "days" and _whole(0)(count))


def _price(value: object) -> bool:
    amount = decimal(value, 6)
    return amount is not None and amount >= 0


def _fees(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(row, dict) and all(_price(amount) for amount in row.values()) for row in value.values()
    )


def _names(value: object) -> bool:
    return isinstance(value, dict) and all(_word(key) and _word(name) for key, name in value.items())


PARAMETERS: dict[str, Callable[[Any], bool]] = {
    "time_zone": _zone,
    "currencies": _list_of(_currency),
    "conclusion": _one_of("verified_and_funded", "registration"),
    "funding_hours": _or_null(_whole(0)),
    "pay_with": _one_of("balance", "invoices"),
    "invoice_due_days": _or_null(_whole(0)),
    "unpaid_invoice": _or_null(_one_of("outstanding", "expires")),
    "plan_change_notice_days": _whole(0),
    "late_plan_change": _one_of("refuse", "next_period"),
    "unpaid_renewal": _one_of("suspend", "continue", "end"),
    "unpaid_ends_after": _or_null(_ends_after),
    "unpaid_end_counts_from": _one_of("period_start", "then"),
    "agreement_ends_with_last_rental": _flag,
    "subscriber_termination": _one_of("period_end", "at_once"),
    "term_notice_days": _or_null(_whole(0)),
    "company_notice_days": _whole(0),
    "termination_for_cause": _one_of("period_end", "at_once"),
    "violations_until_termination": _or_null(_whole(1)),
    "balance_at_termination": _one_of("refund", "by_refund_rules", "keep"),
    "balance_at_termination_for_cause": _one_of("refund", "forfeit"),
    "refunds": _one_of("on_termination", "unused_deposits", "money_back", "discretionary"),
    "refund_days": _or_null(_whole(0)),
    "non_refundable_methods": _list_of(_one_of(*METHODS)),
    "refund_currencies": _or_null(_list_of(_currency)),
    "processing_fees": _or_null(_fees),
    "dispute_hours": _or_null(_whole(0)),
    "compensation_cap": _or_null(_one_of("balance_at_fault", "paid_in_last_months")),
    "compensation_months": _or_null(_whole(0)),
    "number_replacement_notice_days": _whole(0),
    "regulations_notice_days": _whole(0),
    "immaterial_notice_days": _whole(0),
    "clauses": _names,
    "ticket_required": _flag,
    "transfer_needs_consent": _flag,
    "discounts_allowed": _flag,
    "one_free_service": _flag,
    "erase_personal_data_at_end": _flag,
    "violation_kinds": _list_of(_word),
}
"""Every parameter of regulations, in the order of CATALOGUE's table, with the kind of its value."""

_TABLE: dict[str, tuple[Any, Any, Any, Any]] = {
    "time_zone": ("Europe/Kyiv", "Europe/Belgrade", "Europe/Podgorica", "Europe/Berlin"),
    "currencies": (["USD", "EUR"], ["USD", "EUR"], ["USD", "EUR"], ["EUR"]),
    "conclusion": ("verified_and_funded", "registration", "registration", "registration"),
    "funding_hours": (36, None, None, None),
    "pay_with": ("balance", "invoices", "balance", "invoices"),
    "invoice_due_days": (None, 3, None, 3),
    "unpaid_invoice": (None, "outstanding", None, "expires"),
    "plan_change_notice_days": (3, 0, 0, 0),
    "late_plan_change": ("refuse", "refuse", "refuse", "refuse"),
    "unpaid_renewal": ("suspend", "continue", "continue", "end"),
    "unpaid_ends_after": ({"months": 1}, None, {"days": 7}, None),
    "unpaid_end_counts_from": ("period_start", "then", "then", "then"),
    "agreement_ends_with_last_rental": (True, False, False, False),
    "subscriber_termination": ("period_end", "at_once", "at_once", "period_end"),
    "term_notice_days": (60, None, None, None),
    "company_notice_days": (14, 0, 0, 0),
    "termination_for_cause": ("period_end", "at_once", "at_once", "at_once"),
    "violations_until_termination": (2, None, None, None),
    "balance_at_termination": ("refund", "by_refund_rules", "keep", "keep"),
    "balance_at_termination_for_cause": ("refund", "forfeit", "forfeit", "forfeit"),
    "refunds": ("on_termination", "unused_deposits", "money_back", "discretionary"),
    "refund_days": (None, 90, 30, None),
    "non_refundable_methods": ([], ["bank_transfer", "crypto"], [], []),
    "refund_currencies": (None, ["EUR"], None, ["BTC", "XMR"]),
    "processing_fees": (None, None, {"*": {"card": "2.00", "*": "3.00"}, "ME": {"*": "0.00"}}, None),
    "dispute_hours": (None, 72, None, None),
    "compensation_cap": ("balance_at_fault", "paid_in_last_months", None, None),
    "compensation_months": (None, 3, None, None),
    "number_replacement_notice_days": (14, 0, 0, 0),
    "regulations_notice_days": (14, 0, 0, 30),
    "immaterial_notice_days": (14, 0, 0, 0),
    "clauses": ({}, {}, {}, {}),
    "ticket_required": (False, True, False, False),
    "transfer_needs_consent": (False, True, False, False),
    "discounts_allowed": (True, False, True, True),
    "one_free_service": (False, False, True, False),
    "erase_personal_data_at_end": (False, True, True, False),
    "violation_kinds": (AUP_KINDS, AUP_KINDS, AUP_KINDS, AUP_KINDS),
}
BUILT_IN = ("telnexx", "illyvoip", "hexaserv", "calycom")


def built_in(name: str) -> Document:
    """The parameters of one of the four systems (the model needs no clause ids: `clauses` stays empty)."""
    column = BUILT_IN.index(name)
    return {parameter: copy.deepcopy(row[column]) for parameter, row in _TABLE.items()}


def need(document: Document, key: str, kind: Callable[[Any], bool], path: str = "data") -> None:
    """A field that must be there and be of a kind."""
    if key not in document or not kind(document[key]):
        raise Malformed(f"{path}.{key}")


def want(document: Document, key: str, kind: Callable[[Any], bool], path: str = "data") -> None:
    """A field that may be left out."""
    if key in document and not kind(document[key]):
        raise Malformed(f"{path}.{key}")


def no_others(document: Document, *keys: str, path: str = "data") -> None:
    """Unknown fields come last."""
    for key in document:
        if key not in keys:
            raise Malformed(f"{path}.{key}" if path else key)


def is_instant(value: object) -> bool:
    """An aware ISO instant."""
    return instant(value) is not None


def check_regulations(document: Document) -> None:
    """CATALOGUE: an unknown parameter, a missing one or a wrong kind of value is `invalid`."""
    need(document, "regulations", _word)
    need(document, "version", _word)
    need(document, "effective_from", is_instant)
    want(document, "material", _flag)
    want(document, "extends", _word)
    whole = "extends" not in document
    inline = whole and "set" not in document  # a document without `extends` may state its parameters itself
    want(document, "set", lambda value: isinstance(value, dict))
    stated, path = (document, "data") if inline else (document.get("set", {}), "data.set")
    for parameter, kind in PARAMETERS.items():
        if whole or parameter in stated:
            need(stated, parameter, kind, path)
    envelope = ("regulations", "version", "effective_from", "material", "extends", "set")
    if not inline:
        no_others(stated, *PARAMETERS, path=path)
        no_others(document, *envelope)
    no_others(document, *envelope, *PARAMETERS)


def _periodic(value: object) -> bool:
    if not isinstance(value, dict):
        return _price(value)
    return (
        _price(value.get("price"))
        and set(value) <= {"price", "refundable", "third_party"}
        and all(_flag(value[key]) for key in value if key != "price")
    )


def _usage(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.get("per") in ("minute", "unit")
        and _price(value.get("price"))
        and set(value) <= {"per", "price", "included"}
        and _whole(0)(value.get("included", 0))
    )


def _tax(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and set(value) == {"name", "rate"} and _word(value["name"]) and _price(value["rate"])


def _discount(value: object) -> bool:
    fraction = decimal(value, 6)
    return fraction is not None and 0 <= fraction <= 1


def _map_of(kind: Callable[[Any], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(_word(key) and kind(entry) for key, entry in value.items())


def check_tariff(document: Document) -> None:
    """The shape of a tariff document."""
    need(document, "tariff", _word)
    need(document, "regulations", _word)
    need(document, "currency", _currency)
    need(document, "effective_from", is_instant)
    need(document, "tax", _tax)
    need(document, "plans", lambda value: isinstance(value, dict))
    for name, plan in document["plans"].items():
        path = f"data.plans.{name}"
        if not isinstance(plan, dict):
            raise Malformed(path)
        need(plan, "connection_fee", _price, path)
        need(plan, "periodic", _map_of(_periodic), path)
        need(plan, "usage", _map_of(_usage), path)
        need(plan, "administrative", _map_of(_price), path)
        want(plan, "discount", _discount, path)
        no_others(plan, "connection_fee", "periodic", "usage", "administrative", "discount", path=path)
    no_others(document, "tariff", "regulations", "currency", "effective_from", "tax", "plans")


@dataclass
class Regulations:
    """One published version of a provider's rules."""

    name: str
    version: str
    effective_from: dt.datetime
    parameters: Document

    def __getitem__(self, parameter: str) -> Any:
        return self.parameters[parameter]

    @property
    def zone(self) -> ZoneInfo:
        """Where periods and days begin."""
        return ZoneInfo(self.parameters["time_zone"])


@dataclass
class Periodic:
    """A plan's price of a service for a period, discount taken off, not rounded."""

    price: Fraction
    refundable: bool
    third_party: bool
    tariff: str


@dataclass
class Tariff:
    """One published document of prices."""

    name: str
    effective_from: dt.datetime
    document: Document

    def plan(self, name: str) -> Document | None:
        """A plan of this document."""
        found: Document | None = self.document["plans"].get(name)
        return found


@dataclass
class Catalogue:
    """Every version ever published, and which is in force when."""

    regulations: dict[str, list[Regulations]] = field(default_factory=dict)
    tariffs: dict[tuple[str, str], list[Tariff]] = field(default_factory=dict)

    @classmethod
    def initial(cls) -> Catalogue:
        """A new ledger: the four systems and the sample tariffs."""
        new = cls()
        for name in BUILT_IN:
            parameters = built_in(name)
            since = first_instant(ZoneInfo(parameters["time_zone"]), dt.date(2024, 1, 1))
            new.regulations[name] = [Regulations(name, "1", since, parameters)]
        for path in sorted((pathlib.Path(__file__).parent / "tariffs").glob("*.json")):
            new.add_tariff(json.loads(path.read_text(encoding="utf-8")))
        return new

    def add_regulations(self, document: Document) -> None:
        """Record a version: `extends` takes the latest version published, in effect or not."""
        if "extends" in document:
            parameters = {**self.regulations[document["extends"]][-1].parameters, **document.get("set", {})}
        else:
            stated = document.get("set", document)
            parameters = {parameter: stated[parameter] for parameter in PARAMETERS}
        since = instant(document["effective_from"])
        assert since is not None
        version = Regulations(document["regulations"], document["version"], since, copy.deepcopy(parameters))
        self.regulations.setdefault(version.name, []).append(version)

    def add_tariff(self, document: Document) -> None:
        """Record a tariff."""
        since = instant(document["effective_from"])
        assert since is not None
        pair = (document["regulations"], document["currency"])
        self.tariffs.setdefault(pair, []).append(Tariff(document["tariff"], since, copy.deepcopy(document)))

    def rules(self, name: str, at: dt.datetime) -> Regulations | None:
        """The version in force at an instant."""
        found: Regulations | None = None
        for version in self.regulations.get(name, []):
            if version.effective_from <= at and (found is None or version.effective_from >= found.effective_from):
                found = version
        return found

    def _in_force(self, pair: tuple[str, str], at: dt.datetime) -> list[Tariff]:
        """The documents that ever took effect until an instant, the one in force first."""
        taken = [(tariff.effective_from, order, tariff) for order, tariff in enumerate(self.tariffs.get(pair, []))]
        return [row[2] for row in sorted(taken, key=lambda row: row[:2], reverse=True) if row[0] <= at]

    def offers(self, pair: tuple[str, str], at: dt.datetime, plan: str) -> bool:
        """Whether the tariff in force has the plan."""
        return any(tariff.plan(plan) is not None for tariff in self._in_force(pair, at)[:1])

    def plan(self, pair: tuple[str, str], at: dt.datetime, plan: str) -> tuple[Tariff, Document]:
        """The plan's prices; a plan that a later document drops keeps its last ones."""
        for tariff in self._in_force(pair, at):
            found = tariff.plan(plan)
            if found is not None:
                return tariff, found
        raise AssertionError(f"no tariff ever had {plan}")

    def periodic(
        self, pair: tuple[str, str], at: dt.datetime, plan: str, service: str, *, in_use: bool
    ) -> Periodic | None:
        """A periodic price; a service in use that the plan drops keeps its last one."""
        for tariff in self._in_force(pair, at):
            found = tariff.plan(plan)
            if found is None:
                continue
            entry = found["periodic"].get(service)
            if entry is not None:
                entry = entry if isinstance(entry, dict) else {"price": entry}
                off = Fraction(found.get("discount", "0"))
                return Periodic(
                    Fraction(entry["price"]) * (1 - off),
                    entry.get("refundable", False),
                    entry.get("third_party", False),
                    tariff.name,
                )
            if not in_use:
                return None
        return None

    def tax(self, pair: tuple[str, str], at: dt.datetime) -> tuple[str, Fraction]:
        """The tax of the tariff in force: its name and rate."""
        for tariff in self._in_force(pair, at)[:1]:
            if tariff.document["tax"] is not None:
                return tariff.document["tax"]["name"], Fraction(tariff.document["tax"]["rate"])
        return "", ZERO
