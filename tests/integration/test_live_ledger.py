"""A live ledger on real servers: the broker's time, poison, duplicates, sealing, shards that move, exit codes."""

import itertools
import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from consumers.serving import LARGEST_COMMAND_BYTES
from infra.live.places import COMMANDS, DEAD_LETTERS, EVENTS, POSITION, REASON, REPLIES, partition_of
from infra.live.settings import PREFIX
from infra.sealing import ErasedKey, KeyFolder
from infra.servers import free_port
from tests.support.lines import line
from tests.support.live import PROGRAM, READY_LIMIT_S, VERB_LIMIT_S, Fact, Json, LiveLedger, Record, wait_until
from tests.support.servers import new_topic

PARTITIONS = 3
REPLY_LIMIT_S = 60.0
NAMES = {"given": "Oksana", "email": "oksana@example.org"}
MOVERS = 12
"""Subscribers under load while shards move."""
LOAD_COMMANDS = 20
"""Of each of them at least before and after a move."""


@pytest.fixture(scope="module")
def ledger(kafka_address: str) -> Iterator[LiveLedger]:
    """A ledger that takes time from its broker, with one writer; tests have subscribers of their own."""
    with LiveLedger(kafka_address, partitions=PARTITIONS, sandbox=False) as made, made.running("write"):
        yield made


def timeless(kind: str, command_id: str, subscriber: str, **data: Any) -> Json:
    """A command without `at`."""
    return {
        name: value for name, value in line(kind, command_id, subscriber=subscriber, **data).items() if name != "at"
    }


def joined(ledger: LiveLedger, subscriber: str, **data: Any) -> list[Json]:
    """The outcomes of a registration and a deposit of 50.00."""
    commands = (timeless("RegisterSubscriber", "c-1", subscriber, **data), timeless("CreditDeposit", "c-2", subscriber))
    outcomes = ledger.submit(commands)
    assert [one["status"] for one in outcomes] == ["accepted", "accepted"]
    return outcomes


def of_subject(ledger: LiveLedger, subscriber: str, outcomes: Sequence[Json] = ()) -> list[Json]:
    """The facts of one subscriber."""
    facts = ledger.facts(outcomes)[partition_of(subscriber, ledger.partitions)]
    return [fact.event for fact in facts if fact.event["subject"] == subscriber]


def answers_at(ledger: LiveLedger, topic: str, position: str) -> list[Record]:
    """The records of a topic whose header names that command."""
    return [one for one in ledger.records(topic) if one.headers.get(POSITION) == position.encode()]


def reply_to(ledger: LiveLedger, partition: int, offset: int) -> tuple[str, Record]:
    """Position of a command that was put there, and its reply, once it has come."""
    position = f"{COMMANDS}/{partition}/{offset}"
    wait_until(lambda: bool(answers_at(ledger, REPLIES, position)), REPLY_LIMIT_S, f"a reply to {position}")
    (reply,) = answers_at(ledger, REPLIES, position)
    return position, reply


def test_time_is_the_brokers(ledger: LiveLedger) -> None:
    """`time` and `effectiveat` of a fact are the append time of its command; they never go backwards in a shard."""
    outcomes = joined(ledger, "timed")
    appended = {f"{COMMANDS}/{one.partition}/{one.offset}": one.timestamp_ms for one in ledger.records(COMMANDS)}
    facts = of_subject(ledger, "timed", outcomes)
    assert facts
    for fact in facts:
        recorded = datetime.fromisoformat(fact["time"])
        assert recorded == datetime.fromtimestamp(appended[fact["commandposition"]] / 1000, UTC)
        assert fact["effectiveat"] == fact["time"]
    for shard in ledger.facts().values():
        times = [datetime.fromisoformat(fact.event["time"]) for fact in shard]
        assert times == sorted(times)


def test_a_command_with_an_instant_is_invalid(ledger: LiveLedger) -> None:
    """Path `at`; it goes to the dead letters and records nothing, and the next command of the partition is decided."""
    first, second = ledger.submit(
        [line("RegisterSubscriber", "c-1", subscriber="hasty"), timeless("RegisterSubscriber", "c-2", "hasty")]
    )
    assert (first["status"], first["path"]) == ("invalid", "at")
    assert second["status"] == "accepted"
    (letter,) = [one for one in ledger.records(DEAD_LETTERS) if one.key == b"hasty"]
    assert json.loads(letter.headers[REASON])["path"] == "at"
    assert {fact["causationid"] for fact in of_subject(ledger, "hasty", [second])} == {"c-2"}


