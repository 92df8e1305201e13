"""Which intensity held when: where a live value takes another's place, what is measured is cut, and priced in parts.

A place as the tables have it is a base; what it is converted by may change while a cell runs. Each change is kept with
the marks of its moment, so that any window can be priced later: the emissions are the sum of its parts, and since one
source measured them all, lows and highs add. Where nothing ever changes this costs a look-up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from carbon_magic.grid.intensity import emissions
from carbon_magic.power.sensor import Domain
from carbon_magic.power.share import WEAKER, DomainEnergy, Measurement
from carbon_magic.power.timeline import Mark
from carbon_magic.quantity import Interval, sum_independent, sum_same_source
from carbon_magic.snapshot import Place

MOST_CHANGES = 1000
"""So many of the latest are kept: more than a month of hours, and nothing runs through more of them."""
MOST_BASES = 100


class _InForce(Protocol):
    @property
    def place(self) -> Place: ...

    @property
    def since_s(self) -> float | None: ...


class Source(Protocol):
    """Where changes come from."""

    def now(self, place: Place, *, wanted: bool) -> _InForce:
        """A base as it is converted now, and since when; `wanted` says that something is measured."""

    def problems(self) -> list[str]:
        """What does not work at present, in words."""


class Measured(Protocol):
    """Measures from a mark to a time, which is `past` if more was read since; None where there is nothing between."""

    def __call__(
        self, start: Mark, cover: Mark, end_s: float, *, exact: bool = False, past: bool = False
    ) -> Measurement | None: ...


class Change(NamedTuple):
    """From its mark on a base is converted by another place."""

    base: Place
    place: Place
    start: Mark
    cover: Mark
    begun: Mark | None
    """Where the segment before it began,"""
    segment: Measurement | None
    """and what it cost."""


class Priced(NamedTuple):
    """A window's energy and what it emitted."""

    measured: Measurement
    place: Place
    """With the mean intensity, by energy, where that changed."""
    grams: Interval | None


