"""`carbon-magic compare`: what an energy would emit elsewhere, or at another time of day; and what `%carbon compare`
shares with it.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any, NamedTuple

from carbon_magic import written
from carbon_magic.commands.files import plain_output
from carbon_magic.grid import hourly
from carbon_magic.grid.choice import Wanted, choose_regions
from carbon_magic.grid.choose import Whereabouts, choose, said_by
from carbon_magic.grid.compare import Row, compare
from carbon_magic.grid.intensity import JOULES_PER_KWH, place
from carbon_magic.grid.own import Said
from carbon_magic.grid.table import require
from carbon_magic.quantity import Interval
from carbon_magic.run import UsageError
from carbon_magic.snapshot import Place
from carbon_magic.views.compare import LIMIT, Compared, compare_text, short_name
from carbon_magic.views.parts import found_words
from carbon_magic.views.plain import clean, number

UNKNOWN = "unknown"
"""What `--from` takes for a place that nobody knows."""
MOST_TOP = 1000
LIMIT_UNASKED = 10
"""So many of a provider's regions are listed where nobody asked for any."""
FARTHEST_KM = 20_100.0
"""Half the way around the earth."""
_WIDTH_OF_FILES = 120
_DISTANCE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(?:km)?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


class Run(NamedTuple):
    """When the energy was used, for another time of day: only its beginning and its length count."""

    began: datetime
    duration_s: float


class Energy(NamedTuple):
    """What is compared: an energy, and where and when it was used."""

    what: str
    """`Session`, `Cell [7]`, or the figure as it was given."""
    energy_j: Interval | None
    here: Place
    run: Run | None
    given: bool = False
    """Whether `what` is the figure."""

    @property
    def title(self) -> str:
        what = clean(self.what, 40)
        return what if self.given or self.energy_j is None else f"{what}: {written.energy_range(self.energy_j)}"


class Asked(NamedTuple):
    """What was asked for, checked."""

    wanted: Wanted
    top: int | None = None
    at: time | None = None


def compared(energy: Energy, asked: Asked, pue: float | None = None) -> Compared:
    """The comparison, ready to be shown. `pue` is the user's own.

    Raises:
        UnknownRegion: a name is that of no region, or of several.
        DataFileError: the figures that the user laid over the table cannot be used.
        ValueError: a filter cannot be applied to where here is.
    """
    require()
    here = energy.here
    choice = choose_regions(here, asked.wanted)
    rows = compare(here, choice.ids, energy.energy_j, pue=pue)
    limit = asked.top or (LIMIT if asked.wanted.named or asked.wanted.filters else LIMIT_UNASKED)
    if asked.top is not None:
        rows = rows[: asked.top + 1]
    hours = () if asked.at is None else hour_sentences(rows[: limit + 1], asked.at, energy.run, here.known)
    return Compared(energy.title, energy.energy_j, rows, here.known, choice.said, hours, limit, _found(here))


def _found(here: Place) -> str:
    """How here was found, in words; nothing where somebody has said it."""
    if here.source in ("user", "cell", "config", "environment"):
        return ""
    return found_words(here.source, here.found) if here.known else here.found


def hour_sentences(rows: Sequence[Row], at: time, run: Run | None, known: bool) -> tuple[str, ...]:
    """What beginning at another time of day would change, here and there; in words for grids whose hours nobody has."""
    clock = f"{at.hour:02}:{at.minute:02}"
    if run is None:
        return (f"At {clock}: it is not known when this energy was used.",)
    said: dict[str, list[str]] = {}
    missing = []
    for row in rows if known else rows[1:]:
        ratio = hourly.ratio_at(row.region, run.began, run.duration_s, at)
        if ratio is None:
            missing.append(clean(row.region, 40))
        else:
            said.setdefault(hourly.words(ratio, at), []).append(short_name(row))
    sentences = [f"{', '.join(names)}: {words}" for words, names in said.items()]
    if missing:
        sentences.append(f"At {clock}: the hours of {', '.join(missing)} are not in the tables.")
    return tuple(sentences)


