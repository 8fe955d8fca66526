"""`subledger catalogue`: documents are published once, shown whole and compared path by path."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call

SECOND = {
    "regulations": "telnexx",
    "version": "2",
    "effective_from": "2026-03-01T00:00:00+02:00",
    "material": True,
    "extends": "telnexx",
    "set": {"plan_change_notice_days": 5},
}


def written(folder: Path, document: Any) -> Path:
    """A file with the document."""
    file = folder / "document.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_publishing_twice_changes_nothing(call: Call, empty: Path, tmp_path: Path) -> None:
    file = written(tmp_path, SECOND)
    first = call("catalogue", "publish", file, "--at", "2026-02-01T12:00:00+02:00", "--ledger", empty)
    assert (first.code, first.err) == (0, "published\n")
    again = call("catalogue", "publish", file, "--at", "2026-02-01T12:00:00+02:00", "--ledger", empty)
    assert (again.code, again.err) == (0, "published before; nothing changed\n")
    versions = [row["version"] for row in call("catalogue", "show", "--json", "--ledger", empty).rows]
    assert versions.count("2") == 1


def test_a_refused_publication_says_the_first_instant_possible(call: Call, empty: Path, tmp_path: Path) -> None:
    file = written(tmp_path, SECOND)
    answer = call("catalogue", "publish", file, "--at", "2026-02-20T12:00:00+02:00", "--json", "--ledger", empty)
    assert answer.code == 1
    assert answer.rows[0]["code"] == "notice_too_short"
    assert datetime.fromisoformat(answer.rows[0]["earliest"]) == datetime(2026, 3, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**SECOND, "set": {"plan_change_notice_days": "5"}}, "data.set.plan_change_notice_days"),
        ({"tariff": "t-1"}, "data.regulations"),
        ("{", "expected a JSON document"),
        ("[]", "expected a JSON object"),
    ],
)
def test_a_document_that_is_none_is_said_with_the_path_of_its_fault(
    call: Call, empty: Path, tmp_path: Path, document: Any, path: str
) -> None:
    answer = call("catalogue", "publish", written(tmp_path, document), "--ledger", empty)
    assert answer.code == 2
    assert path in answer.err
    assert answer.err.count("\n") == 1


def test_a_version_is_compared_with_a_file_before_it_is_published(call: Call, empty: Path, tmp_path: Path) -> None:
    file = written(tmp_path, SECOND)
    answer = call("catalogue", "diff", "telnexx", file, "--json", "--ledger", empty)
    assert answer.rows == [{"path": "plan_change_notice_days", "from": "3", "to": "5"}]
    call("catalogue", "publish", file, "--at", "2026-02-01T12:00:00+02:00", "--ledger", empty)
    assert call("catalogue", "diff", "telnexx", "--json", "--ledger", empty).rows == answer.rows
    assert call("catalogue", "diff", "telnexx@1", "telnexx@2", "--json", "--ledger", empty).rows == answer.rows


@pytest.mark.parametrize("arguments", [["show", "nobody"], ["diff", "telnexx"], ["diff", "telnexx", "no-such-file"]])
def test_what_is_not_published_is_said_in_one_sentence(call: Call, empty: Path, arguments: list[str]) -> None:
    answer = call("catalogue", *arguments, "--ledger", empty)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
