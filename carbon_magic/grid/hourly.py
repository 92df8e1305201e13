"""Time of day: how the intensity of a grid moves over the hours of a month, and what another hour would have changed.

The table holds, for 11 grids, the mean of each local hour in each month of 2020 and 2021 over the mean of those years.
Levels have changed since, so a factor is never shown as an intensity: only the ratio of two hours of one grid and one
month is used, in which all that they have in common cancels.

The range of a ratio is made, because a mean says nothing of a single day. In logarithms its half-width is, in
quadrature:

- three quarters of the ratio itself, as a day of strong wind or dull sky moves little, and a clear one more than its
  month. Worked out by the hourly series that the table was made from: of 7 days in Germany (July 2021) the ratio of
  14:00 to 22:00 strayed at 95 % by 0.43 of itself, of 8 in California (November 2019) that of 11:00 to 03:00 by 0.73;
- 15 %, by which two good sources for one grid differ in the median: two hours of almost the same mean differ as well;
- how far the months before and after are off, for what has changed since and for the days at a month's ends.

So a difference that the data do not bear has a range that holds 1.
"""

from __future__ import annotations

import csv
import math
from datetime import datetime, time, timezone
from functools import cache
from pathlib import Path
from typing import NamedTuple

from carbon_magic.grid.regions import UnknownRegion, region
from carbon_magic.quantity import Interval
from carbon_magic.written import NBSP

DAY_PART = 0.75
"""Of the logarithm of a ratio: by so much that of a single day strays from it at 95 % (see above)."""
LEAST = 0.15
"""By so much two good sources for one grid differ in the median; no ratio is known better."""
YEARS = "2020-2021"
SOURCE = "CarbonCast"

_TABLE = Path(__file__).parent.parent / "data" / "hourly.csv"
_HOUR_S = 3600.0
SAME = Interval.exact(1.0)
"""Of the same hours: then nothing is compared, and nothing can be wrong."""


class _Grid(NamedTuple):
    name: str
    timezone: str
    regions: tuple[str, ...]
    months: dict[int, tuple[float, ...]]
    """By month: the factors of the 24 local hours."""


@cache
def _grids() -> dict[str, _Grid]:
    """The grids by the regions that lie on them."""
    grids: dict[str, _Grid] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            grid = grids.setdefault(row["grid"], _Grid(row["grid"], row["timezone"], tuple(row["regions"].split()), {}))
            grid.months[int(row["month"])] = tuple(float(row[f"h{hour:02}"]) for hour in range(24))
    return {region_id: grid for grid in grids.values() for region_id in grid.regions}


def _grid(region_id: str) -> _Grid | None:
    """The grid that a region lies on: its own, that its intensity comes from, or that of the state around it."""
    grids = _grids()
    found = grids.get(region_id)
    if found is None:
        try:
            row = region(region_id)
        except UnknownRegion:
            return None
        near = (row.id, row.grid_region, row.subdivision)
        found = next((grids[name] for name in near if name is not None and name in grids), None)
    return found


def covered(region_id: str) -> bool:
    """Whether the table knows the hours of this region's grid."""
    return _grid(region_id) is not None


def covered_regions() -> list[str]:
    """The regions that the table names; cloud regions on their grids are covered too."""
    return list(_grids())


def factor(region_id: str, when_utc: datetime) -> float | None:
    """A month's mean of an hour over the mean of all hours of 2020 and 2021; None where the grid is not covered or
    the clock there is not known. A time without zone is taken as UTC."""
    grid = _grid(region_id)
    local = None if grid is None else _local(grid, when_utc)
    return None if grid is None or local is None else grid.months[local.month][local.hour]


def ratio_at(region_id: str, when_utc: datetime, duration_s: float, at: time) -> Interval | None:
    """Emissions of a run that began at `at`, over those of the same run that began at `when_utc`.

    Args:
        region_id: an id of the regions table.
        when_utc: when the run began; without a zone it is taken as UTC.
        duration_s: how long it took, at an even power.
        at: the time of day on the clocks of that grid, on a day of the same month.

    Returns:
        The ratio with its range, without unit; None where the grid is not covered, or the clock there is not known
        because the machine has no time zones (Windows without `tzdata`).
    """
    grid = _grid(region_id)
    local = None if grid is None else _local(grid, when_utc)
    if grid is None or local is None:
        return None
    return _ratio(grid, local, duration_s, at.hour + at.minute / 60.0 + at.second / _HOUR_S)


