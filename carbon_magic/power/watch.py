"""Sensors that are read beside the counted ones: what they explain, and where two sources disagree.

A meter of the whole machine holds the components; what is left over is the rest of the machine, shown and never added.
Two sources of one thing are compared over half a minute or more, and so is a GPU's counter with its own power samples;
where they differ by more than a tenth this is a problem that is told, with the one that is used and the reason. The
sampler's thread alone calls all of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.channel import Channel
from carbon_magic.power.constants import AGREE_WINDOW_S, DISAGREE
from carbon_magic.power.timeline import Timeline

SPACING_S = 5.0
"""Points of a comparison are this far apart, so that sixty of them are five minutes."""
BROKEN_S = 3.0
"""Power samples further apart than this say nothing of what lay between."""
LEAST_W = 1.0
"""Below this, two sources differ by their last digit."""


class Rest(NamedTuple):
    """What a meter of the whole machine shows beyond the components."""

    source: str
    whole_w: float
    parts_w: float
    """Of processors, memory and accelerators, as counted."""
    over_s: float

    @property
    def rest_w(self) -> float:
        """Board, disks, fans, screen and losses; 0 where the parts' sum exceeds the meter."""
        return max(0.0, self.whole_w - self.parts_w)


class Span(NamedTuple):
    """Mean powers of two sources over the same time."""

    over_s: float
    one_w: float
    other_w: float

    @property
    def differ(self) -> bool:
        """Whether they differ by more than a tenth of the other."""
        return (
            self.over_s >= AGREE_WINDOW_S.value
            and max(self.one_w, self.other_w) >= LEAST_W
            and abs(self.one_w - self.other_w) > DISAGREE.value * self.other_w
        )


