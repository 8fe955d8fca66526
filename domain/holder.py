"""Who holds the account: transfer to another person, and the erasure of what is known of one."""

from domain.case import Case
from domain.commands import ErasePersonalData, TransferAgreement
from domain.facts import AgreementTransferred, PersonalDataErased
from domain.refusals import Code, Refusal


def transfer(case: Case, request: TransferAgreement) -> Refusal | None:
    """All rights and duties pass to another holder: same account, balance and numbers (telnexx/transfer)."""
    if case.regulations.transfer_needs_consent and not request.consent:
        return Refusal(code=Code.CONSENT_REQUIRED, message="a transfer needs the company's consent")
    if case.state.profile.erased and request.personal is not None:
        return _erased()
    if request.holder == case.state.profile.holder and request.personal is None:
        return None
    transferred = AgreementTransferred(
        from_holder=case.state.profile.holder, holder=request.holder, personal=request.personal
    )
    case.record(transferred, "transfer")
    return None


def erasure(case: Case, request: ErasePersonalData) -> Refusal | None:
    """The key of the personal data is destroyed; the money facts stay (telnexx/confidentiality)."""
    if case.state.profile.erased:
        return _erased()
    case.record(PersonalDataErased(reason=request.reason), "erasure")
    return None


def _erased() -> Refusal:
    return Refusal(code=Code.PERSONAL_DATA_ERASED, message="the personal data was erased before")
