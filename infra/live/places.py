"""Where things are on Kafka: topics, partitions, positions (CONTRACT §7)."""

from dataclasses import dataclass
from functools import lru_cache

from kafka.partitioner.default import murmur2  # type: ignore[import-untyped]

from domain.commands import CATALOGUE_SUBJECT
from infra.kafka.records import RecordFormat
from infra.kafka.topics import HISTORY

COMMANDS, EVENTS, REPLIES = "commands.v1", "events.v1", "replies.v1"
BALANCES, CATALOGUE, CHECKPOINTS, DEAD_LETTERS = "balances.v1", "catalogue.v1", "checkpoints.v1", "dead-letters.v1"

DAY_MS = 86_400_000
LARGEST_ANSWER = str(8 * 2**20)
"""Bytes of a reply, which names every fact that a command brought, years of them maybe, and of a dead letter, which
is a command as large as its topic takes, with a reason."""
DEFAULT_PARTITIONS = 12
SUBSCRIBERS_REMEMBERED = 50_000
"""Whose partition is known without asking murmur2, which in Python takes as long as a query of the index."""

FACTS = RecordFormat("ce_type", "ce_streamversion", "ce_sequence")
"""Facts carry CloudEvents' attributes as headers; these three come first."""
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")
POSITION = "commandposition"
"""Header of replies and dead letters: where the command stands."""
REASON = "reason"
"""Header of dead letters: `{"path": …, "message": …}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of a ledger: its name behind the prefix, and what it must be configured as."""

    name: str
    is_split: bool
    """By subscriber, into the ledger's partitions; the others have one."""
    configs: dict[str, str]
    keeps_history: bool = False


TOPICS = (
    Topic(
        name=COMMANDS,
        is_split=True,
        configs={**HISTORY, "message.timestamp.type": "LogAppendTime"},
        keeps_history=True,
    ),
    Topic(name=EVENTS, is_split=True, configs=dict(HISTORY), keeps_history=True),
    Topic(
        name=REPLIES,
        is_split=True,
        configs={"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": LARGEST_ANSWER},
    ),
    Topic(name=BALANCES, is_split=True, configs={"cleanup.policy": "compact"}),
    Topic(name=CATALOGUE, is_split=False, configs=dict(HISTORY), keeps_history=True),
    Topic(name=CHECKPOINTS, is_split=False, configs=dict(HISTORY), keeps_history=True),
    Topic(
        name=DEAD_LETTERS,
        is_split=True,
        configs={"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS), "max.message.bytes": LARGEST_ANSWER},
    ),
)


@lru_cache(SUBSCRIBERS_REMEMBERED)
def partition_of(subscriber: str, partitions: int) -> int:
    """The partition of a subscriber: murmur2 of the id's UTF-8 bytes, as the Java client takes it."""
    return int((murmur2(subscriber.encode()) & 0x7FFFFFFF) % partitions)


def position_of(partition: int, offset: int) -> str:
    """Where a command stands, as facts say it."""
    return f"{COMMANDS}/{partition}/{offset}"


def offset_in(position: str) -> int:
    """The offset of a command's position."""
    return int(position.rpartition("/")[2])


def catalogue_partition(partitions: int) -> int:
    """The partition of the commands that publish."""
    return partition_of(CATALOGUE_SUBJECT, partitions)


def headers_of(fact_id: str, subject: str) -> tuple[tuple[str, bytes], ...]:
    """Headers of a fact behind the first three."""
    return (CONTENT_TYPE, ("ce_id", fact_id.encode()), ("ce_subject", subject.encode()))
