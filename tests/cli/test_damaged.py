"""A ledger that is no longer what it was, and a stdout that takes nothing: one sentence each, and nothing invented."""

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import CHECKOUT, DEMO, PROGRAM, Call

FULL = "/dev/full"
CREDITED = "SELECT rowid FROM stored_events WHERE originator_id = 's-001' AND originator_version = 4"


def changed(folder: Path, statement: str) -> None:
    """Does something to the log that no program of ours does."""
    with sqlite3.connect(folder / "events.db") as log:
        log.execute(statement)
    log.close()


def without_views(folder: Path) -> None:
    for file in folder.glob("views.db*"):
        file.unlink()


@pytest.mark.parametrize(
    "verb", [["balance", "s-001"], ["why", "s-001/7"], ["verify"], ["catalogue", "show"], ["run", DEMO], ["rebuild"]]
)
@pytest.mark.parametrize("name", ["catalogue.db", "salt.key"])
@pytest.mark.parametrize("emptied", [True, False])
def test_what_facts_rest_on_is_not_made_anew(
    call: Call, quarter: Path, verb: list[object], name: str, emptied: bool
) -> None:
    for file in quarter.glob(f"{name}*"):
        file.unlink()
    if emptied:
        (quarter / name).touch()
    answer = call(*verb, "--ledger", quarter)
    assert (answer.code, answer.out) == (4, "")
    assert f"{quarter / name} is missing or empty" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["TEXT", "BLOB"])
def test_verify_finds_a_fact_that_is_no_fact(call: Call, quarter: Path, kind: str) -> None:
    changed(quarter, f"UPDATE stored_events SET state = CAST('{{nonsense' AS {kind}) WHERE rowid = ({CREDITED})")
    answer = call("verify", "--ledger", quarter)
    assert answer.code == 1
    assert "facts decode: s-001/4: not a fact" in answer.out
    assert b"{nonsense" in b"\n".join(line.encode() for line in call("events", "--ledger", quarter).out.splitlines())


@pytest.mark.parametrize("verb", [["rebuild"], ["balance", "s-001"], ["rebuild", "lots"]])
def test_a_gap_in_the_log_is_not_taken_for_bad_views(call: Call, quarter: Path, verb: list[str]) -> None:
    changed(quarter, f"DELETE FROM stored_events WHERE rowid = ({CREDITED})")
    without_views(quarter)
    answer = call(*verb, "--ledger", quarter)
    assert (answer.code, answer.out) == (1, "")
    assert "the log is damaged: expected the fact of sequence" in answer.err
    assert "`subledger verify`" in answer.err


@pytest.mark.parametrize(
    "verb", ["balance s-001", "statement s-001", "events", "findings", "export journal --format hledger"]
)
def test_a_stdout_that_takes_nothing_is_not_taken_for_the_ledger(made: Path, verb: str) -> None:
    assert spoken(f"{verb} --ledger {made}") == (3, "subledger: stdout cannot be written: no space left on device\n")


def test_a_run_that_cannot_tell_its_outcomes_says_that_they_are_stored(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    code, said = spoken(f"run {DEMO} --ledger {folder}")
    assert code == 3
    assert said.startswith("subledger: stdout cannot be written: no space left on device; 0 commands were answered")
    assert said.count("\n") == 1
    assert {row["status"] for row in call("run", DEMO, "--ledger", folder).rows} == {"duplicate"}


def spoken(verb: str) -> tuple[int, str]:
    """Exit code and stderr of a verb whose stdout is full."""
    script = f"exec {' '.join(PROGRAM)} {verb} > {FULL}"
    done = subprocess.run(["bash", "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_folder_that_may_not_be_written_says_so_and_why(
    call: Call, quarter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied", str(quarter / "views.lock"))

    monkeypatch.setattr("infra.views.lock.os.open", refused)
    answer = call("balance", "s-001", "--ledger", quarter)
    assert answer.code == 4
    assert f"{quarter / 'views.lock'}: permission denied; whoever reads" in answer.err
    assert "Errno" not in answer.err
