"""A period that cannot be paid: suspension, grace, the end, and the deposit that comes in time."""

from tests.domain.controls import (
    APRIL,
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    THIRD,
    administrative,
    call,
    channels,
    deposit,
    joined,
    order,
    register,
    release,
    tick,
)
from tests.domain.given import catalogue, fact, given

POOR = (*joined(NEW_YEAR, "9.00"), order())
"""On 1 January: 9.00 − 5.00 − 3.10 = 0.90 are left, which do not pay February."""
PATIENT = {"unpaid_ends_after": None}
GRACE = {
    "unpaid_renewal": "continue",
    "unpaid_ends_after": {"days": 7},
    "unpaid_end_counts_from": "then",
    "agreement_ends_with_last_rental": False,
}
GOING_ON = {"unpaid_renewal": "continue", "unpaid_ends_after": None}
STRICT = {"unpaid_renewal": "end", "unpaid_ends_after": None}


def test_a_number_whose_period_cannot_be_paid_is_suspended() -> None:
    given(*POOR).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-suspended", number=NUMBER, owed="3.10", at=FEBRUARY, basis="telnexx/suspension"),
    ).balance("0.90")


def test_a_suspended_number_cannot_be_used() -> None:
    given(*POOR, FEBRUARY, tick()).when(call(60)).refused("period_not_paid", basis="telnexx/periodic-before-basic")
    given(*POOR, FEBRUARY, tick()).when(channels(1)).refused("period_not_paid")


def test_what_ends_at_a_boundary_lets_the_suspended_behind_it_be_paid_and_resumed_before_the_next_renewal() -> None:
    # 2.00 are left: 3.10 cannot be paid and holds 1.50 back; once it has gone, February is paid, and March is not.
    history = (*joined(NEW_YEAR, "11.60"), order(), order(SECOND, "did.us"), "2026-02-02 12:00", release())
    given(*history, rules=PATIENT).when(MARCH, tick()).then(
        fact("rental-ended", number=NUMBER),
        fact("periodic-service-charged", number=SECOND, amount="1.50", period=(FEBRUARY, MARCH), at=MARCH),
        fact("rental-resumed", number=SECOND),
        fact("rental-suspended", number=SECOND, period=(MARCH, APRIL)),
    ).balance("0.50")


def test_a_month_that_was_used_unpaid_stays_owed_where_a_stricter_version_suspends_the_next() -> None:
    # 0.90 are left. February waits while service goes on; March suspends, and 2.20 more pay February's 3.10 alone.
    story = given(*POOR, FEBRUARY, tick(), rules=GOING_ON)
    story.known = catalogue(PATIENT)
    story.when(MARCH, tick()).then(fact("rental-suspended", number=NUMBER, period=(MARCH, APRIL)))
    story.when(deposit("2.20", "lp-2")).then(
        fact("deposit-credited"), fact("periodic-service-charged", amount="3.10", period=(FEBRUARY, MARCH))
    ).balance("0.00")
    story.when(deposit("3.10", "lp-3")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10", period=(MARCH, APRIL)),
        fact("included-units-granted", units=60),
        fact("rental-resumed", number=NUMBER),
    ).balance("0.00")


