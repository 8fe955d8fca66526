"""Every option of kafka-python that a ledger depends on, said explicitly, and every limit of waiting, by name.

kafka-python's defaults are wrong for a ledger in four places: consumers start at the end, commit by themselves and read
uncommitted records, and a back-off of 100 ms makes each transaction wait 110 ms (the broker answers
CONCURRENT_TRANSACTIONS while the last transaction's markers are being written, and the client sleeps its back-off).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer  # type: ignore[import-untyped]
from kafka.coordinator.assignors.cooperative_sticky import (  # type: ignore[import-untyped]
    CooperativeStickyAssignor,
)
from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]

from infra.kafka import decoding

SECURITY_OPTIONS = (
    "security_protocol",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_crlfile",
    "ssl_ciphers",
    "ssl_check_hostname",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_name",
    "sasl_kerberos_service_name",
    "sasl_kerberos_domain_name",
)
"""The TLS and SASL options of kafka-python that are passed through unchanged."""

RETRY_BACKOFF_MS = 2
RECONNECT_BACKOFF_MS = 50
RECONNECT_BACKOFF_MAX_MS = 1_000
# Brokers take batches of up to `message.max.bytes` (1,048,588 unless configured); leave room for the batch's own head.
BATCH_BYTES = 900_000
REQUEST_BYTES = 16_000_000
FETCH_BYTES = 8_000_000
FETCH_WAIT_MS = 100
POLL_RECORDS = 5_000
METADATA_AGE_MS = 5_000
"""A member of a group that assigned partitions by old metadata does so anew after this."""


class Clients(Protocol):
    """What makes clients; kafka-python, or something with its interface."""

    def consumer(self, **options: Any) -> Any: ...
    def producer(self, **options: Any) -> Any: ...
    def admin(self, **options: Any) -> Any: ...


class KafkaPython:
    """kafka-python's clients."""

    def consumer(self, **options: Any) -> Any:
        return decoding.install(_made(KafkaConsumer, options))

    def producer(self, **options: Any) -> Any:
        return _made(KafkaProducer, options)

    def admin(self, **options: Any) -> Any:
        return _made(KafkaAdminClient, options)


def _made(kind: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """A client; where it cannot be made, kafka-python would leave the thread and the sockets that it began with."""
    begun: list[Any] = []

    def begin(**connection: Any) -> Any:
        begun.append(KafkaNetClient(**connection))
        return begun[-1]

    try:
        return kind(kafka_client=begin, **options)
    except BaseException:
        for client in begun:
            client.close()
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Where the brokers are, how to be let in, and how long to wait for what.

    The limits are ordered: a record is delivered or given up (`delivery_timeout_ms`) before the commit's deadline, so
    that a commit ends with an answer wherever one can be had.
    """

    bootstrap_servers: str
    """`host:port,…`"""
    security: Mapping[str, Any] = field(default_factory=dict)
    """TLS and SASL options by kafka-python's names, see `SECURITY_OPTIONS`."""
    client_id: str = "subledger"
    clients: Clients = field(default_factory=KafkaPython, compare=False, repr=False)
    compression: str | None = None
    """None, gzip, snappy, lz4 or zstd; the codec's package has to be installed."""
    record_bytes_limit: int = BATCH_BYTES
    """Key, value and headers of one record, in bytes; larger ones are refused before anything is sent."""
    group_records_limit: int = 10_000
    """Records in one transaction beyond which waiting callers are left for the next one."""
    bootstrap_timeout_ms: int = 10_000
    request_timeout_ms: int = 10_000
    delivery_timeout_ms: int = 15_000
    transaction_timeout_ms: int = 30_000
    """After this the broker aborts a transaction whose writer has gone silent."""
    session_timeout_ms: int = 10_000
    """After this a member of a consumer group that has gone silent loses its partitions."""
    commit_deadline_s: float = 20.0
    """For one whole transaction: begin, send, every future, commit."""
    fence_deadline_s: float = 30.0
    """For connecting and `init_transactions`, which waits for the predecessor's transaction to be ended."""
    stall_limit_s: float = 30.0
    """Reading gives up when nothing new was read for this long though there is more to read."""
    turn_limit_s: float = 120.0
    """How long one caller waits for other callers' appends and recoveries before its own."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.security) - set(SECURITY_OPTIONS))
        if unknown:
            raise ValueError(f"not TLS or SASL options of kafka-python: {', '.join(unknown)}")
        if not self.delivery_timeout_ms < self.commit_deadline_s * 1000:
            raise ValueError(
                f"delivery_timeout_ms ({self.delivery_timeout_ms}) must be below the commit deadline"
                f" ({self.commit_deadline_s} s)"
            )
        if not self.bootstrap_timeout_ms < self.fence_deadline_s * 1000:
            raise ValueError(
                f"bootstrap_timeout_ms ({self.bootstrap_timeout_ms}) must be below the fence deadline"
                f" ({self.fence_deadline_s} s), which includes it"
            )

    def for_producer(self, transactional_id: str) -> dict[str, Any]:
        """Arguments of `KafkaProducer` for the one fenced writer of a partition (KIP-98, KIP-360)."""
        return {
            **self._for_any_client(),
            "transactional_id": transactional_id,
            "transaction_timeout_ms": self.transaction_timeout_ms,
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": 0,
            "batch_size": BATCH_BYTES,
            "max_request_size": REQUEST_BYTES,
            "delivery_timeout_ms": self.delivery_timeout_ms,
            "max_block_ms": int(self.fence_deadline_s * 1000) - self.bootstrap_timeout_ms,
            "compression_type": self.compression,
            "allow_auto_create_topics": False,
        }

    def for_plain_producer(self) -> dict[str, Any]:
        """Arguments of `KafkaProducer` for what is sent outside a transaction: idempotent, acknowledged by all."""
        return {
            **self._for_any_client(),
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": 0,
            "batch_size": BATCH_BYTES,
            "max_request_size": REQUEST_BYTES,
            "delivery_timeout_ms": self.delivery_timeout_ms,
            "max_block_ms": self.delivery_timeout_ms,
            "compression_type": self.compression,
            "allow_auto_create_topics": False,
        }

    def for_group_consumer(self, group: str) -> dict[str, Any]:
        """Arguments of `KafkaConsumer` for a member of a consumer group that keeps positions itself (KIP-429)."""
        return {
            **self.for_consumer(),
            "group_id": group,
            "partition_assignment_strategy": (CooperativeStickyAssignor,),
            "session_timeout_ms": self.session_timeout_ms,
            "heartbeat_interval_ms": self.session_timeout_ms // 5,
            "metadata_max_age_ms": METADATA_AGE_MS,
        }

    def for_consumer(self) -> dict[str, Any]:
        """Arguments of `KafkaConsumer` for reading one assigned partition from a position of our own keeping."""
        return {
            **self._for_any_client(),
            "group_id": None,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "check_crcs": True,
            "allow_auto_create_topics": False,
            "max_poll_records": POLL_RECORDS,
            "max_partition_fetch_bytes": FETCH_BYTES,
            "fetch_max_bytes": FETCH_BYTES,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
        }

    def for_admin(self) -> dict[str, Any]:
        """Arguments of `KafkaAdminClient`."""
        return self._for_any_client()

    def _for_any_client(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "client_id": self.client_id,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "reconnect_backoff_ms": RECONNECT_BACKOFF_MS,
            "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
            "request_timeout_ms": self.request_timeout_ms,
            "bootstrap_timeout_ms": self.bootstrap_timeout_ms,
            **self.security,
        }
