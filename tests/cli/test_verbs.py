"""Each verb: on an empty ledger, on a quarter, in JSON and for people, and with arguments that cannot be used."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import SECTIONS, program
from infra.cli.output import WIDEST_COLUMNS, print_table
from tests.cli.conftest import CHECKOUT, PROGRAM, Call

EVERY_VERB = [verb for verbs in SECTIONS.values() for verb in verbs]
GROUPS = ("export", "catalogue", "topics")
WITH_SUBSCRIBER = (["balance"], ["statement"], ["timeline"], ["events"])
AGAINST_EVERYTHING = (["findings"], ["trial-balance"], ["events"], ["verify"], ["rebuild"], ["catalogue", "show"])
READING = (
    ["balance", "s-001"],
    ["balance", "s-001", "--as-of", "2026-02-01"],
    ["statement", "s-001"],
    ["timeline", "s-003"],
    ["why", "s-001/7"],
    ["why", "c-0003"],
    ["number", "+380445558888"],
    ["findings"],
    ["trial-balance"],
    ["events", "s-001"],
    ["verify"],
    ["catalogue", "show"],
    ["catalogue", "show", "telnexx"],
    ["catalogue", "diff", "telnexx-usd-2024", "telnexx-usd-2026-03"],
    ["rehearse", "--until", "2026-05-02"],
)
INSTANT = re.compile(r'"(\d{4}-\d\d-\d\dT[^"]*)"')


def test_help_answers_quickly_since_it_loads_no_verb() -> None:
    quickest = min(_seconds([*PROGRAM, "--help"]) for _ in range(3))
    assert quickest < 0.3


def _seconds(arguments: list[str]) -> float:
    started = time.monotonic()
    subprocess.run(arguments, cwd=CHECKOUT, check=True, capture_output=True)
    return time.monotonic() - started


@pytest.mark.parametrize("verb", [verb for verb in EVERY_VERB if verb not in GROUPS])
def test_each_verb_explains_itself_with_examples(call: Call, verb: str) -> None:
    answer = call(verb, "--help")
    assert answer.code == 0
    assert "Examples:" in answer.out
    assert f"subledger {verb}" in answer.out


@pytest.mark.parametrize("verb", GROUPS)
def test_groups_of_verbs_list_their_parts(call: Call, verb: str) -> None:
    listed = call(verb, "--help").out.partition("Commands:")[2]
    assert listed
    assert "..." not in listed, "each part is told in a line that is not cut off"


def test_no_verb_is_listed_that_is_not_there() -> None:
    with program.make_context("subledger", ["--help"], resilient_parsing=True) as context:
        loaded = [verb for verb in EVERY_VERB if program.get_command(context, verb) is not None]
    assert loaded == EVERY_VERB


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["balance"],
        ["balance", "s-001", "--nonsense"],
        ["export", "journal", "--format", "x"],
        ["export", "journal"],
    ],
)
def test_bad_arguments_are_said_in_one_sentence(call: Call, arguments: list[str]) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("subledger: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("verb", [*WITH_SUBSCRIBER, ["number"], ["why"]], ids=" ".join)
def test_where_there_is_no_ledger(call: Call, tmp_path: Path, verb: list[str]) -> None:
    answer = call(*verb, "s-1", "--ledger", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert "there is no ledger" in answer.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("verb", [*WITH_SUBSCRIBER, ["why"]], ids=" ".join)
def test_an_unknown_subscriber_is_said_in_one_sentence(call: Call, empty: Path, verb: list[str]) -> None:
    answer = call(*verb, "s-999", "--ledger", empty)
    assert (answer.code, answer.out) == (2, "")
    assert "s-999" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("verb", AGAINST_EVERYTHING, ids=" ".join)
def test_an_empty_ledger_has_an_answer_to_everything(call: Call, empty: Path, verb: list[str]) -> None:
    assert call(*verb, "--ledger", empty).code == 0


@pytest.mark.parametrize("name", ["hledger", "beancount"])
def test_an_empty_ledger_has_an_empty_journal(call: Call, empty: Path, name: str) -> None:
    assert call("export", "journal", "--format", name, "--ledger", empty).code == 0


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_json_is_one_object_a_line_with_instants_in_utc(call: Call, quarter: Path, arguments: list[str]) -> None:
    answer = call(*arguments, "--json", "--ledger", quarter)
    assert answer.code == 0
    assert answer.rows
    assert all(isinstance(row, dict) for row in answer.rows)
    if arguments[0] != "catalogue":
        for instant in INSTANT.findall(json.dumps(_without_what_was_sent(answer.rows))):
            assert instant.endswith("Z")


def _without_what_was_sent(value: Any) -> Any:
    """Commands are shown as their senders wrote them."""
    if isinstance(value, list):
        return [_without_what_was_sent(part) for part in value]
    if isinstance(value, dict):
        return {name: _without_what_was_sent(part) for name, part in value.items() if name != "command"}
    return value


@pytest.mark.parametrize("arguments", [a for a in READING if a[0] != "events"], ids=" ".join)
def test_tables_fit_the_page(call: Call, quarter: Path, arguments: list[str]) -> None:
    answer = call(*arguments, "--ledger", quarter)
    assert answer.code == 0
    assert answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= WIDEST_COLUMNS
    assert not any(line.endswith(" ") for line in answer.out.splitlines())


@pytest.mark.parametrize("name", ["ñ" * 64, "ñ" * 25])
def test_a_table_fits_the_page_however_long_its_names_are(
    capsysbinary: pytest.CaptureFixture[bytes], name: str
) -> None:
    instant, sum_of_coins = "2026-10-25 03:30:00+02:00", "-1000000.12345678"
    for columns, row in (
        (("subscriber", "service", "since", "until", "why it ended"), (name, name, instant, instant, name)),
        (("counts from", "fact", "what", ">amount", ">balance"), (instant, name, name, sum_of_coins, sum_of_coins)),
    ):
        print_table(columns, [row])
        printed = capsysbinary.readouterr().out.decode()
        assert max(len(line) for line in printed.splitlines()) <= WIDEST_COLUMNS
        assert printed.count("ñ") == row.count(name) * len(name)
        assert printed.count(instant) == row.count(instant)
        assert printed.count(sum_of_coins) == row.count(sum_of_coins)


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_the_time_zone_of_the_machine_changes_nothing(quarter: Path, zone: str) -> None:
    for arguments in (["statement", "s-001", "--from", "2026-02-01"], ["timeline", "s-003"], ["why", "s-001/7"]):
        whole = [*PROGRAM, *arguments, "--ledger", str(quarter)]
        here, there = (
            subprocess.run(whole, cwd=CHECKOUT, capture_output=True, check=True, env={**os.environ, "TZ": tz}).stdout
            for tz in ("UTC", zone)
        )
        assert here == there


def test_balance_now_as_of_and_as_known_at(call: Call, quarter: Path) -> None:
    def balance(*arguments: str) -> str:
        return str(call("balance", *arguments, "--json", "--ledger", quarter).rows[0]["balance"])

    assert balance("s-001", "--as-of", "2026-01-31T12:00:00+02:00") == "42.1125"
    assert balance("s-001", "--as-of", "2026-02-01") == "32.9125", "the first instant of that day is included"
    assert balance("s-003", "--as-of", "2026-02-16T10:00:00+02:00") == "11.60", "received at nine"
    assert balance("s-003", "--as-of", "2026-02-16T10:00:00+02:00", "--known-at", "2026-02-16T10:00:00+02:00") == "1.60"


@pytest.mark.parametrize("instant", ["yesterday", "2026-02-30", "2026-02-01T10:00:00", "2026-02-01 10:00"])
def test_an_instant_needs_a_zone_or_is_a_local_date(call: Call, quarter: Path, instant: str) -> None:
    answer = call("balance", "s-001", "--as-of", instant, "--ledger", quarter)
    assert answer.code == 2
    assert answer.err.startswith("subledger: --as-of: expected")


def test_a_statement_opens_where_the_one_before_closes(call: Call, quarter: Path) -> None:
    spans = (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-04-02"))
    parts = [
        call("statement", "s-001", "--from", a, "--to", b, "--json", "--ledger", quarter).rows[0] for a, b in spans
    ]
    assert [part["closing"] for part in parts[:-1]] == [part["opening"] for part in parts[1:]]
    assert parts[-1]["closing"] == call("balance", "s-001", "--json", "--ledger", quarter).rows[0]["balance"]


def test_a_statement_names_the_plan_of_its_span(call: Call, quarter: Path) -> None:
    """s-001 asked for another plan in January and got it with the first instant of February."""

    def plan(*span: str) -> str:
        return str(call("statement", "s-001", *span, "--json", "--ledger", quarter).rows[0]["plan"])

    assert plan("--from", "2026-01-01", "--to", "2026-02-01") == "start"
    assert plan("--to", "2026-02-01T00:00:01+02:00") == "business"
    assert plan("--from", "2026-01-01") == "business", "a span without an end goes to the present"
    shown = call("statement", "s-001", "--to", "2026-02-01", "--ledger", quarter).out
    assert "plan start" in shown.splitlines()[0]
    assert "<dd>start</dd>" in call("statement", "s-001", "--to", "2026-02-01", "--html", "--ledger", quarter).out


def test_why_writes_the_arithmetic_of_a_charge_out(call: Call, quarter: Path) -> None:
    answer = call("why", "s-001/7", "--ledger", quarter)
    for words in (
        "3.10 × 27 ÷ 31 = 2.70 USD (half-up to 0.01)",
        "telnexx/proration",
        "telnexx version 1",
        "telnexx-usd-2024",
        "2.70 USD of s-001/4: Deposit 50.00 USD by card",
        "CreditDeposit",
    ):
        assert words in answer.out


def test_why_of_a_refusal_says_from_when_it_would_do(call: Call, quarter: Path) -> None:
    refused = [row for row in call("timeline", "s-002", "--json", "--ledger", quarter).rows if "refused" in row["type"]]
    answer = call("why", refused[0]["id"], "--ledger", quarter)
    assert "notice_too_short" in answer.out
    assert "2026-03-01 00:00:00 (Europe/Kyiv)" in answer.out
    by_command = call("why", refused[0]["command"], "--ledger", quarter)
    assert "notice_too_short" in by_command.out


def test_why_asks_whose_command_is_meant_where_an_id_was_used_twice(call: Call, tmp_path: Path) -> None:
    file, folder = tmp_path / "two.jsonl", tmp_path / "ledger"
    tick = {"id": "c-1", "type": "AdvanceClock", "at": "2026-01-05T09:00:00+02:00", "actor": "a", "data": {}}
    deposit = {"amount": "1.00", "currency": "USD", "method": "card", "reference": "p-1"}
    lines = [{**tick, "type": "CreditDeposit", "subscriber": who, "data": deposit} for who in ("s-1", "s-2")]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    call("run", file, "--ledger", folder)
    answer = call("why", "c-1", "--ledger", folder)
    assert answer.code == 2
    assert "s-1, s-2" in answer.err
    assert "unknown_subscriber" in call("why", "c-1", "--subscriber", "s-2", "--ledger", folder).out


def test_events_prints_the_stored_bytes(call: Call, quarter: Path) -> None:
    rows = call("events", "--ledger", quarter).rows
    assert [int(row["sequence"]) for row in rows] == list(range(1, len(rows) + 1))
    later = call("events", "--from-sequence", "100", "--ledger", quarter)
    assert later.rows == rows[99:]
    assert all(row["subject"] == "s-001" for row in call("events", "s-001", "--ledger", quarter).rows)
    assert call("events", "catalogue", "--ledger", quarter).rows[0]["type"] == "subledger.regulations-published.v1"


def test_rehearsing_records_nothing(call: Call, quarter: Path, tmp_path: Path) -> None:
    before = call("events", "--ledger", quarter).out
    more = tmp_path / "more.jsonl"
    more.write_text(
        json.dumps(
            {
                "id": "c-x",
                "type": "CreditDeposit",
                "subscriber": "s-002",
                "at": "2026-04-02T12:00:00+03:00",
                "actor": "payments",
                "data": {"amount": "100.00", "currency": "USD", "method": "card", "reference": "p-x"},
            }
        )
    )
    alone = call("rehearse", "--until", "2026-05-02", "--json", "--ledger", quarter)
    with_money = call("rehearse", "--until", "2026-05-02", more, "--json", "--ledger", quarter)
    last_of = {
        name: [row for row in answer.rows if row.get("subscriber") == "s-002"][-1]
        for name, answer in (("alone", alone), ("with", with_money))
    }
    assert [event["type"] for event in last_of["alone"]["events"]][-1] == "subledger.rental-suspended.v1"
    assert "subledger.periodic-service-charged.v1" in [event["type"] for event in last_of["with"]["events"]]
    assert call("events", "--ledger", quarter).out == before
    assert call("verify", "--ledger", quarter).code == 0


def test_what_was_rehearsed_is_what_then_happens(call: Call, quarter: Path, tmp_path: Path) -> None:
    until = "2026-06-01T00:00:00+03:00"
    rehearsed = call("rehearse", "--until", until, "--json", "--ledger", quarter).rows
    ticks = tmp_path / "ticks.jsonl"
    ticks.write_text(
        "".join(
            json.dumps(
                {
                    "id": f"tick-{row['subscriber']}",
                    "type": "AdvanceClock",
                    "subscriber": row["subscriber"],
                    "at": until,
                    "actor": "clock",
                    "data": {},
                }
            )
            + "\n"
            for row in rehearsed
        )
    )
    happened = call("run", ticks, "--ledger", quarter).rows
    assert [row["events"] for row in happened] == [row["events"] for row in rehearsed]
    assert [row["balance"] for row in happened] == [row["balance"] for row in rehearsed]


def _faults(found: dict[str, Any]) -> list[str]:
    return [fault for verdict in found["verdicts"] for fault in verdict["faults"]]


def test_verify_finds_a_changed_fact(call: Call, quarter: Path) -> None:
    _sql(
        quarter / "events.db",
        'UPDATE stored_events SET state = CAST(replace(state, \'"amount":"2.70"\', '
        "'\"amount\":\"1.70\"') AS BLOB) WHERE originator_id = 's-001' AND originator_version = 7",
    )
    answer = call("verify", "--json", "--ledger", quarter)
    assert answer.code == 1
    assert not answer.rows[0]["sound"]
    assert any(fault.startswith("s-001/") for fault in _faults(answer.rows[0]))


def test_verify_finds_a_last_fact_that_is_gone(call: Call, quarter: Path) -> None:
    _sql(quarter / "events.db", "DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) FROM stored_events)")
    answer = call("verify", "--json", "--ledger", quarter)
    assert answer.code == 1
    assert any(fault.startswith("senders were told of") for fault in _faults(answer.rows[0]))


def test_verify_finds_a_missing_fact(call: Call, quarter: Path) -> None:
    _sql(quarter / "events.db", "DELETE FROM stored_events WHERE originator_id = 's-001' AND originator_version = 7")
    answer = call("verify", "--json", "--ledger", quarter)
    assert answer.code == 1
    wrong = {verdict["name"] for verdict in answer.rows[0]["verdicts"] if verdict["wrong"]}
    assert {"sequences dense and from 1", "stream versions dense and from 1"} <= wrong


def test_verify_finds_a_view_that_the_log_does_not_lead_to_and_rebuild_mends_it(call: Call, quarter: Path) -> None:
    assert call("verify", "--ledger", quarter).code == 0
    tables = _tables(quarter / "views.db")
    table = next(name for name in tables if "balance" in name)
    _sql(
        quarter / "views.db",
        f"DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table})"
        if _has_rowid(quarter / "views.db", table)
        else f"DELETE FROM {table}",
    )
    answer = call("verify", "--ledger", quarter)
    assert answer.code == 1
    assert f"view {table}" in answer.out
    assert call("rebuild", "--ledger", quarter).code == 0
    assert call("verify", "--ledger", quarter).code == 0


def test_rebuild_names_the_views_there_are(call: Call, quarter: Path) -> None:
    assert call("rebuild", "balances", "--ledger", quarter).code == 0
    answer = call("rebuild", "nonsense", "--ledger", quarter)
    assert answer.code == 2
    assert "balances" in answer.err


def test_the_trial_balance_balances(call: Call, quarter: Path) -> None:
    trial = call("trial-balance", "--json", "--ledger", quarter).rows[0]
    assert {total["currency"]: total["balance"] for total in trial["totals"]} == {"EUR": "0.00", "USD": "0.00"}
    assert "Liabilities:Prepaid:*" in call("trial-balance", "--summary", "--ledger", quarter).out


def _sql(database: Path, statement: str) -> None:
    import sqlite3

    connection = sqlite3.connect(database)
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


def _tables(database: Path) -> list[str]:
    import sqlite3

    connection = sqlite3.connect(database)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    connection.close()
    return names


def _has_rowid(database: Path, table: str) -> bool:
    import sqlite3

    connection = sqlite3.connect(database)
    try:
        connection.execute(f"SELECT rowid FROM {table} LIMIT 1")
    except sqlite3.OperationalError:
        return False
    else:
        return True
    finally:
        connection.close()


def test_hledger_accepts_the_journal_strictly(call: Call, quarter: Path, tmp_path: Path) -> None:
    hledger = shutil.which("hledger")
    if hledger is None:
        assert "CI" not in os.environ, "hledger is missing in CI: install the package hledger"
        pytest.skip("hledger is not installed")
    journal = tmp_path / "books.journal"
    journal.write_text(call("export", "journal", "--format", "hledger", "--ledger", quarter).out)
    subprocess.run([hledger, "-f", journal, "check", "--strict"], check=True)
    shown = subprocess.run(
        [hledger, "-f", journal, "balance", "Liabilities:Prepaid:s-001", "-N", "-O", "csv"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "-19.6825" in shown.stdout


def test_beancount_accepts_the_journal(call: Call, quarter: Path, tmp_path: Path) -> None:
    from beancount import loader

    journal = tmp_path / "books.beancount"
    journal.write_text(call("export", "journal", "--format", "beancount", "--ledger", quarter).out)
    entries, errors, _ = loader.load_file(str(journal))
    assert not errors
    assert len(entries) > 100


@pytest.mark.parametrize(
    "account",
    [
        "Liabilities:Prepaid:s-1",
        "Liabilities:Prepaid:-._A",
        "Income:Periodic:did.ua",
        "Income:Usage:a:b;c--d-2e",
        "Liabilities:Tax:НДС 18 %",
        "Income:Connection",
    ],
)
def test_beancount_names_are_valid_and_lead_back(account: str) -> None:
    from infra.cli.journal_formats import beancount_account, beancount_origin

    name = beancount_account(account)
    assert beancount_origin(name) == account
    assert all(re.fullmatch("[A-Z0-9][A-Za-z0-9-]*", part) for part in name.split(":"))


def test_a_page_to_print_escapes_everything_and_loads_nothing(call: Call, tmp_path: Path) -> None:
    file, folder = tmp_path / "evil.jsonl", tmp_path / "ledger"
    head = {"subscriber": "s-1", "at": "2026-01-05T09:00:00+02:00", "actor": "a"}
    terms = {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "<b>h</b>"}
    money = {"amount": "5.00", "currency": "USD", "method": "card", "reference": "<script>alert(1)</script>"}
    commands = [
        {"id": "c-1", "type": "RegisterSubscriber", **head, "data": terms},
        {"id": "c-2", "type": "CreditDeposit", **head, "data": money},
    ]
    file.write_text("".join(json.dumps(command) + "\n" for command in commands))
    assert call("run", file, "--strict", "--ledger", folder).code == 0
    page = call("statement", "s-1", "--html", "--ledger", folder).out
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;h&lt;/b&gt;" in page
    assert "http" not in page
    assert "size: A4" in page


def test_a_defect_is_a_sentence_and_not_a_traceback(call: Call, quarter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr("infra.cli.balance.opened_views", broken)
    answer = call("balance", "s-001", "--ledger", quarter)
    assert answer.code == 3
    assert "KeyError" in answer.err
    assert answer.err.count("\n") == 1


def test_somebody_who_was_only_refused_is_told_from_somebody_unknown(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_text(
        '{"id": "c-1", "type": "PassVerification", "subscriber": "s-9", "at": "2026-01-05T12:00:00Z", '
        '"actor": "desk", "data": {}}\n'
    )
    call("run", file, "--ledger", tmp_path / "ledger")
    assert "they never registered" in call("timeline", "s-9", "--ledger", tmp_path / "ledger").err
    assert call("timeline", "s-8", "--ledger", tmp_path / "ledger").err == "subledger: there is no subscriber s-8\n"


@pytest.mark.parametrize("arguments", [[], *([group] for group in GROUPS)])
def test_no_arguments_show_the_help_and_nothing_else(call: Call, arguments: list[str]) -> None:
    shown = call(*arguments)
    assert shown.code == 2
    assert shown.err.rstrip("\n") == call(*arguments, "--help").out.rstrip("\n")


def test_the_help_begins_with_what_to_try_in_lines_of_their_own(call: Call) -> None:
    shown = call("--help").out
    assert "\\b" not in shown
    assert "\n    subledger demo   " in shown
    assert "\n    subledger run commands.jsonl   " in shown


@pytest.mark.parametrize("option", ["--commands", "--subscribers", "--periods", "--saves"])
def test_bench_measures_at_least_one_of_everything(call: Call, option: str) -> None:
    answer = call("bench", option, 0)
    assert answer.code == 2
    assert option in answer.err
