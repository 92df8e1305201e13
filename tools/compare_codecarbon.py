"""Prints the table of `docs/methods.md` that has ten regions' intensities by CodeCarbon 3.3.2 and by this package.

CodeCarbon's figure is what its own `Emissions` answers for one kWh, without a network call.

Usage, where both packages are installed: python tools/compare_codecarbon.py
"""

from __future__ import annotations

import importlib.metadata
import math

from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource

from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.regions import SOURCES, by_id

REGIONS = (
    ("FR", "FRA", "France", None),
    ("SE", "SWE", "Sweden", None),
    ("CA-QC", "CAN", "Canada", "quebec"),
    ("GB", "GBR", "United Kingdom", None),
    ("US-CA", "USA", "United States", "california"),
    ("DE", "DEU", "Germany", None),
    ("US", "USA", "United States", None),
    ("CN", "CHN", "China", None),
    ("PL", "POL", "Poland", None),
    ("IN", "IND", "India", None),
)
"""Our id; ISO3, name and region as CodeCarbon wants them. Lowest first by our figure."""


def main() -> None:
    theirs = Emissions(DataSource())
    version = importlib.metadata.version("codecarbon")
    print(f"| region | CodeCarbon {version} | carbon-magic | year, source | theirs is |")
    print("| --- | --- | --- | --- | --- |")
    for region_id, iso3, country, region in REGIONS:
        geo = GeoMetadata(country_iso_code=iso3, country_name=country, region=region)
        they_g = theirs.get_private_infra_emissions(Energy.from_energy(kWh=1), geo) * 1000
        row, ours = by_id(region_id), intensity(region_id)
        inside = "within our range" if ours.low <= they_g <= ours.high else "outside"
        low, high = math.floor(ours.low + 1e-9), math.ceil(ours.high - 1e-9)  # outwards, as everywhere
        figures = f"{ours.best:.0f} ({low} to {high})"
        print(f"| {row.name} | {they_g:.1f} | {figures} | {row.year}, {SOURCES[row.source]} | {inside} |")


if __name__ == "__main__":
    main()
