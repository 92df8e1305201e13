"""Where regions lie: what is above and below one, how far apart two are, continents and the European Union.

A cloud region lies in its city. A country has one point, that of the city which its principal time zone is named after,
so distances between large countries are rough. States and provinces have no point, unless a cloud region lies in them.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from typing import Literal, NamedTuple

from carbon_magic.grid.table import DATA, Region, all_regions, by_id

Continent = Literal["Africa", "Asia", "Europe", "North America", "Oceania", "South America"]
CONTINENTS: tuple[Continent, ...] = ("Africa", "Asia", "Europe", "North America", "Oceania", "South America")

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""


class _Place(NamedTuple):
    continent: Continent
    eu: bool
    latitude: float
    longitude: float


@cache
def _places() -> dict[str, _Place]:
    with (DATA / "places.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["id"]: _Place(row["continent"], row["eu"] == "1", float(row["latitude"]), float(row["longitude"]))  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        }


@cache
def _by_iso3() -> dict[str, str]:
    return {row.iso3: row.id for row in all_regions() if row.kind == "country" and row.iso3 is not None}


def country(region_id: str) -> str | None:
    """The id of the country that a region lies in, by its ISO3 code; None for the world and for people's own.

    Raises:
        KeyError: no region has this id.
    """
    iso3 = by_id(region_id).iso3
    return None if iso3 is None else _by_iso3().get(iso3)


def parents(region_id: str) -> list[str]:
    """The ids of the regions above one, the next first, the world last. A cloud region's begin with the state it lies
    in, where that is in the table.

    Raises:
        KeyError: no region has this id.
    """
    row = by_id(region_id)
    above: list[str] = []
    nxt = row.subdivision or row.parent
    while nxt is not None and nxt not in above:
        above.append(nxt)
        nxt = by_id(nxt).parent
    return above


def children(region_id: str) -> list[str]:
    """The ids of the regions right below one, in the table's order: of the world countries, of a country its states and
    the cloud regions in it, of a state the cloud regions in it.

    Raises:
        KeyError: no region has this id.
    """
    by_id(region_id)
    return [row.id for row in all_regions() if region_id in (row.parent, row.subdivision)]


def continent(region_id: str) -> Continent | None:
    """The continent by the United Nations' M49; None for the world and for people's own regions.

    Raises:
        KeyError: no region has this id.
    """
    found = country(region_id)
    return None if found is None or found not in _places() else _places()[found].continent


def in_eu(region_id: str) -> bool:
    """Whether a region lies in the European Union, as of 2026; the outermost regions of France do.

    Raises:
        KeyError: no region has this id.
    """
    found = country(region_id)
    return found in _places() and _places()[found].eu if found is not None else False


def point(region_id: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, or None where none is known.

    Raises:
        KeyError: no region has this id.
    """
    return _point(by_id(region_id))


def _point(row: Region) -> tuple[float, float] | None:
    if row.latitude is not None and row.longitude is not None:
        return row.latitude, row.longitude
    if row.kind == "country" and row.id in _places():
        place = _places()[row.id]
        return place.latitude, place.longitude
    return _points_of_states().get(row.id) if row.kind == "subdivision" else None


@cache
def _points_of_states() -> dict[str, tuple[float, float]]:
    """States and provinces in which a cloud region lies, and where the first of them does."""
    points: dict[str, tuple[float, float]] = {}
    for row in all_regions():
        if row.subdivision is not None and row.latitude is not None and row.longitude is not None:
            points.setdefault(row.subdivision, (row.latitude, row.longitude))
    return points


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance between two points, given as latitude and longitude in degrees."""
    (lat_1, lon_1), (lat_2, lon_2) = (tuple(math.radians(angle) for angle in place) for place in (one, other))
    half = math.sin((lat_2 - lat_1) / 2) ** 2
    half += math.cos(lat_1) * math.cos(lat_2) * math.sin((lon_2 - lon_1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def near(region_id: str, within_km: float) -> list[tuple[Region, float]]:
    """The other regions within a distance, with it in kilometres, the nearest first.

    Raises:
        KeyError: no region has this id.
        ValueError: nobody knows where the region lies, or `within_km` is no number of 0 or more.
    """
    if not 0.0 <= within_km < math.inf:
        raise ValueError(f"a distance is a number of km of 0 or more, not {within_km!r}")
    row = by_id(region_id)
    here = _point(row)
    if here is None:
        raise ValueError(f"{row.title} has no point on the map: take a cloud region or a country near it")
    found = []
    for other in all_regions():
        there = _point(other) if other.id != region_id else None
        if there is not None:
            away_km = distance_km(here, there)
            if away_km <= within_km:
                found.append((other, away_km))
    return sorted(found, key=lambda pair: (pair[1], pair[0].id))
