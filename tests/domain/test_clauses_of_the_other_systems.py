"""Clauses of illyvoip, hexaserv, calycom and the acceptable-use policy, one story each, named by the clause's id.

Prices of the sample tariffs, plan `basic` of illyvoip in euro: connection 2.00, did.de 4.00, call-recording 3.00,
hosting 10.00 (refundable), 18 % VAT on top. Plan `standard` of hexaserv in US dollars: no connection fee, did.us 2.00,
domain 12.00 (a third party's), sms.out 0.035, sms.in 0.01, resources 5.00. Plan `vps` of calycom in euro: did.nl 5.00,
voice.in 0.02, number change 3.00. From 5 January on, 27 of 31 days are left.
"""

from typing import Any

import pytest

from domain import commands as ask
from domain.catalogue import Catalogue
from domain.commands import Command, Document, PublishRegulations
from domain.money import parse_decimal
from domain.publishing import CatalogueState, Publication, publish
from tests.domain.controls import (
    APRIL,
    BELGRADE,
    BERLIN,
    DUTCH,
    FEBRUARY,
    GERMAN,
    MARCH,
    NEW_YEAR,
    NOON,
    PODGORICA,
    administrative,
    autorenew,
    call,
    cancel,
    charge_back,
    compensate,
    deposit,
    erase,
    messages,
    order,
    paid_out,
    refund,
    register,
    replace_number,
    resolve,
    suspend,
    terminate,
    tick,
    violation,
)
from tests.domain.given import Step, Story, catalogue, fact, given, instant, plain

AMERICAN = "+12025550100"
KINDS = (
    "unlawful",
    "fraud",
    "offensive_content",
    "infringement",
    "spam",
    "denial_of_service",
    "impersonation",
    "insecure_account",
    "excessive_use",
)
"""The acceptable-use policy's list, as CATALOGUE.md has it."""


def illyvoip(*history: Step, at: str = NOON, **registration: Any) -> Story:
    return given(at, register("illyvoip", "EUR", "basic", **registration), *history, under="illyvoip", zone=BELGRADE)


def hexaserv(*history: Step, amount: str = "50.00", at: str = NOON) -> Story:
    return given(at, register("hexaserv", plan="standard"), deposit(amount), *history, under="hexaserv", zone=PODGORICA)


def calycom(*history: Step, amount: str = "50.00") -> Story:
    return given(NOON, register("calycom", "EUR", "vps"), paid(amount), *history, under="calycom", zone=BERLIN)


def paid(amount: str, reference: str = "lp-1", method: str = "card") -> Step:
    return deposit(amount, reference, "EUR", method)


def german(**others: Any) -> Step:
    return order(GERMAN, "did.de", **others)


def dutch() -> Step:
    return order(DUTCH, "did.nl")


def american() -> Step:
    return order(AMERICAN, "did.us")


def rate(text: str) -> ask.Rate:
    return ask.Rate(parse_decimal(text, 12))


def published(at: str, document: dict[str, Any], known: Catalogue | None = None) -> Publication:
    """`document` sent to the built-in catalogue at an instant of ISO 8601 with its own zone."""
    command = Command(
        id="p-1",
        subscriber="catalogue",
        at=instant(at, "UTC"),
        actor="lead-1",
        request=PublishRegulations(document=Document(document)),
    )
    return publish(CatalogueState(catalogue=known or catalogue(), version=9), command, None)


def version(regulations: str, effective_from: str, *, material: bool = True, **changes: Any) -> dict[str, Any]:
    """Version 2 of built-in regulations with these parameters changed."""
    return {
        "regulations": regulations,
        "version": "2",
        "effective_from": effective_from,
        "material": material,
        "extends": regulations,
        "set": changes,
    }


# illyvoip


