"""Stories about one subscriber: `given(history).when(command).then(facts)`.

A history is a list in the order of time. A string such as `"2026-01-05 12:00"` sets the clock, in the local time of the
story's zone; a request is asked for at that instant and must be accepted; a fact is taken as having been recorded.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from domain.accounts import balance_change, postings
from domain.case import Call
from domain.catalogue import Catalogue, evolve_catalogue
from domain.commands import Command, Publication, ReportUsage, Request
from domain.decide import Decision, decide
from domain.facts import WIRE_TYPES, DepositCredited, Fact, Recorded, RegulationsPublished
from domain.money import Money
from domain.periods import Period, start_of_day
from domain.publishing import initial, initial_tariff
from domain.state import State, Subscriber, Unregistered, at_end_of_log, evolve
from infra.documents import initial_catalogue

SUBJECT = "s-1"
DESK = "desk-1"
KYIV = "Europe/Kyiv"
REQUESTS: tuple[type, ...] = get_args(Request)
FACTS: tuple[type, ...] = tuple(WIRE_TYPES)

Rules = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class By:
    """A request by somebody else than the desk."""

    actor: str
    request: Request


Step = str | Request | Fact | By


class Expected:
    """A fact by its wire name, with those of its fields that the story is about."""

    def __init__(self, name: str, /, **fields: Any) -> None:
        self.name = name
        self.fields = fields

    def __repr__(self) -> str:
        return _told(self.name, self.fields)


def fact(name: str, /, **fields: Any) -> Expected:
    """`fact("deposit-credited", amount="50.00")`; `at` is the local instant that it counts from, `basis` its clause."""
    return Expected(name, **fields)


def plain(value: Any, zone: str) -> Any:
    """A value as stories write it: money and instants as text, local time without seconds where there are none."""
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, datetime):
        local = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return local.isoformat(" ", "microseconds" if local.microsecond else "seconds" if local.second else "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Period):
        return plain(value.start, zone), plain(value.end, zone)
    if isinstance(value, tuple):
        return tuple(plain(item, zone) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name), zone) for name in value.__dataclass_fields__}
    return value


def instant(text: str, zone: str) -> datetime:
    """A local time such as `2026-01-05 12:00` of `zone`, or ISO 8601 with a zone of its own, as UTC."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment).astimezone(UTC)


def catalogue(rules: Rules | None = None, regulations: str = "telnexx", tariffs: tuple[Any, ...] = ()) -> Catalogue:
    """The built-in catalogue, with `rules` in place of parameters of `regulations`, and `tariffs` published besides."""
    built = Catalogue()
    for publication in initial_catalogue():
        if isinstance(publication, RegulationsPublished) and publication.regulations == regulations and rules:
            head = {"regulations": regulations, "version": publication.version}
            publication = initial({**head, **publication.document, **rules}, publication.effective_from)
        built = evolve_catalogue(built, publication)
    for document in tariffs:
        built = evolve_catalogue(built, initial_tariff(document))
    return built


def amended(known: Catalogue, regulations: str, since: datetime, **rules: Any) -> Catalogue:
    """`known` with one more version of `regulations`, `rules` changed, in force from `since` on."""
    head = {"regulations": regulations, "version": f"since {since.isoformat()}"}
    return evolve_catalogue(known, initial({**head, **known.documents[regulations], **rules}, since))


def telnexx_tariff(plan: Rules, tax: Rules | None = None, currency: str = "USD") -> dict[str, Any]:
    """The plan `start` as it is in force instead of the sample's."""
    return {
        "tariff": "telnexx-other",
        "regulations": "telnexx",
        "currency": currency,
        "effective_from": "2025-01-01T00:00:00+02:00",
        "tax": tax,
        "plans": {"start": plan},
    }


