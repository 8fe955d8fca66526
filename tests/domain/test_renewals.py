"""Renewals at a period's first instant: what is paid, in which order, and what lapses."""

from tests.domain.controls import (
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    NUMBER,
    SECOND,
    autorenew,
    call,
    deposit,
    joined,
    order,
    plan_change,
    renting,
    suspend,
    tick,
)
from tests.domain.given import fact, given


def test_a_new_period_is_charged_whole_at_its_first_instant() -> None:
    given(*renting()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", service="voice.in", units=60, at=FEBRUARY),
        fact(
            "periodic-service-charged",
            amount="3.10",
            period=(FEBRUARY, MARCH),
            at=FEBRUARY,
            basis="telnexx/periodic-in-advance",
        ),
        fact("included-units-granted", units=60, period=(FEBRUARY, MARCH)),
    ).balance("39.20")


def test_a_moment_before_the_period_ends_nothing_has_happened() -> None:
    given(*renting()).when("2026-01-31 23:59:59.999999", tick()).then().balance("42.30")


def test_a_clock_that_ran_late_decides_each_period_at_its_own_instant() -> None:
    given(*renting()).when("2026-03-15 12:00", tick()).then(
        fact("included-units-lapsed", at=FEBRUARY),
        fact("periodic-service-charged", amount="3.10", at=FEBRUARY),
        fact("included-units-granted", at=FEBRUARY),
        fact("included-units-lapsed", at=MARCH),
        fact("periodic-service-charged", amount="3.10", at=MARCH),
        fact("included-units-granted", at=MARCH),
    ).balance("36.10")


def test_what_fell_due_is_recorded_even_if_the_command_is_refused() -> None:
    given(*renting()).when(FEBRUARY, order()).refused(
        "number_already_rented",
        fact("included-units-lapsed"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
    )


def test_units_that_were_used_up_do_not_lapse() -> None:
    given(*renting(), call(3600)).when(FEBRUARY, tick()).then(
        fact("periodic-service-charged"), fact("included-units-granted")
    )


def test_rentals_are_renewed_in_the_order_in_which_they_were_ordered() -> None:
    given(*renting(), order(SECOND, "did.us", channels=1)).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("included-units-lapsed", number=SECOND),
        fact("periodic-service-charged", number=NUMBER, amount="3.10"),
        fact("included-units-granted", number=NUMBER),
        fact("periodic-service-charged", number=SECOND, service="did.us", amount="1.50"),
        fact("periodic-service-charged", number=SECOND, service="channel", amount="1.00"),
        fact("included-units-granted", number=SECOND),
    )


def test_renewals_go_on_while_the_company_has_suspended_the_services() -> None:
    given(*renting(), suspend()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"), fact("periodic-service-charged"), fact("included-units-granted")
    )


def test_the_tariff_in_force_at_the_boundary_prices_the_period() -> None:
    dearer = {
        "tariff": "telnexx-usd-dearer",
        "regulations": "telnexx",
        "currency": "USD",
        "effective_from": "2026-02-01T00:00:00+02:00",
        "tax": None,
        "plans": {
            "start": {
                "connection_fee": "9.00",
                "periodic": {"did.ua": "4.00"},
                "usage": {},
                "administrative": {},
                "discount": "0.10",
            }
        },
    }
    # 4.00 less a tenth.
    given(*renting(), tariffs=(dearer,)).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"), fact("periodic-service-charged", amount="3.60", tariff="telnexx-usd-dearer")
    )


def test_an_order_that_waits_is_paid_before_the_renewals_that_come_after_it() -> None:
    story = given(*joined(NEW_YEAR, "8.10"), order(), order(SECOND, "did.us"))
    # 8.10 − 5.00 − 3.10 = 0.00; the second order costs 1.50 and waits.
    story.when("2026-02-10 12:00", deposit("4.00", "lp-2")).then(
        fact("included-units-lapsed", at=FEBRUARY),
        fact("rental-suspended", number=NUMBER, at=FEBRUARY),
        fact("deposit-credited"),
        # 1.50 × 19 ÷ 28 = 1.0178…
        fact("periodic-service-charged", number=SECOND, amount="1.02"),
        fact("included-units-granted", number=SECOND),
        fact("number-rented", number=SECOND),
    ).balance("2.98")


