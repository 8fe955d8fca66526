"""`subledger events`: the facts as they are stored, byte for byte."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from domain.commands import CATALOGUE_SUBJECT
from infra.cli.failures import Unusable
from infra.cli.options import examples, ledger_option
from infra.embedded.folder import NoLedger

BATCH_FACTS = 1_000
POLL_SECONDS = 0.2
SELECT = "SELECT rowid, state FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?"
SELECT_SUBJECT = (
    "SELECT rowid, state FROM stored_events WHERE originator_id = ? AND rowid > ? ORDER BY originator_version LIMIT ?"
)

Rows = list[tuple[int, bytes]]


@click.command(
    epilog=examples(
        "subledger events                           the whole log, oldest first",
        "subledger events s-001                     one subscriber's facts",
        "subledger events --from-sequence 1000      from that sequence number on",
        "subledger events --follow                  and go on with what is being recorded",
        "subledger events catalogue                 regulations and tariffs as published",
    )
)
@click.argument("subscriber", metavar="[SUBSCRIBER]", required=False)
@click.option(
    "--from-sequence", "first", type=click.IntRange(min=1), default=1, metavar="N", help="The first sequence."
)
@click.option("--follow", is_flag=True, help="Wait for more facts until Ctrl-C.")
@click.option("--json", is_flag=True, expose_value=False, help="Facts are JSON lines anyway.")
@ledger_option
def command(subscriber: str | None, first: int, follow: bool, folder: Path) -> None:
    """Print stored facts as JSON lines: CloudEvents 1.0, the exact stored bytes, in order of their sequence.

    Reads beside a process that is writing; it holds nobody up.
    """
    log = _open(folder, subscriber)
    try:
        printed = 0
        after = first - 1
        while True:
            after, count = _print_from(log, subscriber, after)
            printed += count
            if not follow:
                break
            time.sleep(POLL_SECONDS)
    finally:
        log.close()
    if subscriber is not None and not printed and first == 1:
        raise Unusable(f"there are no facts of {subscriber} in {folder}")


def _open(folder: Path, subscriber: str | None) -> sqlite3.Connection:
    """A read-only connection to the log: a reader of SQLite's write-ahead log sees committed facts only."""
    database = folder / ("catalogue.db" if subscriber == CATALOGUE_SUBJECT else "events.db")
    if not database.exists():
        raise NoLedger(f"there is no ledger in {folder}; `subledger run FILE --ledger {folder}` makes one")
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _print_from(log: sqlite3.Connection, subscriber: str | None, after: int) -> tuple[int, int]:
    """Prints the facts after that sequence; answers with the last sequence printed and how many they were."""
    count = 0
    for batch in _batches(log, subscriber, after):
        sys.stdout.buffer.write(b"".join(state + b"\n" for _, state in batch))
        sys.stdout.buffer.flush()
        after = batch[-1][0]
        count += len(batch)
    return after, count


def _batches(log: sqlite3.Connection, subscriber: str | None, after: int) -> Iterator[Rows]:
    while True:
        if subscriber is None:
            rows: Rows = log.execute(SELECT, (after, BATCH_FACTS)).fetchall()
        else:
            rows = log.execute(SELECT_SUBJECT, (subscriber, after, BATCH_FACTS)).fetchall()
        if not rows:
            return
        yield rows
        after = rows[-1][0]
