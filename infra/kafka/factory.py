"""The factory that `PERSISTENCE_MODULE=infra.kafka` resolves to, and the environment it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.sqlite import SQLiteAggregateRecorder
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from infra.kafka.follower import FollowedLog
from infra.kafka.index import OriginatorIds
from infra.kafka.log import FencedLog
from infra.kafka.mirror import LogPlace
from infra.kafka.reader import Partition
from infra.kafka.recorders import (
    KafkaAggregateRecorder,
    KafkaApplicationRecorder,
    KafkaProcessRecorder,
    KafkaTrackingRecorder,
)
from infra.kafka.settings import SECURITY_OPTIONS, KafkaSettings
from infra.kafka.topics import create_topic

EVENTS = "events"

_Recorder = TypeVar("_Recorder")


class KafkaFactory(InfrastructureFactory[TrackingRecorder]):
    """Makes recorders over one log: one partition of one topic, opened when the first recorder is asked for.

    Environment (each name may be prefixed with the application's name, as everywhere in the library):

        KAFKA_BOOTSTRAP_SERVERS   host:port,…
        KAFKA_INDEX_FOLDER        folder of the local index
        KAFKA_TOPIC               default: the application's name in lower case, and `.events`
        KAFKA_PARTITION           default 0
        KAFKA_TRANSACTIONAL_ID    default: topic and partition, joined by a dot; the same for every writer of the log
        KAFKA_READ_ONLY           y: follow the log, fence nobody (for projections in other processes)
        KAFKA_COMPRESSION         gzip, snappy, lz4 or zstd
        KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_…, KAFKA_SASL_…   kafka-python's options of these names
        ORIGINATOR_ID_TYPE        uuid (default) or text
        CREATE_TABLE              n: do not create the topic
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Raises OSError where the environment lacks a name or has an impossible value; connects to nothing yet."""
        super().__init__(env)
        self.place = self._read_place()
        self._log: FencedLog | FollowedLog | None = None

    def aggregate_recorder(self, purpose: str = EVENTS) -> AggregateRecorder:
        """Events on Kafka; for any other purpose (snapshots) a table of the local index.

        A snapshot is derived from events: it goes where the index goes, and is taken again.
        """
        if purpose == EVENTS:
            return KafkaAggregateRecorder(self.log())
        recorder = SQLiteAggregateRecorder(self.log().index.datastore, f"stored_{purpose}")
        recorder.create_table()
        return recorder

    def application_recorder(self) -> ApplicationRecorder:
        """A KafkaApplicationRecorder, or the subclass that APPLICATION_RECORDER_TOPIC names."""
        return self._chosen(self.APPLICATION_RECORDER_TOPIC, KafkaApplicationRecorder)(self.log())

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> TrackingRecorder:
        """A KafkaTrackingRecorder, or the given subclass, or the one that TRACKING_RECORDER_TOPIC names."""
        chosen: type[TrackingRecorder] = tracking_recorder_class or self._chosen(
            self.TRACKING_RECORDER_TOPIC, KafkaTrackingRecorder
        )
        if not issubclass(chosen, KafkaTrackingRecorder):
            raise OSError(f"{chosen.__qualname__} is not a KafkaTrackingRecorder")
        return chosen(self.log())

    def process_recorder(self) -> ProcessRecorder:
        """A KafkaProcessRecorder, or the subclass that PROCESS_RECORDER_TOPIC names."""
        return self._chosen(self.PROCESS_RECORDER_TOPIC, KafkaProcessRecorder)(self.log())

    def log(self) -> FencedLog | FollowedLog:
        """The log, opened: the one of all recorders of this factory."""
        if self._log is None:
            if self._is_yes("CREATE_TABLE", "yes"):
                create_topic(
                    self.place.settings, self.place.partition.topic, partitions=self.place.partition.number + 1
                )
            log = self._make_log()
            log.open()
            self._log = log
        return self._log

    def close(self) -> None:
        """Closes the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _make_log(self) -> FencedLog | FollowedLog:
        if self.place.role == "follower":
            return FollowedLog(self.place)
        return FencedLog(self.place, transactional_id=self.env.get("KAFKA_TRANSACTIONAL_ID"))

    def _read_place(self) -> LogPlace:
        default_topic = f"{self.env.name.lower()}.events" if self.env.name else None
        partition = self.env.get("KAFKA_PARTITION") or "0"
        if not partition.isdigit():
            raise OSError(f"KAFKA_PARTITION is not a number: {partition!r}")
        return LogPlace(
            settings=self._read_settings(),
            partition=Partition(self._needed("KAFKA_TOPIC", default_topic), int(partition)),
            folder=Path(self._needed("KAFKA_INDEX_FOLDER")),
            role="follower" if self._is_yes("KAFKA_READ_ONLY", "no") else "writer",
            originator_ids=self._read_originator_ids(),
        )

    def _read_settings(self) -> KafkaSettings:
        security = {option: self.env.get(f"KAFKA_{option.upper()}") for option in SECURITY_OPTIONS}
        chosen: dict[str, Any] = {option: value for option, value in security.items() if value}
        if "ssl_check_hostname" in chosen:
            chosen["ssl_check_hostname"] = bool(strtobool(chosen["ssl_check_hostname"]))
        return KafkaSettings(
            bootstrap_servers=self._needed("KAFKA_BOOTSTRAP_SERVERS"),
            security=chosen,
            compression=self.env.get("KAFKA_COMPRESSION") or None,
        )

    def _read_originator_ids(self) -> OriginatorIds:
        chosen = (self.env.get("ORIGINATOR_ID_TYPE") or "uuid").lower()
        if chosen not in ("uuid", "text"):
            raise OSError(f"ORIGINATOR_ID_TYPE is {chosen!r}, expected uuid or text")
        return cast(OriginatorIds, chosen)

    def _needed(self, key: str, default: str | None = None) -> str:
        value = self.env.get(key) or default
        if not value:
            raise OSError(f"{key} not found in the environment; looked for {', '.join(self.env.create_keys(key))}")
        return value

    def _is_yes(self, key: str, default: str) -> bool:
        return bool(strtobool(self.env.get(key) or default))

    def _chosen(self, key: str, default: type[_Recorder]) -> type[_Recorder]:
        topic = self.env.get(key)
        chosen = resolve_topic(topic) if topic else default
        if not issubclass(chosen, default):
            raise OSError(f"{key} names {topic}, which is not a {default.__name__}")
        return cast(type[_Recorder], chosen)
