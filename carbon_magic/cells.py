"""What IPython's two events and a `%%carbon` within a cell set off: windows that open and close, with a border each.

All of it runs in a cell's own thread, takes microseconds and, but while the sensors are opened or closed, no lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from carbon_magic.accounts import Accounts
from carbon_magic.grid.own import Said
from carbon_magic.keeper import Keeper
from carbon_magic.ledger.record import safe_cell_id
from carbon_magic.meter import Meter
from carbon_magic.options import CellOptions, options_of
from carbon_magic.placing import Placing
from carbon_magic.power.sampler import ANSWER_S
from carbon_magic.switch import Switch
from carbon_magic.windows import Threads, Window, status_of


class Cells:
    """The cells of one kernel.

    Args:
        meter, accounts, keeper: what is read at a border, and who is told of it.
        placing: where a cell runs that names a region.
        switch: whether every cell is tracked.
        at_once: somebody runs the notebook, and may kill the kernel: a cell's beginning and its record are not for the
            next tick.
    """

    def __init__(
        self, meter: Meter, accounts: Accounts, keeper: Keeper, placing: Placing, switch: Switch, *, at_once: bool
    ) -> None:
        self.options_of: Callable[[str], CellOptions | None] = options_of
        """How the options of a cell that begins are known."""
        self._meter = meter
        self._accounts = accounts
        self._keeper = keeper
        self._placing = placing
        self._switch = switch
        self._at_once = at_once
        self._threads = Threads()
        self._pid = os.getpid()

    def pre_run_cell(self, info: Any, execution_count: int | None) -> None:
        """A run begins."""
        if os.getpid() != self._pid:
            return
        window = None
        if self._threads.outermost(info):
            self._switch.rest()
            options = self.options_of(info.raw_cell)
            if self._switch.tracking or options is not None:
                window = self._open(options, execution_count, getattr(info, "cell_id", None))
                window.source = info.raw_cell
        self._threads.begin(info, window)
        if window is not None and self._at_once:
            self._switch.poke()

    def post_run_cell(self, result: Any) -> Window | None:
        """A run has ended: its window, if it had one."""
        if os.getpid() != self._pid:
            return None
        window = self._threads.end(result)
        if window is not None:
            self._close(window, result)
            if not self._switch.tracking or self._at_once:
                self._switch.settle(ANSWER_S)
            self._switch.rest()
        return window

    def begin_inside(self, options: CellOptions) -> Window:
        """A `%%carbon` within another cell's run begins."""
        return self._open(options, None, None, inner=True)

    def end_inside(self, window: Window, result: Any) -> None:
        """It has ended."""
        self._close(window, result)

    def _open(self, options: CellOptions | None, count: int | None, cell_id: object, *, inner: bool = False) -> Window:
        window = Window(
            execution_count=count,
            cell_id=safe_cell_id(cell_id),
            options=options,
            place=self._placing.place(Said(options.region)) if options and options.region else self._accounts.place,
            inner=inner,
        )
        with self._switch.lock:
            window.opened_s = self._switch.sampler().border()
            self._accounts.opened(window)
        if not inner:
            self._keeper.began(window)
        return window

    def _close(self, window: Window, result: Any) -> None:
        sampler = self._meter.sampler
        window.status = status_of(result)
        if getattr(result, "execution_count", None) is not None:
            window.execution_count = result.execution_count
        try:
            window.closed_s = sampler.border() if sampler is not None else time.monotonic()
        finally:
            # An interrupt may come right here: the window must end all the same, or it would never.
            if window.closed_s is None:
                window.closed_s = time.monotonic()
            self._switch.last_close_s = window.closed_s
            self._accounts.closed(window, window.closed_s)
            self._keeper.ended(window)
        if sampler is not None:
            sampler.hurry()  # its figures are to be kept, whatever happens to the kernel next

    def forget_run(self, result: Any) -> None:
        """Have a run that ended taken off its thread, where an interrupt may have kept that from being done."""
        if os.getpid() == self._pid:
            self._threads.forget(result)

    def inside_a_cell(self) -> bool:
        """Whether this thread is in a cell."""
        return self._threads.inside()
