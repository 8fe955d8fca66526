"""`subledger run`: executes commands in order, and prints each outcome once its facts are stored."""

import gc
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from consumers import outcomes
from consumers.intake import LARGEST_LINE_BYTES
from consumers.outcomes import Outcome
from consumers.ports import StoreError
from consumers.serving import no_json
from consumers.writer import Writer
from domain.documents import Fault
from infra import incoming, interpreter
from infra.cli.failures import Incomplete, Interrupted, Unprinted, Unusable, WrongFound
from infra.cli.lines import LineReader
from infra.cli.options import examples, ledger_option
from infra.cli.output import say, stdout
from infra.cli.progress import Advance, bar_on_terminal
from infra.embedded.folder import EmbeddedLedger
from infra.explain.words import counted
from infra.views.follower import Follower

COLLECT_AFTER_ALLOCATIONS = 1_000_000
"""A run ends, and what it makes has no cycles."""
LONG_FILE_BYTES = 1_000_000
"""A file from this size on shows a progress bar."""


@click.command(
    epilog=examples(
        "subledger run commands.jsonl                          into ./ledger, which is made if need be",
        "subledger run commands.jsonl --ledger books > outcomes.jsonl",
        "generate-commands | subledger run - --strict          exit 1 if any was refused or invalid",
    )
)
@click.argument("file", metavar="FILE")
@click.option("--strict", is_flag=True, help="Exit 1 when a command was refused or invalid.")
@click.option("--json", is_flag=True, expose_value=False, help="Outcomes are JSON lines anyway.")
@ledger_option
def command(file: str, strict: bool, folder: Path) -> None:
    """Execute the commands of FILE (- for stdin), one JSON object a line.

    Prints one outcome a line, in order, each after its facts are stored. The same file may be run again: commands that
    were executed before are answered with their first outcome, marked duplicate, and nothing is recorded twice.
    """
    with Opened(file) as (descriptor, size), EmbeddedLedger(folder, create=True) as ledger:
        counts: Counter[str] = Counter()
        reader = LineReader(descriptor, LARGEST_LINE_BYTES)
        with bar_on_terminal(size, "executing", long=LONG_FILE_BYTES) as advance:
            try:
                writer = ledger.writer()
                with Follower(folder, writer.sequence) as follower:
                    execute(reader, writer, stdout(), counts, advance, follower)
            except StoreError as error:
                raise Incomplete(f"stopped: {error}; {answered(counts)}") from None
            except Unprinted as error:
                raise Unprinted(f"{error}; {answered(counts)}") from None
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; {answered(counts)}") from None
    say(summary(counts))
    if strict and counts["refused"] + counts["invalid"]:
        raise WrongFound


def execute(
    reader: LineReader, writer: Writer, out: Any, counts: Counter[str], advance: Advance, follower: Follower
) -> None:
    """Executes every line; a block of lines is one commit, its outcomes are written to `out` after it.

    A file's block is stored while the next one is decided; whoever sends lines one by one has each answer at once.
    """
    gc.freeze()
    interpreter.set_for_work(collect_after=COLLECT_AFTER_ALLOCATIONS)

    untold: Block | None = None
    for lines in reader.blocks():
        block: Block | None = executed(lines, writer, reader)
        if reader.is_file:
            writer.hand_over()
            block, untold = untold, block
        else:
            writer.commit()
        if block is not None:
            tell(block, out, counts, advance, follower)
    writer.settle()
    if untold is not None:
        tell(untold, out, counts, advance, follower)


@dataclass(frozen=True, slots=True)
class Block:
    """What was answered to a block of lines, and how far the log and the input had come with it."""

    told: Sequence[bytes]
    """The outcomes as they are written."""
    statuses: Sequence[str]
    sequence: int
    bytes_read: int


def executed(lines: Sequence[bytes | None], writer: Writer, reader: LineReader) -> Block:
    """Executes a block of lines."""
    values = [parsed(line) for line in lines]
    writer.prepare(values)
    told, statuses = [], []
    for value in values:
        outcome = answer(value, writer)
        told.append(orjson.dumps(outcome, option=orjson.OPT_APPEND_NEWLINE))
        statuses.append(outcome["status"])
    return Block(told, statuses, writer.sequence, reader.bytes_read)


def tell(block: Block, out: Any, counts: Counter[str], advance: Advance, follower: Follower) -> None:
    """A block is stored: its outcomes are written, and whoever follows hears of it."""
    follower.committed(block.sequence)
    out.write(b"".join(block.told))
    out.flush()
    counts.update(block.statuses)
    advance(block.bytes_read)


def parsed(line: bytes | None) -> Any:
    """What a line holds, or the Fault that it is no JSON; None is a line that was too long to be read."""
    if line is None:
        return Fault("", f"expected a line of at most {LARGEST_LINE_BYTES} bytes")
    try:
        return incoming.parse(line)
    except orjson.JSONDecodeError as error:
        return no_json(line, error)
    except Fault as fault:
        return fault


def answer(value: Any, writer: Writer) -> Outcome:
    """The outcome of what a line held."""
    return outcomes.invalid(None, value) if isinstance(value, Fault) else writer.execute(value)


def summary(counts: Counter[str]) -> str:
    """How many commands ended how, for people."""
    parts = [f"{counts[status]:,} {status}" for status in ("accepted", "refused", "duplicate", "invalid")]
    return f"{counted(counts.total(), 'command')}: {', '.join(parts)}"


def answered(counts: Counter[str]) -> str:
    """How far a run came that did not reach its end, and what to do, for people."""
    were = "was" if counts.total() == 1 else "were"
    return f"{counted(counts.total(), 'command')} {were} answered; run again, it goes on from what is stored"


class Opened(AbstractContextManager[tuple[int, int | None]]):
    """The descriptor of FILE and its size; stdin for `-`, of no known size."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._descriptor = -1

    def __enter__(self) -> tuple[int, int | None]:
        if self._file == "-":
            if sys.stdin is None:
                raise Unusable("stdin is closed; there is nothing to read")
            return sys.stdin.fileno(), None
        try:
            self._descriptor = os.open(self._file, os.O_RDONLY)
        except OSError as error:
            name = self._file or "''"
            raise Unusable(f"{name}: {(error.strerror or str(error)).lower()}") from None
        if Path(self._file).is_dir():
            os.close(self._descriptor)
            raise Unusable(f"{self._file}: expected a file, found a folder")
        return self._descriptor, os.fstat(self._descriptor).st_size

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
