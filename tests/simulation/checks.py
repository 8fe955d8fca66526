"""What must hold when a run is over: the topics against a model, the indexes and views against the topics."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from domain.commands import CATALOGUE_SUBJECT
from domain.facts import PersonalDataErased
from domain.money import Money
from infra import codec
from infra.kafka.mirror import LogPlace
from infra.kafka.records import NOTE
from infra.live.catalogue import LiveCatalogue
from infra.live.health import WriterMetrics
from infra.live.keys import LiveKeys
from infra.live.places import BALANCES, COMMANDS, EVENTS, POSITION, REPLIES, partition_of, position_of
from infra.live.settings import LiveSettings
from infra.live.shard import shard_place
from infra.live.worker import ShardWorker
from infra.sealing import PREFIX
from infra.views.folding import Folding
from infra.views.wire import read
from projections.views import VIEWS
from tests.projections.tables import all_rows
from tests.simulation.views import empty_views
from tests.simulation.world import World
from tests.support.memory_kafka import Network
from tests.support.whole_ledger import Founded, WholeLedger, read_whole, records

AFTER_ALL_MS = 3_600_000
INDEX_TABLES = ("stored_events", "commands", "calls", "deposits", "instants", "progress")


def check(world: World) -> Counter[str]:
    """Raises AssertionError with what is wrong; else what was seen, counted."""
    world.scheduler.now_ms += AFTER_ALL_MS
    world.cluster.settle()
    settings = world.settings("check", Network())
    whole = read_whole(
        Founded(
            settings=settings,
            partitions=world.partitions,
            is_sandbox=world.is_sandbox,
            key=world.key,
            sealed=world.sealed,
        )
    )
    for one in world.acknowledged:
        assert whole.shards[one.partition].commands[one.offset].value == one.value, f"lost: {one}"
    for told in world.told:
        whole.require_told(told.position, told.outcome)
    _check_erasures_are_ended(world, settings)
    _check_indexes(world, whole)
    _check_keys(world, settings, whole)
    _check_views(world, settings, whole)
    return Counter(commands=whole.commands, facts=whole.facts, lives=world.lives)


def is_settled(world: World) -> bool:
    """Every command has its reply and every fact is in the views; nothing is on its way."""
    cluster = world.cluster
    if cluster._late:
        return False
    answered = {dict(slot.headers)[POSITION] for slot in _slots(world, REPLIES)}
    for number in range(world.partitions):
        commands = cluster.topic(f"sim.{COMMANDS}")
        assert commands is not None
        for offset in range(len(commands.logs[number].slots)):
            if position_of(number, offset).encode() not in answered:
                return False
    counted = dict(world.database.connection.execute("SELECT shard, next_offset FROM progress"))
    events = cluster.topic(f"sim.{EVENTS}")
    assert events is not None
    for number, log in enumerate(events.logs):
        told = (
            offset
            for offset, slot in enumerate(log.slots)
            if offset not in log.aborted and (slot.key is not None or NOTE in dict(slot.headers))
        )
        if log.open or counted.get(number, 0) <= max(told, default=-1):
            return False
    return True


def _slots(world: World, topic: str) -> Iterator[Any]:
    known = world.cluster.topic(f"sim.{topic}")
    assert known is not None
    for log in known.logs:
        yield from (slot for slot in log.slots if not slot.is_marker)


def _check_indexes(world: World, whole: WholeLedger) -> None:
    """An index that lived through everything and one that is made anew have the same rows."""
    for number in range(world.partitions):
        rows = []
        for actor in (f"writer-{number}", f"rebuilt-{number}"):
            own = world.settings(actor, Network())
            place = shard_place(own.clients, own.topic(EVENTS), number, own.data)
            live = LiveCatalogue(own)
            worker = ShardWorker(own, number, catalogue=live, key=world.key, metrics=WriterMetrics(CollectorRegistry()))
            worker.open()
            worker.close()
            live.close()
            rows.append(_index_rows(place))
        assert rows[0] == rows[1], f"shard {number}: the index is not what a rebuild makes of the topic"
        assert len(rows[0]["stored_events"]) == len(whole.shards[number].facts)


def _index_rows(place: LogPlace) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(place.index_file)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in INDEX_TABLES
        }


def _check_erasures_are_ended(world: World, settings: LiveSettings) -> None:
    """A writer that lives ends what it began; one that was fenced, and does not know it yet, cannot."""
    with closing(LiveKeys(settings.keys)) as keys:
        open_ = [one for one in keys.intended() if partition_of(one, world.partitions) not in world.doubled]
    assert open_ == [], f"erasures that were begun and not ended: {open_}"


def _check_keys(world: World, settings: LiveSettings, whole: WholeLedger) -> None:
    """Whose erasure was recorded has no key, everybody else's is there, and nothing is left half done."""
    decoded = [codec.decode(entry.value).recorded for shard in whole.shards for entry in shard.facts]
    erased = {recorded.subject for recorded in decoded if isinstance(recorded.fact, PersonalDataErased)}
    keys = LiveKeys(settings.keys)
    try:
        assert keys.intended() == [], f"begun and not ended: {keys.intended()}"
        for subject, command_id, personal in world.sealed:
            sealed = keys.seal(subject, command_id, orjson.loads(personal))
            assert (sealed == f"{PREFIX}erased") == (subject in erased), f"{subject}: {sealed}, erased: {erased}"
    finally:
        keys.close()


def _check_views(world: World, settings: LiveSettings, whole: WholeLedger) -> None:
    """The views are a fold of the topics; the journal sums to zero; the last balances told are those of the views."""
    database = world.database.connection
    every = [
        (number, entry.sequence, entry.value) for number, shard in enumerate(whole.shards) for entry in shard.facts
    ]
    kept = database.execute("SELECT shard, sequence, value FROM facts WHERE shard >= 0 ORDER BY shard, sequence")
    assert kept.fetchall() == every, "the views do not have each fact once"
    answers = database.execute("SELECT subject, command_id FROM answers WHERE subject <> ?", (CATALOGUE_SUBJECT,))
    answered = {(one.subject, one.command_id) for shard in whole.shards for one in shard.answered}
    assert set(answers.fetchall()) == answered
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as anew:
        empty_views().backup(anew)
        facts = [read(sequence, value, number) for number, sequence, value in every]
        for text, rows in Folding(VIEWS).fold(facts):
            anew.executemany(text, rows)
        kept_rows = all_rows(database)
        for view, tables in all_rows(anew).items():
            assert kept_rows[view] == tables, f"the view {view} is not a fold of the topics"
    unbalanced = database.execute(
        "SELECT position, currency, SUM(amount) FROM postings GROUP BY position, currency HAVING SUM(amount) <> 0"
    ).fetchall()
    assert unbalanced == [], f"postings that do not sum to zero: {unbalanced}"
    _check_balances(world, settings, database)


def _check_balances(world: World, settings: LiveSettings, database: sqlite3.Connection) -> None:
    """Of each subscriber the last balance told, which compaction keeps, is the one that the views have."""
    last: dict[bytes, dict[str, Any]] = {}
    for number in range(world.partitions):
        for record in records(settings, BALANCES, number):
            last[record.key] = orjson.loads(record.value)
    for subject, currency, balance in database.execute("SELECT subject, currency, balance FROM balances").fetchall():
        told = last[subject.encode()]
        assert (told["balance"], told["currency"]) == (str(Money(balance, currency)), currency), f"{subject}: {told}"
