"""Rows into the views' tables, many in one execution where a statement allows it.

An INSERT of nothing but its parameters takes any number of rows, and then costs a third less for each: the statement is
begun and ended once for all of them.
"""

import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from projections.event import Parameter

ROWS_AT_ONCE = 200
"""Times the widest table's columns, this is within the 32,766 parameters that SQLite takes; more gain nothing."""
ROW_OF_VALUES = re.compile(r"VALUES \(([^()]*)\)")
PARAMETER = re.compile(r"\?\d+")


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Parameter, ...]]) -> None:
    """Executes `statement` for each of `rows`, in their order."""
    wide = _widened(statement)
    narrow = 0
    if wide is not None:
        narrow = len(rows) - len(rows) % ROWS_AT_ONCE
        for start in range(0, narrow, ROWS_AT_ONCE):
            connection.execute(wide, list(chain.from_iterable(rows[start : start + ROWS_AT_ONCE])))
    connection.executemany(statement, rows[narrow:])


@cache
def _widened(statement: str) -> str | None:
    """The statement for ROWS_AT_ONCE rows; None where it does more with its parameters than insert them in order."""
    values = ROW_OF_VALUES.search(statement)
    if values is None:
        return None
    named = PARAMETER.findall(statement)
    if named != PARAMETER.findall(values[1]) or named != [f"?{number}" for number in range(1, len(named) + 1)]:
        return None
    row = PARAMETER.sub("?", values[0].removeprefix("VALUES "))
    return f"{statement[: values.start()]}VALUES {', '.join([row] * ROWS_AT_ONCE)}{statement[values.end() :]}"
