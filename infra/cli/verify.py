"""`subledger verify`: the log against itself, and the views against the log."""

from collections.abc import Sequence

import click

from infra.cli.failures import WrongFound
from infra.cli.opening import live_source
from infra.cli.options import Asked, examples, json_option, source_options
from infra.cli.output import print_json, print_line, print_table, say
from infra.embedded.source import EmbeddedSource
from infra.explain.words import counted
from infra.views.verification import LogVerdicts, Verdict, verify_log, verify_views


@click.command(epilog=examples("subledger verify                   exit 0: all is well, exit 1: something is wrong"))
@json_option
@source_options
def command(as_json: bool, ledger: Asked) -> None:
    """Check the log against itself and the views against the log.

    Sequences and versions without a gap; every fact decodes, follows the one before it and rests on a command; postings
    sum to zero; balances are those of the deposits, and those that were answered. Then the views are folded afresh
    beside the present ones and compared row for row; a log that is not sound is not folded.
    """
    if ledger.is_live:
        from infra.live.verification import verify_live

        with live_source(ledger) as source:
            log, others = verify_live(source)
    else:
        with EmbeddedSource(ledger.folder) as embedded:
            log = verify_log(embedded)
        others = verify_views(ledger.folder) if all(verdict.holds for verdict in log.all) else ()
    verdicts = (*log.all, *others)
    if as_json:
        print_json(_as_object(log, verdicts))
    else:
        _show(log, verdicts)
    if not all(verdict.holds for verdict in verdicts):
        raise WrongFound


def _as_object(log: LogVerdicts, verdicts: Sequence[Verdict]) -> dict[str, object]:
    return {
        "facts": log.facts.checked,
        "subjects": log.subjects,
        "sound": all(verdict.holds for verdict in verdicts),
        "verdicts": [
            {"name": one.name, "checked": one.checked, "wrong": one.wrong, "faults": one.faults} for one in verdicts
        ],
    }


def _show(log: LogVerdicts, verdicts: Sequence[Verdict]) -> None:
    """Every verdict in a line; the faults are talk about the ledger, and so they come on stdout too."""
    rows = ((f"{one.checked:,}", f"{one.wrong:,}" if one.wrong else "", one.name) for one in verdicts)
    print_table((">checked", ">wrong", "what holds"), rows)
    for verdict in verdicts:
        for fault in verdict.faults:
            print_line(f"{verdict.name}: {fault}")
    wrong = sum(not verdict.holds for verdict in verdicts)
    said = f"{counted(wrong, 'check')} of {len(verdicts)} failed" if wrong else "all is well"
    say(f"{counted(log.facts.checked, 'fact')} of {counted(log.subjects, 'subject')}: {said}")
