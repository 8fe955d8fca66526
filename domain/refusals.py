"""The ledger's recorded "no": its codes in order of precedence, and the value that a rule answers with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.money import LARGEST_UNITS, Money, money


class Code(StrEnum):
    """Why a command was refused; where several apply, the first in this order is the answer (CONTRACT §5)."""

    COMMAND_ID_REUSED = "command_id_reused"
    TIME_WENT_BACKWARDS = "time_went_backwards"
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    ALREADY_REGISTERED = "already_registered"
    UNKNOWN_REGULATIONS = "unknown_regulations"
    CURRENCY_NOT_ACCEPTED = "currency_not_accepted"
    UNKNOWN_PLAN = "unknown_plan"
    REGISTRATION_REFUSED = "registration_refused"
    AGREEMENT_TERMINATED = "agreement_terminated"
    NOT_VERIFIED = "not_verified"
    SERVICES_SUSPENDED = "services_suspended"
    TICKET_REQUIRED = "ticket_required"
    CONSENT_REQUIRED = "consent_required"
    TERMINATION_ALREADY_ANNOUNCED = "termination_already_announced"
    UNKNOWN_NUMBER = "unknown_number"
    NUMBER_ALREADY_RENTED = "number_already_rented"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_CHARGE = "unknown_charge"
    UNKNOWN_REFUND = "unknown_refund"
    UNKNOWN_DISPUTE = "unknown_dispute"
    REFERENCE_ALREADY_CREDITED = "reference_already_credited"
    UNKNOWN_DEPOSIT = "unknown_deposit"
    ALREADY_REVERSED = "already_reversed"
    REGISTRATION_FINAL = "registration_final"
    NOT_CHANGEABLE = "not_changeable"
    ALREADY_DECIDED = "already_decided"
    ALREADY_PAID = "already_paid"
    RATE_REQUIRED = "rate_required"
    UNKNOWN_VIOLATION_KIND = "unknown_violation_kind"
    NOT_SUSPENDED = "not_suspended"
    INSTANT_IN_FUTURE = "instant_in_future"
    PERIOD_NOT_PAID = "period_not_paid"
    USAGE_ENDED = "usage_ended"
    EFFECTIVE_IN_THE_PAST = "effective_in_the_past"
    NOTICE_TOO_SHORT = "notice_too_short"
    CHANGE_ALREADY_SCHEDULED = "change_already_scheduled"
    NO_CHANGE_SCHEDULED = "no_change_scheduled"
    SAME_PLAN = "same_plan"
    DISCOUNT_NOT_ALLOWED = "discount_not_allowed"
    NOT_REFUNDABLE = "not_refundable"
    METHOD_NOT_REFUNDABLE = "method_not_refundable"
    DISPUTE_WINDOW_CLOSED = "dispute_window_closed"
    FREE_SERVICE_ALREADY_HELD = "free_service_already_held"
    ALREADY_DISPUTED = "already_disputed"
    ALREADY_RESOLVED = "already_resolved"
    ABOVE_COMPENSATION_CAP = "above_compensation_cap"
    REVIEWER_IS_ACTOR = "reviewer_is_actor"
    PERSONAL_DATA_ERASED = "personal_data_erased"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    AMOUNT_TOO_LARGE = "amount_too_large"
    INSUFFICIENT_FUNDS = "insufficient_funds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The first rule that said no, in one sentence with its numbers."""

    code: Code
    message: str
    rule: str | None = None
    """The rule whose clause is the basis; None: the code's own row of the clause table."""
    earliest: datetime | None = None
    """Where waiting would help: the first instant at which the same request would be accepted or take effect."""


def too_large(amount: Money) -> Refusal | None:
    """What no database can count: a mistake in the amount, or in the rate that made it."""
    if abs(amount.units) <= LARGEST_UNITS:
        return None
    most = money(LARGEST_UNITS, amount.currency)
    return Refusal(code=Code.AMOUNT_TOO_LARGE, message=f"an amount is at most {most} {amount.currency}, found {amount}")


def counted(count: int, one: str) -> str:
    """`1 hour`, `72 hours`: a parameter of the regulations in a reason."""
    return f"{count} {one if count == 1 else f'{one}s'}"


def notice(days: int) -> str:
    """`1 day's notice`, `14 days' notice`."""
    return f"{days} day's notice" if days == 1 else f"{days} days' notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """The command is not one that could be decided: `path` names the fault, nothing is recorded."""

    path: str
    message: str
