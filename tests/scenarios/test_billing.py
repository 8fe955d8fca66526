"""Two clauses that no rule decides by itself: what verification does not change, and what the client is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from infra.embedded.folder import EmbeddedLedger

NUMBER = "+380445550001"


def _command(place: int, kind: str, at: str, **data: Any) -> dict[str, Any]:
    envelope = {"id": f"c-{place}", "type": kind, "subscriber": "s-1", "actor": "desk-1"}
    return envelope | {"at": f"{at}+02:00", "data": data}


def _verified_on(day: int) -> list[dict[str, Any]]:
    """Ordered and paid on 5 January 2026, verified on another day of it."""
    joined = {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h-1"}
    paid = {"amount": "50.00", "currency": "USD", "method": "card", "reference": "p-1"}
    return [
        _command(1, "RegisterSubscriber", "2026-01-05T09:00:00", **joined),
        _command(2, "CreditDeposit", "2026-01-05T09:00:00", **paid),
        _command(3, "OrderNumber", "2026-01-05T09:00:00", number=NUMBER, service="did.ua"),
        _command(4, "PassVerification", f"2026-01-{day:02}T09:00:00"),
    ]


def _facts(folder: Path, commands: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    with EmbeddedLedger(folder, create=True) as ledger:
        writer = ledger.writer()
        for command in commands:
            assert writer.execute(command)["status"] == "accepted"
        writer.commit()
        events = [json.loads(data) for _, data in ledger.application.stored(limit=1000)]
    return [event["data"] for event in events if event["type"] == f"subledger.{name}.v1"]


@pytest.mark.parametrize(("day", "amount"), [(5, "2.70"), (6, "2.60"), (8, "2.40")])
def test_the_rental_is_not_prolonged_for_verification(day: int, amount: str, tmp_path: Path) -> None:
    """However long documents are checked, the paid period ends with the month (telnexx/verification-in-period).

    3.10 × 27, 26 and 24 days ÷ 31: it counts from the day on which the number is connected.
    """
    (charge,) = _facts(tmp_path, _verified_on(day), "periodic-service-charged")
    assert charge["amount"] == amount
    assert charge["period"]["end"] == "2026-01-31T22:00:00Z"


def test_verification_during_the_rental_changes_no_charge(tmp_path: Path) -> None:
    """Documents that are checked once more while the number is rented move neither money nor period."""
    again = _command(5, "PassVerification", "2026-01-09T09:00:00")
    facts = _facts(tmp_path, [*_verified_on(5), again], "periodic-service-charged")
    assert [fact["amount"] for fact in facts] == ["2.70"]


def test_the_client_is_given_the_billing_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Statement and stored facts of one subscriber for a span of time, on request (telnexx/billing-data)."""
    _facts(tmp_path, _verified_on(5), "deposit-credited")
    where = ["--json", "--ledger", str(tmp_path)]
    assert main(["statement", "s-1", "--from", "2026-01-05", "--to", "2026-01-06", *where]) == 0
    told = capfd.readouterr().out
    assert [amount for amount in ("50.00", "-5.00", "-2.70") if f'"{amount}"' not in told] == []
    assert main(["events", "s-1", *where]) == 0
    stored = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["streamversion"] for event in stored] == list(range(1, len(stored) + 1))
