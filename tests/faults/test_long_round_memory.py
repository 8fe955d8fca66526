"""Ten minutes of load: the memory of each process grows to what it keeps, and then no further."""

from __future__ import annotations

import time
from pathlib import Path

from infra.live.load import SampleLoad
from tests.support.live import LiveLedger, LiveProcess

MINUTES = 10
PACE_A_SECOND = 300.0
SUBSCRIBERS = 2_000
SAMPLE_S = 5.0
LARGEST_MIB = 500.0
GROWTH = 1.15
"""How much more the last third of the time may need than the second."""
PARTITIONS = 2


def test_memory_is_bounded_under_load(kafka_address: str, postgres_dsn: str, tmp_path: Path) -> None:
    """Writer, projector and calendar, measured every few seconds."""
    with (
        LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn, partitions=PARTITIONS, sandbox=False) as ledger,
        ledger.running("write") as writer,
        ledger.running("project") as projector,
        ledger.running("calendar") as calendar,
        SampleLoad(ledger.settings, pace=PACE_A_SECOND, subscribers=SUBSCRIBERS) as load,
    ):
        processes = {one.verb: one for one in (writer, projector, calendar)}
        sampled: dict[str, list[float]] = {verb: [] for verb in processes}
        ends = time.monotonic() + MINUTES * 60
        while time.monotonic() < ends:
            time.sleep(SAMPLE_S)
            assert load.failed is None, f"the load ended: {load.failed!r}"
            for verb, process in processes.items():
                sampled[verb].append(_resident_mib(process))
        answered = load.figures().answered
    third = len(sampled["write"]) // 3
    for verb, seen in sampled.items():
        first, second, last = max(seen[:third]), max(seen[third : 2 * third]), max(seen[2 * third :])
        print(
            f"{verb}: {first:.0f}, {second:.0f}, {last:.0f} MiB in each third of {MINUTES} min, {answered:,} commands"
        )
        assert last < LARGEST_MIB
        assert last < GROWTH * second


def _resident_mib(process: LiveProcess) -> float:
    for row in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if row.startswith("VmRSS:"):
            return int(row.split()[1]) / 1024
    raise AssertionError(f"{process.verb} has no resident memory")
