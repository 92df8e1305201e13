"""Executes notebooks, one after the other, each in a kernel of its own.

A run is a list of `Outcome`s: what was executed of each notebook, the records of its cells, and how it ended. Whatever
stops it (a cell that fails, takes too long or kills its kernel, Ctrl-C), the records so far are kept. An interrupted
kernel gets a few seconds to close the record of its cell before it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from carbon_magic.ledger.record import CellRecord, safe_cell_id
from carbon_magic.run import UsageError
from carbon_magic.run.kernels import Kernel, KernelDiedError
from carbon_magic.run.notebooks import Notebook, will_run
from carbon_magic.run.sink import Sink

End = Literal["complete", "error", "killed", "timeout", "stopped"]

_GRACE_S = 5.0
"""As long an interrupted cell may take to end."""
_LOOK_S = 0.5
"""The progress is brought up to date as often."""


@dataclass(slots=True)
class CellRun:
    """One executed cell."""

    index: int
    """Its position among the notebook's cells."""
    source: str
    cell_id: str | None
    began_s: float
    """On the monotonic clock, in seconds."""
    ended: bool = False
    execution_count: int | None = None
    record: CellRecord | None = None
    """What it cost, or None where the session said nothing of it."""


@dataclass(slots=True)
class Outcome:
    """What became of one notebook."""

    notebook: Notebook
    cells: list[CellRun] = field(default_factory=list)
    """In the order of their execution."""
    records: list[CellRecord] = field(default_factory=list)
    end: End = "complete"
    traceback: str = ""
    """Of the cell that failed, as the kernel wrote it, with its terminal colours."""
    kernel_lost: bool = False
    """The kernel died, or did not answer an interrupt and had to be killed."""
    left_out: int = 0
    """Lines of the sink that were no records."""


@dataclass(frozen=True, slots=True)
class Options:
    """How notebooks are run."""

    kernels: dict[str, str]
    """The name of the kernel for each notebook, by its path as given."""
    region: str | None = None
    timeout_s: float | None = None
    """Longest time of one cell, or None."""
    allow_errors: bool = False


Watch = Callable[[Outcome, Sink], None]
"""Called as a notebook goes on: at each cell's begin and end, and about twice a second between."""


class Stop:
    """Ctrl-C and the request to terminate, kept until the run can act on them; a second one is not kept back."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.event = asyncio.Event()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM until the block ends."""
        loop = asyncio.get_running_loop()

        def stop(number: int, _frame: object) -> None:
            if self.signal is not None:
                raise KeyboardInterrupt
            self.signal = number
            loop.call_soon_threadsafe(self.event.set)

        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


async def run_notebooks(
    notebooks: list[Notebook], options: Options, outcomes: list[Outcome], watch: Watch | None = None
) -> int | None:
    """Run the notebooks until one of them does not complete, adding an outcome for each one begun.

    Returns:
        The number of the signal that stopped the run, or None.

    Raises:
        UsageError: a kernel cannot be started or lacks the package.
    """
    stop = Stop()
    with stop.listening():
        names = {options.kernels[notebook.given] for notebook in notebooks}
        for notebook in notebooks if len(names) > 1 else ():
            if options.kernels[notebook.given] in names:
                # Several kernels: each is tried once before the first cell runs in any.
                names.discard(options.kernels[notebook.given])
                async with _started(notebook, options):
                    pass
        for notebook in notebooks:
            if stop.signal is not None:
                break
            async with _started(notebook, options) as (kernel, sink):
                outcome = Outcome(notebook)
                outcomes.append(outcome)
                try:
                    await _Execution(outcome, kernel, sink, options, stop, watch).run()
                finally:
                    await kernel.stop(now=outcome.kernel_lost)
                    sink.read()
                    _gather(outcome, sink)
            if watch is not None:
                watch(outcome, sink)
            if outcome.end != "complete":
                break
    return stop.signal


