"""Every view says what it does with every type of fact; the money of the views is that of the domain."""

from collections import Counter
from pathlib import Path

import pytest

from domain.accounts import balance_change, postings
from domain.facts import FACT_TYPES, WIRE_TYPES, DepositCredited
from infra import codec
from infra.views import wire
from infra.views.folding import Folding, UnknownFact
from infra.views.sql import statements_of
from projections.event import View, position_of
from projections.groups import MONEYLESS
from projections.journal.projection import VIEW as JOURNAL
from projections.movements import MOVEMENTS
from projections.views import VIEWS
from tests.projections.conftest import SUBSCRIBER_TYPES, entries_of

BY_WIRE = {wire_type: fact for fact, wire_type in WIRE_TYPES.items()}


def test_every_type_of_fact_occurs(recorded: dict[int, Path]) -> None:
    """The ledgers of these tests hold every type of fact that a subscriber's stream can hold."""
    occurring = {wire.read(*entry).type for folder in recorded.values() for entry in entries_of(folder)}
    assert SUBSCRIBER_TYPES - occurring == set()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_handles_or_ignores_every_type(view: View) -> None:
    assert set(view.handles) | view.ignores == set(FACT_TYPES)
    assert not set(view.handles) & view.ignores


def test_a_view_that_forgets_a_type_does_not_load() -> None:
    with pytest.raises(TypeError, match="must either handle or ignore DepositCredited"):
        View(name="forgetful", handles={}, ignores=frozenset(FACT_TYPES) - {DepositCredited})


def test_a_type_in_both_lists_does_not_load() -> None:
    with pytest.raises(TypeError, match="DepositCredited"):
        View(name="torn", handles={DepositCredited: lambda _: ()}, ignores=frozenset(FACT_TYPES))


def test_money_moves_in_some_types_and_not_in_the_others() -> None:
    assert set(MOVEMENTS) | MONEYLESS == set(FACT_TYPES)
    assert not set(MOVEMENTS) & MONEYLESS


def test_a_type_that_no_view_knows_is_refused(folder: Path) -> None:
    sequence, state = entries_of(folder)[0]
    fact = wire.read(sequence, state)
    fact.type = "subledger.something-else.v1"
    with pytest.raises(UnknownFact, match="unknown type subledger.something-else.v1"):
        Folding(VIEWS).fold([fact])


def test_rows_have_the_parameters_that_their_statements_name(folder: Path) -> None:
    """A projection is a function from a fact to named statements: the names exist, the parameters are as many."""
    for view in VIEWS:
        statements = statements_of(view)
        for entry in entries_of(folder):
            for name, row in view.project(wire.read(*entry)):
                assert len(row) == len(statements[name].parameters), (view.name, name)


def test_every_statement_is_used(recorded: dict[int, Path]) -> None:
    used: Counter[tuple[str, str]] = Counter()
    facts = [wire.read(*entry) for folder in recorded.values() for entry in entries_of(folder)]
    for view in VIEWS:
        used.update((view.name, name) for fact in facts for name, _ in view.project(fact))
    assert {(view.name, name) for view in VIEWS for name in statements_of(view)} == set(used)


def test_the_journal_posts_what_the_domain_posts(folder: Path) -> None:
    for sequence, state in entries_of(folder):
        recorded = codec.decode(state).recorded
        expected = [
            (one.account, one.amount.currency, one.amount.units) for one in postings(recorded.subject, recorded.fact)
        ]
        rows = JOURNAL.project(wire.read(sequence, state))
        assert [row[-3:] for name, row in rows if name == "post"] == expected, recorded.id


def test_the_balance_moves_as_the_domain_moves_it(folder: Path) -> None:
    for sequence, state in entries_of(folder):
        recorded = codec.decode(state).recorded
        event = wire.read(sequence, state)
        movement = MOVEMENTS.get(type(recorded.fact))
        moved = movement(event.data)[0] if movement is not None else 0
        assert moved == balance_change(recorded.subject, recorded.fact), recorded.id


def test_positions_of_shards_never_meet() -> None:
    assert position_of(0, 7) == 7
    assert position_of(1, 0) > position_of(0, 10**12)
