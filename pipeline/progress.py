"""Bars for long work, on a terminal only: nothing reaches a log, a pipe or what a command prints as its result.

In: how many steps there are. Out: a bar on standard error. Knows nothing of the work.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def bar(label: str, total: int, *, done: int = 0) -> Iterator[Callable[[], None]]:
    """A bar while the block runs; yields a function that counts one step.

    Args:
        label: what is worked on.
        total: number of steps.
        done: how many of them an earlier run has done.
    """
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as drawn:
        task = drawn.add_task(label, total=total, completed=done)
        yield lambda: drawn.advance(task)
