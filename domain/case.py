"""A case under decision: the state so far, the facts so far, and what the rules may look at.

The case is the one place where a decision is written down. Each fact is folded into the state as soon as it is
recorded, so a later rule sees what an earlier one did.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.catalogue import Catalogue, Regulations
from domain.facts import Fact, Recorded, Takes
from domain.money import Money
from domain.rules import basis_of
from domain.state import CorruptStream, Subscriber, evolve, spend
from domain.values import maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How far a usage has been reported. Its whole minutes are charged; what has ended is never charged again."""

    elapsed_seconds: int
    ended: bool


_recorded = maker(Recorded)


class Past(Protocol):
    """What the facts of one subscriber still answer when the state has let go of them."""

    def call(self, usage: str) -> Call | None:
        """The call or message reported under `usage`."""

    def deposit(self, reference: str) -> int | None:
        """The version of the deposit credited under `reference`."""

    def fact(self, version: int) -> Recorded | None:
        """The subscriber's fact of that version."""

    def newest_first(self) -> Iterator[Recorded]:
        """All facts, the newest first."""


class Case:
    """One command's decision in the making; `effective_at` is the instant that facts recorded now count from."""

    __slots__ = ("_regulations", "_regulations_at", "catalogue", "due", "effective_at", "facts", "now", "past", "state")

    def __init__(self, state: Subscriber, now: datetime, catalogue: Catalogue, past: Past) -> None:
        self.state = state
        self.now = now
        self.catalogue = catalogue
        self.past = past
        self.facts: list[Recorded] = []
        self.effective_at = now
        self.due = False
        self._regulations: Regulations | None = None
        self._regulations_at: datetime | None = None

    @property
    def regulations(self) -> Regulations:
        """The regulations version in force at `effective_at`."""
        if self._regulations_at != self.effective_at:
            self._regulations = self.catalogue.in_force(self.state.profile.regulations, self.effective_at)
            self._regulations_at = self.effective_at
        if self._regulations is None:
            raise CorruptStream(f"{self.state.subject}: no regulations {self.state.profile.regulations} in force")
        return self._regulations

    @property
    def balance(self) -> Money:
        return self.state.account.balance

    @property
    def zero(self) -> Money:
        return self.state.account.balance.zero()

    @property
    def zone(self) -> str:
        return self.state.profile.time_zone

    def record(self, fact: Fact, rule: str, effective_at: datetime | None = None) -> str:
        """Writes `fact` down on the clause for `rule`; answers with its id."""
        recorded = _recorded(
            subject=self.state.subject,
            version=self.state.version + 1,
            fact=fact,
            effective_at=effective_at or self.effective_at,
            recorded_at=self.now,
            basis=basis_of(rule, self.regulations.clauses),
            due=self.due,
        )
        evolved = evolve(self.state, recorded)
        assert isinstance(evolved, Subscriber)
        self.state = evolved
        self.facts.append(recorded)
        return recorded.id

    def takes(self, amount: Money) -> Takes:
        """The lots that a debit of `amount` comes from."""
        return spend(self.state.account.lots, amount)

    def fact(self, fact_id: str) -> Recorded | None:
        """The fact called `fact_id`, if it is one of this subscriber's."""
        subject, _, version = fact_id.rpartition("/")
        if subject != self.state.subject or not version.isdecimal() or version != str(int(version)):
            return None
        if int(version) > self.state.version:
            return None
        for recorded in self.facts:
            if recorded.version == int(version):
                return recorded
        return self.past.fact(int(version))

    def newest_first(self) -> Iterator[Recorded]:
        """All facts of the subscriber, those of this case included."""
        yield from reversed(self.facts)
        yield from self.past.newest_first()
