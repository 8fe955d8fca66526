"""The `eventsourcing` library's published conformance suites, unchanged, against `infra.kafka` on a real broker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application, LocalNotificationLog
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import AggregateRecorder, StoredEvent, TrackingRecorder

# As modules: pytest would collect the abstract suites if their names were here.
from eventsourcing.tests import application as application_suite
from eventsourcing.tests import persistence as suite
from eventsourcing.utils import Environment

from infra.kafka.factory import KafkaFactory
from infra.kafka.recorders import (
    KafkaAggregateRecorder,
    KafkaApplicationRecorder,
    KafkaProcessRecorder,
    KafkaTrackingRecorder,
)
from tests.support.servers import new_topic


class OnKafka:
    """Gives a suite recorders over new, empty topics, and closes them after each test."""

    originator_id_type: ClassVar[str] = "uuid"
    environment: Callable[[], dict[str, str]]
    factories: list[KafkaFactory]

    @pytest.fixture(autouse=True)
    def _servers(self, kafka_address: str, tmp_path: Path) -> Iterator[None]:
        self.factories = []
        self.environment = lambda: {
            "PERSISTENCE_MODULE": "infra.kafka",
            "KAFKA_BOOTSTRAP_SERVERS": kafka_address,
            "KAFKA_INDEX_FOLDER": str(tmp_path),
            "KAFKA_TOPIC": new_topic(),
            "ORIGINATOR_ID_TYPE": self.originator_id_type,
        }
        yield
        for factory in self.factories:
            factory.close()

    def factory_of_new_topic(self) -> KafkaFactory:
        factory = KafkaFactory(self.environment())
        self.factories.append(factory)
        return factory

    def new_originator_id(self) -> UUID | str:
        return uuid4() if self.originator_id_type == "uuid" else f"stream-{uuid4()}"


class TestApplicationRecorder(OnKafka, suite.ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> Any:
        return self.factory_of_new_topic().application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderWithTextIds(TestApplicationRecorder):
    originator_id_type = "text"


class TestAggregateRecorder(OnKafka, suite.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory_of_new_topic().aggregate_recorder()


class TestSnapshotRecorder(OnKafka, suite.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory_of_new_topic().aggregate_recorder(purpose="snapshots")


class TestTrackingRecorder(OnKafka, suite.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory_of_new_topic().tracking_recorder()


class TestProcessRecorder(OnKafka, suite.ProcessRecorderTestCase):
    def create_recorder(self) -> Any:
        return self.factory_of_new_topic().process_recorder()


class TestProcessRecorderAsApplicationRecorder(OnKafka, suite.ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> Any:
        return self.factory_of_new_topic().process_recorder()


class TestNonInterleaving(OnKafka, suite.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> Any:
        return self.factory_of_new_topic().application_recorder()


class SubclassOfTrackingRecorder(KafkaTrackingRecorder):
    """What the factory's suite asks the factory to make instead of its own."""


class TestFactory(OnKafka, suite.InfrastructureFactoryTestCase[KafkaFactory]):
    def expected_factory_class(self) -> type[KafkaFactory]:
        return KafkaFactory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return KafkaAggregateRecorder

    def expected_application_recorder_class(self) -> type[KafkaApplicationRecorder]:
        return KafkaApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return KafkaTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return SubclassOfTrackingRecorder

    def expected_process_recorder_class(self) -> type[KafkaProcessRecorder]:
        return KafkaProcessRecorder

    def setUp(self) -> None:
        self.env = Environment(env=self.environment())
        super().setUp()

    def test_says_what_is_missing_in_the_environment(self) -> None:
        """An environment without brokers, folder or topic is refused with the names that were looked for."""
        for key in ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_INDEX_FOLDER", "KAFKA_TOPIC"):
            environment = self.environment()
            del environment[key]
            with pytest.raises(OSError, match=key):
                KafkaFactory(environment)


class TestExampleApplication(OnKafka, application_suite.ExampleApplicationTestCase):
    """Mapper, event store, repository and snapshots of a whole application."""

    expected_factory_topic = "infra.kafka.factory:KafkaFactory"

    @pytest.fixture(autouse=True)
    def _process_environment(self, _servers: None) -> Iterator[None]:
        with mock.patch.dict(os.environ, self.environment()):
            yield


class Dog(Aggregate):
    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class TestApplicationOfAnyKind(OnKafka):
    def test_notification_log_gives_sections_of_the_sequence(self) -> None:
        """The library's notification log presents what was saved, in order and without gaps."""
        with Application[UUID](env=self.environment()) as application:
            dogs = [Dog(f"dog {number}") for number in range(7)]
            for dog in dogs:
                dog.add_trick("roll over")
                application.save(dog)
            log = LocalNotificationLog(application.recorder, section_size=5)
            section = log["1,10"]
            assert [item.id for item in section.items] == [1, 2, 3, 4, 5]
            assert section.next_id == "6,10"
            assert [item.id for item in log["11,20"].items] == [11, 12, 13, 14]
            assert [item.id for item in log.select(start=13, limit=5)] == [13, 14]
            application.close()

    def test_a_second_process_starts_from_the_topic_alone(self, tmp_path: Path) -> None:
        """Another machine, without the index of the first, finds the same aggregates."""
        environment = self.environment()
        with Application[UUID](env=environment) as first:
            dog = Dog("Fido")
            dog.add_trick("play dead")
            first.save(dog)
            first.close()
        with Application[UUID](env={**environment, "KAFKA_INDEX_FOLDER": str(tmp_path / "elsewhere")}) as second:
            assert second.repository.get(dog.id).tricks == ["play dead"]
            second.close()

    def test_a_follower_reads_along_and_fences_nobody(self) -> None:
        """With KAFKA_READ_ONLY another process subscribes while the writer goes on writing."""
        environment = self.environment()
        writer = KafkaFactory(environment)
        follower = KafkaFactory({**environment, "KAFKA_READ_ONLY": "y"})
        self.factories += [follower, writer]
        written, read = writer.application_recorder(), follower.application_recorder()
        stream = uuid4()
        with read.subscribe(gt=None) as subscription:
            for version in range(1, 4):
                written.insert_events([StoredEvent(stream, version, "type", b"%d" % version)])
                assert read.max_notification_id() == version
                assert next(subscription).state == b"%d" % version
        assert read.select_events(stream) == written.select_events(stream)
