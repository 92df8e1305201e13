"""Sums over many cells or sessions: joules and grams with their ranges.

One source of error runs through them all, so lows and highs add. Cells that overlap in one session are never summed:
what a cell used is what its kernel used while it ran, so the time that two share is counted for the first alone, the
later one with the part of its energy that belongs to the rest of its time, taken to flow evenly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from carbon_magic.quantity import Interval


class Group(NamedTuple):
    """What some cells, or whole sessions, used together."""

    name: str | None
    """None for the cells without such a name, and for the total."""
    cells: int
    duration_s: float
    """The time that the cells ran, overlaps once; in the total the time that was tracked."""
    energy_j: Interval | None
    """None where it is known of none."""
    emissions_g: Interval | None
    emissions_known: bool
    """False where any part was counted with the region unknown."""
    first_at: str
    last_at: str
    """When the first and the last of them began; in the total, when the last was last heard of. Empty of none."""
    below_resolution: int = 0
    """How many of the cells were too short for their sensor: their figure is power times time. The reader's total of
    whole sessions knows of none."""


class Figures(NamedTuple):
    """One row to be added: a sum of some cells, or one of them."""

    cells: int
    duration_s: float
    energy_j: tuple[float, float, float] | None
    """Low, best, high."""
    emissions_g: tuple[float, float, float] | None
    unknown: bool
    first_at: str
    last_at: str
    below_resolution: int = 0

    def part(self, factor: float) -> Figures:
        """So much of it, still one cell."""
        return self._replace(
            duration_s=self.duration_s * factor,
            energy_j=_scaled(self.energy_j, factor),
            emissions_g=_scaled(self.emissions_g, factor),
        )


@dataclass(slots=True)
class Sum:
    """A sum that grows."""

    cells: int = 0
    duration_s: float = 0.0
    energy_j: tuple[float, float, float] | None = None
    emissions_g: tuple[float, float, float] | None = None
    unknown: bool = False
    first_at: str = ""
    last_at: str = ""
    below_resolution: int = 0

    def add(self, more: Figures) -> None:
        self.cells += more.cells
        self.duration_s += more.duration_s
        self.energy_j = _added(self.energy_j, more.energy_j)
        self.emissions_g = _added(self.emissions_g, more.emissions_g)
        self.unknown = self.unknown or more.unknown
        self.first_at = min(self.first_at or more.first_at, more.first_at)
        self.last_at = max(self.last_at, more.last_at)
        self.below_resolution += more.below_resolution

    def group(self, name: str | None) -> Group:
        return Group(
            name,
            self.cells,
            self.duration_s,
            _interval(self.energy_j),
            _interval(self.emissions_g),
            not self.unknown,
            self.first_at,
            self.last_at,
            self.below_resolution,
        )


def without_overlaps(cells: Iterable[Figures]) -> Iterable[Figures]:
    """Cells of one session in the order in which they began, each with the part of it that no earlier one covers."""
    covered_s = float("-inf")
    for cell in cells:
        begun_s = datetime.fromisoformat(cell.first_at).timestamp()
        ended_s = begun_s + cell.duration_s
        alone_s = max(0.0, ended_s - max(begun_s, covered_s))
        covered_s = max(covered_s, ended_s)
        # The clock's milliseconds and the duration's digits differ: what is not covered at all is taken whole.
        whole = cell.duration_s <= 0.0 or alone_s >= cell.duration_s * (1.0 - 1e-9)
        yield cell if whole else cell.part(alone_s / cell.duration_s)


def _added(
    one: tuple[float, float, float] | None, other: tuple[float, float, float] | None
) -> tuple[float, float, float] | None:
    if one is None or other is None:
        return one or other
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _scaled(figures: tuple[float, float, float] | None, factor: float) -> tuple[float, float, float] | None:
    return None if figures is None else (figures[0] * factor, figures[1] * factor, figures[2] * factor)


def _interval(figures: tuple[float, float, float] | None) -> Interval | None:
    if figures is None:
        return None
    low, best, high = figures
    # SQLite rounds each of its sums a little otherwise.
    return Interval(min(low, best), best, max(high, best))
