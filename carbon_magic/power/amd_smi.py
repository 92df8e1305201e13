"""AMD's GPUs through their management library, where the package `amdsmi` is installed beside a driver that runs.

The energy counter is wrong on some boards, so it is read beside the power: as soon as ten seconds of both differ by
more than a tenth, the power is integrated from then on and the counter left alone. The second half of a double board
(MI250) tells nothing, because the first half tells the board's. Importing the package prints where its library is
missing, so that is looked for first; all of this belongs in the sampler's thread.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carbon_magic.power.constants import DISAGREE, GAUGE_SAMPLES, GPU_CURVE_FACTOR, GPU_IDLE_OVER_TDP
from carbon_magic.power.cumulative import GpuCounter
from carbon_magic.power.machine import is_there
from carbon_magic.power.sensor import SensorError
from carbon_magic.quantity import Interval

_LIBRARY = "libamd_smi.so"
_MAX_GPUS = 64
_SLOT = r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]"
_POWERS = ("current_socket_power", "average_socket_power")


def library(environ: Mapping[str, str], root: Path) -> Any | None:
    """The package, imported, or None where it is not installed, its library is missing or no driver runs."""
    if not is_there(root / "dev/kfd"):
        return None
    try:
        found = importlib.util.find_spec("amdsmi")
    except (ImportError, ValueError):  # a broken installation: as good as none
        return None
    if found is None or found.origin is None:
        return None
    rocm = environ.get("ROCM_PATH") or "/opt/rocm"
    places = [Path(found.origin).parent, Path(rocm) / "lib", Path(rocm) / "lib64"]
    if not any(is_there(place / _LIBRARY) for place in places):
        return None
    try:
        import amdsmi
    except Exception:  # it raises whatever its versions disagree about
        return None
    return amdsmi


def open_gpus(smi: Any, root: Path = Path("/")) -> list[AmdSmiSensor | tuple[str, str]]:
    """All GPUs that the library shows; (name, reason) of those that cannot be read.

    Args:
        root: where processes are looked for.

    Raises:
        SensorError: the library does not answer.
    """
    try:
        smi.amdsmi_init()
        handles = list(smi.amdsmi_get_processor_handles())[:_MAX_GPUS]
    except Exception as error:  # its exceptions derive from Exception alone
        raise SensorError(f"AMD SMI does not answer: {_words(error)}") from error
    found: list[AmdSmiSensor | tuple[str, str]] = []
    for index, handle in enumerate(handles):
        try:
            found.append(AmdSmiSensor(smi, handle, index, root))
        except SensorError as error:
            found.append((f"amdsmi:{index}", str(error)))
    return found


class AmdSmiSensor(GpuCounter):
    """One GPU.

    Raises:
        SensorError: it tells no power.
    """

    def __init__(self, smi: Any, handle: Any, index: int, root: Path = Path("/")) -> None:
        self._smi = smi
        self._handle = handle
        self.gpu_name = str(self._try("amdsmi_get_gpu_asic_info").get("market_name") or "AMD GPU")
        cap = self._try("amdsmi_get_power_cap_info").get("power_cap")
        most_w = cap / 1e6 if isinstance(cap, int) and cap > 0 else None
        super().__init__(
            f"amdsmi:{index}",
            "gpu",
            self._ask,
            max_power_w=most_w,
            idle_power_w=GPU_CURVE_FACTOR.value.scaled(GPU_IDLE_OVER_TDP.value * most_w) if most_w else None,
        )
        self.busy = self._busy
        if (slot := self._slot()) is not None:
            from carbon_magic.power.drm_clients import clients_of  # only where there is such a GPU

            self.clients = clients_of(root / "sys/bus/pci/devices" / slot, root, compute=True)
        self.counts = True
        """Whether its counter is believed; else its power is integrated."""
        self.distrust: str | None = None
        """Why it is not, in words."""
        self._watts = self._last_w = self._told_w()
        if self._watts is None:
            raise SensorError("It tells no power (the first half of a double board tells that of both).")
        self._compared = (0.0, 0.0, 0.0)
        """Seconds, joules by the counter, joules by the power."""
        self.peek()

    def _try(self, function: str) -> dict[str, Any]:
        try:
            answer = getattr(self._smi, function)(self._handle)
        except Exception:  # not offered by this GPU or release; `peek` tells when the GPU is lost
            return {}
        return answer if isinstance(answer, dict) else {}

    def _slot(self) -> str | None:
        """Where it stands on the PCI bus: `0000:03:00.0`."""
        try:
            slot = self._smi.amdsmi_get_gpu_device_bdf(self._handle)
        except Exception:  # not offered by this release: then nobody tells whose work it does
            return None
        return slot.lower() if isinstance(slot, str) and re.fullmatch(_SLOT, slot) else None

    def _told_w(self) -> float | None:
        told = self._try("amdsmi_get_power_info")
        for name in _POWERS:
            value = told.get(name)
            if isinstance(value, (int, float)) and math.isfinite(value) and 0 < value < 65535:
                return float(value)
        return None

    def _busy(self) -> float | None:
        value = self._try("amdsmi_get_gpu_activity").get("gfx_activity")
        return min(max(value / 100.0, 0.0), 1.0) if isinstance(value, (int, float)) else None

    def _ask(self) -> float:
        watts = self._told_w()
        if watts is None:
            raise ValueError("it tells no power at present")
        self._watts = watts
        if not self.counts:
            return 0.0
        told = self._try("amdsmi_get_energy_count")
        count = told.get("energy_accumulator", told.get("power"))
        resolution_uj = told.get("counter_resolution")
        if not isinstance(count, (int, float)) or not isinstance(resolution_uj, (int, float)):
            self._stop_counting("It has no energy counter")
            return 0.0
        return float(count) * float(resolution_uj) / 1e6

    def _step(self, step_s: float, before: float, now: float) -> Interval:
        watts, last_w = self._watts or 0.0, self._last_w or 0.0
        self._last_w = self._watts
        integrated_j = (last_w + watts) / 2 * step_s
        if not self.counts:
            return self._scaled(integrated_j)
        step = super()._step(step_s, before, now)
        seconds, counted, by_power = self._compared
        self._compared = (seconds + step_s, counted + step.best, by_power + integrated_j)
        seconds, counted, by_power = self._compared
        if seconds >= GAUGE_SAMPLES.value * self.period_s and by_power > 0.0:
            self._compared = (0.0, 0.0, 0.0)
            if abs(counted - by_power) > DISAGREE.value * by_power:
                self._stop_counting(
                    f"Its counter told {counted / seconds:.3g} W over {seconds:.0f} s where its power was "
                    f"{by_power / seconds:.3g} W"
                )
                return Interval(min(step.low, integrated_j), integrated_j, max(step.high, integrated_j))
        return step

    def _stop_counting(self, why: str) -> None:
        self.counts = False
        self.distrust = f"{why}; its power is integrated."


def _words(error: Exception) -> str:
    told = getattr(error, "get_error_info", None)
    try:
        return str(told() if told else error)[:200] or type(error).__name__
    except Exception:  # words are not worth an error
        return type(error).__name__


def has_package() -> bool:
    """Whether the package could be imported, without doing so."""
    try:
        return importlib.util.find_spec("amdsmi") is not None
    except (ImportError, ValueError):  # a broken installation: as good as none
        return False


def kfd(root: Path) -> bool:
    """Whether AMD's compute driver is loaded."""
    return os.path.exists(root / "dev/kfd")  # noqa: PTH110 - no object for one question
