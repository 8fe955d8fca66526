"""What is printed on stdout: JSON lines for programs, tables of at most 100 columns for people."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from infra.cli.failures import Unprinted, Unusable

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDEST_COLUMNS = 100
SHORT_COLUMNS = 25
"""What is no longer than this is not folded: an instant with its offset fits."""
NARROW_COLUMNS = 8
"""Names are not folded to less than this, whatever stands beside them."""
GAP_COLUMNS = 3
"""Between two columns of a table."""

INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
"""How the instants in a table begin."""

Row = Sequence[str]


class Stdout:
    """The bytes of stdout. Raises Unprinted where they cannot be written, BrokenPipeError where nobody reads them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, printed: bytes) -> None:
        with _printing():
            self._stream.write(printed)

    def flush(self) -> None:
        with _printing():
            self._stream.flush()


@contextmanager
def _printing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise Unprinted(f"stdout cannot be written: {(error.strerror or str(error)).lower()}") from None


def stdout() -> Stdout:
    """The bytes of stdout; Unusable where the process was started without one."""
    stream = sys.stdout
    if stream is None:
        raise Unusable("stdout is closed; there is nowhere to print to")
    return Stdout(stream.buffer)


def drop_stdout() -> None:
    """What is still to be printed goes nowhere, so that the end of the process has nothing to say about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """One record or object as one line of JSON, instants as UTC with a Z."""
    stdout().write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))


def print_table(columns: Sequence[str], rows: Iterable[Row], *, title: str = "") -> None:
    """A table; a column whose title begins with `>` is aligned to the right.

    Texts and long names are folded where the table is too wide, short names where that is not enough; amounts and
    instants never are, not even where the terminal is too narrow for them: half an amount is another one.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [tuple(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title_justify="left")
    names = [column.removeprefix(">") for column in columns]
    longest = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    widths = _widths(columns, cells, longest)
    for name, column, width in zip(names, columns, widths, strict=True):
        table.add_column(
            Text(name), justify="right" if column.startswith(">") else "left", overflow="fold", width=width
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    _print(*([Text(title)] if title else []), table, narrowest=sum(widths) + GAP_COLUMNS * (len(columns) - 1))


def _widths(columns: Sequence[str], cells: Sequence[Row], longest: Sequence[int]) -> list[int]:
    """How wide each column of a table is, so that all of them fit if that is possible at all."""
    texts = [index for index, column in enumerate(columns) if not column.startswith(">")]
    names = [index for index in texts if not any(INSTANT.match(row[index]) for row in cells)]
    gaps = GAP_COLUMNS * (len(columns) - 1)
    widths = list(longest)
    _narrow(widths, texts, SHORT_COLUMNS, _console_columns() - gaps)
    _narrow(widths, names, NARROW_COLUMNS, WIDEST_COLUMNS - gaps)
    return widths


def _narrow(widths: list[int], which: Sequence[int], least: int, room: int) -> None:
    """Makes the widest of these columns narrower, one after the other, until all columns fit or these are narrow."""
    while sum(widths) > room and which:
        widest = max(which, key=widths.__getitem__)
        if widths[widest] <= least:
            break
        widths[widest] -= 1


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, one below the other; long values are folded beside their name."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(Text(name, style="bold"), Text(value))
    _print(grid)


def say(words: str) -> None:
    """Talk, on stderr."""
    print(words, file=sys.stderr)


def print_heading(words: str) -> None:
    """A line above a part of a longer answer."""
    from rich.text import Text

    _print(Text(f"\n{words}\n", style="bold"), folded=False)


def print_line(words: str = "") -> None:
    """A line of its own below or above a table."""
    stdout().write(f"{words}\n".encode())


def _print(*parts: "RenderableType", folded: bool = True, narrowest: int = 0) -> None:
    """Prints without the blanks that fill up the last column of a table."""
    from rich.console import Console

    out = stdout()
    console = Console(highlight=False, emoji=False)
    console.width = max(_console_columns(), narrowest)
    with _printing(), console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=not folded)
    lines = captured.get().split("\n")
    out.write("\n".join(line.rstrip(" ") for line in lines).encode())
    out.flush()


def _console_columns() -> int:
    """How wide what is printed may be: as the page, or as a terminal that is narrower."""
    from rich.console import Console

    console = Console()
    return min(console.width, WIDEST_COLUMNS) if console.is_terminal else WIDEST_COLUMNS
