"""Example values that stories share, and requests with everything filled in that a story is not about.

Prices of the sample tariff `telnexx-usd-2024`, plan `start`: connection 5.00, did.ua 3.10, did.us 1.50, channel 1.00,
voice.in 0.0125 a minute with 60 included, sms.in 0.02, number change 4.00, documents 2.50. Plan `business`: connection
8.00, did.ua 6.20, did.us 3.00, channel 0.80, voice.in 0.01 with 300 included. A day of January is a 31st part.
"""

from datetime import date, datetime
from typing import Any

from domain import commands as ask
from domain.commands import Request
from domain.money import parse_decimal
from tests.domain.given import KYIV, instant

NUMBER = "+380441234567"
SECOND = "+380441234568"
THIRD = "+380441234569"
GERMAN = "+493012345678"
DUTCH = "+31201234567"
BELGRADE, BERLIN, PODGORICA = "Europe/Belgrade", "Europe/Berlin", "Europe/Podgorica"
NEW_YEAR = "2026-01-01 00:00"
"""First instant of a month: the whole price is charged on it."""
NOON = "2026-01-05 12:00"
"""On 5 January: 27 of 31 days remain, so did.ua costs 2.70."""
FEBRUARY, MARCH, APRIL = "2026-02-01 00:00", "2026-03-01 00:00", "2026-04-01 00:00"


def millionths(amount: str) -> ask.Millionths:
    return ask.Millionths(parse_decimal(amount, 6))


def register(
    regulations: str = "telnexx", currency: str = "USD", plan: str = "start", **others: Any
) -> ask.RegisterSubscriber:
    return ask.RegisterSubscriber(
        regulations=ask.Key(regulations),
        currency=ask.CurrencyCode(currency),
        plan=ask.Key(plan),
        holder=others.pop("holder", ask.Key("h-1")),
        **others,
    )


def verify() -> ask.PassVerification:
    return ask.PassVerification()


def deposit(
    amount: str = "50.00", reference: str = "lp-1", currency: str = "USD", method: str = "card", **others: Any
) -> ask.CreditDeposit:
    return ask.CreditDeposit(
        amount=millionths(amount),
        currency=ask.CurrencyCode(currency),
        method=method,  # type: ignore[arg-type]
        reference=ask.Name(reference),
        **others,
    )


def order(number: str = NUMBER, service: str = "did.ua", channels: int = 0, **others: Any) -> ask.OrderNumber:
    return ask.OrderNumber(number=ask.Key(number), service=ask.Key(service), channels=ask.Channels(channels), **others)


def channels(count: int, number: str = NUMBER) -> ask.AddChannels:
    return ask.AddChannels(number=ask.Key(number), count=ask.AddedChannels(count))


def call(
    seconds: int, usage: str = "call-1", *, ended: bool = True, number: str = NUMBER, service: str = "voice.in"
) -> ask.ReportUsage:
    return ask.ReportUsage(
        number=ask.Key(number),
        usage=ask.Key(usage),
        service=ask.Key(service),
        elapsed_seconds=ask.Whole(seconds),
        ended=ended,
    )


def messages(units: int, usage: str = "sms-1", number: str = NUMBER, service: str = "sms.in") -> ask.ReportUsage:
    return ask.ReportUsage(
        number=ask.Key(number), usage=ask.Key(usage), service=ask.Key(service), units=ask.Count(units)
    )


def plan_change(plan: str = "business") -> ask.RequestPlanChange:
    return ask.RequestPlanChange(plan=ask.Key(plan))


def administrative(service: str = "documents", quantity: int = 1, **others: Any) -> ask.OrderAdministrativeService:
    return ask.OrderAdministrativeService(service=ask.Key(service), quantity=ask.Count(quantity), **others)


def violation(kind: str = "spam", **others: Any) -> ask.RecordViolation:
    return ask.RecordViolation(kind=ask.Key(kind), ground=ask.Text("complaints"), **others)


def suspend() -> ask.SuspendServices:
    return ask.SuspendServices(ground=ask.Text("complaints"))


def resume() -> ask.ResumeServices:
    return ask.ResumeServices()


def cancel(ticket: str | None = None) -> ask.RequestTermination:
    return ask.RequestTermination(ticket=ask.Text(ticket) if ticket else None)


