"""The end: who may give notice, when it takes effect, and what becomes of the money."""

import pytest

from domain.commands import Request
from tests.domain.controls import (
    APRIL,
    FEBRUARY,
    MARCH,
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    adjust,
    administrative,
    autorenew,
    call,
    cancel,
    charge_back,
    deposit,
    joined,
    order,
    plan_change,
    register,
    renting,
    resume,
    suspend,
    terminate,
    tick,
    transfer,
    verify,
    violation,
)
from tests.domain.given import fact, given

AT_ONCE = {"subscriber_termination": "at_once", "company_notice_days": 0, "termination_for_cause": "at_once"}
FORFEIT = {**AT_ONCE, "balance_at_termination_for_cause": "forfeit"}


def test_a_subscribers_notice_ends_the_agreement_with_the_period() -> None:
    story = given(*renting())
    story.when(cancel()).then(
        fact(
            "termination-announced",
            ends_at=FEBRUARY,
            by="subscriber",
            cause="subscriber",
            basis="telnexx/termination-by-subscriber",
        )
    )
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", at=FEBRUARY),
        fact("rental-ended", number=NUMBER, at=FEBRUARY),
        fact("agreement-terminated", at=FEBRUARY, basis="telnexx/termination-by-subscriber"),
        fact("refund-due", amount="42.30", fee="0.00", at=FEBRUARY, basis="telnexx/refund-on-termination"),
    ).balance("0.00")


def test_where_notice_works_at_once_the_end_is_announced_and_comes() -> None:
    given(*renting(), rules=AT_ONCE).when(cancel()).then(
        fact("termination-announced", ends_at=NOON),
        fact("included-units-lapsed", units=60),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="42.30"),
    )


def test_a_running_term_needs_sixty_days_notice() -> None:
    # 5 January and 60 days are 6 March: the end of March.
    given(*renting(periods=6)).when(cancel()).then(
        fact("termination-announced", ends_at=APRIL, basis="telnexx/early-termination-60d")
    )


def test_a_running_term_is_never_prolonged_by_its_notice() -> None:
    given(*renting(periods=2)).when(cancel()).then(fact("termination-announced", ends_at=MARCH))


def test_an_agreement_for_one_period_needs_no_such_notice() -> None:
    given(*renting(periods=1)).when(cancel()).then(fact("termination-announced", ends_at=FEBRUARY))


@pytest.mark.parametrize(
    ("days", "ends_at"),
    # 5 January and 60 days are 6 March: the term ends before. 5 January and 5 days are 10 January: the month's end.
    [({}, MARCH), ({"term_notice_days": 5}, FEBRUARY)],
)
def test_where_notice_works_at_once_a_running_term_still_needs_its_days_unless_it_is_for_one_period(
    days: dict[str, int], ends_at: str
) -> None:
    rules = {**AT_ONCE, **days}
    given(*renting(periods=2), rules=rules).when(cancel()).then(
        fact("termination-announced", ends_at=ends_at, basis="telnexx/early-termination-60d")
    )
    given(*renting(periods=1), rules=rules).when(cancel()).then(
        fact("termination-announced", ends_at=NOON, basis="telnexx/termination-by-subscriber"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="42.30"),
    )


def test_with_several_rentals_the_longest_notice_counts() -> None:
    given(*renting(periods=2), order(SECOND, periods=12)).when(cancel()).then(
        fact("termination-announced", ends_at=APRIL)
    )


def test_where_terms_need_no_notice_they_end_like_everything_else() -> None:
    given(*renting(periods=6), rules={"term_notice_days": None}).when(cancel()).then(
        fact("termination-announced", ends_at=FEBRUARY)
    )


def test_a_second_notice_that_is_no_earlier_is_refused() -> None:
    given(*renting(), cancel()).when(cancel()).refused("termination_already_announced")
    given(*renting(), cancel()).when(terminate()).refused("termination_already_announced")
    given(*renting(), cancel()).when(terminate("violation")).refused(
        "termination_already_announced", message="the agreement ends at 2026-02-01T00:00:00+02:00 already"
    )


def test_an_earlier_end_replaces_a_later_one() -> None:
    given(*renting(periods=6), cancel()).when(terminate()).then(fact("termination-announced", ends_at=FEBRUARY))


def test_where_a_ticket_is_asked_for_notice_names_it() -> None:
    story = given(NOON, register("illyvoip", "EUR", "basic"), under="illyvoip")
    story.when(cancel()).refused("ticket_required", basis="illyvoip/cancellation-ticket")
    story.when(cancel("T-1")).then(
        fact("termination-announced", ticket="T-1", basis="illyvoip/cancellation"),
        fact("agreement-terminated"),
        fact("personal-data-erased"),
    )


