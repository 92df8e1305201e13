"""What a session has used so far: the sum over its segments, which never overlap."""

from __future__ import annotations

from dataclasses import dataclass, field

from carbon_magic.grid.intensity import emissions
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.power.share import WEAKER, Measurement
from carbon_magic.quantity import Interval, sum_independent
from carbon_magic.snapshot import Place


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of one source over time, so lows and highs add; the domains among each other are independent."""

    domains: dict[Domain, tuple[Interval, Provenance]] = field(default_factory=dict)
    machine_j: Interval | None = None
    between_j: Interval | None = None
    emissions_g: Interval | None = None
    emissions_known: bool = True
    """False once any segment was counted with the region unknown."""
    tracked_s: float = 0.0

    @property
    def own_j(self) -> Interval | None:
        return sum_independent(energy for energy, _ in self.domains.values()) if self.domains else None

    def plus(self, segment: Measurement, place: Place, *, between: bool) -> Totals:
        """These totals and one more segment, `between` cells or in one."""
        if segment.own_j is None or segment.machine_j is None:
            return self
        domains = dict(self.domains)
        for domain, energy in segment.domains.items():
            so_far, provenance = domains.get(domain, (None, energy.provenance))
            weaker = max(provenance, energy.provenance, key=WEAKER.__getitem__)
            domains[domain] = (_plus(so_far, energy.own_j), weaker)
        return Totals(
            domains=domains,
            machine_j=_plus(self.machine_j, segment.machine_j),
            between_j=_plus(self.between_j, segment.own_j) if between else self.between_j,
            emissions_g=_plus(self.emissions_g, emissions(segment.own_j, place)),
            emissions_known=self.emissions_known and place.known,
            tracked_s=self.tracked_s + segment.duration_s,
        )


def _plus(one: Interval | None, other: Interval) -> Interval:
    return other if one is None else one.plus(other)
