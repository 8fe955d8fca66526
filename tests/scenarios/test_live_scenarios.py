"""Every scenario on a live sandbox ledger: the facts are those of the embedded run, byte for byte.

Only where a fact stands may differ (`sequence`, `commandposition`), and sealed personal data, whose keys are drawn.
Salts are alike too, since both ledgers are given one key. Subscribers of files that publish nothing are renamed and
share a ledger and its writer; a publication is for all, so such a file has a ledger of its own.

`make test` sends each file that shares in one of the two ways (each command once, or twice) and takes every third of
the others; `make soak` sends all of them in both.
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from domain.commands import CATALOGUE_SUBJECT
from infra.cli.main import main
from infra.embedded.folder import EmbeddedLedger
from tests.scenarios.scenario import Do, Json, steps_of
from tests.scenarios.test_scenarios import FILES, GIVEN, Ask_, Run
from tests.support.live import LiveLedger

ALL_FILES = [*FILES, *sorted((GIVEN / "scenarios").glob("*.jsonl"))]
PARTITIONS = 3
EVERY_THIRD = 3
ASKED = (
    "calycom-invoice-at-the-boundary",
    "hexaserv-money-back-fees",
    "illyvoip-tax-rounding",
    "sixth-notices-and-causes",
    "telnexx-transfer-and-erasure",
)
"""One file of each system whose questions are asked too."""
WAYS = {"plain": False, "twice": True}
PLACE = re.compile(rb'"sequence":"\d{20}",|"commandposition":"[^"]*",')
SEALED = re.compile(rb"sealed:v1:[A-Za-z0-9+/=]+")

Facts = dict[str, list[bytes]]


def publishes(path: Path) -> bool:
    """Whether a file says anything to the catalogue."""
    return any(command.get("subscriber") == CATALOGUE_SUBJECT for command in commands_of(path))


def commands_of(path: Path) -> list[Json]:
    """What a file sends, in order."""
    return [step.command for step in steps_of(path) if isinstance(step, Do)]


ALONE = [path for path in ALL_FILES if publishes(path)]
TOGETHER = [path for path in ALL_FILES if not publishes(path)]


def renamed(commands: Sequence[Json], prefix: str) -> list[Json]:
    """The commands under subscribers that no other file has."""
    text = json.dumps(commands)
    for subject in {str(command.get("subscriber", "")) for command in commands} - {""}:
        text = re.sub(rf'"{re.escape(subject)}(?=["/])', f'"{prefix}{subject}', text)
    new: list[Json] = json.loads(text)
    return new


def doubled(commands: Sequence[Json], *, twice: bool) -> list[Json]:
    """Each command as often as it is sent."""
    return [command for command in commands for _ in range(1 + twice)]


def placeless(value: bytes) -> bytes:
    """A fact's bytes without what may differ."""
    return SEALED.sub(b"sealed", PLACE.sub(b"", value))


def unplaced(outcome: Json) -> Json:
    """An outcome without places."""
    events = [{**event, "sequence": None} for event in outcome.get("events", ())]
    kept = {name: value for name, value in outcome.items() if name != "position"}
    return {**kept, "events": events} if "events" in outcome else kept


def by_subject(values: Sequence[bytes]) -> Facts:
    """Subject → its facts in order."""
    found: Facts = defaultdict(list)
    for value in values:
        found[orjson.loads(value)["subject"]].append(placeless(value))
    return found


def embedded(folder: Path, key: Path, commands: Sequence[Json]) -> tuple[list[Json], Facts, list[bytes]]:
    """Outcomes, facts and publications of an embedded ledger with the same key of salts."""
    folder.mkdir()
    shutil.copy(key, folder / "salt.key")
    with EmbeddedLedger(folder, create=True) as ledger:
        writer = ledger.writer()
        outcomes = [writer.execute(orjson.loads(json.dumps(command))) for command in commands]
        writer.commit()
        facts = [value for _, value in ledger.application.stored(limit=10_000)]
        publications = [placeless(value) for _, value in ledger.catalogue_application.stored(limit=10_000)]
    return [unplaced(one) for one in outcomes], by_subject(facts), publications


def compare(ledger: LiveLedger, folder: Path, commands: Sequence[Json]) -> None:
    """The same commands to both ledgers: the same outcomes, facts and publications."""
    expected, facts_expected, publications = embedded(folder, ledger.settings.keys / "salt.key", commands)
    outcomes = ledger.submit(commands)
    assert [unplaced(one) for one in outcomes] == expected
    shards = ledger.facts(outcomes)
    found = by_subject([fact.value for facts in shards.values() for fact in facts])
    sent = {str(command.get("subscriber")) for command in commands}
    assert {subject: facts for subject, facts in found.items() if subject in sent} == facts_expected
    if CATALOGUE_SUBJECT in sent:
        assert [placeless(fact.value) for fact in ledger.publications()] == publications


