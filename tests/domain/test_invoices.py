"""Paying by invoice: what is issued, allocated, expires and is issued anew; tax; disputes."""

from typing import Any

import pytest

from domain.facts import InvoiceExpired, Line
from domain.money import Money
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
    administrative,
    announce,
    autorenew,
    call,
    cancel,
    charge_back,
    deposit,
    dispute,
    invoiced,
    messages,
    order,
    plan_change,
    register,
    release,
    replace_number,
    resolve,
    terminate,
    tick,
)
from tests.domain.given import Step, Story, amended, catalogue, fact, given, instant

FUND = "EUR"


def illyvoip(*history: Step, at: str = NOON, **rules: object) -> Story:
    return given(at, register("illyvoip", "EUR", "basic"), *history, under="illyvoip", zone=BELGRADE, rules=rules)


def calycom(*history: Step, at: str = NOON) -> Story:
    return given(at, register("calycom", "EUR", "vps"), *history, under="calycom", zone=BERLIN)


def paid(amount: str, reference: str = "lp-1") -> Step:
    return deposit(amount, reference, currency="EUR")


def german(**others: object) -> Step:
    return order(GERMAN, "did.de", **others)  # type: ignore[arg-type]


def test_an_order_is_invoiced_with_tax_on_top() -> None:
    # 2.00 connection, 4.00 × 27 ÷ 31 = 3.48, VAT 0.18 × 5.48 = 0.99, due three times 24 h later.
    illyvoip().when(german()).then(
        fact("order-placed"),
        fact(
            "invoice-issued",
            number=GERMAN,
            purpose="order",
            tax="0.99",
            total="6.47",
            due="2026-01-08 12:00",
            basis="illyvoip/advance-invoices",
        ),
        fact("connection-fee-charged", amount="2.00", invoice="s-1/4"),
        fact("periodic-service-charged", amount="3.48", invoice="s-1/4"),
        fact("tax-charged", name="VAT", rate="0.18", base="5.48", amount="0.99", invoice="s-1/4", basis="illyvoip/tax"),
    ).balance("0.00").outstanding("6.47")


def test_a_payment_is_applied_in_part_and_the_number_is_connected_when_it_is_whole() -> None:
    story = illyvoip(german())
    story.when(paid("6.00")).then(
        fact("deposit-credited"),
        fact("payment-allocated", invoice="s-1/4", amount="6.00", basis="illyvoip/oldest-invoice-first"),
    ).balance("0.00").outstanding("0.47")
    story.when(paid("1.00", "lp-2")).then(
        fact("deposit-credited"), fact("payment-allocated", amount="0.47"), fact("number-rented")
    ).balance("0.53").outstanding("0.00")


def test_the_oldest_invoice_is_paid_first() -> None:
    story = illyvoip(german(), order("site-1", "call-recording"))
    # 3.00 × 27 ÷ 31 = 2.61 and VAT 0.47: 3.08 on the second one, without a connection fee.
    story.when(paid("8.00")).then(
        fact("deposit-credited"),
        fact("payment-allocated", invoice="s-1/4", amount="6.47"),
        fact("number-rented", number=GERMAN),
        fact("payment-allocated", invoice="s-1/9", amount="1.53"),
    ).outstanding("1.55")


def test_an_unpaid_renewal_is_owed_and_service_goes_on() -> None:
    # 4.00 + 0.72 VAT for February.
    illyvoip(german(), paid("6.47")).when("2026-02-03 12:00", tick()).then(
        fact("invoice-issued", purpose="renewal", total="4.72", due="2026-02-04 00:00", at=FEBRUARY),
        fact("periodic-service-charged", amount="4.00", invoice="s-1/11", at=FEBRUARY),
        fact("tax-charged", amount="0.72", at=FEBRUARY),
    ).balance("0.00").outstanding("4.72")


def test_what_is_outstanding_is_not_netted_against_the_balance() -> None:
    told = illyvoip(german(), paid("6.47"), FEBRUARY, tick()).when(
        "2026-02-10 12:00", call(60, number=GERMAN, service="voice.out")
    )
    told.then(fact("usage-cut-off")).outstanding("4.72")


def test_an_order_that_is_unpaid_at_the_boundary_is_invoiced_anew_at_the_whole_price() -> None:
    # 2.00 + 4.00 = 6.00, VAT 1.08.
    illyvoip(german(), paid("1.00")).when(FEBRUARY, tick()).then(
        fact("invoice-expired", invoice="s-1/4", returned="1.00", outstanding="5.47"),
        fact("invoice-issued", purpose="order", total="7.08", due="2026-02-04 00:00"),
        fact("connection-fee-charged", amount="2.00"),
        fact("periodic-service-charged", amount="4.00"),
        fact("tax-charged", amount="1.08"),
        fact("payment-allocated", amount="1.00"),
    ).outstanding("6.08")


