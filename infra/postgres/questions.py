"""The questions of `projections/*/queries.sql`, asked of PostgreSQL: same words, same answers as SQLite."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from psycopg import RawCursor

from infra.postgres.connecting import Connection
from infra.views.sql import Statement, question

NUMBERED = re.compile(r"\?(\d+)")

Value = str | int | None


@cache
def text_of(statement: Statement) -> str:
    """A statement with PostgreSQL's `$N` where SQLite has `?N`."""
    return NUMBERED.sub(r"$\1", statement.sql)


def ask(connection: Connection, view: str, name: str, parameters: Sequence[Value] = ()) -> Iterator[tuple[Any, ...]]:
    """The rows that answer a named question, `parameters` in the order in which it first names them.

    Values are text, integers, truth values (equal to SQLite's 1 and 0) and None; text is ordered by code point.
    """
    cursor = RawCursor(connection)
    cursor.execute(text_of(question(view, name)).encode(), parameters)
    return iter(cursor)
