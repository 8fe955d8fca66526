"""Every reading verb answers from a live ledger what it answers from a folder that was sent the same commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from infra.cli.main import main
from infra.live.following import Follower
from infra.live.places import partition_of
from infra.live.settings import LiveSettings, load
from infra.live.topic_reading import TopicReader
from infra.postgres import schema
from infra.postgres.connecting import Connection, connect
from infra.postgres.keeping import PostgresViews
from infra.servers import free_port
from tests.cli.conftest import Answer, Call, caller
from tests.scenarios.scenario import Do, steps_of
from tests.support.servers import new_topic

CHECKOUT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "infra.cli.main")
DEMO = CHECKOUT / "demo" / "telnexx-first-quarter.jsonl"
SCENARIOS = (
    "calycom-disputes-and-compensation",
    "calycom-expiry",
    "hexaserv-grace-of-seven-days",
    "hexaserv-messages",
    "hexaserv-money-back-fees",
    "hexaserv-one-free-service",
    "illyvoip-disputes-settle",
    "illyvoip-first-deposit-unused",
    "illyvoip-refund-ninety-days",
    "illyvoip-tax-rounding",
    "telnexx-chargeback",
    "telnexx-number-replacement-and-change",
)
"""Beside the demo's quarter: invoices, taxes, refunds and disputes of the other providers."""
PARTITIONS = 3
SUBMIT_LIMIT_S = 180
STOP_LIMIT_S = 60
PLACES = frozenset({"sequence", "commandposition"})
"""Where a fact stands: of two ledgers with the same history it is all that may differ."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A live ledger and a folder with the same history."""

    folder: Path
    settings: LiveSettings
    subscribers: tuple[str, ...]


def scenario(name: str) -> list[Json]:
    """The commands of a scenario without its publications, under names that no other scenario has."""
    steps = steps_of(CHECKOUT / "tests" / "scenarios" / f"{name}.jsonl")
    commands = [step.command for step in steps if isinstance(step, Do) and step.command["subscriber"] != "catalogue"]
    subjects = {command["subscriber"] for command in commands}
    text = json.dumps(commands)
    for subject in subjects:
        text = re.sub(rf'"{re.escape(subject)}(?=["/])', f'"{name}.{subject}', text)
    renamed: list[Json] = json.loads(text)
    return renamed


def parts() -> Iterator[list[Json]]:
    """Runs of commands; a publication is one of its own, since shards learn of it when they do."""
    run: list[Json] = []
    for command in map(json.loads, DEMO.read_text().splitlines()):
        if command["subscriber"] == "catalogue":
            yield run
            yield [command]
            run = []
        else:
            run.append(command)
    yield run
    yield [command for name in SCENARIOS for command in scenario(name)]


@contextmanager
def writing(settings: LiveSettings) -> Iterator[None]:
    """A process that decides commands."""
    process = subprocess.Popen([*PROGRAM, "write"], cwd=CHECKOUT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)


def send(commands: list[Json], twin_folder: Path, file: Path) -> None:
    """The commands to both ledgers."""
    file.write_text("".join(json.dumps(command) + "\n" for command in commands))
    for words in (["run", str(file), "--ledger", str(twin_folder)], ["submit", str(file)]):
        subprocess.run([*PROGRAM, *words], cwd=CHECKOUT, check=True, capture_output=True, timeout=SUBMIT_LIMIT_S)


def lines_in(file: Path, expected: int) -> list[Json]:
    """The lines of a file that is being written, once there are as many."""
    deadline = time.monotonic() + STOP_LIMIT_S
    while len(found := file.read_bytes().splitlines()) < expected:
        assert time.monotonic() < deadline, f"expected {expected} lines, found {len(found)}"
        time.sleep(0.1)
    return [json.loads(line) for line in found]


