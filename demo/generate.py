# ruff: noqa: INP001, S311 - a script that is run by hand, with dice that shall always fall the same way
"""Writes `telnexx-first-quarter.jsonl`: a hundred subscribers of Telnexx from January to March 2026, by hand and dice.

    python demo/generate.py > demo/telnexx-first-quarter.jsonl

The dice are seeded, so the file is always the same. Commands stand in the order of their instants; the cast of people
with a story of their own comes first, everybody else pays and telephones.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")
SEED = 2026
EVERYBODY = 104
QUARTER_ENDS = datetime(2026, 4, 1, tzinfo=KYIV)
MONTHS = (datetime(2026, 2, 1, tzinfo=KYIV), datetime(2026, 3, 1, tzinfo=KYIV), QUARTER_ENDS)
STEADY_DEPOSITS = ("10.00", "15.00", "20.00", "25.00", "50.00")

Data = dict[str, Any]


@dataclass(slots=True)
class Diary:
    """What is going to be sent, gathered story by story and written down by the clock."""

    dice: random.Random
    entries: list[tuple[datetime, int, Data]] = field(default_factory=list)
    order: "count[int]" = field(default_factory=count)
    payments: "count[int]" = field(default_factory=lambda: count(1001))
    calls: "count[int]" = field(default_factory=lambda: count(1))

    def send(self, who: str, at: datetime, kind: str, actor: str, /, **data: Any) -> None:
        """A command of `kind` for `who`; commands of one instant keep the order in which they were sent."""
        self.entries.append(
            (at, next(self.order), {"type": kind, "subscriber": who, "at": at, "actor": actor, "data": data})
        )

    def lines(self) -> list[str]:
        """The file's lines, numbered c-0001, c-0002, … in the order of time."""
        ordered = sorted(self.entries, key=lambda entry: entry[:2])
        return [
            json.dumps({"id": f"c-{number:04d}", **entry, "at": entry["at"].isoformat()}, ensure_ascii=False)
            for number, (_, _, entry) in enumerate(ordered, 1)
        ]


@dataclass(slots=True)
class Person:
    """One subscriber, and the shorthand to tell their story with."""

    diary: Diary
    name: str
    number: str
    currency: str = "USD"

    def registers(self, at: datetime, plan: str = "start", **data: Any) -> None:
        self.diary.send(
            self.name,
            at,
            "RegisterSubscriber",
            "web",
            regulations="telnexx",
            currency=self.currency,
            plan=plan,
            holder=f"h-{self.name[2:]}",
            **data,
        )

    def verified(self, at: datetime) -> None:
        self.diary.send(self.name, at, "PassVerification", "desk-1")

    def orders(self, at: datetime, number: str | None = None, service: str = "did.ua", **data: Any) -> None:
        self.diary.send(self.name, at, "OrderNumber", "web", number=number or self.number, service=service, **data)

    def pays(self, at: datetime, amount: str, method: str = "card", reference: str = "", **data: Any) -> str:
        """Sends a deposit; answers with its reference."""
        reference = reference or f"p-{next(self.diary.payments)}"
        given = {"amount": amount, "currency": self.currency, "method": method, "reference": reference}
        self.diary.send(self.name, at, "CreditDeposit", "payments", **{**given, **data})
        return reference

    def calls(self, at: datetime, seconds: int, number: str | None = None) -> None:
        """A call that is reported once, when it has ended."""
        self.reports(at, f"call-{next(self.diary.calls)}", seconds, number=number)

    def reports(self, at: datetime, call: str, seconds: int, *, ended: bool = True, number: str | None = None) -> None:
        self.diary.send(
            self.name,
            at,
            "ReportUsage",
            "switch-1",
            number=number or self.number,
            usage=call,
            service="voice.in",
            elapsed_seconds=seconds,
            ended=ended,
        )

    def texts(self, at: datetime, messages: int) -> None:
        usage = f"sms-{next(self.diary.calls)}"
        self.diary.send(
            self.name, at, "ReportUsage", "switch-1", number=self.number, usage=usage, service="sms.in", units=messages
        )

    def asks(self, at: datetime, kind: str, actor: str = "web", /, **data: Any) -> None:
        self.diary.send(self.name, at, kind, actor, **data)

    def joins(self, at: datetime, amount: str, plan: str = "start", **order: Any) -> None:
        """Registers, is verified, orders and pays, within an hour."""
        self.registers(at, plan)
        self.verified(at + timedelta(minutes=10))
        self.orders(at + timedelta(minutes=15), **order)
        self.pays(at + timedelta(minutes=40), amount)