def test_an_order_whose_invoice_was_withdrawn_is_invoiced_anew() -> None:
    amounts = (("Income:Connection", "2.00"), ("Income:Periodic:did.de", "3.48"), ("Liabilities:Tax:VAT", "0.99"))
    lines = tuple(Line(label=account, account=account, amount=Money.parse(amount, FUND)) for account, amount in amounts)
    owed = Money.parse("6.47", FUND)
    withdrawn = InvoiceExpired(
        invoice="s-1/4", number=GERMAN, reason="new period", withdrawn=lines, outstanding=owed, returned=owed.zero()
    )
    illyvoip(german(), withdrawn).when(paid("6.47")).then(
        fact("deposit-credited"),
        fact("invoice-issued", number=GERMAN, purpose="order", total="6.47"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged"),
        fact("tax-charged"),
        fact("payment-allocated", amount="6.47"),
        fact("number-rented"),
    )


def test_an_invoice_may_expire_and_its_order_with_it() -> None:
    # 5.00 × 27 ÷ 31 = 4.35, no tax, no connection fee.
    story = calycom(order(DUTCH, "did.nl"), paid("1.00"))
    story.when("2026-01-08 12:00", tick()).then()
    story.when("2026-01-08 12:00:00.000001", tick()).then(
        fact("invoice-expired", returned="1.00", outstanding="3.35", at="2026-01-08 12:00", basis="calycom/invoice-3d"),
        fact("order-cancelled", number=DUTCH, at="2026-01-08 12:00"),
    ).balance("1.00").outstanding("0.00")


def test_at_the_instant_of_expiry_a_payment_still_counts() -> None:
    calycom(order(DUTCH, "did.nl")).when("2026-01-08 12:00", paid("4.35")).then(
        fact("deposit-credited"), fact("payment-allocated"), fact("number-rented")
    )


def test_an_invoice_without_a_time_to_pay_never_expires() -> None:
    story = illyvoip(german(), unpaid_invoice="expires", invoice_due_days=None)
    story.when("2026-01-31 12:00", tick()).then().outstanding("6.47")


def test_an_invoice_stays_open_where_the_version_that_it_was_issued_under_says_so() -> None:
    # Both are due on 11 January; ten days of version 1, which lets invoices stand, seven of version 2, which does not.
    story = illyvoip(german(), at=NEW_YEAR, invoice_due_days=10)
    later = instant("2026-01-03 00:00", BELGRADE)
    story.known = amended(story.known, "illyvoip", later, unpaid_invoice="expires", invoice_due_days=7)
    story.when("2026-01-04 00:00", order("site-1", "hosting"))
    story.when("2026-01-11 00:00:01", tick()).then(
        fact("invoice-expired", number="site-1", at="2026-01-11 00:00"), fact("order-cancelled", number="site-1")
    ).outstanding("7.08")


EXPIRING: dict[str, Any] = {"unpaid_invoice": "expires", "erase_personal_data_at_end": False}


def test_a_renewal_whose_invoice_expires_ends_its_number_and_with_the_last_one_the_agreement() -> None:
    # February's 4.72 are due three times 24 h after its first instant.
    history = (german(), paid("6.47"), FEBRUARY, tick(), paid("1.00", "lp-2"))
    rules: dict[str, Any] = {**EXPIRING, "agreement_ends_with_last_rental": True, "balance_at_termination": "refund"}
    illyvoip(*history, **rules).when("2026-02-04 12:00", tick()).then(
        fact("invoice-expired", outstanding="3.72", returned="1.00", at="2026-02-04 00:00"),
        fact("rental-ended", number=GERMAN, reason="unpaid", at="2026-02-04 00:00"),
        fact("agreement-terminated", cause="unpaid", at="2026-02-04 00:00"),
        fact("refund-due", amount="1.00"),
    ).balance("0.00").outstanding("0.00")
    illyvoip(*history, **{**rules, "agreement_ends_with_last_rental": False}).when("2026-02-04 12:00", tick()).then(
        fact("invoice-expired"), fact("rental-ended")
    ).balance("1.00")


def test_what_an_invoice_that_expires_after_the_end_gives_back_is_due_less_the_debt() -> None:
    # 1.30 are paid on February's invoice when the agreement ends; 0.30 of them are charged back.
    history = (german(), paid("6.47"), FEBRUARY, tick(), paid("1.00", "lp-2"), paid("0.30", "lp-3"))
    end = ("2026-02-02 12:00", terminate(), "2026-02-03 12:00", charge_back("lp-3"))
    illyvoip(*history, *end, **EXPIRING, balance_at_termination="refund").when("2026-02-04 12:00", tick()).then(
        fact("invoice-expired", outstanding="3.42", returned="1.30", at="2026-02-04 00:00"),
        fact("refund-due", amount="1.00", at="2026-02-04 00:00"),
    ).balance("0.00").outstanding("0.00")


def test_without_patience_a_renewal_that_cannot_be_paid_is_not_invoiced() -> None:
    calycom(order(DUTCH, "did.nl"), paid("5.00")).when(FEBRUARY, tick()).then(
        fact("rental-ended", number=DUTCH, at=FEBRUARY, basis="calycom/expiry")
    ).balance("0.65")


def test_without_patience_a_renewal_that_can_be_paid_is_invoiced_and_paid() -> None:
    calycom(order(DUTCH, "did.nl"), paid("9.35")).when(FEBRUARY, tick()).then(
        fact("invoice-issued", total="5.00"),
        fact("periodic-service-charged", amount="5.00"),
        fact("payment-allocated", amount="5.00"),
    ).balance("0.00")


def test_without_patience_a_renewal_of_nothing_needs_no_money() -> None:
    gratis = {"connection_fee": "0.00", "periodic": {"did.nl": "0.00"}, "usage": {}, "administrative": {}}
    document = {
        "tariff": "calycom-eur-gratis",
        "regulations": "calycom",
        "currency": "EUR",
        "effective_from": "2025-01-01T00:00:00+01:00",
        "tax": None,
        "plans": {"vps": gratis},
    }
    history = (NOON, register("calycom", "EUR", "vps"), order(DUTCH, "did.nl"))
    given(*history, under="calycom", zone=BERLIN, tariffs=(document,)).when(FEBRUARY, tick()).then(
        fact("invoice-issued", purpose="renewal", total="0.00"), fact("periodic-service-charged", amount="0.00")
    )


def test_included_units_are_granted_with_the_invoice_where_service_goes_on() -> None:
    story = illyvoip(order(GERMAN, "did.de"), paid("6.47"))
    story.when(plan_change("pro")).then(fact("plan-change-scheduled"))
    # The difference of 4.00 with VAT 0.72 cannot be paid: the change lapses.
    story.when(FEBRUARY, tick()).then(
        fact("plan-change-lapsed", difference="4.72"),
        fact("invoice-issued", total="4.72"),
        fact("periodic-service-charged"),
        fact("tax-charged"),
    )


def test_the_fee_difference_is_taken_from_the_balance_at_once_with_its_tax() -> None:
    # 6.47 + 4.72 for the difference; 3.50 + 0.63 VAT for February in the new plan: 15.32.
    illyvoip(german(), paid("15.32"), plan_change("pro")).when(FEBRUARY, tick()).then(
        fact("connection-fee-difference-charged", amount="4.00"),
        fact("tax-charged", amount="0.72", invoice=None),
        fact("plan-changed"),
        fact("invoice-issued", total="4.13"),
        fact("periodic-service-charged", amount="3.50"),
        fact("tax-charged", amount="0.63"),
        fact("payment-allocated", amount="4.13"),
        fact("included-units-granted", service="voice.out", units=100),
    ).balance("0.00")


def test_administrative_services_are_charged_at_once_with_their_tax() -> None:
    # 5.00 and 0.90 VAT.
    illyvoip(german(), paid("12.37")).when(replace_number("+493012345679", GERMAN)).then(
        fact("administrative-service-charged", amount="5.00"),
        fact("tax-charged", base="5.00", amount="0.90", on=("s-1/11",)),
        fact("number-replaced"),
    ).balance("0.00")
    illyvoip(german(), paid("12.36")).when(replace_number("+493012345679", GERMAN)).refused("insufficient_funds")


def test_usage_is_taxed_per_report_to_the_millionth() -> None:
    # 3 × 0.02 = 0.06, VAT 0.0108; a message 0.05, VAT 0.009.
    story = illyvoip(german(), paid("7.47"))
    story.when(call(150, number=GERMAN, service="voice.out")).then(
        fact("usage-charged", amount="0.06"), fact("tax-charged", amount="0.0108")
    ).metered(goes_on=False, charged="0.06").balance("0.9292")
    story.when(messages(1, number=GERMAN, service="sms.out")).then(
        fact("usage-charged", amount="0.05"), fact("tax-charged", amount="0.009")
    ).balance("0.8702")


def test_an_order_is_released_with_its_invoice() -> None:
    illyvoip(german(), paid("1.00")).when(release(GERMAN)).then(
        fact("invoice-expired", returned="1.00"), fact("order-cancelled")
    ).balance("1.00").outstanding("0.00")


def test_the_connection_fee_stands_on_the_next_invoice_once_its_own_has_expired() -> None:
    illyvoip(german(), release(GERMAN)).when(order("site-1", "call-recording")).then(
        fact("order-placed"),
        fact("invoice-issued", total="5.44"),  # 2.00 + 2.61 = 4.61, VAT 0.83
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="2.61"),
        fact("tax-charged", amount="0.83"),
    )


