"""A ledger in memory on top of a real one: reads fall through, commits stay here and are forgotten."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from consumers.ports import Answer, Group, Inquiry, Known, Loaded, Stored
from consumers.writer import Writer
from domain.case import Call, Past
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import Recorded
from domain.publishing import CatalogueState, evolve_publication
from domain.state import Subscriber, at_end_of_log, evolve
from infra.sealing import ErasedKey, KeyFolder
from infra.views.source import Publications, Source

UNSEALED = "sealed:v1:rehearsed"
"""Stands for personal data in a rehearsal, which neither makes keys nor keeps what it is given."""


class Rehearsal:
    """A copy of a ledger that a writer may write to. `facts` are those it has recorded, in order."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shard = RehearsalShard(source)
        self._catalogue = RehearsalCatalogue(source)

    @property
    def facts(self) -> list[Stored]:
        return [*self._catalogue.facts, *self._shard.facts]

    def writer(self) -> Writer:
        """The writer of the copy."""
        return Writer(self._shard, self._catalogue, RehearsalSealer(self._source))

    def subjects(self) -> list[str]:
        """Everybody to whom something has happened here."""
        return sorted(self._shard.by_subject)

    def zone(self, subject: str) -> ZoneInfo:
        """The subject's clock; UTC for whoever has none."""
        state = self._shard.load(subject).state
        return ZoneInfo(state.profile.time_zone if isinstance(state, Subscriber) else "UTC")

    def balances(self) -> Iterator[tuple[str, str, str, str]]:
        """Subscriber, balance in the ledger, balance here, currency; of those to whom something has happened."""
        for subject in self.subjects():
            now, then = self._source.load(subject), self._shard.load(subject).state
            if isinstance(then, Subscriber):
                before = str(now.account.balance) if isinstance(now, Subscriber) else ""
                yield subject, before, str(then.account.balance), then.profile.currency


class RehearsalShard:
    """A shard whose commits are kept in memory, over a ledger that is only read; of all its shards it makes one."""

    def __init__(self, real: Source) -> None:
        self._real = real
        self.facts: list[Stored] = []
        self.by_subject: dict[str, list[Recorded]] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self.calls: dict[tuple[str, str], Call] = {}
        self.deposits: dict[tuple[str, str], int] = {}
        self._instants: dict[str, datetime] = {}
        self._last = real.last_instant()

    def sequence(self) -> int:
        return self._real.last_sequence() + len(self.facts)

    def last_instant(self) -> datetime | None:
        return self._last

    def load(self, subject: str) -> Loaded:
        state = self._real.load(subject)
        for recorded in self.by_subject.get(subject, ()):
            state = evolve(state, recorded)
        state = at_end_of_log(state, self._instants.get(subject))
        return Loaded(state, snapshot_version=state.version)

    def past(self, subject: str) -> Past:
        return RehearsalPast(self, self._real.past(subject), subject)

    def prepare(self, inquiry: Inquiry) -> None:
        """Nothing: a rehearsal has no hurry."""

    def answer(self, subject: str, command_id: str) -> Known | None:
        return self._answers.get((subject, command_id)) or self._real.answer(subject, command_id)

    def commit(self, group: Group) -> None:
        self.facts += group.facts
        for stored in group.facts:
            self.by_subject.setdefault(stored.recorded.subject, []).append(stored.recorded)
        self._answers.update({(one.subject, one.command_id): one for one in group.answers})
        self.calls.update(group.calls)
        self.deposits.update(group.deposits)
        self._instants.update(group.instants)
        instants = [*group.instants.values(), *(stored.recorded.recorded_at for stored in group.facts)]
        self._last = max((one for one in (self._last, *instants) if one is not None), default=None)


class RehearsalPast:
    """A subject's past: what was rehearsed, then what is stored."""

    def __init__(self, shard: RehearsalShard, real: Past, subject: str) -> None:
        self._shard = shard
        self._real = real
        self._subject = subject

    def call(self, usage: str) -> Call | None:
        return self._shard.calls.get((self._subject, usage)) or self._real.call(usage)

    def deposit(self, reference: str) -> int | None:
        return self._shard.deposits.get((self._subject, reference)) or self._real.deposit(reference)

    def fact(self, version: int) -> Recorded | None:
        rehearsed = self._shard.by_subject.get(self._subject, [])
        if rehearsed and rehearsed[0].version <= version <= rehearsed[-1].version:
            return rehearsed[version - rehearsed[0].version]
        return self._real.fact(version)

    def newest_first(self) -> Iterator[Recorded]:
        yield from reversed(self._shard.by_subject.get(self._subject, []))
        yield from self._real.newest_first()


class RehearsalCatalogue:
    """A catalogue whose publications are kept in memory."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._published = Publications(source.facts(CATALOGUE_SUBJECT)).latest
        self.facts: list[Stored] = []
        self._answers: dict[str, Answer] = {}

    def load(self) -> CatalogueState:
        state = self._published
        for stored in self.facts:
            state = evolve_publication(state, stored.recorded)
        return state

    def answer(self, command_id: str) -> Known | None:
        return self._answers.get(command_id) or self._source.answer(CATALOGUE_SUBJECT, command_id)

    def latest_elsewhere(self) -> None:
        """There is one shard alone."""

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        self.facts += facts
        self._answers[answer.command_id] = answer


class RehearsalSealer:
    """Seals nothing and erases nothing; a command that the ledger knows gets its own sealed text back."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        known = self._source.answer(subject, command_id)
        sealed = known.command["data"].get("personal") if known else None
        if not isinstance(sealed, str):
            return UNSEALED
        try:
            with closing(KeyFolder(self._source.keys)) as keys:
                return sealed if keys.open(subject, sealed) == personal else UNSEALED
        except ErasedKey:
            return UNSEALED

    def intend_to_erase(self, subject: str) -> None:
        """Nothing: a rehearsal destroys no key."""

    def erase(self, subject: str) -> None:
        """Nothing: the key belongs to the real ledger."""
