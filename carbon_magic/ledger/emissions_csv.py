"""One line of CodeCarbon's `emissions.csv`, read and checked: figures in our units, and nothing taken in that is none.

The file is somebody else's. A line is refused, with the reason, where a number is none, is negative or not finite, or
where its times make no sense; text is made harmless and cut. Energies are brought to the chips' pins by dividing by the
PUE that CodeCarbon multiplied them with.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from carbon_magic.grid.intensity import JOULES_PER_KWH
from carbon_magic.ledger.check import LARGEST
from carbon_magic.ledger.codecarbon import MODES, NO_PROJECT, OURS
from carbon_magic.views.plain import clean

NEEDED = ("timestamp", "duration", "emissions", "energy_consumed")
"""Without these a file is none of CodeCarbon's. All its versions from 2.0 on have them."""

_EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)
_PARTS_AGREE = 1e-6
"""Parts that differ from the whole by more than this, relatively, are not its parts."""


class NotCodeCarbonError(Exception):
    """The file is none that CodeCarbon writes for runs; the message says what it is instead."""


class RefusedError(Exception):
    """A line is not taken in; the message says why."""


@dataclass(slots=True)
class Line:
    """One line of the file, checked. Energies in joules at the pins, emissions in grams."""

    run_id: str
    project: str | None
    ended: datetime
    duration_s: float
    energy_j: float | None
    emissions_g: float | None
    parts_j: tuple[float | None, float | None, float | None]
    pue: float
    place: tuple[str, ...]
    mode: str
    version: str
    python: str
    platform: str


def header(reader: Iterator[list[str]]) -> list[str]:
    """The columns that the file's first line names.

    Raises:
        NotCodeCarbonError: they are not those of CodeCarbon's list of runs.
    """
    try:
        columns = [name.strip() for name in next(reader, [])]
    except csv.Error:
        columns = []
    if "task_name" in columns:
        raise NotCodeCarbonError("it lists the tasks of one run: import the emissions.csv that holds their sum")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise NotCodeCarbonError(f"it is no emissions.csv of CodeCarbon: it has no column {missing[0]!r}")
    return columns


def rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | None]]:
    """Each line with its number, None for one that is no CSV. Empty lines and headers of joined files are no rows."""
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, None
            continue
        if cells and not {"timestamp", "duration"} <= set(cells):
            yield number, cells


def checked_line(values: dict[str, str], latest: datetime) -> Line:
    """A line by its columns.

    Args:
        values: the cells by their columns' names.
        latest: a run that ended later is refused.

    Raises:
        RefusedError: a figure or a time makes no sense.
    """
    duration_s = _number(values, "duration")
    if duration_s is None:
        raise RefusedError("no duration")
    pue = _number(values, "pue")
    if pue is None:
        pue = 1.0
    elif not 1.0 <= pue <= 10.0:
        raise RefusedError(f"a pue of {pue:g}")
    kwh, kg = _number(values, "energy_consumed"), _number(values, "emissions")
    energy_j = None if kwh is None else kwh * JOULES_PER_KWH / pue
    parts = [_number(values, f"{name}_energy") for name in ("cpu", "gpu", "ram")]
    if not parts[1] and values.get("gpu_count", "").strip() in ("", "0", "0.0"):
        parts[1] = None  # it saw no GPU, which does not mean that there is none
    agree = kwh is not None and math.isclose(sum(part or 0.0 for part in parts), kwh, rel_tol=_PARTS_AGREE)
    cpu_j, gpu_j, dram_j = (None if part is None or not agree else part * JOULES_PER_KWH / pue for part in parts)
    version = clean(values.get("codecarbon_version", ""), 60)
    return Line(
        run_id=values.get("run_id", "").strip()[:200] or f"{values['timestamp']}/{values['duration']}/{kwh}/{kg}",
        project=_text(values, "project_name"),
        ended=_ended(values["timestamp"].strip(), duration_s, latest),
        duration_s=duration_s,
        energy_j=energy_j,
        emissions_g=None if kg is None else kg * 1000,
        parts_j=(cpu_j, gpu_j, dram_j),
        pue=pue,
        place=tuple(
            values.get(name, "").strip()[:100]
            for name in ("country_iso_code", "country_name", "region", "cloud_provider", "cloud_region")
        ),
        mode=mode if (mode := values.get("tracking_mode", "").strip()) in MODES else "unknown",
        version=version if version.startswith(OURS) else f"codecarbon {version}".strip(),
        python=_text(values, "python_version") or "unknown",
        platform=_text(values, "os") or "unknown",
    )


def _number(values: dict[str, str], name: str) -> float | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # Python takes 1_0 for 10, other readers for no number. Ten decimal powers are left for the change of units.
    if "_" in text or not 0.0 <= number <= LARGEST / 1e10:
        raise RefusedError(f"{name} is {clean(text, 20)!r}")
    return number


def _text(values: dict[str, str], name: str) -> str | None:
    text = clean(values.get(name, ""), 200)
    return text if text and text != NO_PROJECT else None


def _ended(text: str, duration_s: float, latest: datetime) -> datetime:
    try:
        ended = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
        started = ended - timedelta(seconds=duration_s)
    except (ValueError, OverflowError, OSError):
        raise RefusedError(f"timestamp is {clean(text, 30)!r}") from None
    if started < _EARLIEST or ended > latest:
        raise RefusedError(f"a run from {started:%Y-%m-%d} to {ended:%Y-%m-%d}")
    return ended