def test_a_number_is_billed_every_month_until_it_is_cancelled() -> None:
    """illyvoip/recurring."""
    # 2.00 + 3.48 + 0.99 VAT = 6.47 in January; 4.00 + 0.72 VAT = 4.72 in February and in March: 15.91.
    story = illyvoip(paid("15.91"), german())
    for boundary in (FEBRUARY, MARCH):
        story.when(boundary, tick()).then(
            fact("invoice-issued", purpose="renewal", total="4.72", at=boundary),
            fact("periodic-service-charged", amount="4.00"),
            fact("tax-charged", amount="0.72"),
            fact("payment-allocated", amount="4.72"),
        )
    story.when("2026-03-10 12:00", autorenew(False, GERMAN)).then(
        fact("autorenew-set", autorenew=False, basis="illyvoip/recurring")
    )
    story.when(APRIL, tick()).then(fact("rental-ended", number=GERMAN, at=APRIL, basis="illyvoip/recurring")).balance(
        "0.00"
    )


def test_fees_that_were_paid_come_back_neither_on_request_nor_at_the_end() -> None:
    """illyvoip/non-refundable: all of the 6.47 became fees."""
    story = illyvoip(paid("6.47"), german())
    story.when(refund()).refused("not_refundable", basis="illyvoip/refund-90d")
    story.when("2026-01-10 12:00", cancel("T-1")).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_a_first_deposit_that_was_never_used_is_refunded_in_full_at_any_age() -> None:
    """illyvoip/first-deposit-unused."""
    illyvoip(paid("50.00")).when("2027-01-05 12:00", refund()).then(
        fact("refund-requested"), fact("refund-due", amount="50.00", basis="illyvoip/first-deposit-unused")
    ).balance("0.00")


def test_with_a_second_deposit_the_first_one_is_subject_to_its_age() -> None:
    """illyvoip/first-deposit-unused is for the only deposit ever made; both are a year old."""
    story = illyvoip(paid("50.00"), paid("1.00", "lp-2"))
    story.when("2027-01-05 12:00", refund()).refused("not_refundable").balance("51.00")


def test_what_is_left_of_a_deposit_comes_back_until_its_ninetieth_day_is_over_and_stays_usable_after() -> None:
    """illyvoip/refund-90d: 90 × 24 h from noon of 5 January, over the change to summer time, are 13:00 on 5 April."""
    # 50.00 − 6.47 in January − 3 × 4.72 in February, March and April = 29.37.
    history = (paid("50.00"), german(), FEBRUARY, tick(), MARCH, tick(), APRIL, tick())
    illyvoip(*history).when("2026-04-05 13:00", refund()).then(
        fact("refund-requested", basis="illyvoip/refund-90d"),
        fact("refund-due", amount="29.37", basis="illyvoip/refund-90d"),
    ).balance("0.00")
    story = illyvoip(*history)
    story.when("2026-04-05 13:00:00.000001", refund()).refused("not_refundable", basis="illyvoip/refund-90d")
    # 3.00 × 26 ÷ 30 = 2.60, VAT 0.47: 29.37 − 3.07.
    story.when(order("line-1", "call-recording")).then(
        fact("order-placed"),
        fact("invoice-issued", total="3.07"),
        fact("periodic-service-charged", amount="2.60"),
        fact("tax-charged", amount="0.47"),
        fact("payment-allocated", amount="3.07"),
        fact("number-rented"),
    ).balance("26.30")


def test_the_oldest_deposit_is_spent_first_and_only_the_young_one_comes_back() -> None:
    """illyvoip/refund-90d: 10.00 are 95 days old, and the order of 5.66 was paid from them."""
    # 2.00 + 4.00 × 21 ÷ 30 = 4.80, VAT 0.86.
    story = illyvoip(paid("10.00"), "2026-04-10 12:00", paid("20.00", "lp-2"), german())
    story.when(refund()).then(
        fact("refund-requested"),
        fact(
            "refund-due",
            amount="20.00",
            lines=(
                {"label": "deposit", "basis": None, "account": None, "lot": "s-1/4", "charge": None, "amount": "20.00"},
            ),
        ),
    ).balance("4.34")


