"""The end: of a rental, of the agreement with all that belongs to it, and the settlement of what is left."""

from datetime import datetime

from domain import invoices, refunds
from domain.case import Case
from domain.facts import (
    AgreementTerminated,
    BalanceForfeited,
    IncludedUnitsLapsed,
    PersonalDataErased,
    PlanChangeWithdrawn,
    RemainingTermCharged,
    RentalEnded,
)
from domain.periods import whole_periods
from domain.prices import price_of_held, term_price
from domain.state import CHANNEL, Rental

Ended = tuple[str, datetime]
"""Why a rental ended, and the instant from which its end counts."""

UNPAID = "unpaid"
"""Why a rental, and with the last one the agreement, ends by itself; such an end is not "for cause"."""


def end_rental(case: Case, rental: Rental, reason: str, rule: str, effective_at: datetime | None = None) -> Ended:
    """The number is given back."""
    ended = RentalEnded(number=rental.number, service=rental.service, reason=reason)
    case.record(ended, rule, effective_at)
    return reason, effective_at or case.effective_at


def end_unpaid(case: Case, rental: Rental, rule: str = "unpaid-end", since: datetime | None = None) -> Ended:
    """An unpaid rental ends, from `since` or now: all that is invoiced for it and not paid expires first."""
    for invoice in invoices.renewals_open(case, rental.number):
        invoices.expiry(case, invoice, "rental ended", rule)
    return end_rental(case, rental, UNPAID, rule, since)


def end_after_grace(case: Case, rental: Rental, since: datetime) -> Ended:
    """Unpaid since `since` for as long as is allowed; the end may count from the unpaid period's start."""
    from_start = case.regulations.unpaid_end_counts_from == "period_start"
    return end_unpaid(case, rental, since=since if from_start else None)


def end_with_last_rental(case: Case, reason: str, effective_at: datetime) -> None:
    """Ends the agreement from `effective_at` if no rental is left and no order waits."""
    if case.state.rentals or case.state.orders or case.state.standing.ended:
        return
    _withdraw_plan_change(case)
    rule = "unpaid-end" if reason == UNPAID else "autorenew"
    case.record(AgreementTerminated(cause=reason), rule, effective_at)
    invoices.oldest_invoice_first(case)
    settlement(case, for_cause=False)


def end_agreement(case: Case, cause: str, *, charge_remaining_term: bool = False) -> None:
    """The end has come: what was included lapses, what waited goes, each rental ends, then the money is settled."""
    lapse_units(case)
    _withdraw_plan_change(case)
    rule = RULE_OF_END.get(cause, "cause")
    for order in list(case.state.orders.values()):
        invoices.expire_order(case, order, "agreement ended", rule)
    prepaid = refunds.prepaid_periods_left(case)
    owed = _remaining_terms(case) if charge_remaining_term else ()
    for rental in list(case.state.rentals.values()):
        end_rental(case, rental, cause, rule)
    case.record(AgreementTerminated(cause=cause), rule)
    invoices.oldest_invoice_first(case)
    if cause != refunds.MONEY_BACK:
        settlement(case, for_cause=cause in refunds.FOR_CAUSE, charges=owed, prepaid=prepaid)


RULE_OF_END = {
    "subscriber": "termination",
    "notice": "company-termination",
    "money_back": "refund",
    "non_payment": "cause",
}


def settlement(
    case: Case,
    *,
    for_cause: bool,
    charges: tuple[RemainingTermCharged, ...] = (),
    prepaid: tuple[refunds.PrepaidLeft, ...] = (),
) -> None:
    """What becomes of the balance: paid out, refunded by the rules, kept in the account, or forfeited."""
    regulations = case.regulations
    way = regulations.balance_at_termination_for_cause if for_cause else regulations.balance_at_termination
    if way == "refund":
        refunds.pay_out_balance(case, "settlement-for-cause" if for_cause else "settlement")
    elif way == "by_refund_rules":
        refunds.by_refund_rules(case, prepaid)
    elif way == "forfeit":
        _forfeit(case, charges)
    erase_at_end(case)


def money_back_end(case: Case) -> None:
    """The money-back guarantee ends what has not ended yet; its own refund takes the settlement's place."""
    end_agreement(case, refunds.MONEY_BACK)


def erase_at_end(case: Case) -> None:
    """Where the regulations say so, the person's data goes with the agreement (illyvoip/data-deletion)."""
    if case.regulations.erase_personal_data_at_end and not case.state.profile.erased:
        case.record(PersonalDataErased(reason="the agreement has ended"), "erasure")


def _forfeit(case: Case, charges: tuple[RemainingTermCharged, ...]) -> None:
    """First the rest of the running terms, if asked for; then what is left (illyvoip/termination-for-cause)."""
    for charge in charges:
        case.record(
            RemainingTermCharged(
                number=charge.number,
                amount=charge.amount,
                periods=charge.periods,
                price=charge.price,
                tariff=charge.tariff,
                paid_from=case.takes(charge.amount),
            ),
            "settlement-for-cause",
        )
    if case.balance.units > 0:
        forfeited = BalanceForfeited(amount=case.balance, paid_from=case.takes(case.balance))
        case.record(forfeited, "settlement-for-cause")


def _remaining_terms(case: Case) -> tuple[RemainingTermCharged, ...]:
    """One charge per rental: the unpaid whole periods of its term at today's price, its channels included."""
    return tuple(charge for rental in case.state.rentals.values() if (charge := _remaining_term(case, rental)))


def _remaining_term(case: Case, rental: Rental) -> RemainingTermCharged | None:
    if not rental.in_term(case.effective_at) or rental.term_ends_at is None:
        return None
    periods = whole_periods(rental.paid_until, rental.term_ends_at, case.zone)
    if periods <= 0:
        return None
    listed = price_of_held(case, rental.service)
    priced = [(listed, 1)]
    if rental.channels:
        priced.append((price_of_held(case, CHANNEL), rental.channels))
    price, amount = term_price(priced, periods)
    return RemainingTermCharged(number=rental.number, amount=amount, periods=periods, price=price, tariff=listed.tariff)


def lapse_units(case: Case) -> None:
    """Included units are not carried over (telnexx/included-minutes)."""
    for rental in list(case.state.rentals.values()):
        for service in sorted(rental.units):
            left = rental.units[service]
            if left:
                lapsed = IncludedUnitsLapsed(number=rental.number, service=service, units=left)
                case.record(lapsed, "included-units")


def _withdraw_plan_change(case: Case) -> None:
    if case.state.scheduled_plan is not None:
        case.record(PlanChangeWithdrawn(plan=case.state.scheduled_plan), "plan-change")
