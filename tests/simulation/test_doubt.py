"""One shard's writer in single doubts that chance seldom brings about."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from consumers.serving import Received
from infra.kafka.log import FencedLog
from infra.live import catalogue, topics, worker
from infra.live.catalogue import LiveCatalogue
from infra.live.health import WriterMetrics
from infra.live.keys import LiveKeys, salt_key
from infra.live.worker import ShardWorker
from infra.sealing import ErasedKey
from tests.support.lines import line
from tests.support.live_settings import in_memory, reached_by
from tests.support.memory_kafka import Fate, MemoryClients, MemoryCluster, Network

NOON = datetime(2026, 1, 5, 10, tzinfo=UTC)
OTHER = "2026-01-05T12:30:00+02:00"


class _Cut(Network):
    """Loses the answer of the next commit, and then everything until the writer waits."""

    def __init__(self) -> None:
        self.is_armed = False
        self.is_cut = False

    def before(self, request: str) -> Fate:
        if self.is_cut:
            return Fate.LOST
        if self.is_armed and request == "commit":
            self.is_armed, self.is_cut = False, True
            return Fate.ANSWER_LOST
        return Fate.ANSWERED


class _Shard:
    """A sandbox ledger of one shard in memory, and its writer."""

    def __init__(self, folder: Path) -> None:
        self.network = _Cut()
        cluster = MemoryCluster()
        plain = in_memory(cluster, folder)
        topics.create(plain, 1)
        self.key = salt_key(plain.keys, None)
        catalogue.found(plain, self.key, 1, sandbox=True, folder=folder / "founder")
        self.settings = reached_by(plain, MemoryClients(cluster, self.network))
        self.other = reached_by(plain.model_copy(update={"data": folder / "other"}), MemoryClients(cluster))
        self._offset = 0

    def worker(self, settings: Any) -> ShardWorker:
        live = LiveCatalogue(settings)
        return ShardWorker(settings, 0, catalogue=live, key=self.key, metrics=WriterMetrics(CollectorRegistry()))

    def batch(self, *commands: dict[str, Any]) -> list[Received]:
        made = []
        for command in commands:
            key, value = command["subscriber"].encode(), orjson.dumps(command)
            made.append(Received(offset=self._offset, key=key, value=value, appended_at=NOON))
            self._offset += 1
        return made


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Shard:
    made = _Shard(tmp_path)

    def waits(_: float) -> None:
        made.network.is_cut = False

    monkeypatch.setattr(worker, "time", SimpleNamespace(**{**vars(time), "sleep": waits}))
    return made


def never() -> bool:
    return False


def test_an_erasure_whose_commit_was_in_doubt_is_ended(shard: _Shard) -> None:
    """The fact is in the log and the answer was lost: the key goes though the commit never returned."""
    writer = shard.worker(shard.settings)
    writer.open()
    personal = {"name": "A. Subscriber"}
    joined = shard.batch(line("RegisterSubscriber", "c-1", personal=personal), line("PassVerification", "c-2"))
    assert [one.outcome["status"] for one in writer.work(joined, never)] == ["accepted"] * 2
    ended = shard.batch(line("TerminateAgreement", "c-3", cause="unlawful_use"))
    writer.work(ended, never)
    shard.network.is_armed = True
    (served,) = writer.work(shard.batch(line("ErasePersonalData", "c-4", at=OTHER)), never)
    assert served.outcome["status"] == "accepted", served.outcome
    assert not shard.network.is_cut
    keys = LiveKeys(shard.settings.keys)
    assert keys.intended() == []
    with pytest.raises(ErasedKey):
        keys._keys.open("s-1", "sealed:v1:erased")
    assert keys.seal("s-1", "c-9", personal) == "sealed:v1:erased"
    keys.close()
    writer.close()


def test_what_another_writer_decided_during_a_doubt_is_not_overlooked(
    shard: _Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doubtful commit is in the log, and behind it a decision that recorded no fact: time has moved on there."""
    first, second = shard.worker(shard.settings), shard.worker(shard.other)
    first.open()
    first.work(shard.batch(line("RegisterSubscriber", "c-1")), never)
    doubtful = shard.batch(line("PassVerification", "c-2"))
    meanwhile = shard.batch(line("AdvanceClock", "c-3", at="2026-01-05T14:00:00+02:00"))
    look = FencedLog._require_not_succeeded

    def succeed(log: FencedLog, seen: Any) -> None:
        look(log, seen)
        monkeypatch.undo()
        second.open()
        second.work(meanwhile, never)
        second.close()

    commit = first._log._producer.commit  # type: ignore[union-attr]

    def lose_the_answer(records: Any) -> Any:
        commit(records)
        raise RuntimeError("the answer was lost")

    monkeypatch.setattr(FencedLog, "_require_not_succeeded", succeed)
    monkeypatch.setattr(first._log._producer, "commit", lose_the_answer)
    first.work(doubtful, never)
    assert first.work(meanwhile, never)[0].outcome["status"] == "accepted"
    (late,) = first.work(shard.batch(line("CreditDeposit", "c-4", at="2026-01-05T13:00:00+02:00")), never)
    assert late.outcome.get("code") == "time_went_backwards", late.outcome
    first.close()
