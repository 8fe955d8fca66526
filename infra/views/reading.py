"""The questions that read models answer: amounts as decimal text (`"42.30"`), instants aware UTC, ids as in the log."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import groupby
from typing import Any

import orjson

from domain.catalogue import Catalogue
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import Fact
from domain.money import Money
from domain.periods import local_text
from domain.state import Subscriber
from infra import codec
from infra.views import calendar
from infra.views.calendar import Deadline
from infra.views.log import Entry
from infra.views.payable import PastUntil, available, refundable, state_at
from infra.views.source import Publications, Source, place_of
from infra.views.times import EVER, instant, optional_instant, stored
from projections.event import SHARD_STEP


class UnknownSubscriber(LookupError):
    """Nobody registered that subscriber (as of that instant, known at that instant)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What CONTRACT §8 shows for `balance`; None where the question does not arise."""

    subscriber: str
    balance: str
    currency: str
    outstanding: str | None
    """Invoiced and unpaid; only under regulations with `pay_with: invoices`."""
    available: str | None
    """The balance less all that waits for it; None before the registration, and where what counts at that instant was
    partly recorded after something that does not: then nobody ever stood before just these facts."""
    refundable: str | None
    """What a request or the end would pay out now by the regulations' rule; None as for `available`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One fact that moved the balance or what is invoiced."""

    id: str
    type: str
    """The short name: `periodic-service-charged`."""
    effective_at: datetime
    recorded_at: datetime
    number: str | None
    service: str | None
    detail: str | None
    """A deposit's reference, an invoice's id, a call's id, a tax's name, a reason: what tells this line from others."""
    period_start: datetime | None
    period_end: datetime | None
    amount: str
    """What it added to the balance; negative for a debit."""
    invoiced: str
    """What it added to what is invoiced and unpaid."""
    balance: str
    """The balance after this line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Opening balance, lines ordered by effective instant then sequence, closing balance of `[start, end)`."""

    subscriber: str
    currency: str
    time_zone: str
    holder: str
    plan: str
    """The one that held at the end of the span; the present one where the span has no end."""
    regulations: str
    start: datetime | None
    end: datetime | None
    opening: str
    lines: tuple[StatementLine, ...]
    closing: str
    outstanding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One fact of a subscriber, in the order recorded."""

    id: str
    sequence: int
    type: str
    effective_at: datetime
    recorded_at: datetime
    basis: str
    command: str
    """The id of the command that it was recorded with."""
    due: bool
    """It came by time alone."""
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """Who held a number, when: `until` None while it is held."""

    number: str
    subscriber: str
    service: str
    since: datetime
    until: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a person should look at."""

    kind: str
    """`number_rented_twice`, `reference_credited_twice`, `free_services_of_one_holder`, `debt`, `parked_command`."""
    subject: str
    """What it is about: the number, the reference, the holder, the subscriber, the command's position."""
    subscribers: tuple[str, ...]
    message: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTotal:
    """One account in one currency; debits and credits as positive amounts, `balance` = debit − credit."""

    account: str
    currency: str
    debit: str
    credit: str
    balance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All accounts, and debits and credits per currency, which are equal."""

    as_of: datetime | None
    accounts: tuple[AccountTotal, ...]
    totals: tuple[AccountTotal, ...]
    """One per currency; `account` is `Total`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPosting:
    account: str
    amount: str
    """Positive: debit; negative: credit."""
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """The postings of one fact; they sum to zero in each currency."""

    id: str
    sequence: int
    type: str
    subscriber: str
    effective_at: datetime
    recorded_at: datetime
    postings: tuple[JournalPosting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What `why` starts from: where the fact is, what it rests on, which command led to it."""

    id: str
    sequence: int
    type: str
    subscriber: str
    effective_at: datetime
    recorded_at: datetime
    basis: str
    code: str | None
    """The refusal's code; None for anything else."""
    command: str
    """The command's id."""
    due: bool
    state: bytes
    """The exact stored bytes of the fact: its data holds tariff, inputs and arithmetic."""
    command_value: dict[str, Any] | None
    """The command itself, as it was sent; None for a fact of the catalogue's beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueItem:
    """Something that waits for money: an order, a renewal, an open invoice."""

    kind: str
    """`order`, `renewal`, `invoice`."""
    id: str
    """The fact that it began with."""
    number: str
    since: datetime
    due: datetime | None
    outstanding: str | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositLot:
    """One deposit, compensation, adjustment or reversal, and what is left of it."""

    id: str
    kind: str
    """`deposit`, `compensation`, `adjustment`, `reversal`."""
    method: str | None
    reference: str | None
    received_at: datetime
    currency: str
    credited: str
    filled_debt: str
    """What of it filled a negative balance before anything was left."""
    left: str
    reversed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A part of a debit that a lot paid; negative where a reversal put it back."""

    fact: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A change of plan: `outcome` None while it is pending, else `changed`, `change-withdrawn`, `change-lapsed`."""

    id: str
    from_plan: str
    plan: str
    requested_at: datetime
    takes_effect_at: datetime
    outcome: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call or message: its reports summed."""

    usage: str
    number: str
    service: str
    started_at: datetime
    """When its first report took effect."""
    minutes: int | None
    units: int | None
    included: int
    currency: str
    amount: str
    elapsed_seconds: int | None
    ended: bool
    cut_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRecord:
    """A refund from its request, or from the fact that made it due, to its payout."""

    id: str
    requested_at: datetime | None
    reason: str | None
    decided_at: datetime | None
    approved: bool | None
    reviewer: str | None
    due_at: datetime | None
    currency: str | None
    amount: str | None
    fee: str | None
    method: str | None
    paid_at: datetime | None
    paid_currency: str | None
    paid: str | None
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRecord:
    """A disputed charge, and what a reviewer decided."""

    id: str
    charge: str
    opened_at: datetime
    reason: str
    resolved_at: datetime | None
    upheld: bool | None
    reviewer: str | None
    resolution: str | None


class Views:
    """Answers from a source's read models, and from its facts where those are asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def balance(self, subject: str, as_of: datetime | None = None, known_at: datetime | None = None) -> Balance:
        """The balance as recorded so far, or of what was in effect at `as_of` and known at `known_at`, both included.

        Raises UnknownSubscriber.
        """
        currency, _, _, _, regulations = self._agreement(subject)
        if as_of is None and known_at is None:
            ((_, units, outstanding),) = self._source.ask("balances", "balance_of", subject)
        else:
            until = stored(as_of) if as_of is not None else EVER
            known = stored(known_at) if known_at is not None else EVER
            ((units, outstanding),) = self._source.ask("statement", "sum_until", subject, until, known)
        spendable = payable = None
        subscriber = self._state(subject, as_of, known_at)
        if subscriber is not None:
            past = PastUntil(self._source.past(subject), subscriber.version)
            spendable = str(available(subscriber, self._catalogue, past))
            payable = str(refundable(subscriber, self._catalogue, past))
        return Balance(
            subscriber=subject,
            balance=money(units, currency),
            currency=currency,
            outstanding=money(outstanding, currency) if self._invoiced(regulations) else None,
            available=spendable,
            refundable=payable,
        )

    def statement(self, subject: str, start: datetime | None = None, end: datetime | None = None) -> Statement:
        """What moved the balance from `start` on and before `end`. Raises UnknownSubscriber."""
        currency, time_zone, holder, plan, regulations = self._agreement(subject)
        since = stored(start) if start is not None else ""
        until = stored(end) if end is not None else EVER
        ((opening, outstanding),) = self._source.ask("statement", "sum_before", subject, since)
        lines, running = [], opening
        for row in self._source.ask("statement", "lines", subject, since, until):
            running += row[9]
            outstanding += row[10]
            lines.append(_line(subject, currency, row, running))
        return Statement(
            subscriber=subject,
            currency=currency,
            time_zone=time_zone,
            holder=holder,
            plan=plan if end is None else self._plan_until(end, subject, plan),
            regulations=regulations,
            start=start,
            end=end,
            opening=money(opening, currency),
            lines=tuple(lines),
            closing=money(running, currency),
            outstanding=money(outstanding, currency) if self._invoiced(regulations) else None,
        )

    def timeline(self, subject: str) -> tuple[TimelineEntry, ...]:
        """Every fact of the subject, oldest first, read from the log itself; of the catalogue too. Empty for nobody."""
        return tuple(_entry(state) for _, state in self._source.facts(subject))

    def number(self, number: str) -> tuple[Tenure, ...]:
        """Who held `number`, oldest first; empty where nobody ever did."""
        return tuple(
            Tenure(
                number=row[0],
                subscriber=row[1],
                service=row[2],
                since=instant(row[3]),
                until=optional_instant(row[4]),
                reason=row[5],
            )
            for row in self._source.ask("rentals", "holders_of", number)
        )

    def findings(self) -> tuple[Finding, ...]:
        """What a person should look at, kind by kind."""
        return (
            *self._rented_twice(),
            *self._credited_twice(),
            *self._free_services(),
            *self._debts(),
            *self._parked(),
        )

    def trial_balance(self, as_of: datetime | None = None) -> TrialBalance:
        """Every account that was ever posted to, and the totals: debits equal credits in each currency."""
        if as_of is None:
            rows = list(self._source.ask("journal", "totals"))
        else:
            rows = list(self._source.ask("journal", "totals_until", stored(as_of)))
        sums: dict[str, list[int]] = {}
        for _, currency, debit, credit in rows:
            total = sums.setdefault(currency, [0, 0])
            total[0] += debit
            total[1] += credit
        return TrialBalance(
            as_of=as_of,
            accounts=tuple(_account(*row) for row in rows),
            totals=tuple(_account("Total", currency, *sums[currency]) for currency in sorted(sums)),
        )

    def journal(self) -> Iterator[JournalEntry]:
        """The entries in the order of the log; streamed, a ledger may have millions."""
        for _, rows in groupby(self._source.ask("journal", "journal"), key=lambda row: row[0]):
            postings = list(rows)
            position, subject, version, kind, effective_at, recorded_at, *_ = postings[0]
            yield JournalEntry(
                id=f"{subject}/{version}",
                sequence=position % SHARD_STEP,
                type=kind,
                subscriber=subject,
                effective_at=instant(effective_at),
                recorded_at=instant(recorded_at),
                postings=tuple(
                    JournalPosting(account=row[6], amount=money(row[7], row[8]), currency=row[8]) for row in postings
                ),
            )

    def decision(self, fact_id: str) -> DecisionRecord | None:
        """What the fact `fact_id` rests on; None where there is no such fact."""
        place = place_of(fact_id)
        if place is None:
            return None
        subject, version = place
        found = self._source.fact(subject, version)
        if subject == CATALOGUE_SUBJECT or found is None:
            return self._publication(fact_id, found)
        ((_, kind, effective_at, recorded_at, caused_by, basis, code, due),) = self._source.ask(
            "decisions", "decision", subject, version
        )
        answer = self._source.answer(subject, caused_by)
        return DecisionRecord(
            id=fact_id,
            sequence=found[0],
            type=kind,
            subscriber=subject,
            effective_at=instant(effective_at),
            recorded_at=instant(recorded_at),
            basis=basis,
            code=code,
            command=caused_by,
            due=bool(due),
            state=found[1],
            command_value=answer.command if answer is not None else None,
        )

    def dues(self, subject: str) -> tuple[DueItem, ...]:
        """What waits for the subscriber's money, in the order of the queue. Raises UnknownSubscriber.

        A renewal that waits while the service goes on left no fact: it is a rental whose paid period is over.
        """
        self._agreement(subject)
        items = [_due(subject, row) for row in self._source.ask("dues", "dues_of", subject)]
        waiting = {item.number for item in items if item.kind == "renewal"}
        last = self._source.last_instant()
        for version, number, since in self._source.ask(
            "rentals", "unpaid_rentals", subject, stored(last) if last else ""
        ):
            if number not in waiting:
                items.append(
                    DueItem(
                        kind="renewal",
                        id=f"{subject}/{version}",
                        number=number,
                        since=instant(since),
                        due=None,
                        outstanding=None,
                        currency=None,
                    )
                )
        return tuple(sorted(items, key=lambda item: item.since))

    def lots(self, subject: str) -> tuple[DepositLot, ...]:
        """The subscriber's lots in the order in which they are spent, emptied ones too."""
        return tuple(_lot(row) for row in self._source.ask("lots", "lots_of", subject))

    def paid_by(self, lot: str) -> tuple[Allocation, ...]:
        """What the lot paid for, in the order of the log."""
        return tuple(
            Allocation(fact=f"{subject}/{version}", amount=money(amount, currency))
            for subject, version, amount, currency in self._source.ask("lots", "allocations_of", lot)
        )

    def plan_changes(self, subject: str) -> tuple[PlanChange, ...]:
        """Every change of plan that the subscriber asked for, oldest first."""
        return tuple(
            PlanChange(
                id=f"{subject}/{version}",
                from_plan=from_plan,
                plan=plan,
                requested_at=instant(requested_at),
                takes_effect_at=instant(takes_effect_at),
                outcome=outcome,
                settled_at=optional_instant(settled_at),
            )
            for version, from_plan, plan, requested_at, takes_effect_at, outcome, settled_at in self._source.ask(
                "plans", "plan_changes_of", subject
            )
        )

    def usage(self, subject: str) -> tuple[Call, ...]:
        """The subscriber's calls and messages, in the order in which they were first charged."""
        return tuple(_call(row) for row in self._source.ask("usage", "calls_of", subject))

    def refunds(self, subject: str) -> tuple[RefundRecord, ...]:
        """The subscriber's refunds, oldest first."""
        return tuple(_refund(row) for row in self._source.ask("refunds", "refunds_of", subject))

    def disputes(self, subject: str) -> tuple[DisputeRecord, ...]:
        """The subscriber's disputes, oldest first."""
        return tuple(_dispute(row) for row in self._source.ask("refunds", "disputes_of", subject))

    def deadlines(self, until: datetime) -> tuple[Deadline, ...]:
        """Who must be looked at for what falls due up to `until`, by instant; one line per subscriber and reason."""
        return calendar.deadlines(self._source.ask, self._catalogue, until)

    def time_zone(self, subject: str) -> str:
        """The zone in which the subscriber's days begin. Raises UnknownSubscriber."""
        return self._agreement(subject)[1]

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Publications(self._source.facts(CATALOGUE_SUBJECT)).latest.catalogue

    def _agreement(self, subject: str) -> tuple[str, str, str, str, str]:
        row: tuple[str, str, str, str, str] | None = next(self._source.ask("plans", "agreement", subject), None)
        if row is None:
            raise UnknownSubscriber(f"there is no subscriber {subject}{self._never_registered(subject)}")
        return row

    def _never_registered(self, subject: str) -> str:
        """Why somebody is unknown who has asked for something: nothing but refusals is stored of them."""
        if subject == CATALOGUE_SUBJECT or next(iter(self._source.facts(subject)), None) is None:
            return ""
        return f": they never registered; what was refused them is in `subledger events {subject}`"

    def _plan_until(self, end: datetime, subject: str, present: str) -> str:
        """The plan that held until `end`: the one that the first change since then was from, else the present one."""
        for change in self.plan_changes(subject):
            if change.outcome == "changed" and change.settled_at is not None and change.settled_at >= end:
                return change.from_plan
        return present

    def _state(self, subject: str, as_of: datetime | None, known_at: datetime | None) -> Subscriber | None:
        if as_of is None and known_at is None:
            state = self._source.load(subject)
            return state if isinstance(state, Subscriber) else None
        facts = (codec.decode(value).recorded for _, value in self._source.facts(subject))
        return state_at(subject, facts, as_of, known_at)

    def _invoiced(self, regulations: str) -> bool:
        """Whether invoices are issued; a later version of the same regulations cannot change that."""
        return any(version.invoiced for version in self._catalogue.regulations.get(regulations, ()))

    def _publication(self, fact_id: str, found: Entry | None) -> DecisionRecord | None:
        """A fact of the catalogue, which no view holds: all there is to say stands in the fact."""
        if found is None:
            return None
        sequence, state = found
        entry = _entry(state)
        answer = self._source.answer(CATALOGUE_SUBJECT, entry.command)
        return DecisionRecord(
            id=fact_id,
            sequence=sequence,
            type=entry.type,
            subscriber=CATALOGUE_SUBJECT,
            effective_at=entry.effective_at,
            recorded_at=entry.recorded_at,
            basis=entry.basis,
            code=None,
            command=entry.command,
            due=entry.due,
            state=state,
            command_value=answer.command if answer is not None else None,
        )

    def _rented_twice(self) -> Iterator[Finding]:
        for number, one, other, since, until in self._source.ask("rentals", "rented_twice"):
            yield Finding(
                kind="number_rented_twice",
                subject=number,
                subscribers=(one, other),
                message=f"{number} {self._rented_by(one, other, instant(since), optional_instant(until))}",
                details={"since": instant(since), "until": optional_instant(until)},
            )

    def _rented_by(self, one: str, other: str, since: datetime, until: datetime | None) -> str:
        zone = self.time_zone(one)
        if until is None:
            return f"is rented by {one} and {other} at once since {local_text(since, zone)}"
        return f"was rented by {one} and {other} at once, {local_text(since, zone)} to {local_text(until, zone)}"

    def _credited_twice(self) -> Iterator[Finding]:
        for reference, rows in groupby(
            self._source.ask("findings", "references_credited_twice"), key=lambda row: row[0]
        ):
            deposits = list(rows)
            subscribers = tuple(row[1] for row in deposits)
            yield Finding(
                kind="reference_credited_twice",
                subject=reference,
                subscribers=subscribers,
                message=f"the deposit reference {reference} was credited to {', '.join(subscribers)}",
                details={"deposits": tuple(f"{row[1]}/{row[2]}" for row in deposits)},
            )

    def _free_services(self) -> Iterator[Finding]:
        for holder, rows in groupby(self._source.ask("findings", "free_services_of_holders"), key=lambda row: row[0]):
            held = list(rows)
            subscribers = tuple(dict.fromkeys(row[1] for row in held))
            yield Finding(
                kind="free_services_of_one_holder",
                subject=holder,
                subscribers=subscribers,
                message=f"the holder {holder} has free services in {len(subscribers)} accounts",
                details={"services": tuple({"number": row[2], "service": row[3]} for row in held)},
            )

    def _debts(self) -> Iterator[Finding]:
        for subject, currency, units in self._source.ask("balances", "debts"):
            yield Finding(
                kind="debt",
                subject=subject,
                subscribers=(subject,),
                message=f"{subject} owes {money(-units, currency)} {currency}",
                details={"balance": money(units, currency), "currency": currency},
            )

    def _parked(self) -> Iterator[Finding]:
        for one in self._source.parked():
            where = f"{one.path}: " if one.path else ""
            yield Finding(
                kind="parked_command",
                subject=one.position,
                subscribers=(),
                message=f"{where}{one.message}",
                details={"path": one.path, "message": one.message},
            )


def money(units: int, currency: str) -> str:
    """An amount as on the wire."""
    return str(Money(units, currency))


def plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """`value` as JSON takes it: records as objects, money and instants as on the wire, bytes of facts decoded."""
    match value:
        case Money():
            return str(value)
        case datetime():
            return codec.format_instant(value.astimezone(UTC))
        case date():
            return value.isoformat()
        case bytes():
            return orjson.loads(value)
        case dict():
            return {key: plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def _line(subject: str, currency: str, row: Any, running: int) -> StatementLine:
    version, kind, effective_at, recorded_at, number, service, detail, start, end, amount, outstanding = row
    return StatementLine(
        id=f"{subject}/{version}",
        type=kind,
        effective_at=instant(effective_at),
        recorded_at=instant(recorded_at),
        number=number,
        service=service,
        detail=detail,
        period_start=optional_instant(start),
        period_end=optional_instant(end),
        amount=money(amount, currency),
        invoiced=money(outstanding, currency),
        balance=money(running, currency),
    )


def _entry(state: bytes) -> TimelineEntry:
    one = codec.decode(state)
    recorded = one.recorded
    return TimelineEntry(
        id=recorded.id,
        sequence=one.sequence,
        type=codec.short_name(codec.CODERS[type(recorded.fact)].type),
        effective_at=recorded.effective_at,
        recorded_at=recorded.recorded_at,
        basis=recorded.basis,
        command=one.caused_by,
        due=recorded.due,
        fact=recorded.fact,
    )


def _account(account: str, currency: str, debit: int, credit: int) -> AccountTotal:
    return AccountTotal(
        account=account,
        currency=currency,
        debit=money(debit, currency),
        credit=money(credit, currency),
        balance=money(debit - credit, currency),
    )


def _due(subject: str, row: Any) -> DueItem:
    version, kind, number, since, due_at, outstanding, currency = row
    return DueItem(
        kind=kind,
        id=f"{subject}/{version}",
        number=number,
        since=instant(since),
        due=optional_instant(due_at),
        outstanding=money(outstanding, currency) if outstanding is not None else None,
        currency=currency,
    )


def _lot(row: Any) -> DepositLot:
    fact_id, kind, method, reference, received_at, currency, credited, filled_debt, spent, reversed_at = row
    return DepositLot(
        id=fact_id,
        kind=kind,
        method=method,
        reference=reference,
        received_at=instant(received_at),
        currency=currency,
        credited=money(credited, currency),
        filled_debt=money(filled_debt, currency),
        left=money(credited - filled_debt - spent, currency),
        reversed_at=optional_instant(reversed_at),
    )


def _call(row: Any) -> Call:
    usage, number, service, started_at, minutes, units, included, currency, amount, elapsed, ended, cut_off = row
    return Call(
        usage=usage,
        number=number,
        service=service,
        started_at=instant(started_at),
        minutes=minutes,
        units=units,
        included=included,
        currency=currency,
        amount=money(amount, currency),
        elapsed_seconds=elapsed,
        ended=bool(ended),
        cut_off=bool(cut_off),
    )


def _refund(row: Any) -> RefundRecord:
    (
        fact_id,
        requested_at,
        reason,
        decided_at,
        approved,
        reviewer,
        due_at,
        currency,
        amount,
        fee,
        method,
        paid_at,
        paid_currency,
        paid,
        reference,
    ) = row
    return RefundRecord(
        id=fact_id,
        requested_at=optional_instant(requested_at),
        reason=reason,
        decided_at=optional_instant(decided_at),
        approved=None if approved is None else bool(approved),
        reviewer=reviewer,
        due_at=optional_instant(due_at),
        currency=currency,
        amount=None if amount is None else money(amount, currency),
        fee=None if fee is None else money(fee, currency),
        method=method,
        paid_at=optional_instant(paid_at),
        paid_currency=paid_currency,
        paid=None if paid is None else money(paid, paid_currency),
        reference=reference,
    )


def _dispute(row: Any) -> DisputeRecord:
    fact_id, charge, opened_at, reason, resolved_at, upheld, reviewer, resolution = row
    return DisputeRecord(
        id=fact_id,
        charge=charge,
        opened_at=instant(opened_at),
        reason=reason,
        resolved_at=optional_instant(resolved_at),
        upheld=None if upheld is None else bool(upheld),
        reviewer=reviewer,
        resolution=resolution,
    )
