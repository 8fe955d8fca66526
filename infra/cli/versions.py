"""Which version of its regulations a subscriber is under, since when and why: past, present and announced ones."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import Recorded, SubscriberRegistered
from domain.periods import local_date
from infra import codec
from infra.cli.failures import Unusable
from infra.cli.publications import Published, last_instant, publications
from infra.explain.words import counted, day
from infra.views.source import Publications, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedVersion:
    """A version that holds for a subscriber from `since`, that instant included, until the next one's `since`."""

    regulations: str
    version: str
    since: datetime
    """On the subscriber's clock."""
    why: str
    in_force: bool
    """Whether it is the one in force at the ledger's last instant."""
    published_at: datetime | None
    """On the subscriber's clock; None for a version that the ledger began with."""


def applied_versions(source: Source, subscriber: str) -> list[AppliedVersion]:
    """The versions in the order in which they apply; Unusable for somebody who never registered.

    What is decided for an instant is decided by `Catalogue.in_force`, and so is this list: an earlier instant keeps
    the earlier version (telnexx/regulations-notice).
    """
    registration, fact = _registration(source, subscriber)
    catalogue = Publications(source.facts(CATALOGUE_SUBJECT)).latest.catalogue
    by_version = {
        one.version: one for one in publications(source) if one.kind == "regulations" and one.name == fact.regulations
    }
    now = last_instant(source)
    spans = list(_spans(catalogue, registration, fact))
    begun = sum(since <= now for _, since in spans)
    zone = ZoneInfo(fact.time_zone)
    return [
        AppliedVersion(
            regulations=fact.regulations,
            version=version,
            since=since.astimezone(zone),
            why=_why(by_version[version], since, zone, begun=index < begun) if index else "registered under it",
            in_force=index == begun - 1,
            published_at=_at(by_version[version].published_at, zone),
        )
        for index, (version, since) in enumerate(spans)
    ]


def rows_of(applied: Iterable[AppliedVersion]) -> Iterator[tuple[str, ...]]:
    """Regulations, version, since, and why, for people."""
    for one in applied:
        since = one.since.replace(tzinfo=None).isoformat(" ", "seconds")
        yield one.regulations, one.version, since, f"{one.why}; in force" if one.in_force else one.why


def _registration(source: Source, subscriber: str) -> tuple[Recorded, SubscriberRegistered]:
    for _, state in source.facts(subscriber):
        recorded = codec.decode(state).recorded
        if isinstance(recorded.fact, SubscriberRegistered):
            return recorded, recorded.fact
    raise Unusable(f"there is no subscriber {subscriber}")


def _spans(catalogue: Catalogue, registration: Recorded, fact: SubscriberRegistered) -> Iterator[tuple[str, datetime]]:
    """Each version with its first instant for this subscriber.

    The first is the one that the registration names; another may have replaced it later at the very same instant.
    """
    registered_at = registration.effective_at
    yield fact.version, registered_at
    present = fact.version
    later = (version.effective_from for version in catalogue.regulations[fact.regulations])
    for since in (registered_at, *(instant for instant in later if instant > registered_at)):
        version = catalogue.in_force(fact.regulations, since)
        if version is not None and version.version != present:
            present = version.version
            yield present, since


def _why(one: Published, since: datetime, zone: ZoneInfo, *, begun: bool) -> str:
    effect = "took effect" if begun else "will take effect"
    said = f"{effect} on {day(since, zone)}"
    if one.published_at is None:
        return said
    days = (local_date(since, zone.key) - local_date(one.published_at, zone.key)).days
    notice = f"with {counted(days, 'day')} of notice" if days else "without notice"
    return f"{said}, published on {day(one.published_at, zone)} {notice}"


def _at(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    return instant.astimezone(zone) if instant else None
