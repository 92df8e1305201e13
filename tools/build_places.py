"""Builds `places.csv`, `timezones.csv` and `fuel_factors.csv` of `carbon_magic/data` from the full tables.

`places.csv` has for each country its continent, whether it is in the European Union, and one point; `timezones.csv`
the region that a time zone means; `fuel_factors.csv` one row per fuel. What their columns mean, and where they come
from, stands in `carbon_magic/data/README.md`.

Usage: python tools/build_places.py TIMEZONES.csv FUEL_FACTORS.csv
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "carbon_magic" / "data"

# UN Statistics Division, standard country or area codes (M49). Of its Americas, South America is one continent and the
# rest, with Central America and the Caribbean, North America. M49 has no rows for TW and XK.
CONTINENTS = {
    "Africa": "AO BF BI BJ BW CD CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE"
    " NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG ZA ZM ZW",
    "Asia": "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM"
    " PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
    "Europe": "AL AT BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GI GR HR HU IE IS IT LT LU LV MD ME MK MT NL NO PL PT RO"
    " RS RU SE SI SK UA XK",
    "North America": "AG AW BB BM BS BZ CA CR CU DM DO GD GL GP GT HN HT JM KN KY LC MQ MS MX NI PA PM PR SV TC TT US"
    " VC VG VI",
    "Oceania": "AS AU CK FJ GU KI NC NR NZ PF PG SB TO VU WS",
    "South America": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}
# The 27 members of 2026, and the outermost regions that are part of France and of the Union.
EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK GF GP MQ RE"
# Where a country has several zones, the one whose city is its capital or the nearest to it; the United States' is that
# of the greatest part of its people. Kosovo has none of its own.
PRINCIPAL = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
    "VN": "Asia/Ho_Chi_Minh",
    "XK": "Europe/Belgrade",
}


def read(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    target = DATA / name
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    print(f"{target}: {target.stat().st_size} bytes")


def point(country: str, zones: Sequence[dict[str, str]]) -> dict[str, str]:
    """The zone whose city stands for a country."""
    if country in PRINCIPAL:
        return next(zone for zone in zones if zone["tz"] == PRINCIPAL[country])
    own = [zone for zone in zones if zone["country"] == country and zone["latitude"]]
    if len(own) != 1:
        sys.exit(f"{country}: no zone, or more than one: {[zone['tz'] for zone in own]}")
    return own[0]


def places(countries: Sequence[str], zones: Sequence[dict[str, str]]) -> Iterable[Sequence[str]]:
    continents = {country: name for name, listed in CONTINENTS.items() for country in listed.split()}
    for country in countries:
        zone = point(country, zones)
        eu = "1" if country in EU.split() else "0"
        yield country, continents[country], eu, zone["latitude"], zone["longitude"], zone["tz"]


def main(timezones: str, fuels: str) -> None:
    regions = read(DATA / "regions.csv")
    ids = {row["id"] for row in regions}
    zones = read(timezones)
    countries = [row["id"] for row in regions if row["kind"] == "country"]
    write("places.csv", ("id", "continent", "eu", "latitude", "longitude", "zone"), places(countries, zones))
    means = [next((name for name in (zone["subdivision"], zone["country"]) if name in ids), "") for zone in zones]
    write(
        "timezones.csv",
        ("zone", "country", "region"),
        [(zone["tz"], zone["country"], found) for zone, found in zip(zones, means, strict=True)],
    )
    wanted = ("lifecycle_low", "lifecycle_median", "lifecycle_high")
    write(
        "fuel_factors.csv",
        ("fuel", "technology", *wanted, "source", "year"),
        [
            (row["fuel"], row["technology"], *(row[name] for name in wanted), source(row), row["year"])
            for row in read(fuels)
            if row["default"] == "1"
        ],
    )


def source(row: dict[str, str]) -> str:
    return "ipcc-ar5" if row["source"].startswith("IPCC AR5") else "ipcc-srren"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit((__doc__ or "").strip().splitlines()[-1])
    main(sys.argv[1], sys.argv[2])
