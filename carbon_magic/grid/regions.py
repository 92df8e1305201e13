"""The regions: what a kilowatt-hour of each grid emits, by id, and how a region is found by what people type.

The table is read once, when the first region is asked for, and kept as plain rows; a row becomes a `Region` only when
someone wants it. What people type is matched exactly or not at all: a name that fits two regions raises with both, a
name that fits none raises with the nearest, because a silently wrong grid is a wrong figure.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

DATA_VERSION = "2026-11-23"
"""The edition of the tables in `carbon_magic/data`; every record carries it."""

WORLD = "WORLD"

Kind = Literal["world", "country", "subdivision", "cloud"]
Basis = Literal["lifecycle", "direct"]
Method = Literal["published", "ratio", "mix", "scope3", "grid"]

SOURCES = {
    "ember2026": "Ember",
    "ember2025": "Ember via Our World in Data",
    "egrid2022": "US EPA eGRID",
    "egrid2023": "US EPA eGRID",
    "eccc2026": "Environment Canada",
    "dcceew2025": "Australian DCCEEW",
    "mee2023": "China MEE",
    "google2024": "Google",
}
"""Key in the table -> the short name people see. Titles, years and licences: `data/README.md`."""

_TABLE = Path(__file__).parent.parent / "data" / "regions.csv"
_NEAREST = 5
_LONGEST_ASKED = 100


class UnknownRegion(ValueError):  # noqa: N818 - what is wrong with the value, not a state of the program
    """No region, or more than one, goes by what was asked for. The message names the candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One row of the table. Intensities are in g CO2e/kWh, annual averages; coordinates in degrees."""

    id: str
    """ISO 3166-1 alpha-2, ISO 3166-2, `US-EGRID-xxxx`, `aws:`, `gcp:` or `azure:` and the provider's name, `WORLD`."""
    kind: Kind
    name: str
    parent: str | None
    iso3: str | None
    provider: str | None
    city: str | None
    latitude: float | None
    longitude: float | None
    intensity_g_per_kwh: float
    """As published, on its own `basis`; of a cloud region whose provider publishes none, its grid's."""
    intensity_low: float | None
    intensity_high: float | None
    range_years: str | None
    """The years between whose figures low and high lie, or `scope` where they are scope 2 and scope 2 + 3."""
    basis: Basis
    mix_basis: Literal["production", "consumption"]
    lifecycle_g_per_kwh: float
    """On the one basis of every comparison."""
    lifecycle_method: Method
    second_g_per_kwh: float | None
    """What an independent source implies for this row on the life-cycle basis, where there is one."""
    pue: float | None
    pue_year: int | None
    cfe_percent: float | None
    subdivision: str | None
    grid_region: str | None
    """The region whose life-cycle figure a cloud region has, or None where it is its own."""
    year: int
    """Of the published figure. The life-cycle figure of a cloud region has the year of its grid region."""
    source: str
    """A key of `SOURCES`."""
    note: str | None

    @property
    def title(self) -> str:
        """The name for people; a cloud region's with its provider and id: `AWS eu-north-1, Europe (Stockholm)`."""
        if self.provider is None:
            return self.name
        provider = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}.get(self.provider, self.provider)
        short = self.id.partition(":")[2]
        if self.name.startswith(short):
            return f"{provider} {self.name}"
        return f"{provider} {short}, {self.name}"


class _Table(NamedTuple):
    columns: tuple[str, ...]
    rows: dict[str, list[str]]
    """By id as it is written."""
    exact: dict[str, str]
    """Case-folded id -> id."""
    loose: dict[str, list[str]]
    """Case-folded name, ISO3 or cloud spelling without its provider -> ids."""


@cache
def _table() -> _Table:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = tuple(next(reader))
        listed = list(reader)
    kind, name, iso3 = columns.index("kind"), columns.index("name"), columns.index("iso3")
    rows: dict[str, list[str]] = {}
    exact: dict[str, str] = {}
    loose: dict[str, list[str]] = {}
    for row in listed:
        region_id = row[0]
        rows[region_id] = row
        exact[region_id.casefold()] = region_id
        loose.setdefault(row[name].casefold(), []).append(region_id)
        if row[kind] == "country":
            loose.setdefault(row[iso3].casefold(), []).append(region_id)
        elif row[kind] == "cloud":
            loose.setdefault(region_id.partition(":")[2].casefold(), []).append(region_id)
    return _Table(columns, rows, exact, loose)


