"""Histories drawn at random: plausible commands of one subscriber, many of them within a microsecond of a boundary."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.periods import period_of, start_of_day
from tests.properties.worlds import SERVICES, WORLDS, World
from tests.support.lines import Line

NUMBERS = ("+380441234561", "+380441234562", "+493012345678", "+12025550100")
LONGEST_COMMANDS = 28
HORIZON = datetime(2027, 6, 1, tzinfo=UTC)
"""No command is later: a history of a year and a half has eighteen boundaries."""
MICROSECOND = timedelta(microseconds=1)
STEPS = [
    timedelta(0), timedelta(0), MICROSECOND, timedelta(seconds=59), timedelta(hours=1), timedelta(hours=36),
    timedelta(days=1), timedelta(days=3), timedelta(days=7, microseconds=1), timedelta(days=31), timedelta(days=100),
]  # fmt: skip
AMOUNTS = st.sampled_from(["0.01", "0.0125", "1.00", "2.99", "5.00", "7.70", "10.00", "50.00", "300.005"])
ANY_AMOUNTS = AMOUNTS | st.sampled_from(["0.00", "-1.00", "-0.01"])
REVIEW = {"reviewer": st.sampled_from(["lead-1", "desk-1"]), "reason": st.just("as checked")}
FACTS = st.integers(1, 60).map(lambda version: f"s-1/{version}")
NUMBER = st.sampled_from(NUMBERS)
METHODS = st.sampled_from(["card", "bank_transfer", "crypto"])

Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = tuple[World, list[Line]]


def _data(world: World) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """For each command type its data."""
    fixed = st.fixed_dictionaries
    service = st.sampled_from([*SERVICES, "did.de", "did.nl", "domain", "hosting.free"])
    plan = st.sampled_from([*world.plans, "gold"])
    ground = fixed({"ground": st.just("complaints")})
    usage = {"number": NUMBER, "usage": st.sampled_from(["u-1", "u-2", "u-3", "u-4"])}
    minutes = {"service": st.sampled_from(["voice.in", "voice.out"]), "ended": st.booleans()}
    seconds = st.sampled_from([0, 1, 59, 60, 61, 600, 3601, 100_000])
    number = fixed({"number": NUMBER})
    return {
        "PassVerification": fixed({}),
        "RefuseRegistration": ground,
        "CreditDeposit": fixed(
            {
                "amount": AMOUNTS,
                "currency": st.just(world.currency),
                "method": METHODS,
                "reference": st.sampled_from([f"lp-{n}" for n in range(9)]),
            },
        ),
        "ReverseDeposit": fixed({"reference": st.sampled_from(["lp-1", "lp-2", "lp-3"]), "ground": st.just("bank")}),
        "OrderNumber": fixed(
            {"number": NUMBER, "service": service},
            optional={
                "channels": st.integers(0, 3),
                "autorenew": st.booleans(),
                "periods": st.integers(1, 4),
            },
        ),
        "OrderPrepaid": fixed(
            {"number": NUMBER, "service": service, "periods": st.integers(1, 4), "prepaid": st.just(True)}
        ),
        "AddChannels": fixed({"number": NUMBER, "count": st.integers(1, 3)}),
        "ReleaseNumber": number,
        "SetAutorenew": fixed({"number": NUMBER, "autorenew": st.booleans()}),
        "ReplaceNumber": fixed({"number": NUMBER, "new_number": NUMBER}),
        "AnnounceNumberReplacement": fixed(
            {
                "number": NUMBER,
                "new_number": NUMBER,
                "on": st.sampled_from(["2026-02-01", "2026-02-20", "2026-03-29", "2026-05-01", "2026-12-31"]),
            }
        ),
        "RequestPlanChange": fixed({"plan": plan}),
        "WithdrawPlanChange": fixed({}),
        "OrderAdministrativeService": fixed(
            {"service": st.sampled_from(["documents", "number_change"])}, optional={"quantity": st.integers(1, 3)}
        ),
        "ReportUsage": st.one_of(
            fixed({**usage, **minutes, "elapsed_seconds": seconds}),
            fixed({**usage, "service": st.sampled_from(["sms.in", "sms.out"]), "units": st.integers(1, 9)}),
        ),
        "RecordViolation": fixed(
            {"kind": st.sampled_from(["spam", "fraud"]), "ground": st.just("x")},
            optional={
                "unlawful": st.booleans(),
                "sanction": st.sampled_from(["warning", "suspension", "termination"]),
            },
        ),
        "SuspendServices": ground,
        "ResumeServices": fixed({}),
        "RequestTermination": fixed({}, optional={"ticket": st.just("T-1")}),
        "TerminateAgreement": fixed(
            {
                "ground": st.just("x"),
                "cause": st.sampled_from(["notice", "violation", "unlawful_use", "non_payment"]),
            },
            optional={"charge_remaining_term": st.booleans()},
        ),
        "RequestRefund": fixed({}, optional={"method": METHODS, "country": st.sampled_from(["ME", "US"])}),
        "DecideRefund": fixed({"refund": FACTS, "approved": st.booleans(), **REVIEW}),
        "ConfirmRefundPaid": fixed(
            {"refund": FACTS, "method": METHODS, "reference": st.just("out-1")},
            optional={"currency": st.sampled_from(["USD", "EUR", "BTC", "XMR"]), "rate": st.just("0.333333333333")},
        ),
        "OpenDispute": fixed({"charge": FACTS, "reason": st.just("x")}),
        "ResolveDispute": fixed(
            {"dispute": FACTS, "upheld": st.booleans(), **REVIEW}, optional={"amount": ANY_AMOUNTS}
        ),
        "PostAdjustment": fixed({"amount": ANY_AMOUNTS, **REVIEW}),
        "TransferAgreement": fixed({"holder": st.just("h-2")}, optional={"consent": st.booleans()}),
        "ErasePersonalData": fixed({"reason": st.just("x")}),
        "AdvanceClock": fixed({}),
    }


FREQUENT = ("CreditDeposit", "OrderNumber", "OrderPrepaid", "ReportUsage", "AdvanceClock", "RequestPlanChange")
"""Drawn more often: most of a life consists of these."""


@st.composite
def histories(draw: st.DrawFn, worlds: st.SearchStrategy[World] = WORLDS) -> Case:
    """A world, and one subscriber's commands in it in the order of their instants."""
    world = draw(worlds)
    data = _data(world)
    kinds = st.sampled_from([*data, *FREQUENT, *FREQUENT])
    now = datetime(2026, 1, 5, 10, tzinfo=UTC)
    lines = [_line(1, "RegisterSubscriber", now, _registration(draw, world))]
    if draw(st.integers(0, 9)):
        lines += [_line(2, "PassVerification", now, {}), _line(3, "CreditDeposit", now, draw(data["CreditDeposit"]))]
    for _ in range(draw(st.integers(3, LONGEST_COMMANDS))):
        now = min(_later(draw, now, world.zone), HORIZON)
        kind = draw(kinds)
        given = draw(data[kind])
        lines.append(_line(len(lines) + 1, "OrderNumber" if kind == "OrderPrepaid" else kind, now, given))
        if not draw(st.integers(0, 15)):
            lines.append(_line(len(lines) + 1, "GrantCompensation", now, _compensation(draw, lines)))
    return world, lines


