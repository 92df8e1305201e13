"""Who looks: ticks are sent only while a view holds a lease, and never for long while nothing runs.

A lease lasts a minute, and to the end of the cell that runs when it is over, because a front end's messages wait for
the cell. After the last cell, and after tracking has begun, ticks go on for fifteen seconds; then an idle kernel is as
silent as if nobody looked, so that whoever culls idle kernels culls it.
"""

from __future__ import annotations

LEASE_S = 60.0
QUIET_S = 15.0
"""With the round in which a server looks, an idle kernel is then culled less than half a minute late. Front ends
are told both times, and renew by them."""
MOST = 64
"""More views than these do not look at one kernel."""


class Leases:
    """The leases of one kernel. Times are of the monotonic clock; every method may be called from any thread."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._cell_ended_s = float("-inf")
        self._running = False
        self.keep_live = False
        """Ticks go on while nothing runs: an idle kernel is then not culled."""

    def take(self, view: str, now_s: float) -> None:
        """A view looks."""
        if view in self._until or len(self._until) < MOST:
            self._until[view] = now_s + LEASE_S

    def release(self, view: str) -> None:
        """It looks no longer."""
        self._until.pop(view, None)

    def release_all(self, kind: str) -> None:
        """None of the views looks whose names begin like this."""
        for view in list(self._until):
            if view.startswith(kind):
                self.release(view)

    def began(self, now_s: float) -> None:
        """Tracking has begun: its first figures are waited for, though no cell has run."""
        self._cell_ended_s = now_s

    def note(self, running: bool, now_s: float, *, ended: bool = False) -> None:
        """Whether a cell runs, as of now, and whether one has ended since the last time: short ones are never seen."""
        if running or ended or self._running:
            self._cell_ended_s = now_s
        self._running = running

    def watched(self, now_s: float) -> bool:
        """Whether ticks are to be sent."""
        if not self._until:
            return False
        if self._running:
            return True
        if not self.keep_live and now_s - self._cell_ended_s >= QUIET_S:
            # In this silence nothing is renewed, and nothing lapses: the next cell's ticks come at once.
            return False
        for view, until_s in list(self._until.items()):
            if until_s < now_s:
                self._until.pop(view, None)
        return bool(self._until)
