"""Records made and copied quickly are the records that their classes make."""

from dataclasses import FrozenInstanceError, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.facts import FACT_TYPES, Recorded, VerificationPassed
from domain.money import Money
from domain.state import Lot, Rental, Standing
from domain.values import changer, maker, replace

NOON = datetime(2026, 1, 5, 10, tzinfo=UTC)


def lot() -> Lot:
    return Lot(id="s-1/1", left=Money(5, "USD"), received_at=NOON, method="card")


def test_what_a_maker_makes_is_what_the_class_makes() -> None:
    made = maker(Lot)(id="s-1/1", left=Money(5, "USD"), received_at=NOON, method="card")
    assert (made, type(made), repr(made), hash(made)) == (lot(), Lot, repr(lot()), hash(lot()))


def test_arguments_without_names_and_defaults_are_those_of_the_class() -> None:
    assert maker(Money)(5, "USD") == Money(5, "USD")
    assert maker(Standing)() == Standing()
    assert maker(Standing)(verified=True) == Standing(verified=True)


def test_a_default_that_is_made_is_made_for_each_record() -> None:
    assert "units" in {field.name for field in fields(Rental)}
    arguments: dict[str, Any] = {
        field.name: None for field in fields(Rental) if field.name not in {"suspended", "units"}
    }
    first, second = maker(Rental)(**arguments), maker(Rental)(**arguments)
    assert first.units == {}
    assert first.units is not second.units


def test_a_record_that_was_made_quickly_is_frozen() -> None:
    made = maker(Lot)(id="s-1/1", left=Money(5, "USD"), received_at=NOON, method="card")
    with pytest.raises(FrozenInstanceError):
        made.id = "s-1/2"  # type: ignore[misc]


def test_a_maker_misses_what_the_class_would_miss() -> None:
    with pytest.raises(TypeError, match="method"):
        maker(Lot)(id="s-1/1", left=Money(5, "USD"), received_at=NOON)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colour"):
        maker(Lot)(id="s-1/1", left=Money(5, "USD"), received_at=NOON, method=None, colour=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("fact", FACT_TYPES, ids=lambda fact: fact.__name__)
def test_every_type_of_fact_can_be_made_quickly(fact: type) -> None:
    arguments = {field.name: field.name for field in fields(fact)}
    assert maker(fact)(**arguments) == fact(**arguments)


def test_a_copy_has_the_changes_and_leaves_the_original_alone() -> None:
    original = lot()
    copied = replace(original, left=Money(1, "USD"))
    assert copied == Lot(id="s-1/1", left=Money(1, "USD"), received_at=NOON, method="card")
    assert original == lot()
    with pytest.raises(FrozenInstanceError):
        copied.id = "s-1/2"  # type: ignore[misc]


def test_a_changer_does_what_replace_does() -> None:
    changed = changer(Lot, "left", "method")(lot(), Money(1, "USD"), None)
    assert (changed, type(changed)) == (replace(lot(), left=Money(1, "USD"), method=None), Lot)
    with pytest.raises(FrozenInstanceError):
        changed.id = "s-1/2"  # type: ignore[misc]


def test_a_changer_of_a_field_that_the_record_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="Lot has no field colour"):
        changer(Lot, "left", "colour")


@dataclass(frozen=True, slots=True)
class Seat:
    row: int
    number: int = field(default=1, kw_only=True)


def test_fields_with_and_without_names_may_stand_side_by_side() -> None:
    assert maker(Seat)(3) == Seat(3)
    assert maker(Seat)(3, number=2) == Seat(3, number=2)
    with pytest.raises(TypeError):
        maker(Seat)(3, 2)  # type: ignore[call-arg]


def test_a_copy_with_a_field_that_the_record_does_not_have_is_refused() -> None:
    recorded = Recorded(
        subject="s-1", version=1, fact=VerificationPassed(), effective_at=NOON, recorded_at=NOON, basis="b"
    )
    with pytest.raises(TypeError, match="Recorded has no field colour"):
        replace(recorded, colour=1)
