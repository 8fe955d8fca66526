"""`subledger calendar`: lets time pass on a live ledger."""

import click

from infra.cli.opening import live_settings
from infra.cli.options import examples


@click.command(epilog=examples("subledger calendar                                    until it is told to stop"))
def command() -> None:
    """Send AdvanceClock to subscribers for whom something has fallen due, never before its instant.

    It reads the deadlines in PostgreSQL, which `subledger project` keeps. Several such processes do no harm.
    """
    from infra.live.calendar import CalendarProcess
    from infra.live.running import run

    live_settings()
    run("calendar", CalendarProcess)