class Held:
    """The places in force, by base."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self._now: dict[Place, Place] = {}
        self._first: dict[Place, Place] = {}
        self._changes: deque[Change] = deque(maxlen=MOST_CHANGES)

    def place(self, base: Place) -> Place:
        """What a base is converted by at present."""
        found = self._now.get(base)
        if found is None:
            if len(self._now) >= MOST_BASES:
                self._now.clear()
                self._first.clear()
            found = base if self.source is None else self.source.now(base, wanted=False).place
            self._now[base] = self._first[base] = found
        return found

    def due(self, bases: Iterable[Place], *, wanted: bool) -> Iterator[tuple[Place, Place, float | None]]:
        """The bases whose place is another one now, that place, and since when it is."""
        if self.source is None and not self._changes:
            return
        for base in dict.fromkeys(bases):
            before = self.place(base)
            if self.source is None:
                now, since_s = base, None
            else:
                now, since_s = (found := self.source.now(base, wanted=wanted)).place, found.since_s
            if (now.intensity_g_per_kwh, now.intensity_source) != (before.intensity_g_per_kwh, before.intensity_source):
                yield base, now, since_s
            elif now is not before and now != before:
                self._now[base] = now  # only what is said of it has changed

    def change(self, change: Change) -> None:
        """From here on a base is converted by another place."""
        self._first.setdefault(change.base, self.place(change.base))
        self._now[change.base] = change.place
        self._changes.append(change)

    def within(self, base: Place, start_s: float, end_s: float) -> list[Change]:
        """The changes of a base inside a window, in order; of several at one moment the last."""
        found: dict[float, Change] = {}
        for change in reversed(self._changes):
            if change.start.time_s <= start_s:
                break  # they are in the order of time
            if change.base == base and change.start.time_s < end_s:
                found.setdefault(change.start.time_s, change)
        return [found[time_s] for time_s in sorted(found)]

    def at(self, base: Place, time_s: float) -> Place:
        """What a base was converted by at a time."""
        for change in reversed(self._changes):
            if change.start.time_s <= time_s and change.base == base:
                return change.place
        now = self.place(base)
        return self._first.get(base, now)

    def priced(
        self,
        base: Place,
        start: Mark,
        cover: Mark,
        end_s: float,
        last: tuple[Mark | None, Measurement | None],
        *,
        measured: Measured,
    ) -> Priced | None:
        """A window, at the intensities that held in it; None where there is nothing.

        Args:
            base: where it ran.
            start, cover: the marks of its beginning.
            last: where the segment that ends with it began, and what it cost: that is taken where it is all of the
                window or a part of it, so that cells and the time between them add up to the session.
            measured: measures from a mark to a time.
        """
        begun, segment = last
        changes = self.within(base, start.time_s, end_s)
        place = self.at(base, start.time_s)
        if not changes:
            if segment is None or begun is not start or segment.below_resolution:
                segment = measured(start, cover, end_s)
            return None if segment is None else priced([(segment, place)])
        parts = []
        for change in changes:
            part = change.segment if change.begun is start else None
            parts.append((part or measured(start, cover, change.start.time_s, exact=True, past=True), place))
            start, cover, place = change.start, change.cover, change.place
        part = segment if begun is start else None
        parts.append((part or measured(start, cover, end_s, exact=True), place))
        told = [(part, place) for part, place in parts if part is not None]
        return priced(told) if told else None


def priced(parts: Sequence[tuple[Measurement, Place]]) -> Priced:
    """The sum of parts that follow each other, each at its own intensity. At least one is given."""
    if len(parts) == 1:
        measured, place = parts[0]
        return Priced(measured, place, None if measured.own_j is None else emissions(measured.own_j, place))
    measured = added([part for part, _ in parts])
    grams = [emissions(part.own_j, place) for part, place in parts if part.own_j is not None]
    return Priced(measured, mean_place(parts), sum_same_source(grams) if grams else None)


def added(parts: Sequence[Measurement]) -> Measurement:
    """The sum of measurements of one thing, one after the other: lows and highs of a domain add."""
    whole_s = math.fsum(part.duration_s for part in parts)
    domains: dict[Domain, DomainEnergy] = {}
    for part in parts:
        for domain, energy in part.domains.items():
            there = domains.get(domain)
            domains[domain] = energy if there is None else _plus(there, energy)
    marginals = [part.marginal_j for part in parts if part.marginal_j is not None]
    cpu = [part.cpu_s for part in parts if part.cpu_s is not None]

    def mean(of: Callable[[Measurement], float | None]) -> float | None:
        told = [(value, part.duration_s) for part in parts if (value := of(part)) is not None]
        span_s = math.fsum(seconds for _, seconds in told)
        return math.fsum(value * seconds for value, seconds in told) / span_s if span_s > 0.0 else None

    return Measurement(
        duration_s=whole_s,
        own_j=sum_independent(energy.own_j for energy in domains.values()) if domains else None,
        machine_j=sum_independent(energy.machine_j for energy in domains.values()) if domains else None,
        marginal_j=math.fsum(marginals) if marginals else None,
        domains=domains,
        share=mean(lambda part: part.share),
        cpu_s=math.fsum(cpu) if cpu else None,
        gpu_utilization=mean(lambda part: part.gpu_utilization),
        sensors=tuple(dict.fromkeys(name for part in parts for name in part.sensors)),
        below_resolution=all(part.below_resolution for part in parts),
    )


def mean_place(parts: Sequence[tuple[Measurement, Place]]) -> Place:
    """The place of a window whose intensity changed: its mean by energy, or by time where no energy is known."""
    energies = [(part.own_j.best if part.own_j is not None else 0.0, place) for part, place in parts]
    if not any(weight > 0.0 for weight, _ in energies):
        energies = [(part.duration_s, place) for part, place in parts]
    return mean_of(energies)


def mean_of(weighed: Sequence[tuple[float, Place]]) -> Place:
    """The mean of places of one region by weight; all that is said of where the figures are from."""
    whole = math.fsum(weight for weight, _ in weighed)
    last = weighed[-1][1]
    if whole <= 0.0:
        return last
    intensities = [(weight / whole, place.intensity_g_per_kwh) for weight, place in weighed]
    low, best, high = (
        math.fsum(part * getattr(interval, name) for part, interval in intensities) for name in ("low", "best", "high")
    )
    sources = dict.fromkeys(place.intensity_source for weight, place in weighed if weight > 0.0)
    years = {place.intensity_year for weight, place in weighed if weight > 0.0}
    return last._replace(
        intensity_g_per_kwh=Interval(min(low, best), best, max(best, high)),
        intensity_source="; ".join(sources),
        intensity_year=years.pop() if len(years) == 1 else None,
    )


def _plus(one: DomainEnergy, other: DomainEnergy) -> DomainEnergy:
    return DomainEnergy(
        own_j=one.own_j.plus(other.own_j),
        machine_j=one.machine_j.plus(other.machine_j),
        marginal_j=one.marginal_j + other.marginal_j,
        provenance=max(one.provenance, other.provenance, key=WEAKER.__getitem__),
    )
