"""What is known of a zone, and what a place is converted by: the live value, the last one, or the annual figure.

A value holds in its own time and two minutes longer, because the next one comes within seconds and is counted from its
own beginning. Where none comes, the last one holds for an hour more, with the range of an estimate; then the annual
figure does. Each says so, in the place's source, which stands in every record.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from carbon_magic.grid.live.provider import Reading
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

LAST_S = 3600.0
"""A value holds so long after its own time where no newer one can be had."""
GRACE_S = 120.0
"""And for so long it is as good as in its own."""


class InForce(NamedTuple):
    """A place as energy is converted there now."""

    place: Place
    since_s: float | None
    """From when on this holds, on the monotonic clock; None: from now on."""


class Quote(NamedTuple):
    """A value as it was asked for."""

    reading: Reading
    fresh: Interval
    """Life-cycle intensity in g CO2e/kWh while it holds,"""
    passed: Interval
    """and where it stands in for a later hour."""
    asked_at: datetime

    @property
    def span(self) -> str:
        """The time that it is of, on this machine's clock: `14:00 to 15:00`."""
        begins, ends = (moment.astimezone() for moment in (self.reading.begins, self.reading.ends))
        return f"{begins:%H:%M} to {ends:%H:%M}"


@dataclass(slots=True)
class Zone:
    """What is known of one zone."""

    name: str
    quote: Quote | None = None
    trouble: str | None = None
    """Why the last question had no answer, in words."""
    fails: int = 0
    next_s: float = -math.inf
    """Not asked before this time of the monotonic clock."""
    asked: bool = False
    """A question is under way."""
    tried: threading.Event = field(default_factory=threading.Event)
    """Set once a question was answered or failed."""
    ahead: tuple[Quote, ...] = ()
    """The forecast, where somebody has asked for it."""
    ahead_trouble: str | None = None
    """Why there is none, in words; many tokens are good for the present alone."""
    ahead_next_s: float = -math.inf
    ahead_wanted: bool = False


def in_force(place: Place, zone: Zone, title: str, wall_s: float, monotonic_s: float) -> InForce:
    """A place by what is known of its zone at a time, which is given on both clocks."""
    quote = zone.quote
    if quote is None:
        return InForce(without(place, f"{title} {zone.trouble or 'has not answered yet'}"), None)
    source = f"{title}, live" + (", converted" if quote.reading.basis == "direct" else "")
    over_s = wall_s - quote.reading.ends.timestamp()
    if over_s < GRACE_S:
        age_s = max(0.0, wall_s - quote.reading.begins.timestamp())
        return InForce(_with(place, quote.fresh, source, f"live value of {quote.span}"), monotonic_s - age_s)
    if over_s < LAST_S:
        said = f"last live value, of {quote.span}"
        return InForce(_with(place, quote.passed, f"{source}, last value", said), monotonic_s - over_s)
    why = f"the last one is of {quote.span}" + (f", and {title} {zone.trouble}" if zone.trouble else "")
    return InForce(without(place, why), monotonic_s - (over_s - LAST_S))


def without(place: Place, why: str) -> Place:
    """A place with its annual figure, and why it has no other."""
    source = f"{place.intensity_source}, no live value"
    return place._replace(intensity_source=source, found=_also(place.found, f"no live value: {why}"))


def _with(place: Place, now: Interval, source: str, found: str) -> Place:
    return place._replace(
        intensity_g_per_kwh=now, intensity_source=source, intensity_year=None, found=_also(place.found, found)
    )


def _also(found: str, more: str) -> str:
    return f"{found}; {more}" if found else more
