"""Numbers that change: at the subscriber's wish for a fee, or by the company with notice and for nothing."""

from tests.domain.controls import (
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    NUMBER,
    SECOND,
    THIRD,
    announce,
    call,
    deposit,
    joined,
    order,
    renting,
    replace_number,
    tick,
)
from tests.domain.given import fact, given


def test_a_number_is_changed_for_a_fee() -> None:
    given(*renting()).when(replace_number()).then(
        fact("administrative-service-charged", service="number_change", amount="4.00", number=NUMBER),
        fact("number-replaced", number=NUMBER, new_number=THIRD, basis="telnexx/number-change"),
    ).balance("38.30")


def test_a_changed_number_keeps_its_period_and_its_included_units() -> None:
    given(*renting(), replace_number()).when(call(60, number=THIRD)).then(fact("usage-charged", included=1))
    given(*renting(), replace_number()).when(call(60)).refused("unknown_number")


def test_a_change_needs_its_fee() -> None:
    given(*renting(amount="11.69")).when(replace_number()).refused("insufficient_funds")
    given(*renting(amount="11.70")).when(replace_number()).then(
        fact("administrative-service-charged"), fact("number-replaced")
    )


def test_only_a_rented_number_is_changed_and_only_into_a_free_one() -> None:
    given(*joined(amount="1.00"), order()).when(replace_number()).refused("unknown_number")
    given(*renting(), order(SECOND)).when(replace_number(SECOND)).refused("number_already_rented")
    given(*renting()).when(replace_number(NUMBER)).refused("number_already_rented")


def test_a_telephone_number_is_changed_into_a_telephone_number() -> None:
    told = given(*renting()).when(replace_number("not-a-number")).malformed("data.new_number")
    assert told.decision.malformed is not None
    assert told.decision.malformed.message == "expected a number in E.164 form such as +380441234567"


def test_the_company_announces_a_replacement_fourteen_days_ahead() -> None:
    given(*renting()).when("2026-01-18 00:00", announce("2026-02-01")).then(
        fact(
            "number-replacement-announced",
            number=NUMBER,
            new_number=THIRD,
            on="2026-02-01",
            takes_effect_at=FEBRUARY,
            basis="telnexx/number-replacement",
        )
    )


def test_a_replacement_with_less_notice_is_refused_with_the_first_day_possible() -> None:
    given(*renting()).when("2026-01-18 00:00:00.000001", announce("2026-02-01")).refused(
        "notice_too_short", earliest="2026-02-02 00:00", basis="telnexx/number-replacement"
    )


def test_the_number_is_replaced_at_the_first_instant_of_the_day_for_nothing() -> None:
    given(*renting(), announce("2026-01-20")).when("2026-01-20 00:00", tick()).then(
        fact("number-replaced", number=NUMBER, new_number=THIRD, at="2026-01-20 00:00")
    ).balance("42.30")


def test_a_second_announcement_replaces_the_first() -> None:
    story = given(*renting(), announce("2026-01-20"), announce("2026-01-25", SECOND))
    story.when("2026-01-24 23:59:59", tick()).then()
    story.when("2026-01-25 00:00", tick()).then(fact("number-replaced", new_number=SECOND))


def test_a_replacement_at_a_boundary_comes_after_the_renewal() -> None:
    given(*renting(), announce("2026-02-01")).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("periodic-service-charged", number=NUMBER),
        fact("included-units-granted", number=NUMBER),
        fact("number-replaced", number=NUMBER, new_number=THIRD),
    )


def test_waiting_orders_and_strangers_numbers_are_not_replaced() -> None:
    given(*joined(amount="1.00"), order()).when(announce("2026-03-01")).refused("unknown_number")
    given(*renting(), order(SECOND)).when(announce("2026-03-01", SECOND)).refused("number_already_rented")


def test_without_notice_days_a_replacement_may_be_announced_for_a_day_that_has_not_begun() -> None:
    rules = {"number_replacement_notice_days": 0}
    given(*renting(), rules=rules).when(announce("2026-01-06")).then(fact("number-replacement-announced"))
    given(*renting(), rules=rules).when(announce("2026-01-05")).refused("notice_too_short", earliest="2026-01-06 00:00")


def test_a_replacement_by_a_number_that_the_subscriber_took_meanwhile_does_not_happen() -> None:
    story = given(*renting(), announce("2026-01-20"), order(THIRD))
    story.when("2026-01-20 12:00", tick()).then()
    story.when(call(60)).then(fact("usage-charged", number=NUMBER))
    story.when(call(60, "call-2", number=THIRD)).then(fact("usage-charged", number=THIRD))


def test_a_replacement_by_a_number_that_is_given_back_in_time_happens() -> None:
    history = (*renting(), announce("2026-02-01"), order(THIRD, autorenew=False), call(60))
    given(*history).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("included-units-lapsed", number=THIRD),
        fact("rental-ended", number=THIRD),
        fact("periodic-service-charged", number=NUMBER),
        fact("included-units-granted", number=NUMBER),
        fact("number-replaced", number=NUMBER, new_number=THIRD),
    )


def test_an_announced_replacement_follows_the_rental_when_the_subscriber_changes_its_number() -> None:
    story = given(*renting(), announce("2026-01-20"), replace_number(SECOND))
    story.when("2026-01-20 12:00", tick()).then(
        fact("number-replaced", number=SECOND, new_number=THIRD, at="2026-01-20 00:00")
    )
    given(*renting(), announce("2026-01-20"), replace_number(THIRD)).when("2026-01-20 12:00", tick()).then()


def test_what_waits_for_a_replaced_number_is_paid_under_its_new_one_and_nothing_else_is() -> None:
    # 0.90 of 9.00 are left; February's 3.10 and an order wait, and service goes on.
    history = (*joined(NEW_YEAR, "9.00"), order(), "2026-02-01 12:00", order(SECOND, "did.us"), announce("2026-02-20"))
    story = given(*history, rules={"unpaid_renewal": "continue", "unpaid_ends_after": None})
    story.when("2026-02-20 00:00", tick()).then(fact("number-replaced", new_number=THIRD))
    # 0.90 + 5.00 − 3.10; on 20 February 9 of 28 days are left: 1.50 × 9 ÷ 28 = 0.48.
    story.when("2026-02-20 12:00", deposit("5.00", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", number=THIRD, amount="3.10", period=(FEBRUARY, MARCH)),
        fact("included-units-granted", number=THIRD),
        fact("periodic-service-charged", number=SECOND, amount="0.48"),
        fact("included-units-granted", number=SECOND),
        fact("number-rented", number=SECOND),
    ).balance("2.32")


def test_a_number_that_was_changed_is_free_again() -> None:
    given(*renting(), replace_number()).when(order(NUMBER)).then(
        fact("order-placed"), fact("periodic-service-charged"), fact("included-units-granted"), fact("number-rented")
    )