def at(month: int, day: int, hour: int = 12, minute: int = 0, second: int = 0) -> datetime:
    """An instant of 2026 on Kyiv's clock."""
    return datetime(2026, month, day, hour, minute, second, tzinfo=KYIV)


def worked_month(one: Person) -> None:
    """The month that the rules work out by hand, and the two after it."""
    one.registers(at(1, 5, 9))
    one.orders(at(1, 5, 9, 5))
    one.verified(at(1, 5, 9, 10))
    one.pays(at(1, 5, 12), "50.00")
    call = f"call-{next(one.diary.calls)}"
    one.reports(at(1, 10, 10), call, 0, ended=False)
    one.reports(at(1, 10, 11, 14, 30), call, 4470)
    one.asks(at(1, 28, 16), "RequestPlanChange", plan="business")
    for when, seconds in ((at(2, 6, 15), 900), (at(2, 19, 11), 3300), (at(3, 4, 10), 5405), (at(3, 23, 17), 14000)):
        one.calls(when, seconds)
    one.texts(at(3, 12, 9), 12)


def too_late(one: Person) -> None:
    """Asks for another plan a second after the last moment, and again in time."""
    one.joins(at(1, 7, 10), "30.00")
    one.asks(at(1, 29, 0, 0, 1), "RequestPlanChange", plan="business")
    one.asks(at(2, 25, 18), "RequestPlanChange", plan="business")


def late_payer(one: Person) -> None:
    """February cannot be paid; the deposit in the middle of the month pays it whole."""
    one.joins(at(1, 3, 11), "9.50")
    one.calls(at(1, 20, 10), 400)
    one.calls(at(2, 3, 10), 60)
    one.pays(at(2, 16, 14), "10.00", method="bank_transfer", received_at=at(2, 16, 9).isoformat())
    one.calls(at(2, 20, 10), 1300)


def never_pays_again(one: Person) -> None:
    """Suspended on 1 February, ended as of that day on 1 March; the rest is paid back."""
    one.joins(at(1, 3, 15), "9.00")
    one.asks(at(2, 1, 9), "AdvanceClock", "clock")


def never_funded(one: Person) -> None:
    """The order is cancelled after 36 hours."""
    one.registers(at(1, 12, 10))
    one.verified(at(1, 12, 11))
    one.orders(at(1, 12, 11, 5))
    one.asks(at(1, 14, 9), "AdvanceClock", "clock")


def refused_person(one: Person) -> None:
    """Somebody else's card: the registration is refused, the money goes back."""
    one.registers(at(1, 13, 9))
    one.pays(at(1, 13, 9, 30), "20.00", payer="Somebody else")
    one.asks(at(1, 14, 10), "RefuseRegistration", "desk-2", ground="the card belongs to another person")
    one.orders(at(1, 15, 10))
    one.asks(at(1, 16, 10), "ConfirmRefundPaid", "payments", refund=f"{one.name}/4", method="card", reference="r-16")


def more_channels(one: Person) -> None:
    """A number with three channels, two more in the middle of February."""
    one.joins(at(1, 8, 10), "60.00", channels=3)
    one.asks(at(2, 15, 10), "AddChannels", number=one.number, count=2)
    one.calls(at(2, 17, 10), 7200)


def wanderer(one: Person) -> None:
    """Changes the number, once wrongly, for the administrative fee."""
    one.joins(at(1, 9, 10), "40.00", plan="business")
    one.asks(at(1, 21, 10), "ReplaceNumber", number="+380445559999", new_number="+380445557001")
    one.asks(at(1, 21, 10, 2), "ReplaceNumber", number=one.number, new_number="+380445557001")
    one.calls(at(1, 25, 10), 600, number="+380445557001")
    one.asks(at(2, 3, 10), "OrderAdministrativeService", "desk-1", service="documents")