@dataclass(slots=True)
class ListedPast:
    """What a list of facts still answers."""

    facts: list[Recorded] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)

    def call(self, usage: str) -> Call | None:
        return self.calls.get(usage)

    def deposit(self, reference: str) -> int | None:
        for one in self.facts:
            if isinstance(one.fact, DepositCredited) and one.fact.reference == reference:
                return one.version
        return None

    def fact(self, version: int) -> Recorded | None:
        return self.facts[version - 1] if 1 <= version <= len(self.facts) else None

    def newest_first(self) -> Iterator[Recorded]:
        return reversed(list(self.facts))


ACCOUNT = re.compile(
    r"Assets:(Clearing:\w+|Receivable:.+)|Liabilities:((Prepaid|Refunds|Tax):.+)|"
    r"Income:(Connection|RemainingTerm|Forfeited|Rounding|ProcessingFees|(Periodic|Usage|Administrative):.+)|"
    r"Expenses:(Compensation|Adjustments|ThirdParty)"
)
"""RULES, "Accounts of the journal"."""


class Story:
    """One subscriber's history so far; `when` goes on with it."""

    def __init__(self, known: Catalogue, zone: str) -> None:
        self.zone = zone
        self.known = known
        self.state: State = Unregistered(subject=SUBJECT)
        self.past = ListedPast()
        self.now: datetime | None = None

    def tell(self, step: Step) -> Decision | None:
        """Takes one step of a history; answers with the decision, where one was taken."""
        if isinstance(step, str):
            self.now = instant(step, self.zone)
            return None
        if isinstance(step, By):
            return self._ask(step.request, step.actor)
        if isinstance(step, REQUESTS):
            return self._ask(step, DESK)  # type: ignore[arg-type]
        self._note(self._recorded(step))  # type: ignore[arg-type]
        return None

    def when(self, *steps: Step) -> "Told":
        """The steps that the story is about; all but the last must be accepted."""
        decision: Decision | None = None
        for step in steps:
            assert decision is None or decision.refusal is None, f"refused: {decision.refusal}"
            decision = self.tell(step) or decision
        assert decision is not None, "the last step of a story is a request"
        return Told(self, decision)

    @property
    def at(self) -> datetime:
        assert self.now is not None, "a story begins with an instant"
        return self.now

    def balance(self) -> str:
        assert isinstance(self.state, Subscriber)
        return str(self.state.account.balance)

    def _ask(self, request: Request, actor: str) -> Decision:
        assert not isinstance(request, get_args(Publication)), "a subscriber publishes nothing"
        command = Command(id="c", subscriber=SUBJECT, at=self.at, actor=actor, request=request)
        decision = decide(self.state, command, self.known, self.past)
        for recorded in decision.facts:
            self._note(recorded)
        if decision.metered is not None and decision.refusal is None and isinstance(request, ReportUsage):
            self.past.calls[request.usage] = decision.metered.call
        self.state = decision.state
        self._log_says_the_same()
        return decision

    def _log_says_the_same(self) -> None:
        """Whatever a story is about, its facts alone lead to the state that was decided on."""
        folded: State = Unregistered(subject=SUBJECT)
        for recorded in self.past.facts:
            folded = evolve(folded, recorded)
        last_asked = self.state.as_of if isinstance(self.state, Subscriber) else None
        assert at_end_of_log(folded, last_asked) == self.state

    def _recorded(self, given_fact: Fact) -> Recorded:
        return Recorded(
            subject=SUBJECT,
            version=self.state.version + 1,
            fact=given_fact,
            effective_at=self.at,
            recorded_at=self.at,
            basis="subledger/given",
        )

    def _note(self, recorded: Recorded) -> None:
        if recorded.version == self.state.version + 1:
            self.state = evolve(self.state, recorded)
        self.past.facts.append(recorded)
        self._books_close(recorded)

    def _books_close(self, recorded: Recorded) -> None:
        """Whatever a story is about, its journal balances, on accounts that the rules name."""
        lines = postings(SUBJECT, recorded.fact)
        strange = [line.account for line in lines if ACCOUNT.fullmatch(line.account) is None]
        assert not strange, f"{recorded.id}: {strange} are no accounts of the journal"
        sums: dict[str, int] = {}
        for line in lines:
            sums[line.amount.currency] = sums.get(line.amount.currency, 0) + line.amount.units
        assert not any(sums.values()), f"{recorded.id}: {lines} do not sum to zero"


