"""What every verb takes: which ledger, JSON or a table, and instants as people write them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from infra.cli.failures import Unusable

DEFAULT_LEDGER = "ledger"
KAFKA = "kafka"
"""What `--ledger` says for the live ledger."""
DEFAULT_WAIT_SECONDS = 30.0
LOCAL_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which ledger is asked, and what of it the answer must know at least."""

    place: str
    """A folder, or `kafka`."""
    at_least: tuple[str, ...] = ()
    """Positions in the live ledger, `events.v1/<shard>/<sequence>`."""
    wait_seconds: float = 0.0
    """How long to wait for them."""

    @property
    def is_live(self) -> bool:
        """Whether it is the ledger on Kafka; a folder of that name is `./kafka`."""
        return self.place == KAFKA

    @property
    def folder(self) -> Path:
        """Of an embedded ledger."""
        return Path(self.place)


def _a_folder(_context: click.Context, _option: click.Parameter, folder: Path) -> Path:
    if str(folder) == KAFKA:
        raise Unusable(
            "--ledger: this verb works on a folder (./kafka, if one is called so); `subledger submit` sends commands "
            "to a live ledger"
        )
    return folder


ledger_option: Decorator = click.option(
    "--ledger",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_LEDGER,
    metavar="DIR",
    callback=_a_folder,
    help="The ledger's folder; ./ledger where none is given.",
)
json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="JSON on stdout: one object, or one a line."
)


def source_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a verb that only reads: `ledger` says which ledger is asked (`Asked`)."""

    @click.option(
        "--ledger",
        "place",
        default=DEFAULT_LEDGER,
        metavar="DIR|kafka",
        help="The ledger's folder, ./ledger where none is given; or the live ledger of the environment's settings.",
    )
    @click.option(
        "--at-least",
        multiple=True,
        metavar="POSITION",
        help="Answer once the views of a live ledger have counted events.v1/SHARD/SEQUENCE; may be repeated.",
    )
    @click.option(
        "--wait",
        "wait_seconds",
        type=click.FloatRange(min=0),
        default=DEFAULT_WAIT_SECONDS,
        show_default=True,
        metavar="SECONDS",
        help="How long --at-least may wait.",
    )
    @wraps(verb)
    def called(*arguments: Any, place: str, at_least: tuple[str, ...], wait_seconds: float, **options: Any) -> Any:
        asked = Asked(place=place, at_least=at_least, wait_seconds=wait_seconds)
        return verb(*arguments, ledger=asked, **options)

    return called


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
