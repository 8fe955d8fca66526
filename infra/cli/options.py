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
LOCAL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

TEXT_ERRORS = "surrogateescape"
"""How Python hands over arguments that are not in the encoding of the terminal."""

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


class Folder(click.Path):
    """The path of a ledger's folder, which need not be there, for a verb that cannot do with a live ledger.

    An empty one, as of a variable that is not set, is a mistake.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        _not_empty(value, "--ledger")
        if str(value) == KAFKA:
            raise Unusable(
                "--ledger: this verb works on a folder (./kafka, if one is called so); `subledger submit` sends "
                "commands to a live ledger"
            )
        return super().convert(value, param, ctx)


def _not_empty(value: Any, option: str) -> None:
    if value == "":
        raise Unusable(f"{option}: expected a folder, found ''")


def name_argument(parameter: str, metavar: str, *, required: bool = True) -> Decorator:
    """An argument that is the name of something: a subscriber, a number, a fact. Unusable where it is empty or no text.

    What is text in UTF-8 is understood whatever the terminal says its encoding is.
    """

    def named(_context: click.Context, _argument: click.Parameter, text: str | None) -> str | None:
        return None if text is None else name_of(text, metavar.strip("[]"))

    return click.argument(parameter, metavar=metavar, required=required, callback=named)


def name_of(text: str, what: str) -> str:
    """`text` as the name of something; Unusable, as the fault of the argument `what`, where it cannot be one."""
    try:
        name = text.encode(errors=TEXT_ERRORS).decode()
    except UnicodeDecodeError:
        raise Unusable(f"{what}: expected text in UTF-8, found {text!a}") from None
    if not name:
        raise Unusable(f"{what}: expected a name, found ''")
    return name


ledger_option: Decorator = click.option(
    "--ledger",
    "folder",
    type=Folder(),
    default=DEFAULT_LEDGER,
    metavar="DIR",
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
        _not_empty(place, "--ledger")
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

    is_date = LOCAL_DATE.fullmatch(text) is not None
    try:
        if is_date:
            day: date = documents.day(text, option)
            return start_of_day(day, zone())
        moment: datetime = documents.instant(text, option)
        return moment
    except documents.Fault as fault:
        hint = "" if is_date or "T" in text else "; a local date is written 2026-02-01"
        raise Unusable(f"{option}: {fault.message}{hint}") from None
