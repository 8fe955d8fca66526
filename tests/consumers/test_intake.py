"""Reading commands: what is malformed is answered with the path of its first fault, in the order of CONTRACT §2."""

import json
import re
from typing import Any, get_type_hints

import orjson
import pytest

from consumers.intake import FIELDS, REQUESTS, read_command
from domain import commands, documents
from domain.documents import Fault
from domain.money import MINOR_DIGITS
from tests.support.lines import DATA, Line, line

PUBLICATIONS = ("PublishRegulations", "PublishTariff")
DEEP = "[" * 400 + "]" * 400
DEEPEST = "[" * 1_000 + "]" * 1_000
"""What orjson reads and Python's own words for a value, which are recursive, could not say."""
WRONG: dict[object, list[Any]] = {
    bool: [None, 0, 1, "true", [], {}],
    commands.Key: [None, 0, 1.5, True, "", " ", "a b", "x" * 65, "é", [], {}, "tab\t"],
    commands.Name: [None, 0, True, "", "x" * 65, "line\nbreak", "tab\t", "\x00", [], {}],
    commands.FactId: [None, 0, 1.5, True, "", " ", "s-1 /7", "x" * 85, "é", [], {}, "tab\t"],
    commands.Text: [None, 7, True, "", "x" * 513, "line\nbreak", "\x00", [], {}],
    commands.CurrencyCode: [None, 840, "US", "usd", "USDT", "XXX", "", [], {}],
    commands.Millionths: [None, 5, 5.0, True, "", "1e2", "1,00", "5.0000001", "NaN", "+1", "1000000000.01", [], {}],
    commands.Count: [None, 0, -1, 1.0, 1.5, "1", True, 10**30, [], {}],
    commands.Whole: [None, -1, 1.0, "1", True, 10**30, [], {}],
    commands.Channels: [None, -1, 1.5, "1", True, 1001, 10**30, [], {}],
    commands.AddedChannels: [None, 0, -1, 1.5, "1", True, 1001, [], {}],
    commands.Periods: [0, -1, 1.5, "1", True, 61, [], {}],
    commands.Rate: [5, 1.1, "0", "-1", "1e2", "0.0000000000001", [], {}],
    "instant": [None, 0, "2026-01-05", "2026-01-05T12:00:00", "2026-01-05T25:00:00Z", "2026-02-30T00:00:00Z",
                "2026-01-05T24:00:00Z", "2026-01-05T12:00:60Z", "2026-01-05T12:00:00+02:60", "٢٠٢٦-01-05T12:00:00Z",
                "1999-01-01T00:00:00Z", "2026-01-05T12:00:00.0000001Z", "2026-01-05 12:00:00Z", "now", [], {}],
    "date": [None, 0, "2026-1-5", "2026-02-30", "2026-01-05T00:00:00Z", "1999-01-01", [], {}],
}  # fmt: skip
"""For each kind of value, JSON that is none."""
CHOICES: list[Any] = [None, 0, True, "cheque", "", "Card", [], {}]


def fault_of(value: Any) -> str:
    with pytest.raises(Fault) as caught:
        read_command(value)
    assert caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.path


def kind_of(request: type, name: str) -> tuple[list[Any], bool]:
    """Values that a field refuses, and whether null is one that it takes."""
    annotation = get_type_hints(request)[name]
    text = str(annotation)
    optional = "None" in text
    for kind, wrong in WRONG.items():
        named = "datetime" if kind == "instant" else kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        if annotation is kind or re.search(rf"\b{named}\b(?!\.)", text):
            return wrong, optional
    return CHOICES, optional


ROWS = [
    pytest.param(name, field.name, value, id=f"{name}.{field.name}={json.dumps(value)[:24]}")
    for name, known in FIELDS.items()
    for field in known
    if field.name != "personal"
    for value in kind_of(REQUESTS[name], field.name)[0]
    if not (value is None and kind_of(REQUESTS[name], field.name)[1])
]


@pytest.mark.parametrize(("request_type", "field", "value"), ROWS)
def test_a_field_with_the_wrong_kind_of_value_is_named(request_type: str, field: str, value: Any) -> None:
    assert fault_of(line(request_type, "c-1", **{field: value})) == f"data.{field}"


@pytest.mark.parametrize("request_type", [name for name in REQUESTS if name not in PUBLICATIONS])
def test_every_command_can_be_read(request_type: str) -> None:
    command = read_command(line(request_type, "c-1"))
    assert type(command.request).__name__ == request_type
    assert (command.id, command.subscriber, command.actor) == ("c-1", "s-1", "desk-1")
    assert command.at.isoformat() == "2026-01-05T10:00:00+00:00"


