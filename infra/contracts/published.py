"""All that is checked in under `docs/` of the contracts: file → its text, written from the code."""

import json
from pathlib import Path

from infra.contracts import answers, asyncapi, commands, facts
from infra.contracts.kinds import Schema

ASYNCAPI = Path("asyncapi.json")


def schemas() -> dict[str, Schema]:
    """Name → schema, of everything that has one."""
    return {**commands.schemas(), **facts.schemas(), **answers.schemas()}


def files() -> dict[Path, str]:
    """Path under `docs/` → text."""
    written = {Path(asyncapi.FOLDER) / f"{name}.json": _text(schema) for name, schema in schemas().items()}
    return {**written, ASYNCAPI: _text(asyncapi.document())}


def _text(document: Schema) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
