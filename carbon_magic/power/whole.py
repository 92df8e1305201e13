"""What measures the whole machine: the server's own power meter, a power supply that tells its output, Apple's SMC.

None of them is added to anything. They explain what the components leave over, and show where the components' sum
cannot be right. Which number of a chip is the machine's is told by its label, and stands in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from carbon_magic.power.constants import IDLE_OVER_MAX
from carbon_magic.power.cumulative import Gauge
from carbon_magic.power.hwmon import Chip, watts_of
from carbon_magic.power.sensor import Domain


class _Quirk(NamedTuple):
    driver: str
    label: str
    """What the label must hold, in lower case; empty where the chip has but one power."""
    domain: Domain
    what: str


_QUIRKS = (
    # Grace's meters are told apart by what the firmware says of each; the socket's and the module's hold the others.
    _Quirk("power_meter", "module power", "other", "the module’s own power meter (ACPI)"),
    _Quirk("power_meter", "grace power", "other", "the socket’s own power meter (ACPI), its memory included"),
    _Quirk("power_meter", "sysio power", "other", "the meter of the socket’s inputs and outputs (ACPI)"),
    _Quirk("power_meter", "cpu power", "cpu", "the processor’s own power meter (ACPI)"),
    _Quirk("power_meter", "", "other", "the machine’s own power meter (ACPI)"),
    _Quirk("corsairpsu", "power total", "other", "the power supply (Corsair)"),
    _Quirk("macsmc_hwmon", "total system power", "other", "the system controller (SMC)"),
)
_NUMBERS = range(1, 9)


class Meter(NamedTuple):
    """A power that one of these chips tells."""

    name: str
    domain: Domain
    what: str
    path: Path
    period_s: float
    whole: bool
    """Whether it is that of the whole machine, and not of a part of it."""


def meters(chips: Sequence[Chip]) -> list[Meter]:
    """The meters of this machine."""
    found = []
    drivers = {quirk.driver for quirk in _QUIRKS}
    for chip in chips:
        if chip.driver not in drivers:
            continue
        for number in _NUMBERS:
            path = chip.file(f"power{number}_average") or chip.file(f"power{number}_input")
            if path is None:
                continue
            label = (chip.text(f"power{number}_label") or chip.text(f"power{number}_oem_info") or "").lower()
            quirk = next((q for q in _QUIRKS if q.driver == chip.driver and q.label in label), None)
            if quirk is None:
                continue
            interval_s = chip.scaled(f"power{number}_average_interval", 1e-3) or 1.0
            name = f"{chip.driver.replace('_', '-')}:{chip.number}.{number}"
            whole = quirk.domain == "other" and quirk.label not in ("sysio power", "grace power")
            found.append(Meter(name, quirk.domain, quirk.what, path, min(max(interval_s, 1.0), 60.0), whole))
    return found


def sensor_of(meter: Meter, tdp_w: float | None = None) -> Gauge:
    """The meter as a sensor; the TDP tells a processor's power at rest until it has been seen."""
    idle_w = IDLE_OVER_MAX.value.scaled(tdp_w) if tdp_w and meter.domain == "cpu" else None
    return Gauge(meter.name, meter.domain, watts_of(meter.path), period_s=meter.period_s, idle_power_w=idle_w)
