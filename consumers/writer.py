"""The writer of one shard: reads commands, decides them in order, and answers once their facts are stored.

A group of commands is one commit. Within a group later commands see what earlier ones decided; if the commit fails,
everything that was decided in the group is forgotten and nothing has been answered.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from consumers import outcomes
from consumers.intake import read_command
from consumers.outcomes import Outcome
from consumers.ports import Answer, CatalogueStore, Group, Inquiry, Known, Sealer, ShardStore, Stored, StoresBeside
from domain.case import Call, Past
from domain.commands import (
    CATALOGUE_SUBJECT,
    AdvanceClock,
    Command,
    CreditDeposit,
    RegisterSubscriber,
    ReportUsage,
    Sealed,
    TransferAgreement,
)
from domain.decide import Decision, decide
from domain.documents import Fault
from domain.facts import DepositCredited, PersonalDataErased, Recorded
from domain.publishing import CatalogueState, Publication, publish
from domain.refusals import Code, Refusal
from domain.rules import LEDGER, basis_of, rule_of
from domain.state import State, Subscriber, Unregistered
from domain.values import maker

Wait = Callable[[], None]

STATES_IN_MEMORY = 20_000
"""Subscribers kept in memory; the others are loaded from their snapshot when a command names them."""
SNAPSHOT_EVERY_FACTS = 20
"""How far back a stream is folded from; further where a state has very many parts, each of which is copied."""
PARTS_A_FACT = 10
"""So many parts are copied and read again in the time in which a fact is folded."""
USAGE, DEPOSIT = ReportUsage.__name__, CreditDeposit.__name__
WITH_PERSONAL_DATA = (RegisterSubscriber, TransferAgreement)
RECORDS_NOTHING = frozenset({Code.COMMAND_ID_REUSED, Code.TIME_WENT_BACKWARDS})

_stored = maker(Stored)
_answer = maker(Answer)


@dataclass(slots=True)
class _Kept:
    """A state in memory, and the version of its last snapshot."""

    state: State
    snapshot_version: int


class _Decided:
    """What was decided and is not known to be stored: asked before the store, which may not know of it yet."""

    __slots__ = ("answers", "group", "pending")

    def __init__(self) -> None:
        self.group = Group()
        self.answers: dict[tuple[str, str], Answer] = {}
        self.pending: dict[str, list[Recorded]] = {}
        """The facts of each subject."""

    def erased(self) -> list[str]:
        """Subjects whose personal data goes with it."""
        facts = (stored.recorded for stored in self.group.facts)
        return [recorded.subject for recorded in facts if type(recorded.fact) is PersonalDataErased]


class Writer:
    """Decides commands against a shard. One thread, one writer per shard."""

    def __init__(self, shard: ShardStore, catalogue: CatalogueStore, sealer: Sealer) -> None:
        self._shard = shard
        self._catalogue_store = catalogue
        self._sealer = sealer
        self._catalogue: CatalogueState = catalogue.load()
        self._states: OrderedDict[str, _Kept] = OrderedDict()
        self._open = _Decided()
        self._handed = _Decided()
        """What the store is storing."""
        self._stored: Wait | None = None
        """Returns once it has."""
        self._sequence = shard.sequence()
        self._as_of = shard.last_instant()

    @property
    def catalogue(self) -> CatalogueState:
        return self._catalogue

    @property
    def undecided(self) -> int:
        """Commands decided and not yet committed."""
        return len(self._open.group.answers)

    @property
    def sequence(self) -> int:
        """The sequence of the last fact that was decided."""
        return self._sequence

    def prepare(self, values: Sequence[Any]) -> None:
        """Lets the store look up at once what these commands will ask for; it changes no outcome."""
        inquiry = Inquiry()
        for value in values:
            if isinstance(value, dict) and isinstance(subject := value.get("subscriber"), str):
                if isinstance(identity := value.get("id"), str):
                    inquiry.commands.append((subject, identity))
                kind, data = value.get("type"), value.get("data")
                if not isinstance(data, dict):
                    continue
                if kind == USAGE and isinstance(usage := data.get("usage"), str):
                    inquiry.calls.append((subject, usage))
                elif kind == DEPOSIT and isinstance(reference := data.get("reference"), str):
                    inquiry.references.append((subject, reference))
        self._shard.prepare(inquiry)

    def follow_catalogue(self) -> None:
        """Takes in what other shards' writers have published meanwhile."""
        self._catalogue = self._catalogue_store.load()

    def execute(self, value: Any, *, appended_at: datetime | None = None, position: str | None = None) -> Outcome:
        """The outcome of one command; it may be told to its sender once `commit` has returned.

        `appended_at` is when the broker got the command, on a live ledger, which takes time from there; `position` is
        where the command stands. The same command read again from the same place gets its first outcome, as it was.
        """
        try:
            command = read_command(value, self._now(appended_at))
        except Fault as fault:
            return outcomes.invalid(value.get("id") if isinstance(value, dict) else None, fault)
        value, command = self._sealed(value, command)
        if command.subscriber == CATALOGUE_SUBJECT:
            return self._publish(value, command, position)
        known = self._known(command.subscriber, command.id)
        if known is not None:
            return self._again(known, value, command, position)
        return self._decide(value, command, position)

    def commit(self) -> None:
        """Stores all that was decided since the last commit; after an exception nothing of it may be believed."""
        self.settle()
        self._hand_over(self._store_at_once)
        self.settle()

    def hand_over(self) -> None:
        """As `commit`, for a store that stores beside: this group is stored while the next one is decided.

        What was handed over before is stored when this returns; an exception may come from either group.
        """
        self.settle()
        self._hand_over(self._shard.begin_commit if isinstance(self._shard, StoresBeside) else self._store_at_once)

    def settle(self) -> None:
        """Waits until what was handed over is stored; after an exception nothing since may be believed."""
        if self._stored is None:
            return
        try:
            self._stored()
        except BaseException:
            self._forget()
            raise
        for subject in self._handed.erased():
            self._sealer.erase(subject)
        self._handed, self._stored = _Decided(), None
        self._drop_states()

    def state(self, subject: str) -> State:
        """The subject's state as decided so far."""
        return self._kept(subject).state

    def _hand_over(self, begin: Callable[[Group], Wait]) -> None:
        group = self._open.group
        group.as_of = self._as_of
        try:
            for subject in self._open.erased():
                self._sealer.intend_to_erase(subject)
            self._stored = begin(group)
        except BaseException:
            self._forget()
            raise
        self._handed, self._open = self._open, _Decided()

    def _store_at_once(self, group: Group) -> Wait:
        self._shard.commit(group)
        return _nothing

    def _drop_states(self) -> None:
        """Lets go of the states that were not used for longest, but not of one that is newer than what is stored."""
        if len(self._states) > STATES_IN_MEMORY:
            unstored = {answer.subject for answer in self._open.group.answers}
            while len(self._states) > STATES_IN_MEMORY and next(iter(self._states)) not in unstored:
                self._states.popitem(last=False)

    def _forget(self) -> None:
        for answer in (*self._handed.group.answers, *self._open.group.answers):
            self._states.pop(answer.subject, None)
        self._handed, self._open, self._stored = _Decided(), _Decided(), None
        self._sequence = self._shard.sequence()
        self._as_of = self._shard.last_instant()

    def _known(self, subject: str, command_id: str) -> Known | None:
        """What was answered to that command before."""
        key = (subject, command_id)
        return self._open.answers.get(key) or self._handed.answers.get(key) or self._shard.answer(subject, command_id)

    def _now(self, appended_at: datetime | None) -> datetime | None:
        """The instant of a command on a live ledger: never before anything decided in the shard, or published."""
        return None if appended_at is None else self._latest(appended_at, self._catalogue.as_of)

    def _latest(self, *instants: datetime | None) -> datetime | None:
        """The last of these instants and of anything decided in the shard."""
        return max((one for one in (*instants, self._as_of) if one is not None), default=None)

    def _sealed(self, value: dict[str, Any], command: Command) -> tuple[dict[str, Any], Command]:
        request = command.request
        if not isinstance(request, WITH_PERSONAL_DATA) or request.personal is None:
            return value, command
        sealed = Sealed(self._sealer.seal(command.subscriber, command.id, request.personal))
        request = replace(request, personal=sealed)
        return {**value, "data": {**value["data"], "personal": sealed}}, replace(command, request=request)

    def _again(self, known: Known, value: dict[str, Any], command: Command, position: str | None) -> Outcome:
        if position is not None and known.position == position:
            return known.outcome
        if known.is_of(value) or self._same_but_for_erased_data(known, value, command.subscriber):
            return outcomes.duplicate(known.outcome)
        message = f"the id {command.id} was used for a command with another content"
        reused = Refusal(code=Code.COMMAND_ID_REUSED, message=message)
        basis = basis_of(rule_of(reused.code), {})
        if command.subscriber == CATALOGUE_SUBJECT:
            return outcomes.published(command.id, Publication(state=self._catalogue, refusal=reused, basis=basis), ())
        state = self._kept(command.subscriber).state
        return self._outcome(command, Decision(state=state, refusal=reused, basis=basis), ())

    def _same_but_for_erased_data(self, first: Known, again: dict[str, Any], subject: str) -> bool:
        """Whether two contents are alike without the personal data, which nothing can compare once it is erased."""
        if "personal" not in again.get("data", {}):
            return False
        state = self._kept(subject).state
        return isinstance(state, Subscriber) and state.profile.erased and first.is_of_but_for_personal(again)

    def _decide(self, value: dict[str, Any], command: Command, position: str | None) -> Outcome:
        kept = self._kept(command.subscriber)
        catalogue = self._catalogue.catalogue
        decision = decide(kept.state, command, catalogue, _Overlay(self, command.subscriber))
        if decision.malformed is not None:
            return outcomes.invalid(command.id, Fault(decision.malformed.path, decision.malformed.message))
        if decision.refusal is not None and decision.refusal.code in RECORDS_NOTHING:
            return self._outcome(command, decision, ())
        stored = self._number(command, decision, position)
        outcome = self._outcome(command, decision, stored)
        self._note(command, value, decision, stored, outcome, position)
        self._keep(kept, decision)
        return outcome

    def _outcome(self, command: Command, decision: Decision, stored: tuple[Stored, ...]) -> Outcome:
        return outcomes.decided(command, decision, stored, self._invoiced(decision.state))

    def _invoiced(self, state: State) -> bool:
        """Whether invoices are paid with, which holds for the life of a regulations name."""
        if not isinstance(state, Subscriber):
            return False
        return self._catalogue.catalogue.regulations[state.profile.regulations][0].invoiced

    def _number(self, command: Command, decision: Decision, position: str | None) -> tuple[Stored, ...]:
        if not decision.facts:
            return ()
        source = LEDGER
        if isinstance(decision.state, Subscriber):
            source = f"{LEDGER}/{decision.state.profile.regulations}"
        catalogue_sequence = self._catalogue.version
        stored = tuple(
            [
                _stored(
                    recorded=recorded,
                    sequence=sequence,
                    source=source,
                    caused_by=command.id,
                    catalogue_sequence=catalogue_sequence,
                    command_position=position,
                )
                for sequence, recorded in enumerate(decision.facts, self._sequence + 1)
            ]
        )
        self._sequence += len(stored)
        return stored

    def _note(
        self,
        command: Command,
        value: dict[str, Any],
        decision: Decision,
        stored: tuple[Stored, ...],
        outcome: Outcome,
        position: str | None,
    ) -> None:
        """Puts what the command leaves behind into the group."""
        decided, group, subject = self._open, self._open.group, command.subscriber
        answer = _answer(subject=subject, command_id=command.id, command=value, outcome=outcome, position=position)
        group.answers.append(answer)
        decided.answers[subject, command.id] = answer
        request = command.request
        if stored:
            group.facts += stored
            decided.pending.setdefault(subject, []).extend(decision.facts)
            self._index_deposits(subject, decision.facts)
        elif not isinstance(decision.state, Unregistered):
            group.instants[subject] = command.at
        if decision.metered is not None and decision.refusal is None and isinstance(request, ReportUsage):
            group.calls[subject, request.usage] = decision.metered.call
        unknown = isinstance(decision.state, Unregistered) and isinstance(request, AdvanceClock)
        if not unknown and (self._as_of is None or command.at > self._as_of):
            self._as_of = command.at

    def _index_deposits(self, subject: str, facts: tuple[Recorded, ...]) -> None:
        for recorded in facts:
            if isinstance(recorded.fact, DepositCredited):
                self._open.group.deposits[subject, recorded.fact.reference] = recorded.version

    def _kept(self, subject: str) -> _Kept:
        kept = self._states.get(subject)
        if kept is None:
            kept = self._states[subject] = _Kept(*self._shard.load(subject))
        else:
            self._states.move_to_end(subject)
        return kept

    def _keep(self, kept: _Kept, decision: Decision) -> None:
        kept.state = decision.state
        since = decision.state.version - kept.snapshot_version
        if since >= SNAPSHOT_EVERY_FACTS and since * PARTS_A_FACT >= _parts(decision.state):
            self._open.group.snapshots[decision.state.subject] = decision.state
            kept.snapshot_version = decision.state.version

    def _publish(self, value: dict[str, Any], command: Command, position: str | None) -> Outcome:
        """A publication is a commit of its own, after what was decided before it."""
        self.commit()
        known = self._catalogue_store.answer(command.id)
        if known is not None:
            return self._again(known, value, command, position)
        publication = publish(self._catalogue, command, self._latest(self._catalogue_store.latest_elsewhere()))
        if publication.malformed is not None:
            return outcomes.invalid(command.id, Fault(publication.malformed.path, publication.malformed.message))
        first = self._catalogue.version
        stored = tuple(
            Stored(
                recorded=recorded,
                sequence=first + index,
                source=LEDGER,
                caused_by=command.id,
                catalogue_sequence=publication.state.version,
                command_position=position,
            )
            for index, recorded in enumerate(publication.facts, 1)
        )
        outcome = outcomes.published(command.id, publication, stored)
        if stored:
            answer = Answer(
                subject=command.subscriber, command_id=command.id, command=value, outcome=outcome, position=position
            )
            self._catalogue_store.commit(stored, answer)
            self._catalogue = publication.state
        return outcome


