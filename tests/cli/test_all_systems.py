"""Every provider's scenarios as books: other programs accept them, they add up, and `why` explains all of it."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path

import pytest

from consumers.ports import Stored
from domain.accounts import postings, prepaid
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import (
    FACT_TYPES,
    Calculation,
    ChargeReversed,
    Fact,
    InvoiceIssued,
    RefundPaid,
    SubscriberRegistered,
    UsageCutOff,
)
from domain.money import MINOR_DIGITS, Money, decimal_places, minor_unit
from infra import codec
from infra.cli.journal_formats import beancount_origin, hledger_account
from infra.embedded.folder import EmbeddedLedger
from infra.embedded.source import EmbeddedSource
from infra.explain.explainer import Explainer, Explanation
from infra.explain.words import money
from infra.views.reading import TrialBalance, Views
from infra.views.verification import INITIAL, verify_log, verify_views
from tests.cli.conftest import Call
from tests.cli.test_explain import value
from tests.scenarios.scenario import Do, steps_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
PROVIDERS = ("telnexx", "illyvoip", "hexaserv", "calycom", "sixth")
"""What the names of the scenario files begin with."""
HLEDGER_TIMEOUT_S = 30
NEVER_IN_A_SCENARIO: frozenset[type[Fact]] = frozenset()
"""Types of facts that no scenario of ours leads to: none."""
SELECT_FACTS = "SELECT state FROM stored_events ORDER BY rowid"
WORKED_OUT = re.compile(r"^(?P<sum>[0-9.×÷()+ −]+) = (?P<result>.*)$")
ENDS_IN = re.compile(r"(?P<amount>-?[0-9.]+) (?P<currency>[A-Z]{3})(?: \([^)]*\))?$")

Sums = dict[tuple[str, str], int]
"""Inner units by account and currency; accounts that come to nothing are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The ledger that one scenario leads to: where it is, and its facts, the catalogue's first."""

    name: str
    folder: Path
    facts: tuple[Stored, ...]

    @property
    def of_subscribers(self) -> list[Stored]:
        return [stored for stored in self.facts if stored.recorded.subject != CATALOGUE_SUBJECT]

    @property
    def subscribers(self) -> list[str]:
        return [one.recorded.subject for one in self.facts if isinstance(one.recorded.fact, SubscriberRegistered)]


Books = dict[str, list[Book]]


