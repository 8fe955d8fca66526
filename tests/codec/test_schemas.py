"""The published contracts are what the code says, and take and refuse what the ledger takes, writes and refuses."""

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from consumers.intake import REQUESTS, read_command
from consumers.ports import Stored
from consumers.writer import Writer
from domain.commands import CATALOGUE_SUBJECT
from domain.documents import Fault
from domain.facts import WIRE_TYPES, Fact, Recorded
from domain.money import Money
from infra import codec
from infra.contracts import asyncapi, balance_record
from infra.contracts.balance_record import BalanceRecord
from infra.contracts.kinds import AMOUNT
from tests.codec.facts import facts
from tests.codec.schemas import faults, schemas
from tests.codec.test_examples import EXAMPLES
from tests.codec.write_examples import KEY
from tests.consumers.test_intake import PUBLICATIONS, ROWS
from tests.scenarios.scenario import Do, steps_of
from tests.style.checkout import ROOT
from tests.support.lines import DATA, line
from tests.support.memory_store import MemoryCatalogue, MemoryShard, PlainSealer

SCENARIOS = sorted(
    [*(ROOT / "tests" / "scenarios").glob("*.jsonl"), *(ROOT.parent / "shared" / "scenarios").glob("*.jsonl")]
)
POSITION = "subledger.commands.v1/3/1881"
AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
NUMBERS_LIKE_WHOLE_ONES = ("1.0",)
YEARS_BEFORE_ALL = ("1999-01-01T00:00:00Z", "1999-01-01")
WIDER = {*NUMBERS_LIKE_WHOLE_ONES, *map(repr, YEARS_BEFORE_ALL)}
"""Values that intake refuses and no schema can: to JSON Schema 1.0 is a whole number."""

Json = dict[str, Any]


@cache
def _script() -> ModuleType:
    """docs/make_contracts.py, which is no part of a package."""
    found = importlib.util.spec_from_file_location("make_contracts", ROOT / "docs" / "make_contracts.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_what_is_checked_in_is_what_the_code_says() -> None:
    assert _script().differing() == []


def test_the_script_writes_what_is_missing_and_removes_what_is_no_more(tmp_path: Path) -> None:
    script = _script()
    script.write(tmp_path)
    gone, edited = tmp_path / "schemas" / "gone.json", tmp_path / "asyncapi.json"
    gone.write_text("{}")
    edited.write_text("{}")
    assert script.differing(tmp_path) == [edited, gone]
    script.write(tmp_path)
    assert script.differing(tmp_path) == []
    assert not gone.exists()


def test_there_is_a_schema_of_everything() -> None:
    commands = {f"commands/{name}" for name in REQUESTS}
    assert set(schemas()) == {*WIRE_TYPES.values(), *commands, "command", "outcome", "balance", "dead-letter"}


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_one_and_stands_at_its_address(name: str) -> None:
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == codec.DATASCHEMA.format(type=name)


def test_patterns_are_such_as_every_language_reads_alike() -> None:
    """No look-around, no classes of Unicode, and anchored at both ends wherever a whole value is meant."""
    for pattern in _patterns(schemas()):
        assert not re.search(r"\(\?[=!<]|\\p", pattern), pattern
        assert pattern.startswith("^") or pattern == r"[\x00-\x1f\x7f-\x9f]", pattern


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, part in schema.items():
            if name == "pattern" and isinstance(part, str):
                yield part
            else:
                yield from _patterns(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _patterns(part)


# --- facts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_stored_example_is_valid(file: Path) -> None:
    assert faults(file.stem, json.loads(file.read_bytes())) == []


@given(facts())
def test_every_fact_that_the_codec_writes_is_valid(fact: Fact) -> None:
    for position in (None, POSITION):
        event = _event(fact, position)
        assert faults(event["type"], event) == []


def _event(fact: Fact, position: str | None) -> Json:
    recorded = Recorded(
        subject="s-1", version=1, fact=fact, effective_at=AT, recorded_at=AT, basis="a/clause", due=position is None
    )
    stored = Stored(
        recorded=recorded,
        sequence=1,
        source="subledger/telnexx",
        caused_by="c-17",
        catalogue_sequence=9,
        command_position=position,
    )
    event: Json = json.loads(codec.encode(stored, KEY)[1])
    return event


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_schema_requires_what_decoding_needs_and_nothing_else(file: Path) -> None:
    """Every field of an example is left out in turn: schema and codec agree on whether it may be."""
    event = json.loads(file.read_bytes())
    for name in event["data"]:
        data = {other: value for other, value in event["data"].items() if other != name}
        lacking = {**event, "data": data}
        assert bool(faults(file.stem, lacking)) == _is_undecodable(lacking), name


def _is_undecodable(event: Json) -> bool:
    try:
        codec.decode(json.dumps(event).encode())
    except codec.UndecodableFact:
        return True
    return False


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_schema_is_closed_at_every_depth(file: Path) -> None:
    """A field that nobody knows is refused wherever it stands; only published documents are open."""
    event = json.loads(file.read_bytes())
    for place in _objects(event):
        place["unheard_of"] = 1
        assert faults(file.stem, event), place
        del place["unheard_of"]
    assert faults(file.stem, event) == []


def _objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for name, part in value.items():
            if name != "document":
                yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


AMOUNTS = [
    pytest.param(name, field, id=f"{name.split('.')[1]}.{field}")
    for name in WIRE_TYPES.values()
    for field, schema in schemas()[name]["properties"]["data"]["properties"].items()
    if schema.get("pattern") == AMOUNT["pattern"]
]


@pytest.mark.parametrize(("name", "field"), AMOUNTS)
def test_an_amount_is_a_decimal_string(name: str, field: str) -> None:
    event = json.loads((Path(EXAMPLES[0]).parent / f"{name}.json").read_bytes())
    for wrong in (2.7, 2, "2,70", "1e2", "+2.70", ".5", "2.", "", None):
        assert faults(name, {**event, "data": {**event["data"], field: wrong}}), wrong


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("time", "2026-01-05T10:00:00"),
        ("time", "2026-01-05T10:00:00+02:00"),
        ("time", "2026-02-30T10:00:00Z"),
        ("effectiveat", "2026-01-05"),
        ("sequence", "21"),
        ("sequence", 21),
        ("streamversion", 0),
        ("streamversion", "1"),
        ("due", False),
        ("id", "s-1"),
        ("salt", "0299455f"),
        ("source", "elsewhere"),
        ("subject", "s 1"),
        ("commandposition", "1881"),
        ("dataschema", "https://subledger.example/schemas/other.json"),
        ("type", "subledger.deposit-credited.v1"),
        ("specversion", "0.3"),
    ],
)
def test_an_envelope_with_the_wrong_kind_of_value_is_refused(field: str, wrong: Any) -> None:
    event = json.loads((EXAMPLES[0].parent / "subledger.usage-charged.v1.json").read_bytes())
    assert faults(event["type"], {**event, field: wrong})


