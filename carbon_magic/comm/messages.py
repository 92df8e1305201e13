"""The messages of the comm as plain values that JSON can hold: `views/browser/types.d.ts` is their page.

Unknown is None, numbers are finite, texts and lists are bounded. Times are seconds since 1970.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from carbon_magic import __version__
from carbon_magic.comm.lease import LEASE_S, QUIET_S
from carbon_magic.comm.samples import Sample
from carbon_magic.grid.table import VARIABLE
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.cumulative import Gauge
from carbon_magic.power.sensor import DOMAINS, Domain, Provenance
from carbon_magic.power.share import WEAKER
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place, RunningCell, Snapshot

PROTOCOL = 1
"""Another number has another meaning; what is added keeps it."""
TARGET = "carbon_magic"
MOST_CELLS = 100
"""So many cells at most stand in a history: half of them the dearest, the others the latest."""
MOST_SAMPLES = 300
MOST_PROBLEMS = 10
MOST_REGIONS = 500
LONGEST = 300

Message = dict[str, Any]

_STATES: dict[Provenance | None, str] = {
    "measured": "Measured",
    "modelled": "Modelled",
    "assumed": "Assumed",
    None: "None found",
}


def state(snapshot: Snapshot, candidates: Sequence[Candidate], now: float, *, keep_live: bool = False) -> Message:
    """Whether and how this kernel is tracked."""
    return {
        "type": "state",
        "protocol": PROTOCOL,
        "version": __version__,
        "session_id": snapshot.session_id,
        "now": now,
        "started_at": _seconds(snapshot.started_at),
        "tracking": snapshot.tracking,
        "region": region(snapshot.place),
        "sources": [*_sources(candidates), _grid(snapshot.place)],
        "problems": [_text(problem) for problem in snapshot.problems[:MOST_PROBLEMS]],
        "regions": _own_regions(),
        "leases": {"lease_s": LEASE_S, "quiet_s": QUIET_S, "keep_live": keep_live},
    }


def region(place: Place) -> Message:
    """The grid in use."""
    return {
        "id": place.region if place.known else None,
        "name": _text(place.name, 120),
        "source": _text(place.source, 40),
        "found": _found(place),
        "intensity": interval(place.intensity_g_per_kwh),
        "intensity_source": _text(place.intensity_source, 120),
        "intensity_year": place.intensity_year,
        "pue": number(place.pue),
    }


def _own_regions() -> list[list[Any]]:
    """Rows of the user's own, which the browser's table has not; nothing is read where there is no such file."""
    if not os.environ.get(VARIABLE, "").strip():
        return []
    from carbon_magic.views.browser_table import own_rows

    return own_rows()[:MOST_REGIONS]


def _found(place: Place) -> str:
    """How it was found, as a sentence begins."""
    from carbon_magic.views.parts import found_words

    words = place.found or ("" if not place.known else found_words(place.source))
    return _text(words[:1].upper() + words[1:])


def totals(snapshot: Snapshot, candidates: Sequence[Candidate], now: float) -> Message:
    """What the session has cost so far."""
    from carbon_magic.grid.equivalents import equivalent_of

    known_g = snapshot.emissions_g if snapshot.emissions_known else None
    pictured = equivalent_of(snapshot.energy_j, known_g, snapshot.place)
    return {
        "now": now,
        "duration_s": number(snapshot.duration_s),
        "energy_j": interval(snapshot.energy_j),
        "machine_energy_j": interval(snapshot.machine_energy_j),
        "between_j": interval(snapshot.between_cells_j),
        "emissions_g": interval(snapshot.emissions_g),
        "emissions_known": snapshot.emissions_known,
        "power_w": number(snapshot.power_w),
        "mean_power_w": number(snapshot.mean_power_w),
        "domains": {
            domain: {
                "energy_j": interval(total.energy_j),
                "power_w": number(total.power_w),
                "provenance": total.provenance,
                "origin": _origin(domain, total.provenance, candidates),
                "counts": _counts(domain, candidates),
            }
            for domain, total in snapshot.domains.items()
            if domain != "other"
        },
        "measured_part": _measured_part(snapshot),
        "equivalent": {"text": pictured[0], "bounds": pictured[1]} if pictured else None,
    }


def tick(snapshot: Snapshot, sums: Message, samples: Sequence[Sample]) -> Message:
    """The present moment; `sums` are the totals."""
    return {
        "type": "tick",
        "session_id": snapshot.session_id,
        "totals": sums,
        "running": [running(cell, snapshot.place) for cell in snapshot.running],
        "samples": rows(samples),
    }


def record(cell: CellRecord, sums: Message | None) -> Message:
    """A cell that has ended, with the totals after it, where no other record follows at once."""
    return {"type": "record", "session_id": cell.session_id, "cell": ended(cell), "totals": sums}


def history(snapshot: Snapshot, samples: Sequence[Sample]) -> Message:
    """What there is so far."""
    records = snapshot.records
    chosen = {one.record_id: one for one in records[-MOST_CELLS // 2 :]}
    for one in sorted(records, key=lambda one: -(one.energy_j or 0.0))[: MOST_CELLS - len(chosen)]:
        chosen.setdefault(one.record_id, one)
    known = [one.energy_j for one in records if one.energy_j is not None]
    return {
        "type": "history",
        "session_id": snapshot.session_id,
        "cells": [ended(one) for one in records if one.record_id in chosen],
        "count": len(records),
        "cells_energy_j": number(math.fsum(known)) if known else None,
        "samples": rows(samples),
    }


def refused(what: str, why: str) -> Message:
    """What was asked for cannot be done."""
    return {"type": "refused", "what": what, "why": _text(why)}


def chart(model_id: str) -> Message:
    """The power chart's widget."""
    return {"type": "chart", "model_id": model_id}


