"""How much of the machine's energy in a window is this kernel's: three figures by one fixed rule.

`machine` is all that the sensors saw; `own`, the headline, is `s * E_dynamic + a * E_idle`; `marginal` is its first
part. s is the kernel's part of the machine's work: what a CPU second cost over the ticks that cover the window (and at
least one second, as busy seconds are counted in hundredths), times the CPU seconds of the kernel inside the window.
a is the part of the machine that is allotted to the kernel. Both are conventions, the same ones everywhere; low and
high say how wrong the measurement may be, the rule being given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from carbon_magic.power.sensor import Domain, Provenance, Sensor
from carbon_magic.power.timeline import Joules, Mark
from carbon_magic.quantity import Interval, sum_independent, sum_same_source

BELOW_RESOLUTION = Interval(0.5, 1.0, 2.0)
"""Factor on the range of a window that is shorter than a sensor can tell: its power may be half or twice the mean
around it [judgement]."""

WEAKER: dict[Provenance, int] = {"measured": 0, "modelled": 1, "assumed": 2}


class Part(NamedTuple):
    """What part of the machine belongs to this kernel at rest."""

    cpu: float | None
    """Part of the CPUs, 0 to 1; None on a shared machine, where it is the part of the CPU time that was used."""
    memory: float | None
    """Part of the memory, on a shared machine that which is held; None where nobody tells: then as of the CPUs."""
    gpu: float | None
    cpus: int
    """Logical CPUs of the machine."""


class DomainEnergy(NamedTuple):
    """One domain's part of a window, in joules."""

    own_j: Interval
    machine_j: Interval
    marginal_j: float
    provenance: Provenance


class Measurement(NamedTuple):
    """What a window cost, in joules."""

    duration_s: float
    own_j: Interval | None
    """None where no sensor saw the window."""
    machine_j: Interval | None
    marginal_j: float | None
    domains: Mapping[Domain, DomainEnergy]
    share: float | None
    """The kernel's part of the dynamic energy, 0 to 1."""
    cpu_s: float | None
    gpu_utilization: float | None
    sensors: tuple[str, ...]
    below_resolution: bool

    @property
    def idle_j(self) -> float | None:
        """The kernel's part of the idle energy."""
        if self.own_j is None or self.marginal_j is None:
            return None
        return max(0.0, self.own_j.best - self.marginal_j)


class Witness(NamedTuple):
    """A sensor that saw a window, or a part of it."""

    sensor: Sensor
    idle_w: Interval
    missing_s: float = 0.0
    """Seconds of the window after the sensor was lost, with nothing in its place."""
    missing_w: float = 0.0
    """Its mean power before it was lost."""


class _Seen(NamedTuple):
    """What one sensor says of a window."""

    domain: Domain
    energy: DomainEnergy
    dynamic_j: float


def measure(
    window: tuple[Mark, Mark],
    cover: tuple[Mark, Mark],
    witnesses: Sequence[Witness],
    part: Part,
    *,
    exact: bool = False,
) -> Measurement:
    """The energy between the two marks of `window`, shared by the ticks of `cover` around it.

    A window that is too short for a counter gets its mean power around the window. `exact` takes the difference of
    the counter all the same: whoever adds up windows that follow each other must lose nothing between them.
    """
    start, end = window
    duration_s = end.time_s - start.time_s
    cpu_s = end.own_s - start.own_s
    seen = [_see(witness, window, cover, part, exact) for witness in witnesses]
    domains: dict[Domain, DomainEnergy] = {}
    for one in seen:
        there = domains.get(one.domain)
        domains[one.domain] = one.energy if there is None else _joined(there, one.energy)
    marginal = math.fsum(one.energy.marginal_j for one in seen)
    dynamic = math.fsum(one.dynamic_j for one in seen)
    work = max(cover[1].busy_s - cover[0].busy_s, cover[1].own_s - cover[0].own_s)
    share = marginal / dynamic if dynamic > 0.0 else (cover[1].own_s - cover[0].own_s) / work if work > 0.0 else 0.0
    return Measurement(
        duration_s=duration_s,
        own_j=sum_independent(domain.own_j for domain in domains.values()) if domains else None,
        machine_j=sum_independent(domain.machine_j for domain in domains.values()) if domains else None,
        marginal_j=marginal if domains else None,
        domains=domains,
        share=min(1.0, share),
        cpu_s=cpu_s,
        gpu_utilization=_utilization(window),
        sensors=tuple(witness.sensor.name for witness in witnesses),
        below_resolution=any(duration_s < witness.sensor.resolution_s for witness in witnesses),
    )


