"""`subledger bench`: how fast this machine keeps a ledger."""

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Measure throughput, latency and the rate of replay; the settings are printed with the figures."""
    from infra.bench import main

    main(list(arguments))