def test_a_suspended_number_owes_the_newest_month_alone_also_where_a_milder_version_goes_on() -> None:
    # February was suspended and not used: March, owed while service would go on, takes its place.
    story = given(*POOR, FEBRUARY, tick(), rules=PATIENT)
    story.known = catalogue(GOING_ON)
    story.when(MARCH, tick()).then()
    story.when(deposit("2.20", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10", period=(MARCH, APRIL)),
        fact("included-units-granted", units=60),
        fact("rental-resumed", number=NUMBER),
    ).balance("0.00")


def test_a_rental_that_a_stricter_version_ends_no_longer_holds_back_what_waits_behind_it() -> None:
    # 1.90 are left: February's 3.10 waits in a grace, and 1.50 behind it; in March the grace is gone, and the rental.
    going_on = given(*joined(NEW_YEAR, "10.00"), order(), "2026-02-10 12:00", order(SECOND, "did.us"), rules=GOING_ON)
    going_on.known = catalogue(STRICT)
    going_on.when(MARCH, tick()).then(
        fact("rental-ended", number=NUMBER, at=MARCH),
        fact("periodic-service-charged", number=SECOND, amount="1.50"),
        fact("included-units-granted", number=SECOND),
        fact("number-rented", number=SECOND),
    ).balance("0.40")


def test_a_deposit_within_the_period_pays_it_whole_and_resumes_the_number() -> None:
    given(*POOR, FEBRUARY, tick()).when("2026-02-20 12:00", deposit("3.00", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10", period=(FEBRUARY, MARCH), at="2026-02-20 12:00"),
        fact("included-units-granted", units=60, period=(FEBRUARY, MARCH)),
        fact("rental-resumed", number=NUMBER, basis="telnexx/suspension"),
    ).balance("0.80")


def test_a_period_that_is_paid_late_bears_the_tax_that_was_in_force_at_its_boundary() -> None:
    # 3.10 and a tenth of it, 0.31, although it is two tenths since 10 February.
    def taxed(rate: str, since: str) -> dict[str, object]:
        plan = {"connection_fee": "5.00", "periodic": {"did.ua": "3.10"}, "usage": {}, "administrative": {}}
        return {
            "tariff": f"telnexx-usd-{rate}",
            "regulations": "telnexx",
            "currency": "USD",
            "effective_from": since,
            "tax": {"name": "VAT", "rate": rate},
            "plans": {"start": plan},
        }

    tariffs = (taxed("0.10", "2026-01-15T00:00:00+02:00"), taxed("0.20", "2026-02-10T00:00:00+02:00"))
    given(*POOR, FEBRUARY, tick(), tariffs=tariffs).when("2026-02-20 12:00", deposit("3.00", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10"),
        fact("tax-charged", rate="0.10", base="3.10", amount="0.31"),
        fact("rental-resumed"),
    ).balance("0.49")


def test_unpaid_for_a_whole_period_the_agreement_ends_as_of_the_periods_start() -> None:
    given(*POOR, FEBRUARY, tick()).when(MARCH, tick()).then(
        fact("rental-ended", number=NUMBER, at=FEBRUARY, basis="telnexx/unpaid-termination"),
        fact("agreement-terminated", at=FEBRUARY),
        fact("refund-due", amount="0.90", at=MARCH, basis="telnexx/refund-on-termination"),
    ).balance("0.00")


def test_a_deposit_in_the_last_moment_of_the_period_saves_the_number() -> None:
    given(*POOR).when("2026-02-28 23:59:59.999999", deposit("10.00", "lp-2")).then(
        fact("included-units-lapsed", at=FEBRUARY),
        fact("rental-suspended", at=FEBRUARY),
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10"),
        fact("included-units-granted"),
        fact("rental-resumed"),
    ).balance("7.80")


def test_a_deposit_at_the_instant_of_the_end_comes_too_late_and_is_due_back() -> None:
    given(*POOR, FEBRUARY, tick()).when(MARCH, deposit("10.00", "lp-2")).then(
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="0.90"),
        fact("deposit-credited"),
        fact("refund-due", amount="10.00"),
    ).balance("0.00")


def test_where_the_end_counts_from_then_it_is_dated_at_the_boundary() -> None:
    given(*POOR, FEBRUARY, tick(), rules={"unpaid_end_counts_from": "then"}).when(MARCH, tick()).then(
        fact("rental-ended", at=MARCH), fact("agreement-terminated", at=MARCH), fact("refund-due")
    )


def test_patience_counts_from_the_first_period_that_is_still_unpaid() -> None:
    # On 10 March 0.90 + 2.30 pay February's 3.10; March waits on, and two months of patience end with April.
    rules = {"unpaid_renewal": "continue", "unpaid_ends_after": {"months": 2}}
    story = given(*POOR, FEBRUARY, tick(), "2026-03-10 12:00", deposit("2.30", "lp-2"), rules=rules)
    story.when(APRIL, tick()).then()
    story.when("2026-05-01 00:00", tick()).then(
        fact("rental-ended", number=NUMBER, at=MARCH),
        fact("agreement-terminated", at=MARCH),
        fact("refund-due", amount="0.10", at="2026-05-01 00:00"),
    )


def test_two_months_of_patience_are_two_boundaries() -> None:
    story = given(*POOR, FEBRUARY, tick(), rules={"unpaid_ends_after": {"months": 2}})
    story.when(MARCH, tick()).then(fact("rental-suspended", at=MARCH))
    story.when(APRIL, tick()).then(
        fact("rental-ended", at=FEBRUARY), fact("agreement-terminated", at=FEBRUARY), fact("refund-due", at=APRIL)
    )


def test_while_one_rental_is_left_the_agreement_goes_on() -> None:
    # 11.20 − 5.00 − 3.10 − 3.10 = 0.00 on 1 January; on 1 February 3.10 pay the first number only.
    story = given(*joined(NEW_YEAR, "11.20"), order(), order(SECOND), "2026-01-10 12:00", deposit("7.00", "lp-2"))
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("periodic-service-charged", number=NUMBER),
        fact("included-units-granted", number=NUMBER),
        fact("periodic-service-charged", number=SECOND),
        fact("included-units-granted", number=SECOND),
    ).balance("0.80")
    story.when("2026-02-10 12:00", deposit("3.00", "lp-3")).then(fact("deposit-credited"))
    story.when(MARCH, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("periodic-service-charged", number=NUMBER),
        fact("included-units-granted", number=NUMBER),
        fact("rental-suspended", number=SECOND),
    ).balance("0.70")
    # What the end of the second number frees pays nothing but the first one's renewal, if it can be paid.
    story.when(APRIL, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("rental-ended", number=SECOND, at=MARCH),
        fact("rental-suspended", number=NUMBER, at=APRIL),
    )


def test_once_one_renewal_waits_the_next_ones_wait_behind_it() -> None:
    # did.us at 1.50 could be paid with the 1.90 that are left, but nothing overtakes.
    story = given(*joined(NEW_YEAR, "11.50"), order(), order(SECOND, "did.us"))
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("rental-suspended", number=NUMBER, owed="3.10"),
        fact("rental-suspended", number=SECOND, owed="1.50"),
    ).balance("1.90")


