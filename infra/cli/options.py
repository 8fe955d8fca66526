"""What every verb takes: which ledger, JSON or a table, and instants as people write them."""

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from infra.cli.failures import Unusable

DEFAULT_LEDGER = "ledger"
LOCAL_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

ledger_option: Decorator = click.option(
    "--ledger",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_LEDGER,
    metavar="DIR",
    help="The ledger's folder; ./ledger where none is given.",
)
json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="JSON on stdout: one object, or one a line."
)


def examples(*lines: str) -> str:
    """The epilogue of a verb's help: literal command lines."""
    return "\n\n".join(["\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)])


def instant_of(text: str, option: str, zone: Callable[[], str]) -> datetime:
    """The instant that `text` names: ISO 8601 with a zone, or a local date, its first instant in `zone()`, as UTC.

    Raises Unusable with the option's name for anything else. The machine's own time zone plays no part.
    """
    from domain import documents
    from domain.periods import start_of_day

    try:
        if LOCAL_DATE.fullmatch(text):
            day: date = documents.day(text, option)
            return start_of_day(day, zone())
        moment: datetime = documents.instant(text, option)
        return moment
    except documents.Fault as fault:
        raise Unusable(f"{option}: {fault.message}, or a local date such as 2026-02-01") from None
