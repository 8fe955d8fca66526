"""Money in: what a deposit pays, which lot is spent, and what a chargeback takes."""

from typing import Any

import pytest

from domain.state import Subscriber
from tests.domain.controls import (
    NEW_YEAR,
    NOON,
    NUMBER,
    SECOND,
    adjust,
    administrative,
    call,
    charge_back,
    compensate,
    deposit,
    dispute,
    joined,
    moment,
    order,
    refund,
    register,
    renting,
    resolve,
    terminate,
    tick,
    verify,
)
from tests.domain.given import Story, fact, given

AT_ONCE = {"company_notice_days": 0}


def test_a_deposit_is_credited_under_its_reference() -> None:
    given(*joined(amount=None)).when(deposit("10.00", "lp-7", method="bank_transfer")).then(
        fact("deposit-credited", amount="10.00", reference="lp-7", method="bank_transfer", basis="telnexx/deposit"),
        fact("agreement-concluded"),
    ).balance("10.00")


def test_a_reference_is_credited_once() -> None:
    given(*joined()).when(deposit("1.00")).refused("reference_already_credited", basis="telnexx/deposit")


def test_a_reference_that_was_charged_back_is_not_credited_again() -> None:
    given(*joined(), charge_back()).when(deposit()).refused("reference_already_credited")


def test_an_account_takes_its_own_currency_only() -> None:
    given(*joined()).when(deposit("5.00", "lp-2", currency="EUR")).refused(
        "currency_not_accepted", basis="telnexx/deposit"
    )


def test_a_deposit_is_more_than_nothing() -> None:
    given(*joined()).when(deposit("0.00", "lp-2")).refused("amount_not_positive")
    given(*joined()).when(deposit("-1.00", "lp-2")).refused("amount_not_positive")


def test_the_smallest_deposit_is_a_millionth() -> None:
    given(*joined()).when(deposit("0.000001", "lp-2")).then(fact("deposit-credited")).balance("50.000001")


COINS: dict[str, Any] = {
    "tariff": "telnexx-coins",
    "regulations": "telnexx",
    "currency": "XMR",
    "effective_from": "2024-01-01T00:00:00+02:00",
    "tax": None,
    "plans": {
        "start": {"connection_fee": "0.01", "periodic": {}, "usage": {}, "administrative": {"documents": "0.25"}}
    },
}


@pytest.mark.parametrize(("currency", "zeros"), [("BTC", "0" * 6), ("XMR", "0" * 10)])
def test_an_account_in_coins_is_credited_and_charged_in_whole_coins(currency: str, zeros: str) -> None:
    # 2 + 0.5 − 0.25 − 0.15 + 0.05, in a currency whose units are finer than the millionths of a command.
    story = given(
        *joined(amount=None, currency=currency),
        deposit("2", currency=currency),
        rules={"currencies": [currency]},
        tariffs=({**COINS, "currency": currency},),
    )
    story.when(adjust("0.5")).then(fact("adjustment-posted", amount=f"0.50{zeros}")).balance(f"2.50{zeros}")
    story.when(administrative()).then(fact("administrative-service-charged")).balance(f"2.25{zeros}")
    story.when(adjust("-0.15")).then(fact("adjustment-posted")).balance(f"2.10{zeros}")
    story.when(compensate("0.05", NOON)).then(fact("compensation-granted")).balance(f"2.15{zeros}")
    story.when(dispute("s-1/6")).then(fact("dispute-opened"))
    story.when(resolve("s-1/9", amount="0.1")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount=f"0.10{zeros}")
    ).balance(f"2.25{zeros}")


def in_monero(**rules: Any) -> Story:
    return given(
        *(NEW_YEAR, register(currency="XMR"), verify()), rules={"currencies": ["XMR"], **rules}, tariffs=(COINS,)
    )


def test_a_deposit_is_no_larger_than_databases_can_count() -> None:
    """63 bits hold 9.2 million coins of twelve decimals: one deposit may not fill them."""
    story = in_monero()
    story.when(deposit("100000.000001", currency="XMR")).refused(
        "amount_too_large", message="an amount is at most 100000.000000000000 XMR, found 100000.000001000000"
    )
    story.when(deposit("100000", currency="XMR")).then(fact("deposit-credited"), fact("agreement-concluded")).balance(
        "100000.000000000000"
    )


