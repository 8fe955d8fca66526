"""Money as one value: integer units of a currency, with every rounding named."""

import re
from dataclasses import dataclass
from functools import lru_cache

from domain.values import maker

ACCOUNT_DECIMALS = 6
"""Inside, an account counts in millionths of its currency (CONTRACT §4)."""

LARGEST_UNITS = 10**17
"""Of one amount, in the units that its currency is counted in: ninety such amounts stay within 63 bits, which is what
databases count with."""

MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(
        [
            "AED",
            "AFN",
            "ALL",
            "AMD",
            "AOA",
            "ARS",
            "AUD",
            "AWG",
            "AZN",
            "BAM",
            "BBD",
            "BDT",
            "BGN",
            "BMD",
            "BND",
            "BOB",
            "BOV",
            "BRL",
            "BSD",
            "BTN",
            "BWP",
            "BYN",
            "BZD",
            "CAD",
            "CDF",
            "CHE",
            "CHF",
            "CHW",
            "CNY",
            "COP",
            "COU",
            "CRC",
            "CUP",
            "CVE",
            "CZK",
            "DKK",
            "DOP",
            "DZD",
            "EGP",
            "ERN",
            "ETB",
            "EUR",
            "FJD",
            "FKP",
            "GBP",
            "GEL",
            "GHS",
            "GIP",
            "GMD",
            "GTQ",
            "GYD",
            "HKD",
            "HNL",
            "HTG",
            "HUF",
            "IDR",
            "ILS",
            "INR",
            "IRR",
            "JMD",
            "KES",
            "KGS",
            "KHR",
            "KPW",
            "KYD",
            "KZT",
            "LAK",
            "LBP",
            "LKR",
            "LRD",
            "LSL",
            "MAD",
            "MDL",
            "MGA",
            "MKD",
            "MMK",
            "MNT",
            "MOP",
            "MRU",
            "MUR",
            "MVR",
            "MWK",
            "MXN",
            "MXV",
            "MYR",
            "MZN",
            "NAD",
            "NGN",
            "NIO",
            "NOK",
            "NPR",
            "NZD",
            "PAB",
            "PEN",
            "PGK",
            "PHP",
            "PKR",
            "PLN",
            "QAR",
            "RON",
            "RSD",
            "RUB",
            "SAR",
            "SBD",
            "SCR",
            "SDG",
            "SEK",
            "SGD",
            "SHP",
            "SLE",
            "SOS",
            "SRD",
            "SSP",
            "STN",
            "SVC",
            "SYP",
            "SZL",
            "THB",
            "TJS",
            "TMT",
            "TOP",
            "TRY",
            "TTD",
            "TWD",
            "TZS",
            "UAH",
            "USD",
            "USN",
            "UYU",
            "UZS",
            "VED",
            "VES",
            "WST",
            "XAD",
            "XCD",
            "XCG",
            "YER",
            "ZAR",
            "ZMW",
            "ZWG",
        ],
        2,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
    "BTC": 8,
    "XMR": 12,
}
"""Digits after the point of a currency's minor unit: ISO 4217, and the two coins that refunds are paid in."""

_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")


def half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, halves away from zero."""
    if numerator < 0:
        return -half_up(-numerator, denominator)
    return (2 * numerator + denominator) // (2 * denominator)


def decimal_places(currency: str) -> int:
    """How many decimals one unit of `currency` has inside: 6, or what the coin needs."""
    return max(ACCOUNT_DECIMALS, MINOR_DIGITS[currency])


def minor_unit(currency: str) -> int:
    """Inner units in one minor unit: 10,000 for a cent."""
    return int(10 ** (decimal_places(currency) - MINOR_DIGITS[currency]))


def parse_decimal(text: str, decimals: int) -> int:
    """The integer of 10⁻ᵈᵉᶜⁱᵐᵃˡˢ that `text` names.

    Raises ValueError for anything but digits, an optional leading minus and at most `decimals` decimals.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("expected a decimal number such as 12.50")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > decimals:
        raise ValueError(f"expected at most {decimals} decimals, found {len(fraction)}")
    units = int(whole + fraction.ljust(decimals, "0"))
    return -units if sign else units


