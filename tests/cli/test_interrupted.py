"""Ctrl-C in a terminal reaches a process and its helpers: one sentence, exit code 130, and a ledger that goes on."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from infra.cli.failures import Interrupted
from infra.cli.lines import BLOCK_LINES
from infra.embedded.application import LedgerApplication
from infra.views.follower import BACKLOG_FACTS
from tests.cli.conftest import CHECKOUT, PROGRAM, Call

COMMANDS = 3 * BACKLOG_FACTS
"""So many that a second process keeps the views up meanwhile."""
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.01


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes a moment to execute."""
    file = tmp_path_factory.mktemp("many") / "many.jsonl"
    with file.open("w") as lines:
        for number in range(COMMANDS):
            command = {
                "id": f"c-{number}",
                "type": "RegisterSubscriber",
                "subscriber": f"s-{number}",
                "at": "2026-01-05T12:00:00+02:00",
                "actor": "web",
                "data": {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": f"h-{number}"},
            }
            lines.write(json.dumps(command) + "\n")
    return file


def pressed(arguments: list[object], out: Path, lines: int) -> tuple[int, str]:
    """Runs the program in a group of its own, presses Ctrl-C once `out` has so many lines; exit code and stderr."""
    with (
        out.open("wb") as stdout,
        subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], cwd=CHECKOUT, stdout=stdout, stderr=subprocess.PIPE, process_group=0
        ) as process,
    ):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while out.read_bytes().count(b"\n") < lines and process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
        return process.returncode, said


@pytest.mark.parametrize("answered", [1, COMMANDS // 3, COMMANDS // 2, 2 * COMMANDS // 3])
def test_a_run_is_stopped_with_a_sentence_and_run_again_goes_on(
    call: Call, many: Path, tmp_path: Path, answered: int
) -> None:
    folder, out = tmp_path / "ledger", tmp_path / "outcomes.jsonl"
    code, said = pressed(["run", many, "--ledger", folder], out, answered)
    assert code == Interrupted.exit_code, said
    assert said.startswith("subledger: interrupted; ")
    assert said.count("\n") == 1, "no helper says anything of its own"
    answers = [json.loads(line)["command"] for line in out.read_bytes().splitlines()]
    told = re.search(r"interrupted; ([\d,]+) commands were answered; run again, it goes on", said)
    assert told is not None
    assert 0 <= len(answers) - int(told[1].replace(",", "")) <= BLOCK_LINES, "never more than were printed"
    again = call("run", many, "--ledger", folder)
    assert [row["command"] for row in again.rows][: len(answers)] == answers
    assert {row["status"] for row in again.rows[: len(answers)]} == {"duplicate"}
    assert call("balance", f"s-{COMMANDS - 1}", "--ledger", folder).code == 0


def test_the_files_are_closed_after_what_is_being_stored(tmp_path: Path) -> None:
    application = LedgerApplication(str(tmp_path / "events.db"), b"key")
    found: list[int | None] = []

    def look() -> None:
        time.sleep(0.1)
        found.append(application.shard.max_notification_id())

    application.shard.insert_beside([], first_id=None, beside=(), after=look)
    application.close()
    assert found == [None]
