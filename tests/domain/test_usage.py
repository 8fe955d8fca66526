"""Metering: minutes by cumulative reports, messages by the unit, included units first, never a debt."""

import pytest

from domain.commands import Request
from tests.domain.controls import (
    FEBRUARY,
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    adjust,
    call,
    charge_back,
    deposit,
    joined,
    messages,
    order,
    register,
    renting,
    suspend,
    tick,
)
from tests.domain.given import fact, given, telnexx_tariff

EMPTY = (*renting(amount="7.70"), call(3600, "call-0"))
"""Nothing is left: neither money nor included minutes."""
GRATIS = telnexx_tariff(
    {
        "connection_fee": "0.00",
        "periodic": {"did.ua": "0.00"},
        "usage": {"voice.in": {"per": "minute", "price": "0.00"}},
        "administrative": {"documents": "0.00"},
    }
)


def test_a_call_uses_the_included_minutes_first() -> None:
    given(*renting()).when(call(61)).then(
        fact(
            "usage-charged",
            number=NUMBER,
            usage="call-1",
            minutes=2,
            included=2,
            amount="0.00",
            rate="0.0125",
            ended=True,
            basis="telnexx/basic-per-minute",
        )
    ).metered(goes_on=False, charged="0.00").balance("42.30")


def test_minutes_beyond_the_included_ones_are_charged_exactly() -> None:
    given(*renting()).when(call(75 * 60)).then(fact("usage-charged", minutes=75, included=60, amount="0.1875")).metered(
        goes_on=False, charged="0.1875"
    ).balance("42.1125")


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(1, 1), (59, 1), (60, 1), (61, 2), (119, 2), (120, 2), (121, 3), (0, 0)]
)
def test_an_ended_call_is_rounded_up_to_whole_minutes(seconds: int, minutes: int) -> None:
    given(*renting()).when(call(seconds)).then(fact("usage-charged", minutes=minutes, included=minutes))


@pytest.mark.parametrize(("seconds", "minutes"), [(60, 1), (61, 1), (119, 1), (120, 2)])
def test_a_call_that_goes_on_is_charged_by_the_minutes_that_have_passed(seconds: int, minutes: int) -> None:
    given(*renting()).when(call(seconds, ended=False)).then(fact("usage-charged", minutes=minutes)).metered(
        goes_on=True, charged="0.00"
    )


def test_before_the_first_minute_is_over_nothing_is_recorded() -> None:
    given(*renting()).when(call(59, ended=False)).then().metered(goes_on=True, charged="0.00")


def test_each_report_charges_only_what_was_not_charged_before() -> None:
    story = given(*renting(), call(130, ended=False))
    story.when(call(190, ended=False)).then(fact("usage-charged", minutes=1, ended=False))
    story.when(call(195)).then(fact("usage-charged", minutes=1, ended=True))


def test_the_end_of_a_call_that_cost_nothing_more_is_recorded_with_no_minute() -> None:
    given(*renting(), call(120, ended=False)).when(call(120)).then(
        fact("usage-charged", minutes=0, amount="0.00", ended=True)
    )


def test_a_report_of_less_than_before_changes_nothing() -> None:
    story = given(*renting(), call(180, ended=False))
    story.when(call(60, ended=False)).then().metered(goes_on=True, charged="0.00")
    story.when(call(240, ended=False)).then(fact("usage-charged", minutes=1))


def test_a_late_report_of_less_that_ends_the_call_charges_nothing_more() -> None:
    story = given(*renting(), call(180, ended=False))
    story.when(call(60)).then(fact("usage-charged", minutes=0, ended=True))
    story.when(call(240)).refused("usage_ended")


def test_only_a_report_of_no_less_than_before_rounds_the_last_minute_up() -> None:
    # 130 seconds are two minutes and a begun one, which an end charges, but not one reported for an earlier second.
    given(*renting(), call(130, ended=False)).when(call(130)).then(fact("usage-charged", minutes=1, ended=True))
    given(*renting(), call(130, ended=False)).when(call(129)).then(
        fact("usage-charged", minutes=0, ended=True, elapsed_seconds=130)
    )


def test_a_report_of_less_than_before_cuts_nothing_off() -> None:
    # 0.0125 pay the first minute, 0.0125 the next one until the message has taken them.
    story = given(*EMPTY, deposit("0.0325", "lp-2"), call(60, ended=False), messages(1))
    story.when(call(59, ended=False)).then().metered(goes_on=False, charged="0.00").balance("0.00")


def test_after_its_end_a_call_is_over() -> None:
    given(*renting(), call(60)).when(call(120)).refused("usage_ended")


def test_a_call_is_cut_off_when_not_one_more_minute_can_be_paid() -> None:
    given(*EMPTY).when(call(10, ended=False)).then(
        fact("usage-cut-off", usage="call-1", unpaid_minutes=0, basis="telnexx/basic-per-minute")
    ).metered(goes_on=False, charged="0.00").balance("0.00")


def test_after_the_cut_off_a_call_is_over() -> None:
    given(*EMPTY, call(10, ended=False)).when(call(70)).refused("usage_ended")


def test_minutes_that_cannot_be_paid_are_not_charged() -> None:
    # 0.03 pay two minutes at 0.0125 and leave 0.005.
    given(*EMPTY, deposit("0.03", "lp-2")).when(call(300)).then(
        fact("usage-charged", minutes=2, amount="0.025"), fact("usage-cut-off", unpaid_minutes=3)
    ).metered(goes_on=False, charged="0.025").balance("0.005")


