"""Documents as sessions: the files and commands that a Markdown file shows, run as they stand.

    ```jsonl NAME           the block is a file of that name
    ```console              `$ COMMAND` lines, each followed by what it prints on stdout and stderr

In what is printed, `…` stands for any text: within a line for the rest of it, alone on a line for any lines.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

COMMAND_TIMEOUT_S = 300
FENCE = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(slots=True)
class Command:
    """A command and the lines that it is shown to print."""

    words: str
    printed: list[str] = field(default_factory=list)


def blocks(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Title and content of the fenced blocks in a language."""
    for found, title, content in FENCE.findall(text):
        if found == language:
            yield title, content


def commands(block: str) -> list[Command]:
    """The commands of a console block with what each prints."""
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ")))
        else:
            found[-1].printed.append(line)
    return found


def run(command: Command, folder: Path, environment: Mapping[str, str]) -> str:
    """What a command prints in a folder, stdout and stderr together."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.words],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return done.stdout


def matches(shown: list[str], printed: str) -> bool:
    """Whether what was printed is what is shown; trailing blanks and blank lines at the ends do not count."""
    pattern = "\n".join(".*" if line == "…" else ".*".join(map(re.escape, line.rstrip().split("…"))) for line in shown)
    text = "\n".join(line.rstrip() for line in printed.splitlines())
    return re.fullmatch(pattern.strip(), text.strip(), re.DOTALL) is not None
