"""What a sensor is: something that tells cumulative joules of one domain, each reading with its own time.

A sensor has two halves. `peek` asks the hardware and keeps nothing, so that it may be called from the cell's thread
at a border as well as from the sampler. `advance` turns what `peek` returned into cumulative joules (it unwraps a
counter, integrates a gauge, applies a model) and is called by the sampler alone, in the order of time. So the state of
a sensor has one writer and needs no lock, and its arithmetic can be tested without any hardware.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from carbon_magic.quantity import Interval

Domain = Literal["cpu", "gpu", "dram", "other"]
DOMAINS: tuple[Domain, ...] = ("cpu", "gpu", "dram", "other")

Provenance = Literal["measured", "modelled", "assumed"]

Fill = Literal["time", "cpu", "power"]
"""How the joules between two readings are laid over the time between them: evenly (`time`), along the CPU seconds of
the kernel and the rest of the machine (`cpu`), or along the sensor's own power samples (`power`)."""


class SensorError(Exception):
    """A sensor could not be opened or read. The message says why, in words for the doctor's page."""


class Reading(NamedTuple):
    """Cumulative joules of one sensor since it was opened, with their range; none of the three ever falls."""

    time_s: float
    """`time.monotonic()` of the reading."""
    low_j: float
    energy_j: float
    high_j: float


@runtime_checkable
class Sensor(Protocol):
    """Cumulative joules of one domain of the machine."""

    @property
    def name(self) -> str:
        """`kind:id`, such as `powercap:package-0`, `nvml:0`, `cpu-model`."""

    @property
    def domain(self) -> Domain: ...

    @property
    def provenance(self) -> Provenance: ...

    @property
    def cheap(self) -> bool:
        """Whether `peek` takes microseconds and never blocks, so that a cell's border may read it."""

    @property
    def period_s(self) -> float:
        """The shortest sensible time between two readings by the sampler."""

    @property
    def update_s(self) -> float:
        """How often the hardware refreshes the counter: one such step is the error of a window's borders."""

    @property
    def resolution_s(self) -> float:
        """The shortest window that this sensor can tell; below it the figure is power times duration."""

    @property
    def short(self) -> tuple[float, Interval] | None:
        """(seconds, factor): what replaces the sensor's factor in windows shorter than those seconds, if anything."""

    @property
    def fill(self) -> Fill: ...

    @property
    def max_power_w(self) -> float | None:
        """The most this sensor can plausibly show, or None where nobody knows."""

    @property
    def idle_power_w(self) -> Interval | None:
        """The domain's power at rest: a model's own idle part, or a measured sensor's guess until it has been seen."""

    @property
    def idle_is_exact(self) -> bool:
        """Whether `idle_power_w` is part of the model itself (then its range goes with the model's)."""

    def peek(self) -> float:
        """Ask the hardware: a raw counter, watts, or whatever `advance` understands.

        Raises:
            SensorError: it cannot be read at present.
        """

    def advance(self, time_s: float, raw: float) -> Reading:
        """Turn what `peek` returned at `time_s` into cumulative joules. The first call gives 0 J."""

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here and drop the step since the last reading (the machine was suspended in it)."""

    def close(self) -> None:
        """Give back whatever is held. Calling it again does nothing."""


class GpuUse(NamedTuple):
    """Who used a GPU lately."""

    own_share: float
    """The part of the GPU's work that belongs to the process tree, 0 to 1."""
    utilization: float | None
    """How busy the GPU was, 0 to 1, or None where it does not say."""
    sure: bool
    """False where processes could not be matched (PIDs of another namespace, an instance of a board that is cut) and
    the share is a convention: the work may be none of ours, or all of it."""


@runtime_checkable
class GpuSensor(Sensor, Protocol):
    """A GPU also tells its present power, for the shape between two readings, and who uses it."""

    def power_w(self) -> float | None:
        """Present power, or None where the GPU does not tell it (or its power is what `peek` reads already)."""

    def use(self, pids: AbstractSet[int]) -> GpuUse:
        """Who used the GPU since the last call, `pids` being the kernel's process tree."""
