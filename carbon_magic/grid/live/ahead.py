"""What a forecast says of the same run later: the ratio of its mean intensity to that of the present.

Both are of one provider and one zone, so what its figures have in common cancels. What is left is how well it foresees
the difference: a quarter of the ratio's logarithm, and 15 %, by which two good sources for one grid differ in the
median, in quadrature [judgement: services publish no error of their forecasts that could be used].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from carbon_magic.grid.hourly import LEAST
from carbon_magic.grid.live.zone import Quote
from carbon_magic.quantity import Interval

FORESEEN_PART = 0.25


def ratio_ahead(ahead: Sequence[Quote], now: datetime, later: datetime, duration_s: float) -> Interval | None:
    """Emissions of a run that begins later over those of one that begins now; None where the forecast, in the order
    of time, does not hold both from beginning to end."""
    present, then = (_mean(ahead, start, duration_s) for start in (now, later))
    if present is None or then is None or present <= 0.0 or then <= 0.0:
        return None
    best = math.log(then / present)
    half = math.hypot(FORESEEN_PART * best, math.log1p(LEAST))
    return Interval(math.exp(best - half), math.exp(best), math.exp(best + half))


def cleanest_ahead(ahead: Sequence[Quote], now: datetime, duration_s: float) -> tuple[datetime, Interval] | None:
    """When the same run would emit least, by a forecast; None where no time is better by more than it can bear."""
    found: tuple[datetime, Interval] | None = None
    for quote in ahead:
        ratio = ratio_ahead(ahead, now, quote.reading.begins, duration_s) if quote.reading.begins > now else None
        if ratio is not None and ratio.high < 1.0 and (found is None or ratio.best < found[1].best):
            found = quote.reading.begins, ratio
    return found


def _mean(ahead: Sequence[Quote], start: datetime, duration_s: float) -> float | None:
    """The mean life-cycle intensity over a run, in g/kWh."""
    end = start + timedelta(seconds=max(duration_s, 1.0))
    total, covered_s = 0.0, 0.0
    for quote in ahead:
        held_s = (min(end, quote.reading.ends) - max(start, quote.reading.begins)) / timedelta(seconds=1)
        if held_s > 0.0:
            total += quote.fresh.best * held_s
            covered_s += held_s
    whole_s = (end - start) / timedelta(seconds=1)
    return total / whole_s if abs(covered_s - whole_s) < 1.0 else None