def command(
    energy_kwh: Interval,
    asked: Asked,
    *,
    region: str | None,
    pue: float | None,
    as_json: bool,
    now: datetime | None = None,
) -> int:
    """Print a comparison of a given energy, as a table or as JSON.

    Args:
        region: where it was used; `unknown`; None for what the environment says, or else where this machine is.
        now: when a run begins that `--at` is compared with; of an hour.

    Raises:
        UsageError: a region does not exist, or what was asked for cannot be done.
    """
    energy_j = energy_kwh.scaled(JOULES_PER_KWH)
    run = Run(now or datetime.now(timezone.utc), 3600.0)
    try:
        here, pue = _here(region, pue)
        shown = compared(Energy(_as_given(energy_kwh), energy_j, here, run, given=True), asked, pue)
    except ValueError as error:
        raise UsageError(clean(str(error), 500)) from None
    if as_json:
        # ASCII, so that any pipe can take it, and what a name may hold is escaped.
        json.dump(as_data(shown), plain_output(), indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    shown = shown._replace(set_region="--from FR", methods="carbon-magic methods")
    width = max(shutil.get_terminal_size().columns, 40) if sys.stdout.isatty() else _WIDTH_OF_FILES
    text = compare_text(shown, width)
    encoding = sys.stdout.encoding or "ascii"
    if text != text.encode(encoding, "replace").decode(encoding):
        text = compare_text(shown, width, ascii_only=True)
    sys.stdout.write(text + "\n")
    return 0


def _here(asked: str | None, pue: float | None) -> tuple[Place, float | None]:
    """Where the energy was used, and the user's own PUE: as a notebook on this machine would have it, if nobody says.

    Raises:
        ValueError: what was said cannot be.
    """
    if asked is not None:
        return place(None if asked.strip().casefold() == UNKNOWN else asked, "user", pue), pue
    environ = os.environ
    said = said_by(environ)
    whereabouts = Whereabouts(Path(environ.get("CARBON_MAGIC_ROOT") or "/"), environ)
    here = choose([("user", Said(pue=pue)), ("environment", said)], whereabouts)
    return here, said.pue if pue is None else pue


def _as_given(energy_kwh: Interval) -> str:
    best = f"{energy_kwh.best:.6g}{written.NBSP}kWh"
    return best if energy_kwh.low == energy_kwh.high else f"{best} ({energy_kwh.low:.6g}–{energy_kwh.high:.6g})"


def as_data(shown: Compared) -> list[dict[str, Any]]:
    """The rows as JSON has them, here first; null for what is unknown."""
    rows = [_row_data(row, shown.known or index > 0) for index, row in enumerate(shown.rows)]
    if shown.found:
        # What was not said but found is an assumption at times: it is told with the figure that rests on it.
        rows[0]["note"] = "; ".join(part for part in (shown.found, rows[0]["note"]) if part)
    return rows


def _row_data(row: Row, known: bool) -> dict[str, Any]:
    grams = row.emissions_g
    return {
        "region": row.region,
        "name": row.name,
        # Where here is unknown there is no best, only a range.
        "emissions_g": grams.best if grams and known else None,
        "emissions_g_low": grams.low if grams else None,
        "emissions_g_high": grams.high if grams else None,
        "intensity_g_per_kwh": row.intensity_g_per_kwh.best if known else None,
        "pue": row.pue,
        "ratio": row.ratio.best if row.ratio else None,
        "overlaps": row.overlaps,
        "year": row.of.year,
        "source": row.of.source,
        "note": row.of.note,
    }


def kilowatt_hours(text: str) -> float:
    """A finite number of 0 or more.

    Raises:
        ValueError: it is none.
    """
    value = number(_float(text))
    if value is None or value > 1e15:
        raise ValueError(f"{clean(text)!r} is no energy in kWh: a number of 0 or more")
    return value


def power_usage(text: str) -> float:
    """A PUE.

    Raises:
        ValueError: it is no number from 1 to 10.
    """
    value = _float(text)
    if not 1.0 <= value <= 10.0:
        raise ValueError(f"{clean(text)!r} is no PUE: a number from 1 to 10")
    return value


def distance_km(text: str) -> float:
    """`1000km`, `1000 km` or `1000`.

    Raises:
        ValueError: it is no distance on earth.
    """
    found = _DISTANCE.fullmatch(text.strip())
    if found is None or not 0.0 < float(found.group(1)) <= FARTHEST_KM:
        raise ValueError(f"{clean(text)!r} is no distance: 500km, 1000km, at most {FARTHEST_KM:.0f}km")
    return float(found.group(1))


def clock(text: str) -> time:
    """`03:00`.

    Raises:
        ValueError: no clock shows that.
    """
    found = _CLOCK.fullmatch(text.strip())
    try:
        if found is not None:
            return time(int(found.group(1)), int(found.group(2)))
    except ValueError:
        pass  # 25:00: said below
    raise ValueError(f"{clean(text)!r} is no time of day: 03:00, 14:30")


def top(text: str) -> int:
    """How many regions to list.

    Raises:
        ValueError: it is no number from 1 to `MOST_TOP`.
    """
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_TOP:
        return int(text)
    raise ValueError(f"{clean(text)!r} is no number of regions from 1 to {MOST_TOP}")


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
