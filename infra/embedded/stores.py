"""The ports of `consumers/` on the embedded application: the shard, the catalogue, a subject's past."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import orjson
from eventsourcing.persistence import PersistenceError

from consumers.ports import Answer, Group, Inquiry, Loaded, Stored, StoreError
from domain.case import Call
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import Recorded
from domain.publishing import CatalogueState, evolve_publication
from domain.state import State, Unregistered, at_end_of_log, evolve
from infra import codec, snapshots
from infra.embedded import recorder as sql
from infra.embedded.application import LedgerApplication, Snapshot

SELECT_ANSWER = "SELECT command, outcome FROM commands WHERE subject = ? AND command_id = ?"
SELECT_ANSWERS = (
    "SELECT c.subject, c.command_id, c.command, c.outcome FROM json_each(?) j "
    "JOIN commands c ON c.subject = j.value ->> 0 AND c.command_id = j.value ->> 1"
)
SELECT_CALLS = (
    "SELECT k.subject, k.usage, k.elapsed_seconds, k.ended FROM json_each(?) j "
    "JOIN calls k ON k.subject = j.value ->> 0 AND k.usage = j.value ->> 1"
)
SELECT_DEPOSITS = (
    "SELECT d.subject, d.reference, d.version FROM json_each(?) j "
    "JOIN deposits d ON d.subject = j.value ->> 0 AND d.reference = j.value ->> 1"
)
SELECT_CALL = "SELECT elapsed_seconds, ended FROM calls WHERE subject = ? AND usage = ?"
SELECT_DEPOSIT = "SELECT version FROM deposits WHERE subject = ? AND reference = ?"
SELECT_INSTANT = "SELECT at FROM instants WHERE subject = ?"
SELECT_FACT = "SELECT state FROM stored_events WHERE originator_id = ? AND originator_version = ?"
SELECT_KNOWN = (
    "SELECT j.value FROM json_each(?) j WHERE EXISTS (SELECT 1 FROM stored_events WHERE originator_id = j.value)"
)
SELECT_SINCE = (
    "SELECT state FROM stored_events WHERE originator_id = ? AND originator_version > ? ORDER BY originator_version"
)
SELECT_NEWEST_FIRST = "SELECT state FROM stored_events WHERE originator_id = ? ORDER BY originator_version DESC"
SELECT_SNAPSHOT = (
    "SELECT topic, state FROM stored_snapshots WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1"
)


class EmbeddedShard:
    """The one shard of an embedded ledger."""

    def __init__(self, application: LedgerApplication) -> None:
        self._application = application
        self._recorder = application.shard
        self._prepared: set[str] = set()
        self._strangers: set[str] | None = None
        self._answers: dict[tuple[str, str], Answer | None] = {}
        self._looked_up = LookedUp()

    def sequence(self) -> int:
        return self._recorder.max_notification_id() or 0

    def last_instant(self) -> datetime | None:
        return last_instant(self._recorder)

    def load(self, subject: str) -> Loaded:
        if subject in self._prepared and subject in self._without_facts():
            return Loaded(Unregistered(subject=subject), 0)
        return folded(self._recorder, subject, stored_snapshot(self._recorder, subject))

    def past(self, subject: str) -> "StoredPast":
        return StoredPast(self._recorder, subject, self._looked_up)

    def prepare(self, inquiry: Inquiry) -> None:
        asked = inquiry.commands
        self._prepared, self._strangers = {subject for subject, _ in asked}, None
        self._answers = dict.fromkeys(asked)
        for subject, identity, command, outcome in self._recorder.rows(SELECT_ANSWERS, (orjson.dumps(asked),)):
            self._answers[subject, identity] = _answer(subject, identity, command, outcome)
        self._looked_up.ask(self._recorder, inquiry)

    def _without_facts(self) -> set[str]:
        """Subjects of the prepared commands that have no fact: a group that registers many looks them up at once."""
        if self._strangers is None:
            known = self._recorder.rows(SELECT_KNOWN, (orjson.dumps(list(self._prepared)),))
            self._strangers = self._prepared - {row[0] for row in known}
        return self._strangers

    def answer(self, subject: str, command_id: str) -> Answer | None:
        if (subject, command_id) in self._answers:
            return self._answers[subject, command_id]
        return stored_answer(self._recorder, subject, command_id)

    def commit(self, group: Group) -> None:
        self._forget_what_was_looked_up()
        if not group.answers:
            return
        with _naming(group):
            self._recorder.insert_rows(**self._rows(group))
        self._take_snapshots(group)

    def begin_commit(self, group: Group) -> Callable[[], None]:
        """As `commit`, beside what the caller does next; the answer waits for it."""
        self._forget_what_was_looked_up()
        if not group.answers:
            return _nothing
        stored = self._recorder.insert_beside(**self._rows(group), after=partial(self._take_snapshots, group))

        def wait() -> None:
            with _naming(group):
                stored()
            self._recorder.release()

        return wait

    def _forget_what_was_looked_up(self) -> None:
        """It was true before this commit, and before the one that was still on its way when it was looked up."""
        self._prepared, self._strangers = set(), None
        self._answers.clear()
        self._looked_up.clear()

    def _rows(self, group: Group) -> dict[str, Any]:
        """What the recorder inserts for the group."""
        return {
            "facts": [self._application.row_of(stored) for stored in group.facts],
            "first_id": group.facts[0].sequence if group.facts else None,
            "beside": _beside(group, self.last_instant()),
        }

    def _take_snapshots(self, group: Group) -> None:
        if group.snapshots and self._application.snapshots is not None:
            # A snapshot is a cache: the facts are stored whether it is or not.
            with suppress(PersistenceError):
                self._application.snapshots.put([_snapshot(state) for state in group.snapshots.values()])


@contextmanager
def _naming(group: Group) -> Iterator[None]:
    """Says how much was not stored."""
    try:
        yield
    except PersistenceError as error:
        raise StoreError(f"the group of {len(group.answers)} commands was not stored: {error}") from error


def _nothing() -> None:
    """There is nothing to wait for."""


class Rows(Protocol):
    """Queries on the committed rows of one shard."""

    def one(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        """The first row, as a tuple; None where there is none."""

    def rows(self, statement: str, parameters: tuple[Any, ...]) -> Iterable[Any]:
        """All rows."""


def folded(recorder: Rows, subject: str, snapshot: State | None) -> Loaded:
    """A subject's state: the snapshot, the facts after it, and the last instant if that left no fact."""
    state = snapshot or Unregistered(subject=subject)
    snapshot_version = state.version
    for row in recorder.rows(SELECT_SINCE, (subject, state.version)):
        state = evolve(state, codec.decode(row[0]).recorded)
    row = recorder.one(SELECT_INSTANT, (subject,))
    return Loaded(at_end_of_log(state, codec.parse_instant(row[0]) if row else None), snapshot_version)


