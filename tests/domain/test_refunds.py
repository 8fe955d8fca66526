"""Money back: by each of the refund rules, and how it is paid out."""

from typing import Any

import pytest

from domain import commands as ask
from domain.facts import ConnectionFeeCharged
from domain.money import parse_decimal
from tests.domain.controls import (
    BELGRADE,
    BERLIN,
    DUTCH,
    GERMAN,
    NEW_YEAR,
    NOON,
    PODGORICA,
    administrative,
    call,
    cancel,
    channels,
    charge_back,
    decide_refund,
    deposit,
    dispute,
    invoiced,
    joined,
    messages,
    millionths,
    moment,
    order,
    paid_out,
    refund,
    register,
    renting,
    resolve,
    terminate,
    tick,
    verify,
    violation,
)
from tests.domain.given import Rules, Step, Story, fact, given, telnexx_tariff

AMERICAN = "+12025550100"
AT_ONCE = {"subscriber_termination": "at_once", "company_notice_days": 0}
UNUSED: dict[str, Any] = {
    "refunds": "unused_deposits",
    "refund_days": 90,
    "non_refundable_methods": ["bank_transfer", "crypto"],
}


def rate(text: str) -> ask.Rate:
    return ask.Rate(parse_decimal(text, 12))


def hexaserv(*history: Step, **rules: object) -> Story:
    """Registered in US dollars with 50.00 by card; in UTC+1 on 5 January."""
    joined_there = (NOON, register("hexaserv", plan="standard"), deposit())
    return given(*joined_there, *history, under="hexaserv", zone=PODGORICA, rules=rules)


def calycom(*history: Step, rules: Rules | None = None) -> Story:
    joined_there = (NOON, register("calycom", "EUR", "vps"), deposit(currency="EUR"))
    return given(*joined_there, *history, rules=rules, under="calycom", zone=BERLIN)


# What is paid out at the end


def test_where_the_balance_is_paid_out_at_the_end_nothing_is_paid_out_on_request() -> None:
    given(*renting()).when(refund()).refused("not_refundable", basis="telnexx/refund-on-termination")
    given(*joined(), cancel(), rules=AT_ONCE).when(refund()).refused("not_refundable")


def test_a_refund_that_is_due_is_confirmed_once() -> None:
    story = given(*joined(), cancel(), rules=AT_ONCE)
    # registered 1, verified 2, deposit 3, concluded 4, announced 5, terminated 6, due 7.
    story.when(paid_out("s-1/7", "bank_transfer")).then(
        fact("refund-paid", refund="s-1/7", amount="50.00", paid="50.00", method="bank_transfer", rate=None)
    )
    story.when(paid_out("s-1/7")).refused("already_paid")


def test_only_a_refund_that_is_due_is_paid() -> None:
    given(*joined()).when(paid_out("s-1/7")).refused("unknown_refund")
    given(*joined()).when(paid_out("s-2/3")).refused("unknown_refund")
    given(*joined()).when(paid_out("nonsense")).refused("unknown_refund")


def test_a_rate_beside_the_accounts_own_currency_changes_nothing() -> None:
    given(*joined(), cancel(), rules=AT_ONCE).when(paid_out("s-1/7", rate=rate("2"))).then(
        fact("refund-paid", amount="50.00", paid="50.00", rate=None)
    )


def test_of_a_deposit_after_the_end_the_smallest_fraction_is_written_off() -> None:
    given(*joined(), cancel(), rules=AT_ONCE).when(deposit("1.000001", "lp-2")).then(
        fact("deposit-credited"), fact("refund-due", amount="1.00"), fact("remainder-written-off", amount="0.000001")
    ).balance("0.00")
    given(*joined(amount="0.000001"), rules=AT_ONCE).when(cancel()).then(
        fact("termination-announced"),
        fact("agreement-terminated"),
        fact("remainder-written-off", amount="0.000001"),
    ).balance("0.00")


# The smallest coin is money too: a period of 0.000001 BTC less a hundredth leaves 0.00000001 of as much


def one_satoshi(*history: Step, method: str = "card", **rules: Any) -> Story:
    plan = {"connection_fee": "0.00", "periodic": {"did.ua": "0.000001"}, "usage": {}, "administrative": {}}
    tariff = telnexx_tariff({**plan, "discount": "0.01"}, currency="BTC")
    joined_there = (NEW_YEAR, register(currency="BTC"), verify(), deposit("0.000001", currency="BTC", method=method))
    return given(
        *(*joined_there, order(), *history), rules={**AT_ONCE, "currencies": ["BTC"], **rules}, tariffs=(tariff,)
    )


def test_one_satoshi_is_paid_out_by_every_refund_rule() -> None:
    # registered 1, verified 2, deposit 3, concluded 4, placed 5, charged 6, rented 7, requested 8.
    ended = (fact("termination-announced"), fact("rental-ended"), fact("agreement-terminated"))
    due = fact("refund-due", amount="0.00000001")
    one_satoshi().when(cancel()).then(*ended, due)
    one_satoshi(**UNUSED).when(refund()).then(fact("refund-requested"), due)
    one_satoshi(refund(), refunds="discretionary").when(decide_refund("s-1/8")).then(fact("refund-approved"), due)
    by_rules = one_satoshi(balance_at_termination="by_refund_rules", refunds="discretionary")
    by_rules.when(cancel()).then(*ended, fact("refund-requested"))