def test_time_alone_pays_nothing_between_boundaries() -> None:
    # The order's part of the month costs less every day, yet only a boundary or new money pays it.
    given(*joined(amount="7.69"), order()).when("2026-01-31 12:00", tick()).then().balance("7.69")


def test_an_order_that_waits_over_a_boundary_costs_the_new_periods_whole_price() -> None:
    # 5.00 + 3.10 on the first day of February.
    story = given(*joined("2026-01-20 12:00", "6.00"), order(), FEBRUARY)
    story.when(deposit("2.10", "lp-2")).then(
        fact("deposit-credited"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="3.10", at=FEBRUARY),
        fact("included-units-granted"),
        fact("number-rented"),
    ).balance("0.00")


def test_an_order_that_a_cheaper_month_makes_payable_is_paid_at_the_boundary() -> None:
    cheaper = {
        "tariff": "telnexx-usd-cheap",
        "regulations": "telnexx",
        "currency": "USD",
        "effective_from": "2026-02-01T00:00:00+02:00",
        "tax": None,
        "plans": {
            "start": {"connection_fee": "1.00", "periodic": {"did.ua": "1.00"}, "usage": {}, "administrative": {}}
        },
    }
    given(*joined(amount="6.00"), order(), tariffs=(cheaper,)).when("2026-02-03 12:00", tick()).then(
        fact("connection-fee-charged", amount="1.00", at=FEBRUARY),
        fact("periodic-service-charged", amount="1.00", at=FEBRUARY),
        fact("number-rented", at=FEBRUARY),
    ).balance("4.00")


def test_a_rental_without_autorenew_ends_and_the_agreement_with_the_last_one() -> None:
    given(*renting(), autorenew(False)).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended", number=NUMBER, reason="not_renewed", at=FEBRUARY),
        fact("agreement-terminated", at=FEBRUARY),
        fact("refund-due", amount="42.30", at=FEBRUARY),
    ).balance("0.00")


def test_where_the_agreement_outlives_its_rentals_it_goes_on_without_one() -> None:
    rules = {"agreement_ends_with_last_rental": False}
    given(*renting(), autorenew(False), rules=rules).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"), fact("rental-ended")
    ).balance("42.30")


def test_the_agreement_goes_on_while_an_order_waits() -> None:
    story = given(*joined(amount="7.70"), order(), order(SECOND), autorenew(False))
    story.when(FEBRUARY, tick()).then(fact("included-units-lapsed"), fact("rental-ended"))


def test_a_scheduled_plan_change_is_withdrawn_before_the_agreement_ends_with_its_last_rental() -> None:
    given(*renting(), autorenew(False), plan_change()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("plan-change-withdrawn", plan="business"),
        fact("agreement-terminated"),
        fact("refund-due", amount="42.30"),
    )


def test_an_order_outlives_the_rental_that_ended_before_it_was_paid() -> None:
    # 10.00 − 7.70 = 2.30; the second order (2.70, from the boundary on 3.10) waits.
    story = given(*joined(amount="10.00"), order(), order(SECOND), autorenew(False))
    story.when(FEBRUARY, tick()).then(fact("included-units-lapsed"), fact("rental-ended")).balance("2.30")
    story.when("2026-02-02 12:00", deposit("0.69", "lp-2")).then(
        fact("deposit-credited"),
        # 3.10 × 27 ÷ 28 = 2.989…
        fact("periodic-service-charged", amount="2.99"),
        fact("included-units-granted"),
        fact("number-rented"),
    ).balance("0.00")


def test_a_year_of_periods_is_twelve_charges() -> None:
    told = given(*renting(NEW_YEAR)).when("2026-12-31 23:59:59", tick())
    charges = [one for one in told.decision.facts if type(one.fact).__name__ == "PeriodicServiceCharged"]
    assert len(charges) == 11
    told.balance("7.80")  # 50.00 − 5.00 − 12 × 3.10
