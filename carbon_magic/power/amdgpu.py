"""AMD's graphics: the power of a GPU on its own board, or of a whole processor that has its graphics inside.

The driver tells one power (`power1_average`, or `power1_input` on newer parts). On a part with the graphics inside the
processor, an APU, it is the power of the whole package (Linux, Documentation/gpu/amdgpu/thermal). Such a part has no
power cap and no fan of its own, and tells the voltage of its northbridge. On some desktop processors the number is that
of the small graphics alone; a value below what any package of that TDP draws at rest is not taken for the package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from carbon_magic.power.constants import CPU_CURVE, IDLE_OVER_MAX
from carbon_magic.power.cumulative import Gauge, GpuGauge
from carbon_magic.power.hwmon import Chip, number, watts_of
from carbon_magic.power.sensor import SensorError

_POWERS = ("power1_average", "power1_input")


def found_in(chips: Sequence[Chip]) -> list[Chip]:
    """The chips of AMD's graphics that tell a power."""
    return [chip for chip in chips if chip.driver == "amdgpu" and any(chip.file(name) for name in _POWERS)]


def is_apu(chip: Chip) -> bool:
    """Whether the graphics are a part of the processor."""
    if chip.text("in1_label") == "vddnb":
        return True
    return chip.file("power1_cap") is None and chip.file("fan1_input") is None


def package(chip: Chip, tdp_w: float | None) -> Gauge:
    """The processor package around the graphics.

    Args:
        tdp_w: the processor's TDP, where it is known.

    Raises:
        SensorError: it cannot be read, or is not the power of a package.
    """
    path = next((path for name in _POWERS if (path := chip.file(name))), None)
    assert path is not None
    idle_w = None if tdp_w is None else IDLE_OVER_MAX.value.scaled(tdp_w)
    sensor = Gauge("amdgpu:package", "cpu", watts_of(path), idle_power_w=idle_w)
    power_w = sensor.peek()
    least_w = (tdp_w or 0.0) * CPU_CURVE[0][1].value.low
    if power_w <= least_w:
        raise SensorError(
            f"it tells {power_w:.3g} W, and a package of {tdp_w:g} W draws more at rest: these are the graphics alone"
        )
    return sensor


def board(chip: Chip, index: int, root: Path = Path("/")) -> GpuGauge:
    """A GPU on its own board.

    Args:
        root: where processes and AMD's compute driver are looked for.

    Raises:
        SensorError: it cannot be read.
    """
    path = next((path for name in _POWERS if (path := chip.file(name))), None)
    assert path is not None
    most_w = chip.scaled("power1_cap", 1e-6)
    idle_w = IDLE_OVER_MAX.value.scaled(most_w) if most_w else None
    sensor = GpuGauge(f"amdgpu:{index}", "gpu", watts_of(path), max_power_w=most_w, idle_power_w=idle_w)
    busy = chip.file("gpu_busy_percent")
    if busy is not None:
        sensor.busy = lambda: min(max(number(busy) / 100.0, 0.0), 1.0)
    from carbon_magic.power.drm_clients import clients_of  # only where there is such a GPU

    sensor.clients = clients_of(chip.folder / "device", root, compute=True)
    sensor.peek()
    return sensor
