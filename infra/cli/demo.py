"""`subledger demo`: a provider's first quarter from nothing, and what can be asked about it."""

import os
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import click
import orjson

import infra
from consumers.intake import LARGEST_LINE_BYTES
from domain.money import Money
from infra.cli import statement, trial_balance, why
from infra.cli.failures import Unusable
from infra.cli.lines import LineReader
from infra.cli.opening import opened_views
from infra.cli.options import Asked, Folder, examples
from infra.cli.output import print_heading, print_table, say, stdout
from infra.cli.progress import bar_on_terminal
from infra.cli.run import Opened, execute, summary
from infra.embedded.folder import EmbeddedLedger
from infra.explain.explainer import Explainer
from infra.views.follower import Follower
from infra.views.reading import UnknownSubscriber, Views
from infra.views.source import Source

COMMANDS = Path(infra.__file__).parent.parent / "demo" / "telnexx-first-quarter.jsonl"
DEFAULT_LEDGER = "demo-ledger"
SUBSCRIBER = "s-001"
CHARGE = "s-001/7"
REFUSED = "s-002"
REFUSAL_TYPE = "command-refused"


@click.command(
    epilog=examples("subledger demo                        into ./demo-ledger", "subledger demo --ledger /tmp/demo")
)
@click.option(
    "--ledger",
    "folder",
    type=Folder(),
    default=DEFAULT_LEDGER,
    metavar="DIR",
    help="The demo's folder; ./demo-ledger where none is given.",
)
def command(folder: Path) -> None:
    """Run a hundred subscribers of a provider through a quarter, in a few seconds, and show what can be asked.

    The commands are those of demo/telnexx-first-quarter.jsonl: late payers, plan changes, refusals, refunds. Running
    the demo again executes them again, which changes nothing: each is recognised by its id.
    """
    if not COMMANDS.exists():
        raise Unusable(f"the demo's commands are not in this installation; they are {COMMANDS.name} of a checkout")
    _execute(folder)
    with opened_views(Asked(place=str(folder))) as (source, views):
        print_heading(f"One statement: subledger statement {SUBSCRIBER} --ledger {folder}")
        statement.show(views.statement(SUBSCRIBER))
        explainer = Explainer(source)
        _explain(explainer, "Why one charge", CHARGE, folder)
        _explain(explainer, "Why one refusal", _refusal(views), folder)
        print_heading("Balances, all together")
        print_table(("currency", ">subscribers", ">in credit", ">at zero", ">in debt", ">sum"), _sums(source, views))
        print_heading(f"Trial balance: subledger trial-balance --summary --ledger {folder}")
        trial_balance.show(views.trial_balance(), summary=True)
        _invite(folder, views)


def _execute(folder: Path) -> None:
    """The commands, into a new ledger or one that this demo made."""
    is_new = not (folder / "events.db").exists()
    counts: Counter[str] = Counter()
    with Opened(str(COMMANDS)) as (descriptor, size), EmbeddedLedger(folder, create=True) as ledger:
        if not is_new:
            _is_the_demo(ledger, folder)
        say(f"{'Making' if is_new else 'Going through'} {folder} with the commands of {_near(COMMANDS)}")
        with bar_on_terminal(size, "executing", long=0) as advance:
            writer = ledger.writer()
            with Follower(folder, writer.sequence) as follower:
                execute(LineReader(descriptor, LARGEST_LINE_BYTES), writer, BytesIO(), counts, advance, follower)
    say(summary(counts))
    if counts["duplicate"]:
        say("the demo's ledger was there already: what had been executed before was recognised, nothing recorded twice")


def _is_the_demo(ledger: EmbeddedLedger, folder: Path) -> None:
    """Unusable for a folder that holds somebody's own ledger."""
    with COMMANDS.open("rb") as lines:
        first = orjson.loads(next(lines))
    if ledger.shard.sequence() and ledger.shard.answer(first["subscriber"], first["id"]) is None:
        raise Unusable(f"{folder} holds another ledger; say where the demo may be made with --ledger DIR")


def _near(file: Path) -> str:
    """The path from here, if that is shorter."""
    return min(os.path.relpath(file), str(file), key=len)


def _explain(explainer: Explainer, title: str, fact: str, folder: Path) -> None:
    print_heading(f"{title}: subledger why {fact} --ledger {folder}")
    explanation = explainer.fact(fact)
    if explanation is not None:
        why.show(explanation)


def _refusal(views: Views) -> str:
    """The first request of theirs that was refused."""
    return next(entry.id for entry in views.timeline(REFUSED) if entry.type == REFUSAL_TYPE)


def _sums(source: Source, views: Views) -> Iterable[tuple[str, ...]]:
    by_currency: dict[str, list[Money]] = {}
    for subject in source.subjects():
        try:
            balance = views.balance(subject)
        except UnknownSubscriber:
            continue
        by_currency.setdefault(balance.currency, []).append(Money.parse(balance.balance, balance.currency))
    for currency, amounts in sorted(by_currency.items()):
        total = sum(amounts, Money(0, currency))
        signs = [sum(amount.units > 0 for amount in amounts), sum(not amount.units for amount in amounts)]
        debts = sum(amount.units < 0 for amount in amounts)
        yield currency, str(len(amounts)), str(signs[0]), str(signs[1]), str(debts), str(total)


def _invite(folder: Path, views: Views) -> None:
    """What to try next, to be copied."""
    last = views.timeline("s-003")[-1].id
    print_heading("Try next")
    for line, about in (
        (f"subledger timeline s-003 --ledger {folder}", "somebody who paid late"),
        (f"subledger why {last} --ledger {folder}", "any fact explains itself"),
        (f"subledger balance s-001 --as-of 2026-01-31 --ledger {folder}", "a balance of the past"),
        (f"subledger statement s-001 --html --ledger {folder} > statement.html", "a page to print"),
        (f"subledger findings --ledger {folder}", "what a person should look at"),
        (f"subledger rehearse --until 2026-05-02 --ledger {folder}", "April, without recording anything"),
        (f"subledger export journal --format hledger --ledger {folder}", "the books for hledger"),
        (f"subledger verify --ledger {folder}", "the log against itself"),
    ):
        stdout().write(f"  {line}\n      {about}\n".encode())
