"""The JSON Schema of each fact: the CloudEvent of CONTRACT §6 as the codec writes it, closed for producers.

A consumer goes by its own reading: an optional field may be added to a published type, and is to be ignored.
"""

from dataclasses import fields
from typing import get_type_hints

from domain import documents as read
from domain.facts import RefundPaid
from domain.money import Money
from infra.codec import CODERS, SALT_BYTES, SOURCE, Coder
from infra.contracts.kinds import (
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

POSITION: Schema = {
    "description": "`<topic>/<partition>/<offset>` of the command.",
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]+/[0-9]+/[0-9]+$",
}
SUBJECT = described(of_reader(read.subject), "The subscriber, or the word catalogue; also the record's key.")


def schemas() -> dict[str, Schema]:
    """Wire type → schema of every fact; the name is the last part of its `dataschema`."""
    return {coder.type: _fact(coder) for coder in CODERS.values()}


def _fact(coder: Coder) -> Schema:
    event: dict[str, Schema] = {
        "specversion": {"const": "1.0"},
        "id": {
            "description": "`<subject>/<streamversion>`.",
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,64}/[1-9][0-9]*$",
        },
        "type": {"const": coder.type},
        "source": {
            "description": "Under which regulations; without any on the catalogue.",
            "type": "string",
            "format": "uri-reference",
            "pattern": f"^{SOURCE}(?:/[!-~]+)?$",
        },
        "subject": SUBJECT,
        "time": described(INSTANT, "When it was recorded."),
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"const": coder.schema},
        "sequence": {
            "description": "Dense per partition, from 1, no gaps ever: twenty digits.",
            "type": "string",
            "pattern": "^[0-9]{20}$",
        },
        "streamversion": {"description": "Dense per subject, from 1.", "type": "integer", "minimum": 1},
        "effectiveat": described(INSTANT, "When it counts."),
        "causationid": described(of_reader(read.command_id), "The command's id."),
        "commandposition": described(POSITION, "Where the command stands; left out on an embedded ledger."),
        "cataloguesequence": {
            "description": "The last catalogue fact that the decision knew.",
            "type": "integer",
            "minimum": 0,
        },
        "basis": {"description": "The clause that the decision rests on.", "type": "string", "minLength": 1},
        "salt": {
            "description": "HMAC-SHA256 of the id under the ledger's key, shortened.",
            "type": "string",
            "pattern": f"^[0-9a-f]{{{2 * SALT_BYTES}}}$",
        },
        "due": {"description": "It came by time alone, before the command was looked at.", "const": True},
        "data": _data(coder),
    }
    return document(
        coder.type, coder.type, described(closed(event, {"commandposition", "due"}), description(coder.fact))
    )


def _data(coder: Coder) -> Schema:
    """The fact's own fields, and the currencies that the codec writes beside its amounts."""
    schema, hints = of_record(coder.fact), get_type_hints(coder.fact)
    beside = {}
    if "currency" not in hints and any(hints[field.name] is Money for field in fields(coder.fact)):
        beside["currency"] = described(CURRENCY, "Of all amounts of this fact.")
    if coder.fact is RefundPaid:
        beside["currency"] = described(CURRENCY, "Of `amount`.")
        beside["paid_currency"] = described(CURRENCY, "Of `paid`.")
    return closed({**schema["properties"], **beside}, set(schema["properties"]) - set(schema["required"]))
