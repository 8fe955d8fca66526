"""`subledger trial-balance`: the accounts of the journal, and that debits equal credits."""

import click

from domain.money import Money
from infra.cli.clocks import named
from infra.cli.opening import common_zone, opened_views, shared_zone
from infra.cli.options import Asked, examples, instant_of, json_option, source_options
from infra.cli.output import print_json, print_table
from infra.views.reading import TrialBalance

OF_SUBSCRIBERS = ("Assets:Receivable", "Liabilities:Prepaid", "Liabilities:Refunds")
"""Every subscriber has an account of their own under these."""

AccountRow = tuple[str, str, str, str, str]


@click.command(
    "trial-balance",
    epilog=examples(
        "subledger trial-balance",
        "subledger trial-balance --summary                    subscribers' accounts in one line each kind",
        "subledger trial-balance --as-of 2026-02-01",
    ),
)
@click.option("--as-of", metavar="T", help="By what counts up to and including this instant.")
@click.option("--summary", is_flag=True, help="Add up the accounts of all subscribers.")
@json_option
@source_options
def command(as_of: str | None, summary: bool, as_json: bool, ledger: Asked) -> None:
    """Show every account of the journal with its debits and credits, which are equal in each currency.

    A local date is its first instant in the time zone of the subscribers, where they all live in one.
    """
    with opened_views(ledger) as (source, views):
        instant = instant_of(as_of, "--as-of", lambda: common_zone(source)) if as_of is not None else None
        trial = views.trial_balance(instant)
        title = f"Trial balance as of {named(instant, shared_zone(source))}" if instant else ""
    if as_json:
        print_json(trial)
        return
    show(trial, summary=summary, title=title)


def show(trial: TrialBalance, *, summary: bool, title: str = "") -> None:
    """The table; with `summary` the accounts of subscribers are added up, kind by kind."""
    rows = [(a.account, a.currency, a.debit, a.credit, a.balance) for a in trial.accounts]
    if summary:
        rows = added_up(rows)
    totals = [(a.account, a.currency, a.debit, a.credit, a.balance) for a in trial.totals]
    print_table(("account", "", ">debit", ">credit", ">balance"), [*rows, ("", "", "", "", ""), *totals], title=title)


def added_up(rows: list[AccountRow]) -> list[AccountRow]:
    """The rows with one for each kind of account that every subscriber has one of."""
    sums: dict[tuple[str, str], list[Money]] = {}
    for account, currency, *amounts in rows:
        kind = next((kind for kind in OF_SUBSCRIBERS if account.startswith(f"{kind}:")), None)
        name = f"{kind}:*" if kind else account
        parts = [Money.parse(amount, currency) for amount in amounts]
        known = sums.get((name, currency))
        sums[name, currency] = [a + b for a, b in zip(known, parts, strict=True)] if known else parts
    return [(name, currency, *map(str, amounts)) for (name, currency), amounts in sums.items()]  # type: ignore[misc]
