"""The ledger as its rules read: `Model().execute(command)` answers a command with its outcome."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

from .account import Account
from .catalogue import Catalogue, Malformed
from .decisions import Checks, Decision, Refused
from .shapes import PUBLISHING, check
from .values import ZERO, instant, iso, plus_days

Data = dict[str, Any]


@dataclass
class Subject:
    """A stream of facts: a subscriber's, or the catalogue's."""

    name: str
    facts: list[Data] = field(default_factory=list)
    last: dt.datetime | None = None
    outcomes: dict[str, tuple[str, Data]] = field(default_factory=dict)
    account: Account | None = None


class Model:
    """A ledger in memory with the built-in regulations and the sample tariffs."""

    def __init__(self) -> None:
        self.catalogue = Catalogue.initial()
        self.subjects: dict[str, Subject] = {}
        self.last: dt.datetime | None = None
        self._recorded: list[Data] = []

    def execute(self, command: Any) -> Data:
        """One command: time does its part, the command is decided, the outcome is remembered under its id."""
        same = json.dumps(command, sort_keys=True)
        known = self._known(command)
        if known is not None and known[0] == same:
            return {**known[1], "status": "duplicate"}
        try:
            check(command)
        except Malformed as fault:
            return self._invalid(command, fault.path)
        subject = self.subjects.setdefault(command["subscriber"], Subject(command["subscriber"]))
        now = instant(command["at"])
        assert now is not None
        if known is not None or (subject.last is not None and now < subject.last):
            code = "command_id_reused" if known is not None else "time_went_backwards"
            return self._outcome(subject, command, "refused", {"code": code, "events": []})
        self._recorded = []
        try:
            answer = self._decide(subject, command, now)
        except Malformed as fault:
            return self._invalid(command, fault.path)
        if not (answer.get("code") == "unknown_subscriber" and command["type"] == "AdvanceClock"):
            subject.last = now
            self.last = now if self.last is None else max(now, self.last)
        outcome = self._outcome(subject, command, answer.pop("status"), {**answer, "events": self._recorded})
        subject.outcomes[command["id"]] = (same, outcome)
        return outcome

    def _known(self, command: Any) -> tuple[str, Data] | None:
        """The outcome of a command with this id of this subject. Ids are unique per subscriber."""
        if not isinstance(command, dict):
            return None
        name, identity = command.get("subscriber"), command.get("id")
        if not isinstance(name, str) or not isinstance(identity, str) or name not in self.subjects:
            return None
        return self.subjects[name].outcomes.get(identity)

    @staticmethod
    def _invalid(command: Any, path: str) -> Data:
        identity = command.get("id") if isinstance(command, dict) else None
        return {"command": identity, "status": "invalid", "path": path}

    def _outcome(self, subject: Subject, command: Data, status: str, fields: Data) -> Data:
        outcome = {"command": command["id"], "status": status, **fields}
        account = subject.account
        if account is not None:
            books = account.books
            books.check(command["type"])
            assert books.journal[books.receivable] == books.outstanding, "receivable is what is outstanding"
            due = sum(refund.due for refund in account.refunds.values() if refund.state == "due")
            assert -books.journal[books.payable] == due, "payable is what is due"
            outcome["balance"] = books.text(books.balance)
            outcome["currency"] = books.currency
            if account.invoices:
                outcome["outstanding"] = books.text(books.outstanding)
        if command["type"] == "ReportUsage" and status == "refused":
            outcome["continue"] = False
            outcome["charged"] = account.books.text(ZERO) if account is not None else "0.00"
        return outcome

    def _decide(self, subject: Subject, command: Data, now: dt.datetime) -> Data:
        """Accepted, or refused with a fact at the end of the stream."""
        checks = Checks()
        try:
            if command["type"] in PUBLISHING:
                self._publish(subject, command, now, checks)
                return {"status": "accepted"}
            if command["type"] == "RegisterSubscriber":
                if subject.account is not None:
                    subject.account.advance(now)
                self._register(subject, command["data"], now, checks)
                return {"status": "accepted"}
            checks.refuse("unknown_subscriber", subject.account is None)
            assert subject.account is not None
            subject.account.advance(now)
            decision = Decision(subject.account, command, now, checks)
            decision.decide()
            return {"status": "accepted", **decision.more}
        except Refused as no:
            answer: Data = {"status": "refused", "code": no.code}
            if no.earliest is not None:
                answer["earliest"] = iso(no.earliest)
            if not (no.code == "unknown_subscriber" and command["type"] == "AdvanceClock"):
                self._record(subject, "command-refused", now, {"command": command["type"], **answer})
            return answer

    def _record(self, subject: Subject, name: str, at: dt.datetime, data: Data) -> str:
        """A fact; its id is `<subject>/<streamversion>`."""
        identity = f"{subject.name}/{len(subject.facts) + 1}"
        fact = {"id": identity, "name": name, "effective_at": iso(at), "data": data}
        subject.facts.append(fact)
        self._recorded.append(fact)
        return identity

    def _register(self, subject: Subject, data: Data, now: dt.datetime, checks: Checks) -> None:
        checks.refuse("already_registered", subject.account is not None)
        rules = self.catalogue.rules(data["regulations"], now)
        checks.refuse("unknown_regulations", rules is None)
        assert rules is not None
        checks.refuse("currency_not_accepted", data["currency"] not in rules["currencies"])
        pair = (data["regulations"], data["currency"])
        checks.refuse("unknown_plan", not self.catalogue.offers(pair, now, data["plan"]))

        def emit(name: str, at: dt.datetime, more: Data) -> str:
            return self._record(subject, name, at, more)

        account = subject.account = Account(subject.name, emit, self.catalogue, data, now)
        account.books.fact("subscriber-registered", now, {"regulations": rules.name, "version": rules.version})
        if rules["conclusion"] == "registration":
            account.conclude(now)

    # ------------------------------------------------------------------------------------------------ the catalogue

    def _publish(self, subject: Subject, command: Data, now: dt.datetime, checks: Checks) -> None:
        document = command["data"]
        effective_from = instant(document["effective_from"])
        assert effective_from is not None
        latest = now if self.last is None else max(now, self.last)
        if command["type"] == "PublishTariff":
            self._publish_tariff(document, now, checks, past=effective_from < latest)
            self._record(subject, "tariff-published", now, {"tariff": document["tariff"]})
        else:
            self._publish_regulations(document, now, checks, effective_from, past=effective_from < latest)
            data = {"regulations": document["regulations"], "version": document["version"]}
            self._record(subject, "regulations-published", now, data)

    def _publish_tariff(self, document: Data, now: dt.datetime, checks: Checks, *, past: bool) -> None:
        versions = self.catalogue.regulations.get(document["regulations"], [])
        checks.refuse("unknown_regulations", not versions)
        rules = self.catalogue.rules(document["regulations"], now) or versions[-1]
        checks.refuse("currency_not_accepted", document["currency"] not in rules["currencies"])
        checks.refuse("effective_in_the_past", past)
        discounted = any("discount" in plan for plan in document["plans"].values())
        checks.refuse("discount_not_allowed", discounted and not rules["discounts_allowed"])
        self.catalogue.add_tariff(document)

    def _publish_regulations(
        self, document: Data, now: dt.datetime, checks: Checks, effective_from: dt.datetime, *, past: bool
    ) -> None:
        versions = self.catalogue.regulations.get(document["regulations"], [])
        if any(version.version == document["version"] for version in versions):
            raise Malformed("data.version")
        base = self.catalogue.regulations.get(document["extends"]) if "extends" in document else []
        checks.refuse("unknown_regulations", base is None)
        assert base is not None
        stated = document.get("set", document)
        parameters = {**(base[-1].parameters if base else {}), **stated}
        rules = (self.catalogue.rules(document["regulations"], now) or versions[-1]) if versions else None
        fixed = ("time_zone", "currencies", "pay_with")
        checks.refuse("not_changeable", rules is not None and any(parameters[key] != rules[key] for key in fixed))
        checks.refuse("effective_in_the_past", past)
        if rules is not None:
            material = document.get("material", True)
            days = rules["regulations_notice_days" if material else "immaterial_notice_days"]
            earliest = plus_days(rules.zone, now, days)
            checks.refuse("notice_too_short", effective_from < earliest, earliest)
        self.catalogue.add_regulations(document)
