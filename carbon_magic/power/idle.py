"""What a machine draws at rest: energy that no work caused, of which a window has its allotted part only.

A model brings its own idle power. For a measured domain the power of quiet ticks is remembered, and their fifth
percentile is the idle power; until enough quiet ticks were seen it is a guess from the sensor's rated power, which
never exceeds the lowest power seen so far.
"""

from __future__ import annotations

from collections import deque

from carbon_magic.power.sensor import Sensor
from carbon_magic.quantity import ZERO, Interval

QUIET = 0.05
"""A tick is quiet where less than this part of the machine (or of the GPU) is busy."""
ENOUGH = 5
"""So many quiet ticks make a baseline."""
SHORTEST_S = 0.5
"""Shorter steps are not looked at: the refresh of a counter would show as power."""


class IdleBaseline:
    """The idle power of one sensor's domain, learnt while the session runs."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._quiet: deque[float] = deque(maxlen=120)
        self._lowest_w: float | None = None

    def observe(self, power_w: float, busy: float, step_s: float) -> None:
        """A step of the timeline: the sensor's mean power over it, and how busy (0 to 1) the machine or GPU was."""
        if step_s < SHORTEST_S:
            return
        self._lowest_w = power_w if self._lowest_w is None else min(self._lowest_w, power_w)
        if busy < QUIET:
            self._quiet.append(power_w)

    @property
    def quiet(self) -> int:
        """How many quiet ticks it knows: the latest 120 at most, so that it follows the machine."""
        return len(self._quiet)

    @property
    def seen(self) -> bool:
        """Whether the baseline was measured in this session."""
        return len(self._quiet) >= ENOUGH

    def power_w(self) -> Interval:
        """The idle power as known now; 0 with an open range above where nothing has been seen yet."""
        prior = self._sensor.idle_power_w
        if self._sensor.idle_is_exact and prior is not None:
            return prior
        if self.seen:
            ordered = sorted(self._quiet)
            return Interval.exact(ordered[len(ordered) // 20])
        lowest = self._lowest_w
        if prior is None:
            return ZERO if lowest is None else Interval(0.0, lowest / 2, lowest)
        if lowest is None:
            return prior
        return Interval(min(prior.low, lowest), min(prior.best, lowest), min(prior.high, lowest))