def test_an_invoice_of_nothing_counts_as_paid() -> None:
    free = {
        "tariff": "calycom-eur-free",
        "regulations": "calycom",
        "currency": "EUR",
        "effective_from": "2025-01-01T00:00:00+01:00",
        "tax": None,
        "plans": {"vps": {"connection_fee": "0.00", "periodic": {"did.nl": "0.00"}, "usage": {}, "administrative": {}}},
    }
    story = given(NOON, register("calycom", "EUR", "vps"), under="calycom", zone=BERLIN, tariffs=(free,))
    story.when(order(DUTCH, "did.nl")).then(
        fact("order-placed"),
        fact("invoice-issued", total="0.00"),
        fact("periodic-service-charged", amount="0.00"),
        fact("number-rented"),
    )


def test_invoices_of_rentals_stay_owed_after_the_end_and_those_of_orders_expire() -> None:
    story = illyvoip(german(), paid("6.47"), FEBRUARY, tick(), order("site-1", "call-recording"))
    # 3.00 and 0.54 VAT for the order on the first day.
    story.when("2026-02-02 12:00", cancel("T-1")).then(
        fact("termination-announced"),
        fact("invoice-expired", number="site-1", outstanding="3.54"),
        fact("order-cancelled", number="site-1"),
        fact("rental-ended", number=GERMAN),
        fact("agreement-terminated"),
        fact("personal-data-erased"),
    ).outstanding("4.72")
    story.when("2026-02-03 12:00", paid("5.00", "lp-2")).then(
        fact("deposit-credited"), fact("payment-allocated", amount="4.72"), fact("refund-due", amount="0.28")
    ).outstanding("0.00")