def ended(cell: CellRecord) -> Message:
    """A finished cell."""
    parts: dict[Domain, tuple[float | None, Provenance | None]] = {
        "cpu": (cell.cpu_energy_j, cell.cpu_provenance),
        "gpu": (cell.gpu_energy_j, cell.gpu_provenance),
        "dram": (cell.dram_energy_j, cell.dram_provenance),
    }
    provenances = [provenance for energy, provenance in parts.values() if energy is not None and provenance]
    return {
        "record_id": cell.record_id,
        "cell_id": cell.cell_id,
        "execution_count": cell.execution_count,
        "label": _text(cell.label, 120) if cell.label is not None else None,
        "status": cell.status,
        "final": cell.final,
        "concurrent": cell.concurrent,
        "started_at": _seconds(cell.started_at),
        "duration_s": number(cell.duration_s),
        "energy_j": _three(cell.energy_j_low, cell.energy_j, cell.energy_j_high),
        "emissions_g": _three(cell.emissions_g_low, cell.emissions_g, cell.emissions_g_high),
        "region_known": cell.region_source != "unknown",
        "domains": {domain: number(energy) for domain, (energy, _) in parts.items() if energy is not None},
        "provenance": max(provenances, key=WEAKER.__getitem__) if provenances else None,
        "below_resolution": cell.below_resolution,
    }


def running(cell: RunningCell, place: Place) -> Message:
    """A cell that has not ended."""
    from carbon_magic.grid.intensity import emissions

    grams = None if cell.energy is None else emissions(cell.energy, place)
    return {
        "record_id": cell.record_id,
        "cell_id": cell.cell_id,
        "execution_count": cell.execution_count,
        "label": _text(cell.label, 120) if cell.label is not None else None,
        "status": "running",
        "final": False,
        "concurrent": False,
        "started_at": _seconds(cell.started_at),
        "duration_s": number(cell.duration_s),
        "energy_j": interval(cell.energy),
        "emissions_g": interval(grams),
        "region_known": place.known,
        "domains": {},
        "provenance": None,
        "below_resolution": False,
    }


def rows(samples: Sequence[Sample]) -> list[list[float | None]]:
    """Samples with a tenth of a second and a hundredth of a watt, which is all that a chart can show."""
    return [[round(one.time, 1), *(None if watts is None else round(watts, 2) for watts in one[1:])] for one in samples]


def interval(value: Interval | None) -> list[float] | None:
    """Low, best, high."""
    return None if value is None else _three(value.low, value.best, value.high)


def number(value: float | None) -> float | None:
    """Six digits of a finite number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def _three(low: float | None, best: float | None, high: float | None) -> list[float] | None:
    found = [number(value) for value in (low, best, high)]
    return None if None in found else [value for value in found if value is not None]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _text(text: object, most: int = LONGEST) -> str:
    """Bounded, and without halves of surrogate pairs, which no message can carry."""
    return str(text)[:most].encode("utf-8", "replace").decode("utf-8")


def _measured_part(snapshot: Snapshot) -> float | None:
    whole = math.fsum(total.energy_j.best for total in snapshot.domains.values())
    if whole <= 0.0:
        return None
    measured = math.fsum(total.energy_j.best for total in snapshot.domains.values() if total.provenance == "measured")
    return number(measured / whole)


def _origin(domain: Domain, provenance: Provenance, candidates: Sequence[Candidate]) -> str:
    from carbon_magic.views.parts import origin

    return origin(domain, provenance, (item.name for item in candidates if item.used and item.domain == domain))


def _counts(domain: Domain, candidates: Sequence[Candidate]) -> bool:
    """Whether all its sensors count joules, and none reads watts, which say little of the time between."""
    sensors = [item.sensor for item in candidates if item.used and item.domain == domain]
    return not any(isinstance(sensor, Gauge) or getattr(sensor, "counts", True) is False for sensor in sensors)


def _sources(candidates: Sequence[Candidate]) -> list[Message]:
    """One line for each domain: the sensor that is used, else why there is none."""
    lines = []
    for domain in DOMAINS[:3]:
        here = [item for item in candidates if item.domain == domain]
        used = [item for item in here if item.used]
        shown = used[0] if used else None
        reason = shown.reason if shown else next((item.reason for item in here), "Nothing was looked for yet.")
        if domain == "dram" and not used and any(item.figures.get("memory_included") for item in candidates):
            reason = "In the figure of the processors."
        lines.append(
            {
                "domain": domain,
                "state": _STATES[shown.provenance if shown else None],
                "provenance": shown.provenance if shown else None,
                "words": _text(reason + (f" And {len(used) - 1} more." if len(used) > 1 else "")),
            }
        )
    return lines


def _grid(place: Place) -> Message:
    from carbon_magic import written

    credit = ", ".join(str(part) for part in (place.intensity_source, place.intensity_year) if part)
    figures = written.intensity_range(place.intensity_g_per_kwh)
    if not place.known:
        words = f"Grids of the world: {figures.alone} ({credit}), 5th to 95th percentile of countries."
        return {"domain": "grid", "state": "Unknown", "provenance": "assumed", "words": _text(words)}
    assumed = place.source == "timezone"
    state = "Assumed" if assumed else "Published"
    words = f"{place.name}: {figures} ({credit}), annual mean, life cycle."
    return {
        "domain": "grid",
        "state": state,
        "provenance": "assumed" if assumed else "modelled",
        "words": _text(words),
    }