def format_decimal(units: int, decimals: int, at_least: int) -> str:
    """`units` of 10⁻ᵈᵉᶜⁱᵐᵃˡˢ as text with at least `at_least` decimals and no zeros trailing beyond them."""
    whole, fraction = divmod(abs(units), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0").ljust(at_least, "0")
    return f"{'-' if units < 0 else ''}{whole}{'.' + digits if digits else ''}"


_SCALES = {code: (decimal_places(code), minor_unit(code), digits) for code, digits in MINOR_DIGITS.items()}


class CurrencyMismatch(ArithmeticError):
    """Two currencies met in one sum; that is a defect of the program, never of the input."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `units` of 10⁻⁶ of the currency (BTC 10⁻⁸, XMR 10⁻¹²)."""

    units: int
    currency: str

    @staticmethod
    def parse(text: str, currency: str) -> "Money":
        """Money from its wire form; ValueError where `text` is not a decimal of that currency."""
        return money(parse_decimal(text, decimal_places(currency)), currency)

    @staticmethod
    def of_millionths(millionths: int, currency: str) -> "Money":
        """Money from an amount of a command or a document, which has at most six decimals in any currency."""
        return money(millionths * int(10 ** (decimal_places(currency) - ACCOUNT_DECIMALS)), currency)

    def __str__(self) -> str:
        return _text(self.units, self.currency)

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise self._mismatch(other)
        return money(self.units + other.units, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise self._mismatch(other)
        return money(self.units - other.units, self.currency)

    def __neg__(self) -> "Money":
        return money(-self.units, self.currency)

    def __mul__(self, count: int) -> "Money":
        return money(self.units * count, self.currency)

    def __lt__(self, other: "Money") -> bool:
        if self.currency != other.currency:
            raise self._mismatch(other)
        return self.units < other.units

    def __le__(self, other: "Money") -> bool:
        if self.currency != other.currency:
            raise self._mismatch(other)
        return self.units <= other.units

    def __gt__(self, other: "Money") -> bool:
        return other < self

    def __ge__(self, other: "Money") -> bool:
        return other <= self

    def __bool__(self) -> bool:
        return self.units != 0

    def zero(self) -> "Money":
        """Nothing, in the same currency."""
        return money(0, self.currency)

    def share(self, numerator: int, denominator: int) -> "Money":
        """`self × numerator ÷ denominator`, half-up to the minor unit."""
        minor = minor_unit(self.currency)
        return money(half_up(self.units * numerator, denominator * minor) * minor, self.currency)

    def fine_share(self, numerator: int, denominator: int) -> "Money":
        """`self × numerator ÷ denominator`, half-up to 10⁻⁶, also of a coin that is counted finer: for usage."""
        millionth = int(10 ** (decimal_places(self.currency) - ACCOUNT_DECIMALS))
        return money(half_up(self.units * numerator, denominator * millionth) * millionth, self.currency)

    def floor_minor(self) -> "Money":
        """Rounded down to the minor unit: what can be paid out."""
        minor = minor_unit(self.currency)
        return money(self.units // minor * minor, self.currency)

    def _mismatch(self, other: "Money") -> CurrencyMismatch:
        return CurrencyMismatch(f"expected {self.currency}, found {other.currency}")


money = maker(Money)
"""`Money(units, currency)`, made quickly: no record is made more often."""


@lru_cache(maxsize=65_536)
def _text(units: int, currency: str) -> str:
    """Most amounts of a ledger are a few prices, again and again."""
    decimals, minor_scale, digits = _SCALES[currency]
    if units >= 0 and not units % minor_scale and digits:
        whole, minor = divmod(units // minor_scale, 10**digits)
        return f"{whole}.{minor:0{digits}d}"
    return format_decimal(units, decimals, digits)
