"""`subledger verify`: the log against itself, and the views against the log."""

import sys
from itertools import chain, islice
from pathlib import Path

import click
import orjson

from infra.cli.failures import WrongFound
from infra.cli.log_checks import Count, Fault, log_faults
from infra.cli.options import examples, json_option, ledger_option
from infra.cli.view_checks import view_faults
from infra.embedded.folder import EmbeddedLedger
from infra.explain.words import counted

MOST_FAULTS = 100
"""No more faults are listed; the first of them says where to look."""


@click.command(epilog=examples("subledger verify                   exit 0: all is well, exit 1: something is wrong"))
@json_option
@ledger_option
def command(as_json: bool, folder: Path) -> None:
    """Check the log against itself and the views against the log.

    Sequences and versions without a gap; every fact decodes, follows the one before it and rests on a command; postings
    sum to zero; balances are those of the deposits. Then the views are folded afresh beside the present ones and
    compared row for row; a log that is not sound is not folded.
    """
    count = Count()
    with EmbeddedLedger(folder) as ledger:
        key = (folder / "salt.key").read_bytes()
        found = chain(
            log_faults(ledger.catalogue_application, key, count),
            log_faults(ledger.application, key, count),
        )
        faults = list(islice(found, MOST_FAULTS))
        if not faults:
            faults = list(islice(view_faults(ledger), MOST_FAULTS))
    _show(count, faults, as_json)
    if faults:
        raise WrongFound


def _show(count: Count, faults: list[Fault], as_json: bool) -> None:
    if as_json:
        listed = [{"where": fault.where, "what": fault.what} for fault in faults]
        verdict = {"facts": count.facts, "subjects": count.subjects, "sound": not faults, "faults": listed}
        sys.stdout.write(orjson.dumps(verdict).decode() + "\n")
        return
    for fault in faults:
        print(f"{fault.where}: {fault.what}")
    verdict_words = f"{counted(len(faults), 'fault')}" if faults else "all is well"
    print(f"{count.facts:,} facts of {count.subjects:,} subjects: {verdict_words}")
