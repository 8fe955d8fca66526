"""What a person should look at is found, and only that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.folder import EmbeddedLedger
from infra.embedded.source import EmbeddedSource
from infra.views.reading import Views

JANUARY = "2026-01-05T12:00:00+02:00"
FEBRUARY = "2026-02-05T12:00:00+02:00"
MARCH = "2026-03-05T12:00:00+02:00"


class Desk:
    """Sends commands to a ledger, one commit each, and insists that each is accepted."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.ledger = ledger
        self._writer = ledger.writer()
        self._count = 0

    def send(self, subscriber: str, at: str, kind: str, **data: Any) -> None:
        self._count += 1
        command = {"id": f"c-{self._count}", "type": kind, "subscriber": subscriber, "at": at, "actor": "desk-1"}
        outcome = self._writer.execute({**command, "data": data})
        assert outcome["status"] == "accepted", outcome
        self._writer.commit()

    def subscriber(self, name: str, *, holder: str, reference: str, amount: str = "50.00") -> None:
        """A verified Telnexx subscriber with a deposit."""
        self.send(
            name, JANUARY, "RegisterSubscriber", regulations="telnexx", currency="USD", plan="start", holder=holder
        )
        self.send(name, JANUARY, "PassVerification")
        self.deposit(name, reference, amount)

    def deposit(self, name: str, reference: str, amount: str = "50.00") -> None:
        self.send(name, JANUARY, "CreditDeposit", amount=amount, currency="USD", method="card", reference=reference)

    def found(self, kind: str) -> list[tuple[str, tuple[str, ...]]]:
        with EmbeddedSource(self.ledger.folder) as source:
            views = Views(source)
            return [(one.subject, one.subscribers) for one in views.findings() if one.kind == kind]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        made = Desk(ledger)
        made.subscriber("s-1", holder="h-1", reference="r-1")
        made.subscriber("s-2", holder="h-2", reference="r-2")
        yield made


def test_nothing_is_found_in_order(desk: Desk) -> None:
    with EmbeddedSource(desk.ledger.folder) as source:
        views = Views(source)
        assert views.findings() == ()


def test_a_number_rented_by_two_subscribers_at_once(desk: Desk) -> None:
    for name in ("s-1", "s-2"):
        desk.send(name, JANUARY, "OrderNumber", number="+380441234567", service="did.ua")
    assert desk.found("number_rented_twice") == [("+380441234567", ("s-1", "s-2"))]
    with EmbeddedSource(desk.ledger.folder) as source:
        (finding,) = Views(source).findings()
    assert finding.message == f"+380441234567 is rented by s-1 and s-2 at once since {JANUARY}"


def test_a_number_rented_by_one_after_the_other_is_in_order(desk: Desk) -> None:
    desk.send("s-1", JANUARY, "OrderNumber", number="+380441234567", service="did.ua")
    desk.send("s-1", JANUARY, "ReleaseNumber", number="+380441234567")
    desk.send("s-1", FEBRUARY, "AdvanceClock")
    desk.send("s-2", FEBRUARY, "OrderNumber", number="+380441234567", service="did.ua")
    assert desk.found("number_rented_twice") == []
    with EmbeddedSource(desk.ledger.folder) as source:
        views = Views(source)
        assert [(one.subscriber, one.until is None) for one in views.number("+380441234567")] == [
            ("s-1", False),
            ("s-2", True),
        ]


def test_a_number_that_was_rented_twice_for_a_while_is_still_found(desk: Desk) -> None:
    for name in ("s-1", "s-2"):
        desk.send(name, JANUARY, "OrderNumber", number="+380441234567", service="did.ua")
    desk.send("s-1", JANUARY, "ReleaseNumber", number="+380441234567")
    desk.send("s-1", FEBRUARY, "AdvanceClock")
    with EmbeddedSource(desk.ledger.folder) as source:
        views = Views(source)
        (finding,) = views.findings()
        assert finding.details["until"] == views.number("+380441234567")[0].until
        was = f"was rented by s-1 and s-2 at once, {JANUARY} to 2026-02-01T00:00:00+02:00"
        assert finding.message == f"+380441234567 {was}"


def test_a_reference_credited_to_two_subscribers(desk: Desk) -> None:
    desk.deposit("s-2", "r-1")
    assert desk.found("reference_credited_twice") == [("r-1", ("s-1", "s-2"))]


def test_a_balance_below_zero(desk: Desk) -> None:
    desk.send("s-1", JANUARY, "OrderNumber", number="+380441234567", service="did.ua")
    desk.send("s-1", JANUARY, "ReverseDeposit", reference="r-1", ground="stolen card")
    assert desk.found("debt") == [("s-1", ("s-1",))]
    desk.deposit("s-1", "r-3")
    assert desk.found("debt") == []


def test_free_services_in_two_accounts_of_one_holder(tmp_path: Path) -> None:
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        desk = Desk(ledger)
        tariffs = ledger.catalogue.load().catalogue.tariffs
        plan, service, regulations, currency = next(
            (plan, service, *key)
            for key, versions in tariffs.items()
            for plan, terms in versions[-1].plans.items()
            for service, price in terms.periodic.items()
            if not price.price.units and service != "channel"
        )
        for name, holder in (("s-1", "h-1"), ("s-2", "h-1"), ("s-3", "h-3")):
            desk.send(
                name, MARCH, "RegisterSubscriber", regulations=regulations, currency=currency, plan=plan, holder=holder
            )
            desk.send(
                name, MARCH, "CreditDeposit", amount="50.00", currency=currency, method="card", reference=f"r-{name}"
            )
            desk.send(name, MARCH, "OrderNumber", number=f"site-{name}.example", service=service)
        assert desk.found("free_services_of_one_holder") == [("h-1", ("s-1", "s-2"))]
        desk.send("s-2", MARCH, "RequestTermination", ticket="t-1")
        desk.send("s-2", "2026-05-05T12:00:00+02:00", "AdvanceClock")
        assert desk.found("free_services_of_one_holder") == []
