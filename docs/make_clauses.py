"""Writes docs/clauses.md: clause → rule → tests → scenarios → an example, found by citation; says what is missing.

A clause is cited by its id (`telnexx/proration`). Rules are found in docstrings of the code, and by the rows of the
regulations' `clauses` whose rule a function records its facts under; tests and scenarios by the id anywhere in them.

    docs/make_clauses.py            writes the table
    docs/make_clauses.py --check    exit 1 if the table is out of date, or the main system lacks a rule or a test
"""

import argparse
import ast
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "clauses.md"
DOCUMENTS = ROOT / "infra" / "documents"
DEMO = ROOT / "demo" / "telnexx-first-quarter.jsonl"
MAIN_SYSTEM = "telnexx"
MOST_NAMES = 4
"""More citations than this are counted, not listed."""

CITATION = re.compile(r"\b(?:telnexx|illyvoip|hexaserv|calycom|aup)/[a-z0-9]+(?:-[a-z0-9]+)*\b")

CARRIED_BY = {
    "telnexx/verification-in-period": "`pass_verification` (domain/registration.py) moves no period and no charge",
    "telnexx/billing-data": "`subledger statement`, `subledger events` (infra/cli)",
    "illyvoip/non-refundable": "parameter `refunds`: what it does not give is `not_refundable`",
    "illyvoip/no-refund-services": "parameter `refunds`: `unused_deposits` gives unused deposits, no service",
    "illyvoip/uptime-999": "no rule: a service level of the document; a breach is a ground of `OpenDispute`",
    "aup/prohibited-use": "parameter `violation_kinds`",
    "aup/excessive-use": "parameter `violation_kinds`",
    "aup/end-of-service": "`terminate_agreement` (domain/termination.py), cause `violation`",
    "aup/immediate-change": "parameters `violation_kinds`, `regulations_notice_days` of a new version",
}
"""Clauses that no rule of their own decides, and what of the ledger carries them."""


def clauses() -> dict[str, dict[str, str]]:
    """Clause id → what the document says."""
    texts: dict[str, dict[str, str]] = json.loads((DOCUMENTS / "clauses.json").read_text(encoding="utf-8"))
    return texts


Place = tuple[str, str]
"""A file, relative to the root, and the function in it; "" for the file itself."""


def _functions(path: Path) -> Iterator[tuple[str, ast.AST, str]]:
    """Name, node and source of every function and class of a file, and of the file itself under ""."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    yield "", tree, ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node, ast.get_source_segment(source, node) or ""


def _python(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def rules() -> dict[str, list[Place]]:
    """Clause id → functions that cite it in their docstring, then functions that record under a rule resting on it."""
    found: dict[str, list[Place]] = defaultdict(list)
    recording: dict[str, list[Place]] = defaultdict(list)
    for path in _python("domain", "consumers", "projections", "infra"):
        name = str(path.relative_to(ROOT))
        for function, node, _ in _functions(path):
            cited = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) else None
            for clause in CITATION.findall(cited or ""):
                _add(found[clause], (name, function))
            if isinstance(node, ast.FunctionDef) and path.parent.name == "domain":
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                        _add(recording[inner.value], (name, function))
    for regulations in sorted((DOCUMENTS / "regulations").glob("*.json")):
        for rule, clause in json.loads(regulations.read_text(encoding="utf-8"))["clauses"].items():
            if not found[clause]:
                found[clause] += recording[rule] or [(f"rule {rule} of domain/rules.py", "")]
    return found


@cache
def tests() -> dict[str, list[Place]]:
    """Clause id → test functions with the id in their text, and test files with it in their docstring."""
    found: dict[str, list[Place]] = defaultdict(list)
    for path in _python("tests"):
        if path.name.startswith("test_") and path.parent.name not in ("style", "model"):
            name = str(path.relative_to(ROOT))
            for function, _, text in _functions(path):
                if not function or function.startswith("test_"):
                    for clause in CITATION.findall(text):
                        _add(found[clause], (name, function))
    return found


@cache
def scenarios() -> dict[str, list[Place]]:
    """Clause id → scenario files with the id in them."""
    found: dict[str, list[Place]] = defaultdict(list)
    for path in sorted((ROOT / "tests" / "scenarios").glob("*.jsonl")):
        for clause in CITATION.findall(path.read_text(encoding="utf-8")):
            _add(found[clause], (path.name, ""))
    return found


def _add(places: list[Place], place: Place) -> None:
    if place not in places:
        places.append(place)


@cache
def examples() -> dict[str, str]:
    """Clause id → the first fact that rests on it: in the demo's ledger, else in a scenario's."""
    sys.path.insert(0, str(ROOT))
    found: dict[str, str] = {}
    for basis, fact in _facts_of(_commands(DEMO)):
        found.setdefault(basis, f"`subledger why {fact} --ledger demo-ledger`")
    for path in sorted((ROOT / "tests" / "scenarios").glob("*.jsonl")):
        for basis, fact in _facts_of(_commands(path)):
            found.setdefault(basis, f"`{fact}` of {path.name}")
    return found


def _commands(path: Path) -> Iterator[Any]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):
            value = json.loads(line)
            if "type" in value:
                yield value
            elif "do" in value:
                yield value["do"]


def _facts_of(commands: Iterator[Any]) -> Iterator[tuple[str, str]]:
    """Basis and id of every fact that the commands lead to, on a ledger that is thrown away."""
    from infra.embedded.folder import EmbeddedLedger

    with tempfile.TemporaryDirectory() as folder, EmbeddedLedger(Path(folder) / "ledger", create=True) as ledger:
        writer = ledger.writer()
        for command in commands:
            writer.execute(command)
        writer.commit()
        for application in (ledger.application, ledger.catalogue_application):
            after = 0
            while facts := list(application.stored(after=after, limit=1000)):
                for sequence, data in facts:
                    event = json.loads(data)
                    yield event["basis"], event["id"]
                    for line in event["data"].get("lines", ()):
                        if "basis" in line:
                            yield line["basis"], event["id"]
                    after = sequence


def _listed(places: list[Place]) -> str:
    """Functions by file, for a cell of the table."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for file, function in places[:MOST_NAMES]:
        by_file[file].append(function)
    cells = []
    for file, functions in by_file.items():
        named = ", ".join(f"`{function}`" for function in functions if function)
        cells.append(f"{named} ({file})" if named else file)
    more = len(places) - MOST_NAMES
    return "<br>".join(cells) + (f"<br>and {more} more" if more > 0 else "")


