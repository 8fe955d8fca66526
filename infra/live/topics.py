"""A ledger's topics: made once, and checked before anything relies on them and while it does (CONTRACT §7)."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from infra.kafka.errors import Unreachable, nobody_answered, reason
from infra.kafka.topics import create_topic
from infra.live.places import COMMANDS, TOPICS, Topic
from infra.live.settings import LiveSettings

MANY_BROKERS = 3
LEAST_IN_SYNC = 2


class WrongTopics(Exception):
    """The topics are not what a ledger may live on; `faults` has a sentence for each thing that is wrong."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def create(settings: LiveSettings, partitions: int) -> list[str]:
    """Makes the topics that are missing and returns their names. Raises Unreachable."""
    made = []
    many = _broker_count(settings) >= MANY_BROKERS
    for topic in TOPICS:
        configs = {**topic.configs, **({"min.insync.replicas": str(LEAST_IN_SYNC)} if many else {})}
        name = settings.topic(topic.name)
        count = partitions if topic.is_split else 1
        if create_topic(
            settings.clients, name, partitions=count, replication_factor=MANY_BROKERS if many else -1, configs=configs
        ):
            made.append(name)
    return made


def partitions_found(settings: LiveSettings) -> int:
    """How many partitions the topic of commands has. Raises Unreachable."""
    with _admin(settings) as admin:
        return partition_count(admin, settings.topic(COMMANDS)) or 0


def is_missing(settings: LiveSettings, topic: str) -> bool:
    """Whether the brokers know no topic of that name (`catalogue.v1`). Raises Unreachable."""
    with _admin(settings) as admin:
        return partition_count(admin, settings.topic(topic)) is None


def check(settings: LiveSettings, partitions: int) -> None:
    """Raises WrongTopics unless every topic is what the ledger needs, Unreachable where no broker answers."""
    faults = tuple(_faults(settings, partitions))
    if faults:
        raise WrongTopics(faults)


def _faults(settings: LiveSettings, partitions: int) -> Iterator[str]:
    with _admin(settings) as admin:
        brokers = len(admin.describe_cluster()["brokers"])
        for topic in TOPICS:
            yield from _topic_faults(admin, settings.topic(topic.name), topic, partitions, brokers)


def _topic_faults(admin: Any, name: str, topic: Topic, partitions: int, brokers: int) -> Iterator[str]:
    expected = partitions if topic.is_split else 1
    found = partition_count(admin, name)
    if found is None:
        yield f"{name} does not exist; `subledger topics create` makes it"
        return
    if found != expected:
        yield f"{name} has {found} partitions, the ledger was founded with {expected}"
    yield from _config_faults(name, topic, configs_of(admin, name), brokers)


def _config_faults(name: str, topic: Topic, configs: Mapping[str, str], brokers: int) -> Iterator[str]:
    if topic.keeps_history:
        for setting, wanted in (("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")):
            if configs.get(setting) != wanted:
                yield f"{name}: {setting} is {configs.get(setting)}, and history would be lost; expected {wanted}"
    elif configs.get("cleanup.policy") != topic.configs["cleanup.policy"]:
        yield f"{name}: cleanup.policy is {configs.get('cleanup.policy')}, expected {topic.configs['cleanup.policy']}"
    clock = topic.configs.get("message.timestamp.type")
    if clock is not None and configs.get("message.timestamp.type") != clock:
        yield f"{name}: message.timestamp.type is {configs.get('message.timestamp.type')}, expected {clock}"
    in_sync = int(configs.get("min.insync.replicas", "1"))
    if brokers >= MANY_BROKERS and in_sync < LEAST_IN_SYNC:
        yield f"{name}: min.insync.replicas is {in_sync} on {brokers} brokers, expected {LEAST_IN_SYNC}"


def partition_count(admin: Any, name: str) -> int | None:
    """How many partitions a topic has; None where there is no such topic."""
    (description,) = admin.describe_topics([name])
    return len(description["partitions"]) or None


def configs_of(admin: Any, name: str) -> dict[str, str]:
    """A topic's configuration by name."""
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")
    return {setting: str(entry["value"]) for setting, entry in described["topic"][name].items()}


def _broker_count(settings: LiveSettings) -> int:
    with _admin(settings) as admin:
        return len(admin.describe_cluster()["brokers"])


@contextmanager
def _admin(settings: LiveSettings) -> Iterator[Any]:
    """A client to ask and tell the cluster by. Raises Unreachable."""
    try:
        made = settings.clients.clients.admin(**settings.clients.for_admin())
    except KafkaError as failed:
        raise nobody_answered(settings.brokers, failed) from failed
    try:
        with closing(made) as admin:
            yield admin
    except KafkaError as failed:
        raise Unreachable(f"the brokers did not tell of the topics of {settings.topics}: {reason(failed)}") from failed
