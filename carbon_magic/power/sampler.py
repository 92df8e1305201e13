"""One daemon thread that has every sensor read, and the only one that changes what was read.

A cell's thread never waits for it and shares no lock with it: at a border it reads the cheap counters, puts them into
a queue and goes on. The sampler takes the queue at its next tick, has the sensors read, and tells whoever listens. It
ticks once a second while a cell runs or somebody looks, slower at rest, and reads no sensor more often than that sensor
bears. A sensor that fails is tried again with growing pauses.
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
from carbon_magic.power.reader import Border, Reader
from carbon_magic.power.sensor import SensorError
from carbon_magic.power.usage import Usage
from carbon_magic.threads import in_background

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest

LATE_TICKS = 3
"""A tick later than so many intervals is marked as a gap for the chart."""
HURRY_S = 0.25
"""A tick that is wanted soon comes this long after it was wanted last: what settles a cell would hold up the next one,
and cells that follow each other at once are settled together."""
ANSWER_S = 0.05
"""Whoever asks for a figure waits at most this long for an extra reading."""
SHAPE_S = 0.25
"""A GPU's power is sampled this often while a cell runs."""
HAND_BACK_S = 0.01
"""A call that was asked for waits this long, so that whoever asked has left the code that asked."""


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
        self._reader = reader = Reader(
            usage, candidates, cpus=cpus, replace_cpu=replace_cpu, clock=clock, suspend_clock=suspend_clock
        )
        self.timeline = reader.timeline
        self.channels = reader.channels
        self.steal = reader.steal
        self.working = reader.working
        self.pace = pace or Pace()
        self.problem: str | None = None
        self.cpu_s: float | None = None
        """CPU seconds that the thread has used, as of its last look; None where there is none."""
        self._usage = usage
        self._on_tick = on_tick
        self._is_busy = is_busy
        self._find_gpus = find_gpus
        self._clock = clock
        self._suspend_clock = suspend_clock
        self._late_s = 0.0
        self._resting = False
        self._hurried_s: float | None = None
        """When a tick was wanted soon, the last time since the last tick."""
        self._borders = reader.borders
        self._requests: deque[threading.Event] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._alone: threading.Lock | None = None
        """Held for a reading where there is no thread."""
        self._pid = os.getpid()

    @property
    def candidates(self) -> list[Candidate]:
        """What was found, read or not."""
        return self._reader.candidates

    # What other threads call

    def border(self) -> float:
        """Read the cheap counters now, on the caller's thread, and give the time of the border."""
        now_s = self._clock()
        raws = []
        for sensor in self._reader.cheap:
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

    def poke(self, wait_s: float = ANSWER_S) -> bool:
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
            self._reader.close()

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        found = self._reader.problems()
        return [*found, self.problem] if self.problem else found

    def watch_anew(self, name: str, find: Callable[[], Sequence[Candidate]]) -> None:
        """Look again, in the thread, for what is watched under a name."""
        self.call_soon(lambda: self._reader.watch_anew(name, find))

    def rest(self) -> Rest | None:
        """What the machine draws beyond the components, where a meter of the whole tells."""
        watch = self._reader.watch
        return watch.rest if watch is not None else None

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
                self._reader.sample()
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
        self._reader.close()

    def _interval_s(self, busy: bool) -> float:
        if not busy:
            return self.pace.rest_s
        return min(SHAPE_S, self.pace.busy_s) if self._reader.shaped() else self.pace.busy_s

    def due(self) -> bool:
        """Whether it is time for a tick."""
        pace_s = self.pace.busy_s if self._is_busy() else self.pace.rest_s
        now_s, hurried_s = self._clock(), self._hurried_s
        if hurried_s is not None and now_s - hurried_s >= 0.95 * HURRY_S:
            return True
        last_s = self._reader.last_s
        return last_s is None or now_s - last_s >= 0.95 * pace_s

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
            self._reader.add(candidate)
        if any(candidate.sensor is not None for candidate in found):
            self.tick()

    def tick(self, *, extra: bool = False) -> None:
        """One pass: usage, sensors, what the cells' threads left, listeners. `extra` reads slow sensors sooner."""
        try:
            self._hurried_s = None
            now_s = self._reader.read(extra=extra, late=self._late_s > LATE_TICKS * self.pace.busy_s)
            self._late_s = 0.0
            self._on_tick(now_s)
            self.problem = None
        except Exception as error:
            # Nothing may leave this thread: a figure is lost, never a cell. The doctor shows it.
            self.problem = f"{type(error).__name__}: {error}"
