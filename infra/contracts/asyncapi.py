"""One AsyncAPI 3.0 document: servers, the topics of a ledger, what is on them, who sends and who receives.

It is written from the side of Subledger: it receives commands and sends everything else. Payloads are the JSON Schemas
beside it. Sources: AsyncAPI 3.0.0, Kafka bindings 0.5.0; CONTRACT §5, §6, §7.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import get_args

from consumers.intake import PUBLICATIONS, REQUESTS
from domain import documents as read
from domain.commands import CATALOGUE_SUBJECT
from domain.facts import CatalogueFact, CommandRefused
from infra.codec import CODERS, Coder, short_name
from infra.contracts import answers, commands, facts
from infra.contracts.kinds import Schema, closed, described, description, of_reader
from infra.live import places
from infra.live.places import Topic

FOLDER = "schemas"
"""Where the schemas are, seen from the document."""
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
BINDING = {"bindingVersion": "0.5.0"}
PREFIX = "subledger"
PURPOSES = {
    places.COMMANDS: "Requests; kept, since decisions can be recomputed from them.",
    places.EVENTS: "The ledger: every fact of every subscriber.",
    places.REPLIES: "Outcomes for whoever waits; never the truth.",
    places.BALANCES: "The latest state of each subscriber, for services that want no history.",
    places.CATALOGUE: "Regulations and tariffs as they were published.",
    places.CHECKPOINTS: "Signed tree heads.",
    places.DEAD_LETTERS: "What could not be read, with why.",
}
LISTS, NUMBERS = ("cleanup.policy",), ("retention.ms", "retention.bytes")
"""Topic settings that the Kafka bindings write as lists and as numbers."""

SECURITY: dict[str, Schema] = {
    "certificate": {
        "type": "X509",
        "description": "TLS with a certificate of the client's own (ssl_certfile, ssl_keyfile).",
    },
    "saslPlain": {"type": "plain", "description": "SASL PLAIN, over TLS only."},
    "saslScramSha256": {"type": "scramSha256", "description": "SASL SCRAM-SHA-256."},
    "saslScramSha512": {"type": "scramSha512", "description": "SASL SCRAM-SHA-512."},
    "saslGssapi": {"type": "gssapi", "description": "SASL GSSAPI (Kerberos)."},
}
SUBSCRIBER_KEY = described(of_reader(read.subject), "The subscriber, as UTF-8; the partition is its murmur2.")
CATALOGUE_KEY: Schema = {"const": CATALOGUE_SUBJECT}
CLOUD_EVENT = places.CONTENT_TYPE[1].decode()
DECIMAL: Schema = {"type": "string", "pattern": "^[0-9]+$"}
FACT_HEADERS = closed(
    {
        places.FACTS.type: {"description": "`type` of the event.", "type": "string"},
        places.FACTS.version: described(DECIMAL, "`streamversion` of the event."),
        places.FACTS.sequence: described(DECIMAL, "`sequence` of the event, without leading zeros."),
        places.CONTENT_TYPE[0]: {"const": CLOUD_EVENT},
        "ce_id": {"description": "`id` of the event.", "type": "string"},
        "ce_subject": {"description": "`subject` of the event.", "type": "string"},
    }
)
"""Of every fact's record, in this order."""
REPLY_HEADERS = closed({places.POSITION: facts.POSITION})
DEAD_LETTER_HEADERS = closed(
    {
        places.POSITION: facts.POSITION,
        places.REASON: {
            "description": "Why, as JSON.",
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": f"{FOLDER}/{answers.DEAD_LETTER}.json"},
        },
    }
)
HOUSEKEEPING = "housekeeping"


def document() -> Schema:
    """The whole document."""
    on_topics = _on_topics()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Subledger",
            "version": version("subledger"),
            "description": "A ledger whose facts live on Kafka. Readers are `read_committed`; see consuming.md.",
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {_channel_name(topic): _channel(topic, on_topics[topic.name]) for topic in places.TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in places.TOPICS},
        "components": {"messages": _messages(), "securitySchemes": SECURITY},
    }


def _servers() -> Schema:
    schemes = [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY]
    return {
        "plain": {"host": "localhost:9092", "protocol": "kafka", "description": "Brokers without TLS, on one machine."},
        "secure": {
            "host": "{broker}",
            "protocol": "kafka-secure",
            "description": "Brokers behind TLS (`SSL`, `SASL_SSL`).",
            "variables": {"broker": {"description": "host:port of any broker.", "default": "localhost:9093"}},
            "security": schemes,
        },
    }


def _is_on_catalogue(coder: Coder) -> bool:
    return coder.fact in (*get_args(CatalogueFact), CommandRefused)


