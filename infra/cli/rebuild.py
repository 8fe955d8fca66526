"""`subledger rebuild`: drops the views and folds them again from the log."""

from pathlib import Path

import click

from infra.cli.failures import Interrupted, Unusable
from infra.cli.opening import live_settings
from infra.cli.options import Asked, examples, source_options
from infra.cli.output import say
from infra.cli.progress import bar_on_terminal
from infra.embedded.folder import EmbeddedLedger
from infra.explain.words import counted
from infra.views.rebuilding import rebuild
from projections.views import BY_NAME


@click.command(
    epilog=examples(
        "subledger rebuild                    all views",
        "subledger rebuild balances           one of them",
        "subledger rebuild --ledger kafka     those of the live ledger, beside the ones in use",
    )
)
@click.argument("view", metavar="[VIEW]", required=False)
@source_options
def command(view: str | None, ledger: Asked) -> None:
    """Fold the views, or one VIEW, from the log anew.

    Views hold nothing that the log does not: a view that was rebuilt is the one that was kept along the way, row for
    row. The views in use stay until the new ones are complete. An embedded ledger must not be written meanwhile.
    """
    if view is not None and view not in BY_NAME:
        raise Unusable(f"there is no view {view}; the views are {', '.join(sorted(BY_NAME))}")
    try:
        facts = _live(view) if ledger.is_live else _embedded(ledger.folder, view)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the views in use are as they were") from None
    say(f"folded {view or 'all views'} from {counted(facts, 'fact')}")


def _embedded(folder: Path, view: str | None) -> int:
    with EmbeddedLedger(folder) as open_ledger, bar_on_terminal(open_ledger.shard.sequence(), "folding") as advance:
        return rebuild(folder, view, lambda done, _: advance(done))


def _live(view: str | None) -> int:
    if view is not None:
        raise Unusable("the views of a live ledger are folded together; leave VIEW out")
    from infra.postgres import rebuilding

    settings = live_settings()
    place = settings.dsn, settings.schema_name
    with bar_on_terminal(rebuilding.extent(*place), "folding") as advance:
        return rebuilding.rebuild(*place, lambda done, _: advance(done))
