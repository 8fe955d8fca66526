"""Lines of a statement in words: what moved the balance, short enough for a column."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from domain.periods import Period
from infra.explain.words import period
from infra.views.reading import StatementLine

PAYMENT = "payment-allocated"
"""What it pays is the amount of its line, and the invoice belongs to its title."""
TITLES: Mapping[str, str] = {
    "deposit-credited": "Deposit",
    "deposit-reversed": "Deposit charged back",
    "connection-fee-charged": "Connection fee",
    "connection-fee-difference-charged": "Connection fee difference",
    "administrative-service-charged": "Service",
    "periodic-service-charged": "Rental",
    "usage-charged": "Usage",
    "tax-charged": "Tax",
    "remaining-term-charged": "Rest of the term",
    "invoice-issued": "Invoice",
    "invoice-expired": "Invoice withdrawn",
    PAYMENT: "Payment of invoice",
    "refund-due": "To be paid back",
    "balance-forfeited": "Balance forfeited",
    "remainder-written-off": "Rest below what can be paid out",
    "charge-reversed": "Charge taken back",
    "compensation-granted": "Compensation",
    "adjustment-posted": "Correction",
}


def line_words(line: StatementLine, zone: ZoneInfo) -> str:
    """`Rental +380441234567 did.ua, February 2026`."""
    title = TITLES.get(line.type, line.type.replace("-", " ").capitalize())
    subject = " ".join(part for part in (title, line.number, line.service) if part)
    parts = [subject]
    if line.period_start is not None and line.period_end is not None:
        parts.append(period(Period(line.period_start, line.period_end), zone))
    if line.detail:
        parts.append(line.detail)
    if line.type == PAYMENT:
        return " ".join(parts)
    if line.invoiced.strip("-0."):
        parts.append(f"invoiced {line.invoiced.removeprefix('-')}{' less' if line.invoiced.startswith('-') else ''}")
    return ", ".join(parts)