@pytest.mark.parametrize(
    ("request_type", "field"),
    [(name, field.name) for name, known in FIELDS.items() for field in known if field.required],
)
def test_a_missing_field_is_named(request_type: str, field: str) -> None:
    left_out: Line = {field: ...}
    assert fault_of(line(request_type, "c-1", **left_out)) == f"data.{field}"


@pytest.mark.parametrize("request_type", [name for name in REQUESTS if name not in PUBLICATIONS])
def test_an_unknown_field_is_named(request_type: str) -> None:
    assert fault_of(line(request_type, "c-1", note="x")) == "data.note"


@pytest.mark.parametrize(
    ("request_type", "order"),
    [
        ("RegisterSubscriber", "regulations currency plan holder autorenew first_account personal"),
        ("PassVerification", ""),
        ("RefuseRegistration", "ground"),
        ("CreditDeposit", "amount currency method reference payer received_at"),
        ("ReverseDeposit", "reference ground"),
        ("OrderNumber", "number service channels autorenew periods prepaid"),
        ("AddChannels", "number count"),
        ("ReleaseNumber", "number"),
        ("SetAutorenew", "number autorenew"),
        ("ReplaceNumber", "number new_number"),
        ("AnnounceNumberReplacement", "number new_number on"),
        ("RequestPlanChange", "plan"),
        ("WithdrawPlanChange", ""),
        ("OrderAdministrativeService", "service quantity ground"),
        ("ReportUsage", "number usage service elapsed_seconds ended units"),
        ("RecordViolation", "kind ground unlawful sanction"),
        ("SuspendServices", "ground"),
        ("ResumeServices", ""),
        ("RequestTermination", "ticket reason"),
        ("TerminateAgreement", "ground cause charge_remaining_term"),
        ("RequestRefund", "reason method country"),
        ("DecideRefund", "refund approved reviewer reason"),
        ("ConfirmRefundPaid", "refund method reference currency rate"),
        ("OpenDispute", "charge reason"),
        ("ResolveDispute", "dispute upheld amount reviewer reason"),
        ("GrantCompensation", "amount fault_at complaint_at evidence"),
        ("PostAdjustment", "amount reason reviewer"),
        ("TransferAgreement", "holder consent personal"),
        ("ErasePersonalData", "reason"),
        ("AdvanceClock", ""),
    ],
)
def test_the_first_fault_is_the_first_in_the_order_of_the_contract(request_type: str, order: str) -> None:
    fields = order.split()
    assert [field.name for field in FIELDS[request_type]] == fields
    fallible = [name for name in fields if name != "personal"]
    for index, name in enumerate(fallible):
        everything_after_is_wrong: Line = {later: [] for later in fallible[index:]}
        assert fault_of(line(request_type, "c-1", note="x", **everything_after_is_wrong)) == f"data.{name}"


def test_every_command_of_the_contract_is_known() -> None:
    assert list(REQUESTS) == [*DATA, *PUBLICATIONS]


def test_the_envelope_is_read_in_its_order() -> None:
    good = line("CreditDeposit", "c-1")
    names = ["id", "type", "subscriber", "at", "actor", "data"]
    for index, name in enumerate(names):
        broken = {**good, "note": 1, **dict.fromkeys(names[index:], 7)}
        assert fault_of(broken) == name
        missing = {key: value for key, value in {**good, "note": 1}.items() if key not in names[index:]}
        assert fault_of(missing) == name
    assert fault_of({**good, "note": 1}) == "note"


@pytest.mark.parametrize("value", [None, [], "command", 7, True, [{}]])
def test_what_is_no_object_is_no_command(value: Any) -> None:
    assert fault_of(value) == ""


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"type": "creditdeposit"}, "type"),
        ({"type": "GiveMoney"}, "type"),
        ({"subscriber": "s 1"}, "subscriber"),
        ({"subscriber": "x" * 65}, "subscriber"),
        ({"subscriber": "ü"}, "subscriber"),
        ({"subscriber": "catalogue"}, "subscriber"),
        ({"at": "2026-01-05T12:00:00"}, "at"),
        ({"at": 1767607200}, "at"),
        ({"at": None}, "at"),
        ({"actor": ""}, "actor"),
        ({"actor": None}, "actor"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
    ],
)
def test_a_fault_of_the_envelope_is_named(changes: Line, path: str) -> None:
    assert fault_of({**line("CreditDeposit", "c-1"), **changes}) == path


