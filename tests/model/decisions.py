"""What each command does or why it is refused (RULES; codes in CONTRACT §5's order of precedence)."""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from typing import Any

from .account import Account, Announced, Line, Order, Quote, Rental, Usage
from .books import Charge
from .values import (
    MINOR_DIGITS,
    ZERO,
    down,
    first_instant,
    half_up,
    instant,
    local_date,
    minor,
    period_end,
    periods_between,
    plus_days,
    plus_months,
    show,
)

Data = dict[str, Any]
Instant = dt.datetime

CODES = [
    "command_id_reused",
    "time_went_backwards",
    "unknown_subscriber",
    "already_registered",
    "unknown_regulations",
    "currency_not_accepted",
    "unknown_plan",
    "registration_refused",
    "agreement_terminated",
    "not_verified",
    "services_suspended",
    "ticket_required",
    "consent_required",
    "termination_already_announced",
    "unknown_number",
    "number_already_rented",
    "unknown_service",
    "unknown_charge",
    "unknown_refund",
    "unknown_dispute",
    "reference_already_credited",
    "unknown_deposit",
    "already_reversed",
    "registration_final",
    "not_changeable",
    "already_decided",
    "already_paid",
    "rate_required",
    "unknown_violation_kind",
    "not_suspended",
    "instant_in_future",
    "period_not_paid",
    "usage_ended",
    "effective_in_the_past",
    "notice_too_short",
    "change_already_scheduled",
    "no_change_scheduled",
    "same_plan",
    "discount_not_allowed",
    "not_refundable",
    "method_not_refundable",
    "dispute_window_closed",
    "free_service_already_held",
    "already_disputed",
    "already_resolved",
    "above_compensation_cap",
    "reviewer_is_actor",
    "personal_data_erased",
    "amount_not_positive",
    "insufficient_funds",
]


class Refused(Exception):
    """The ledger says no."""

    def __init__(self, code: str, earliest: Instant | None) -> None:
        super().__init__(code)
        self.code = code
        self.earliest = earliest


class Checks:
    """Asks for refusals in the order of precedence; asking out of order is a mistake of the model."""

    def __init__(self) -> None:
        self._last = -1

    def refuse(self, code: str, when: bool, earliest: Instant | None = None) -> None:
        """Refuse with `code` if `when`."""
        place = CODES.index(code)
        assert place >= self._last, f"{code} is asked after {CODES[self._last]}"
        self._last = place
        if when:
            raise Refused(code, earliest)


