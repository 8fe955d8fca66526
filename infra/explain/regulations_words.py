"""Changes of regulations in plain words: every parameter of CATALOGUE.md has a wording of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.explain.changes import ABSENT, Change, Document, differing, general_sentence, listing, sentence
from infra.explain.words import METHODS, counted

ANY = "*"
ACCOUNT_CURRENCY = "in the account's currency"
NO_CLAUSE = "none of its own"
NO_ENTRY = "nothing of its own"

Phrase = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a parameter is about, and its value in words."""

    subject: str
    phrase: Phrase
    tail: str = ""
    """Follows a number of days, and is said once where both values have one."""


def regulations_changes(before: Document, after: Document) -> Iterator[Change]:
    """One change per parameter; per rule where the clauses differ, per country and method where the fees do.

    Both documents hold parameters that `domain.catalogue` can read; others are said as they are written.
    """
    for name, old, new in differing(before, after):
        parts = BY_ENTRY.get(name)
        if parts is not None and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from parts(old, new)
        else:
            yield Change(path=(name,), before=old, after=new, says=parameter_sentence(name, old, new))


def parameter_sentence(name: str, before: Any, after: Any) -> str:
    """One parameter's change; by the general sentence where no wording knows the parameter."""
    wording = WORDINGS.get(name)
    if wording is None:
        return general_sentence(name, before, after)
    if name == "violation_kinds" and ABSENT not in (before, after):
        return f"{wording.subject}: {_added_and_removed(before, after)}."
    if wording.tail:
        return _with_tail(wording, before, after)
    return sentence(wording.subject, before, after, wording.phrase)


def _with_tail(wording: Wording, before: Any, after: Any) -> str:
    """The tail follows the new value; the old one only where the new one, being nothing, has none."""
    tailed = after if _is_positive(after) else before

    def phrase(value: Any) -> str:
        return wording.phrase(value) + (wording.tail if value == tailed and _is_positive(value) else "")

    return sentence(wording.subject, before, after, phrase)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _clause_changes(before: Document, after: Document) -> Iterator[Change]:
    for rule, old, new in differing(before, after):
        says = f"Clause behind {rule.replace('-', ' ')}: {_clause(new)}; before: {_clause(old)}."
        yield Change(path=("clauses", rule), before=old, after=new, says=says)


def _clause(clause: Any) -> str:
    return NO_CLAUSE if clause is ABSENT else str(clause)


def _fee_changes(before: Document, after: Document) -> Iterator[Change]:
    """A country that comes or goes is one change, a method's fee within a country another."""
    for country, old, new in differing(before, after):
        if old is ABSENT or new is ABSENT:
            says = sentence(f"Fees for refunds to {_country(country)}", _no_fees(old), _no_fees(new), _fees_by_method)
            yield Change(path=("processing_fees", country), before=old, after=new, says=says)
            continue
        for method, old_fee, new_fee in differing(old, new):
            subject = f"Fee for a refund to {_country(country)} by {_method(method)}, {ACCOUNT_CURRENCY}"
            says = f"{subject}: {_fee(new_fee)}; before: {_fee(old_fee)}."
            path = ("processing_fees", country, method)
            yield Change(path=path, before=old_fee, after=new_fee, says=says)


BY_ENTRY: dict[str, Callable[[Document, Document], Iterator[Change]]] = {
    "clauses": _clause_changes,
    "processing_fees": _fee_changes,
}
"""Parameters whose entries change one by one."""


def _fee(fee: Any) -> str:
    return NO_ENTRY if fee is ABSENT else str(fee)


def _no_fees(fees: Any) -> Any:
    return None if fees is ABSENT else fees


def _fees_by_method(fees: Any) -> str:
    """`2.00 by card and 3.00 by any other method`."""
    if fees is None:
        return NO_ENTRY
    said = [f"{fees[method]} by {_method(method, alone=len(fees) == 1)}" for method in _any_last(fees)]
    return listing(said) if said else "none by any method"


def _fees(fees: Any) -> str:
    """Every country with its fees, any other one last."""
    if not fees:
        return "none" if fees is None else "none in any country"
    countries = ((_country(code, alone=len(fees) == 1), fees[code]) for code in _any_last(fees))
    return "; ".join(f"to {country}: {_fees_by_method(of)}" for country, of in countries)