class Told:
    """What the last command of a story led to."""

    def __init__(self, story: Story, decision: Decision) -> None:
        self.story = story
        self.decision = decision

    def then(self, *expected: Expected) -> "Told":
        """Exactly these facts, in this order."""
        assert self.decision.refusal is None, f"refused: {self.decision.refusal}"
        return self._facts(expected)

    def refused(self, code: str, *before: Expected, **fields: Any) -> "Told":
        """Refused with `code`; `before` is what had fallen due and is recorded all the same."""
        assert self.decision.refusal is not None, f"accepted: {self._names()}"
        found = self.decision.refusal.code.value
        assert found == code, f"expected {code}, found {found}: {self.decision.refusal.message}"
        return self._facts((*before, fact("command-refused", code=code, **fields)))

    def refused_without_a_fact(self, code: str) -> "Told":
        assert self.decision.refusal is not None
        assert self.decision.refusal.code.value == code
        return self._facts(())

    def malformed(self, path: str) -> "Told":
        assert self.decision.malformed is not None, f"expected a malformed command, found {self._names()}"
        assert self.decision.malformed.path == path
        return self._facts(())

    def metered(self, *, goes_on: bool, charged: str) -> "Told":
        metered = self.decision.metered
        assert metered is not None
        assert (metered.goes_on, str(metered.charged)) == (goes_on, charged)
        return self

    def balance(self, amount: str) -> "Told":
        assert self.story.balance() == amount, f"expected a balance of {amount}, found {self.story.balance()}"
        folded = sum(balance_change(SUBJECT, recorded.fact) for recorded in self.story.past.facts)
        assert isinstance(self.story.state, Subscriber)
        assert self.story.state.account.balance.units == folded, "the balance is not the fold of its postings"
        return self

    def outstanding(self, amount: str) -> "Told":
        state = self.story.state
        assert isinstance(state, Subscriber)
        total = state.account.balance.zero()
        for invoice in state.invoices.values():
            total = total + invoice.outstanding
        assert str(total) == amount, f"expected {amount} outstanding, found {total}"
        return self

    def when(self, *steps: Step) -> "Told":
        """The story goes on."""
        return self.story.when(*steps)

    def _names(self) -> list[str]:
        return [_name(recorded) for recorded in self.decision.facts]

    def _facts(self, expected: tuple[Expected, ...]) -> "Told":
        names = [one.name for one in expected]
        assert self._names() == names, f"\nexpected {names}\nfound    {self._names()}"
        for one, recorded in zip(expected, self.decision.facts, strict=True):
            found = self._fields(recorded, one.fields)
            assert found == one.fields, f"\nexpected {one}\nfound    {_told(one.name, found)}"
        return self

    def _fields(self, recorded: Recorded, wanted: Mapping[str, Any]) -> dict[str, Any]:
        zone = self.story.zone
        envelope = {"at": plain(recorded.effective_at, zone), "basis": recorded.basis, "id": recorded.id}
        found = {}
        for name in wanted:
            found[name] = envelope[name] if name in envelope else plain(getattr(recorded.fact, name), zone)
        return found


def given(
    *history: Step, rules: Rules | None = None, under: str = "telnexx", zone: str = KYIV, tariffs: tuple[Any, ...] = ()
) -> Story:
    """A subscriber with this history, under the named regulations with `rules` changed."""
    story = Story(catalogue(rules, under, tariffs), zone)
    for step in history:
        decision = story.tell(step)
        assert decision is None or (decision.refusal is None and decision.malformed is None), (
            f"{step}: {decision.refusal or decision.malformed}"
        )
    return story


def first_instant(day: str, zone: str = KYIV) -> datetime:
    """The first instant of a local day."""
    return start_of_day(date.fromisoformat(day), zone)


def _name(recorded: Recorded) -> str:
    return WIRE_TYPES[type(recorded.fact)].removeprefix("subledger.").removesuffix(".v1")


def _told(name: str, fields: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in fields.items())})"
