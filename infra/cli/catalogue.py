"""`subledger catalogue`: regulations and tariffs as they were published, compared, and as they apply to somebody."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from consumers.outcomes import Outcome
from domain.commands import CATALOGUE_SUBJECT
from infra import codec
from infra.cli.clocks import named as named_instant
from infra.cli.failures import Unusable, WrongFound
from infra.cli.opening import opened
from infra.cli.options import Asked, examples, instant_of, json_option, ledger_option, name_of, source_options
from infra.cli.output import print_fields, print_heading, print_json, print_table, say
from infra.cli.publications import Published, last_instant, named, pair, publications, read_document, told, zone_of
from infra.cli.versions import applied_versions, rows_of
from infra.embedded.folder import EmbeddedLedger
from infra.embedded.source import EmbeddedSource
from infra.explain.changes import Change
from infra.explain.regulations_words import regulations_changes
from infra.explain.tariff_words import IDENTITY, tariff_changes


@click.group("catalogue")
def command() -> None:
    """Publish, show and compare regulations and tariffs. Every version is kept for ever."""


@command.command(
    "publish",
    short_help="publish the regulations or the tariff in a file",
    epilog=examples(
        "subledger catalogue publish telnexx-2.json --at 2026-02-10T12:00:00+02:00",
        "subledger catalogue publish telnexx-usd-2026-03.json",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--at", metavar="T", help="The instant of publication; the ledger's last instant where none is given.")
@click.option("--actor", default="operator", show_default=True, help="Who publishes.")
@click.option("--id", "command_id", metavar="ID", help="The command's id; made from the document where none is given.")
@json_option
@ledger_option
def publish(file: str, at: str | None, actor: str, command_id: str | None, as_json: bool, folder: Path) -> None:
    """Publish the regulations or the tariff in FILE, a JSON document.

    A document with `tariff` is a tariff, any other one regulations. Publishing the same document at the same instant
    again changes nothing.
    """
    document = read_document(file)
    with EmbeddedLedger(folder) as ledger, EmbeddedSource(folder) as source:
        writer = ledger.writer()
        instant = instant_of(at, "--at", _no_zone) if at is not None else last_instant(source)
        outcome = writer.execute(_publication(document, instant, actor, command_id))
        writer.commit()
    if as_json:
        print_json(outcome)
    _tell(outcome, file, silent=as_json)


@command.command(
    "show",
    short_help="list what is published, or show one document, or what applies to a subscriber",
    epilog=examples(
        "subledger catalogue show",
        "subledger catalogue show telnexx",
        "subledger catalogue show telnexx@1 --json",
        "subledger catalogue show --subscriber s-001     which version applies to s-001, since when and why",
    ),
)
@click.argument("name", metavar="[NAME[@VERSION]]", required=False)
@click.option("--subscriber", metavar="S", help="The versions of the regulations that S has been and will be under.")
@json_option
@source_options
def show(name: str | None, subscriber: str | None, as_json: bool, ledger: Asked) -> None:
    """List what is published, or show the latest (or the given) version of NAME, or what applies to a subscriber.

    What was decided for an instant stays under the version that was in force then. Instants that concern a subscriber
    are on that subscriber's clock.
    """
    if subscriber is not None:
        subscriber = name_of(subscriber, "--subscriber")
        if name is not None:
            raise Unusable("expected either NAME or --subscriber, found both")
        _show_applied(subscriber, ledger, as_json=as_json)
        return
    with opened(ledger) as source:
        published = list(publications(source))
    if name is not None:
        published = [named(published, name, ledger.place)]
    if as_json:
        for one in published:
            print_json(one)
    elif name is not None:
        print_fields(_flat(published[0].document))
    else:
        print_table(
            ("kind", "name", "version", "currency", "in effect from"),
            [_row(one, zone_of(one, published)) for one in published],
        )


@command.command(
    "diff",
    short_help="what changes between two versions, or a version and a file",
    epilog=examples(
        "subledger catalogue diff telnexx                       the latest version against the one before",
        "subledger catalogue diff telnexx@1 telnexx@2",
        "subledger catalogue diff telnexx-usd-2024 new-tariff.json",
    ),
)
@click.argument("old", metavar="NAME[@VERSION]")
@click.argument("new", metavar="[NAME[@VERSION]|FILE]", required=False)
@json_option
@source_options
def diff(old: str, new: str | None, as_json: bool, ledger: Asked) -> None:
    """Say what changes between two versions, or between a version and a document in a file, a sentence a change."""
    with opened(ledger) as source:
        published = list(publications(source))
    first, second = pair(published, old, new, ledger.place)
    changes = list(_changes(first, second))
    if as_json:
        for change in changes:
            print_json(change.as_object())
        return
    heads = (("Before", first), ("Now", second))
    print_fields((name, told(one, zone_of(one, published))) for name, one in heads)
    sentences = [change.says for change in changes if change.path[0] not in IDENTITY]
    if sentences:
        print_heading("What changes")
        print_fields(("·", sentence) for sentence in sentences)
    else:
        say("no difference")


def _changes(first: Published, second: Published) -> Iterator[Change]:
    compared = tariff_changes if first.kind == "tariff" else regulations_changes
    return compared(first.document, second.document)


def _show_applied(subscriber: str, ledger: Asked, *, as_json: bool) -> None:
    with opened(ledger) as source:
        applied = applied_versions(source, subscriber)
    if as_json:
        for one in applied:
            print_json(one)
        return
    zone = applied[0].since.tzinfo
    print_table(("regulations", "version", f"since ({zone})", "why"), rows_of(applied))


def _no_zone() -> str:
    raise Unusable("--at: expected an instant with a zone such as 2026-01-05T12:00:00+02:00")


def _publication(document: Mapping[str, Any], at: datetime, actor: str, command_id: str | None) -> dict[str, Any]:
    instant = codec.format_instant(at)
    digest = hashlib.sha256(orjson.dumps([document, instant], option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {
        "id": command_id or f"publish-{digest[:32]}",
        "type": "PublishTariff" if "tariff" in document else "PublishRegulations",
        "subscriber": CATALOGUE_SUBJECT,
        "at": instant,
        "actor": actor,
        "data": document,
    }


def _tell(outcome: Outcome, file: str, *, silent: bool) -> None:
    """What became of it, for people; the exit code says it to programs."""
    if outcome["status"] == "invalid":
        raise Unusable(f"{_place(outcome['path'], file)}: {outcome['message']}")
    if outcome["status"] == "refused":
        raise WrongFound(f"refused: {outcome['message']} ({outcome['code']}, {outcome['basis']})")
    if not silent:
        say("published before; nothing changed" if outcome["status"] == "duplicate" else "published")


def _place(path: str, file: str) -> str:
    """Where a fault is, as whoever publishes knows it: in the file, or in an option."""
    in_file = path.removeprefix("data.")
    return f"{file}: {in_file}" if in_file != path else f"--{path}"


def _row(one: Published, zone: ZoneInfo) -> tuple[str, ...]:
    since = named_instant(one.effective_from, zone, brackets=False)
    return one.kind, one.name, one.version or "", one.currency or "", since


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a document with the path to it, as text."""
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, value if isinstance(value, str) else orjson.dumps(value).decode()