def project(settings: LiveSettings, connection: Connection, partitions: int = PARTITIONS) -> None:
    """Counts what the topics have beyond the views' positions, once."""
    with closing(TopicReader(settings)) as topics:
        ends = topics.ends()
    views = PostgresViews(connection)
    with closing(Follower(settings, partitions, views.positions())) as follower:
        deadline = time.monotonic() + STOP_LIMIT_S
        while any(shard.next_offset < ends.get(shard.number, 0) for shard in follower._shards.values()):
            assert time.monotonic() < deadline, "the topics were not read to their ends"
            follower.poll(100)
            views.apply(follower.take())
        follower.poll(500)
        views.apply(follower.take())


@pytest.fixture(name="call")
def fixture_call(capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    return caller(capsysbinary)


@pytest.fixture(scope="module")
def environment(
    kafka_address: str, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSettings]:
    """Settings of a ledger of this module's own, in the environment as a person has them."""
    here = tmp_path_factory.mktemp("live")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBLEDGER_KAFKA", kafka_address)
        patch.setenv("SUBLEDGER_POSTGRES", postgres_dsn)
        patch.setenv("SUBLEDGER_TOPICS", new_topic("reading"))
        patch.setenv("SUBLEDGER_DATA", str(here / "data"))
        patch.setenv("SUBLEDGER_KEYS", str(here / "keys"))
        yield load()


@pytest.fixture(scope="module")
def twin(environment: LiveSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """The same commands sent to a folder and, by `submit` and `write`, to topics; then counted in PostgreSQL."""
    here = tmp_path_factory.mktemp("twin")
    assert main(["topics", "create", "--partitions", str(PARTITIONS), "--sandbox"]) == 0
    folder = here / "ledger"
    folder.mkdir()
    shutil.copy(environment.keys / "salt.key", folder / "salt.key")
    subscribers: dict[str, None] = {}
    with writing(environment):
        for number, commands in enumerate(parts()):
            subscribers.update(dict.fromkeys(str(command["subscriber"]) for command in commands))
            send(commands, folder, here / f"{number}.jsonl")
    with closing(connect(environment.dsn, environment.schema_name)) as connection:
        schema.begin(connection, environment.schema_name)
        project(environment, connection)
    known = (who for who in subscribers if who != "catalogue")
    yield Twin(folder=folder, settings=environment, subscribers=tuple(known))
    with closing(connect(environment.dsn, environment.schema_name)) as connection:
        name = sql.Identifier(environment.schema_name)
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


def placeless(value: Any) -> Any:
    """`value` without what says where facts stand."""
    if isinstance(value, list):
        return [placeless(part) for part in value]
    if isinstance(value, dict):
        return {name: placeless(part) for name, part in value.items() if name not in PLACES}
    return value


def both(call: Call, twin: Twin, *words: str) -> tuple[Answer, Answer]:
    """What a verb answers from the folder and from the live ledger."""
    return call(*words, "--ledger", twin.folder), call(*words, "--ledger", "kafka")


def alike(call: Call, twin: Twin, *words: str) -> list[Json]:
    """The rows of a verb's JSON, the same from both ledgers, in the same order."""
    here, there = both(call, twin, *words, "--json")
    assert (there.code, there.err) == (here.code, here.err), words
    rows: list[Json] = placeless(here.rows)
    assert placeless(there.rows) == rows, words
    return rows


@pytest.mark.parametrize("verb", ["balance", "statement", "timeline", "events"])
def test_every_subscriber_is_answered_alike(call: Call, twin: Twin, verb: str) -> None:
    """Some of the demo's hundred, and every third of the scenarios."""
    asked = [*twin.subscribers[:100:25], *twin.subscribers[104::3]]
    assert len(asked) > 10
    assert all(alike(call, twin, verb, who) for who in asked)


@pytest.mark.parametrize(
    "words",
    [
        ["trial-balance"],
        ["trial-balance", "--as-of", "2026-02-01T00:00:00+02:00"],
        ["balance", "s-001", "--as-of", "2026-02-01", "--known-at", "2026-02-16T10:00:00+02:00"],
        ["statement", "s-003", "--from", "2026-02-01", "--to", "2026-03-01"],
        ["number", "+380445558888"],
        ["catalogue", "show"],
        ["catalogue", "show", "telnexx"],
        ["catalogue", "diff", "telnexx-usd-2024", "telnexx-usd-2026-03"],
        ["catalogue", "show", "--subscriber", "s-001"],
        ["events", "catalogue"],
        ["why", "s-001/7"],
        ["why", "c-0003"],
        ["why", "catalogue/3"],
        ["rehearse", "--until", "2027-05-02T00:00:00+03:00"],
    ],
    ids=" ".join,
)
def test_a_question_is_answered_alike(call: Call, twin: Twin, words: list[str]) -> None:
    assert alike(call, twin, *words)


def test_findings_are_alike_but_for_commands_that_were_put_aside(call: Call, twin: Twin) -> None:
    """Dead letters are of a live ledger alone; whoever runs a file is told of them there and then."""
    here, there = both(call, twin, "findings", "--json")
    parked = [row for row in there.rows if row["kind"] == "parked_command"]
    assert placeless([row for row in there.rows if row not in parked]) == placeless(here.rows)
    assert here.rows
    (units,) = parked
    assert units["subject"].startswith(f"commands.v1/{partition_of('hexaserv-messages.s-1', PARTITIONS)}/")
    assert units["message"] == "data.units: expected a whole number from 1 to 1000000000, found -1"
    assert units["details"] == {"path": "data.units", "message": units["message"].removeprefix("data.units: ")}


def test_a_publication_is_explained_with_its_command(call: Call, twin: Twin) -> None:
    published = [row for row in alike(call, twin, "events", "catalogue") if row["causationid"] != "initial"]
    assert published
    for row in published:
        (explained,) = alike(call, twin, "why", row["id"])
        assert explained["command"]["id"] == row["causationid"]
        assert alike(call, twin, "why", row["causationid"])


def test_every_kind_of_fact_is_explained_alike(call: Call, twin: Twin) -> None:
    """One of every second type, and the commands behind some of the others: refused ones, and several facts at once."""
    rows = call("events", "--ledger", twin.folder).rows
    one_of_each = {row["type"]: row for row in reversed(rows)}
    assert len(one_of_each) > 30
    for row in list(one_of_each.values())[::2]:
        (explained,) = alike(call, twin, "why", row["id"])
        assert explained["command"]["id"] == row["causationid"]
    for row in list(one_of_each.values())[1::4]:
        alike(call, twin, "why", row["causationid"], "--subscriber", row["subject"])


def test_an_invoice_is_printed_alike(call: Call, twin: Twin) -> None:
    issued = [row["id"] for row in call("events", "--ledger", twin.folder).rows if "invoice-issued" in row["type"]]
    assert issued
    assert alike(call, twin, "invoice", issued[0])
    here, there = both(call, twin, "invoice", issued[0], "--html")
    assert here.out == there.out


def test_tables_and_pages_are_alike(call: Call, twin: Twin) -> None:
    """What people see says nothing of where facts stand."""
    pages = (["statement", "s-001", "--html"], ["timeline", "s-003"], ["why", "s-001/7"], ["catalogue", "show"])
    for words in pages:
        here, there = both(call, twin, *words)
        assert there.out == here.out, words


@pytest.mark.parametrize("form", ["hledger", "beancount"])
def test_the_journal_has_the_same_entries(call: Call, twin: Twin, form: str) -> None:
    """Shard by shard instead of in one order."""
    here, there = both(call, twin, "export", "journal", "--format", form)
    assert sorted(there.out.split("\n\n")) == sorted(here.out.split("\n\n"))


def test_events_are_the_bytes_of_the_topics_shard_by_shard(call: Call, twin: Twin) -> None:
    answer = call("events", "--ledger", "kafka")
    runs: list[list[int]] = []
    for row in answer.rows:
        sequence = int(row["sequence"])
        if sequence == 1:
            runs.append([])
        runs[-1].append(sequence)
    assert len(runs) == PARTITIONS
    assert all(run == list(range(1, len(run) + 1)) for run in runs)
    with closing(connect(twin.settings.dsn, twin.settings.schema_name)) as connection:
        copies = connection.execute("SELECT value FROM facts WHERE shard >= 0 ORDER BY shard, sequence").fetchall()
    assert answer.out.encode() == b"".join(value + b"\n" for (value,) in copies)
    later = call("events", "--from-sequence", "50", "--ledger", "kafka").rows
    assert later == [row for row in answer.rows if int(row["sequence"]) >= 50]


def test_a_ledger_is_found_to_be_sound(call: Call, twin: Twin) -> None:
    answer = call("verify", "--json", "--ledger", "kafka")
    assert answer.code == 0, answer.out
    (found,) = answer.rows
    assert [verdict for verdict in found["verdicts"] if verdict["faults"] or not verdict["checked"]] == []
    (here,) = call("verify", "--json", "--ledger", twin.folder).rows
    assert (found["facts"], found["subjects"]) == (here["facts"], here["subjects"])
    assert call("verify", "--ledger", "kafka").out


@pytest.fixture
def tampering(twin: Twin) -> Iterator[Connection]:
    """A connection for doing damage; the views are counted anew from the topics afterwards."""
    with closing(connect(twin.settings.dsn, twin.settings.schema_name)) as connection:
        yield connection
        schema.begin(connection, twin.settings.schema_name)
        project(twin.settings, connection)


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        ("UPDATE balances SET balance = balance + 1 WHERE subject = 's-001'", {"view balances is the fold of the log"}),
        (
            "UPDATE answers SET command_offset = command_offset + 1 WHERE command_id = 'c-0003'",
            {"the answers in PostgreSQL are the notes of the log"},
        ),
        (
            "UPDATE facts SET value = value || ' '::bytea WHERE subject = 's-001' AND version = 7",
            {"the copies in PostgreSQL are the bytes of the log", "salts are the key's"},
        ),
    ],
    ids=["view", "answer", "copy"],
)
def test_damage_is_found(call: Call, tampering: Connection, damage: str, wrong: set[str]) -> None:
    assert tampering.execute(damage.encode()).rowcount == 1
    answer = call("verify", "--json", "--ledger", "kafka")
    assert answer.code == 1
    assert {verdict["name"] for verdict in answer.rows[0]["verdicts"] if verdict["wrong"]} == wrong


