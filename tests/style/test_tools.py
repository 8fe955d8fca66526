"""ruff, mypy and import-linter find nothing; every exception to a rule stands in pyproject.toml with its reason."""

import subprocess
import sys
import tomllib

import pytest

from tests.style.checkout import ROOT

TOOL_TIMEOUT_S = 600
TOOLS = {
    "ruff check": ["-m", "ruff", "check", "--no-cache", "--output-format", "concise", "."],
    "ruff format": ["-m", "ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["-m", "mypy", "--no-error-summary"],
    "import-linter": ["-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_finds_nothing(tool: str) -> None:
    """Each tool as `make lint` runs it, over the whole checkout."""
    done = subprocess.run(
        [sys.executable, *TOOLS[tool]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{tool}:\n{done.stdout}{done.stderr}"


def _exceptions() -> list[tuple[int, str]]:
    """Line number and text of each line of pyproject.toml that switches rules off or lets a warning pass."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    found = []
    section = ""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith("["):
            section = text
            continue
        in_list = section == "[tool.ruff.lint]" and text.startswith('"')
        per_file = section == "[tool.ruff.lint.per-file-ignores]" and text and not text.startswith(("#", "]"))
        warning = text.startswith(('"ignore', "'ignore"))
        if in_list or per_file or warning:
            found.append((number, text))
    return found


@pytest.mark.parametrize(("number", "text"), _exceptions())
def test_every_exception_to_a_rule_has_its_reason(number: int, text: str) -> None:
    """The line above an exception is a comment that argues for it, or a list whose own head has one."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    above = lines[number - 2].strip()
    assert above.startswith("#") or above.endswith("["), f"pyproject.toml:{number}: {text} has no reason above it"


def test_dependencies_are_bounded_and_locked() -> None:
    """Every dependency has a lower and an upper bound, and stands in the lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for requirement in project["dependencies"]:
        name = requirement.split(">=")[0].split("[")[0]
        assert f"\n{name}" in lock, f"{name} is not in requirements.lock; `make lock` writes it"
        assert ">=" in requirement
        assert "<" in requirement, f"{requirement} has no upper bound"
    assert "Private :: Do Not Upload" in project["classifiers"]
