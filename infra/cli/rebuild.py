"""`subledger rebuild`: drops the views and folds them again from the log."""

from pathlib import Path

import click

from infra.cli.failures import Unusable
from infra.cli.options import examples, ledger_option
from infra.cli.output import say
from infra.cli.progress import bar_on_terminal
from infra.embedded.folder import EmbeddedLedger
from infra.views.rebuilding import rebuild
from projections.views import BY_NAME


@click.command(
    epilog=examples(
        "subledger rebuild                    all views", "subledger rebuild balances           one of them"
    )
)
@click.argument("view", metavar="[VIEW]", required=False)
@ledger_option
def command(view: str | None, folder: Path) -> None:
    """Fold the views, or one VIEW, from the log anew.

    Views hold nothing that the log does not: a view that was rebuilt is the one that was kept along the way, row for
    row. The views in use stay until the new ones are complete.
    """
    if view is not None and view not in BY_NAME:
        raise Unusable(f"there is no view {view}; the views are {', '.join(sorted(BY_NAME))}")
    with EmbeddedLedger(folder) as ledger, bar_on_terminal(ledger.shard.sequence(), "folding") as advance:
        facts = rebuild(folder, view, lambda done, _: advance(done))
    say(f"folded {view or 'all views'} from {facts:,} facts")
