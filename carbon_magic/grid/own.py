"""Figures of one's own: an intensity in g CO2e/kWh, a mix of power stations, a building's PUE, and a note beside them.

They come from a magic's line, the settings or the environment. An own figure is a life-cycle figure; without a range of
its own it has 40 % either way, as any figure that no second source confirms. Certificates that somebody bought and
offsets do not change what the grid emitted for this work: they are a note, never a subtraction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from carbon_magic.grid.intensity import FLOOR_ALONE, own, place
from carbon_magic.grid.table import DATA, data_version
from carbon_magic.quantity import Interval, sum_independent
from carbon_magic.snapshot import Place

OWN = "own"
"""The region of a record whose intensity is somebody's own figure."""
LOWEST_G_PER_KWH = 0.1
"""Nothing that is built and maintained emits nothing over its life."""
HIGHEST_G_PER_KWH = 5_000.0
MOST_TEXT = 200
SUM_TOLERANCE = 0.01
"""Shares are rounded when they are written down."""
_YEAR_OF_FACTORS = 2014


class OwnFigureError(ValueError):
    """An own figure cannot be; the message says which and why."""


class Said(NamedTuple):
    """What was said in one place: a magic, the settings, the environment."""

    region: str | None = None
    """What `regions.region` understands."""
    intensity_g_per_kwh: float | None = None
    intensity_low: float | None = None
    intensity_high: float | None = None
    intensity_name: str | None = None
    """What the figure is of: "our solar roof"."""
    mix: str | None = None
    """`wind=0.6,gas=0.4`."""
    pue: float | None = None
    note: str | None = None

    @property
    def names_a_grid(self) -> bool:
        return self.region is not None or self.intensity_g_per_kwh is not None or self.mix is not None

    def place(self, source: str, pue: float | None = None) -> Place:
        """The grid that was said, an own figure before a mix before a region, with what `pue` says of the building.

        Raises:
            UnknownRegion: there is no such region.
            ValueError: an own figure, the mix or the PUE cannot be.
        """
        if self.intensity_g_per_kwh is not None:
            figure = checked_intensity(self.intensity_g_per_kwh, self.intensity_low, self.intensity_high)
            name = checked_text("the name of the figure", self.intensity_name or "")
            return _own_place("Own figure", figure, name or "unnamed", None)._replace(source=source, pue=_pue(pue))
        if self.intensity_low is not None or self.intensity_high is not None:
            raise OwnFigureError("a low or high intensity needs the figure that it is a range of")
        if self.mix is not None:
            shares = parse_mix(self.mix)
            mixed = _own_place("Own mix", intensity_of_mix(shares), mix_text(shares), _YEAR_OF_FACTORS)
            return mixed._replace(source=source, pue=_pue(pue))
        return place(self.region, source, pue)


def _own_place(name: str, figure: Interval, credit: str, year: int | None) -> Place:
    return Place(OWN, name, "user", figure, credit, year, 1.0, data_version())


def _pue(said: float | None) -> float:
    """The building's PUE: what was said, where it can be (`place` raises where not), else 1."""
    return place(None, "unknown", said).pue


def checked_intensity(best: float, low: float | None = None, high: float | None = None) -> Interval:
    """The range of an own figure in g CO2e/kWh.

    Raises:
        OwnFigureError: it is no number from 0.1 to 5000, or not between its low and high.
    """
    if not LOWEST_G_PER_KWH <= best <= HIGHEST_G_PER_KWH:
        raise OwnFigureError(
            f"an intensity is a number from {LOWEST_G_PER_KWH:g} to {HIGHEST_G_PER_KWH:g} g/kWh, not {best:g}"
        )
    for bound in (low, high):
        if bound is not None and not 0.0 <= bound <= HIGHEST_G_PER_KWH:
            raise OwnFigureError(f"an intensity is a number up to {HIGHEST_G_PER_KWH:g} g/kWh, not {bound:g}")
    if (low is not None and low > best) or (high is not None and high < best):
        raise OwnFigureError(f"an intensity of {best:g} g/kWh is not between the low and high that were given")
    return own(best, low, high)


