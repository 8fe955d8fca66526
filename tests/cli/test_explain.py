"""Explanations cover every fact, every rule and every charge, and their arithmetic adds up."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.facts import (
    AdministrativeServiceCharged,
    Calculation,
    ConnectionFeeCharged,
    DepositReversed,
    Line,
    PeriodicServiceCharged,
    RefundDue,
    Take,
    UsageCharged,
    UsageCutOff,
)
from domain.money import Money
from domain.periods import month
from domain.refusals import Code
from domain.rules import PARTS, rule_of
from infra import codec
from infra.documents import initial_catalogue
from infra.embedded.folder import EmbeddedLedger
from infra.embedded.source import EmbeddedSource
from infra.explain.arithmetic import arithmetic
from infra.explain.explainer import Explainer
from infra.explain.own_rules import OWN_RULES
from infra.explain.words import words

KYIV = ZoneInfo("Europe/Kyiv")
OWED = ("2.20 that was left + 17.80 owed = 20.00 USD",)
SUM = re.compile(r"^(?P<sum>[0-9.×÷()+ −]+) = (?:(?P<before>[0-9.]+)…, half-up to 0.01: )?(?P<amount>[0-9.]+) USD")


def value(text: str) -> Fraction:
    """What `3.10 × 27 ÷ 31` comes to."""
    signs = {"×": "*", "÷": "/", "−": "-"}
    terms = re.sub(r"[0-9.]+", lambda found: f"Fraction('{found[0]}')", text)
    result: Fraction = eval("".join(signs.get(sign, sign) for sign in terms), {"Fraction": Fraction})  # noqa: S307 - digits and signs only
    return result


def charged(amount: str, **calculation: object) -> PeriodicServiceCharged:
    """A rental's charge for January."""
    return PeriodicServiceCharged(
        number="+380441234567",
        service="did.ua",
        amount=Money.parse(amount, "USD"),
        period=month(2026, 1, "Europe/Kyiv"),
        tariff="t",
        plan="start",
        calculation=Calculation(price=Money.parse("3.10", "USD"), **calculation),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (charged("3.10"), "the whole price, 3.10 USD"),
        (charged("2.70", days=27, of=31), "3.10 × 27 ÷ 31 = 2.70 USD (half-up to 0.01)"),
        (charged("2.58", days=25, of=30), "3.10 × 25 ÷ 30 = 2.5833…, half-up to 0.01: 2.58 USD"),
        (charged("8.37", count=3, discount="0.10"), "3.10 × 3 × (1 − 0.10) = 8.37 USD (half-up to 0.01)"),
        (charged("18.20", days=27, of=31, periods=6), "3.10 × (27 ÷ 31 + 5) = 18.20 USD (half-up to 0.01)"),
        (charged("18.60", periods=6), "3.10 × 6 = 18.60 USD (half-up to 0.01)"),
    ],
)
def test_the_arithmetic_of_a_periodic_charge(fact: PeriodicServiceCharged, line: str) -> None:
    assert arithmetic(fact) == (line,)


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def refunded(balance: str, fee: str, amount: str) -> RefundDue:
    """Money back where a domain, which a third party was paid for, stays charged (hexaserv/domain-deduction)."""
    return RefundDue(
        refund="s-1/9",
        amount=usd(amount),
        fee=usd(fee),
        lines=(
            Line(label="balance", amount=usd(balance)),
            Line(label="processing fee", amount=-usd(fee)),
            Line(label="third party: domain", charge="s-1/8", amount=usd("10.45")),
        ),
    )


@pytest.mark.parametrize(
    ("fact", "last"),
    [
        (refunded("19.55", "0.00", "19.55"), "together 19.55 USD"),
        (refunded("19.555", "0.00", "19.55"), "together 19.55 USD (rounded down)"),
        (refunded("19.41", "2.00", "17.41"), "19.41 − 2.00 fee = 17.41 USD"),
        (refunded("9.964", "2.00", "7.96"), "9.964 − 2.00 fee = 7.96 USD (rounded down)"),
    ],
)
def test_what_stays_charged_for_a_third_party_is_no_part_of_a_refund(fact: RefundDue, last: str) -> None:
    *_, third_party, together = arithmetic(fact)
    assert third_party == "third party: domain s-1/8: 10.45, which stays charged"
    assert together == last


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        ((), ("0.00 that was left + 20.00 owed = 20.00 USD",)),
        (("2.20",), OWED),
        (("0.20", "2.00"), OWED),
        (("20.00",), ()),
    ],
)
def test_a_chargeback_says_what_of_it_is_owed(left: tuple[str, ...], lines: tuple[str, ...]) -> None:
    reversed_ = DepositReversed(
        deposit="s-1/3",
        reference="p-1",
        amount=usd("20.00"),
        method="card",
        ground="fraud",
        paid_from=tuple(Take(lot=f"s-1/{version}", amount=usd(amount)) for version, amount in enumerate(left, 5)),
    )
    assert arithmetic(reversed_) == lines


