"""`subledger submit`: commands to a live ledger, outcomes back."""

from collections import Counter
from collections.abc import Iterable

import click
import orjson

from consumers.intake import LARGEST_LINE_BYTES
from infra.cli.failures import Incomplete, Interrupted, WrongFound
from infra.cli.lines import LineReader
from infra.cli.options import examples
from infra.cli.output import say, stdout
from infra.cli.progress import bar_on_terminal
from infra.cli.run import LONG_FILE_BYTES, Opened, summary
from infra.explain.words import counted


@click.command(
    epilog=examples(
        "subledger submit commands.jsonl                       to the ledger of SUBLEDGER_KAFKA",
        "generate-commands | subledger submit - --strict       exit 1 if any was refused or invalid",
    )
)
@click.argument("file", metavar="FILE")
@click.option("--strict", is_flag=True, help="Exit 1 when a command was refused or invalid.")
@click.option("--json", is_flag=True, expose_value=False, help="Outcomes are JSON lines anyway.")
def command(file: str, strict: bool) -> None:
    """Send the commands of FILE (- for stdin), one JSON object a line, to a live ledger, and wait for the outcomes.

    Prints one outcome a line, in order. Personal data is sealed before it is sent. The same file may be sent again:
    commands that were decided before are answered with their first outcome, marked duplicate. `position` says what a
    reading verb has to have seen (`--at-least`) to show what the command recorded.
    """
    from infra.live.settings import load
    from infra.live.submitting import NoReply, Submission

    counts: Counter[str] = Counter()
    with Opened(file) as (descriptor, size):
        submission = Submission(load())
        reader = LineReader(descriptor, LARGEST_LINE_BYTES)
        try:
            with bar_on_terminal(size, "submitting", long=LONG_FILE_BYTES) as advance:
                for block in reader.blocks():
                    _print(submission.send(block), counts)
                    if not reader.is_file:
                        _print(submission.rest(), counts)
                    advance(reader.bytes_read)
                _print(submission.rest(), counts)
        except NoReply as error:
            raise Incomplete(f"{error} {_answered(counts)}") from None
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {_answered(counts)}") from None
        finally:
            submission.close()
    say(summary(counts))
    if strict and counts["refused"] + counts["invalid"]:
        raise WrongFound


def _answered(counts: Counter[str]) -> str:
    """How far it came, and what to do, for people."""
    were = "was" if counts.total() == 1 else "were"
    return (
        f"{counted(counts.total(), 'command')} {were} answered; "
        "what was decided is answered as duplicate when sent again"
    )


def _print(answered: Iterable[dict[str, object]], counts: Counter[str]) -> None:
    out = stdout()
    for outcome in answered:
        out.write(orjson.dumps(outcome, option=orjson.OPT_APPEND_NEWLINE))
        counts[str(outcome["status"])] += 1
    out.flush()
