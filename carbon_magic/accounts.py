"""The books of one session, kept in the sampler's thread after each tick.

Cells' threads leave beginnings and ends in a queue. At each tick those that every sensor has been read after are
settled, in order: a beginning gets its marks, an end becomes a record. The session's total is the sum over segments,
cut at every beginning and end, so that the cells and the time between them add up to it exactly. Then one immutable
snapshot is published; whoever shows something reads that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from carbon_magic.describe import Facts, Running, record_of, snapshot_of, unknown
from carbon_magic.held import Change, Held, Priced, priced
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.sampler import Sampler
from carbon_magic.power.share import Measurement, Part, Witness, measure
from carbon_magic.power.timeline import Mark
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place, Snapshot
from carbon_magic.totals import Totals
from carbon_magic.windows import Window

MAX_RECORDS = 5000
"""So many of the latest records are kept in memory; the totals hold them all."""
LONG_S = 1.0
"""The share of a window is taken over ticks that span at least this."""
START_SLACK_S = 0.1
"""A tick this soon after a beginning counts as the tick at it: the cell's own beginning woke the sampler."""


class Accounts:
    """Records, totals and the snapshot of one session."""

    def __init__(self, facts: Facts, place: Place, part: Callable[[], Part]) -> None:
        self.facts = facts
        self.place = place
        """As the tables or the user have it; `held` says what it is converted by at present."""
        self.held = Held()
        self.tracking = False
        self.on_record: Callable[[CellRecord, Window], None] = lambda record, window: None
        """Called with each final record, in the sampler's thread."""
        self.on_reset: Callable[[], None] = lambda: None
        """Called when the session is about to be forgotten; its snapshot is the last one."""
        self.on_let_go: Callable[[Window], None] = lambda window: None
        """Called with each cell that still runs when tracking stops."""
        self.records: deque[CellRecord] = deque(maxlen=MAX_RECORDS)
        self._part = part
        self._sampler: Sampler | None = None
        self._totals = Totals()
        self._queue: deque[tuple[float, Callable[[float], None]]] = deque()
        """What is to be settled once every sensor has been read after its time, in order."""
        self._open: list[Window] = []
        self._since_s = math.inf
        """When the present timeline began."""
        self._inner: list[Window] = []
        """Those that run within another cell: measured, but part of it."""
        self._cut: tuple[Mark, Mark] | None = None
        """Where the present segment began: its mark, and that of the tick there."""
        self._ticks: tuple[Mark, Mark] | None = None
        """The last two ticks."""
        self._marks: dict[float, Mark] = {}
        """The marks that were taken since the last tick: those of ticks are asked for by every cell."""
        self._worked: set[Place] = set()
        """Where something was measured since a live intensity was last looked for."""
        self._idle_w: dict[str, Interval] = {}
        self._late = False
        """Tracking stops: what a slow sensor has not seen yet it will not see any more."""
        self.snapshot: Snapshot = self._look()

    # What cells' threads call

    def opened(self, window: Window) -> None:
        self._queue.append((window.opened_s, lambda time_s: self._settle_open(window, time_s)))

    def closed(self, window: Window, time_s: float) -> None:
        self._queue.append((time_s, lambda time_s: self._settle_close(window, time_s)))

    def promoted(self, window: Window, time_s: float) -> None:
        """What ran within a cell outlives it, and is a cell of its own, which overlaps with that one."""
        self._queue.append((time_s, lambda time_s: self._settle_promotion(window)))

    def reset(self, facts: Facts, time_s: float) -> None:
        """Begin anew from `time_s` on: no records, no totals. A cell that runs keeps its own beginning."""
        if self._sampler is None:
            self._settle_reset(facts)
        else:
            self._queue.append((time_s, lambda time_s: self._settle_reset(facts, time_s)))

    @property
    def busy(self) -> bool:
        """Whether a cell runs, or has yet to be settled."""
        return bool(self._queue or self._open or self._inner)

    @property
    def pending(self) -> bool:
        """Whether a beginning or an end has yet to be settled."""
        return bool(self._queue)

    # What the sampler's thread calls, or whoever has stopped it

    def begin(self, sampler: Sampler) -> None:
        """Tracking starts: what `sampler` reads from now on counts."""
        self._sampler = sampler
        self._cut = self._ticks = None

    def end(self) -> None:
        """Tracking stops: what was read up to the last tick is kept, a cell that still runs is let go."""
        if self._ticks is not None:
            last_s = self._ticks[1].time_s
            self._late = True
            while self._queue and self._queue[0][0] <= last_s:
                time_s, settle = self._queue.popleft()
                settle(time_s)
            self._late = False
            self._cut_at(last_s)
            for window in self._open:
                self.on_let_go(window)
        self._sampler = self._cut = self._ticks = None
        self._open.clear()
        self._inner.clear()
        self._queue.clear()
        self.snapshot = self._look()

    def on_tick(self, now_s: float) -> None:
        """Settle what can be settled, and publish."""
        if self._sampler is None:
            return
        self._marks.clear()
        self._idle_w = {channel.sensor.name: channel.baseline.power_w() for channel in self._sampler.channels}
        if self._ticks is None:
            self._since_s = now_s
        now = self._mark(now_s)
        self._ticks = (self._ticks[1] if self._ticks else now, now)
        if self._cut is None:
            self._cut = (now, now)
        self._follow()
        while self._queue and self._is_read(self._queue[0][0], now_s):
            time_s, settle = self._queue.popleft()
            settle(time_s)
        self.snapshot = self._look()

    def running(self) -> list[Running]:
        """The cells that have not ended, and what they have cost up to the last tick."""
        if self._ticks is None:
            return []
        now_s = self._ticks[1].time_s
        return [
            Running(window, max(0.0, now_s - window.opened_s), self._measured(window.start, window.cover, now_s))
            for window in self._open
        ]

    @property
    def open_windows(self) -> tuple[Window, ...]:
        """The cells that have not ended."""
        return tuple(self._open)

    def so_far(self, window: Window) -> CellRecord | None:
        """The record of a cell that runs, up to the last tick; None before the first tick after it began."""
        if self._ticks is None:
            return None
        found = self._priced(window, self._ticks[1].time_s)
        return None if found is None else record_of(window, found, self.facts, final=False)

    def record_of(self, window: Window, measured: Measurement, *, final: bool) -> CellRecord:
        """The record of a window of which no more is known than a measurement: at the present intensity."""
        place = self.held.place(window.place or self.place)
        return record_of(window, priced([(measured, place)]), self.facts, final=final)

    def _is_read(self, time_s: float, now_s: float) -> bool:
        """Whether every sensor that works has been read at or after a time."""
        assert self._sampler is not None
        return time_s <= now_s and all(
            channel.last_s is None or channel.last_s >= time_s for channel in self._sampler.working()
        )

    def _read_until_s(self) -> float:
        """The time up to which every sensor that works has been read."""
        assert self._sampler is not None
        return min((c.last_s for c in self._sampler.working() if c.last_s is not None), default=math.inf)

    def _settle_open(self, window: Window, time_s: float) -> None:
        self._worked.add(window.place or self.place)
        if window.inner:
            window.start, window.cover = self._beginning(time_s)
            self._inner.append(window)
            return
        self._cut_at(time_s)
        if self._cut is not None:
            window.start, window.cover = self._cut
        if self._open:
            for one in (window, *self._open):
                one.concurrent = True
        self._open.append(window)

    def _settle_promotion(self, window: Window) -> None:
        if window in self._inner:
            self._inner.remove(window)
            window.inner = False
            for one in (window, *self._open):
                one.concurrent = True
            self._open.append(window)

    def _settle_close(self, window: Window, time_s: float) -> None:
        if window.inner:
            if window in self._inner:
                self._inner.remove(window)
            if window.start is None or window.start.time_s < self._since_s:
                return  # it began before tracking was switched off: its mark is of another timeline
            self._price(window, self._priced(window, time_s))
            return
        if window not in self._open:
            return  # it began before tracking was switched off
        begun = self._cut
        segment = self._cut_at(time_s)
        found = self._priced(window, time_s, (None if begun is None else begun[0], segment))
        if self._late and self._read_until_s() <= window.opened_s:
            place = self.held.place(window.place or self.place)
            found = priced([(unknown(time_s - window.opened_s), place)])
        self._open.remove(window)
        self._price(window, found)
        if window.record is not None:
            self.records.append(window.record)
            self.on_record(window.record, window)

    def _settle_reset(self, facts: Facts, time_s: float | None = None) -> None:
        if time_s is not None:
            self._cut_at(time_s)
            self.snapshot = self._look(live=False)
        self.on_reset()
        self.facts = facts
        self.records.clear()
        self._totals = Totals()
        self.snapshot = self._look()

    def _price(self, window: Window, found: Priced | None) -> None:
        """A window has ended."""
        if found is not None:
            window.measured = found.measured
            window.record = record_of(window, found, self.facts, final=True)

    def _priced(
        self, window: Window, end_s: float, last: tuple[Mark | None, Measurement | None] = (None, None)
    ) -> Priced | None:
        """A window up to a time, at the intensities that held in it; None where there is nothing. `last` is the
        segment that ends then, if one does, and where it began."""
        if window.start is None or window.cover is None:
            return None
        base = window.place or self.place
        return self.held.priced(base, window.start, window.cover, end_s, last, measured=self._measured)

    def _follow(self) -> None:
        """Have a live intensity take the place of the one before: the segment is cut where its time began, but not
        before what is settled already, and only once all sensors were read, so that borders stay in order."""
        bases = {self.place, *self._worked, *(window.place or self.place for window in self._open)}
        self._worked.clear()
        for base, place, since_s in list(self.held.due(bases, wanted=self.busy)):
            if self._ticks is None or self._cut is None:
                return
            last_s, now_s = (tick.time_s for tick in self._ticks)
            at_s = max(self._cut[0].time_s, last_s if since_s is None else since_s)
            if at_s <= last_s and self._is_read(at_s, now_s) and not (self._queue and self._queue[0][0] < at_s):
                begun, segment = self._cut[0], self._cut_at(at_s, past=True)
                self.held.change(Change(base, place, *self._cut, begun, segment))

    def _cut_at(self, time_s: float, *, past: bool = False) -> Measurement | None:
        """End the present segment, add it to the totals, begin the next one."""
        if self._sampler is None or (self._cut is not None and time_s < self._cut[0].time_s):
            return None
        segment = None
        if self._cut is not None:
            segment = self._measured(*self._cut, time_s, exact=True, past=past)
            if segment is not None:
                self._totals = self._totals.plus(segment, self._segment_place(), between=not self._open)
        self._cut = self._beginning(time_s)
        return segment

    def _mark(self, time_s: float) -> Mark:
        mark = self._marks.get(time_s)
        if mark is None:
            assert self._sampler is not None
            mark = self._marks[time_s] = self._sampler.timeline.mark(time_s)
        return mark

    def _beginning(self, time_s: float) -> tuple[Mark, Mark]:
        """The mark at a beginning, and that of the tick there."""
        assert self._sampler is not None
        tick_s = self._sampler.timeline.last_tick_at_or_before(time_s + START_SLACK_S)
        start = self._mark(time_s)
        return start, start if tick_s is None else self._mark(tick_s)

    def _segment_place(self) -> Place:
        """Where the present segment runs: what its one cell says, or the session's place."""
        base = self._open[0].place or self.place if len(self._open) == 1 else self.place
        return self.held.place(base)

    def _measured(
        self, start: Mark | None, cover: Mark | None, end_s: float, *, exact: bool = False, past: bool = False
    ) -> Measurement | None:
        """From a mark to a time, shared by the ticks around; None where there is nothing between. `past`: the time
        is not of the last tick, and nothing after it tells of what was before."""
        if start is None or cover is None or self._sampler is None or end_s <= start.time_s:
            return None
        timeline = self._sampler.timeline
        last_s = timeline.first_tick_at_or_after(end_s) if past else timeline.last_tick_at_or_before(math.inf)
        if last_s is None:
            return None
        if last_s - cover.time_s < 0.95 * LONG_S:
            tick_s = timeline.last_tick_at_or_before(min(start.time_s, last_s - LONG_S))
            cover = cover if tick_s is None else self._mark(tick_s)
        window = (start, self._mark(end_s))
        witnesses = self._witnesses(start.time_s, end_s)
        return measure(window, (cover, self._mark(last_s)), witnesses, self._part(), exact=exact)

    def _witnesses(self, start_s: float, end_s: float) -> list[Witness]:
        """The sensors that saw a window, or a part of it."""
        assert self._sampler is not None
        domains = {channel.sensor.domain for channel in self._sampler.working()}
        found = []
        for channel in self._sampler.channels:
            if channel.first_s is None or channel.last_s is None or channel.first_s >= end_s:
                continue
            lost = self._late if channel.working else channel.sensor.domain not in domains
            if channel.last_s <= start_s and not channel.working and not lost:
                continue  # lost before the window began, with another one in its place
            missing_s = max(0.0, end_s - max(start_s, channel.last_s)) if lost else 0.0
            idle_w = self._idle_w[channel.sensor.name]
            found.append(Witness(channel.sensor, idle_w, missing_s, channel.power_w or idle_w.best))
        return found

    def _look(self, *, live: bool = True) -> Snapshot:
        """The session as it is; without the segment that goes on, unless `live`."""
        totals, present, running, problems = self._totals, None, [], []
        if self._sampler is not None and self._ticks is not None and self._cut is not None:
            before, now = self._ticks
            segment = self._measured(*self._cut, now.time_s, exact=True) if live else None
            if segment is not None:
                totals = totals.plus(segment, self._segment_place(), between=not self._open)
            present = self._measured(before, before, now.time_s)
            running = self.running()
            problems = self._sampler.problems()
        if self.held.source is not None:
            problems = [*problems, *self.held.source.problems()]
        return snapshot_of(
            self.facts,
            totals,
            self.held.place(self.place),
            tracking=self.tracking,
            present=present,
            records=self.records,
            running=running,
            problems=problems,
            rest=self._sampler.rest() if self._sampler is not None and live else None,
        )
