"""What the same energy would have emitted elsewhere.

The joules are the same on both sides, so how wrong they may be cancels: regions are ranked, and said to overlap, by
intensity x PUE alone. Only grams, which stand for themselves, have the range of the energy in them as well. All that
does not depend on the energy is worked out once for each region, so that all regions take less than 2 ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from math import exp, hypot, inf, log
from typing import NamedTuple

from carbon_magic.grid.geography import continent, in_eu
from carbon_magic.grid.intensity import JOULES_PER_KWH, intensity
from carbon_magic.grid.regions import Kind, Method, by_id
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

Bounds = tuple[float, float, float]
"""Low, best and high, in order."""


class Entry(NamedTuple):
    """What of a row depends neither on the energy nor on here."""

    region: str
    """An id of the regions table."""
    name: str
    kind: Kind | None
    """None of a place that is not in the table."""
    provider: str | None
    continent: str | None
    in_eu: bool | None
    intensity_g_per_kwh: Interval
    """Life cycle, for every row."""
    method: Method | None
    """How the figure came onto the life-cycle basis."""
    direct_g_per_kwh: float | None
    """What is published of emissions at the power plants alone. Shown beside, never compared."""
    own_pue: float | None
    """A cloud region's, as published."""
    pue_year: int | None
    year: int | None
    source: str
    """The short name that people see: "Ember"."""
    note: str | None
    below: float
    """Half-widths of the intensity's logarithm, which no exact factor changes."""
    above: float


class Row(NamedTuple):
    """One region in a comparison. The first of a comparison is here."""

    of: Entry
    pue: float
    ratio_bounds: Bounds | None
    overlaps: bool | None
    """Whether the ranges of intensity x PUE, here and there, have a value in common: then neither is clearly lower.
    None where here is unknown."""
    emissions_bounds: Bounds | None

    @property
    def region(self) -> str:
        return self.of.region

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def intensity_g_per_kwh(self) -> Interval:
        return self.of.intensity_g_per_kwh

    @property
    def footprint_g_per_kwh(self) -> Interval:
        """Intensity x PUE: by this rows are ranked."""
        return self.of.intensity_g_per_kwh.scaled(self.pue)

    @property
    def pue_year(self) -> int | None:
        """Of a provider's published PUE."""
        return self.of.pue_year if self.pue == self.of.own_pue else None

    @property
    def ratio(self) -> Interval | None:
        """Intensity x PUE over that of here; None where here is unknown."""
        return None if self.ratio_bounds is None else Interval(*self.ratio_bounds)

    @property
    def emissions_g(self) -> Interval | None:
        """Of the energy that was asked about; None where there is none."""
        return None if self.emissions_bounds is None else Interval(*self.emissions_bounds)


def compare(
    here: Place, ids: Iterable[str], energy_j: Interval | None = None, *, pue: float | None = None
) -> list[Row]:
    """The same energy here and in each of the regions: here first, then the lowest first, ties by name.

    Args:
        here: where the energy was used, with its own PUE.
        ids: ids of the regions table, as it writes them; one that is here, or that comes twice, is listed once.
        energy_j: None for intensities and ratios alone.
        pue: the user's own building's, for every region without a published one; else 1.

    Raises:
        KeyError: no row has such an id.
    """
    ranked = _ranked(here, tuple(dict.fromkeys(ids)), pue)
    if energy_j is None:
        return list(ranked)
    below, above = _widths(energy_j)
    kwh = energy_j.best / JOULES_PER_KWH
    rows = []
    for there, own_pue, ratio, overlaps, _ in ranked:
        grams = _spread(
            kwh * own_pue * there.intensity_g_per_kwh.best, hypot(below, there.below), hypot(above, there.above)
        ) or _product(energy_j.scaled(own_pue / JOULES_PER_KWH), there.intensity_g_per_kwh)
        rows.append(Row(there, own_pue, ratio, overlaps, grams))
    return rows


