"""Plausible and nasty command sequences, random regulations and tariffs, from a seed.

    python -m tests.model.generate 7          # one sequence as JSON Lines

The generator runs the model beside itself, so that it can name real charges, refunds and disputes, pay what is just
enough, and step to the instants at which something falls due.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
import sys
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from .account import Account, Renewal
from .catalogue import AUP_KINDS, BUILT_IN, METHODS
from .decisions import OPEN_AFTER_END, OPEN_TO_REFUSED, snake
from .ledger_model import Model
from .values import MINOR_DIGITS, first_instant, local_date, month_after, plus_days, show

Data = dict[str, Any]
MOST_SUBSCRIBERS = 5
SECOND = dt.timedelta(seconds=1)
ZONES = (
    "Europe/Kyiv", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo", "UTC",
    "Asia/Beirut", "America/Havana", "Pacific/Apia",
)  # fmt: skip
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
PERIODIC = ("did.ua", "did.us", "hosting", "domain", "gift")
STARTS = (
    "2026-01-05T10:00:00+00:00", "2026-01-31T21:59:59+00:00", "2026-02-27T12:00:00+00:00", "2026-03-28T23:30:00+00:00",
    "2026-03-29T00:59:59+00:00", "2025-12-31T23:00:00+00:00", "2026-10-24T22:00:00+00:00", "2024-02-28T22:00:00+00:00",
)  # fmt: skip


def random_regulations(rng: random.Random, name: str, effective_from: str, version: str = "1") -> Data:
    """A valid document in which every parameter is drawn; parameters that belong together are drawn together."""
    invoices = rng.random() < 0.4
    pick = rng.choice

    def maybe(value: Any, odds: float = 0.5) -> Any:
        return value if rng.random() < odds else None

    drawn = {
        "time_zone": pick(ZONES),
        "currencies": rng.sample(CURRENCIES, rng.randint(1, 3)),
        "conclusion": pick(["verified_and_funded", "registration"]),
        "funding_hours": maybe(pick([0, 1, 36, 72, 1000])),
        "pay_with": "invoices" if invoices else "balance",
        "invoice_due_days": pick([1, 3, 10, 40]) if invoices else None,
        "unpaid_invoice": pick(["outstanding", "expires"]) if invoices else None,
        "plan_change_notice_days": pick([0, 1, 3, 10]),
        "late_plan_change": pick(["refuse", "next_period"]),
        "unpaid_renewal": pick(["suspend", "continue", "end"]),
        "unpaid_ends_after": pick([None, {"months": 1}, {"months": 1}, {"days": 0}, {"days": 7}, {"days": 20}]),
        "unpaid_end_counts_from": pick(["period_start", "then"]),
        "agreement_ends_with_last_rental": pick([True, False]),
        "subscriber_termination": pick(["period_end", "at_once"]),
        "term_notice_days": maybe(pick([0, 14, 60])),
        "company_notice_days": pick([0, 1, 14, 40]),
        "termination_for_cause": pick(["period_end", "at_once"]),
        "violations_until_termination": maybe(pick([1, 2, 3])),
        "balance_at_termination": pick(["refund", "by_refund_rules", "keep"]),
        "balance_at_termination_for_cause": pick(["refund", "forfeit"]),
        "refunds": pick(["on_termination", "unused_deposits", "money_back", "discretionary"]),
        "refund_days": pick([1, 30, 90]),
        "non_refundable_methods": rng.sample(METHODS, rng.randint(0, 2)),
        "refund_currencies": maybe(rng.sample(["EUR", "USD", "BTC", "XMR"], rng.randint(1, 2))),
        "processing_fees": maybe({"*": {"card": "2.00", "*": "3.00"}, "ME": {"*": "0.00"}}),
        "dispute_hours": maybe(pick([1, 72])),
        "compensation_cap": pick(["balance_at_fault", "paid_in_last_months", None]),
        "compensation_months": pick([1, 3]),
        "number_replacement_notice_days": pick([0, 1, 14]),
        "regulations_notice_days": pick([0, 14]),
        "immaterial_notice_days": pick([0, 3]),
        "ticket_required": rng.random() < 0.2,
        "transfer_needs_consent": pick([True, False]),
        "discounts_allowed": pick([True, False]),
        "one_free_service": pick([True, False]),
        "erase_personal_data_at_end": pick([True, False]),
        "violation_kinds": rng.sample(AUP_KINDS, 4),
    }
    return {
        "regulations": name, "version": version, "effective_from": effective_from, "material": pick([True, False]),
        "extends": pick(BUILT_IN), "set": drawn,
    }  # fmt: skip


def random_tariff(
    rng: random.Random, name: str, regulations: str, currency: str, effective_from: str, *, discounts: bool
) -> Data:
    """A valid tariff: odd prices, free services, included units, tax, services that only some plans have."""

    def price(high: int, free: float = 0.08) -> str:
        if rng.random() < free:
            return "0.00"
        return rng.choice(
            [f"{rng.randint(1, high)}.{rng.randint(0, 99):02d}", f"{rng.randint(0, high)}.{rng.randint(1, 999):03d}"]
        )

    plans: Data = {}
    for plan in ("start", "business", "pro")[: rng.randint(2, 3)]:
        periodic: Data = {service: price(9) for service in PERIODIC if rng.random() < 0.92}
        periodic["hosting"] = {"price": price(9), "refundable": True}
        periodic["domain"] = {"price": price(12), "third_party": rng.random() < 0.8}
        periodic["gift"] = "0.00"
        if rng.random() < 0.9:
            periodic["channel"] = price(2)
        usage: Data = {
            "voice.in": {"per": "minute", "price": rng.choice(["0.0125", "0.02", "0.000007", "0.00"])},
            "sms.in": {"per": "unit", "price": rng.choice(["0.02", "0.035", "0.00"])},
        }
        for entry in usage.values():
            if rng.random() < 0.5:
                entry["included"] = rng.choice([1, 3, 60])
        plans[plan] = {
            "connection_fee": price(8, 0.25), "periodic": periodic, "usage": usage,
            "administrative": {"number_change": price(4), "documents": price(3)},
        }  # fmt: skip
        if discounts and rng.random() < 0.3:
            plans[plan]["discount"] = rng.choice(["0.10", "0.333", "1.00"])
    tax = rng.choice([None, None, {"name": "VAT", "rate": rng.choice(["0.18", "0.2", "0.0775"])}])
    return {
        "tariff": name, "regulations": regulations, "currency": currency, "effective_from": effective_from, "tax": tax,
        "plans": plans,
    }  # fmt: skip


class Generator:
    """One sequence. `provider` is a built-in name, or None for random regulations with random tariffs."""

    def __init__(
        self,
        seed: int,
        *,
        provider: str | None = None,
        subscribers: int = 2,
        length: int = 120,
        malformed: float = 0.03,
    ) -> None:
        self.rng = random.Random(seed)
        self.model = Model()
        self.commands: list[Data] = []
        self.length = length
        self.malformed = malformed
        start = dt.datetime.fromisoformat(self.rng.choice(STARTS))
        self.now = start
        self.names = [f"s-{index + 1}" for index in range(subscribers)]
        self.count = 0
        self.versions = 1
        self.poor = self.rng.random() < 0.4  # deposits are rare and small once something is rented
        self.calm = self.rng.random() < 0.5  # nobody ends anything early
        self.terms = self.rng.choice([0.1, 0.3, 0.9])  # how often an order has a term
        self.hurry = self.rng.choice([0.0, 0.3, 1.0])  # how often time jumps to the next period
        self.provider = provider or "prov"
        if provider is None:
            self._publish_everything()
        self.rules = self.model.catalogue.regulations[self.provider][-1]
        self.zone: ZoneInfo = self.rules.zone

    def run(self) -> list[Data]:
        """The commands, in order."""
        for name in self.names:
            self._send(name, "RegisterSubscriber", self._registration())
        while len(self.commands) < self.length:
            self._step()
        return self.commands

    # ---------------------------------------------------------------------------------------------------- catalogue

    def _publish_everything(self) -> None:
        at = self.now.isoformat()
        document = random_regulations(self.rng, self.provider, at)
        self._send("catalogue", "PublishRegulations", document)
        for currency in document["set"]["currencies"]:
            self._publish_tariff(currency, at)

    def _publish_tariff(self, currency: str, effective_from: str) -> None:
        self.versions += 1
        parameters = self.model.catalogue.regulations[self.provider][-1]
        name = f"{self.provider}-{currency}-{self.versions}".lower()
        discounts = parameters["discounts_allowed"] or (bool(self.commands[9:]) and self.rng.random() < 0.1)
        document = random_tariff(self.rng, name, self.provider, currency, effective_from, discounts=discounts)
        self._send("catalogue", "PublishTariff", document)

    def _publish_change(self) -> None:
        """A later tariff, or later regulations, sooner or later than their notice."""
        if self.provider in BUILT_IN:
            return
        later = self.rng.choice([dt.timedelta(0), dt.timedelta(hours=5), dt.timedelta(days=3)])
        if self.rng.random() < 0.6:
            self._publish_tariff(self.rng.choice(self.rules["currencies"]), (self.now + later).isoformat())
            return
        rng, rules = self.rng, self.model.catalogue.regulations[self.provider][-1]
        days = rng.choice([0, rules["regulations_notice_days"], rules["immaterial_notice_days"]])
        from_ = plus_days(self.zone, self.now, days) - rng.choice([SECOND * 0, SECOND * 0, SECOND])
        self.versions += 1
        drawn = random_regulations(rng, self.provider, from_.isoformat(), str(self.versions))
        changed = rng.sample(sorted(drawn["set"]), 4)
        fixed = ("time_zone", "currencies", "pay_with", "invoice_due_days", "unpaid_invoice")
        drawn["set"] = {key: drawn["set"][key] for key in changed if key not in fixed or rng.random() < 0.15}
        drawn["extends"] = self.provider
        self._send("catalogue", "PublishRegulations", drawn)

    # ------------------------------------------------------------------------------------------------------ sending

    def _send(self, subscriber: str, kind: str, data: Data, **envelope: Any) -> None:
        self.count += 1
        command = {
            "id": f"c-{self.count}", "type": kind, "subscriber": subscriber, "at": self._written(self.now),
            "actor": self.rng.choice(["desk-1", "desk-2"]), "data": data, **envelope,
        }  # fmt: skip
        self.commands.append(command)
        self.model.execute(command)

    def _written(self, at: dt.datetime) -> str:
        zone = self.rng.choice([dt.UTC, dt.timezone(dt.timedelta(hours=2)), ZoneInfo("Europe/Kyiv")])
        return at.astimezone(zone).isoformat()

    def _account(self, name: str) -> Account | None:
        subject = self.model.subjects.get(name)
        return subject.account if subject else None

    # -------------------------------------------------------------------------------------------------------- steps

    def _step(self) -> None:
        rng = self.rng
        self._move()
        name = rng.choice(self.names)
        roll = rng.random()
        if roll < 0.02 and self.commands:
            self._repeat()
        elif roll < 0.03:
            back = (self.now - rng.choice([SECOND, dt.timedelta(days=1)])).isoformat()
            self._send(name, "AdvanceClock", {}, at=back)
        elif roll < 0.05:
            self._publish_change()
        elif roll < 0.054:
            self._send("s-unknown", rng.choice(["AdvanceClock", "PassVerification", "RequestTermination"]), {})
        else:
            account = self._account(name)
            over = account is not None and (account.refused or account.ended_at is not None)
            if over and len(self.names) < MOST_SUBSCRIBERS and rng.random() < 0.25:
                name, account = f"s-{len(self.names) + 1}", None
                self.names.append(name)
            elif over and rng.random() < 0.5:
                return
            kind, data = ("RegisterSubscriber", self._registration()) if account is None else self._pick(account)
            self._send(name, kind, data)
            if rng.random() < self.malformed:
                self._spoil()

    def _repeat(self) -> None:
        """A command again: the same, or another one under its id."""
        again = copy.deepcopy(self.rng.choice(self.commands))
        if self.rng.random() < 0.4 and isinstance(again.get("data"), dict):
            again["actor"] = "someone-else"
        self.commands.append(again)
        self.model.execute(again)

    def _spoil(self) -> None:
        """The last command with one fault, under a new id."""
        rng = self.rng
        command = copy.deepcopy(self.commands[-1])
        if not isinstance(command.get("data"), dict):
            return
        self.count += 1
        command["id"] = f"c-{self.count}"
        target = command["data"] if command["data"] and rng.random() < 0.7 else command
        key = rng.choice(sorted(target))
        how = rng.randint(0, 3)
        if how == 0:
            target["surplus"] = 1
        elif how == 1 and key != "id":
            target[key] = rng.choice([1.5, [], {"x": 1}]) if key not in ("personal", "data") else 3
        elif how == 2 and "at" in command:
            command["at"] = rng.choice(["2026-01-05T10:00:00", "yesterday", 17])
        elif "amount" in command["data"]:
            command["data"]["amount"] = rng.choice(["1e2", "5,00", "", "0.0000001", 5, 5.0, True, "NaN", None])
        else:
            command["type"] = "GiveMoney"
        self.commands.append(command)
        self.model.execute(command)

    def _move(self) -> None:
        """The next instant: now, a little later, or one at which something happens, or a second beside it."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.35:
            return
        if roll < 0.70:
            self.now += dt.timedelta(seconds=rng.choice([1, 1, 59, 60, 3600, 7200, 40000, 86400]))
            return
        if roll < 0.70 + 0.2 * self.hurry:
            boundary = first_instant(self.zone, month_after(local_date(self.zone, self.now)))
            self.now = max(self.now, boundary + rng.choice([-SECOND, SECOND * 0, SECOND, dt.timedelta(days=3)]))
            return
        later = [at for at in self._interesting() if at > self.now]
        near = sorted(later)[: rng.choice([1, 2, 4, 8])]
        if near:
            self.now = rng.choice(near)

    def _interesting(self) -> list[dt.datetime]:
        zone, found = self.zone, []
        today = local_date(zone, self.now)
        boundary = first_instant(zone, month_after(today))
        found += [boundary, first_instant(zone, month_after(month_after(today)))]
        found += [plus_days(zone, boundary, -days) for days in (self.rules["plan_change_notice_days"], 1, 3)]
        found.append(first_instant(zone, today + dt.timedelta(days=1)))
        found.append(first_instant(zone, today.replace(day=1) + dt.timedelta(days=8)))
        for name in self.names:
            account = self._account(name)
            if account is None:
                continue
            due = account._next_due()
            found += [due[0]] if due else []
            found += [account.registered_at + dt.timedelta(hours=hours) for hours in (36, 72)]
            charges = list(account.books.charges.values())
            for charge in charges[:1] + charges[-3:]:
                found.append(charge.effective_at + dt.timedelta(hours=self.rules["dispute_hours"] or 72))
                found.append(charge.effective_at + dt.timedelta(days=self.rules["refund_days"] or 30))
            found += [lot.received_at + dt.timedelta(days=90) for lot in account.deposits.values()]
        beside = self.rng.choice([-SECOND, SECOND, SECOND * 0, dt.timedelta(microseconds=1)])
        return [at + step for at in found for step in (dt.timedelta(0), beside)]

    # --------------------------------------------------------------------------------------------- what to ask for

    def _registration(self) -> Data:
        rng = self.rng
        currency = rng.choice(self.rules["currencies"])
        documents = self.model.catalogue.tariffs.get((self.provider, currency), [])
        plans = sorted(documents[-1].document["plans"]) if documents else ["start"]
        data: Data = {
            "regulations": self.provider if rng.random() < 0.98 else "nobody",
            "currency": currency if rng.random() < 0.97 else "CHF",
            "plan": rng.choice(plans) if rng.random() < 0.97 else "golden",
            "holder": rng.choice(["h-1", "h-2"]),
        }
        for key, odds in (("autorenew", 0.3), ("first_account", 0.2)):
            if rng.random() < odds:
                data[key] = rng.random() < 0.6
        if rng.random() < 0.3:
            data["personal"] = {"name": "sealed"}
        return data

    def _services(self, account: Account, section: str) -> list[str]:
        _, plan = self.model.catalogue.plan(account.pair, self.now, account.plan)
        found = sorted(plan[section])
        return [*found, "nonsense"] if self.rng.random() < 0.05 or not found else found

    def _number(self, account: Account, *, held: bool = True) -> str:
        numbers = [rental.number for rental in account.rentals] + [order.number for order in account.orders]
        if held and numbers and self.rng.random() < 0.93:
            return self.rng.choice(numbers)
        return self.rng.choice([f"+38044555{index:04d}" for index in range(1, 13)])

    def _amount(self, account: Account) -> str:
        """Just enough for what waits, a hair less or more, something odd, or plenty."""
        rng, currency = self.rng, account.books.currency
        need = account.books.outstanding - account.books.balance
        for item in account.queue[: rng.choice([1, 2, 9])]:
            if isinstance(item, Renewal):
                need += item.quote.total
            elif item.invoice is None:
                need += account.order_quote(self.now, item, fee=True).total
        tiny = Fraction(1, 10**6)
        cent = Fraction(1, 10 ** MINOR_DIGITS[currency])
        if need > tiny and rng.random() < 0.5:
            amount = need + rng.choice([Fraction(0), Fraction(0), tiny, -tiny, cent, -cent, -need / 2])
            scaled = int(amount * 10**6)
            return show(Fraction(max(scaled, 1), 10**6), currency)
        odd = ["0.000001", "0.01", "0.99", "3.14", "3.14", "5.00", "7.333333", "10.00", "20.00", "50.00"]
        if self.poor:
            odd = odd[:6] + ["8.00", "12.00"]
        return rng.choice([*odd, "-1.00", "0.00"] if rng.random() < 0.1 else odd)

    def _pick(self, account: Account) -> tuple[str, Data]:
        """A command that makes sense more often than not."""
        kinds = {
            "CreditDeposit": 18, "OrderNumber": 12, "ReportUsage": 14, "AdvanceClock": 8, "PassVerification": 3,
            "AddChannels": 4, "ReleaseNumber": 2, "SetAutorenew": 2, "ReplaceNumber": 2, "RequestPlanChange": 4,
            "AnnounceNumberReplacement": 2, "WithdrawPlanChange": 1, "OrderAdministrativeService": 2,
            "ReverseDeposit": 2, "RecordViolation": 0.8, "SuspendServices": 0.6, "ResumeServices": 0.2,
            "RequestTermination": 0.8, "TerminateAgreement": 1.2, "RequestRefund": 2,
            "DecideRefund": 0.5, "ConfirmRefundPaid": 0.5,
            "OpenDispute": 3, "ResolveDispute": 1, "GrantCompensation": 2, "PostAdjustment": 2, "TransferAgreement": 1,
            "ErasePersonalData": 0.2, "RefuseRegistration": 0.15, "RegisterSubscriber": 0.1,
        }  # fmt: skip
        over = account.refused or account.ended_at is not None
        if self.poor and account.rentals:
            kinds |= {"CreditDeposit": 4, "OrderNumber": 6}
        if self.calm:
            for kind in (
                "RefuseRegistration",
                "RequestTermination",
                "TerminateAgreement",
                "RecordViolation",
                "RequestRefund",
            ):
                kinds[kind] /= 10
        if over:
            allowed = OPEN_TO_REFUSED if account.refused else OPEN_AFTER_END
            kinds = {kind: odds if kind in allowed else odds / 20 for kind, odds in kinds.items()}
        elif not account.verified:
            kinds["PassVerification"] = 30
        if not over and not account.rentals:
            about_rentals = {"ReportUsage", "AddChannels", "ReplaceNumber", "AnnounceNumberReplacement", "OpenDispute"}
            kinds = {kind: odds / 10 if kind in about_rentals else odds for kind, odds in kinds.items()}
            kinds |= {"OrderNumber": 22, "CreditDeposit": 25}
        if any(refund.state in ("requested", "due") for refund in account.refunds.values()):
            kinds["DecideRefund"] = kinds["ConfirmRefundPaid"] = 5
        if any(not resolved for _, resolved in account.disputes.values()):
            kinds["ResolveDispute"] = 15
        if account.suspended and not over:
            kinds["ResumeServices"] = 20
        if account.change is None:
            kinds["WithdrawPlanChange"] = 0.1
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        return kind, self._data(kind, account)

    def _data(self, kind: str, account: Account) -> Data:
        rng = self.rng
        build = getattr(self, f"_data_{snake(kind)}", None)
        if build is not None:
            built: Data = build(account)
            return built
        simple: dict[str, Data] = {
            "RefuseRegistration": {"ground": "data"},
            "ReleaseNumber": {"number": self._number(account)},
            "SetAutorenew": {"number": self._number(account), "autorenew": rng.random() < 0.5},
            "AddChannels": {"number": self._number(account), "count": rng.randint(1, 3)},
            "ReplaceNumber": {"number": self._number(account), "new_number": self._number(account, held=False)},
            "SuspendServices": {"ground": "abuse"},
            "ErasePersonalData": {"reason": "asked"},
        }
        return simple.get(kind, {})

    def _data_register_subscriber(self, account: Account) -> Data:
        return self._registration()

    def _data_credit_deposit(self, account: Account) -> Data:
        rng = self.rng
        currency = account.books.currency if rng.random() < 0.98 else "CHF"
        reference = rng.choice([f"p-{self.count}"] * 40 + [*account.deposits][:1])
        data = {
            "amount": self._amount(account),
            "currency": currency,
            "method": rng.choice(METHODS),
            "reference": reference,
        }
        if rng.random() < 0.12:
            back = rng.choice([SECOND, dt.timedelta(days=3), dt.timedelta(days=40), SECOND * 0, -SECOND])
            data["received_at"] = (self.now - back).isoformat()
        return data

    def _data_reverse_deposit(self, account: Account) -> Data:
        return {"reference": self.rng.choice([*account.deposits] or ["none"]), "ground": "chargeback"}

    def _data_order_number(self, account: Account) -> Data:
        rng = self.rng
        services = self._services(account, "periodic")
        service = rng.choice([name for name in services if name != "channel" or rng.random() < 0.1] or services)
        number = self._number(account, held=rng.random() < 0.1)
        if not service.startswith("did.") and rng.random() < 0.5:
            number = f"site-{rng.randint(1, 4)}.example"
        data: Data = {"number": number if number.startswith("+") or not service.startswith("did.") else "+380445559999"}
        data["service"] = service
        if rng.random() < 0.4:
            data["channels"] = rng.randint(0, 3)
        if rng.random() < 0.3:
            data["autorenew"] = rng.random() < 0.5
        if rng.random() < self.terms:
            data["periods"] = rng.choice([1, 2, 3, 6])
            if rng.random() < 0.5:
                data["prepaid"] = rng.random() < 0.9
        return data

    def _data_announce_number_replacement(self, account: Account) -> Data:
        notice = self.rules["number_replacement_notice_days"]
        on = local_date(self.zone, self.now) + dt.timedelta(days=notice + self.rng.choice([-1, 0, 1, 2, 5]))
        data = {"number": self._number(account), "new_number": self._number(account, held=False)}
        return {**data, "on": on.isoformat()}

    def _data_request_plan_change(self, account: Account) -> Data:
        documents = self.model.catalogue.tariffs[account.pair]
        others = [plan for plan in sorted(documents[-1].document["plans"]) if plan != account.plan]
        return {"plan": self.rng.choice(others * 12 + ["golden", account.plan, account.plan])}

    def _data_order_administrative_service(self, account: Account) -> Data:
        data: Data = {"service": self.rng.choice(self._services(account, "administrative"))}
        if self.rng.random() < 0.3:
            data["quantity"] = self.rng.randint(1, 3)
        return data

    def _data_report_usage(self, account: Account) -> Data:
        rng = self.rng
        number = self._number(account)
        service = rng.choice(self._services(account, "usage"))
        if service.startswith("sms") != (rng.random() < 0.02):
            usage = f"m-{number}-{rng.randint(1, 30)}"
            return {"number": number, "usage": usage, "service": service, "units": rng.choice([1, 2, 3, 100])}
        usage = f"call-{number}-{rng.randint(1, 6)}"
        known = account.usage.get(usage)
        seconds = (known.reported if known else 0) + rng.choice([0, 1, 59, 60, 61, 119, 120, 600, 3601, -1, -60])
        data = {"number": number, "usage": usage, "service": service}
        return {**data, "elapsed_seconds": max(0, seconds), "ended": rng.random() < 0.3}

    def _data_record_violation(self, account: Account) -> Data:
        rng = self.rng
        kinds = self.rules["violation_kinds"]
        data: Data = {"kind": rng.choice([*kinds, "rudeness"]), "ground": "seen"}
        if rng.random() < 0.2:
            data["unlawful"] = rng.random() < 0.7
        if rng.random() < 0.4:
            data["sanction"] = rng.choice(["warning", "suspension", "termination"])
        return data

    def _data_request_termination(self, account: Account) -> Data:
        return {"ticket": "t-1"} if self.rng.random() < 0.6 else {"reason": "moving"}

    def _data_terminate_agreement(self, account: Account) -> Data:
        cause = self.rng.choice(["notice", "violation", "unlawful_use", "non_payment"])
        data: Data = {"ground": "breach", "cause": cause}
        if self.rng.random() < 0.5:
            data["charge_remaining_term"] = self.rng.random() < 0.8
        return data

    def _data_request_refund(self, account: Account) -> Data:
        rng = self.rng
        data: Data = {}
        if rng.random() < 0.7:
            data["method"] = rng.choice(METHODS)
        if rng.random() < 0.7:
            data["country"] = rng.choice(["ME", "DE"])
        return data

    def _data_decide_refund(self, account: Account) -> Data:
        refund = self.rng.choice([*account.refunds] or [f"{account.id}/1"])
        return {"refund": refund, "approved": self.rng.random() < 0.7, "reviewer": "lead-1", "reason": "r"}

    def _data_confirm_refund_paid(self, account: Account) -> Data:
        rng = self.rng
        refund = rng.choice([*account.refunds] or [f"{account.id}/1"])
        data: Data = {"refund": refund, "method": rng.choice(METHODS), "reference": f"out-{self.count}"}
        if rng.random() < 0.7:
            data["currency"] = rng.choice([*(self.rules["refund_currencies"] or [account.books.currency]), "USD"])
        if rng.random() < 0.7:
            data["rate"] = rng.choice(["0.9213", "0.000010000001", "1", "151.5"])
        return data

    def _data_open_dispute(self, account: Account) -> Data:
        charges = [*account.books.charges]
        charge = self.rng.choice((charges[-4:] or []) + charges + [f"{account.id}/1"])
        return {"charge": charge, "reason": "wrong"}

    def _data_resolve_dispute(self, account: Account) -> Data:
        rng = self.rng
        open_ones = [key for key, (_, resolved) in account.disputes.items() if not resolved]
        dispute = rng.choice(open_ones or [*account.disputes] or [f"{account.id}/1"])
        data: Data = {"dispute": dispute, "upheld": rng.random() < 0.8, "reviewer": "lead-1", "reason": "r"}
        if rng.random() < 0.4:
            data["amount"] = rng.choice(["0.01", "0.5", "1.234567", "1000.00"])
        return data

    def _data_grant_compensation(self, account: Account) -> Data:
        rng = self.rng
        back = rng.choice([0, 1, 3600, 86400, 40 * 86400, -1])
        fault = (self.now - dt.timedelta(seconds=back)).isoformat()
        amount = rng.choice(
            ["0.50", "1.00", "5.00", "0.00", "30.00", account.books.text(max(account.books.balance, Fraction(0)))]
        )
        return {"amount": amount, "fault_at": fault, "complaint_at": self.now.isoformat(), "evidence": "e-1"}

    def _data_post_adjustment(self, account: Account) -> Data:
        rng = self.rng
        amount = rng.choice(["1.00", "-1.00", "-0.333333", "5.00", "-30.00", "0.00"])
        return {"amount": amount, "reason": "correction", "reviewer": rng.choice(["lead-1", "lead-1", "desk-1"])}

    def _data_transfer_agreement(self, account: Account) -> Data:
        data: Data = {"holder": self.rng.choice(["h-1", "h-3"])}
        if self.rng.random() < 0.6:
            data["consent"] = self.rng.random() < 0.8
        if self.rng.random() < 0.3:
            data["personal"] = {"name": "sealed"}
        return data


def generate(seed: int, *, provider: str | None = None, subscribers: int = 2, length: int = 120) -> list[Data]:
    """A sequence of commands: `provider` is a built-in name, or None for random regulations and tariffs."""
    return Generator(seed, provider=provider, subscribers=subscribers, length=length).run()


if __name__ == "__main__":
    for made in generate(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        print(json.dumps(made))
