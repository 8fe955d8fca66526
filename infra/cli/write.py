"""`subledger write`: decides the commands of a live ledger."""

import click

from infra.cli.options import examples


@click.command(
    epilog=examples(
        "subledger write                                       until it is told to stop",
        "SUBLEDGER_METRICS_PORT=9101 subledger write           with /metrics and /health",
    )
)
def command() -> None:
    """Decide the commands that arrive on Kafka: each shard has one fenced writer; such processes share the shards.

    Stops cleanly on TERM and Ctrl-C: groups that are being committed are committed, and their outcomes told.
    """
    from infra.live.running import run
    from infra.live.writing import WriteProcess

    run("write", WriteProcess)
