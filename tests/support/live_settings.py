"""Settings of live ledgers for tests: on real brokers or on a cluster in memory, each under a prefix of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.live.settings import Compression, LiveSettings
from tests.support.memory_kafka import MemoryClients, MemoryCluster
from tests.support.servers import new_topic


def on_brokers(
    brokers: str,
    folder: Path,
    *,
    topics: str | None = None,
    data: Path | None = None,
    keys: Path | None = None,
    compression: Compression = "zstd",
    poll_ms: int = 100,
) -> LiveSettings:
    """A ledger of the test's own on running brokers."""
    no_file: dict[str, Any] = {"_env_file": None}
    return LiveSettings(
        **no_file,
        kafka=brokers,
        topics=topics or new_topic("ledger"),
        data=data or folder / "data",
        keys=keys or folder / "keys",
        compression=compression,
        poll_ms=poll_ms,
    )


def in_memory(
    cluster: MemoryCluster, folder: Path, *, limits: Mapping[str, Any] | None = None, **given: Any
) -> LiveSettings:
    """A ledger on a cluster in memory; `limits` are fields of KafkaSettings, the rest is as in `on_brokers`."""
    settings = on_brokers("memory:1", folder, compression="none", **given)
    settings.__dict__["clients"] = replace(settings.clients, **(limits or {}))
    return reached_by(settings, MemoryClients(cluster))


def reached_by(settings: LiveSettings, clients: MemoryClients) -> LiveSettings:
    """The same settings with other clients: the one thing of a process that no environment can say."""
    copy = settings.model_copy()
    # Where a cached property keeps its value.
    copy.__dict__["clients"] = replace(settings.clients, clients=clients)
    return copy
