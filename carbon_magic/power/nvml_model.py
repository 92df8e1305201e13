"""An NVIDIA GPU that tells neither energy nor power: a model by how busy it is and by its power limit.

Old boards and some virtual ones tell their utilization alone. Their power is taken to rise evenly from a tenth of the
limit at rest to nine tenths at work, with a range that is wide because what runs on a busy GPU decides as much.
"""

from __future__ import annotations

from pathlib import Path

from carbon_magic.power.constants import GPU_CURVE_FACTOR, GPU_IDLE_OVER_TDP, GPU_SLOPE_OVER_TDP
from carbon_magic.power.nvml import NvmlSensor
from carbon_magic.power.nvml_library import Library
from carbon_magic.power.sensor import Provenance, SensorError
from carbon_magic.quantity import Interval


class NvmlModel(NvmlSensor):
    """One such GPU.

    Raises:
        SensorError: it tells no utilization or no power limit either.
    """

    provenance: Provenance = "modelled"
    short: tuple[float, Interval] | None = None
    idle_is_exact = True

    def __init__(self, held: Library, index: int, proc: Path) -> None:
        super().__init__(held, index, proc)
        self.factor = GPU_CURVE_FACTOR.value

    def _check(self) -> None:
        if self.max_power_w is None or self._try("nvmlDeviceGetUtilizationRates") is None:
            raise SensorError(f"{self.name} ({self.gpu_name}) tells neither its utilization nor its power limit")

    def _present_w(self, strict: bool = False) -> float | None:
        if strict:
            rates = self._nvml.nvmlDeviceGetUtilizationRates(self._handle)
        else:
            rates = self._try("nvmlDeviceGetUtilizationRates")
        if rates is None or self.max_power_w is None:
            return None
        utilization = min(max(rates.gpu / 100.0, 0.0), 1.0)
        power_w: float = self.max_power_w * (GPU_IDLE_OVER_TDP.value + GPU_SLOPE_OVER_TDP.value * utilization)
        return power_w