def book_of(scenario: Path, folder: Path) -> Book:
    """Sends the commands of the file to a new ledger in `folder`."""
    with EmbeddedLedger(folder, create=True) as ledger:
        writer = ledger.writer()
        for step in steps_of(scenario):
            if isinstance(step, Do):
                writer.execute(json.loads(json.dumps(step.command)))
        writer.commit()
        facts = tuple(
            codec.decode(state)
            for application in (ledger.catalogue_application, ledger.application)
            for (state,) in application.shard.rows(SELECT_FACTS, ())
        )
    return Book(name=scenario.stem, folder=folder, facts=facts)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The ledgers of all scenarios by provider, made once; nobody writes to them."""
    here = tmp_path_factory.mktemp("books")
    made: Books = defaultdict(list)
    for scenario in sorted(SCENARIOS.glob("*.jsonl")):
        made[scenario.stem.partition("-")[0]].append(book_of(scenario, here / scenario.stem))
    return made


@pytest.fixture(params=PROVIDERS)
def shelf(books: Books, request: pytest.FixtureRequest) -> list[Book]:
    """The ledgers of one provider."""
    return books[request.param]


def every(books: Books) -> Iterator[Stored]:
    """All facts of all ledgers."""
    return (stored for shelf in books.values() for book in shelf for stored in book.facts)


def exported(call: Call, book: Book, form: str) -> str:
    """The journal in the words of `hledger` or `beancount`."""
    answer = call("export", "journal", "--format", form, "--ledger", book.folder)
    assert answer.code == 0, f"{book.name}: {answer.err}"
    return answer.out


def without_nothing(sums: Sums) -> Sums:
    return {key: units for key, units in sums.items() if units}


def posted(facts: Iterable[Stored]) -> Sums:
    """What the log itself says: the postings of its facts added up."""
    sums: Sums = Counter()
    for stored in facts:
        for posting in postings(stored.recorded.subject, stored.recorded.fact):
            sums[posting.account, posting.amount.currency] += posting.amount.units
    return without_nothing(sums)


def closing(trial: TrialBalance) -> Sums:
    """The balances of a trial balance, whose rows and totals agree: debit less credit, and no more of one in all."""
    for row in (*trial.accounts, *trial.totals):
        debit, credit, balance = (Money.parse(text, row.currency) for text in (row.debit, row.credit, row.balance))
        assert debit - credit == balance, row
    for total in trial.totals:
        assert total.debit == total.credit, total
    return without_nothing(
        {(row.account, row.currency): Money.parse(row.balance, row.currency).units for row in trial.accounts}
    )


def added(one: Sums, other: Sums) -> Sums:
    return without_nothing({key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()})


def instants(book: Book) -> list[datetime]:
    """Every instant that something counts from, in order."""
    return sorted({stored.recorded.effective_at for stored in book.of_subscribers})


def test_every_scenario_belongs_to_a_provider(books: Books) -> None:
    """No file is left out of these tests, and each provider has ledgers with postings."""
    assert set(books) == set(PROVIDERS)
    assert all(any(posted(book.facts) for book in shelf) for shelf in books.values())


def test_hledger_accepts_every_journal_strictly(shelf: list[Book], call: Call, tmp_path: Path) -> None:
    """Accounts and commodities are declared, entries balance, and every account of the log is in the journal."""
    hledger = shutil.which("hledger")
    if hledger is None:
        if os.environ.get("CI"):
            pytest.fail("hledger is missing in CI: install the package hledger", pytrace=False)
        pytest.skip("hledger is not installed")
    for book in shelf:
        journal = tmp_path / f"{book.name}.journal"
        journal.write_text(exported(call, book, "hledger"), encoding="utf-8")
        done = subprocess.run(
            [hledger, "-f", journal, "check", "--strict"],
            capture_output=True,
            text=True,
            timeout=HLEDGER_TIMEOUT_S,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0, f"{book.name}: {done.stderr}"
        text = journal.read_text(encoding="utf-8")
        assert all(f"    {hledger_account(account)}  " in text for account, _ in posted(book.facts)), book.name


def test_beancount_accepts_every_journal_and_adds_up_the_same(shelf: list[Book], call: Call) -> None:
    """The loader finds no fault, and its sums by account and currency are those of the log."""
    from beancount import loader
    from beancount.core.data import Transaction

    for book in shelf:
        entries, errors, _ = loader.load_string(exported(call, book, "beancount"))
        assert not errors, f"{book.name}: {errors[0]}"
        sums: Sums = Counter()
        for entry in entries:
            for posting in entry.postings if isinstance(entry, Transaction) else ():
                assert posting.units is not None, f"{book.name}: a posting without an amount"
                amount = Money.parse(f"{posting.units.number:f}", posting.units.currency)
                sums[beancount_origin(posting.account), amount.currency] += amount.units
        assert without_nothing(sums) == posted(book.facts), book.name


def test_payouts_in_other_currencies_are_in_the_books_at_their_cost(books: Books) -> None:
    """BTC, XMR and EUR were paid out of accounts in others; no posting is in a currency that no account is held in."""
    foreign = set()
    for shelf in books.values():
        for book in shelf:
            held = {
                one.recorded.fact.currency for one in book.facts if isinstance(one.recorded.fact, SubscriberRegistered)
            }
            paid = [one.recorded.fact for one in book.facts if isinstance(one.recorded.fact, RefundPaid)]
            foreign |= {refund.paid.currency for refund in paid if refund.paid.currency != refund.amount.currency}
            assert {currency for _, currency in posted(book.facts)} <= held, book.name
    assert foreign >= {"BTC", "XMR", "EUR"}


def test_the_journal_holds_the_postings_of_the_log(shelf: list[Book]) -> None:
    """Entry by entry and line by line; each entry sums to nothing in each currency."""
    for book in shelf:
        expected: dict[str, list[tuple[str, Money]]] = {}
        for stored in book.of_subscribers:
            lines = [(one.account, one.amount) for one in postings(stored.recorded.subject, stored.recorded.fact)]
            if lines:
                expected[stored.recorded.id] = sorted(lines, key=str)
        with EmbeddedSource(book.folder) as source:
            views = Views(source)
            found = {
                entry.id: [(line.account, Money.parse(line.amount, line.currency)) for line in entry.postings]
                for entry in views.journal()
            }
        assert {id_: sorted(lines, key=str) for id_, lines in found.items()} == expected, book.name
        for id_, lines in found.items():
            sums: Counter[str] = Counter()
            for _, amount in lines:
                sums[amount.currency] += amount.units
            assert not any(sums.values()), f"{book.name}: {id_}"


def test_opening_plus_movements_is_closing_for_every_account(shelf: list[Book]) -> None:
    """From any instant that something counts from to the end, per account and currency; debits equal credits then."""
    for book in shelf:
        with EmbeddedSource(book.folder) as source:
            views = Views(source)
            end = closing(views.trial_balance())
            assert end == posted(book.facts), book.name
            for instant in instants(book):
                later = [one for one in book.of_subscribers if one.recorded.effective_at > instant]
                opening = closing(views.trial_balance(instant))
                assert added(opening, posted(later)) == end, f"{book.name}: from {instant}"


def test_every_statement_carries_over(shelf: list[Book]) -> None:
    """Opening balance plus lines is the closing balance, which opens what follows and is what the journal says."""
    for book in shelf:
        with EmbeddedSource(book.folder) as source:
            views = Views(source)
            for subject in book.subscribers:
                for start, end in pairwise(instants(book)):
                    statement = views.statement(subject, start, end)
                    amounts = [Money.parse(line.amount, statement.currency) for line in statement.lines]
                    opened = Money.parse(statement.opening, statement.currency)
                    assert sum(amounts, start=opened) == Money.parse(statement.closing, statement.currency)
                    account = (prepaid(subject), statement.currency)
                    held = -closing(views.trial_balance(start)).get(account, 0)
                    where = f"{book.name}: {subject} from {start} to {end}"
                    assert Money.parse(statement.closing, statement.currency).units == held, where
                    assert views.statement(subject, end).opening == statement.closing, where


def test_why_explains_every_fact(shelf: list[Book]) -> None:
    """A sentence, what it rests on in words, and arithmetic that ends in what the fact says."""
    for index, book in enumerate(shelf):
        with EmbeddedSource(book.folder) as source:
            explainer = Explainer(source)
            for stored in book.facts:
                if index and stored.caused_by == INITIAL:
                    continue  # Every ledger begins with the same publications; those of the first have been explained.
                explanation = explainer.fact(stored.recorded.id)
                where = f"{book.name}: {stored.recorded.id}"
                assert explanation is not None, where
                assert len(explanation.says.split()) > 1, where
                assert explanation.clause.says, f"{where}: {explanation.clause.id}"
                assert_arithmetic(stored.recorded.fact, explanation, where)


def assert_arithmetic(fact: Fact, explanation: Explanation, where: str) -> None:
    """The last line ends in the fact's amount; a line of numbers alone comes to what it says it comes to."""
    ends = end_of(fact)
    calculation = getattr(fact, "calculation", None)
    if isinstance(calculation, Calculation):
        assert explanation.arithmetic, f"{where}: computed, and not written out"
        assert half_up(exact(calculation), calculation.price.currency) == ends, where
    if explanation.arithmetic and ends is not None:
        ending = ENDS_IN.search(explanation.arithmetic[-1])
        assert ending, f"{where}: {explanation.arithmetic[-1]}"
        assert f"{ending['amount']} {ending['currency']}" == money(ends), f"{where}: {explanation.arithmetic[-1]}"
    for line in explanation.arithmetic:
        step = WORKED_OUT.match(line)
        ending = step and ENDS_IN.search(step["result"])
        if step and ending:
            unit = Fraction(1, 10 ** MINOR_DIGITS[ending["currency"]])
            assert abs(value(step["sum"]) - Fraction(ending["amount"])) < unit, f"{where}: {line}"
            assert "exact" not in line or value(step["sum"]) == Fraction(ending["amount"]), f"{where}: {line}"