def test_an_unpaid_end_counted_in_days_withdraws_the_invoice_first() -> None:
    rules: dict[str, Any] = {"unpaid_ends_after": {"days": 7}}
    illyvoip(german(), paid("6.47"), FEBRUARY, tick(), **rules).when("2026-02-09 00:00", tick()).then(
        fact("invoice-expired", outstanding="4.72"),
        fact("rental-ended"),
        fact("agreement-terminated"),
        fact("personal-data-erased"),
    ).outstanding("0.00")


def test_a_rental_that_a_stricter_version_ends_takes_its_open_invoice_with_it() -> None:
    # 1.00 of February's 4.72 was paid; in March the grace is gone, and so is what was owed for February.
    story = illyvoip(german(), paid("7.47"), FEBRUARY, tick())
    story.known = catalogue({"unpaid_renewal": "end"}, "illyvoip")
    story.when(MARCH, tick()).then(
        fact("invoice-expired", number=GERMAN, outstanding="3.72", returned="1.00"), fact("rental-ended", number=GERMAN)
    ).balance("1.00").outstanding("0.00")


def test_a_rental_that_ends_with_an_expired_invoice_owes_nothing_for_later_periods_either() -> None:
    # February's invoice may wait for forty days, until 13 March; March's, of the same price, is open by then.
    rules: dict[str, Any] = {"unpaid_invoice": "expires", "invoice_due_days": 40}
    story = illyvoip(german(), paid("6.47"), MARCH, tick(), **rules)
    story.when("2026-03-13 12:00", tick()).then(
        fact("invoice-expired", outstanding="4.72", at="2026-03-13 00:00"),
        fact("invoice-expired", outstanding="4.72", at="2026-03-13 00:00"),
        fact("rental-ended", number=GERMAN, at="2026-03-13 00:00"),
    ).outstanding("0.00")


def test_what_an_ended_rental_owes_stays_owed_when_another_takes_its_number() -> None:
    # 7.08 with the connection fee, and 4.72; February's 4.72 each are open when one number is given back.
    history = (german(), order("+493012345679", "did.de"), paid("11.80"), FEBRUARY, release(GERMAN))
    story = illyvoip(*history, "2026-03-02 12:00", tick(), at=NEW_YEAR, unpaid_renewal="suspend")
    story.when(announce("2026-03-03", GERMAN, "+493012345679")).then(fact("number-replacement-announced"))
    story.when("2026-03-31 12:00", tick()).then(fact("number-replaced", new_number=GERMAN)).outstanding("9.44")
    story.when(APRIL, tick()).then(
        fact("invoice-expired", outstanding="4.72"),
        fact("invoice-issued", number=GERMAN, total="4.72", period=(APRIL, "2026-05-01 00:00")),
        fact("periodic-service-charged"),
        fact("tax-charged"),
        fact("rental-suspended", number=GERMAN),
    ).outstanding("9.44")


def test_a_number_suspended_for_its_invoice_is_resumed_when_it_is_paid() -> None:
    rules: dict[str, Any] = {"unpaid_renewal": "suspend", "unpaid_ends_after": {"months": 1}}
    story = illyvoip(german(), paid("6.47"), **rules)
    story.when(FEBRUARY, tick()).then(
        fact("invoice-issued"), fact("periodic-service-charged"), fact("tax-charged"), fact("rental-suspended")
    )
    story.when("2026-02-10 12:00", paid("4.72", "lp-2")).then(
        fact("deposit-credited"), fact("payment-allocated"), fact("rental-resumed", number=GERMAN)
    )


def test_of_two_suspended_numbers_the_one_that_is_paid_works_again() -> None:
    # 6.47 for the first one, 3.48 and 0.63 VAT for the second.
    rules: dict[str, Any] = {"unpaid_renewal": "suspend"}
    history = (german(), order("+493012345679", "did.de"), paid("10.58"), FEBRUARY, tick())
    illyvoip(*history, **rules).when("2026-02-10 12:00", paid("4.72", "lp-2")).then(
        fact("deposit-credited"), fact("payment-allocated", amount="4.72"), fact("rental-resumed", number=GERMAN)
    ).outstanding("4.72")


