"""A machine under known loads, watched by a reference: what a calibration measures.

Each load is held by two programs by turns. Something else that runs, or processors that are not given, would bend the
curve, so the load that was reached is compared with the one that was asked for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from carbon_magic.power.busywork import PROGRAMS, busy
from carbon_magic.power.calibration import Level
from carbon_magic.power.reference import Reference, WallMeter
from carbon_magic.power.usage import Usage
from carbon_magic.quantity import Interval

QUIET_S = 3.0
"""So long the machine is looked at before anything is started."""
SETTLE_S = 1.0
"""A load runs this long before it is measured: clocks and fans follow."""
LOOK_S = 0.25
BUSY = 0.10
"""More of the machine than this part busy with something else spoils the fit."""


class RefusedError(Exception):
    """The machine cannot be calibrated now. The message says why and what to do."""


class _Power(NamedTuple):
    watts: Interval
    noise: float
    load: float


class Loads:
    """One machine and what it is measured against.

    Args:
        work: keeps so many processors busy with a program while its block runs.
        sleep, clock: for made-up time.
    """

    def __init__(
        self,
        usage: Usage,
        reference: Reference,
        cpus: int,
        *,
        work: Callable[[int, str], AbstractContextManager[None]] = busy,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._usage = usage
        self._reference = reference
        self._cpus = cpus
        self._work = work
        self._sleep = sleep
        self._clock = clock

    def check_rest(self) -> None:
        """See that nothing else runs.

        Raises:
            RefusedError: the machine is busy.
        """
        before_s, began_s = self._usage.tick()[1], self._clock()
        self._sleep(QUIET_S)
        load = (self._usage.tick()[1] - before_s) / (self._cpus * (self._clock() - began_s))
        if load > BUSY:
            raise RefusedError(
                f"the machine is busy ({load:.0%} of its processors); close what runs, other notebooks too, and try "
                "again"
            )

    def level(self, workers: int, seconds: float) -> Level:
        """Hold one load for so long, under each of the programs by turns, and measure its power.

        Raises:
            RefusedError: something else runs too, or the processors are not given.
            SensorError: the reference cannot be read.
        """
        found = []
        for program in PROGRAMS if workers else ("",):
            span_s = seconds / len(PROGRAMS) if workers else seconds
            if workers:
                with self._work(workers, program):
                    found.append(self._measured(span_s))
            else:
                found.append(self._measured(span_s))
            self._check(found[-1].load, workers / self._cpus)
        return Level(
            math.fsum(power.load for power in found) / len(found),
            tuple(power.watts for power in found),
            max(power.noise for power in found),
        )

    def _check(self, load: float, asked: float) -> None:
        if load - asked > BUSY:
            raise RefusedError(
                f"something else uses the processors ({load - asked:.0%} of them); try again when it has ended"
            )
        if asked - load > BUSY:
            raise RefusedError(
                f"only {load:.0%} of the processors were given where {asked:.0%} were asked for: a quota, or a shared "
                "host, stands between"
            )

    def _measured(self, seconds: float) -> _Power:
        """Mean power, how far its two halves differ, and the load; a person is asked once."""
        self._wait(SETTLE_S)
        parts: list[Interval] = []
        busy_s = span_s = 0.0
        count = 1 if isinstance(self._reference, WallMeter) else 2
        for _ in range(count):
            self._reference.begin()
            began_s, before_s = self._clock(), self._usage.tick()[1]
            self._wait(max(seconds - SETTLE_S, 1.0) / count)
            busy_s += self._usage.tick()[1] - before_s
            span_s += self._clock() - began_s
            parts.append(self._reference.watts())
        best = math.fsum(part.best for part in parts) / count
        noise = (max(part.best for part in parts) - min(part.best for part in parts)) / best if best > 0.0 else 1.0
        low, high = (math.fsum(getattr(part, name) for part in parts) / count for name in ("low", "high"))
        return _Power(Interval(min(low, best), best, max(high, best)), noise, busy_s / (self._cpus * span_s))

    def _wait(self, seconds: float) -> None:
        until_s = self._clock() + seconds
        while (left_s := until_s - self._clock()) > 1e-9:
            self._sleep(min(LOOK_S, left_s))
            self._reference.watch()
