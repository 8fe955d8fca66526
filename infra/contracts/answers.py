"""The JSON Schemas of what the ledger says beside its facts: outcomes, balances, why a command could not be read."""

from domain import documents as read
from domain.facts import WIRE_TYPES
from domain.refusals import Code
from infra.contracts.balance_record import BalanceRecord
from infra.contracts.kinds import (
    AMOUNT,
    BOOLEAN,
    CURRENCY,
    INSTANT,
    Schema,
    closed,
    described,
    description,
    document,
    of_reader,
    of_record,
)

OUTCOME, BALANCE, DEAD_LETTER = "outcome", "balance", "dead-letter"

TEXT: Schema = {"type": "string"}
SEQUENCE: Schema = {"type": "integer", "minimum": 1}


def schemas() -> dict[str, Schema]:
    """Name → schema of an outcome, of a balance record, and of a dead letter's reason."""
    return {
        OUTCOME: document(OUTCOME, "Outcome of a command", _outcome()),
        BALANCE: document(BALANCE, "Balance of a subscriber", _balance()),
        DEAD_LETTER: document(DEAD_LETTER, "Why a command could not be read", _reason()),
    }


def _outcome() -> Schema:
    """One of four verdicts, told apart by `status`."""
    after = {
        "balance": described(AMOUNT, "After the command, of a registered subscriber."),
        "outstanding": described(AMOUNT, "Invoiced and unpaid, under regulations with invoices."),
        "currency": CURRENCY,
        "continue": described(BOOLEAN, "Of ReportUsage: whether the service may go on for another minute."),
        "charged": described(AMOUNT, "Of ReportUsage: what the report cost."),
    }
    why = {
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "basis": described(TEXT, "The clause that the refusal rests on."),
        "message": TEXT,
    }
    when = {"earliest": described(of_reader(read.instant), "The first instant at which the same would be accepted.")}
    events = {"events": {"description": "Every fact recorded, a refusal last.", "type": "array", "items": _event()}}
    identity: Schema = {"description": "As it came; null where there was none.", "type": ["string", "null"]}
    together: Schema = {
        "dependentRequired": {"balance": ["currency"], "outstanding": ["balance"], "continue": ["charged"]}
    }
    return {
        "description": "The answer to a command; under status duplicate, the first outcome again.",
        "oneOf": [
            {**_verdict("accepted", {**after, **events}, set(after)), **together},
            {**_verdict("refused", {**why, **when, **after, **events}, {*when, *after}), **together},
            {**_verdict("duplicate", {**why, **when, **after, **events}, {*why, *when, *after}), **together},
            closed({"command": identity, "status": {"const": "invalid"}, **_reason()["properties"]}),
        ],
    }


def _verdict(status: str, properties: Schema, optional: set[str]) -> Schema:
    return closed({"command": of_reader(read.command_id), "status": {"const": status}, **properties}, optional)


def _event() -> Schema:
    return closed(
        {
            "id": TEXT,
            "type": {"type": "string", "enum": list(WIRE_TYPES.values())},
            "effective_at": INSTANT,
            "sequence": SEQUENCE,
        }
    )


def _balance() -> Schema:
    schema = of_record(BalanceRecord)
    currency = described(CURRENCY, "Of both amounts.")
    optional = set(schema["properties"]) - set(schema["required"])
    return described(closed({**schema["properties"], "currency": currency}, optional), description(BalanceRecord))


def _reason() -> Schema:
    """The header `reason` of a dead letter, whose value is the very bytes that could not be read."""
    path = described(TEXT, "Of the first fault, such as data.amount; empty where the whole is no command.")
    return closed({"path": path, "message": TEXT})
