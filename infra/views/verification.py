"""`verify`: the log against itself, and the views against the log; each as a verdict of its own, with counts."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from consumers.outcomes import Outcome
from consumers.ports import Stored
from domain.accounts import balance_change, postings
from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.publishing import CatalogueState, evolve_publication
from domain.state import CorruptStream, State, Subscriber, Unregistered, evolve
from infra import codec
from infra.embedded.source import EmbeddedSource
from infra.views.opening import open_views
from infra.views.rebuilding import fold_all
from infra.views.runner import Progress, Runner
from infra.views.sql import schema_of
from projections.event import View
from projections.views import VIEWS

FAULTS_KEPT = 10
"""Faults that a verdict lists; it counts all of them."""
ROWS_AT_ONCE = 2_000
SELECT_EXTENT = "SELECT COUNT(*), COALESCE(MAX(rowid), 0) FROM stored_events"
SELECT_BY_SUBJECT = (
    "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events "
    "ORDER BY originator_id, originator_version"
)
SELECT_TOLD = (
    "SELECT COALESCE(SUM(CASE WHEN json_valid(CAST(outcome AS TEXT)) "
    "THEN json_array_length(CAST(outcome AS TEXT), '$.events') END), 0) FROM commands"
)
SELECT_BEGUN_WITH = (
    # What is no JSON is for another verdict.
    "SELECT COUNT(*) FROM stored_events WHERE CASE WHEN json_valid(CAST(state AS TEXT)) "
    "THEN json_extract(CAST(state AS TEXT), '$.causationid') END = 'initial'"
)
SELECT_SUMS = """
SELECT subject, balance, outstanding, COALESCE(held, 0) - COALESCE(debts.amount, 0), COALESCE(moved, 0),
    COALESCE(invoiced, 0), COALESCE(open, 0)
FROM balances
LEFT JOIN (SELECT subject, SUM(credited - filled_debt - spent) AS held FROM lots GROUP BY subject) USING (subject)
LEFT JOIN debts USING (subject)
LEFT JOIN (
    SELECT subject, SUM(amount) AS moved, SUM(outstanding) AS invoiced FROM statement_lines GROUP BY subject
) USING (subject)
LEFT JOIN (
    SELECT subject, SUM(outstanding) AS open FROM dues WHERE kind = 'invoice' GROUP BY subject
) USING (subject)
ORDER BY subject"""
"""A subscriber's balance and what is outstanding, each as several views tell it."""
INITIAL = "initial"
"""What the publications of a new ledger were caused by; nobody sent it a command."""

