"""The ports of `consumers/` in memory: the smallest store that passes the contract, for tests of everything else."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from consumers.ports import Answer, Group, Inquiry, Loaded, Stored, StoreError
from domain.case import Call
from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import CatalogueFact, Recorded
from domain.publishing import CatalogueState, evolve_publication
from domain.state import State, Unregistered, at_end_of_log, evolve
from infra.documents import initial_catalogue


class MemoryShard:
    """One shard in lists and dictionaries. A commit is checked whole before any of it is kept."""

    def __init__(self) -> None:
        self.facts: list[Stored] = []
        self._streams: dict[str, list[Recorded]] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._calls: dict[tuple[str, str], Call] = {}
        self._deposits: dict[tuple[str, str], int] = {}
        self._instants: dict[str, datetime] = {}
        self._snapshots: dict[str, State] = {}
        self._last_instant: datetime | None = None

    def sequence(self) -> int:
        return len(self.facts)

    def last_instant(self) -> datetime | None:
        return self._last_instant

    def load(self, subject: str) -> Loaded:
        state = self._snapshots.get(subject) or Unregistered(subject=subject)
        snapshot_version = state.version
        for recorded in self._streams.get(subject, [])[state.version :]:
            state = evolve(state, recorded)
        return Loaded(at_end_of_log(state, self._instants.get(subject)), snapshot_version)

    def prepare(self, inquiry: Inquiry) -> None:
        """Nothing: everything is at hand."""

    def past(self, subject: str) -> "MemoryPast":
        return MemoryPast(self, subject)

    def answer(self, subject: str, command_id: str) -> Answer | None:
        return self._answers.get((subject, command_id))

    def commit(self, group: Group) -> None:
        self._check(group)
        for stored in group.facts:
            self.facts.append(stored)
            self._streams.setdefault(stored.recorded.subject, []).append(stored.recorded)
        self._answers.update({(one.subject, one.command_id): one for one in group.answers})
        self._calls.update(group.calls)
        self._deposits.update(group.deposits)
        self._instants.update(group.instants)
        self._snapshots.update(group.snapshots)
        moments = [stored.recorded.recorded_at for stored in group.facts] + list(group.instants.values())
        self._last_instant = max([*moments, *([self._last_instant] if self._last_instant else [])], default=None)

    def stream(self, subject: str) -> list[Recorded]:
        """All facts of a subject, the oldest first."""
        return list(self._streams.get(subject, []))

    def _check(self, group: Group) -> None:
        versions: dict[str, int] = {}
        for expected, stored in enumerate(group.facts, self.sequence() + 1):
            subject = stored.recorded.subject
            version = versions.get(subject, len(self._streams.get(subject, []))) + 1
            if stored.sequence != expected:
                raise StoreError(f"expected sequence {expected}, found {stored.sequence}")
            if stored.recorded.version != version:
                raise StoreError(f"{subject}: expected version {version}, found {stored.recorded.version}")
            versions[subject] = version
        for answer in group.answers:
            if (answer.subject, answer.command_id) in self._answers:
                raise StoreError(f"{answer.subject}: command {answer.command_id} is answered already")
        for key in group.deposits:
            if key in self._deposits:
                raise StoreError(f"{key[0]}: reference {key[1]} is credited already")


class MemoryPast:
    """A subject's facts in a list, and what was noted beside them."""

    def __init__(self, shard: MemoryShard, subject: str) -> None:
        self._shard = shard
        self._subject = subject

    def call(self, usage: str) -> Call | None:
        return self._shard._calls.get((self._subject, usage))

    def deposit(self, reference: str) -> int | None:
        return self._shard._deposits.get((self._subject, reference))

    def fact(self, version: int) -> Recorded | None:
        stream = self._shard._streams.get(self._subject, [])
        return stream[version - 1] if 1 <= version <= len(stream) else None

    def newest_first(self) -> Iterator[Recorded]:
        return reversed(self._shard.stream(self._subject))


class MemoryCatalogue:
    """The catalogue's stream in a list; it begins with the publications that it is given."""

    def __init__(self, publications: Sequence[CatalogueFact] | None = None) -> None:
        self.facts: list[Recorded] = []
        self._answers: dict[str, Answer] = {}
        for version, fact in enumerate(initial_catalogue() if publications is None else publications, 1):
            self.facts.append(_initial(version, fact))

    def load(self) -> CatalogueState:
        state = CatalogueState(catalogue=Catalogue())
        for recorded in self.facts:
            state = evolve_publication(state, recorded)
        return state

    def answer(self, command_id: str) -> Answer | None:
        return self._answers.get(command_id)

    def latest_elsewhere(self) -> None:
        """There is one shard alone."""

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        for expected, stored in enumerate(facts, len(self.facts) + 1):
            if stored.recorded.version != expected:
                raise StoreError(f"catalogue: expected version {expected}, found {stored.recorded.version}")
        if answer.command_id in self._answers:
            raise StoreError(f"catalogue: command {answer.command_id} is answered already")
        self.facts += [stored.recorded for stored in facts]
        self._answers[answer.command_id] = answer


class PlainSealer:
    """Marks personal data as sealed without hiding it, and remembers whose key was destroyed."""

    def __init__(self) -> None:
        self.erased: list[str] = []
        self.intended: list[str] = []

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        return f"sealed:{subject}:{command_id}:{personal!r}"

    def intend_to_erase(self, subject: str) -> None:
        self.intended.append(subject)

    def erase(self, subject: str) -> None:
        self.erased.append(subject)


def _initial(version: int, fact: CatalogueFact) -> Recorded:
    return Recorded(
        subject=CATALOGUE_SUBJECT,
        version=version,
        fact=fact,
        effective_at=fact.effective_from,
        recorded_at=datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
        basis="subledger/catalogue",
    )
