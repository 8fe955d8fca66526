"""What a group leaves beside its facts on the events topic: how each command was answered, and what facts do not say.

A command that recorded nothing is remembered here alone; of the others it is what their facts cannot give back: a
fingerprint of the content, the balance and the verdict that were answered. It is one note of the log (`infra/kafka`),
in the transaction of the facts, so that an index that was deleted is rebuilt from the topic without deciding anything
again.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from consumers.outcomes import Outcome

NOTE_BYTES = 400_000
"""A note is smaller, so that it fits a record; a larger group leaves several."""


class Answered(msgspec.Struct, array_like=True, frozen=True):
    """One command that was decided."""

    subject: str
    command_id: str
    offset: int
    """Of the command in its partition of the commands' topic."""
    fingerprint: str
    """Of the content (`fingerprint`)."""
    impersonal: str | None
    """The same without personal data, where the command carried some."""
    first_sequence: int
    """Of the facts that it recorded; 0 where there are none."""
    facts: int
    verdict: dict[str, Any]
    """The outcome without `command` and `events`."""


class Metered(msgspec.Struct, array_like=True, frozen=True):
    """How far a call has been reported."""

    subject: str
    usage: str
    elapsed_seconds: int
    ended: bool


class Founding(msgspec.Struct, frozen=True):
    """What was settled when the ledger was made; it stands in the first note of the catalogue and never changes."""

    partitions: int
    """Of the topics that are split by subscriber."""
    sandbox: bool
    """Whether time comes from the commands' `at`; a live ledger takes it from the broker."""
    salt_key: str
    """SHA-256 of the key of the facts' salts, as hex: a process with another key would salt otherwise."""


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """One note."""

    through: int
    """Offset of the last command of the group, answered, invalid or repeated: reading goes on behind it."""
    part: int = 0
    """Tells the notes of one group apart."""
    answered: list[Answered] = []
    calls: list[Metered] = []
    deposits: list[tuple[str, str, int]] = []
    """Subject, reference, version of the credit."""
    as_of: str | None = None
    """The latest instant of anything decided in the shard."""
    instants: list[tuple[str, str]] = []
    """Subject and the last instant of one whose last command recorded no fact."""
    founding: Founding | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Note)


def encode(note: Note) -> bytes:
    """The note's bytes."""
    return _encoder.encode(note)


def decode(payload: bytes) -> Note:
    """The note; msgspec.ValidationError for bytes that are none."""
    return _decoder.decode(payload)


def of_group(through: int, whole: Note) -> Iterator[bytes]:
    """The notes of a group, each small enough for a record, all but the first with answers alone."""
    parts = list(_parts(whole.answered))
    for part, answered in enumerate(parts or [[]]):
        if part == 0:
            note = Note(through, part, answered, whole.calls, whole.deposits, whole.as_of, whole.instants)
        else:
            note = Note(through, part, answered, as_of=whole.as_of)
        yield encode(note)


def fingerprint(content: Any) -> str:
    """Tells a content from any other: SHA-256 of its canonical JSON, shortened to 16 bytes, as hex."""
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def verdict_of(outcome: Outcome) -> dict[str, Any]:
    """What of an outcome has to be remembered beside the facts."""
    return {name: value for name, value in outcome.items() if name not in {"command", "events"}}


def event_of(value: bytes) -> dict[str, Any]:
    """What an outcome says of a fact, from the fact's stored bytes."""
    event = orjson.loads(value)
    return {
        "id": event["id"],
        "type": event["type"],
        "effective_at": event["effectiveat"],
        "sequence": int(event["sequence"]),
    }


def outcome_of(command_id: str, verdict: dict[str, Any], events: Sequence[dict[str, Any]]) -> Outcome:
    """The outcome again, its fields in the order in which it was first answered."""
    return {"command": command_id, **verdict, "events": list(events)}


def _parts(answered: Sequence[Answered]) -> Iterator[list[Answered]]:
    """Answers in runs of less than a note's size."""
    part: list[Answered] = []
    size = 0
    for one in answered:
        length = len(_encoder.encode(one))
        if part and size + length > NOTE_BYTES:
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part
