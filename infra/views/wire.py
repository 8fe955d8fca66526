"""Stored bytes as projections see them: only what they look at is decoded, and that once."""

import msgspec
from msgspec import Struct

from infra.upcasting import UPCASTERS, UndecodableFact
from projections.event import SHARD_STEP

Data = dict[str, object]


class WireFact(
    Struct,
    gc=False,
    rename={
        "version": "streamversion",
        "effective_at": "effectiveat",
        "recorded_at": "time",
        "caused_by": "causationid",
    },
):
    """One fact (`projections.event.Event`). Mutable, since its place and instants are finished after decoding."""

    id: str
    type: str
    subject: str
    sequence: str
    version: int
    effective_at: str
    recorded_at: str
    caused_by: str
    basis: str
    data: Data
    due: bool = False
    position: int = 0


_decode = msgspec.json.Decoder(WireFact).decode


def read(sequence: int, state: bytes, shard: int = 0) -> WireFact:
    """The fact at `sequence`; UndecodableFact where the bytes are none, or are one of another place."""
    try:
        fact = _decode(state)
    except msgspec.MsgspecError as error:
        raise UndecodableFact(f"sequence {sequence} is not a fact: {error}") from error
    if int(fact.sequence) != sequence:
        raise UndecodableFact(f"expected the fact of sequence {sequence}, found {fact.id} of {fact.sequence}")
    while fact.type in UPCASTERS:
        fact.type, upcast = UPCASTERS[fact.type]
        fact.data = upcast(fact.data)
    fact.position = shard * SHARD_STEP + sequence
    fact.effective_at = fact.effective_at[:-1]
    fact.recorded_at = fact.recorded_at[:-1]
    return fact
