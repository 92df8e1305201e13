"""What one tick does: read whatever is due, put it onto the timeline with what cells' threads left, look at the rest.

It holds the sensors in use and the timeline, and one thread calls it: the sampler's, or whoever has no such thread. A
CPU counter that stays away is replaced by the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.channel import SUSPEND_S, Channel
from carbon_magic.power.discover import replaced_by
from carbon_magic.power.sensor import Sensor
from carbon_magic.power.steal import Steal
from carbon_magic.power.timeline import Timeline
from carbon_magic.power.usage import Usage

if TYPE_CHECKING:
    from carbon_magic.power.watch import Watch

REPLACE_AFTER = 2
"""After so many failures in a row a CPU counter is replaced by the model."""


class Border(NamedTuple):
    """What a cell's thread read at a border."""

    time_s: float
    asleep_s: float
    own_s: float
    raws: tuple[tuple[Sensor, float], ...]


class Reader:
    """Reads the sensors of `candidates`.

    Args:
        usage: who used the processors.
        candidates: what `discover` found; those with a sensor are read.
        replace_cpu: gives the model when a CPU counter fails for good.
        clock, suspend_clock: the time, and how long the machine has been suspended.
    """

    def __init__(
        self,
        usage: Usage,
        candidates: Sequence[Candidate],
        *,
        cpus: int,
        replace_cpu: Callable[[], Candidate] | None,
        clock: Callable[[], float],
        suspend_clock: Callable[[], float],
    ) -> None:
        self.timeline = Timeline()
        self.candidates: list[Candidate] = []
        self.channels: list[Channel] = []
        self.cheap: tuple[Sensor, ...] = ()
        """The sensors that are read at borders too."""
        self.borders: deque[Border] = deque()
        """What cells' threads leave, in the order of time."""
        self.watch: Watch | None = None
        """Sensors that are read beside the counted ones, as soon as there is something to compare."""
        self.steal = Steal()
        self.last_s: float | None = None
        """When all was read last."""
        self._usage = usage
        self._cpus = cpus
        self._replace_cpu = replace_cpu
        self._clock = clock
        self._suspend_clock = suspend_clock
        self._asleep_s = suspend_clock()
        self._late_borders: list[Border] = []
        for candidate in candidates:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        """Read one more, if it has a sensor."""
        self.candidates.append(candidate)
        sensor = candidate.sensor
        if self.watch is None and (candidate.watched or (sensor is not None and sensor.fill == "power")):
            from carbon_magic.power.watch import Watch  # most machines have nothing to compare

            self.watch = Watch(self._clock)
        if candidate.watched and self.watch is not None:
            self.watch.add(candidate)
        elif candidate.sensor is not None:
            self.channels.append(Channel(candidate, candidate.sensor, self.timeline, self._clock))
            self.cheap = tuple(channel.sensor for channel in self.channels if channel.sensor.cheap)

    def watch_anew(self, name: str, find: Callable[[], Sequence[Candidate]]) -> None:
        """Look again for what is watched under a name."""
        if self.watch is not None:
            self.watch.drop(name)
        self.candidates = [candidate for candidate in self.candidates if candidate.name != name]
        for candidate in find():
            self.add(candidate)

    def working(self) -> list[Channel]:
        """The sensors that are read at present."""
        return [channel for channel in self.channels if channel.working]

    def problems(self) -> list[str]:
        """What cannot be read at present, in words."""
        found = [channel.problem for channel in self.channels if channel.problem]
        return [*found, *self.watch.problems] if self.watch is not None else found

    def shaped(self) -> list[Channel]:
        """The GPUs whose power is sampled between two ticks, for the shape of the second."""
        return [
            channel
            for channel in self.working()
            if channel.sensor.domain == "gpu" and (channel.sensor.fill == "power" or channel.sensor.period_s < 1.0)
        ]

    def sample(self) -> None:
        """Sample them."""
        for channel in self.shaped():
            if channel.sensor.fill == "power":
                channel.sample_power()
            elif (raw := channel.peek()) is not None:
                channel.advance(self._clock(), self._suspend_clock(), raw)

    def read(self, *, extra: bool, late: bool) -> float:
        """One pass over usage, sensors and what the cells' threads left; gives its time.

        Args:
            extra: slow sensors are read sooner.
            late: it comes so late that the chart marks it.
        """
        asleep_s, now_s = self._suspend_clock(), self._clock()
        due = [channel for channel in self.channels if channel.due(now_s, extra=extra)]
        # The counters first: their time is the tick's, and finding the process tree takes a while.
        readings = [
            (now_s, asleep_s, channel, raw)
            for channel in due
            if channel.sensor.cheap and (raw := channel.peek()) is not None
        ]
        own_s, busy_s = self._usage.tick()
        readings += self._take_borders(now_s)
        readings.sort(key=lambda reading: reading[0])
        for at_s, asleep_then_s, channel, raw in readings:
            channel.advance(at_s, asleep_then_s, raw)
        self.timeline.own.append(now_s, own_s)
        for border in self._late_borders:
            self.timeline.own.append(border.time_s, border.own_s)
        for channel in due:
            if not channel.sensor.cheap:
                channel.read_slow(now_s, asleep_s, self._usage.pids)
        self._replace_lost_cpu()
        self._note_gap(now_s, asleep_s, late=late)
        self.timeline.ticks.append(now_s, own_s, busy_s)
        self.last_s = now_s
        self.steal.add(now_s, busy_s, self._usage.stolen_s)
        for channel in self.channels:
            channel.observe(busy_s, self._cpus)
        if self.watch is not None:
            self.watch.read(now_s, asleep_s, self.timeline, self.working())
        return now_s

    def close(self) -> None:
        """Close every sensor."""
        self.cheap = ()
        for channel in self.channels:
            channel.sensor.close()
        if self.watch is not None:
            self.watch.close()
        self._usage.close()

    def _take_borders(self, now_s: float) -> list[tuple[float, float, Channel, float]]:
        """What cells' threads read since the last tick.

        A border that came while this tick was reading has a later time but may have an older counter: its counters
        are dropped (they are interpolated), or the counter would seem to run backwards.
        """
        channels = {id(channel.sensor): channel for channel in self.channels}
        readings, self._late_borders = [], []
        for _ in range(len(self.borders)):
            border = self.borders.popleft()
            if border.time_s > now_s:
                self._late_borders.append(border)
                continue
            self.timeline.own.append(border.time_s, border.own_s)
            readings += [
                (border.time_s, border.asleep_s, channels[id(sensor)], raw)
                for sensor, raw in border.raws
                if id(sensor) in channels
            ]
        return readings

    def _replace_lost_cpu(self) -> None:
        """Open the model where a CPU counter has failed for good."""
        lost = any(c.failures >= REPLACE_AFTER and c.sensor.domain == "cpu" for c in self.channels)
        if not lost or self._replace_cpu is None:
            return
        replace, self._replace_cpu = self._replace_cpu, None
        model = replace()
        covered = ("cpu", "dram") if model.figures.get("memory_included") else ("cpu",)
        for channel in self.channels:
            channel.replaced = channel.replaced or channel.sensor.domain in covered
        gone = {channel.candidate.name: channel.error for channel in self.channels if channel.replaced}
        self.candidates = [
            replaced_by(candidate, gone[candidate.name] or "", model.name) if candidate.name in gone else candidate
            for candidate in self.candidates
            if candidate.name != model.name
        ]
        self.add(model)

    def _note_gap(self, now_s: float, asleep_s: float, *, late: bool) -> None:
        previous_s = self.last_s
        if previous_s is not None:
            if asleep_s - self._asleep_s > SUSPEND_S:
                self.timeline.add_gap(previous_s, now_s, "suspended")
            elif late:
                self.timeline.add_gap(previous_s, now_s, "late")
        self._asleep_s = asleep_s
