"""`subledger project` on real servers: every row is that of the topics, whatever dies when."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from consumers.ports import Stored
from consumers.writer import Writer
from infra.cli.main import main
from infra.contracts import balance_record
from infra.kafka.errors import CorruptLog, SequenceBroken
from infra.kafka.reader import Partition, PartitionReader
from infra.kafka.records import LogRecord
from infra.live import projecting
from infra.live.health import Health
from infra.live.notes import Answered
from infra.live.places import BALANCES, CATALOGUE, EVENTS, FACTS, partition_of
from infra.live.projecting import ProjectProcess, ServerAbsent
from infra.live.settings import LiveSettings
from infra.postgres import schema
from infra.postgres.connecting import connect
from infra.postgres.rebuilding import open_current
from infra.servers import PostgresServer
from infra.views.runner import Runner
from infra.views.runner import begin as sqlite_begin
from tests.model.generate import generate
from tests.projections.tables import all_rows
from tests.projections.test_postgres_rows import rows_in
from tests.support.live_topics import LiveTopics, append, founded
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer
from tests.support.servers import new_topic

PARTITIONS = 3
PROVIDERS = ("telnexx", "illyvoip")
COMMANDS_EACH = 250
LIMIT_S = 60.0
CHECKOUT = Path(__file__).parents[2]

Shards = list[list[Stored]]


@pytest.fixture(scope="module")
def shards() -> Shards:
    """The facts of a few subscribers of two providers, one with invoices, by shard."""
    stores = [MemoryShard() for _ in range(PARTITIONS)]
    catalogue = MemoryCatalogue()
    writers = [Writer(store, catalogue, PlainSealer()) for store in stores]
    for seed, provider in enumerate(PROVIDERS):
        for command in generate(seed, provider=provider, subscribers=8, length=COMMANDS_EACH):
            if command.get("subscriber") != "catalogue":
                renamed = re.sub(r'"(s-\d+)("|/)', rf'"{provider}.\1\2', json.dumps(command))
                mine = json.loads(renamed)
                writers[partition_of(str(mine.get("subscriber")), PARTITIONS)].execute(mine)
    for writer in writers:
        writer.commit()
    found = [store.facts for store in stores]
    assert all(len(facts) > 50 for facts in found)
    return found


@pytest.fixture
def settings(kafka_address: str, postgres_dsn: str, tmp_path: Path) -> LiveSettings:
    return settings_for(kafka_address, postgres_dsn, tmp_path)


def settings_for(kafka: str, postgres: str, folder: Path) -> LiveSettings:
    """A ledger of the test's own."""
    return LiveSettings(
        kafka=kafka,
        postgres=postgres,  # type: ignore[arg-type]  # a secret, which pydantic makes of it
        topics=new_topic("live"),
        data=folder / "data",
        keys=folder / "keys",
    )


@pytest.fixture
def live(settings: LiveSettings, tmp_path: Path) -> LiveTopics:
    """Its topics, without facts but the catalogue's."""
    return founded(settings, tmp_path, PARTITIONS)


