"""`subledger project`: the process that keeps the views in PostgreSQL; with `--rebuild`, folds them anew once."""

import click

from infra.cli.failures import WrongFound
from infra.cli.opening import live_settings
from infra.cli.options import examples
from infra.cli.output import say
from infra.cli.progress import bar_on_terminal


@click.command(
    epilog=examples(
        "subledger project                    follow the topics until it is told to stop",
        "subledger project --rebuild          fold every view anew, beside a projector that goes on",
    )
)
@click.option("--rebuild", "anew", is_flag=True, help="Fold the views anew from the facts, swap them in, and end.")
def command(anew: bool) -> None:
    """Keep the views in PostgreSQL from the facts on Kafka, and tell balances as they change.

    One process does this for a ledger; another one waits as its standby. Stops cleanly on TERM and Ctrl-C, after the
    batch that is being written. Ends with 1 where the topics have a gap or a repeat, with 4 where a server stays away.
    """
    from infra.views.folding import UnknownFact
    from infra.views.runner import ViewsError

    try:
        if anew:
            _rebuild()
        else:
            _follow()
    except ViewsError as error:
        raise WrongFound(str(error)) from error
    except UnknownFact as error:
        raise WrongFound(f"the log is of a newer version of this program: {error}") from error


def _follow() -> None:
    from infra.live.projecting import ProjectProcess
    from infra.live.running import run

    live_settings()
    run("project", ProjectProcess)


def _rebuild() -> None:
    from infra.postgres.rebuilding import extent, rebuild

    settings = live_settings()
    dsn, schema = settings.dsn, settings.schema_name
    with bar_on_terminal(extent(dsn, schema), "folding") as advance:
        facts = rebuild(dsn, schema, lambda done, _: advance(done))
    say(f"folded all views from {facts:,} facts")
