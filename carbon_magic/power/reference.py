"""What a calibration measures against: sensors that are open for its two minutes, or a meter that a person reads.

A reference is asked for the mean power between two moments. Sensors of the processors see what the model stands for;
those of the whole machine and a meter at the wall see it behind the power supply.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from carbon_magic.power.calibration import MAX_W, Boundary
from carbon_magic.power.constants import WALL_METER
from carbon_magic.power.sensor import Reading, Sensor
from carbon_magic.quantity import Interval, sum_independent


class Reference(Protocol):
    """Something that tells watts."""

    name: str
    boundary: Boundary

    def begin(self) -> None:
        """A span to be measured begins."""

    def watch(self) -> None:
        """It goes on: asked for a few times a second."""

    def watts(self) -> Interval:
        """Mean power since `begin`.

        Raises:
            SensorError: a sensor cannot be read.
            EOFError: nobody answers any more.
        """

    def close(self) -> None: ...


class Sensors:
    """Sensors of one kind, which add up to what is measured.

    Args:
        sensors: opened; they are closed with this.
    """

    def __init__(
        self, sensors: Sequence[Sensor], boundary: Boundary, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = ", ".join(sensor.name for sensor in sensors)
        self.boundary: Boundary = boundary
        self._sensors = sensors
        self._clock = clock
        self._began: list[Reading] = []

    def begin(self) -> None:
        self._began = self._read()

    def watch(self) -> None:
        self._read()

    def watts(self) -> Interval:
        powers = []
        for first, last in zip(self._began, self._read(), strict=True):
            span_s = last.time_s - first.time_s
            low, best, high = (
                (getattr(last, name) - getattr(first, name)) / span_s for name in ("low_j", "energy_j", "high_j")
            )
            powers.append(Interval(low, best, high))
        return sum_independent(powers)

    def _read(self) -> list[Reading]:
        found = []
        for sensor in self._sensors:
            now_s = self._clock()
            found.append(sensor.advance(now_s, sensor.peek()))
        return found

    def close(self) -> None:
        for sensor in self._sensors:
            sensor.close()


class WallMeter:
    """A meter between plug and machine; somebody types what it shows, while the load goes on.

    Args:
        ask: puts a question and gives the line that was answered.
    """

    name = "wall meter"
    boundary: Boundary = "wall"

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask

    def begin(self) -> None:
        """A meter that shows the present power needs no beginning."""

    def watch(self) -> None:
        """And nothing in between."""

    def watts(self) -> Interval:
        question = "What does the meter show now, in watts? "
        while True:
            answer = self._ask(question).strip().removesuffix("W").removesuffix("w").strip()
            try:
                power_w = float(answer.replace(",", "."))
            except ValueError:
                power_w = math.nan
            if 0.0 < power_w <= MAX_W:
                return WALL_METER.value.scaled(power_w)
            question = f"A number of watts above 0, such as 42.5, and not {answer[:20]!r}: "

    def close(self) -> None:
        """Nothing is held."""
