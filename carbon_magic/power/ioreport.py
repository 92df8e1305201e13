"""Apple silicon: the joules that the chip itself reports (IOReport), without root, through `zeus-apple-silicon`.

One monitor answers cumulative millijoules of the processor, the graphics, the memory and the neural engine; what a chip
does not report is None. The neural engine is an accelerator and goes with the graphics. The package is an extra
(`carbon-magic[macos]`) and is imported only on macOS.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from carbon_magic.power.constants import IOREPORT
from carbon_magic.power.cumulative import Counter, GpuCounter
from carbon_magic.power.sensor import Domain, SensorError

PACKAGE = "zeus_apple_silicon"
FIX = "Install it with: pip install carbon-magic[macos]"
_PARTS: dict[Domain, tuple[str, ...]] = {
    "cpu": ("cpu_total_mj",),
    "gpu": ("gpu_mj", "gpu_sram_mj", "ane_mj"),
    "dram": ("dram_mj",),
}
_ONE_TICK_S = 0.1


class Monitor:
    """One monitor for all parts of the chip; one answer serves all sensors of a tick."""

    def __init__(self, library: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._monitor = library.AppleEnergyMonitor()
        self._clock = clock
        self._answer: tuple[float, Any] | None = None

    def energy_j(self, parts: Sequence[str]) -> float | None:
        """Joules of these parts together, or None where the chip reports none of them."""
        if self._answer is None or self._clock() - self._answer[0] >= _ONE_TICK_S:
            try:
                self._answer = (self._clock(), self._monitor.get_cumulative_energy())
            except RuntimeError as error:
                raise ValueError(str(error)) from error
        told = [value for part in parts if (value := getattr(self._answer[1], part, None)) is not None]
        return sum(told) / 1e3 if told else None


def open_chip(library: Any | None = None) -> list[Counter]:
    """A sensor for each domain that the chip reports.

    Args:
        library: what is taken for the package.

    Raises:
        SensorError: the package is missing, or the chip reports nothing.
    """
    try:
        monitor = Monitor(library or importlib.import_module(PACKAGE))
        told = {domain: monitor.energy_j(parts) for domain, parts in _PARTS.items()}
    except ImportError as error:
        raise SensorError("the package zeus-apple-silicon is not installed") from error
    except (RuntimeError, ValueError) as error:
        raise SensorError(f"the chip reports nothing: {error}") from error
    if told["cpu"] is None:
        raise SensorError("the chip does not report its processor")
    return [_sensor(monitor, domain) for domain, energy_j in told.items() if energy_j is not None]


def _sensor(monitor: Monitor, domain: Domain) -> Counter:
    def read() -> float:
        energy_j = monitor.energy_j(_PARTS[domain])
        if energy_j is None:
            raise ValueError("the chip does not report it any more")
        return energy_j

    return (GpuCounter if domain == "gpu" else Counter)(f"ioreport:{domain}", domain, read, factor=IOREPORT.value)