def test_a_call_that_was_cut_off_says_what_was_charged_of_it_and_what_was_not() -> None:
    """1000 minutes were reported and 234 of them could be paid, 50 by what is included."""
    report = {"number": "+380441234567", "usage": "call-1", "service": "voice.in", "elapsed_seconds": 60_000}
    price = {"rate": usd("0.0125"), "tariff": "t"}
    charge = UsageCharged(minutes=234, units=None, included=50, amount=usd("2.30"), ended=True, **report, **price)  # type: ignore[arg-type]
    assert arithmetic(charge)[0].startswith("60000 s so far; 234 minutes charged with this report (")
    cut_off = UsageCutOff(unpaid_minutes=766, **report, **price)  # type: ignore[arg-type]
    reason = "the next minute at 0.0125 USD is more than was available"
    assert arithmetic(cut_off) == (f"766 minutes not charged: {reason}",)
    assert arithmetic(replace(cut_off, unpaid_minutes=0)) == (reason,)


def test_the_arithmetic_of_every_charge_of_a_quarter_adds_up(quarter: Path) -> None:
    checked = 0
    with EmbeddedLedger(quarter) as ledger:
        for _, state in ledger.application.stored(limit=10_000):
            fact = codec.decode(state).recorded.fact
            if not isinstance(
                fact, PeriodicServiceCharged | AdministrativeServiceCharged | ConnectionFeeCharged | UsageCharged
            ):
                continue
            found = SUM.match(arithmetic(fact)[-1])
            if found is None:
                assert arithmetic(fact)[-1] == f"the whole price, {fact.amount} USD" or fact.amount.currency == "EUR"
                continue
            assert found["amount"] == str(fact.amount)
            assert abs(value(found["sum"]) - Fraction(str(fact.amount))) <= Fraction(1, 200)
            checked += 1
    assert checked > 100


def test_every_fact_of_a_quarter_can_be_explained(quarter: Path) -> None:
    with EmbeddedLedger(quarter) as ledger, EmbeddedSource(quarter) as source:
        explainer = Explainer(source)
        for _, state in list(ledger.application.stored(limit=10_000))[::7]:
            recorded = codec.decode(state).recorded
            explanation = explainer.fact(recorded.id)
            assert explanation is not None
            assert explanation.clause.says, explanation.clause.id
            assert explanation.command is not None
            assert recorded.id in explanation.with_it


def test_what_the_catalogue_begins_with_can_be_explained(empty: Path) -> None:
    with EmbeddedSource(empty) as source:
        explainer = Explainer(source)
        for version, fact in enumerate(initial_catalogue(), 1):
            explanation = explainer.fact(f"catalogue/{version}")
            assert explanation is not None
            assert explanation.says == words(fact, ZoneInfo("UTC"))
            assert explanation.clause.says


@pytest.mark.parametrize("code", list(Code))
def test_every_refusal_rests_on_a_rule_that_has_words(code: Code) -> None:
    rule = rule_of(code)
    assert PARTS.get(rule, rule) in OWN_RULES or rule in OWN_RULES


@pytest.mark.parametrize("fact_id", ["", "/", "s-1", "s-1/", "s-1/x", "s-1/-1", "s-1/99999999999999999999", "nobody/1"])
def test_no_fact_has_that_id(quarter: Path, fact_id: str) -> None:
    with EmbeddedSource(quarter) as source:
        assert Explainer(source).fact(fact_id) is None


@pytest.mark.parametrize(
    "example", sorted((Path(__file__).parents[1] / "codec" / "examples").glob("*.json")), ids=lambda file: file.stem
)
def test_every_stored_example_has_words(example: Path) -> None:
    said = words(codec.decode(example.read_bytes()).recorded.fact, KYIV)
    assert said
    assert not said.endswith(".")
    assert "None" not in said


@pytest.mark.parametrize(
    "example", sorted((Path(__file__).parents[1] / "codec" / "examples").glob("*.json")), ids=lambda file: file.stem
)
def test_what_happened_to_a_number_names_it(example: Path) -> None:
    fact = codec.decode(example.read_bytes()).recorded.fact
    number = getattr(fact, "number", None)
    assert number is None or number in words(fact, KYIV)