def _any_last(entries: Document) -> list[str]:
    return sorted(entries, key=lambda name: name == ANY)


def _country(code: str, *, alone: bool = False) -> str:
    if code != ANY:
        return code
    return "any country" if alone else "any other country"


def _method(method: str, *, alone: bool = False) -> str:
    if method != ANY:
        return METHODS.get(method, method)
    return "any method" if alone else "any other method"


def _added_and_removed(before: Any, after: Any) -> str:
    added = [_plain(kind) for kind in after if kind not in before]
    removed = [_plain(kind) for kind in before if kind not in after]
    said = []
    if added:
        said.append(f"{listing(added)} added")
    if removed:
        said.append(f"{listing(removed)} removed")
    return ", ".join(said) if said else f"in another order, {listing([_plain(kind) for kind in after])}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _choice(**phrases: str) -> Phrase:
    """A value out of a few names; `null` words for none."""

    def phrase(value: Any) -> str:
        return phrases["null" if value is None else str(value)]

    return phrase


def _count(unit: str, *, none: str = "none", null: str = "not provided for", prefix: str = "") -> Phrase:
    """A number of something; `none` words for 0, `null` words where there is no number."""

    def phrase(value: Any) -> str:
        if value is None:
            return null
        return f"{prefix}{counted(value, unit)}" if value else none

    return phrase


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _grace(grace: Any) -> str:
    """When an unpaid rental ends (telnexx/unpaid-termination, hexaserv/grace-7d)."""
    if grace is None:
        return "never by itself"
    if "months" in grace:
        months = grace["months"]
        return "at the next boundary" if months == 1 else f"at the boundary {counted(months, 'month')} later"
    days = grace["days"]
    return f"after {counted(days, 'day')} of grace" if days else "with the day on which it fell due"


def _named(names: Mapping[str, str]) -> Phrase:
    def phrase(values: Any) -> str:
        return listing([names.get(value, value) for value in values])

    return phrase


def _payout_currencies(currencies: Any) -> str:
    if currencies is None:
        return "the account's own currency"
    return listing(currencies, "or") if currencies else "the account's own currency, none being listed"


