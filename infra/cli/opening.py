"""Opening a ledger to read it: the views catch up with the log first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from infra.cli.failures import Unusable
from infra.embedded.folder import EmbeddedLedger
from infra.views.reading import UnknownSubscriber, Views

SELECT_SUBJECTS = "SELECT DISTINCT originator_id FROM stored_events ORDER BY originator_id"
SELECT_ZONES = (
    "SELECT DISTINCT json_extract(CAST(state AS TEXT), '$.data.time_zone') FROM stored_events "
    "WHERE topic = 'subledger.subscriber-registered.v1'"
)


@contextmanager
def opened_views(folder: Path) -> Iterator[tuple[EmbeddedLedger, Views]]:
    """The ledger in `folder` and its views; raises NoLedger, LedgerHeld, and Unusable for an unknown subscriber."""
    with EmbeddedLedger(folder) as ledger, Views(ledger) as views:
        try:
            yield ledger, views
        except UnknownSubscriber as error:
            raise Unusable(str(error)) from None


def zone_of(views: Views, subscriber: str) -> ZoneInfo:
    """The subscriber's clock."""
    return ZoneInfo(views.time_zone(subscriber))


def subjects(ledger: EmbeddedLedger) -> list[str]:
    """Everybody who has a fact in the log, by id; also those who were refused before they registered."""
    return [row[0] for row in ledger.application.shard.rows(SELECT_SUBJECTS, ())]


def common_zone(ledger: EmbeddedLedger) -> str:
    """The time zone that all subscribers share; Unusable where there is none, or more than one."""
    zones = sorted(row[0] for row in ledger.application.shard.rows(SELECT_ZONES, ()))
    if len(zones) != 1:
        found = f"found {', '.join(zones)}" if zones else "found no subscriber"
        raise Unusable(f"a local date needs subscribers of one time zone, {found}; give an instant with a zone")
    return str(zones[0])