def replaced_by_us(one: Person) -> None:
    """The company needs the number back: too soon first, then with its fourteen days."""
    one.joins(at(1, 9, 12), "35.00")
    new = "+380445557002"
    one.asks(at(2, 2, 10), "AnnounceNumberReplacement", "network", number=one.number, new_number=new, on="2026-02-10")
    one.asks(
        at(2, 2, 10, 5), "AnnounceNumberReplacement", "network", number=one.number, new_number=new, on="2026-02-17"
    )
    one.calls(at(2, 20, 10), 800, number=new)


def changes_her_mind(one: Person) -> None:
    """A plan change asked for and withdrawn, then asked for twice."""
    one.joins(at(1, 10, 10), "40.00")
    one.asks(at(1, 20, 10), "RequestPlanChange", plan="business")
    one.asks(at(1, 21, 10), "WithdrawPlanChange")
    one.asks(at(2, 10, 10), "RequestPlanChange", plan="business")
    one.asks(at(2, 11, 10), "RequestPlanChange", plan="business")


def cannot_afford_it(one: Person) -> None:
    """A plan change that lapses: the difference of the connection fees cannot be paid."""
    one.joins(at(1, 6, 10), "9.00")
    one.asks(at(1, 20, 10), "RequestPlanChange", plan="business")
    one.pays(at(2, 2, 9), "20.00")


def cut_off(one: Person) -> None:
    """A long call on a short balance: the minute that cannot be paid ends it."""
    one.joins(at(1, 1, 0), "8.15")
    call = f"call-{next(one.diary.calls)}"
    one.reports(at(1, 3, 10), call, 0, ended=False)
    one.reports(at(1, 3, 11), call, 3600, ended=False)
    one.reports(at(1, 3, 11, 4), call, 3840, ended=False)
    one.reports(at(1, 3, 11, 5), call, 3900)
    one.texts(at(1, 3, 12), 2)
    one.pays(at(1, 5, 12), "25.00")


def leaves(one: Person) -> None:
    """Asks to leave; the agreement ends with February and the rest is paid out."""
    one.joins(at(1, 11, 10), "45.00")
    one.calls(at(1, 30, 10), 2000)
    one.asks(at(2, 18, 10), "RequestTermination", reason="moving abroad")
    one.asks(at(2, 19, 10), "RequestTermination", reason="asked again")
    one.asks(at(3, 5, 10), "OrderNumber", number="+380445557003", service="did.ua")
    refund = {"refund": f"{one.name}/19", "method": "bank_transfer", "reference": f"r-{one.name}"}
    one.asks(at(3, 6, 10), "ConfirmRefundPaid", "payments", **refund)
    one.asks(at(3, 6, 10, 5), "ConfirmRefundPaid", "payments", **refund)
    one.asks(at(3, 20, 10), "ErasePersonalData", "desk-2", reason="asked for by the person")


def bound_for_a_term(one: Person) -> None:
    """Six months were agreed; sixty days' notice leads to the end of April."""
    one.joins(at(1, 10, 14), "60.00", periods=6)
    one.asks(at(2, 20, 10), "RequestTermination", reason="closing the office")


def paid_in_advance(one: Person) -> None:
    """Three months of a number with a channel, prepaid at once."""
    one.joins(at(1, 16, 10), "45.00", periods=3, prepaid=True, channels=1)
    one.calls(at(2, 10, 10), 500)


def lets_it_end(one: Person) -> None:
    """Two numbers; one is given back, which needs no reason."""
    one.joins(at(1, 8, 12), "40.00")
    second = "+12125550142"
    one.orders(at(1, 12, 10), number=second, service="did.us")
    one.orders(at(1, 12, 10, 1), number=second, service="did.us")
    one.asks(at(2, 9, 10), "ReleaseNumber", number=second)
    one.asks(at(2, 9, 10, 5), "SetAutorenew", number="+12125550999", autorenew=False)


