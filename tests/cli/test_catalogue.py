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
        ({**SECOND, "set": {"plan_change_notice_days": "5"}}, "document.json: set.plan_change_notice_days: "),
        ({"tariff": "t-1"}, "document.json: regulations: "),
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


def test_a_fault_of_an_option_is_not_one_of_the_file(call: Call, empty: Path, tmp_path: Path) -> None:
    answer = call("catalogue", "publish", written(tmp_path, SECOND), "--actor", "", "--ledger", empty)
    assert answer.code == 2
    assert answer.err.startswith("subledger: --actor: expected ")


def test_a_version_is_compared_with_a_file_before_it_is_published(call: Call, empty: Path, tmp_path: Path) -> None:
    file = written(tmp_path, SECOND)
    answer = call("catalogue", "diff", "telnexx", file, "--json", "--ledger", empty)
    says = "Notice for a change of plan: 5 days before the end of the period; before: 3 days."
    assert answer.rows == [{"path": "plan_change_notice_days", "from": "3", "to": "5", "says": says}]
    call("catalogue", "publish", file, "--at", "2026-02-01T12:00:00+02:00", "--ledger", empty)
    assert call("catalogue", "diff", "telnexx", "--json", "--ledger", empty).rows == answer.rows
    assert call("catalogue", "diff", "telnexx@1", "telnexx@2", "--json", "--ledger", empty).rows == answer.rows


def test_a_comparison_says_which_versions_and_then_a_sentence_a_change(call: Call, empty: Path, tmp_path: Path) -> None:
    file = written(tmp_path, {**SECOND, "set": {"plan_change_notice_days": 5, "unpaid_ends_after": {"days": 7}}})
    call("catalogue", "publish", file, "--at", "2026-02-01T12:00:00+02:00", "--ledger", empty)
    lines = call("catalogue", "diff", "telnexx", "--ledger", empty).out.splitlines()
    assert [line.rstrip() for line in lines if line.strip()] == [
        "Before  telnexx version 1, in effect from 2024-01-01 00:00:00 (Europe/Kyiv)",
        "Now     telnexx version 2, in effect from 2026-03-01 00:00:00 (Europe/Kyiv), published 2026-02-01",
        "        12:00:00",
        "What changes",
        "·  Notice for a change of plan: 5 days before the end of the period; before: 3 days.",
        "·  An unpaid rental ends: after 7 days of grace; before: at the next boundary.",
    ]


def test_a_tariff_is_compared_with_the_one_before_it(call: Call, quarter: Path) -> None:
    alone = call("catalogue", "diff", "telnexx-usd-2026-03", "--json", "--ledger", quarter).rows
    assert (
        alone
        == call("catalogue", "diff", "telnexx-usd-2024", "telnexx-usd-2026-03", "--json", "--ledger", quarter).rows
    )
    said = {row["path"]: row["says"] for row in alone}
    assert said["plans.start.periodic.did.ua"] == "Price of did.ua in plan start (USD): 3.30 a month, 0.20 more."
    shown = call("catalogue", "diff", "telnexx-usd-2026-03", "--ledger", quarter).out
    assert said["tariff"] not in shown, "the lines above name both tariffs"


def test_nothing_to_say_is_said(call: Call, empty: Path) -> None:
    answer = call("catalogue", "diff", "telnexx@1", "telnexx", "--ledger", empty)
    assert (answer.code, answer.err) == (0, "no difference\n")
    assert answer.out.count("telnexx version 1") == 2


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**SECOND, "set": {"plan_change_notice_days": "5"}}, "set.plan_change_notice_days"),
        ({**SECOND, "set": 5}, "set"),
        ({**SECOND, "effective_from": "soon"}, "effective_from"),
        ({"regulations": "telnexx"}, "version"),
        ({**SECOND, "extends": 7}, "extends"),
        ({"tariff": "t-1", "regulations": "telnexx", "currency": "USD"}, "effective_from"),
    ],
)
def test_a_file_that_cannot_be_compared_is_said_with_the_path_of_its_fault(
    call: Call, empty: Path, tmp_path: Path, document: Any, path: str
) -> None:
    old = "telnexx-usd-2024" if "tariff" in document else "telnexx"
    answer = call("catalogue", "diff", old, written(tmp_path, document), "--ledger", empty)
    assert (answer.code, answer.out) == (2, "")
    assert f"document.json: {path}: " in answer.err
    assert answer.err.count("\n") == 1


