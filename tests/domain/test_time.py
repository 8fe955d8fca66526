"""What falls due by itself: its order at one instant, time that never goes backwards, and when it comes next."""

from datetime import timedelta

from domain import clock, state
from domain.catalogue import Catalogue
from domain.facts import PeriodicServiceCharged
from domain.state import Subscriber, Unregistered
from tests.domain.controls import (
    BELGRADE,
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    THIRD,
    announce,
    autorenew,
    cancel,
    deposit,
    joined,
    moment,
    order,
    plan_change,
    register,
    renting,
    terminate,
    tick,
    verify,
)
from tests.domain.given import SUBJECT, Story, fact, given, plain


def next_due(story: Story) -> str | None:
    due = clock.due(story.state, story.known)
    return plain(due, story.zone) if due is not None else None


def test_time_never_goes_backwards_for_a_subscriber() -> None:
    given(*renting()).when("2026-01-05 11:59:59.999999", tick()).refused_without_a_fact("time_went_backwards")
    given(*renting()).when(NOON, tick()).then()


def test_a_command_that_recorded_nothing_moves_time_on_too() -> None:
    given(*renting(), "2026-01-10 12:00", tick()).when("2026-01-10 11:00", tick()).refused_without_a_fact(
        "time_went_backwards"
    )


def test_a_refusal_moves_time_on_too() -> None:
    story = given(*renting(), "2026-01-10 12:00")
    story.when(order()).refused("number_already_rented")
    story.when("2026-01-10 11:00", tick()).refused_without_a_fact("time_went_backwards")


def test_a_log_that_ends_has_come_to_the_last_instant_that_was_asked_at() -> None:
    """A store tells the instant of a last command that recorded nothing; up to there what is due was decided."""
    story = given(*renting(amount="10.00"), rules={"unpaid_renewal": "continue", "unpaid_ends_after": None})
    here = story.state
    assert isinstance(here, Subscriber)
    assert state.at_end_of_log(here, None) == here
    assert state.at_end_of_log(here, here.as_of - timedelta(days=1)) == here
    later = state.at_end_of_log(here, moment(FEBRUARY))
    assert isinstance(later, Subscriber)
    assert (later.as_of, later.next_boundary) == (moment(FEBRUARY), moment(MARCH))
    assert [(item.number, item.since) for item in later.queue] == [(NUMBER, moment(FEBRUARY))]
    nobody = Unregistered(subject=SUBJECT)
    assert state.at_end_of_log(nobody, moment(FEBRUARY)) == nobody


def test_what_was_received_earlier_does_not_turn_time_back() -> None:
    late = deposit("5.00", "lp-2", received_at=moment("2026-01-06 09:00"))
    given(*renting(), "2026-01-10 12:00", late).when("2026-01-10 11:00", tick()).refused_without_a_fact(
        "time_went_backwards"
    )


def test_at_a_boundary_everything_happens_in_the_order_of_the_contract() -> None:
    # Units lapse; the second number ends; the plan changes; the first number is renewed, and then replaced.
    history = (*renting(), order(SECOND, "did.us"), autorenew(False, SECOND), plan_change(), announce("2026-02-01"))
    given(*history).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("included-units-lapsed", number=SECOND),
        fact("rental-ended", number=SECOND),
        fact("connection-fee-difference-charged"),
        fact("plan-changed"),
        fact("periodic-service-charged", number=NUMBER, amount="6.20"),
        fact("included-units-granted", number=NUMBER, units=300),
        fact("number-replaced", number=NUMBER, new_number=THIRD),
    )


def test_unpaid_rentals_end_before_those_that_are_not_renewed() -> None:
    # did.us was ordered first and is not renewed in March; did.ua is unpaid since February.
    history = (*joined(NEW_YEAR, "11.20"), order(SECOND, "did.us"), order(), "2026-01-02 12:00")
    # 11.20 − 5.00 − 1.50 − 3.10 = 1.60: February's 1.50 is paid, the other waits.
    story = given(*history, FEBRUARY, tick(), autorenew(False, SECOND))
    story.when(MARCH, tick()).then(
        fact("included-units-lapsed", number=SECOND),
        fact("rental-ended", number=NUMBER, at=FEBRUARY),
        fact("rental-ended", number=SECOND, at=MARCH),
        fact("agreement-terminated", at=MARCH),
        fact("refund-due", amount="0.10", at=MARCH),
    )


def test_what_is_due_only_after_an_instant_comes_after_a_boundary_at_that_instant() -> None:
    # Registered 36 hours before February: the order is still waiting at the boundary, and gone a moment later.
    story = given("2026-01-30 12:00", register(), verify(), order())
    story.when(FEBRUARY, tick()).then()
    story.when("2026-02-01 00:00:00.000001", tick()).then(fact("order-cancelled", at=FEBRUARY))


def test_an_unpaid_end_counted_in_days_comes_before_a_replacement_at_the_same_instant() -> None:
    rules = {"unpaid_renewal": "continue", "unpaid_ends_after": {"days": 7}, "unpaid_end_counts_from": "then"}
    history = (*joined(NEW_YEAR, "9.00"), order(), announce("2026-02-09"), FEBRUARY, tick())
    given(*history, rules=rules).when("2026-02-09 00:00", tick()).then(
        fact("rental-ended", number=NUMBER), fact("agreement-terminated"), fact("refund-due")
    )


def test_march_and_october_are_charged_like_every_month_although_the_clocks_change() -> None:
    told = given(*renting(NEW_YEAR, "100.00")).when("2026-11-01 00:00", tick())
    charges = [one.fact for one in told.decision.facts if isinstance(one.fact, PeriodicServiceCharged)]
    periods = [plain(charge.period, told.story.zone) for charge in charges]
    assert periods[1] == ("2026-03-01 00:00", "2026-04-01 00:00")
    assert periods[8] == ("2026-10-01 00:00", "2026-11-01 00:00")
    told.balance("60.90")  # 100.00 − 5.00 − 11 × 3.10


def test_the_next_instant_is_the_periods_end() -> None:
    assert next_due(given(*renting())) == FEBRUARY


def test_the_next_instant_is_an_announced_replacement() -> None:
    assert next_due(given(*renting(), announce("2026-01-25"))) == "2026-01-25 00:00"


def test_the_next_instant_is_a_microsecond_after_the_funding_time() -> None:
    assert next_due(given(NOON, register(), verify(), order())) == "2026-01-07 00:00:00.000001"


def test_the_next_instant_is_an_announced_end() -> None:
    assert next_due(given(*joined(), cancel())) == FEBRUARY


def test_the_next_instant_may_be_the_expiry_of_an_invoice_after_the_end() -> None:
    # 4.72 for February was not paid; 1 February 00:00 in Belgrade and three days.
    history = (NEW_YEAR, register("illyvoip", "EUR", "basic"), deposit("7.08", currency="EUR"), order(service="did.de"))
    story = given(
        *history,
        "2026-02-02 12:00",
        cancel("T-1"),
        under="illyvoip",
        zone=BELGRADE,
        rules={"unpaid_invoice": "expires"},
    )
    assert next_due(story) == "2026-02-04 00:00:00.000001"
    story.when("2026-02-04 00:00:01", tick()).then(fact("invoice-expired", at="2026-02-04 00:00"))
    assert next_due(story) is None


def test_without_anything_that_time_may_change_there_is_no_next_instant() -> None:
    assert next_due(given(*joined())) is None
    assert next_due(given(*joined(), terminate(), rules={"company_notice_days": 0})) is None
    story = given()
    assert clock.due(story.state, Catalogue()) is None
    assert story.state.subject == SUBJECT
