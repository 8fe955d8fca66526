"""Opening a ledger to read it, wherever it is: a folder, or the live ledger of the environment's settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from infra.cli.failures import Incomplete, Unusable
from infra.cli.options import Asked
from infra.cli.output import say
from infra.embedded.source import EmbeddedSource
from infra.explain.words import counted
from infra.views.reading import UnknownSubscriber, Views
from infra.views.source import Source

if TYPE_CHECKING:
    from infra.live.settings import LiveSettings
    from infra.postgres.source import PostgresSource


@contextmanager
def opened(asked: Asked) -> Iterator[Source]:
    """The ledger that was asked for. Raises NoLedger, StoreError, and Unusable for settings that are wrong.

    Reading holds up nobody who writes.
    """
    if asked.is_live:
        with live_source(asked) as live:
            yield live
        return
    if asked.at_least:
        raise Unusable("--at-least: a folder is always read to its last fact; a position is of a live ledger")
    with EmbeddedSource(asked.folder) as embedded:
        yield embedded


@contextmanager
def opened_views(asked: Asked) -> Iterator[tuple[Source, Views]]:
    """The ledger and its read models; Unusable for an unknown subscriber."""
    with opened(asked) as source:
        try:
            yield source, Views(source)
        except UnknownSubscriber as error:
            raise Unusable(str(error)) from None


def live_settings() -> "LiveSettings":
    """The settings of the live ledger; SettingsFault where one is wrong, or where a server is not named."""
    from infra.live.settings import load

    settings = load()
    assert settings.brokers
    assert settings.dsn
    return settings


@contextmanager
def live_source(asked: Asked) -> "Iterator[PostgresSource]":
    """The live ledger, once its views have reached what was asked for; Incomplete where they do not in time.

    Says so where there are facts that the views have not counted.
    """
    from infra.postgres.source import Behind, PostgresSource, UnreadablePosition

    with PostgresSource(live_settings()) as source:
        try:
            source.wait_for(asked.at_least, asked.wait_seconds)
        except UnreadablePosition as error:
            raise Unusable(f"--at-least: {error}") from None
        except Behind as error:
            raise Incomplete(str(error)) from None
        missing = sum(max(0, position.log - position.sequence) for position in source.positions())
        if missing:
            say(f"views are {counted(missing, 'fact')} behind")
        yield source


def zone_of(views: Views, subscriber: str) -> ZoneInfo:
    """The subscriber's clock."""
    return ZoneInfo(views.time_zone(subscriber))


def common_zone(source: Source) -> str:
    """The time zone that all subscribers share; Unusable where there is none, or more than one."""
    zones = _zones(source)
    if len(zones) != 1:
        found = f"found {', '.join(zones)}" if zones else "found no subscriber"
        raise Unusable(f"a local date needs subscribers of one time zone, {found}; give an instant with a zone")
    return zones[0]


def shared_zone(source: Source) -> ZoneInfo:
    """The clock for what concerns all subscribers: the one that they share, else UTC."""
    zones = _zones(source)
    return ZoneInfo(zones[0] if len(zones) == 1 else "UTC")


def _zones(source: Source) -> list[str]:
    return [str(row[0]) for row in source.ask("deadlines", "time_zones")]