def test_one_satoshi_by_a_method_that_is_not_refunded_is_refused_for_its_method() -> None:
    one_satoshi(method="crypto", **UNUSED).when(refund()).refused("method_not_refundable")


def test_one_satoshi_above_the_debt_comes_back_after_the_end() -> None:
    story = one_satoshi(charge_back(), cancel())
    assert story.balance() == "-0.00000099"
    story.when(deposit("0.000001", "lp-2", currency="BTC")).then(
        fact("deposit-credited"), fact("refund-due", amount="0.00000001")
    )


# What is left of unused deposits


def test_what_is_left_of_young_deposits_comes_back_lot_by_lot() -> None:
    # 50.00 + 20.00 by card; 5 × 2.50 were spent from the first.
    history = (*joined(), deposit("20.00", "lp-2"), administrative(quantity=5))
    given(*history, rules=UNUSED).when("2026-02-05 12:00", refund()).then(
        fact("refund-requested"),
        fact(
            "refund-due",
            refund="s-1/7",
            amount="57.50",
            lines=(
                {"label": "deposit", "basis": None, "account": None, "lot": "s-1/3", "charge": None, "amount": "37.50"},
                {"label": "deposit", "basis": None, "account": None, "lot": "s-1/5", "charge": None, "amount": "20.00"},
            ),
        ),
    ).balance("0.00")


def test_a_deposit_is_young_for_ninety_times_twenty_four_hours() -> None:
    history = (*joined(), administrative())
    # 90 × 24 h from noon of 5 January, over the change to summer time: 13:00 on 5 April.
    given(*history, rules=UNUSED).when("2026-04-05 13:00", refund()).then(
        fact("refund-requested"), fact("refund-due", amount="47.50")
    )
    given(*history, rules=UNUSED).when("2026-04-05 13:00:00.000001", refund()).refused("not_refundable")


def test_a_refund_of_unused_deposits_names_what_was_asked_for() -> None:
    given(*joined(), rules=UNUSED).when(refund(reason="moving", method="card", country="UA")).then(
        fact("refund-requested", reason="moving", method="card", country="UA"),
        fact("refund-due", amount="50.00", method="card"),
    )


def test_the_only_deposit_ever_of_which_nothing_was_spent_comes_back_at_any_age() -> None:
    given(*joined(), rules=UNUSED).when("2027-04-05 12:00", refund()).then(
        fact("refund-requested"), fact("refund-due", amount="50.00")
    )


def test_a_gift_after_something_was_spent_makes_the_only_deposit_no_younger() -> None:
    given(*joined(), administrative(), adjustment("5.00"), rules=UNUSED).when("2027-04-05 12:00", refund()).refused(
        "not_refundable"
    )


def test_the_whole_first_deposit_is_refunded_by_its_method_too() -> None:
    history = (*joined(amount=None), deposit(method="crypto"))
    given(*history, rules=UNUSED).when(refund()).refused("method_not_refundable")


def test_where_only_the_method_stands_in_the_way_that_is_what_is_said() -> None:
    given(*joined(amount=None), deposit(method="bank_transfer"), administrative(), rules=UNUSED).when(refund()).refused(
        "method_not_refundable"
    )


def test_money_that_never_was_paid_in_is_never_paid_out() -> None:
    given(*joined(amount=None), adjustment("5.00"), rules=UNUSED).when(refund()).refused("not_refundable")


def test_a_second_account_or_a_violation_rules_a_refund_out() -> None:
    given(*joined(first_account=False), rules=UNUSED).when(refund()).refused("not_refundable")
    given(*joined(), violation(), rules=UNUSED).when(refund()).refused("not_refundable")


def test_what_was_refunded_is_not_refunded_again() -> None:
    given(*joined(), refund(), rules=UNUSED).when(refund()).refused("not_refundable")


def test_the_last_lot_keeps_the_fraction_below_a_cent() -> None:
    history = (*joined(), deposit("1.005", "lp-2"), administrative())
    given(*history, rules=UNUSED).when(refund()).then(
        fact("refund-requested"), fact("refund-due", amount="48.50")
    ).balance("0.005")


def adjustment(amount: str) -> ask.PostAdjustment:
    return ask.PostAdjustment(amount=millionths(amount), reason=ask.Text("gift"), reviewer=ask.Name("lead-1"))


def test_at_the_end_unused_deposits_come_back_by_the_refund_rule() -> None:
    rules = {**UNUSED, **AT_ONCE, "balance_at_termination": "by_refund_rules"}
    given(*joined(), adjustment("3.00"), rules=rules).when(cancel()).then(
        fact("termination-announced"),
        fact("agreement-terminated"),
        fact("refund-requested"),
        fact("refund-due", amount="50.00"),
    ).balance("3.00")


