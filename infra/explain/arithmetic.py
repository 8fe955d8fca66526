"""The arithmetic of a fact written out, from the inputs that the fact itself carries."""

from fractions import Fraction

from domain import facts as f
from domain.facts import Calculation, Fact, Line, Takes
from domain.money import MINOR_DIGITS, Money, decimal_places, format_decimal, minor_unit
from infra.explain.words import counted, money

SHOWN_DECIMALS = 4
"""Decimals of a value before its rounding, where it does not end there."""


def arithmetic(fact: Fact) -> tuple[str, ...]:  # noqa: C901, PLR0911, PLR0912 - one match over the facts computed
    """One line per step; none for a fact that nothing was computed for."""
    match fact:
        case f.PeriodicServiceCharged() | f.ConnectionFeeCharged() | f.AdministrativeServiceCharged():
            return (_periodic(fact.calculation, fact.amount),)
        case f.ConnectionFeeDifferenceCharged():
            return (f"{fact.fee} ({fact.plan}) − {fact.from_fee} ({fact.from_plan}) = {money(fact.amount)}",)
        case f.UsageCharged():
            return _usage(fact)
        case f.UsageCutOff():
            return (f"{_uncharged(fact)}the next minute at {money(fact.rate)} is more than was available",)
        case f.TaxCharged():
            return (f"{fact.base} × {fact.rate} = {money(fact.amount)}{_rounding(Fraction(fact.rate), fact)}",)
        case f.RemainingTermCharged():
            return (f"{fact.price} × {fact.periods} = {money(fact.amount)}", *_owed(fact.amount, fact.paid_from))
        case f.DepositReversed():
            return _owed(fact.amount, fact.paid_from)
        case f.CompensationGranted():
            return (f"cap {fact.cap}, granted before {fact.granted_before}, now {money(fact.amount)}",)
        case f.RefundDue():
            return _refund_due(fact)
        case f.RefundPaid() if fact.rate is not None:
            return (f"{fact.amount} × {fact.rate} = {money(fact.paid)} (rounded down)",)
        case f.InvoiceIssued():
            lines = " + ".join(f"{line.amount} {line.label}" for line in fact.lines)
            return (f"{lines} + {fact.tax} tax = {money(fact.total)}",)
        case f.ChargeReversed():
            return _reversed(fact)
        case _:
            return ()


def _periodic(calculation: Calculation, amount: Money) -> str:
    """`3.10 × 27 ÷ 31 = 2.70 USD (half-up)`."""
    factors, value = [str(calculation.price)], Fraction(calculation.price.units)
    if calculation.count != 1:
        factors.append(f"× {calculation.count}")
        value *= calculation.count
    if calculation.discount is not None:
        factors.append(f"× (1 − {calculation.discount})")
        value *= 1 - Fraction(calculation.discount)
    part, words = _part_of_periods(calculation)
    if words:
        factors.append(words)
        value *= part
    if len(factors) == 1:
        return f"the whole price, {money(amount)}"
    return f"{' '.join(factors)} = {_rounded(value, amount)}"


def _part_of_periods(calculation: Calculation) -> tuple[Fraction, str]:
    further = (calculation.periods or 1) - 1
    if calculation.days is None or calculation.of is None:
        return Fraction(further + 1), f"× {further + 1}" if further else ""
    part = Fraction(calculation.days, calculation.of)
    if further:
        return part + further, f"× ({calculation.days} ÷ {calculation.of} + {further})"
    return part, f"× {calculation.days} ÷ {calculation.of}"


def _rounded(value: Fraction, amount: Money) -> str:
    """The amount, after the value before its rounding where they differ."""
    unit = format_decimal(minor_unit(amount.currency), decimal_places(amount.currency), MINOR_DIGITS[amount.currency])
    if value == amount.units:
        return f"{money(amount)} (half-up to {unit})"
    decimals = decimal_places(amount.currency)
    shown = max(SHOWN_DECIMALS, MINOR_DIGITS[amount.currency] + 2)
    units = int(value * 10**shown / 10**decimals)
    return f"{format_decimal(units, shown, shown)}…, half-up to {unit}: {money(amount)}"


def _rounding(rate: Fraction, fact: f.TaxCharged) -> str:
    exact = rate * fact.base.units == fact.amount.units
    return "" if exact else " (half-up)"


def _usage(fact: f.UsageCharged) -> tuple[str, ...]:
    count = fact.units if fact.minutes is None else fact.minutes
    unit = "unit" if fact.minutes is None else "minute"
    paid = (count or 0) - fact.included
    first = f"{counted(count or 0, unit)} − {fact.included} included = {paid}"
    second = f"{paid} × {fact.rate} = {money(fact.amount)} (exact)"
    if fact.elapsed_seconds is None:
        return first, second
    new = "every minute begun counts, since the call has ended" if fact.ended else "minutes that are complete"
    return (
        f"{fact.elapsed_seconds} s so far; {counted(count or 0, unit)} charged with this report ({new})",
        first,
        second,
    )


def _uncharged(fact: f.UsageCutOff) -> str:
    return f"{counted(fact.unpaid_minutes, 'minute')} not charged: " if fact.unpaid_minutes else ""


def _refund_due(fact: f.RefundDue) -> tuple[str, ...]:
    """The lines that it is made of, what stays charged for third parties, and the sum of the former."""
    if not fact.lines:
        return ()
    lines = tuple(_refund_line(line) for line in fact.lines)
    whole = fact.fee
    for line in fact.lines:
        whole = whole if line.charge else whole + line.amount
    rounding = " (rounded down)" if whole - fact.fee != fact.amount else ""
    if fact.fee:
        return (*lines, f"{whole} − {fact.fee} fee = {money(fact.amount)}{rounding}")
    return (*lines, f"together {money(fact.amount)}{rounding}")


def _refund_line(line: Line) -> str:
    if line.charge:
        return f"{line.label} {line.charge}: {line.amount}, which stays charged"
    return f"{line.label}{f' {line.lot}' if line.lot else ''}: {line.amount}"


def _owed(amount: Money, paid_from: Takes) -> tuple[str, ...]:
    """What a debit takes below zero, which no lot pays; none where the lots paid it all."""
    taken = amount.zero()
    for take in paid_from:
        taken = taken + take.amount
    rest = amount - taken
    return (f"{taken} that was left + {rest} owed = {money(amount)}",) if rest else ()


def _reversed(fact: f.ChargeReversed) -> tuple[str, ...]:
    whole = f"{fact.amount} + {fact.tax} tax" if fact.tax else str(fact.amount)
    return (f"{whole} = {fact.credited} to the balance + {fact.lowered} off what was outstanding",)
