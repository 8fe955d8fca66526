"""The SQL files of a view's folder: tables, indexes, named statements and questions, ready for SQLite.

The files are written for SQLite and PostgreSQL alike: named parameters, `ON CONFLICT`, portable types. A header names a
statement, and comment lines under it say what it does and, where they begin with one of these words, how rows of it may
be grouped:

    -- key: a, b     rows of one batch that agree in these parameters are one row; of the others the last one counts
    -- sum: c        … but these parameters are added up
    -- first: a, b   as `key`, but the first one counts: what is done cannot be done again
    -- lane: name    statements of one lane keep their order per subscriber; the default lane is the table written to
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from projections.event import View

HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
DIRECTIVE = re.compile(r"^-- (key|first|sum|lane): (.+)$", re.MULTILINE)
PARAMETER = re.compile(r"(?<![:\w]):(\w+)")
WRITES = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
TABLE = re.compile(r"CREATE TABLE (\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One named statement; `sql` has numbered parameters in the order in which they are first named."""

    name: str
    sql: str
    parameters: tuple[str, ...]
    lane: str
    key: tuple[int, ...] = ()
    """Of `key` or `first`."""
    sums: tuple[int, ...] = ()
    first_counts: bool = False
    """Of rows that agree in the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A view's tables and indexes, apart, since a bulk load makes the indexes last."""

    tables: tuple[str, ...]
    """Their names."""
    create_tables: tuple[str, ...]
    create_indexes: tuple[str, ...]


def text_of(view: str, file: str) -> str:
    """A file of a view's folder."""
    return (resources.files("projections") / view / file).read_text(encoding="utf-8")


def schema_of(view: View) -> Schema:
    """What a view's folder creates."""
    parts = [part.strip() for part in _without_comments(text_of(view.name, "schema.sql")).split(";")]
    create_tables = tuple(part for part in parts if part.startswith("CREATE TABLE"))
    return Schema(
        tables=tuple(name for part in create_tables for name in TABLE.findall(part)),
        create_tables=create_tables,
        create_indexes=tuple(part for part in parts if part and part not in create_tables),
    )


def statements_of(view: View) -> dict[str, Statement]:
    """The statements by which a view is kept."""
    return {statement.name: statement for statement in _statements(text_of(view.name, "statements.sql"))}


@cache
def question(view: str, name: str) -> Statement:
    """A named question to a view."""
    return next(one for one in _statements(text_of(view, "queries.sql")) if one.name == name)


def fingerprint(views: tuple[View, ...]) -> str:
    """Changes with every table, statement and projection: views of another fingerprint are folded anew."""
    digest = hashlib.sha256()
    for file in ("event.py", "movements.py"):
        digest.update((resources.files("projections") / file).read_bytes())
    for view in views:
        for file in ("schema.sql", "statements.sql", "projection.py"):
            digest.update(text_of(view.name, file).encode())
    return digest.hexdigest()


def _statements(text: str) -> Iterator[Statement]:
    parts = HEADER.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield _statement(name, body)


def _statement(name: str, body: str) -> Statement:
    directives: Mapping[str, str] = dict(DIRECTIVE.findall(body))
    named = _without_comments(body).strip().removesuffix(";")
    parameters = tuple(dict.fromkeys(PARAMETER.findall(named)))
    written = WRITES.search(named)
    return Statement(
        name=name,
        sql=PARAMETER.sub(lambda match: f"?{parameters.index(match[1]) + 1}", named),
        parameters=parameters,
        lane=directives.get("lane", written[1] if written else ""),
        key=_indexes(directives.get("key", directives.get("first")), parameters),
        sums=_indexes(directives.get("sum"), parameters),
        first_counts="first" in directives,
    )


def _indexes(names: str | None, parameters: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(parameters.index(name.strip()) for name in names.split(",")) if names else ()


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))
