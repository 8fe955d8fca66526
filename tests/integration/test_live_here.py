"""`make live`: a whole ledger comes up, works, answers from another terminal, and leaves nothing behind."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.live import PROGRAM, VERB_LIMIT_S, wait_until

CHECKOUT = Path(__file__).parents[2]
LIVE = (sys.executable, "-m", "infra.live.local", "--subscribers", "10")
UP_LIMIT_S = 240.0
DOWN_LIMIT_S = 240.0
STATUS = re.compile(r"^([\d,]+) commands, .* ([\d,]+) facts; waiting: .* ms$", re.MULTILINE)

pytestmark = pytest.mark.xdist_group("kafka")


class Live:
    """It, running as on a terminal: in a process group of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        self.temporary = Path(tempfile.mkdtemp(prefix="subledger-test-"))
        # PostgreSQL's server has an account of its own, which has to get to its folder.
        self.temporary.chmod(0o755)
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*LIVE, *words],
                cwd=CHECKOUT,
                env={**os.environ, "TMPDIR": str(self.temporary), "SUBLEDGER_KAFKA": "elsewhere:1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def exports(self) -> dict[str, str]:
        """What it says to paste."""
        lines = [line for line in self.out.read_text().splitlines() if line.startswith("export ")]
        return dict(shlex.split(line)[1].split("=", 1) for line in lines)

    def wait_up(self, commands: int = 1) -> None:
        """Returns when it has said how it goes, with so many commands answered."""
        wait_until(lambda: self._answered() >= commands or self.process.poll() is not None, UP_LIMIT_S, "a status")
        assert self.process.poll() is None, self.err.read_text()

    def ended(self) -> int:
        """Its exit code, and nothing of it is left: no process, no file."""
        code = self.process.wait(DOWN_LIMIT_S)
        wait_until(lambda: not self.processes(), 10, "every process of it to be gone")
        assert list(self.temporary.iterdir()) == []
        return code

    def processes(self) -> dict[int, str]:
        """The processes that have its folder in their environment: itself and whatever it started."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # It has ended meanwhile.
        return {pid: words for pid, words in found.items() if words}

    def _answered(self) -> int:
        return max((int(count.replace(",", "")) for count, _ in STATUS.findall(self.out.read_text())), default=-1)


@contextmanager
def live(folder: Path, *words: str) -> Iterator[Live]:
    """Whatever becomes of the test, nothing is left running."""
    running = Live(folder, *words)
    try:
        yield running
    finally:
        for pid in running.processes():
            os.kill(pid, signal.SIGKILL)
        running.process.wait(DOWN_LIMIT_S)
        shutil.rmtree(running.temporary, ignore_errors=True)


@pytest.mark.slow
def test_it_comes_up_answers_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    """The exports lead another terminal to the ledger; Ctrl-C goes to the whole group and ends it in order, exit 0."""
    with live(tmp_path) as running:
        running.wait_up(commands=40)
        exports = running.exports
        assert set(exports) == {f"SUBLEDGER_{name}" for name in ("KAFKA", "POSTGRES", "TOPICS", "DATA", "KEYS")}
        asked = subprocess.run(
            [*PROGRAM, "balance", "s-1", "--ledger", "kafka", "--wait", "60"],
            cwd=CHECKOUT,
            env={**os.environ, **exports},
            capture_output=True,
            text=True,
            timeout=VERB_LIMIT_S,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        assert "USD" in asked.stdout
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.ended() == 0, running.err.read_text()
    said = running.err.read_text()
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1] == "stopping: load, calendar, write, project, PostgreSQL, broker"


@pytest.mark.slow
def test_a_process_that_dies_ends_it_with_its_name_and_code(tmp_path: Path) -> None:
    with live(tmp_path) as running:
        running.wait_up()
        (writer,) = [pid for pid, words in running.processes().items() if words.split()[-1] == "write"]
        os.kill(writer, signal.SIGKILL)
        assert running.ended() == 128 + signal.SIGKILL
    assert "write has ended with 137" in running.err.read_text()


@pytest.mark.slow
def test_term_while_it_comes_up_is_obeyed(tmp_path: Path) -> None:
    with live(tmp_path) as running:
        wait_until(lambda: "starting a broker" in running.err.read_text(), UP_LIMIT_S, "it to begin")
        time.sleep(0.5)
        running.process.terminate()
        assert running.ended() == 0, running.err.read_text()
    assert running.exports == {}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_live_ends_by_itself_after_its_seconds() -> None:
    """As the Makefile runs it."""
    done = subprocess.run(
        ["make", "--no-print-directory", "live", "SECONDS=6"],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=UP_LIMIT_S + DOWN_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answered = [int(count.replace(",", "")) for count, _ in STATUS.findall(done.stdout)]
    assert answered[-1] > 0