def registered(call: Call, ledger: Path, folder: Path, subscriber: str, at: str) -> None:
    """Registers somebody under telnexx."""
    line = {
        "id": f"register-{subscriber}",
        "type": "RegisterSubscriber",
        "subscriber": subscriber,
        "at": at,
        "actor": "desk-1",
        "data": {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": f"h-{subscriber}"},
    }
    file = folder / f"{subscriber}.jsonl"
    file.write_text(json.dumps(line) + "\n")
    assert call("run", file, "--ledger", ledger).code == 0


def test_which_version_a_subscriber_is_under_and_since_when(call: Call, empty: Path, tmp_path: Path) -> None:
    registered(call, empty, tmp_path, "s-old", "2026-01-05T09:00:00+02:00")
    file = written(tmp_path, SECOND)
    call("catalogue", "publish", file, "--at", "2026-02-10T12:00:00+02:00", "--ledger", empty)
    registered(call, empty, tmp_path, "s-late", "2026-02-28T23:59:59.999999+02:00")
    first = {
        "regulations": "telnexx",
        "version": "1",
        "since": "2026-01-05T09:00:00+02:00",
        "why": "registered under it",
        "in_force": True,
        "published_at": None,
    }
    coming = "will take effect on 2026-03-01, published on 2026-02-10 with 19 days of notice"
    second = {
        "regulations": "telnexx",
        "version": "2",
        "since": "2026-03-01T00:00:00+02:00",
        "why": coming,
        "in_force": False,
        "published_at": "2026-02-10T12:00:00+02:00",
    }
    asked = ("catalogue", "show", "--json", "--ledger", empty, "--subscriber")
    assert call(*asked, "s-old").rows == [first, second]
    last = {**first, "since": "2026-02-28T23:59:59.999999+02:00"}
    assert call(*asked, "s-late").rows == [last, second]
    registered(call, empty, tmp_path, "s-new", "2026-03-01T00:00:00+02:00")
    begun = {**second, "why": coming.replace("will take effect", "took effect"), "in_force": True}
    assert call(*asked, "s-old").rows == [{**first, "in_force": False}, begun]
    assert call(*asked, "s-new").rows == [{**begun, "why": "registered under it"}]
    shown = call("catalogue", "show", "--subscriber", "s-old", "--ledger", empty).out
    assert "since (Europe/Kyiv)" in shown
    assert "2026-03-01 00:00:00   took effect on 2026-03-01, published on 2026-02-10" in shown


def test_a_version_that_was_replaced_before_its_day_never_applies(call: Call, empty: Path, tmp_path: Path) -> None:
    registered(call, empty, tmp_path, "s-1", "2026-01-05T09:00:00+02:00")
    for version, at in (("2", "2026-02-10T12:00:00+02:00"), ("3", "2026-02-11T12:00:00+02:00")):
        file = written(tmp_path, {**SECOND, "version": version})
        assert call("catalogue", "publish", file, "--at", at, "--ledger", empty).code == 0
    rows = call("catalogue", "show", "--subscriber", "s-1", "--json", "--ledger", empty).rows
    assert [row["version"] for row in rows] == ["1", "3"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "nobody"],
        ["show", "--subscriber", "nobody"],
        ["show", "telnexx", "--subscriber", "nobody"],
        ["diff", "telnexx"],
        ["diff", "telnexx", "no-such-file"],
        ["diff", "telnexx", "telnexx-usd-2024"],
    ],
)
def test_what_is_not_published_is_said_in_one_sentence(call: Call, empty: Path, arguments: list[str]) -> None:
    answer = call("catalogue", *arguments, "--ledger", empty)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
