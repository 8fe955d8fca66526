"""Joining: who may register, when the agreement is concluded, and what becomes of orders that nobody funds."""

import pytest

from domain.commands import Request
from tests.domain.controls import (
    NOON,
    NUMBER,
    SECOND,
    administrative,
    call,
    cancel,
    channels,
    charge_back,
    deposit,
    erase,
    joined,
    order,
    paid_out,
    plan_change,
    refuse,
    register,
    release,
    renting,
    replace_number,
    suspend,
    tick,
    verify,
)
from tests.domain.given import fact, given, telnexx_tariff


def test_a_person_joins_under_the_regulations_version_in_force() -> None:
    given().when(NOON, register()).then(
        fact(
            "subscriber-registered",
            id="s-1/1",
            at=NOON,
            basis="telnexx/registration",
            regulations="telnexx",
            version="1",
            currency="USD",
            plan="start",
            autorenew=True,
            first_account=True,
            time_zone="Europe/Kyiv",
        )
    )


def test_where_registration_concludes_the_agreement_it_does_so_at_once() -> None:
    given(under="hexaserv").when(NOON, register("hexaserv", plan="standard")).then(
        fact("subscriber-registered", time_zone="Europe/Podgorica"),
        fact("agreement-concluded", basis="subledger/conclusion"),
    )


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (register("nobody"), "unknown_regulations"),
        (register(currency="UAH"), "currency_not_accepted"),
        (register(plan="gold"), "unknown_plan"),
        (register(currency="EUR", plan="business"), "unknown_plan"),
    ],
    ids=["no such regulations", "a currency that is not accepted", "no such plan", "a plan of another currency"],
)
def test_a_registration_needs_known_regulations_an_accepted_currency_and_a_plan(request_: Request, code: str) -> None:
    given().when(NOON, request_).refused(code, command="RegisterSubscriber")


def test_regulations_hold_from_their_first_instant_and_not_a_moment_sooner() -> None:
    given().when("2023-12-31 23:59:59.999999", register()).refused("unknown_regulations")
    given().when("2024-01-01 00:00", register()).then(fact("subscriber-registered"))


def test_a_person_joins_only_once() -> None:
    given(NOON, register()).when(register()).refused("already_registered")
    given(NOON, register(), refuse()).when(register()).refused("already_registered")


def test_a_person_whose_first_attempt_was_refused_may_still_join() -> None:
    story = given(NOON)
    story.tell(register(plan="gold"))
    story.when(register()).then(fact("subscriber-registered", id="s-1/2"))


def test_whoever_is_not_registered_is_told_so_and_it_is_on_record() -> None:
    given().when(NOON, deposit()).refused("unknown_subscriber", basis="subledger/unknown-subscriber")


def test_the_clock_of_a_stranger_records_nothing() -> None:
    given().when(NOON, tick()).refused_without_a_fact("unknown_subscriber")


def test_the_first_deposit_after_verification_concludes_the_agreement() -> None:
    given(NOON, register(), verify()).when(deposit("10.00")).then(
        fact("deposit-credited", amount="10.00"), fact("agreement-concluded", basis="telnexx/conclusion")
    )


def test_verification_after_a_deposit_concludes_the_agreement_and_pays_what_waits() -> None:
    given(NOON, register(), deposit("10.00"), order()).when(verify()).then(
        fact("verification-passed"),
        fact("agreement-concluded"),
        fact("connection-fee-charged", amount="5.00"),
        fact("periodic-service-charged", amount="2.70"),
        fact("included-units-granted", units=60),
        fact("number-rented"),
    ).balance("2.30")


def test_verification_alone_concludes_nothing() -> None:
    given(NOON, register()).when(verify()).then(fact("verification-passed"))


def test_a_second_verification_changes_nothing() -> None:
    given(*joined()).when(verify()).then()


def test_an_order_before_verification_waits() -> None:
    given(NOON, register(), deposit()).when(order()).then(fact("order-placed", basis="telnexx/fifo")).balance("50.00")


@pytest.mark.parametrize("request_", [plan_change(), administrative(), channels(1), replace_number(), call(60)])
def test_before_the_conclusion_nothing_is_sold_at_once(request_: Request) -> None:
    given(NOON, register(), deposit(), order()).when(request_).refused("not_verified", basis="telnexx/conclusion")


def test_an_unfunded_order_is_cancelled_after_thirty_six_hours() -> None:
    history = (NOON, register(), verify(), order(), order(SECOND))
    given(*history).when("2026-01-07 00:00:01", tick()).then(
        fact("order-cancelled", number=NUMBER, at="2026-01-07 00:00", basis="telnexx/funding-36h"),
        fact("order-cancelled", number=SECOND, at="2026-01-07 00:00"),
    )