def test_a_new_period_replaces_the_unpaid_one_of_a_suspended_number() -> None:
    story = given(*POOR, FEBRUARY, tick(), rules=PATIENT)
    story.when(MARCH, tick()).then(fact("rental-suspended", period=(MARCH, APRIL), owed="3.10"))
    story.when("2026-03-15 12:00", deposit("3.00", "lp-2")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10", period=(MARCH, APRIL)),
        fact("included-units-granted", period=(MARCH, APRIL)),
        fact("rental-resumed"),
    ).balance("0.80")


def test_a_suspended_number_is_resumed_at_a_boundary_at_which_its_new_period_can_be_paid() -> None:
    # 0.90 + 2.00 do not pay February at 3.10; a tariff that costs 2.00 from March on does let March be paid.
    cheaper = {
        "tariff": "telnexx-usd-cheap",
        "regulations": "telnexx",
        "currency": "USD",
        "effective_from": "2026-03-01T00:00:00+02:00",
        "tax": None,
        "plans": {
            "start": {"connection_fee": "5.00", "periodic": {"did.ua": "2.00"}, "usage": {}, "administrative": {}}
        },
    }
    history = (*POOR, FEBRUARY, tick(), deposit("2.00", "lp-2"))
    given(*history, rules=PATIENT, tariffs=(cheaper,)).when(MARCH, tick()).then(
        fact("periodic-service-charged", amount="2.00", period=(MARCH, APRIL), at=MARCH),
        fact("rental-resumed", at=MARCH),
    ).balance("0.90")


def test_where_service_goes_on_an_unpaid_period_leaves_no_fact() -> None:
    given(*POOR, rules=GOING_ON).when(FEBRUARY, tick()).then(fact("included-units-lapsed")).balance("0.90")


def test_in_a_grace_usage_goes_on_but_what_waits_is_not_available() -> None:
    told = given(*POOR, FEBRUARY, tick(), rules=GOING_ON).when(call(60, ended=False))
    told.then(fact("usage-cut-off")).metered(goes_on=False, charged="0.00")
    given(*POOR, FEBRUARY, tick(), rules=GOING_ON).when(administrative()).refused("insufficient_funds")