def test_an_adjustment_is_no_larger_than_databases_can_count() -> None:
    story = in_monero()
    story.when(adjust("100000.000001")).refused("amount_too_large", basis="subledger/amount-too-large")
    story.when(adjust("-100000.000001")).refused("amount_too_large")
    story.when(adjust("100000")).then(fact("adjustment-posted")).balance("100000.000000000000")


def test_what_is_too_little_for_any_price_is_kept_beside_the_next_deposit() -> None:
    story = given(*joined(amount="0.000001"), deposit("5.00", "lp-2"), adjust("0.000001"))
    assert isinstance(story.state, Subscriber)
    assert [str(lot.left) for lot in story.state.account.lots] == ["0.000001", "5.00", "0.000001"]


def test_a_deposit_counts_from_the_instant_at_which_it_was_received() -> None:
    given(*joined()).when("2026-01-10 12:00", deposit("5.00", "lp-2", received_at=moment("2026-01-08 09:00"))).then(
        fact("deposit-credited", at="2026-01-08 09:00", received_at="2026-01-08 09:00")
    )


def test_a_deposit_is_not_received_in_the_future() -> None:
    given(*joined()).when(deposit("5.00", "lp-2", received_at=moment("2026-01-05 12:00:01"))).refused(
        "instant_in_future"
    )


def test_money_that_was_received_in_time_and_told_too_late_reopens_no_past_decision() -> None:
    history = (NOON, register(), verify(), order(), "2026-01-08 12:00", tick())
    given(*history).when(deposit(received_at=moment("2026-01-06 09:00"))).then(
        fact("deposit-credited", at="2026-01-06 09:00"), fact("agreement-concluded", at="2026-01-08 12:00")
    )


def test_the_lot_received_first_is_spent_first() -> None:
    history = (*joined(amount="10.00"), "2026-01-06 12:00", deposit("10.00", "lp-2", received_at=moment(NEW_YEAR)))
    given(*history).when(administrative(quantity=5)).then(
        fact(
            "administrative-service-charged",
            amount="12.50",
            paid_from=({"lot": "s-1/5", "amount": "10.00"}, {"lot": "s-1/3", "amount": "2.50"}),
        )
    )


def test_a_chargeback_takes_the_whole_deposit_and_may_leave_a_debt() -> None:
    given(*renting()).when(charge_back()).then(
        fact("deposit-reversed", amount="50.00", reference="lp-1", deposit="s-1/3")
    ).balance("-7.70")


def test_a_chargeback_takes_its_own_rest_first_and_then_the_oldest_lots() -> None:
    history = (
        *joined(amount="1.00"),
        deposit("2.00", "lp-2"),
        deposit("3.00", "lp-3"),
        administrative(quantity=1),
    )
    # 2.50 were spent: all of lp-1 (1.00) and 1.50 of lp-2, of which 0.50 is left beside 3.00 of lp-3.
    given(*history).when(charge_back("lp-2")).then(
        fact(
            "deposit-reversed",
            amount="2.00",
            paid_from=({"lot": "s-1/5", "amount": "0.50"}, {"lot": "s-1/6", "amount": "1.50"}),
        )
    ).balance("1.50")


def test_a_deposit_is_charged_back_once() -> None:
    given(*joined(), charge_back()).when(charge_back()).refused("already_reversed")


def test_only_a_deposit_that_was_credited_can_be_charged_back() -> None:
    given(*joined()).when(charge_back("lp-9")).refused("unknown_deposit")


def test_while_the_balance_is_negative_nothing_can_be_paid() -> None:
    indebted = (*renting(), charge_back())
    given(*indebted).when(administrative()).refused("insufficient_funds", basis="telnexx/deposit")
    given(*indebted).when(order(SECOND)).then(fact("order-placed")).balance("-7.70")


def test_included_minutes_are_usable_while_the_balance_is_negative() -> None:
    given(*renting(), charge_back()).when(call(60)).then(fact("usage-charged", included=1, amount="0.00")).balance(
        "-7.70"
    )