POISON = {
    "no JSON": (b"{not json", "", "expected a JSON object"),
    "no value": (None, "", "without a value"),
    "no object": (b"[1, 2]", "", "object"),
    "a key twice": (b'{"id": "p-4", "data": {"amount": "1.00", "amount": "100.00"}}', "data.amount", "each key once"),
    "too large": (b'{"id": "' + b"x" * LARGEST_COMMAND_BYTES + b'"}', "", f"at most {LARGEST_COMMAND_BYTES} bytes"),
    "unknown type": (json.dumps(timeless("Unheard", "p-5", "poisoned")).encode(), "type", "expected"),
    "a number as an amount": (
        json.dumps(timeless("CreditDeposit", "p-6", "poisoned", amount=5)).encode(),
        "data.amount",
        "expected",
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_parked_with_its_reason_and_the_partition_moves_on(ledger: LiveLedger, name: str) -> None:
    """A dead letter with the same bytes, the reason and the position; a reply; and what comes behind it is decided."""
    value, path, message = POISON[name]
    subscriber = f"behind-{list(POISON).index(name)}"
    partition = partition_of(subscriber, PARTITIONS)
    if name in ("unknown type", "a number as an amount"):
        assert value is not None
        value = value.replace(b'"poisoned"', json.dumps(subscriber).encode())
    offset = ledger.put(COMMANDS, value, key=b"k", partition=partition)
    joined(ledger, subscriber)
    position, reply = reply_to(ledger, partition, offset)
    (letter,) = answers_at(ledger, DEAD_LETTERS, position)
    reason = json.loads(letter.headers[REASON])
    assert (letter.value, letter.key, letter.partition) == (value, b"k", partition)
    assert reason["path"] == path
    assert message in reason["message"]
    assert reply.key == b"k"
    assert reply.json == {"command": reply.json["command"], "status": "invalid", **reason}


def test_a_command_in_the_wrong_partition_is_parked(ledger: LiveLedger) -> None:
    """It would begin a second history of its subscriber."""
    joined(ledger, "placed")
    right = partition_of("placed", PARTITIONS)
    wrong = (right + 1) % PARTITIONS
    stray = json.dumps(timeless("CreditDeposit", "stray", "placed", reference="lp-2")).encode()
    offset = ledger.put(COMMANDS, stray, key=b"placed", partition=wrong)
    position, reply = reply_to(ledger, wrong, offset)
    (letter,) = answers_at(ledger, DEAD_LETTERS, position)
    assert json.loads(letter.headers[REASON])["path"] == "subscriber"
    assert (reply.json["status"], reply.json["path"]) == ("invalid", "subscriber")
    assert f"expected partition {right}" in reply.json["message"]
    assert "stray" not in {fact["causationid"] for fact in of_subject(ledger, "placed")}


def test_the_same_command_again_is_a_duplicate_and_another_under_its_id_is_refused(ledger: LiveLedger) -> None:
    outcomes = joined(ledger, "repeated")
    facts = of_subject(ledger, "repeated", outcomes)
    again, other, good = ledger.submit(
        [
            timeless("CreditDeposit", "c-2", "repeated"),
            timeless("CreditDeposit", "c-2", "repeated", amount="51.00"),
            timeless("CreditDeposit", "c-3", "repeated", reference="lp-2"),
        ]
    )
    assert again == {**outcomes[1], "status": "duplicate"}
    assert (other["status"], other["code"], other["events"]) == ("refused", "command_id_reused", [])
    assert (good["status"], good["balance"]) == ("accepted", "100.00")
    assert len(of_subject(ledger, "repeated", [good])) == len(facts) + len(good["events"])


def test_replies_say_where_their_command_stands(ledger: LiveLedger) -> None:
    """In the partition and under the key of the command, with its position; exactly one for each."""
    joined(ledger, "answered")
    sent = [one for one in ledger.records(COMMANDS) if one.key == b"answered"]
    for command in sent:
        (reply,) = answers_at(ledger, REPLIES, f"{COMMANDS}/{command.partition}/{command.offset}")
        assert (reply.partition, reply.key) == (command.partition, command.key)
        assert set(reply.headers) == {POSITION}
        assert reply.json["command"] == command.json["id"]
    assert len(sent) == 2


def test_personal_data_is_sealed_before_it_is_sent_and_gone_once_erased(ledger: LiveLedger) -> None:
    """No topic has seen it in clear. Erasing destroys the key, and a command resent is still known."""
    joining = timeless("RegisterSubscriber", "c-1", "private", personal=NAMES)
    (registered,) = ledger.submit([joining])
    (command,) = [one for one in ledger.records(COMMANDS) if one.key == b"private"]
    sealed = command.json["data"]["personal"]
    with closing(KeyFolder(ledger.settings.keys)) as keys:
        assert keys.open("private", sealed) == NAMES
    (fact, *_) = of_subject(ledger, "private", [registered])
    assert fact["data"]["personal"] == sealed
    (erased,) = ledger.submit([timeless("ErasePersonalData", "c-2", "private")])
    assert erased["status"] == "accepted"
    with closing(KeyFolder(ledger.settings.keys)) as keys, pytest.raises(ErasedKey):
        keys.open("private", sealed)
    (again,) = ledger.submit([joining])
    assert again == {**registered, "status": "duplicate"}
    twice = json.dumps(timeless("RegisterSubscriber", "c-3", "private", personal=NAMES))
    file = ledger.folder / "twice.jsonl"
    file.write_text(f'{twice[:-1]}, "id": "c-4"}}')
    assert json.loads(ledger.verb("submit", str(file)).stdout)["path"] == "id"
    for topic in (COMMANDS, EVENTS, REPLIES, DEAD_LETTERS):
        values = b"".join(one.value or b"" for one in ledger.records(topic))
        assert b"oksana" not in values.lower()


class Load:
    """A sender in a thread: deposits of 1.00 for some subscribers, one after another; every outcome is kept."""

    def __init__(self, ledger: LiveLedger) -> None:
        self._ledger = ledger
        self._stopping = threading.Event()
        self.outcomes: dict[str, list[Json]] = {f"mover-{number}": [] for number in range(MOVERS)}
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        registrations = [timeless("RegisterSubscriber", "c-0", who) for who in self.outcomes]
        assert {one["status"] for one in self._ledger.submit(registrations)} == {"accepted"}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(VERB_LIMIT_S)
        assert not self._thread.is_alive()
        if self._failed is not None:
            raise self._failed

    def goes_on(self) -> None:
        """Returns when every subscriber has got some more outcomes."""
        wanted = {who: len(outcomes) + LOAD_COMMANDS for who, outcomes in self.outcomes.items()}
        wait_until(
            lambda: self._failed is not None or all(len(self.outcomes[who]) >= count for who, count in wanted.items()),
            VERB_LIMIT_S,
            "outcomes to go on",
        )

    def _run(self) -> None:
        try:
            with closing(self._ledger.submission()) as submission:
                for number in itertools.takewhile(lambda _: not self._stopping.is_set(), itertools.count(1)):
                    commands = [
                        timeless("CreditDeposit", f"c-{number}", who, amount="1.00", reference=f"r-{number}")
                        for who in self.outcomes
                    ]
                    values = [json.dumps(command).encode() for command in commands]
                    outcomes = [*submission.send(values), *submission.rest()]
                    for who, outcome in zip(self.outcomes, outcomes, strict=True):
                        self.outcomes[who].append(outcome)
        except BaseException as failed:  # noqa: BLE001 - the test raises it
            self._failed = failed


def shards_of(text: str) -> int:
    """How many shards a writer's metrics say that it has."""
    found = re.search(r"^subledger_shards (\d+)", text, re.MULTILINE)
    assert found
    return int(found[1])


def test_shards_move_between_writers_without_a_lost_doubled_or_reordered_fact(kafka_address: str) -> None:
    """Under load a second writer takes some shards over, then the first is stopped and the second takes all."""
    with LiveLedger(kafka_address, partitions=PARTITIONS, sandbox=False) as ledger:
        first = ledger.start("write", data=str(ledger.folder / "first"))
        first.wait_ready()
        with Load(ledger) as load:
            load.goes_on()
            second = ledger.start("write", data=str(ledger.folder / "second"))
            second.wait_ready()
            wait_until(
                lambda: shards_of(first.metrics()) + shards_of(second.metrics()) == PARTITIONS,
                READY_LIMIT_S,
                "two writers to share the shards",
            )
            assert 0 < shards_of(second.metrics()) < PARTITIONS
            load.goes_on()
            assert first.stop() == 0
            load.goes_on()
            assert shards_of(second.metrics()) == PARTITIONS
        assert second.stop() == 0
        require_whole(ledger, load.outcomes)


def require_whole(ledger: LiveLedger, told: dict[str, list[Json]]) -> None:
    """What was told is what is stored: each deposit once, in the order in which it was sent, with no gap anywhere."""
    for shard in ledger.facts([outcome for outcomes in told.values() for outcome in outcomes]).values():
        require_in_order(shard)
    for who, outcomes in told.items():
        assert {outcome["status"] for outcome in outcomes} == {"accepted"}
        balances = [outcome["balance"] for outcome in outcomes]
        assert balances == [f"{number}.00" for number in range(1, len(outcomes) + 1)]
        facts = of_subject(ledger, who)
        assert [fact["streamversion"] for fact in facts] == list(range(1, len(facts) + 1))
        credited = [fact["data"]["reference"] for fact in facts if fact["type"].endswith("deposit-credited.v1")]
        assert credited == [f"r-{number}" for number in range(1, len(outcomes) + 1)]
        events = [event["id"] for outcome in outcomes for event in outcome["events"]]
        assert events == [fact["id"] for fact in facts if fact["causationid"] != "c-0"]


def require_in_order(facts: Sequence[Fact]) -> None:
    """Dense sequences, in the order of the commands' positions."""
    assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
    offsets = [int(fact.event["commandposition"].rpartition("/")[2]) for fact in facts]
    assert all(one <= other for one, other in pairwise(offsets))


PROCESSES = ("write", "project", "calendar")


@pytest.fixture
def fresh(kafka_address: str, postgres_dsn: str, tmp_path: Path) -> Iterator[LiveLedger]:
    """A ledger that no process works on."""
    with LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn, sandbox=False) as made:
        yield made


@pytest.fixture(scope="module")
def founded(kafka_address: str, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLedger]:
    """The same for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("founded")
    with LiveLedger(kafka_address, folder, postgres=postgres_dsn, sandbox=False) as made:
        yield made


def all_ended(ledger: LiveLedger, verbs: Sequence[Sequence[str]], **variables: str) -> dict[str, tuple[int, str]]:
    """Verb → exit code and the last line of what it said, which must be no traceback; all at once, to save time."""
    environment = ledger.environment | {PREFIX + name: value for name, value in variables.items()}
    started = {
        words[0]: subprocess.Popen(
            [*PROGRAM, *words],
            cwd=ledger.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in verbs
    }
    found = {}
    try:
        for verb, process in started.items():
            out, err = process.communicate(timeout=VERB_LIMIT_S)
            assert "Traceback" not in err
            assert out == ""
            found[verb] = (process.returncode, err.strip().splitlines()[-1])
    finally:
        for process in started.values():
            if process.poll() is None:
                process.kill()
                process.communicate()
    return found


def ended(ledger: LiveLedger, *words: str, **variables: str) -> tuple[int, str]:
    """The same for one verb."""
    return all_ended(ledger, [words], **variables)[words[0]]


def submitting(ledger: LiveLedger) -> list[str]:
    """`submit` with a file of nothing."""
    file = ledger.folder / "nothing.jsonl"
    file.write_text("")
    return ["submit", str(file)]


def test_no_broker_is_exit_4(founded: LiveLedger) -> None:
    """Whatever a verb is for, and whether or not there is a database."""
    verbs = [[verb] for verb in PROCESSES] + [submitting(founded), ["topics", "check"]]
    nobody = {"KAFKA": f"127.0.0.1:{free_port()}", "POSTGRES": f"host=127.0.0.1 port={free_port()} user=nobody"}
    found = all_ended(founded, verbs, **nobody)
    assert {verb: code for verb, (code, _) in found.items()} == {words[0]: 4 for words in verbs}
    assert all("no broker answered" in said for _, said in found.values()), found


def test_no_postgres_is_exit_4(founded: LiveLedger) -> None:
    """A verb that reads does not wait."""
    nobody = f"host=127.0.0.1 port={free_port()} user=nobody"
    code, said = ended(founded, "balance", "s-1", "--ledger", "kafka", POSTGRES=nobody)
    assert code == 4
    assert "PostgreSQL cannot be" in said


def test_topics_without_a_ledger_are_exit_2(founded: LiveLedger) -> None:
    """Each process says what makes one."""
    nowhere = new_topic("nowhere")
    verbs = [[verb] for verb in PROCESSES] + [submitting(founded), ["topics", "check"]]
    said = f"subledger: {nowhere}.catalogue.v1 has no ledger yet; `subledger topics create` makes one"
    assert all_ended(founded, verbs, TOPICS=nowhere) == {words[0]: (2, said) for words in verbs}


@pytest.mark.parametrize("verb", ["write", "project"])
def test_finite_retention_is_exit_1(founded: LiveLedger, verb: str) -> None:
    """Of events or commands: history would be lost."""
    topic = founded.settings.topic(COMMANDS if verb == "write" else EVENTS)
    configure(founded, topic, "retention.ms", "86400000")
    found = all_ended(founded, [[verb], ["topics", "check"]])
    configure(founded, topic, "retention.ms", "-1")
    assert {code for code, _ in found.values()} == {1}
    assert all(f"{topic}: retention.ms is 86400000" in said for _, said in found.values())
    assert founded.verb("topics", "check").returncode == 0


def configure(ledger: LiveLedger, topic: str, setting: str, value: str) -> None:
    """Changes a topic as an administrator would."""
    clients = ledger.settings.clients
    with closing(clients.clients.admin(**clients.for_admin())) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {setting: value})])


def test_retention_switched_on_stops_a_running_writer(fresh: LiveLedger) -> None:
    """It looks again and again, and leaves with exit 1 and the topic's name."""
    writer = fresh.start("write", check_seconds="0.5")
    writer.wait_ready()
    topic = fresh.settings.topic(COMMANDS)
    configure(fresh, topic, "retention.ms", "86400000")
    assert writer.ended() == 1
    assert f"{topic}: retention.ms is 86400000" in writer.said.strip().splitlines()[-1]


def test_the_keys_of_another_ledger_are_exit_2(founded: LiveLedger, tmp_path: Path) -> None:
    """So are keys that are missing: no other key may be drawn."""
    empty = tmp_path / "none"
    assert ended(founded, "write", KEYS=str(empty)) == (
        2,
        f"subledger: {empty}/salt.key is missing; the ledger was founded with a key that every process needs",
    )
    assert not (empty / "salt.key").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "salt.key").write_bytes(b"k" * 32)
    assert ended(founded, "write", KEYS=str(foreign)) == (
        2,
        f"subledger: {foreign}/salt.key is the key of another ledger",
    )