def test_a_number_that_owes_two_months_works_again_when_both_are_paid() -> None:
    # February was owed while service went on; in March the regulations suspend.
    story = illyvoip(german(), paid("6.47"), FEBRUARY, tick())
    story.known = catalogue({"unpaid_renewal": "suspend"}, "illyvoip")
    story.when(MARCH, tick()).then(
        fact("invoice-issued"), fact("periodic-service-charged"), fact("tax-charged"), fact("rental-suspended")
    )
    story.when(paid("4.72", "lp-2")).then(fact("deposit-credited"), fact("payment-allocated", amount="4.72"))
    story.when(paid("4.72", "lp-3")).then(
        fact("deposit-credited"), fact("payment-allocated", amount="4.72"), fact("rental-resumed")
    )


def test_a_period_that_is_over_when_it_is_paid_brings_no_included_units() -> None:
    # Plan `pro` from 1 January: 6.00 + 3.50 and VAT 1.71 = 11.21, February 3.50 + 0.63 = 4.13. The 5.00 paid on the
    # site's order, 18.00 + 3.24, return at the boundary and pay the number's February first, the rest goes to the site.
    story = given(
        *(NEW_YEAR, register("illyvoip", "EUR", "pro"), german(), paid("11.21"), order("site-1", "hosting")),
        *(FEBRUARY, tick(), "2026-02-10 12:00", paid("5.00", "lp-2")),
        under="illyvoip",
        zone=BELGRADE,
        rules={"unpaid_renewal": "suspend"},
    )
    story.when(MARCH, tick()).then(
        fact("invoice-expired", number="site-1", returned="5.00", outstanding="16.24"),
        fact("invoice-issued", number="site-1", total="21.24"),
        fact("periodic-service-charged", amount="18.00"),
        fact("tax-charged", amount="3.24"),
        fact("payment-allocated", amount="4.13"),
        fact("rental-resumed", number=GERMAN, at=MARCH),
        fact("payment-allocated", amount="0.87"),
        fact("invoice-issued", number=GERMAN, total="4.13"),
        fact("periodic-service-charged", amount="3.50"),
        fact("tax-charged", amount="0.63"),
        fact("rental-suspended", number=GERMAN),
    ).outstanding("24.50")


@pytest.mark.parametrize(("amount", "left"), [("3.00", "14.70"), ("1.37", "16.33")])
def test_what_returns_at_a_boundary_pays_no_order_at_the_price_of_the_month_before(amount: str, left: str) -> None:
    # 12 of 31 days: 2.00 + 3.87 and VAT 1.06 = 6.93 for the site; 1.16 + 0.21 = 1.37 for the recording, which the
    # returned money could pay. From 1 February they cost 12.00 + 2.16 = 14.16 and 3.00 + 0.54 = 3.54.
    story = illyvoip(order("site-1", "hosting"), order("line-1", "call-recording"), paid(amount), at="2026-01-20 12:00")
    story.when(FEBRUARY, tick()).then(
        fact("invoice-expired", number="site-1", returned=amount),
        fact("invoice-issued", number="site-1", total="14.16"),
        fact("connection-fee-charged", amount="2.00"),
        fact("periodic-service-charged", amount="10.00"),
        fact("tax-charged", amount="2.16"),
        fact("payment-allocated", amount=amount),
        fact("invoice-expired", number="line-1", returned="0.00", outstanding="1.37"),
        fact("invoice-issued", number="line-1", total="3.54"),
        fact("periodic-service-charged", amount="3.00"),
        fact("tax-charged", amount="0.54"),
    ).outstanding(left)


SUSPENDING: dict[str, Any] = {"unpaid_renewal": "suspend", "unpaid_ends_after": None}


def in_march(number: str) -> dict[str, Any]:
    """From 1 March on the number costs so much, and a hundred minutes are included."""
    usage = {"voice.out": {"per": "minute", "price": "0.02", "included": 100}}
    plan = {"connection_fee": "2.00", "periodic": {"did.de": number}, "usage": usage, "administrative": {}}
    return {
        "tariff": "illyvoip-eur-march",
        "regulations": "illyvoip",
        "currency": "EUR",
        "effective_from": "2026-03-01T00:00:00+01:00",
        "tax": {"name": "VAT", "rate": "0.18"},
        "plans": {"basic": plan},
    }


def suspended(*history: Step, march: str = "4.00") -> Story:
    """Suspended since 1 February for 4.72, of which 3.00 are paid."""
    unpaid = (german(), paid("6.47"), FEBRUARY, tick(), paid("3.00", "lp-2"))
    return given(
        *(NOON, register("illyvoip", "EUR", "basic"), *unpaid, *history),
        rules=SUSPENDING,
        under="illyvoip",
        zone=BELGRADE,
        tariffs=(in_march(march),),
    )


