"""Instants between the program and the views: see `projections/event.py` for how they are stored."""

from datetime import UTC, datetime

EVER = "9999"
"""Later than every stored instant."""


def stored(moment: datetime) -> str:
    """An aware instant as views store it."""
    return moment.astimezone(UTC).isoformat()[:-6]


def instant(text: str) -> datetime:
    """A stored instant as aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def optional_instant(text: str | None) -> datetime | None:
    """As `instant`, for a column that may be empty."""
    return None if text is None else instant(text)