def stored_snapshot(recorder: Rows, subject: str) -> State | None:
    """A subject's last snapshot, if it is of the shape that states have now."""
    row = recorder.one(SELECT_SNAPSHOT, (subject,))
    return snapshots.load(row[1]) if row is not None and row[0] == snapshots.SHAPE else None


def stored_answer(recorder: Rows, subject: str, command_id: str) -> Answer | None:
    """What a subject's command was answered."""
    row = recorder.one(SELECT_ANSWER, (subject, command_id))
    return None if row is None else _answer(subject, command_id, *row)


def last_instant(recorder: Rows) -> datetime | None:
    """The latest instant of anything decided."""
    row = recorder.one(SELECT_INSTANT, (sql.LEDGER_INSTANT,))
    return codec.parse_instant(row[0]) if row else None


class LookedUp:
    """What was looked up for a whole group at once: None of what is not stored."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], Call | None] = {}
        self.references: dict[tuple[str, str], int | None] = {}

    def ask(self, recorder: Rows, inquiry: Inquiry) -> None:
        """Looks up what a group will ask for, in place of what the one before asked for."""
        self.calls = dict.fromkeys(inquiry.calls)
        if inquiry.calls:
            for subject, usage, elapsed, ended in recorder.rows(SELECT_CALLS, (orjson.dumps(inquiry.calls),)):
                self.calls[subject, usage] = Call(elapsed_seconds=elapsed, ended=bool(ended))
        self.references = dict.fromkeys(inquiry.references)
        if inquiry.references:
            for subject, reference, version in recorder.rows(SELECT_DEPOSITS, (orjson.dumps(inquiry.references),)):
                self.references[subject, reference] = int(version)

    def clear(self) -> None:
        """Forgets it: from now on each is looked up by itself."""
        self.calls, self.references = {}, {}


class StoredPast:
    """A subject's facts, looked up one by one."""

    def __init__(self, recorder: Rows, subject: str, looked_up: LookedUp) -> None:
        self._recorder = recorder
        self._subject = subject
        self._looked_up = looked_up

    def call(self, usage: str) -> Call | None:
        key = (self._subject, usage)
        if key in self._looked_up.calls:
            return self._looked_up.calls[key]
        row = self._recorder.one(SELECT_CALL, key)
        return Call(elapsed_seconds=row[0], ended=bool(row[1])) if row else None

    def deposit(self, reference: str) -> int | None:
        key = (self._subject, reference)
        if key in self._looked_up.references:
            return self._looked_up.references[key]
        row = self._recorder.one(SELECT_DEPOSIT, key)
        return int(row[0]) if row else None

    def fact(self, version: int) -> Recorded | None:
        row = self._recorder.one(SELECT_FACT, (self._subject, version))
        return codec.decode(row[0]).recorded if row else None

    def newest_first(self) -> Iterator[Recorded]:
        for row in self._recorder.rows(SELECT_NEWEST_FIRST, (self._subject,)):
            yield codec.decode(row[0]).recorded


