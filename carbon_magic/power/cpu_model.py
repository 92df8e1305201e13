"""Joules of the CPU where nothing measures them: a curve of power over load, scaled by what is known of the part.

Two models turn the machine's busy CPU seconds into joules. `CpuModel` knows the processor's thermal design power (TDP)
and follows measured curves of package power over load. `VcpuModel` knows only how many hardware threads there are and
takes watts per thread from many servers, brought from the wall to the components, memory included. A name is looked
up exactly or not at all: a near match can be wrong by a factor of a hundred.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from carbon_magic.power.constants import (
    CPU_CURVE,
    CPU_CURVE_CLIENT_FULL,
    MODEL_BURST_S,
    MODEL_RESOLUTION_S,
    MODEL_UPDATE_S,
    VCPU_FULL_W,
    VCPU_IDLE_W,
    WALL_SERVER,
)
from carbon_magic.power.sensor import Domain, Fill, Provenance, Reading, SensorError
from carbon_magic.quantity import Interval

Curve = tuple[tuple[float, Interval], ...]
"""Power in watts over load from 0 to 1, straight between the points."""

TABLE = Path(__file__).resolve().parent.parent / "data" / "cpu_power.txt"

_NOISE = re.compile(r"\((?:r|tm|c)\)|[®™©]", re.IGNORECASE)
_CUT = re.compile(r" @| \(| with | w/ ", re.IGNORECASE)
_GENERATION = re.compile(r"^\s*[0-9]{1,2}th gen ", re.IGNORECASE)
_FILLER = re.compile(r"(?<!\S)(?:[0-9]+-core|cpu|processor|apu|soc)(?!\S)", re.IGNORECASE)


class Tdp(NamedTuple):
    """What the shipped table says of a processor."""

    tdp_w: float
    source: str
    """The source in words, with a warning where the sources disagree."""


def normalised_name(name: str) -> str:
    """A processor's name as the table writes it: no marks, no frequency, no filler words, lower case."""
    kept = _CUT.split(_NOISE.sub("", name[:256]), maxsplit=1)[0]
    kept = _FILLER.sub(" ", _GENERATION.sub("", kept))
    return " ".join(kept.lower().split())


@lru_cache(maxsize=8)
def table_tdp(name: str | None, table: Path = TABLE) -> Tdp | None:
    """TDP by the exact name, or None where the name is not in the table.

    Raises:
        OSError: the shipped table is missing.
    """
    key = normalised_name(name or "")
    if not key:
        return None
    content = table.read_bytes()
    start = content.find(f"\n{key}\t".encode())
    if start < 0:
        return None
    line = content[start + 1 : content.index(b"\n", start + 1)].decode("ascii")
    _, tdp_w, _, source, disagree = line.split("\t")
    origin = "Eco2AI" if source == "5" else "CodeCarbon"
    return Tdp(float(tdp_w), f"table by name ({origin}{'; another source differs by over 10 %' if disagree else ''})")


def package_curve(tdp_w: float, client: bool, pl2_w: float | None = None) -> Curve:
    """Power of all packages, in watts, whose TDPs add up to `tdp_w`.

    Args:
        client: whether it is a laptop or desktop, whose turbo goes beyond the TDP.
        pl2_w: the short-term power limit, which caps that turbo, where it is known.
    """
    points = [(load, constant.value.scaled(tdp_w)) for load, constant in CPU_CURVE]
    if client:
        full = CPU_CURVE_CLIENT_FULL.value.scaled(tdp_w)
        if pl2_w is not None:
            full = Interval(full.low, full.best, min(full.high, max(pl2_w, full.best)))
        points[-1] = (1.0, full)
    return tuple(points)


def vcpu_watts() -> tuple[Interval, Interval]:
    """Watts per hardware thread, idle and full, of the components and with their memory."""
    wall = WALL_SERVER.value
    to_components = Interval(1 / wall.high, 1 / wall.best, 1 / wall.low)
    return VCPU_IDLE_W.value.times(to_components), VCPU_FULL_W.value.times(to_components)


def vcpu_curve(vcpus: int) -> Curve:
    """Power of `vcpus` hardware threads with their memory, in watts, straight from idle to full."""
    idle, full = vcpu_watts()
    return (0.0, idle.scaled(vcpus)), (1.0, full.scaled(vcpus))


