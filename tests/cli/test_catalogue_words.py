"""Changes of regulations and tariffs in words: every parameter has its own, and no sentence is the same twice over."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.catalogue import PARAMETERS, read_regulations, read_tariff
from infra.documents import initial_catalogue
from infra.explain.changes import ABSENT, Change, general_sentence
from infra.explain.regulations_words import WORDINGS, parameter_sentence, regulations_changes
from infra.explain.tariff_words import tariff_changes
from tests.properties.search import search
from tests.properties.worlds import BEGINNING, DRAWN, SERVICES, ZONES, plan_documents

INITIAL = [fact.document for fact in initial_catalogue()]
REGULATIONS = [document for document in INITIAL if "plans" not in document]
TARIFFS = [document for document in INITIAL if "plans" in document]
STATED = sorted({name for document in REGULATIONS for name in document})
PLANS = st.dictionaries(st.sampled_from(["start", "business"]), plan_documents(SERVICES[:2]), min_size=1)


def says(name: str, before: Any, after: Any) -> list[str]:
    """What is said where one parameter differs."""
    return [change.says for change in regulations_changes({name: before}, {name: after})]


def test_every_parameter_has_a_wording_of_its_own() -> None:
    assert set(STATED) <= set(WORDINGS)
    assert list(WORDINGS) == list(PARAMETERS)
    subjects = [wording.subject for wording in WORDINGS.values()]
    assert len(set(subjects)) == len(subjects)


@pytest.mark.parametrize("name", STATED)
def test_no_parameter_of_the_initial_documents_is_said_in_general(name: str) -> None:
    for document in REGULATIONS:
        said = parameter_sentence(name, ABSENT, document[name])
        assert said != general_sentence(name, ABSENT, document[name])
        assert name not in said
        assert said.endswith("; before: not stated.")


def test_a_parameter_that_no_wording_knows_is_said_as_it_is_written() -> None:
    assert says("moon_phase", "full", {"new": [1]}) == ['Parameter moon_phase: {"new":[1]}; before: full.']
    assert says("moon_phase", ABSENT, 2) == ["Parameter moon_phase: 2; before: not stated."]


@search(10)
@given(name=st.sampled_from(list(DRAWN)), data=st.data())
def test_two_values_are_never_said_alike(name: str, data: st.DataObject) -> None:
    before, after = data.draw(DRAWN[name]), data.draw(DRAWN[name])
    assume(before != after)
    changes = list(regulations_changes({name: before}, {name: after}))
    assert changes
    for change in changes:
        new, old = change.says.removesuffix(".").rsplit("; before: ", 1)
        assert not new.endswith(f": {old}"), change
        assert_readable(change)


@search(5)
@given(before=st.fixed_dictionaries(DRAWN), after=st.fixed_dictionaries(DRAWN))
def test_what_differs_is_said_and_nothing_else(before: dict[str, Any], after: dict[str, Any]) -> None:
    read_regulations(after, "house", "2", BEGINNING)
    changed = {change.path[0] for change in regulations_changes(before, after)}
    assert changed == {name for name in DRAWN if before[name] != after[name]}
    assert list(regulations_changes(after, dict(after))) == []


@search(5)
@given(before=PLANS, after=PLANS)
def test_any_two_tariffs_can_be_compared(before: dict[str, Any], after: dict[str, Any]) -> None:
    first, second = ({**TARIFFS[-1], "plans": plans} for plans in (before, after))
    read_tariff(second)
    changes = list(tariff_changes(first, second))
    assert bool(changes) == (before != after)
    for change in changes:
        assert_readable(change)
    assert len({change.path for change in changes}) == len(changes)


def assert_readable(change: Change) -> None:
    """One sentence for a person: no Python, no JSON, no name of a parameter."""
    assert change.says.endswith(".")
    assert not change.says.endswith("..")
    words = change.says
    for given_name in ("number_change", *ZONES):
        words = words.replace(given_name, "")
    assert not set("_{}[]\n") & set(words), change
    assert "None" not in change.says
    assert "ABSENT" not in change.says


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "plan_change_notice_days",
            10,
            3,
            "Notice for a change of plan: 3 days before the end of the period; before: 10 days.",
        ),
        (
            "plan_change_notice_days",
            1,
            0,
            "Notice for a change of plan: none; before: 1 day before the end of the period.",
        ),
        (
            "unpaid_ends_after",
            {"days": 7},
            {"months": 1},
            "An unpaid rental ends: at the next boundary; before: after 7 days of grace.",
        ),
        (
            "unpaid_ends_after",
            {"months": 2},
            None,
            "An unpaid rental ends: never by itself; before: at the boundary 2 months later.",
        ),
        ("currencies", ["EUR"], ["USD", "EUR"], "Currencies in which accounts are kept: USD and EUR; before: EUR."),
        (
            "refund_currencies",
            None,
            ["BTC", "XMR"],
            "Refunds are paid out in: BTC or XMR; before: the account's own currency.",
        ),
        (
            "violation_kinds",
            ["spam", "fraud"],
            ["spam", "bad_faith"],
            "Kinds of violation: bad faith added, fraud removed.",
        ),
        ("clauses", {"late-fee": "a/b"}, {"late-fee": "a/c"}, "Clause behind late fee: a/c; before: a/b."),
        ("clauses", {"queue": "a/b"}, {}, "Clause behind queue: none of its own; before: a/b."),
        (
            "processing_fees",
            None,
            {"*": {"*": "1.00"}},
            "Fees for refunds, in the account's currency: to any country: 1.00 by any method; before: none.",
        ),
        (
            "processing_fees",
            {"ME": {"card": "2.00"}},
            {"ME": {"card": "2.50"}},
            "Fee for a refund to ME by card, in the account's currency: 2.50; before: 2.00.",
        ),
        (
            "processing_fees",
            {"*": {"*": "1.00"}},
            {"*": {"*": "1.00"}, "ME": {"cash": "0.00", "*": "1.00"}},
            "Fees for refunds to ME: 0.00 by cash and 1.00 by any other method; before: nothing of its own.",
        ),
        ("one_free_service", False, True, "An account holds at most one service at price zero: yes; before: no."),
    ],
)
def test_a_change_of_regulations_in_words(name: str, before: Any, after: Any, said: str) -> None:
    assert says(name, before, after) == [said]


def tariff(**plan: Any) -> dict[str, Any]:
    """A tariff with one plan."""
    whole = {"connection_fee": "1.00", "periodic": {}, "usage": {}, "administrative": {}, **plan}
    return {**TARIFFS[-1], "currency": "USD", "plans": {"start": whole}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"periodic": {"did.ua": "3.10"}},
            {"periodic": {"did.ua": "3.30"}},
            "Price of did.ua in plan start (USD): 3.30 a month, 0.20 more.",
        ),
        (
            {"periodic": {"did.ua": "3.10"}},
            {"periodic": {}},
            "Price of did.ua in plan start (USD): no longer listed; who has it keeps 3.10 a month.",
        ),
        (
            {"periodic": {"x": "3"}},
            {"periodic": {"x": {"price": "3.00", "third_party": True}}},
            "Price of x in plan start (USD): 3.00 a month, the same amount; "
            "a third party's cost, before: the provider's own service.",
        ),
        (
            {"periodic": {}},
            {"periodic": {"x": {"price": "2.00", "refundable": True}}},
            "Price of x in plan start (USD): 2.00 a month (unused prepaid months come back at the end), new.",
        ),
        (
            {"usage": {"voice.in": {"per": "minute", "price": "0.0125"}}},
            {"usage": {"voice.in": {"per": "minute", "price": "0.01", "included": 60}}},
            "Usage of voice.in in plan start (USD): 0.01 a minute, 0.0025 less; "
            "60 minutes included a month, before: 0.",
        ),
        (
            {"administrative": {"documents": "2.50"}},
            {"administrative": {"documents": "2.00"}},
            "Price of documents in plan start (USD): 2.00 each time, 0.50 less.",
        ),
        ({}, {"connection_fee": "1.25"}, "Connection fee of plan start (USD): 1.25, 0.25 more."),
        ({}, {"discount": "0.125"}, "Discount in plan start (USD): 12.5 % off every periodic price; before: none."),
    ],
)
def test_a_change_of_a_tariff_in_words(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    assert [change.says for change in tariff_changes(tariff(**before), tariff(**after))] == [said]


def test_a_tax_a_new_plan_and_another_currency_in_words() -> None:
    plan = {"connection_fee": "0.00", "periodic": {"did.ua": "2.00"}, "usage": {}, "administrative": {}}
    first = {**tariff(), "tax": None}
    second = {
        **first,
        "currency": "EUR",
        "tax": {"name": "VAT", "rate": "0.18"},
        "plans": {"start": {**first["plans"]["start"], "connection_fee": "0.90"}, "gold": plan},
    }
    assert {change.says for change in tariff_changes(first, second)} == {
        "The tariff's currency: EUR; before: USD.",
        "Tax on top of the prices: VAT at 18 %; before: none.",
        "Connection fee of plan start (EUR): 0.90, before: 1.00 USD.",
        "Plan gold (EUR): new, connection fee 0.00, did.ua 2.00 a month.",
    }
    assert [
        change.says for change in tariff_changes(second, {**second, "plans": {"start": second["plans"]["start"]}})
    ] == ["Plan gold (EUR): no longer offered; who has it keeps its last prices."]