def end_of(fact: Fact) -> Money | None:
    """What the arithmetic of the fact ends in; None for what ends in no amount or in two."""
    match fact:
        case RefundPaid():
            return fact.paid
        case InvoiceIssued():
            return fact.total
        case ChargeReversed() | UsageCutOff():
            return None
        case _:
            amount = getattr(fact, "amount", None)
            return amount if isinstance(amount, Money) else None


def exact(calculation: Calculation) -> Fraction:
    """The value before its rounding, in units of the currency: `price × count × (1 − discount) × periods`."""
    part = Fraction(calculation.days or 1, calculation.of or 1) + (calculation.periods or 1) - 1
    price = Fraction(calculation.price.units, 10 ** decimal_places(calculation.price.currency))
    return price * calculation.count * (1 - Fraction(calculation.discount or 0)) * part


def half_up(amount: Fraction, currency: str) -> Money:
    """To the minor unit, a half away from nothing."""
    minor = floor(amount * 10 ** MINOR_DIGITS[currency] + Fraction(1, 2))
    return Money(units=minor * minor_unit(currency), currency=currency)


def test_the_scenarios_lead_to_every_type_of_fact(books: Books) -> None:
    """What is explained and booked here is all that can happen; the exceptions are named, and are exceptions."""
    seen = {type(stored.recorded.fact) for stored in every(books)}
    assert {fact.__name__ for fact in FACT_TYPES if fact not in seen} == {one.__name__ for one in NEVER_IN_A_SCENARIO}


def test_verify_finds_nothing_wrong(shelf: list[Book]) -> None:
    """Each verdict holds, and every fact was looked at."""
    for book in shelf:
        with EmbeddedSource(book.folder) as source:
            verdicts = {one.name: one for one in (*verify_log(source).all, *verify_views(book.folder))}
        assert not [verdict for verdict in verdicts.values() if not verdict.holds], book.name
        assert verdicts["facts decode"].checked == len(book.facts), book.name


def test_the_verb_verify_says_so_too(shelf: list[Book], call: Call) -> None:
    """`subledger verify` on the longest ledger of each provider, where there is most to be found."""
    book = max(shelf, key=lambda one: len(one.facts))
    answer = call("verify", "--json", "--ledger", book.folder)
    assert answer.code == 0, f"{book.name}: {answer.out}"
    assert [one for one in answer.rows[0]["verdicts"] if one["faults"]] == []
    assert answer.rows[0]["facts"] == len(book.facts)