def fill(live: LiveTopics, shards: Shards, first: int = 0, last: int | None = None, groups: int = 4) -> None:
    """Facts `first` to `last` of each shard, in a few commits."""
    for number, facts in enumerate(shards):
        some = facts[first:last]
        size = max(1, len(some) // groups)
        with live.shard(number) as log:
            for start in range(0, len(some), size):
                append(log, some[start : start + size])


def expected_rows(live: LiveTopics) -> Any:
    """The rows of SQLite's views over what is on the topics."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        sqlite_begin(connection)
        for number in range(PARTITIONS):
            entries = read_back(live.settings, EVENTS, number)
            if entries:
                Runner(connection, shard=number).apply(entries)
        return all_rows(connection)


def read_back(settings: LiveSettings, topic: str, number: int) -> list[tuple[int, bytes]]:
    place = Partition(settings.topic(topic), number)
    with PartitionReader(settings.clients, place, offset=0, after=0, record_format=FACTS) as reader:
        return [(entry.sequence, entry.value) for batch in reader.until(reader.end_offset()) for entry in batch.entries]


def rows_found(settings: LiveSettings) -> Any:
    with closing(connect(settings.dsn, settings.schema_name)) as connection:
        return rows_in(connection)


def copies_found(settings: LiveSettings, shard: int) -> list[tuple[int, bytes]]:
    with closing(connect(settings.dsn, settings.schema_name)) as connection:
        select = "SELECT sequence, value FROM facts WHERE shard = %s ORDER BY sequence"
        return connection.execute(select, (shard,)).fetchall()


def counted(settings: LiveSettings) -> dict[int, int]:
    """Shard → sequence that the views stand at; nothing where the database does not answer."""
    try:
        with closing(connect(settings.dsn, settings.schema_name)) as connection:
            return {shard: at.sequence for shard, at in schema.positions(connection).items()}
    except psycopg.Error:
        return {}


def wait_until(what: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def stands_at(settings: LiveSettings, shards: Shards) -> bool:
    found = counted(settings)
    return all(found.get(number) == len(facts) for number, facts in enumerate(shards))


def process_of(settings: LiveSettings) -> ProjectProcess:
    return ProjectProcess(settings, Health("project", "127.0.0.1", 0))


@contextmanager
def running(process: ProjectProcess) -> Iterator[threading.Thread]:
    """The process in a thread; it must end without a failure."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            process.run()
        except BaseException as failure:  # noqa: BLE001 - the test raises it
            failed.append(failure)

    thread = threading.Thread(target=run, name="project")
    thread.start()
    try:
        yield thread
    finally:
        process.stop()
        thread.join(LIMIT_S)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


@contextmanager
def subprocess_of(settings: LiveSettings, script: str = "", *words: str) -> Iterator["subprocess.Popen[str]"]:
    """The program in a process of its own, after `script`, which may change it."""
    code = f"import sys\n{script}\nfrom infra.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    environment = {
        **os.environ,
        "SUBLEDGER_KAFKA": settings.brokers,
        "SUBLEDGER_POSTGRES": settings.dsn,
        "SUBLEDGER_TOPICS": settings.topics,
        "SUBLEDGER_DATA": str(settings.data),
        "SUBLEDGER_KEYS": str(settings.keys),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code, "project", *words],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_S)
        assert process.stdout is not None
        process.stdout.close()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and everything that was said."""
    said, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, said


def latest_balances(settings: LiveSettings) -> dict[str, dict[str, Any]]:
    """Key → the last record of the balances' topic."""
    consumer = settings.clients.clients.consumer(**settings.clients.for_consumer())
    from kafka import TopicPartition  # type: ignore[import-untyped]

    places = [TopicPartition(settings.topic(BALANCES), number) for number in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    latest: dict[str, dict[str, Any]] = {}
    ends = consumer.end_offsets(places)
    while any(consumer.position(place) < ends[place] for place in places):
        for record in chain.from_iterable(consumer.poll(timeout_ms=200).values()):
            value = orjson.loads(record.value)
            assert record.partition == value["shard"] == partition_of(value["subscriber"], PARTITIONS)
            known = latest.get(record.key.decode())
            assert known is None or known["sequence"] <= value["sequence"]
            latest[record.key.decode()] = value
    consumer.close()
    return latest


def test_rows_facts_and_answers_are_those_of_the_topics(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    fill(live, shards, last=40)
    answer = Answered("telnexx.s-1", "c-x", 12, "f", None, 0, 0, {"status": "accepted"})
    with running(process_of(settings)):
        fill(live, shards, first=40)
        with live.shard(1) as log:
            append(log, [], [answer])
        wait_until(lambda: stands_at(settings, shards))
        wait_until(lambda: bool(_answers(settings)))
    assert rows_found(settings) == expected_rows(live)
    for number in range(PARTITIONS):
        assert copies_found(settings, number) == read_back(settings, EVENTS, number)
    assert copies_found(settings, schema.CATALOGUE_SHARD) == read_back(settings, CATALOGUE, 0) != []
    assert _answers(settings) == [("telnexx.s-1", "c-x", 1, 12, 0, 0, '{"status":"accepted"}')]


def _answers(settings: LiveSettings) -> list[tuple[Any, ...]]:
    with closing(connect(settings.dsn, settings.schema_name)) as connection:
        return connection.execute("SELECT * FROM answers").fetchall()


def test_balances_are_told_with_what_is_outstanding_under_invoices(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    fill(live, shards)
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, shards))
    told = latest_balances(settings)
    with closing(connect(settings.dsn, settings.schema_name)) as connection:
        rows = connection.execute("SELECT subject, currency, balance, outstanding FROM balances").fetchall()
    assert set(told) == {row[0] for row in rows}
    for subject, currency, balance, outstanding in rows:
        record = balance_record.read(orjson.dumps(told[subject]))
        assert (record.balance.units, record.balance.currency) == (balance, currency)
        if subject.startswith("illyvoip"):
            assert record.outstanding is not None
            assert record.outstanding.units == outstanding
        else:
            assert record.outstanding is None
    assert any(row[3] for row in rows)


SLEEP_BEFORE_POSITIONS = """
from infra.postgres import keeping
keeping.UPSERT_POSITIONS = '''
WITH slept AS MATERIALIZED (SELECT pg_sleep(600))
INSERT INTO positions (shard, sequence, next_offset)
SELECT given.* FROM slept, unnest($1::int[], $2::bigint[], $3::bigint[]) AS given
ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence, next_offset = excluded.next_offset'''
"""
"""The rows are written, and the position is about to be."""
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%positions%'"


@pytest.mark.slow
def test_killed_between_rows_and_position_nothing_is_lost_or_doubled(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    fill(live, shards, last=30)
    with running(process_of(settings)):
        wait_until(lambda: sum(counted(settings).get(number, 0) for number in range(PARTITIONS)) == 30 * PARTITIONS)
    fill(live, shards, first=30)
    before = counted(settings)
    with subprocess_of(settings, SLEEP_BEFORE_POSITIONS) as process, closing(psycopg.connect(settings.dsn)) as other:
        other.autocommit = True
        wait_until(lambda: other.execute(SLEEPING).fetchone() == (1,))
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    assert counted(settings) == before
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, shards))
    assert rows_found(settings) == expected_rows(live)