WORDINGS: dict[str, Wording] = {
    "time_zone": Wording(subject="Periods and days begin by the clock of", phrase=str),
    "currencies": Wording(subject="Currencies in which accounts are kept", phrase=_named({})),
    "conclusion": Wording(
        subject="An agreement is concluded",
        phrase=_choice(
            verified_and_funded="when the person is verified and money was credited", registration="at registration"
        ),
    ),
    "funding_hours": Wording(
        subject="An order for which no money comes is cancelled",
        phrase=_count("hour", prefix="after ", none="at once", null="never"),
    ),
    "pay_with": Wording(
        subject="Orders and renewals are paid", phrase=_choice(balance="from the balance", invoices="by invoice")
    ),
    "invoice_due_days": Wording(
        subject="An invoice falls due",
        phrase=_count("day", none="at the instant of issue", null="at the instant of issue, no days being given"),
        tail=" after its issue",
    ),
    "unpaid_invoice": Wording(
        subject="An invoice that is not paid when due",
        phrase=_choice(outstanding="stays outstanding", expires="expires", null="has no rule of its own"),
    ),
    "plan_change_notice_days": Wording(
        subject="Notice for a change of plan", phrase=_count("day"), tail=" before the end of the period"
    ),
    "late_plan_change": Wording(
        subject="A change of plan that is asked for too late",
        phrase=_choice(refuse="is refused", next_period="waits for the end of the next period"),
    ),
    "unpaid_renewal": Wording(
        subject="A rental whose renewal cannot be paid",
        phrase=_choice(suspend="is suspended", **{"continue": "goes on"}, end="ends at the boundary"),
    ),
    "unpaid_ends_after": Wording(subject="An unpaid rental ends", phrase=_grace),
    "unpaid_end_counts_from": Wording(
        subject="The end of an unpaid rental counts from",
        phrase=_choice(period_start="the beginning of the unpaid period", then="the instant at which it ends"),
    ),
    "agreement_ends_with_last_rental": Wording(subject="The agreement ends with its last rental", phrase=_yes),
    "subscriber_termination": Wording(
        subject="A termination by the subscriber takes effect",
        phrase=_choice(period_end="at the end of the period", at_once="at once"),
    ),
    "term_notice_days": Wording(
        subject="Notice to leave a term of several periods early",
        phrase=_count("day", null="not asked for"),
        tail=", to the end of a period",
    ),
    "company_notice_days": Wording(
        subject="Notice of a termination by the company",
        phrase=_count("day", none="none, it takes effect at once"),
        tail=", to the end of a period",
    ),
    "termination_for_cause": Wording(
        subject="A termination for cause takes effect",
        phrase=_choice(period_end="at the end of the period, services stopping at once", at_once="at once"),
    ),
    "violations_until_termination": Wording(
        subject="The agreement is terminated for violations",
        phrase=_count("violation", prefix="after ", null="only for unlawful use, or when the company decides so"),
    ),
    "balance_at_termination": Wording(
        subject="The balance at the end of the agreement",
        phrase=_choice(
            refund="is paid back", by_refund_rules="is paid back as far as the rules of refunds allow", keep="is kept"
        ),
    ),
    "balance_at_termination_for_cause": Wording(
        subject="The balance at an end for cause", phrase=_choice(refund="is paid back", forfeit="is forfeited")
    ),
    "refunds": Wording(
        subject="Refunds",
        phrase=_choice(
            on_termination="of the balance, when the agreement ends",
            unused_deposits="of deposits that were not used",
            money_back="of charges, as money back",
            discretionary="as the company decides in each case",
        ),
    ),
    "refund_days": Wording(
        subject="Days within which a refund may be asked for",
        phrase=_count("day", none="none, only the very instant", null="no limit"),
    ),
    "non_refundable_methods": Wording(subject="Methods whose deposits are not refunded", phrase=_named(METHODS)),
    "refund_currencies": Wording(subject="Refunds are paid out in", phrase=_payout_currencies),
    "processing_fees": Wording(subject=f"Fees for refunds, {ACCOUNT_CURRENCY}", phrase=_fees),
    "dispute_hours": Wording(
        subject="A charge may be disputed",
        phrase=_count("hour", prefix="within ", none="only at its very instant", null="without limit of time"),
    ),
    "compensation_cap": Wording(
        subject="A compensation is at most",
        phrase=_choice(
            balance_at_fault="the balance at the time of the fault",
            paid_in_last_months="what was paid in during the months before the fault",
            null="nothing: none is granted",
        ),
    ),
    "compensation_months": Wording(
        subject="Months of payments that limit a compensation", phrase=_count("month", null="none set")
    ),
    "number_replacement_notice_days": Wording(
        subject="Notice of the replacement of a number", phrase=_count("day"), tail=" before it is replaced"
    ),
    "regulations_notice_days": Wording(
        subject="Notice of a material change of these regulations",
        phrase=_count("day"),
        tail=" before it takes effect",
    ),
    "immaterial_notice_days": Wording(
        subject="Notice of any other change of these regulations",
        phrase=_count("day"),
        tail=" before it takes effect",
    ),
    "clauses": Wording(
        subject="Clauses behind the rules",
        phrase=lambda clauses: listing([f"{clause} ({rule.replace('-', ' ')})" for rule, clause in clauses.items()]),
    ),
    "ticket_required": Wording(subject="A termination by the subscriber needs a ticket", phrase=_yes),
    "transfer_needs_consent": Wording(subject="A transfer of the agreement needs consent", phrase=_yes),
    "discounts_allowed": Wording(subject="Tariffs may give discounts", phrase=_yes),
    "one_free_service": Wording(subject="An account holds at most one service at price zero", phrase=_yes),
    "erase_personal_data_at_end": Wording(subject="Personal data is erased when the agreement ends", phrase=_yes),
    "violation_kinds": Wording(
        subject="Kinds of violation", phrase=lambda kinds: listing([_plain(kind) for kind in kinds])
    ),
}
"""Parameter → its wording, in the order of CATALOGUE.md."""
