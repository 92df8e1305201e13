"""Where measurements of `track` are begun, ended and looked at: a kernel's session, or what stands in for one.

In a kernel that tracks its cells `track` uses the session's own sampler and books, and what it measures is part of the
cell around it. A figure of something that still runs is that of a window which has the same beginning and ends now.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.accounts import Accounts
from carbon_magic.grid.intensity import place
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.options import CellOptions
from carbon_magic.power.sampler import ANSWER_S, Sampler
from carbon_magic.snapshot import Place
from carbon_magic.windows import Window

if TYPE_CHECKING:
    from carbon_magic.session import Session


class Asked(NamedTuple):
    """What a measurement was given."""

    label: str | None = None
    region: str | None = None
    pue: float | None = None

    def place(self, around: Place) -> Place:
        """The grid to convert by, where `around` is that of the session.

        Raises:
            UnknownRegion: there is no such region.
            ValueError: the PUE is not a number from 1 to 10.
        """
        if self.region is not None:
            return place(self.region, "user", self.pue)
        return around if self.pue is None else around._replace(pue=self.pue)


class Books(ABC):
    """Where measurements are begun, ended and looked at, from any thread of the process that `pid` names."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.RLock()
        """Held for the reading at a border too: what two threads read must be queued in the order of time."""

    @property
    @abstractmethod
    def accounts(self) -> Accounts: ...

    @property
    @abstractmethod
    def sampler(self) -> Sampler | None:
        """The sampler, while there is one."""

    @abstractmethod
    def begin(self, asked: Asked, *, cell: bool, at_s: float | None = None) -> Window:
        """Begin a measurement.

        Args:
            cell: whether it is recorded; else it is part of what is around it.
            at_s: it began at this time of the monotonic clock already, less than a few seconds ago.
        """

    @abstractmethod
    def end(self, window: Window, status: Status) -> None:
        """End it. Calling it again does nothing."""

    def promote(self, window: Window) -> None:  # noqa: B027 (what belongs to a cell stays a part of it)
        """What this measurement was a part of ends before it: from now on it is recorded itself."""

    def hand_over(self, record: CellRecord, window: Window) -> None:
        """Have a final record kept that was made outside the books, once its windows have ended."""
        with self._lock:
            self.accounts.on_record(record, window)

    def poke(self, wait_s: float = ANSWER_S) -> None:
        """Have the sensors read now, and wait for it for so long at most."""
        sampler = self.sampler
        if sampler is not None:
            sampler.poke(wait_s)

    def probe(self, window: Window) -> Window | None:
        """A window from the beginning of one that still runs up to the present, or up to the last reading of the
        slowest sensor; its record comes with the next tick. None where nothing has been read yet."""
        sampler = self.sampler
        if sampler is None or window.start is None or window.cover is None:
            return None
        probe = replace(window, inner=True, status="ok")
        slow = [channel.last_s for channel in sampler.working() if not channel.at_ticks and channel.last_s is not None]
        with self._lock:
            now_s = min(slow) if slow else sampler.border()
            if now_s <= window.opened_s:
                return None
            self.accounts.closed(probe, now_s)
        return probe

    def estimate(self, window: Window) -> CellRecord:
        """The record of a window that no reading has reached yet, by the present power and its duration."""
        return self.accounts.estimate(window)

    def _window(self, asked: Asked, around: Place, *, inner: bool) -> Window:
        options = CellOptions(label=asked.label)
        return Window(execution_count=None, cell_id=None, options=options, place=asked.place(around), inner=inner)


class KernelBooks(Books):
    """Those of a kernel's session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._begun: dict[Window, Sampler | None] = {}
        """What runs, and the sampler that saw it begin: another one's readings say nothing of it."""

    @property
    def accounts(self) -> Accounts:
        return self.session._accounts

    @property
    def sampler(self) -> Sampler | None:
        return self.session.sampler

    def begin(self, asked: Asked, *, cell: bool, at_s: float | None = None) -> Window:
        found = asked.place(self.session.place)
        with self._lock:
            if at_s is None:
                window = self.session.cells.begin_inside(CellOptions(label=asked.label))
                window.place = found  # nobody looks at the place of an inner window before it has ended
            else:
                window = self._window(asked, found, inner=True)
                window.opened_s = at_s
                self.accounts.opened(window)
            self._begun[window] = self.sampler
        return window

    def end(self, window: Window, status: Status) -> None:
        with self._lock:
            sampler = self._begun.pop(window, None)
            if window.closed_s is not None:
                return
            if sampler is not None and sampler is self.sampler:
                self.session.cells.end_inside(window, _Ended(status))
            else:
                # Tracking was switched off in between.
                window.status, window.closed_s = status, time.monotonic()

    def hand_over(self, record: CellRecord, window: Window) -> None:
        """It is a part of the cell around it, or lies between cells: kept as one of its own it would count twice."""

    def probe(self, window: Window) -> Window | None:
        return super().probe(window) if self._begun.get(window) is self.sampler else None


class _Ended:
    """What a session asks of IPython's result of a run."""

    execution_count = None
    error_before_exec = None

    def __init__(self, status: Status) -> None:
        self.error_in_exec: BaseException | None = None
        if status != "ok":
            self.error_in_exec = KeyboardInterrupt() if status == "interrupted" else RuntimeError()


def kernel_session() -> Session | None:
    """The session of this kernel, or of the one that this process was forked from. Asking imports nothing."""
    sessions = sys.modules.get("carbon_magic.session")
    session: Session | None = sessions.current() if sessions is not None else None
    return session
