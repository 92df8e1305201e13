"""Intel's graphics boards: the energy counter that the drivers i915 and xe keep for them.

`energy1_input` counts microjoules in 64 bits, of the whole card with xe; where a driver tells only the chip's own
counter, `energy2_input`, that one is taken. Graphics inside a processor have none: the processor's package holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from carbon_magic.power.constants import GPU_CURVE_FACTOR, GPU_IDLE_OVER_TDP
from carbon_magic.power.cumulative import GpuCounter
from carbon_magic.power.hwmon import Chip, joules_of

_DRIVERS = ("i915", "xe")
_ENERGIES = ("energy1_input", "energy2_input")
_LIMITS = ("power1_rated_max", "power1_max", "power2_rated_max", "power2_max")


def found_in(chips: Sequence[Chip]) -> list[Chip]:
    """The chips of Intel's boards that count their energy."""
    return [chip for chip in chips if chip.driver in _DRIVERS and any(chip.file(name) for name in _ENERGIES)]


def board(chip: Chip, index: int, root: Path = Path("/")) -> GpuCounter:
    """One board.

    Args:
        root: where processes are looked for.

    Raises:
        SensorError: its counter cannot be read.
    """
    path = next((path for name in _ENERGIES if (path := chip.file(name))), None)
    assert path is not None
    most_w = next((limit_w for name in _LIMITS if (limit_w := chip.scaled(name, 1e-6))), None)
    idle_w = GPU_CURVE_FACTOR.value.scaled(GPU_IDLE_OVER_TDP.value * most_w) if most_w else None
    sensor = GpuCounter(f"intel-gpu:{index}", "gpu", joules_of(path), max_power_w=most_w, idle_power_w=idle_w)
    from carbon_magic.power.drm_clients import clients_of  # only where there is such a GPU

    sensor.clients = clients_of(chip.folder / "device", root)
    sensor.peek()
    return sensor
