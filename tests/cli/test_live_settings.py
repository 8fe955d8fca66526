"""Verbs of a live ledger whose settings are wrong: one sentence that names the setting, at once, exit code 2."""

from functools import partial
from pathlib import Path

import pytest

from infra.kafka.settings import KafkaSettings
from infra.live import settings
from tests.cli.conftest import Call

SETTINGS = ("SUBLEDGER_KAFKA", "SUBLEDGER_POSTGRES", "SUBLEDGER_TOPICS")
COMMANDS = "commands.jsonl"
VERBS = (
    ["topics", "check"],
    ["topics", "create"],
    ["submit", COMMANDS],
    ["write"],
    ["project"],
    ["calendar"],
    ["balance", "s-1", "--ledger", "kafka"],
    ["events", "--ledger", "kafka"],
)
BENCH = ["bench", "--ledger", "kafka", "--commands", "1"]
"""It starts servers where none are named."""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / COMMANDS).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("verb", VERBS)
def test_a_ledger_of_which_nobody_said_where_it_is(call: Call, verb: list[str]) -> None:
    answer = call(*verb)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "subledger: SUBLEDGER_KAFKA is not set; expected the brokers as host:port,…\n"


@pytest.mark.parametrize("brokers", ["nonsense", "host:port", "a:1,,b:2", "a:1;b:2", ":9092", "host:99999"])
@pytest.mark.parametrize("verb", [*VERBS, BENCH])
def test_brokers_that_cannot_be_meant(
    call: Call, monkeypatch: pytest.MonkeyPatch, verb: list[str], brokers: str
) -> None:
    monkeypatch.setenv("SUBLEDGER_KAFKA", brokers)
    monkeypatch.setenv("SUBLEDGER_POSTGRES", "postgresql://nobody@127.0.0.1:1/none")
    answer = call(*verb)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("subledger: SUBLEDGER_KAFKA: expected the brokers as host:port,…, found ")
    assert answer.err.count("\n") == 1


def test_a_prefix_of_topics_that_cannot_be_one(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBLEDGER_KAFKA", "127.0.0.1:9092")
    monkeypatch.setenv("SUBLEDGER_TOPICS", "not a prefix")
    said = call("topics", "check").err
    assert said == "subledger: SUBLEDGER_TOPICS: expected 1 to 100 characters of A-Z a-z 0-9 . _ -\n"


@pytest.mark.parametrize("verb", [["project"], ["calendar"], ["project", "--rebuild"], VERBS[-2], VERBS[-1]])
def test_a_connection_string_that_cannot_be_one(call: Call, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    """What it says is not repeated: a password may be in it."""
    monkeypatch.setenv("SUBLEDGER_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("SUBLEDGER_POSTGRES", "nonsense")
    answer = call(*verb)
    assert (answer.code, answer.out) == (2, "")
    expected = "expected a connection string such as postgresql://…, found none"
    assert answer.err == f"subledger: SUBLEDGER_POSTGRES: {expected}\n"


@pytest.mark.parametrize("verb", [*VERBS, BENCH])
def test_a_file_of_settings_that_is_no_text(call: Call, tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / ".env").write_bytes(b"SUBLEDGER_KAFKA=\xff\xfe\n")
    answer = call(*verb)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "subledger: .env: expected settings in UTF-8, found other bytes\n"


@pytest.mark.parametrize("name", ["DATA", "KEYS", "SSL_CAFILE", "SSL_CERTFILE", "SSL_KEYFILE", "SSL_CRLFILE"])
def test_an_empty_path_is_not_taken_for_this_folder(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SUBLEDGER_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv(f"SUBLEDGER_{name}", "")
    answer = call("topics", "create")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"subledger: SUBLEDGER_{name}: expected a path, found ''\n"


@pytest.mark.parametrize("verb", [["topics", "check"], ["topics", "create"], ["submit", COMMANDS]])
def test_brokers_that_are_not_there(call: Call, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    monkeypatch.setattr(settings, "KafkaSettings", partial(KafkaSettings, bootstrap_timeout_ms=200))
    monkeypatch.setenv("SUBLEDGER_KAFKA", "127.0.0.1:1")
    answer = call(*verb)
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == "subledger: no broker answered at 127.0.0.1:1\n"


def test_a_benchmark_of_brokers_that_are_not_there(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ledger's settings are those of its process from then on; here they are put back."""
    monkeypatch.setattr(settings, "KafkaSettings", partial(KafkaSettings, bootstrap_timeout_ms=200))
    monkeypatch.setenv("SUBLEDGER_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("SUBLEDGER_POSTGRES", "postgresql://nobody@127.0.0.1:1/none")
    for name in ("TOPICS", "DATA", "KEYS"):
        monkeypatch.setenv(f"SUBLEDGER_{name}", "here")
    answer = call(*BENCH)
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == "subledger: no broker answered at 127.0.0.1:1\n"