def test_the_next_periods_invoice_replaces_the_unpaid_one_of_a_suspended_number() -> None:
    # What was paid on February's goes over to March's 4.72.
    suspended().when(MARCH, tick()).then(
        fact(
            "invoice-expired",
            number=GERMAN,
            reason="new period",
            outstanding="1.72",
            returned="3.00",
            basis="illyvoip/advance-invoices",
        ),
        fact("invoice-issued", purpose="renewal", total="4.72"),
        fact("periodic-service-charged", amount="4.00", period=(MARCH, APRIL)),
        fact("tax-charged", amount="0.72"),
        fact("payment-allocated", amount="3.00"),
        fact("rental-suspended", number=GERMAN, owed="4.72", period=(MARCH, APRIL)),
    ).outstanding("1.72")


def test_a_suspended_number_is_resumed_when_what_was_paid_is_enough_for_the_next_period() -> None:
    # 2.00 + 0.36 VAT; 0.64 of the 3.00 are left.
    suspended(march="2.00").when(MARCH, tick()).then(
        fact("invoice-expired", returned="3.00"),
        fact("invoice-issued", total="2.36"),
        fact("periodic-service-charged", amount="2.00"),
        fact("tax-charged", amount="0.36"),
        fact("payment-allocated", amount="2.36"),
        fact("included-units-granted", number=GERMAN, service="voice.out", units=100, period=(MARCH, APRIL)),
        fact("rental-resumed", number=GERMAN),
    ).balance("0.64").outstanding("0.00")


def test_a_suspended_number_is_resumed_by_a_period_that_costs_nothing() -> None:
    suspended(march="0.00").when(MARCH, tick()).then(
        fact("invoice-expired", returned="3.00"),
        fact("invoice-issued", total="0.00"),
        fact("periodic-service-charged", amount="0.00"),
        fact("included-units-granted", number=GERMAN, service="voice.out", units=100, period=(MARCH, APRIL)),
        fact("rental-resumed", number=GERMAN, basis="illyvoip/recurring"),
    ).balance("3.00")


def test_a_replaced_number_takes_its_unpaid_invoice_along_and_no_other_ones() -> None:
    # 4.72 for the number; call recording, ordered in January for 2.61 + 0.47, costs 3.00 + 0.54.
    other = "+493012345679"
    history = (
        german(),
        order("site-1", "call-recording"),
        paid("9.55"),
        FEBRUARY,
        tick(),
        announce("2026-02-03", other, GERMAN),
    )
    story = illyvoip(*history, **SUSPENDING)
    story.when("2026-02-03 00:00", tick()).then(fact("number-replaced", number=GERMAN, new_number=other))
    story.when(paid("8.26", "lp-2")).then(
        fact("deposit-credited"),
        fact("payment-allocated", amount="4.72"),
        fact("rental-resumed", number=other),
        fact("payment-allocated", amount="3.54"),
        fact("rental-resumed", number="site-1"),
    ).balance("0.00").outstanding("0.00")


def test_a_rental_that_is_not_renewed_gets_no_invoice() -> None:
    illyvoip(german(), paid("6.47"), autorenew(False, GERMAN)).when(FEBRUARY, tick()).then(
        fact("rental-ended", number=GERMAN)
    )


# Disputes


def test_a_charge_is_disputed_within_seventy_two_hours() -> None:
    paid_order = (german(), paid("6.47"))
    illyvoip(*paid_order).when("2026-01-08 12:00", dispute("s-1/6")).then(
        fact("dispute-opened", charge="s-1/6", basis="illyvoip/dispute-3d")
    )
    illyvoip(*paid_order).when("2026-01-08 12:00:00.000001", dispute("s-1/6")).refused(
        "dispute_window_closed", basis="illyvoip/dispute-3d"
    )
    illyvoip(*paid_order, dispute_hours=None).when(MARCH, tick(), dispute("s-1/6")).then(fact("dispute-opened"))


def test_only_a_charge_is_disputed_and_only_once() -> None:
    paid_order = (german(), paid("6.47"))
    illyvoip(*paid_order).when(dispute("s-1/1")).refused("unknown_charge")
    illyvoip(*paid_order).when(dispute("s-1/99")).refused("unknown_charge")
    illyvoip(*paid_order).when(dispute("s-1/99999999999999999999")).refused("unknown_charge")
    illyvoip(*paid_order).when(dispute("s-1/06")).refused("unknown_charge")
    illyvoip(*paid_order, dispute("s-1/6")).when(dispute("s-1/6")).refused("already_disputed")
    illyvoip(*paid_order, dispute("s-1/6"), resolve("s-1/11", False)).when(dispute("s-1/6")).refused("already_disputed")


def test_the_tax_itself_can_be_disputed() -> None:
    illyvoip(german(), paid("6.47")).when(dispute("s-1/7")).then(fact("dispute-opened"))


