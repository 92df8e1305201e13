"""CodeCarbon's `emissions.csv`, written for its readers.

One line there is one run of a tracker, and readers add lines up: so one of our sessions is one line, because sessions
never overlap as cells may. Its energies are in kWh and hold the building's PUE, ours stand at the chips' pins and are
multiplied by it. Its emissions are in kg. Its times are those of the clock on the wall, without a zone. It has no
ranges, so of a session whose region is unknown the emissions are left empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TextIO
from uuid import UUID

from carbon_magic import __version__
from carbon_magic.grid.intensity import JOULES_PER_KWH
from carbon_magic.ledger.export import csv_cell
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow

COLUMNS = (
    "timestamp",
    "project_name",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "on_cloud",
    "pue",
    "wue",
)
"""Of the file that CodeCarbon 3.3.2 writes, in its order. 2.0 has no `experiment_id`, `water_consumed`,
`codecarbon_version`, `*_percent`, `ram_used_gb`, `pue` and `wue`; they came with 2.3 to 3.3."""
OURS = "carbon-magic "
"""What `codecarbon_version` begins with in a file that we wrote: there a `run_id` is the id of our session."""
MODES = ("machine", "process")
"""What CodeCarbon's `tracking_mode` may be: the whole machine's energy, or that of the process alone."""
NO_PROJECT = "(no project)"
"""Readers sort the names of projects, which fails where one is empty."""


@dataclass(slots=True)
class _Cells:
    """What the cells of one session say of it beyond its own row."""

    duration_s: float = 0.0
    cpu_j: float | None = None
    gpu_j: float | None = None
    dram_j: float | None = None
    pues: set[float] = field(default_factory=set)
    region_known: bool = True

    def add(self, record: CellRecord) -> None:
        self.pues.add(record.pue)
        self.region_known = self.region_known and record.region_source != "unknown"
        if record.concurrent:
            return  # its energy is in the other cell's as well
        self.duration_s += record.duration_s
        self.cpu_j = _plus(self.cpu_j, record.cpu_energy_j)
        self.gpu_j = _plus(self.gpu_j, record.gpu_energy_j)
        self.dram_j = _plus(self.dram_j, record.dram_energy_j)


def write_codecarbon(sessions: Iterable[SessionRow], records: Iterable[CellRecord], stream: TextIO) -> int:
    """Write a header and a line for each session; give their number.

    `energy_consumed` is the session's whole energy; `cpu_energy`, `gpu_energy` and `ram_energy` are those of its cells
    and leave out what was used between them. Powers are means over the time of the cells, in watts. What is not known
    of a session is empty, also its energy and emissions.

    Args:
        sessions: the sessions to write.
        records: their cells, in any order; those of other sessions are passed over.
        stream: where to.

    Raises:
        OSError: the stream cannot be written.
    """
    listed = list(sessions)
    cells = {row.session_id: _Cells() for row in listed}
    for record in records:
        known = cells.get(record.session_id)
        if known is not None:
            known.add(record)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in listed:
        line = _line(row, cells[row.session_id])
        writer.writerow([csv_cell(line.get(name)) for name in COLUMNS])
    return len(listed)


def _line(row: SessionRow, cells: _Cells) -> dict[str, object]:
    pue = next(iter(cells.pues)) if len(cells.pues) == 1 else 1.0
    known = row.region_source != "unknown" and cells.region_known
    emissions_kg = row.emissions_g / 1000 if row.emissions_g is not None and known else None
    parts = {"cpu": cells.cpu_j, "gpu": cells.gpu_j, "ram": cells.dram_j}
    return {
        "timestamp": datetime.fromisoformat(row.ended_at or row.heartbeat_at)
        .astimezone()
        .strftime("%Y-%m-%dT%H:%M:%S"),
        "project_name": row.project or NO_PROJECT,
        "run_id": _uuid_text(row.session_id),
        "duration": row.duration_s,
        "emissions": emissions_kg,
        "emissions_rate": emissions_kg / row.duration_s if emissions_kg is not None and row.duration_s > 0.0 else None,
        **{f"{name}_energy": _kwh(joules, pue) for name, joules in parts.items()},
        **{
            f"{name}_power": joules * pue / cells.duration_s
            for name, joules in parts.items()
            if joules is not None and cells.duration_s > 0.0
        },
        "energy_consumed": _kwh(row.energy_j, pue),
        **(_place_columns(row.region) if known else {}),
        "os": row.platform,
        "python_version": row.python,
        "codecarbon_version": OURS + __version__,
        "tracking_mode": row.scope if row.kind == "imported" and row.scope in MODES else "process",
        "on_cloud": "Y" if known and ":" in row.region else "N",
        "pue": pue,
    }


@lru_cache(maxsize=1000)
def _place_columns(region_id: str) -> dict[str, object]:
    from carbon_magic.grid.regions import Region, by_id

    try:
        region: Region = by_id(region_id)
        country = region
        while country.kind not in ("country", "world") and country.parent is not None:
            country = by_id(country.parent)
    except KeyError:  # of another edition of the table
        return {}
    columns: dict[str, object] = {"country_name": country.name, "country_iso_code": country.iso3}
    if region.kind == "subdivision":
        columns["region"] = region.name.lower()
    elif region.kind == "cloud":
        columns["cloud_provider"], _, columns["cloud_region"] = region.id.partition(":")
    return columns


def _plus(one: float | None, other: float | None) -> float | None:
    return one if other is None else other + (one or 0.0)


def _kwh(joules: float | None, pue: float) -> float | None:
    return None if joules is None else joules * pue / JOULES_PER_KWH


def _uuid_text(session_id: str) -> str:
    try:
        return str(UUID(session_id))
    except ValueError:
        return session_id
