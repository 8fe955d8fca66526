"""`verify`: the log against itself, and the views against the log; each as a verdict of its own, with counts."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from consumers.ports import Stored
from domain.accounts import balance_change, postings
from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.publishing import CatalogueState, evolve_publication
from domain.state import CorruptStream, State, Subscriber, Unregistered, evolve
from infra import codec
from infra.embedded.application import LedgerApplication
from infra.embedded.folder import EmbeddedLedger
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
SELECT_COMMAND = "SELECT 1 FROM commands WHERE subject = ? AND command_id = ?"
INITIAL = "initial"
"""What the publications of a new ledger were caused by; nobody sent it a command."""


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


class _LogVerdicts:
    """What is asked of the log, subject by subject, so that one state at a time is in memory."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.sequence = Verdict(name="sequences dense and from 1")
        self.facts = Verdict(name="facts decode")
        self.ids = Verdict(name="ids, subjects and types are those of their place")
        self.versions = Verdict(name="stream versions dense and from 1")
        self.salts = Verdict(name="salts are the key's")
        self.commands = Verdict(name="every fact has its command")
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
            self.salts,
            self.commands,
            self.streams,
            self.postings,
            self.balances,
        )

    def extent(self, application: LedgerApplication) -> None:
        """As many facts as the last number says: with one number each, none is missing."""
        facts, last = application.shard.one(SELECT_EXTENT, ())
        self.sequence.check(facts == last, lambda: f"expected {facts} facts up to {facts}, found the last to be {last}")

    def stream(self, subject: str, rows: Iterable[Any], application: LedgerApplication) -> int:
        """One subject's facts in the order of their versions; answers with how many there were."""
        state: State | CatalogueState | None = _beginning(subject)
        count, caused_by = 0, INITIAL
        for rowid, _, version, topic, data in rows:
            count += 1
            self.versions.check(version == count, partial(_misplaced, subject, count, version))
            stored = self._decoded(subject, version, data)
            if stored is None:
                state = None
                continue
            self._envelope(stored, rowid, subject, version, topic, data)
            if stored.caused_by != caused_by:
                caused_by = stored.caused_by
                known = application.shard.one(SELECT_COMMAND, (subject, caused_by)) is not None
                self.commands.check(known, partial(_uncommanded, stored))
            self._money(stored)
            state = self._followed(state, stored)
        return count

    def _decoded(self, subject: str, version: int, data: bytes) -> Stored | None:
        self.facts.checked += 1
        try:
            return codec.decode(data)
        except codec.UndecodableFact as error:
            self.facts.fail(f"{subject}/{version}: {error}")
            return None

    def _envelope(self, stored: Stored, rowid: int, subject: str, version: int, topic: str, data: bytes) -> None:
        recorded = stored.recorded
        self.sequence.check(
            stored.sequence == rowid, lambda: f"{recorded.id}: expected sequence {rowid}, found {stored.sequence}"
        )
        again_topic, again = codec.encode(stored, self._key)
        named = (recorded.subject, recorded.version) == (subject, version)
        self.ids.check(named, lambda: f"expected the fact {subject}/{version}, found {recorded.id}")
        if topic == again_topic:
            self.salts.check(again == data, lambda: f"{recorded.id}: its bytes are not those that this ledger writes")

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


def verify(ledger: EmbeddedLedger, progress: Progress | None = None) -> tuple[Verdict, ...]:
    """Every verdict on an open ledger; the views are caught up first, and folded again beside themselves."""
    return (*verify_log(ledger, progress), *verify_views(ledger.folder))


def verify_log(ledger: EmbeddedLedger, progress: Progress | None = None) -> tuple[Verdict, ...]:
    """The catalogue's and the shard's facts against themselves."""
    verdicts = _LogVerdicts((ledger.folder / "salt.key").read_bytes())
    for application in (ledger.catalogue_application, ledger.application):
        verdicts.extent(application)
        total = application.shard.one(SELECT_EXTENT, ())[0]
        done = 0
        for subject, rows in _by_subject(application):
            done += verdicts.stream(subject, rows, application)
            if progress is not None:
                progress(done, total)
    return verdicts.all


def verify_views(folder: Path) -> tuple[Verdict, ...]:
    """Each view against one folded anew from the log up to the same position, row by row."""
    beside = folder / "views.db.check"
    connection = open_views(folder)
    try:
        fold_all(folder, beside, Runner(connection, ()).position())
        anew = sqlite3.connect(beside)
        try:
            return tuple(_compared(connection, anew, view) for view in VIEWS)
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


def _compared(kept: sqlite3.Connection, anew: sqlite3.Connection, view: View) -> Verdict:
    verdict = Verdict(name=f"view {view.name} is the fold of the log")
    for table in schema_of(view).tables:
        select = f"SELECT * FROM {table} ORDER BY {', '.join(_key(anew, table))}"
        verdict.checked += anew.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for found, expected in differences(kept.execute(select), anew.execute(select)):
            verdict.fail(f"{table}: expected {expected}, found {found}")
    return verdict


def _key(connection: sqlite3.Connection, table: str) -> list[str]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]


def _misplaced(subject: str, expected: int, found: int) -> str:
    return f"{subject}: expected version {expected}, found {found}"


def _uncommanded(stored: Stored) -> str:
    return f"{stored.recorded.id}: no command {stored.caused_by} is stored"


def _beginning(subject: str) -> State | CatalogueState:
    if subject == CATALOGUE_SUBJECT:
        return CatalogueState(catalogue=Catalogue())
    return Unregistered(subject=subject)


def _by_subject(application: LedgerApplication) -> Iterator[tuple[str, Iterable[Any]]]:
    rows = application.shard.rows(SELECT_BY_SUBJECT, ())
    return groupby(rows, key=lambda row: str(row[1]))
