"""Changes of a tariff in plain words: each price with the amount by which it rises or falls."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.explain.changes import ABSENT, Change, Document, differing, general_sentence, sentence
from infra.explain.words import counted, per_cent

IDENTITY = ("tariff", "effective_from")
"""What the lines above a comparison say of each document."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the tariff a change is."""

    plan: str
    currency: str
    currency_before: str

    def __str__(self) -> str:
        return f"plan {self.plan} ({self.currency})"

    def difference(self, before: str, after: str) -> str:
        """By how much a price rises or falls, with the decimals that it is listed with: `0.20 more`."""
        if self.currency != self.currency_before:
            return f"before: {before} {self.currency_before}"
        difference = Decimal(after) - Decimal(before)
        if not difference:
            return "the same amount"
        return f"{abs(difference):f} {'more' if difference > 0 else 'less'}"


def tariff_changes(before: Document, after: Document) -> Iterator[Change]:
    """One change per price, tax and plan. Both documents are tariffs that `domain.catalogue.read_tariff` accepts."""
    for name, old, new in differing(before, after):
        if name == "plans":
            yield from _plan_changes(before, after)
        else:
            yield Change(path=(name,), before=old, after=new, says=_head_sentence(name, old, new))


def _head_sentence(name: str, before: Any, after: Any) -> str:
    if name == "tax":
        return sentence("Tax on top of the prices", before, after, _tax)
    subject = HEADS.get(name)
    return sentence(subject, before, after, str) if subject else general_sentence(name, before, after)


HEADS = {
    "tariff": "The tariff's name",
    "regulations": "The regulations that the tariff belongs to",
    "currency": "The tariff's currency",
    "effective_from": "The tariff is in effect from",
}


def _tax(tax: Any) -> str:
    return "none" if tax is None else f"{tax['name']} at {per_cent(tax['rate'])}"


def _plan_changes(before: Document, after: Document) -> Iterator[Change]:
    currency = str(after["currency"])
    for plan, old, new in differing(before["plans"], after["plans"]):
        if new is ABSENT:
            says = f"Plan {plan} ({currency}): no longer offered; who has it keeps its last prices."
        elif old is ABSENT:
            says = f"Plan {plan} ({currency}): new, {_whole_plan(new)}."
        else:
            place = Place(plan=plan, currency=currency, currency_before=str(before["currency"]))
            yield from _within_plan(old, new, place)
            continue
        yield Change(path=("plans", plan), before=old, after=new, says=says)


def _whole_plan(plan: Entry) -> str:
    """All prices of a plan on one line."""
    said = [f"connection fee {plan['connection_fee']}"]
    said += [f"{service} {_periodic(entry)}" for service, entry in plan["periodic"].items()]
    said += [f"{service} {_usage(entry)}" for service, entry in plan["usage"].items()]
    said += [f"{service} {price} each time" for service, price in plan["administrative"].items()]
    if "discount" in plan:
        said.append(f"discount {_discount(plan['discount'])}")
    return ", ".join(said)


def _within_plan(before: Entry, after: Entry, place: Place) -> Iterator[Change]:
    for name, old, new in differing(before, after):
        if name in GROUPS:
            for service, old_entry, new_entry in differing(old, new):
                says = GROUPS[name](service, old_entry, new_entry, place)
                yield Change(path=("plans", place.plan, name, service), before=old_entry, after=new_entry, says=says)
        elif name == "connection_fee":
            says = f"Connection fee of {place}: {new}, {place.difference(old, new)}."
            yield Change(path=("plans", place.plan, name), before=old, after=new, says=says)
        else:
            says = _discount_sentence(old, new, place)
            yield Change(path=("plans", place.plan, name), before=old, after=new, says=says)


def _periodic_sentence(service: str, before: Any, after: Any, place: Place) -> str:
    subject = f"Price of {service} in {place}"
    if after is ABSENT:
        return f"{subject}: no longer listed; who has it keeps {_periodic(before)}."
    if before is ABSENT:
        return f"{subject}: {_periodic(after)}, new."
    old, new = _priced(before), _priced(after)
    said = f"{subject}: {new['price']} a month, {place.difference(old['price'], new['price'])}"
    for flag, words in FLAGS.items():
        if old[flag] != new[flag]:
            said += f"; {words[new[flag]]}, before: {words[old[flag]]}"
    return f"{said}."


FLAGS: dict[str, Mapping[bool, str]] = {
    "refundable": {
        True: "unused prepaid months come back at the end",
        False: "unused prepaid months do not come back at the end",
    },
    "third_party": {True: "a third party's cost", False: "the provider's own service"},
}


def _priced(entry: Any) -> dict[str, Any]:
    """A periodic entry with everything that it leaves out."""
    given = {"price": entry} if isinstance(entry, str) else entry
    return {"refundable": False, "third_party": False, **given}


def _periodic(entry: Any) -> str:
    whole = _priced(entry)
    flags = "".join(f" ({words[True]})" for flag, words in FLAGS.items() if whole[flag])
    return f"{whole['price']} a month{flags}"


def _usage_sentence(service: str, before: Any, after: Any, place: Place) -> str:
    subject = f"Usage of {service} in {place}"
    if after is ABSENT:
        return f"{subject}: no longer listed; before: {_usage(before)}."
    if before is ABSENT:
        return f"{subject}: {_usage(after)}, new."
    said = f"{subject}: {after['price']} a {after['per']}, {place.difference(before['price'], after['price'])}"
    if before["per"] != after["per"]:
        said += f"; before: by the {before['per']}"
    had, has = before.get("included", 0), after.get("included", 0)
    if had != has:
        said += f"; {counted(has, after['per'])} included a month, before: {had:,}"
    return f"{said}."


def _usage(entry: Entry) -> str:
    included = entry.get("included", 0)
    extra = f" with {counted(included, entry['per'])} included a month" if included else ""
    return f"{entry['price']} a {entry['per']}{extra}"


def _administrative_sentence(service: str, before: Any, after: Any, place: Place) -> str:
    subject = f"Price of {service} in {place}"
    if after is ABSENT:
        return f"{subject}: no longer listed; before: {before} each time."
    if before is ABSENT:
        return f"{subject}: {after} each time, new."
    return f"{subject}: {after} each time, {place.difference(before, after)}."


GROUPS: dict[str, Callable[[str, Any, Any, Place], str]] = {
    "periodic": _periodic_sentence,
    "usage": _usage_sentence,
    "administrative": _administrative_sentence,
}
"""Parts of a plan that hold an entry per service."""


def _discount_sentence(before: Any, after: Any, place: Place) -> str:
    said = ["none" if value is ABSENT else _discount(value) for value in (after, before)]
    return f"Discount in {place}: {said[0]}; before: {said[1]}."


def _discount(fraction: str) -> str:
    return f"{per_cent(fraction)} off every periodic price"