def test_a_later_deposit_fills_the_debt_first() -> None:
    # 7.70 are owed; of 10.00 only 2.30 can be spent, and documents cost 2.50.
    given(*renting(), charge_back(), deposit("10.00", "lp-2")).when(administrative()).refused("insufficient_funds")


def test_money_that_arrives_after_the_end_is_due_back() -> None:
    given(*joined(), terminate(), rules=AT_ONCE).when("2026-02-01 12:00", deposit("5.00", "lp-2")).then(
        fact("deposit-credited", amount="5.00"), fact("refund-due", amount="5.00")
    ).balance("0.00")


def test_money_that_arrives_after_the_end_pays_the_debt_first() -> None:
    history = (*renting(), charge_back(), terminate())
    given(*history, rules=AT_ONCE).when(deposit("10.00", "lp-2")).then(
        fact("deposit-credited"), fact("refund-due", amount="2.30")
    ).balance("0.00")
    given(*history, rules=AT_ONCE).when(deposit("7.70", "lp-2")).then(fact("deposit-credited")).balance("0.00")


def test_a_fraction_below_a_cent_that_arrives_after_the_end_is_written_off() -> None:
    given(*joined(), terminate(), rules=AT_ONCE).when(deposit("5.004", "lp-2")).then(
        fact("deposit-credited"), fact("refund-due", amount="5.00"), fact("remainder-written-off", amount="0.004")
    ).balance("0.00")


def test_a_deposit_may_be_charged_back_after_the_end_too() -> None:
    given(*joined(), terminate(), rules=AT_ONCE).when(charge_back()).then(
        fact("deposit-reversed", amount="50.00")
    ).balance("-50.00")


def test_a_correction_upwards_pays_what_waits() -> None:
    # 5.00 and 2.70 less a millionth, which comes by the correction.
    given(*joined(amount="7.699999"), order()).when(adjust("0.000001")).then(
        fact("adjustment-posted"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented", number=NUMBER),
    ).balance("0.00")


def test_what_comes_back_refills_the_lots_as_they_were() -> None:
    # 0.50 were paid in and 2.00 given; both went for 2.50, and only what was paid in can be refunded.
    story = given(
        *joined(amount="0.50"),
        *("2026-01-06 12:00", adjust("2.00"), administrative()),
        *("2026-01-07 12:00", dispute("s-1/6")),
        rules={"refunds": "unused_deposits", "refund_days": 90},
    )
    story.when(resolve("s-1/7")).then(
        fact("dispute-resolved"),
        fact(
            "charge-reversed",
            amount="2.50",
            restored=(
                {"lot": "s-1/5", "amount": "2.00", "received_at": "2026-01-06 12:00", "method": None},
                {"lot": "s-1/3", "amount": "0.50", "received_at": NOON, "method": "card"},
            ),
        ),
    ).balance("2.50")
    story.when(refund()).then(fact("refund-requested"), fact("refund-due", amount="0.50")).balance("2.00")


def test_what_comes_back_of_a_debt_that_was_paid_since_is_a_lot_of_its_own() -> None:
    # 2.30 of the 15.50 came from the first deposit; 13.20 were a debt, which the second one filled.
    rules = {"termination_for_cause": "at_once", "balance_at_termination_for_cause": "forfeit"}
    story = given(
        *renting(amount="10.00", periods=6),
        *(terminate("violation", charge_remaining_term=True), deposit("20.00", "lp-2"), dispute("s-1/14")),
        rules=rules,
    )
    story.when("2026-01-07 12:00", resolve("s-1/17")).then(
        fact("dispute-resolved"),
        fact(
            "charge-reversed",
            id="s-1/19",
            amount="15.50",
            account="Income:RemainingTerm",
            restored=(
                {"lot": "s-1/3", "amount": "2.30", "received_at": NOON, "method": "card"},
                {"lot": "s-1/19", "amount": "13.20", "received_at": "2026-01-07 12:00", "method": None},
            ),
        ),
        fact("refund-due", amount="15.50"),
    ).balance("0.00")