_YEARS = frozenset({"year", "pue_year"})


def _is_number(column: str) -> bool:
    return column.endswith(("_per_kwh", "itude", "_low", "_high", "_percent")) or column == "pue"


@cache
def by_id(region_id: str) -> Region:
    """The region with exactly this id, as the table writes it.

    Raises:
        KeyError: there is none.
    """
    table = _table()
    values: dict[str, object] = {}
    for column, text in zip(table.columns, table.rows[region_id], strict=True):
        if text == "":
            values[column] = None
        elif _is_number(column):
            values[column] = float(text)
        elif column in _YEARS:
            values[column] = int(text)
        else:
            values[column] = text
    return Region(**values)  # type: ignore[arg-type]


def region(asked: str) -> Region:
    """The region that goes by `asked`: an id, an ISO3 code, a name, or a cloud's own spelling (`europe-west9`).

    Upper and lower case are the same. An id wins over a name.

    Raises:
        UnknownRegion: none does (the nearest are named) or several do (all are named).
    """
    table = _table()
    key = asked.strip().casefold()
    found = table.exact.get(key)
    if found is not None:
        return by_id(found)
    candidates = table.loose.get(key, [])
    if len(candidates) == 1:
        return by_id(candidates[0])
    if candidates:
        raise UnknownRegion(f'"{_shown(asked.strip())}" is more than one region: {_listed(candidates)}.')
    raise UnknownRegion(_none_such(asked.strip()))


def intensities_of_countries() -> list[float]:
    """Lifecycle intensity of every country in g CO2e/kWh, lowest first."""
    table = _table()
    kind, lifecycle = table.columns.index("kind"), table.columns.index("lifecycle_g_per_kwh")
    return sorted(float(row[lifecycle]) for row in table.rows.values() if row[kind] == "country")


def all_regions() -> tuple[Region, ...]:
    """Every region, in the table's order: the world, countries, subdivisions, clouds."""
    return tuple(by_id(region_id) for region_id in _table().rows)


def complete(prefix: str) -> list[str]:
    """The ids that begin with `prefix`, whatever its case: for tab completion."""
    start = prefix.casefold()
    return [region_id for folded, region_id in _table().exact.items() if folded.startswith(start)]


def nearest(asked: str, count: int = _NEAREST) -> list[Region]:
    """The regions whose id or name looks most like `asked`, best first. May be empty."""
    from difflib import SequenceMatcher

    table = _table()
    key = asked.strip().casefold()[:_LONGEST_ASKED]
    if not key:
        return []
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(key)
    scores: dict[str, float] = {}
    for written, ids in [*((folded, [found]) for folded, found in table.exact.items()), *table.loose.items()]:
        matcher.set_seq1(written)
        if matcher.real_quick_ratio() < 0.5 or matcher.quick_ratio() < 0.5:
            continue
        # Of equally similar spellings the one that begins alike is meant more often.
        score = matcher.ratio() + 0.1 * (written[:1] == key[:1]) + 0.2 * (written.startswith(key))
        if score >= 0.6:
            for region_id in ids:
                scores[region_id] = max(score, scores.get(region_id, 0.0))
    best = sorted(scores, key=lambda region_id: (-scores[region_id], region_id))[:count]
    return [by_id(region_id) for region_id in best]


def _listed(ids: list[str]) -> str:
    return ", ".join(f"{found} ({_placed(by_id(found))})" for found in ids)


def _shown(asked: str) -> str:
    """What was asked for as a message may repeat it: short, and nothing that a terminal would obey."""
    short = asked if len(asked) <= 40 else asked[:39] + "…"
    return "".join(char if char.isprintable() else "?" for char in short)


def _placed(row: Region) -> str:
    """A subdivision's name with its country's, because Georgia is both."""
    if row.kind == "subdivision" and row.parent is not None:
        return f"{row.name}, {by_id(row.parent).name}"
    return row.name


def _none_such(asked: str) -> str:
    shown = _shown(asked)
    ids = [found.id for found in nearest(asked)]
    if not ids:
        return f'No region "{shown}". Give a country (FR), a state (US-CA) or a cloud region (aws:eu-north-1).'
    return f'No region "{shown}". Nearest: {_listed(ids)}.'
