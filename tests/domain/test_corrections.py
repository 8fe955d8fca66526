"""Compensations, adjustments, transfer and erasure: what people at the company may do, and how far."""

import pytest

from domain import commands as ask
from tests.domain.controls import (
    NOON,
    SECOND,
    adjust,
    call,
    charge_back,
    compensate,
    deposit,
    erase,
    joined,
    moment,
    order,
    register,
    renting,
    terminate,
    transfer,
)
from tests.domain.given import By, fact, given

MONTHS = {"compensation_cap": "paid_in_last_months", "compensation_months": 3}
ENDED = {"company_notice_days": 0, "balance_at_termination": "keep"}


def test_a_loss_is_made_good_up_to_the_balance_at_the_fault() -> None:
    given(*renting()).when("2026-01-10 12:00", compensate("42.30", "2026-01-06 12:00")).then(
        fact(
            "compensation-granted", amount="42.30", cap="42.30", granted_before="0.00", basis="telnexx/compensation-cap"
        )
    ).balance("84.60")
    given(*renting()).when("2026-01-10 12:00", compensate("42.300001", "2026-01-06 12:00")).refused(
        "above_compensation_cap", basis="telnexx/compensation-cap"
    )


def test_what_happened_at_the_instant_of_the_fault_is_included() -> None:
    given(*renting()).when("2026-01-10 12:00", compensate("42.31", NOON)).refused("above_compensation_cap")
    given(*renting()).when("2026-01-10 12:00", compensate("42.30", NOON)).then(fact("compensation-granted"))
    given(*renting()).when("2026-01-10 12:00", compensate("0.01", "2026-01-05 11:59:59")).refused(
        "above_compensation_cap"
    )


def test_the_balance_at_the_fault_is_as_known_now() -> None:
    late = deposit("5.00", "lp-2", received_at=moment("2026-01-06 09:00"))
    given(*renting(), "2026-01-09 12:00", late).when(compensate("47.30", "2026-01-07 12:00")).then(
        fact("compensation-granted", cap="47.30")
    )


def test_compensations_for_one_fault_count_together() -> None:
    story = given(*renting(), "2026-01-10 12:00", compensate("40.00", "2026-01-06 12:00"))
    story.when(compensate("2.31", "2026-01-06 12:00")).refused("above_compensation_cap")
    story.when(compensate("2.30", "2026-01-06 12:00")).then(fact("compensation-granted", granted_before="40.00"))


def test_a_fault_of_this_instant_counts_what_was_granted_for_it_in_this_instant() -> None:
    given(*renting(), compensate("1.00", NOON)).when(compensate("1.00", NOON)).then(
        fact("compensation-granted", granted_before="1.00")
    )