def test_rebuild_mends_a_view(call: Call, tampering: Connection) -> None:
    tampering.execute("DELETE FROM balances")
    assert call("balance", "s-001", "--ledger", "kafka").code != 0
    rebuilt = call("rebuild", "--ledger", "kafka")
    assert rebuilt.code == 0, rebuilt.err
    assert call("verify", "--ledger", "kafka").code == 0


def test_a_reader_waits_for_a_position_and_says_when_it_is_not_reached(call: Call, twin: Twin) -> None:
    last = next(row for row in reversed(call("events", "s-001", "--ledger", "kafka").rows))
    shard = int(last["commandposition"].split("/")[1])
    reached, beyond = (f"events.v1/{shard}/{int(last['sequence']) + more}" for more in (0, 1_000_000))
    assert call("balance", "s-001", "--at-least", reached, "--ledger", "kafka").code == 0
    answer = call("balance", "s-001", "--at-least", reached, "--at-least", beyond, "--wait", "0.2", "--ledger", "kafka")
    assert (answer.code, answer.out) == (3, "")
    assert f"events.v1/{shard}" in answer.err
    assert answer.err.count("\n") == 1
    assert call("balance", "s-001", "--at-least", "s-001/7", "--ledger", "kafka").code == 2
    for nowhere in ("events.v1/77/1", "catalogue.v1/1/1"):
        answer = call("balance", "s-001", "--at-least", nowhere, "--ledger", "kafka")
        assert (answer.code, answer.out) == (2, ""), answer.err
        assert answer.err.startswith("subledger: --at-least: expected ")
    assert call("balance", "s-001", "--at-least", reached, "--ledger", twin.folder).code == 2


