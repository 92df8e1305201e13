"""What a provider of live intensity is, and what is taken for a value.

A provider knows its zones and how its answers are read; asking, time-outs, limits and back-off are done for it. Other
packages add theirs under the entry point group `carbon_magic.intensity`: a class or function without arguments that
gives an object with the attributes and methods of `Provider`, and of `Forecasts` and `Converts` where it has them.

The range of a value is made by the rule for tables (`grid/intensity.py`). Two good sources differ in the factors of
each fuel, in what they count, and in the mix, and of these a live figure may know the last: 20 % either way where the
mix of that very hour was measured, 40 % where it was estimated, forecast, converted from another basis, or is of an
hour that has passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Protocol, runtime_checkable

from carbon_magic.grid.regions import Basis
from carbon_magic.quantity import Interval

GROUP = "carbon_magic.intensity"
"""The entry point group."""
MOST_G_PER_KWH = 2000.0
"""No grid emits more: lignite in old plants is about 1,300 g/kWh over its life cycle (IPCC AR5 has 910 for coal)."""
LEAST_G_PER_KWH = 1.0
"""And none less over its life cycle: the least that IPCC AR5 has of any plant is 1 g/kWh (hydropower, Annex III, Table
A.III.2). Direct emissions may be 0."""
MEASURED_HALF = 0.20
ESTIMATED_HALF = 0.40
AHEAD = timedelta(minutes=5)
"""A clock that is wrong by less is forgiven."""
OLDEST = timedelta(hours=24)
LONGEST = timedelta(hours=24)


class LiveError(Exception):
    """There is no value; the message says why, for people.

    Args:
        words: a sentence without the provider's name and without a full stop.
        retry_after_s: seconds that the provider asked to be left alone for.
        refused: whether asking again is of no use until something is changed.
    """

    def __init__(self, words: str, *, retry_after_s: float | None = None, refused: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after_s = retry_after_s
        self.refused = refused


class Reading(NamedTuple):
    """One value of one zone. Times have a zone."""

    g_per_kwh: float
    begins: datetime
    ends: datetime
    """From when until when it holds."""
    basis: Basis
    estimated: bool
    """Whether it is modelled or forecast, and not made of a measured mix."""


Get = Callable[[str, Mapping[str, str]], object]
"""Asks for a URL with headers and gives the decoded JSON. Raises `LiveError`."""


class Provider(Protocol):
    """A service of live intensities."""

    name: str
    """What users type: lower case, one word."""
    title: str
    """What people see: `Electricity Maps`."""
    sends: str
    """What is sent to whom, in words."""

    def zone(self, region_id: str) -> str | None:
        """The zone that a region of the table lies in; None where it does not cover it. It must not ask anybody."""

    def check_zone(self, zone: str) -> str:
        """The zone that a user has typed, as the service writes it.

        Raises:
            ValueError: it cannot be one; the message names what can.
        """

    def latest(self, zone: str, get: Get) -> Reading:
        """The value that holds now, or the latest there is.

        Raises:
            LiveError: there is none.
        """


@runtime_checkable
class Forecasts(Protocol):
    """A provider that looks ahead."""

    def forecast(self, zone: str, get: Get) -> Sequence[Reading]:
        """The values from now on, in the order of time.

        Raises:
            LiveError: there are none.
        """


@runtime_checkable
class Converts(Protocol):
    """A provider whose values are direct: emissions at the power plant alone."""

    def lifecycle(self, direct_g_per_kwh: float) -> float:
        """The life-cycle intensity that goes with a direct one."""


def checked(reading: Reading, now: datetime) -> Reading:
    """The reading, if it can be one.

    Raises:
        LiveError: it is not, and why.
    """
    value = reading.g_per_kwh
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise LiveError("answers without a number")
    if not math.isfinite(value) or not 0.0 <= value <= MOST_G_PER_KWH:
        raise LiveError(f"answers {value:g} g/kWh, which no grid emits")
    if reading.basis == "lifecycle" and value < LEAST_G_PER_KWH:
        raise LiveError(f"answers {value:g} g/kWh, which no grid emits over its life cycle")
    length = reading.ends - reading.begins
    if not timedelta(0) < length <= LONGEST:
        raise LiveError("answers with times that are out of order")
    if reading.begins > now + AHEAD:
        raise LiveError(f"answers with a value of {_when(reading.begins)}, which is not yet")
    if reading.ends < now - OLDEST:
        raise LiveError(f"has no newer value than that of {_when(reading.begins)}")
    if reading.basis not in ("lifecycle", "direct"):
        raise LiveError("answers on a basis that is not known")
    return reading


def lifecycle_range(provider: Provider, reading: Reading, *, passed: bool = False) -> Interval:
    """What a reading says on the one basis of every comparison, in g CO2e/kWh, with its range (see above).

    Args:
        passed: whether its hour is over, and it stands in for one that is not known.

    Raises:
        LiveError: it is direct, and the provider does not say how that becomes a life-cycle figure.
    """
    best, half = reading.g_per_kwh, ESTIMATED_HALF if reading.estimated or passed else MEASURED_HALF
    if reading.basis == "direct":
        if not isinstance(provider, Converts):
            raise LiveError("gives emissions at the power plant alone, and not how they become life-cycle figures")
        best, half = provider.lifecycle(reading.g_per_kwh), ESTIMATED_HALF
        if not LEAST_G_PER_KWH <= best <= MOST_G_PER_KWH * 2.0:
            raise LiveError("converts its value to one that cannot be")
    return Interval(best * (1.0 - half), best, best * (1.0 + half))


def moment(text: object) -> datetime:
    """A time as services write it: ISO 8601, UTC where no zone is given.

    Raises:
        LiveError: it is none.
    """
    if isinstance(text, str) and len(text) <= 40:
        try:
            # Python 3.10 does not read a Z.
            found = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
            return (found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            pass  # said below
    raise LiveError("answers without a time that can be read")


def field(data: object, *path: str | int) -> object:
    """What stands at a path in decoded JSON; None where the path leads nowhere."""
    for step in path:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and len(data) > step else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def _when(at: datetime) -> str:
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