@lru_cache(maxsize=8)
def _ranked(here: Place, ids: tuple[str, ...], pue: float | None) -> tuple[Row, ...]:
    """The rows without grams: neither their order nor anything else in them depends on the energy."""
    first = _here(here)
    at = _At(here.intensity_g_per_kwh.scaled(here.pue), first.below, first.above) if here.known else None
    entries = [entry(region_id) for region_id in ids if region_id != here.region]
    rows = sorted((_row(there, there.own_pue or pue or 1.0, at) for there in entries), key=_rank)
    if at is None:
        return (Row(first, here.pue, None, None, None), *rows)
    return (Row(first, here.pue, (1.0, 1.0, 1.0), True, None), *rows)


class _At(NamedTuple):
    """Here, as every row needs it."""

    footprint: Interval
    below: float
    above: float


def _row(there: Entry, pue: float, at: _At | None) -> Row:
    if at is None:
        return Row(there, pue, None, None, None)
    grid, here = there.intensity_g_per_kwh, at.footprint
    overlaps = grid.low * pue <= here.high and here.low <= grid.high * pue
    ratio = None
    # A quotient's low has its dividend's low in it and its divisor's high. By 0 nothing can be divided.
    if here.best > 0.0:
        best = grid.best * pue / here.best
        ratio = _spread(best, hypot(there.below, at.above), hypot(there.above, at.below))
        if best == 0.0 and here.low > 0.0:
            ratio = 0.0, 0.0, grid.high * pue / here.low
    return Row(there, pue, ratio, overlaps, None)


def _spread(best: float, below: float, above: float) -> Bounds | None:
    """A product by its best and the half-widths of its logarithm; None where it has no logarithm or no float."""
    if best > 0.0 and above < _WIDEST and best < _LARGEST:
        return best * exp(-below), best, best * exp(above)
    return None


def _product(energy: Interval, grid: Interval) -> Bounds:
    grams = energy.times(grid)
    return grams.low, grams.best, grams.high


_WIDEST = 300.0
_LARGEST = 1e150
"""Together they keep a product within the floats."""


def _widths(figure: Interval) -> tuple[float, float]:
    """Half-widths of the logarithm below and above; without end where a bound or the best is 0."""
    if figure.best <= 0.0:
        return inf, inf
    below = log(figure.best) - log(figure.low) if figure.low > 0.0 else inf
    return below, log(figure.high) - log(figure.best)


def _rank(row: Row) -> tuple[float, str, str]:
    there = row[0]
    return there.intensity_g_per_kwh.best * row[1], there.name, there.region


@cache
def entry(region_id: str) -> Entry:
    """What the table has of a region, ready to be compared.

    Raises:
        KeyError: no row has this id.
    """
    row = by_id(region_id)
    grid = row if row.grid_region is None else by_id(row.grid_region)
    bounds = intensity(region_id)
    return Entry(
        row.id,
        row.title,
        row.kind,
        row.provider,
        continent(region_id),
        in_eu(region_id),
        bounds,
        grid.lifecycle_method,
        row.intensity_g_per_kwh if row.basis == "direct" and row.lifecycle_method != "own" else None,
        row.pue if row.kind == "cloud" else None,
        row.pue_year,
        grid.year,
        grid.publisher,
        row.note,
        *_widths(bounds),
    )


def _here(here: Place) -> Entry:
    """Here as it was said or found: with its own intensity (by hand, or a live one), whatever the table has."""
    below, above = _widths(here.intensity_g_per_kwh)
    own = {
        "name": here.name,
        "intensity_g_per_kwh": here.intensity_g_per_kwh,
        "year": here.intensity_year,
        "source": here.intensity_source,
        "below": below,
        "above": above,
    }
    try:
        known = entry(here.region)
    except KeyError:
        nothing = dict.fromkeys(("kind", "provider", "continent", "in_eu", "method", "direct_g_per_kwh"))
        return Entry(region=here.region, own_pue=None, pue_year=None, note=None, **nothing, **own)  # type: ignore[arg-type]
    if here.intensity_g_per_kwh != known.intensity_g_per_kwh:
        # What the table says of its own figure is not true of another.
        own |= {"method": None, "direct_g_per_kwh": None, "note": None}
    return known._replace(**own)  # type: ignore[arg-type]