def snake(kind: str) -> str:
    """`OrderNumber` → `order_number`: the name of the method that decides or makes it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


OPEN_TO_REFUSED = {"CreditDeposit", "ConfirmRefundPaid", "ErasePersonalData", "AdvanceClock"}
OPEN_AFTER_END = {
    "AdvanceClock", "CreditDeposit", "ReverseDeposit", "RequestRefund", "DecideRefund", "ConfirmRefundPaid",
    "OpenDispute", "ResolveDispute", "PostAdjustment", "ErasePersonalData",
}  # fmt: skip
NEEDS_AGREEMENT = {"RequestPlanChange", "OrderAdministrativeService", "AddChannels", "ReplaceNumber", "ReportUsage"}
STOPPED_BY_SUSPENSION = NEEDS_AGREEMENT | {"OrderNumber"}


class Decision:
    """One command on one account, at `now`, after time has done its part."""

    def __init__(self, account: Account, command: Data, now: Instant, checks: Checks) -> None:
        self.account = account
        self.books = account.books
        self.data: Data = command["data"]
        self.kind: str = command["type"]
        self.actor: str = command["actor"]
        self.now = now
        self.refuse = checks.refuse
        self.more: Data = {}  # what `ReportUsage` answers besides

    def decide(self) -> None:
        """Run the command."""
        getattr(self, f"_{snake(self.kind)}")()

    def _fact(self, name: str, data: Data | None = None, *postings: tuple[str, Fraction]) -> str:
        return self.books.fact(name, self.now, data or {}, *postings)

    def _state(self) -> None:
        """The refusals that depend only on the state of the agreement."""
        account = self.account
        self.refuse("registration_refused", account.refused and self.kind not in OPEN_TO_REFUSED)
        self.refuse("agreement_terminated", account.ended_at is not None and self.kind not in OPEN_AFTER_END)
        self.refuse("not_verified", not account.concluded and self.kind in NEEDS_AGREEMENT)
        self.refuse("services_suspended", account.suspended and self.kind in STOPPED_BY_SUSPENSION)

    def _amount(self, key: str = "amount") -> Fraction:
        return Fraction(self.data[key])

    def _instant(self, key: str) -> Instant:
        found = instant(self.data[key])
        assert found is not None
        return found

    def _rental(self) -> Rental:
        found = self.account.rental(self.data["number"])
        self.refuse("unknown_number", found is None)
        assert found is not None
        return found

    # ---------------------------------------------------------------------------------- registration and conclusion

    def _advance_clock(self) -> None:
        """Nothing but what has fallen due."""

    def _pass_verification(self) -> None:
        self._state()
        account = self.account
        if account.verified:
            return
        account.verified = True
        self._fact("verification-passed")
        if not account.concluded and account.ever_credited:
            account.conclude(self.now)
        self._pay()

    def _pay(self) -> None:
        """After anything that raises the balance or removes the head, the queue is paid."""
        if self.account.invoices:
            self.account.invoice_orders(self.now)
        self.account.pay_queue(self.now)

    def _refuse_registration(self) -> None:
        self._state()
        account = self.account
        self.refuse("registration_final", account.ever_rented)
        self._fact("registration-refused", {"ground": self.data["ground"]})
        account.refused = True
        for order in list(account.orders):
            account.cancel(self.now, order)
        account.make_due(self.now, self.books.balance)

    def _credit_deposit(self) -> None:
        account, data = self.account, self.data
        self.refuse("currency_not_accepted", data["currency"] != self.books.currency)
        self._state()
        self.refuse("reference_already_credited", data["reference"] in account.deposits)
        received = self._instant("received_at") if "received_at" in data else self.now
        self.refuse("instant_in_future", received > self.now)
        amount = self._amount()
        self.refuse("amount_not_positive", amount <= 0)
        lot = self.books.put("deposit", data["method"], received, amount)
        account.deposits[data["reference"]] = lot
        account.ever_credited = True
        shown = {"amount": amount, "method": data["method"], "reference": data["reference"]}
        clearing = f"Assets:Clearing:{data['method']}"
        self.books.fact("deposit-credited", received, shown, (clearing, amount), (self.books.prepaid, -amount))
        if account.refused or account.ended_at is not None:
            account.allocate(self.now)
            account.make_due(self.now, lot.left, lots=[lot])
            return
        if account.verified and not account.concluded:
            account.conclude(self.now)
        self._pay()

    def _reverse_deposit(self) -> None:
        self._state()
        lot = self.account.deposits.get(self.data["reference"])
        self.refuse("unknown_deposit", lot is None)
        assert lot is not None
        self.refuse("already_reversed", lot.reversed)
        lot.reversed = True
        others = [other for other in self.books.oldest_first() if other is not lot]
        self.books.take(lot.amount, [lot, *others])
        postings = [(self.books.prepaid, lot.amount), (f"Assets:Clearing:{lot.method}", -lot.amount)]
        self._fact("deposit-reversed", {"reference": self.data["reference"], "amount": lot.amount}, *postings)

    # --------------------------------------------------------------------------------------------------- the rentals

    def _order_number(self) -> None:
        account, data, now = self.account, self.data, self.now
        self._state()
        service, channels = data["service"], data.get("channels", 0)
        self.refuse("number_already_rented", account.holds(data["number"]))
        price = account.price(now, service, in_use=False)
        channel = self._channel_price() if channels else price
        self.refuse("unknown_service", price is None or channel is None or service == "channel")
        assert price is not None
        free_held = account.rules(now)["one_free_service"] and price.price == 0 and self._holds_free()
        self.refuse("free_service_already_held", free_held)
        order = Order(
            data["number"], service, channels, data.get("autorenew", account.autorenew), data.get("periods"),
            data.get("prepaid", False), now, self._cancelled_after(),
        )  # fmt: skip
        account.place(now, order)

    def _channel_price(self) -> object:
        """The price of channels for what is ordered now; channels in use keep their last price."""
        account = self.account
        in_use = "channel" in account.services_in_use()
        return account.price(self.now, "channel", in_use=in_use)

    def _holds_free(self) -> bool:
        """A rental or a waiting order at price zero."""
        account = self.account
        held: list[Rental | Order] = [*account.rentals, *account.orders]
        prices = [account.price(self.now, item.service, in_use=True) for item in held]
        return any(price is not None and price.price == 0 for price in prices)

    def _cancelled_after(self) -> Instant | None:
        """`funding_hours` from registration; an order placed after that has so many hours of its own."""
        hours = self.account.rules(self.now)["funding_hours"]
        if hours is None:
            return None
        first = self.account.registered_at + dt.timedelta(hours=hours)
        return first if self.now <= first else self.now + dt.timedelta(hours=hours)

    def _add_channels(self) -> None:
        account, now = self.account, self.now
        self._state()
        rental = self._rental()
        self.refuse("unknown_service", self._channel_price() is None)
        self.refuse("period_not_paid", rental.suspended)
        parts = account.prorated(now)
        if rental.prepaid_until is not None:  # whole for each prepaid period that remains
            parts += periods_between(account.zone, period_end(account.zone, now), rental.prepaid_until)
        line = account.periodic_line(now, "channel", self.data["count"], parts, in_use=True)
        self._charge_at_once(line, {"number": rental.number, "count": self.data["count"]})
        rental.channels += self.data["count"]
        self._fact("channels-added", {"number": rental.number, "count": self.data["count"]})

    def _charge_at_once(self, line: Line, data: Data) -> None:
        """Paid from the balance at once, its tax after it; needs `available` ≥ price."""
        quote: Quote = self.account.quote(self.now, [line])
        self.refuse("insufficient_funds", not self.account.can_pay(quote.total, self.now))
        self.account.charge(self.now, quote, None, data)

    def _release_number(self) -> None:
        self._state()
        order = self.account.order(self.data["number"])
        if order is not None:
            self.account.cancel(self.now, order)
            self.account.pay_queue(self.now)
            return
        self._switch_autorenew(self._rental(), autorenew=False)

    def _set_autorenew(self) -> None:
        self._state()
        item = self.account.order(self.data["number"]) or self._rental()
        self._switch_autorenew(item, autorenew=self.data["autorenew"])

    def _switch_autorenew(self, item: Rental | Order, *, autorenew: bool) -> None:
        if item.autorenew != autorenew:
            item.autorenew = autorenew
            self._fact("autorenew-set", {"number": item.number, "autorenew": autorenew})

    def _replace_number(self) -> None:
        self._state()
        rental = self._rental()
        new = self.data["new_number"]
        self.refuse("number_already_rented", self.account.holds(new))
        self._charge_administrative("number_change", 1, {"number": rental.number})
        old, rental.number = rental.number, new
        self._fact("number-replaced", {"number": old, "new_number": new})

    def _charge_administrative(self, service: str, quantity: int, data: Data) -> None:
        prices = self.account.catalogue.plan(self.account.pair, self.now, self.account.plan)[1]["administrative"]
        self.refuse("unknown_service", service not in prices)
        amount = half_up(Fraction(prices[service]) * quantity, self.account.unit)
        fact, account = "administrative-service-charged", f"Income:Administrative:{service}"
        self._charge_at_once(Line(fact, "administrative", account, service, amount), data)

    def _announce_number_replacement(self) -> None:
        account = self.account
        self._state()
        rental = self._rental()
        self.refuse("number_already_rented", account.holds(self.data["new_number"]))
        days = account.rules(self.now)["number_replacement_notice_days"]
        date = dt.date.fromisoformat(self.data["on"])

        def in_time(day: dt.date) -> bool:
            return self.now <= plus_days(account.zone, first_instant(account.zone, day), -days)

        first = local_date(account.zone, self.now) + dt.timedelta(days=days)
        while not in_time(first):
            first += dt.timedelta(days=1)
        self.refuse("notice_too_short", not in_time(date), first_instant(account.zone, first))
        rental.replacement = (first_instant(account.zone, date), self.data["new_number"])
        shown = {"number": rental.number, "new_number": self.data["new_number"], "on": self.data["on"]}
        self._fact("number-replacement-announced", shown)

    # ------------------------------------------------------------------------------------------------------- plans

    def _request_plan_change(self) -> None:
        account, now, plan = self.account, self.now, self.data["plan"]
        self.refuse("unknown_plan", not account.catalogue.offers(account.pair, now, plan))
        self._state()
        missing = [
            service
            for service in account.services_in_use()
            if account.catalogue.periodic(account.pair, now, plan, service, in_use=False) is None
        ]
        self.refuse("unknown_service", bool(missing))
        rules = account.rules(now)
        end = period_end(account.zone, now)
        late = now > plus_days(account.zone, end, -rules["plan_change_notice_days"])
        after = period_end(account.zone, end)
        self.refuse("notice_too_short", late and rules["late_plan_change"] == "refuse", after)
        self.refuse("change_already_scheduled", account.change is not None)
        self.refuse("same_plan", plan == account.plan)
        account.change = (after if late else end, plan)
        self._fact("plan-change-scheduled", {"plan": plan, "on": account.change[0]})

    def _withdraw_plan_change(self) -> None:
        self._state()
        change = self.account.change
        self.refuse("no_change_scheduled", change is None)
        assert change is not None
        self.account.change = None
        self._fact("plan-change-withdrawn", {"plan": change[1]})

    def _order_administrative_service(self) -> None:
        self._state()
        data = {"quantity": self.data.get("quantity", 1)}
        self._charge_administrative(self.data["service"], data["quantity"], data)

    # ------------------------------------------------------------------------------------------------------- usage

    def _report_usage(self) -> None:
        account, data = self.account, self.data
        self._state()
        rental = self._rental()
        entry = account.catalogue.plan(account.pair, self.now, account.plan)[1]["usage"].get(data["service"])
        metered = "units" not in data
        self.refuse("unknown_service", entry is None or (entry["per"] == "minute") != metered)
        self.refuse("period_not_paid", rental.suspended)
        usage = account.usage.get(data["usage"], Usage())
        self.refuse("usage_ended", usage.ended)
        price = Fraction(entry["price"])
        if metered:
            charged, goes_on = self._meter(rental, usage, price)
        else:
            charged, goes_on = self._units(rental, usage, price)
        account.usage[data["usage"]] = usage
        self.more = {"continue": goes_on, "charged": self.books.text(charged)}

    def _usage_quote(self, price: Fraction, count: int) -> Quote:
        service = self.data["service"]
        line = Line("usage-charged", "usage", f"Income:Usage:{service}", service, price * count)
        return self.account.quote(self.now, [line], usage=True)

    def _can_use(self, rental: Rental, price: Fraction, count: int = 1) -> bool:
        """Included units need no funds; others need `available` ≥ price."""
        paid = count - rental.units.get(self.data["service"], 0)
        return paid <= 0 or self.account.can_pay(self._usage_quote(price, paid).total, self.now)

    def _charge_usage(self, rental: Rental, price: Fraction, count: int, unit: str) -> Fraction:
        service = self.data["service"]
        included = min(count, rental.units.get(service, 0))
        if included:
            rental.units[service] -= included
        quote = self._usage_quote(price, count - included)
        data = {"number": rental.number, "usage": self.data["usage"], unit: count, "included": included}
        self.account.charge(self.now, quote, None, data)
        return quote.base

    def _meter(self, rental: Rental, usage: Usage, price: Fraction) -> tuple[Fraction, bool]:
        """Whole minutes elapsed; ended: rounded up; what was charged before is subtracted."""
        seconds, ended = self.data["elapsed_seconds"], self.data["ended"]
        new = 0
        if seconds >= usage.reported:
            total = -(-seconds // 60) if ended else seconds // 60
            new = max(0, total - usage.minutes)
        elif not ended:  # fewer than reported before: changes nothing
            return ZERO, self._can_use(rental, price)
        usage.reported = max(usage.reported, seconds)
        payable = new
        while payable and not self._can_use(rental, price, payable):
            payable -= 1
        charged = ZERO
        if payable:
            charged = self._charge_usage(rental, price, payable, "minutes")
            usage.minutes += payable
        cut_off = payable < new or (not ended and not self._can_use(rental, price))
        if cut_off:
            self._fact("usage-cut-off", {"number": rental.number, "usage": self.data["usage"]})
        elif ended and not payable:  # so that the end is known
            self._charge_usage(rental, price, 0, "minutes")
        usage.ended = ended or cut_off
        return charged, not usage.ended

    def _units(self, rental: Rental, usage: Usage, price: Fraction) -> tuple[Fraction, bool]:
        """All or nothing; `continue`: another unit could be paid."""
        count = self.data["units"]
        self.refuse("insufficient_funds", not self._can_use(rental, price, count))
        charged = self._charge_usage(rental, price, count, "units")
        usage.ended = True
        return charged, self._can_use(rental, price)

    # ----------------------------------------------------------------------------------------------------- the end

    def _request_termination(self) -> None:
        account, now = self.account, self.now
        self._state()
        self.refuse("ticket_required", account.rules(now)["ticket_required"] and "ticket" not in self.data)
        end = account.end_for_subscriber(now)
        self.refuse("termination_already_announced", not self._earlier(end))
        self._announce(end, for_cause=False)

    def _terminate_agreement(self) -> None:
        account, cause = self.account, self.data["cause"]
        self._state()
        end = account.end_by_notice(self.now) if cause == "notice" else account.end_for_cause(self.now)
        self.refuse("termination_already_announced", not self._earlier(end))
        if cause == "violation":
            account.violated = True
        if cause == "notice":
            self._announce(end, for_cause=False)
        else:
            self._end_for_cause(end, self.data.get("charge_remaining_term", False))

    def _earlier(self, end: Instant) -> bool:
        """An earlier end replaces a later one."""
        return self.account.announced is None or end < self.account.announced.at

    def _announce(self, end: Instant, *, for_cause: bool, remaining_term: bool = False) -> None:
        account = self.account
        account.announced = Announced(end, for_cause, remaining_term)
        self._fact("termination-announced", {"on": end, "for_cause": for_cause})
        if end <= self.now:
            account.end_agreement(self.now, for_cause=for_cause, remaining_term=remaining_term)

    def _end_for_cause(self, end: Instant, remaining_term: bool) -> None:
        """`at_once`: now; `period_end`: services stop, the end is announced."""
        if end > self.now:
            self._suspend()
        if self._earlier(end):
            self._announce(end, for_cause=True, remaining_term=remaining_term)

    def _suspend(self) -> None:
        if not self.account.suspended:
            self.account.suspended = True
            self._fact("services-suspended")

    def _record_violation(self) -> None:
        account, data = self.account, self.data
        self._state()
        rules = account.rules(self.now)
        self.refuse("unknown_violation_kind", data["kind"] not in rules["violation_kinds"])
        self._fact("violation-recorded", {"kind": data["kind"]})
        account.violations += 1
        account.violated = True
        limit = rules["violations_until_termination"]
        sanction = data.get("sanction")
        if sanction == "warning":
            self._fact("warning-issued")
        elif sanction == "suspension":
            self._suspend()
        elif (
            sanction == "termination"
            or data.get("unlawful", False)
            or (limit is not None and account.violations >= limit)
        ):
            self._end_for_cause(account.end_for_cause(self.now), remaining_term=False)

    def _suspend_services(self) -> None:
        self._state()
        self._suspend()

    def _resume_services(self) -> None:
        self._state()
        self.refuse("not_suspended", not self.account.suspended)
        self.account.suspended = False
        self._fact("services-resumed")

    # -------------------------------------------------------------------------------------------------- money back

    def _request_refund(self) -> None:
        self._state()
        why = self.account.why_not_refundable(self.now)
        self.refuse("not_refundable", why == "not_refundable")
        self.refuse("method_not_refundable", why == "method_not_refundable")
        self.account.refund_by_rules(self.now, self.data)

    def _decide_refund(self) -> None:
        account, data = self.account, self.data
        self._state()
        refund = account.refunds.get(data["refund"])
        self.refuse("unknown_refund", refund is None)
        assert refund is not None
        self.refuse("already_decided", refund.state != "requested")
        shown = {"refund": refund.id, "reviewer": data["reviewer"]}
        if data["approved"]:
            self._fact("refund-approved", shown)
            account.make_due(self.now, self.books.balance, request=refund.id)
        else:
            refund.state = "denied"
            self._fact("refund-denied", shown)

    def _confirm_refund_paid(self) -> None:
        account, data = self.account, self.data
        self._state()
        refund = account.refunds.get(data["refund"])
        self.refuse("unknown_refund", refund is None or refund.state not in ("due", "paid"))
        assert refund is not None
        self.refuse("already_paid", refund.state == "paid")
        own = self.books.currency
        currency = data.get("currency", own)
        self.refuse("rate_required", currency != own and "rate" not in data)
        accepted = account.rules(self.now)["refund_currencies"]
        self.refuse("method_not_refundable", currency not in ([own] if accepted is None else accepted))
        rate = Fraction(data["rate"]) if currency != own else Fraction(1)
        paid = down(refund.due * rate, minor(currency))
        refund.state = "paid"
        assert currency in MINOR_DIGITS
        shown = {"refund": refund.id, "amount": refund.due, "paid": show(paid, currency), "in": currency}
        clearing = f"Assets:Clearing:{data['method']}"
        postings = [(self.books.payable, refund.due), (clearing, -refund.due)] if refund.due else []
        self._fact("refund-paid", shown, *postings)

    def _open_dispute(self) -> None:
        account = self.account
        self._state()
        charge: Charge | None = self.books.charges.get(self.data["charge"])
        self.refuse("unknown_charge", charge is None or charge.void)
        assert charge is not None
        hours = account.rules(self.now)["dispute_hours"]
        late = hours is not None and self.now > charge.effective_at + dt.timedelta(hours=hours)
        self.refuse("dispute_window_closed", late)
        self.refuse("already_disputed", charge.disputed)
        charge.disputed = True
        account.disputes[self._fact("dispute-opened", {"charge": charge.id})] = (charge, False)

    def _resolve_dispute(self) -> None:
        account, data = self.account, self.data
        self._state()
        found = account.disputes.get(data["dispute"])
        self.refuse("unknown_dispute", found is None)
        assert found is not None
        charge, resolved = found
        self.refuse("already_resolved", resolved)
        amount = self._amount() if "amount" in data else charge.left
        self.refuse("amount_not_positive", "amount" in data and amount <= 0)
        account.disputes[data["dispute"]] = (charge, True)
        self._fact("dispute-resolved", {"dispute": data["dispute"], "upheld": data["upheld"]})
        if not data["upheld"]:
            return
        before = self.books.balance
        account.reverse(self.now, charge, amount, with_tax=True)
        if charge.invoice is not None and account.ended_at is None:
            account.settle_if_paid(self.now, charge.invoice)
        account.pay_queue(self.now)
        account.raised(self.now, self.books.balance - before)

    def _grant_compensation(self) -> None:
        account = self.account
        self._state()
        fault = self._instant("fault_at")
        self.refuse("instant_in_future", fault > self.now)
        amount = self._amount()
        together = amount + account.compensated.get(fault, ZERO)
        cap = self._compensation_cap(fault)
        self.refuse("above_compensation_cap", cap is None or together > cap)
        self.refuse("amount_not_positive", amount <= 0)
        account.compensated[fault] = together
        self._credit("compensation", "compensation-granted", amount, "Expenses:Compensation")

    def _compensation_cap(self, fault: Instant) -> Fraction | None:
        """The balance at the fault, or what was paid in the months before it; null: none granted."""
        account = self.account
        rules = account.rules(self.now)
        if rules["compensation_cap"] == "balance_at_fault":
            return self.books.balance_at(fault)
        if rules["compensation_cap"] == "paid_in_last_months":
            since = plus_months(account.zone, fault, -(rules["compensation_months"] or 0))
            lots = account.deposits.values()
            return sum((lot.amount for lot in lots if since <= lot.received_at <= fault and not lot.reversed), ZERO)
        return None

    def _credit(self, lot: str, fact: str, amount: Fraction, source: str) -> None:
        """Money that is no deposit: a lot that is never refundable; the queue is paid."""
        before = self.books.balance
        self.books.put(lot, "", self.now, amount)
        self._fact(fact, {"amount": amount}, (source, amount), (self.books.prepaid, -amount))
        self.account.pay_queue(self.now)
        self.account.raised(self.now, self.books.balance - before)

    def _post_adjustment(self) -> None:
        self._state()
        amount = self._amount()
        self.refuse("reviewer_is_actor", self.data["reviewer"] == self.actor)
        self.refuse("amount_not_positive", amount == 0)
        self.refuse("insufficient_funds", amount < 0 and self.books.balance + amount < 0)
        if amount > 0:
            self._credit("adjustment", "adjustment-posted", amount, "Expenses:Adjustments")
            return
        self.books.take(-amount)
        self.account.ever_debited = True
        postings = [(self.books.prepaid, -amount), ("Expenses:Adjustments", amount)]
        self._fact("adjustment-posted", {"amount": amount}, *postings)

    def _transfer_agreement(self) -> None:
        account, data = self.account, self.data
        self._state()
        needed = account.rules(self.now)["transfer_needs_consent"]
        self.refuse("consent_required", needed and data.get("consent") is not True)
        self.refuse("personal_data_erased", account.erased and "personal" in data)
        if data["holder"] == account.holder and "personal" not in data:
            return
        account.holder = data["holder"]
        self._fact("agreement-transferred", {"holder": data["holder"]})

    def _erase_personal_data(self) -> None:
        self._state()
        self.refuse("personal_data_erased", self.account.erased)
        self.account.erased = True
        self._fact("personal-data-erased", {"reason": self.data["reason"]})