def _see(witness: Witness, window: tuple[Mark, Mark], cover: tuple[Mark, Mark], part: Part, exact: bool) -> _Seen:
    sensor, (start, end) = witness.sensor, window
    duration_s = end.time_s - start.time_s
    used = _between(sensor.name, window)
    around, around_s = _between(sensor.name, cover), cover[1].time_s - cover[0].time_s
    if duration_s < sensor.resolution_s and sensor.cheap and around_s > 0.0 and not exact:
        # The counter may not have moved at all: take the mean power around the window.
        used = Joules(*(value * duration_s / around_s for value in around))
    machine = _range(sensor, used, duration_s)
    idle_j = min(witness.idle_w.best * duration_s, used.best)
    dynamic_j = used.best - idle_j
    allotted = _allotted(sensor.domain, window, part)

    def marginal_with(idle_w: float) -> float:
        """The kernel's part of what is above an idle power."""
        above = max(0.0, used.best - idle_w * duration_s)
        if sensor.domain == "gpu":
            return above * _gpu_share(sensor.name, cover)
        above_around = max(0.0, around.best - idle_w * around_s)
        work = max(cover[1].busy_s - cover[0].busy_s, cover[1].own_s - cover[0].own_s)
        return min(above, above_around / work * (end.own_s - start.own_s)) if work > 0.0 else 0.0

    def own_with(idle_w: float) -> float:
        return marginal_with(idle_w) + allotted * min(idle_w * duration_s, used.best)

    marginal_j = marginal_with(witness.idle_w.best)
    own_j = marginal_j + allotted * idle_j
    if sensor.idle_is_exact:
        share = marginal_j / dynamic_j if dynamic_j > 0.0 else 0.0
        bounds = []
        for value, idle_w in ((machine.low, witness.idle_w.low), (machine.high, witness.idle_w.high)):
            rest = min(idle_w * duration_s, value)
            bounds.append(share * (value - rest) + allotted * rest)
        own = Interval(min(bounds[0], own_j), own_j, max(bounds[1], own_j))
    else:
        own = _with_idle_range(own_j, machine, [own_with(w) for w in (witness.idle_w.low, witness.idle_w.high)])
    if sensor.domain == "gpu":
        own = _with_unknown_owner(own, machine, dynamic_j, _unsure(sensor.name, cover), _gpu_share(sensor.name, cover))
    provenance = sensor.provenance
    if witness.missing_s > 0.0:
        # Unseen: as before it was lost, perhaps nothing, perhaps as much as it can be.
        lost_j = witness.missing_w * witness.missing_s
        most_j = max(lost_j, (sensor.max_power_w or 2.0 * witness.missing_w) * witness.missing_s)
        ours = own.best / machine.best if machine.best > 0.0 else 1.0
        machine = Interval(machine.low, machine.best + lost_j, machine.high + most_j)
        own = Interval(own.low, own.best + ours * lost_j, own.high + most_j)
        if witness.missing_s > duration_s / 2:
            provenance = "assumed"
    return _Seen(sensor.domain, DomainEnergy(own, machine, marginal_j, provenance), dynamic_j)


def _between(name: str, marks: tuple[Mark, Mark]) -> Joules:
    """Joules of a sensor between two marks; from its opening on where it was opened in between."""
    start = marks[0].joules.get(name, Joules(0.0, 0.0, 0.0))
    end = marks[1].joules.get(name, start)
    return Joules(end.low - start.low, end.best - start.best, end.high - start.high)


def _range(sensor: Sensor, used: Joules, duration_s: float) -> Interval:
    """The sensor's own range, widened for what this window's length does to it."""
    low, best, high = min(used.low, used.best), used.best, max(used.high, used.best)
    if sensor.short is not None and duration_s < sensor.short[0]:
        factor = sensor.short[1]
        low, high = min(low, best * factor.low), max(high, best * factor.high)
    energy = Interval(low, best, high)
    if duration_s < sensor.resolution_s:
        return energy.times(BELOW_RESOLUTION)
    if sensor.cheap and duration_s > 0.0:
        border = 1.0 + sensor.update_s / duration_s
        return energy.times(Interval(1.0 / border, 1.0, border))
    return energy


