"""Orders: what a number costs in the middle of a month, what waits, and what a term means."""

import pytest

from tests.domain.controls import (
    MARCH,
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    THIRD,
    administrative,
    announce,
    autorenew,
    call,
    channels,
    charge_back,
    deposit,
    joined,
    order,
    plan_change,
    release,
    renting,
    replace_number,
    suspend,
    tick,
    transfer,
)
from tests.domain.given import catalogue, fact, given, telnexx_tariff

MARCH_EVE = "2026-02-28 12:00"
FREE_TARIFF = telnexx_tariff(
    {
        "connection_fee": "0.00",
        "periodic": {"did.ua": "0.00", "site": "0.00", "did.us": "1.50"},
        "usage": {},
        "administrative": {},
    }
)


def test_the_first_number_costs_the_connection_fee_and_the_rest_of_the_month() -> None:
    given(*joined()).when(order()).then(
        fact("order-placed", number=NUMBER, service="did.ua", channels=0, autorenew=True),
        fact("connection-fee-charged", amount="5.00", tariff="telnexx-usd-2024", basis="telnexx/administrative"),
        fact(
            "periodic-service-charged",
            amount="2.70",
            period=("2026-01-01 00:00", "2026-02-01 00:00"),
            basis="telnexx/proration",
            calculation={
                "price": "3.10",
                "count": 1,
                "discount": None,
                "days": 27,
                "of": 31,
                "periods": None,
                "rounding": "half_up_minor",
            },
        ),
        fact("included-units-granted", service="voice.in", units=60, basis="telnexx/included-minutes"),
        fact("number-rented", number=NUMBER, channels=0, term_ends_at=None),
    ).balance("42.30")


def test_on_the_first_day_of_a_month_the_whole_price_is_charged() -> None:
    given(*joined(NEW_YEAR)).when(order()).then(
        fact("order-placed"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="3.10", basis="telnexx/periodic-in-advance"),
        fact("included-units-granted"),
        fact("number-rented"),
    ).balance("41.90")


def test_in_the_last_second_of_a_month_one_day_is_charged() -> None:
    given(*renting("2026-01-31 23:59:59")).when(tick()).then().balance("44.90")


def test_a_half_cent_is_rounded_up() -> None:
    # 1.50 × 21 ÷ 28 = 1.125
    given(*renting("2026-02-08 12:00", service="did.us")).when(tick()).then().balance("43.87")


def test_the_second_number_has_no_connection_fee() -> None:
    given(*renting()).when(order(SECOND, "did.us")).then(
        fact("order-placed"),
        fact("periodic-service-charged", amount="1.31"),
        fact("included-units-granted", number=SECOND, units=60),
        fact("number-rented", number=SECOND),
    ).balance("40.99")


def test_number_and_channels_are_rounded_each_for_themselves() -> None:
    given(*renting()).when(order(SECOND, channels=2)).then(
        fact("order-placed"),
        fact("periodic-service-charged", service="did.ua", amount="2.70"),
        fact("periodic-service-charged", service="channel", amount="1.74"),
        fact("included-units-granted"),
        fact("number-rented", channels=2),
    ).balance("37.86")


