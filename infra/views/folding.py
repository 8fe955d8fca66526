"""From facts to runs of statements: what a batch writes, as few executions as order allows.

Statements of one lane keep their order per subscriber, and no other order matters, since facts of different subscribers
commute (`projections/event.py`). So each row joins the earliest run of its statement that its subscriber's rows allow.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter

from infra.views.sql import Statement, statements_of
from infra.views.wire import WireFact
from projections.event import Handler, Parameter, View

Rows = list[tuple[Parameter, ...]]


class UnknownFact(ValueError):
    """A type of fact that no view has heard of: views of an older program on a log of a newer one."""


class _Prepared:
    """A statement with the lane that it keeps its order in."""

    __slots__ = ("alone", "lane", "merge", "rows", "run", "sql")

    def __init__(self, statement: Statement, lane: "_Lane") -> None:
        self.sql = statement.sql
        self.lane = lane
        self.alone = False
        """The only statement of its lane: its rows are one run, whatever their order."""
        self.run = -1
        """Its latest run in the lane."""
        self.rows: Rows = []
        self.merge = _merging(statement) if statement.key else None


class _Lane:
    """The runs of statements that must not overtake each other for one subscriber."""

    __slots__ = ("reached", "runs", "statements")

    def __init__(self) -> None:
        self.statements: list[_Prepared] = []
        self.runs: list[tuple[_Prepared, Rows]] = []
        self.reached: dict[str, int] = {}

    def add(self, statement: _Prepared, subject: str, row: tuple[Parameter, ...]) -> None:
        run = statement.run
        if run < self.reached.get(subject, 0):
            run = statement.run = len(self.runs)
            self.runs.append((statement, []))
        self.runs[run][1].append(row)
        self.reached[subject] = run

    def drain(self) -> Iterator[tuple[_Prepared, Rows]]:
        for statement in self.statements:
            if statement.alone and statement.rows:
                yield statement, statement.rows
                statement.rows = []
            statement.run = -1
        yield from self.runs
        self.runs = []
        self.reached.clear()


class Folding:
    """The statements of several views, gathered batch by batch. It remembers nothing from one batch to the next."""

    def __init__(self, views: Sequence[View]) -> None:
        self._lanes: list[_Lane] = []
        self._routes: dict[str, list[tuple[dict[str, _Prepared], Handler]]] = {}
        for view in views:
            statements = self._prepare(view)
            for wire_type, handler in view.by_type.items():
                self._routes.setdefault(wire_type, []).append((statements, handler))
            for ignored in view.ignored_types:
                self._routes.setdefault(ignored, [])

    def fold(self, facts: Iterable[WireFact]) -> list[tuple[str, Rows]]:
        """The executions that bring the views over `facts`, in order: SQL and its rows."""
        routes = self._routes
        for fact in facts:
            try:
                route = routes[fact.type]
            except KeyError:
                raise UnknownFact(f"{fact.id} is of the unknown type {fact.type}") from None
            for statements, handler in route:
                for name, row in handler(fact):
                    statement = statements[name]
                    if statement.alone:
                        statement.rows.append(row)
                    else:
                        statement.lane.add(statement, fact.subject, row)
        return [
            (statement.sql, statement.merge(rows) if statement.merge is not None else rows)
            for lane in self._lanes
            for statement, rows in lane.drain()
        ]

    def _prepare(self, view: View) -> dict[str, _Prepared]:
        lanes: dict[str, _Lane] = {}
        prepared = {}
        for name, statement in statements_of(view).items():
            lane = lanes.setdefault(statement.lane, _Lane())
            prepared[name] = _Prepared(statement, lane)
            lane.statements.append(prepared[name])
        for lane in lanes.values():
            for one in lane.statements:
                one.alone = len(lane.statements) == 1
        self._lanes.extend(lanes.values())
        return prepared


def _merging(statement: Statement) -> Callable[[Rows], Rows]:
    """Makes one row of those that agree in the key: sums added up, of the rest the last one, or the first."""
    key, sums = statement.key, statement.sums
    known_by: Callable[[tuple[Parameter, ...]], object] = itemgetter(*key)

    def merge(rows: Rows) -> Rows:
        if not sums:
            ordered = reversed(rows) if statement.first_counts else rows
            return list({known_by(row): row for row in ordered}.values())
        kept: dict[object, tuple[Parameter, ...]] = {}
        for row in rows:
            known = known_by(row)
            before = kept.get(known)
            kept[known] = row if before is None else _added(before, row, sums)
        return list(kept.values())

    return merge


def _added(before: tuple[Parameter, ...], row: tuple[Parameter, ...], sums: tuple[int, ...]) -> tuple[Parameter, ...]:
    added = list(row)
    for index in sums:
        added[index] = int(before[index] or 0) + int(row[index] or 0)
    return tuple(added)
