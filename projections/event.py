"""A fact as projections see it: the CloudEvent of CONTRACT §6, its amounts and instants still as written.

Projections read the wire form and not the records of `domain/facts.py`: it is what every store keeps, it is published
and never edited, and decoding it into records would cost as much as all projections together.

Two things hold for every projection, and let a runner group statements:
* facts of different subscribers commute: no row depends on facts of two subscribers, sums over them apart;
* a projection remembers nothing: what a fact lacks, SQL finds in the view's own tables.

An instant is stored as its UTC text without the final Z. Fractions of a second are written only where there are any,
so `2026-01-05T10:00:00` comes before `2026-01-05T10:00:00.000001`, and text sorts as time does (in the "C" collation).
It is a slice of what arrives, where integers would have to be parsed and formatted again. Amounts are integers of the
currency's inner unit.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from domain.facts import FACT_TYPES, WIRE_TYPES, Fact
from domain.money import decimal_places, parse_decimal


class Event(Protocol):
    """One stored fact."""

    @property
    def position(self) -> int:
        """Where it stands: the sequence in its shard, with the shard above it (`position_of`)."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def effective_at(self) -> str:
        """When it counts, as stored instant."""

    @property
    def recorded_at(self) -> str:
        """When the ledger learnt it, as stored instant."""

    @property
    def caused_by(self) -> str: ...
    @property
    def basis(self) -> str: ...
    @property
    def due(self) -> bool: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


Parameter = str | int | None
Row = tuple[str, tuple[Parameter, ...]]
"""The name of a statement in the view's `statements.sql`, and its parameters in the order it first names them in."""
Rows = Iterable[Row]
Handler = Callable[[Event], Rows]

SHARD_STEP = 1 << 48
"""Positions of two shards never meet; the first shard's positions are its sequences."""


def position_of(shard: int, sequence: int) -> int:
    """One integer for a place in the log, ascending within a shard."""
    return shard * SHARD_STEP + sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A read model: what it does with each type of fact. Its tables and statements are the SQL files in its folder."""

    name: str
    handles: Mapping[type[Fact], Handler]
    ignores: frozenset[type[Fact]] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        forgotten = set(FACT_TYPES) - set(self.handles) - self.ignores
        twice = set(self.handles) & self.ignores
        if forgotten or twice:
            names = ", ".join(sorted(fact.__name__ for fact in forgotten | twice))
            raise TypeError(f"the view {self.name} must either handle or ignore {names}")

    @property
    def by_type(self) -> dict[str, Handler]:
        """The handler of each wire type that the view has a use for."""
        return {WIRE_TYPES[fact]: handler for fact, handler in self.handles.items()}

    @property
    def ignored_types(self) -> frozenset[str]:
        """The wire types that the view has no use for."""
        return frozenset(WIRE_TYPES[fact] for fact in self.ignores)

    def project(self, event: Event) -> Rows:
        """What `event` writes; a pure function of it."""
        handler = self.by_type.get(event.type)
        return () if handler is None else handler(event)


SHORT_NAMES: dict[str, str] = {
    wire: wire.removeprefix("subledger.").removesuffix(".v1") for wire in WIRE_TYPES.values()
}
"""`deposit-credited` for `subledger.deposit-credited.v1`."""


@lru_cache(maxsize=65_536)
def units(amount: str, currency: str) -> int:
    """The inner units of an amount on the wire; most amounts of a ledger are a few prices, again and again."""
    return parse_decimal(amount, decimal_places(currency))


def taken(data: Mapping[str, Any]) -> int:
    """What `paid_from` took from lots, in inner units."""
    currency = data["currency"]
    return sum(units(take["amount"], currency) for take in data.get("paid_from", ()))


def stored_instant(wire: str) -> str:
    """An instant of the wire as views store it: without its Z."""
    return wire[:-1]


def optional_instant(wire: str | None) -> str | None:
    """As `stored_instant`, for a field that may be left out."""
    return None if wire is None else wire[:-1]