class EmbeddedCatalogue:
    """The catalogue's stream, an application of its own beside the shard."""

    def __init__(self, application: LedgerApplication) -> None:
        self._application = application

    def load(self) -> CatalogueState:
        from domain.catalogue import Catalogue

        state = CatalogueState(catalogue=Catalogue())
        for row in self._application.shard.rows(SELECT_SINCE, (CATALOGUE_SUBJECT, 0)):
            state = evolve_publication(state, codec.decode(row[0]).recorded)
        return state

    def answer(self, command_id: str) -> Answer | None:
        return EmbeddedShard(self._application).answer(CATALOGUE_SUBJECT, command_id)

    def latest_elsewhere(self) -> None:
        """There is one shard alone."""

    def commit(self, facts: Sequence[Stored], answer: Answer) -> None:
        EmbeddedShard(self._application).commit(Group(facts=list(facts), answers=[answer]))


def _answer(subject: str, command_id: str, command: bytes, outcome: bytes) -> Answer:
    return Answer(subject=subject, command_id=command_id, command=orjson.loads(command), outcome=orjson.loads(outcome))


def _snapshot(state: State) -> Snapshot:
    return Snapshot(originator_id=state.subject, originator_version=state.version, state=state)


def _beside(group: Group, last: datetime | None) -> list[tuple[str, list[tuple[object, ...]]]]:
    latest = max((stored.recorded.recorded_at for stored in group.facts), default=last)
    instants: list[tuple[object, ...]] = [(who, codec.format_instant(at)) for who, at in group.instants.items()]
    latest = max((moment for moment in (latest, last, *group.instants.values()) if moment), default=None)
    if latest is not None:
        instants.append((sql.LEDGER_INSTANT, codec.format_instant(latest)))
    return [
        (
            sql.INSERT_COMMAND,
            [
                (one.subject, one.command_id, orjson.dumps(one.command), orjson.dumps(one.outcome))
                for one in group.answers
            ],
        ),
        (sql.UPSERT_CALL, [(*key, call.elapsed_seconds, call.ended) for key, call in group.calls.items()]),
        (sql.INSERT_DEPOSIT, [(*key, version) for key, version in group.deposits.items()]),
        (sql.UPSERT_INSTANT, instants),
    ]
