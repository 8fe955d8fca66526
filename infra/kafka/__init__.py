"""A persistence module of the `eventsourcing` library on Kafka: `PERSISTENCE_MODULE=infra.kafka`."""

from infra.kafka.factory import KafkaFactory as Factory

__all__ = ["Factory"]
