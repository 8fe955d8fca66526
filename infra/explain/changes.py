"""What differs between two catalogue documents: each change with its path, both values, and a sentence about it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson


class _Absent:
    """Stands for what a document does not have; null is a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
NOT_STATED = "not stated"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change; `before` and `after` are values as JSON has them, or ABSENT, and never equal."""

    path: tuple[str, ...]
    before: Any
    after: Any
    says: str
    """One sentence with its full stop, for people."""

    def as_object(self) -> dict[str, str | None]:
        """`path`, `from`, `to`, `says`; values as text, None for what is absent."""
        return {
            "path": ".".join(self.path),
            "from": _text(self.before),
            "to": _text(self.after),
            "says": self.says,
        }


def differing(before: Document, after: Document) -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of what is not the same in both, in the order of the old document, then of the new."""
    for name in (*before, *(name for name in after if name not in before)):
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        if old is ABSENT or new is ABSENT or old != new:
            yield name, old, new


def sentence(subject: str, before: Any, after: Any, phrase: Callable[[Any], str]) -> str:
    """What holds now and what held before: `Subject: new; before: old.`."""
    return f"{subject}: {_said(after, phrase)}; before: {_said(before, phrase)}."


def general_sentence(name: str, before: Any, after: Any) -> str:
    """For a parameter that no wording knows: its own name and its values as they stand in the documents."""
    return sentence(f"Parameter {name}", before, after, as_written)


def as_written(value: Any) -> str:
    """A value as its document has it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def listing(items: list[str], joint: str = "and") -> str:
    """`card`, `card and cash`, `card, cash and crypto`; `none` for an empty list."""
    if len(items) < 2:
        return items[0] if items else "none"
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"


def _said(value: Any, phrase: Callable[[Any], str]) -> str:
    return NOT_STATED if value is ABSENT else phrase(value)


def _text(value: Any) -> str | None:
    return None if value is ABSENT else as_written(value)
