"""Records that are no commands: what is said of them is what an embedded ledger says of the same line."""

import re
from datetime import UTC, datetime

import orjson
import pytest

from consumers.serving import Received, Shard, serve
from consumers.writer import Writer
from domain.documents import Fault
from infra import incoming
from infra.cli.run import parsed
from tests.support.lines import line
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

SHARD = Shard(number=0, home=lambda _: 0, position=lambda offset: f"commands.v1/0/{offset}", is_sandbox=True)


@pytest.mark.parametrize("value", [b"{not json", b'{"id": 1, nonsense}', b"  \r", b"", b'{"id": "\xff"}'])
def test_what_is_no_json_is_said_in_the_words_of_an_embedded_ledger(value: bytes) -> None:
    record = Received(offset=7, key=None, value=value, appended_at=datetime(2026, 1, 5, tzinfo=UTC))
    writer = Writer(MemoryShard(), MemoryCatalogue(), PlainSealer())
    (served,) = serve(writer, SHARD, [record], incoming.parse)
    embedded = parsed(value)
    assert isinstance(embedded, Fault)
    assert served.is_poison
    assert (served.outcome["path"], served.outcome["message"]) == (embedded.path, embedded.message)


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (b'{"id": "c-1", "type": "AdvanceClock", "id": "c-2"}', "id"),
        (b'{"data": {"amount": "1.00", "currency": "USD", "amount": "100.00"}}', "data.amount"),
        (rb'{"data": {"amount": "1.00", "am\u006funt": "100.00"}}', "data.amount"),
        (b'{"data": {"lines": [{"a": 1}, {"a": 1, "a": 1}]}}', "data.lines[1].a"),
        (b'{"data": {"deep": ' + b"[" * 250 + b"]" * 250 + b', "b": 1, "b": 2}}', "data.b"),
    ],
)
def test_a_key_that_stands_twice_is_a_fault(found: bytes, path: str) -> None:
    """Which of the two amounts was meant, nobody can tell."""
    record = Received(offset=7, key=None, value=found, appended_at=datetime(2026, 1, 5, tzinfo=UTC))
    writer = Writer(MemoryShard(), MemoryCatalogue(), PlainSealer())
    (served,) = serve(writer, SHARD, [record], incoming.parse)
    assert (served.outcome["status"], served.outcome["path"]) == ("invalid", path)
    assert served.outcome["message"] == "expected each key once, found this one twice"
    embedded = parsed(found)
    assert isinstance(embedded, Fault)
    assert embedded.path == path


def test_a_key_may_stand_once_in_each_object() -> None:
    assert incoming.parse(b'{"a": {"a": [{"a": 1}, {"a": 1}]}, "b": "a"}') == {
        "a": {"a": [{"a": 1}, {"a": 1}]},
        "b": "a",
    }


DEEP = "[" * 1_000 + "]" * 1_000
"""orjson reads it; whatever walks through it by recursion, as Python's own `str` does, fails."""


@pytest.mark.parametrize("field", ["id", "subscriber", "at", "actor", "data", "data.reference", "data.amount"])
def test_a_value_of_any_depth_is_only_invalid(field: str) -> None:
    """Anything else would end the process, and each one after it, at the same record."""
    text = orjson.dumps(line("CreditDeposit", "c-1")).decode()
    name = field.rpartition(".")[2]
    value = re.sub(rf'"{name}":("[^"]*"|{{[^}}]*}})', rf'"{name}":{DEEP}', text).encode()
    assert DEEP.encode() in value
    record = Received(offset=7, key=None, value=value, appended_at=datetime(2026, 1, 5, tzinfo=UTC))
    (served,) = serve(Writer(MemoryShard(), MemoryCatalogue(), PlainSealer()), SHARD, [record], orjson.loads)
    assert served.is_poison
    assert served.outcome["path"] == field
