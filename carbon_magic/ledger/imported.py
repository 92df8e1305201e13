"""CodeCarbon's `emissions.csv`, read: each run becomes a session with one record.

What the file does not say stays unknown: how far its figures may be wrong, how each part was obtained, on which host it
was. Emissions stay CodeCarbon's own. A tracker that is flushed or started again writes a further line with the same
`run_id` and the *sum* so far, so the line with the most energy stands for the run [tried with 3.3.2]. Ids are made from
the `run_id`: the same run is the same session however often, and wherever, it is imported.
"""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

from carbon_magic.grid.intensity import JOULES_PER_KWH, place
from carbon_magic.ledger.check import LARGEST, checked_record, checked_session, utc_text
from carbon_magic.ledger.codecarbon import OURS
from carbon_magic.ledger.emissions_csv import Line, NotCodeCarbonError, RefusedError, checked_line, header, rows
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow

MAX_FILE_BYTES = 256 << 20
"""A line has about 400 bytes: more than half a million of them."""
MAX_RUNS = 100_000
"""As many runs of one file are taken in; the file of so many has 50 MB."""
_NAMESPACE = UUID("6f2f3a52-6d0c-5b58-9c0b-2f6d3f0d7a41")
"""Of the ids that are made from a `run_id`: the same run is the same session on every machine."""
_ROUNDED_S = 2.0
"""Two stretches of a run do not begin within this: times are told in whole seconds."""


class Imported(NamedTuple):
    """One run of a file, as a session with one record."""

    session: SessionRow
    record: CellRecord


@dataclass(slots=True)
class ReadFile:
    """What one file holds."""

    runs: list[Imported]
    superseded: int
    """Lines of a run whose later line holds them."""
    refused: list[str]
    """Why a line is not taken in, the first few."""
    refused_count: int


_REASONS_KEPT = 3


@dataclass(slots=True)
class _Run:
    """The lines of one `run_id` so far."""

    best: Line
    lines: list[tuple[datetime, float]]
    """(end, duration) of each."""


def read_codecarbon(path: Path, now: datetime | None = None) -> ReadFile:
    """Read a file that CodeCarbon wrote.

    Times without a zone are taken for this machine's. A line with a number that is none, is not finite or is negative,
    without time or duration, or from the future is refused.

    Raises:
        NotCodeCarbonError: it is another kind of file, or one too large.
        OSError: it cannot be read.
    """
    latest = (now or datetime.now(timezone.utc)) + timedelta(days=1)
    runs: dict[str, _Run] = {}
    result = ReadFile(runs=[], superseded=0, refused=[], refused_count=0)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise NotCodeCarbonError("it is no ordinary file")  # a device has no end, and a pipe may never begin
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise NotCodeCarbonError(f"it has more than {MAX_FILE_BYTES >> 20} MiB")
        reader = csv.reader(file)
        columns = header(reader)
        for number, cells in rows(reader):
            try:
                if cells is None or len(cells) != len(columns):
                    raise RefusedError("not as many cells as columns")
                line = checked_line(dict(zip(columns, cells, strict=True)), latest)
            except RefusedError as error:
                result.refused_count += 1
                if len(result.refused) < _REASONS_KEPT:
                    result.refused.append(f"line {number}: {error}")
                continue
            result.superseded += _take(runs, line)
            if len(runs) > MAX_RUNS:
                raise NotCodeCarbonError(f"it has more than {MAX_RUNS} runs: split it")
    for run in runs.values():
        found = _imported(run)
        if checked_record(found.record.as_dict()) is None or checked_session(asdict(found.session)) is None:
            result.refused_count += 1  # figures that no cell can have
        else:
            result.runs.append(found)
    return result


def _take(runs: dict[str, _Run], line: Line) -> int:
    """Add a line to its run; 1 where the run had one already."""
    run = runs.get(line.run_id)
    if run is None:
        runs[line.run_id] = _Run(line, [(line.ended, line.duration_s)])
        return 0
    run.lines.append((line.ended, line.duration_s))
    if (line.energy_j or 0.0) >= (run.best.energy_j or 0.0):
        run.best = line
    return 1


def _spent(lines: list[tuple[datetime, float]]) -> tuple[datetime, datetime, float]:
    """When a run began and ended, and its time in seconds: lines that begin together are one stretch, and the longest
    of them its length. Times are told in whole seconds."""
    begins = sorted((ended - timedelta(seconds=duration_s), duration_s) for ended, duration_s in lines)
    stretches: list[tuple[datetime, float]] = []
    for began, duration_s in begins:
        if stretches and (began - stretches[-1][0]).total_seconds() <= _ROUNDED_S:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], duration_s))
        else:
            stretches.append((began, duration_s))
    return begins[0][0], max(ended for ended, _ in lines), math.fsum(duration_s for _, duration_s in stretches)


