"""Snapshots of states as MessagePack: a cache, recognised by the shape of the state it was made with."""

import hashlib
from typing import Any

import msgspec

from domain.state import State, Subscriber, Unregistered

PREFIX = "subledger.snapshot."


def _shape_of(cls: type, seen: set[type]) -> str:
    if cls in seen or not hasattr(cls, "__dataclass_fields__"):
        return cls.__name__
    seen.add(cls)
    parts = [f"{field.name}:{field.type}" for field in cls.__dataclass_fields__.values()]
    return f"{cls.__name__}({','.join(parts)})"


def _shape() -> str:
    import domain.state as module

    seen: set[type] = set()
    shapes = [_shape_of(cls, seen) for cls in vars(module).values() if isinstance(cls, type)]
    return hashlib.sha256("".join(sorted(shapes)).encode()).hexdigest()[:16]


SHAPE = PREFIX + _shape()
"""The topic of snapshots made by this shape of states; those of another shape are ignored."""

_encoder = msgspec.msgpack.Encoder()
_subscriber: msgspec.msgpack.Decoder[Subscriber] = msgspec.msgpack.Decoder(Subscriber)
_unregistered: msgspec.msgpack.Decoder[Unregistered] = msgspec.msgpack.Decoder(Unregistered)


def dump(state: State) -> bytes:
    """The state's bytes."""
    kind = b"S" if isinstance(state, Subscriber) else b"U"
    return kind + _encoder.encode(state)


def load(data: bytes) -> State:
    """The state; ValueError for bytes that are none."""
    kind, body = data[:1], memoryview(data)[1:]
    loaded: Any = _subscriber.decode(body) if kind == b"S" else _unregistered.decode(body)
    state: State = loaded
    return state