def test_a_charge_of_an_invoice_that_expired_is_no_charge() -> None:
    illyvoip(german(), release(GERMAN)).when(dispute("s-1/6")).refused("unknown_charge")


def test_what_is_upheld_comes_back_with_its_tax_in_proportion() -> None:
    # 3.48 of 5.48 with 0.99 VAT: 0.99 × 3.48 ÷ 5.48 = 0.6286… → 0.63.
    illyvoip(german(), paid("6.47"), dispute("s-1/6")).when(resolve("s-1/11")).then(
        fact("dispute-resolved", upheld=True),
        fact("charge-reversed", charge="s-1/6", amount="3.48", tax="0.63", lowered="0.00", credited="4.11"),
    ).balance("4.11")


def test_a_part_of_a_charge_may_be_upheld_and_never_more_than_the_whole() -> None:
    # 1.00 of 5.48 with 0.99 VAT: 0.18.
    history = (german(), paid("6.47"), dispute("s-1/6"))
    illyvoip(*history).when(resolve("s-1/11", amount="1.00")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="1.00", tax="0.18")
    ).balance("1.18")
    illyvoip(*history).when(resolve("s-1/11", amount="99.00")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="3.48", tax="0.63")
    )
    illyvoip(*history).when(resolve("s-1/11", amount="0.000001")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="0.000001", tax="0.00")
    )
    illyvoip(*history).when(resolve("s-1/11", amount="0.00")).refused(
        "amount_not_positive", message="what is taken back is more than 0.00"
    )


def test_of_an_amount_too_small_for_tax_none_comes_back() -> None:
    # 0.99 × 0.01 ÷ 5.48 = 0.0018.
    illyvoip(german(), paid("6.47"), dispute("s-1/6")).when(resolve("s-1/11", amount="0.01")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="0.01", tax="0.00", tax_charge=None, credited="0.01")
    )


def test_what_comes_back_of_an_invoice_goes_into_the_lots_that_paid_it_the_newest_first() -> None:
    # 3.00, then 3.47 of 3.53: 2.00 + 0.36 of the connection go into the second lot, 3.48 + 0.63 of the number fill it
    # up first. A minute, 0.02 + 0.0036, that was paid of the second lot besides and comes back too is not counted.
    # invoice 4, connection 5, number 6, tax 7, deposits 8 and 10, allocated 9 and 11, rented 12, minute 13.
    story = illyvoip(german(), paid("3.00"), paid("3.53", "lp-2"), call(60, number=GERMAN, service="voice.out"))
    story.when(dispute("s-1/5"), resolve("s-1/15")).then(
        fact("dispute-resolved"), fact("charge-reversed", restored=(into("s-1/10", "2.36"),))
    )
    story.when(dispute("s-1/13"), resolve("s-1/18")).then(
        fact("dispute-resolved"),
        fact("charge-reversed", restored=(into("s-1/10", "0.0036"), into("s-1/10", "0.02"))),
    )
    story.when(dispute("s-1/6"), resolve("s-1/21")).then(
        fact("dispute-resolved"), fact("charge-reversed", restored=(into("s-1/10", "1.11"), into("s-1/8", "3.00")))
    ).balance("6.53")


def into(lot: str, amount: str) -> dict[str, str]:
    return {"lot": lot, "amount": amount, "received_at": NOON, "method": "card"}


def test_a_dispute_that_is_not_upheld_changes_no_money() -> None:
    illyvoip(german(), paid("6.47"), dispute("s-1/6")).when(resolve("s-1/11", False)).then(
        fact("dispute-resolved", upheld=False)
    ).balance("0.00")


def test_a_dispute_is_resolved_once() -> None:
    history = (german(), paid("6.47"), dispute("s-1/6"), resolve("s-1/11", False))
    illyvoip(*history).when(resolve("s-1/11")).refused("already_resolved")
    illyvoip(german()).when(resolve("s-1/11")).refused("unknown_dispute", message="no dispute s-1/11 was opened")


def test_what_is_upheld_lowers_what_is_still_owed_on_the_invoice_first() -> None:
    # 1.00 of 6.47 is paid; 4.11 come off the 5.47 that are owed.
    illyvoip(german(), paid("1.00"), dispute("s-1/6")).when(resolve("s-1/10")).then(
        fact("dispute-resolved"), fact("charge-reversed", lowered="4.11", credited="0.00")
    ).outstanding("1.36")


def test_two_charges_of_an_invoice_refill_the_deposits_that_paid_it_the_newest_first() -> None:
    # 3.00 of the first deposit and 3.47 of the second paid 6.47. The fee comes back with 0.99 × 2.00 ÷ 5.48 = 0.36
    # VAT, 2.36 into the second; of the 3.48 + 0.63 = 4.11 for the number it takes the other 1.11, and the first 3.00.
    story = illyvoip(
        *(german(), deposit("3.00", "lp-1", "EUR", "cash"), "2026-01-06 12:00", paid("4.00", "lp-2")),
        *(dispute("s-1/5"), dispute("s-1/6")),
    )
    second = {"lot": "s-1/10", "received_at": "2026-01-06 12:00", "method": "card"}
    story.when(resolve("s-1/13")).then(
        fact("dispute-resolved"), fact("charge-reversed", restored=({**second, "amount": "2.36"},))
    )
    first = {"lot": "s-1/8", "amount": "3.00", "received_at": NOON, "method": "cash"}
    story.when(resolve("s-1/14")).then(
        fact("dispute-resolved"), fact("charge-reversed", restored=({**second, "amount": "1.11"}, first))
    ).balance("7.00")