def cleanest(region_id: str, when_utc: datetime, duration_s: float) -> tuple[time, Interval] | None:
    """The full hour at which the same run would emit least, and the ratio; None where nothing is known of the grid's
    hours, or no hour is better by more than the data can bear."""
    grid = _grid(region_id)
    local = None if grid is None else _local(grid, when_utc)
    if grid is None or local is None:
        return None
    hour = min(range(24), key=lambda start: _mean(grid, local.month, float(start), duration_s))
    ratio = _ratio(grid, local, duration_s, float(hour))
    return (time(hour), ratio) if ratio.high < 1.0 else None


def words(ratio: Interval, at: time) -> str:
    """`The same run at 03:00 would emit 31 % less (8–48).`, or that it is open which of the two emits less."""
    clock = f"{at.hour:02}:{at.minute:02}"
    if ratio.low < 1.0 < ratio.high:
        span = f"from {_change(ratio.low)} to {_change(ratio.high)}"
        return f"Whether the same run at {clock} would emit less is open: {span}."
    if ratio == SAME:
        return f"The same run at {clock} would emit as much."
    ends = sorted(abs(_percent(bound)) for bound in (ratio.low, ratio.high))
    return f"The same run at {clock} would emit {_change(ratio.best)} ({ends[0]}–{ends[1]})."


def why_not(region_id: str) -> str:
    """Why there is no figure for another time of day, in words."""
    grid = _grid(region_id)
    if grid is None:
        known = ", ".join(sorted(name for name in _grids() if "EGRID" not in name))
        return f"The hours of this grid are not in the tables, which have {known}."
    return f"The clock of {grid.timezone} is not known on this machine: pip install tzdata"


def _percent(ratio: float) -> int:
    return round(100.0 * (ratio - 1.0))


def _change(ratio: float) -> str:
    percent = _percent(ratio)
    return f"{abs(percent)}{NBSP}% {'more' if percent > 0 else 'less'}"


def _local(grid: _Grid, when_utc: datetime) -> datetime | None:
    """A moment on the clocks of a grid; None on a machine without time zones."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    moment = when_utc.replace(tzinfo=timezone.utc) if when_utc.tzinfo is None else when_utc
    try:
        return moment.astimezone(ZoneInfo(grid.timezone))
    except (ZoneInfoNotFoundError, OverflowError):  # a moment at the very end of what a calendar holds
        return None


def _ratio(grid: _Grid, local: datetime, duration_s: float, at_hour: float) -> Interval:
    began_hour = local.hour + local.minute / 60.0 + local.second / _HOUR_S

    def log_ratio(month: int) -> float:
        return math.log(_mean(grid, month, at_hour, duration_s) / _mean(grid, month, began_hour, duration_s))

    if abs(at_hour - began_hour) < 1.0 / _HOUR_S or duration_s % (24.0 * _HOUR_S) == 0.0 < duration_s:
        return SAME
    best = log_ratio(local.month)
    beside = max(abs(log_ratio((local.month - 1 + step) % 12 + 1) - best) for step in (-1, 1))
    half = math.hypot(DAY_PART * best, math.log1p(LEAST), beside)
    return Interval(math.exp(best - half), math.exp(best), math.exp(best + half))


def _mean(grid: _Grid, month: int, start_hour: float, duration_s: float) -> float:
    """The mean factor over a run that begins at an hour of the day, by the time it spends in each hour."""
    factors = grid.months[month]
    left_h = max(duration_s, 1.0) / _HOUR_S
    days, left_h = divmod(left_h, 24.0)
    total = days * math.fsum(factors)
    hour = start_hour % 24.0
    spent_h = days * 24.0 + left_h
    while left_h > 1e-12:
        index = int(hour)
        step_h = min(left_h, index + 1 - hour)
        total += factors[index % 24] * step_h
        left_h -= step_h
        hour = (index + 1) % 24
    return total / spent_h