def missing() -> dict[str, list[str]]:
    """Clause id → which of rule, test, scenario, example it lacks."""
    lacking = {}
    for clause in clauses():
        lacks = [
            word
            for word, there in (
                ("rule", rules()[clause] or clause in CARRIED_BY),
                ("test", tests()[clause]),
                ("scenario", scenarios()[clause]),
                ("example", clause in examples() or clause in CARRIED_BY),
            )
            if not there
        ]
        if lacks:
            lacking[clause] = lacks
    return lacking


def unknown() -> list[str]:
    """Clauses that are cited somewhere and do not exist."""
    known = clauses().keys()
    return sorted({clause for cited in (rules(), tests(), scenarios()) for clause in cited if clause not in known})


def table() -> str:
    """The document."""
    lines = [
        "# Clauses: what the documents say, and where the ledger does it",
        "",
        "Written by `make docs`; a test keeps it true. Rules cite their clause in their docstring, tests and scenarios",
        "in their text. An example `subledger why …` works after `make demo`; the others are facts of a scenario.",
    ]
    provider = ""
    for clause, text in clauses().items():
        if clause.partition("/")[0] != provider:
            provider = clause.partition("/")[0]
            lines += ["", f"## {provider}", "", "| clause | says | rule | tests | scenarios | example |"]
            lines += ["|---|---|---|---|---|---|"]
        cells = (
            f"`{clause}`",
            text["says"],
            CARRIED_BY.get(clause) or _listed(rules()[clause]),
            _listed(tests()[clause]),
            _listed(scenarios()[clause]),
            examples().get(clause, ""),
        )
        lines.append("| " + " | ".join(cell or "–" for cell in cells) + " |")
    lines += ["", "## Missing", ""]
    lines += [f"* `{clause}`: {', '.join(lacks)}" for clause, lacks in missing().items()] or ["Nothing."]
    return "\n".join(lines) + "\n"


def faults() -> list[str]:
    """Why the check fails, one sentence each."""
    found = [f"{clause} is cited and does not exist" for clause in unknown()]
    for clause, lacks in missing().items():
        needed = [word for word in lacks if word in ("rule", "test")]
        if clause.startswith(f"{MAIN_SYSTEM}/") and needed:
            found.append(f"{clause} has no {' and no '.join(needed)}")
    if not TABLE.exists() or TABLE.read_text(encoding="utf-8") != table():
        found.append("docs/clauses.md is out of date; `make docs` writes it")
    return found


def main() -> int:
    """Writes or checks; answers with the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is wrong")
    if not parser.parse_args().check:
        TABLE.write_text(table(), encoding="utf-8")
    found = faults()
    print("\n".join(found) or f"{len(clauses())} clauses; {len(missing())} of them lack something, as the table says")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
