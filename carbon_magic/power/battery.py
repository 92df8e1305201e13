"""A laptop's batteries while they discharge: the energy of the whole machine, screen and losses included.

What has left the batteries is the difference of `energy_now` over two minutes or more, as it moves in steps of tens of
joules. Batteries that tell charge in place of energy are integrated from their power. On the mains they tell what the
charger does, which is no measurement of the machine: then the sensor tells nothing and begins anew at the next change.
`ucsi-source-psy-*` are contracts about what a plug may give, never a measurement, and peripherals have batteries too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from carbon_magic.power.constants import BATTERY, BATTERY_RESOLUTION_S, BATTERY_UPDATE_S
from carbon_magic.power.cumulative import Cumulative
from carbon_magic.power.hwmon import number
from carbon_magic.power.machine import is_there, read_text
from carbon_magic.power.sensor import Reading
from carbon_magic.quantity import Interval

CLASS = "sys/class/power_supply"
_J_PER_UWH = 3.6e-3
_MAX_SUPPLIES = 32


class Supplies(NamedTuple):
    """What lies below the class."""

    batteries: tuple[Path, ...]
    contracts: tuple[str, ...]
    """The names of USB-C contracts."""


def supplies(root: Path) -> Supplies:
    """The machine's own batteries, and what is not to be taken for a measurement."""
    try:
        names = sorted(entry.name for entry in os.scandir(root / CLASS))[:_MAX_SUPPLIES]
    except OSError:  # no power supplies are known here
        return Supplies((), ())
    batteries = []
    for name in names:
        folder = root / CLASS / name
        kind = read_text(folder / "type", 32) or ("Battery" if name.startswith("BAT") else "")
        if kind == "Battery" and read_text(folder / "scope", 32) != "Device":
            batteries.append(folder)
    return Supplies(tuple(batteries), tuple(name for name in names if name.startswith("ucsi-source-psy")))


def discharging(batteries: Sequence[Path]) -> bool:
    """Whether the machine lives on its batteries."""
    states = [read_text(battery / "status", 32) for battery in batteries]
    return "Discharging" in states and "Charging" not in states


def _energy_j(battery: Path) -> float:
    return number(battery / "energy_now") * _J_PER_UWH


def _power_w(battery: Path) -> float:
    """Watts that leave a battery; drivers differ in the sign."""
    if is_there(battery / "power_now"):
        return abs(number(battery / "power_now")) / 1e6
    return abs(number(battery / "current_now")) * number(battery / "voltage_now") / 1e12


class BatterySensor(Cumulative):
    """All batteries of the machine together.

    Args:
        batteries: their folders.
    """

    def __init__(self, batteries: Sequence[Path]) -> None:
        self._batteries = tuple(batteries)
        self.counts = all(is_there(battery / "energy_now") for battery in self._batteries)
        """Whether energy is told; else power is integrated."""
        super().__init__(
            "battery",
            "other",
            self._ask,
            factor=BATTERY.value,
            period_s=BATTERY_UPDATE_S.value,
            update_s=BATTERY_UPDATE_S.value,
            resolution_s=BATTERY_RESOLUTION_S.value,
        )

    def _ask(self) -> float:
        """Joules that have left the batteries (watts, where no energy is told), or no number on the mains."""
        if not discharging(self._batteries):
            return math.nan
        if self.counts:
            return -sum(_energy_j(battery) for battery in self._batteries)
        return sum(_power_w(battery) for battery in self._batteries)

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules over the times of discharge."""
        if math.isnan(raw) or (self.counts and self._last is not None and raw < self._last[1]):
            # The plug is in, or was for a moment: what is told next belongs to another stretch.
            self._last = None if math.isnan(raw) else (time_s, raw)
            self.since_s = None if math.isnan(raw) else time_s
            self._total = self._total._replace(time_s=max(time_s, self._total.time_s))
            return self._total
        return super().advance(time_s, raw)

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; a suspended machine drains its battery too, and that is no part of any figure."""
        super().skip(time_s, raw)
        if math.isnan(raw):
            self._last, self.since_s = None, None

    def _step(self, step_s: float, before: float, now: float) -> Interval:
        return self._scaled(now - before if self.counts else (before + now) / 2 * step_s)
