"""Every scenario holds however it is sent: at once, one opening per command, everything twice, with daily ticks.

The files beside this module are run inside this process. The program that users install is driven by the tool that
comes with the given scenarios, where those are.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from infra.cli.main import main
from infra.embedded.folder import EmbeddedLedger
from tests.scenarios.scenario import Ask, Do, Json, faults, instant_of, steps_of, ticks

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.jsonl"))
GIVEN = HERE.parents[2] / "shared"
PROGRAM = Path(sys.executable).with_name("subledger")
TOOL_TIMEOUT_S = 900
A_FEW = 4
"""Files of ours that are run by the console script as well."""
A_DAY = timedelta(days=1)

Ask_ = Callable[[list[str]], tuple[int, str]]


class Run:
    """One run of a scenario on a new ledger, in one of the four ways."""

    def __init__(self, folder: Path, ask: Ask_, *, each: bool = False, twice: bool = False, tick: bool = False) -> None:
        self._folder = folder / "ledger"
        self._ask = ask
        self._each, self._twice, self._tick = each, twice, tick
        self._last: dict[str, datetime] = {}
        self._carried: dict[str, list[Json]] = defaultdict(list)
        self.faults: list[str] = []

    def of(self, path: Path) -> list[str]:
        """Runs the file; answers with its faults."""
        waiting: list[Do] = []
        for step in steps_of(path):
            if isinstance(step, Do):
                waiting.append(step)
            else:
                self._send(waiting)
                waiting = []
                self._question(step)
        self._send(waiting)
        return self.faults

    def _send(self, steps: list[Do]) -> None:
        sent = [(step, command, role) for step in steps for command, role in self._commands(step)]
        outcomes = self._outcomes([command for _, command, _ in sent])
        for (step, command, role), outcome in zip(sent, outcomes, strict=True):
            self._judge(step, command, role, outcome)

    def _commands(self, step: Do) -> Iterator[tuple[Json, str]]:
        """What goes out for a step: the ticks before it, the command itself, and the same again."""
        command, now = step.command, instant_of(step.command)
        who = command.get("subscriber")
        if self._tick and now is not None and isinstance(who, str) and who != "catalogue":
            if who in self._last:
                yield from ((tick, "tick") for tick in ticks(who, self._last[who], now, A_DAY))
            if who in self._last or command.get("type") == "RegisterSubscriber":
                self._last[who] = max(now, self._last.get(who, now))
        yield command, "do"
        if self._twice:
            yield command, "again"

    def _outcomes(self, commands: list[Json]) -> list[Json]:
        values = [orjson.loads(json.dumps(command)) for command in commands]
        groups = [[value] for value in values] if self._each else [values]
        outcomes = []
        for group in groups:
            with EmbeddedLedger(self._folder, create=True) as ledger:
                writer = ledger.writer()
                outcomes += [writer.execute(value) for value in group]
                writer.commit()
        return outcomes

    def _judge(self, step: Do, command: Json, role: str, outcome: Json) -> None:
        who = command.get("subscriber")
        if role == "tick":
            if outcome["status"] == "accepted":
                self._carried[str(who)] += outcome["events"]
            return
        if role == "again":
            repeated = outcome["status"] in ("duplicate", "invalid") or outcome.get("code") in (
                "time_went_backwards",
                "command_id_reused",
            )
            if not repeated:
                self.faults.append(f"line {step.number} again: expected duplicate, found {outcome['status']}")
            return
        if self._tick and "events" in outcome:
            outcome = {**outcome, "events": self._carried.pop(str(who), []) + outcome["events"]}
        reason = outcome.get("message", "")
        self.faults += [f"line {step.number}: {fault} ({reason})" for fault in faults(step.expect, outcome)]

    def _question(self, step: Ask) -> None:
        code, printed = self._ask([*step.words, "--json", "--ledger", str(self._folder)])
        rows = [json.loads(line) for line in printed.splitlines() if line.strip()]
        found: Json = {"rows": rows, "count": len(rows), "exit": code}
        if len(rows) == 1 and isinstance(rows[0], dict):
            found |= rows[0]
        words = " ".join(step.words)
        self.faults += [f"line {step.number} {words}: {fault}" for fault in faults(step.expect, found)]
        if code and "exit" not in step.expect:
            self.faults.append(f"line {step.number} {words}: exit {code}")


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask_:
    """The command line inside this process: exit code and what went to stdout."""

    def asked(words: list[str]) -> tuple[int, str]:
        capfd.readouterr()
        code = main(words)
        return code, capfd.readouterr().out

    return asked


MODES: dict[str, dict[str, bool]] = {
    "plain": {},
    "each": {"each": True},
    "twice": {"twice": True},
    "ticks": {"tick": True},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path, mode: str, tmp_path: Path, ask: Ask_) -> None:
    """The facts are those that the file names, neither more nor fewer, and the questions are answered as it says."""
    found = Run(tmp_path, ask, **MODES[mode]).of(path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_is_about(path: Path) -> None:
    """The first line is a sentence, and at least one step names its facts."""
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert first["about"].strip()
    assert any("events" in step.expect for step in steps_of(path) if isinstance(step, Do))


def _by_the_tool(paths: list[Path], *way: str) -> None:
    tool = [sys.executable, str(GIVEN / "tools" / "scenarios"), *map(str, paths), "--subledger", str(PROGRAM), *way]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not GIVEN.exists(), reason="the given scenarios and their tool are not beside this checkout")
@pytest.mark.parametrize("way", ["", "--twice", "--each", "--ticks 1"], ids=lambda way: way or "plain")
def test_the_given_scenarios_by_the_installed_program(way: str) -> None:
    """The given tool drives the console script over the given files in all four ways."""
    _by_the_tool([GIVEN / "scenarios"], *way.split())


@pytest.mark.skipif(not GIVEN.exists(), reason="the given scenarios and their tool are not beside this checkout")
def test_some_of_our_scenarios_by_the_installed_program() -> None:
    """A few files: a process per question is slow, and the others differ only in what they ask."""
    _by_the_tool(FILES[:: len(FILES) // A_FEW])


def test_a_difference_is_found_and_named() -> None:
    """The runner would see an extra fact, another amount and a missing field."""
    outcome = {"status": "accepted", "balance": "1.00", "events": [{"type": "subledger.deposit-credited.v1"}]}
    assert faults({"events": []}, outcome) == ["events: expected [], found ['deposit-credited']"]
    assert faults({"balance": "2.00"}, outcome) == ["balance: expected '2.00', found '1.00'"]
    assert faults({"code": "x"}, outcome) == ["code: missing, expected 'x'"]
    assert faults({"events": ["deposit-credited"], "status": "accepted"}, outcome) == []
