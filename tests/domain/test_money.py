"""Money as a value: reading, writing, rounding, and currencies that never meet."""

import pytest

from domain.money import (
    MINOR_DIGITS,
    CurrencyMismatch,
    Money,
    decimal_places,
    format_decimal,
    half_up,
    minor_unit,
    parse_decimal,
)


@pytest.mark.parametrize(
    ("text", "currency", "units"),
    [
        ("0.00", "USD", 0),
        ("0", "USD", 0),
        ("12.5", "USD", 12_500_000),
        ("0.000001", "USD", 1),
        ("-3.10", "USD", -3_100_000),
        ("7", "JPY", 7_000_000),
        ("0.00000001", "BTC", 1),
        ("0.000000000001", "XMR", 1),
    ],
)
def test_a_decimal_string_is_read_exactly(text: str, currency: str, units: int) -> None:
    assert Money.parse(text, currency) == Money(units, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5",
        "01",
        "1e2",
        "1,00",
        "NaN",
        "Infinity",
        "0x1",
        "1_000",
        "--1",
        "٣",
        "1.0000001",
        "1\n",
    ],
)
def test_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError):
        parse_decimal(text, 6)


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (0, "USD", "0.00"),
        (2_700_000, "USD", "2.70"),
        (187_500, "USD", "0.1875"),
        (1, "USD", "0.000001"),
        (-7_700_000, "USD", "-7.70"),
        (-1, "USD", "-0.000001"),
        (42_112_500, "EUR", "42.1125"),
        (0, "JPY", "0"),
        (5_000_000, "JPY", "5"),
        (-5_000_000, "JPY", "-5"),
        (5_500_000, "JPY", "5.5"),
        (1_000, "KWD", "0.001"),
        (1_500_000, "KWD", "1.500"),
        (61_728, "BTC", "0.00061728"),
        (10**12, "XMR", "1.000000000000"),
        (1_000_000_000_000, "USD", "1000000.00"),
    ],
)
def test_an_amount_is_written_with_its_minor_digits_and_no_zeros_beyond(units: int, currency: str, text: str) -> None:
    assert str(Money(units, currency)) == text
    assert format_decimal(units, decimal_places(currency), MINOR_DIGITS[currency]) == text
    assert Money.parse(text, currency) == Money(units, currency)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(1, 2, 1), (-1, 2, -1), (3, 2, 2), (5, 2, 3), (-5, 2, -3), (1, 3, 0), (2, 3, 1), (0, 7, 0), (249, 100, 2)],
)
def test_halves_are_rounded_away_from_zero(numerator: int, denominator: int, expected: int) -> None:
    assert half_up(numerator, denominator) == expected


@pytest.mark.parametrize(
    ("price", "days", "of", "expected"),
    [("3.10", 27, 31, "2.70"), ("1.50", 21, 28, "1.13"), ("1.00", 1, 29, "0.03"), ("0.01", 1, 31, "0.00")],
)
def test_a_share_is_rounded_half_up_to_the_minor_unit(price: str, days: int, of: int, expected: str) -> None:
    assert str(Money.parse(price, "USD").share(days, of)) == expected


def test_the_minor_unit_is_the_currencys_own() -> None:
    assert str(Money.parse("10", "JPY").share(1, 3)) == "3"
    assert str(Money.parse("10", "KWD").share(1, 3)) == "3.333"
    assert str(Money.parse("10", "USD").fine_share(1, 3)) == "3.333333"
    assert str(Money.parse("10", "BTC").fine_share(2, 3)) == "6.66666700"
    assert str(Money.parse("10", "XMR").fine_share(1, 3)) == "3.333333000000"
    assert str(Money.parse("0.12345678", "BTC").floor_minor()) == "0.12345678"


@pytest.mark.parametrize(
    ("text", "expected"), [("42.2875", "42.28"), ("0.009", "0.00"), ("-0.001", "-0.01"), ("1.00", "1.00")]
)
def test_a_payout_is_rounded_down(text: str, expected: str) -> None:
    assert str(Money.parse(text, "USD").floor_minor()) == expected


def test_amounts_are_compared_and_only_nothing_is_false() -> None:
    less, more = Money(1, "USD"), Money(2, "USD")
    assert more > less
    assert more >= less
    assert more >= Money(2, "USD")
    assert not less >= more
    assert less
    assert -less
    assert not Money(0, "USD")


def test_two_currencies_never_meet() -> None:
    dollars, euros = Money(1, "USD"), Money(1, "EUR")
    for meet in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars <= euros):
        with pytest.raises(CurrencyMismatch, match="expected USD, found EUR"):
            meet()


def test_every_currency_has_three_upper_case_letters_and_a_minor_unit() -> None:
    for currency, digits in MINOR_DIGITS.items():
        assert currency.isalpha()
        assert currency.isupper()
        assert len(currency) == 3
        assert minor_unit(currency) * 10**digits == 10 ** decimal_places(currency)
    assert {"USD": 2, "EUR": 2, "UAH": 2, "JPY": 0, "KWD": 3, "BTC": 8, "XMR": 12}.items() <= MINOR_DIGITS.items()


def test_a_number_without_decimals_is_written_without_a_point() -> None:
    assert format_decimal(7, 0, 0) == "7"