def test_publications_are_for_the_catalogue_alone() -> None:
    document: Line = {**line("PublishTariff", "c-1"), "data": {}}
    assert fault_of(document) == "subscriber"
    assert type(read_command({**document, "subscriber": "catalogue"}).request).__name__ == "PublishTariff"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"elapsed_seconds": ..., "ended": ...}, "data.elapsed_seconds"),
        ({"elapsed_seconds": ...}, "data.elapsed_seconds"),
        ({"ended": ...}, "data.ended"),
        ({"units": 1}, "data.units"),
        ({"units": 1, "ended": ...}, "data.units"),
        ({"elapsed_seconds": ..., "ended": "yes"}, "data.elapsed_seconds"),
        ({"elapsed_seconds": -1, "ended": ...}, "data.elapsed_seconds"),
        ({"units": "one"}, "data.units"),
    ],
)
def test_usage_is_reported_by_time_or_by_units(data: Line, path: str) -> None:
    assert fault_of(line("ReportUsage", "c-1", **data)) == path


def test_a_prepaid_order_needs_a_term_and_a_telephone_service_a_telephone_number() -> None:
    assert fault_of(line("OrderNumber", "c-1", prepaid=True)) == "data.periods"
    assert fault_of(line("OrderNumber", "c-1", number="site-1")) == "data.number"
    assert fault_of(line("OrderNumber", "c-1", number="+0441234567")) == "data.number"
    assert read_command(line("OrderNumber", "c-1", number="site-1", service="hosting")).id == "c-1"


def test_of_several_faults_of_an_order_the_first_field_is_named() -> None:
    assert fault_of(line("OrderNumber", "c-1", number="site-1", channels="two", prepaid=True)) == "data.number"
    assert fault_of(line("OrderNumber", "c-1", autorenew="no", prepaid=True)) == "data.autorenew"
    assert fault_of(line("OrderNumber", "c-1", prepaid=True, note="x")) == "data.periods"
    assert read_command(line("OrderNumber", "c-1", prepaid=True, periods=2)).id == "c-1"


@pytest.mark.parametrize(
    ("request_type", "name"),
    [
        ("OpenDispute", "charge"),
        ("ResolveDispute", "dispute"),
        ("DecideRefund", "refund"),
        ("ConfirmRefundPaid", "refund"),
    ],
)
def test_facts_of_the_longest_subject_can_be_named(request_type: str, name: str) -> None:
    longest = f"{'s' * 64}/{2**63 - 1}"
    assert getattr(read_command(line(request_type, "c-1", **{name: longest})).request, name) == longest
    assert fault_of(line(request_type, "c-1", **{name: f"{longest}0"})) == f"data.{name}"


def test_every_currency_of_the_list_is_a_currency() -> None:
    for currency in MINOR_DIGITS:
        assert read_command(line("CreditDeposit", "c-1", currency=currency)).id == "c-1"


def test_numbers_of_any_size_and_nesting_of_any_depth_are_only_faults() -> None:
    assert fault_of(line("OrderNumber", "c-1", channels=10**400)) == "data.channels"
    assert fault_of(line("CreditDeposit", "c-1", amount="9" * 10_000)) == "data.amount"
    assert fault_of(line("CreditDeposit", "c-1", amount=json.loads(DEEP))) == "data.amount"
    assert fault_of(line("CreditDeposit", "c-1", amount=orjson.loads(DEEPEST))) == "data.amount"
    assert fault_of(line("CreditDeposit", "c-1", amount=float("nan"))) == "data.amount"


def test_an_instant_is_the_same_in_every_zone() -> None:
    kyiv = read_command(line("AdvanceClock", "c-1", "2026-01-05T12:00:00+02:00"))
    utc = read_command(line("AdvanceClock", "c-1", "2026-01-05T10:00:00.000000Z"))
    assert kyiv.at == utc.at


def test_a_live_ledger_takes_its_instant_from_the_broker() -> None:
    now = read_command(line("AdvanceClock", "c-0")).at
    without = {key: value for key, value in line("AdvanceClock", "c-1").items() if key != "at"}
    assert read_command(without, now).at == now
    with pytest.raises(Fault) as caught:
        read_command(line("AdvanceClock", "c-1"), now)
    assert caught.value.path == "at"
    assert fault_of(without) == "at"


@pytest.mark.parametrize(
    ("read", "characters"),
    [
        (documents.command_id, "printable characters"),
        (documents.subject, "characters of A-Z a-z 0-9 . _ -"),
    ],
)
def test_a_name_has_one_to_sixty_four_characters(read: documents.Reader, characters: str) -> None:
    assert read("c", "id") == "c"
    assert read("c" * 64, "id") == "c" * 64
    for value, words in (("", "''"), ("c" * 65, f"'{'c' * 39}…"), ("\t", "'\\t'"), (7, "7")):
        with pytest.raises(Fault) as fault:
            read(value, "id")
        assert (fault.value.path, fault.value.message) == ("id", f"expected 1 to 64 {characters}, found {words}")


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (True, "true"), ([None, "é"], '[null, "é"]'), ({"a": False}, '{"a": false}'), (7, "7")],
)
def test_what_was_found_is_said_as_json_has_it(value: Any, words: str) -> None:
    with pytest.raises(Fault) as fault:
        documents.key(value, "id")
    assert fault.value.message.endswith(f", found {words}")


