"""Reading beside a writer: nobody waits for the ledger's lock, several readers keep the views at once, none writes."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from infra.embedded.folder import EmbeddedLedger, LedgerHeld
from infra.embedded.source import EmbeddedSource
from infra.views.reading import Views
from tests.cli.conftest import CHECKOUT, DEMO, PROGRAM, Call

ANSWER_LIMIT_S = 60
READERS = 4
READING = (
    ["balance", "s-001"],
    ["statement", "s-001"],
    ["timeline", "s-003"],
    ["why", "s-001/7"],
    ["why", "c-0003"],
    ["number", "+380445558888"],
    ["findings"],
    ["trial-balance"],
    ["events", "s-001"],
    ["events"],
    ["verify"],
    ["export", "journal", "--format", "hledger"],
    ["catalogue", "show"],
    ["catalogue", "show", "--subscriber", "s-001"],
    ["catalogue", "diff", "telnexx-usd-2024", "telnexx-usd-2026-03"],
    ["rehearse", "--until", "2026-05-02"],
)


def send(writer: "subprocess.Popen[bytes]", lines: Iterable[bytes]) -> None:
    """One line after the other, each once the one before is stored: neither pipe fills up."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    for line in lines:
        writer.stdin.write(line)
        writer.stdin.flush()
        assert writer.stdout.readline()


@contextmanager
def running(folder: Path, lines: list[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """A `run` that has stored half of the lines, whose input is still open."""
    words = [*PROGRAM, "run", "-", "--ledger", str(folder)]
    writer = subprocess.Popen(words, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        send(writer, lines)
        yield writer
    finally:
        writer.kill()
        writer.communicate()


def test_every_reading_verb_answers_while_a_run_goes_on(call: Call, tmp_path: Path) -> None:
    """Commands come slowly through a pipe: between any two questions some more are stored."""
    lines = DEMO.read_bytes().splitlines(keepends=True)
    folder = tmp_path / "ledger"
    half = len(lines) // 2
    with running(folder, lines[:half]) as writer:
        with pytest.raises(LedgerHeld):
            EmbeddedLedger(folder, wait_seconds=0)
        later = iter(lines[half:])
        known = 0
        for words in READING:
            answer = call(*words, "--ledger", folder)
            assert (answer.code, bool(answer.out)) == (0, True), (words, answer.err)
            counted = len(call("events", "--ledger", folder).out.splitlines())
            assert counted >= known
            known = counted
            send(writer, islice(later, 40))
        assert call("rebuild", "--ledger", folder).code == 4, "only what takes the writer's place has to wait for it"
        send(writer, later)
        writer.communicate(timeout=ANSWER_LIMIT_S)
        assert writer.returncode == 0
    assert call("verify", "--ledger", folder).code == 0


def test_several_readers_bring_the_views_along_at_once(quarter: Path) -> None:
    """The views are missing: one of them folds, the others wait; then each catches up beside the others."""
    for file in quarter.glob("views.db*"):
        file.unlink()
    words = [*PROGRAM, "trial-balance", "--json", "--ledger", str(quarter)]
    readers = [
        subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(READERS)
    ]
    answers = [reader.communicate(timeout=ANSWER_LIMIT_S) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * READERS, answers
    assert len({out for out, _ in answers}) == 1


def test_a_source_shows_one_moment_of_views_and_facts(quarter: Path) -> None:
    """What is recorded after it was opened is not in its views and not in its facts; opened anew, it is in both."""
    deposit = {"amount": "1.00", "currency": "USD", "method": "card", "reference": "late"}
    head = {"id": "late", "type": "CreditDeposit", "subscriber": "s-001", "at": "2026-06-01T12:00:00+03:00"}
    with EmbeddedSource(quarter) as source:
        before, facts = Views(source).balance("s-001"), list(source.facts("s-001"))
        with EmbeddedLedger(quarter) as ledger:
            writer = ledger.writer()
            assert writer.execute({**head, "actor": "desk", "data": deposit})["status"] == "accepted"
            writer.commit()
        with EmbeddedSource(quarter) as other:
            after = Views(other).balance("s-001")
        assert after != before
        assert Views(source).balance("s-001") == before
        assert list(source.facts("s-001")) == facts


def test_reading_writes_nothing_to_the_log(call: Call, quarter: Path) -> None:
    logs = [quarter / name for name in ("events.db", "catalogue.db", "salt.key")]
    before = [file.read_bytes() for file in logs]
    for words in READING:
        assert call(*words, "--ledger", quarter).code == 0, words
    assert [file.read_bytes() for file in logs] == before


def test_a_rebuild_waits_until_nobody_reads(quarter: Path) -> None:
    """The file in use is exchanged once the reader has closed it, and the reader has seen one moment all along."""
    rebuilding = [*PROGRAM, "rebuild", "--ledger", str(quarter)]
    with EmbeddedSource(quarter) as source:
        before = Views(source).trial_balance()
        process = subprocess.Popen(rebuilding, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3.0)
        assert Views(source).trial_balance() == before
    _, said = process.communicate(timeout=ANSWER_LIMIT_S)
    assert process.returncode == 0, said
    assert b"folded all views" in said


def test_a_command_is_found_by_its_id_without_a_scan(quarter: Path) -> None:
    with EmbeddedSource(quarter) as source:
        _, log = source.moments
        (plan,) = log.rows("EXPLAIN QUERY PLAN SELECT subject FROM commands WHERE command_id = ?", ("c-0003",))
        assert "SEARCH" in plan[-1], plan
        assert "command_id=?" in plan[-1]
