"""A progress bar on stderr for long work, where stderr is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG_LOG_FACTS = 20_000
"""Folding fewer facts takes no time to speak of."""

Advance = Callable[[int], None]


@contextmanager
def bar_on_terminal(total: int | None, words: str, *, long: int = LONG_LOG_FACTS) -> Iterator[Advance]:
    """Is told how much of `total` is done; silent where that is little, unknown, or nobody looks."""
    if total is None or total < long or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(words), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=total)
        yield lambda done: progress.update(task, completed=done)
