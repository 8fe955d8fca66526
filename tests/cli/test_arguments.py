"""What people and scripts really pass: empty variables, other people's encodings, days that are none, odd names."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import CHECKOUT, PROGRAM, Call

OF_A_NAME = ("balance", "statement", "timeline", "why", "invoice", "number", "events")
INSTANTS = (
    ("balance", "s-001", "--as-of"),
    ("balance", "s-001", "--known-at"),
    ("statement", "s-001", "--from"),
    ("statement", "s-001", "--to"),
    ("trial-balance", "--as-of"),
    ("rehearse", "--until"),
)


@pytest.mark.parametrize("verb", OF_A_NAME)
def test_an_empty_name_is_a_mistake(call: Call, made: Path, verb: str) -> None:
    answer = call(verb, "", "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert "expected a name, found ''" in answer.err


@pytest.mark.parametrize("verb", OF_A_NAME)
@pytest.mark.parametrize("name", [b"\xff\xfe", "s-ü".encode()])
def test_a_name_in_any_encoding_is_looked_up_or_said_to_be_no_text(made: Path, verb: str, name: bytes) -> None:
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*map(os.fsencode, PROGRAM), verb.encode(), name, b"--ledger", os.fsencode(made)],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
        env=ascii_only,
    )
    said = done.stderr.decode()
    assert done.returncode == (0 if verb == "number" and name != b"\xff\xfe" else 2), said
    assert "a defect" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", INSTANTS)
def test_an_empty_instant_is_not_taken_for_now(call: Call, made: Path, arguments: tuple[str, ...]) -> None:
    answer = call(*arguments, "", "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert f"{arguments[-1]}: expected an instant with a zone" in answer.err
    assert "a local date is written 2026-02-01" in answer.err


@pytest.mark.parametrize("arguments", INSTANTS)
def test_a_day_that_is_none_is_said_to_be_none_and_no_more(call: Call, made: Path, arguments: tuple[str, ...]) -> None:
    answer = call(*arguments, "2026-02-30", "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"subledger: {arguments[-1]}: expected a date that exists, found '2026-02-30'\n"


@pytest.mark.parametrize("text", ["2026-02-01T00:00:00", "2026-02-01T00:00:00+0200", "2026-2-1", "now", "٢٠٢٦-02-01"])
def test_an_instant_without_a_zone_is_not_guessed(call: Call, made: Path, text: str) -> None:
    answer = call("balance", "s-001", "--as-of", text, "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert "expected an instant with a zone such as 2026-01-05T12:00:00+02:00, found" in answer.err


@pytest.mark.parametrize("verb", [["balance", "s-001"], ["run", "-"], ["demo"], ["trial-balance"]])
def test_an_empty_folder_name_is_not_taken_for_this_folder(call: Call, verb: list[str]) -> None:
    answer = call(*verb, "--ledger", "")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "subledger: --ledger: expected a folder, found ''\n"


@pytest.mark.parametrize("verb", [["run", "-"], ["demo"], ["catalogue", "publish", "x.json"]])
def test_the_live_ledger_is_not_taken_for_a_folder(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(*verb, "--ledger", "kafka")
    assert (answer.code, answer.out) == (2, "")
    assert "this verb works on a folder" in answer.err
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_ledger_is_not_advised_as_one(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    answer = call("balance", "s-001", "--ledger", file)
    assert answer.code == 2
    assert answer.err == f"subledger: {file}: expected the folder of a ledger, found a file\n"


def test_a_statement_that_ends_before_it_begins_is_a_mistake(call: Call, made: Path) -> None:
    answer = call("statement", "s-001", "--from", "2026-03-01", "--to", "2026-02-01", "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert "--to: expected an instant that is not before that of --from" in answer.err
    assert call("statement", "s-001", "--from", "2026-03-01", "--to", "2026-03-01", "--ledger", made).code == 0


@pytest.mark.parametrize("fact", ["s-001/007", "s-001/٧", "s-001/0", "s-001/-1", "s-001/", "/7", "s-001/" + "9" * 30])
@pytest.mark.parametrize("verb", ["why", "invoice"])
def test_a_fact_has_one_name(call: Call, made: Path, verb: str, fact: str) -> None:
    answer = call(verb, fact, "--ledger", made)
    assert (answer.code, answer.out) == (2, "")
    assert fact in answer.err
    assert "a defect" not in answer.err


@pytest.mark.parametrize("first", [2**63, 10**30])
@pytest.mark.parametrize("whose", [[], ["s-001"]])
def test_events_from_beyond_any_sequence_are_none(call: Call, made: Path, whose: list[str], first: int) -> None:
    answer = call("events", *whose, "--from-sequence", first, "--ledger", made)
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_nobody_held_a_number_that_is_written_without_its_plus(call: Call, made: Path) -> None:
    assert "begin with +" in call("number", "380445558888", "--ledger", made).err
    assert call("number", "+380445550000000", "--ledger", made).err == "nobody has held +380445550000000\n"
