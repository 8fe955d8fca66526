"""A refusal gives its numbers: what was needed and what was there, or the instant up to which it would have done."""

import pytest

from tests.domain.controls import (
    BELGRADE,
    BERLIN,
    NOON,
    PODGORICA,
    SECOND,
    administrative,
    announce,
    decide_refund,
    deposit,
    dispute,
    invoiced,
    joined,
    messages,
    order,
    paid_out,
    plan_change,
    refund,
    register,
    renting,
    verify,
    violation,
)
from tests.domain.given import Story, fact, given

BUSY = renting(amount="10.00")
"""5.00 and 2.70 were charged: 2.30 is left."""


def illyvoip(*history: object, **rules: object) -> Story:
    return given(*history, under="illyvoip", zone=BELGRADE, rules=rules)  # type: ignore[arg-type]


def test_what_is_paid_at_once_says_what_is_needed_and_what_is_there() -> None:
    given(*BUSY).when(administrative()).refused("insufficient_funds", message="2.50 USD is needed, 2.30 is available")


def test_what_waits_is_told_with_what_it_leaves() -> None:
    """2.70 waits for the second number."""
    reason = "2.50 USD is needed, -0.40 is available: 2.30 less 2.70 that waits"
    given(*BUSY, order(SECOND)).when(administrative()).refused("insufficient_funds", message=reason)


def test_messages_say_the_same() -> None:
    story = given(*joined(amount="7.71"), order())
    story.when(messages(1)).refused("insufficient_funds", message="0.02 USD is needed, 0.01 is available")


@pytest.mark.parametrize(
    ("history", "missing"),
    [((), "verification and funds"), ((verify(),), "funds"), ((deposit(),), "verification")],
)
def test_what_an_agreement_lacks_is_named(history: tuple[object, ...], missing: str) -> None:
    reason = f"the agreement is not concluded; missing: {missing}"
    given(NOON, register(), *history).when(plan_change()).refused("not_verified", message=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(("hours", "window"), [(72, "72 hours, until 2026-01-08"), (24, "24 hours, until 2026-01-06")])
def test_a_window_says_when_it_closed(hours: int, window: str) -> None:
    story = illyvoip(*invoiced(), order("+493012345678", "did.de"), dispute_hours=hours)
    reason = f"s-1/5 could be disputed for {window}T12:00:00+01:00"
    story.when("2026-01-08 12:00:01", dispute("s-1/5")).refused("dispute_window_closed", message=reason)


def test_one_hour_is_not_many() -> None:
    story = illyvoip(*invoiced(), order("+493012345678", "did.de"), dispute_hours=1)
    reason = "s-1/5 could be disputed for 1 hour, until 2026-01-05T13:00:00+01:00"
    story.when("2026-01-05 13:00:01", dispute("s-1/5")).refused("dispute_window_closed", message=reason)


def test_the_guarantee_says_when_it_ended() -> None:
    """hexaserv/money-back-30d: thirty days from the first charge, s-1/4."""
    story = given(NOON, register("hexaserv", plan="standard"), deposit(), under="hexaserv", zone=PODGORICA)
    story.when(administrative("resources")).then(fact("administrative-service-charged", id="s-1/4"))
    reason = "money was given back for 30 days from the first charge, s-1/4, until 2026-02-04T12:00:00+01:00"
    story.when("2026-02-04 12:00:01", refund()).refused("not_refundable", message=reason)


@pytest.mark.parametrize(
    ("first_account", "history", "waived"),
    [(False, (), "this is a further account"), (True, (violation(),), "there was a violation")],
)
def test_an_account_that_nothing_is_refunded_of_says_why(
    first_account: bool, history: tuple[object, ...], waived: str
) -> None:
    story = illyvoip(*invoiced(first_account=first_account), deposit(currency="EUR"), *history)
    reason = f"refunds are for first accounts without a violation; {waived}"
    story.when(refund()).refused("not_refundable", message=reason)


@pytest.mark.parametrize(
    ("days", "since"),
    [
        (90, " of the last 90 days, since 2025-10-07T13:00:00+02:00"),
        (1, " of the last 1 day, since 2026-01-04T12:00:00+01:00"),
        (None, ""),
    ],
)
def test_deposits_that_nothing_is_left_of_are_named_by_their_age(days: int | None, since: str) -> None:
    story = illyvoip(*invoiced(), refund_days=days)
    story.when(refund()).refused("not_refundable", message=f"nothing is left of deposits{since}")


def test_a_refund_that_cannot_be_paid_out_says_what_it_lacks() -> None:
    """calycom/discretionary-refund: s-1/5 is requested, and a reviewer decides."""
    story = given(NOON, register("calycom", "EUR", "vps"), deposit(currency="EUR"), under="calycom", zone=BERLIN)
    story.when(paid_out("s-1/9")).refused("unknown_refund", message="no refund s-1/9 was requested or is due")
    story.when(refund()).then(fact("refund-requested", id="s-1/5"))
    story.when(paid_out("s-1/5")).refused("unknown_refund", message="refund s-1/5 waits for a decision")
    story.when(decide_refund("s-1/5", approved=False)).then(fact("refund-denied"))
    story.when(paid_out("s-1/5")).refused("unknown_refund", message="refund s-1/5 was denied")


@pytest.mark.parametrize(("days", "needed"), [(1, "1 day's notice"), (14, "14 days' notice")])
def test_a_notice_is_told_in_days(days: int, needed: str) -> None:
    story = given(*renting(), rules={"number_replacement_notice_days": days})
    decision = story.when(announce("2026-01-05")).refused("notice_too_short").decision
    assert decision.refusal is not None
    assert decision.refusal.message.startswith(f"{needed} is needed; ")
