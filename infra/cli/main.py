"""`subledger`: finds the verb, loads only its module, and answers with one sentence and an exit code when it fails."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from infra.cli.failures import Failure, Incomplete, Interrupted, PipeClosed, Unreachable, Unusable, WrongFound

TRACEBACK = "SUBLEDGER_TRACEBACK"
"""Set in the environment, a defect shows where it happened."""

SECTIONS: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "a provider's first quarter from nothing, in a few seconds",
        "run": "execute commands from a file or stdin",
        "rehearse": "what would happen until an instant; nothing is recorded",
    },
    "Ask": {
        "balance": "a subscriber's balance, now, as of an instant, or as it was known then",
        "statement": "opening balance, lines with a running balance, closing balance",
        "invoice": "one invoice with its lines, tax and what became of it; a page to print",
        "timeline": "every fact of a subscriber in words",
        "why": "one charge, refusal or other fact explained: clause, tariff, arithmetic",
        "number": "who held a number, and when",
        "findings": "what a person should look at",
        "trial-balance": "the accounts of the journal; debits equal credits",
    },
    "On Kafka": {
        "topics": "make and check the topics of a live ledger",
        "submit": "send commands to a live ledger and wait for their outcomes",
        "write": "the process that decides the commands",
        "project": "the process that keeps the views in PostgreSQL",
        "calendar": "the process that lets time pass",
    },
    "Check and keep": {
        "events": "stored facts as JSON lines, byte for byte",
        "verify": "the log against itself, and the views against the log",
        "rebuild": "drop the views and fold them again from the log",
        "export": "the journal for hledger or beancount",
        "catalogue": "publish, show and compare regulations and tariffs",
        "bench": "throughput and latency on this machine",
    },
}
"""Every verb with its line in `subledger --help`, which therefore loads none of them."""


class Program(click.Group):
    """A group of verbs that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verbs in SECTIONS.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not any(cmd_name in verbs for verbs in SECTIONS.values()):
            return None
        verb: click.Command = import_module(f"infra.cli.{cmd_name.replace('-', '_')}").command
        return verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            _flush()
            return result
        except BrokenPipeError:
            raise PipeClosed from None
        except KeyboardInterrupt:
            raise Interrupted from None


ABOUT = """An event-sourced ledger for prepaid subscribers of virtual phone numbers.

\b
Try it:
  subledger demo                                    a provider's first quarter
  subledger balance s-001 --ledger demo-ledger      what a subscriber has
  subledger run commands.jsonl                      your own commands, into ./ledger
"""


@click.group(
    cls=Program,
    help=ABOUT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`subledger VERB --help` shows a verb's options and examples. Exit codes: 0 fine, 1 something was found "
    "wrong, 2 usage or unreadable input, 3 incomplete, 4 the ledger cannot be reached.",
)
def program() -> None:
    """The group of all verbs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; answers with the exit code."""
    try:
        program.main(args=arguments, prog_name="subledger", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        print(asked.format_message(), file=sys.stderr)
        return Unusable.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "subledger"
        said = " ".join(error.format_message().split()).rstrip(".")
        return _ended(Unusable(f"{said}; see `{where} --help`"))
    except (click.Abort, KeyboardInterrupt):
        return Interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost edge: people get a sentence, never a traceback
        return _ended(_failure(error))
    return 0


def _flush() -> None:
    """The end of what was printed; whoever calls hears of what does not get there."""
    from infra.cli.output import stdout

    if sys.stdout is not None:
        stdout().flush()


def _ended(failure: Failure) -> int:
    if isinstance(failure, PipeClosed):
        from infra.cli.output import drop_stdout

        drop_stdout()
    elif str(failure):
        print(f"subledger: {failure}", file=sys.stderr)
    return failure.exit_code


def _failure(error: Exception) -> Failure:  # noqa: C901, PLR0911 - one case for each thing that can go wrong
    """The sentence and the exit code for an exception; imports are made here since most runs never need them."""
    if os.environ.get(TRACEBACK) and not isinstance(error, Failure):
        raise error
    import sqlite3

    from consumers.ports import StoreError
    from domain.state import CorruptStream
    from infra.codec import UndecodableFact
    from infra.embedded.folder import NoLedger
    from infra.views.runner import OutOfSequence, ViewsError

    match error:
        case Failure():
            return error
        case _ if "infra.live.settings" in sys.modules and (failure := _live_failure(error)) is not None:
            return failure
        case NoLedger():
            return Unusable(str(error))
        case StoreError():
            return Unreachable(str(error))
        case CorruptStream() | UndecodableFact():
            return WrongFound(f"the log is damaged: {error}")
        case OutOfSequence():
            return WrongFound(f"the log is damaged: {error}; `subledger verify` looks at all of it")
        case ViewsError():
            return WrongFound(f"the views cannot be used: {error}; `subledger rebuild` makes them anew")
        case click.ClickException():
            return Unusable(error.format_message().rstrip("."))
        case sqlite3.Error() | OSError():
            return Unreachable(f"the ledger's files cannot be used: {_of_files(error)}")
        case _:
            place = f"set {TRACEBACK}=1 to see where"
            return Incomplete(f"a defect of this program: {type(error).__name__}: {error} ({place})")


def _of_files(error: Exception) -> str:
    """What is wrong with a file, in words; and what to do where it may not be written."""
    said = str(error)
    if isinstance(error, OSError) and error.strerror:
        said = error.strerror.lower() if error.filename is None else f"{error.filename}: {error.strerror.lower()}"
    if isinstance(error, PermissionError) or "readonly" in said or "read-only" in said:
        return f"{said}; whoever reads a ledger keeps its views in the folder, and so writes there, too"
    return said


def _live_failure(error: Exception) -> Failure | None:
    """The sentence and the exit code for what may happen to a live ledger; None for anything else."""
    from infra.live.failures import Kind, diagnosis

    found = diagnosis(error)
    if found is None:
        return None
    kind, sentence = found
    return {Kind.UNUSABLE: Unusable, Kind.WRONG: WrongFound, Kind.ABSENT: Unreachable}[kind](sentence)


if __name__ == "__main__":
    sys.exit(main())
