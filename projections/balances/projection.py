"""Folds each fact that moves money into its subscriber's balance."""

from collections.abc import Callable

from domain.facts import Fact, SubscriberRegistered
from projections.event import Event, Handler, Rows, View
from projections.groups import MONEYLESS
from projections.movements import MOVEMENTS, Data, Movement


def registered(event: Event) -> Rows:
    """An account begins with nothing in its currency."""
    return (("move", (event.subject, event.data["currency"], 0, 0)),)


def moving(movement: Callable[[Data], Movement]) -> Handler:
    """The handler of a type of fact that moves money by `movement`."""

    def moved(event: Event) -> Rows:
        data = event.data
        balance, outstanding = movement(data)
        return (("move", (event.subject, data["currency"], balance, outstanding)),)

    return moved


HANDLES: dict[type[Fact], Handler] = {
    SubscriberRegistered: registered,
    **{fact: moving(movement) for fact, movement in MOVEMENTS.items()},
}
VIEW = View(name="balances", handles=HANDLES, ignores=MONEYLESS - {SubscriberRegistered})
