"""Processes of a live ledger that end themselves at a step: `python -m tests.faults.hurt_processes WAY N`.

They are the program itself (`write`, `project`) with one function replaced; the N-th time that it is reached the
process is gone as by SIGKILL, with nothing tidied up.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

from infra.cli.main import main as program
from infra.kafka.index import LocalIndex
from infra.kafka.log import FencedLog
from infra.kafka.mirror import Mirror
from infra.kafka.producer import FencedProducer, Stored
from infra.live import writing
from infra.live.places import REPLIES
from infra.live.sending import Sender
from infra.live.writing import WriteProcess
from infra.postgres.keeping import PostgresViews


class _Doom:
    """Counts, and ends the process."""

    def __init__(self, times: int) -> None:
        self._left = times

    def strike(self) -> None:
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: type, name: str) -> Callable[[_Doom], Any]:
    """The process is gone when it is about to call this."""

    def hook(doom: _Doom) -> Any:
        original = getattr(owner, name)

        def hurt(*arguments: Any, **named: Any) -> Any:
            doom.strike()
            return original(*arguments, **named)

        return mock.patch.object(owner, name, hurt)

    return hook


def _after(owner: type, name: str) -> Callable[[_Doom], Any]:
    """The process is gone when this has just returned."""

    def hook(doom: _Doom) -> Any:
        original = getattr(owner, name)

        def hurt(*arguments: Any, **named: Any) -> Any:
            answer = original(*arguments, **named)
            doom.strike()
            return answer

        return mock.patch.object(owner, name, hurt)

    return hook


def _in_mid_transaction(doom: _Doom) -> Any:
    """The records are on the broker, and the transaction is not ended."""

    def hurt(producer: Any, records: Any) -> Any:
        bare, (topic, number) = producer._producer, producer._partition
        bare.begin_transaction()
        sent = [bare.send(topic, one.value, one.key, one.headers, number) for one in records]
        stored = [future.get(timeout=10) for future in sent]
        doom.strike()
        bare.commit_transaction()
        return [Stored(one.offset, one.timestamp) for one in stored]

    return mock.patch.object(FencedProducer, "_transact", hurt)


def _in_mid_reply(doom: _Doom) -> Any:
    """Some replies of a group are on their way, others were never sent."""
    original = Sender.send

    def hurt(sender: Sender, topic: str, *arguments: Any, **named: Any) -> Any:
        if topic == REPLIES:
            doom.strike()
        return original(sender, topic, *arguments, **named)

    return mock.patch.object(Sender, "send", hurt)


def _in_another_group(_: _Doom) -> Any:
    """Nobody dies: this writer believes that every shard is its own, whatever the other one believes."""
    return mock.patch.object(writing, "GROUP", "write-too")


def _between_rows_and_position(doom: _Doom) -> Any:
    """Rows are written in the transaction, balances are told, and the transaction is not committed."""
    original = PostgresViews.write

    def hurt(views: PostgresViews, prepared: Any, before_commit: Any = None) -> None:
        def told(balances: Any) -> None:
            if before_commit is not None:
                before_commit(balances)
            doom.strike()

        original(views, prepared, told)

    return mock.patch.object(PostgresViews, "write", hurt)


WRITERS = {
    "before-the-transaction": _before(FencedProducer, "commit"),
    "in-mid-transaction": _in_mid_transaction,
    "between-commit-and-index": _before(Mirror, "add"),
    "between-index-and-answer": _after(LocalIndex, "apply"),
    "between-answer-and-reply": _after(FencedLog, "append"),
    "in-mid-reply": _in_mid_reply,
    "between-reply-and-hint": _before(WriteProcess, "_commit"),
}
"""Steps of the write path at which a writer dies."""
PROJECTORS = {
    "before-the-rows": _before(PostgresViews, "write"),
    "between-rows-and-position": _between_rows_and_position,
    "after-the-commit": _after(PostgresViews, "write"),
}


WAYS = {
    **{name: ("write", hook) for name, hook in WRITERS.items()},
    **{name: ("project", hook) for name, hook in PROJECTORS.items()},
    "in-another-group": ("write", _in_another_group),
}


def main() -> int:
    """Arguments: the way, and how often its step is survived."""
    way, times = sys.argv[1], int(sys.argv[2])
    verb, hook = WAYS[way]
    with ExitStack() as stack:
        stack.enter_context(hook(_Doom(times)))
        return program([verb])


if __name__ == "__main__":
    sys.exit(main())
