"""Which regions a comparison lists: those that were named, those that fit what was asked for, or else a few that show
how far apart grids are.

Filters hold all at once. What was named is listed whether it fits them or not. Nothing is chosen silently: where nobody
named a region, a sentence says how these came to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from carbon_magic.grid.geography import in_eu, near
from carbon_magic.grid.regions import WORLD, Region, all_regions, by_id, region
from carbon_magic.grid.table import PROVIDERS
from carbon_magic.snapshot import Place

SPREAD = ("SE", "FR", "CA-QC", "GB", "US", "DE", "CN", "PL", "IN", WORLD)
"""Grids from low to high on four continents, and the mean of the world."""


class Wanted(NamedTuple):
    """What was asked for."""

    named: tuple[str, ...] = ()
    """As it was typed: ids, names, codes, a cloud's own spelling."""
    same_provider: bool = False
    eu: bool = False
    near_km: float | None = None

    @property
    def filters(self) -> bool:
        return self.same_provider or self.eu or self.near_km is not None


class Choice(NamedTuple):
    """The ids to compare, and how they came to be where nobody named them."""

    ids: tuple[str, ...]
    said: str = ""


def choose_regions(here: Place, wanted: Wanted) -> Choice:
    """The regions to compare with here.

    Raises:
        UnknownRegion: a name is that of no region, or of more than one; the nearest, or all of them, are named.
        ValueError: a filter cannot be applied to where here is.
    """
    named = [region(name).id for name in wanted.named]
    if wanted.filters:
        found = [row.id for row in _filtered(here, wanted)]
        return Choice(tuple(dict.fromkeys([*named, *found])), _filter_words(here, wanted, len(found)))
    if named:
        return Choice(tuple(dict.fromkeys(named)))
    return _default(here)


def _default(here: Place) -> Choice:
    row = _row(here)
    how = "Others: name them, or give --eu, --near 1000km or --same-provider."
    if row is not None and row.provider is not None:
        ids = tuple(other.id for other in all_regions() if other.provider == row.provider)
        return Choice(ids, f"Nobody named any: all regions of {PROVIDERS.get(row.provider, row.provider)}. {how}")
    return Choice(SPREAD, f"Nobody named any: a spread from low to high, and the mean of the world. {how}")


def _filtered(here: Place, wanted: Wanted) -> Sequence[Region]:
    row = _row(here)
    rows = [other for other in all_regions() if other.kind != "world" and other.id != here.region]
    if wanted.same_provider:
        if row is None or row.provider is None:
            raise ValueError(f"--same-provider: here, {here.name}, is no cloud region")
        rows = [other for other in rows if other.provider == row.provider]
    if wanted.eu:
        rows = [other for other in rows if in_eu(other.id)]
    if wanted.near_km is not None:
        if row is None:
            where = f"{here.name} has no place on the map" if here.known else "it is not known where here is"
            raise ValueError(f"--near: {where}")
        try:
            around = {other.id for other, _ in near(row.id, wanted.near_km)}
        except ValueError as error:
            raise ValueError(f"--near: {error}") from None
        rows = [other for other in rows if other.id in around]
    return rows


def _row(here: Place) -> Region | None:
    """Here, as the table has it; None where it is unknown or the user's own."""
    if not here.known:
        return None
    try:
        return by_id(here.region)
    except KeyError:
        return None


def _filter_words(here: Place, wanted: Wanted, count: int) -> str:
    said = ["of the same provider"] if wanted.same_provider else []
    said += ["in the European Union"] if wanted.eu else []
    said += [f"within {wanted.near_km:.0f} km"] if wanted.near_km is not None else []
    return f"{count} region{'s'[: count != 1]} {', '.join(said)}." if count else f"No region is {', '.join(said)}."
