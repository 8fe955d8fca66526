"""A view's statement for many rows at once: what is sent to PostgreSQL for a run, in one round trip.

A run of rows means: execute the statement for each row, in order. Where order cannot matter, the statement is rewritten
to take the rows as a set, `FROM unnest(…)`:

* an INSERT that reads nothing it writes; two rows of one key would be an error either way;
* an INSERT … ON CONFLICT or an UPDATE with a `key` directive, since a run then has one row of a key;
* a DELETE, since what is gone is gone.

Everything else goes through a PL/pgSQL function of its own that executes it row by row on the server, in order. Types
of parameters are asked of the server, which knows the tables.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import RawCursor
from psycopg.errors import InvalidSqlStatementName

from infra.postgres.arrays import Value, literal
from infra.postgres.connecting import Connection
from infra.postgres.questions import NUMBERED, text_of
from infra.views.sql import Statement, statements_of
from projections.event import View

INSERT = re.compile(r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]*)\)\s*VALUES\s*\(", re.DOTALL)
PLAIN_INSERT = re.compile(
    r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]*)\)\s*VALUES\s*\((?P<values>[^()]*)\)", re.DOTALL
)
WHERE = re.compile(r"\sWHERE\s")
PROBE = "subledger_probe"
TYPES_OF_PROBE = "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1"
GIVEN = "given"
"""The rows of a run, as statements name them; their columns are p1, p2 …"""

FUNCTION = """CREATE FUNCTION {name}({arguments}) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT * FROM unnest({columns}) WITH ORDINALITY AS one({names}, place) ORDER BY place LOOP
        {statement};
    END LOOP;
END
$function$"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What is sent for a run of one statement's rows."""

    text: str
    """With one array parameter for each of the statement's parameters."""
    is_text: tuple[bool, ...]
    """Of each parameter, whether it is text; the others are numbers or truth values."""
    copy: str | None
    """For an INSERT of nothing but the row: the COPY that does the same, which a bulk load prefers."""
    function: str | None
    """The statement that makes the function which `text` calls, where it calls one."""

    def parameters(self, rows: Sequence[tuple[Value, ...]]) -> list[str]:
        """The rows as array literals, column by column."""
        columns = zip(*rows, strict=True)
        return [literal(column, is_text=text) for column, text in zip(columns, self.is_text, strict=True)]


def executions_of(connection: Connection, views: Sequence[View]) -> dict[str, Execution]:
    """Of every statement that keeps `views`, by its text as the folding hands it out.

    The views' tables must be there, since they say what the parameters' types are.
    """
    return {
        statement.sql: _execution(view, statement, _types(connection, statement))
        for view in views
        for statement in statements_of(view).values()
    }


def copy_of(statement: Statement) -> str | None:
    """The COPY that takes a plain INSERT's rows; None for any other statement."""
    found = PLAIN_INSERT.fullmatch(statement.sql)
    in_order = [f"?{number}" for number in range(1, len(statement.parameters) + 1)]
    if found is None or [value.strip() for value in found["values"].split(",")] != in_order:
        return None
    return f"COPY {found['table']} ({' '.join(found['columns'].split())}) FROM STDIN"


def functions_of(executions: dict[str, Execution]) -> Iterator[str]:
    """The statements that make the functions."""
    return (execution.function for execution in executions.values() if execution.function is not None)


def _execution(view: View, statement: Statement, types: Sequence[str]) -> Execution:
    rewritten = _of_a_set(statement, types)
    is_text = tuple(type_ == "text" for type_ in types)
    if rewritten is not None:
        return Execution(text=rewritten, is_text=is_text, copy=copy_of(statement), function=None)
    name = f"{view.name}_{statement.name}"
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, 1))
    function = FUNCTION.format(
        name=name,
        arguments=", ".join(f"c{number} {type_}[]" for number, type_ in enumerate(types, 1)),
        columns=", ".join(f"c{number}" for number in range(1, len(types) + 1)),
        names=_names(types),
        statement=_with_given(statement.sql),
    )
    return Execution(text=f"SELECT {name}({arrays})", is_text=is_text, copy=None, function=function)


def _of_a_set(statement: Statement, types: Sequence[str]) -> str | None:
    """The statement that takes all rows as a set; None where their order may matter."""
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, 1))
    rows = f"unnest({arrays}) AS {GIVEN}({_names(types)})"
    text = _with_given(statement.sql)
    verb = text.split(maxsplit=1)[0]
    if verb == "DELETE":
        before, condition = WHERE.split(text, 1)
        return f"{before} USING {rows} WHERE {condition}"
    if verb == "UPDATE" and statement.key:
        before, condition = WHERE.split(text, 1)
        return f"{before} FROM {rows} WHERE {condition}"
    if verb == "INSERT":
        return _insert_of_a_set(statement, text, rows)
    return None


def _insert_of_a_set(statement: Statement, text: str, rows: str) -> str | None:
    insert = INSERT.match(text)
    if insert is None:
        return None
    end = _closing(text, insert.end())
    values, rest = text[insert.end() : end].strip(), text[end + 1 :].strip()
    if rest and not statement.key:
        return None
    if re.search(rf"\bFROM {insert['table']}\b", values):
        return None
    return f"INSERT INTO {insert['table']} ({insert['columns']}) SELECT {values} FROM {rows} {rest}".rstrip()


def _closing(text: str, start: int) -> int:
    """The place of the parenthesis that closes the one before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise ValueError(f"a parenthesis is not closed in {text}")


def _with_given(text: str) -> str:
    return NUMBERED.sub(rf"{GIVEN}.p\1", text)


def _names(types: Sequence[str]) -> str:
    return ", ".join(f"p{number}" for number in range(1, len(types) + 1))


def _types(connection: Connection, statement: Statement) -> list[str]:
    """The server's types of a statement's parameters."""
    connection.execute(f"PREPARE {PROBE} AS {text_of(statement)}".encode())
    row = RawCursor(connection).execute(TYPES_OF_PROBE.encode(), (PROBE,)).fetchone()
    connection.execute(f"DEALLOCATE {PROBE}")
    if row is None:
        raise InvalidSqlStatementName(f"the server does not know the statement {statement.name} that it prepared")
    types: list[str] = row[0]
    return types
