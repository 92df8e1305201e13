"""RAPL energy counters of Linux's powercap: processor packages and memory, measured by the processor itself.

The counters stand in files that lie as zones in one folder. What adds up to the machine is every package and every
`dram`; `core` and `uncore` are parts of a package, `psys` is another total with a meaning of its own, and
`intel-rapl-mmio` shows packages a second time. A counter runs up to its range and starts again, and starts anew when
its driver is loaded again or the machine wakes up; `advance` tells the two apart by the power that each would mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from carbon_magic.power.constants import (
    IDLE_OVER_MAX,
    POWER_LIMIT_NONE_W,
    RAPL_DRAM,
    RAPL_IMPLAUSIBLE,
    RAPL_PKG_AMD,
    RAPL_PKG_INTEL,
    RAPL_STILL_S,
    RAPL_UNKNOWN_MAX_W,
    RAPL_UPDATE_S,
    TDP_TO_PEAK,
)
from carbon_magic.power.machine import at_once, read_count, read_text
from carbon_magic.power.rawread import HeldFile
from carbon_magic.power.sensor import Domain, Fill, Provenance, Reading, SensorError
from carbon_magic.quantity import Interval

_CLASS = "sys/class/powercap"
_ZONE = re.compile(r"intel-rapl(-mmio)?:[0-9]{1,3}(:[0-9]{1,3})?")
_MAX_ZONES = 256
_J_PER_UJ = 1e-6
_BORDER_S = 0.01
"""Slack in judging a short step: the counter moves in strokes, and a step that catches one looks too powerful."""

_STILL_S = 0.1
"""A package's counter that has not moved for so long is not trusted any more."""

ROOT_ONLY = "is readable by root only"
"""Why the energy of most machines cannot be read: so it is set by the kernel, against PLATYPUS (CVE-2020-8694)."""


@dataclass(frozen=True)
class Zone:
    """One zone of powercap: its folder and what its world-readable files tell."""

    folder: Path
    label: str
    """Its own name with the number of its package: `package-0`, `dram-0`, `core-0`, `psys`."""
    mmio: bool
    range_uj: int | None
    """The counter starts again at this value."""
    tdp_w: float | None
    """Highest long-term power by the zone's constraints, or None where they do not tell."""
    pl2_w: float | None
    """Short-term power limit (PL2), or None where there is none."""
    trouble: str | None
    """Why this process cannot read the energy, as the end of a sentence, or None where it can."""

    @property
    def kind(self) -> str:
        """`package`, `dram`, `core`, `uncore`, `psys`."""
        return self.label.partition("-")[0]

    @property
    def package(self) -> str:
        """Which package it belongs to: `0`, `1`, `0-die-1`; empty for `psys`."""
        return self.label.partition("-")[2]


def zones(root: Path) -> list[Zone]:
    """All RAPL zones below `root`, sorted by folder; none where there is no powercap."""
    folder = root / _CLASS
    try:
        names = sorted(entry.name for entry in folder.iterdir() if _ZONE.fullmatch(entry.name))
    except OSError:  # no powercap here
        return []
    return [zone for name in names[:_MAX_ZONES] if (zone := _zone(folder, name)) is not None]


def _zone(folder: Path, name: str) -> Zone | None:
    path = folder / name
    label = read_text(path / "name", 64)
    if not label or not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", label):
        return None
    parent, colon, _ = name.rpartition(":")
    if colon and ":" in parent:
        label = f"{label}-{(read_text(folder / parent / 'name', 64) or '').partition('-')[2]}"
    tdp_w, pl2_w = _limits_w(path)
    range_uj = read_count(path / "max_energy_range_uj")
    return Zone(path, label, "mmio" in name, range_uj, tdp_w, pl2_w, _trouble(path / "energy_uj"))


def _trouble(path: Path) -> str | None:
    try:
        with open(path, "rb", buffering=0, opener=at_once) as file:
            file.read(1)
    except PermissionError:
        return ROOT_ONLY
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def _limits_w(path: Path) -> tuple[float | None, float | None]:
    """TDP and PL2 of a zone: the part's own highest long-term power, else the long-term limit that is set."""
    tdp_w: float | None = None
    pl2_w: float | None = None
    for number in range(4):
        which = read_text(path / f"constraint_{number}_name", 64)
        if which == "long_term":
            tdp_w = _power_w(path / f"constraint_{number}_max_power_uw") or _power_w(
                path / f"constraint_{number}_power_limit_uw"
            )
        elif which == "short_term":
            pl2_w = _power_w(path / f"constraint_{number}_power_limit_uw")
    return tdp_w, pl2_w


def _power_w(path: Path) -> float | None:
    """Watts of a power limit; 0 and what no processor draws both mean that there is none."""
    microwatts = read_count(path)
    return microwatts / 1e6 if microwatts and microwatts / 1e6 <= POWER_LIMIT_NONE_W.value else None


