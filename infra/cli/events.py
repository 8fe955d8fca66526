"""`subledger events`: the facts as they are stored, byte for byte."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import click

from infra.cli.failures import Unusable
from infra.cli.opening import live_settings, opened
from infra.cli.options import Asked, examples, name_argument, source_options
from infra.cli.output import stdout
from infra.embedded.source import no_ledger
from infra.views.log import Entry, SqliteLog
from infra.views.source import Source

BATCH_FACTS = 1_000
LARGEST_SEQUENCE = 2**63 - 1
"""No sequence is larger: what is asked for from beyond it is not there."""
POLL_SECONDS = 0.2


@click.command(
    epilog=examples(
        "subledger events                           the whole log, oldest first",
        "subledger events s-001                     one subscriber's facts",
        "subledger events --from-sequence 1000      from that sequence number on",
        "subledger events --follow                  and go on with what is being recorded",
        "subledger events catalogue                 regulations and tariffs as published",
    )
)
@name_argument("subscriber", "[SUBSCRIBER]", required=False)
@click.option(
    "--from-sequence", "first", type=click.IntRange(min=1), default=1, metavar="N", help="The first sequence."
)
@click.option("--follow", is_flag=True, help="Wait for more facts until Ctrl-C.")
@click.option("--json", is_flag=True, expose_value=False, help="Facts are JSON lines anyway.")
@source_options
def command(subscriber: str | None, first: int, follow: bool, ledger: Asked) -> None:
    """Print stored facts as JSON lines: CloudEvents 1.0, the exact stored bytes, in order of their sequence.

    Reads beside a process that is writing; it holds nobody up. A live ledger has a sequence per shard: its shards come
    one after another, and what is followed comes as it is recorded.
    """
    first = min(first, LARGEST_SEQUENCE)
    if subscriber is not None:
        with opened(ledger) as source:
            printed = _print(_of_subject(source, subscriber, first - 1, follow=follow))
            if not printed and first == 1:
                raise Unusable(f"there are no facts of {subscriber} in {source.name}")
    elif ledger.is_live:
        from infra.live.topic_reading import every_fact

        _print(every_fact(live_settings(), first, follow=follow))
    else:
        _print(_of_folder(ledger.folder, first - 1, follow=follow))


def _print(batches: Iterable[list[bytes]]) -> int:
    """Prints facts batch by batch; answers with how many there were."""
    out, printed = stdout(), 0
    for batch in batches:
        out.write(b"".join(state + b"\n" for state in batch))
        out.flush()
        printed += len(batch)
    return printed


def _of_subject(source: Source, subject: str, after: int, *, follow: bool) -> Iterator[list[bytes]]:
    while True:
        batch: list[Entry] = []
        for entry in source.facts(subject, after):
            batch.append(entry)
            if len(batch) == BATCH_FACTS:
                yield [state for _, state in batch]
                after, batch = entry[0], []
        if batch:
            yield [state for _, state in batch]
            after = batch[-1][0]
        if not follow:
            return
        time.sleep(POLL_SECONDS)
        source.move_on()


def _of_folder(folder: Path, after: int, *, follow: bool) -> Iterator[list[bytes]]:
    if not (folder / "events.db").exists():
        raise no_ledger(folder)
    with closing(SqliteLog(folder / "events.db")) as log:
        while True:
            while batch := log.read(after, BATCH_FACTS):
                yield [state for _, state in batch]
                after = batch[-1][0]
            if not follow:
                return
            time.sleep(POLL_SECONDS)
