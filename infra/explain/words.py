"""Facts in plain words: what happened, as a billing clerk would say it on the telephone."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from domain import facts as f
from domain.facts import Fact
from domain.money import Money
from domain.periods import Period

Zone = ZoneInfo

METHODS = {
    "card": "card",
    "bank_transfer": "bank transfer",
    "crypto": "crypto",
    "electronic_money": "electronic money",
    "cash": "cash",
}
REASONS = {
    "unpaid": "it was not paid",
    "non_payment": "it was not paid",
    "not_renewed": "it was not renewed",
    "subscriber": "the subscriber asked for it",
    "notice": "the company gave notice",
    "violation": "the terms were broken",
    "unlawful_use": "unlawful use",
}
"""Causes that the ledger names itself; any other text is somebody's own words."""


def money(amount: Money) -> str:
    """`42.30 USD`."""
    return f"{amount} {amount.currency}"


def local(instant: datetime, zone: Zone) -> str:
    """`2026-01-05 12:00:00` on the clock of `zone`; with its offset, `+03:00`, in an hour that comes twice."""
    there = instant.astimezone(zone)
    shown_twice = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
    return (there if shown_twice else there.replace(tzinfo=None)).isoformat(" ", "seconds")


def day(instant: datetime, zone: Zone) -> str:
    """`2026-01-05` on the calendar of `zone`."""
    return instant.astimezone(zone).date().isoformat()


def period(span: Period, zone: Zone) -> str:
    """`January 2026` for a whole month; the first and last day for anything longer."""
    first = span.start.astimezone(zone)
    last = (span.end - timedelta(microseconds=1)).astimezone(zone)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%B %Y}"
    return f"{first:%B %Y} to {last:%B %Y}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 minute`, `2 minutes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def per_cent(fraction: str) -> str:
    """`18 %` for 0.18."""
    return f"{(Decimal(fraction) * 100).normalize():f} %"


def reason(text: str) -> str:
    """A cause in words."""
    return REASONS.get(text, text)


def of_service(service: str, number: str) -> str:
    """What a periodic charge is for."""
    return f"channels of {number}" if service == "channel" else f"{number} ({service})"


def words(fact: Fact, zone: Zone) -> str:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one match over all facts
    """One sentence without a full stop for any fact; instants are on the clock of `zone`."""
    match fact:
        case f.SubscriberRegistered():
            return f"Registered under {fact.regulations} version {fact.version}: plan {fact.plan}, {fact.currency}"
        case f.RegistrationRefused():
            return f"Registration refused: {fact.ground}"
        case f.VerificationPassed():
            return "Verification passed"
        case f.AgreementConcluded():
            return "Agreement concluded"
        case f.OrderPlaced():
            return _order_placed(fact)
        case f.OrderCancelled():
            return f"Order of {fact.number} cancelled: {fact.reason}"
        case f.NumberRented():
            return f"{fact.number} connected, paid until {local(fact.period.end, zone)}"
        case f.NumberReplacementAnnounced():
            return f"{fact.number} will be replaced by {fact.new_number} on {fact.on}"
        case f.NumberReplaced():
            return f"{fact.number} replaced by {fact.new_number}"
        case f.ChannelsAdded():
            return f"{counted(fact.count, 'channel')} added to {fact.number}"
        case f.RentalSuspended():
            return f"{fact.number} suspended: {money(fact.owed)} for {period(fact.period, zone)} could not be paid"
        case f.RentalResumed():
            return f"{fact.number} works again: its period has been paid"
        case f.RentalEnded():
            return f"{fact.number} given back: {reason(fact.reason)}"
        case f.AutorenewSet():
            return f"Autorenew of {fact.number} switched {'on' if fact.autorenew else 'off'}"
        case f.DepositCredited():
            return _deposit_credited(fact)
        case f.DepositReversed():
            return f"Deposit {fact.reference} of {money(fact.amount)} charged back: {fact.ground}"
        case f.ConnectionFeeCharged():
            return f"Connection fee {money(fact.amount)} for {fact.number}, plan {fact.plan}"
        case f.ConnectionFeeDifferenceCharged():
            return f"Connection fee difference {money(fact.amount)}, {fact.from_plan} to {fact.plan}"
        case f.AdministrativeServiceCharged():
            return _administrative_service_charged(fact)
        case f.PeriodicServiceCharged():
            return _periodic_service_charged(fact, zone)
        case f.UsageCharged():
            return _usage(fact)
        case f.UsageCutOff():
            return f"{fact.usage} of {fact.number} cut off: the next minute at {money(fact.rate)} could not be paid"
        case f.IncludedUnitsGranted():
            return f"{_included(fact.units)} of {fact.service} for {fact.number}, {period(fact.period, zone)}"
        case f.IncludedUnitsLapsed():
            return f"{_included(fact.units)} of {fact.service} for {fact.number} lapsed"
        case f.TaxCharged():
            return f"{fact.name} {per_cent(fact.rate)} on {money(fact.base)}: {money(fact.amount)}"
        case f.InvoiceIssued():
            return f"Invoice over {money(fact.total)} for {fact.number}, due {local(fact.due, zone)}"
        case f.PaymentAllocated():
            return f"{money(fact.amount)} applied to invoice {fact.invoice}"
        case f.InvoiceExpired():
            return f"Invoice {fact.invoice} for {fact.number} withdrawn: {fact.reason}"
        case f.PlanChangeScheduled():
            return f"Change from {fact.from_plan} to {fact.plan} scheduled for {local(fact.takes_effect_at, zone)}"
        case f.PlanChangeWithdrawn():
            return f"Change to {fact.plan} withdrawn"
        case f.PlanChanged():
            return f"Plan changed from {fact.from_plan} to {fact.plan}"
        case f.PlanChangeLapsed():
            return f"Change to {fact.plan} lapsed: {money(fact.difference)} could not be paid, {fact.from_plan} stays"
        case f.ViolationRecorded():
            return f"{'Unlawful use' if fact.unlawful else 'Violation'} ({fact.kind}): {fact.ground}"
        case f.WarningIssued():
            return f"Warned: {fact.ground}"
        case f.ServicesSuspended():
            return f"Services suspended: {fact.ground}"
        case f.ServicesResumed():
            return "Services resumed"
        case f.TerminationAnnounced():
            return _termination_announced(fact, zone)
        case f.AgreementTerminated():
            return f"Agreement ended: {reason(fact.cause)}"
        case f.RefundRequested():
            return f"Refund requested{': ' + fact.reason if fact.reason else ''}"
        case f.RefundApproved():
            return f"Refund {fact.refund} approved by {fact.reviewer}: {fact.reason}"
        case f.RefundDenied():
            return f"Refund {fact.refund} denied by {fact.reviewer}: {fact.reason}"
        case f.RefundDue():
            return _refund_due(fact)
        case f.RefundPaid():
            return _refund_paid(fact)
        case f.BalanceForfeited():
            return f"Balance of {money(fact.amount)} forfeited"
        case f.RemainderWrittenOff():
            return f"{money(fact.amount)} written off: less than can be paid out"
        case f.RemainingTermCharged():
            return f"{money(fact.amount)} for the {counted(fact.periods, 'period')} left of {fact.number}'s term"
        case f.DisputeOpened():
            return f"Charge {fact.charge} disputed: {fact.reason}"
        case f.DisputeResolved():
            return (
                f"Dispute of {fact.charge} {'upheld' if fact.upheld else 'rejected'} by {fact.reviewer}: {fact.reason}"
            )
        case f.ChargeReversed():
            return f"{money(fact.amount)} of charge {fact.charge} taken back: {fact.reason}"
        case f.CompensationGranted():
            return f"Compensation of {money(fact.amount)} for the fault of {local(fact.fault_at, zone)}"
        case f.AdjustmentPosted():
            return f"Adjustment of {money(fact.amount)} by {fact.actor} and {fact.reviewer}: {fact.reason}"
        case f.AgreementTransferred():
            return f"Agreement transferred from holder {fact.from_holder} to {fact.holder}"
        case f.PersonalDataErased():
            return f"Personal data erased: {fact.reason}"
        case f.CommandRefused():
            return f"Refused {fact.command}: {fact.message} ({fact.code})"
        case f.RegulationsPublished():
            return f"Regulations {fact.regulations} version {fact.version}, {_since(fact.effective_from, zone)}"
        case f.TariffPublished():
            return f"Tariff {fact.tariff} ({fact.regulations}, {fact.currency}), {_since(fact.effective_from, zone)}"
        case _:
            assert_never(fact)


