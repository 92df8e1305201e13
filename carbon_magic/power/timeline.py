"""What was read, by time: joules of each sensor, CPU seconds of the kernel and of the machine.

A figure for a window is the difference of two marks on this timeline. A mark is everything cumulative at one instant;
between two readings it is interpolated, along whatever is known of the time between them: evenly, along the CPU
seconds that were read at the borders of cells too, or along a GPU's power samples. Old points are thinned (one a
second for an hour, one in ten seconds beyond), so that a day costs a few megabytes.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from carbon_magic.power.sensor import GpuUse, Reading, Sensor

FINE_S = 20.0
"""Points younger than this are all kept: marks are asked for about the last seconds."""
SECONDS_S = 3600.0
"""Points younger than this are kept one a second."""
COARSE_S = 10.0
"""Beyond, one point in so many seconds."""


class Series:
    """Cumulative figures by time, some columns wide. A point that is not later than the last one is dropped."""

    def __init__(self, columns: int) -> None:
        self.times = array("d")
        self.columns = tuple(array("d") for _ in range(columns))
        self._thin_at = 512

    def append(self, time_s: float, *values: float) -> None:
        """Add a point. Values that fall behind the last ones are lifted to them: nothing cumulative ever falls."""
        if self.times:
            if time_s <= self.times[-1]:
                return
            values = tuple(max(value, column[-1]) for value, column in zip(values, self.columns, strict=True))
        self.times.append(time_s)
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)
        if len(self.times) >= self._thin_at:
            self._thin(time_s)
            self._thin_at = len(self.times) + max(512, len(self.times) // 4)

    def bracket(self, time_s: float) -> tuple[int, float]:
        """(index of the point at or before, the part of the way to the next one); held at both ends."""
        index = bisect_right(self.times, time_s) - 1
        if index < 0:
            return 0, 0.0
        if index + 1 >= len(self.times):
            return index, 0.0
        start, end = self.times[index], self.times[index + 1]
        return index, (time_s - start) / (end - start)

    def at(self, time_s: float) -> tuple[float, ...]:
        """The columns at a time, interpolated evenly; zeros where there is no point yet."""
        if not self.times:
            return (0.0,) * len(self.columns)
        index, part = self.bracket(time_s)
        if part == 0.0:
            return tuple(column[index] for column in self.columns)
        return tuple(column[index] + part * (column[index + 1] - column[index]) for column in self.columns)

    @property
    def last_s(self) -> float:
        """The time of the last point, or minus infinity."""
        return self.times[-1] if self.times else -math.inf

    def _thin(self, now_s: float) -> None:
        keep, bucket = [0], None
        for index, time_s in enumerate(self.times):
            age = now_s - time_s
            step = 0.0 if age < FINE_S else 1.0 if age < SECONDS_S else COARSE_S
            here = math.floor(time_s / step) if step else None
            if index and (here is None or here != bucket):
                keep.append(index)
            bucket = here
        self.times = array("d", (self.times[index] for index in keep))
        self.columns = tuple(array("d", (column[index] for index in keep)) for column in self.columns)


class Joules(NamedTuple):
    """Cumulative joules of one sensor with their range."""

    low: float
    best: float
    high: float


class Mark(NamedTuple):
    """Everything cumulative at one instant. What happened between two instants is the difference of two marks."""

    time_s: float
    own_s: float
    """CPU seconds of the kernel's process tree."""
    busy_s: float
    """Busy CPU seconds of the machine."""
    joules: Mapping[str, Joules]
    gpu_use: Mapping[str, tuple[float, float, float]]
    """By GPU: seconds owned, seconds busy and owned, seconds busy."""
    gpu_unsure_s: Mapping[str, float] = {}
    """By GPU: seconds in which nobody could tell whose work it did."""


@dataclass(slots=True)
class _Track:
    """One sensor's readings, and what tells the shape between them."""

    sensor: Sensor
    joules: Series
    power: Series
    use: Series


