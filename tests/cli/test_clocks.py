"""Every instant that is shown names its clock, and amounts are shown whole on a screen of any width."""

import json
import os
import struct
import subprocess
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from infra.cli.lines import BYTE_ORDER_MARK
from tests.cli.conftest import CHECKOUT, PROGRAM, Call
from tests.cli.test_run import REGISTERED

SHARED_NUMBER = "+380445558888"
AMOUNT = "-0.1875"


def commands(folder: Path, *values: object) -> Path:
    """A file with these commands."""
    file = folder / "commands.jsonl"
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
    return file


@pytest.fixture
def two_zones(call: Call, tmp_path: Path) -> Path:
    """A ledger with subscribers under two clocks; something falls due to one of them."""
    folder = tmp_path / "two"
    at = "2026-01-05T12:00:00+02:00"

    def asked(index: int, kind: str, subscriber: str, **data: object) -> dict[str, object]:
        return {"id": f"c-{index}", "type": kind, "subscriber": subscriber, "at": at, "actor": "web", "data": data}

    file = commands(
        tmp_path,
        asked(1, "RegisterSubscriber", "k-1", regulations="telnexx", currency="USD", plan="start", holder="h-1"),
        asked(2, "PassVerification", "k-1"),
        asked(3, "OrderNumber", "k-1", number=SHARED_NUMBER, service="did.ua"),
        asked(4, "CreditDeposit", "k-1", amount="50.00", currency="USD", method="card", reference="r-1"),
        asked(5, "RegisterSubscriber", "p-1", regulations="hexaserv", currency="USD", plan="standard", holder="h-2"),
        asked(6, "CreditDeposit", "p-1", amount="50.00", currency="USD", method="card", reference="r-2"),
    )
    assert call("run", file, "--ledger", folder).code == 0
    return folder


def test_a_number_is_told_with_the_clock_of_who_held_it(call: Call, made: Path) -> None:
    told = call("number", SHARED_NUMBER, "--ledger", made).out.splitlines()
    assert told[0] == f"{SHARED_NUMBER}, times of Europe/Kyiv"


def test_a_balance_of_the_past_says_of_when_it_is(call: Call, made: Path) -> None:
    arguments = ("--as-of", "2026-02-01", "--known-at", "2026-02-02", "--ledger", made)
    told = call("balance", "s-001", *arguments).out.splitlines()
    assert told[1] == "As of       2026-02-01 00:00:00 (Europe/Kyiv)"
    assert told[2] == "Known at    2026-02-02 00:00:00 (Europe/Kyiv)"
    assert "As of" not in call("balance", "s-001", "--ledger", made).out


def test_a_trial_balance_of_the_past_says_of_when_it_is(call: Call, made: Path, two_zones: Path) -> None:
    shown = call("trial-balance", "--as-of", "2026-02-01", "--ledger", made).out.splitlines()[0]
    assert shown == "Trial balance as of 2026-02-01 00:00:00 (Europe/Kyiv)"
    instant = "2026-02-01T00:00:00+02:00"
    shown = call("trial-balance", "--as-of", instant, "--ledger", two_zones).out.splitlines()[0]
    assert shown == "Trial balance as of 2026-01-31 22:00:00 (UTC)"


def test_what_is_rehearsed_is_told_with_its_clock(call: Call, made: Path) -> None:
    told = call("rehearse", "--until", "2026-05-02", "--ledger", made).out.splitlines()
    assert told[0] == "What would happen until 2026-05-02 00:00:00, times of Europe/Kyiv"
    assert told[told.index("") + 1].startswith("subscriber"), "a blank line parts the two tables"


def test_what_is_rehearsed_in_two_zones_names_the_clock_of_each(call: Call, two_zones: Path, tmp_path: Path) -> None:
    deposit = {
        "id": "c-9",
        "type": "CreditDeposit",
        "subscriber": "p-1",
        "at": "2026-01-06T12:00:00+02:00",
        "actor": "web",
        "data": {"amount": "1.00", "currency": "USD", "method": "card", "reference": "r-9"},
    }
    file = commands(tmp_path, deposit)
    until = "2026-02-02T00:00:00+02:00"
    told = call("rehearse", "--until", until, file, "--ledger", two_zones).out.splitlines()
    assert told[0] == "What would happen until 2026-02-01 22:00:00 UTC"
    assert any(line.startswith("2026-01-06 11:00:00 Europe/Podgorica") for line in told)
    assert any(line.startswith("2026-02-01 00:00:00 Europe/Kyiv") for line in told)


