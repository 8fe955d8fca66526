"""`subledger invoice`: what a subscriber under invoices gets to see (illyvoip/advance-invoices, illyvoip/tax)."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli.invoice import command
from infra.embedded.folder import EmbeddedLedger
from tests.cli.conftest import Call

STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "RegisterSubscriber",
        "2026-01-16T10:00:00+01:00",
        {"regulations": "illyvoip", "currency": "EUR", "plan": "basic", "holder": "h<1>"},
    ),
    ("OrderNumber", "2026-01-16T10:00:00+01:00", {"number": "+4930555001", "service": "did.de", "channels": 2}),
    (
        "CreditDeposit",
        "2026-01-16T11:00:00+01:00",
        {"amount": "6.61", "currency": "EUR", "method": "card", "reference": "p-1"},
    ),
    ("OpenDispute", "2026-01-17T10:00:00+01:00", {"charge": "s-1/5", "reason": "no set-up was needed"}),
)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """illyvoip, plan basic: fee 2.00, 16 of 31 days: 2.06 and 1.55 for two channels; VAT 18 % of 5.61: 1.01."""
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        writer = ledger.writer()
        for number, (kind, at, data) in enumerate(STEPS):
            asked = {"id": f"c-{number}", "type": kind, "subscriber": "s-1", "at": at, "actor": "desk", "data": data}
            assert writer.execute(asked)["status"] == "accepted"
        writer.commit()
    return tmp_path / "ledger"


def ask(folder: Path, *arguments: str) -> str:
    answered = CliRunner().invoke(command, [*arguments, "--ledger", str(folder)], catch_exceptions=False)
    return answered.stdout


def test_an_invoice_shows_its_lines_its_tax_and_what_is_still_to_be_paid(folder: Path) -> None:
    shown = json.loads(ask(folder, "s-1/4", "--json"))
    assert [line["amount"] for line in shown["lines"]] == ["2.00", "2.06", "1.55"]
    assert (shown["tax"], shown["total"], shown["paid"], shown["outstanding"]) == ("1.01", "6.62", "6.61", "0.01")
    assert shown["status"] == "open"
    assert shown["due"] == "2026-01-19T10:00:00+01:00"


def test_an_upheld_dispute_lowers_what_is_outstanding_first(folder: Path) -> None:
    upheld = {"dispute": "s-1/10", "upheld": True, "reviewer": "lead-1", "reason": "right"}
    with EmbeddedLedger(folder) as ledger:
        writer = ledger.writer()
        dispute = next(one.id for one in ledger.shard.past("s-1").newest_first())
        asked = {"id": "c-9", "type": "ResolveDispute", "subscriber": "s-1", "at": "2026-01-18T10:00:00+01:00"}
        outcome = writer.execute({**asked, "actor": "desk", "data": {**upheld, "dispute": dispute}})
        writer.commit()
    # 2.00 and its tax 1.01 × 2.00 ÷ 5.61 = 0.36 come back: 0.01 off the invoice, 2.35 into the account.
    assert (outcome["balance"], outcome["outstanding"]) == ("2.35", "0.00")
    shown = json.loads(ask(folder, "s-1/4", "--json"))
    assert (shown["reversed"], shown["outstanding"], shown["status"]) == ("2.36", "0.00", "paid")
    assert_adds_up(shown)
    # 6.62 − 2.36 − 6.61 = −2.35, which is in the account again.
    assert amounts(ask(folder, "s-1/4")) == {
        "Total": "6.62",
        "Taken back": "-2.36",
        "Paid": "-6.61",
        "Returned to the balance": "2.35",
        "Outstanding": "0.00",
    }
    assert '<td>Returned to the balance</td><td></td><td class="amount">2.35</td>' in ask(folder, "s-1/4", "--html")


def test_an_invoice_that_was_withdrawn_says_where_its_payment_went(folder: Path) -> None:
    asked = {"id": "c-9", "type": "ReleaseNumber", "subscriber": "s-1", "at": "2026-01-18T10:00:00+01:00"}
    with EmbeddedLedger(folder) as ledger:
        writer = ledger.writer()
        outcome = writer.execute({**asked, "actor": "desk", "data": {"number": "+4930555001"}})
        writer.commit()
    assert outcome["balance"] == "6.61"
    shown = json.loads(ask(folder, "s-1/4", "--json"))
    assert (shown["withdrawn"], shown["paid"], shown["returned"], shown["outstanding"]) == (
        "6.62",
        "6.61",
        "6.61",
        "0.00",
    )
    assert_adds_up(shown)
    assert amounts(ask(folder, "s-1/4"))["Returned to the balance"] == "6.61"


def assert_adds_up(shown: dict[str, Any]) -> None:
    """Total, what was taken off it, and what is outstanding, as a reader adds them up."""
    lowered = Decimal(shown["reversed"]) + Decimal(shown["withdrawn"]) + Decimal(shown["paid"])
    assert Decimal(shown["total"]) - lowered + Decimal(shown["returned"]) == Decimal(shown["outstanding"])


def amounts(table: str) -> dict[str, str]:
    """The lines from the total on, as the table for people shows them."""
    lines = table.splitlines()
    total = next(index for index, line in enumerate(lines) if line.startswith("Total"))
    parts = (line.rsplit(maxsplit=1) for line in lines[total:])
    return {name.strip(): amount for name, amount in parts}


def test_the_page_to_print_escapes_what_comes_from_the_ledger(folder: Path) -> None:
    page = ask(folder, "s-1/4", "--html")
    assert "h&lt;1&gt;" in page
    assert "h<1>" not in page
    assert page.count("<tr") == page.count("</tr>")
    assert "VAT 18 % of 5.61" in page
    assert "<dd>2026-01-19 10:00:00+01:00</dd>" in page
    assert "<dd>2026-01-01 to 2026-01-31</dd>" in page


def test_a_table_for_people_names_every_line(folder: Path) -> None:
    shown = ask(folder, "s-1/4")
    assert all(words in shown for words in ("Connection fee", "did.de", "channel", "6.62", "Outstanding"))


@pytest.mark.parametrize("other", ["s-1/3", "s-1/999", "s-2/1", "nonsense", "s-1/x"])
def test_what_is_no_invoice_is_said_to_be_none(folder: Path, other: str) -> None:
    answered = CliRunner().invoke(command, [other, "--ledger", str(folder)])
    assert "no invoice" in str(answered.exception)


def test_the_parts_of_an_invoice_come_in_their_order(call: Call, folder: Path) -> None:
    shown = call("invoice", "s-1/4", "--ledger", folder).out.splitlines()
    assert shown[shown.index("") + 1].startswith("what "), "a blank line parts who from what"


def test_a_statement_under_invoices_says_what_was_owed_and_what_moved(call: Call, folder: Path) -> None:
    shown = call("statement", "s-1", "--ledger", folder).out
    assert "invoiced" in shown
    assert "2.06" in shown
    assert "+0.00" not in shown, "nothing moved has no direction"
    assert "Payment of invoice s-1/4   " in shown


def test_a_rate_of_tax_is_told_per_cent(call: Call, folder: Path) -> None:
    assert "VAT 18 % on 5.61 EUR: 1.01 EUR" in call("timeline", "s-1", "--ledger", folder).out
    assert "VAT 18 % of 5.61" in call("invoice", "s-1/4", "--ledger", folder).out
