"""One daemon thread that reads every sensor, and the only one that changes what was read.

A cell's thread never waits for it and shares no lock with it: at a border it reads the cheap counters, puts them into
a queue and goes on. The sampler takes the queue at its next tick, adds its own readings, and hands the timeline to
whoever listens. It ticks once a second while a cell runs or somebody looks, slower at rest, and reads no sensor more
often than that sensor bears. A sensor that fails is tried again with growing pauses; a CPU counter that stays away is
replaced by the model.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.channel import SUSPEND_S, Channel
from carbon_magic.power.discover import replaced_by
from carbon_magic.power.sensor import Sensor, SensorError
from carbon_magic.power.steal import Steal
from carbon_magic.power.timeline import Timeline
from carbon_magic.power.usage import Usage
from carbon_magic.threads import in_background

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest, Watch

LATE_TICKS = 3
"""A tick later than so many intervals is marked as a gap for the chart."""
REPLACE_AFTER = 2
"""After so many failures in a row a CPU counter is replaced by the model."""
HURRY_S = 0.25
"""A tick that is wanted soon comes this long after it was wanted last: what settles a cell would hold up the next one,
and cells that follow each other at once are settled together."""
SHAPE_S = 0.25
"""A GPU's power is sampled this often while a cell runs."""
HAND_BACK_S = 0.01
"""A call that was asked for waits this long, so that whoever asked has left the code that asked."""


class Border(NamedTuple):
    """What a cell's thread read at a border."""

    time_s: float
    asleep_s: float
    own_s: float
    raws: tuple[tuple[Sensor, float], ...]


class Pace(NamedTuple):
    """Seconds between two ticks: while a cell runs or somebody looks, and at rest."""

    busy_s: float = 1.0
    rest_s: float = 10.0


