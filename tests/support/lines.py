"""Commands as a sender writes them: JSON objects with everything filled in that a test is not about."""

from typing import Any

Line = dict[str, Any]
DATA: dict[str, dict[str, Any]] = {
    "RegisterSubscriber": {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h-1"},
    "PassVerification": {},
    "RefuseRegistration": {"ground": "documents do not match"},
    "CreditDeposit": {"amount": "50.00", "currency": "USD", "method": "card", "reference": "lp-1"},
    "ReverseDeposit": {"reference": "lp-1", "ground": "chargeback"},
    "OrderNumber": {"number": "+380441234567", "service": "did.ua"},
    "AddChannels": {"number": "+380441234567", "count": 1},
    "ReleaseNumber": {"number": "+380441234567"},
    "SetAutorenew": {"number": "+380441234567", "autorenew": False},
    "ReplaceNumber": {"number": "+380441234567", "new_number": "+380441234569"},
    "AnnounceNumberReplacement": {"number": "+380441234567", "new_number": "+380441234569", "on": "2026-03-01"},
    "RequestPlanChange": {"plan": "business"},
    "WithdrawPlanChange": {},
    "OrderAdministrativeService": {"service": "documents"},
    "ReportUsage": {
        "number": "+380441234567",
        "usage": "call-1",
        "service": "voice.in",
        "elapsed_seconds": 60,
        "ended": True,
    },
    "RecordViolation": {"kind": "spam", "ground": "complaints"},
    "SuspendServices": {"ground": "complaints"},
    "ResumeServices": {},
    "RequestTermination": {},
    "TerminateAgreement": {"ground": "our decision", "cause": "notice"},
    "RequestRefund": {},
    "DecideRefund": {"refund": "s-1/9", "approved": True, "reviewer": "lead-1", "reason": "as agreed"},
    "ConfirmRefundPaid": {"refund": "s-1/9", "method": "card", "reference": "out-1"},
    "OpenDispute": {"charge": "s-1/6", "reason": "never used"},
    "ResolveDispute": {"dispute": "s-1/9", "upheld": True, "reviewer": "lead-1", "reason": "as checked"},
    "GrantCompensation": {
        "amount": "1.00",
        "fault_at": "2026-01-05T12:00:00+02:00",
        "complaint_at": "2026-01-05T12:00:00+02:00",
        "evidence": "e-1",
    },
    "PostAdjustment": {"amount": "1.00", "reason": "a correction", "reviewer": "lead-1"},
    "TransferAgreement": {"holder": "h-2"},
    "ErasePersonalData": {"reason": "asked for"},
    "AdvanceClock": {},
}
"""The required fields of each command type, in the order of CONTRACT §2, with values that can be read."""


def line(
    request_type: str, command_id: str, at: str = "2026-01-05T12:00:00+02:00", subscriber: str = "s-1", **data: Any
) -> Line:
    """A command line; `data` replaces or adds fields, and a field given as `...` is left out."""
    filled = {**DATA.get(request_type, {}), **data}
    return {
        "id": command_id,
        "type": request_type,
        "subscriber": subscriber,
        "at": at,
        "actor": "desk-1",
        "data": {name: value for name, value in filled.items() if value is not ...},
    }


def first_month(subscriber: str = "s-1") -> list[Line]:
    """Registered, verified, with one number and 42.30 left."""
    steps = ("RegisterSubscriber", "PassVerification", "CreditDeposit", "OrderNumber", "ReportUsage")
    return [line(step, f"c-{count}", subscriber=subscriber) for count, step in enumerate(steps, 1)]
