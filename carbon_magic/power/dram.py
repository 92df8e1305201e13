"""Joules of the memory where nothing measures them: watts per GiB of what the machine has.

Memory draws nearly the same however much of it is filled, so the model is a constant power, all of it idle power of
the machine; what part of it belongs to this work is the allotment's business. GB of memory are GiB (2^30 bytes)
throughout.
"""

from __future__ import annotations

import time

from carbon_magic.power.constants import RAM_W_PER_GIB, RAM_W_PER_GIB_LPDDR
from carbon_magic.power.sensor import Domain, Fill, Provenance, Reading
from carbon_magic.quantity import Interval

GIB = 1024**3


class DramModel:
    """Constant power of all the machine's memory.

    Args:
        memory_bytes: memory of the whole machine.
        laptop: whether it is the low-power memory of a laptop.
    """

    name = "dram-model"
    domain: Domain = "dram"
    provenance: Provenance = "modelled"
    cheap = True
    period_s = 1.0
    update_s = 0.0
    resolution_s = 0.0
    short: tuple[float, Interval] | None = None
    fill: Fill = "time"
    idle_is_exact = True

    def __init__(self, memory_bytes: int, laptop: bool) -> None:
        self.power_w = watts_per_gib(laptop).scaled(memory_bytes / GIB)
        self.max_power_w: float | None = self.power_w.high
        self.idle_power_w: Interval | None = self.power_w
        self._last_s: float | None = None
        self._total = Reading(0.0, 0.0, 0.0, 0.0)

    def peek(self) -> float:
        """The present time: all that this model depends on."""
        return time.monotonic()

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules since the first call."""
        step_s = 0.0 if self._last_s is None else max(time_s - self._last_s, 0.0)
        self._last_s = time_s if self._last_s is None else max(time_s, self._last_s)
        total, power = self._total, self.power_w
        self._total = Reading(
            self._last_s,
            total.low_j + power.low * step_s,
            total.energy_j + power.best * step_s,
            total.high_j + power.high * step_s,
        )
        return self._total

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; the time since the last reading is dropped."""
        self._last_s = time_s
        self._total = self._total._replace(time_s=time_s)

    def close(self) -> None:
        """Nothing is held."""


def watts_per_gib(laptop: bool) -> Interval:
    """Watts per GiB of installed memory."""
    return (RAM_W_PER_GIB_LPDDR if laptop else RAM_W_PER_GIB).value
