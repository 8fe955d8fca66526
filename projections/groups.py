"""The types of facts by what they are about, so that a view can say in a line which ones it ignores.

Each type is in one group. A new type belongs to none until somebody puts it into one, and no view loads until then.
"""

from domain.facts import (
    AdjustmentPosted,
    AdministrativeServiceCharged,
    AgreementConcluded,
    AgreementTerminated,
    AgreementTransferred,
    AutorenewSet,
    BalanceForfeited,
    ChannelsAdded,
    ChargeReversed,
    CommandRefused,
    CompensationGranted,
    ConnectionFeeCharged,
    ConnectionFeeDifferenceCharged,
    DepositCredited,
    DepositReversed,
    DisputeOpened,
    DisputeResolved,
    Fact,
    IncludedUnitsGranted,
    IncludedUnitsLapsed,
    InvoiceExpired,
    InvoiceIssued,
    NumberRented,
    NumberReplaced,
    NumberReplacementAnnounced,
    OrderCancelled,
    OrderPlaced,
    PaymentAllocated,
    PeriodicServiceCharged,
    PersonalDataErased,
    PlanChanged,
    PlanChangeLapsed,
    PlanChangeScheduled,
    PlanChangeWithdrawn,
    RefundApproved,
    RefundDenied,
    RefundDue,
    RefundPaid,
    RefundRequested,
    RegistrationRefused,
    RegulationsPublished,
    RemainderWrittenOff,
    RemainingTermCharged,
    RentalEnded,
    RentalResumed,
    RentalSuspended,
    ServicesResumed,
    ServicesSuspended,
    SubscriberRegistered,
    TariffPublished,
    TaxCharged,
    TerminationAnnounced,
    UsageCharged,
    UsageCutOff,
    VerificationPassed,
    ViolationRecorded,
    WarningIssued,
)

Group = frozenset[type[Fact]]

PUBLICATIONS: Group = frozenset({RegulationsPublished, TariffPublished})
"""They stand in the catalogue's own log; a shard's views never see them."""
AGREEMENT: Group = frozenset(
    {
        SubscriberRegistered,
        RegistrationRefused,
        VerificationPassed,
        AgreementConcluded,
        TerminationAnnounced,
        AgreementTerminated,
        AgreementTransferred,
        PersonalDataErased,
    }
)
CONDUCT: Group = frozenset({ViolationRecorded, WarningIssued, ServicesSuspended, ServicesResumed})
PLAN_CHANGES: Group = frozenset({PlanChangeScheduled, PlanChangeWithdrawn, PlanChanged, PlanChangeLapsed})
ORDERS: Group = frozenset({OrderPlaced, OrderCancelled})
RENTALS: Group = frozenset(
    {
        NumberRented,
        NumberReplacementAnnounced,
        NumberReplaced,
        ChannelsAdded,
        RentalSuspended,
        RentalResumed,
        RentalEnded,
        AutorenewSet,
    }
)
UNITS: Group = frozenset({IncludedUnitsGranted, IncludedUnitsLapsed})
CUT_OFFS: Group = frozenset({UsageCutOff})
DEPOSITS: Group = frozenset({DepositCredited, DepositReversed})
CHARGES: Group = frozenset(
    {
        UsageCharged,
        PeriodicServiceCharged,
        ConnectionFeeCharged,
        ConnectionFeeDifferenceCharged,
        AdministrativeServiceCharged,
        RemainingTermCharged,
        TaxCharged,
    }
)
INVOICES: Group = frozenset({InvoiceIssued, PaymentAllocated, InvoiceExpired})
CORRECTIONS: Group = frozenset({ChargeReversed, CompensationGranted, AdjustmentPosted})
SETTLEMENTS: Group = frozenset({RefundDue, BalanceForfeited, RemainderWrittenOff})
REFUND_STEPS: Group = frozenset({RefundRequested, RefundApproved, RefundDenied, RefundPaid})
DISPUTES: Group = frozenset({DisputeOpened, DisputeResolved})
REFUSALS: Group = frozenset({CommandRefused})

MONEYLESS: Group = (
    PUBLICATIONS
    | AGREEMENT
    | CONDUCT
    | PLAN_CHANGES
    | ORDERS
    | RENTALS
    | UNITS
    | CUT_OFFS
    | REFUND_STEPS
    | DISPUTES
    | REFUSALS
    | {InvoiceIssued}
)
"""What moves neither the balance nor what is outstanding."""
