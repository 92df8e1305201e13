"""Something that people know and that takes as much: one at a time, where its count reads well.

What is counted by energy needs no region; what is counted by emissions is given only where the region is known. The
count's range is that of the energy or emissions and of the thing itself, as independent factors. The choice depends on
nothing but the figures, so that the same cell has the same equivalent each time. What takes carbon up, trees above all,
is never one: it would show emissions as a thing that is made good already.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from carbon_magic import written
from carbon_magic.grid.geography import continent, country
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

LEAST, MOST = 0.2, 500.0
"""A count reads well between these, in the unit that it is written in."""

_BEST_READ = (
    ("car_km_us", 1.0, 500.0),
    ("car_km_eu", 1.0, 500.0),
    ("flight_paris_new_york", 1.0, 500.0),
    ("kettle_cup", 1.0, 100.0),
    ("kettle_litre", 1.0, 100.0),
    ("household_day_us", 1.0, 500.0),
    ("flight_paris_new_york", LEAST, 1.0),
    ("led_bulb", 1.0, MOST),
)
"""The first whose count lies between its two bounds is taken."""

_TABLE = Path(__file__).parent.parent / "data" / "equivalents.csv"
_JOULES_PER_WH = 3600.0
_HOUR_S = 3600.0


class Equivalent(NamedTuple):
    """`1.5 cups of water boiled` and `(1.1–2.2)`."""

    id: str
    text: str
    bounds: str
    number: float
    """As it is written: in minutes where those are written."""

    @property
    def sentence(self) -> str:
        return f"{self.text} {self.bounds}."


class _Thing(NamedTuple):
    kind: Literal["co2", "energy"]
    area: str | None
    """Where it is what people know: `US` stands for North America, `EU` for Europe."""
    amount: Interval
    """What one of it takes: g CO2e or Wh."""
    counted: Literal["number", "hours"]
    part: str
    """What stands for less than one, for exactly one and for more."""
    one: str
    many: str


@cache
def _things() -> dict[str, _Thing]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {
            row["id"]: _Thing(
                "co2" if row["kind"] == "co2" else "energy",
                row["area"] or None,
                Interval(float(row["low"]), float(row["best"]), float(row["high"])),
                "hours" if row["counted"] == "hours" else "number",
                row["part"] or row["many"],
                row["one"],
                row["many"],
            )
            for row in csv.DictReader(file)
            if row["kind"] in ("co2", "energy")
        }


def equivalent_of(energy_j: Interval | None, emissions_g: Interval | None, place: Place) -> tuple[str, str] | None:
    """The one equivalent of a session: what it says and its range, both for people; None where nothing reads well.

    Args:
        energy_j: None where unknown.
        emissions_g: None where unknown, also where any part was counted with the region unknown.
        place: the grid, which decides what people know.
    """
    found = choose(energy_j, emissions_g, place.region if place.known else None)
    return None if found is None else (found.text, found.bounds)


def choose(energy_j: Interval | None, emissions_g: Interval | None, region_id: str | None) -> Equivalent | None:
    """The same by a region's id, None where the region is unknown: then emissions count for nothing."""
    area = None if region_id is None else _area(region_id)
    for name, least, most in _BEST_READ:
        thing = _things()[name]
        if thing.area is not None and thing.area != area:
            continue
        if thing.kind == "energy":
            amount = None if energy_j is None else energy_j.scaled(1.0 / _JOULES_PER_WH)
        else:
            amount = None if region_id is None else emissions_g
        if amount is None or amount.best <= 0.0:
            continue
        found = _counted(name, thing, amount.times(_inverse(thing.amount)))
        if least <= found.number < most:
            return found
    return None


def _counted(name: str, thing: _Thing, count: Interval) -> Equivalent:
    if thing.counted == "hours":
        figures = written.span_range(count.scaled(_HOUR_S))
        return Equivalent(name, thing.many.format(figures.best), figures.bounds, _number(figures.figure))
    figures = written.count_range(count)
    number = _number(figures.figure)
    words = thing.one if number == 1.0 else thing.part if number < 1.0 else thing.many
    return Equivalent(name, words.format(figures.figure), figures.bounds, number)


def _number(figure: str) -> float:
    """A written figure as a number; one that is too small to be written is as good as none."""
    return 0.0 if figure.startswith("<") else float(figure)


def _inverse(amount: Interval) -> Interval:
    return Interval(1.0 / amount.high, 1.0 / amount.best, 1.0 / amount.low)


def _area(region_id: str) -> str | None:
    """Whose cars and households are meant; None where the table has those of nobody near."""
    try:
        if country(region_id) in ("US", "CA"):
            return "US"
        return "EU" if continent(region_id) == "Europe" else None
    except KeyError:
        return None
