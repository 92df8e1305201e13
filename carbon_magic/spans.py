"""What was used from one time to another, as the sensors of one sampler saw it.

Only the sampler's thread asks, after a tick, or whoever has stopped it. A time is known by its mark on the timeline;
the share is taken over the ticks around, and over at least a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from carbon_magic.power.sampler import Sampler
from carbon_magic.power.share import Measurement, Part, Witness, measure
from carbon_magic.power.timeline import Mark
from carbon_magic.quantity import Interval

LONG_S = 1.0
"""The share of a window is taken over ticks that span at least this."""
START_SLACK_S = 0.1
"""A tick this soon after a beginning counts as the tick at it: the cell's own beginning woke the sampler."""


class Spans:
    """The spans of one sampler's timeline.

    Args:
        part: tells what part of the machine is this process's at rest.
    """

    def __init__(self, sampler: Sampler, part: Callable[[], Part]) -> None:
        self.sampler = sampler
        self.ticks: tuple[Mark, Mark] | None = None
        """The last two ticks."""
        self.present: tuple[Mark, Mark] | None = None
        """The last two ticks that all sensors were read at: a GPU read once a second draws power between too."""
        self.since_s = math.inf
        """When the first one was."""
        self.ending = False
        """What a slow sensor has not seen yet it will not see any more."""
        self._timeline = sampler.timeline
        self._part = part
        self._marks: dict[float, Mark] = {}
        """The marks that were taken since the last tick: those of ticks are asked for by every cell."""
        self._idle_w: dict[str, Interval] = {}

    def tick(self, now_s: float) -> Mark:
        """The sensors have been read; gives the mark."""
        self._marks.clear()
        self._idle_w = {channel.sensor.name: channel.baseline.power_w() for channel in self.sampler.channels}
        if self.ticks is None:
            self.since_s = now_s
        now = self.mark(now_s)
        self.ticks = (self.ticks[1] if self.ticks else now, now)
        if self.is_read(now_s, now_s):
            self.present = (self.present[1] if self.present else now, now)
        return now

    def is_read(self, time_s: float, now_s: float) -> bool:
        """Whether every sensor that works has been read at or after a time."""
        return time_s <= now_s and all(
            channel.last_s is None or channel.last_s >= time_s for channel in self.sampler.working()
        )

    def read_until_s(self) -> float:
        """The time up to which every sensor that works has been read."""
        return min((c.last_s for c in self.sampler.working() if c.last_s is not None), default=math.inf)

    def mark(self, time_s: float) -> Mark:
        """What the timeline held at a time."""
        mark = self._marks.get(time_s)
        if mark is None:
            mark = self._marks[time_s] = self._timeline.mark(time_s)
        return mark

    def beginning(self, time_s: float) -> tuple[Mark, Mark]:
        """The mark at a beginning, and that of the tick there."""
        tick_s = self._timeline.last_tick_at_or_before(time_s + START_SLACK_S)
        start = self.mark(time_s)
        return start, start if tick_s is None else self.mark(tick_s)

    def measured(
        self, start: Mark | None, cover: Mark | None, end_s: float, *, exact: bool = False, past: bool = False
    ) -> Measurement | None:
        """From a mark to a time, shared by the ticks around; None where there is nothing between. `past`: the time
        is not of the last tick, and nothing after it tells of what was before."""
        if start is None or cover is None or end_s <= start.time_s:
            return None
        timeline = self._timeline
        last_s = timeline.first_tick_at_or_after(end_s) if past else timeline.last_tick_at_or_before(math.inf)
        if last_s is None:
            return None
        if last_s - cover.time_s < 0.95 * LONG_S:
            tick_s = timeline.last_tick_at_or_before(min(start.time_s, last_s - LONG_S))
            cover = cover if tick_s is None else self.mark(tick_s)
        window = (start, self.mark(end_s))
        witnesses = self._witnesses(start.time_s, end_s)
        return measure(window, (cover, self.mark(last_s)), witnesses, self._part(), exact=exact)

    def _witnesses(self, start_s: float, end_s: float) -> list[Witness]:
        """The sensors that saw a window, or a part of it."""
        begun: dict[str, float] = {}
        for channel in self.sampler.working():
            domain, first_s = channel.sensor.domain, math.inf if channel.first_s is None else channel.first_s
            begun[domain] = min(first_s, begun.get(domain, math.inf))
        found = []
        for channel in self.sampler.channels:
            if channel.first_s is None or channel.last_s is None or channel.first_s >= end_s:
                continue
            missing_s = 0.0
            if self.ending or not channel.working:
                # Until another one took its place, which may have been only after the window.
                until_s = end_s if self.ending else min(end_s, begun.get(channel.sensor.domain, math.inf))
                missing_s = max(0.0, until_s - max(start_s, channel.last_s))
            if channel.last_s <= start_s and not channel.working and missing_s <= 0.0:
                continue  # lost before the window began, with another one in its place
            idle_w = self._idle_w[channel.sensor.name]
            found.append(Witness(channel.sensor, idle_w, missing_s, channel.power_w or idle_w.best))
        return found