class Timeline:
    """The readings of all sensors of one session. One thread writes; marks may be taken by that thread alone."""

    def __init__(self) -> None:
        self.own = Series(1)
        """CPU seconds of the tree, at ticks and at the borders of cells."""
        self.ticks = Series(2)
        """CPU seconds of the tree and busy seconds of the machine, at ticks."""
        self.gaps: list[tuple[float, float, str]] = []
        """(from, to, why): what a chart must not draw through, the latest thousand."""
        self._tracks: dict[str, _Track] = {}

    def add_sensor(self, sensor: Sensor) -> None:
        """Begin a sensor's line."""
        self._tracks[sensor.name] = _Track(sensor, Series(3), Series(1), Series(4))

    @property
    def sensors(self) -> list[Sensor]:
        """Every sensor that ever had a line here."""
        return [track.sensor for track in self._tracks.values()]

    def add_reading(self, name: str, reading: Reading) -> None:
        self._tracks[name].joules.append(*reading)

    def add_power(self, name: str, time_s: float, power_w: float) -> None:
        """A power sample, kept as its integral: it shapes the time between two readings and adds no energy."""
        series = self._tracks[name].power
        step = 0.0 if not series.times else max(0.0, time_s - series.times[-1])
        series.append(time_s, (series.columns[0][-1] if series.times else 0.0) + power_w * step)

    def power_integral_j(self, name: str) -> tuple[float, float] | None:
        """The time of a sensor's last power sample, and its samples' integral up to then; None without any."""
        series = self._tracks[name].power
        return (series.times[-1], series.columns[0][-1]) if series.times else None

    def add_use(self, name: str, time_s: float, use: GpuUse) -> None:
        series = self._tracks[name].use
        if not series.times:
            series.append(time_s, 0.0, 0.0, 0.0, 0.0)
            return
        step = time_s - series.times[-1]
        owned, owned_busy, busy, unsure = series.at(time_s)
        busy_now = (use.utilization or 0.0) * step
        series.append(
            time_s,
            owned + use.own_share * step,
            owned_busy + use.own_share * busy_now,
            busy + busy_now,
            unsure + (0.0 if use.sure else step),
        )

    def add_gap(self, start_s: float, end_s: float, why: str) -> None:
        self.gaps = [*self.gaps[-999:], (start_s, end_s, why)]

    def last_reading_s(self, name: str) -> float:
        """When the sensor was last read, minus infinity where never."""
        return self._tracks[name].joules.last_s

    def last_tick_at_or_before(self, time_s: float) -> float | None:
        """The time of the last tick that is not later than `time_s`, or of the first one; None without any."""
        if not self.ticks.times:
            return None
        return self.ticks.times[max(0, bisect_right(self.ticks.times, time_s) - 1)]

    def first_tick_at_or_after(self, time_s: float) -> float | None:
        """The time of the first tick that is not earlier than `time_s`, or of the last one; None without any."""
        if not self.ticks.times:
            return None
        return self.ticks.times[min(len(self.ticks.times) - 1, bisect_left(self.ticks.times, time_s))]

    def mark(self, time_s: float) -> Mark:
        """Everything cumulative at `time_s`, which must not be later than the last tick."""
        return Mark(
            time_s,
            self.own.at(time_s)[0],
            self._busy_at(time_s),
            {name: self._joules_at(track, time_s) for name, track in self._tracks.items() if track.joules.times},
            {
                name: (owned, owned_busy, busy)
                for name, track in self._tracks.items()
                if track.use.times
                for owned, owned_busy, busy, _ in (track.use.at(time_s),)
            },
            {name: track.use.at(time_s)[3] for name, track in self._tracks.items() if track.use.times},
        )

    def _busy_at(self, time_s: float) -> float:
        index, part = self.ticks.bracket(time_s) if self.ticks.times else (0, 0.0)
        if part == 0.0:
            return self.ticks.at(time_s)[1]
        busy = self.ticks.columns[1]
        start, end = self.ticks.times[index], self.ticks.times[index + 1]
        return busy[index] + (busy[index + 1] - busy[index]) * self._cpu_progress(start, end, time_s)

    def _cpu_progress(self, start_s: float, end_s: float, time_s: float) -> float:
        """The part of the machine's work between two ticks that was done by `time_s`.

        The kernel's own work is known at the borders of cells; the others' is taken to be even.
        """
        even = (time_s - start_s) / (end_s - start_s)
        own0, own, own1 = (self.own.at(moment)[0] for moment in (start_s, time_s, end_s))
        busy = self.ticks.at(end_s)[1] - self.ticks.at(start_s)[1]
        others = max(0.0, busy - (own1 - own0))
        total = own1 - own0 + others
        return (own - own0 + others * even) / total if total > 0.0 else even

    def _joules_at(self, track: _Track, time_s: float) -> Joules:
        series, sensor = track.joules, track.sensor
        index, part = series.bracket(time_s)
        if part == 0.0:
            return Joules(*series.at(time_s))
        start, end = series.times[index], series.times[index + 1]
        idle = (0.0, 0.0, 0.0)
        if sensor.fill == "power":
            part = _power_progress(track.power, start, end, time_s)
        elif sensor.fill == "cpu":
            if sensor.idle_power_w is not None:
                idle = (sensor.idle_power_w.low, sensor.idle_power_w.best, sensor.idle_power_w.high)
            part = self._cpu_progress(start, end, time_s)
        return Joules(*_filled(series, index, idle, (end - start, time_s - start), part))


def _filled(series: Series, index: int, idle: Sequence[float], spans: tuple[float, float], part: float) -> list[float]:
    """Each column between two points: its idle part evenly over the time, the rest by `part`."""
    whole_s, passed_s = spans
    values = []
    for column, idle_w in zip(series.columns, idle, strict=True):
        step = column[index + 1] - column[index]
        idle_j = min(idle_w * whole_s, step)
        values.append(column[index] + idle_j * passed_s / whole_s + (step - idle_j) * part)
    return values


def _power_progress(power: Series, start_s: float, end_s: float, time_s: float) -> float:
    """The part of the energy between two readings that had flowed by `time_s`, by the power samples among them."""
    even = (time_s - start_s) / (end_s - start_s)
    if not power.times or power.last_s <= start_s:
        return even
    first, here, last = (power.at(moment)[0] for moment in (start_s, time_s, end_s))
    if last <= first or power.times[0] > start_s or power.last_s < end_s:
        return even
    return (here - first) / (last - first)
