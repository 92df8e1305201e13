"""The books of a process without a session: a script, a worker, a kernel that tracks no cells.

The sampler starts with the first measurement and ends with the last; an outermost measurement is recorded as a cell of
a session of kind `script`, which is the process's life. Whoever ends the last measurement waits 50 ms at most: where a
slow sensor has yet to report, a thread waits for it and ends, and so does the one that writes.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from carbon_magic.accounts import Accounts
from carbon_magic.books import Asked, Books, kernel_session
from carbon_magic.describe import Facts, new_facts, project_here
from carbon_magic.grid import table as regions_table
from carbon_magic.keeper import Keeper
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.ledger.row import Kind
from carbon_magic.live import LiveSwitch
from carbon_magic.meter import Meter
from carbon_magic.placing import Surroundings
from carbon_magic.power.sampler import ANSWER_S, Pace, Sampler
from carbon_magic.power.usage import Usage
from carbon_magic.snapshot import Place
from carbon_magic.threads import in_background
from carbon_magic.windows import Window

EXIT_S = 0.5
"""At the end of the process figures that are not final yet and the disk are waited for at most this long together;"""
DISK_S = 0.15
"""as long as this is left for the disk."""
LINGER_S = 1.0
"""Where a measurement follows the last one this soon, the sampler outlives the next one by as much: a function that is
measured in a loop does not open the sensors each time."""
LATE_S = 3.0
"""A sensor that has not been read so long after the last measurement is waited for no longer."""
UNSETTLED = 500
"""After so many measurements in a row whoever ends one waits for the sampler: it settles slower than they can come."""
CROWDED_S = 0.5
"""And for so long at most."""


class OwnBooks(Books):
    """Those of a process without a session.

    Args:
        environ: the process's environment, where the region is looked for.
        kind: what the session is in the ledger.
        place: the grid; without, the environment's.
        usage: who is measured, where it is not this process.
        pace: seconds between two readings.
        late: the process ends already: there is no thread, and the books end with the last measurement.

    Raises:
        UnknownProvider: `CARBON_MAGIC_LIVE` names no provider of live intensities.
        UnknownRegion: `CARBON_MAGIC_REGION` names no region.
        ValueError: another of the environment's words on the grid cannot be.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        kind: Kind = "script",
        place: Place | None = None,
        usage: Callable[[Path], Usage] | None = None,
        pace: Pace | None = None,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.trouble: str | None = None
        """The last error that was kept from whoever measures."""
        self._environ = os.environ if environ is None else environ
        self._said = place
        self._meter = Meter(self._environ, "auto", usage)
        self._around = Surroundings(self._environ, self._meter.machine.root, self._moved)
        self._pace = pace or Pace()
        self._open: set[Window] = set()
        self._latest_s = float("-inf")
        self._stopped_s = float("-inf")
        self._linger = False
        self._closing = False
        self._late = late
        self._ended_s = float("-inf")
        self._unsettled = 0
        self._closer: threading.Thread | None = None
        self._hurry = threading.Event()
        self._unwritten = False
        self._accounts = self._new_accounts(self._facts())
        self._live = LiveSwitch(self._accounts, self._environ)
        self._keeper = Keeper(self._accounts, kind, self._environ)
        self._accounts.on_record = self._recorded

    @property
    def accounts(self) -> Accounts:
        return self._accounts

    @property
    def sampler(self) -> Sampler | None:
        return self._meter.sampler

    @property
    def place(self) -> Place:
        """The grid of a measurement that names none; the environment may change.

        Raises:
            UnknownRegion: `CARBON_MAGIC_REGION` names no region.
        """
        if self._said is not None:
            return self._said
        session = kernel_session()
        if session is not None:
            return session.place
        return self._around.place

    def _moved(self) -> None:
        """The cloud has told where this is, in a thread of its own: also of what has begun already."""
        with self._lock:
            before, now = self._around.forget(), self.place
            for window in self._open:
                if before is not None and window.place is before:
                    window.place = now
            self._accounts.place = now

    def begin(self, asked: Asked, *, cell: bool, at_s: float | None = None) -> Window:
        around = self.place
        window = self._window(asked, around, inner=not cell)
        with self._lock:
            if self._closing or sys.is_finalizing():
                # The process ends: no thread can be started any more, and trying would hang.
                window.opened_s = time.monotonic()
                return window
            self._accounts.place = around
            try:
                sampler = self._meter.sampler or self._start()
                window.opened_s = self._in_order(sampler.border()) if at_s is None else at_s
                self._accounts.opened(window)
                self._open.add(window)
                if cell:
                    self._keeper.began(window)
            except Exception as error:
                # No thread can be started, or a folder is gone: a figure is lost, never the work that is measured.
                self.trouble = f"{type(error).__name__}: {error}"
                if not self._open:
                    self._stop()
                window.opened_s = time.monotonic()
            except BaseException:  # Ctrl-C in here: the block will not be entered
                self._open.discard(window)
                if not self._open:
                    self._stop()
                raise
        return window

    def end(self, window: Window, status: Status) -> None:
        with self._lock:
            if window.closed_s is not None:
                return
            sampler, known = self._meter.sampler, window in self._open
            self._open.discard(window)
            window.status = status
            window.closed_s = time.monotonic() if sampler is None else self._in_order(sampler.border())
            if not known:
                return
            self._accounts.closed(window, window.closed_s)
            self._keeper.ended(window)
            self._ended_s = window.closed_s
            self._unsettled += 1
            over = not (self._open or self._linger or self._closing)
            crowded = self._unsettled >= UNSETTLED
            if crowded:
                self._unsettled = 0
        try:
            if over or crowded:
                self.poke(CROWDED_S if crowded else ANSWER_S)
        finally:  # also after Ctrl-C
            if not self._open and self._late:
                self.close()
            elif not self._open:
                self._end_soon()

    def promote(self, window: Window) -> None:
        with self._lock:
            if window in self._open:
                self._accounts.promoted(window, self._in_order(time.monotonic()))
                self._keeper.began(window)

    def hand_over(self, record: CellRecord, window: Window) -> None:
        with self._lock:
            self._accounts.on_record(record, window)
            if self._meter.sampler is None:
                self._keeper.ticked(time.monotonic())
        if not self._open:
            self._end_soon()

    def finish(self, end: Callable[[Status], None], status: Status, wait_s: float) -> None:
        """End the last measurement by `end`, and wait for so long at most until it is final; `close` comes next."""
        self._closing = True
        end(status)
        self._settle(wait_s)

    def drop(self, window: Window) -> None:
        """Forget a measurement that is not to be: it leaves no record."""
        with self._lock:
            self._open.discard(window)
            self._keeper.dropped(window)
            window.closed_s = time.monotonic()

    @property
    def closed(self) -> bool:
        """Whether nothing more is measured here."""
        return self._closing and not self._open

    def close(self) -> None:
        """The process ends: what still runs ends as `interrupted`, and every thread and every file with it."""
        if self.pid != os.getpid() or (self._late and self._closing):
            return
        self._closing = True
        deadline_s = time.monotonic() + EXIT_S
        for window in list(self._open):
            self.end(window, "interrupted")
        self._settle(EXIT_S - DISK_S)
        with self._lock:
            self._stop()
        self._live.close()
        self._hurry.set()
        if self._closer is not None:
            self._closer.join(max(0.0, deadline_s - time.monotonic()))
        self._keeper.finish()
        self._keeper.close(max(0.0, deadline_s - time.monotonic()))

    def _settle(self, wait_s: float) -> None:
        deadline_s = time.monotonic() + wait_s
        while self._accounts.pending and (left_s := deadline_s - time.monotonic()) > 0.0:
            self.poke(min(left_s, ANSWER_S))
            if self._accounts.pending:
                time.sleep(min(left_s, ANSWER_S))  # for a sensor that is not read so often

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        found = self._meter.sampler.problems() if self._meter.sampler is not None else []
        live = self._accounts.held.source
        found = [*found, *(live.problems() if live is not None else [])]
        found += [*([self.trouble] if self.trouble else []), *self._keeper.writer.problems()]
        return [*found, *regions_table.problems()]

    def _new_accounts(self, facts: Facts) -> Accounts:
        return Accounts(facts, self.place, self._meter.part)

    def _start(self) -> Sampler:
        self._linger = time.monotonic() - self._stopped_s < LINGER_S
        self._accounts.tracking = True
        session = kernel_session()
        # One thread asks for all of a kernel's measurements.
        self._accounts.held.source = self._live.live if session is None else session.live.live
        self._keeper.prepare()
        return self._meter.start(self._pace, self._ticked, lambda: True, self._accounts.begin, threaded=not self._late)

    def _ticked(self, now_s: float) -> None:
        """After each tick, in the sampler's thread."""
        self._accounts.on_tick(now_s)
        self._keeper.ticked(now_s)

    def _recorded(self, record: CellRecord, window: Window) -> None:
        self._keeper.record(record, window)
        self._unwritten = True

    def _stop(self) -> None:
        """Let the sampler go. The lock is held; the sampler's thread never asks for it."""
        if self._meter.sampler is not None:
            self._meter.stop()
            self._accounts.tracking = False
            self._accounts.end()
            self._stopped_s = time.monotonic()
            self._keeper.ticked(self._stopped_s)

    def _end_soon(self) -> None:
        """Nothing is measured any more: let the sampler go if every figure is final, and what is left to another
        thread: to wait until it is so, and for the disk."""
        with self._lock:
            if self._open or self._closing:
                return
            if not self._linger and not self._accounts.pending:
                self._stop()
            if self._closer is None and (self._meter.sampler is not None or self._unwritten):
                closer = in_background(threading.Thread(target=self._end_later, name="carbon-magic closer"))
                try:
                    closer.start()
                except RuntimeError:  # no more threads, or the interpreter is shutting down: no time is left to wait
                    self._stop()
                else:
                    self._closer = closer

    def _end_later(self) -> None:
        """Until nothing is left: the sampler, then the writer's thread, unless another measurement begins."""
        while not self._hurry.is_set():
            if self._meter.sampler is not None:
                self._hurry.wait(LINGER_S / 4)
                self.poke(LINGER_S / 4)
            with self._lock:
                if self._open:
                    self._closer = None
                    return  # its end starts another one of these
                quiet_s = time.monotonic() - self._ended_s
                if quiet_s >= (LATE_S if self._accounts.pending else LINGER_S * self._linger):
                    self._stop()
                if self._meter.sampler is not None:
                    continue
                if self._closing or not self._unwritten:
                    self._closer = None
                    return
                writer, self._unwritten = self._keeper.rest(), False
            written = writer.close(EXIT_S)
            self._keeper.rested(writer, written=written)
            if not written:
                break
        self._closer = None

    def _in_order(self, time_s: float) -> float:
        """A border's time, never before the last one's: a signal's handler may have come in between."""
        self._latest_s = max(self._latest_s, time_s)
        return self._latest_s

    def _facts(self) -> Facts:
        return new_facts(self._meter.machine.form, self._meter.allotment, project_here())
