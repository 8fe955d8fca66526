"""The consumer of docs/consuming.md, as it stands on the page, against a real broker and facts as they are written."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from consumers.ports import Stored
from consumers.writer import Writer
from domain.money import Money
from infra import codec
from infra.contracts.asyncapi import FACT_HEADERS
from infra.contracts.balance_record import BalanceRecord
from infra.kafka.log import FencedLog
from infra.kafka.mirror import LogPlace
from infra.kafka.reader import Partition
from infra.kafka.records import LogRecord
from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from infra.live.places import BALANCES, EVENTS, FACTS, TOPICS, headers_of
from tests.codec.schemas import faults
from tests.codec.write_examples import KEY
from tests.style.checkout import ROOT
from tests.style.console import blocks
from tests.support.lines import first_month
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer
from tests.support.servers import new_topic

PAGE = (ROOT / "docs" / "consuming.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "consumer.py"
IDLE_MS = 3_000
CALL_LIMIT_S = 60
CONFIGS = {topic.name: topic.configs for topic in TOPICS}

Json = dict[str, Any]


@cache
def _example() -> ModuleType:
    found = importlib.util.spec_from_file_location("consumer", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _read(address: str, topic: str, after: int = 0, offset: int = 0) -> Iterator[tuple[int, Json]]:
    read: Iterator[tuple[int, Json]] = _example().facts(address, topic, 0, after, offset, IDLE_MS)
    return read


def _sequences(address: str, topic: str, after: int = 0, offset: int = 0) -> list[int]:
    return [int(fact["sequence"]) for _, fact in _read(address, topic, after, offset)]


@cache
def _decided() -> tuple[Stored, ...]:
    """The facts of two subscribers' first month, one command of each in turn."""
    shard = MemoryShard()
    writer = Writer(shard, MemoryCatalogue(), PlainSealer())
    for command in chain.from_iterable(zip(first_month("s-1"), first_month("s-2"), strict=True)):
        assert writer.execute(command)["status"] == "accepted"
    writer.commit()
    return tuple(shard.facts)


def _record(stored: Stored) -> LogRecord:
    name, value = codec.encode(stored, KEY)
    fact = stored.recorded
    return LogRecord(fact.subject, fact.version, name, value, headers_of(fact.id, fact.subject))


def _bare(address: str, topic: str, facts: dict[int, Stored], *, commits: bool) -> None:
    """Facts under sequences by a producer that asks nobody, in a transaction that is committed or aborted."""
    producer = KafkaProducer(bootstrap_servers=address, acks="all", transactional_id=new_topic("bare"))
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for sequence, stored in facts.items():
            outgoing = FACTS.event(_record(stored), sequence)
            producer.send(topic, outgoing.value, outgoing.key, outgoing.headers, 0).get(CALL_LIMIT_S)
        if commits:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    finally:
        producer.close(CALL_LIMIT_S)


@pytest.fixture
def ledger(kafka_address: str, tmp_path: Path) -> Iterator[tuple[str, FencedLog]]:
    """A topic of events with its writer, empty but for the writer's own mark."""
    settings = KafkaSettings(bootstrap_servers=kafka_address)
    topic = new_topic("consuming")
    create_topic(settings, topic, configs=CONFIGS[EVENTS])
    place = LogPlace(settings=settings, partition=Partition(topic, 0), folder=tmp_path, record_format=FACTS)
    with FencedLog(place) as log:
        yield topic, log


def _append(log: FencedLog, first: int, last: int) -> None:
    """The facts from sequence `first` to `last`, each in a transaction of its own, so that offsets have gaps."""
    for stored in _decided()[first - 1 : last]:
        assert list(log.append([_record(stored)])) == [stored.sequence]


def _committed(address: str, topic: str, count: int, isolation: str = "read_committed") -> list[Any]:
    """The first records of the topic, marks included."""
    consumer = KafkaConsumer(
        bootstrap_servers=address,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=CALL_LIMIT_S * 1000,
    )
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return list(islice(consumer, count))
    finally:
        consumer.close()


def test_the_page_shows_the_file_that_is_executed() -> None:
    (shown,) = [text for title, text in blocks(PAGE, "python") if title == "examples/consumer.py"]
    assert shown == EXAMPLE.read_text(encoding="utf-8")


def test_the_shapes_on_the_page_are_valid() -> None:
    """Every JSON block is named after its schema."""
    shown = list(blocks(PAGE, "json"))
    assert {name for name, _ in shown} == {"commands/CreditDeposit", "outcome", "balance", "dead-letter"}
    for name, text in shown:
        assert faults(name, json.loads(text)) == [], name


def test_the_page_names_every_topic_and_every_header() -> None:
    for topic in TOPICS:
        assert f"`{topic.name}`" in PAGE
    (listed,) = re.findall(r"^headers, in this order: (.*)\.$", PAGE, re.MULTILINE)
    assert re.findall(r"`([^`]+)`", listed) == list(FACT_HEADERS["properties"])


