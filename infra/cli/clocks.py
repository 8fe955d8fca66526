"""Instants of several subscribers in one table: each on its own clock, which is named once where all share it."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from infra.explain.words import local


class Clocks:
    """The time zones of whoever is told about."""

    def __init__(self, zones: Iterable[ZoneInfo]) -> None:
        by_key = {zone.key: zone for zone in zones}
        self.shared = next(iter(by_key.values())) if len(by_key) == 1 else None
        """The one zone of them all; None where there are several, or nobody."""

    @property
    def words(self) -> str:
        """What a title says of the instants below it."""
        return f", times of {self.shared.key}" if self.shared else ""

    def local(self, instant: datetime, zone: ZoneInfo) -> str:
        """`2026-01-05 12:00:00` on the clock of `zone`, with the zone where the title cannot name it."""
        return local(instant, zone) if self.shared else named(instant, zone, brackets=False)


def named(instant: datetime, zone: ZoneInfo, *, brackets: bool = True) -> str:
    """`2026-01-05 12:00:00 (Europe/Kyiv)`; in a table without the brackets."""
    return f"{local(instant, zone)} ({zone.key})" if brackets else f"{local(instant, zone)} {zone.key}"
