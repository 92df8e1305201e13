"""NVIDIA's Jetson boards: the rails that their INA3221 chips measure, each named by a label.

Which rail feeds what differs from board to board and is a table. Rails that feed neither processor, graphics nor
memory are a part of the board's input, which is the whole machine and never added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from carbon_magic.power.cumulative import Gauge, GpuGauge
from carbon_magic.power.hwmon import Chip, product_of, watts_of
from carbon_magic.power.sensor import Domain

_RAILS: dict[str, Domain] = {
    # Orin AGX, Orin NX and Nano: on the latter two one rail feeds processor and graphics.
    "VDD_CPU_CV": "cpu",
    "VDD_CPU_GPU_CV": "cpu",
    "VDD_GPU_SOC": "gpu",
    "VDD_IN": "other",
    # Xavier
    "CPU": "cpu",
    "GPU": "gpu",
    "VDDRQ": "dram",
    # TX2
    "VDD_SYS_CPU": "cpu",
    "VDD_SYS_GPU": "gpu",
    "VDD_SYS_DDR": "dram",
    # Nano
    "POM_5V_CPU": "cpu",
    "POM_5V_GPU": "gpu",
    "POM_5V_IN": "other",
}
"""Labels by NVIDIA's Jetson Linux developer guide (software-based power consumption modeling)."""
_CHANNELS = range(1, 4)


class Rail(NamedTuple):
    """One measured rail."""

    label: str
    domain: Domain
    read: Callable[[], float]


def rails(chips: Sequence[Chip]) -> list[Rail]:
    """The rails that are known by their labels, each label once."""
    found: dict[str, Rail] = {}
    for chip in chips:
        if chip.driver != "ina3221":
            continue
        for channel in _CHANNELS:
            label = (chip.text(f"in{channel}_label") or "").upper()
            power = chip.file(f"power{channel}_input")
            volts, amperes = chip.file(f"in{channel}_input"), chip.file(f"curr{channel}_input")
            domain = _RAILS.get(label)
            if domain is None or label in found:
                continue
            if power is not None:
                found[label] = Rail(label, domain, watts_of(power))
            elif volts is not None and amperes is not None:
                found[label] = Rail(label, domain, product_of(volts, amperes))
    return list(found.values())


def sensor_of(rail: Rail) -> Gauge:
    """The rail as a sensor."""
    kind = GpuGauge if rail.domain == "gpu" else Gauge
    return kind(f"jetson:{rail.label}", rail.domain, rail.read)