def test_a_compensation_pays_what_waits() -> None:
    given(*joined(amount="5.00"), order()).when(compensate("2.70", NOON)).then(
        fact("compensation-granted"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("included-units-granted"),
        fact("number-rented"),
    ).balance("0.00")


def test_a_compensation_is_more_than_nothing_and_not_for_the_future() -> None:
    given(*renting()).when(compensate("0.000001", NOON)).then(fact("compensation-granted", amount="0.000001"))
    given(*renting()).when(compensate("0.00", NOON)).refused("amount_not_positive")
    given(*renting()).when(compensate("-1.00", NOON)).refused("amount_not_positive")
    given(*renting()).when(compensate("1.00", "2026-01-05 12:00:01")).refused("instant_in_future")


def test_the_cap_may_be_what_was_paid_in_the_last_calendar_months() -> None:
    # Paid on 5 January (50.00) and 5 February (7.00); a fault on 5 April counts from 5 January on, both ends included.
    history = (*joined(), "2026-02-05 12:00", deposit("7.00", "lp-2"))
    story = given(*history, rules=MONTHS)
    story.when("2026-04-06 12:00", compensate("57.01", "2026-04-05 12:00")).refused("above_compensation_cap")
    story.when(compensate("57.00", "2026-04-05 12:00")).then(fact("compensation-granted", cap="57.00"))
    story.when(compensate("7.01", "2026-04-05 12:00:01")).refused("above_compensation_cap")
    story.when(compensate("7.00", "2026-04-05 12:00:01")).then(fact("compensation-granted", cap="7.00"))


def test_a_deposit_that_was_charged_back_was_not_paid() -> None:
    given(*joined(), charge_back(), rules=MONTHS).when(compensate("0.01", NOON)).refused("above_compensation_cap")


def test_where_no_compensation_is_granted_every_amount_is_above_the_cap() -> None:
    given(*joined(), rules={"compensation_cap": None}).when(compensate("0.01", NOON)).refused("above_compensation_cap")


def test_an_adjustment_takes_two_people() -> None:
    given(*joined()).when(By("desk-1", adjust("1.00", "desk-1"))).refused("reviewer_is_actor")
    given(*joined()).when(By("desk-1", adjust("1.00", "desk-2"))).then(
        fact("adjustment-posted", amount="1.00", actor="desk-1", reviewer="desk-2")
    ).balance("51.00")


def test_an_adjustment_never_leaves_less_than_nothing() -> None:
    given(*joined()).when(adjust("-50.01")).refused("insufficient_funds")
    given(*joined()).when(adjust("-50.00")).then(fact("adjustment-posted")).balance("0.00")


def test_an_adjustment_of_nothing_corrects_nothing() -> None:
    given(*joined()).when(adjust("0.00")).refused("amount_not_positive")


def test_an_adjustment_takes_what_is_reserved_for_what_waits() -> None:
    given(*joined(amount="7.00"), order()).when(adjust("-7.00")).then(fact("adjustment-posted")).balance("0.00")


def test_an_agreement_is_transferred_with_everything_in_it() -> None:
    given(*renting()).when(transfer("h-2")).then(
        fact("agreement-transferred", from_holder="h-1", holder="h-2", basis="telnexx/transfer")
    ).balance("42.30")
    given(*renting(), transfer("h-2")).when(call(60)).then(fact("usage-charged"))


def test_where_consent_is_needed_a_transfer_names_it() -> None:
    rules = {"transfer_needs_consent": True}
    given(*renting(), rules=rules).when(transfer()).refused("consent_required", basis="telnexx/transfer")
    given(*renting(), rules=rules).when(transfer(consent=True)).then(fact("agreement-transferred"))


def test_a_transfer_to_the_holder_brings_personal_data_or_changes_nothing() -> None:
    given(*renting()).when(transfer("h-1")).then()
    given(*renting()).when(transfer("h-1", personal=ask.Sealed("sealed:v1:x"))).then(
        fact("agreement-transferred", from_holder="h-1", holder="h-1", personal="sealed:v1:x")
    )


def test_personal_data_is_erased_once() -> None:
    given(*renting()).when(erase()).then(fact("personal-data-erased", basis="telnexx/confidentiality"))
    given(*renting(), erase()).when(erase()).refused("personal_data_erased")


def test_after_the_erasure_no_personal_data_comes_with_a_transfer() -> None:
    sealed = ask.Sealed("sealed:v1:x")
    given(*renting(), erase()).when(transfer(personal=sealed)).refused("personal_data_erased")
    given(*renting(), erase()).when(transfer()).then(fact("agreement-transferred"))


def test_erasing_changes_nothing_about_the_money() -> None:
    given(*renting(), erase()).when(order(SECOND, "did.us")).then(
        fact("order-placed"), fact("periodic-service-charged"), fact("included-units-granted"), fact("number-rented")
    ).balance("40.99")


@pytest.mark.parametrize("request_", [erase(), adjust("1.00"), deposit("1.00", "lp-2"), charge_back()])
def test_what_must_stay_possible_after_the_end_does(request_: ask.Request) -> None:
    told = given(*joined(), terminate(), rules=ENDED).when(request_)
    assert told.decision.refusal is None


def test_personal_data_can_be_erased_before_anything_was_concluded() -> None:
    given(NOON, register()).when(erase()).then(fact("personal-data-erased"))


def test_only_the_fault_must_lie_in_the_past() -> None:
    given(*renting(), "2026-01-06 12:00").when(compensate("1.00", NOON, "2026-02-01 12:00")).then(
        fact("compensation-granted")
    )
