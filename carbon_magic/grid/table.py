"""The table of regions: what a kilowatt-hour of each grid emits, one row per region, as it ships.

It is read once, when the first region is asked for, and kept as plain rows; a row becomes a `Region` only when someone
wants it. What people put into `CARBON_MAGIC_DATA` is laid over it (`override.py`). A file of theirs that cannot be used
changes nothing here and raises nothing, because a notebook must load: `problems` says so, and `require` raises it where
somebody asks for a figure by name.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

DATA_VERSION = "2026-11-23"
"""The edition of the tables in `carbon_magic/data`; every record carries it (`data_version`)."""

WORLD = "WORLD"
VARIABLE = "CARBON_MAGIC_DATA"

Kind = Literal["world", "country", "subdivision", "cloud", "own"]
Basis = Literal["lifecycle", "direct"]
Method = Literal["published", "ratio", "mix", "scope3", "grid", "own"]

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
"""Key in the table -> the short name people see. Titles, years and licences: `data/README.md`. What people give
themselves has its own words in place of a key; `Region.publisher` is right for both."""

PROVIDERS = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}

DATA = Path(__file__).parent.parent / "data"


class UnknownRegion(ValueError):  # noqa: N818 - what is wrong with the value, not a state of the program
    """No region, or more than one, goes by what was asked for. The message names the candidates."""


class DataFileError(ValueError):
    """What `CARBON_MAGIC_DATA` names cannot be used; the message says which line and column, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One row of the table. Intensities are in g CO2e/kWh, annual averages; coordinates in degrees."""

    id: str
    """ISO 3166-1 alpha-2, ISO 3166-2, `US-EGRID-xxxx`, `aws:`, `gcp:` or `azure:` and the provider's name, `WORLD`."""
    kind: Kind
    """`own` for a row that only `CARBON_MAGIC_DATA` has."""
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
    mix_basis: Literal["production", "consumption"] | None
    lifecycle_g_per_kwh: float
    """On the one basis of every comparison."""
    lifecycle_method: Method
    """`own` where `CARBON_MAGIC_DATA` gave the figure."""
    second_g_per_kwh: float | None
    """What an independent source implies for this row on the life-cycle basis, where there is one."""
    pue: float | None
    pue_year: int | None
    cfe_percent: float | None
    subdivision: str | None
    grid_region: str | None
    """The region whose life-cycle figure a cloud region has, or None where it is its own."""
    year: int | None
    """Of the published figure. The life-cycle figure of a cloud region has the year of its grid region."""
    source: str
    """A key of `SOURCES`, or people's own words."""
    note: str | None

    @property
    def title(self) -> str:
        """The name for people; a cloud region's with its provider and id: `AWS eu-north-1, Europe (Stockholm)`."""
        if self.provider is None:
            return self.name
        provider = PROVIDERS.get(self.provider, self.provider)
        short = self.id.partition(":")[2]
        if self.name.startswith(short):
            return f"{provider} {self.name}"
        return f"{provider} {short}, {self.name}"

    @property
    def publisher(self) -> str:
        """Short, for people: who published the figure."""
        return SOURCES.get(self.source, self.source)


class Table(NamedTuple):
    columns: tuple[str, ...]
    rows: dict[str, list[str]]
    """By id as it is written."""
    version: str
    """`DATA_VERSION`, with a mark of the file that is laid over the table where there is one."""
    trouble: str | None
    """Why what `CARBON_MAGIC_DATA` names is not used."""


@cache
def table() -> Table:
    """The whole table, with what people laid over it."""
    with (DATA / "regions.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = tuple(next(reader))
        rows = {row[0]: row for row in reader}
    over = os.environ.get(VARIABLE, "").strip()
    if not over:
        return Table(columns, rows, DATA_VERSION, None)
    from carbon_magic.grid.override import laid_over

    try:
        rows, mark = laid_over(columns, rows, Path(over).expanduser())
    except (DataFileError, RuntimeError) as error:  # RuntimeError: `~` of somebody without a home
        return Table(columns, rows, DATA_VERSION, f"{VARIABLE}: {error}")
    return Table(columns, rows, f"{DATA_VERSION}+{mark}", None)


def data_version() -> str:
    """The edition that figures are made with: `2026-11-23`, or `2026-11-23+own.1a2b3c4d` with a file laid over it,
    whose content the last part is a mark of."""
    return table().version


def problems() -> list[str]:
    """Why what `CARBON_MAGIC_DATA` names is not used, in words; nothing where it is, or where nothing is named."""
    if not os.environ.get(VARIABLE, "").strip():
        return []  # without reading the table
    trouble = table().trouble
    return [] if trouble is None else [f"{trouble}; the tables that ship are used."]


def require() -> None:
    """Make sure that what people said the figures are is what is used.

    Raises:
        DataFileError: `CARBON_MAGIC_DATA` names a file that cannot be used.
    """
    if os.environ.get(VARIABLE, "").strip():
        trouble = table().trouble
        if trouble is not None:
            raise DataFileError(trouble)


_YEARS = frozenset({"year", "pue_year"})
NUMBERS = frozenset(
    {
        "latitude",
        "longitude",
        "intensity_g_per_kwh",
        "intensity_low",
        "intensity_high",
        "lifecycle_g_per_kwh",
        "second_g_per_kwh",
        "pue",
        "cfe_percent",
    }
)


@cache
def by_id(region_id: str) -> Region:
    """The region with exactly this id, as the table writes it.

    Raises:
        KeyError: there is none.
    """
    found = table()
    values: dict[str, object] = {}
    for column, text in zip(found.columns, found.rows[region_id], strict=True):
        if text == "":
            values[column] = None
        elif column in NUMBERS:
            values[column] = float(text)
        elif column in _YEARS:
            values[column] = int(text)
        else:
            values[column] = text
    return Region(**values)  # type: ignore[arg-type]


def all_regions() -> tuple[Region, ...]:
    """Every region, in the table's order: the world, countries, subdivisions, clouds, people's own."""
    return tuple(by_id(region_id) for region_id in table().rows)


@cache
def intensities_of_countries() -> tuple[float, ...]:
    """Lifecycle intensity of every country in g CO2e/kWh, lowest first."""
    found = table()
    kind, lifecycle = found.columns.index("kind"), found.columns.index("lifecycle_g_per_kwh")
    return tuple(sorted(float(row[lifecycle]) for row in found.rows.values() if row[kind] == "country"))
