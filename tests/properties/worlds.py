"""Regulations and tariffs drawn at random: every parameter of the catalogue in every kind of value that it may have."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.catalogue import METHODS, PARAMETERS
from domain.facts import CatalogueFact, RegulationsPublished, TariffPublished
from domain.publishing import UNCHANGEABLE, initial, initial_tariff
from infra.documents import initial_catalogue

ZONES = (
    "Europe/Kyiv", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
    "Asia/Kolkata", "Pacific/Auckland", "Pacific/Apia", "UTC",
)  # fmt: skip
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
DAYS = st.sampled_from([0, 1, 3, 7, 14, 31, 60])
PRICES = st.sampled_from(["0.00", "0.01", "0.035", "1.00", "2.50", "3.10", "9.99", "12.00", "100"])
SERVICES = ("did.ua", "did.us", "hosting")
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "time_zone": st.sampled_from(ZONES),
    "currencies": st.lists(st.sampled_from(CURRENCIES), min_size=1, unique=True),
    "conclusion": st.sampled_from(["verified_and_funded", "registration"]),
    "funding_hours": st.none() | st.sampled_from([0, 1, 36, 1000]),
    "pay_with": st.sampled_from(["balance", "invoices"]),
    "invoice_due_days": st.none() | st.sampled_from([0, 1, 3, 10, 40]),
    "unpaid_invoice": st.none() | st.sampled_from(["outstanding", "expires"]),
    "plan_change_notice_days": DAYS,
    "late_plan_change": st.sampled_from(["refuse", "next_period"]),
    "unpaid_renewal": st.sampled_from(["suspend", "continue", "end"]),
    "unpaid_ends_after": st.none()
    | st.builds(lambda n: {"months": n}, st.integers(1, 3))
    | st.builds(lambda n: {"days": n}, st.sampled_from([0, 1, 7, 40])),
    "unpaid_end_counts_from": st.sampled_from(["period_start", "then"]),
    "agreement_ends_with_last_rental": st.booleans(),
    "subscriber_termination": st.sampled_from(["period_end", "at_once"]),
    "term_notice_days": st.none() | DAYS,
    "company_notice_days": DAYS,
    "termination_for_cause": st.sampled_from(["period_end", "at_once"]),
    "violations_until_termination": st.none() | st.integers(1, 3),
    "balance_at_termination": st.sampled_from(["refund", "by_refund_rules", "keep"]),
    "balance_at_termination_for_cause": st.sampled_from(["refund", "forfeit"]),
    "refunds": st.sampled_from(["on_termination", "unused_deposits", "money_back", "discretionary"]),
    "refund_days": st.none() | DAYS,
    "non_refundable_methods": st.lists(st.sampled_from(METHODS), max_size=2, unique=True),
    "refund_currencies": st.none() | st.lists(st.sampled_from([*CURRENCIES, "BTC", "XMR"]), max_size=3, unique=True),
    "processing_fees": st.none()
    | st.dictionaries(
        st.sampled_from(["*", "ME", "US"]),
        st.dictionaries(st.sampled_from(["*", *METHODS]), PRICES, max_size=3),
        max_size=2,
    ),
    "dispute_hours": st.none() | st.sampled_from([0, 1, 72]),
    "compensation_cap": st.none() | st.sampled_from(["balance_at_fault", "paid_in_last_months"]),
    "compensation_months": st.none() | st.integers(1, 6),
    "number_replacement_notice_days": DAYS,
    "regulations_notice_days": DAYS,
    "immaterial_notice_days": DAYS,
    "clauses": st.just({"proration": "house/proration"}),
    "ticket_required": st.booleans(),
    "transfer_needs_consent": st.booleans(),
    "discounts_allowed": st.booleans(),
    "one_free_service": st.booleans(),
    "erase_personal_data_at_end": st.booleans(),
    "violation_kinds": st.just(["spam", "fraud"]),
}
"""A strategy for each parameter; `test_every_parameter_is_drawn` keeps the list whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A catalogue, and where a subscriber may register in it."""

    publications: tuple[CatalogueFact, ...]
    regulations: str
    currency: str
    plans: tuple[str, ...]
    services: tuple[str, ...]
    zone: str

    def __repr__(self) -> str:
        if self.regulations == "house":
            return f"World({[one.document for one in self.publications[-4:]]})"
        return f"World({self.regulations}, {self.currency})"


BUILT_IN = tuple(initial_catalogue())


def _built_in() -> tuple[World, ...]:
    worlds = []
    for one in BUILT_IN:
        if isinstance(one, TariffPublished):
            zone = next(
                other.document["time_zone"]
                for other in BUILT_IN
                if isinstance(other, RegulationsPublished) and other.regulations == one.regulations
            )
            plans = tuple(one.document["plans"])
            priced = {service for plan in one.document["plans"].values() for service in plan["periodic"]}
            worlds.append(
                World(
                    publications=BUILT_IN,
                    regulations=one.regulations,
                    currency=one.currency,
                    plans=plans,
                    services=tuple(sorted(priced)),
                    zone=zone,
                )
            )
    return tuple(worlds)


def plan_documents(services: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """A plan that prices `services`."""
    entry = st.one_of(
        PRICES,
        st.fixed_dictionaries({"price": PRICES}, optional={"refundable": st.booleans(), "third_party": st.booleans()}),
    )
    minutes = st.fixed_dictionaries(
        {"per": st.just("minute"), "price": PRICES}, optional={"included": st.sampled_from([0, 1, 60])}
    )
    units = st.fixed_dictionaries(
        {"per": st.just("unit"), "price": PRICES}, optional={"included": st.sampled_from([0, 5])}
    )
    return st.fixed_dictionaries(
        {
            "connection_fee": PRICES,
            "periodic": st.fixed_dictionaries(dict.fromkeys((*services, "channel"), entry)),
            "usage": st.fixed_dictionaries({"voice.in": minutes, "sms.in": units}),
            "administrative": st.fixed_dictionaries({"number_change": PRICES, "documents": PRICES}),
        },
        optional={"discount": st.sampled_from(["0", "0.10", "0.333333", "1"])},
    )


@st.composite
def houses(draw: st.DrawFn) -> World:
    """A sixth provider: regulations and a tariff from the beginning, another version of each some time in 2026."""
    parameters = draw(st.fixed_dictionaries(DRAWN))
    later = {**draw(st.fixed_dictionaries(DRAWN)), **{name: parameters[name] for name in UNCHANGEABLE}}
    currency = draw(st.sampled_from(parameters["currencies"]))
    turn = BEGINNING + timedelta(days=737) + timedelta(hours=draw(st.integers(0, 24 * 120)))
    tax = draw(st.none() | st.fixed_dictionaries({"name": st.just("VAT"), "rate": st.sampled_from(["0", "0.18", "1"])}))
    dropped = draw(st.sampled_from([SERVICES, ("did.ua",), ("did.us", "hosting")]))
    kept = draw(st.sampled_from([("start", "business"), ("start",)]))
    first = _tariff("first", currency, BEGINNING, tax, draw(_plans(("start", "business"), SERVICES)))
    second = _tariff("second", currency, turn, draw(st.sampled_from([tax, None])), draw(_plans(kept, dropped)))
    versions = [("1", BEGINNING, parameters), ("2", turn, later)]
    regulations = [
        initial({"regulations": "house", "version": version, **document}, since)
        for version, since, document in versions
    ]
    return World(
        publications=(*BUILT_IN, *regulations, initial_tariff(first), initial_tariff(second)),
        regulations="house",
        currency=currency,
        plans=("start", "business"),
        services=(*SERVICES, "did.fr"),
        zone=parameters["time_zone"],
    )


WORLDS = st.one_of(st.sampled_from(_built_in()), houses(), houses())


def _plans(names: tuple[str, ...], services: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict.fromkeys(names, plan_documents(services)))


def _tariff(name: str, currency: str, since: datetime, tax: Any, plans: dict[str, Any]) -> dict[str, Any]:
    return {
        "tariff": name,
        "regulations": "house",
        "currency": currency,
        "effective_from": since.isoformat(),
        "tax": tax,
        "plans": plans,
    }


def parameters_without_a_strategy() -> set[str]:
    return set(PARAMETERS) ^ set(DRAWN)
