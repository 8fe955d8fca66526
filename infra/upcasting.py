"""Older versions of a wire type and how each becomes the next one: what was stored decodes for ever (CONTRACT §6).

Apart from `codec`, which needs all of `domain/`: who only looks at the wire form starts in half of the time.
"""

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class UndecodableFact(ValueError):
    """Stored bytes that are no fact of this ledger: an unknown type, or data of another shape."""


UPCASTERS: dict[str, tuple[str, Upcaster]] = {}
"""Older wire type → the next version's type, and a function over its data."""
