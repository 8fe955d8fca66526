"""`subledger why`: one charge, refusal or other fact explained, or a command and all that it led to."""

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import click
import orjson

from consumers.ports import Answer
from infra.cli.failures import Unusable
from infra.cli.opening import opened
from infra.cli.options import Asked, examples, json_option, name_argument, name_of, source_options
from infra.cli.output import print_fields, print_json
from infra.explain.explainer import Clause, Explainer, Explanation
from infra.explain.words import local
from infra.views.source import Source

Fields = Iterator[tuple[str, str]]


@click.command(
    epilog=examples(
        "subledger why s-001/7                       a fact, by the id in a statement or an outcome",
        "subledger why c-000123                      a command, with every fact that it recorded",
        "subledger why c-1 --subscriber s-001        where several subscribers have used that id",
    )
)
@name_argument("id_", "ID")
@click.option("--subscriber", metavar="S", help="Whose command, where an id was used by several.")
@json_option
@source_options
def command(id_: str, subscriber: str | None, as_json: bool, ledger: Asked) -> None:
    """Explain ID: what happened and when, the clause, the tariff, the arithmetic, what paid for it, who asked for it.

    ID is a fact's (subscriber/number) or a command's. A charge is named by the fact that recorded it.
    """
    if subscriber is not None:
        subscriber = name_of(subscriber, "--subscriber")
    with opened(ledger) as source:
        explainer = Explainer(source)
        explanation = explainer.fact(id_)
        if explanation is not None:
            explained = [explanation]
        else:
            asked = _asked_for(source, id_, subscriber)
            zone = explainer.zone(asked.command["subscriber"])
            facts = (explainer.fact(event["id"]) for event in asked.outcome["events"])
            explained = [fact for fact in facts if fact is not None]
    if as_json:
        print_json(explained[0] if explanation else {**_as_object(asked), "facts": explained})
    elif explanation:
        show(explanation)
    else:
        _show_command(asked, explained, zone)


def _asked_for(source: Source, command_id: str, subscriber: str | None) -> Answer:
    """The one command meant; Unusable where there is none or more than one."""
    asked = list(source.answers(command_id))
    if subscriber is not None:
        asked = [one for one in asked if one.command["subscriber"] == subscriber]
    if not asked:
        raise Unusable(f"there is no fact and no command {command_id} in {source.name}")
    if len(asked) > 1:
        who = ", ".join(str(one.command["subscriber"]) for one in asked[:5])
        raise Unusable(f"{len(asked)} subscribers have a command {command_id} ({who}); say which with --subscriber")
    return asked[0]


def show(explanation: Explanation) -> None:
    """The explanation, for people."""
    print_fields(fields(explanation))


def fields(explanation: Explanation) -> Fields:
    """Names and values of one explanation, in reading order."""
    zone = ZoneInfo(explanation.time_zone)
    yield explanation.id, explanation.says
    yield "", ""
    yield "Counts from", f"{local(explanation.effective_at, zone)} ({explanation.time_zone})"
    yield "Recorded", f"{local(explanation.recorded_at, zone)}{_by_time(explanation)}"
    for clause in (explanation.clause, *explanation.also):
        yield from _clause(clause)
    if explanation.regulations:
        yield "Regulations", explanation.regulations
    if explanation.tariff:
        yield "Tariff", explanation.tariff
    yield from _numbered("Arithmetic", explanation.arithmetic)
    yield from _numbered("Paid from", (f"{one.amount} of {one.lot}: {one.says}" for one in explanation.paid_from))
    if explanation.refused:
        yield from _refusal(explanation, zone)
    if explanation.command:
        yield "Command", _command(explanation.command)
    others = [one for one in explanation.with_it if one != explanation.id]
    if others:
        yield "With it", ", ".join(others)


def _by_time(explanation: Explanation) -> str:
    if explanation.due:
        return ", having fallen due by itself before the command"
    return ""


def _clause(clause: Clause) -> Fields:
    yield "Rests on", clause.id
    if clause.says:
        yield "", clause.says
    if clause.source:
        yield "", f"({clause.source})"


def _refusal(explanation: Explanation, zone: ZoneInfo) -> Fields:
    refused = explanation.refused
    assert refused is not None
    yield "Code", refused.code
    yield "Reason", refused.message
    if refused.balance:
        yield "Balance then", refused.balance
    if refused.earliest:
        yield "Earliest", f"{local(refused.earliest, zone)} ({zone.key})"


def _numbered(name: str, lines: Iterable[str]) -> Fields:
    for index, line in enumerate(lines):
        yield name if index == 0 else "", line


def _command(asked: object) -> str:
    assert isinstance(asked, dict)
    data = orjson.dumps(asked["data"]).decode()
    return f"{asked['id']} {asked['type']} by {asked['actor']} at {asked['at']} {data}"


def _as_object(asked: Answer) -> dict[str, object]:
    return {"command": dict(asked.command), "outcome": dict(asked.outcome)}


def _show_command(asked: Answer, explained: list[Explanation], zone: ZoneInfo) -> None:
    """The command, its answer, and its facts in a line each; what it was refused for, or its one fact, in full."""
    outcome = asked.outcome
    fields_ = [("Command", _command(asked.command)), ("Answer", str(outcome["status"]))]
    if "balance" in outcome:
        fields_.append(("Balance after", f"{outcome['balance']} {outcome['currency']}"))
    if not explained:
        fields_.append(("Facts", "none: it changed nothing"))
    fields_ += [(one.id, _line(one, zone)) for one in explained]
    print_fields(fields_)
    if outcome["status"] == "refused" or len(explained) == 1:
        print_fields([("", "")])
        show(explained[-1])


def _line(explanation: Explanation, zone: ZoneInfo) -> str:
    return f"{local(explanation.effective_at, zone)}  {explanation.says}"