def test_an_order_waits_until_it_can_be_paid_whole() -> None:
    given(*joined(amount="7.69")).when(order()).then(fact("order-placed")).balance("7.69")
    given(*joined(amount="7.69"), order()).when(deposit("0.01", "lp-2")).then(
        fact("deposit-credited"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented"),
    ).balance("0.00")


def test_the_part_of_the_month_counts_from_the_day_of_payment() -> None:
    given(*joined(amount="1.00"), order()).when("2026-01-20 12:00", deposit("9.00", "lp-2")).then(
        fact("deposit-credited"),
        fact("connection-fee-charged", at="2026-01-20 12:00"),
        fact("periodic-service-charged", amount="1.20"),
        fact("included-units-granted", units=60),
        fact("number-rented", at="2026-01-20 12:00"),
    ).balance("3.80")


def test_nothing_overtakes_in_the_queue() -> None:
    given(*joined(amount="7.00"), order()).when(order(SECOND, "did.us")).then(fact("order-placed")).balance("7.00")


def test_what_is_paid_at_once_leaves_what_waits_its_money() -> None:
    # The waiting order costs 7.70 today, 7.00 are there: nothing is available.
    given(*joined(amount="7.00"), order()).when(administrative()).refused("insufficient_funds")


def test_what_costs_nothing_can_be_paid_with_nothing_but_not_in_debt() -> None:
    start = {**FREE_TARIFF["plans"]["start"], "administrative": {"documents": "2.50", "gift": "0.00"}}
    spent = (*joined(amount="2.50"), administrative())
    tariffs = ({**FREE_TARIFF, "plans": {"start": start}},)
    given(*spent, tariffs=tariffs).when(administrative("gift")).then(
        fact("administrative-service-charged", amount="0.00")
    ).balance("0.00")
    given(*spent, charge_back(), tariffs=tariffs).when(administrative("gift")).refused("insufficient_funds")


def test_what_no_plan_prices_cannot_be_ordered() -> None:
    given(*joined()).when(order(service="did.fr")).refused("unknown_service")
    given(*joined()).when(order(service="channel")).refused("unknown_service")
    given(*joined()).when(order(service="voice.in")).refused("unknown_service")


def test_channels_that_the_plan_does_not_price_cannot_be_ordered_with_a_number() -> None:
    given(*joined(), tariffs=(FREE_TARIFF,)).when(order(channels=1)).refused(
        "unknown_service", message="the plan start has no price for channel here"
    )


def test_a_number_is_rented_once() -> None:
    given(*renting()).when(order()).refused("number_already_rented")
    given(*joined(amount="1.00"), order()).when(order()).refused("number_already_rented")


def test_a_number_that_was_released_may_be_ordered_again() -> None:
    given(*joined(amount="1.00"), order(), release()).when(order()).then(fact("order-placed"))


def test_where_one_free_service_is_allowed_the_second_is_refused() -> None:
    rules = {"one_free_service": True}
    history = (*joined(), order())
    given(*history, rules=rules, tariffs=(FREE_TARIFF,)).when(order("site-1", "site")).refused(
        "free_service_already_held"
    )
    given(*history, rules=rules, tariffs=(FREE_TARIFF,)).when(order(SECOND, "did.us")).then(
        fact("order-placed"), fact("periodic-service-charged", amount="1.31"), fact("number-rented")
    )
    given(*history, tariffs=(FREE_TARIFF,)).when(order("site-1", "site")).then(
        fact("order-placed"), fact("periodic-service-charged", amount="0.00"), fact("number-rented")
    )


def test_a_waiting_free_order_counts_as_the_one_free_service() -> None:
    waiting = (NOON, *joined(amount=None)[1:], order())
    given(*waiting, rules={"one_free_service": True}, tariffs=(FREE_TARIFF,)).when(order(SECOND)).refused(
        "free_service_already_held"
    )


def test_a_term_is_counted_in_periods_the_first_one_included() -> None:
    given(*joined()).when(order(periods=6)).then(
        fact("order-placed", periods=6),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="2.70"),
        fact("included-units-granted"),
        fact("number-rented", term_ends_at="2026-07-01 00:00"),
    )


def test_a_prepaid_term_is_charged_in_one_fact_with_the_first_period_prorated() -> None:
    # 3.10 × (27 ÷ 31 + 2) = 8.90
    given(*joined()).when(order(periods=3, prepaid=True)).then(
        fact("order-placed", prepaid=True),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="8.90", period=("2026-01-01 00:00", "2026-04-01 00:00")),
        fact("included-units-granted", units=60),
        fact("number-rented", term_ends_at="2026-04-01 00:00", prepaid=True),
    ).balance("36.10")


def test_each_prepaid_period_brings_its_included_units_and_no_charge() -> None:
    given(*renting(periods=3, prepaid=True)).when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed", units=60), fact("included-units-granted", units=60)
    ).balance("36.10")


def test_a_prepaid_period_brings_its_included_units_also_where_the_last_ones_were_used_up() -> None:
    given(*renting(periods=3, prepaid=True), call(3600)).when("2026-02-01 00:00", tick()).then(
        fact("included-units-granted", units=60)
    )


def test_a_prepaid_term_that_is_paid_at_a_boundary_brings_its_first_units_once() -> None:
    history = (*joined(NEW_YEAR, "13.00"), order(), order(SECOND, periods=2, prepaid=True), autorenew(False))
    cheaper = {
        **FREE_TARIFF,
        "effective_from": "2026-02-01T00:00:00+02:00",
        "plans": {
            "start": {
                **FREE_TARIFF["plans"]["start"],
                "periodic": {"did.ua": "2.00"},
                "usage": {"voice.in": {"per": "minute", "price": "0.01", "included": 10}},
            }
        },
    }
    # 13.00 − 5.00 − 3.10 = 4.90 do not pay 6.20 on 1 January, and pay 4.00 on 1 February.
    given(*history, tariffs=(cheaper,)).when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("rental-ended", number=NUMBER),
        fact("periodic-service-charged", number=SECOND, amount="4.00"),
        fact("included-units-granted", number=SECOND, units=10),
        fact("number-rented", number=SECOND),
    ).balance("0.90")


