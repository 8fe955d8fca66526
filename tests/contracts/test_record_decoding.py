"""Our decoding of record batches gives what kafka-python's gives, record by record, and refuses what is cut off."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped]
from kafka.errors import CorruptRecordError  # type: ignore[import-untyped]
from kafka.record import MemoryRecords  # type: ignore[import-untyped]
from kafka.record.default_records import (  # type: ignore[import-untyped]
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
)

from infra.kafka.decoding import FetchedRecords, Place, decoded, install
from infra.kafka.settings import KafkaSettings
from infra.kafka.topics import create_topic
from tests.support.servers import new_topic

PLACE = Place("ledger.events.v1", 3, 7)
GZIP, ZSTD = 1, 4

blobs = st.none() | st.binary(max_size=200) | st.binary(min_size=9_000, max_size=9_001)
headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=80)), max_size=8)
records = st.lists(st.tuples(st.integers(0, 2**41), blobs, blobs, headers), min_size=1, max_size=12)


def batch_of(written: list[Any], compression: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=True,
        producer_id=7,
        producer_epoch=1,
        base_sequence=5,
        batch_size=10_000_000,
    )
    for place, (timestamp, key, value, found) in enumerate(written):
        builder.append(place, timestamp, key, value, found)
    return bytes(builder.build())


def appended_by_the_broker(batch: bytes) -> bytes:
    """The same batch with the broker's time in place of the sender's; its checksum is not looked at here."""
    marked = bytearray(batch)
    marked[22] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK
    return bytes(marked)


@given(written=records, compression=st.sampled_from([0, GZIP, ZSTD]), is_append_time=st.booleans())
def test_both_decoders_agree(written: list[Any], compression: int, is_append_time: bool) -> None:
    stored = batch_of(written, compression)
    stored = appended_by_the_broker(stored) if is_append_time else stored
    theirs = [(one.offset, one.timestamp, one.key, one.value, one.headers) for one in DefaultRecordBatch(stored)]
    ours = [
        (one.offset, one.timestamp, one.key, one.value, one.headers)
        for one in decoded(DefaultRecordBatch(stored), PLACE)
    ]
    assert ours == theirs
    for one in decoded(DefaultRecordBatch(stored), PLACE):
        assert one.leading_headers(3) == one.headers[:3]


@given(written=records, data=st.data())
def test_a_batch_that_is_cut_off_is_corrupt(written: list[Any], data: st.DataObject) -> None:
    stored = batch_of(written)
    cut = data.draw(st.integers(DefaultRecordBatch.HEADER_STRUCT.size, len(stored) - 1))
    with pytest.raises(CorruptRecordError):
        for one in decoded(DefaultRecordBatch(stored[:cut]), PLACE):
            assert one.headers is not None


def test_a_batch_whose_checksum_is_wrong_is_corrupt() -> None:
    stored = bytearray(batch_of([(1, b"s-1", b"value", [])]))
    stored[-2] ^= 1
    fetched = FetchedRecords(_Fetcher(), 0, _Place(), MemoryRecords(bytes(stored)))
    with pytest.raises(CorruptRecordError, match="CRC"):
        fetched.take()


def test_a_consumer_may_be_iterated_over(kafka_address: str) -> None:
    """kafka-python's own way of reading asks a record for more than we do."""
    settings = KafkaSettings(bootstrap_servers=kafka_address)
    topic = new_topic()
    create_topic(settings, topic)
    with closing(settings.clients.producer(**settings.for_plain_producer())) as producer:
        producer.send(topic, b"value", partition=0).get(10)
    options = {**settings.for_consumer(), "consumer_timeout_ms": 5_000}
    with closing(settings.clients.consumer(**options)) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found = next(iter(consumer))
    assert (found.topic, found.partition, found.offset, found.value) == (topic, 0, 0, b"value")


def test_what_was_read_before_a_wrong_checksum_is_given_first() -> None:
    good = batch_of([(1, b"s-1", b"value", [])])
    wrong = bytearray(good)
    wrong[-2] ^= 1
    fetched = FetchedRecords(_Fetcher(), 0, _Place(), MemoryRecords(good + bytes(wrong)))
    assert [one.value for one in fetched.take()] == [b"value"]
    with pytest.raises(CorruptRecordError):
        fetched.take()


def test_a_fetch_that_begins_in_the_middle_of_a_batch_skips_what_is_before() -> None:
    stored = batch_of([(1, b"s-1", b"%d" % place, []) for place in range(5)])
    fetched = FetchedRecords(_Fetcher(), 3, _Place(), MemoryRecords(stored))
    epoch = DefaultRecordBatch(stored).leader_epoch
    assert [(one.offset, one.value, one.leader_epoch) for one in fetched.take()] == [(3, b"3", epoch), (4, b"4", epoch)]
    assert fetched.next_fetch_offset == 5


def test_a_consumer_has_the_place_where_ours_is_put() -> None:
    """kafka-python's fetcher makes its records by the class that it finds in itself."""
    assert isinstance(Fetcher.PartitionRecords, type)
    assert "self.PartitionRecords(" in _source(Fetcher._parse_fetched_data)
    for inherited in ("_consume_aborted_transactions_up_to", "_contains_abort_marker", "_is_batch_aborted", "drain"):
        assert callable(getattr(Fetcher.PartitionRecords, inherited))


def test_installing_replaces_the_decoding_of_one_consumer(kafka_address: str) -> None:
    consumer = install(KafkaConsumer(bootstrap_servers=kafka_address))
    try:
        assert consumer._fetcher.PartitionRecords.func is FetchedRecords
        assert Fetcher.PartitionRecords is not FetchedRecords
    finally:
        consumer.close()


class _Fetcher:
    """Where a fetch has its place."""

    _next_partition_records = None


class _Place:
    """A TopicPartition's two names."""

    topic, partition, _ = PLACE


def _source(function: Any) -> str:
    import inspect

    return inspect.getsource(function)