def test_what_waits_over_two_boundaries_is_paid_oldest_first() -> None:
    story = given(*POOR, MARCH, tick(), rules=GOING_ON)
    story.when("2026-03-10 12:00", deposit("3.00", "lp-2")).then(
        fact("deposit-credited"), fact("periodic-service-charged", amount="3.10", period=(FEBRUARY, MARCH))
    ).balance("0.80")
    story.when("2026-03-11 12:00", deposit("3.00", "lp-3")).then(
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10", period=(MARCH, APRIL)),
        fact("included-units-granted", period=(MARCH, APRIL)),
    ).balance("0.70")


def test_a_grace_of_seven_days_ends_at_the_first_instant_of_the_ninth_day() -> None:
    story = given(*POOR, rules=GRACE)
    story.when("2026-02-08 23:59:59.999999", tick()).then(fact("included-units-lapsed"))
    story.when("2026-02-09 00:00", tick()).then(
        fact("rental-ended", at="2026-02-09 00:00"),
        fact("agreement-terminated", at="2026-02-09 00:00"),
        fact("refund-due", amount="0.90", at="2026-02-09 00:00"),
    )


def test_a_deposit_on_the_last_day_of_grace_saves_the_number() -> None:
    given(*POOR, rules=GRACE).when("2026-02-08 23:59:59.999999", deposit("3.00", "lp-2")).then(
        fact("included-units-lapsed"),
        fact("deposit-credited"),
        fact("periodic-service-charged", amount="3.10"),
        fact("included-units-granted"),
    )


def test_a_deposit_when_the_grace_is_over_does_not() -> None:
    given(*POOR, rules=GRACE).when("2026-02-09 00:00", deposit("3.00", "lp-2")).then(
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="0.90"),
        fact("deposit-credited"),
        fact("refund-due", amount="3.00"),
    )


def test_a_grace_counted_in_days_may_date_the_end_at_the_periods_start() -> None:
    rules = {**GRACE, "unpaid_end_counts_from": "period_start"}
    given(*POOR, rules=rules).when("2026-02-09 00:00", tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended", at=FEBRUARY),
        fact("agreement-terminated", at=FEBRUARY),
        fact("refund-due", at="2026-02-09 00:00"),
    )


def test_a_grace_of_days_keeps_the_agreement_while_an_order_waits() -> None:
    given(*POOR, order(SECOND), rules=GRACE).when("2026-02-09 00:00", tick()).then(
        fact("included-units-lapsed"), fact("rental-ended")
    )


def test_without_patience_the_number_ends_at_the_boundary() -> None:
    given(*POOR, rules=STRICT).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended", at=FEBRUARY),
        fact("agreement-terminated", at=FEBRUARY),
        fact("refund-due", amount="0.90"),
    )


def test_without_patience_the_next_number_is_tried_after_the_first_has_ended() -> None:
    # 1.90 do not pay 3.10, and do pay 1.50.
    given(*joined(NEW_YEAR, "11.50"), order(), order(SECOND, "did.us"), rules=STRICT).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("rental-ended", number=NUMBER),
        fact("periodic-service-charged", number=SECOND, amount="1.50"),
        fact("included-units-granted", number=SECOND),
    ).balance("0.40")


def test_without_patience_an_order_that_waits_lets_no_renewal_overtake_it() -> None:
    # 11.50 − 5.00 − 3.10 − 1.50 = 1.90 pay neither the order that waits nor anything behind it.
    history = (*joined(NEW_YEAR, "11.50"), order(), order(SECOND, "did.us"), order(THIRD))
    given(*history, rules=STRICT).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("rental-ended", number=NUMBER),
        fact("rental-ended", number=SECOND),
    ).balance("1.90")


def test_channels_can_be_added_in_a_grace_and_the_waiting_price_stays() -> None:
    # 0.90 + 2.00 = 2.90 do not pay the 3.10 that wait; 3.10 are reserved, so that a channel has no money either.
    history = (*POOR, FEBRUARY, tick(), deposit("2.00", "lp-2"))
    given(*history, rules=GOING_ON).when(channels(1)).refused("insufficient_funds")


def test_nobody_is_suspended_who_never_rented() -> None:
    given(NOON, register()).when(APRIL, tick()).then()