def terminate(cause: str = "notice", **others: Any) -> ask.TerminateAgreement:
    return ask.TerminateAgreement(ground=ask.Text("our decision"), cause=cause, **others)  # type: ignore[arg-type]


def release(number: str = NUMBER) -> ask.ReleaseNumber:
    return ask.ReleaseNumber(number=ask.Key(number))


def autorenew(wanted: bool, number: str = NUMBER) -> ask.SetAutorenew:
    return ask.SetAutorenew(number=ask.Key(number), autorenew=wanted)


def replace_number(new_number: str = THIRD, number: str = NUMBER) -> ask.ReplaceNumber:
    return ask.ReplaceNumber(number=ask.Key(number), new_number=ask.Key(new_number))


def announce(day: str, new_number: str = THIRD, number: str = NUMBER) -> ask.AnnounceNumberReplacement:
    return ask.AnnounceNumberReplacement(
        number=ask.Key(number), new_number=ask.Key(new_number), on=date.fromisoformat(day)
    )


def charge_back(reference: str = "lp-1") -> ask.ReverseDeposit:
    return ask.ReverseDeposit(reference=ask.Name(reference), ground=ask.Text("chargeback"))


def refund(**others: Any) -> ask.RequestRefund:
    return ask.RequestRefund(**others)


def decide_refund(refund_id: str, approved: bool = True) -> ask.DecideRefund:
    return ask.DecideRefund(
        refund=ask.FactId(refund_id), approved=approved, reviewer=ask.Name("lead-1"), reason=ask.Text("as agreed")
    )


def paid_out(refund_id: str, method: str = "card", **others: Any) -> ask.ConfirmRefundPaid:
    return ask.ConfirmRefundPaid(
        refund=ask.FactId(refund_id),
        method=method,  # type: ignore[arg-type]
        reference=ask.Name("out-1"),
        **others,
    )


def dispute(charge: str) -> ask.OpenDispute:
    return ask.OpenDispute(charge=ask.FactId(charge), reason=ask.Text("never used"))


def resolve(dispute_id: str, upheld: bool = True, amount: str | None = None) -> ask.ResolveDispute:
    return ask.ResolveDispute(
        dispute=ask.FactId(dispute_id),
        upheld=upheld,
        amount=millionths(amount) if amount is not None else None,
        reviewer=ask.Name("lead-1"),
        reason=ask.Text("as checked"),
    )


def compensate(amount: str, fault: str, complaint: str | None = None, zone: str = KYIV) -> ask.GrantCompensation:
    return ask.GrantCompensation(
        amount=millionths(amount),
        fault_at=instant(fault, zone),
        complaint_at=instant(complaint or fault, zone),
        evidence=ask.Text("e-1"),
    )


def adjust(amount: str, reviewer: str = "lead-1") -> ask.PostAdjustment:
    return ask.PostAdjustment(amount=millionths(amount), reason=ask.Text("a correction"), reviewer=ask.Name(reviewer))


def transfer(holder: str = "h-2", **others: Any) -> ask.TransferAgreement:
    return ask.TransferAgreement(holder=ask.Key(holder), **others)


def erase() -> ask.ErasePersonalData:
    return ask.ErasePersonalData(reason=ask.Text("asked for"))


def refuse() -> ask.RefuseRegistration:
    return ask.RefuseRegistration(ground=ask.Text("documents do not match"))


def tick() -> ask.AdvanceClock:
    return ask.AdvanceClock()


def joined(at: str = NOON, amount: str | None = "50.00", **registration: Any) -> tuple[str | Request, ...]:
    """Registered and verified under telnexx in US dollars; funded where an amount is named."""
    steps: tuple[str | Request, ...] = (at, register(**registration), verify())
    return steps if amount is None else (*steps, deposit(amount))


def renting(at: str = NOON, amount: str = "50.00", **ordered: Any) -> tuple[str | Request, ...]:
    """With one number: at noon of 5 January 5.00 + 2.70 are charged, 42.30 is left and 60 minutes are included."""
    return (*joined(at, amount), order(**ordered))


def invoiced(at: str = NOON, plan: str = "basic", **registration: Any) -> tuple[str | Request, ...]:
    """Joined under illyvoip in euro, where orders and renewals are paid by invoice with 18 % VAT on top."""
    return (at, register("illyvoip", "EUR", plan, **registration))


def moment(text: str, zone: str = KYIV) -> datetime:
    return instant(text, zone)
