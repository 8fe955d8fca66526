"""`subledger demo`: what it prints is what stands in the golden file, and it may be run again."""

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.conftest import CHECKOUT, DEMO, Call

GOLDEN = Path(__file__).parent / "demo.golden.txt"
MOST_SECONDS = 10


def test_the_demo_prints_what_it_always_prints_within_ten_seconds(call: Call, tmp_path: Path) -> None:
    """After a deliberate change: `subledger demo --ledger demo-ledger > tests/cli/demo.golden.txt`."""
    folder = tmp_path / "demo-ledger"
    started = time.monotonic()
    answer = call("demo", "--ledger", folder)
    assert time.monotonic() - started < MOST_SECONDS
    assert answer.code == 0
    assert answer.out.replace(str(folder), "demo-ledger") == GOLDEN.read_text(encoding="utf-8")


def test_the_demo_again_changes_nothing_and_says_so(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "demo-ledger"
    first = call("demo", "--ledger", folder)
    before = call("events", "--ledger", folder).out
    again = call("demo", "--ledger", folder)
    assert (again.code, again.out) == (0, first.out)
    assert "nothing recorded twice" in again.err
    assert call("events", "--ledger", folder).out == before


def test_the_demo_leaves_somebody_elses_ledger_alone(call: Call, tmp_path: Path) -> None:
    file, folder = tmp_path / "own.jsonl", tmp_path / "own"
    file.write_text(
        '{"id": "x", "type": "RegisterSubscriber", "subscriber": "s-1", "at": "2026-01-05T09:00:00Z", "actor": "a", '
        '"data": {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h"}}\n'
    )
    call("run", file, "--ledger", folder)
    before = call("events", "--ledger", folder).out
    answer = call("demo", "--ledger", folder)
    assert answer.code == 2
    assert "another ledger" in answer.err
    assert call("events", "--ledger", folder).out == before


def test_every_command_line_that_the_demo_offers_works(call: Call, made: Path) -> None:
    offered = re.findall(r"^  subledger (.+)$", GOLDEN.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(offered) >= 8
    for line in offered:
        arguments = line.partition(" > ")[0].replace("demo-ledger", str(made)).split()
        assert call(*arguments).code == 0, line


def test_the_file_of_commands_is_the_one_that_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "demo" / "generate.py"], capture_output=True, check=True, cwd=CHECKOUT
    )
    assert done.stdout == DEMO.read_bytes()
