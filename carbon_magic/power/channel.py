"""A sensor in use: when it is read, how its readings get onto the timeline, and how it fares when it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.idle import SHORTEST_S, IdleBaseline
from carbon_magic.power.sensor import GpuSensor, Sensor, SensorError
from carbon_magic.power.timeline import Timeline

SUSPEND_S = 1.0
"""CLOCK_BOOTTIME may run ahead of CLOCK_MONOTONIC by this much in one step before it counts as a suspend."""
RETRY_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Pauses before a sensor that failed is tried again."""
EXTRA_GAP_S = 0.25
"""An extra reading asked for by a cell comes no sooner than this after the last one of a slow sensor."""


@dataclass(slots=True, eq=False)
class Channel:
    """One sensor on one timeline. The sampler's thread alone calls it."""

    candidate: Candidate
    sensor: Sensor
    timeline: Timeline
    clock: Callable[[], float]
    baseline: IdleBaseline = field(init=False)
    failures: int = 0
    replaced: bool = False
    """Another sensor has taken its place for good."""
    error: str | None = None
    first_s: float | None = None
    last_s: float | None = None
    last_j: float = 0.0
    power_w: float | None = None
    """Mean power over the last step of half a second or more."""
    _retry_at_s: float = 0.0
    _asleep_s: float = 0.0
    _utilization: float | None = None
    _observed: tuple[float, float, float] | None = None
    """(time, joules, busy seconds) of the last look of the idle baseline."""

    def __post_init__(self) -> None:
        self.baseline = IdleBaseline(self.sensor)
        self.timeline.add_sensor(self.sensor)

    @property
    def working(self) -> bool:
        return not self.failures and not self.replaced

    @property
    def problem(self) -> str | None:
        """What is wrong with it at present, in words that name it."""
        name = self.sensor.name
        return self.error if self.error is None or self.error.startswith(name) else f"{name}: {self.error}"

    @property
    def at_ticks(self) -> bool:
        """Whether it is read at every tick, with the tick's own time."""
        return self.sensor.cheap or self.sensor.fill == "cpu"

    def due(self, now_s: float, *, extra: bool) -> bool:
        """Whether this tick reads it; `extra` reads a slow sensor sooner, as far as it bears that."""
        if self.failures:
            return not self.replaced and now_s >= self._retry_at_s
        if self.replaced or self.last_s is None or self.at_ticks:
            return not self.replaced
        period_s = self.sensor.period_s
        return now_s - self.last_s >= (min(EXTRA_GAP_S, period_s) if extra else 0.95 * period_s)

    def peek(self) -> float | None:
        """What the hardware says, or None where it fails; then it is left alone for a while."""
        try:
            raw = self.sensor.peek()
        except (SensorError, ArithmeticError, OSError, ValueError) as error:
            # An answer that nobody thought of costs this sensor, and not the tick of all.
            self.error = str(error)
            self._retry_at_s = self.clock() + RETRY_S[min(self.failures, len(RETRY_S) - 1)]
            self.failures += 1
            return None
        self.failures, self.error = 0, None
        return raw

    def advance(self, at_s: float, asleep_s: float, raw: float) -> None:
        """Put a reading onto the timeline; what lies before the last one is dropped, and a suspend is stepped over."""
        if self.last_s is not None and at_s <= self.last_s:
            return
        if self.last_s is not None and asleep_s - self._asleep_s > SUSPEND_S:
            self.sensor.skip(at_s, raw)
        self._asleep_s = asleep_s
        reading = self.sensor.advance(at_s, raw)
        self.timeline.add_reading(self.sensor.name, reading)
        self.last_s, self.last_j = at_s, reading.energy_j
        if self.first_s is None:
            self.first_s = at_s

    def read_slow(self, now_s: float, asleep_s: float, pids: AbstractSet[int]) -> None:
        """One reading of a sensor that is not read at borders, with who used it where it is a GPU."""
        self.sample_power()
        raw = self.peek()
        if raw is None:
            return
        # A model is fed with what was read at the tick itself; a device answers later, and that time counts.
        at_s = now_s if self.sensor.fill == "cpu" else self.clock()
        self.advance(at_s, asleep_s, raw)
        if isinstance(self.sensor, GpuSensor):
            try:
                use = self.sensor.use(pids)
            except SensorError as error:
                self.error = str(error)  # the next reading decides whether the GPU is lost
                return
            self._utilization = use.utilization
            self.timeline.add_use(self.sensor.name, at_s, use)

    def sample_power(self) -> None:
        """A GPU's present power, for the shape of the time between two readings."""
        if self.sensor.fill != "power" or not isinstance(self.sensor, GpuSensor):
            return
        try:
            power_w = self.sensor.power_w()
        except SensorError as error:
            self.error = str(error)  # the next reading decides whether the GPU is lost
            return
        if power_w is not None:
            self.timeline.add_power(self.sensor.name, self.clock(), power_w)

    def observe(self, busy_s: float, cpus: int) -> None:
        """Feed the idle baseline with the step since the last look."""
        if self.last_s is None:
            return
        if self._observed is not None:
            then_s, then_j, then_busy_s = self._observed
            step_s = self.last_s - then_s
            if step_s < SHORTEST_S:
                return
            busy = (busy_s - then_busy_s) / (cpus * step_s)
            if self.sensor.domain == "gpu":
                busy = math.inf if self._utilization is None else self._utilization
            self.power_w = (self.last_j - then_j) / step_s
            self.baseline.observe(self.power_w, busy, step_s)
        self._observed = (self.last_s, self.last_j, busy_s)
