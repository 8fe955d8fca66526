"""`subledger bench`: what this machine does with this ledger, beside plain saves of the library underneath.

Each figure comes from one run on one machine at one time; the ratios are what can be compared.
"""

import itertools
import platform
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import orjson
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from infra.cli.lines import BLOCK_LINES
from infra.cli.options import Decorator, examples
from infra.explain.words import counted

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPAN = timedelta(days=27)
"""The mix runs within one period, so that its commands are what is measured; `--periods` adds boundaries."""
MIX = (("ReportUsage", 70), ("CreditDeposit", 10), ("OrderNumber", 5), ("RequestPlanChange", 5), ("AdvanceClock", 10))
"""Weights of commands once everybody is registered."""
SEED = 20260101
LONG_STREAM_FACTS = 100_000
PROBE_COMMANDS = 20_000
PROBES = 7
CALLS_A_DEPOSIT = 100
"""As many as cost about what one deposit brings, so that what waits to be spent does not grow with the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    commands: int
    subscribers: int
    periods: int
    saves: int
    grow_to: int
    long_stream: bool


def _number(name: str, default: int, about: str) -> Decorator:
    """An option that takes a number from 1 on."""
    at_least_one = click.IntRange(min=1)
    return click.option(name, type=at_least_one, default=default, show_default=True, metavar="N", help=about)


@click.command(
    epilog=examples(
        "subledger bench --commands 10000 --subscribers 1000     a first impression, in seconds",
        "subledger bench --commands 1000000 --periods 3          with the boundaries of periods",
        "subledger bench --ledger kafka                          a live ledger on this machine",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@_number("--commands", 100_000, "Commands through `run`.")
@_number("--subscribers", 10_000, "Subscribers that they are for.")
@_number("--periods", 1, "Months that they are spread over.")
@click.option(
    "--saves",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="as many as commands",
    help="Plain saves of the library, for comparison.",
)
@click.option(
    "--grow-to",
    type=click.IntRange(min=0),
    default=0,
    metavar="FACTS",
    help="Grow the ledger to so many facts, then measure a command again (e.g. 2000000).",
)
@click.option("--long-stream", is_flag=True, help="Measure a subscriber with 100,000 facts beside one with ten.")
@click.option(
    "--ledger",
    type=click.Choice(("folder", "kafka")),
    default="folder",
    show_default=True,
    help="What kind of ledger is made for it.",
)
def command(
    commands: int, subscribers: int, periods: int, saves: int | None, grow_to: int, long_stream: bool, ledger: str
) -> None:
    """Measure throughput, latency, replay rate and memory, with the settings printed.

    With `--ledger kafka`, servers are those of SUBLEDGER_KAFKA and SUBLEDGER_POSTGRES, or started here.
    """
    saves = commands if saves is None else saves
    if ledger == "kafka":
        from infra.live import bench

        for line in bench.report(commands, subscribers, saves):
            click.echo(line)
        return
    settings = Settings(
        commands=commands,
        subscribers=subscribers,
        periods=periods,
        saves=saves,
        grow_to=grow_to,
        long_stream=long_stream,
    )
    with tempfile.TemporaryDirectory(prefix="subledger-bench-") as folder:
        for line in report(settings, Path(folder)):
            click.echo(line)


def report(settings: Settings, folder: Path) -> Iterator[str]:
    """The lines of the report, each as soon as it is known."""
    yield from _machine(settings)
    plain = plain_saves(settings.saves, folder / "plain")
    yield f"{'plain saves of eventsourcing on SQLite':<46}{plain:>12,.0f} a second"
    file = folder / "commands.jsonl"
    _write(file, mix(settings.commands, settings.subscribers, settings.periods))
    ledger = folder / "ledger"
    seconds, peak_mib = run_file(file, ledger)
    facts = _facts(ledger)
    rate = settings.commands / seconds
    yield f"{'commands through run, all views kept':<46}{rate:>12,.0f} a second   {rate / plain:.1f} × a plain save"
    yield f"{'  facts recorded, a second':<46}{facts / seconds:>12,.0f}            {facts:,} facts"
    yield f"{'  bytes a fact in the log':<46}{_bytes_a_fact(ledger):>12,.0f}"
    yield f"{'  peak resident memory of a process':<46}{peak_mib:>12,.0f} MiB"
    seconds = _timed("rebuild", "--ledger", str(ledger))
    yield f"{'rebuild of all views':<46}{facts / seconds:>12,.0f} facts a second"
    if settings.grow_to:
        yield from growth(settings, folder, ledger)
    if settings.long_stream:
        yield from long_stream(folder)


def _machine(settings: Settings) -> Iterator[str]:
    library = version("eventsourcing")
    yield f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, eventsourcing {library}"
    weights = ", ".join(f"{name} {weight} %" for name, weight in MIX)
    counts = (settings.commands, "command"), (settings.subscribers, "subscriber"), (settings.periods, "month")
    yield ", ".join(counted(count, one) for count, one in counts)
    yield weights
    yield f"commits are durable (WAL, synchronous=FULL), groups of up to {BLOCK_LINES:,} commands; seed {SEED}"
    yield ""


def mix(commands: int, subscribers: int, periods: int = 1, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """Registrations with a first deposit and number, then a mix of everything in order of time."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable load, not a secret
    sent = 0

    def one(kind: str, who: int, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
        nonlocal sent
        sent += 1
        subscriber = f"s-{who}"
        return {
            "id": f"c-{seed}-{sent}",
            "type": kind,
            "subscriber": subscriber,
            "at": at.isoformat(),
            "actor": "bench",
            "data": data,
        }

    for who in range(min(subscribers, commands // 4)):
        joining = {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": f"h-{who}"}
        yield one("RegisterSubscriber", who, BEGIN, joining)
        yield one("PassVerification", who, BEGIN, {})
        yield one("CreditDeposit", who, BEGIN, _deposit("100.00", f"first-{who}"))
        yield one("OrderNumber", who, BEGIN, {"number": f"+38044{who:07d}", "service": "did.ua"})
    yield from _everyday(commands - sent, subscribers, periods, chance, one)


def _everyday(left: int, subscribers: int, periods: int, chance: random.Random, one: Any) -> Iterator[dict[str, Any]]:
    names, weights = [name for name, _ in MIX], [weight for _, weight in MIX]
    step = (SPAN + timedelta(days=30 * (periods - 1))) / max(left, 1)
    for count, kind in enumerate(chance.choices(names, weights, k=left)):
        who = chance.randrange(subscribers)
        yield one(kind, who, BEGIN + step * count, _data(kind, who, count, chance))


def _data(kind: str, who: int, count: int, chance: random.Random) -> dict[str, Any]:
    if kind == "ReportUsage":
        seconds = chance.randrange(1, 600)
        call = {"number": f"+38044{who:07d}", "usage": f"u-{count}", "service": "voice.in"}
        return {**call, "elapsed_seconds": seconds, "ended": True}
    if kind == "CreditDeposit":
        return _deposit("10.00", f"d-{count}")
    if kind == "OrderNumber":
        return {"number": f"+1212{count:08d}", "service": "did.us"}
    if kind == "RequestPlanChange":
        return {"plan": chance.choice(("start", "business"))}
    return {}


def _deposit(amount: str, reference: str) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD", "method": "card", "reference": reference}


class _Account(Aggregate):
    """The smallest aggregate that the library's documentation would write for a deposit."""

    @event("Credited")
    def credit(self, amount: str, reference: str) -> None:
        self.amount = amount
        self.reference = reference


def plain_saves(count: int, folder: Path) -> float:
    """`app.save` calls a second, one event each, on the library's own SQLite recorder with its defaults."""
    folder.mkdir()
    return saves_a_second(
        {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "plain.db")}, count
    )


def saves_a_second(environment: Mapping[str, str], count: int) -> float:
    """`app.save` calls a second, one event each, on whatever recorder the library's environment names."""
    application: Application[Any] = Application(env=environment)
    account = _Account()
    started = time.perf_counter()
    for number in range(count):
        if number % 10 == 0:
            account = _Account()
        else:
            account.credit("10.00", f"r-{number}")
        application.save(account)
    seconds = time.perf_counter() - started
    application.close()
    return count / seconds


def run_file(file: Path, ledger: Path) -> tuple[float, float]:
    """Seconds until the commands of `file` are stored and every view stands at the last fact; peak MiB of a process."""
    seconds = _timed("run", str(file), "--ledger", str(ledger))
    seconds += _timed("trial-balance", "--json", "--ledger", str(ledger))
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def growth(settings: Settings, folder: Path, ledger: Path) -> Iterator[str]:
    """The cost of a command on a ledger grown to `grow_to` facts, beside that of the fresh one.

    Both are asked in turn, so that the machine's drift hits both.
    """
    parts = itertools.count(1)
    fresh = folder / "fresh"
    # Nothing here has the ledger open: whoever closes a file lets go of every lock that its process has on it.
    shutil.copytree(ledger, fresh)
    first_size = _facts(fresh)
    while _facts(ledger) < settings.grow_to:
        more = folder / "more.jsonl"
        _write(more, _later(settings, next(parts), 200_000))
        run_file(more, ledger)
    small, large = [], []
    for part in itertools.islice(parts, PROBES):
        small.append(_probe(folder, fresh, settings, part))
        large.append(_probe(folder, ledger, settings, part))
    before, after = statistics.median(small), statistics.median(large)
    yield f"{f'commands a second at {first_size:,} facts':<46}{before:>12,.0f}"
    yield f"{f'commands a second at {_facts(ledger):,} facts':<46}{after:>12,.0f}            {after / before:.2f} ×"


def _probe(folder: Path, ledger: Path, settings: Settings, part: int) -> float:
    """Commands a second of a process that begins anew, with no state in memory."""
    probe = folder / "probe.jsonl"
    _write(probe, _later(settings, part, PROBE_COMMANDS))
    seconds, _ = run_file(probe, ledger)
    return PROBE_COMMANDS / seconds


def _later(settings: Settings, part: int, count: int) -> Iterator[dict[str, Any]]:
    """Usage and deposits only, after everything before (`part` counts up): the ledger grows and keeps its shape."""
    chance = random.Random(part)  # noqa: S311 - a repeatable load, not a secret
    at = BEGIN + SPAN + timedelta(minutes=part)
    for number in range(count):
        who = chance.randrange(min(settings.subscribers, settings.commands // 4))
        kind = "CreditDeposit" if number % CALLS_A_DEPOSIT == 0 else "ReportUsage"
        data = _data(kind, who, number, chance)
        key = "reference" if kind == "CreditDeposit" else "usage"
        yield {
            "id": f"p-{part}-{number}",
            "type": kind,
            "subscriber": f"s-{who}",
            "at": at.isoformat(),
            "actor": "bench",
            "data": {**data, key: f"{part}-{number}"},
        }


def long_stream(folder: Path) -> Iterator[str]:
    """The cost of a command for a subscriber with 100,000 facts beside one with ten, in one ledger."""
    from infra.embedded.folder import EmbeddedLedger

    with EmbeddedLedger(folder / "long", create=True) as ledger:
        writer = ledger.writer()
        for who in ("long", "short"):
            for one in _joined(who):
                writer.execute(one)
        for number in range(LONG_STREAM_FACTS):
            writer.execute(_call("long", number))
            if number % 1000 == 999:
                writer.commit()
        writer.commit()
        long_us, short_us = _alternating(writer)
    yield f"{'a command, subscriber with 100,000 facts':<46}{long_us:>12,.0f} µs"
    yield f"{'a command, subscriber with ten':<46}{short_us:>12,.0f} µs         {long_us / short_us:.2f} ×"


def _joined(who: str) -> Iterator[dict[str, Any]]:
    joining = {"regulations": "telnexx", "currency": "USD", "plan": "start", "holder": f"h-{who}"}
    number = {"number": "+380440000001" if who == "long" else "+380440000002", "service": "did.ua"}
    parts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("RegisterSubscriber", joining),
        ("PassVerification", {}),
        ("CreditDeposit", _deposit("100000.00", f"first-{who}")),
        ("OrderNumber", number),
    )
    for count, (kind, data) in enumerate(parts):
        yield _command(f"j-{count}", kind, who, data)


def _call(who: str, number: int) -> dict[str, Any]:
    rented = "+380440000001" if who == "long" else "+380440000002"
    call = {"number": rented, "usage": f"u-{number}", "service": "voice.in", "elapsed_seconds": 60, "ended": True}
    return _command(f"u-{number}", "ReportUsage", who, call)


def _command(identity: str, kind: str, who: str, data: dict[str, Any]) -> dict[str, Any]:
    at = BEGIN.isoformat()
    return {"id": identity, "type": kind, "subscriber": who, "at": at, "actor": "bench", "data": data}


def _alternating(writer: Any) -> tuple[float, float]:
    """Medians in µs: the two subscribers in turn, so that the machine's drift hits both."""
    times: dict[str, list[float]] = {"long": [], "short": []}
    for number in range(1000):
        for who, taken in times.items():
            started = time.perf_counter()
            writer.execute(_call(who, 10**6 + number))
            taken.append(time.perf_counter() - started)
        if number % 10 == 9:
            writer.commit()
    return statistics.median(times["long"]) * 1e6, statistics.median(times["short"]) * 1e6


def _timed(*arguments: str) -> float:
    """Seconds that `subledger` takes for `arguments`, process start included."""
    program = shutil.which("subledger", path=str(Path(sys.executable).parent)) or ""
    words = [program] if program else [sys.executable, "-m", "infra.cli.main"]
    started = time.perf_counter()
    subprocess.run([*words, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return time.perf_counter() - started


def _write(file: Path, commands: Iterator[dict[str, Any]]) -> None:
    with file.open("wb") as out:
        out.writelines(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in commands)


def _facts(ledger: Path) -> int:
    with closing(sqlite3.connect(ledger / "events.db")) as connection:
        return int(connection.execute("SELECT max(rowid) FROM stored_events").fetchone()[0])


def _bytes_a_fact(ledger: Path) -> float:
    with closing(sqlite3.connect(ledger / "events.db")) as connection:
        return float(connection.execute("SELECT avg(length(state)) FROM stored_events").fetchone()[0])


def main(arguments: list[str]) -> None:
    """Runs the benchmark with command-line arguments."""
    command.main(arguments, prog_name="subledger bench", standalone_mode=False)