Row = tuple[int, str, int, str, bytes]
"""Sequence, subject, version, wire type and bytes of a stored fact."""
Table = Callable[[str, Sequence[str]], Iterable[tuple[Any, ...]]]
"""All rows of a table, ordered by columns."""
Told = Callable[[str, str], Outcome | None]
"""What the sender of a subject's command was answered; None where no such command is known."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """One question with its answer: how much was looked at, how much of it is wrong, and the first faults in words."""

    name: str
    checked: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.wrong

    def check(self, fine: bool, fault: Callable[[], str]) -> None:
        """Counts one answer; the words of a fault are made only where there is one."""
        self.checked += 1
        if not fine:
            self.fail(fault())

    def fail(self, fault: str) -> None:
        self.wrong += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)


class LogVerdicts:
    """What is asked of facts subject by subject, so that one state at a time is in memory.

    `key` is that of the facts' salts; without it nothing is said of them. `told` finds the answers to commands.
    """

    def __init__(self, key: bytes | None, told: Told) -> None:
        self._key = key
        self._told = told
        self.subjects = 0
        self.sequence = Verdict(name="sequences dense and from 1")
        self.facts = Verdict(name="facts decode")
        self.ids = Verdict(name="ids, subjects and types are those of their place")
        self.versions = Verdict(name="stream versions dense and from 1")
        self.times = Verdict(name="no fact counts from later than it was recorded")
        self.salts = Verdict(name="salts are the key's")
        self.commands = Verdict(name="every fact has its command")
        self.answers = Verdict(name="answers name the facts and the balance that followed")
        self.streams = Verdict(name="every fact follows from the state before it")
        self.postings = Verdict(name="postings of each fact sum to zero")
        self.balances = Verdict(name="balances are the sums of postings, lots the sums of balances")

    @property
    def all(self) -> tuple[Verdict, ...]:
        return (
            self.sequence,
            self.facts,
            self.ids,
            self.versions,
            self.times,
            self.salts,
            self.commands,
            self.answers,
            self.streams,
            self.postings,
            self.balances,
        )

    def streams_of(self, rows: Iterable[Row]) -> Iterator[int]:
        """Looks at facts ordered by subject and version; answers after each subject with how many there were."""
        for subject, stream in groupby(rows, key=lambda row: row[1]):
            self.subjects += 1
            yield self._stream(subject, stream)

    def _stream(self, subject: str, rows: Iterable[Row]) -> int:
        state: State | CatalogueState | None = _beginning(subject)
        count, command, recorded = 0, INITIAL, list[str]()
        for sequence, _, version, wire_type, data in rows:
            count += 1
            self.versions.check(version == count, partial(_misplaced, subject, count, version))
            stored = self._decoded(subject, version, data)
            if stored is None:
                state = None
                continue
            self._envelope(stored, sequence, subject, version, wire_type, data)
            if stored.caused_by != command:
                self._answered(subject, command, recorded, state)
                command, recorded = stored.caused_by, []
            recorded.append(f"{subject}/{version}")
            self._money(stored)
            state = self._followed(state, stored)
        self._answered(subject, command, recorded, state)
        return count

    def _decoded(self, subject: str, version: int, data: bytes) -> Stored | None:
        self.facts.checked += 1
        try:
            return codec.decode(data)
        except codec.UndecodableFact as error:
            self.facts.fail(f"{subject}/{version}: {error}")
            return None

    def _envelope(self, stored: Stored, sequence: int, subject: str, version: int, wire_type: str, data: bytes) -> None:
        recorded = stored.recorded
        self.sequence.check(
            stored.sequence == sequence, lambda: f"{recorded.id}: expected sequence {sequence}, found {stored.sequence}"
        )
        named = (recorded.subject, recorded.version) == (subject, version)
        self.ids.check(named, lambda: f"expected the fact {subject}/{version}, found {recorded.id}")
        self.times.check(
            recorded.effective_at <= recorded.recorded_at,
            lambda: f"{recorded.id}: recorded at {recorded.recorded_at}, counts from {recorded.effective_at}",
        )
        if self._key is None:
            return
        again_type, again = codec.encode(stored, self._key)
        if wire_type == again_type:
            self.salts.check(again == data, lambda: f"{recorded.id}: its bytes are not those that this ledger writes")

    def _answered(self, subject: str, command: str, recorded: list[str], state: State | CatalogueState | None) -> None:
        """Whether a command's facts, and the balance after them, are those that its sender was told."""
        if command == INITIAL:
            return
        outcome = self._told(subject, command)
        where = recorded[0] if recorded else subject
        self.commands.check(outcome is not None, lambda: f"{where}: no command {command} is stored")
        if outcome is None or state is None:
            return
        told = [event["id"] for event in outcome["events"]]
        self.answers.check(told == recorded, lambda: f"{where}: {command} was told of {told}, found {recorded}")
        if isinstance(state, Subscriber):
            found = str(state.account.balance)
            self.answers.check(
                found == outcome["balance"],
                lambda: f"{recorded[-1]}: {command} answered the balance {outcome['balance']}, found {found}",
            )

    def _money(self, stored: Stored) -> None:
        recorded = stored.recorded
        sums: dict[str, int] = {}
        for posting in postings(recorded.subject, recorded.fact):
            currency = posting.amount.currency
            sums[currency] = sums.get(currency, 0) + posting.amount.units
        self.postings.check(not any(sums.values()), lambda: f"{recorded.id}: its postings sum to {sums}")

    def _followed(self, state: State | CatalogueState | None, stored: Stored) -> State | CatalogueState | None:
        """The state after the fact; None once the stream is broken: nothing can be said of what follows."""
        if state is None:
            return None
        self.streams.checked += 1
        recorded = stored.recorded
        try:
            if isinstance(state, CatalogueState):
                return evolve_publication(state, recorded)
            after = evolve(state, recorded)
        except (CorruptStream, ArithmeticError, LookupError) as error:
            self.streams.fail(f"{recorded.id}: {error}")
            return None
        if isinstance(state, Subscriber) and isinstance(after, Subscriber):
            self._balance(state, after, stored)
        return after

    def _balance(self, before: Subscriber, after: Subscriber, stored: Stored) -> None:
        recorded = stored.recorded
        moved = after.account.balance.units - before.account.balance.units
        posted = balance_change(recorded.subject, recorded.fact)
        left = sum(lot.left.units for lot in after.account.lots)
        fine = moved == posted and left == max(0, after.account.balance.units)
        self.balances.check(
            fine, lambda: f"{recorded.id}: posted {posted}, the balance moved by {moved}, lots hold {left}"
        )