def test_what_filled_a_debt_is_not_counted_as_put_back_into_the_deposits_that_paid_an_invoice() -> None:
    # The first 3.00 of 6.47 were charged back: the fee's 2.36 and 0.64 of the number's 4.11 fill that debt. The 3.47
    # above it are what the second deposit paid, and refill it.
    story = illyvoip(
        *(german(), deposit("3.00", "lp-1", "EUR", "cash"), "2026-01-06 12:00", paid("3.47", "lp-2")),
        *(dispute("s-1/5"), dispute("s-1/6"), charge_back()),
    )
    story.when(resolve("s-1/13")).then(
        fact("dispute-resolved"), fact("charge-reversed", credited="2.36", restored=())
    ).balance("-0.64")
    second = {"lot": "s-1/10", "amount": "3.47", "received_at": "2026-01-06 12:00", "method": "card"}
    story.when(resolve("s-1/14")).then(
        fact("dispute-resolved"), fact("charge-reversed", credited="4.11", restored=(second,))
    ).balance("3.47")


def test_what_filled_a_debt_is_not_counted_as_put_back_into_the_deposits_that_paid_a_tax() -> None:
    # 2.00, 4.00, 1.50 and 0.50 of their 1.35 VAT by transfer, 0.85 of it by card. 8.00 charged back are made good by
    # 4.72, 2.36 and 0.92 of 1.77; of the other 0.85 the channel's VAT, 0.27, was the card's.
    story = given(
        *invoiced(at=NEW_YEAR),
        deposit("8.00", "lp-1", "EUR", "bank_transfer"),
        deposit("0.85", "lp-2", "EUR"),
        order(GERMAN, "did.de", channels=1),
        *(dispute("s-1/6"), dispute("s-1/7"), dispute("s-1/8"), charge_back()),
        under="illyvoip",
        zone=BELGRADE,
        rules={"pay_with": "balance", "invoice_due_days": None, "unpaid_invoice": None},
    )
    story.when(resolve("s-1/12"), resolve("s-1/11")).balance("-0.92")
    card = {"lot": "s-1/4", "amount": "0.27", "received_at": NEW_YEAR, "method": "card"}
    transfer = {"lot": "s-1/3", "amount": "0.58", "received_at": NEW_YEAR, "method": "bank_transfer"}
    story.when(resolve("s-1/13")).then(
        fact("dispute-resolved"), fact("charge-reversed", amount="1.50", tax="0.27", restored=(card, transfer))
    ).balance("0.85")


def test_a_dispute_that_settles_the_invoice_connects_the_number() -> None:
    illyvoip(german(), paid("3.00"), dispute("s-1/6")).when(resolve("s-1/10")).then(
        fact("dispute-resolved"),
        fact("charge-reversed", lowered="3.47", credited="0.64"),
        fact("number-rented", number=GERMAN),
    ).balance("0.64")


def test_a_dispute_may_be_resolved_after_the_end() -> None:
    rules: dict[str, Any] = {"balance_at_termination": "refund"}
    story = illyvoip(german(), paid("6.47"), dispute("s-1/6"), terminate(), **rules)
    story.when(resolve("s-1/11")).then(
        fact("dispute-resolved"), fact("charge-reversed", credited="4.11"), fact("refund-due", amount="4.11")
    ).balance("0.00")


def test_after_the_end_only_what_a_dispute_brought_is_due_where_the_rest_was_kept() -> None:
    # The balance of 3.53 was kept at the end; from then on the regulations refund. 3.48 and 0.63 VAT come back.
    story = illyvoip(german(), paid("10.00"), dispute("s-1/6"), terminate(), balance_at_termination="keep")
    story.known = catalogue({"balance_at_termination": "refund"}, "illyvoip")
    story.when(resolve("s-1/11")).then(
        fact("dispute-resolved"), fact("charge-reversed", credited="4.11"), fact("refund-due", amount="4.11")
    ).balance("3.53")


def test_before_the_first_of_the_month_nothing_is_prorated() -> None:
    illyvoip(at=NEW_YEAR).when(german()).then(
        fact("order-placed"),
        fact("invoice-issued", total="7.08"),
        fact("connection-fee-charged"),
        fact("periodic-service-charged", amount="4.00"),
        fact("tax-charged"),
    )


def test_administrative_services_are_not_invoiced() -> None:
    illyvoip().when(administrative("number_change")).refused("insufficient_funds", basis="illyvoip/advance-invoices")