def test_what_is_taken_back_refills_the_lots_of_the_charge_and_of_its_share_of_the_tax() -> None:
    # By transfer: fee 2.00 and 3.00 of did.de 4.00; by card: 1.00, channel 1.50 and 18 % VAT of it all, 1.35. The month
    # brings 1.00 and VAT 0.72 back to the card, the channel 1.50 and 0.27: 50.00 − 3.85 + 3.49 = 49.64.
    story = given(
        NEW_YEAR,
        register("illyvoip", "EUR", "basic"),
        deposit("5.00", "lp-1", "EUR", "bank_transfer"),
        "2026-01-01 00:01",
        deposit("50.00", "lp-2", "EUR"),
        order(GERMAN, "did.de", channels=1),
        under="illyvoip",
        zone=BELGRADE,
        rules={"pay_with": "balance", "invoice_due_days": None, "unpaid_invoice": None},
    )
    assert story.balance() == "46.15"
    story.when(dispute("s-1/7"), resolve("s-1/11")).balance("50.87")
    story.when(dispute("s-1/8"), resolve("s-1/14")).balance("52.64")
    story.when(refund()).then(fact("refund-requested"), fact("refund-due", amount="49.64")).balance("3.00")


def test_what_is_taken_back_refills_the_lot_received_last_first_whichever_paid_last() -> None:
    # 7.08 invoiced: 5.00 by card, then 2.08 by a transfer that had come in a day before. Back: fee 2.00 and VAT 0.36.
    story = given(
        *invoiced(at=NEW_YEAR),
        order(GERMAN, "did.de"),
        deposit("5.00", "lp-1", "EUR"),
        deposit("2.08", "lp-2", "EUR", "bank_transfer", received_at=moment("2025-12-31 00:00", BELGRADE)),
        under="illyvoip",
        zone=BELGRADE,
    )
    charged = next(one.id for one in story.past.facts if isinstance(one.fact, ConnectionFeeCharged))
    story.when(dispute(charged))
    story.when(resolve(story.past.facts[-1].id)).balance("2.36")
    story.when(refund()).then(fact("refund-requested"), fact("refund-due", amount="2.36")).balance("0.00")


def test_of_money_received_at_one_instant_what_came_first_is_spent_first_also_after_it_came_back() -> None:
    # 7.08: 2.00 by transfer, 5.08 by card; all comes back. Hosting with VAT is 11.80: 2.00 again, and 9.80 by card.
    story = given(
        *invoiced(at=NEW_YEAR),
        deposit("2.00", "lp-1", "EUR", "bank_transfer"),
        deposit("10.00", "lp-2", "EUR"),
        order(GERMAN, "did.de"),
        under="illyvoip",
        zone=BELGRADE,
    )
    story.when(dispute("s-1/7"), resolve("s-1/12")).balance("7.28")
    story.when(dispute("s-1/8"), resolve("s-1/15")).balance("12.00")
    story.when(order("site-1", "hosting")).balance("0.20")
    story.when(refund()).then(fact("refund-requested"), fact("refund-due", amount="0.20")).balance("0.00")


def test_at_the_end_the_fraction_below_a_cent_of_unused_deposits_is_written_off_and_a_gift_is_not() -> None:
    # registered 1, verified 2, deposit 3, concluded 4, gift 5, deposit 6.
    rules = {**UNUSED, **AT_ONCE, "balance_at_termination": "by_refund_rules"}
    given(*joined(), adjustment("3.00"), deposit("1.005", "lp-2"), rules=rules).when(cancel()).then(
        fact("termination-announced"),
        fact("agreement-terminated"),
        fact("refund-requested"),
        fact("refund-due", amount="51.00"),
        fact(
            "remainder-written-off",
            amount="0.005",
            paid_from=({"lot": "s-1/6", "amount": "0.005"},),
            basis="telnexx/refund-on-termination",
        ),
    ).balance("3.00")


def test_at_the_end_nothing_is_said_where_nothing_is_due() -> None:
    rules = {**UNUSED, **AT_ONCE, "balance_at_termination": "by_refund_rules"}
    given(*joined(first_account=False), rules=rules).when(cancel()).then(
        fact("termination-announced"), fact("agreement-terminated")
    ).balance("50.00")


def test_whole_prepaid_periods_of_a_refundable_service_come_back_less_the_connection_fee() -> None:
    # illyvoip hosting, 3 periods from 1 January: 30.00 + 2.00 connection, 18 % VAT = 5.76. At the end in January two
    # whole periods remain: 20.00 less 2.00 = 18.00, without tax. The deposit of 40.00 has 2.24 left.
    story = prepaid_hosting("40.00")
    assert story.balance() == "2.24"
    story.when("2026-01-10 12:00", cancel("T-1")).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("charge-reversed", amount="18.00", tax="0.00", credited="18.00"),
        fact("refund-requested"),
        fact("refund-due", amount="20.24"),
        fact("personal-data-erased"),
    ).balance("0.00")


def prepaid_hosting(amount: str = "100.00") -> Story:
    """Three months of hosting from New Year on, 37.76 of `amount`."""
    return given(
        NEW_YEAR,
        register("illyvoip", "EUR", "basic"),
        deposit(amount, currency="EUR"),
        order("site-1", "hosting", periods=3, prepaid=True),
        under="illyvoip",
        zone=BELGRADE,
    )


