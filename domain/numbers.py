"""A number changes: at the subscriber's wish for a fee, or by the company with notice and for nothing."""

from datetime import timedelta

from domain.case import Case
from domain.commands import AnnounceNumberReplacement, ReplaceNumber
from domain.documents import is_e164
from domain.facts import NumberReplaced, NumberReplacementAnnounced
from domain.orders import charge_administrative, number_already_rented, services_suspended, unknown_number
from domain.periods import local_date, start_of_day
from domain.refusals import Code, Malformed, Refusal, notice
from domain.state import pass_replacements, taken

DID = "did."
"""Services so named rent telephone numbers; others name a site or a domain."""


def change(case: Case, request: ReplaceNumber) -> Refusal | Malformed | None:
    """Another number for the rental, for the administrative fee (telnexx/number-change)."""
    refusal = (
        services_suspended(case)
        or unknown_number(case, request.number)
        or malformed_number(case, request.number, request.new_number)
        or number_already_rented(case, request.new_number)
        or charge_administrative(case, "number_change", number=request.number)
    )
    if refusal is None:
        case.record(NumberReplaced(number=request.number, new_number=request.new_number), "change")
    return refusal


def announce_replacement(case: Case, request: AnnounceNumberReplacement) -> Refusal | Malformed | None:
    """The company will replace the number on a day, with notice and without a charge (telnexx/number-replacement)."""
    refusal = (
        unknown_number(case, request.number)
        or malformed_number(case, request.number, request.new_number)
        or number_already_rented(case, request.new_number)
        or replacement_notice(case, request)
    )
    if refusal is not None:
        return refusal
    announced = NumberReplacementAnnounced(
        number=request.number,
        new_number=request.new_number,
        on=request.on,
        takes_effect_at=start_of_day(request.on, case.zone),
    )
    case.record(announced, "replacement")
    return None


def replacement_notice(case: Case, request: AnnounceNumberReplacement) -> Refusal | None:
    """The day must be far enough away: its first instant less the notice is the last moment to announce it."""
    days = case.regulations.number_replacement_notice_days
    if case.now <= start_of_day(request.on - timedelta(days=days), case.zone):
        return None
    earliest = local_date(case.now, case.zone) + timedelta(days=days)
    if start_of_day(earliest - timedelta(days=days), case.zone) < case.now:
        earliest += timedelta(days=1)
    return Refusal(
        code=Code.NOTICE_TOO_SHORT,
        rule="replacement",
        message=f"{notice(days)} is needed; {earliest} is the first day possible",
        earliest=start_of_day(earliest, case.zone),
    )


def replacement(case: Case) -> None:
    """The announced day begins: the rental goes on under its new number, period and price unchanged."""
    for number, announced in list(case.state.replacements.items()):
        if announced.at == case.effective_at and not taken(case.state, announced.new_number):
            case.record(NumberReplaced(number=number, new_number=announced.new_number), "replacement")
    case.state = pass_replacements(case.state, case.effective_at, inclusive=True)


def malformed_number(case: Case, number: str, new_number: str) -> Malformed | None:
    """A telephone number is replaced by a telephone number."""
    if not case.state.rentals[number].service.startswith(DID) or is_e164(new_number):
        return None
    return Malformed(path="data.new_number", message="expected a number in E.164 form such as +380441234567")
