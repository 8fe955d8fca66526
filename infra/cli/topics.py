"""`subledger topics`: the topics of a live ledger, made and checked."""

import click

from infra.cli.failures import WrongFound
from infra.cli.options import examples
from infra.cli.output import print_fields, print_json, say


@click.group("topics")
def command() -> None:
    """Make and check the Kafka topics of a live ledger; where they are is said by SUBLEDGER_KAFKA and its like."""


@command.command(
    "create",
    short_help="make the topics and found the ledger",
    epilog=examples(
        "subledger topics create                          twelve shards, time from the broker",
        "subledger topics create --partitions 3 --sandbox time from the commands, for tests and rehearsals",
    ),
)
@click.option("--partitions", type=click.IntRange(1, 1000), default=None, metavar="P", help="Shards; 12 if not given.")
@click.option("--sandbox", is_flag=True, help="Take time from the commands' `at` instead of from the broker.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def create(partitions: int | None, sandbox: bool, as_json: bool) -> None:
    """Make the topics and found the ledger: partitions and clock hold for its life.

    What is there already stays as it is; asking for other partitions or another clock than the ledger has is refused.
    """
    from infra.live import catalogue, keys, topics
    from infra.live.places import DEFAULT_PARTITIONS
    from infra.live.settings import load

    settings = load()
    made = topics.create(settings, partitions or DEFAULT_PARTITIONS)
    known = catalogue.LiveCatalogue(settings)
    founding = known.founding
    known.close()
    key = keys.salt_key(settings.keys, founding)
    if founding is None:
        found = topics.partitions_found(settings)
        founding = catalogue.found(settings, key, found, sandbox=sandbox, folder=settings.data)
    if (partitions is not None and partitions != founding.partitions) or (sandbox and not founding.sandbox):
        clock = "the commands" if founding.sandbox else "the broker"
        raise WrongFound(
            f"the ledger was founded with {founding.partitions} partitions and takes time from {clock}; neither changes"
        )
    topics.check(settings, founding.partitions)
    if as_json:
        print_json({"created": made, "partitions": founding.partitions, "sandbox": founding.sandbox})
    else:
        say(f"made {', '.join(made)}" if made else "every topic was there")
        _show(settings.topics, founding.partitions, founding.sandbox)


@command.command(
    "check",
    short_help="check that no topic could lose history",
    epilog=examples("subledger topics check        exit 1 if a topic could lose history"),
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def check(as_json: bool) -> None:
    """Check that the topics are what the ledger may live on: partitions, retention, compaction, replicas in sync."""
    from infra.live import catalogue, topics
    from infra.live.settings import load

    settings = load()
    known = catalogue.LiveCatalogue(settings)
    founding = known.founded()
    known.close()
    faults: tuple[str, ...] = ()
    try:
        topics.check(settings, founding.partitions)
    except topics.WrongTopics as wrong:
        faults = wrong.faults
    if as_json:
        print_json({"partitions": founding.partitions, "sandbox": founding.sandbox, "faults": list(faults)})
    elif not faults:
        _show(settings.topics, founding.partitions, founding.sandbox)
    if faults:
        raise WrongFound("; ".join(faults))


def _show(prefix: str, partitions: int, sandbox: bool) -> None:
    time = "the commands (a sandbox)" if sandbox else "the broker"
    print_fields([("Topics", f"{prefix}.*"), ("Partitions", str(partitions)), ("Time from", time)])