@pytest.mark.parametrize(
    ("at", "back"),
    [("2026-01-31 23:59:59", "18.00"), ("2026-02-01 00:00", "18.00"), ("2026-02-01 00:00:01", "8.00")],
)
def test_a_prepaid_period_that_begins_at_the_instant_of_the_end_comes_back_as_a_whole(at: str, back: str) -> None:
    # Two whole periods are 20.00, one is 10.00; 2.00 connection less.
    prepaid_hosting().when(at, cancel("T-1")).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("charge-reversed", amount=back),
        fact("refund-requested"),
        fact("refund-due"),
        fact("personal-data-erased"),
    )


def test_a_month_after_the_prepaid_term_does_not_come_back_even_at_its_first_instant() -> None:
    prepaid_hosting().when("2026-04-01 00:00", cancel("T-1")).then(
        fact("invoice-issued"),
        fact("periodic-service-charged", amount="10.00"),
        fact("tax-charged", amount="1.80"),
        fact("payment-allocated", amount="11.80"),
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-requested"),
        fact("refund-due", amount="50.44"),
        fact("personal-data-erased"),
    )


def test_prepaid_periods_come_back_at_the_price_then_charged_and_less_the_fee_once() -> None:
    # Three periods of mail and of a site, 0.90 and 9.00 with their discount: 2.00 + 2.70 + 27.00 of 50.00 are charged.
    # Two of each come back, 1.80 + 18.00 less 2.00: nothing of the first and 17.80 of the second.
    periodic = {name: {"price": price, "refundable": True} for name, price in (("mail", "1.00"), ("site", "10.00"))}
    plan = {"connection_fee": "2.00", "periodic": periodic, "usage": {}, "administrative": {}, "discount": "0.10"}
    prepaid = {"periods": 3, "prepaid": True}
    history = (*joined(NEW_YEAR), order("mail-1", "mail", **prepaid), order("site-1", "site", **prepaid))
    rules = {**UNUSED, **AT_ONCE, "balance_at_termination": "by_refund_rules", "term_notice_days": None}
    given(*history, rules=rules, tariffs=(telnexx_tariff(plan),)).when("2026-01-10 12:00", cancel()).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("charge-reversed", amount="17.80", tax="0.00"),
        fact("refund-requested"),
        fact("refund-due", amount="36.10"),
    ).balance("0.00")


def test_a_refundable_service_that_is_paid_month_by_month_has_no_whole_period_to_give_back() -> None:
    # 15.00 pay January's 10.00 and not February's, for which service goes on.
    site = {"site": {"price": "10.00", "refundable": True}}
    plan = {"connection_fee": "0.00", "periodic": site, "usage": {}, "administrative": {}}
    going_on = {"unpaid_renewal": "continue", "unpaid_ends_after": None}
    rules = {**UNUSED, **AT_ONCE, **going_on, "balance_at_termination": "by_refund_rules"}
    for day in ("2026-01-10 12:00", "2026-02-10 12:00"):
        story = given(
            *(*joined(NEW_YEAR, "15.00"), order("site-1", "site"), day, tick()),
            rules=rules,
            tariffs=(telnexx_tariff(plan),),
        )
        story.when(cancel()).then(
            fact("termination-announced"),
            fact("rental-ended"),
            fact("agreement-terminated"),
            fact("refund-requested"),
            fact("refund-due", amount="5.00"),
        )


# Money back


def test_within_thirty_days_of_the_first_charge_everything_but_usage_comes_back() -> None:
    # 2.00 × 27 ÷ 31 = 1.74 for the number, 5.00 for resources, two messages at 0.035.
    story = hexaserv(
        order(AMERICAN, "did.us"), administrative("resources"), messages(2, number=AMERICAN, service="sms.out")
    )
    assert story.balance() == "43.19"
    story.when("2026-01-20 12:00", refund(method="card", country="US")).then(
        fact("refund-requested", method="card", country="US", basis="hexaserv/money-back-30d"),
        fact("charge-reversed", amount="1.74"),
        fact("charge-reversed", amount="5.00"),
        fact("rental-ended"),
        fact("agreement-terminated", cause="money_back"),
        fact("refund-due", refund="s-1/9", amount="47.93", fee="2.00"),
        fact("personal-data-erased"),
    ).balance("0.00")


@pytest.mark.parametrize(
    ("method", "country", "fee"),
    [
        ("card", "US", "2.00"),
        ("crypto", "US", "3.00"),
        (None, None, "3.00"),
        ("card", "ME", "0.00"),
        (None, "ME", "0.00"),
    ],
)
def test_the_processing_fee_depends_on_country_and_method(method: str | None, country: str | None, fee: str) -> None:
    told = hexaserv(administrative("resources")).when(refund(method=method, country=country))
    due = next(one.fact for one in told.decision.facts if type(one.fact).__name__ == "RefundDue")
    assert str(due.fee) == fee  # type: ignore[union-attr]