def _on_topics() -> dict[str, list[str]]:
    """Name of a topic → the messages on it."""
    ledger = [short_name(coder.type) for coder in CODERS.values() if coder.fact not in get_args(CatalogueFact)]
    catalogue = [short_name(coder.type) for coder in CODERS.values() if _is_on_catalogue(coder)]
    return {
        places.COMMANDS: list(REQUESTS),
        places.EVENTS: [*ledger, HOUSEKEEPING],
        places.REPLIES: [answers.OUTCOME],
        places.BALANCES: [answers.BALANCE],
        places.CATALOGUE: [*catalogue, HOUSEKEEPING],
        places.CHECKPOINTS: ["checkpoint"],
        places.DEAD_LETTERS: [answers.DEAD_LETTER],
    }


def _channel_name(topic: Topic) -> str:
    return topic.name.rsplit(".v", 1)[0]


def _channel(topic: Topic, messages: Iterable[str]) -> Schema:
    prefix = {"description": "Several ledgers may share a cluster.", "default": PREFIX}
    return {
        "address": f"{{prefix}}.{topic.name}",
        "description": PURPOSES[topic.name],
        "parameters": {"prefix": prefix},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "partitions": places.DEFAULT_PARTITIONS if topic.is_split else 1,
                "topicConfiguration": {name: _setting(name, value) for name, value in topic.configs.items()},
                **BINDING,
            }
        },
    }


def _setting(name: str, value: str) -> object:
    if name in LISTS:
        return value.split(",")
    return int(value) if name in NUMBERS else value


def _operation_name(topic: Topic) -> str:
    return f"{_action(topic)}-{_channel_name(topic)}"


def _action(topic: Topic) -> str:
    return "receive" if topic.name == places.COMMANDS else "send"


def _operation(topic: Topic) -> Schema:
    operation: Schema = {
        "action": _action(topic),
        "channel": {"$ref": f"#/channels/{_channel_name(topic)}"},
        "summary": PURPOSES[topic.name],
    }
    if topic.name == places.COMMANDS:
        operation["reply"] = {"channel": {"$ref": "#/channels/replies"}}
    return operation


def _messages() -> Schema:
    requests = {name: _request(name) for name in REQUESTS}
    events = {short_name(coder.type): _fact(coder) for coder in CODERS.values()}
    return {
        **requests,
        **events,
        HOUSEKEEPING: _message(
            HOUSEKEEPING,
            "No key and an empty value: a writer's own marks. Consumers skip them.",
            {"const": ""},
            contentType="application/octet-stream",
        ),
        answers.OUTCOME: _message(
            answers.OUTCOME,
            "The answer to a command; the key is the command's, if it had one.",
            _schema(answers.OUTCOME),
            headers=REPLY_HEADERS,
            correlationId={"location": "$message.payload#/command"},
            bindings=_key(SUBSCRIBER_KEY),
        ),
        answers.BALANCE: _message(
            answers.BALANCE, "What a subscriber has now.", _schema(answers.BALANCE), bindings=_key(SUBSCRIBER_KEY)
        ),
        "checkpoint": _message(
            "checkpoint",
            "A signed tree head in the C2SP tlog-checkpoint format.",
            {"type": "string"},
            contentType="text/plain; charset=utf-8",
        ),
        answers.DEAD_LETTER: _message(
            answers.DEAD_LETTER,
            "The very bytes that could not be read; the key is the command's.",
            {"description": "Anything.", "type": "string"},
            contentType="application/octet-stream",
            headers=DEAD_LETTER_HEADERS,
        ),
    }


def _request(name: str) -> Schema:
    return _message(
        name,
        None,
        _schema(commands.name_of(name)),
        correlationId={"location": "$message.payload#/id"},
        bindings=_key(CATALOGUE_KEY if name in PUBLICATIONS else SUBSCRIBER_KEY),
    )


def _fact(coder: Coder) -> Schema:
    return _message(
        coder.type,
        description(coder.fact),
        _schema(coder.type),
        contentType=CLOUD_EVENT,
        headers=FACT_HEADERS,
        correlationId={"location": "$message.payload#/causationid"},
        bindings=_key(CATALOGUE_KEY if coder.fact in get_args(CatalogueFact) else SUBSCRIBER_KEY),
    )


def _message(name: str, summary: str | None, payload: Schema, **more: object) -> Schema:
    said = {} if summary is None else {"summary": summary}
    return {"name": name, **said, **more, "payload": payload}


def _schema(name: str) -> Schema:
    return {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"{FOLDER}/{name}.json"}}


def _key(schema: Schema) -> Schema:
    return {"kafka": {"key": schema, **BINDING}}
