"""Histories drawn at random: plausible commands of one subscriber, many of them within a microsecond of a boundary."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from consumers.writer import Writer
from domain.facts import (
    DepositCredited,
    DisputeOpened,
    NumberRented,
    PlanChangeScheduled,
    Recorded,
    RefundDue,
    RefundRequested,
    RentalSuspended,
    ServicesSuspended,
    UsageCharged,
)
from domain.periods import period_of, start_of_day
from domain.reversals import Charge
from tests.properties.worlds import WORLDS, World
from tests.support.lines import Line
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

NUMBERS = ("+380441234561", "+380441234562", "+493012345678")
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
NUMBER = st.sampled_from(NUMBERS)
CHARGES: tuple[type, ...] = get_args(Charge)
METHODS = st.sampled_from(["card", "bank_transfer", "crypto"])

Case = tuple[World, list[Line]]


def _data(
    world: World, facts: Sequence[Recorded], rented: Sequence[str] = ()
) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """For each command type its data; what refers to a fact refers to one that is there, most of the time."""
    fixed = st.fixed_dictionaries
    held = st.sampled_from([*rented, *rented, *rented, *NUMBERS])
    references = [one.fact.reference for one in facts if isinstance(one.fact, DepositCredited)]
    charges = _ids(facts, *CHARGES)
    refunds = _ids(facts, RefundRequested, RefundDue)
    service = st.sampled_from(world.services)
    plan = st.sampled_from([*world.plans, "gold"])
    ground = fixed({"ground": st.just("complaints")})
    usage = {"number": held, "usage": st.sampled_from([f"u-{n}" for n in range(12)])}
    minutes = {"service": st.sampled_from(["voice.in", "voice.in", "voice.out"]), "ended": st.booleans()}
    seconds = st.sampled_from([0, 1, 59, 60, 61, 600, 3601, 100_000])
    number = fixed({"number": held})
    return {
        "PassVerification": fixed({}),
        "RefuseRegistration": ground,
        "CreditDeposit": fixed(
            {
                "amount": AMOUNTS,
                "currency": st.just(world.currency),
                "method": METHODS,
                "reference": st.sampled_from([f"lp-{n}" for n in range(40)]),
            },
        ),
        "ReverseDeposit": fixed({"reference": st.sampled_from([*references, "lp-none"]), "ground": st.just("bank")}),
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
        "AddChannels": fixed({"number": held, "count": st.integers(1, 3)}),
        "ReleaseNumber": number,
        "SetAutorenew": fixed({"number": held, "autorenew": st.booleans()}),
        "ReplaceNumber": fixed({"number": held, "new_number": NUMBER}),
        "AnnounceNumberReplacement": fixed(
            {
                "number": held,
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
        "DecideRefund": fixed({"refund": refunds, "approved": st.booleans(), **REVIEW}),
        "ConfirmRefundPaid": fixed(
            {"refund": refunds, "method": METHODS, "reference": st.just("out-1")},
            optional={"currency": st.sampled_from(["USD", "EUR", "BTC", "XMR"]), "rate": st.just("0.333333333333")},
        ),
        "OpenDispute": fixed({"charge": charges, "reason": st.just("x")}),
        "ResolveDispute": fixed(
            {"dispute": _ids(facts, DisputeOpened), "upheld": st.booleans(), **REVIEW}, optional={"amount": ANY_AMOUNTS}
        ),
        "PostAdjustment": fixed({"amount": ANY_AMOUNTS, **REVIEW}),
        "TransferAgreement": fixed({"holder": st.just("h-2")}, optional={"consent": st.booleans()}),
        "ErasePersonalData": fixed({"reason": st.just("x")}),
        "AdvanceClock": fixed({}),
    }


FREQUENT = ("CreditDeposit", "OrderNumber", "OrderPrepaid", "ReportUsage", "ReportUsage", "AdvanceClock", "AddChannels")
"""Drawn more often: most of a life consists of these."""
FINAL = frozenset(
    {"RefuseRegistration", "TerminateAgreement", "RequestTermination", "SuspendServices", "RecordViolation"}
)
"""Drawn seldom, for little happens after them."""


@st.composite
def histories(draw: st.DrawFn, worlds: st.SearchStrategy[World] = WORLDS) -> Case:
    """A world, and one subscriber's commands in it in the order of their instants."""
    world = draw(worlds)
    shard = MemoryShard()
    writer = Writer(shard, MemoryCatalogue(world.publications), PlainSealer())
    kinds = list(_data(world, ()))
    usual = st.sampled_from([*(kind for kind in kinds if kind not in FINAL), *FREQUENT, *FREQUENT])
    any_kind = st.sampled_from(kinds)
    lines: list[Line] = []

    def say(request_type: str, at: datetime, data: dict[str, Any]) -> None:
        lines.append(_line(len(lines) + 1, request_type, at, data))
        writer.execute(lines[-1])
        writer.commit()

    now = datetime(2026, 1, 5, 10, tzinfo=UTC)
    say("RegisterSubscriber", now, _registration(draw, world))
    if draw(st.integers(0, 9)):
        say("PassVerification", now, {})
        say("CreditDeposit", now, draw(_data(world, ())["CreditDeposit"]))
        say("OrderNumber", now, draw(_data(world, ())["OrderNumber"]))
    for _ in range(draw(st.integers(3, LONGEST_COMMANDS))):
        now = min(_later(draw, now, world.zone), HORIZON)
        facts, state = shard.stream("s-1"), writer.state("s-1")
        kind = draw(_following(facts) if draw(st.booleans()) else usual if draw(st.integers(0, 7)) else any_kind)
        data = draw(_data(world, facts, tuple(getattr(state, "rentals", ())))[kind])
        say("OrderNumber" if kind == "OrderPrepaid" else kind, now, data)
        if not draw(st.integers(0, 15)):
            say("GrantCompensation", now, _compensation(draw, lines))
    return world, lines


FOLLOWING: dict[type, tuple[str, ...]] = {
    RefundRequested: ("DecideRefund",),
    RefundDue: ("ConfirmRefundPaid",),
    DisputeOpened: ("ResolveDispute",),
    NumberRented: ("ReportUsage", "AddChannels", "OpenDispute", "RequestPlanChange", "AnnounceNumberReplacement"),
    PlanChangeScheduled: ("WithdrawPlanChange", "AdvanceClock", "CreditDeposit"),
    RentalSuspended: ("CreditDeposit", "ReportUsage", "AdvanceClock"),
    ServicesSuspended: ("ResumeServices", "CreditDeposit"),
    UsageCharged: ("OpenDispute", "ReportUsage", "RequestRefund"),
}
"""What is likely to be asked for after a fact."""


def _following(facts: Sequence[Recorded]) -> st.SearchStrategy[str]:
    """What one of the latest facts gives rise to."""
    kinds = [kind for recorded in facts[-12:] for kind in FOLLOWING.get(type(recorded.fact), ())]
    return st.sampled_from([*kinds, "AdvanceClock", "OrderNumber"])


def _ids(facts: Sequence[Recorded], *types: type) -> st.SearchStrategy[str]:
    """The ids of facts of these types, or of one that is none."""
    found = [recorded.id for recorded in facts if isinstance(recorded.fact, types)]
    return st.sampled_from([*found[-6:], *found[-6:], "s-1/1"])


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
