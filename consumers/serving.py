"""One shard of a ledger whose commands arrive as records: what becomes of each, whatever it holds.

A record that is no command is `invalid`: it goes to the dead letters with its reason, and the partition moves on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import JSONDecodeError
from typing import Any

from consumers import outcomes
from consumers.outcomes import Outcome
from consumers.writer import Writer
from domain.documents import Fault

LARGEST_COMMAND_BYTES = 500_000
"""What a command leads to (facts, a note, a reply) fits a record too, whose limit is twice as much by default."""

Parse = Callable[[bytes], Any]
"""JSON to a value; raises JSONDecodeError, or Fault for what JSON allows and a command does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A record of the commands' topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: datetime
    """When the broker got it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A record and its outcome."""

    received: Received
    outcome: Outcome

    @property
    def is_poison(self) -> bool:
        """Whether it was no command."""
        return bool(self.outcome["status"] == "invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Which part of the ledger this is."""

    number: int
    home: Callable[[str], int]
    """The shard that a subscriber belongs to."""
    position: Callable[[int], str]
    """How facts name the command at an offset."""
    is_sandbox: bool
    """Time comes from the commands' `at`; otherwise from the broker."""


def serve(writer: Writer, shard: Shard, records: Sequence[Received], parse: Parse) -> list[Served]:
    """Decides each record in order; nothing of it may be told before `writer.commit` has returned."""
    values = [_value(record, parse) for record in records]
    writer.follow_catalogue()
    writer.prepare(values)
    return [_served(writer, shard, record, value) for record, value in zip(records, values, strict=True)]


def _served(writer: Writer, shard: Shard, record: Received, value: Any) -> Served:
    fault = value if isinstance(value, Fault) else _misplaced(value, shard)
    if fault is not None:
        identity = value.get("id") if isinstance(value, dict) else None
        return Served(received=record, outcome=outcomes.invalid(identity, fault))
    appended_at = None if shard.is_sandbox else record.appended_at
    outcome = writer.execute(value, appended_at=appended_at, position=shard.position(record.offset))
    return Served(received=record, outcome=outcome)


def _value(record: Received, parse: Parse) -> Any:
    """What a record holds, or the Fault that it is no JSON."""
    if record.value is None:
        return Fault("", "expected a JSON object, found a record without a value")
    if len(record.value) > LARGEST_COMMAND_BYTES:
        return Fault("", f"expected at most {LARGEST_COMMAND_BYTES} bytes, found {len(record.value)}")
    try:
        return parse(record.value)
    except JSONDecodeError as error:
        return no_json(record.value, error)
    except Fault as fault:
        return fault


def no_json(line: bytes, error: JSONDecodeError) -> Fault:
    """The fault of a line, or a record's value, that cannot be read."""
    if not line.strip():
        return Fault("", "expected a JSON object, found an empty line")
    return Fault("", f"expected a JSON object, found none: {error.msg}, at character {error.pos + 1}")


def _misplaced(value: Any, shard: Shard) -> Fault | None:
    """A subscriber lives in one shard for ever: a command in another partition would begin a second history."""
    subscriber = value.get("subscriber") if isinstance(value, dict) else None
    if not isinstance(subscriber, str) or shard.home(subscriber) == shard.number:
        return None
    expected = f"expected partition {shard.home(subscriber)}, found {shard.number}"
    return Fault("subscriber", f"the command is in the wrong partition: {expected} (murmur2 of the subscriber's id)")
