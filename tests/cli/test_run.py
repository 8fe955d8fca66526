"""`subledger run`: one outcome a line, whatever the line is; what is answered is stored, whatever happens next."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from consumers.intake import LARGEST_LINE_BYTES
from infra.cli.lines import BLOCK_LINES, LineReader
from tests.cli.conftest import CHECKOUT, DEMO, PROGRAM, Call

REGISTERED = {
    "id": "c-1",
    "type": "RegisterSubscriber",
    "subscriber": "s-1",
    "at": "2026-01-05T09:00:00+02:00",
    "actor": "desk-1",
    "data": {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h-1"},
}
PATIENCE_SECONDS = 30


def facts(folder: Path) -> list[dict[str, Any]]:
    """The facts of a ledger without the salts, which differ from ledger to ledger."""
    done = subprocess.run(
        [*PROGRAM, "events", "--ledger", str(folder)], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return [{k: v for k, v in json.loads(line).items() if k != "salt"} for line in done.stdout.splitlines()]


def test_every_line_gets_one_outcome_in_order(call: Call, tmp_path: Path) -> None:
    lines = [
        json.dumps(REGISTERED).encode(),
        b"",
        b"not json",
        b"[1, 2]",
        b'{"id": "c-2"}',
        b"\xff\xfe",
        b'"' + b"x" * LARGEST_LINE_BYTES + b'"',
        json.dumps(REGISTERED).encode(),
        json.dumps({**REGISTERED, "actor": "desk-2"}).encode(),
    ]
    file = tmp_path / "commands.jsonl"
    file.write_bytes(b"\n".join(lines))
    answer = call("run", file, "--ledger", tmp_path / "ledger")
    assert answer.code == 0
    found = [(row["command"], row["status"], row.get("path"), row.get("code")) for row in answer.rows]
    assert found == [
        ("c-1", "accepted", None, None),
        (None, "invalid", "", None),
        (None, "invalid", "", None),
        (None, "invalid", "", None),
        ("c-2", "invalid", "type", None),
        (None, "invalid", "", None),
        (None, "invalid", "", None),
        ("c-1", "duplicate", None, None),
        ("c-1", "refused", None, "command_id_reused"),
    ]
    assert "9 commands: 1 accepted, 1 refused, 1 duplicate, 6 invalid" in answer.err
    assert len(facts(tmp_path / "ledger")) == 1


def test_strict_says_by_its_exit_code_that_something_was_refused_or_invalid(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_text(json.dumps(REGISTERED) + "\n")
    assert call("run", file, "--strict", "--ledger", tmp_path / "ledger").code == 0
    file.write_text("{}\n")
    assert call("run", file, "--strict", "--ledger", tmp_path / "ledger").code == 1


@pytest.mark.parametrize("file", ["no-such-file.jsonl", "."])
def test_a_file_that_cannot_be_read_is_said_in_one_sentence_and_makes_no_ledger(
    call: Call, tmp_path: Path, file: str
) -> None:
    answer = call("run", tmp_path / file, "--ledger", tmp_path / "ledger")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "ledger").exists()


def test_a_line_is_read_in_bounded_memory_however_long_it_is(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"a\n" + b"x" * 5_000_000 + b"\nb\n" + b"y" * 1_000_000 + b"\nlast")
    descriptor = os.open(file, os.O_RDONLY)
    reader = LineReader(descriptor, longest=1_000)
    largest, lines = 0, []
    for block in reader.blocks():
        lines += block
        largest = max(largest, len(reader._rest))
    os.close(descriptor)
    assert lines == [b"a", None, b"b", None, b"last"]
    assert largest <= 1_000


def test_blocks_are_bounded_and_nothing_is_lost_between_them(tmp_path: Path) -> None:
    file = tmp_path / "many"
    wanted = [str(number).encode() for number in range(2 * BLOCK_LINES + 500)]
    file.write_bytes(b"\n".join(wanted) + b"\n")
    descriptor = os.open(file, os.O_RDONLY)
    blocks = list(LineReader(descriptor, longest=1_000).blocks())
    os.close(descriptor)
    assert [len(block) for block in blocks] == [BLOCK_LINES, BLOCK_LINES, 500]
    assert [line for block in blocks for line in block] == wanted


def test_an_interactive_sender_gets_each_answer_before_the_next_command(tmp_path: Path) -> None:
    arguments = [*PROGRAM, "run", "-", "--ledger", str(tmp_path / "ledger")]
    with subprocess.Popen(
        arguments, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(
                json.dumps({**REGISTERED, "id": f"c-{number}", "subscriber": f"s-{number}"}).encode() + b"\n"
            )
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["command"] == f"c-{number}"
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def interruptible() -> None:
    """A shell that starts the tests in the background has children ignore Ctrl-C; these must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted(folder: Path, how: signal.Signals) -> tuple[int, str]:
    """Runs a third of the demo, sends the signal while more is waited for; the exit code, and what was said.

    The first lines fit twice into a pipe: nobody reads outcomes yet while they are being sent.
    """
    lines = DEMO.read_bytes().splitlines(keepends=True)
    arguments = [*PROGRAM, "run", "-", "--ledger", str(folder)]
    with subprocess.Popen(
        arguments,
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - no thread of the tests runs beside it
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"".join(lines[:500]))
        process.stdin.flush()
        for _ in range(500):
            process.stdout.readline()
        process.stdin.write(b"".join(lines[500:700]))
        process.stdin.flush()
        process.send_signal(how)
        code = process.wait(PATIENCE_SECONDS)
        return code, process.stderr.read().decode()


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        (signal.SIGINT, 130, "commands were answered; run again, it goes on from what is stored"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_stopped_at_any_instant_and_run_again_it_ends_like_an_undisturbed_run(
    call: Call, made: Path, tmp_path: Path, how: signal.Signals, code: int, words: str
) -> None:
    folder = tmp_path / "ledger"
    found, said = interrupted(folder, how)
    assert found == code
    assert words in said
    assert said.count("\n") == bool(words)
    assert len(facts(folder)) > 500
    assert call("run", DEMO, "--ledger", folder).code == 0
    assert facts(folder) == facts(made)
    assert call("verify", "--ledger", folder).code == 0


def test_a_second_process_waits_shortly_then_says_who_holds_the_ledger(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    arguments = [*PROGRAM, "run", "-", "--ledger", str(folder)]
    with subprocess.Popen(
        arguments, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(REGISTERED).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        started = time.monotonic()
        answer = call("run", DEMO, "--ledger", folder)
        waited = time.monotonic() - started
        beside = call("events", "--ledger", folder)
        process.stdin.close()
        process.wait(PATIENCE_SECONDS)
    assert answer.code == 4
    assert f"held by process {process.pid}" in answer.err
    assert answer.err.count("\n") == 1
    assert 1 < waited < 10
    assert len(beside.rows) == 1, "events reads beside a writer"


def test_nobody_reads_the_outcomes_any_more(tmp_path: Path) -> None:
    line = f"{' '.join(PROGRAM)} run {DEMO} --ledger {tmp_path / 'ledger'} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 141)
    assert done.stderr.count("Traceback") == 0
    assert len(done.stdout.splitlines()) == 1
    assert len(facts(tmp_path / "ledger")) > 0


def test_a_full_disk_is_said_in_one_sentence_and_what_was_answered_is_stored(tmp_path: Path) -> None:
    script = f"ulimit -f 600; exec {' '.join(PROGRAM)} run {DEMO} --ledger {tmp_path / 'ledger'}"
    done = subprocess.run(["bash", "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    answered = {event["id"] for line in done.stdout.splitlines() for event in json.loads(line)["events"]}
    assert answered <= {fact["id"] for fact in facts(tmp_path / "ledger")} | {
        fact for fact in answered if fact.startswith("catalogue/")
    }


def test_events_follow_what_is_being_recorded(call: Call, tmp_path: Path) -> None:
    folder, file = tmp_path / "ledger", tmp_path / "one.jsonl"
    file.write_text(json.dumps(REGISTERED) + "\n")
    call("run", file, "--ledger", folder)
    arguments = [*PROGRAM, "events", "--follow", "--ledger", str(folder)]
    with subprocess.Popen(
        arguments,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - no thread of the tests runs beside it
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["id"] == "s-1/1"
        file.write_text(json.dumps({**REGISTERED, "id": "c-2", "subscriber": "s-2"}) + "\n")
        assert call("run", file, "--ledger", folder).code == 0, "a follower holds nobody up"
        assert json.loads(process.stdout.readline())["id"] == "s-2/1"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 130
