"""Writes docs/schemas and docs/asyncapi.json anew from the code, and removes schemas of what is no more.

docs/make_contracts.py            writes them
docs/make_contracts.py --check    exit 1 if any of them is out of date
"""

import argparse
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from infra.contracts import asyncapi, published  # noqa: E402 - the checkout is on the path from here on


def differing(folder: Path = DOCS) -> list[Path]:
    """Files under `folder` that are missing, differ from what the code says, or belong to nothing."""
    expected = {folder / path: text for path, text in published.files().items()}
    wrong = [path for path, text in expected.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return sorted([*wrong, *(set((folder / asyncapi.FOLDER).rglob("*.json")) - set(expected))])


def write(folder: Path = DOCS) -> None:
    """Makes the files under `folder` what the code says."""
    texts = published.files()
    for path in differing(folder):
        text = texts.get(path.relative_to(folder))
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def main() -> int:
    """Writes or checks; answers with the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is out of date")
    if not parser.parse_args().check:
        write()
    stale = differing()
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)} is out of date; `make docs` writes it")
    if not stale:
        print(f"{len(published.files())} files are what the code says")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
