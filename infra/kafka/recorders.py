"""The recorders of the `eventsourcing` library over a log: writing goes to Kafka, reading to the local index."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any, Protocol
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ListenNotifySubscription,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)

from infra.kafka.index import LocalIndex
from infra.kafka.records import LogRecord, Tracked


class Log(Protocol):
    """What recorders need of a log; `FencedLog` writes, `FollowedLog` only reads."""

    @property
    def index(self) -> LocalIndex: ...
    def append(
        self, records: Sequence[LogRecord], *, tracking: Tracked | None = None, after: int | None = None
    ) -> range: ...
    def refresh(self) -> None: ...
    def listen(self, listener: Event) -> None: ...
    def unlisten(self, listener: Event) -> None: ...


class KafkaAggregateRecorder(AggregateRecorder):
    """Stored events by stream. Versions of a stream are dense: the next one, or IntegrityError."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Commits the events, all or none. Raises what `FencedLog.append` raises."""
        self._append(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Events of one stream, by version."""
        self.log.refresh()
        return self.log.index.reader.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)

    def _append(self, stored_events: Sequence[StoredEvent], tracking: Tracking | None = None, **_: Any) -> range:
        records = [
            LogRecord(_key(stored.originator_id), stored.originator_version, stored.topic, stored.state)
            for stored in stored_events
        ]
        return self.log.append(records, tracking=_tracked(tracking))


class KafkaApplicationRecorder(KafkaAggregateRecorder, ApplicationRecorder):
    """Stored events by stream and as one sequence. A notification's id is its sequence: 1, 2, 3 … without gaps."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Commits the events, all or none, and returns their notification ids."""
        return list(self._append(stored_events, **kwargs))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events of the sequence."""
        self.log.refresh()
        return self.log.index.reader.select_notifications(
            start, limit, stop, topics, inclusive_of_start=inclusive_of_start
        )

    def max_notification_id(self) -> int | None:
        """Sequence of the last event, None if there is none."""
        self.log.refresh()
        return self.log.index.reader.max_notification_id()

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Events of the sequence, as they come."""
        return KafkaSubscription(self, gt=gt, topics=topics)


class KafkaSubscription(ListenNotifySubscription[KafkaApplicationRecorder]):
    """Wakes whenever the log's index grows."""

    def __init__(self, recorder: KafkaApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._recorder.log.listen(self._has_been_notified)
        # Events that came between the first look and `listen` woke nobody.
        self._has_been_notified.set()

    def stop(self) -> None:
        """Ends the iteration."""
        super().stop()
        self._recorder.log.unlisten(self._has_been_notified)


class KafkaTrackingRecorder(TrackingRecorder):
    """Positions in other applications' sequences, as records in the log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def insert_tracking(self, tracking: Tracking) -> None:
        """Commits a position. Raises IntegrityError unless it is greater than the last."""
        self.log.append((), tracking=_tracked(tracking))

    def max_tracking_id(self, application_name: str) -> int | None:
        """The last position, None if there is none."""
        self.log.refresh()
        return self.log.index.last_tracked(application_name)


class KafkaProcessRecorder(KafkaTrackingRecorder, KafkaApplicationRecorder, ProcessRecorder):
    """Events and the position they were made from, in one transaction: `insert_events(…, tracking=…)`."""


def _key(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id


def _tracked(tracking: Tracking | None) -> Tracked | None:
    return None if tracking is None else Tracked(tracking.application_name, tracking.notification_id, None)