def charged_back(one: Person) -> None:
    """The bank takes a deposit back after it was spent: the account is in debt."""
    one.joins(at(1, 14, 10), "9.00")
    reference = one.pays(at(1, 15, 10), "6.00")
    one.asks(at(1, 16, 10), "OrderAdministrativeService", "desk-1", service="number_change", ground="vanity number")
    one.asks(at(2, 24, 10), "ReverseDeposit", "payments", reference=reference, ground="chargeback 4837")
    one.asks(at(2, 24, 10, 5), "ReverseDeposit", "payments", reference=reference, ground="chargeback 4837, again")


def spammer(one: Person) -> None:
    """A warning's worth of spam, then more of it: the second violation ends the agreement with March."""
    one.joins(at(1, 17, 10), "30.00")
    one.asks(at(2, 4, 10), "RecordViolation", "abuse", kind="spam", ground="ticket 511: 3,000 messages")
    one.asks(at(3, 9, 10), "RecordViolation", "abuse", kind="spam", ground="ticket 588: 8,000 messages")
    one.calls(at(3, 10, 10), 60)


def fraudster(one: Person) -> None:
    """Unlawful use suspends the services at once."""
    one.joins(at(1, 18, 10), "30.00")
    one.asks(at(2, 12, 10), "RecordViolation", "abuse", kind="fraud", ground="police request 77", unlawful=True)
    one.orders(at(2, 13, 10), number="+380445557004")


def paused(one: Person) -> None:
    """Suspended by the company for two days, and resumed."""
    one.joins(at(1, 19, 10), "25.00")
    one.asks(at(2, 5, 10), "SuspendServices", "abuse", ground="the line is under attack")
    one.calls(at(2, 6, 10), 120)
    one.asks(at(2, 7, 10), "ResumeServices", "abuse")
    one.calls(at(2, 8, 10), 120)


def compensated(one: Person) -> None:
    """A fault is made good, up to what was in the account; more than that is refused."""
    one.joins(at(1, 20, 10), "30.00")
    claim = {"fault_at": at(2, 10, 3).isoformat(), "complaint_at": at(2, 10, 9).isoformat()}
    one.asks(at(2, 11, 10), "GrantCompensation", "desk-2", amount="12.50", evidence="ticket 533", **claim)
    one.asks(at(2, 11, 10, 5), "GrantCompensation", "desk-2", amount="40.00", evidence="ticket 533", **claim)


def corrected(one: Person) -> None:
    """A correction by two people; one person alone is refused."""
    one.joins(at(1, 20, 14), "25.00")
    one.asks(at(2, 13, 10), "PostAdjustment", "desk-1", amount="3.10", reason="charged in error", reviewer="desk-1")
    one.asks(at(2, 13, 10, 5), "PostAdjustment", "desk-1", amount="3.10", reason="charged in error", reviewer="desk-2")
    one.asks(at(3, 2, 10), "PostAdjustment", "desk-2", amount="-1.00", reason="corrected too much", reviewer="desk-1")


def passed_on(one: Person) -> None:
    """All rights and duties go to another holder."""
    one.joins(at(1, 21, 10), "25.00")
    one.asks(at(2, 16, 10), "TransferAgreement", "desk-2", holder="h-900", consent=True)


def let_go(one: Person) -> None:
    """The company gives its fourteen days' notice."""
    one.joins(at(1, 22, 10), "25.00")
    one.asks(at(2, 10, 10), "TerminateAgreement", "desk-2", ground="the service is discontinued", cause="notice")


def pays_oddly(one: Person) -> None:
    """The same payment twice, a currency that the account does not have, an amount of nothing."""
    reference = f"p-{next(one.diary.payments)}"
    one.registers(at(1, 23, 10))
    one.verified(at(1, 23, 10, 10))
    one.orders(at(1, 23, 10, 15))
    one.pays(at(1, 23, 11), "25.00", reference=reference)
    one.pays(at(1, 23, 11, 30), "25.00", reference=reference)
    one.pays(at(1, 24, 10), "25.00", currency="EUR")
    one.pays(at(1, 24, 10, 5), "0.00")


def same_reference(one: Person) -> None:
    """A payment whose reference another subscriber has too: something to look at."""
    one.joins(at(1, 23, 12), "15.00")
    one.pays(at(1, 23, 13), "15.00", reference="p-shared")