def _included(units: int) -> str:
    return counted(units, "included unit")


def _since(instant: datetime, zone: Zone) -> str:
    """The catalogue is nobody's: its instants name their clock."""
    return f"from {local(instant, zone)} ({zone.key})"


def _order_placed(fact: f.OrderPlaced) -> str:
    with_channels = f" with {counted(fact.channels, 'more channel')}" if fact.channels else ""
    term = f" for {counted(fact.periods, 'period')}" if fact.periods else ""
    prepaid = ", prepaid" if fact.prepaid else ""
    return f"Ordered {fact.number} ({fact.service}){with_channels}{term}{prepaid}"


def _deposit_credited(fact: f.DepositCredited) -> str:
    payer = f" from {fact.payer}" if fact.payer else ""
    return f"Deposit {money(fact.amount)} by {METHODS.get(fact.method, fact.method)}{payer}, {fact.reference}"


def _administrative_service_charged(fact: f.AdministrativeServiceCharged) -> str:
    times = f" × {fact.quantity}" if fact.quantity != 1 else ""
    ground = f" ({fact.ground})" if fact.ground else ""
    number = f" of {fact.number}" if fact.number else ""
    return f"{money(fact.amount)} for {fact.service}{number}{times}{ground}"


def _periodic_service_charged(fact: f.PeriodicServiceCharged, zone: Zone) -> str:
    what = of_service(fact.service, fact.number)
    return f"{money(fact.amount)} for {what}, {_span(fact)}{period(fact.period, zone)}"


def _termination_announced(fact: f.TerminationAnnounced, zone: Zone) -> str:
    ground = f": {fact.ground}" if fact.ground else ""
    return f"Agreement will end {local(fact.ends_at, zone)}, by the {fact.by}{ground}"


def _refund_due(fact: f.RefundDue) -> str:
    fee = f", less a fee of {money(fact.fee)}" if fact.fee else ""
    return f"{money(fact.amount)} of the balance is to be paid back{fee}"


def _refund_paid(fact: f.RefundPaid) -> str:
    paid = f", as {money(fact.paid)}" if fact.paid.currency != fact.amount.currency else ""
    return f"Refund of {money(fact.amount)} paid by {METHODS.get(fact.method, fact.method)}{paid}, {fact.reference}"


def _span(fact: f.PeriodicServiceCharged) -> str:
    """Which part of the period was paid."""
    calculation = fact.calculation
    return f"{calculation.days} of {calculation.of} days of " if calculation.days is not None else ""


def _usage(fact: f.UsageCharged) -> str:
    what = counted(fact.units or 0, "unit") if fact.minutes is None else counted(fact.minutes, "minute")
    included = f", {fact.included} of them included" if fact.included else ""
    ended = " (ended)" if fact.ended and fact.minutes is not None else ""
    return f"{what} of {fact.service} for {fact.number}{included}: {money(fact.amount)}, {fact.usage}{ended}"