def test_a_deposit_in_the_last_instant_of_the_funding_time_still_counts() -> None:
    given(NOON, register(), verify(), order()).when("2026-01-07 00:00", deposit()).then(
        fact("deposit-credited"),
        fact("agreement-concluded"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="2.50"),
        fact("included-units-granted"),
        fact("number-rented"),
    )


def test_one_microsecond_after_the_funding_time_the_order_is_gone() -> None:
    given(NOON, register(), verify(), order()).when("2026-01-07 00:00:00.000001", deposit()).then(
        fact("order-cancelled", at="2026-01-07 00:00"), fact("deposit-credited"), fact("agreement-concluded")
    )


def test_an_order_placed_after_the_funding_time_has_thirty_six_hours_of_its_own() -> None:
    story = given(NOON, register(), verify(), "2026-01-10 12:00", order())
    story.when("2026-01-12 00:00", tick()).then()
    story.when("2026-01-12 00:00:01", tick()).then(fact("order-cancelled", at="2026-01-12 00:00"))


def test_an_order_exactly_at_the_end_of_the_funding_time_falls_under_the_first_window() -> None:
    given(NOON, register(), verify(), "2026-01-07 00:00", order()).when("2026-01-07 00:00:01", tick()).then(
        fact("order-cancelled", at="2026-01-07 00:00")
    )


def test_whoever_paid_once_is_never_cancelled_for_want_of_funds_even_if_the_deposit_was_charged_back() -> None:
    given(NOON, register(), verify(), deposit(), charge_back(), order()).when("2026-01-20 12:00", tick()).then()


def test_without_funding_hours_an_order_waits_for_ever() -> None:
    given(NOON, register(), verify(), order(), rules={"funding_hours": None}).when("2026-06-01 12:00", tick()).then()


def test_a_refused_person_loses_the_waiting_orders_and_gets_the_money_back() -> None:
    given(NOON, register(), deposit("10.005"), order()).when(refuse()).then(
        fact("registration-refused", basis="telnexx/refusal"),
        fact("order-cancelled", number=NUMBER),
        fact("refund-due", amount="10.00", refund="s-1/6"),
    ).balance("0.005")


def test_a_refused_person_without_money_is_just_refused() -> None:
    given(NOON, register()).when(refuse()).then(fact("registration-refused"))


@pytest.mark.parametrize("request_", [order(), verify(), suspend(), cancel(), release(), charge_back(), refuse()])
def test_after_a_refused_registration_nothing_is_sold(request_: Request) -> None:
    given(NOON, register(), refuse()).when(request_).refused("registration_refused", basis="telnexx/refusal")


def test_what_a_refused_person_still_pays_in_is_due_back() -> None:
    given(NOON, register(), refuse()).when(deposit("3.00")).then(
        fact("deposit-credited"), fact("refund-due", amount="3.00")
    ).balance("0.00")


def test_a_refused_persons_refund_is_paid_out_and_the_data_erased() -> None:
    story = given(NOON, register(), deposit("10.00"), refuse())
    story.when(paid_out("s-1/4")).then(fact("refund-paid", amount="10.00", paid="10.00"))
    story.when(erase()).then(fact("personal-data-erased"))
    story.when("2027-01-01 12:00", tick()).then()


def test_a_registration_cannot_be_refused_once_a_number_was_rented() -> None:
    given(*renting()).when(refuse()).refused("registration_final")
    ended = given(*renting(autorenew=False), order(SECOND), "2026-02-02 12:00", release(SECOND))
    ended.when("2026-02-02 13:00", refuse()).refused("registration_final")


def test_the_smallest_coin_that_is_left_of_a_refused_registration_is_due_back() -> None:
    # 0.00000200 less a service of 0.00000100 and 99 % tax on it: a hundred-millionth is left.
    plan = {"connection_fee": "0", "periodic": {}, "usage": {}, "administrative": {"documents": "0.000001"}}
    tariff = telnexx_tariff(plan, {"name": "VAT", "rate": "0.99"}, "BTC")
    story = given(
        *(*joined(amount=None, currency="BTC"), deposit("0.000002", currency="BTC"), administrative()),
        rules={"currencies": ["BTC"]},
        tariffs=(tariff,),
    )
    story.when(refuse()).then(fact("registration-refused"), fact("refund-due", amount="0.00000001"))
