"""Builds `carbon_magic/data/regions.csv` from the full table of grid intensities.

The full table explains each row in sentences, over and over. The package needs figures and short keys, so this tool
keeps the columns the code reads, turns sentences into keys (`SOURCES`, `METHODS`; their meaning stands in
`carbon_magic/data/README.md`), and works out one column that the full table has not: the second source of a row.

Usage: python tools/build_regions.py FULL_TABLE.csv
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "carbon_magic" / "data" / "regions.csv"

SOURCES = {
    "Ember Yearly Electricity Data (2026 release)": "ember2026",
    "Ember Yearly Electricity Data (2025) via Our World in Data": "ember2025",
    "US EPA eGRID2022 (state total output CO2e rate)": "egrid2022",
    "US EPA eGRID2023 rev2 (subregion total output CO2e rate)": "egrid2023",
    "ECCC Emission factors and reference values v4.0 (2026), Table 5.4": "eccc2026",
    "DCCEEW National Greenhouse Accounts Factors 2025, Table 1": "dcceew2025",
    "China MEE and NBS, 2023 electricity CO2 emission factors (announced 31 Dec 2025)": "mee2023",
    "GoogleCloudPlatform/region-carbon-info 2024": "google2024",
}

METHODS = (
    ("direct x national ratio", "ratio"),
    ("2023 generation mix x IPCC AR5 medians", "mix"),
    ("published scope 2 + scope 3", "scope3"),
    ("published", "published"),
    ("from ", "grid"),
)

COLUMNS = (
    "id",
    "kind",
    "name",
    "parent",
    "iso3",
    "provider",
    "city",
    "latitude",
    "longitude",
    "intensity_g_per_kwh",
    "intensity_low",
    "intensity_high",
    "range_years",
    "basis",
    "mix_basis",
    "lifecycle_g_per_kwh",
    "lifecycle_method",
    "second_g_per_kwh",
    "pue",
    "pue_year",
    "cfe_percent",
    "subdivision",
    "grid_region",
    "year",
    "source",
    "note",
)

# Notes on coordinates and on the conversion from pounds are true of whole groups of rows: they stand in the README.
DROPPED_NOTE = re.compile(r"coordinate|latitude|longitude|lb CO2e/MWh x")
MIX_NOTE = re.compile(r"the generation mix times IPCC medians differs by ([+-]\d+) percent")

# What a direct figure becomes on the life-cycle basis. US 2022: 1.0991, China 2023: 1.0999, US 2023: 1.1235 (Ember's
# figure over the official direct one); 1.11 is their mean. It holds where fuel is burnt, which is why a figure made
# with it may confirm a row but never widens it.
DIRECT_TO_LIFECYCLE = 1.11
# National direct figures, each brought to life cycle by the *other* country's ratio, so that it is not its own proof.
NATIONAL = {"US": 349.67 * 1.0999, "CN": 530.6 * 1.1235}
AGREES = 0.20


def agrees(second: float, best: float) -> bool:
    return abs(second - best) <= AGREES * best


def second_sources(rows: dict[str, dict[str, str]]) -> dict[str, float]:
    """Row id -> the life-cycle intensity that an independent publisher implies for it.

    Google publishes a direct figure for each of its regions, made by Electricity Maps from other data than the grid
    row has. Where that grid row has a direct figure too, Google's, times the row's own ratio, is a second figure of the
    Google region itself, whether it agrees or not. For the grid row it counts only if every Google region on that grid
    agrees, because each covers only a part of the grid.
    """
    second = dict(NATIONAL)
    on_grid: dict[str, list[float]] = {}
    for row in rows.values():
        if row["provider"] != "gcp":
            continue
        grid = rows[row["grid_region"]]
        direct = float(row["intensity_g_per_kwh"])
        if "national ratio" in grid["lifecycle_method"]:
            implied = direct * float(grid["lifecycle_g_per_kwh"]) / float(grid["intensity_g_per_kwh"])
            second[row["id"]] = implied
        else:
            implied = direct * DIRECT_TO_LIFECYCLE
            if agrees(implied, float(grid["lifecycle_g_per_kwh"])):
                second[row["id"]] = implied
        on_grid.setdefault(grid["id"], []).append(implied)
    for grid_id, implied_by in on_grid.items():
        best = float(rows[grid_id]["lifecycle_g_per_kwh"])
        if grid_id not in second and all(agrees(value, best) for value in implied_by):
            second[grid_id] = max(implied_by, key=lambda value: abs(value - best))
    for row in rows.values():
        found = MIX_NOTE.search(row["note"])
        if found:
            # The note compares what the mix implies with the published figure, in percent of the latter.
            second[row["id"]] = float(row["lifecycle_g_per_kwh"]) * (1 + int(found.group(1)) / 100)
    return second


def source_key(row: dict[str, str]) -> str:
    name = re.sub(r"^inherited from [A-Z0-9-]+: ", "", row["source"])
    return SOURCES[name]


def method_key(row: dict[str, str]) -> str:
    return next(key for start, key in METHODS if row["lifecycle_method"].startswith(start))


def compact(row: dict[str, str], second: float | None) -> dict[str, str]:
    note = "; ".join(part for part in row["note"].split("; ") if not DROPPED_NOTE.search(part))
    years = re.findall(r"20\d\d", row["range_basis"])
    kept = {name: row.get(name, "") for name in COLUMNS}
    kept["range_years"] = f"{years[0]}-{years[-1]}" if len(years) > 1 else ""
    if row["range_basis"].startswith("min-max of eGRID"):
        kept["range_years"] = "2022-2023"
    if not kept["range_years"] and row["intensity_low"]:
        kept["range_years"] = "scope"
    kept["lifecycle_method"] = method_key(row)
    kept["second_g_per_kwh"] = "" if second is None else f"{second:.4g}"
    kept["grid_region"] = "" if row["grid_region"] == row["id"] else row["grid_region"]
    kept["source"] = source_key(row)
    kept["note"] = note
    return kept


def main(path: str) -> None:
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    second = second_sources(rows)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(compact(row, second.get(row["id"])) for row in rows.values())
    print(f"{TARGET}: {len(rows)} rows, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").strip().splitlines()[-1])
    main(sys.argv[1])