def checked_text(what: str, text: str) -> str:
    """A name or note in one line, without what cannot be printed.

    Raises:
        OwnFigureError: it is longer than 200 characters.
    """
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(text) > MOST_TEXT:
        raise OwnFigureError(f"{what} is at most {MOST_TEXT} characters long, not {len(text)}")
    return text


@cache
def fuel_factors() -> Mapping[str, Interval]:
    """By fuel, life-cycle g CO2e/kWh: medians of IPCC AR5 WGIII Annex III (2014), table A.III.2, between its low and
    high; of oil, for which it has no row, the median of IPCC SRREN (2011) with 40 % either way."""
    import csv

    with (DATA / "fuel_factors.csv").open(encoding="utf-8", newline="") as file:
        return {row["fuel"]: _factor(row) for row in csv.DictReader(file)}


def _factor(row: Mapping[str, str]) -> Interval:
    best = float(row["lifecycle_median"])
    if not row["lifecycle_low"]:
        return own(best)
    return Interval(float(row["lifecycle_low"]), best, float(row["lifecycle_high"]))


def parse_mix(text: str) -> dict[str, float]:
    """Shares by fuel, which sum to 1 exactly, from `wind=0.6,gas=0.4` or `wind=60%,gas=40%`.

    Raises:
        OwnFigureError: there is no such fuel (the nearest are named), a share is no number from 0 to 1, or they do not
            sum to 1 within 1 %.
    """
    shares: dict[str, float] = {}
    for part in text[:1000].split(","):
        fuel, equals, written = (piece.strip() for piece in part.partition("="))
        fuel = fuel.casefold()
        if not equals:
            raise OwnFigureError(f"a mix is written wind=0.6,gas=0.4, not {_short(text)}")
        if fuel not in fuel_factors():
            raise OwnFigureError(_no_fuel(fuel))
        if fuel in shares:
            raise OwnFigureError(f"{fuel} is in the mix twice")
        shares[fuel] = _share(fuel, written)
    total = sum(shares.values())
    if abs(total - 1.0) > SUM_TOLERANCE + 1e-9:
        raise OwnFigureError(f"the shares of the mix sum to {total:.3g}, not to 1")
    return {fuel: share / total for fuel, share in shares.items() if share > 0.0}


def _share(fuel: str, written: str) -> float:
    try:
        share = float(written.removesuffix("%")) / (100.0 if written.endswith("%") else 1.0)
    except ValueError:
        share = math.nan
    if not 0.0 <= share <= 1.0:
        raise OwnFigureError(f"the share of {fuel} is a number from 0 to 1, not {_short(written)}")
    return share


def _no_fuel(fuel: str) -> str:
    from difflib import get_close_matches

    fuels = list(fuel_factors())
    near = get_close_matches(fuel, fuels, n=2, cutoff=0.5)
    return f"no fuel {_short(fuel)}. Nearest: {', '.join(near or fuels)}"


def _short(text: str) -> str:
    return '"' + "".join(char if char.isprintable() else "?" for char in text[:40]) + '"'


def intensity_of_mix(shares: Mapping[str, float]) -> Interval:
    """Life-cycle g CO2e/kWh of a mix: each fuel's factor by its share. Their errors are independent of each other; the
    range is at least 40 % either way, as of any figure that no second source confirms."""
    factors = fuel_factors()
    total = sum_independent([factors[fuel].scaled(share) for fuel, share in shares.items()])
    floor, ceiling = total.best * (1 - FLOOR_ALONE), total.best * (1 + FLOOR_ALONE)
    return Interval(min(total.low, floor), total.best, max(total.high, ceiling))


def mix_text(shares: Mapping[str, float]) -> str:
    """`60 % wind, 40 % gas by IPCC`, the largest share first."""
    parts = [f"{100 * share:.3g} % {fuel}" for fuel, share in sorted(shares.items(), key=lambda pair: -pair[1])]
    return f"{', '.join(parts)} by IPCC"