def asleep_s() -> float:
    """How long the machine has been suspended since it was started, in seconds; 0 where no clock tells."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return 0.0
    return time.clock_gettime(boottime) - time.monotonic()


class Sampler:
    """Reads `candidates`, and on each tick calls `on_tick(now_s)` in its own thread.

    Args:
        usage: who used the processors.
        candidates: what `discover` found; those with a sensor are read.
        on_tick: called after each tick; what it raises is kept in `problem` and never leaves the thread.
        is_busy: whether a cell runs or somebody looks.
        find_gpus: asked once, in the thread, for the sensors that are slow to find.
        replace_cpu: gives the model when a CPU counter fails for good.
        clock, suspend_clock: for made-up time.
    """

    def __init__(
        self,
        usage: Usage,
        candidates: Sequence[Candidate],
        *,
        cpus: int,
        on_tick: Callable[[float], None],
        is_busy: Callable[[], bool] = lambda: True,
        find_gpus: Callable[[], Sequence[Candidate]] | None = None,
        replace_cpu: Callable[[], Candidate] | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        suspend_clock: Callable[[], float] = asleep_s,
    ) -> None:
        self.timeline = Timeline()
        self.candidates: list[Candidate] = []
        self.channels: list[Channel] = []
        self.watch: Watch | None = None
        """Sensors that are read beside the counted ones, as soon as there is something to compare."""
        self.pace = pace or Pace()
        self.problem: str | None = None
        self.steal = Steal()
        self.cpu_s: float | None = None
        """CPU seconds that the thread has used, as of its last look; None where there is none."""
        self._usage = usage
        self._cpus = cpus
        self._on_tick = on_tick
        self._is_busy = is_busy
        self._find_gpus = find_gpus
        self._replace_cpu = replace_cpu
        self._clock = clock
        self._suspend_clock = suspend_clock
        self._asleep_s = suspend_clock()
        self._late_s = 0.0
        self._late_borders: list[Border] = []
        self._resting = False
        self._hurried_s: float | None = None
        """When a tick was wanted soon, the last time since the last tick."""
        self._cheap: tuple[Sensor, ...] = ()
        self._borders: deque[Border] = deque()
        self._requests: deque[threading.Event] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._last_tick_s: float | None = None
        self._thread: threading.Thread | None = None
        self._alone: threading.Lock | None = None
        """Held for a reading where there is no thread."""
        self._pid = os.getpid()
        for candidate in candidates:
            self._add(candidate)

    # What other threads call

    def border(self) -> float:
        """Read the cheap counters now, on the caller's thread, and give the time of the border."""
        now_s = self._clock()
        raws = []
        for sensor in self._cheap:
            try:
                raws.append((sensor, sensor.peek()))
            except SensorError:
                continue  # the sampler will meet the same error at its tick, and keeps account of it
        own_s = self._usage.border()
        self._borders.append(Border(now_s, self._suspend_clock(), own_s, tuple(raws)))
        if self._resting:
            self._resting = False
            self._wake.set()
        return now_s

    def poke(self, wait_s: float) -> bool:
        """Ask for a tick now and wait for it, at most `wait_s`. False where it did not come in time."""
        if os.getpid() != self._pid:
            return False
        if self._alone is not None:
            with self._alone:
                self.tick(extra=True)
            return True
        if self._thread is None:
            return False
        done = threading.Event()
        self._requests.append(done)
        self._wake.set()
        return done.wait(wait_s)

    def hurry(self) -> None:
        """Have the next tick soon, without waiting for it, but not as long as this is asked for again and again."""
        hurried, self._hurried_s = self._hurried_s is not None, self._clock()
        if not hurried:
            self._wake.set()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have something done in the sampler's thread, at once but after the caller has gone on."""
        self._calls.append(call)
        self._wake.set()

    def start(self, *, threaded: bool = True) -> None:
        """Take the first reading and start the thread. Without one, whoever asks for a reading takes it."""
        self.tick()
        if not threaded:
            self.open_gpus()
            self._alone = threading.Lock()
            return
        # ipykernel 7.0 looks up a context variable when a thread sends; a copied context has it.
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._run,), name="carbon-magic sampler")
        in_background(thread)
        thread.start()
        self._thread = thread

    def stop(self, wait_s: float = 2.0) -> None:
        """Have the thread take a last reading, close every sensor and end. In a forked child only forget it."""
        thread, self._thread = self._thread, None
        if os.getpid() != self._pid:
            return
        self._stopping = True
        self._wake.set()
        if thread is not None:
            thread.join(wait_s)
        else:
            if self._alone is not None:
                self.poke(0.0)
            self._close()

    def working(self) -> list[Channel]:
        """The sensors that are read at present."""
        return [channel for channel in self.channels if channel.working]

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        found = [channel.problem for channel in self.channels if channel.problem]
        found += self.watch.problems if self.watch is not None else ()
        return [*found, self.problem] if self.problem else found

    def watch_anew(self, name: str, find: Callable[[], Sequence[Candidate]]) -> None:
        """Look again, in the thread, for what is watched under a name."""

        def look() -> None:
            if self.watch is not None:
                self.watch.drop(name)
            self.candidates = [candidate for candidate in self.candidates if candidate.name != name]
            for candidate in find():
                self._add(candidate)

        self.call_soon(look)

    def rest(self) -> Rest | None:
        """What the machine draws beyond the components, where a meter of the whole tells."""
        return self.watch.rest if self.watch is not None else None

    # The thread

    def _run(self) -> None:
        self.open_gpus()
        while True:
            busy = self._is_busy()
            interval_s = self._interval_s(busy)
            hurried_s = self._hurried_s
            if hurried_s is not None:
                interval_s = min(interval_s, max(0.0, hurried_s + HURRY_S - self._clock()))
            self._resting = not busy
            asked_s = self._clock()
            if not (self._stopping or self._requests or self._calls):
                self._wake.wait(interval_s)
            self._wake.clear()
            self._resting = False
            self._late_s = self._clock() - asked_s - interval_s
            waiting = [self._requests.popleft() for _ in range(len(self._requests))]
            calls = [self._calls.popleft() for _ in range(len(self._calls))]
            if waiting or self._stopping or self.due():
                self.tick(extra=bool(waiting))
            else:
                self.sample_gpus()
            self.cpu_s = time.thread_time()
            for request in waiting:
                request.set()
            for call in calls:
                time.sleep(HAND_BACK_S)
                try:
                    call()
                except Exception as error:  # the thread goes on, whatever it was asked for; the doctor shows it
                    self.problem = f"{type(error).__name__}: {error}"
            if self._stopping:
                break
        self._close()

    def _interval_s(self, busy: bool) -> float:
        if not busy:
            return self.pace.rest_s
        shaped = any(
            channel.sensor.domain == "gpu" and (channel.sensor.fill == "power" or channel.sensor.period_s < 1.0)
            for channel in self.working()
        )
        return min(SHAPE_S, self.pace.busy_s) if shaped else self.pace.busy_s

    def due(self) -> bool:
        """Whether it is time for a tick."""
        pace_s = self.pace.busy_s if self._is_busy() else self.pace.rest_s
        now_s, hurried_s = self._clock(), self._hurried_s
        if hurried_s is not None and now_s - hurried_s >= 0.95 * HURRY_S:
            return True
        return self._last_tick_s is None or now_s - self._last_tick_s >= 0.95 * pace_s

    def open_gpus(self) -> None:
        """Look for the sensors that are slow to find. Called once, in the thread."""
        find, self._find_gpus = self._find_gpus, None
        if find is None:
            return
        try:
            found = find()
        except Exception as error:
            self.problem = f"looking for GPUs: {type(error).__name__}: {error}"
            return
        for candidate in found:
            self._add(candidate)
        if any(candidate.sensor is not None for candidate in found):
            self.tick()

    def sample_gpus(self) -> None:
        """Between two ticks: a GPU's present power, for the shape of the second."""
        for channel in self.working():
            if channel.sensor.domain != "gpu":
                continue
            if channel.sensor.fill == "power":
                channel.sample_power()
            elif channel.sensor.period_s < 1.0 and (raw := channel.peek()) is not None:
                channel.advance(self._clock(), self._suspend_clock(), raw)

    def tick(self, *, extra: bool = False) -> None:
        """One pass: usage, sensors, what the cells' threads left, listeners. `extra` reads slow sensors sooner."""
        try:
            self._tick(extra)
            self.problem = None
        except Exception as error:
            # Nothing may leave this thread: a figure is lost, never a cell. The doctor shows it.
            self.problem = f"{type(error).__name__}: {error}"

    def _tick(self, extra: bool) -> None:
        self._hurried_s = None
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
        self._note_gap(now_s, asleep_s)
        self.timeline.ticks.append(now_s, own_s, busy_s)
        self._last_tick_s = now_s
        self.steal.add(now_s, busy_s, self._usage.stolen_s)
        for channel in self.channels:
            channel.observe(busy_s, self._cpus)
        if self.watch is not None:
            self.watch.read(now_s, asleep_s, self.timeline, self.working())
        self._on_tick(now_s)

    def _take_borders(self, now_s: float) -> list[tuple[float, float, Channel, float]]:
        """What cells' threads read since the last tick.

        A border that came while this tick was reading has a later time but may have an older counter: its counters
        are dropped (they are interpolated), or the counter would seem to run backwards.
        """
        channels = {id(channel.sensor): channel for channel in self.channels}
        readings, self._late_borders = [], []
        for _ in range(len(self._borders)):
            border = self._borders.popleft()
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
        self._add(model)

    def _note_gap(self, now_s: float, asleep_s: float) -> None:
        previous_s = self._last_tick_s
        if previous_s is not None:
            if asleep_s - self._asleep_s > SUSPEND_S:
                self.timeline.add_gap(previous_s, now_s, "suspended")
            elif self._late_s > LATE_TICKS * self.pace.busy_s:
                self.timeline.add_gap(previous_s, now_s, "late")
        self._asleep_s, self._late_s = asleep_s, 0.0

    def _add(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        sensor = candidate.sensor
        if self.watch is None and (candidate.watched or (sensor is not None and sensor.fill == "power")):
            from carbon_magic.power.watch import Watch  # most machines have nothing to compare

            self.watch = Watch(self._clock)
        if candidate.watched and self.watch is not None:
            self.watch.add(candidate)
        elif candidate.sensor is not None:
            self.channels.append(Channel(candidate, candidate.sensor, self.timeline, self._clock))
            self._cheap = tuple(channel.sensor for channel in self.channels if channel.sensor.cheap)

    def _close(self) -> None:
        self._cheap = ()
        for channel in self.channels:
            channel.sensor.close()
        if self.watch is not None:
            self.watch.close()
        self._usage.close()