def verify_log(source: EmbeddedSource, progress: Progress | None = None) -> LogVerdicts:
    """The catalogue's and the shard's facts against themselves, and against what senders were told."""
    verdicts = LogVerdicts((source.folder / "salt.key").read_bytes(), partial(_told, source))
    for moment in source.moments:
        facts, last = moment.one(SELECT_EXTENT, ())
        verdicts.sequence.check(
            facts == last, partial("expected {0} facts up to {0}, found up to {1}".format, facts, last)
        )
        (told,) = moment.one(SELECT_TOLD, ())
        (begun_with,) = moment.one(SELECT_BEGUN_WITH, ())
        verdicts.answers.check(
            told + begun_with == facts,
            partial("senders were told of {} facts, found {}".format, told, facts - begun_with),
        )
        done = 0
        for count in verdicts.streams_of(moment.rows(SELECT_BY_SUBJECT, ())):
            done += count
            if progress is not None:
                progress(done, facts)
    return verdicts


def verify_views(folder: Path) -> tuple[Verdict, ...]:
    """Each view against one folded anew from the log up to the same position, row by row."""
    beside = folder / f"views.db.{os.getpid()}.check"
    connection = open_views(folder)
    try:
        connection.execute("BEGIN")
        fold_all(folder, beside, Runner(connection, ()).position())
        anew = sqlite3.connect(beside)
        try:
            return (*(compared(partial(_table, connection), anew, view) for view in VIEWS), agreeing(anew))
        finally:
            anew.close()
    finally:
        connection.close()
        beside.unlink(missing_ok=True)


def differences(kept: Iterable[tuple[Any, ...]], anew: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, Any]]:
    """Rows of two sources in the same order that differ; None where one source has no more."""
    left, right = iter(kept), iter(anew)
    while True:
        ours, theirs = list(islice(left, ROWS_AT_ONCE)), list(islice(right, ROWS_AT_ONCE))
        if not ours and not theirs:
            return
        if ours != theirs:
            longest = max(len(ours), len(theirs))
            padded = [*ours, *[None] * (longest - len(ours))], [*theirs, *[None] * (longest - len(theirs))]
            yield from ((one, other) for one, other in zip(*padded, strict=True) if one != other)


def compared(kept: Table, anew: sqlite3.Connection, view: View) -> Verdict:
    """The rows of a view in use against those of one folded anew."""
    verdict = Verdict(name=f"view {view.name} is the fold of the log")
    for table in schema_of(view).tables:
        key = _key(anew, table)
        verdict.checked += anew.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for found, expected in differences(kept(table, key), _table(anew, table, key)):
            verdict.fail(f"{table}: expected {expected}, found {found}")
    return verdict


def agreeing(anew: sqlite3.Connection) -> Verdict:
    """Views folded from one log against each other: a fact that one of them misses shows where money was moved."""
    verdict = Verdict(name="lots less debts and statement lines sum to the balances, and so does what is outstanding")
    for subject, balance, outstanding, held, moved, invoiced, still_open in anew.execute(SELECT_SUMS):
        verdict.check(
            balance == held == moved and outstanding == invoiced == still_open,
            partial(
                "{}: balance {}, lots less debts {}, statement {}; outstanding {}, statement {}, invoices {}".format,
                *(subject, balance, held, moved, outstanding, invoiced, still_open),
            ),
        )
    return verdict


def _table(connection: sqlite3.Connection, table: str, key: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(key)}")


def _key(connection: sqlite3.Connection, table: str) -> list[str]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]


def _misplaced(subject: str, expected: int, found: int) -> str:
    return f"{subject}: expected version {expected}, found {found}"


def _beginning(subject: str) -> State | CatalogueState:
    if subject == CATALOGUE_SUBJECT:
        return CatalogueState(catalogue=Catalogue())
    return Unregistered(subject=subject)


def _told(source: EmbeddedSource, subject: str, command_id: str) -> Outcome | None:
    answer = source.answer(subject, command_id)
    return None if answer is None else answer.outcome
