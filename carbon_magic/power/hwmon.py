"""The kernel's hardware monitors: the chips that lie below `/sys/class/hwmon`, and how their files are read.

A chip names its driver in `name`; powers are microwatts, energies microjoules, voltages millivolts and currents
milliamperes (Linux, Documentation/hwmon/sysfs-interface). Some drivers keep their files one folder below, in `device`.
A read may ask the hardware and block, so it gives the GIL up and belongs in the sampler's thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from carbon_magic.power.machine import at_once, is_there, read_text

CLASS = "sys/class/hwmon"
_MAX_CHIPS = 128
_MAX_W = 100_000.0


class Chip(NamedTuple):
    """One monitor."""

    driver: str
    """As it names itself: `amdgpu`, `xe`, `power_meter`, `ina3221`."""
    folder: Path

    @property
    def number(self) -> str:
        """Of its folder: `3` of `hwmon3`."""
        return self.folder.name.removeprefix("hwmon")

    def file(self, name: str) -> Path | None:
        """A file of it, or None where it has none of this name."""
        for path in (self.folder / name, self.folder / "device" / name):
            if is_there(path):
                return path
        return None

    def text(self, name: str) -> str | None:
        path = self.file(name)
        return None if path is None else read_text(path, 128)

    def scaled(self, name: str, unit: float) -> float | None:
        """A number of it in `unit`s, or None where it has none."""
        path = self.file(name)
        try:
            return None if path is None else number(path) * unit
        except (OSError, ValueError):  # it does not answer, or nonsense: not known
            return None


def chips(root: Path) -> list[Chip]:
    """All monitors below `root`, by their numbers; none where there are none."""
    try:
        names = [entry.name for entry in (root / CLASS).iterdir() if re.fullmatch(r"hwmon[0-9]{1,4}", entry.name)]
    except OSError:  # no monitors here
        return []
    found = []
    for name in sorted(names, key=lambda name: int(name[5:]))[:_MAX_CHIPS]:
        folder = root / CLASS / name
        driver = read_text(folder / "name", 64)
        if driver and re.fullmatch(r"[A-Za-z0-9_.-]{1,63}", driver):
            found.append(Chip(driver, folder))
    return found


def number(path: Path) -> float:
    """The whole number that a file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    with open(path, "rb", buffering=0, opener=at_once) as file:
        content = (file.read(64) or b"").strip()
    if not re.fullmatch(rb"-?[0-9]{1,20}", content):
        raise ValueError(f"{content[:32]!r} is no number")
    return float(content)


def watts_of(path: Path) -> Callable[[], float]:
    """Reads a file of microwatts as watts."""

    def read() -> float:
        power_w = number(path) / 1e6
        if not 0.0 <= power_w <= _MAX_W:
            raise ValueError(f"{power_w:g} W")
        return power_w

    return read


def joules_of(path: Path) -> Callable[[], float]:
    """Reads a file of microjoules as joules."""

    def read() -> float:
        energy_j = number(path) / 1e6
        if energy_j < 0.0:
            raise ValueError(f"{energy_j:g} J")
        return energy_j

    return read


def product_of(millivolts: Path, milliamperes: Path) -> Callable[[], float]:
    """Reads a voltage and a current as watts; a current that flows back counts as none."""

    def read() -> float:
        power_w = max(number(milliamperes), 0.0) * number(millivolts) / 1e6
        if not 0.0 <= power_w <= _MAX_W:
            raise ValueError(f"{power_w:g} W")
        return power_w

    return read