def test_a_call_that_spends_the_last_money_is_told_to_stop() -> None:
    given(*EMPTY, deposit("0.0125", "lp-2")).when(call(60, ended=False)).then(
        fact("usage-charged", minutes=1, amount="0.0125"), fact("usage-cut-off", unpaid_minutes=0)
    ).metered(goes_on=False, charged="0.0125").balance("0.00")


def test_included_minutes_belong_to_the_number_whose_period_was_paid() -> None:
    given(*renting(), order(SECOND), call(3600)).when(call(60, "call-2")).then(
        fact("usage-charged", number=NUMBER, included=0, amount="0.0125")
    )
    given(*renting(), order(SECOND), call(3600)).when(call(60, "call-2", number=SECOND)).then(
        fact("usage-charged", number=SECOND, included=1, amount="0.00")
    )


def test_a_call_over_midnight_of_the_month_uses_the_new_periods_minutes() -> None:
    story = given(*renting(), "2026-01-31 23:59:00", call(0, ended=False))
    story.when("2026-02-01 00:01:00", call(120, ended=False)).then(
        fact("included-units-lapsed", units=60),
        fact("periodic-service-charged"),
        fact("included-units-granted", units=60),
        fact("usage-charged", included=2),
    )


def test_messages_are_charged_by_the_unit() -> None:
    given(*renting()).when(messages(3)).then(
        fact("usage-charged", units=3, minutes=None, included=0, amount="0.06", ended=True)
    ).metered(goes_on=True, charged="0.06").balance("42.24")


def test_the_same_message_is_charged_once() -> None:
    given(*renting(), messages(3)).when(messages(3)).refused("usage_ended")


def test_messages_are_charged_all_or_none() -> None:
    given(*EMPTY, deposit("0.05", "lp-2")).when(messages(3)).refused("insufficient_funds").balance("0.05")
    given(*EMPTY, deposit("0.05", "lp-2")).when(messages(2)).then(fact("usage-charged", amount="0.04")).metered(
        goes_on=False, charged="0.04"
    )


def test_messages_use_the_included_ones_first_and_need_money_for_the_others_only() -> None:
    # 5.00 + 2.70 leave 0.04 of 7.74: two messages beyond the five included, not three.
    usage = {"sms.in": {"per": "unit", "price": "0.02", "included": 5}}
    plan = {"connection_fee": "5.00", "periodic": {"did.ua": "3.10"}, "usage": usage, "administrative": {}}
    including = {**GRATIS, "plans": {"start": plan}}
    history = renting(amount="7.74")
    given(*history, tariffs=(including,)).when(messages(8)).refused("insufficient_funds").balance("0.04")
    given(*history, tariffs=(including,)).when(messages(7)).then(
        fact("usage-charged", units=7, included=5, amount="0.04")
    ).metered(goes_on=False, charged="0.04").balance("0.00")
    given(*history, messages(4), tariffs=(including,)).when(messages(2, "sms-2")).then(
        fact("usage-charged", units=2, included=1, amount="0.02")
    ).balance("0.02")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (call(60, number=SECOND), "unknown_number"),
        (call(60, service="voice.out"), "unknown_service"),
        (call(60, service="did.ua"), "unknown_service"),
        (call(60, service="sms.in"), "unknown_service"),
        (messages(1, service="voice.in"), "unknown_service"),
    ],
    ids=["another number", "no such service", "not a usage service", "minutes of messages", "units of minutes"],
)
def test_usage_names_a_rented_number_and_a_service_in_its_own_measure(request_: Request, code: str) -> None:
    given(*renting()).when(request_).refused(code)


def test_usage_stops_while_the_company_has_suspended_the_services() -> None:
    given(*renting(), suspend()).when(call(60)).refused("services_suspended")


def test_usage_needs_a_paid_period() -> None:
    story = given(*joined(NEW_YEAR, "9.00"), order(), FEBRUARY, tick())
    story.when(messages(1)).refused("period_not_paid")


def test_a_zero_price_is_charged_as_a_fact_without_postings() -> None:
    given(*joined(amount="1.00"), tariffs=(GRATIS,)).when(order()).then(
        fact("order-placed"), fact("periodic-service-charged", amount="0.00", paid_from=()), fact("number-rented")
    ).balance("1.00")
    given(*joined(amount="1.00"), order(), tariffs=(GRATIS,)).when(call(61)).then(
        fact("usage-charged", minutes=2, amount="0.00")
    ).balance("1.00")


def test_what_costs_nothing_can_be_used_without_money_but_not_with_a_debt() -> None:
    gratis = given(*joined(amount="1.00"), order(), adjust("-1.00"), tariffs=(GRATIS,))
    gratis.when(call(60, ended=False)).then(fact("usage-charged", minutes=1, amount="0.00")).metered(
        goes_on=True, charged="0.00"
    )
    in_debt = given(*joined(amount="1.00"), order(), adjust("-1.00"), charge_back(), tariffs=(GRATIS,))
    in_debt.when(call(60, ended=False)).then(fact("usage-cut-off", unpaid_minutes=1)).balance("-1.00")


def test_before_the_conclusion_nothing_can_be_used() -> None:
    given(NOON, register()).when(call(60)).refused("not_verified")