def power_at(curve: Curve, load: float) -> Interval:
    """Power at a load from 0 to 1; beyond its ends the curve stays level."""
    last_load, last = curve[0]
    for next_load, following in curve:
        if load <= next_load:
            part = (load - last_load) / (next_load - last_load) if next_load > last_load else 0.0
            return last.scaled(1.0 - part).plus(following.scaled(part))
        last_load, last = next_load, following
    return last


class LoadModel:
    """A curve of power over load, applied to the machine's busy CPU seconds.

    Args:
        busy_s: busy CPU seconds of the machine since some moment, summed over its CPUs.
        cpus: how many CPUs these seconds are summed over.
    """

    domain: Domain = "cpu"
    cheap = False
    period_s = 1.0
    update_s = MODEL_UPDATE_S.value
    resolution_s = MODEL_RESOLUTION_S.value
    short: tuple[float, Interval] | None = None
    fill: Fill = "cpu"
    idle_is_exact = True

    def __init__(self, name: str, provenance: Provenance, curve: Curve, cpus: int, busy_s: Callable[[], float]) -> None:
        self.name = name
        self.provenance: Provenance = provenance
        self.curve = curve
        self.max_power_w: float | None = max(power.high for _, power in curve)
        self.idle_power_w: Interval | None = curve[0][1]
        self._cpus = cpus
        self._busy_s = busy_s
        self._last: tuple[float, float] | None = None
        self._total = Reading(0.0, 0.0, 0.0, 0.0)

    def peek(self) -> float:
        """Busy CPU seconds of the machine.

        Raises:
            SensorError: they cannot be read.
        """
        try:
            return self._busy_s()
        except (OSError, ValueError) as error:
            raise SensorError(f"{self.name}: the machine's CPU times cannot be read: {error}") from error

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules since the first call; `raw` is the machine's busy CPU seconds."""
        if self._last is None:
            self._last = (time_s, raw)
            self._total = Reading(time_s, 0.0, 0.0, 0.0)
            return self._total
        step_s = time_s - self._last[0]
        if step_s <= 0.0:  # nothing can be said of no time; the next step holds what this one brought
            return self._total
        power = self._power(step_s, raw - self._last[1])
        self._last = (time_s, max(raw, self._last[1]))
        total = self._total
        self._total = Reading(
            time_s,
            total.low_j + power.low * step_s,
            total.energy_j + power.best * step_s,
            total.high_j + power.high * step_s,
        )
        return self._total

    def _power(self, step_s: float, busy_s: float) -> Interval:
        load = min(max(busy_s / (self._cpus * step_s), 0.0), 1.0)
        power = power_at(self.curve, load)
        if step_s <= MODEL_BURST_S.value:
            return power
        # A mean load over a long step may hide bursts: then power lies on the straight line from idle to full.
        bursts = self.curve[0][1].scaled(1.0 - load).plus(self.curve[-1][1].scaled(load))
        return Interval(min(power.low, bursts.low), power.best, max(power.high, bursts.high))

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; the step since the last reading is dropped."""
        self._last = (time_s, raw)
        self._total = self._total._replace(time_s=time_s)

    def close(self) -> None:
        """Nothing is held."""


class CpuModel(LoadModel):
    """Package power by TDP and load.

    Args:
        tdp_w: the TDPs of all packages together.
        assumed: whether the TDP itself is a guess.
    """

    def __init__(
        self,
        busy_s: Callable[[], float],
        cpus: int,
        *,
        tdp_w: float,
        client: bool,
        pl2_w: float | None = None,
        assumed: bool = False,
    ) -> None:
        super().__init__(
            "cpu-model", "assumed" if assumed else "modelled", package_curve(tdp_w, client, pl2_w), cpus, busy_s
        )


class VcpuModel(LoadModel):
    """Processor and memory power by the number of hardware threads and load, of a part that is not known.

    Args:
        assumed: whether even that it is a server's part is a guess.
    """

    def __init__(self, busy_s: Callable[[], float], cpus: int, *, assumed: bool = False) -> None:
        super().__init__("vcpu-model", "assumed" if assumed else "modelled", vcpu_curve(cpus), cpus, busy_s)
