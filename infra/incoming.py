"""JSON that somebody else wrote: a key that stands twice is a fault.

Readers differ in which of the two they take (RFC 8259, section 4), so the sender may have meant the other amount.
"""

import json
from collections.abc import Iterator
from typing import Any

import jiter
import orjson

from domain.documents import Fault


def parse(text: bytes) -> Any:
    """What `text` holds.

    Raises orjson.JSONDecodeError where it is no JSON, Fault with the path of the key where one stands twice.
    """
    value = orjson.loads(text)
    try:
        jiter.from_json(text, cache_mode="none", catch_duplicate_keys=True)
    except ValueError:
        # It may also be nested deeper than this one reads; the slow way tells.
        path = _repeated(text)
        if path is not None:
            raise Fault(path, "expected each key once, found this one twice") from None
    return value


class _Pairs(list[tuple[str, Any]]):
    """An object with every key that it was written with."""


def _repeated(text: bytes) -> str | None:
    """The path of the first key that stands twice; None where each stands once, or nobody can tell."""
    try:
        return next(_paths_repeated(json.loads(text, object_pairs_hook=_Pairs), ""), None)
    except RecursionError:
        return None


def _paths_repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set()
        for key, inner in value:
            at = f"{path}.{key}" if path else key
            if key in seen:
                yield at
            seen.add(key)
            yield from _paths_repeated(inner, at)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths_repeated(inner, f"{path}[{index}]")
