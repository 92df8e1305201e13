"""The regions as the browser has them: `views/browser/regions.json`, one row of plain values for each region.

The browser compares regions by itself, so it must come to the same order as the engine: the best of an intensity is
the table's own figure, unrounded, and the bounds have four digits. `tools/build_browser_regions.py` writes the file;
rows that a user overrides or adds go over the comm in the same form.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from carbon_magic.grid.geography import continent, in_eu, point
from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.names import ALIASES
from carbon_magic.grid.regions import DATA_VERSION, SOURCES, Region, all_regions, by_id
from carbon_magic.grid.table import data_version

COLUMNS = (
    "id",
    "name",
    "kind",
    "continent",
    "eu",
    "latitude",
    "longitude",
    "low",
    "best",
    "high",
    "year",
    "source",
    "method",
    "aliases",
    "direct",
    "direct_year",
    "direct_source",
    "provider",
    "city",
    "pue",
    "pue_year",
)
"""Of each row; what is unknown is null, and left out at a row's end. `low`, `best`, `high`: life-cycle intensity in
g CO2e/kWh; `direct`: the published figure where that is not life cycle, which nothing is compared by. `eu` is 1 or 0.
`aliases`: a country's ISO3 code and other names. Coordinates in degrees."""

METHODS = {
    "published": "published on the life-cycle basis",
    "ratio": "direct figure × the country’s ratio of life cycle to direct",
    "mix": "2023 generation by source × IPCC AR5 medians",
    "scope3": "published scope 2 + scope 3",
    "own": "given by the user",
}


def browser_table() -> dict[str, Any]:
    """The whole file, as JSON has it."""
    return {
        "edition": DATA_VERSION,
        "columns": list(COLUMNS),
        "rows": [browser_row(row) for row in all_regions()],
        "sources": dict(SOURCES),
        "methods": dict(METHODS),
    }


@cache
def own_rows() -> list[list[Any]]:
    """The rows that the user's own file overrides or adds, which the browser's has not; none without such a file."""
    if data_version() == DATA_VERSION:
        return []
    shipped = json.loads((Path(__file__).parent / "browser" / "regions.json").read_text(encoding="utf-8"))["rows"]
    known = {row[0]: row for row in shipped}
    return [row for row in map(browser_row, all_regions()) if known.get(row[0]) != row]


def browser_row(row: Region) -> list[Any]:
    """One region, in the order of `COLUMNS`."""
    grid = row if row.grid_region is None else by_id(row.grid_region)
    bounds = intensity(row.id)
    latitude, longitude = point(row.id) or (None, None)
    published = row if row.basis == "direct" and row.lifecycle_method != "own" else None
    cloud = row.kind == "cloud"
    values = [
        row.id,
        row.name,
        row.kind,
        continent(row.id),
        1 if in_eu(row.id) else 0,
        _rounded(latitude),
        _rounded(longitude),
        _outwards(bounds.low, math.floor),
        bounds.best,
        _outwards(bounds.high, math.ceil),
        grid.year,
        grid.source,
        grid.lifecycle_method,
        _aliases(row),
        published.intensity_g_per_kwh if published is not None else None,
        published.year if published is not None else None,
        published.source if published is not None else None,
        row.provider,
        row.city,
        row.pue if cloud else None,
        row.pue_year if cloud else None,
    ]
    while values[-1] is None:
        values.pop()
    return values


def _aliases(row: Region) -> list[str] | None:
    others = [name for name, region_id in ALIASES.items() if region_id == row.id]
    return ([row.iso3] if row.kind == "country" and row.iso3 else []) + others or None


def _rounded(degrees: float | None) -> float | None:
    """To about a kilometre."""
    return None if degrees is None else round(degrees, 2)


def _outwards(value: float, towards: Any) -> float:
    """A bound with four significant digits, which holds what the unrounded one holds."""
    if value == 0.0:
        return 0.0
    step = 10.0 ** (3 - math.floor(math.log10(value)))
    # Binary noise must not push a bound that has four digits already by one.
    return float(f"{towards(round(value * step, 6)) / step:.4g}")