def test_a_prepaid_term_includes_in_each_period_what_it_included_when_it_was_paid() -> None:
    # A tariff published at the very instant of the order, after it, counts from that instant.
    story = given(*renting(periods=3, prepaid=True))
    usage = {"voice.in": {"per": "minute", "price": "0.01", "included": 10}}
    plans = {"start": {**FREE_TARIFF["plans"]["start"], "usage": usage}}
    story.known = catalogue(tariffs=({**FREE_TARIFF, "effective_from": "2026-01-05T12:00:00+02:00", "plans": plans},))
    story.when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed", units=60), fact("included-units-granted", units=60)
    )


def test_after_a_prepaid_term_with_autorenew_the_number_is_renewed_month_by_month() -> None:
    story = given(*renting(periods=3, prepaid=True), "2026-03-31 12:00", tick())
    story.when("2026-04-01 00:00", tick()).then(
        fact("included-units-lapsed"),
        fact("periodic-service-charged", amount="3.10", period=("2026-04-01 00:00", "2026-05-01 00:00")),
        fact("included-units-granted"),
    ).balance("33.00")


def test_a_term_without_autorenew_ends_with_its_last_period() -> None:
    story = given(*renting(periods=2, autorenew=False), order(SECOND), MARCH_EVE, tick())
    story.when(MARCH, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("included-units-lapsed", number=SECOND),
        fact("rental-ended", number=NUMBER, at=MARCH, basis="telnexx/autorenew"),
        fact("periodic-service-charged", number=SECOND, amount="3.10"),
        fact("included-units-granted", number=SECOND),
    )


def test_a_released_number_with_a_running_term_stays_until_the_term_is_over() -> None:
    story = given(*renting(periods=2), order(SECOND), release(), MARCH_EVE, tick())
    story.when(MARCH, tick()).then(
        fact("included-units-lapsed"),
        fact("included-units-lapsed"),
        fact("rental-ended", number=NUMBER),
        fact("periodic-service-charged", number=SECOND),
        fact("included-units-granted"),
    )


def test_a_plan_change_does_not_charge_prepaid_periods_again() -> None:
    story = given(*renting(periods=3, prepaid=True), plan_change())
    story.when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed", units=60),
        fact("connection-fee-difference-charged", amount="3.00"),
        fact("plan-changed"),
        fact("included-units-granted", units=60),
    ).balance("33.10")


def test_channels_are_charged_for_the_rest_of_the_month() -> None:
    given(*renting()).when(channels(2)).then(
        fact("periodic-service-charged", service="channel", amount="1.74", basis="telnexx/channels"),
        fact("channels-added", count=2),
    ).balance("40.56")


def test_channels_of_a_prepaid_term_are_charged_for_the_periods_that_remain() -> None:
    # 1.00 × (12 ÷ 31 + 2) = 2.387…
    given(*renting(periods=3, prepaid=True)).when("2026-01-20 12:00", channels(1)).then(
        fact("periodic-service-charged", amount="2.39", period=("2026-01-01 00:00", "2026-04-01 00:00")),
        fact("channels-added"),
    ).balance("33.71")


def test_channels_that_are_added_on_the_first_day_of_a_month_cost_the_whole_price() -> None:
    given(*renting(NEW_YEAR)).when(channels(2)).then(
        fact(
            "periodic-service-charged",
            amount="2.00",
            calculation={
                "price": "1.00",
                "count": 2,
                "discount": None,
                "days": None,
                "of": None,
                "periods": None,
                "rounding": "half_up_minor",
            },
        ),
        fact("channels-added"),
    ).balance("39.90")


def test_channels_of_a_number_whose_prepaid_term_is_over_are_charged_for_this_month_alone() -> None:
    # 12.00 − 5.00 − 5.80 = 1.20 do not pay March, which waits; twenty channels would cost 17.42.
    story = given(
        *(*renting(amount="12.00", periods=2, prepaid=True), "2026-02-05 12:00", tick()),
        rules={"unpaid_renewal": "continue", "unpaid_ends_after": None},
    )
    story.when("2026-03-05 12:00", channels(20)).refused("insufficient_funds", fact("included-units-lapsed"))


