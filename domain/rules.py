"""The names of the rules and the clause that each rests on under given regulations (CATALOGUE, clause table)."""

from collections.abc import Mapping

from domain.refusals import Code

LEDGER = "subledger"
"""Prefix of a basis on which the provider's document is silent."""

PARTS: dict[str, str] = {
    "suspension": "unpaid",
    "unpaid-end": "unpaid",
    "early-termination": "termination",
    "ticket": "termination",
    "settlement-for-cause": "settlement",
    "first-deposit": "refund",
    "eligibility": "refund",
    "refund-after-cause": "refund",
    "refund-services": "refund",
    "payout": "refund-method",
}
"""Parts of a rule that some documents have a clause of their own for; without one the whole rule's clause counts."""

RULE_OF_CODE: dict[Code, str] = {
    Code.REGISTRATION_REFUSED: "registration-refusal",
    Code.NOT_VERIFIED: "conclusion",
    Code.REFERENCE_ALREADY_CREDITED: "deposit",
    Code.CURRENCY_NOT_ACCEPTED: "deposit",
    Code.INSUFFICIENT_FUNDS: "prepayment",
    Code.PERIOD_NOT_PAID: "paid-period",
    Code.NOTICE_TOO_SHORT: "plan-change-notice",
    Code.TICKET_REQUIRED: "ticket",
    Code.CONSENT_REQUIRED: "transfer",
    Code.NOT_REFUNDABLE: "refund",
    Code.METHOD_NOT_REFUNDABLE: "refund-method",
    Code.DISPUTE_WINDOW_CLOSED: "dispute",
    Code.ABOVE_COMPENSATION_CAP: "compensation",
    Code.DISCOUNT_NOT_ALLOWED: "discount",
    Code.FREE_SERVICE_ALREADY_HELD: "free-service",
}
"""The row of the clause table that a code stands in; a code without one rests on the ledger's own rules."""


def basis_of(rule: str, clauses: Mapping[str, str]) -> str:
    """The clause id for `rule`, e.g. `telnexx/proration`; `subledger/<rule>` where the document is silent."""
    clause = clauses.get(rule)
    if clause is not None:
        return clause
    whole = PARTS.get(rule)
    return basis_of(whole, clauses) if whole is not None else f"{LEDGER}/{rule}"


def rule_of(code: Code) -> str:
    """The rule that answers with `code`; the code itself, with dashes, where the clause table has no row for it."""
    return RULE_OF_CODE.get(code) or code.value.replace("_", "-")
