"""Runs seeds: `python -m tests.simulation.running SEED…` prints what each run saw, and the digest of its steps."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.simulation.actors import everybody
from tests.simulation.checks import check
from tests.simulation.world import made, run, simulated

MEMORY = Path("/dev/shm")  # noqa: S108 - a new folder is made in it
"""Where indexes are made if there is such a place: no run depends on a disk."""


class SeedFailed(AssertionError):
    """The run of a seed ended wrong; running it again ends the same way."""


def simulate(seed: int) -> str:
    """One run with its check; what it saw in one line. Raises SeedFailed."""
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="subledger-simulation-", dir=place) as folder:
        world = made(seed, Path(folder))
        try:
            with simulated(world):
                run(world, everybody(world))
                seen = check(world)
        except Exception as failed:
            raise SeedFailed(f"seed {seed}: {failed}\n    python -m tests.simulation.running {seed}") from failed
        counted = ", ".join(f"{count} {what}" for what, count in seen.items())
        return f"seed {seed}: {counted}, {world.scheduler.points} points, {world.scheduler.trace[:16]}"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(simulate(int(argument)), flush=True)
