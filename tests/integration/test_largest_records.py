"""Commands and replies as large as their topics take, and larger: the partition moves on whatever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from infra.live.places import COMMANDS, DEAD_LETTERS, POSITION, REASON, REPLIES
from tests.support.lines import line
from tests.support.live import LiveLedger, Record, wait_until

LARGEST_COMMAND_TAKEN = 1_048_500
"""A value that the broker's default `message.max.bytes` of 1,048,588 just lets through."""
SMALL = "2000"
"""Bytes of a reply: enough for a command's own facts, not for those of twenty years."""
YEARS_LATER = "2046-01-05T12:00:00+02:00"
MONTHS = 240
LIMIT_S = 60.0


@pytest.fixture
def ledger(kafka_address: str, tmp_path: Path) -> Iterator[LiveLedger]:
    with LiveLedger(kafka_address, tmp_path, partitions=1) as made:
        yield made


def test_a_poisoned_command_as_large_as_its_topic_takes_is_parked_whole(ledger: LiveLedger) -> None:
    """With the reason beside it, it is larger than the command was."""
    poison = b"x" * LARGEST_COMMAND_TAKEN
    with ledger.running("write") as writer:
        offset = ledger.put(COMMANDS, poison, key=b"s-1")
        (outcome,) = ledger.submit([line("RegisterSubscriber", "c-1")])
        (letter,) = _at(ledger, DEAD_LETTERS, offset)
        assert "shard lost" not in writer.said
    assert letter.value == poison
    assert json.loads(letter.headers[REASON])["message"].startswith("expected at most")
    assert outcome["status"] == "accepted"


def test_an_outcome_that_no_reply_can_hold_stops_nobody(ledger: LiveLedger) -> None:
    """Its facts are stored, the log says that it cannot be told, and what comes behind it is answered."""
    _limit(ledger, REPLIES, SMALL)
    joining = [
        line("RegisterSubscriber", "c-1"),
        line("PassVerification", "c-2"),
        line("CreditDeposit", "c-3", amount="5000.00"),
        line("OrderNumber", "c-4"),
    ]
    years = {**line("AdvanceClock", "c-5"), "at": YEARS_LATER}
    behind = {**line("CreditDeposit", "c-6", reference="lp-2"), "at": YEARS_LATER}
    with ledger.running("write") as writer:
        assert {one["status"] for one in ledger.submit(joining)} == {"accepted"}
        ledger.put(COMMANDS, json.dumps(years).encode(), key=b"s-1")
        (outcome,) = ledger.submit([behind])
        wait_until(lambda: "an outcome cannot be told" in writer.said, LIMIT_S, "a word about it")
        assert "shard lost" not in writer.said
    assert outcome["status"] == "accepted"
    renewals = [fact.event for fact in ledger.facts([outcome])[0] if fact.event["causationid"] == "c-5"]
    assert len(renewals) > MONTHS


def _at(ledger: LiveLedger, topic: str, offset: int) -> list[Record]:
    position = f"{COMMANDS}/0/{offset}".encode()
    return [one for one in ledger.records(topic) if one.headers.get(POSITION) == position]


def _limit(ledger: LiveLedger, topic: str, most: str) -> None:
    clients = ledger.settings.clients
    resource = ConfigResource(ConfigResourceType.TOPIC, ledger.settings.topic(topic), {"max.message.bytes": most})
    with closing(clients.clients.admin(**clients.for_admin())) as admin:
        admin.alter_configs([resource])
