"""What of a balance may be spent, and what would be paid out, asked of the domain's own rules on a state.

Nothing is recorded. The rules are asked at the last instant that the subscriber's facts have come to: what falls due
later has not happened yet.
"""

from domain.case import Case, Past
from domain.catalogue import Catalogue
from domain.commands import Command, RequestRefund
from domain.decide import decide
from domain.facts import RefundDue
from domain.money import Money
from domain.queue import available as available_in
from domain.state import Subscriber

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