def test_the_last_instant_of_the_thirty_days_counts() -> None:
    history = (administrative("resources"),)
    told = hexaserv(*history).when("2026-02-04 12:00", refund())
    assert told.decision.refusal is None
    hexaserv(*history).when("2026-02-04 12:00:00.000001", refund()).refused(
        "not_refundable", basis="hexaserv/money-back-30d"
    )


def test_before_any_charge_there_is_nothing_to_give_back() -> None:
    hexaserv().when(refund()).refused("not_refundable")


def test_a_third_partys_costs_are_kept_and_stand_as_a_line() -> None:
    # A domain costs 12.00 × 27 ÷ 31 = 10.45 and goes to a registry.
    story = hexaserv(order("example.org", "domain"))
    story.when(refund(method="card")).then(
        fact("refund-requested"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact(
            "refund-due",
            amount="37.55",
            fee="2.00",
            lines=(
                {"label": "balance", "basis": None, "account": None, "lot": None, "charge": None, "amount": "39.55"},
                {
                    "label": "processing fee",
                    "basis": None,
                    "account": None,
                    "lot": None,
                    "charge": None,
                    "amount": "-2.00",
                },
                {
                    "label": "third party: domain",
                    "basis": "hexaserv/domain-deduction",
                    "account": None,
                    "lot": None,
                    "charge": "s-1/5",
                    "amount": "10.45",
                },
            ),
        ),
        fact("personal-data-erased"),
    )


def test_added_channels_that_a_third_party_was_paid_for_are_kept_too() -> None:
    # 2.00 × 27 ÷ 31 = 1.74 for the number and as much for two channels: 46.52 are left, 1.74 come back, 2.00 are kept.
    lines = {"price": "1.00", "refundable": True, "third_party": True}
    plan = {"connection_fee": "0.00", "periodic": {"did.us": "2.00", "channel": lines}, "usage": {}}
    tariff = {
        "tariff": "hexaserv-lines",
        "regulations": "hexaserv",
        "currency": "USD",
        "effective_from": "2025-01-01T00:00:00+01:00",
        "tax": None,
        "plans": {"standard": {**plan, "administrative": {}}},
    }
    story = given(
        *(NOON, register("hexaserv", plan="standard"), deposit(), order(AMERICAN, "did.us")),
        under="hexaserv",
        zone=PODGORICA,
        tariffs=(tariff,),
    )
    story.when(channels(2, AMERICAN)).then(
        fact("periodic-service-charged", amount="1.74", refundable=True, third_party=True), fact("channels-added")
    )
    story.when(refund(method="card")).then(
        fact("refund-requested"),
        fact("charge-reversed", charge="s-1/5", amount="1.74"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="46.26", fee="2.00"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_the_fee_is_at_most_the_balance() -> None:
    # On the last day of January: 1.00 − 2.00 ÷ 31 − 0.035 = 0.905; the 0.06 come back, 0.965 are less than the fee.
    story = given(
        "2026-01-31 12:00",
        register("hexaserv", plan="standard"),
        deposit("1.00"),
        order(AMERICAN, "did.us"),
        messages(1, number=AMERICAN, service="sms.out"),
        under="hexaserv",
        zone=PODGORICA,
    )
    assert story.balance() == "0.905"
    story.when(refund(method="card")).then(
        fact("refund-requested"),
        fact("charge-reversed", amount="0.06"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="0.00", fee="0.965"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_money_back_may_follow_an_ordinary_end_within_its_days() -> None:
    story = hexaserv(administrative("resources"), cancel())
    story.when(refund(method="card", country="ME")).then(
        fact("refund-requested"), fact("charge-reversed", amount="5.00"), fact("refund-due", amount="50.00")
    )


def test_money_back_may_follow_an_end_that_has_paid_the_balance_out() -> None:
    story = hexaserv(administrative("resources"), cancel(), balance_at_termination="refund")
    story.when(refund(method="card", country="US")).then(
        fact("refund-requested"), fact("charge-reversed", amount="5.00"), fact("refund-due", amount="3.00", fee="2.00")
    )
    story.when(refund(method="card", country="US")).refused("not_refundable")


def test_money_back_takes_no_charge_back_that_stands_on_an_invoice_that_expired() -> None:
    # January's invoice is withdrawn; February's, 2.00 + 4.00 and 18 % of both, is paid.
    money_back = {"refunds": "money_back", "refund_days": 30}
    history = (*invoiced(), order(GERMAN, "did.de"), "2026-02-01 00:00", deposit("7.08", currency="EUR"))
    story = given(*history, rules=money_back, under="illyvoip", zone=BELGRADE)
    story.when("2026-02-02 12:00", refund()).then(
        fact("refund-requested"),
        fact("charge-reversed", amount="2.00", tax="0.36"),
        fact("charge-reversed", amount="4.00", tax="0.72"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-due", amount="7.08"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_after_an_end_for_a_violation_nothing_comes_back() -> None:
    hexaserv(administrative("resources"), terminate("violation")).when(refund()).refused(
        "not_refundable", basis="hexaserv/no-refund-for-cause"
    )


# By discretion


def test_a_refund_by_discretion_waits_for_a_reviewer() -> None:
    story = calycom()
    story.when(refund()).then(fact("refund-requested", basis="calycom/discretionary-refund")).balance("50.00")
    story.when(decide_refund("s-1/4")).then(
        fact("refund-approved", refund="s-1/4", reviewer="lead-1"), fact("refund-due", refund="s-1/4", amount="50.00")
    ).balance("0.00")
    story.when(decide_refund("s-1/4", False)).refused("already_decided")


def test_a_reviewer_may_decline() -> None:
    story = calycom(refund())
    story.when(paid_out("s-1/4", "crypto")).refused("unknown_refund")
    story.when(decide_refund("s-1/4", False)).then(fact("refund-denied")).balance("50.00")
    story.when(decide_refund("s-1/4")).refused("already_decided")
    story.when(paid_out("s-1/4", "crypto")).refused("unknown_refund")


def test_what_a_reviewer_grants_is_due_if_anything_is_left_of_it() -> None:
    # 50.00 are charged back between the request and the decision.
    story = calycom(refund(), charge_back())
    story.when(decide_refund("s-1/4")).then(fact("refund-approved")).balance("0.00")
    story.when(paid_out("s-1/4", "crypto")).refused("unknown_refund")


def test_only_what_was_requested_is_decided() -> None:
    calycom().when(decide_refund("s-1/3")).refused("unknown_refund")


def test_after_a_violation_no_refund_can_be_asked_for_and_one_asked_for_before_may_be_granted() -> None:
    calycom(violation()).when(refund()).refused("not_refundable", basis="calycom/discretionary-refund")
    calycom(refund(), violation()).when(decide_refund("s-1/4")).then(fact("refund-approved"), fact("refund-due"))


def test_a_list_without_a_currency_lets_no_refund_be_paid() -> None:
    story = calycom(refund(), decide_refund("s-1/4"), rules={"refund_currencies": []})
    story.when(paid_out("s-1/4")).refused("method_not_refundable", basis="calycom/refund-in-crypto")


def test_a_payout_in_another_currency_names_its_rate_and_is_rounded_down() -> None:
    # 50.00 × 0.0000123456 = 0.00061728 BTC exactly; at …4567 the rest below a satoshi is dropped.
    story = calycom(refund(), decide_refund("s-1/4"))
    story.when(paid_out("s-1/4", "crypto", currency="BTC")).refused("rate_required")
    story.when(paid_out("s-1/4", "crypto", currency="BTC", rate=rate("0.00001234567"))).then(
        fact("refund-paid", amount="50.00", paid="0.00061728", rate="0.00001234567")
    )


def test_a_large_payout_in_a_coin_is_exact_to_its_last_decimal() -> None:
    # 12,345.67 × 0.600000000007 = 7,407.402 + 0.00000008641969.
    history = (NOON, register("calycom", "EUR", "vps"), deposit("12345.67", currency="EUR"), refund())
    story = given(*history, decide_refund("s-1/4"), under="calycom", zone=BERLIN)
    story.when(paid_out("s-1/4", "crypto", currency="XMR", rate=rate("0.600000000007"))).then(
        fact("refund-paid", amount="12345.67", paid="7407.402000086419")
    )


def test_a_payout_is_no_larger_than_databases_can_count() -> None:
    """A rate with a few zeros too many: 50.00 × 2,000.000000000001 are 100,000.00000000005 coins."""
    story = calycom(refund(), decide_refund("s-1/4"))
    story.when(paid_out("s-1/4", "crypto", currency="XMR", rate=rate("2000.000000000001"))).refused(
        "amount_too_large", message="an amount is at most 100000.000000000000 XMR, found 100000.000000000050"
    )
    story.when(paid_out("s-1/4", "crypto", currency="XMR", rate=rate("2000"))).then(
        fact("refund-paid", paid="100000.000000000000")
    )


def test_a_rate_may_be_a_whole_number() -> None:
    story = calycom(refund(), decide_refund("s-1/4"))
    story.when(paid_out("s-1/4", "crypto", currency="XMR", rate=rate("2"))).then(
        fact("refund-paid", paid="100.000000000000", rate="2")
    )


def test_a_payout_needs_a_currency_that_refunds_are_paid_in() -> None:
    story = calycom(refund(), decide_refund("s-1/4"))
    story.when(paid_out("s-1/4", "card", currency="USD", rate=rate("1.1"))).refused(
        "method_not_refundable", basis="calycom/refund-in-crypto"
    )
    story.when(paid_out("s-1/4", "card")).refused("method_not_refundable")


def test_a_debt_leaves_nothing_to_refund() -> None:
    calycom(order(DUTCH, "did.nl"), refund(), charge_back()).when(decide_refund("s-1/10")).refused("unknown_refund")
    given(*renting(), charge_back(), rules=UNUSED).when(refund()).refused("not_refundable")
    given(*renting(), call(60), rules=UNUSED).when(refund()).then(
        fact("refund-requested"), fact("refund-due", amount="42.30")
    )


# Every refund rule at the end of an agreement that is settled by it


def test_at_the_end_the_money_back_rule_gives_back_what_it_would_on_request() -> None:
    # Connection 5.00 and number 2.70 come back to the 42.30; without a table of fees none is kept.
    rules = {**AT_ONCE, "balance_at_termination": "by_refund_rules", "refunds": "money_back", "refund_days": 30}
    given(*renting(), rules=rules).when(cancel()).then(
        fact("termination-announced"),
        fact("included-units-lapsed"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-requested"),
        fact("charge-reversed", amount="5.00"),
        fact("charge-reversed", amount="2.70"),
        fact("refund-due", amount="50.00"),
    ).balance("0.00").when(refund()).refused("not_refundable")


def test_what_comes_back_at_the_end_pays_what_is_still_owed_first() -> None:
    # February's 4.00 and 10.00 are open; 4.00 of each month come back, the domain's costs do not: 6.00 stay owed.
    plan = {"connection_fee": "0.00", "periodic": {"did.de": "4.00", "domain": {"price": "10.00", "third_party": True}}}
    document = {
        "tariff": "illyvoip-domains",
        "regulations": "illyvoip",
        "currency": "EUR",
        "effective_from": "2025-01-01T00:00:00+01:00",
        "tax": None,
        "plans": {"basic": {**plan, "usage": {}, "administrative": {}}},
    }
    story = given(
        *(*invoiced(NEW_YEAR), deposit("14.00", currency="EUR"), order(GERMAN, "did.de"), order("a.example", "domain")),
        *("2026-02-02 12:00", tick()),
        rules={"refunds": "money_back", "refund_days": 40},
        under="illyvoip",
        zone=BELGRADE,
        tariffs=(document,),
    )
    story.when(cancel("t-1")).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("refund-requested"),
        fact("charge-reversed", amount="4.00", credited="4.00"),
        fact("charge-reversed", amount="4.00", lowered="4.00"),
        fact("payment-allocated", amount="4.00"),
        fact("refund-due", amount="0.00"),
        fact("personal-data-erased"),
    ).balance("0.00").outstanding("6.00")


def test_at_the_end_a_refund_by_discretion_is_requested_and_waits() -> None:
    rules = {**AT_ONCE, "balance_at_termination": "by_refund_rules", "refunds": "discretionary"}
    story = given(*joined(), rules=rules)
    story.when(cancel()).then(
        fact("termination-announced"), fact("agreement-terminated"), fact("refund-requested")
    ).balance("50.00")
    story.when(decide_refund("s-1/7")).then(fact("refund-approved"), fact("refund-due", amount="50.00"))


def test_at_the_end_nothing_is_asked_of_a_reviewer_where_there_is_no_balance() -> None:
    rules = {**AT_ONCE, "balance_at_termination": "by_refund_rules", "refunds": "discretionary"}
    given(*joined(amount=None), rules=rules).when(cancel()).then(
        fact("termination-announced"), fact("agreement-terminated")
    )


def test_money_back_connects_no_number_whose_invoice_it_leaves_nothing_of() -> None:
    # 2.00 + 4.00 × 27/31 = 5.48 and 18 % of it, 0.99, are invoiced; to take them back is not to pay for the number.
    money_back = {"refunds": "money_back", "refund_days": 30}
    story = given(*invoiced(), order(GERMAN, "did.de"), rules=money_back, under="illyvoip", zone=BELGRADE)
    story.when(refund()).then(
        fact("refund-requested"),
        fact("charge-reversed", amount="2.00", lowered="2.36"),
        fact("charge-reversed", amount="3.48", lowered="4.11", credited="0.00"),
        fact("invoice-expired", outstanding="0.00", returned="0.00"),
        fact("order-cancelled"),
        fact("agreement-terminated"),
        fact("refund-due", amount="0.00"),
        fact("personal-data-erased"),
    ).balance("0.00").outstanding("0.00")


def test_what_money_back_leaves_paid_on_an_orders_invoice_returns_to_the_deposits_that_paid_it() -> None:
    # 12.00 × 27/31 = 10.45 of a third party and a channel, 0.87; 11.00 of 11.32 are paid. The channel's 0.87 lower the
    # 0.32 and bring 0.55 back to the second deposit; the order goes, and the 10.45 return to both.
    rules = {"pay_with": "invoices", "invoice_due_days": 3, "unpaid_invoice": "outstanding"}
    story = given(
        *(NOON, register("hexaserv", "USD", "standard"), order("a.example", "domain", channels=1)),
        *(deposit("5.00"), deposit("6.00", "lp-2", method="cash")),
        under="hexaserv",
        zone=PODGORICA,
        rules=rules,
    )
    first = {"lot": "s-1/7", "amount": "5.00", "received_at": NOON, "method": "card"}
    second = {"lot": "s-1/9", "received_at": NOON, "method": "cash"}
    story.when(refund(method="card", country="ME")).then(
        fact("refund-requested"),
        fact("charge-reversed", lowered="0.32", credited="0.55", restored=({**second, "amount": "0.55"},)),
        fact("invoice-expired", returned="10.45", restored=({**second, "amount": "5.45"}, first)),
        fact("order-cancelled"),
        fact("agreement-terminated"),
        fact("refund-due", amount="11.00"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_an_end_announced_for_a_violation_rules_a_refund_out_before_it_comes() -> None:
    given(*joined(), terminate("violation"), rules=UNUSED).when(refund()).refused("not_refundable")
    given(*joined(), terminate("non_payment"), rules=UNUSED).when(refund()).then(
        fact("refund-requested"), fact("refund-due", amount="50.00")
    )


def test_a_violation_alone_does_not_end_the_money_back_guarantee() -> None:
    hexaserv(administrative("resources"), violation()).when(refund(country="ME")).then(
        fact("refund-requested"),
        fact("charge-reversed", amount="5.00"),
        fact("agreement-terminated"),
        fact("refund-due", amount="50.00"),
        fact("personal-data-erased"),
    )


# Into which lots a charge goes back


def restored(*parts: tuple[str, str, str]) -> tuple[dict[str, str], ...]:
    return tuple({"lot": lot, "amount": amount, "received_at": NOON, "method": by} for lot, amount, by in parts)


def test_a_charge_comes_back_into_the_lots_it_was_taken_from_the_newest_first() -> None:
    # 3.00 by card and 2.00 in cash pay 5.00: two come back into the cash, the other three into the card's.
    deposits = (deposit("3.00"), deposit("2.00", "lp-2", method="cash"))
    history = (NOON, register("hexaserv", plan="standard"), *deposits, administrative("resources"), dispute("s-1/5"))
    story = given(*history, under="hexaserv", zone=PODGORICA)
    story.when(resolve("s-1/6", amount="2.00")).then(
        fact("dispute-resolved"),
        fact("charge-reversed", amount="2.00", restored=restored(("s-1/4", "2.00", "cash"))),
    )
    story.when(refund(country="ME")).then(
        fact("refund-requested"),
        fact("charge-reversed", amount="3.00", restored=restored(("s-1/3", "3.00", "card"))),
        fact("agreement-terminated"),
        fact("refund-due", amount="5.00"),
        fact("personal-data-erased"),
    )


def test_of_a_tax_on_several_charges_each_gives_back_its_own_share() -> None:
    # On 1 January 5.00 for the connection take the 5.00 by card; 3.00 for the number and 18 % of 8.00, 1.44, are
    # taken from the 10.00 in coins. The connection's share of the tax is 0.90; then 0.54 of it are left.
    plan = {"connection_fee": "5.00", "periodic": {"did.ua": "3.00"}, "usage": {}, "administrative": {}}
    vat = {"name": "VAT", "rate": "0.18"}
    history = (*joined(amount="5.00"), deposit("10.00", "lp-2", method="crypto"), "2026-02-01 00:00", order())
    story = given(*history, rules=UNUSED, tariffs=(telnexx_tariff(plan, vat),))
    assert story.balance() == "5.56"
    # registered 1, verified 2, deposit 3, concluded 4, deposit 5, placed 6, connection 7, number 8, tax 9, rented 10.
    story.when(dispute("s-1/7"), resolve("s-1/11")).then(
        fact("dispute-resolved"),
        fact(
            "charge-reversed",
            amount="5.00",
            tax="0.90",
            restored=restored(("s-1/5", "0.90", "crypto"), ("s-1/3", "5.00", "card")),
        ),
    )
    story.when(dispute("s-1/9"), resolve("s-1/14")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="0.54", restored=restored(("s-1/5", "0.54", "crypto")))
    )
    story.when(dispute("s-1/8"), resolve("s-1/17")).then(
        fact("dispute-resolved"),
        fact("charge-reversed", amount="3.00", tax="0.00", restored=restored(("s-1/5", "3.00", "crypto"))),
    ).balance("15.00")
    # What is left of the card's deposit is refundable, and not a cent of the coins.
    story.when(refund()).then(fact("refund-requested"), fact("refund-due", amount="5.00")).balance("10.00")


def test_what_is_left_of_a_charge_counts_everything_that_came_back_of_it() -> None:
    # 30.00 for three periods: 1.00 by a dispute, two whole periods at the end, the other 9.00 as money back.
    site = {"site": {"price": "10.00", "refundable": True}}
    plan = {"connection_fee": "0.00", "periodic": site, "usage": {}, "administrative": {}}
    money_back = {"balance_at_termination": "by_refund_rules", "refunds": "money_back", "refund_days": 30}
    rules = {**AT_ONCE, **money_back, "term_notice_days": None}
    history = (*joined(NEW_YEAR), order("site-1", "site", periods=3, prepaid=True))
    story = given(*history, rules=rules, tariffs=(telnexx_tariff(plan),))
    # registered 1, verified 2, deposit 3, concluded 4, placed 5, charged 6, rented 7, disputed 8.
    story.when(dispute("s-1/6"), resolve("s-1/8", amount="1.00")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="1.00")
    ).balance("21.00")
    story.when("2026-01-10 12:00", cancel()).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("charge-reversed", amount="20.00"),
        fact("refund-requested"),
        fact("charge-reversed", amount="9.00"),
        fact("refund-due", amount="50.00"),
    ).balance("0.00")