def test_the_company_gives_fourteen_days_notice_to_the_end_of_a_period() -> None:
    given(*renting()).when(terminate()).then(
        fact("termination-announced", ends_at=FEBRUARY, by="company", cause="notice")
    )
    given(*renting(), "2026-01-17 12:00").when(terminate()).then(fact("termination-announced", ends_at=FEBRUARY))
    given(*renting(), "2026-01-18 00:00").when(terminate()).then(fact("termination-announced", ends_at=MARCH))


def test_without_notice_days_the_company_ends_it_now() -> None:
    given(*renting(), rules=AT_ONCE).when(terminate()).then(
        fact("termination-announced", ends_at=NOON, basis="telnexx/termination-by-company"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated", cause="notice"),
        fact("refund-due", amount="42.30"),
    )


def test_for_cause_services_stop_at_once_and_the_agreement_ends_with_the_period() -> None:
    story = given(*renting())
    story.when(terminate("unlawful_use")).then(
        fact("services-suspended", basis="telnexx/violations"),
        fact("termination-announced", ends_at=FEBRUARY, cause="unlawful_use", by="company"),
    )
    story.when(call(60)).refused("services_suspended")
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated", cause="unlawful_use"),
        fact("refund-due", amount="42.30"),
    )


def test_services_that_are_suspended_already_are_not_suspended_again() -> None:
    given(*renting(), suspend()).when(terminate("violation")).then(fact("termination-announced", cause="violation"))


def test_for_cause_at_once_what_is_left_may_be_forfeited() -> None:
    given(*renting(), rules=FORFEIT).when(terminate("violation")).then(
        fact("termination-announced", ends_at=NOON),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated", cause="violation"),
        fact("balance-forfeited", amount="42.30"),
    ).balance("0.00")


def test_the_rest_of_a_term_may_be_charged_and_leave_a_debt() -> None:
    # Six periods at 3.10, one paid: 5 × 3.10 = 15.50; 10.00 − 7.70 = 2.30 are there.
    given(*renting(amount="10.00", periods=6), rules=FORFEIT).when(
        terminate("violation", charge_remaining_term=True)
    ).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("remaining-term-charged", number=NUMBER, amount="15.50", periods=5, price="3.10"),
    ).balance("-13.20")


def test_the_rest_of_a_term_is_charged_when_an_announced_end_comes() -> None:
    # February is not renewed: five of six periods are unpaid, 5 × 3.10.
    rules = {"balance_at_termination_for_cause": "forfeit"}
    story = given(*renting(amount="10.00", periods=6), terminate("violation", charge_remaining_term=True), rules=rules)
    story.when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended", at=FEBRUARY),
        fact("agreement-terminated", cause="violation", at=FEBRUARY),
        fact("remaining-term-charged", amount="15.50", periods=5, at=FEBRUARY),
    ).balance("-13.20")
    forgiven = given(*renting(amount="10.00", periods=6), terminate("violation"), rules=rules)
    forgiven.when(FEBRUARY, tick()).then(
        *(fact("included-units-lapsed"), fact("rental-ended"), fact("agreement-terminated")),
        fact("balance-forfeited", amount="2.30"),
    )


def test_a_positive_rest_after_the_remaining_term_is_forfeited() -> None:
    given(*renting(periods=3), rules=FORFEIT).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("remaining-term-charged", amount="6.20"),
        fact("balance-forfeited", amount="36.10"),
    ).balance("0.00")


def test_a_remaining_term_costs_todays_price_with_its_channels_and_its_discount() -> None:
    # From 10 January a number costs 4.00 and a channel 2.00, less a tenth: (4.00 + 2 × 2.00) × 0.9 = 7.20 a period,
    # for one more of the two. Paid were 5.00 + 2.70 and two channels: 2 × 1.00 × 27 ÷ 31 = 1.74.
    plan = {"connection_fee": "5.00", "periodic": {"did.ua": "4.00", "channel": "2.00"}, "usage": {}}
    dearer = {
        "tariff": "telnexx-usd-dearer",
        "regulations": "telnexx",
        "currency": "USD",
        "effective_from": "2026-01-10T00:00:00+02:00",
        "tax": None,
        "plans": {"start": {**plan, "administrative": {}, "discount": "0.10"}},
    }
    history = (*renting(periods=2, channels=2), "2026-01-20 12:00")
    given(*history, rules=FORFEIT, tariffs=(dearer,)).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("remaining-term-charged", amount="7.20", periods=1, price="7.20", tariff="telnexx-usd-dearer"),
        fact("balance-forfeited", amount="33.36"),
    ).balance("0.00")


