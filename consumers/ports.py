"""What the consumers need of the world: a store of facts, as Protocols that each store implements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from domain.case import Call, Past
from domain.facts import Recorded
from domain.publishing import CatalogueState
from domain.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A fact as it stands in the log: with its place in the shard and what caused it."""

    recorded: Recorded
    sequence: int
    """Dense per shard, from 1, no gaps ever."""
    source: str
    """`subledger/<regulations>`; `subledger` for the catalogue and for subjects under no regulations."""
    caused_by: str
    """The command's id."""
    catalogue_sequence: int
    """The last catalogue fact that the decision knew."""
    command_position: str | None = None
    """`<topic>/<partition>/<offset>` of the command; None on an embedded ledger."""


class Known(Protocol):
    """What a store remembers of a command that was decided before."""

    @property
    def outcome(self) -> dict[str, Any]:
        """The first outcome."""

    @property
    def position(self) -> str | None:
        """Where the command stood; None on an embedded ledger."""

    def is_of(self, command: dict[str, Any]) -> bool:
        """Whether it was a command of the same content."""

    def is_of_but_for_personal(self, command: dict[str, Any]) -> bool:
        """Whether the contents are alike without the personal data, which nothing can compare once it is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A decided command: what was asked, what was answered. It is what is Known of a command, as a whole."""

    subject: str
    command_id: str
    command: dict[str, Any]
    outcome: dict[str, Any]
    position: str | None = None
    """`<topic>/<partition>/<offset>` of the command; None on an embedded ledger."""

    def is_of(self, command: dict[str, Any]) -> bool:
        return self.command == command

    def is_of_but_for_personal(self, command: dict[str, Any]) -> bool:
        return impersonal(self.command) == impersonal(command)


def impersonal(command: dict[str, Any]) -> dict[str, Any]:
    """A command's content without personal data."""
    return {**command, "data": {name: part for name, part in command["data"].items() if name != "personal"}}


@dataclass(slots=True, kw_only=True)
class Group:
    """What one commit stores, all or none of it."""

    facts: list[Stored] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    calls: dict[tuple[str, str], Call] = field(default_factory=dict)
    """How far each call has been reported, also by reports that recorded no fact."""
    deposits: dict[tuple[str, str], int] = field(default_factory=dict)
    """Credited references: the version of the deposit."""
    as_of: datetime | None = None
    """The latest instant of anything decided in this shard, this group included."""
    instants: dict[str, datetime] = field(default_factory=dict)
    """Last instants of subjects whose last command recorded no fact."""
    snapshots: dict[str, State] = field(default_factory=dict)

    def clear(self) -> None:
        """Empties it; `as_of` stays, since time does not go back."""
        for part in (self.facts, self.answers, self.calls, self.deposits, self.instants, self.snapshots):
            part.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What a group of commands will ask its store for, each with its subject first."""

    commands: list[tuple[str, str]] = field(default_factory=list)
    """Command ids: whether they were answered before."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Calls and messages: how far they were reported."""
    references: list[tuple[str, str]] = field(default_factory=list)
    """References of deposits: whether they were credited."""


class Loaded(NamedTuple):
    """A subject's state out of a store, and the version of the snapshot that it was folded from; 0 without one."""

    state: State
    snapshot_version: int


class ShardStore(Protocol):
    """The facts of one shard, and what was answered to each command."""

    def sequence(self) -> int:
        """The last sequence number that is stored; 0 in an empty shard."""

    def last_instant(self) -> datetime | None:
        """The latest instant of anything decided in this shard."""

    def load(self, subject: str) -> Loaded:
        """The subject's state: snapshot, then the facts after it."""

    def past(self, subject: str) -> Past:
        """What the subject's facts still answer."""

    def answer(self, subject: str, command_id: str) -> Known | None:
        """What was answered to that command before."""

    def prepare(self, inquiry: Inquiry) -> None:
        """Looks up at once what the next group will ask for one by one."""

    def commit(self, group: Group) -> None:
        """Stores the group, all or nothing; raises StoreError where that is not known to have happened."""


@runtime_checkable
class StoresBeside(Protocol):
    """A shard's store that can store a group while the next one is decided."""

    def begin_commit(self, group: Group) -> Callable[[], None]:
        """Begins to store the group, as `commit` would; the answer waits until it is stored, and raises as that does.

        The group must not change meanwhile, and until the wait is over nothing may be asked that it would answer.
        """


class CatalogueStore(Protocol):
    """The catalogue's own stream."""

    def load(self) -> CatalogueState:
        """The catalogue, folded from all its facts up to now."""

    def answer(self, command_id: str) -> Known | None:
        """What was answered to that publication before."""

    def latest_elsewhere(self) -> datetime | None:
        """The latest instant of anything decided in the other shards; None where there is one shard alone."""

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        """Stores a publication and its answer, both or neither."""


class Sealer(Protocol):
    """Personal data is sealed at the edge, per subscriber; erasing destroys the key."""

    def seal(self, subject: str, command_id: str, personal: Any) -> str:
        """The sealed form; the same for the same command, so that a repeated command is recognised."""

    def intend_to_erase(self, subject: str) -> None:
        """Notes durably that the key goes with the commit that follows: a crash between them is made good."""

    def erase(self, subject: str) -> None:
        """Destroys the subject's key; what was sealed with it stays sealed for ever."""


class StoreError(Exception):
    """The store failed, or somebody else holds it. Nothing may be assumed of what was being written."""