@contextlib.asynccontextmanager
async def _started(notebook: Notebook, options: Options) -> AsyncIterator[tuple[Kernel, Sink]]:
    """A kernel for a notebook, the extension loaded; ended with the block. The sink can be read within the block."""
    with tempfile.TemporaryDirectory(prefix="carbon-magic-run-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "sink.jsonl")
        path.touch(mode=0o600)
        sink = Sink(path)
        sink.read()
        kernel = await Kernel.start(
            options.kernels[notebook.given],
            notebook.node,
            cwd=notebook.path.parent,
            env=dict(os.environ),
            log=Path(folder, "kernel.log"),
            allow_errors=options.allow_errors,
        )
        try:
            try:
                await kernel.load(path, notebook.given, options.region)
            except (KernelDiedError, TimeoutError) as error:
                reason = "it died" if isinstance(error, KernelDiedError) else str(error)
                raise UsageError(f"carbon-magic cannot be loaded in the kernel {kernel.name!r}: {reason}") from None
            yield kernel, sink
        finally:
            await kernel.stop(now=True)
            sink.close()


@dataclass(slots=True)
class _Execution:
    """One notebook in its kernel."""

    outcome: Outcome
    kernel: Kernel
    sink: Sink
    options: Options
    stop: Stop
    watch: Watch | None

    async def run(self) -> None:
        outcome = self.outcome
        for index, cell in enumerate(outcome.notebook.node.cells):
            if not will_run(cell):
                continue
            if self.stop.signal is not None:
                outcome.end = "stopped"
                break
            run = CellRun(
                index=index, source=cell.source, cell_id=safe_cell_id(cell.get("id")), began_s=time.monotonic()
            )
            outcome.cells.append(run)
            self._judge(await self._execute(cell, run), cell)
            count = cell.get("execution_count")
            run.ended = True
            run.execution_count = count if isinstance(count, int) else None
            if outcome.end != "complete":
                break
        if not outcome.kernel_lost:
            # The cells have run: a kernel that ends or hangs now costs at most the last cell's final figures.
            with contextlib.suppress(KernelDiedError, TimeoutError):
                await self.kernel.settle()

    async def _execute(self, cell: Any, run: CellRun) -> BaseException | None:
        """Execute a cell, interrupted where it takes too long or the run is stopped; what it raised, or None."""
        loop = asyncio.get_running_loop()
        timeout_s = self.options.timeout_s
        deadline = None if timeout_s is None else loop.time() + timeout_s
        executing = asyncio.ensure_future(self.kernel.client.async_execute_cell(cell, run.index))
        stopping = asyncio.ensure_future(self.stop.event.wait())
        try:
            while not executing.done():
                if self.watch is not None:
                    self.sink.read()
                    self.watch(self.outcome, self.sink)
                if not await self.kernel.alive():
                    self.outcome.end, self.outcome.kernel_lost = "killed", True
                    break
                left_s = _LOOK_S if deadline is None else deadline - loop.time()
                if stopping.done() or left_s <= 0.0:
                    self.outcome.end = "stopped" if stopping.done() else "timeout"
                    await self.kernel.interrupt()
                    _, late = await asyncio.wait({executing}, timeout=_GRACE_S)
                    self.outcome.kernel_lost = bool(late)
                    break
                await asyncio.wait(
                    {executing, stopping}, timeout=min(_LOOK_S, left_s), return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            stopping.cancel()
            executing.cancel()
            raised = (await asyncio.gather(executing, return_exceptions=True))[0]
        return raised if isinstance(raised, BaseException) else None

    def _judge(self, raised: BaseException | None, cell: Any) -> None:
        from nbclient.exceptions import CellExecutionError, DeadKernelError

        if self.outcome.end != "complete" or raised is None:
            return
        if isinstance(raised, CellExecutionError):
            self.outcome.end = "error"
            self.outcome.traceback = _traceback(cell) or f"{raised.ename}: {raised.evalue}"
        elif isinstance(raised, DeadKernelError):
            self.outcome.end, self.outcome.kernel_lost = "killed", True
        else:
            raise raised


def _traceback(cell: Any) -> str:
    for output in reversed(cell.outputs):
        if output.get("output_type") == "error":
            return "\n".join(str(line) for line in output.get("traceback", []))
    return ""


def _gather(outcome: Outcome, sink: Sink) -> None:
    """Join the records with the cells they are of, and name the notebook in them as it was given."""
    records = list(sink.records)
    if outcome.kernel_lost and outcome.cells and (killed := sink.killed_record()) is not None:
        # The kernel's own announcement of the cell's number, where it came through, is surer than the session's guess.
        last = outcome.cells[-1]
        earlier = {run.execution_count for run in outcome.cells[:-1]}
        if last.execution_count is None and killed.execution_count not in earlier:
            last.execution_count = killed.execution_count
        if killed.execution_count in (None, last.execution_count) and killed.execution_count not in earlier - {None}:
            records.append(replace(killed, execution_count=last.execution_count))
    by_count = {run.execution_count: run for run in reversed(outcome.cells) if run.execution_count is not None}
    for record in records:
        run = None if record.execution_count is None else by_count.get(record.execution_count)
        cell_id = record.cell_id if record.cell_id is not None or run is None else run.cell_id
        named = replace(record, notebook=outcome.notebook.given, cell_id=cell_id)
        outcome.records.append(named)
        if run is not None and run.record is None:
            run.record = named
    outcome.left_out = sink.left_out