def test_every_fact_is_read_once_in_order(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    """Marks of a writer that started twice and gaps in the offsets are no facts and no gaps."""
    topic, log = ledger
    _append(log, 1, 3)
    log.close()
    log.open()
    _append(log, 4, len(_decided()))
    facts = [fact for _, fact in _read(kafka_address, topic)]
    assert facts == [json.loads(codec.encode(stored, KEY)[1]) for stored in _decided()]
    offsets = [offset for offset, _ in _read(kafka_address, topic)]
    assert offsets[-1] - offsets[0] > len(offsets)


def test_what_is_on_the_topic_is_what_the_contract_says(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    """Key, value and headers of real records against the schemas and the AsyncAPI document."""
    topic, log = ledger
    _append(log, 1, len(_decided()))
    mark, *records = _committed(kafka_address, topic, 1 + len(_decided()))
    assert (mark.key, mark.value) == (None, b"")
    for record in records:
        fact = json.loads(record.value)
        assert faults(fact["type"], fact) == []
        assert record.key == fact["subject"].encode()
        assert [name for name, _ in record.headers] == list(FACT_HEADERS["properties"])
        assert {name: text.decode() for name, text in record.headers} == {
            "ce_type": fact["type"],
            "ce_streamversion": str(fact["streamversion"]),
            "ce_sequence": str(int(fact["sequence"])),
            "content-type": "application/cloudevents+json",
            "ce_id": fact["id"],
            "ce_subject": fact["subject"],
        }


def test_what_was_never_committed_is_not_read(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    """An aborted fact is on the topic, and a reader of what is uncommitted would see it."""
    topic, log = ledger
    _append(log, 1, 2)
    _bare(kafka_address, topic, {3: _decided()[9]}, commits=False)
    log.close()
    log.open()
    _append(log, 3, 4)
    seen = _committed(kafka_address, topic, 7, isolation="read_uncommitted")
    assert [dict(record.headers).get("ce_sequence") for record in seen if record.key] == [b"1", b"2", b"3", b"3", b"4"]
    assert [fact["id"] for _, fact in _read(kafka_address, topic)] == ["s-1/1", "s-2/1", "s-1/2", "s-2/2"]


def test_a_duplicate_is_passed_over(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    topic, log = ledger
    _append(log, 1, 3)
    _bare(kafka_address, topic, dict(enumerate(_decided()[1:4], 2)), commits=True)
    assert _sequences(kafka_address, topic) == [1, 2, 3, 4]


def test_a_gap_stops_the_consumer(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    """What came before it was read; nothing behind it is."""
    topic, log = ledger
    _append(log, 1, 2)
    _bare(kafka_address, topic, dict(enumerate(_decided()[3:5], 4)), commits=True)
    read = []
    with pytest.raises(RuntimeError, match=f"{topic}/0: expected sequence 3, found 4"):
        for _, fact in _read(kafka_address, topic):
            read.append(int(fact["sequence"]))
    assert read == [1, 2]


def test_balances_and_the_facts_behind_them_count_every_fact_once(
    kafka_address: str, ledger: tuple[str, FencedLog]
) -> None:
    """Two subscribers whose balances have counted differently far; a stored offset only saves the way."""
    topic, log = ledger
    _append(log, 1, len(_decided()))
    counted = _balances(kafka_address, (_decided()[2], _decided()[7], _decided()[9]))
    assert {subscriber: one["sequence"] for subscriber, one in counted.items()} == {"s-1": 10, "s-2": 8}
    after = min(one["sequence"] for one in counted.values())
    behind = [
        (offset, fact)
        for offset, fact in _read(kafka_address, topic, after)
        if int(fact["sequence"]) > counted[fact["subject"]]["sequence"]
    ]
    for subscriber, one in counted.items():
        whole = [stored.recorded.version for stored in _decided() if stored.recorded.subject == subscriber]
        known = _decided()[one["sequence"] - 1].recorded.version
        versions = [fact["streamversion"] for _, fact in behind if fact["subject"] == subscriber]
        assert [*range(1, known + 1), *versions] == whole
    offset, fact = behind[0]
    sequence = int(fact["sequence"])
    assert _sequences(kafka_address, topic, sequence - 1, offset) == list(range(sequence, len(_decided()) + 1))


def _balances(address: str, last_counted: Sequence[Stored]) -> dict[str, Json]:
    """Subscriber → the last record of a balances topic, written there in this order and read back."""
    topic = new_topic("balances")
    create_topic(KafkaSettings(bootstrap_servers=address), topic, configs=CONFIGS[BALANCES])
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    try:
        for stored in last_counted:
            record = BalanceRecord(
                subscriber=stored.recorded.subject,
                balance=Money(50_000_000, "USD"),
                shard=0,
                sequence=stored.sequence,
                recorded_at=stored.recorded.recorded_at,
            )
            producer.send(topic, record.value(), record.key, partition=record.shard).get(CALL_LIMIT_S)
    finally:
        producer.close(CALL_LIMIT_S)
    found = _committed(address, topic, len(last_counted))
    for record in found:
        assert faults("balance", json.loads(record.value)) == []
    return {record.key.decode(): json.loads(record.value) for record in found}


def test_an_offset_too_far_is_a_gap_and_no_silence(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    """Who trusts an offset that is not its own is told."""
    topic, log = ledger
    _append(log, 1, 4)
    *_, (offset, _) = _read(kafka_address, topic)
    with pytest.raises(RuntimeError, match="expected sequence 2, found 4"):
        _sequences(kafka_address, topic, 1, offset)


def test_the_file_runs_as_a_program(kafka_address: str, ledger: tuple[str, FencedLog]) -> None:
    topic, log = ledger
    _append(log, 1, 2)
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), kafka_address, topic, "0"],
        capture_output=True,
        text=True,
        timeout=CALL_LIMIT_S,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "1 subledger.subscriber-registered.v1 s-1",
        "2 subledger.subscriber-registered.v1 s-2",
    ]