@pytest.fixture(scope="module")
def shared(kafka_address: str) -> Iterator[LiveLedger]:
    """A ledger for all files that publish nothing, with its writer."""
    with LiveLedger(kafka_address, partitions=PARTITIONS) as ledger, ledger.running("write"):
        yield ledger


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which files are sent in which way: in a soak all in both."""
    for name, paths, step in (("together", TOGETHER, 1), ("alone", ALONE, EVERY_THIRD)):
        if name in metafunc.fixturenames:
            if metafunc.config.getoption("--examples"):
                chosen = [(path, way) for path in paths for way in WAYS]
            else:
                chosen = [(path, list(WAYS)[number % 2]) for number, path in enumerate(paths[::step])]
            metafunc.parametrize((name, "way"), chosen, ids=[f"{path.stem}-{way}" for path, way in chosen])


def test_a_scenario_on_a_shared_ledger(together: Path, way: str, shared: LiveLedger, tmp_path: Path) -> None:
    """Outcomes and facts are those of the embedded run, each command sent once, or twice."""
    mine = renamed(commands_of(together), f"{way}{TOGETHER.index(together)}.")
    compare(shared, tmp_path / "embedded", doubled(mine, twice=WAYS[way]))


def test_a_scenario_with_publications(alone: Path, way: str, kafka_address: str, tmp_path: Path) -> None:
    """Publications take their place between commands of all shards, as if there were one."""
    with LiveLedger(kafka_address, partitions=PARTITIONS) as ledger, ledger.writing_here():
        compare(ledger, tmp_path / "embedded", doubled(commands_of(alone), twice=WAYS[way]))


class LiveRun(Run):
    """A scenario with its questions: commands by `submit`, answers from PostgreSQL."""

    def __init__(self, ledger: LiveLedger, ask: Ask_) -> None:
        super().__init__(ledger.folder, self._asked)
        self._ledger = ledger
        self._verb = ask
        self._positions: dict[str, str] = {}

    def _outcomes(self, commands: list[Json]) -> list[Json]:
        outcomes = self._ledger.submit(commands)
        for position in (one["position"] for one in outcomes if "position" in one):
            self._positions[position.rpartition("/")[0]] = position
        return outcomes

    def _asked(self, words: list[str]) -> tuple[int, str]:
        """The question to the live ledger, once its views know of every command before it."""
        at_least = [word for position in self._positions.values() for word in ("--at-least", position)]
        return self._verb([*words[:-1], "kafka", *at_least, "--wait", "60"])


@pytest.mark.parametrize("name", ASKED)
def test_the_questions_of_a_scenario(
    name: str,
    kafka_address: str,
    postgres_dsn: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Facts, outcomes and answers are those that the file names, each question asked at the last command's position."""

    def ask(words: list[str]) -> tuple[int, str]:
        capfd.readouterr()
        code = main(words)
        return code, capfd.readouterr().out

    (path,) = (path for path in ALL_FILES if path.stem == name)
    with LiveLedger(kafka_address, tmp_path, postgres=postgres_dsn, partitions=PARTITIONS) as ledger:
        for variable, value in ledger.variables.items():
            monkeypatch.setenv(variable, value)
        with ledger.writing_here(), ledger.running("project"):
            found = LiveRun(ledger, ask).of(path)
    assert not found, "\n".join(found)


def test_the_few_are_of_every_system() -> None:
    """Files whose questions are asked, and files with publications in an ordinary run."""
    systems = {path.stem.partition("-")[0] for path in FILES}
    assert {name.partition("-")[0] for name in ASKED} == systems
    assert {path.stem.partition("-")[0] for path in ALONE[::EVERY_THIRD]} == systems


def test_a_difference_would_be_found() -> None:
    """A fact's place may differ, and what is sealed; an amount, an instant or a salt may not."""
    one = (
        b'{"sequence":"00000000000000000001","commandposition":"commands.v1/0/1","amount":"1.00","p":"sealed:v1:AAA="}'
    )
    other = one.replace(b"01", b"27").replace(b"AAA", b"BBB").replace(b"0/1", b"2/9")
    assert placeless(one) == placeless(other)
    assert placeless(one) != placeless(one.replace(b"1.00", b"1.01"))