class PowercapSensor:
    """One RAPL zone, a package, its memory or the platform, as cumulative joules.

    Args:
        zone: one of `zones()`.
        vendor: the processor's vendor as it names itself; RAPL of AMD is a model in part and has a wider factor.
        tdp_w: TDP of the package where another source than the zone's constraints tells it.

    Raises:
        SensorError: the counter cannot be opened.
    """

    provenance: Provenance = "measured"
    cheap = True
    period_s = 1.0
    update_s = RAPL_UPDATE_S.value
    resolution_s = 0.005
    short: tuple[float, Interval] | None = None
    fill: Fill = "time"
    idle_is_exact = False

    def __init__(self, zone: Zone, vendor: str | None, tdp_w: float | None = None) -> None:
        self.name = f"powercap:{zone.label}"
        self.domain: Domain = {"dram": "dram", "psys": "other"}.get(zone.kind, "cpu")  # type: ignore[assignment]
        self.factor = (RAPL_DRAM if self.domain == "dram" else RAPL_PKG_INTEL).value
        self.max_power_w: float | None = None
        self.idle_power_w: Interval | None = None
        if self.domain == "cpu":
            self.factor = (RAPL_PKG_INTEL if vendor == "GenuineIntel" else RAPL_PKG_AMD).value
            tdp_w = zone.tdp_w or tdp_w
            self.max_power_w = zone.pl2_w or (TDP_TO_PEAK.value * tdp_w if tdp_w else None)
            self.idle_power_w = IDLE_OVER_MAX.value.scaled(tdp_w) if tdp_w else None
        self._limit_w = self.max_power_w or RAPL_UNKNOWN_MAX_W.value
        self._range_j = zone.range_uj * _J_PER_UJ if zone.range_uj else None
        self._last: tuple[float, float] | None = None
        self._total = Reading(0.0, 0.0, 0.0, 0.0)
        self._power_w: float | None = None
        self._still_s = 0.0
        """For so long the counter has not moved."""
        try:
            self._file = HeldFile(zone.folder / "energy_uj")
        except OSError as error:
            raise SensorError(f"{self.name} cannot be opened: {error.strerror}") from error

    def peek(self) -> float:
        """The counter as it stands, in microjoules.

        Raises:
            SensorError: it cannot be read, or does not hold a number.
        """
        try:
            content = self._file.read()
        except OSError as error:
            raise SensorError(f"{self.name} cannot be read: {error.strerror}") from error
        digits = content.strip()
        if not digits.isdigit() or len(digits) > 20:
            raise SensorError(f"{self.name} holds no energy: {content[:32]!r}")
        raw = float(digits)
        if self._still_s >= RAPL_STILL_S.value and self._last is not None and raw * _J_PER_UJ == self._last[1]:
            raise SensorError(f"{self.name} stands still: it counts nothing")
        return raw

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules since the first call; `raw` is the counter in microjoules."""
        value_j = raw * _J_PER_UJ
        if self._last is None:
            self._last = (time_s, value_j)
            self._total = Reading(time_s, 0.0, 0.0, 0.0)
            return self._total
        step_s = time_s - self._last[0]
        if step_s <= 0.0:  # nothing can be said of no time; the next step holds what this one brought
            return self._total
        moved_j = value_j - self._last[1]
        # Processors always draw something; of memory, and of a platform, some tell nothing for good reasons.
        self._still_s = self._still_s + step_s if moved_j == 0.0 and self.domain == "cpu" else 0.0
        low_j, energy_j, high_j = self._step_j(step_s, moved_j)
        if self._still_s >= _STILL_S:
            high_j = self._limit_w * step_s  # dead, as it will show; what was used meanwhile nobody knows
        self._last = (time_s, value_j)
        total = self._total
        self._total = Reading(time_s, total.low_j + low_j, total.energy_j + energy_j, total.high_j + high_j)
        return self._total

    def _step_j(self, step_s: float, step_j: float) -> tuple[float, float, float]:
        """Low, best and high joules of a step over which the counter moved by `step_j`."""
        most_j = self._limit_w * step_s
        if step_j < 0.0 and self._range_j:
            step_j += self._range_j
        if step_j < 0.0 or step_j > RAPL_IMPLAUSIBLE.value * self._limit_w * (step_s + _BORDER_S):
            # The counter started anew and what it held is lost: go on at the last power that was seen.
            bridged_j = (self._power_w or 0.0) * step_s
            return 0.0, bridged_j, max(most_j, bridged_j)
        unseen_j = 0.0
        if self._range_j and most_j > self._range_j / 2:
            unseen_j = max(0.0, (most_j - step_j) // self._range_j) * self._range_j
        if step_s >= self.resolution_s:
            self._power_w = step_j / step_s
        return step_j * self.factor.low, step_j, (step_j + unseen_j) * self.factor.high

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; what the counter did since the last reading is dropped."""
        self._last = (time_s, raw * _J_PER_UJ)
        self._total = self._total._replace(time_s=time_s)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