def test_a_long_value_is_named_by_its_first_forty_characters() -> None:
    assert documents.found("x" * 38) == f"'{'x' * 38}'"
    assert documents.found("x" * 39) == f"'{'x' * 39}…"
    assert documents.found("x" * 99) == f"'{'x' * 39}…"
    assert documents.found(orjson.loads(DEEPEST)) == "a value nested too deeply"


def test_a_whole_number_is_read_within_its_bounds_both_included() -> None:
    read = documents.bounded(1, 3)
    assert [read(value, "data.count") for value in (1, 2, 3)] == [1, 2, 3]
    for wrong in (0, 4, True, "2", 2.0, None):
        with pytest.raises(Fault) as fault:
            read(wrong, "data.count")
        assert fault.value.path == "data.count"
        assert fault.value.message == f"expected a whole number from 1 to 3, found {documents.found(wrong)}"


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ("USD", "currencies", "expected a list, found 'USD'"),
        (["USD", 5], "currencies[1]", "expected a currency code of ISO 4217, BTC or XMR, found 5"),
        (["USD", "USD"], "currencies", "expected no entry twice"),
    ],
)
def test_a_list_is_read_entry_by_entry_and_holds_none_twice(value: Any, path: str, message: str) -> None:
    read = documents.listed(documents.currency)
    assert read(["USD", "EUR"], "currencies") == ("USD", "EUR")
    assert read([], "currencies") == ()
    with pytest.raises(Fault) as fault:
        read(value, "currencies")
    assert (fault.value.path, fault.value.message) == (path, message)


@pytest.mark.parametrize(
    ("read", "least", "most", "beyond"),
    [
        (documents.rate, "0.000000000001", "1000000000", "1000000000.000000000001"),
        (documents.day, "2000-01-01", "2199-12-31", "2200-01-01"),
        (documents.instant, "2000-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z", "2200-01-01T00:00:00Z"),
        (documents.price, "0.00", "100000000", "100000000.000001"),
        (documents.amount, "-1000000000", "1000000000", "1000000000.000001"),
    ],
)
def test_the_least_and_the_most_that_is_taken_for_no_mistake(
    read: documents.Reader, least: str, most: str, beyond: str
) -> None:
    assert read(least, "data.value") < read(most, "data.value")
    with pytest.raises(Fault) as fault:
        read(beyond, "data.value")
    assert fault.value.path == "data.value"
    assert fault.value.message.endswith(f", found {documents.found(beyond)}")


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (documents.rate, 5, "expected a rate as a decimal string, found 5"),
        (documents.country, "de", "expected a country code of two capitals such as DE, found 'de'"),
        (documents.day, 5, "expected a date such as 2026-02-15, found 5"),
        (documents.day, "2026-02-30", "expected a date that exists, found '2026-02-30'"),
    ],
)
def test_a_fault_says_what_was_expected_and_what_was_found(read: documents.Reader, value: Any, message: str) -> None:
    with pytest.raises(Fault) as fault:
        read(value, "data.value")
    assert str(fault.value) == fault.value.message == message


SEALED = "sealed:v1:"


@pytest.mark.parametrize(
    "personal",
    ["Anna", {"name": "Anna", "street": "Main 1"}, {}, f"{SEALED}{'A' * 600}", f"{SEALED}{'A' * 699_990}"],
    ids=lambda value: str(value)[:24],
)
def test_personal_data_is_a_text_texts_by_name_or_sealed_already(personal: Any) -> None:
    assert documents.personal(personal, "data.personal") == personal
    assert read_command(line("RegisterSubscriber", "c-1", personal=personal)).id == "c-1"


@pytest.mark.parametrize(
    ("personal", "path"),
    [
        (5, "data.personal"),
        ("", "data.personal"),
        ("x" * 513, "data.personal"),
        (f"{SEALED}{'A' * 699_991}", "data.personal"),
        ({"name": 5}, "data.personal.name"),
        ({"first name": "Anna"}, "data.personal.first name"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_other_personal_data_is_a_fault(personal: Any, path: str) -> None:
    assert fault_of(line("RegisterSubscriber", "c-1", personal=personal)) == path
