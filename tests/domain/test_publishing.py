"""The catalogue: regulations and tariffs are published with notice, never into the past, whole and valid."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from domain.catalogue import PARAMETERS
from domain.commands import AdvanceClock, Command, Document, PublishRegulations, PublishTariff
from domain.facts import CommandRefused, RegulationsPublished
from domain.publishing import CatalogueState, Publication, publish
from domain.refusals import Malformed
from infra.documents import initial_catalogue
from tests.domain.controls import NOON, moment
from tests.domain.given import KYIV, catalogue, plain

TELNEXX: dict[str, Any] = next(
    dict(one.document)
    for one in initial_catalogue()
    if isinstance(one, RegulationsPublished) and one.regulations == "telnexx"
)
CHANGE = {
    "regulations": "telnexx",
    "version": "2",
    "effective_from": "2026-01-19T12:00:00+02:00",
    "material": True,
    "extends": "telnexx",
    "set": {"plan_change_notice_days": 5},
}
TARIFF: dict[str, Any] = {
    "tariff": "telnexx-usd-2026",
    "regulations": "telnexx",
    "currency": "USD",
    "effective_from": "2026-01-05T12:00:00+02:00",
    "tax": None,
    "plans": {
        "start": {
            "connection_fee": "5.00",
            "periodic": {"did.ua": "3.30"},
            "usage": {"voice.in": {"per": "minute", "price": "0.01", "included": 10}},
            "administrative": {"documents": "2.50"},
        }
    },
}


def known(as_of: str | None = None) -> CatalogueState:
    return CatalogueState(catalogue=catalogue(), version=9, as_of=moment(as_of) if as_of else None)


def published(
    document: Mapping[str, Any], state: CatalogueState | None = None, at: str = NOON, ledger: datetime | None = None
) -> Publication:
    request = PublishTariff if "tariff" in document else PublishRegulations
    command = Command(
        id="p-1",
        subscriber="catalogue",
        at=moment(at),
        actor="lead-1",
        request=request(document=Document(copy.deepcopy(dict(document)))),
    )
    return publish(state or known(), command, ledger)


def refusal_of(publication: Publication) -> tuple[str, str | None]:
    assert publication.refusal is not None, "published"
    earliest = publication.refusal.earliest
    return publication.refusal.code.value, plain(earliest, KYIV) if earliest else None


def test_a_version_with_fourteen_days_notice_is_published_whole() -> None:
    publication = published(CHANGE)
    (recorded,) = publication.facts
    assert isinstance(recorded.fact, RegulationsPublished)
    assert recorded.basis == "telnexx/regulations-notice"
    assert recorded.fact.document == {**TELNEXX, "plan_change_notice_days": 5}
    before = publication.state.catalogue.in_force("telnexx", moment("2026-01-19 11:59:59"))
    after = publication.state.catalogue.in_force("telnexx", moment("2026-01-19 12:00"))
    assert before is not None
    assert before.plan_change_notice_days == 3
    assert after is not None
    assert after.plan_change_notice_days == 5


def test_less_notice_is_refused_with_the_first_instant_possible() -> None:
    short = {**CHANGE, "effective_from": "2026-01-19T11:59:59+02:00"}
    publication = published(short)
    assert refusal_of(publication) == ("notice_too_short", "2026-01-19 12:00")
    assert publication.basis == "telnexx/regulations-notice"


def test_what_is_not_material_may_need_less_notice() -> None:
    soon = {**CHANGE, "regulations": "calycom", "extends": "calycom", "set": {}}
    soon["effective_from"] = "2026-01-05T12:00:00+02:00"
    assert refusal_of(published(soon))[0] == "notice_too_short"
    assert published({**soon, "material": False}).refusal is None
    unsaid = {name: value for name, value in soon.items() if name != "material"}
    assert refusal_of(published(unsaid))[0] == "notice_too_short"


def test_the_notice_is_that_of_the_version_in_force() -> None:
    # The second version asks for no notice any more, from 19 January on; until then the first one asks for 14 days.
    second = published({**CHANGE, "set": {"regulations_notice_days": 0, "immaterial_notice_days": 0}}).state
    third = {**CHANGE, "version": "3", "effective_from": "2026-01-19T12:00:00+02:00", "set": {}}
    assert refusal_of(published(third, second, "2026-01-06 12:00")) == ("notice_too_short", "2026-01-20 12:00")
    assert published(third, second, "2026-01-19 12:00").refusal is None


def test_a_new_name_needs_no_notice() -> None:
    document = {**CHANGE, "regulations": "sixth", "effective_from": "2026-01-05T12:00:00+02:00"}
    publication = published(document)
    assert publication.refusal is None
    (recorded,) = publication.facts
    assert (recorded.id, recorded.basis) == ("catalogue/10", "telnexx/regulations-notice")
    assert recorded.effective_at == recorded.recorded_at == moment(NOON)
    assert publication.state.catalogue.in_force("sixth", moment(NOON)) is not None


def test_a_document_may_state_every_parameter_itself() -> None:
    document = {"regulations": "sixth", "version": "1", "effective_from": "2026-02-01T00:00:00+02:00", **TELNEXX}
    assert published(document).refusal is None


def test_nothing_takes_effect_before_its_publication() -> None:
    document = {**CHANGE, "regulations": "sixth", "effective_from": "2026-01-05T11:59:59+02:00"}
    assert refusal_of(published(document)) == ("effective_in_the_past", "2026-01-05 12:00")
    assert refusal_of(published({**TARIFF, "effective_from": "2026-01-05T11:59:59+02:00"})) == (
        "effective_in_the_past",
        "2026-01-05 12:00",
    )


def test_nothing_takes_effect_before_the_ledgers_last_instant() -> None:
    assert refusal_of(published(TARIFF, ledger=moment("2026-01-06 09:00"))) == (
        "effective_in_the_past",
        "2026-01-06 09:00",
    )
    assert published(TARIFF, ledger=moment(NOON)).refusal is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("time_zone", "Europe/Berlin"), ("currencies", ["USD"]), ("pay_with", "invoices")],
)
def test_zone_currencies_and_way_of_paying_hold_for_life(parameter: str, value: Any) -> None:
    assert refusal_of(published({**CHANGE, "set": {parameter: value}}))[0] == "not_changeable"
    new_name = {**CHANGE, "regulations": "sixth", "set": {parameter: value}}
    assert published(new_name).refusal is None


def test_a_version_may_change_nothing() -> None:
    (recorded,) = published({name: value for name, value in CHANGE.items() if name != "set"}).facts
    assert isinstance(recorded.fact, RegulationsPublished)
    assert recorded.fact.document == TELNEXX


def test_a_name_that_is_not_in_force_yet_changes_with_notice_too() -> None:
    head = {"regulations": "sixth", "extends": "telnexx", "set": {}}
    first = published({**head, "version": "1", "effective_from": "2026-02-01T00:00:00+02:00"}).state
    second = {**head, "version": "2", "effective_from": "2026-01-06T00:00:00+02:00"}
    assert refusal_of(published(second, first)) == ("notice_too_short", "2026-01-19 12:00")


def test_what_extends_takes_the_latest_version_in_effect_or_not() -> None:
    second = published(CHANGE).state
    third = {**CHANGE, "version": "3", "set": {"company_notice_days": 30}}
    (recorded,) = published(third, second).facts
    assert isinstance(recorded.fact, RegulationsPublished)
    assert recorded.fact.document["plan_change_notice_days"] == 5


def test_what_is_extended_must_have_been_published() -> None:
    assert refusal_of(published({**CHANGE, "extends": "nobody"}))[0] == "unknown_regulations"
    without_changes = {name: value for name, value in CHANGE.items() if name != "set"}
    assert refusal_of(published({**without_changes, "extends": "nobody"}))[0] == "unknown_regulations"


def test_a_version_is_published_once() -> None:
    state = known()
    publication = published({**CHANGE, "version": "1"}, state)
    assert publication.malformed is not None
    assert publication.malformed.path == "data.version"
    assert (publication.state, publication.facts) == (state, ())


@pytest.mark.parametrize("field", ["regulations", "version", "effective_from"])
def test_the_head_of_a_regulations_document_is_complete(field: str) -> None:
    publication = published({name: value for name, value in CHANGE.items() if name != field})
    assert publication.malformed == Malformed(path=f"data.{field}", message="missing")


def test_what_is_no_object_is_no_document() -> None:
    request = PublishRegulations(document=Document([]))  # type: ignore[arg-type]
    command = Command(id="p-1", subscriber="catalogue", at=moment(NOON), actor="lead-1", request=request)
    malformed = publish(known(), command, None).malformed
    assert malformed == Malformed(path="data", message="expected an object, found []")


def test_only_publications_are_published() -> None:
    command = Command(id="p-1", subscriber="catalogue", at=moment(NOON), actor="lead-1", request=AdvanceClock())
    with pytest.raises(TypeError, match="AdvanceClock publishes nothing"):
        publish(known(), command, None)


@pytest.mark.parametrize("parameter", list(PARAMETERS))
def test_every_parameter_must_be_stated(parameter: str) -> None:
    parameters = {name: value for name, value in TELNEXX.items() if name != parameter}
    publication = published(
        {"regulations": "sixth", "version": "1", "effective_from": CHANGE["effective_from"], **parameters}
    )
    assert publication.malformed is not None
    assert publication.malformed.path == f"data.{parameter}"


@pytest.mark.parametrize("parameter", list(PARAMETERS))
def test_every_parameter_has_a_kind_of_value(parameter: str) -> None:
    publication = published({**CHANGE, "set": {parameter: 1.5}})
    assert publication.malformed is not None
    assert publication.malformed.path == f"data.set.{parameter}"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"set": {"grace": 7}}, "data.set.grace"),
        ({"effective_from": "2026-02-01"}, "data.effective_from"),
        ({"effective_from": "2026-02-01T00:00:00"}, "data.effective_from"),
        ({"material": "yes"}, "data.material"),
        ({"note": "x"}, "data.note"),
        ({"set": {"unpaid_ends_after": {"months": 1, "days": 1}}}, "data.set.unpaid_ends_after"),
        ({"set": {"currencies": ["USD", "USD"]}}, "data.set.currencies"),
        ({"set": {"processing_fees": {"*": {"card": 2}}}}, "data.set.processing_fees.*.card"),
        ({"set": {"time_zone": "Mars/Olympus"}}, "data.set.time_zone"),
        ({"set": {"company_notice_days": -1}}, "data.set.company_notice_days"),
        ({"set": {"grace": 7, "company_notice_days": -1}}, "data.set.company_notice_days"),
        ({"set": {"company_notice_days": -1, "refund_days": -1, "funding_hours": -1}}, "data.set.funding_hours"),
        ({"note": "x", "set": {"company_notice_days": -1}}, "data.set.company_notice_days"),
        ({"note": "x", "extends": 5}, "data.extends"),
        ({"note": "x", "extends": "nobody"}, "data.note"),
        ({"extends": "nobody", "set": [], "note": "x"}, "data.set"),
        ({"set": [], "note": "x"}, "data.set"),
        ({"note": "x", "set": {"grace": 7}}, "data.set.grace"),
        ({"version": "1", "material": "yes", "set": {"company_notice_days": -1}}, "data.version"),
    ],
)
def test_a_regulations_document_names_its_fault(changes: Mapping[str, Any], path: str) -> None:
    publication = published({**CHANGE, **changes})
    assert publication.malformed is not None
    assert publication.malformed.path == path


def test_a_document_that_states_every_parameter_under_set_names_its_fault_there() -> None:
    head = {"regulations": "sixth", "version": "1", "effective_from": "2026-02-01T00:00:00+02:00"}
    assert published({**head, "set": TELNEXX}).refusal is None
    publication = published({**head, "set": {**TELNEXX, "refund_days": "x"}, "note": "x"})
    assert publication.malformed is not None
    assert publication.malformed.path == "data.set.refund_days"


def test_a_tariff_is_published_for_known_regulations_and_accepted_currencies() -> None:
    assert published(TARIFF).facts[0].basis == "telnexx/tariff-change"
    assert refusal_of(published({**TARIFF, "regulations": "nobody"}))[0] == "unknown_regulations"
    assert refusal_of(published({**TARIFF, "currency": "UAH"}))[0] == "currency_not_accepted"


def test_a_tariff_replaces_the_one_before_it_whole_from_its_first_instant() -> None:
    after = published(TARIFF).state.catalogue
    old, new = (
        after.tariff("telnexx", "USD", moment("2026-01-05 11:59:59")),
        after.tariff("telnexx", "USD", moment(NOON)),
    )
    assert old is not None
    assert old.name == "telnexx-usd-2024"
    assert new is not None
    assert new.name == "telnexx-usd-2026"
    assert set(new.plans) == {"start"}


def test_a_discount_needs_regulations_that_allow_one() -> None:
    discounted = copy.deepcopy(TARIFF)
    discounted["plans"]["start"]["discount"] = "0.10"
    assert published(discounted).refusal is None
    illyvoip = {**discounted, "regulations": "illyvoip", "currency": "EUR"}
    publication = published(illyvoip)
    assert refusal_of(publication)[0] == "discount_not_allowed"
    assert publication.basis == "illyvoip/no-discounts"


@pytest.mark.parametrize(
    ("where", "value", "path"),
    [
        (("tax",), {"name": "VAT"}, "data.tax.rate"),
        (("tax",), {"name": "VAT", "rate": "1.01"}, "data.tax.rate"),
        (("plans", "start", "connection_fee"), 5, "data.plans.start.connection_fee"),
        (("plans", "start", "connection_fee"), "-1.00", "data.plans.start.connection_fee"),
        (("plans", "start", "periodic", "did.ua"), {"refundable": True}, "data.plans.start.periodic.did.ua.price"),
        (("plans", "start", "usage", "voice.in", "per"), "hour", "data.plans.start.usage.voice.in.per"),
        (("plans", "start", "usage", "voice.in", "included"), -1, "data.plans.start.usage.voice.in.included"),
        (("plans", "start", "discount"), "2", "data.plans.start.discount"),
        (("plans", "start", "note"), "x", "data.plans.start.note"),
        (("plans",), [], "data.plans"),
        (("effective_from",), "tomorrow", "data.effective_from"),
    ],
)
def test_a_tariff_document_names_its_fault(where: tuple[str, ...], value: Any, path: str) -> None:
    document = copy.deepcopy(TARIFF)
    inner = document
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    publication = published(document)
    assert publication.malformed is not None
    assert publication.malformed.path == path


@pytest.mark.parametrize(
    ("where", "path"),
    [
        (("connection_fee",), "connection_fee"),
        (("periodic", "did.ua"), "periodic.did.ua"),
        (("usage", "voice.in", "price"), "usage.voice.in.price"),
        (("administrative", "documents"), "administrative.documents"),
    ],
)
def test_a_price_in_a_coin_is_no_larger_than_databases_can_count(where: tuple[str, ...], path: str) -> None:
    """A hundred coins of twelve decimals, a thousand channels and sixty periods make 6 × 10¹⁸ of 9.2 × 10¹⁸."""
    document = copy.deepcopy(TARIFF)
    document["currency"] = "XMR"
    inner = document["plans"]["start"]
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = "100.00"
    assert published(document).malformed is None
    inner[where[-1]] = "100.000001"
    malformed = published(document).malformed
    assert malformed is not None
    assert malformed.path == f"data.plans.start.{path}"
    assert malformed.message == "expected a price of at most 100.000000000000 XMR, found '100.000001'"


def test_the_catalogues_time_never_goes_backwards() -> None:
    state = known("2026-01-06 09:00")
    publication = published(TARIFF, state)
    assert refusal_of(publication)[0] == "time_went_backwards"
    assert publication.refusal is not None
    assert publication.refusal.message == "the catalogue's last instant was 2026-01-06T07:00:00+00:00"
    assert (publication.state, publication.facts, publication.basis) == (state, (), "subledger/time-went-backwards")
    # What was published, or refused, is the last instant from then on.
    after = published({**TARIFF, "regulations": "nobody"}, at="2026-01-06 09:00").state
    assert refusal_of(published(TARIFF, after, "2026-01-06 08:59:59"))[0] == "time_went_backwards"


def test_a_refused_publication_is_on_record() -> None:
    publication = published({**TARIFF, "regulations": "nobody"})
    (recorded,) = publication.facts
    assert recorded.fact == CommandRefused(
        command="PublishTariff", code="unknown_regulations", message="no regulations nobody were published"
    )
    assert publication.state.version == 10
    (foreign,) = published({**TARIFF, "currency": "UAH"}).facts
    assert foreign.fact == CommandRefused(
        command="PublishTariff", code="currency_not_accepted", message="telnexx keeps accounts in USD, EUR"
    )
    (past,) = published({**TARIFF, "effective_from": "2026-01-05T11:59:59+02:00"}).facts
    assert isinstance(past.fact, CommandRefused)
    assert (past.fact.code, past.fact.earliest) == ("effective_in_the_past", moment(NOON))


# In the order of precedence, one fault repaired per row


def test_publishing_regulations_answers_its_refusals_in_order() -> None:
    past = "2026-01-05T11:00:00+02:00"
    everything = {**CHANGE, "effective_from": past, "set": {"pay_with": "invoices"}}
    assert refusal_of(published(everything))[0] == "not_changeable"
    assert refusal_of(published({**everything, "set": {}}))[0] == "effective_in_the_past"
    assert refusal_of(published({**everything, "set": {}, "effective_from": "2026-01-06T00:00:00+02:00"}))[0] == (
        "notice_too_short"
    )
    assert published(CHANGE).refusal is None


def test_publishing_a_tariff_answers_its_refusals_in_order() -> None:
    discounted = copy.deepcopy(TARIFF)
    discounted["plans"]["start"]["discount"] = "0.10"
    worst = {**discounted, "effective_from": "2020-01-01T00:00:00+02:00", "currency": "UAH", "regulations": "nobody"}
    rows = [
        ({}, "unknown_regulations"),
        ({"regulations": "illyvoip"}, "currency_not_accepted"),
        ({"regulations": "illyvoip", "currency": "EUR"}, "effective_in_the_past"),
        (
            {"regulations": "illyvoip", "currency": "EUR", "effective_from": TARIFF["effective_from"]},
            "discount_not_allowed",
        ),
    ]
    for repaired, code in rows:
        assert refusal_of(published({**worst, **repaired}))[0] == code