def test_a_reader_says_how_far_the_views_are_behind(call: Call, tampering: Connection, twin: Twin) -> None:
    """And shows what they have: nothing of a shard that was not counted."""
    with closing(TopicReader(twin.settings)) as topics:
        ends = topics.ends()
        facts = sum(topics.last_sequence(shard, schema.BEGINNING, end) for shard, end in ends.items())
    schema.begin(tampering, twin.settings.schema_name)
    answer = call("number", "+380445558888", "--json", "--ledger", "kafka")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == f"views are {facts:,} facts behind\n"
    assert "all is well" in call("verify", "--ledger", "kafka").err, (
        "of what was not counted the log alone is looked at"
    )


@pytest.mark.parametrize("who", [[], ["s-001"]], ids=["everybody", "one"])
def test_following_prints_what_is_recorded_meanwhile(
    twin: Twin, tampering: Connection, tmp_path: Path, who: list[str]
) -> None:
    """What there is comes first; then the fact of a command that is sent, and of one subscriber counted, meanwhile."""
    printed = tmp_path / "printed.jsonl"
    words = ["events", *who, "--ledger", "kafka"]
    there = subprocess.run([*PROGRAM, *words], cwd=CHECKOUT, check=True, capture_output=True).stdout.splitlines()
    with printed.open("wb") as out:
        reader = subprocess.Popen([*PROGRAM, *words, "--follow"], cwd=CHECKOUT, stdout=out)
        try:
            lines_in(printed, len(there))
            deposit = {"amount": "1.00", "currency": "USD", "method": "card", "reference": f"late{len(who)}"}
            late = {"id": f"late{len(who)}", "type": "CreditDeposit", "subscriber": "s-001", "data": deposit}
            with writing(twin.settings):
                send([{**late, "at": "2027-01-05T12:00:00+02:00", "actor": "desk"}], twin.folder, tmp_path / "late")
            project(twin.settings, tampering)
            more = lines_in(printed, len(there) + 1)[len(there) :]
        finally:
            reader.send_signal(signal.SIGINT)
            assert reader.wait(STOP_LIMIT_S) == 130
    assert {row["causationid"] for row in more} == {late["id"]}


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("SUBLEDGER_KAFKA", "", 2, "SUBLEDGER_KAFKA is not set"),
        ("SUBLEDGER_POSTGRES", "", 2, "SUBLEDGER_POSTGRES is not set"),
        ("SUBLEDGER_TOPICS", "a b", 2, "SUBLEDGER_TOPICS"),
        ("SUBLEDGER_POSTGRES", "host=127.0.0.1 port={port} user=postgres", 4, "PostgreSQL cannot be"),
    ],
)
@pytest.mark.parametrize("words", [["balance", "s-001"], ["verify"], ["rebuild"], ["catalogue", "show"]], ids=" ".join)
def test_what_is_missing_is_said_in_one_sentence(
    call: Call,
    environment: LiveSettings,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    name: str,
    value: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv(name, value.format(port=free_port()))
    answer = call(*words, "--ledger", "kafka")
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_brokers_that_do_not_answer_are_said_in_one_sentence(twin: Twin) -> None:
    """In a process of its own, since kafka-python leaves the sockets open that it could not connect."""
    answer = subprocess.run(
        [*PROGRAM, "balance", "s-001", "--ledger", "kafka"],
        cwd=CHECKOUT,
        env={**os.environ, "SUBLEDGER_KAFKA": f"127.0.0.1:{free_port()}"},
        capture_output=True,
        text=True,
        timeout=STOP_LIMIT_S,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (4, "")
    assert "no broker answered" in answer.stderr.splitlines()[-1]


def test_a_ledger_without_views_yet_is_said_in_one_sentence(
    call: Call, environment: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBLEDGER_TOPICS", new_topic("nothing"))
    answer = call("balance", "s-001", "--ledger", "kafka")
    assert answer.code == 1
    assert "`subledger project` keeps them" in answer.err
    assert answer.err.count("\n") == 1


def test_verbs_that_write_to_a_folder_refuse_the_live_ledger(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "commands.jsonl"
    file.write_text("")
    answer = call("run", file, "--ledger", "kafka")
    assert answer.code == 2
    assert "subledger submit" in answer.err
