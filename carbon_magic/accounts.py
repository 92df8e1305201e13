"""The books of one session, kept in the sampler's thread after each tick.

Cells' threads leave beginnings and ends in a queue. At each tick those that every sensor has been read after are
settled, in order: a beginning gets its marks, an end becomes a record. The session's total is the sum over segments,
cut at every beginning and end, so that the cells and the time between them add up to it exactly. Then one immutable
snapshot is published; whoever shows something reads that.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from carbon_magic.describe import Facts, Running, estimate_of, record_of, snapshot_of, unknown
from carbon_magic.held import Change, Held, Priced, priced
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.sampler import Sampler
from carbon_magic.power.share import Measurement, Part
from carbon_magic.power.timeline import Mark
from carbon_magic.snapshot import Place, Snapshot
from carbon_magic.spans import Spans
from carbon_magic.totals import Totals
from carbon_magic.windows import Window

MAX_RECORDS = 5000
"""So many of the latest records are kept in memory; the totals hold them all."""


class Accounts:
    """Records, totals and the snapshot of one session.

    Args:
        part: tells what part of the machine is this process's at rest.
        spans: how it is measured what a time has cost.
    """

    def __init__(self, facts: Facts, place: Place, part: Callable[[], Part], spans: type[Spans] = Spans) -> None:
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
        self._spans_of = spans
        self._spans: Spans | None = None
        """What was measured, while something is."""
        self._totals = Totals()
        self._queue: deque[tuple[float, Callable[[float], None]]] = deque()
        """What is to be settled once every sensor has been read after its time, in order."""
        self._open: list[Window] = []
        self._inner: list[Window] = []
        """Those that run within another cell: measured, but part of it."""
        self._cut: tuple[Mark, Mark] | None = None
        """Where the present segment began: its mark, and that of the tick there."""
        self._worked: set[Place] = set()
        """Where something was measured since a live intensity was last looked for."""
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
        if self._spans is None:
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
        self._spans, self._cut = self._spans_of(sampler, self._part), None

    def end(self) -> None:
        """Tracking stops: what was read up to the last tick is kept, a cell that still runs is let go."""
        spans = self._spans
        if spans is not None and spans.ticks is not None:
            last_s = spans.ticks[1].time_s
            spans.ending = True
            while self._queue and self._queue[0][0] <= last_s:
                time_s, settle = self._queue.popleft()
                settle(time_s)
            spans.ending = False
            self._cut_at(last_s)
            for window in self._open:
                self.on_let_go(window)
        self._spans = self._cut = None
        self._open.clear()
        self._inner.clear()
        self._queue.clear()
        self.snapshot = self._look()

    def on_tick(self, now_s: float) -> None:
        """Settle what can be settled, and publish."""
        spans = self._spans
        if spans is None:
            return
        now = spans.tick(now_s)
        if self._cut is None:
            self._cut = (now, now)
        self._follow(spans)
        while self._queue and spans.is_read(self._queue[0][0], now_s):
            time_s, settle = self._queue.popleft()
            settle(time_s)
        self.snapshot = self._look()

    def running(self) -> list[Running]:
        """The cells that have not ended, and what they have cost up to the last tick."""
        spans = self._spans
        if spans is None or spans.ticks is None:
            return []
        now_s = spans.ticks[1].time_s
        return [
            Running(window, max(0.0, now_s - window.opened_s), spans.measured(window.start, window.cover, now_s))
            for window in self._open
        ]

    @property
    def open_windows(self) -> tuple[Window, ...]:
        """The cells that have not ended."""
        return tuple(self._open)

    def so_far(self, window: Window) -> CellRecord | None:
        """The record of a cell that runs, up to the last tick; None before the first tick after it began."""
        spans = self._spans
        if spans is None or spans.ticks is None:
            return None
        found = self._priced(spans, window, spans.ticks[1].time_s)
        return None if found is None else record_of(window, found, self.facts, final=False)

    def record_of(self, window: Window, measured: Measurement, *, final: bool) -> CellRecord:
        """The record of a window of which no more is known than a measurement: at the present intensity."""
        place = self.held.place(window.place or self.place)
        return record_of(window, priced([(measured, place)]), self.facts, final=final)

    def estimate(self, window: Window) -> CellRecord:
        """The record of a window that no reading has reached yet, by the present power and its duration."""
        until_s = time.monotonic() if window.closed_s is None else window.closed_s
        measured = estimate_of(self.snapshot, max(0.0, until_s - window.opened_s))
        return self.record_of(window, measured, final=False)

    def _settle_open(self, window: Window, time_s: float) -> None:
        self._worked.add(window.place or self.place)
        if window.inner:
            spans = self._spans
            assert spans is not None
            window.start, window.cover = spans.beginning(time_s)
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
        spans = self._spans
        assert spans is not None
        if window.inner:
            if window in self._inner:
                self._inner.remove(window)
            if window.start is None or window.start.time_s < spans.since_s:
                return  # it began before tracking was switched off: its mark is of another timeline
            self._price(window, self._priced(spans, window, time_s))
            return
        if window not in self._open:
            return  # it began before tracking was switched off
        begun = self._cut
        segment = self._cut_at(time_s)
        found = self._priced(spans, window, time_s, (None if begun is None else begun[0], segment))
        if spans.ending and spans.read_until_s() <= window.opened_s:
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
        self, spans: Spans, window: Window, end_s: float, last: tuple[Mark | None, Measurement | None] = (None, None)
    ) -> Priced | None:
        """A window up to a time, at the intensities that held in it; None where there is nothing. `last` is the
        segment that ends then, if one does, and where it began."""
        if window.start is None or window.cover is None:
            return None
        base = window.place or self.place
        return self.held.priced(base, window.start, window.cover, end_s, last, measured=spans.measured)

    def _follow(self, spans: Spans) -> None:
        """Have a live intensity take the place of the one before: the segment is cut where its time began, but not
        before what is settled already, and only once all sensors were read, so that borders stay in order."""
        bases = {self.place, *self._worked, *(window.place or self.place for window in self._open)}
        self._worked.clear()
        for base, place, since_s in list(self.held.due(bases, wanted=self.busy)):
            if spans.ticks is None or self._cut is None:
                return
            last_s, now_s = (tick.time_s for tick in spans.ticks)
            at_s = max(self._cut[0].time_s, last_s if since_s is None else since_s)
            if at_s <= last_s and spans.is_read(at_s, now_s) and not (self._queue and self._queue[0][0] < at_s):
                begun, segment = self._cut[0], self._cut_at(at_s, past=True)
                self.held.change(Change(base, place, *self._cut, begun, segment))

    def _cut_at(self, time_s: float, *, past: bool = False) -> Measurement | None:
        """End the present segment, add it to the totals, begin the next one."""
        spans = self._spans
        if spans is None or (self._cut is not None and time_s < self._cut[0].time_s):
            return None
        segment = None
        if self._cut is not None:
            segment = spans.measured(*self._cut, time_s, exact=True, past=past)
            if segment is not None:
                self._totals = self._totals.plus(segment, self._segment_place(), between=not self._open)
        self._cut = spans.beginning(time_s)
        return segment

    def _segment_place(self) -> Place:
        """Where the present segment runs: what its one cell says, or the session's place."""
        base = self._open[0].place or self.place if len(self._open) == 1 else self.place
        return self.held.place(base)

    def _look(self, *, live: bool = True) -> Snapshot:
        """The session as it is; without the segment that goes on, unless `live`."""
        totals, present, running, problems = self._totals, None, [], []
        spans = self._spans
        if spans is not None and spans.ticks is not None and self._cut is not None:
            now = spans.ticks[1]
            segment = spans.measured(*self._cut, now.time_s, exact=True) if live else None
            if segment is not None:
                totals = totals.plus(segment, self._segment_place(), between=not self._open)
            if spans.present is not None:
                before, last = spans.present
                present = spans.measured(before, before, last.time_s, past=True)
            running = self.running()
            problems = spans.sampler.problems()
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
            rest=spans.sampler.rest() if spans is not None and live else None,
        )
