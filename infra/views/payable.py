"""What of a balance may be spent, and what would be paid out, asked of the domain's own rules on a state.

Nothing is recorded. The rules are asked at the last instant that the subscriber's facts have come to, or at an earlier
one that is asked for: what falls due later has not happened yet.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from domain.case import Call, Case, Past
from domain.catalogue import Catalogue
from domain.commands import Command, RequestRefund
from domain.decide import decide
from domain.facts import Recorded, RefundDue
from domain.money import Money
from domain.queue import available as available_in
from domain.state import State, Subscriber, Unregistered, at_end_of_log, evolve

ASKER = "views"
"""Stands where a command's id and actor stand; no command is recorded."""


def available(state: Subscriber, catalogue: Catalogue, past: Past) -> Money:
    """The balance less all that waits for it (RULES, "available")."""
    return available_in(Case(state, state.as_of, catalogue, past))


def refundable(state: Subscriber, catalogue: Catalogue, past: Past) -> Money:
    """What a request for a refund would make due, or where refunds wait for the end or a reviewer, the payable balance.

    Under `refunds: on_termination` it is what the end would pay out unless it comes for a cause; under `discretionary`
    what a reviewer may grant. Nothing while the balance is below zero.
    """
    regulations = catalogue.in_force(state.profile.regulations, state.as_of)
    zero = state.account.balance.zero()
    if regulations is None or state.account.balance.units <= 0:
        return zero
    if regulations.refunds == "on_termination":
        return state.account.balance.floor_minor() if regulations.balance_at_termination == "refund" else zero
    command = Command(id=ASKER, subscriber=state.subject, at=state.as_of, actor=ASKER, request=RequestRefund())
    decision = decide(state, command, catalogue, past)
    if decision.refusal is not None:
        return zero
    if regulations.refunds == "discretionary":
        return state.account.balance.floor_minor()
    due = zero
    for recorded in decision.facts:
        if isinstance(recorded.fact, RefundDue):
            due = due + recorded.fact.amount
    return due


def state_at(
    subject: str, facts: Iterable[Recorded], as_of: datetime | None, known_at: datetime | None
) -> Subscriber | None:
    """The state of the facts that count at `as_of` and were known at `known_at`, both included.

    None before the registration, and where a fact is missing among them: something recorded later counts from earlier,
    so no state ever was of these facts alone.
    """
    state: State = Unregistered(subject=subject)
    missing = False
    for recorded in facts:
        if _is_after(recorded.effective_at, as_of) or _is_after(recorded.recorded_at, known_at):
            missing = True
        elif missing:
            return None
        else:
            state = evolve(state, recorded)
    if not isinstance(state, Subscriber):
        return None
    asked_at = min(instant for instant in (state.as_of, as_of, known_at) if instant is not None)
    then = at_end_of_log(replace(state, as_of=asked_at), None)
    assert isinstance(then, Subscriber)
    return then


def _is_after(instant: datetime, limit: datetime | None) -> bool:
    return limit is not None and instant > limit


class PastUntil:
    """A subject's past as it was when it had so many facts."""

    def __init__(self, past: Past, version: int) -> None:
        self._past = past
        self._version = version

    def call(self, usage: str) -> Call | None:
        """As it is now: what is payable does not ask for calls."""
        return self._past.call(usage)

    def deposit(self, reference: str) -> int | None:
        version = self._past.deposit(reference)
        return version if version is not None and version <= self._version else None

    def fact(self, version: int) -> Recorded | None:
        return self._past.fact(version) if version <= self._version else None

    def newest_first(self) -> Iterator[Recorded]:
        return (recorded for recorded in self._past.newest_first() if recorded.version <= self._version)
