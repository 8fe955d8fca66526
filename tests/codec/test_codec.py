"""Every fact is written and read back the same, under the names and in the envelope of CONTRACT §6."""

import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.ports import Stored
from domain.facts import FACT_TYPES, WIRE_TYPES, DepositCredited, Recorded
from domain.money import Money
from infra import codec
from tests.codec.facts import fact_of, stored

KEY = b"k" * 32
NAMES = [
    "subscriber-registered",
    "registration-refused",
    "verification-passed",
    "agreement-concluded",
    "order-placed",
    "order-cancelled",
    "number-rented",
    "number-replacement-announced",
    "number-replaced",
    "channels-added",
    "rental-suspended",
    "rental-resumed",
    "rental-ended",
    "autorenew-set",
    "deposit-credited",
    "deposit-reversed",
    "connection-fee-charged",
    "connection-fee-difference-charged",
    "administrative-service-charged",
    "periodic-service-charged",
    "usage-charged",
    "usage-cut-off",
    "included-units-granted",
    "included-units-lapsed",
    "tax-charged",
    "invoice-issued",
    "payment-allocated",
    "invoice-expired",
    "plan-change-scheduled",
    "plan-change-withdrawn",
    "plan-changed",
    "plan-change-lapsed",
    "violation-recorded",
    "warning-issued",
    "services-suspended",
    "services-resumed",
    "termination-announced",
    "agreement-terminated",
    "refund-requested",
    "refund-approved",
    "refund-denied",
    "refund-due",
    "refund-paid",
    "balance-forfeited",
    "remainder-written-off",
    "remaining-term-charged",
    "dispute-opened",
    "dispute-resolved",
    "charge-reversed",
    "compensation-granted",
    "adjustment-posted",
    "agreement-transferred",
    "personal-data-erased",
    "command-refused",
    "regulations-published",
    "tariff-published",
]
"""CONTRACT §6, in its order."""


def envelope(recorded: Recorded, **others: Any) -> Stored:
    given_fields = {"sequence": 5, "source": "subledger/telnexx", "caused_by": "c-17", "catalogue_sequence": 9}
    return Stored(recorded=recorded, **{**given_fields, **others})


def deposit(**others: Any) -> Recorded:
    fields = {
        "subject": "s-1",
        "version": 4,
        "fact": DepositCredited(
            amount=Money.parse("42.1125", "USD"),
            method="card",
            reference="lp-991",
            received_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
        ),
        "effective_at": datetime(2026, 1, 5, 9, tzinfo=UTC),
        "recorded_at": datetime(2026, 1, 5, 10, 0, 0, 250, tzinfo=UTC),
        "basis": "telnexx/deposit",
    }
    return Recorded(**{**fields, **others})


def test_the_names_outside_are_those_of_the_contract() -> None:
    assert [WIRE_TYPES[fact] for fact in FACT_TYPES] == [f"subledger.{name}.v1" for name in NAMES]


@pytest.mark.parametrize("fact_type", FACT_TYPES, ids=lambda fact_type: fact_type.__name__)
@settings(max_examples=6)
@given(data=st.data())
def test_every_fact_is_read_back_as_it_was(fact_type: type, data: st.DataObject) -> None:
    fact = data.draw(fact_of(fact_type))
    one = envelope(deposit(fact=fact))
    event_type, state = codec.encode(one, KEY)
    assert event_type == WIRE_TYPES[fact_type]
    assert codec.decode(state) == one


@settings(max_examples=50)
@given(one=stored())
def test_every_envelope_is_read_back_as_it_was(one: Stored) -> None:
    _, state = codec.encode(one, KEY)
    assert codec.decode(state) == one
    assert codec.encode(codec.decode(state), KEY)[1] == state


@settings(max_examples=50)
@given(one=stored())
def test_there_is_no_float_in_any_fact(one: Stored) -> None:
    def refuse(text: str) -> float:
        raise AssertionError(f"found the float {text}")

    json.loads(codec.encode(one, KEY)[1], parse_float=refuse, parse_constant=refuse)


