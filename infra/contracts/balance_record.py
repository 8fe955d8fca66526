"""A record of the balances topic: what a subscriber has now, for services that want no history (CONTRACT §7).

The topic is compacted, so of each subscriber the last record stays. It says how far it has counted: who wants to go
on from here reads the events' partition `shard` and skips what is up to `sequence`.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from domain.money import Money
from infra.codec import format_instant, parse_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRecord:
    """The balance of one subscriber after all facts of its shard up to `sequence`."""

    subscriber: str
    """Also the record's key."""
    balance: Money
    """Below zero where a deposit was charged back."""
    outstanding: Money | None = None
    """Invoiced and unpaid; only where the regulations have invoices."""
    shard: int
    """Partition of the events topic, and of this one."""
    sequence: int
    """Of the last fact that was counted."""
    recorded_at: datetime
    """`time` of that fact."""

    @property
    def key(self) -> bytes:
        """The Kafka key: what compaction goes by."""
        return self.subscriber.encode()

    def value(self) -> bytes:
        """The Kafka value: one JSON object, amounts as decimal strings with the currency beside them."""
        written: dict[str, object] = {
            "subscriber": self.subscriber,
            "balance": str(self.balance),
            "currency": self.balance.currency,
        }
        if self.outstanding is not None:
            written["outstanding"] = str(self.outstanding)
        written["shard"] = self.shard
        written["sequence"] = self.sequence
        written["recorded_at"] = format_instant(self.recorded_at)
        return orjson.dumps(written)


def read(value: bytes) -> BalanceRecord:
    """The record from its value; KeyError or ValueError for anything else."""
    document = orjson.loads(value)
    currency = document["currency"]
    outstanding = document.get("outstanding")
    return BalanceRecord(
        subscriber=document["subscriber"],
        balance=Money.parse(document["balance"], currency),
        outstanding=None if outstanding is None else Money.parse(outstanding, currency),
        shard=document["shard"],
        sequence=document["sequence"],
        recorded_at=parse_instant(document["recorded_at"]),
    )