def test_a_missing_setting_is_exit_2(founded: LiveLedger) -> None:
    """Its name is said, and what it looks like."""
    verbs = [[verb] for verb in PROCESSES] + [submitting(founded)]
    said = "subledger: SUBLEDGER_KAFKA is not set; expected the brokers as host:port,…"
    assert all_ended(founded, verbs, KAFKA="") == {words[0]: (2, said) for words in verbs}
    found = all_ended(founded, [["project"], ["calendar"]], POSTGRES="")
    assert {code for code, _ in found.values()} == {2}
    assert all("SUBLEDGER_POSTGRES is not set" in said for _, said in found.values())


def test_a_sandbox_has_no_calendar(kafka_address: str, postgres_dsn: str, tmp_path: Path) -> None:
    """Its time is in its commands: exit 2."""
    with LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn) as sandbox:
        code, said = ended(sandbox, "calendar")
    assert code == 2
    assert "sandbox" in said


def test_no_reply_is_exit_3(fresh: LiveLedger) -> None:
    """Nobody writes: what was sent is decided once somebody does, and answered as a duplicate when it is sent again."""
    file = fresh.folder / "one.jsonl"
    file.write_text(json.dumps(timeless("RegisterSubscriber", "c-1", "s-1")))
    code, said = ended(fresh, "submit", str(file), REPLY_SECONDS="1")
    assert code == 3
    assert "is `subledger write` running?" in said
    with fresh.running("write"):
        done = fresh.verb("submit", str(file))
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "duplicate")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_processes_stop_cleanly(fresh: LiveLedger, number: int) -> None:
    """TERM and Ctrl-C: exit 0, and the log's last line says so."""
    processes = [fresh.start(verb) for verb in PROCESSES]
    for process in processes:
        process.wait_ready()
    for process in reversed(processes):
        assert process.stop(number) == 0
        last = json.loads(process.said.strip().splitlines()[-1])
        assert (last["event"], last["process"]) == ("stopped", process.verb)