# --- commands -------------------------------------------------------------------------------------------------------


def _is_refused(command: Json) -> bool:
    try:
        read_command(command)
    except Fault:
        return True
    return False


@pytest.mark.parametrize("request_type", DATA)
def test_a_command_that_can_be_read_is_valid(request_type: str) -> None:
    """On a sandbox ledger with its instant, on a live one without."""
    command = line(request_type, "c-1")
    live = {name: value for name, value in command.items() if name != "at"}
    for schema in ("command", f"commands/{request_type}"):
        assert faults(schema, command) == []
        assert faults(schema, live) == []


@pytest.mark.parametrize(("request_type", "field", "value"), ROWS)
def test_what_intake_refuses_the_schema_refuses(request_type: str, field: str, value: Any) -> None:
    refused = faults(f"commands/{request_type}", line(request_type, "c-1", **{field: value}))
    assert refused or repr(value) in WIDER


WHOLE = [
    ("OrderNumber", {"prepaid": True}),
    ("OrderNumber", {"prepaid": True, "periods": 3}),
    ("OrderNumber", {"prepaid": False}),
    ("OrderNumber", {"number": "ext-1"}),
    ("OrderNumber", {"number": "ext-1", "service": "trunk"}),
    ("OrderNumber", {"number": "ext-1", "service": "didxua"}),
    ("ReportUsage", {"units": 3}),
    ("ReportUsage", {"units": 3, "elapsed_seconds": ..., "ended": ...}),
    ("ReportUsage", {"units": 3, "elapsed_seconds": ...}),
    ("ReportUsage", {"elapsed_seconds": ...}),
    ("ReportUsage", {"ended": ...}),
    ("ReportUsage", {"elapsed_seconds": ..., "ended": ...}),
    ("RegisterSubscriber", {"personal": "a name"}),
    ("RegisterSubscriber", {"personal": {"name": "a name"}}),
    ("RegisterSubscriber", {"personal": {"name": 1}}),
    ("RegisterSubscriber", {"personal": {"a name": "x"}}),
    ("RegisterSubscriber", {"personal": ["a name"]}),
    ("PostAdjustment", {"amount": "-1000000000.000000"}),
    ("PostAdjustment", {"amount": "1000000000.000001"}),
    ("PostAdjustment", {"amount": "999999999.999999"}),
    ("ConfirmRefundPaid", {"rate": "0.000000000001"}),
    ("ConfirmRefundPaid", {"rate": "0.000"}),
    ("RequestRefund", {"country": "ME"}),
    ("RequestRefund", {"country": "me"}),
    ("PassVerification", {"note": "x"}),
]


