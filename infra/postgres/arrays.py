"""Many rows as PostgreSQL takes them at once: columns as array literals, or all of them as the text of a COPY.

Sources: PostgreSQL 15, 8.15.6 "Array Input and Output Syntax"; COPY, "Text Format". psycopg takes value by value and
several times as long, which at thousands of rows a batch is most of the batch.
"""

import re
from collections.abc import Iterable, Sequence

Value = str | int | None

TO_ESCAPE = re.compile(r"[\\\t\n\r]")
ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""Signs that mean something in the text format of COPY."""


def literal(column: Sequence[Value], *, is_text: bool) -> str:
    """The array literal of one column; elements of a text column are quoted, so that none of them is read as NULL."""
    return _texts(column) if is_text else _plain(column)


def block(rows: Sequence[tuple[Value, ...]], is_text: Sequence[bool]) -> bytes:
    """The rows as the data of a COPY in text format."""
    columns = [
        _copied_texts(column) if text else _copied_plain(column)
        for column, text in zip(zip(*rows, strict=True), is_text, strict=True)
    ]
    lines = map("\t".join, zip(*columns, strict=True))
    return ("\n".join(lines) + "\n").encode()


def _copied_plain(column: Sequence[Value]) -> Iterable[str]:
    if None in column:
        return [r"\N" if value is None else str(value) for value in column]
    return map(str, column)


def _copied_texts(column: Sequence[Value]) -> Iterable[str]:
    texts = [str(text) for text in column if text is not None]
    if not TO_ESCAPE.search("".join(texts)):
        if len(texts) == len(column):
            return texts
        return [r"\N" if text is None else str(text) for text in column]
    return [r"\N" if text is None else str(text).translate(ESCAPED) for text in column]


def _plain(column: Sequence[Value]) -> str:
    """Numbers and truth values: neither needs a quote."""
    joined = ",".join(map(str, column))
    if "None" in joined:
        joined = joined.replace("None", "NULL")
    return f"{{{joined}}}"


def _texts(column: Sequence[Value]) -> str:
    try:
        joined = '","'.join(column)  # type: ignore[arg-type]  # a column with None in it goes the other way
    except TypeError:
        return "{" + ",".join(["NULL" if text is None else f'"{_escaped(str(text))}"' for text in column]) + "}"
    if joined.count('"') != 2 * (len(column) - 1) or "\\" in joined:
        joined = '","'.join([_escaped(str(text)) for text in column])
    return f'{{"{joined}"}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