def _parts(state: State) -> int:
    """Lots, rentals and so on of a state: what a snapshot of it costs grows with them."""
    if isinstance(state, Unregistered):
        return 0
    parts = (state.account.lots, state.rentals, state.orders, state.queue, state.invoices)
    return sum(map(len, parts)) + len(state.refunds) + len(state.disputes) + len(state.reversed)


def _nothing() -> None:
    """There is nothing to wait for."""


class _Overlay:
    """A subject's past, with what was decided and is not known to be stored."""

    __slots__ = ("_past", "_subject", "_writer")

    def __init__(self, writer: Writer, subject: str) -> None:
        self._writer = writer
        self._subject = subject
        self._past: Past | None = None

    @property
    def _stored(self) -> Past:
        if self._past is None:
            self._past = self._writer._shard.past(self._subject)
        return self._past

    def call(self, usage: str) -> Call | None:
        writer, key = self._writer, (self._subject, usage)
        return writer._open.group.calls.get(key) or writer._handed.group.calls.get(key) or self._stored.call(usage)

    def deposit(self, reference: str) -> int | None:
        writer, key = self._writer, (self._subject, reference)
        return (
            writer._open.group.deposits.get(key)
            or writer._handed.group.deposits.get(key)
            or self._stored.deposit(reference)
        )

    def fact(self, version: int) -> Recorded | None:
        for recorded in self._unstored():
            if recorded.version == version:
                return recorded
        return self._stored.fact(version)

    def newest_first(self) -> Iterator[Recorded]:
        unstored = self._unstored()
        yield from reversed(unstored)
        for recorded in self._stored.newest_first():
            if not unstored or recorded.version < unstored[0].version:
                yield recorded

    def _unstored(self) -> list[Recorded]:
        """The subject's facts that the store may not have yet, or may have meanwhile."""
        writer, subject = self._writer, self._subject
        return [*writer._handed.pending.get(subject, ()), *writer._open.pending.get(subject, ())]