@pytest.mark.slow
def test_postgres_killed_under_load_nothing_is_lost_or_doubled(
    kafka_address: str, postgres_server: PostgresServer, tmp_path: Path, shards: Shards
) -> None:
    settings = settings_for(kafka_address, postgres_server.dsn, tmp_path)
    live = founded(settings, tmp_path, PARTITIONS)
    with running(process_of(settings)):
        for round_ in range(3):
            first = 15 * round_
            fill(live, shards, first=first, last=first + 15, groups=15)
            postgres_server.kill()
            fill(live, shards, first=first + 15, last=first + 15)
            postgres_server.restart()
        fill(live, shards, first=45)
        wait_until(lambda: stands_at(settings, shards))
    assert rows_found(settings) == expected_rows(live)


def test_a_gap_stops_the_process_with_a_diagnosis_after_what_was_sound(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    fill(live, shards, last=20)
    _put_raw(live, shards, sequence=22)
    with subprocess_of(settings) as process:
        code, said = ended(process)
    assert code == 1
    last_line = said.strip().splitlines()[-1]
    assert re.search(rf"{re.escape(settings.topic(EVENTS))}/2: a gap .*expected sequence 21, found 22", last_line)
    assert [counted(settings).get(number) for number in range(PARTITIONS)] == [20, 20, 20]


def test_a_repeat_is_refused(live: LiveTopics, shards: Shards) -> None:
    fill(live, shards, last=20)
    _put_raw(live, shards, sequence=20)
    with pytest.raises(SequenceBroken, match="a repeat"), running(process_of(live.settings)) as thread:
        thread.join(LIMIT_S)


def _put_raw(live: LiveTopics, shards: Shards, sequence: int) -> None:
    """A fact that no fenced writer would have written."""
    settings = live.settings
    record = FACTS.event(LogRecord("telnexx.s-1", 1, "subledger.deposit-credited.v1", b"{}"), sequence)
    producer = settings.clients.clients.producer(**settings.clients.for_plain_producer())
    producer.send(settings.topic(EVENTS), record.value, record.key, record.headers, 2).get(LIMIT_S)
    producer.close()


def test_a_second_process_waits_and_takes_over(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    first, second = process_of(settings), process_of(settings)
    with running(second):
        with running(first):
            pass
        wait_until(lambda: second._session is not None)
        third = process_of(settings)
        third.step()
        assert third._session is None
        third.close()
        fill(live, shards)
        wait_until(lambda: stands_at(settings, shards))
    assert rows_found(settings) == expected_rows(live)


def test_term_ends_the_process_cleanly(live: LiveTopics, shards: Shards) -> None:
    settings = live.settings
    fill(live, shards)
    with subprocess_of(settings) as process:
        wait_until(lambda: stands_at(settings, shards))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)
    assert code == 0, said
    assert time.monotonic() - started < settings.stop_seconds
    assert "Traceback" not in said


def test_a_batch_that_takes_too_long_is_given_up_to_stop_in_time(live: LiveTopics, shards: Shards) -> None:
    """Another session holds a lock that the batch needs; what is given up is read again by the next process."""
    settings = live.settings
    fill(live, shards, last=20)
    short = settings.model_copy(update={"stop_seconds": 1.0})
    begun = process_of(short)
    begun.step()
    with closing(psycopg.connect(settings.dsn)) as other:
        other.execute(f"LOCK TABLE {settings.schema_name}.balances".encode())
        with running(begun):
            wait_until(lambda: begun._session is not None and begun._session.writing is not None)
            started = time.monotonic()
        assert time.monotonic() - started < 10
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, [facts[:20] for facts in shards]))
    assert rows_found(settings) == expected_rows(live)


