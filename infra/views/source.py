"""What reading needs of a ledger, wherever its facts are: one Protocol, which each kind of store implements.

A source shows one moment of the ledger: whatever is asked of it is answered as of the moment that it was opened at, or
moved on to.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from consumers.ports import Answer
from domain.case import Past
from domain.catalogue import Catalogue
from domain.publishing import CatalogueState, evolve_publication
from domain.state import State
from infra import codec
from infra.views.log import Entry

FACT_ID = re.compile(r"(.+)/([1-9][0-9]{0,17})")

Parameter = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the views of a shard are, and how far its log is."""

    shard: int
    sequence: int
    log: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """What could not be read as a command, and was put aside so that the shard went on."""

    position: str
    """Where it stands among the commands."""
    path: str
    message: str
    """The first fault, as its sender was told."""


def place_of(fact_id: str) -> tuple[str, int] | None:
    """Subject and version of the fact called `fact_id` (`s-1/7`); None for what cannot be the name of a fact."""
    named = FACT_ID.fullmatch(fact_id)
    return (named[1], int(named[2])) if named else None


class Source(Protocol):
    """A ledger that is read. A context manager; whoever opened it closes it."""

    @property
    def name(self) -> str:
        """What people call the ledger: its folder, or the prefix of its topics."""

    @property
    def keys(self) -> Path:
        """The folder of the keys of personal data."""

    def facts(self, subject: str, after: int = 0) -> Iterable[Entry]:
        """A subject's facts behind the sequence `after`, the oldest first; of `catalogue` too."""

    def fact(self, subject: str, version: int) -> Entry | None:
        """One fact of a subject."""

    def answer(self, subject: str, command_id: str) -> Answer | None:
        """What was asked and answered under that id."""

    def answers(self, command_id: str) -> Sequence[Answer]:
        """The same for every subject that used the id, by subject; the catalogue comes last."""

    def subjects(self) -> Sequence[str]:
        """Everybody who has a fact, by id; also those who were refused before they registered."""

    def last_instant(self) -> datetime | None:
        """The latest instant of anything decided."""

    def load(self, subject: str) -> State:
        """The subject's state."""

    def past(self, subject: str) -> Past:
        """What the subject's facts still answer."""

    def ask(self, view: str, name: str, *parameters: Parameter) -> Iterator[Any]:
        """The rows that answer the question called `name` in the view's `queries.sql`."""

    def last_sequence(self) -> int:
        """How many facts the shards hold together; of a single shard its last sequence."""

    def positions(self) -> Sequence[Position]:
        """How far views and log are, shard by shard."""

    def parked(self) -> Iterable[Parked]:
        """What was put aside lately, the oldest first; a folder puts nothing aside."""

    def move_on(self) -> None:
        """What is asked next is answered as of now; the views may stay where they were."""

    def close(self) -> None:
        """Lets go of what was opened."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Publications:
    """The catalogue at each of its sequences, folded once: `at(9)` is what a decision knew that names sequence 9."""

    def __init__(self, facts: Iterable[Entry]) -> None:
        self._states = [CatalogueState(catalogue=Catalogue())]
        for _, state in facts:
            self._states.append(evolve_publication(self._states[-1], codec.decode(state).recorded))

    @property
    def latest(self) -> CatalogueState:
        """With everything that was published."""
        return self._states[-1]

    def at(self, sequence: int) -> CatalogueState:
        """As it stood after that publication; its sequences are dense and from 1."""
        return self._states[min(sequence, len(self._states) - 1)]