@pytest.mark.parametrize(("request_type", "data"), WHOLE)
def test_schema_and_intake_agree_on_what_no_single_field_can_say(request_type: str, data: Json) -> None:
    command = line(request_type, "c-1", **data)
    assert bool(faults(f"commands/{request_type}", command)) == _is_refused(command)


@pytest.mark.parametrize("name", ["id", "type", "subscriber", "actor", "data"])
def test_a_command_without_its_envelope_is_refused(name: str) -> None:
    command = line("CreditDeposit", "c-1")
    assert faults("commands/CreditDeposit", {other: value for other, value in command.items() if other != name})
    assert faults("commands/CreditDeposit", {**command, name: 7})


@pytest.mark.parametrize("request_type", PUBLICATIONS)
def test_who_publishes_says_the_word_catalogue(request_type: str) -> None:
    command = {**line(request_type, "c-1", subscriber=CATALOGUE_SUBJECT), "data": {"tariff": "t"}}
    assert faults("command", command) == []
    assert faults("command", {**command, "subscriber": "s-1"})
    assert faults("command", {**line("AdvanceClock", "c-1"), "subscriber": CATALOGUE_SUBJECT})


# --- whatever scenarios lead to -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_a_scenario_sends_records_and_answers_is_valid(path: Path) -> None:
    """Commands as intake reads them; every fact and outcome; every command twice, so that duplicates are among them."""
    shard, catalogue = MemoryShard(), MemoryCatalogue()
    writer = Writer(shard, catalogue, PlainSealer())
    for step in steps_of(path):
        if isinstance(step, Do):
            assert bool(faults("command", step.command)) == _is_refused(step.command), step.command
            for outcome in (writer.execute(step.command), writer.execute(step.command)):
                assert faults("outcome", outcome) == [], outcome
    writer.commit()
    written = [*shard.facts, *(_published(recorded) for recorded in catalogue.facts)]
    for stored in written:
        for position in (None, POSITION):
            name, value = codec.encode(replace(stored, command_position=position), KEY)
            assert faults(name, json.loads(value)) == [], value


def _published(recorded: Recorded) -> Stored:
    return Stored(
        recorded=recorded,
        sequence=recorded.version,
        source=codec.SOURCE,
        caused_by="c-1",
        catalogue_sequence=recorded.version,
    )


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) > 50


# --- outcomes, balances, dead letters -------------------------------------------------------------------------------

ACCEPTED: Json = {"command": "c-1", "status": "accepted", "balance": "1.00", "currency": "USD", "events": []}
REFUSED: Json = {
    **ACCEPTED,
    "status": "refused",
    "code": "same_plan",
    "basis": "a/b",
    "message": "m",
    "earliest": "2026-03-01T00:00:00+02:00",
}
INVALID: Json = {"command": None, "status": "invalid", "path": "data.amount", "message": "expected an amount"}


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (ACCEPTED, {"balance": 1.0}),
        (ACCEPTED, {"balance": None}),
        (ACCEPTED, {"note": "x"}),
        (ACCEPTED, {"code": "same_plan"}),
        (ACCEPTED, {"status": "done"}),
        (ACCEPTED, {"currency": ...}),
        (ACCEPTED, {"events": ...}),
        (ACCEPTED, {"events": [{"id": "s-1/1"}]}),
        (ACCEPTED, {"continue": True}),
        (REFUSED, {"code": ...}),
        (REFUSED, {"code": "because"}),
        (REFUSED, {"earliest": "2026-03-01T00:00:00"}),
        (INVALID, {"path": ...}),
        (INVALID, {"balance": "1.00"}),
    ],
)
def test_an_outcome_of_another_shape_is_refused(outcome: Json, wrong: Json) -> None:
    assert faults("outcome", outcome) == []
    changed = {name: value for name, value in {**outcome, **wrong}.items() if value is not ...}
    assert faults("outcome", changed)