class Comparison:
    """Joules of two sources, side by side, over the last minutes."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float, float]] = deque(maxlen=60)
        self._latest: tuple[float, float, float] | None = None
        self._key: object = None

    def add(self, key: object, time_s: float, one_j: float, other_j: float) -> None:
        """Cumulative joules of both at one time; with another `key` something has changed and all begins anew."""
        if key != self._key:
            self.clear()
            self._key = key
        self._latest = (time_s, one_j, other_j)
        if not self._points or time_s - self._points[-1][0] >= SPACING_S:
            self._points.append(self._latest)

    def clear(self) -> None:
        self._points.clear()
        self._latest = None

    @property
    def span(self) -> Span | None:
        """Mean powers over all that is kept, or None before the second point."""
        if self._latest is None or not self._points or self._latest[0] <= self._points[0][0]:
            return None
        first, last = self._points[0], self._latest
        over_s = last[0] - first[0]
        return Span(over_s, (last[1] - first[1]) / over_s, (last[2] - first[2]) / over_s)


class Watch:
    """The watched sensors of one sampler."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.channels: list[Channel] = []
        self._clock = clock
        self._timeline = Timeline()
        self._beside: dict[str, Comparison] = {}
        self._shapes: dict[str, tuple[Comparison, float]] = {}
        """By GPU: its counter against its power samples, and the time of the last of these."""
        self._parts: dict[str, Sequence[Channel]] = {}
        self.rest: Rest | None = None
        """The rest of the machine as known after the last pass; like `problems` for any thread to read."""
        self.problems: tuple[str, ...] = ()
        """Sources that disagree, and watched sensors that fail, in words."""

    def add(self, candidate: Candidate) -> None:
        """Watch a candidate's sensor."""
        if candidate.sensor is not None:
            self.channels.append(Channel(candidate, candidate.sensor, self._timeline, self._clock))
            self._beside[candidate.name] = Comparison()

    def drop(self, name: str) -> None:
        """Watch a sensor no more."""
        for channel in [channel for channel in self.channels if channel.sensor.name == name]:
            self.channels.remove(channel)
            channel.sensor.close()

    def read(self, now_s: float, asleep_s: float, timeline: Timeline, working: Sequence[Channel]) -> None:
        """One pass after a tick: read what is due, beside the joules of the counted sensors."""
        for channel in self.channels:
            if not channel.due(now_s, extra=False):
                continue
            before_s = channel.last_s
            if not channel.sensor.cheap:
                channel.read_slow(now_s, asleep_s, frozenset())
            elif (raw := channel.peek()) is not None:
                channel.advance(now_s, asleep_s, raw)
            if channel.last_s is None or channel.last_s == before_s:
                self._beside[channel.sensor.name].clear()
            else:
                self._compare(channel, channel.last_s, timeline, working)
        for channel in working:
            if channel.sensor.domain == "gpu" and channel.sensor.fill == "power":
                self._compare_shape(channel, timeline)
        self.rest, self.problems = self._rest(), tuple(self._problems())

    def _compare(self, channel: Channel, at_s: float, timeline: Timeline, working: Sequence[Channel]) -> None:
        sensor = channel.sensor
        group = self._group(channel)
        if channel is not group[-1]:
            return  # the packages of one machine are compared together, after the last of them was read
        parts = [other for other in working if sensor.domain in ("other", other.sensor.domain)]
        since_s = getattr(sensor, "since_s", channel.first_s)
        if since_s is None or not parts:
            self._beside[sensor.name].clear()
            return
        joules = timeline.mark(at_s).joules
        names = tuple(part.sensor.name for part in parts)
        parts_j = math.fsum(joules[name].best for name in names if name in joules)
        self._parts[sensor.name] = parts
        self._beside[sensor.name].add((since_s, names), at_s, math.fsum(one.last_j for one in group), parts_j)

    def _group(self, channel: Channel) -> list[Channel]:
        """The watched sensors that tell one thing together: all packages, but each meter of the whole by itself."""
        if channel.sensor.domain == "other":
            return [channel]
        return [other for other in self.channels if other.sensor.domain == channel.sensor.domain]

    def _compare_shape(self, channel: Channel, timeline: Timeline) -> None:
        name = channel.sensor.name
        integral = timeline.power_integral_j(name)
        if integral is None or channel.last_s is None:
            return
        at_s, integral_j = integral
        comparison, last_s = self._shapes.get(name, (Comparison(), at_s))
        if at_s - last_s > BROKEN_S:
            comparison.clear()
        if abs(at_s - channel.last_s) < 0.1:
            comparison.add(None, at_s, integral_j, channel.last_j)
        self._shapes[name] = (comparison, at_s)

    def _rest(self) -> Rest | None:
        """The rest of the machine by the first meter that has told for long enough."""
        # What the platform's own counter holds is the least sure.
        for channel in sorted(self.channels, key=lambda channel: channel.sensor.name == "powercap:psys"):
            span = self._beside[channel.sensor.name].span
            whole = channel.candidate.whole and channel.working
            if whole and span is not None and span.over_s >= self._needed_s(channel):
                return Rest(channel.sensor.name, span.one_w, span.other_w, span.over_s)
        return None

    @staticmethod
    def _needed_s(channel: Channel) -> float:
        return max(AGREE_WINDOW_S.value, channel.sensor.resolution_s)

    def _problems(self) -> list[str]:
        found = [channel.problem for channel in self.channels if channel.problem]
        for channel in self.channels:
            span = self._beside[channel.sensor.name].span
            if span is not None and span.over_s >= self._needed_s(channel):
                said = (
                    self._of_whole(channel, span) if channel.sensor.domain == "other" else self._of_same(channel, span)
                )
                found += [said] if said else []
        for name, (comparison, _) in self._shapes.items():
            span = comparison.span
            if span is not None and span.differ:
                found.append(
                    f"{name}: its energy counter tells {span.other_w:.3g} W and its power samples {span.one_w:.3g} W, "
                    f"over {span.over_s:.0f} s. The counter is used: read once a second it misses nothing, and the "
                    "samples see moments only."
                )
        return found

    def _of_same(self, channel: Channel, span: Span) -> str | None:
        if not span.differ:
            return None
        names = ", ".join(part.sensor.name for part in self._parts[channel.sensor.name])
        watched = ", ".join(one.sensor.name for one in self._group(channel))
        return (
            f"{watched} tells {span.one_w:.3g} W and {names} {span.other_w:.3g} W, "
            f"over {span.over_s:.0f} s. The latter is used: it is "
            "the counter itself, and the other a sum that the kernel keeps of it."
        )

    def _of_whole(self, channel: Channel, span: Span) -> str | None:
        """A meter of the whole machine that shows less than its parts."""
        if not span.differ or span.other_w <= span.one_w or not channel.candidate.whole:
            return None
        parts = self._parts[channel.sensor.name]
        guessed = [part.sensor.name for part in parts if part.sensor.provenance != "measured"]
        names = ", ".join(part.sensor.name for part in parts)
        told = (
            f"{channel.sensor.name} shows {span.one_w:.3g} W for the whole machine and {names} {span.other_w:.3g} W "
            f"for parts of it, over {span.over_s:.0f} s."
        )
        if guessed:
            return (
                f"{told} The meter is right: {', '.join(guessed)} must be too high, but only they tell the parts apart."
            )
        return f"{told} The parts are used: each is measured where its energy flows, and the meter is a mean."

    def close(self) -> None:
        """Close every watched sensor."""
        for channel in self.channels:
            channel.sensor.close()