def test_a_term_that_is_over_is_charged_no_more_although_its_last_period_was_never_paid() -> None:
    # January and February are agreed; 0.90 of 9.00 do not pay February, and at the first instant of March it is over.
    rules = {**FORFEIT, "unpaid_ends_after": None}
    history = (*joined(NEW_YEAR, "9.00"), order(periods=2), FEBRUARY, tick())
    given(*history, "2026-02-28 12:00", rules=rules).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("remaining-term-charged", amount="3.10", periods=1),
    ).balance("-2.20")
    given(*history, MARCH, tick(), rules=rules).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("balance-forfeited", amount="0.90"),
    ).balance("0.00")


def test_of_a_balance_whatever_is_positive_is_forfeited() -> None:
    given(*joined(amount="0.000001"), rules=FORFEIT).when(terminate("violation")).then(
        fact("termination-announced"), fact("agreement-terminated"), fact("balance-forfeited", amount="0.000001")
    )
    given(*joined(amount=None), rules=FORFEIT).when(terminate("violation")).then(
        fact("termination-announced"), fact("agreement-terminated")
    )


def test_a_prepaid_term_leaves_nothing_to_charge() -> None:
    given(*renting(periods=3, prepaid=True), rules=FORFEIT).when(
        terminate("violation", charge_remaining_term=True)
    ).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("balance-forfeited", amount="36.10"),
    )


def test_a_remaining_term_is_charged_only_with_forfeiture() -> None:
    given(*renting(periods=6), rules=AT_ONCE).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="42.30"),
    )


def test_at_the_end_everything_else_ends_in_order() -> None:
    history = (*renting(amount="10.00"), order(SECOND), plan_change(), cancel())
    given(*history).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("plan-change-withdrawn"),
        fact("order-cancelled", number=SECOND),
        fact("rental-ended", number=NUMBER),
        fact("agreement-terminated"),
        fact("refund-due", amount="2.30"),
    )


def test_rentals_end_in_the_order_in_which_they_were_ordered() -> None:
    given(*renting(), order(SECOND, "did.us"), cancel()).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed", number=NUMBER),
        fact("included-units-lapsed", number=SECOND),
        fact("rental-ended", number=NUMBER),
        fact("rental-ended", number=SECOND),
        fact("agreement-terminated"),
        fact("refund-due", amount="40.99"),
    )


def test_an_announced_end_comes_before_everything_else_at_its_boundary() -> None:
    # The number would be suspended, and another one not renewed: the announced end takes both.
    history = (*joined(NEW_YEAR, "9.00"), order(), autorenew(False), cancel())
    given(*history).when(FEBRUARY, tick()).then(
        fact("included-units-lapsed"),
        fact("rental-ended", reason="subscriber"),
        fact("agreement-terminated", cause="subscriber"),
        fact("refund-due", amount="0.90"),
    )


def test_what_is_below_a_cent_is_written_off_at_the_end() -> None:
    # 42.30 − 0.0125 = 42.2875
    given(*renting(), call(61 * 60), cancel()).when(FEBRUARY, tick()).then(
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="42.28"),
        fact("remainder-written-off", amount="0.0075"),
    ).balance("0.00")


def test_less_than_a_cent_is_written_off_without_a_refund() -> None:
    given(*joined(amount="0.009"), rules=AT_ONCE).when(cancel()).then(
        fact("termination-announced"),
        fact("agreement-terminated"),
        fact("remainder-written-off", amount="0.009"),
    )


def test_a_settlement_rests_on_the_clause_of_its_end() -> None:
    history = (NOON, register("illyvoip", "EUR", "basic"), deposit(currency="EUR"))
    rules = {"balance_at_termination": "refund", "balance_at_termination_for_cause": "refund"}
    for request, clause in ((cancel("T-1"), "cancellation"), (terminate("violation"), "termination-for-cause")):
        given(*history, rules=rules, under="illyvoip").when(request).then(
            fact("termination-announced"),
            fact("agreement-terminated"),
            fact("refund-due", amount="50.00", basis=f"illyvoip/{clause}"),
            fact("personal-data-erased"),
        )


def test_a_balance_may_be_kept_in_the_account() -> None:
    given(*renting(), rules={**AT_ONCE, "balance_at_termination": "keep"}).when(cancel()).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
    ).balance("42.30")


def test_a_debt_stays() -> None:
    given(*renting(), charge_back(), rules=AT_ONCE).when(cancel()).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
    ).balance("-7.70")


