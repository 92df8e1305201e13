"""How much of a virtual machine's CPU time its host gave to others.

Time that was stolen is nobody's work in here: neither the machine's busy seconds nor the kernel's hold it, so it is
charged to no cell. But cells take longer by it, and so have more of the idle energy; where it is much, that is said.
"""

from __future__ import annotations

from collections import deque

MUCH = 0.05
"""More than this part of the CPU time that was asked for is worth a word."""
OVER_S = 60.0
"""It is told of the last minute,"""
LEAST_S = 5.0
"""and not before so many seconds, as it is counted in hundredths."""
LEAST_STOLEN_S = 0.1


class Steal:
    """CPU seconds that were used and that were stolen, over the last minute."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float, float]] = deque()

    def add(self, time_s: float, busy_s: float, stolen_s: float) -> None:
        """Cumulative busy and stolen seconds of the machine at a time. For the sampler's thread."""
        points = self._points
        if points and stolen_s < points[-1][2]:
            points.clear()  # the machine went on elsewhere, and counts anew
        if len(points) < 2 or time_s - points[-2][0] >= 1.0:
            points.append((time_s, busy_s, stolen_s))
        else:
            points[-1] = (time_s, busy_s, stolen_s)
        while len(points) > 2 and time_s - points[1][0] >= OVER_S:
            points.popleft()

    def note(self) -> str | None:
        """A sentence where much was stolen in the last minute; for any thread."""
        points = self._points
        if len(points) < 2:
            return None
        first, last = points[0], points[-1]
        if last[0] - first[0] < LEAST_S:
            return None
        return steal_note(last[1] - first[1], last[2] - first[2], "in the last minute")


def steal_note(busy_s: float, stolen_s: float, when: str) -> str | None:
    """What to say of so many CPU seconds that were used and stolen; None where it is little."""
    asked_s = busy_s + stolen_s
    if stolen_s < LEAST_STOLEN_S or stolen_s <= MUCH * asked_s:
        return None
    return (
        f"The host of this virtual machine gave {stolen_s / asked_s:.0%} of the CPU time that was asked for {when} to "
        "others (steal). It is charged to nobody here, but cells take longer by it."
    )
