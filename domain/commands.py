"""What a sender may ask of the ledger: one frozen record per command type of CONTRACT §2, fields in its order.

The annotations are the schema: `consumers/intake.py` reads commands by them and reports the first fault in field order.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NewType

Millionths = NewType("Millionths", int)
"""An amount whose currency is the account's: 10⁻⁶ of it."""
Text = NewType("Text", str)
"""1 to 512 characters of free text."""
Key = NewType("Key", str)
"""1 to 64 characters without spaces that name something: a plan, a service, a number, a person's key."""
Name = NewType("Name", str)
"""1 to 64 printable characters, as people and other systems write them: a reviewer, a payment's reference."""
FactId = NewType("FactId", str)
"""What names a charge, a refund or a dispute: the id of the fact that created it, such as s-1/7."""
Sealed = NewType("Sealed", str)
"""Personal data, sealed before it reaches the domain."""
CurrencyCode = NewType("CurrencyCode", str)
"""ISO 4217, BTC or XMR."""
Country = NewType("Country", str)
"""ISO 3166 alpha-2."""
Method = Literal["card", "bank_transfer", "crypto", "electronic_money", "cash"]
Sanction = Literal["warning", "suspension", "termination"]
Cause = Literal["notice", "violation", "unlawful_use", "non_payment"]
Count = NewType("Count", int)
"""A whole number from 1."""
Whole = NewType("Whole", int)
"""A whole number from 0."""
Channels = NewType("Channels", int)
"""Channels beside a number's first: 0 to 1000."""
AddedChannels = NewType("AddedChannels", int)
Periods = NewType("Periods", int)
"""A term in periods: 1 to 60."""
Rate = NewType("Rate", int)
"""An exchange rate in 10⁻¹², positive."""
Document = NewType("Document", dict[str, Any])
"""A whole JSON document; `catalogue.py` checks what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSubscriber:
    """A person joins under a provider's regulations, with a currency and a plan."""

    regulations: Key
    currency: CurrencyCode
    plan: Key
    holder: Key
    autorenew: bool = True
    first_account: bool = True
    personal: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassVerification:
    """The person's documents were found in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseRegistration:
    """The company will not have the person."""

    ground: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDeposit:
    """Money was received; a reference is credited once."""

    amount: Millionths
    currency: CurrencyCode
    method: Method
    reference: Name
    payer: Text | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseDeposit:
    """A deposit was charged back as a whole."""

    reference: Name
    ground: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNumber:
    """A number is asked for, with its channels, from now on."""

    number: Key
    service: Key
    channels: Channels = Channels(0)
    autorenew: bool | None = None
    periods: Periods | None = None
    prepaid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChannels:
    """More channels for a number that is held."""

    number: Key
    count: AddedChannels


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseNumber:
    """The number is given back at the end of its period or running term."""

    number: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAutorenew:
    """Whether the rental goes on by itself."""

    number: Key
    autorenew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNumber:
    """The subscriber wants another number in place of one."""

    number: Key
    new_number: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceNumberReplacement:
    """The company will replace a number at the first instant of `on`."""

    number: Key
    new_number: Key
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlanChange:
    """Another plan, from the boundary that the notice allows."""

    plan: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPlanChange:
    """The scheduled change is not wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdministrativeService:
    """A service that is paid by instance."""

    service: Key
    quantity: Count = Count(1)
    ground: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUsage:
    """Either `elapsed_seconds` and `ended` (a call so far) or `units` (messages)."""

    number: Key
    usage: Key
    service: Key
    elapsed_seconds: Whole | None = None
    ended: bool | None = None
    units: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordViolation:
    """The subscriber broke the terms; a sanction may follow."""

    kind: Key
    ground: Text
    unlawful: bool = False
    sanction: Sanction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendServices:
    """The company stops the services."""

    ground: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeServices:
    """The company lets the services go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTermination:
    """The subscriber ends the agreement."""

    ticket: Text | None = None
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateAgreement:
    """The company ends the agreement."""

    ground: Text
    cause: Cause
    charge_remaining_term: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefund:
    """The subscriber asks for money back."""

    reason: Text | None = None
    method: Method | None = None
    country: Country | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRefund:
    """A reviewer grants or declines a request."""

    refund: FactId
    approved: bool
    reviewer: Name
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRefundPaid:
    """A refund has reached the subscriber."""

    refund: FactId
    method: Method
    reference: Name
    currency: CurrencyCode | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDispute:
    """The subscriber disputes a charge."""

    charge: FactId
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveDispute:
    """A reviewer decides a dispute."""

    dispute: FactId
    upheld: bool
    amount: Millionths | None = None
    reviewer: Name
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCompensation:
    """A loss is made good, up to the cap."""

    amount: Millionths
    fault_at: datetime
    complaint_at: datetime
    evidence: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAdjustment:
    """A correction by two people: the amount is signed, the reviewer is not the actor."""

    amount: Millionths
    reason: Text
    reviewer: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAgreement:
    """Another holder takes over all rights and duties."""

    holder: Key
    consent: bool = False
    personal: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePersonalData:
    """The key of the subscriber's personal data is destroyed."""

    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceClock:
    """Nothing happens but what has fallen due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRegulations:
    """A version of a provider's rules is published."""

    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishTariff:
    """A provider's prices in one currency are published."""

    document: Document


Publication = PublishRegulations | PublishTariff
SubscriberRequest = (
    RegisterSubscriber
    | PassVerification
    | RefuseRegistration
    | CreditDeposit
    | ReverseDeposit
    | OrderNumber
    | AddChannels
    | ReleaseNumber
    | SetAutorenew
    | ReplaceNumber
    | AnnounceNumberReplacement
    | RequestPlanChange
    | WithdrawPlanChange
    | OrderAdministrativeService
    | ReportUsage
    | RecordViolation
    | SuspendServices
    | ResumeServices
    | RequestTermination
    | TerminateAgreement
    | RequestRefund
    | DecideRefund
    | ConfirmRefundPaid
    | OpenDispute
    | ResolveDispute
    | GrantCompensation
    | PostAdjustment
    | TransferAgreement
    | ErasePersonalData
    | AdvanceClock
)
Request = SubscriberRequest | Publication

CATALOGUE_SUBJECT = "catalogue"
"""The word that stands for a subscriber in commands that publish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A request with its envelope: who asks, for whom, when, under which idempotency key."""

    id: str
    subscriber: str
    at: datetime
    actor: str
    request: Request
    fingerprint: bytes = field(default=b"", repr=False)
    """Tells two contents under one id apart; made at the edge, never decided upon here."""