def test_what_would_not_be_accepted_is_said_line_by_line(call: Call, made: Path, tmp_path: Path) -> None:
    file = commands(tmp_path, REGISTERED, {"id": "c-x"}, {**REGISTERED, "id": "c-2"})
    file.write_bytes(file.read_bytes() + b"\n")
    said = call("rehearse", "--until", "2026-04-02", file, "--ledger", made).err.splitlines()
    assert said[0] == "line 2 is invalid: type: missing"
    assert said[1].startswith("line 3 would be refused: ")
    assert said[1].endswith("(already_registered)")
    assert said[2] == "line 4 is invalid: expected a JSON object, found an empty line"


def test_the_catalogue_is_in_effect_from_a_midnight_of_its_own_zone(call: Call, made: Path) -> None:
    shown = call("catalogue", "show", "--ledger", made).out
    assert "2024-01-01 00:00:00 Europe/Kyiv" in shown
    assert "2023-12-31" not in shown
    assert "from 2023-12-31 22:00:00 (UTC)" in call("why", "catalogue/4", "--ledger", made).out


def test_an_hour_that_the_clock_shows_twice_is_told_with_its_offset(call: Call, tmp_path: Path) -> None:
    """On 25 October 2026 Kyiv's clocks go from 04:00 back to 03:00."""

    def deposit(index: int, at: str) -> dict[str, object]:
        paid = {"amount": "1.00", "currency": "USD", "method": "card", "reference": f"r-{index}"}
        return {**REGISTERED, "id": f"c-{index}", "type": "CreditDeposit", "at": at, "data": paid}

    instants = ("02:59:59+03:00", "03:30:00+03:00", "03:10:00+02:00", "04:00:00+02:00")
    paid = [deposit(index, f"2026-10-25T{at}") for index, at in enumerate(instants, 2)]
    file = commands(tmp_path, REGISTERED, *paid)
    assert call("run", file, "--ledger", tmp_path / "l").code == 0
    told = ["02:59:59 ", "03:30:00+03:00 ", "03:10:00+02:00 ", "04:00:00 "]
    subscriber = str(REGISTERED["subscriber"])
    for verb in ("statement", "timeline"):
        lines = [line for line in call(verb, subscriber, "--ledger", tmp_path / "l").out.splitlines() if "r-" in line]
        assert [of_day for line in lines for of_day in told if f"2026-10-25 {of_day}" in line] == told
    assert "03:10:00+02:00 (Europe/Kyiv)" in call("why", "c-4", "--ledger", tmp_path / "l").out


def test_one_is_not_many(call: Call, tmp_path: Path) -> None:
    file = commands(tmp_path, REGISTERED)
    assert call("run", file, "--ledger", tmp_path / "ledger").err.startswith("1 command: 1 accepted, ")
    assert call("rebuild", "--ledger", tmp_path / "ledger").err == "folded all views from 1 fact\n"


def test_a_mark_in_front_of_a_file_is_no_part_of_its_first_line(call: Call, tmp_path: Path) -> None:
    file = commands(tmp_path, REGISTERED)
    file.write_bytes(BYTE_ORDER_MARK + file.read_bytes() + BYTE_ORDER_MARK + b"{}\n")
    assert [row["status"] for row in call("run", file, "--ledger", tmp_path / "l").rows] == ["accepted", "invalid"]


def test_what_is_no_json_is_said_without_the_line_of_another_text(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_bytes(b'{"id": 1, nonsense}\n  \r\n')
    messages = [row["message"] for row in call("run", file, "--ledger", tmp_path / "l").rows]
    assert messages[0].startswith("expected a JSON object, found none: ")
    assert messages[0].endswith(", at character 11")
    assert messages[1] == "expected a JSON object, found an empty line"


def on_terminal(columns: int, *arguments: object) -> str:
    """What the program prints on a terminal of that width."""
    ours, theirs = os.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([*PROGRAM, *map(str, arguments)], cwd=CHECKOUT, stdout=theirs):
        os.close(theirs)
        printed = b"".join(_read(ours))
    return printed.decode().replace("\r", "")


def _read(terminal: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(terminal, 1 << 16):
            yield chunk
    except OSError:
        """The end, as Linux tells it."""
    finally:
        os.close(terminal)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_amounts_and_instants_are_whole_on_any_terminal(made: Path, columns: int) -> None:
    shown = on_terminal(columns, "statement", "s-001", "--ledger", made)
    assert AMOUNT in shown
    assert "2026-01-10 11:14:30" in shown
    assert "4328.30" in on_terminal(columns, "trial-balance", "--summary", "--ledger", made)
