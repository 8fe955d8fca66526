"""`subledger catalogue`: regulations and tariffs as they were published."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from consumers.outcomes import Outcome
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import RegulationsPublished, TariffPublished
from infra import codec
from infra.cli.failures import Unusable, WrongFound
from infra.cli.options import examples, instant_of, json_option, ledger_option
from infra.cli.output import print_fields, print_json, print_table, say
from infra.embedded.folder import EmbeddedLedger
from infra.explain.words import local

SELECT_PUBLISHED = "SELECT state FROM stored_events WHERE originator_id = ? ORDER BY originator_version"
LARGEST_DOCUMENT_BYTES = 1_000_000
ABSENT = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One version of regulations, or one tariff."""

    kind: str
    name: str
    version: str | None
    regulations: str
    currency: str | None
    effective_from: datetime
    document: Mapping[str, Any]


@click.group("catalogue")
def command() -> None:
    """Publish, show and compare regulations and tariffs. Every version is kept for ever."""


@command.command(
    "publish",
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
    document = _document(file)
    with EmbeddedLedger(folder) as ledger:
        writer = ledger.writer()
        instant = instant_of(at, "--at", _no_zone) if at else _last_instant(ledger)
        outcome = writer.execute(_publication(document, instant, actor, command_id))
        writer.commit()
    if as_json:
        print_json(outcome)
    _tell(outcome, file, silent=as_json)


@command.command(
    "show", epilog=examples("subledger catalogue show", "subledger catalogue show telnexx", "… show telnexx@1 --json")
)
@click.argument("name", metavar="[NAME[@VERSION]]", required=False)
@json_option
@ledger_option
def show(name: str | None, as_json: bool, folder: Path) -> None:
    """List what is published, or show the latest (or the given) version of NAME."""
    with EmbeddedLedger(folder) as ledger:
        published = list(_published(ledger))
    if name is not None:
        published = [_named(published, name, folder)]
    if as_json:
        for one in published:
            print_json(one)
    elif name is not None:
        print_fields(_flat(published[0].document))
    else:
        print_table(("kind", "name", "version", "currency", "in effect from"), (_row(one) for one in published))


@command.command(
    "diff",
    epilog=examples(
        "subledger catalogue diff telnexx                       the latest version against the one before",
        "subledger catalogue diff telnexx@1 telnexx@2",
        "subledger catalogue diff telnexx-usd-2024 new-tariff.json",
    ),
)
@click.argument("old", metavar="NAME[@VERSION]")
@click.argument("new", metavar="[NAME[@VERSION]|FILE]", required=False)
@json_option
@ledger_option
def diff(old: str, new: str | None, as_json: bool, folder: Path) -> None:
    """Compare two versions, or a version with a document in a file."""
    with EmbeddedLedger(folder) as ledger:
        published = list(_published(ledger))
    before, after = _pair(published, old, new, folder)
    first, second = dict(_flat(before)), dict(_flat(after))
    paths = [*first, *(path for path in second if path not in first)]
    changed = [path for path in paths if first.get(path) != second.get(path)]
    if as_json:
        for path in changed:
            print_json({"path": path, "from": first.get(path), "to": second.get(path)})
    elif changed:
        rows = ((path, first.get(path, ABSENT), second.get(path, ABSENT)) for path in changed)
        print_table(("what", "from", "to"), rows)
    else:
        say("no difference")


def _document(file: str) -> dict[str, Any]:
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(LARGEST_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise Unusable(f"{file}: {(error.strerror or str(error)).lower()}") from None
    if len(text) > LARGEST_DOCUMENT_BYTES:
        raise Unusable(f"{file}: expected at most {LARGEST_DOCUMENT_BYTES:,} bytes")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"{file}: expected a JSON document: {error}") from None
    if not isinstance(document, dict):
        raise Unusable(f"{file}: expected a JSON object")
    return document


def _no_zone() -> str:
    raise Unusable("--at: expected an instant with a zone such as 2026-01-05T12:00:00+02:00")


def _last_instant(ledger: EmbeddedLedger) -> datetime:
    """The first instant at which anything may be published: nothing in the ledger is later."""
    catalogue = ledger.catalogue.load().as_of
    assert catalogue is not None
    shard = ledger.shard.last_instant()
    return max(catalogue, shard) if shard else catalogue


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
        raise Unusable(f"{file}: {outcome['path']}: {outcome['message']}")
    if outcome["status"] == "refused":
        raise WrongFound(f"refused: {outcome['message']} ({outcome['code']}, {outcome['basis']})")
    if not silent:
        say("published before; nothing changed" if outcome["status"] == "duplicate" else "published")


def _published(ledger: EmbeddedLedger) -> Iterator[Published]:
    for row in ledger.catalogue_application.shard.rows(SELECT_PUBLISHED, (CATALOGUE_SUBJECT,)):
        fact = codec.decode(row[0]).recorded.fact
        if isinstance(fact, RegulationsPublished):
            yield Published(
                kind="regulations",
                name=fact.regulations,
                version=fact.version,
                regulations=fact.regulations,
                currency=None,
                effective_from=fact.effective_from,
                document=fact.document,
            )
        elif isinstance(fact, TariffPublished):
            yield Published(
                kind="tariff",
                name=fact.tariff,
                version=None,
                regulations=fact.regulations,
                currency=fact.currency,
                effective_from=fact.effective_from,
                document=fact.document,
            )


def _versions(published: list[Published], name: str) -> list[Published]:
    plain, _, version = name.partition("@")
    return [one for one in published if one.name == plain and version in ("", one.version)]


def _named(published: list[Published], name: str, folder: Path) -> Published:
    """The latest version that `name` names; Unusable where there is none."""
    versions = _versions(published, name)
    if not versions:
        known = ", ".join(sorted({one.name for one in published}))
        raise Unusable(f"nothing called {name} is published in {folder}; there are {known}")
    return versions[-1]


def _pair(
    published: list[Published], old: str, new: str | None, folder: Path
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    after = _named(published, old, folder)
    if new is None:
        versions = _versions(published, after.name)
        if len(versions) < 2:
            raise Unusable(f"{old} has one version only; name another one, or a file")
        return versions[-2].document, versions[-1].document
    if _versions(published, new):
        return after.document, _named(published, new, folder).document
    if not Path(new).exists():
        raise Unusable(f"{new} is neither published in {folder} nor a file")
    return after.document, _whole(_document(new), published, folder)


def _whole(document: dict[str, Any], published: list[Published], folder: Path) -> Mapping[str, Any]:
    """A regulations document with all its parameters, those it extends included; a tariff as it is."""
    if "tariff" in document:
        return document
    head = ("regulations", "version", "effective_from", "material")
    if "extends" not in document:
        return {name: value for name, value in document.items() if name not in head}
    base = _named(published, str(document["extends"]), folder).document
    return {**base, **document.get("set", {})}


def _row(one: Published) -> tuple[str, ...]:
    zone = ZoneInfo("UTC")
    return one.kind, one.name, one.version or "", one.currency or "", f"{local(one.effective_from, zone)} UTC"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a document with the path to it, as text."""
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flat(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, value if isinstance(value, str) else orjson.dumps(value).decode()