def _registration(draw: st.DrawFn, world: World) -> dict[str, Any]:
    return {
        "regulations": world.regulations,
        "currency": world.currency,
        "plan": draw(st.sampled_from(world.plans)),
        "holder": "h-1",
        "autorenew": draw(st.booleans()) or draw(st.booleans()),
        "first_account": draw(st.booleans()),
    }


def _compensation(draw: st.DrawFn, lines: list[Line]) -> dict[str, Any]:
    fault = draw(st.sampled_from(lines))["at"]
    return {"amount": draw(ANY_AMOUNTS), "fault_at": fault, "complaint_at": fault, "evidence": "e-1"}


def _later(draw: st.DrawFn, now: datetime, zone: str) -> datetime:
    """Some time later, as often as not just before, at or just after an instant at which something falls due."""
    if draw(st.booleans()):
        return now + draw(st.sampled_from(STEPS))
    boundary = period_of(now, zone).end
    days = draw(st.sampled_from([0, 0, 0, 1, 8, 14]))
    edge = start_of_day((boundary + timedelta(days=days, hours=12)).date(), zone) if days else boundary
    return max(now, edge + draw(st.sampled_from([-MICROSECOND, timedelta(0), timedelta(0), MICROSECOND])))


def _line(count: int, request_type: str, at: datetime, data: dict[str, Any]) -> Line:
    return {
        "id": f"c-{count}",
        "type": request_type,
        "subscriber": "s-1",
        "at": at.isoformat(),
        "actor": "desk-1",
        "data": data,
    }
