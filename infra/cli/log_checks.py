"""The log against itself: dense numbers, facts that decode and follow one another, money that adds up."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

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
SELECT_ANSWERED = "SELECT 1 FROM commands WHERE subject = ? AND command_id = ?"
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


def log_faults(application: LedgerApplication, key: bytes, count: Count) -> Iterator[Fault]:
    """Everything wrong with one database of facts; memory is bounded by one subject's state.

    `key` is that of the facts' salts. What is looked at is counted in `count`.
    """
    yield from _extent(application)
    state: State | CatalogueState | None = None
    subject, broken, answered = "", False, ""
    for rowid, who, version, topic, data in application.shard.rows(SELECT_BY_SUBJECT, ()):
        if who != subject:
            count.subjects += 1
            subject, broken, answered = who, False, ""
            state = CatalogueState(catalogue=Catalogue()) if who == CATALOGUE_SUBJECT else Unregistered(subject=who)
        count.facts += 1
        if broken:
            continue
        where = f"{who}/{version}"
        try:
            stored = codec.decode(data)
            yield from _envelope_faults(stored, rowid, who, version, topic, data, key)
            assert state is not None
            state = _followed(state, stored)
        except (codec.UndecodableFact, CorruptStream, ArithmeticError, KeyError) as error:
            broken = True
            yield Fault(where=where, what=f"{error}; the facts after it were not looked at")
            continue
        if stored.caused_by not in (answered, INITIAL):
            answered = stored.caused_by
            if application.shard.one(SELECT_ANSWERED, (who, answered)) is None:
                yield Fault(where=where, what=f"the command {answered} that caused it is not among the commands")


def _extent(application: LedgerApplication) -> Iterator[Fault]:
    facts, first, last = application.shard.one(SELECT_EXTENT, ())
    if (first, last) != (1, facts):
        yield Fault(where="sequence", what=f"expected {facts} facts numbered from 1, found numbers {first} to {last}")


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