def test_a_fact_is_a_cloud_event_in_structured_mode() -> None:
    _, state = codec.encode(envelope(deposit(), command_position="commands.v1/3/1881"), KEY)
    event = json.loads(state)
    salt = event.pop("salt")
    assert event == {
        "specversion": "1.0",
        "id": "s-1/4",
        "type": "subledger.deposit-credited.v1",
        "source": "subledger/telnexx",
        "subject": "s-1",
        "time": "2026-01-05T10:00:00.000250Z",
        "datacontenttype": "application/json",
        "dataschema": "https://subledger.example/schemas/subledger.deposit-credited.v1.json",
        "sequence": "00000000000000000005",
        "streamversion": 4,
        "effectiveat": "2026-01-05T09:00:00Z",
        "causationid": "c-17",
        "commandposition": "commands.v1/3/1881",
        "cataloguesequence": 9,
        "basis": "telnexx/deposit",
        "data": {
            "amount": "42.1125",
            "currency": "USD",
            "method": "card",
            "reference": "lp-991",
            "received_at": "2026-01-05T09:00:00Z",
        },
    }
    assert re.fullmatch(r"[0-9a-f]{32}", salt), "16 bytes"


@settings(max_examples=40)
@given(one=stored())
def test_extension_attributes_are_lower_case_letters_and_digits(one: Stored) -> None:
    # CloudEvents 1.0: attribute names consist of lower-case letters and digits.
    event = json.loads(codec.encode(one, KEY)[1])
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)


def test_the_position_of_a_command_is_left_out_on_an_embedded_ledger() -> None:
    assert "commandposition" not in json.loads(codec.encode(envelope(deposit()), KEY)[1])


def test_the_salt_is_one_facts_own_under_one_ledgers_key() -> None:
    salts = {codec.salt_of(key, fact) for key in (KEY, b"o" * 32) for fact in ("s-1/1", "s-1/2", "s-1/11")}
    assert len(salts) == 6
    assert codec.salt_of(KEY, "s-1/1") == codec.salt_of(KEY, "s-1/1")


@pytest.mark.parametrize("key", [b"k", KEY, b"k" * 64, b"k" * 65, b"k" * 200])
def test_the_salt_is_the_first_half_of_an_hmac(key: bytes) -> None:
    assert codec.salt_of(key, "s-1/7") == hmac.digest(key, b"s-1/7", "sha256")[:16].hex()


def test_sequences_sort_as_text() -> None:
    texts = [json.loads(codec.encode(envelope(deposit(), sequence=n), KEY)[1])["sequence"] for n in (9, 10, 10**19)]
    assert texts == sorted(texts)


def test_a_payout_names_both_currencies() -> None:
    from domain.facts import RefundPaid

    paid = RefundPaid(
        refund="s-1/7",
        amount=Money.parse("50.00", "EUR"),
        paid=Money.parse("0.00061728", "BTC"),
        method="crypto",
        reference="out-1",
        rate="0.0000123456",
    )
    data = json.loads(codec.encode(envelope(deposit(fact=paid)), KEY)[1])["data"]
    assert (data["amount"], data["currency"], data["paid"], data["paid_currency"]) == (
        "50.00",
        "EUR",
        "0.00061728",
        "BTC",
    )


@pytest.mark.parametrize(
    "state",
    [b"", b"{}", b"[]", b"null", b"not json", b'{"type": "subledger.nothing-happened.v1"}', b"\xff\xfe"],
)
def test_what_is_no_fact_is_said_to_be_none(state: bytes) -> None:
    with pytest.raises(codec.UndecodableFact):
        codec.decode(state)


@pytest.mark.parametrize("name", ["id", "type", "data", "streamversion", "effectiveat", "time", "sequence", "basis"])
def test_a_fact_that_lacks_an_attribute_is_undecodable(name: str) -> None:
    event = json.loads(codec.encode(envelope(deposit()), KEY)[1])
    if name == "id":  # derived from subject and version
        name = "subject"
    del event[name]
    with pytest.raises(codec.UndecodableFact):
        codec.decode(json.dumps(event).encode())


@pytest.mark.parametrize("amount", ["1e2", "1.0000001", "", "NaN"])
def test_a_fact_with_an_amount_that_is_none_is_undecodable(amount: str) -> None:
    event = json.loads(codec.encode(envelope(deposit()), KEY)[1])
    event["data"]["amount"] = amount
    with pytest.raises(codec.UndecodableFact):
        codec.decode(json.dumps(event).encode())


def test_an_older_version_is_upcast(monkeypatch: pytest.MonkeyPatch) -> None:
    older = "subledger.deposit-credited.v0"
    newer = "subledger.deposit-credited.v1"
    monkeypatch.setitem(codec.UPCASTERS, older, (newer, lambda data: {**data, "method": data["by"]}))
    event = json.loads(codec.encode(envelope(deposit()), KEY)[1])
    event["type"] = older
    event["data"]["by"] = event["data"].pop("method")
    assert codec.decode(json.dumps(event).encode()) == envelope(deposit())
