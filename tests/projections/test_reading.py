"""What the views answer is what the domain's own fold of the log says."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain import clock
from domain.accounts import balance_change, postings
from domain.facts import CommandRefused, InvoiceIssued, Recorded
from domain.money import Money
from domain.state import Subscriber
from infra import codec
from infra.embedded.folder import EmbeddedLedger
from infra.embedded.source import EmbeddedSource
from infra.views.reading import Balance, UnknownSubscriber, Views, plain
from tests.model.generate import generate
from tests.projections.conftest import COMMANDS_EACH, SEEDS, SUBSCRIBERS, entries_of


def states(ledger: EmbeddedLedger) -> list[Subscriber]:
    loaded = (ledger.shard.load(subject).state for subject in facts_of(ledger))
    return [state for state in loaded if isinstance(state, Subscriber)]


def facts_of(ledger: EmbeddedLedger) -> dict[str, list[Recorded]]:
    by_subject = defaultdict(list)
    for _, state in entries_of(ledger.folder):
        recorded = codec.decode(state).recorded
        by_subject[recorded.subject].append(recorded)
    return by_subject


def test_balances_are_those_of_the_states(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            balance = views.balance(state.subject)
            assert balance.balance == str(state.account.balance)
            assert balance.currency == state.profile.currency
            outstanding = sum(invoice.outstanding.units for invoice in state.invoices.values())
            if balance.outstanding is not None:
                assert balance.outstanding == str(Money(outstanding, state.profile.currency))
            else:
                assert not state.invoices


def test_lots_hold_what_the_states_say(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            expected = {lot.id: str(lot.left) for lot in state.account.lots}
            lots = views.lots(state.subject)
            assert {lot.id: lot.left for lot in lots if Money.parse(lot.left, lot.currency)} == expected
            for lot in lots:
                paid = sum(Money.parse(part.amount, lot.currency).units for part in views.paid_by(lot.id))
                filled = Money.parse(lot.filled_debt, lot.currency).units
                credited, left = Money.parse(lot.credited, lot.currency), Money.parse(lot.left, lot.currency)
                assert credited.units - filled - paid == left.units


def test_what_comes_back_of_a_debt_that_was_paid_is_a_lot_of_its_own(tmp_path: Path) -> None:
    """20.00 for the rest of a term took 2.92 and left a debt of 17.08, which a deposit paid; then it is taken back."""
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("RegisterSubscriber", {"regulations": "illyvoip", "currency": "EUR", "plan": "basic", "holder": "h-1"}),
        ("CreditDeposit", {"amount": "10.00", "currency": "EUR", "method": "card", "reference": "r-1"}),
        ("OrderNumber", {"number": "+4930555001", "service": "did.de", "periods": 6}),
        ("TerminateAgreement", {"ground": "spam", "cause": "violation", "charge_remaining_term": True}),
        ("CreditDeposit", {"amount": "30.00", "currency": "EUR", "method": "card", "reference": "r-2"}),
        ("OpenDispute", {"charge": "s-1/14", "reason": "no spam"}),
        ("ResolveDispute", {"dispute": "s-1/18", "upheld": True, "reviewer": "lead-1", "reason": "no spam"}),
        ("PostAdjustment", {"amount": "-19.00", "reviewer": "lead-1", "reason": "a correction"}),
    )
    with EmbeddedLedger(tmp_path / "ledger", create=True) as ledger:
        writer = ledger.writer()
        for number, (kind, data) in enumerate(steps):
            sent = {"id": f"c-{number}", "type": kind, "subscriber": "s-1", "at": "2026-01-01T00:00:00+01:00"}
            assert writer.execute({**sent, "actor": "desk-1", "data": data})["status"] == "accepted"
        writer.commit()
        with EmbeddedSource(ledger.folder) as source:
            lots = {lot.id: lot for lot in Views(source).lots("s-1")}
            (state,) = states(ledger)
    assert {one.id: str(one.left) for one in state.account.lots} == {"s-1/20": "1.00"}
    assert {lot.id: lot.left for lot in lots.values()} == {"s-1/3": "0.00", "s-1/16": "0.00", "s-1/20": "1.00"}
    opened = lots["s-1/20"]
    assert (opened.kind, opened.credited, opened.filled_debt) == ("reversal", "17.08", "0.00")


def test_a_balance_as_of_and_known_at_counts_what_was_in_effect_and_known(ledger: EmbeddedLedger) -> None:
    """Both instants are included."""
    facts = facts_of(ledger)
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            own = facts[state.subject]
            instants = sorted({one.effective_at for one in own} | {one.recorded_at for one in own})
            instants = [instants[0] - timedelta(days=1), *instants[:: max(1, len(instants) // 8)], instants[-1]]
            for as_of in instants:
                for known_at in (None, *instants[::3]):
                    expected = sum(
                        balance_change(one.subject, one.fact)
                        for one in own
                        if one.effective_at <= as_of and (known_at is None or one.recorded_at <= known_at)
                    )
                    balance = views.balance(state.subject, as_of=as_of, known_at=known_at)
                    assert balance.balance == str(Money(expected, state.profile.currency))


def test_what_was_known_then_is_what_a_ledger_that_stopped_there_says(tmp_path: Path) -> None:
    """All of it: also what was available, and what would have been paid back."""
    commands = generate(SEEDS[0], subscribers=SUBSCRIBERS, length=COMMANDS_EACH)
    compared = 0
    with ExitStack() as opened:
        whole = executed(opened, tmp_path / "whole", commands)
        for stop in range(40, COMMANDS_EACH, 40):
            while commands[stop]["at"] == commands[stop - 1]["at"]:
                stop += 1
            known_at = datetime.fromisoformat(commands[stop - 1]["at"])
            stopped = executed(opened, tmp_path / str(stop), commands[:stop])
            for state in states(stopped):
                # Where a later command recorded nothing, nobody knows today how far time had come.
                if state.as_of == facts_of(stopped)[state.subject][-1].recorded_at:
                    assert said(whole, state.subject, known_at) == said(stopped, state.subject)
                    compared += 1
    assert compared > 10


def executed(opened: ExitStack, folder: Path, commands: Sequence[dict[str, Any]]) -> EmbeddedLedger:
    ledger = opened.enter_context(EmbeddedLedger(folder, create=True))
    writer = ledger.writer()
    for command in commands:
        writer.execute(command)
    writer.commit()
    return ledger


def said(ledger: EmbeddedLedger, subject: str, known_at: datetime | None = None) -> Balance:
    with EmbeddedSource(ledger.folder) as source:
        return Views(source).balance(subject, known_at=known_at)


AVAILABLE = {
    # 10.00 less 5.00 and 3.10; then a second number for 3.10 × 22/31 waits; 20.00 come, of which its 1.20 are taken.
    "2025-12-31T00:00:00+02:00": ("0.00", None, None),
    "2026-01-01T00:00:00+02:00": ("1.90", "1.90", "1.90"),
    "2026-01-10T12:00:00+02:00": ("1.90", "-0.30", "1.90"),
    "2026-01-19T12:00:00+02:00": ("1.90", "-0.30", "1.90"),
    "2026-01-20T12:00:00+02:00": ("20.70", "20.70", "20.70"),
    # February is paid for both numbers, which the 9th records; the deposit of the 8th comes after that adjustment.
    "2026-02-01T00:00:00+02:00": ("14.50", "14.50", "14.50"),
    "2026-02-08T12:00:00+02:00": ("15.50", None, None),
    "2027-01-01T00:00:00+02:00": ("15.25", "15.25", "15.25"),
}
JOINING: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "01-01T00:00",
        "RegisterSubscriber",
        {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": "h"},
    ),
    ("01-01T00:00", "PassVerification", {}),
    ("01-01T00:00", "CreditDeposit", {"amount": "10.00", "currency": "USD", "method": "card", "reference": "r-1"}),
    ("01-01T00:00", "OrderNumber", {"number": "+380441234567", "service": "did.ua"}),
    ("01-10T12:00", "OrderNumber", {"number": "+380441234568", "service": "did.ua"}),
    ("01-20T12:00", "CreditDeposit", {"amount": "20.00", "currency": "USD", "method": "card", "reference": "r-2"}),
    ("02-09T12:00", "PostAdjustment", {"amount": "-0.25", "reviewer": "lead-1", "reason": "a correction"}),
)
LATE: dict[str, Any] = {"amount": "1.00", "currency": "USD", "method": "card", "reference": "r-3"}


def test_what_was_available_as_of_an_instant(tmp_path: Path) -> None:
    """By hand. What was recorded late counts, until it cannot be told from what came between."""
    late = ("02-10T12:00", "CreditDeposit", {**LATE, "received_at": "2026-02-08T12:00:00+02:00"})
    sent = [
        {
            "id": f"c-{number}",
            "type": kind,
            "subscriber": "s-1",
            "at": f"2026-{at}:00+02:00",
            "actor": "a",
            "data": data,
        }
        for number, (at, kind, data) in enumerate([*JOINING, late])
    ]
    with ExitStack() as opened:
        ledger = executed(opened, tmp_path / "ledger", sent)
        source = opened.enter_context(EmbeddedSource(ledger.folder))
        found = {}
        for at in AVAILABLE:
            balance = Views(source).balance("s-1", as_of=datetime.fromisoformat(at))
            found[at] = (balance.balance, balance.available, balance.refundable)
    assert found == AVAILABLE


def test_a_statement_runs_from_its_opening_to_its_closing(ledger: EmbeddedLedger) -> None:
    facts = facts_of(ledger)
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            currency = state.profile.currency
            whole = views.statement(state.subject)
            assert whole.opening == str(Money(0, currency))
            assert whole.closing == str(state.account.balance)
            moving = [one for one in facts[state.subject] if balance_change(one.subject, one.fact)]
            expected = [one.id for one in sorted(moving, key=lambda one: (one.effective_at, one.version))]
            assert [line.id for line in whole.lines if Money.parse(line.amount, currency)] == expected
            running = 0
            for line in whole.lines:
                running += Money.parse(line.amount, currency).units
                assert line.balance == str(Money(running, currency))
            if whole.lines:
                middle = whole.lines[len(whole.lines) // 2].effective_at
                first, second = views.statement(state.subject, end=middle), views.statement(state.subject, start=middle)
                assert first.closing == second.opening
                assert first.lines + second.lines == whole.lines
                assert second.closing == whole.closing


def test_debits_equal_credits_at_every_instant(ledger: EmbeddedLedger) -> None:
    facts = [one for own in facts_of(ledger).values() for one in own]
    instants = sorted({one.effective_at for one in facts})
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for as_of in (None, instants[0], instants[len(instants) // 2], instants[-1]):
            found = views.trial_balance(as_of)
            assert found.totals
            for total in found.totals:
                assert total.debit == total.credit
                assert not Money.parse(total.balance, total.currency)
            sums: dict[tuple[str, str], int] = defaultdict(int)
            for one in facts:
                for posting in postings(one.subject, one.fact):
                    if as_of is None or one.effective_at <= as_of:
                        sums[posting.account, posting.amount.currency] += posting.amount.units
            accounts = {(one.account, one.currency): one.balance for one in found.accounts}
            assert accounts == {key: str(Money(units, key[1])) for key, units in sums.items()}


def test_the_journal_is_every_posting_in_the_order_of_the_log(ledger: EmbeddedLedger) -> None:
    expected = []
    for sequence, state in entries_of(ledger.folder):
        recorded = codec.decode(state).recorded
        lines = [
            (one.account, str(one.amount), one.amount.currency) for one in postings(recorded.subject, recorded.fact)
        ]
        if lines:
            expected.append((sequence, recorded.id, lines))
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        found = [
            (entry.sequence, entry.id, [(one.account, one.amount, one.currency) for one in entry.postings])
            for entry in views.journal()
        ]
    assert found == expected


def test_rented_numbers_and_their_holders(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        held = {(state.subject, number) for state in states(ledger) for number in state.rentals}
        numbers = {row[0] for row in source._views.execute("SELECT number FROM tenures")}
        assert {number for _, number in held} <= numbers
        found = {
            (tenure.subscriber, number) for number in numbers for tenure in views.number(number) if tenure.until is None
        }
        assert found == held
        for number in numbers:
            for tenure in views.number(number):
                assert tenure.until is None or tenure.since <= tenure.until
        assert views.number("+000") == ()


def test_rentals_are_as_the_states_say(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        for state in states(ledger):
            rows = source._views.execute(
                "SELECT number, service, channels, autorenew, plan, paid_until, suspended_since IS NOT NULL "
                "FROM rentals WHERE subject = ? AND rented_at IS NOT NULL AND ended_at IS NULL",
                (state.subject,),
            )
            assert {tuple(row) for row in rows} == {
                (
                    one.number,
                    one.service,
                    one.channels,
                    one.autorenew,
                    one.plan,
                    one.paid_until.isoformat()[:-6],
                    one.suspended,
                )
                for one in state.rentals.values()
            }


def test_agreements_are_as_the_states_say(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            statement = views.statement(state.subject)
            assert (statement.plan, statement.holder) == (state.profile.plan, state.profile.holder)
            assert views.time_zone(state.subject) == state.profile.time_zone
            pending = [change.plan for change in views.plan_changes(state.subject) if change.outcome is None]
            assert pending == ([state.scheduled_plan] if state.scheduled_plan else [])


def test_what_waits_is_what_the_states_say(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            dues = views.dues(state.subject)
            assert {one.number for one in dues if one.kind == "order"} == set(state.orders)
            invoices = {one.id: one.outstanding for one in dues if one.kind == "invoice"}
            assert invoices == {one.id: str(one.outstanding) for one in state.invoices.values()}
            renewals = {one.number for one in dues if one.kind == "renewal"}
            waiting = {item.number for item in state.queue if item.renewal}
            assert waiting <= renewals
            last = ledger.shard.last_instant()
            assert last is not None
            late = {one.number for one in state.rentals.values() if one.suspended or one.paid_until <= last}
            assert renewals <= waiting | late


def test_refunds_and_disputes_are_as_the_states_say(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for state in states(ledger):
            refunds = {one.id: one for one in views.refunds(state.subject)}
            assert set(refunds) == set(state.refunds)
            for name, refund in state.refunds.items():
                assert refunds[name].amount == (str(refund.due) if refund.due is not None else None)
                assert (refunds[name].paid_at is not None) == refund.paid
            disputes = {one.id: one for one in views.disputes(state.subject)}
            assert {name: (one.charge, one.resolved_at is not None) for name, one in disputes.items()} == {
                name: (one.charge, one.resolved) for name, one in state.disputes.items()
            }


def test_usage_sums_to_what_was_charged(ledger: EmbeddedLedger) -> None:
    facts = facts_of(ledger)
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for subject in facts:
            used: dict[str, int] = defaultdict(int)
            for one in facts[subject]:
                if type(one.fact).__name__ in ("UsageCharged", "UsageCutOff"):
                    used[one.fact.usage] += getattr(one.fact, "amount", one.fact.rate.zero()).units  # type: ignore[union-attr]
            found: dict[str, int] = defaultdict(int)
            for call in views.usage(subject):
                found[call.usage] += Money.parse(call.amount, call.currency).units
            assert found == used


def test_nothing_falls_due_that_is_not_among_the_deadlines(ledger: EmbeddedLedger) -> None:
    """A deadline may be early; it may not be missing, nor late."""
    catalogue = ledger.catalogue.load().catalogue
    horizon = datetime(2100, 1, 1, tzinfo=UTC)
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        first: dict[str, datetime] = {}
        for deadline in views.deadlines(horizon):
            first.setdefault(deadline.subscriber, deadline.at)
        for state in states(ledger):
            due = clock.due(state, catalogue)
            if due is not None:
                assert first[state.subject] <= due, state.subject
                assert state.subject in {one.subscriber for one in views.deadlines(due)}


def test_an_ended_agreement_has_no_deadline(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        listed = {one.subscriber for one in views.deadlines(datetime(2100, 1, 1, tzinfo=UTC))}
        for state in states(ledger):
            if state.standing.ended and not state.invoices:
                assert state.subject not in listed


def test_every_fact_is_a_decision_with_its_command(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for sequence, state in entries_of(ledger.folder):
            stored = codec.decode(state)
            decision = views.decision(stored.recorded.id)
            assert decision is not None
            assert (decision.sequence, decision.state) == (sequence, state)
            assert (decision.basis, decision.command) == (stored.recorded.basis, stored.caused_by)
            assert (decision.effective_at, decision.recorded_at) == (
                stored.recorded.effective_at,
                stored.recorded.recorded_at,
            )
            assert decision.due == stored.recorded.due
            assert decision.command_value is not None
            assert decision.command_value["id"] == stored.caused_by
            fact = stored.recorded.fact
            assert decision.code == (fact.code if isinstance(fact, CommandRefused) else None)


def test_there_is_no_decision_without_a_fact(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        assert [views.decision(name) for name in ("s-1/99999", "s-1/01", "s-1", "", "nobody/1")] == [None] * 5


def test_a_publication_is_a_decision_too(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        decision = views.decision("catalogue/1")
        assert decision is not None
        assert (decision.type, decision.command, decision.command_value) == ("regulations-published", "initial", None)
        assert views.timeline("catalogue")[0].id == "catalogue/1"


def test_a_timeline_is_every_fact(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for subject, own in facts_of(ledger).items():
            assert [entry.fact for entry in views.timeline(subject)] == [one.fact for one in own]
        assert views.timeline("nobody") == ()


def test_nobody_has_no_balance(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        for ask in (views.balance, views.statement, views.dues, views.time_zone):
            with pytest.raises(UnknownSubscriber, match="there is no subscriber nobody"):
                ask("nobody")


def test_the_views_stand_at_the_end_of_the_log(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        (position,) = source.positions()
        assert position.sequence == position.log == ledger.shard.sequence()


def test_answers_are_plain_json(ledger: EmbeddedLedger) -> None:
    with EmbeddedSource(ledger.folder) as source:
        views = Views(source)
        subject = states(ledger)[0].subject
        answer = plain(views.balance(subject))
        assert answer["subscriber"] == subject
        entry = next(one for one in views.timeline(subject) if one.type != "command-refused")
        assert plain(entry)["effective_at"].endswith("Z")
        decision = views.decision(entry.id)
        assert plain(decision)["state"]["id"] == entry.id


def test_an_invoice_is_never_missed(recorded: dict[int, Path]) -> None:
    """The ledgers of these tests have invoices, so that what is said of them above is said of something."""
    kinds = {type(codec.decode(state).recorded.fact) for one in recorded.values() for _, state in entries_of(one)}
    assert InvoiceIssued in kinds
