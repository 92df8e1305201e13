"""The progress bar of a run, on a terminal only: cells done, energy so far, and how long the present cell has run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

from carbon_magic import written
from carbon_magic.run.notebooks import Notebook
from carbon_magic.run.runner import Outcome, Watch
from carbon_magic.run.sink import Sink
from carbon_magic.views.plain import clean


@contextlib.contextmanager
def progress(notebooks: list[Notebook], outcomes: list[Outcome], stream: TextIO) -> Iterator[Watch | None]:
    """Show a bar on the stream while the block runs and remove it afterwards; nothing where the stream is no terminal.

    Yields:
        What the runner calls as it goes on, or None.
    """
    if not stream.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.fields[notebook]}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        console=Console(file=stream),
        transient=True,
    )
    task = bar.add_task("", total=sum(len(notebook.code_cells) for notebook in notebooks), notebook="", figures="")

    def watch(outcome: Outcome, sink: Sink) -> None:
        bar.update(
            task,
            completed=sum(run.ended for each in outcomes for run in each.cells),
            notebook=clean(outcome.notebook.given, 30),
            figures=figures(outcomes, sink, time.monotonic()),
        )

    with bar:
        yield watch


def figures(outcomes: list[Outcome], sink: Sink, now_s: float) -> str:
    """The energy of all notebooks so far and the running cell: `4.6 Wh · cell [3] 0:12`.

    Args:
        sink: the sink of the last of the outcomes.
        now_s: the monotonic clock, in seconds.
    """
    *before, present = outcomes
    known = [record.energy_j for outcome in before for record in outcome.records if record.energy_j is not None]
    # The session's own figure has what was used between the cells as well; until its first word there is none.
    here_j = sink.now.energy_j if sink.now is not None else None
    parts = [written.energy(sum(known) + (here_j or 0.0)) if known or here_j is not None else written.NOT_YET]
    if present.cells and not present.cells[-1].ended:
        parts.append(f"cell {len(present.cells)}: {written.running(now_s - present.cells[-1].began_s)}")
    return " · ".join(parts)