@pytest.mark.parametrize("method", ["bank_transfer", "crypto"])
def test_deposits_by_transfer_and_in_crypto_currency_stay_as_credit(method: str) -> None:
    """illyvoip/refund-methods."""
    illyvoip(paid("10.00", method=method)).when(refund()).refused(
        "method_not_refundable", basis="illyvoip/refund-methods"
    ).balance("10.00")
    illyvoip(paid("10.00", method=method), paid("20.00", "lp-2")).when(refund()).then(
        fact("refund-requested"), fact("refund-due", amount="20.00")
    ).balance("10.00")


def test_a_second_account_and_a_violation_waive_the_refund() -> None:
    """illyvoip/first-account-only."""
    basis = "illyvoip/first-account-only"
    illyvoip(paid("50.00"), first_account=False).when(refund()).refused("not_refundable", basis=basis).balance("50.00")
    illyvoip(paid("50.00"), violation()).when(refund()).refused("not_refundable", basis=basis).balance("50.00")


def test_prepaid_months_of_numbers_and_recordings_do_not_come_back_at_the_end() -> None:
    """illyvoip/no-refund-services."""
    # Three months from 1 January: (2.00 + 12.00) × 1.18 = 16.52 and 9.00 × 1.18 = 10.62.
    history = (
        paid("27.14"),
        german(periods=3, prepaid=True),
        order("line-1", "call-recording", periods=3, prepaid=True),
    )
    story = illyvoip(*history, at=NEW_YEAR)
    assert story.balance() == "0.00"
    story.when("2026-01-10 12:00", cancel("T-1")).then(
        fact("termination-announced"),
        fact("rental-ended", number=GERMAN),
        fact("rental-ended", number="line-1"),
        fact("agreement-terminated"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_prepaid_months_of_hosting_come_back_beside_a_number_that_does_not() -> None:
    """illyvoip/no-refund-services: hosting is no such service; 20.00 less the connection fee of 2.00, without tax."""
    # (2.00 + 12.00) × 1.18 = 16.52 and 30.00 × 1.18 = 35.40.
    history = (paid("51.92"), german(periods=3, prepaid=True), order("site-1", "hosting", periods=3, prepaid=True))
    story = illyvoip(*history, at=NEW_YEAR)
    assert story.balance() == "0.00"
    story.when("2026-01-10 12:00", cancel("T-1")).then(
        fact("termination-announced"),
        fact("rental-ended", number=GERMAN),
        fact("rental-ended", number="site-1"),
        fact("agreement-terminated"),
        fact("charge-reversed", account="Income:Periodic:hosting", amount="18.00", tax="0.00"),
        fact("refund-requested"),
        fact("refund-due", amount="18.00"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_a_refund_of_an_account_in_dollars_is_paid_in_euro_at_its_rate() -> None:
    """illyvoip/refund-in-eur: 50.00 × 0.876543 = 43.82715, rounded down."""
    dollars = {
        "tariff": "illyvoip-usd",
        "regulations": "illyvoip",
        "currency": "USD",
        "effective_from": "2025-01-01T00:00:00+01:00",
        "tax": None,
        "plans": {"basic": {"connection_fee": "2.00", "periodic": {}, "usage": {}, "administrative": {}}},
    }
    history = (NOON, register("illyvoip", "USD", "basic"), deposit("50.00"), refund())
    story = given(*history, under="illyvoip", zone=BELGRADE, tariffs=(dollars,))
    story.when(paid_out("s-1/4")).refused("method_not_refundable", basis="illyvoip/refund-in-eur")
    story.when(paid_out("s-1/4", currency="EUR")).refused("rate_required")
    story.when(paid_out("s-1/4", currency="EUR", rate=rate("0.876543"))).then(
        fact("refund-paid", amount="50.00", paid="43.82", rate="0.876543", basis="illyvoip/refund-in-eur")
    )


def test_for_cause_the_balance_is_forfeited_at_once() -> None:
    """illyvoip/termination-for-cause: 10.00 − 6.47 are kept, and nothing is refunded afterwards."""
    basis = "illyvoip/termination-for-cause"
    story = illyvoip(paid("10.00"), german())
    story.when(terminate("violation")).then(
        fact("termination-announced", cause="violation", ends_at=NOON, basis=basis),
        fact("rental-ended"),
        fact("agreement-terminated", cause="violation", at=NOON),
        fact("balance-forfeited", amount="3.53", basis=basis),
        fact("personal-data-erased"),
    ).balance("0.00")
    story.when(refund()).refused("not_refundable")


def test_for_cause_the_rest_of_the_term_may_be_charged_into_a_debt() -> None:
    """illyvoip/termination-for-cause: February and March of three months, 8.00 without tax; 3.53 − 8.00."""
    illyvoip(paid("10.00"), german(periods=3)).when(terminate("violation", charge_remaining_term=True)).then(
        fact("termination-announced"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("remaining-term-charged", number=GERMAN, periods=2, amount="8.00", basis="illyvoip/termination-for-cause"),
        fact("personal-data-erased"),
    ).balance("-4.47")


def test_less_uptime_than_agreed_is_a_ground_of_a_dispute_that_brings_a_part_of_the_charge_back() -> None:
    """illyvoip/uptime-999: 1.00 of 5.48, whose VAT was 0.99, comes back with 0.18."""
    reason = "uptime below 99.9 % in January"
    story = illyvoip(paid("6.47"), german())
    # registered 1, concluded 2, deposit 3, order 4, invoice 5, connection 6, number 7.
    opened = ask.OpenDispute(charge=ask.FactId("s-1/7"), reason=ask.Text(reason))
    story.when("2026-01-08 12:00", opened).then(fact("dispute-opened", charge="s-1/7", reason=reason))
    dispute_id = story.past.facts[-1].id
    story.when(resolve(dispute_id, amount="1.00")).then(
        fact("dispute-resolved", dispute=dispute_id, upheld=True),
        fact("charge-reversed", charge="s-1/7", amount="1.00", tax="0.18", credited="1.18"),
    ).balance("1.18")


def test_compensation_is_limited_to_what_was_paid_in_three_months() -> None:
    """illyvoip/liability-3m: of a fault at noon of 5 April, 30.00 of noon of 5 January count, and 20.00 of March."""
    history = (paid("30.00"), MARCH, paid("20.00", "lp-2"), "2026-04-06 12:00")
    basis = "illyvoip/liability-3m"
    fault = "2026-04-05 12:00"
    illyvoip(*history).when(compensate("50.01", fault, zone=BELGRADE)).refused("above_compensation_cap", basis=basis)
    illyvoip(*history).when(compensate("50.00", fault, zone=BELGRADE)).then(
        fact("compensation-granted", amount="50.00", cap="50.00", basis=basis)
    ).balance("100.00")
    # A microsecond later the deposit of January is out of the three months.
    later = "2026-04-05 12:00:00.000001"
    illyvoip(*history).when(compensate("20.01", later, zone=BELGRADE)).refused("above_compensation_cap", basis=basis)
    illyvoip(*history).when(compensate("20.00", later, zone=BELGRADE)).then(fact("compensation-granted", cap="20.00"))


def test_personal_data_is_erased_with_the_agreement() -> None:
    """illyvoip/data-deletion."""
    story = illyvoip(personal=ask.Sealed("sealed"))
    story.when(cancel("T-1")).then(
        fact("termination-announced", ticket="T-1"),
        fact("agreement-terminated"),
        fact("personal-data-erased", basis="illyvoip/data-deletion"),
    )
    story.when(erase()).refused("personal_data_erased")


# hexaserv


def test_an_unpaid_number_goes_on_for_seven_days_after_the_first() -> None:
    """hexaserv/grace-7d: all of the 1.74 for January is spent; 2.00 are due on 1 February and awaited until the 9th."""
    story = hexaserv(american(), amount="1.74")
    story.when("2026-02-08 23:59:59.999999", tick()).then()
    story.when("2026-02-09 00:00", tick()).then(
        fact("rental-ended", number=AMERICAN, at="2026-02-09 00:00", basis="hexaserv/grace-7d"),
        fact("agreement-terminated", at="2026-02-09 00:00"),
        fact("personal-data-erased", basis="hexaserv/grace-7d"),
    )


def test_a_payment_in_the_last_instant_of_the_seventh_day_saves_the_number() -> None:
    """hexaserv/grace-7d."""
    story = hexaserv(american(), amount="1.74")
    story.when("2026-02-08 23:59:59.999999", deposit("2.00", "lp-2")).then(
        fact("deposit-credited"), fact("periodic-service-charged", amount="2.00")
    ).balance("0.00")
    story.when("2026-02-09 00:00", tick()).then()


def test_the_company_may_suspend_in_the_grace() -> None:
    """hexaserv/grace-7d: what is paid later ends the debt, not the suspension."""
    story = hexaserv(american(), "2026-02-03 12:00", tick(), amount="1.74")
    story.when(suspend()).then(fact("services-suspended"))
    story.when(deposit("3.00", "lp-2")).then(
        fact("deposit-credited"), fact("periodic-service-charged", amount="2.00")
    ).balance("1.00")
    story.when(messages(1, number=AMERICAN, service="sms.out")).refused("services_suspended")


def test_a_domain_is_taken_off_the_refund() -> None:
    """hexaserv/domain-deduction: 50.00 − 12.00 for the domain − 2.00 for the number + 2.00 back − 2.00 by card."""
    story = hexaserv(order("example.org", "domain"), american(), at=NEW_YEAR)
    assert story.balance() == "36.00"
    # registered 1, concluded 2, deposit 3, order 4, domain 5.
    bare = {"basis": None, "account": None, "lot": None, "charge": None}
    story.when(refund(method="card", country="US")).then(
        fact("refund-requested"),
        fact("charge-reversed", account="Income:Periodic:did.us", amount="2.00"),
        fact("rental-ended"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact(
            "refund-due",
            amount="36.00",
            fee="2.00",
            lines=(
                {**bare, "label": "balance", "amount": "38.00"},
                {**bare, "label": "processing fee", "amount": "-2.00"},
                {
                    **bare,
                    "basis": "hexaserv/domain-deduction",
                    "label": "third party: domain",
                    "charge": "s-1/5",
                    "amount": "12.00",
                },
            ),
        ),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_a_violation_brings_a_warning_a_suspension_or_the_end() -> None:
    """hexaserv/violation-ladder."""
    grounds = {"ground": "complaints", "basis": "hexaserv/violation-ladder"}
    recorded = fact("violation-recorded", kind="spam", **grounds)
    story = hexaserv()
    story.when(violation(sanction="warning")).then(recorded, fact("warning-issued", **grounds))
    story.when(violation(sanction="suspension")).then(recorded, fact("services-suspended", **grounds))
    story.when(violation(sanction="termination")).then(
        recorded,
        fact("termination-announced", by="company", cause="violation", **grounds),
        fact("agreement-terminated", cause="violation"),
        fact("balance-forfeited", amount="50.00", basis="hexaserv/no-refund-for-cause"),
        fact("personal-data-erased"),
    ).balance("0.00")


def test_without_a_sanction_violations_are_recorded_and_end_nothing() -> None:
    """hexaserv/violation-ladder: no number of violations ends the agreement by itself."""
    hexaserv(violation(), violation(), violation()).when(violation()).then(fact("violation-recorded")).balance("50.00")


def test_heavy_use_is_charged_with_its_ground() -> None:
    """hexaserv/resource-charge: 3 × 5.00."""
    ground = "four cores for a week"
    hexaserv().when(administrative("resources", 3, ground=ask.Text(ground))).then(
        fact(
            "administrative-service-charged",
            service="resources",
            quantity=3,
            amount="15.00",
            ground=ground,
            basis="hexaserv/resource-charge",
        )
    ).balance("35.00")


def test_a_message_is_charged_once_in_either_direction() -> None:
    """hexaserv/sms-delivered: 2 × 0.035 out, 3 × 0.01 in; the number cost 1.74."""
    story = hexaserv(american())
    out = messages(2, "sms-1", AMERICAN, "sms.out")
    basis = "hexaserv/sms-delivered"
    story.when(out).then(fact("usage-charged", units=2, amount="0.07", basis=basis))
    story.when(out).refused("usage_ended")
    story.when(messages(3, "sms-2", AMERICAN)).then(fact("usage-charged", units=3, amount="0.03", basis=basis)).balance(
        "48.16"
    )


def test_an_account_holds_one_free_service() -> None:
    """hexaserv/one-free-account: the first is rented at 0.00, a second one is refused."""
    history = (NOON, register("hexaserv", plan="free"), order("site-1", "hosting.free"))
    given(*history, under="hexaserv", zone=PODGORICA).when(order("site-2", "hosting.free")).refused(
        "free_service_already_held", basis="hexaserv/one-free-account"
    )


def test_a_policy_changes_without_notice_and_not_into_the_past() -> None:
    """hexaserv/policy-change."""
    at = "2026-01-05T12:00:00+01:00"
    publication = published(at, version("hexaserv", at, refund_days=14))
    assert publication.refusal is None
    assert publication.basis == "hexaserv/policy-change"
    past = published(at, version("hexaserv", "2026-01-05T11:59:59.999999+01:00", refund_days=14)).refusal
    assert past is not None
    assert past.code.value == "effective_in_the_past"


# calycom


def test_nothing_is_served_that_was_not_paid_before() -> None:
    """calycom/prepaid: 5.00 − 5.00 × 27 ÷ 31 = 0.65 pay 32 minutes of 33, and no number change."""
    story = calycom(dutch(), amount="5.00")
    assert story.balance() == "0.65"
    story.when(replace_number("+31201234568", DUTCH)).refused("insufficient_funds", basis="calycom/prepaid")
    story.when(call(33 * 60, number=DUTCH)).then(
        fact("usage-charged", minutes=32, amount="0.64"), fact("usage-cut-off", unpaid_minutes=1)
    ).balance("0.01")


def test_only_a_reversed_deposit_makes_a_debt() -> None:
    """calycom/prepaid: 0.65 − 5.00."""
    calycom(dutch(), amount="5.00").when(charge_back()).then(fact("deposit-reversed", amount="5.00")).balance("-4.35")


def test_a_breach_stops_the_services_or_the_agreement_at_once() -> None:
    """calycom/immediate-termination."""
    grounds = {"ground": "complaints", "basis": "calycom/immediate-termination"}
    calycom().when(violation(sanction="suspension")).then(
        fact("violation-recorded", **grounds), fact("services-suspended", at=NOON, **grounds)
    )
    calycom(dutch()).when(violation(sanction="termination")).then(
        fact("violation-recorded", **grounds),
        fact("termination-announced", ends_at=NOON, **grounds),
        fact("rental-ended", at=NOON),
        fact("agreement-terminated", at=NOON),
        fact("balance-forfeited", amount="45.65"),
    ).balance("0.00")


def test_the_company_needs_no_notice() -> None:
    """calycom/immediate-termination: without a breach the balance is kept on the account."""
    calycom().when(terminate("notice")).then(
        fact("termination-announced", ends_at=NOON, ground="our decision", basis="calycom/immediate-termination"),
        fact("agreement-terminated", cause="notice", at=NOON),
    ).balance("50.00")


def test_a_material_change_needs_thirty_days() -> None:
    """calycom/terms-30d: from noon of 5 January, noon of 4 February."""
    at, first = "2026-01-05T12:00:00+01:00", "2026-02-04T12:00:00+01:00"
    short = published(at, version("calycom", "2026-02-04T11:59:59.999999+01:00", refund_days=14))
    assert short.refusal is not None
    assert short.refusal.code.value == "notice_too_short"
    assert plain(short.refusal.earliest, BERLIN) == "2026-02-04 12:00"
    assert short.basis == "calycom/terms-30d"
    assert published(at, version("calycom", first, refund_days=14)).refusal is None


def test_a_change_that_is_not_material_needs_no_notice() -> None:
    """calycom/terms-30d."""
    at = "2026-01-05T12:00:00+01:00"
    assert published(at, version("calycom", at, material=False, invoice_due_days=4)).refusal is None


# The acceptable-use policy


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_prohibited_use_is_recorded_by_each_provider(kind: str) -> None:
    """aup/prohibited-use."""
    for story in (illyvoip(), hexaserv(), calycom()):
        story.when(violation(kind)).then(fact("violation-recorded", kind=kind, ground="complaints"))


def test_a_use_that_the_policy_does_not_name_is_no_violation() -> None:
    """aup/prohibited-use."""
    for story in (illyvoip(), hexaserv(), calycom()):
        story.when(violation("rudeness")).refused("unknown_violation_kind")


def test_use_that_burdens_others_is_a_violation_and_may_be_warned_of() -> None:
    """aup/excessive-use."""
    hexaserv().when(violation("excessive_use", sanction="warning")).then(
        fact("violation-recorded", kind="excessive_use", unlawful=False), fact("warning-issued", ground="complaints")
    )


def test_excessive_use_waives_a_refund_as_any_violation_does() -> None:
    """aup/excessive-use."""
    calycom(violation("excessive_use")).when(refund()).refused("not_refundable").balance("50.00")


@pytest.mark.parametrize("cause", ["violation", "unlawful_use"])
def test_a_breach_of_the_policy_is_a_ground_to_end_the_service(cause: str) -> None:
    """aup/end-of-service."""
    story = calycom(dutch())
    story.when(terminate(cause)).then(
        fact("termination-announced", by="company", cause=cause, ground="our decision", ends_at=NOON),
        fact("rental-ended", number=DUTCH),
        fact("agreement-terminated", cause=cause),
        fact("balance-forfeited", amount="45.65"),
    )
    story.when(dutch()).refused("agreement_terminated")


def test_unlawful_use_ends_the_service_without_a_further_command() -> None:
    """aup/end-of-service."""
    calycom().when(violation("unlawful", unlawful=True)).then(
        fact("violation-recorded", kind="unlawful", unlawful=True),
        fact("termination-announced", cause="violation", ends_at=NOON),
        fact("agreement-terminated", cause="violation"),
        fact("balance-forfeited", amount="50.00"),
    )


def test_a_changed_policy_holds_from_the_instant_it_is_posted() -> None:
    """aup/immediate-change: one kind is new and one is gone, for a subscriber who joined before."""
    posted = "2026-01-06T12:00:00+01:00"
    kinds = [*KINDS[:-1], "rudeness"]
    publication = published(posted, version("hexaserv", posted, violation_kinds=kinds))
    assert publication.refusal is None
    story = Story(publication.state.catalogue, PODGORICA)
    story.when(NOON, register("hexaserv", plan="standard"))
    story.when("2026-01-06 11:59:59.999999", violation("rudeness")).refused("unknown_violation_kind")
    story.when(violation("excessive_use")).then(fact("violation-recorded", kind="excessive_use"))
    story.when("2026-01-06 12:00", violation("rudeness")).then(fact("violation-recorded", kind="rudeness"))
    story.when(violation("excessive_use")).refused("unknown_violation_kind")