def test_channels_in_use_keep_the_last_price_that_they_had() -> None:
    # The tariff from 20 January on has no channels; on the 21st 11 of 31 days are left of 1.00.
    dropped = {**FREE_TARIFF, "effective_from": "2026-01-20T00:00:00+02:00"}
    given(*renting(channels=1), "2026-01-21 12:00", tariffs=(dropped,)).when(channels(1)).then(
        fact("periodic-service-charged", service="channel", amount="0.35", tariff="telnexx-usd-2024"),
        fact("channels-added"),
    )
    given(*renting(), "2026-01-21 12:00", tariffs=(dropped,)).when(channels(1)).refused(
        "unknown_service", message="the plan start has no price for channel here"
    )


def test_added_channels_are_renewed_with_their_number() -> None:
    given(*renting(), channels(2)).when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed"),
        fact("periodic-service-charged", service="did.ua", amount="3.10"),
        fact("periodic-service-charged", service="channel", amount="2.00"),
        fact("included-units-granted"),
    ).balance("35.46")


def test_channels_need_their_money_at_once() -> None:
    given(*renting(amount="7.70")).when(channels(1)).refused("insufficient_funds").balance("0.00")


def test_channels_are_added_to_rented_numbers_only() -> None:
    given(*joined(amount="1.00"), order()).when(channels(1)).refused("unknown_number")
    given(*renting()).when(channels(1, SECOND)).refused("unknown_number")


def test_a_waiting_order_can_be_released_at_once_and_frees_what_waits_behind_it() -> None:
    # 7.00 do not pay 7.70; without the first order 5.00 + 1.31 can be paid.
    given(*joined(amount="7.00"), order(), order(SECOND, "did.us")).when(release()).then(
        fact("order-cancelled", number=NUMBER),
        fact("connection-fee-charged", number=SECOND),
        fact("periodic-service-charged", number=SECOND, amount="1.31"),
        fact("included-units-granted"),
        fact("number-rented", number=SECOND),
    ).balance("0.69")


def test_a_released_number_is_not_renewed() -> None:
    given(*renting()).when(release()).then(fact("autorenew-set", autorenew=False, basis="telnexx/autorenew"))
    given(*renting()).when(release(SECOND)).refused("unknown_number")


