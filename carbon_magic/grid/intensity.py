"""From joules to grams: the range of a grid's intensity, and emissions as energy x PUE x intensity.

Every figure stands on one basis, life cycle, and its range is made rather than read. What is published with a row says
how the figure moved between years or releases; two good sources for the same grid and year differ by 15 % in the median
and 41 % at the 90th percentile. So the published range is brought to the basis, where that can be done, and widened to
at least 20 % either way where an independent source agrees with the row and 40 % where none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from carbon_magic.grid.table import WORLD, Region, by_id, data_version, intensities_of_countries, table
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

JOULES_PER_KWH = 3.6e6

FLOOR_CONFIRMED = 0.20
"""Least half-width where a second source agrees: two good sources differ by 15 % in the median."""
FLOOR_ALONE = 0.40
"""Least half-width where none does: two good sources differ by 41 % at the 90th percentile."""
AGREES = 0.20
"""A second source agrees when it lies this near to the row's figure."""


@cache
def intensity(region_id: str) -> Interval:
    """Life-cycle intensity of a region in g CO2e/kWh, by the table's own id.

    The published low and high are used where they are on the basis already (countries) or can be scaled by the ratio
    that made the row's life-cycle figure (US states and eGRID subregions, Chinese provinces). Canada's and Australia's
    direct ranges cannot. A cloud region has the range of the grid that its figure comes from. A second source that
    disagrees lies inside the range; `tools/build_regions.py` says what counts as one. For the world, low and high are
    the 5th and 95th percentile of countries. A range that people give with their own figure is taken as it is.

    Raises:
        KeyError: no row has this id.
    """
    row = by_id(region_id)
    if region_id == WORLD and row.lifecycle_method != "own":
        return _world()
    low, best, high = _published_range(row)
    second = row.second_g_per_kwh
    if row.grid_region is not None:
        grid = by_id(row.grid_region)
        low, _, high = _published_range(grid)
        # Google's own figure for this very region says more of it than what others say of the whole grid.
        second = grid.second_g_per_kwh if second is None else second
    confirmed = second is not None and abs(second - best) <= AGREES * best
    floor = FLOOR_CONFIRMED if confirmed else FLOOR_ALONE
    source = row if row.grid_region is None else by_id(row.grid_region)
    if source.lifecycle_method == "own":
        return own(best, source.intensity_low, source.intensity_high)
    if second is not None:
        low, high = min(low, second), max(high, second)
    return Interval(min(low, best * (1 - floor)), best, max(high, best * (1 + floor)))


def own(best: float, low: float | None = None, high: float | None = None) -> Interval:
    """The range of a figure in g CO2e/kWh that people give themselves: theirs, or 40 % to a side they say nothing of.

    Raises:
        ValueError: they are not in order.
    """
    return Interval(
        best * (1 - FLOOR_ALONE) if low is None else low, best, best * (1 + FLOOR_ALONE) if high is None else high
    )


def _published_range(row: Region) -> tuple[float, float, float]:
    """Low, best and high of a row on the life-cycle basis, the best alone where its range is on another."""
    best = row.lifecycle_g_per_kwh
    if row.intensity_low is None or row.intensity_high is None or row.lifecycle_method not in ("published", "ratio"):
        return best, best, best
    ratio = best / row.intensity_g_per_kwh
    return min(row.intensity_low * ratio, best), best, max(row.intensity_high * ratio, best)


def _world() -> Interval:
    """The world's mean, and the 5th and 95th percentile of countries: nobody computes in the mean of the world."""
    values = intensities_of_countries()
    return Interval(_percentile(values, 0.05), by_id(WORLD).lifecycle_g_per_kwh, _percentile(values, 0.95))


def _percentile(ordered: Sequence[float], part: float) -> float:
    """Linear between the two neighbours in order."""
    position = part * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _row(asked: str) -> Region:
    if asked in table().rows:
        return by_id(asked)  # what was found by machine needs no index of names, which takes milliseconds to load
    from carbon_magic.grid.regions import region

    return region(asked)


def place(region_id: str | None, source: str, pue: float | None = None) -> Place:
    """The grid to convert by.

    Args:
        region_id: what `regions.region` understands; None where nobody knows, which gives the world's range and the
            source `unknown`, whatever `source` says.
        source: how it was found: `cell`, `user`, `config` or `environment`.
        pue: the user's own figure, 1 or more; else a cloud region's published one, else 1.

    Raises:
        UnknownRegion: no region, or more than one, goes by that id.
        ValueError: `pue` is not a number from 1 to 10.
    """
    if pue is not None and not 1.0 <= pue <= 10.0:
        raise ValueError(f"PUE is a number from 1 to 10, not {pue!r}")
    row = by_id(WORLD) if region_id is None else _row(region_id)
    grid = row if row.grid_region is None else by_id(row.grid_region)
    if pue is None:
        pue = 1.0 if row.pue is None else row.pue
    return Place(
        region=row.id,
        name=row.title,
        source="unknown" if region_id is None else source,
        intensity_g_per_kwh=intensity(row.id),
        intensity_source=grid.publisher,
        intensity_year=grid.year,
        pue=pue,
        data_version=data_version(),
    )


def emissions(energy: Interval, place: Place) -> Interval:
    """Grams of CO2e for `energy` in joules: energy x PUE x intensity, two independent factors with an exact one."""
    return energy.scaled(place.pue / JOULES_PER_KWH).times(place.intensity_g_per_kwh)
