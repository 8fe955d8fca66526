"""The log against itself: dense numbers, facts that decode and follow one another, money that adds up."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import orjson

from consumers.ports import Stored
from domain.accounts import balance_change, postings
from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.publishing import CatalogueState, evolve_publication
from domain.state import CorruptStream, State, Subscriber, Unregistered, evolve
from infra import codec
from infra.embedded.application import LedgerApplication

SELECT_EXTENT = "SELECT count(*), coalesce(min(rowid), 1), coalesce(max(rowid), 0) FROM stored_events"
SELECT_BY_SUBJECT = (
    "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events "
    "ORDER BY originator_id, originator_version"
)
SELECT_OUTCOME = "SELECT outcome FROM commands WHERE subject = ? AND command_id = ?"
SELECT_TOLD = "SELECT coalesce(sum(json_array_length(CAST(outcome AS TEXT), '$.events')), 0) FROM commands"
SELECT_BEGUN_WITH = (
    "SELECT count(*) FROM stored_events WHERE json_extract(CAST(state AS TEXT), '$.causationid') = 'initial'"
)
INITIAL = "initial"
"""What caused the publications that a new ledger begins with; they have no command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: where, and what was expected and found."""

    where: str
    what: str


@dataclass(slots=True, kw_only=True)
class Count:
    """How much was looked at."""

    facts: int = 0
    subjects: int = 0


Row = tuple[int, str, int, str, bytes]
"""Sequence, subject, version, wire type and bytes of a stored fact."""


def log_faults(application: LedgerApplication, key: bytes, count: Count) -> Iterator[Fault]:
    """Everything wrong with one database of facts; memory is bounded by one subject's state.

    `key` is that of the facts' salts. What is looked at is counted in `count`.
    """
    yield from _extent(application)
    rows: Iterable[Row] = application.shard.rows(SELECT_BY_SUBJECT, ())
    for subject, stream in groupby(rows, key=itemgetter(1)):
        count.subjects += 1
        yield from _stream_faults(application, subject, stream, key, count)


def _stream_faults(
    application: LedgerApplication, subject: str, stream: Iterable[Row], key: bytes, count: Count
) -> Iterator[Fault]:
    """One subject's facts in order; the first that cannot follow makes the rest unreadable."""
    state: State | CatalogueState = Unregistered(subject=subject)
    if subject == CATALOGUE_SUBJECT:
        state = CatalogueState(catalogue=Catalogue())
    broken, command, recorded_ids = False, INITIAL, list[str]()
    for rowid, _, version, topic, data in stream:
        count.facts += 1
        if broken:
            continue
        where = f"{subject}/{version}"
        try:
            stored = codec.decode(data)
            if stored.caused_by != command:
                yield from _answer_faults(application, subject, command, recorded_ids, state)
                command, recorded_ids = stored.caused_by, []
            yield from _envelope_faults(stored, rowid, subject, version, topic, data, key)
            state = _followed(state, stored)
            recorded_ids.append(where)
        except (codec.UndecodableFact, CorruptStream, ArithmeticError, KeyError) as error:
            broken = True
            yield Fault(where=where, what=f"{error}; the facts after it were not looked at")
    if not broken:
        yield from _answer_faults(application, subject, command, recorded_ids, state)


def _answer_faults(
    application: LedgerApplication, subject: str, command: str, recorded: list[str], state: State | CatalogueState
) -> Iterator[Fault]:
    """Whether the facts of a command, and the balance after them, are those that its sender was told."""
    if command == INITIAL:
        return
    row = application.shard.one(SELECT_OUTCOME, (subject, command))
    where = recorded[0] if recorded else subject
    if row is None:
        yield Fault(where=where, what=f"the command {command} that caused it is not among the commands")
        return
    outcome = orjson.loads(row[0])
    told = [event["id"] for event in outcome["events"]]
    if told != recorded:
        yield Fault(where=where, what=f"expected the facts {told} of the command {command}, found {recorded}")
    elif isinstance(state, Subscriber) and str(state.account.balance) != outcome["balance"]:
        yield Fault(
            where=recorded[-1],
            what=f"expected the balance {outcome['balance']} that {command} answered, found {state.account.balance}",
        )


def _extent(application: LedgerApplication) -> Iterator[Fault]:
    facts, first, last = application.shard.one(SELECT_EXTENT, ())
    if (first, last) != (1, facts):
        yield Fault(where="sequence", what=f"expected {facts} facts numbered from 1, found numbers {first} to {last}")
    (told,) = application.shard.one(SELECT_TOLD, ())
    (begun_with,) = application.shard.one(SELECT_BEGUN_WITH, ())
    if told + begun_with != facts:
        yield Fault(where="commands", what=f"their senders were told of {told} facts, found {facts - begun_with}")


def _envelope_faults(
    stored: Stored, rowid: int, subject: str, version: int, topic: str, data: bytes, key: bytes
) -> Iterator[Fault]:
    """Whether what the fact says of itself agrees with where it is stored."""
    recorded = stored.recorded
    where = f"{subject}/{version}"
    if (recorded.subject, recorded.version) != (subject, version):
        yield Fault(where=where, what=f"expected the fact {where}, found {recorded.id}")
    if stored.sequence != rowid:
        yield Fault(where=where, what=f"expected sequence {rowid}, found {stored.sequence}")
    if recorded.effective_at > recorded.recorded_at:
        yield Fault(where=where, what="it counts from an instant later than the one it was recorded at")
    again_topic, again = codec.encode(stored, key)
    if topic == again_topic and again != data:
        yield Fault(where=where, what="its bytes are not those that this ledger writes for it")


def _followed(state: State | CatalogueState, stored: Stored) -> State | CatalogueState:
    """The state after the fact; CorruptStream where the fact is impossible or its money does not add up."""
    recorded = stored.recorded
    if isinstance(state, CatalogueState):
        if recorded.version != state.version + 1:
            raise CorruptStream(f"expected version {state.version + 1}, found {recorded.version}")
        return evolve_publication(state, recorded)
    sums: Counter[str] = Counter()
    for posting in postings(recorded.subject, recorded.fact):
        sums[posting.amount.currency] += posting.amount.units
    if any(sums.values()):
        raise CorruptStream("its postings do not sum to zero")
    after = evolve(state, recorded)
    if isinstance(state, Subscriber) and isinstance(after, Subscriber):
        moved = after.account.balance.units - state.account.balance.units
        if moved != balance_change(recorded.subject, recorded.fact):
            raise CorruptStream("its postings and the balance after it disagree")
        lots = sum(lot.left.units for lot in after.account.lots)
        if lots != max(0, after.account.balance.units):
            raise CorruptStream("the rests of the deposits do not sum to the balance")
    return after