def _with_idle_range(own_j: float, machine: Interval, by_idle: Sequence[float]) -> Interval:
    """The range of the kernel's part: that of the sensor, and that of an idle power which is only guessed."""
    if machine.best <= 0.0:
        return Interval(0.0, max(own_j, 0.0), max(own_j, *by_idle, machine.high, 0.0))
    if own_j <= 0.0:
        return Interval(0.0, max(own_j, 0.0), max(own_j, *by_idle, 0.0))
    # Quotients first: the product of two tiny figures is 0, and that is below own_j.
    sensor = Interval(own_j * (machine.low / machine.best), own_j, own_j * (machine.high / machine.best))
    idle = Interval(min(own_j, *by_idle), own_j, max(own_j, *by_idle))
    return Interval(
        max(0.0, own_j - math.hypot(own_j - sensor.low, own_j - idle.low)),
        own_j,
        own_j + math.hypot(sensor.high - own_j, idle.high - own_j),
    )


def _allotted(domain: Domain, window: tuple[Mark, Mark], part: Part) -> float:
    """a: the part of the machine's idle energy that is this kernel's."""
    start, end = window
    if domain == "gpu":
        given = part.gpu
        if given is None:
            owned = [end.gpu_use[n][1] - start.gpu_use.get(n, (0.0, 0.0, 0.0))[1] for n in end.gpu_use]
            given = max(owned, default=0.0) / max(end.time_s - start.time_s, 1e-9)
    else:
        given = part.memory if domain == "dram" else part.cpu
        if given is None:
            given = (end.own_s - start.own_s) / (part.cpus * max(end.time_s - start.time_s, 1e-9))
    return min(1.0, max(0.0, given))


def _gpu_share(name: str, cover: tuple[Mark, Mark]) -> float:
    """The kernel's part of a GPU's work: by busy time where the GPU was busy, else by time."""
    none = (0.0, 0.0, 0.0)
    before, after = cover[0].gpu_use.get(name, none), cover[1].gpu_use.get(name)
    if after is None:
        return 1.0
    owned, owned_busy, busy = (late - early for late, early in zip(after, before, strict=True))
    span = cover[1].time_s - cover[0].time_s
    if busy > 0.01 * span:
        return min(1.0, owned_busy / busy)
    return min(1.0, owned / span) if span > 0.0 else 0.0


def _unsure(name: str, cover: tuple[Mark, Mark]) -> float:
    """The part of the time in which nobody could tell whose work a GPU did."""
    span_s = cover[1].time_s - cover[0].time_s
    unsure_s = cover[1].gpu_unsure_s.get(name, 0.0) - cover[0].gpu_unsure_s.get(name, 0.0)
    return min(1.0, unsure_s / span_s) if span_s > 0.0 else 0.0


def _with_unknown_owner(own: Interval, machine: Interval, dynamic_j: float, unsure: float, share: float) -> Interval:
    """A GPU's part of ours, where its work may be none of ours or all of it."""
    if unsure <= 0.0:
        return own
    best = max(own.best, 1e-12)
    least_j = max(0.0, own.best - unsure * share * dynamic_j)
    most_j = own.best + unsure * (1.0 - share) * dynamic_j
    return Interval(
        min(own.low, own.low * least_j / best),
        own.best,
        max(own.high, most_j * (machine.high / machine.best if machine.best > 0.0 else 1.0)),
    )


def _utilization(window: tuple[Mark, Mark]) -> float | None:
    """Mean utilization of the GPUs in a window, 0 to 1."""
    start, end = window
    span = end.time_s - start.time_s
    if not end.gpu_use or span <= 0.0:
        return None
    busy = [use[2] - start.gpu_use.get(name, (0.0, 0.0, 0.0))[2] for name, use in end.gpu_use.items()]
    return min(1.0, math.fsum(busy) / len(busy) / span)


def _joined(one: DomainEnergy, other: DomainEnergy) -> DomainEnergy:
    """Two sensors of one domain (the packages of two sockets): one source, so lows and highs add."""
    return DomainEnergy(
        own_j=sum_same_source((one.own_j, other.own_j)),
        machine_j=sum_same_source((one.machine_j, other.machine_j)),
        marginal_j=one.marginal_j + other.marginal_j,
        provenance=max(one.provenance, other.provenance, key=WEAKER.__getitem__),
    )