BALANCE = BalanceRecord(
    subscriber="s-1", balance=Money(42_300_000, "USD"), shard=3, sequence=1881, recorded_at=AT.replace(microsecond=5)
)
INVOICED = replace(BALANCE, outstanding=Money(2_700_000, "USD"))


@pytest.mark.parametrize("record", [BALANCE, INVOICED, replace(BALANCE, balance=Money(-1, "XMR"))])
def test_a_balance_record_is_valid_and_is_read_again(record: BalanceRecord) -> None:
    assert faults("balance", json.loads(record.value())) == []
    assert balance_record.read(record.value()) == record
    assert record.key == b"s-1"


def test_a_balance_record_says_its_fields_in_this_order() -> None:
    assert INVOICED.value() == (
        b'{"subscriber":"s-1","balance":"42.30","currency":"USD","outstanding":"2.70",'
        b'"shard":3,"sequence":1881,"recorded_at":"2026-01-05T10:00:00.000005Z"}'
    )


@pytest.mark.parametrize("wrong", [{"balance": 42.3}, {"note": "x"}, {"recorded_at": "2026-01-05T10:00:00"}])
def test_a_balance_record_of_another_shape_is_refused(wrong: Json) -> None:
    assert faults("balance", {**json.loads(INVOICED.value()), **wrong})


def test_the_reason_of_a_dead_letter_is_a_path_and_a_message() -> None:
    assert faults("dead-letter", {"path": "data.amount", "message": "missing"}) == []
    assert faults("dead-letter", {"path": "data.amount"})
    assert faults("dead-letter", {"path": None, "message": "missing"})


# --- the topics -----------------------------------------------------------------------------------------------------

DOCUMENT: Json = json.loads((ROOT / "docs" / "asyncapi.json").read_bytes())
SHARDS, WEEK_MS, QUARTER_MS = 12, 604_800_000, 7_776_000_000


def test_the_topics_are_those_of_the_contract() -> None:
    """Address, partitions, cleanup, retention: the table of CONTRACT §7."""
    found = {}
    for channel in DOCUMENT["channels"].values():
        kafka = channel["bindings"]["kafka"]
        settings = kafka["topicConfiguration"]
        found[channel["address"]] = (kafka["partitions"], settings["cleanup.policy"], settings.get("retention.ms"))
    assert found == {
        "{prefix}.commands.v1": (SHARDS, ["delete"], -1),
        "{prefix}.events.v1": (SHARDS, ["delete"], -1),
        "{prefix}.replies.v1": (SHARDS, ["delete"], WEEK_MS),
        "{prefix}.balances.v1": (SHARDS, ["compact"], None),
        "{prefix}.catalogue.v1": (1, ["delete"], -1),
        "{prefix}.checkpoints.v1": (1, ["delete"], -1),
        "{prefix}.dead-letters.v1": (SHARDS, ["delete"], QUARTER_MS),
    }
    commands = DOCUMENT["channels"]["commands"]["bindings"]["kafka"]["topicConfiguration"]
    assert commands["message.timestamp.type"] == "LogAppendTime"


def test_every_message_is_on_a_topic_and_every_topic_has_an_operation() -> None:
    on_topics = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert on_topics == set(DOCUMENT["components"]["messages"])
    operated = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert operated == {f"#/channels/{name}" for name in DOCUMENT["channels"]}
    received = [
        operation["channel"] for operation in DOCUMENT["operations"].values() if operation["action"] == "receive"
    ]
    assert received == [{"$ref": "#/channels/commands"}]


def test_references_lead_somewhere_and_leave_no_schema_out() -> None:
    named = set()
    for reference in _references(DOCUMENT):
        file, _, pointer = reference.partition("#")
        if file:
            named.add(file.removeprefix(f"{asyncapi.FOLDER}/").removesuffix(".json"))
        else:
            _follow(pointer)
    assert named == set(schemas()) - {"command"}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "$ref":
                yield part
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _follow(pointer: str) -> None:
    """KeyError where the document has nothing there."""
    place: Any = DOCUMENT
    for name in pointer.strip("/").split("/"):
        place = place[name]
