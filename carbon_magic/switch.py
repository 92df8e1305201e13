"""The sampler of a kernel's session: it is there while every cell is tracked, or one that asked for it is measured.

A front end switches tracking from a thread of its own while a cell may begin, so both are done under one lock. A cell's
thread waits for it only while the sensors are opened or closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from carbon_magic.accounts import Accounts
from carbon_magic.meter import Meter
from carbon_magic.power.sampler import Pace, Sampler

LINGER_S = 2.0
"""After the last cell the sampler keeps its pace this long: the next cell often comes at once."""


class Switch:
    """Starts and stops what measures.

    Args:
        meter, accounts: what measures, and whose books they are.
        pace: asked for when the sampler starts.
        on_tick: called after each tick, in the sampler's thread.
        watched: whether somebody looks, so that readings are wanted every second.
        prepare: called in the sampler's thread when that has started.
    """

    def __init__(
        self,
        meter: Meter,
        accounts: Accounts,
        *,
        pace: Callable[[], Pace],
        on_tick: Callable[[float], None],
        watched: Callable[[], bool],
        prepare: Callable[[], None],
    ) -> None:
        self.tracking = False
        """Whether every cell is tracked."""
        self.lock = threading.RLock()
        self.last_close_s = float("-inf")
        """When the last cell ended."""
        self._meter = meter
        self._accounts = accounts
        self._pace = pace
        self._on_tick = on_tick
        self._watched = watched
        self._prepare = prepare

    def on(self) -> None:
        """Track every cell from the next one on."""
        with self.lock:
            self.tracking = self._accounts.tracking = True
            self.sampler()

    def off(self) -> None:
        """Track no more cells, but those that ask for it. The one that runs is finished first."""
        with self.lock:
            self.tracking = self._accounts.tracking = False
            self.rest()

    def sampler(self) -> Sampler:
        """The sampler, started if need be; the lock is held."""
        if self._meter.sampler is not None:
            return self._meter.sampler
        sampler = self._meter.start(self._pace(), self._on_tick, self._is_busy, self._accounts.begin)
        sampler.call_soon(self._prepare)
        return sampler

    def rest(self) -> None:
        """With tracking off, let the sampler go as soon as nothing is measured any more."""
        with self.lock:
            if not self.tracking and not self._accounts.busy:
                self.stop()

    def stop(self) -> None:
        """Let the sampler go, if there is one."""
        measured = self._meter.sampler is not None
        self._meter.stop()
        if measured:
            self._accounts.end()

    def poke(self) -> None:
        """Have the sensors read now, if there is a sampler."""
        if self._meter.sampler is not None:
            self._meter.sampler.poke()

    def settle(self, timeout_s: float) -> bool:
        """Wait until every cell that has ended is final. False where the time was too short."""
        deadline_s = time.monotonic() + timeout_s
        while self._accounts.pending and self._meter.sampler is not None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                return False
            self._meter.sampler.poke(left_s)
            if self._accounts.pending:
                time.sleep(min(0.05, max(0.0, deadline_s - time.monotonic())))
        return True

    def _is_busy(self) -> bool:
        if self._accounts.busy or time.monotonic() - self.last_close_s < LINGER_S:
            return True
        return self._watched()