def test_folding_anew_is_given_up_to_stop_in_time(
    live: LiveTopics, shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views of an older program are found, and the process is told to end: they stay as they are."""
    settings = live.settings
    fill(live, shards)
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, shards))
    with closing(psycopg.connect(settings.dsn, autocommit=True)) as other:
        other.execute(f"UPDATE {settings.schema_name}.shape SET fingerprint = 'older'".encode())
        process = process_of(settings)

        def told_to_stop(*arguments: Any) -> None:
            process.stop()
            open_current(*arguments)

        monkeypatch.setattr(projecting, "open_current", told_to_stop)
        process.run()
        shape = other.execute(f"SELECT fingerprint FROM {settings.schema_name}.shape".encode()).fetchall()
        assert shape == [("older",)]
    monkeypatch.undo()
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, shards))
    assert rows_found(settings) == expected_rows(live)


def test_rebuilt_by_the_program_the_rows_are_the_same(
    live: LiveTopics, shards: Shards, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = live.settings
    fill(live, shards)
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, shards))
        for name, value in (("KAFKA", settings.brokers), ("POSTGRES", settings.dsn), ("TOPICS", settings.topics)):
            monkeypatch.setenv(f"SUBLEDGER_{name}", value)
        assert main(["project", "--rebuild"]) == 0
        facts = sum(map(len, shards))
        assert f"folded all views from {facts:,} facts" in capsys.readouterr().err
        more = [[*facts[:1]] for facts in _strangers()]
        fill(live, more)
        wait_until(lambda: sum(counted(settings).get(number, 0) for number in range(PARTITIONS)) == facts + PARTITIONS)
    assert rows_found(settings) == expected_rows(live)


def _strangers() -> Shards:
    """A registration for each shard, of subscribers whom nobody has seen."""
    found: dict[int, list[Stored]] = {}
    for command in generate(7, provider="telnexx", subscribers=40, length=200):
        mine = {**command, "subscriber": f"late.{command.get('subscriber')}"}
        store = MemoryShard()
        writer = Writer(store, MemoryCatalogue(), PlainSealer())
        if command["type"] == "RegisterSubscriber" and writer.execute(mine)["status"] == "accepted":
            writer.commit()
            found.setdefault(partition_of(mine["subscriber"], PARTITIONS), store.facts)
    return [found[number] for number in range(PARTITIONS)]


def test_facts_under_regulations_that_were_never_published_are_refused(live: LiveTopics, shards: Shards) -> None:
    process = process_of(live.settings)
    with pytest.raises(CorruptLog, match="regulations nowhere, which were never published"):
        process._has_invoices("nowhere")
    assert process._has_invoices("illyvoip") is True
    assert process._has_invoices("telnexx") is False
    process.close()


def test_a_database_that_stays_away_ends_the_process(
    kafka_address: str,
    postgres_server: PostgresServer,
    tmp_path: Path,
    shards: Shards,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projecting, "ABSENT_LIMIT_SECONDS", 1.0)
    settings = settings_for(kafka_address, postgres_server.dsn, tmp_path)
    live = founded(settings, tmp_path, PARTITIONS)
    with pytest.raises(ServerAbsent, match="nothing could be written for"), running(process_of(settings)) as thread:
        wait_until(lambda: bool(counted(settings)))
        postgres_server.kill()
        fill(live, shards)
        thread.join(LIMIT_S)


def test_views_of_another_topic_are_not_followed(live: LiveTopics, shards: Shards) -> None:
    """The database has counted more than the topic holds: it is not the topic that the views were folded from."""
    settings = live.settings
    fill(live, shards, last=20)
    with running(process_of(settings)):
        wait_until(lambda: stands_at(settings, [facts[:20] for facts in shards]))
    with closing(connect(settings.dsn, settings.schema_name)) as connection:
        connection.execute("UPDATE positions SET next_offset = next_offset + 1000 WHERE shard = 1")
    with pytest.raises(SequenceBroken, match="it is not the topic"), running(process_of(settings)) as thread:
        thread.join(LIMIT_S)
