"""Words that do not belong: a provider's name in a rule, an unfinished job, a path of somebody's machine."""

import re
from pathlib import Path

import pytest

from tests.style.checkout import ROOT, files, modules, names

PROVIDERS = re.compile(r"telnexx|illyvoip|illysoft|hexaserv|voip.?mont|calycom", re.IGNORECASE)

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b")
PLACES = re.compile(r"(?<![\w.])/(home|ro" r"ot|Users|wo" r"rk)/\w")
REGISTRIES = re.compile(
    r"py" r"pi\.org|files\.python" r"hosted|registry\.npm" r"js|repo1?\.maven\.|deb\.deb" r"ian\.org|crates\." r"io",
    re.IGNORECASE,
)

BINARY = {".png", ".ico", ".db", ".zip", ".gz"}


def _texts() -> list[Path]:
    return [path for path in files() if path.suffix not in BINARY]


@pytest.mark.parametrize("path", modules("domain", "projections", "consumers"), ids=str)
def test_no_providers_name_is_read_by_the_program(path: Path) -> None:
    """Regulations are data: a sixth provider is a new document, not new code. Docstrings may cite clauses."""
    for line, text in names(path):
        assert not PROVIDERS.search(text), f"{path}:{line}: {text!r} names a provider"


@pytest.mark.parametrize("pattern", [UNFINISHED, PLACES, REGISTRIES], ids=["unfinished", "places", "registries"])
def test_no_file_says(pattern: re.Pattern[str]) -> None:
    """Nothing is left to do, no path of one machine, no host of a package registry."""
    found = []
    for path in _texts():
        text = (ROOT / path).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)