def _imported(run: _Run) -> Imported:
    line = run.best
    started, ended, duration_s = _spent(run.lines)
    session_id = _session_id(line.run_id, line.version.startswith(OURS))
    region = _region_id(line.place)
    where = place(region, "codecarbon")
    low, best, high = where.intensity_g_per_kwh.low, where.intensity_g_per_kwh.best, where.intensity_g_per_kwh.high
    source, year = where.intensity_source, where.intensity_year
    if line.energy_j and line.emissions_g is not None:
        # What CodeCarbon multiplied by. How far that may be wrong it does not say: no further than from our own range.
        best = min(line.emissions_g / (line.energy_j * line.pue / JOULES_PER_KWH), LARGEST)
        low, high, source, year = min(low, best), max(high, best), "CodeCarbon", None
    machine_j = line.energy_j if line.mode == "machine" else None
    cpu_j, gpu_j, dram_j = line.parts_j
    session = SessionRow(
        session_id=session_id,
        kind="imported",
        host="unknown",
        boot_id=None,
        pid=None,
        process_started=None,
        user=None,
        project=line.project,
        notebook=None,
        started_at=utc_text(started),
        heartbeat_at=utc_text(ended),
        ended_at=utc_text(ended),
        ending="ended",
        duration_s=duration_s,
        cells=1,
        energy_j=line.energy_j,
        energy_j_low=None,
        energy_j_high=None,
        between_cells_j=None,
        machine_energy_j=machine_j,
        emissions_g=line.emissions_g,
        emissions_g_low=None,
        emissions_g_high=None,
        region=where.region,
        region_source=where.source,
        scope=line.mode,
        data_version=line.version,
        version=line.version,
        python=line.python,
        platform=line.platform,
    )
    record = CellRecord(
        record_id=uuid5(_NAMESPACE, f"record of {session_id}").hex,
        session_id=session_id,
        project=line.project,
        notebook=None,
        cell_id=None,
        execution_count=None,
        label=None,
        status="ok",
        final=True,
        concurrent=False,
        started_at=session.started_at,
        duration_s=duration_s,
        energy_j=line.energy_j,
        energy_j_low=None,
        energy_j_high=None,
        marginal_energy_j=None,
        idle_energy_j=None,
        machine_energy_j=machine_j,
        machine_energy_j_low=None,
        machine_energy_j_high=None,
        cpu_energy_j=cpu_j,
        gpu_energy_j=gpu_j,
        dram_energy_j=dram_j,
        other_energy_j=None,
        share=None,
        scope=line.mode,
        emissions_g=line.emissions_g,
        emissions_g_low=None,
        emissions_g_high=None,
        region=where.region,
        region_source=where.source,
        intensity_g_per_kwh=best,
        intensity_low=low,
        intensity_high=high,
        intensity_source=source,
        intensity_year=year,
        pue=line.pue,
        data_version=line.version,
        cpu_seconds=None,
        gpu_utilization=None,
        cpu_provenance=None,
        gpu_provenance=None,
        dram_provenance=None,
        sensors=(line.version,),
        version=line.version,
    )
    return Imported(session, record)


def _session_id(run_id: str, ours: bool) -> str:
    """Of an export of our own the id that the session has in the ledger it came from: there it is the `run_id`."""
    if ours:
        try:
            return UUID(run_id).hex
        except ValueError:
            return run_id
    return uuid5(_NAMESPACE, run_id).hex


@lru_cache(maxsize=1000)
def _region_id(named: tuple[str, ...]) -> str | None:
    """The region that a line's columns name: the cloud's, else the part of the country, else the country; else None."""
    from carbon_magic.grid.regions import UnknownRegion, all_regions, region

    iso3, country_name, part, provider, cloud_region = named
    if provider and cloud_region:
        try:
            return region(f"{provider}:{cloud_region}").id
        except UnknownRegion:
            pass  # a cloud region that the table does not have: the country is known all the same
    for asked in (iso3, country_name):
        try:
            country = region(asked)
        except UnknownRegion:
            continue
        if country.kind != "country":
            continue
        parts = (row.id for row in all_regions() if row.parent == country.id and row.kind == "subdivision")
        names = {id_: _folded(id_) for id_ in parts} if part else {}
        return next((id_ for id_, spellings in names.items() if part.casefold() in spellings), country.id)
    return None


def _folded(region_id: str) -> tuple[str, str, str]:
    from carbon_magic.grid.regions import by_id

    return (region_id.casefold(), region_id.partition("-")[2].casefold(), by_id(region_id).name.casefold())
