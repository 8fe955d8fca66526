"""Where several refusals apply, the first in the order of CONTRACT §5 is the answer.

Each ladder is a command with all its faults at once, from the first to the last. The test repairs them one by one, from
the top, and finds the next code each time; with all of them repaired the command is accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain import commands as ask
from domain.commands import Request
from domain.money import parse_decimal
from domain.refusals import Code
from tests.domain.controls import (
    NOON,
    NUMBER,
    SECOND,
    THIRD,
    adjust,
    administrative,
    announce,
    autorenew,
    call,
    cancel,
    channels,
    charge_back,
    compensate,
    decide_refund,
    deposit,
    dispute,
    erase,
    joined,
    messages,
    millionths,
    moment,
    order,
    paid_out,
    plan_change,
    refund,
    refuse,
    register,
    release,
    renting,
    replace_number,
    resolve,
    resume,
    suspend,
    terminate,
    transfer,
    verify,
    violation,
)
from tests.domain.given import By, Rules, Step, Story, catalogue, given, instant, telnexx_tariff

END = {"company_notice_days": 0, "balance_at_termination": "keep"}
"""The company may end the agreement at once, which leaves the balance alone."""
LATER = "2026-01-06 12:00"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One fault: the code it is answered with, and how it comes about."""

    code: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the command that make the fault."""
    before: tuple[Step, ...] = ()
    """What happened before; the faults at the foot of the ladder come first."""
    rules: Rules = field(default_factory=dict)
    history: tuple[Step, ...] | None = None
    """Takes the place of the ladder's own history."""
    actor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A command that is accepted, and its faults in the order of precedence."""

    name: str
    request: Request
    rungs: tuple[Rung, ...]
    history: tuple[Step, ...] = renting()
    rules: Rules = field(default_factory=dict)
    under: str = "telnexx"
    zone: str = "Europe/Kyiv"
    tariffs: tuple[Any, ...] = ()
    at: str = LATER


UNKNOWN = Rung(code="unknown_subscriber", history=())
ENDED = Rung(code="agreement_terminated", before=(terminate(),), rules=END)
SUSPENDED = Rung(code="services_suspended", before=(suspend(),))
REFUSED = Rung(code="registration_refused", history=(NOON, register(), refuse()))
"""Stands alone above `agreement_terminated`: whoever was refused never had an agreement that could end."""
NOT_CONCLUDED = Rung(code="not_verified", history=(NOON, register(), deposit()))
POOR = (*joined("2026-01-01 00:00", "9.00"), order(), "2026-02-01 00:00", ask.AdvanceClock())
"""Suspended for February, with 0.90 left."""
FREE = telnexx_tariff(
    {
        "connection_fee": "0.00",
        "periodic": {"did.ua": "0.00", "did.us": "1.50"},
        "usage": {},
        "administrative": {},
    }
)
BOTH_PLANS = {
    **FREE,
    "tariff": "telnexx-usd-plain",
    "plans": {
        "start": {
            "connection_fee": "5.00",
            "periodic": {"did.ua": "3.10", "did.us": "1.50"},
            "usage": {},
            "administrative": {},
        },
        "other": {
            "connection_fee": "5.00",
            "periodic": {"did.ua": "3.10"},
            "usage": {},
            "administrative": {},
        },
    },
}
RATE = ask.Rate(parse_decimal("0.00001", 12))
DISCRETION = {"refunds": "discretionary"}
WINDOW = {"dispute_hours": 1}
STRANGE = {"number": SECOND}

LADDERS = [
    Ladder(
        name="registering",
        request=register(),
        history=(NOON,),
        rungs=(
            Rung(code="already_registered", history=(NOON, register())),
            Rung(code="unknown_regulations", asked={"regulations": "nobody"}),
            Rung(code="currency_not_accepted", asked={"currency": "UAH"}),
            Rung(code="unknown_plan", asked={"plan": "gold"}),
        ),
    ),
    Ladder(
        name="registering whoever was refused",
        request=register(),
        history=(NOON,),
        rungs=(Rung(code="already_registered", history=(NOON, register(), refuse())),),
    ),
    Ladder(name="verifying", request=verify(), rungs=(UNKNOWN, ENDED)),
    Ladder(name="verifying whoever was refused", request=verify(), rungs=(REFUSED,)),
    Ladder(
        name="refusing a registration",
        request=refuse(),
        history=joined(),
        rungs=(UNKNOWN, ENDED, Rung(code="registration_final", before=(order(),))),
    ),
    Ladder(
        name="crediting a deposit",
        request=deposit("5.00", "lp-2"),
        rungs=(
            UNKNOWN,
            Rung(code="currency_not_accepted", asked={"currency": "EUR"}),
            Rung(code="reference_already_credited", asked={"reference": "lp-1"}),
            Rung(code="instant_in_future", asked={"received_at": moment("2026-01-06 12:00:01")}),
            Rung(code="amount_not_positive", asked={"amount": millionths("0.00")}),
        ),
    ),
    Ladder(
        name="charging a deposit back",
        request=charge_back(),
        rungs=(
            UNKNOWN,
            Rung(code="unknown_deposit", asked={"reference": "lp-9"}),
            Rung(code="already_reversed", before=(charge_back(),)),
        ),
    ),
    Ladder(name="charging back after a refusal", request=charge_back(), rungs=(REFUSED,)),
    Ladder(
        name="ordering a number",
        request=order(THIRD, "did.us"),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="number_already_rented", asked={"number": NUMBER}),
            Rung(code="unknown_service", asked={"service": "did.fr"}),
        ),
    ),
    Ladder(
        name="ordering a second free number",
        request=order(THIRD, "did.us"),
        rules={"one_free_service": True},
        tariffs=(FREE,),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="number_already_rented", asked={"number": NUMBER}),
            Rung(code="unknown_service", asked={"channels": 1}),
            Rung(code="free_service_already_held", asked={"service": "did.ua"}),
        ),
    ),
    Ladder(name="ordering after a refusal", request=order(), history=joined(), rungs=(REFUSED,)),
    Ladder(
        name="adding channels",
        request=channels(1),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="insufficient_funds", asked={"count": 100}),
        ),
    ),
    Ladder(
        name="adding channels that have no price",
        request=channels(1),
        tariffs=(FREE,),
        rungs=(UNKNOWN, SUSPENDED, Rung(code="unknown_number", asked=STRANGE), Rung(code="unknown_service")),
    ),
    Ladder(
        name="adding channels to a suspended number",
        request=channels(1),
        history=POOR,
        at="2026-02-02 12:00",
        rungs=(
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="period_not_paid", asked={"count": 100}),
        ),
    ),
    Ladder(name="adding channels before the conclusion", request=channels(1), rungs=(NOT_CONCLUDED,)),
    Ladder(
        name="releasing a number", request=release(), rungs=(UNKNOWN, ENDED, Rung(code="unknown_number", asked=STRANGE))
    ),
    Ladder(name="releasing after a refusal", request=release(), rungs=(REFUSED,)),
    Ladder(
        name="setting autorenew",
        request=autorenew(False),
        rungs=(UNKNOWN, ENDED, Rung(code="unknown_number", asked=STRANGE)),
    ),
    Ladder(
        name="changing a number",
        request=replace_number(),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="number_already_rented", asked={"new_number": NUMBER}),
            Rung(code="insufficient_funds", before=(adjust("-40.00"),)),
        ),
    ),
    Ladder(
        name="changing a number where that has no price",
        request=replace_number(),
        tariffs=(BOTH_PLANS,),
        rungs=(
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="number_already_rented", asked={"new_number": NUMBER}),
            Rung(code="unknown_service"),
        ),
    ),
    Ladder(name="changing a number before the conclusion", request=replace_number(), rungs=(NOT_CONCLUDED,)),
    Ladder(
        name="announcing a replacement",
        request=announce("2026-02-01"),
        rungs=(
            UNKNOWN,
            ENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="number_already_rented", asked={"new_number": NUMBER}),
            Rung(code="notice_too_short", asked={"on": announce("2026-01-10").on}),
        ),
    ),
    Ladder(
        name="changing the plan with too short notice",
        request=plan_change("other"),
        tariffs=(BOTH_PLANS,),
        at="2026-01-30 12:00",
        rules={"plan_change_notice_days": 0},
        rungs=(
            UNKNOWN,
            Rung(code="unknown_plan", asked={"plan": "gold"}),
            ENDED,
            SUSPENDED,
            Rung(code="unknown_service", before=(order(SECOND, "did.us"),)),
            Rung(code="notice_too_short", rules={"plan_change_notice_days": 3}),
            Rung(code="change_already_scheduled", before=(plan_change("other"),)),
        ),
    ),
    Ladder(
        name="changing the plan to the same",
        request=plan_change(),
        at="2026-01-30 12:00",
        rules={"plan_change_notice_days": 0},
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="notice_too_short", rules={"plan_change_notice_days": 3}),
            Rung(code="change_already_scheduled", before=(plan_change(),)),
            Rung(code="same_plan", asked={"plan": "start"}),
        ),
    ),
    Ladder(
        name="changing the plan before the conclusion",
        request=plan_change(),
        rungs=(Rung(code="unknown_plan", asked={"plan": "gold"}), NOT_CONCLUDED),
    ),
    Ladder(
        name="changing the plan after a refusal",
        request=plan_change(),
        rungs=(Rung(code="unknown_plan", asked={"plan": "gold"}), REFUSED),
    ),
    Ladder(
        name="withdrawing a plan change",
        request=ask.WithdrawPlanChange(),
        history=(*renting(), plan_change()),
        rungs=(UNKNOWN, ENDED, Rung(code="no_change_scheduled", before=(ask.WithdrawPlanChange(),))),
    ),
    Ladder(
        name="ordering an administrative service",
        request=administrative(),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="unknown_service", asked={"service": "flowers"}),
            Rung(code="insufficient_funds", asked={"quantity": 1000}),
        ),
    ),
    Ladder(name="an administrative service before the conclusion", request=administrative(), rungs=(NOT_CONCLUDED,)),
    Ladder(
        name="reporting messages",
        request=messages(1, "sms-2"),
        history=(*renting(amount="7.72"), messages(1)),
        rungs=(
            UNKNOWN,
            ENDED,
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="unknown_service", asked={"service": "voice.in"}),
            Rung(code="usage_ended", asked={"usage": "sms-1"}),
            Rung(code="insufficient_funds"),
        ),
    ),
    Ladder(
        name="reporting a call on a suspended number",
        request=call(60),
        history=(*joined("2026-01-01 00:00", "9.00"), order(), call(60), "2026-02-01 00:00", ask.AdvanceClock()),
        at="2026-02-02 12:00",
        rungs=(
            SUSPENDED,
            Rung(code="unknown_number", asked=STRANGE),
            Rung(code="unknown_service", asked={"service": "voice.out"}),
            Rung(code="period_not_paid"),
        ),
    ),
    Ladder(name="reporting a call before the conclusion", request=call(60), rungs=(NOT_CONCLUDED,)),
    Ladder(
        name="recording a violation",
        request=violation(),
        rungs=(UNKNOWN, ENDED, Rung(code="unknown_violation_kind", asked={"kind": "rudeness"})),
    ),
    Ladder(name="suspending services", request=suspend(), rungs=(UNKNOWN, ENDED)),
    Ladder(
        name="resuming services",
        request=resume(),
        history=(*renting(), suspend()),
        rungs=(UNKNOWN, ENDED, Rung(code="not_suspended", before=(resume(),))),
    ),
    Ladder(
        name="giving notice",
        request=cancel("T-1"),
        rules={"ticket_required": True},
        rungs=(
            UNKNOWN,
            ENDED,
            Rung(code="ticket_required", asked={"ticket": None}),
            Rung(code="termination_already_announced", before=(cancel("T-0"),)),
        ),
    ),
    Ladder(
        name="giving notice to a subscriber",
        request=terminate(),
        rules={"company_notice_days": 14},
        rungs=(UNKNOWN, Rung(code="termination_already_announced", before=(cancel(),))),
    ),
    Ladder(
        name="requesting a refund on request",
        request=refund(),
        rules=DISCRETION,
        rungs=(UNKNOWN, Rung(code="not_refundable", before=(violation(),))),
    ),
    Ladder(
        name="requesting a refund of unused deposits",
        request=refund(),
        history=joined(),
        rules={"refunds": "unused_deposits", "refund_days": 90, "non_refundable_methods": []},
        rungs=(
            UNKNOWN,
            Rung(code="not_refundable", before=(violation(),)),
            Rung(code="method_not_refundable", rules={"non_refundable_methods": ["card"]}),
        ),
    ),
    Ladder(
        name="deciding a refund",
        request=decide_refund("s-1/5"),
        history=(*joined(), refund()),
        rules=DISCRETION,
        rungs=(
            UNKNOWN,
            Rung(code="unknown_refund", asked={"refund": "s-1/4"}),
            Rung(code="already_decided", before=(decide_refund("s-1/5", False),)),
        ),
    ),
    Ladder(
        name="paying a refund out in another currency",
        request=paid_out("s-1/5", "crypto", currency="BTC", rate=RATE),
        history=(*joined(), refund(), decide_refund("s-1/5")),
        rules={**DISCRETION, "refund_currencies": ["USD", "BTC"]},
        rungs=(
            UNKNOWN,
            Rung(code="unknown_refund", asked={"refund": "s-1/4"}),
            Rung(code="already_paid", before=(paid_out("s-1/5"),)),
            Rung(code="rate_required", asked={"rate": None}),
            Rung(code="method_not_refundable", asked={"currency": "XMR"}),
        ),
    ),
    Ladder(
        name="opening a dispute",
        request=dispute("s-1/5"),
        history=(*joined(), administrative()),
        rules={"dispute_hours": None},
        rungs=(
            UNKNOWN,
            Rung(code="unknown_charge", asked={"charge": "s-1/1"}),
            Rung(code="dispute_window_closed", rules=WINDOW),
            Rung(code="already_disputed", before=(dispute("s-1/5"),)),
        ),
    ),
    Ladder(
        name="resolving a dispute",
        request=resolve("s-1/6", amount="1.00"),
        history=(*joined(), administrative(), dispute("s-1/5")),
        rungs=(
            UNKNOWN,
            Rung(code="unknown_dispute", asked={"dispute": "s-1/5"}),
            Rung(code="already_resolved", before=(resolve("s-1/6", False),)),
            Rung(code="amount_not_positive", asked={"amount": millionths("0.00")}),
        ),
    ),
    Ladder(
        name="granting a compensation",
        request=compensate("1.00", NOON),
        rungs=(
            UNKNOWN,
            ENDED,
            Rung(code="instant_in_future", asked={"fault_at": moment("2026-01-06 12:00:01")}),
            Rung(code="above_compensation_cap", rules={"compensation_cap": None}),
            Rung(code="amount_not_positive", asked={"amount": millionths("0.00")}),
        ),
    ),
    Ladder(
        name="posting an adjustment of nothing",
        request=adjust("1.00"),
        rungs=(
            UNKNOWN,
            Rung(code="reviewer_is_actor", actor="lead-1"),
            Rung(code="amount_not_positive", asked={"amount": millionths("0.00")}),
        ),
    ),
    Ladder(
        name="posting an adjustment",
        request=adjust("1.00"),
        rungs=(
            UNKNOWN,
            Rung(code="reviewer_is_actor", actor="lead-1"),
            Rung(code="insufficient_funds", asked={"amount": millionths("-100.00")}),
        ),
    ),
    Ladder(
        name="posting an adjustment that nobody can count",
        request=adjust("1.00"),
        rungs=(
            UNKNOWN,
            Rung(code="reviewer_is_actor", actor="lead-1"),
            Rung(code="amount_too_large", asked={"amount": millionths("-100000000000.01")}),
        ),
    ),
    Ladder(
        name="adjusting after a refusal",
        request=adjust("1.00"),
        rungs=(REFUSED, Rung(code="reviewer_is_actor", actor="lead-1")),
    ),
    Ladder(
        name="transferring an agreement",
        request=transfer(personal=ask.Sealed("sealed"), consent=True),
        rules={"transfer_needs_consent": True},
        rungs=(
            UNKNOWN,
            ENDED,
            Rung(code="consent_required", asked={"consent": False}),
            Rung(code="personal_data_erased", before=(erase(),)),
        ),
    ),
    Ladder(
        name="erasing personal data",
        request=erase(),
        rungs=(UNKNOWN, Rung(code="personal_data_erased", before=(erase(),))),
    ),
]
SITUATIONS = [
    pytest.param(ladder, repaired, id=f"{ladder.name}: {ladder.rungs[repaired].code}")
    for ladder in LADDERS
    for repaired in range(len(ladder.rungs))
]
ORDER = [code.value for code in Code]


def situation(ladder: Ladder, rungs: tuple[Rung, ...]) -> tuple[Story, Step]:
    """The story and the command with exactly the faults in `rungs`."""
    history, rules = ladder.history, dict(ladder.rules)
    asked: dict[str, Any] = {}
    actor = "desk-1"
    replaced = next((rung.history for rung in rungs if rung.history is not None), None)
    before: list[Step] = []
    for rung in reversed(rungs):
        before += rung.before
        rules |= rung.rules
        asked |= rung.asked
        actor = rung.actor or actor
    story = given(zone=ladder.zone, under=ladder.under, rules={**END, **ladder.rules}, tariffs=ladder.tariffs)
    for step in history if replaced is None else replaced:
        story.tell(step)
    if replaced is None:
        for step in before:
            decision = story.tell(step)
            assert decision is not None
            assert decision.refusal is None, f"{step}: {decision.refusal}"
    story.known = catalogue({**END, **rules}, ladder.under, ladder.tariffs)
    story.now = instant(ladder.at, ladder.zone)
    return story, By(actor, replace(ladder.request, **asked))


@pytest.mark.parametrize(("ladder", "repaired"), SITUATIONS)
def test_the_first_refusal_that_applies_is_the_answer(ladder: Ladder, repaired: int) -> None:
    story, command = situation(ladder, ladder.rungs[repaired:])
    told = story.when(command)
    assert told.decision.refusal is not None, f"accepted, expected {ladder.rungs[repaired].code}"
    assert told.decision.refusal.code.value == ladder.rungs[repaired].code, told.decision.refusal.message


@pytest.mark.parametrize("ladder", [pytest.param(ladder, id=ladder.name) for ladder in LADDERS])
def test_the_faults_of_a_ladder_stand_in_the_order_of_the_contract(ladder: Ladder) -> None:
    codes = [ORDER.index(rung.code) for rung in ladder.rungs]
    assert codes == sorted(codes)


def test_every_code_that_a_subscriber_meets_stands_on_a_ladder() -> None:
    elsewhere = {
        "command_id_reused",  # tests/consumers/test_writer.py: known before a decision
        "time_went_backwards",  # test_time.py, and below
        "not_changeable",  # test_publishing.py: the catalogue's own codes
        "effective_in_the_past",
        "discount_not_allowed",
    }
    assert {rung.code for ladder in LADDERS for rung in ladder.rungs} == set(ORDER) - elsewhere


def test_the_codes_stand_in_the_order_of_the_contract() -> None:
    assert ORDER == [
        "command_id_reused", "time_went_backwards", "unknown_subscriber", "already_registered", "unknown_regulations",
        "currency_not_accepted", "unknown_plan", "registration_refused", "agreement_terminated", "not_verified",
        "services_suspended", "ticket_required", "consent_required", "termination_already_announced", "unknown_number",
        "number_already_rented", "unknown_service", "unknown_charge", "unknown_refund", "unknown_dispute",
        "reference_already_credited", "unknown_deposit", "already_reversed", "registration_final", "not_changeable",
        "already_decided", "already_paid", "rate_required", "unknown_violation_kind", "not_suspended",
        "instant_in_future", "period_not_paid", "usage_ended", "effective_in_the_past", "notice_too_short",
        "change_already_scheduled", "no_change_scheduled", "same_plan", "discount_not_allowed", "not_refundable",
        "method_not_refundable", "dispute_window_closed", "free_service_already_held", "already_disputed",
        "already_resolved", "above_compensation_cap", "reviewer_is_actor", "personal_data_erased",
        "amount_not_positive", "amount_too_large", "insufficient_funds",
    ]  # fmt: skip


def test_time_that_went_backwards_is_answered_before_anything_else() -> None:
    story = given(NOON)
    story.tell(deposit())
    story.when("2026-01-05 11:00", deposit()).refused_without_a_fact("time_went_backwards")
    story.when(NOON, deposit()).refused("unknown_subscriber")


def test_a_refused_command_is_named_in_its_fact() -> None:
    given(*renting()).when(LATER, order()).refused("number_already_rented", command="OrderNumber")
