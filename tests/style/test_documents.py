"""Documents are true: the README's session runs as shown, ARCHITECTURE.md names every module, decisions are dated."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli.main import SECTIONS
from tests.style.checkout import LAYERS, ROOT, files, modules
from tests.style.console import Command, blocks, commands, matches, run

PAGE_WORDS = 600
PAGE_LINES = 60
SCRIPT_TIMEOUT_S = 300


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    """Every file and command of the README, in order, in an empty folder."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    for name, content in blocks(_text("README.md"), "jsonl"):
        (tmp_path / name).write_text(content, encoding="utf-8")
    for _, block in blocks(_text("README.md"), "console"):
        for command in commands(block):
            printed = run(command, tmp_path, environment)
            shown = "\n".join(command.printed)
            assert matches(command.printed, printed), f"$ {command.words}\nshown:\n{shown}\nprinted:\n{printed}"


def test_a_session_that_differs_is_found() -> None:
    """The comparison is exact but for what `…` leaves open."""
    command = Command("echo", ["one", "…", "three …"])
    assert matches(command.printed, "one\ntwo\n2.5\nthree and more\n")
    assert not matches(command.printed, "one\ntwo\nfour\n")
    assert not matches(["42.30"], "42.31\n")


def test_the_readme_begins_with_the_two_commands() -> None:
    """What to type stands before what it is, and every target that the README names exists."""
    (_, first), *_ = blocks(_text("README.md"), "sh")
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]
    assert _text("README.md").index("```sh") < 20
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", "".join(_text(name) for name in ("README.md", "DECISIONS.md"))))
    assert named | {"demo", "test", "soak", "mutate", "lint", "docs", "clean", "setup"} <= targets


def test_the_readme_names_every_verb() -> None:
    """The table of verbs is the program's own list."""
    verbs = {verb for section in SECTIONS.values() for verb in section}
    table = set(re.findall(r"^\| `([a-z-]+)", _text("README.md"), re.MULTILINE))
    assert table == verbs


def _ticked(text: str) -> set[str]:
    return {word.strip("/") for words in re.findall(r"`([^`\n]+)`", text) for word in words.split()}


@pytest.mark.parametrize("path", modules(*LAYERS), ids=str)
def test_architecture_names_the_module(path: Path) -> None:
    """A module is named by its own name, a view by its folder's; a folder with a README names its own there."""
    if path.name == "__init__.py":
        return
    own = path.parent / "README.md"
    document = str(own) if (ROOT / own).exists() else "ARCHITECTURE.md"
    names = _ticked(_text(document))
    named = path.parent.name if path.name == "projection.py" else path.stem
    assert {named, f"{named}.py"} & names, f"{document} does not mention {path}"


def test_architecture_names_no_module_that_is_not_there() -> None:
    """What "Where things are" names in backticks is a module, a folder, a file, or a word of the code."""
    (section,) = re.findall(r"^## Where things are\n(.*?)^## ", _text("ARCHITECTURE.md"), re.MULTILINE | re.DOTALL)
    known = {part for path in files() for part in (*path.parts, path.stem)} | {"eventsourcing", "evolve"}
    assert _ticked(section) <= known


def test_architecture_stays_within_two_pages() -> None:
    """Pages of sixty lines and six hundred words."""
    text = _text("ARCHITECTURE.md")
    assert len(text.split()) <= 2 * PAGE_WORDS
    assert len(text.splitlines()) <= 2 * PAGE_LINES


def test_decisions_are_dated() -> None:
    """Every entry has a date and a title, and they are in order."""
    headings = re.findall(r"^## (.*)$", _text("DECISIONS.md"), re.MULTILINE)
    dates = [re.match(r"(\d{4}-\d\d-\d\d) \S", heading) for heading in headings]
    assert all(dates)
    found = [date[1] for date in dates if date]
    assert found == sorted(found)


def test_links_of_documents_lead_somewhere() -> None:
    """Relative links of Markdown files name files of this checkout."""
    for path in files():
        if path.suffix == ".md":
            for link in re.findall(r"\]\(([^)#:]+)\)", _text(str(path))):
                assert (ROOT / path.parent / link).exists(), f"{path} links to {link}"


def test_the_clause_table_is_true_and_complete() -> None:
    """docs/clauses.md is what `make docs` would write, and every clause of the main system has a rule and a test."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_clauses.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=SCRIPT_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