def test_autorenew_is_set_on_a_rental_and_on_a_waiting_order() -> None:
    given(*renting()).when(autorenew(False)).then(fact("autorenew-set", autorenew=False))
    story = given(*joined(amount="1.00"), order())
    story.when(autorenew(False)).then(fact("autorenew-set"))
    story.when(autorenew(False)).then()
    story.when(deposit("6.70", "lp-2")).then(
        fact("deposit-credited"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented", autorenew=False),
    )
    given(*renting()).when(autorenew(False, SECOND)).refused("unknown_number")


def test_setting_autorenew_to_what_it_is_changes_nothing() -> None:
    given(*renting()).when(autorenew(True)).then()
    given(*renting(), release()).when(release()).then()


def test_an_order_takes_the_subscribers_autorenew_unless_it_says_otherwise() -> None:
    given(*joined(autorenew=False)).when(order()).then(
        fact("order-placed", autorenew=False),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented", autorenew=False),
    )
    given(*joined(amount="1.00", autorenew=False)).when(order(autorenew=True)).then(
        fact("order-placed", autorenew=True)
    )


@pytest.mark.parametrize("request_", [order(SECOND), channels(1), replace_number(), administrative(), plan_change()])
def test_while_services_are_suspended_nothing_is_sold(request_: object) -> None:
    given(*renting(), suspend()).when(request_).refused("services_suspended")  # type: ignore[arg-type]


def test_while_services_are_suspended_the_queue_is_still_paid() -> None:
    given(*joined(amount="1.00"), order(), suspend()).when(deposit("6.70", "lp-2")).then(
        fact("deposit-credited"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented"),
    )


def test_what_only_concerns_the_agreement_is_possible_while_services_are_suspended() -> None:
    given(*renting(), suspend()).when(transfer()).then(fact("agreement-transferred"))
    given(*renting(), suspend()).when(announce("2026-02-01")).then(fact("number-replacement-announced"))


def test_administrative_services_are_paid_by_instance() -> None:
    given(*joined()).when(administrative(quantity=3)).then(
        fact(
            "administrative-service-charged",
            service="documents",
            quantity=3,
            amount="7.50",
            basis="telnexx/administrative",
        )
    ).balance("42.50")
    given(*joined()).when(administrative("flowers")).refused("unknown_service")


def test_a_service_in_use_that_a_new_tariff_drops_keeps_its_last_price() -> None:
    dropped = {
        **FREE_TARIFF,
        "effective_from": "2026-01-20T00:00:00+02:00",
        "plans": {"start": {**FREE_TARIFF["plans"]["start"], "periodic": {"did.us": "9.00"}}},
    }
    given(*renting(), tariffs=(dropped,)).when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed"), fact("periodic-service-charged", amount="3.10")
    )
    given(*renting(), "2026-01-21 12:00", tariffs=(dropped,)).when(order(THIRD)).refused("unknown_service")


def test_what_was_ordered_under_a_plan_that_is_left_keeps_its_price_there_discount_and_all() -> None:
    # 3.10 and 1.50 less a tenth: 2.79 and 1.35; the new plan has no site.
    start = {"connection_fee": "5.00", "periodic": {"did.ua": "3.10", "site": "1.50"}, "usage": {}}
    other = {"connection_fee": "5.00", "periodic": {"did.ua": "6.20"}, "usage": {}}
    plans = {
        "start": {**start, "administrative": {}, "discount": "0.10"},
        "business": {**other, "administrative": {}},
    }
    story = given(
        *(*joined(NEW_YEAR), order(), plan_change()),
        tariffs=({**FREE_TARIFF, "plans": plans},),
    )
    story.when(order("site-1", "site")).then(
        fact("order-placed"), fact("periodic-service-charged", amount="1.35"), fact("number-rented")
    )
    story.when("2026-02-01 00:00", tick()).then(
        fact("plan-changed"),
        fact("periodic-service-charged", service="did.ua", amount="6.20"),
        fact("periodic-service-charged", service="site", amount="1.35"),
    )


def test_what_a_boundary_frees_nothing_for_is_paid_after_the_plan_has_changed() -> None:
    # 10.00 − 8.10 = 1.90 wait for 3.10. From February on the old plan asks for 1.00, the new one for 1.50.
    common = {"connection_fee": "5.00", "usage": {}, "administrative": {}}
    plans = {
        "start": {**common, "periodic": {"did.ua": "1.00"}},
        "business": {**common, "periodic": {"did.ua": "1.50"}},
    }
    story = given(
        *(*renting(NEW_YEAR, "10.00"), order(SECOND), plan_change()),
        tariffs=({**FREE_TARIFF, "effective_from": "2026-02-01T00:00:00+02:00", "plans": plans},),
    )
    story.when("2026-02-01 00:00", tick()).then(
        fact("included-units-lapsed"),
        fact("plan-changed"),
        fact("periodic-service-charged", number=SECOND, amount="1.50", plan="business"),
        fact("number-rented", number=SECOND),
        fact("rental-suspended", number=NUMBER, owed="1.50"),
    ).balance("0.40")


def test_a_free_service_of_a_plan_that_was_left_is_still_the_one_that_may_be_held() -> None:
    common = {"connection_fee": "0.00", "usage": {}, "administrative": {}}
    plans = {
        "start": {**common, "periodic": {"did.ua": "3.10", "site": "0.00"}},
        "business": {**common, "periodic": {"did.ua": "3.10", "gift": "0.00"}},
    }
    story = given(
        *(*joined(), plan_change(), order("site-1", "site"), "2026-02-02 12:00"),
        rules={"one_free_service": True},
        tariffs=({**FREE_TARIFF, "plans": plans},),
    )
    story.when(order("gift-1", "gift")).refused(
        "free_service_already_held", fact("plan-changed"), fact("periodic-service-charged", service="site")
    )


def test_a_plan_that_was_dropped_keeps_what_it_had_last_and_nothing_from_before() -> None:
    start = FREE_TARIFF["plans"]["start"]
    without_channels = {
        **FREE_TARIFF,
        "effective_from": "2026-01-06T00:00:00+02:00",
        "plans": {"start": {**start, "periodic": {"did.ua": "3.00"}}},
    }
    without_start = {**FREE_TARIFF, "effective_from": "2026-01-07T00:00:00+02:00", "plans": {"other": start}}
    story = given(*joined(), "2026-01-08 12:00", tariffs=(without_channels, without_start))
    story.when(order(channels=1)).refused("unknown_service")
    story.when(order()).then(fact("order-placed"), fact("periodic-service-charged"), fact("number-rented"))
