"""What has happened: one frozen record per fact type of CONTRACT §6, past tense, with what it cost then.

A field named like money holds `Money`; the codec writes it as a decimal string with the currency beside it.
`paid_from` says which lots a debit took from, so that a reversal can put it back without asking anybody.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, get_args

from domain.money import Money
from domain.periods import Period

WRITTEN = "written"
"""Marks a field that the wire form always holds, also at its default; other fields are left out there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """`amount` taken from (or put back into) the lot that the fact `lot` created."""

    lot: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill:
    """`amount` put back into a lot, with what a lot is known by, since an emptied one is forgotten."""

    lot: str
    amount: Money
    received_at: datetime
    method: str | None = None


Takes = tuple[Take, ...]
Refills = tuple[Refill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """The arithmetic of a price: `price × count × (1 − discount) × days ÷ of`, for `periods` further whole ones too."""

    price: Money
    count: int = 1
    discount: str | None = None
    days: int | None = None
    of: int | None = None
    periods: int | None = None
    """Whole periods paid in the same charge; None: one period, or the part of it that `days` of `of` says."""
    rounding: str = field(default="half_up_minor", metadata={WRITTEN: True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice or a refund: what for, how much; `account` is where it was booked."""

    label: str
    basis: str | None = None
    """The clause that the line rests on, where it is another one than the fact's."""
    account: str | None = None
    lot: str | None = None
    charge: str | None = None
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRegistered:
    """A person joined under the regulations version named here."""

    regulations: str
    version: str
    currency: str
    plan: str
    holder: str
    autorenew: bool
    first_account: bool
    time_zone: str
    personal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRefused:
    """The company refused the person."""

    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPassed:
    """The person's documents were found in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementConcluded:
    """Verified and funded (or registered): the agreement stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """A number was asked for; it waits for its money."""

    number: str
    service: str
    channels: int
    autorenew: bool
    periods: int | None = None
    prepaid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """An order that had not been paid is gone."""

    number: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRented:
    """The number is connected; the rental begins."""

    number: str
    service: str
    channels: int
    autorenew: bool
    period: Period
    term_ends_at: datetime | None = None
    periods: int | None = None
    prepaid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReplacementAnnounced:
    """The company will replace the number at the first instant of `on`."""

    number: str
    new_number: str
    on: date
    takes_effect_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReplaced:
    """The rental goes on under another number."""

    number: str
    new_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsAdded:
    """More channels are connected to the number."""

    number: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RentalSuspended:
    """The period could not be paid; the number is out of use until it is."""

    number: str
    period: Period
    owed: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RentalResumed:
    """The period has been paid; the number works again."""

    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RentalEnded:
    """The number is given back."""

    number: str
    service: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AutorenewSet:
    """Whether the rental goes on by itself."""

    number: str
    autorenew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositCredited:
    """Money was received; it makes the lot that this fact names."""

    amount: Money
    method: str
    reference: str
    payer: str | None = None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositReversed:
    """A deposit was charged back as a whole."""

    deposit: str
    reference: str
    amount: Money
    method: str
    ground: str
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFeeCharged:
    """The fee for the first number."""

    amount: Money
    plan: str
    tariff: str
    number: str
    calculation: Calculation
    invoice: str | None = None
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFeeDifferenceCharged:
    """The dearer plan's connection fee less the present one's."""

    amount: Money
    from_plan: str
    plan: str
    from_fee: Money
    fee: Money
    tariff: str
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrativeServiceCharged:
    """A service paid by instance."""

    service: str
    quantity: int
    amount: Money
    tariff: str
    calculation: Calculation
    number: str | None = None
    ground: str | None = None
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicServiceCharged:
    """A service line of a number, paid for `period`."""

    number: str
    service: str
    amount: Money
    period: Period
    tariff: str
    plan: str
    calculation: Calculation
    refundable: bool = False
    third_party: bool = False
    invoice: str | None = None
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCharged:
    """Minutes or units that were used: first the included ones, then money."""

    number: str
    usage: str
    service: str
    minutes: int | None = None
    units: int | None = None
    included: int
    amount: Money
    rate: Money
    tariff: str
    elapsed_seconds: int | None = None
    ended: bool
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCutOff:
    """The next minute could not be paid: the service stops."""

    number: str
    usage: str
    service: str
    elapsed_seconds: int
    unpaid_minutes: int
    rate: Money
    tariff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedUnitsGranted:
    """The plan's included units of the paid period."""

    number: str
    service: str
    units: int
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedUnitsLapsed:
    """Included units that nobody used."""

    number: str
    service: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxCharged:
    """Tax on the charges in `on`, once on their sum."""

    name: str
    rate: str
    base: Money
    amount: Money
    on: tuple[str, ...]
    invoice: str | None = None
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceIssued:
    """A demand for payment in advance."""

    number: str
    purpose: str
    period: Period
    lines: tuple[Line, ...]
    tax: Money
    total: Money
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAllocated:
    """Balance applied to an invoice."""

    invoice: str
    amount: Money
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceExpired:
    """An invoice that was not fully paid is withdrawn; what was paid on it returns to the balance."""

    invoice: str
    number: str
    reason: str
    withdrawn: tuple[Line, ...]
    outstanding: Money
    returned: Money
    restored: Refills = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeScheduled:
    """The plan will change at `takes_effect_at`."""

    from_plan: str
    plan: str
    takes_effect_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeWithdrawn:
    """The scheduled change will not happen."""

    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged:
    """Another plan from now on."""

    from_plan: str
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeLapsed:
    """The connection-fee difference could not be paid; the old plan stays."""

    from_plan: str
    plan: str
    difference: Money
    tariff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationRecorded:
    """The subscriber broke the terms."""

    kind: str
    ground: str
    unlawful: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningIssued:
    """The subscriber was warned."""

    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesSuspended:
    """The company stopped the services."""

    ground: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesResumed:
    """The company lets the services go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminationAnnounced:
    """The agreement will end at `ends_at`."""

    ends_at: datetime
    by: str
    cause: str
    ground: str | None = None
    ticket: str | None = None
    charge_remaining_term: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTerminated:
    """The agreement has ended."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested:
    """The subscriber asked for money back."""

    reason: str | None = None
    method: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundApproved:
    """A reviewer granted the request."""

    refund: str
    reviewer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDenied:
    """A reviewer declined the request."""

    refund: str
    reviewer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDue:
    """Money left the balance and is owed to the subscriber."""

    refund: str
    amount: Money
    fee: Money
    lines: tuple[Line, ...]
    method: str | None = None
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPaid:
    """The refund reached the subscriber: `amount` of the account, `paid` in the currency of the payout."""

    refund: str
    amount: Money
    paid: Money
    method: str
    reference: str
    rate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceForfeited:
    """What was left is kept by the company."""

    amount: Money
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainderWrittenOff:
    """Less than a minor unit, which nobody can pay out."""

    amount: Money
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainingTermCharged:
    """The unpaid whole periods of a running term."""

    number: str
    amount: Money
    periods: int
    price: Money
    tariff: str
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened:
    """The subscriber disputes a charge."""

    charge: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeResolved:
    """A reviewer decided the dispute."""

    dispute: str
    charge: str
    upheld: bool
    reviewer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReversed:
    """A charge was taken back, in whole or in part."""

    charge: str
    amount: Money
    tax: Money
    account: str
    tax_name: str | None = None
    tax_charge: str | None = None
    invoice: str | None = None
    lowered: Money
    credited: Money
    reason: str
    restored: Refills = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationGranted:
    """A loss was made good."""

    amount: Money
    fault_at: datetime
    complaint_at: datetime
    evidence: str
    cap: Money
    granted_before: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentPosted:
    """A correction by two people."""

    amount: Money
    reason: str
    reviewer: str
    actor: str
    paid_from: Takes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTransferred:
    """Another holder has all rights and duties."""

    from_holder: str
    holder: str
    personal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataErased:
    """The key of the personal data was destroyed."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused:
    """The ledger said no, and why."""

    command: str
    code: str
    message: str
    earliest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulationsPublished:
    """A version of a provider's rules, as a whole."""

    regulations: str
    version: str
    effective_from: datetime
    material: bool
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffPublished:
    """A provider's prices in one currency, as a whole."""

    tariff: str
    regulations: str
    currency: str
    effective_from: datetime
    document: dict[str, Any]


SubscriberFact = (
    SubscriberRegistered
    | RegistrationRefused
    | VerificationPassed
    | AgreementConcluded
    | OrderPlaced
    | OrderCancelled
    | NumberRented
    | NumberReplacementAnnounced
    | NumberReplaced
    | ChannelsAdded
    | RentalSuspended
    | RentalResumed
    | RentalEnded
    | AutorenewSet
    | DepositCredited
    | DepositReversed
    | ConnectionFeeCharged
    | ConnectionFeeDifferenceCharged
    | AdministrativeServiceCharged
    | PeriodicServiceCharged
    | UsageCharged
    | UsageCutOff
    | IncludedUnitsGranted
    | IncludedUnitsLapsed
    | TaxCharged
    | InvoiceIssued
    | PaymentAllocated
    | InvoiceExpired
    | PlanChangeScheduled
    | PlanChangeWithdrawn
    | PlanChanged
    | PlanChangeLapsed
    | ViolationRecorded
    | WarningIssued
    | ServicesSuspended
    | ServicesResumed
    | TerminationAnnounced
    | AgreementTerminated
    | RefundRequested
    | RefundApproved
    | RefundDenied
    | RefundDue
    | RefundPaid
    | BalanceForfeited
    | RemainderWrittenOff
    | RemainingTermCharged
    | DisputeOpened
    | DisputeResolved
    | ChargeReversed
    | CompensationGranted
    | AdjustmentPosted
    | AgreementTransferred
    | PersonalDataErased
    | CommandRefused
)
CatalogueFact = RegulationsPublished | TariffPublished
Fact = SubscriberFact | CatalogueFact

FACT_TYPES: tuple[type[Fact], ...] = get_args(SubscriberFact) + get_args(CatalogueFact)


def _wire_type(fact: type) -> str:
    name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in fact.__name__).lstrip("-")
    return f"subledger.{name}.v1"


WIRE_TYPES: dict[type[Fact], str] = {fact: _wire_type(fact) for fact in FACT_TYPES}
"""The name of each fact type outside: `subledger.deposit-credited.v1`. Published names never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A fact with its place in its subject's stream, both its times and the clause it rests on."""

    subject: str
    version: int
    """Dense per subject, from 1 (`streamversion` on the wire)."""
    fact: Fact
    effective_at: datetime
    """When it counts."""
    recorded_at: datetime
    """When the ledger learnt it."""
    basis: str
    due: bool = False
    """It came by time alone, before the command was looked at, and not by the command's decision."""

    @property
    def id(self) -> str:
        return f"{self.subject}/{self.version}"
