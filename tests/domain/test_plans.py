"""Changing the plan: with notice, at the period's end, against the difference of the connection fees."""

from domain import commands as ask
from tests.domain.controls import (
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    SECOND,
    call,
    deposit,
    joined,
    order,
    plan_change,
    renting,
    tick,
)
from tests.domain.given import fact, given

LATE = "2026-01-29 00:00:00.000001"
WITHDRAW = ask.WithdrawPlanChange()


def test_a_change_is_scheduled_for_the_end_of_the_period() -> None:
    given(*renting()).when("2026-01-28 10:00", plan_change()).then(
        fact(
            "plan-change-scheduled",
            from_plan="start",
            plan="business",
            takes_effect_at=FEBRUARY,
            basis="telnexx/plan-change-effect",
        )
    )


def test_the_last_instant_of_notice_is_the_first_of_the_third_day_before_the_end() -> None:
    given(*renting()).when("2026-01-29 00:00", plan_change()).then(fact("plan-change-scheduled"))


def test_notice_a_moment_later_is_too_short_and_says_when_a_change_is_possible() -> None:
    given(*renting()).when(LATE, plan_change()).refused(
        "notice_too_short", earliest=MARCH, basis="telnexx/plan-change-notice"
    )


def test_where_late_notice_counts_for_the_next_period_the_change_comes_then() -> None:
    story = given(*renting(), rules={"late_plan_change": "next_period"})
    story.when(LATE, plan_change()).then(fact("plan-change-scheduled", takes_effect_at=MARCH))
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"), fact("periodic-service-charged", plan="start"), fact("included-units-granted")
    )
    story.when(MARCH, tick()).then(
        fact("included-units-lapsed"),
        fact("connection-fee-difference-charged"),
        fact("plan-changed"),
        fact("periodic-service-charged", plan="business", amount="6.20"),
        fact("included-units-granted", units=300),
    )


def test_without_notice_days_a_change_may_be_asked_for_until_the_very_end() -> None:
    given(*renting(), rules={"plan_change_notice_days": 0}).when("2026-01-31 23:59:59.999999", plan_change()).then(
        fact("plan-change-scheduled", takes_effect_at=FEBRUARY)
    )


def test_the_worked_month_of_the_rules() -> None:
    # 75 minutes in January: 60 included, 15 × 0.0125 = 0.1875.
    history = (*renting(), "2026-01-12 12:00", call(75 * 60), "2026-01-28 10:00", plan_change())
    given(*history).when(FEBRUARY, tick()).then(
        fact(
            "connection-fee-difference-charged",
            amount="3.00",
            from_fee="5.00",
            fee="8.00",
            at=FEBRUARY,
            basis="telnexx/connection-fee-difference",
        ),
        fact("plan-changed", from_plan="start", plan="business", at=FEBRUARY, basis="telnexx/plan-change-effect"),
        fact("periodic-service-charged", amount="6.20"),
        fact("included-units-granted", units=300),
    ).balance("32.9125")


def test_a_change_that_cannot_be_paid_lapses_and_the_old_plan_stays() -> None:
    # 10.00 − 7.70 = 2.30 < 3.00; the renewal of 3.10 waits.
    given(*renting(amount="10.00"), plan_change()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("plan-change-lapsed", difference="3.00", plan="business", from_plan="start"),
        fact("rental-suspended", owed="3.10"),
    ).balance("2.30")


def test_the_difference_comes_before_the_renewals() -> None:
    # 11.00 − 7.70 = 3.30 pay the difference, and leave 0.30 of the 6.20 that the new plan costs.
    given(*renting(amount="11.00"), plan_change()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("connection-fee-difference-charged"),
        fact("plan-changed"),
        fact("rental-suspended", owed="6.20"),
    ).balance("0.30")


def test_a_cheaper_plan_gives_nothing_back() -> None:
    given(*joined(plan="business"), order(), plan_change("start")).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", units=300),
        fact("plan-changed", plan="start"),
        fact("periodic-service-charged", amount="3.10"),
        fact("included-units-granted", units=60),
    )


def test_whoever_never_rented_a_number_pays_no_difference() -> None:
    given(*joined(), plan_change()).when(FEBRUARY, tick()).then(fact("plan-changed")).balance("50.00")


def test_the_plan_is_not_changed_to_itself() -> None:
    given(*renting()).when(plan_change("start")).refused("same_plan")


def test_one_change_is_scheduled_at_a_time() -> None:
    given(*renting(), plan_change()).when(plan_change()).refused("change_already_scheduled")


def test_a_scheduled_change_can_be_withdrawn() -> None:
    given(*renting(), plan_change()).when(WITHDRAW).then(fact("plan-change-withdrawn", plan="business"))
    given(*renting(), plan_change(), WITHDRAW).when(plan_change()).then(fact("plan-change-scheduled"))


def test_there_must_be_a_change_to_withdraw() -> None:
    given(*renting()).when(WITHDRAW).refused("no_change_scheduled")


def test_the_new_plan_must_be_one_of_the_tariff_in_force() -> None:
    given(*renting()).when(plan_change("gold")).refused("unknown_plan")


def test_the_new_plan_must_price_every_service_in_use() -> None:
    story = given("2026-01-05 12:00", hexaserv(), deposit(), order("+12025550100", "did.us"), under="hexaserv")
    story.when(plan_change("free")).refused("unknown_service")


def test_a_waiting_orders_service_is_in_use_too() -> None:
    story = given("2026-01-05 12:00", hexaserv(), order("+12025550100", "did.us"), under="hexaserv")
    story.when(plan_change("free")).refused("unknown_service")


def test_a_renewal_that_waits_keeps_the_plan_of_its_boundary() -> None:
    # February fell due under `start`; it is paid at 3.10 in March although `business` is the plan since 1 March.
    rules = {"unpaid_renewal": "continue", "unpaid_ends_after": None}
    story = given(*joined(NEW_YEAR, "8.10"), order(), FEBRUARY, tick(), rules=rules)
    story.when("2026-02-02 12:00", plan_change()).then(fact("plan-change-scheduled"))
    story.when("2026-02-10 12:00", deposit("3.10", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", plan="start", amount="3.10"),
        fact("included-units-granted", units=60),
    )


def test_an_order_in_a_changed_plan_costs_the_new_plans_price() -> None:
    given(*joined(NEW_YEAR), plan_change(), FEBRUARY, tick()).when(order(SECOND)).then(
        fact("order-placed"),
        fact("connection-fee-charged", amount="8.00", plan="business"),
        fact("periodic-service-charged", amount="6.20"),
        fact("included-units-granted", units=300),
        fact("number-rented"),
    )


def hexaserv() -> ask.RegisterSubscriber:
    return ask.RegisterSubscriber(
        regulations=ask.Key("hexaserv"), currency=ask.CurrencyCode("USD"), plan=ask.Key("standard"), holder=ask.Key("h")
    )