def same_number(one: Person) -> None:
    """A number that two subscribers rent at once: something to look at."""
    one.joins(at(1, 24, 12), "30.00", number="+380445558888")


STORIES: tuple[tuple[Callable[[Person], None], int], ...] = (
    (worked_month, 1),
    (too_late, 1),
    (late_payer, 6),
    (never_pays_again, 4),
    (never_funded, 3),
    (refused_person, 1),
    (more_channels, 4),
    (wanderer, 1),
    (replaced_by_us, 1),
    (changes_her_mind, 2),
    (cannot_afford_it, 1),
    (cut_off, 2),
    (leaves, 3),
    (bound_for_a_term, 2),
    (paid_in_advance, 1),
    (lets_it_end, 1),
    (charged_back, 1),
    (spammer, 1),
    (fraudster, 1),
    (paused, 1),
    (compensated, 1),
    (corrected, 1),
    (passed_on, 1),
    (let_go, 1),
    (pays_oddly, 1),
    (same_reference, 2),
    (same_number, 2),
)
"""Each story and how many people it happens to."""


def steady(one: Person) -> None:
    """Pays now and then and telephones: most people."""
    dice = one.diary.dice
    joined = at(1, dice.randint(2, 25), dice.randint(8, 20), dice.randint(0, 59))
    dollars = one.currency == "USD"
    plan = dice.choice(("start", "start", "start", "business")) if dollars else "start"
    service = dice.choice(("did.ua", "did.ua", "did.us")) if dollars else "did.ua"
    one.joins(joined, dice.choice(STEADY_DEPOSITS[1:]), plan=plan, service=service)
    now = joined + timedelta(days=1)
    while now < QUARTER_ENDS - timedelta(days=6):
        now += timedelta(days=dice.randint(3, 9), hours=dice.randint(0, 12), minutes=dice.randint(0, 59))
        if dollars and dice.random() < 0.15:
            one.texts(now, dice.randint(1, 8))
        else:
            one.calls(now, int(dice.lognormvariate(6.2, 1.0)))
    for boundary in MONTHS[:2]:
        when = boundary - timedelta(days=dice.randint(1, 8), hours=dice.randint(1, 9))
        amount = dice.choice(STEADY_DEPOSITS)
        if dice.random() < 0.7 and when > joined + timedelta(days=1):
            one.pays(when, amount)


def new_prices(diary: Diary) -> None:
    """Telnexx raises a price from 1 March, without notice, as its regulations allow."""
    plans = {
        "start": plan("5.00", {"did.ua": "3.30", "did.us": "1.60", "channel": "1.00"}, "0.0125", 60, "0.02"),
        "business": plan("8.00", {"did.ua": "6.40", "did.us": "3.10", "channel": "0.80"}, "0.01", 300, "0.015"),
    }
    diary.send(
        "catalogue",
        at(2, 20, 9),
        "PublishTariff",
        "pricing",
        tariff="telnexx-usd-2026-03",
        regulations="telnexx",
        currency="USD",
        effective_from=at(3, 1, 0).isoformat(),
        tax=None,
        plans=plans,
    )


def plan(fee: str, periodic: dict[str, str], minute: str, included: int, message: str) -> Data:
    """One plan of a tariff document."""
    return {
        "connection_fee": fee,
        "periodic": periodic,
        "usage": {
            "voice.in": {"per": "minute", "price": minute, "included": included},
            "sms.in": {"per": "unit", "price": message},
        },
        "administrative": {"number_change": "4.00", "documents": "2.50"},
    }


def quarter() -> Diary:
    """Everybody's quarter."""
    diary = Diary(random.Random(SEED))
    cast = [story for story, times in STORIES for _ in range(times)]
    for number in range(1, EVERYBODY + 1):
        story = cast[number - 1] if number <= len(cast) else steady
        currency = "EUR" if story is steady and number % 8 == 0 else "USD"
        person = Person(diary, f"s-{number:03d}", f"+38044555{number:04d}", currency)
        story(person)
        for boundary in MONTHS:
            diary.send(person.name, boundary, "AdvanceClock", "clock")
    new_prices(diary)
    return diary


if __name__ == "__main__":
    sys.stdout.write("\n".join(quarter().lines()) + "\n")