def test_where_the_data_goes_with_the_agreement_it_is_erased_last() -> None:
    given(*joined(), rules={**AT_ONCE, "erase_personal_data_at_end": True}).when(cancel()).then(
        fact("termination-announced"),
        fact("agreement-terminated"),
        fact("refund-due"),
        fact("personal-data-erased"),
    )


def test_an_order_after_an_announced_end_is_accepted_and_ends_with_it() -> None:
    story = given(*renting(), cancel())
    story.when(order(SECOND, "did.us")).then(
        fact("order-placed"), fact("periodic-service-charged"), fact("included-units-granted"), fact("number-rented")
    )


@pytest.mark.parametrize(
    "request_",
    [order(), verify(), administrative(), suspend(), resume(), cancel(), terminate(), transfer(), violation(), call(1)],
)
def test_after_the_end_nothing_is_sold(request_: Request) -> None:
    given(*joined(), terminate(), rules=AT_ONCE).when(request_).refused("agreement_terminated")


def test_after_the_end_time_brings_nothing_more() -> None:
    given(*renting(), terminate(), rules=AT_ONCE).when("2027-06-01 12:00", tick()).then()


def test_a_correction_after_the_end_is_due_back_where_balances_are_refunded() -> None:
    given(*joined(), terminate(), rules=AT_ONCE).when(adjust("3.00")).then(
        fact("adjustment-posted", amount="3.00"), fact("refund-due", amount="3.00")
    )
    kept = {**AT_ONCE, "balance_at_termination": "keep"}
    given(*joined(), terminate(), rules=kept).when(adjust("3.00")).then(fact("adjustment-posted")).balance("53.00")


def test_what_raises_a_debt_after_the_end_pays_nothing_out_and_writes_nothing_off() -> None:
    # 42.30 less 15 minutes, 0.1875, less the 50.00 charged back; the debt is not rounded.
    story = given(*renting(), call(75 * 60), charge_back(), terminate(), rules=AT_ONCE)
    story.when(adjust("3.00")).then(fact("adjustment-posted")).balance("-4.8875")
    story.when(adjust("4.8876")).then(fact("adjustment-posted"), fact("remainder-written-off", amount="0.0001"))


def test_a_violation_is_recorded() -> None:
    given(*renting()).when(violation()).then(
        fact("violation-recorded", kind="spam", unlawful=False, basis="telnexx/violations")
    )


def test_only_kinds_of_the_acceptable_use_policy_are_violations() -> None:
    given(*renting()).when(violation("bad_manners")).refused("unknown_violation_kind")


@pytest.mark.parametrize(("sanction", "name"), [("warning", "warning-issued"), ("suspension", "services-suspended")])
def test_a_sanction_may_come_with_the_violation(sanction: str, name: str) -> None:
    given(*renting()).when(violation(sanction=sanction)).then(fact("violation-recorded"), fact(name))


def test_the_second_violation_ends_the_agreement() -> None:
    given(*renting(), violation()).when(violation()).then(
        fact("violation-recorded"),
        fact("services-suspended"),
        fact("termination-announced", ends_at=FEBRUARY, cause="violation"),
    )


def test_a_sanction_of_a_second_violation_replaces_the_end() -> None:
    given(*renting(), violation()).when(violation(sanction="warning")).then(
        fact("violation-recorded"), fact("warning-issued")
    )


def test_unlawful_use_ends_the_agreement_at_the_first_time() -> None:
    given(*renting()).when(violation(unlawful=True)).then(
        fact("violation-recorded", unlawful=True), fact("services-suspended"), fact("termination-announced")
    )


def test_termination_as_a_sanction_is_a_termination_for_violation() -> None:
    given(*renting(), rules=FORFEIT).when(violation(sanction="termination")).then(
        fact("violation-recorded"),
        fact("termination-announced", cause="violation"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated", cause="violation"),
        fact("balance-forfeited", amount="42.30"),
    )


def test_without_a_limit_violations_only_count() -> None:
    rules = {"violations_until_termination": None}
    given(*renting(), violation(), violation(), rules=rules).when(violation()).then(fact("violation-recorded"))


def test_a_violation_after_an_announced_end_announces_nothing_more() -> None:
    given(*renting(), cancel(), violation()).when(violation()).then(
        fact("violation-recorded"), fact("services-suspended")
    )


def test_suspending_twice_changes_nothing_and_resuming_needs_a_suspension() -> None:
    given(*renting(), suspend()).when(suspend()).then()
    given(*renting(), suspend()).when(resume()).then(fact("services-resumed"))
    given(*renting()).when(resume()).refused("not_suspended")
