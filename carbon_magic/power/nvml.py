"""NVIDIA GPUs through their management library (NVML): energy counters where there are some, else integrated power.

GPUs since Volta count their energy; older ones tell their power, which is integrated here. The counter falls short
where it is read often, so it is read once a second and the momentary power gives the shape between two readings. One
that tells neither energy nor power is modelled (`nvml_model`). Calls may block, so all of this belongs in the sampler's
thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

from carbon_magic.power.constants import (
    GAUGE_LATE_S,
    GAUGE_PERIOD_S,
    GPU_CURVE_FACTOR,
    GPU_IDLE_OVER_TDP,
    GPU_UNKNOWN_MAX_W,
    NVML,
    NVML_PERIOD_S,
    NVML_SHORT,
    NVML_SHORT_S,
    NVML_UPDATE_S,
    RAPL_IMPLAUSIBLE,
)
from carbon_magic.power.cumulative import implausible
from carbon_magic.power.nvml_library import Library, binding
from carbon_magic.power.nvml_users import NvmlUsers
from carbon_magic.power.sensor import Domain, Fill, GpuUse, Provenance, Reading, SensorError
from carbon_magic.quantity import Interval

_FIELD_POWER_INSTANT = 186
"""NVML_FI_DEV_POWER_INSTANT, milliwatts; scope 0 is the GPU alone."""
_FIELD_VALUES = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal"}
"""Which member of a field value holds it, by `nvmlValueType_t`."""
_SUCCESS = 0
_MODULES = ("GH200", "Grace Hopper")
"""Names of GPUs whose counter and usual power are those of a module with a processor and memory on it."""
_MAX_GPUS = 64


class Unopened(NamedTuple):
    """A GPU, or all of them, that cannot be read."""

    name: str
    reason: str


def open_gpus(library: Path | None = None, proc: Path = Path("/proc")) -> list[NvmlSensor | Unopened]:
    """All GPUs that the driver shows, in its order; with the reason, those that cannot be read.

    Never raises: without a library, a driver or a GPU the list holds one `Unopened`.

    Args:
        library: the management library to load in place of the system's.
        proc: where processes are looked up.
    """
    try:
        pynvml = binding()
    except ImportError as error:
        return [Unopened("nvml", f"The package nvidia-ml-py is missing: {error}.")]
    try:
        # Loaded under its own name first, the system's loader hands it to everyone who asks by that name.
        loaded = None if library is None else ctypes.CDLL(str(library))
        held = Library(pynvml)
        del loaded
    except OSError as error:
        return [Unopened("nvml", f"The library {library} cannot be loaded: {error}.")]
    except pynvml.NVMLError as error:
        return [Unopened("nvml", f"The NVIDIA driver does not answer: {error}.")]
    try:
        return _open_each(held, proc)
    except pynvml.NVMLError as error:
        return [Unopened("nvml", f"The NVIDIA driver does not tell its GPUs: {error}.")]
    finally:
        held.release()


def _open_each(held: Library, proc: Path) -> list[NvmlSensor | Unopened]:
    count = held.nvml.nvmlDeviceGetCount()
    if count == 0:
        return [Unopened("nvml", "The NVIDIA driver shows no GPU.")]
    found: list[NvmlSensor | Unopened] = []
    for index in range(min(count, _MAX_GPUS)):
        try:
            found.append(NvmlSensor(held, index, proc))
        except UntoldError as untold:
            from carbon_magic.power.nvml_model import NvmlModel  # hardly any GPU needs it

            try:
                found.append(NvmlModel(held, index, proc))
            except SensorError:
                found.append(Unopened(f"nvml:{index}", f"{untold}."))
        except SensorError as error:
            found.append(Unopened(f"nvml:{index}", f"{error}."))
    return found


class UntoldError(SensorError):
    """A GPU tells neither its energy nor its power."""


class NvmlSensor:
    """One GPU's energy, and who uses it.

    Made by `open_gpus`.

    Raises:
        UntoldError: the GPU tells neither energy nor power.
        SensorError: it is not to be reached.
    """

    domain: Domain = "gpu"
    provenance: Provenance = "measured"
    cheap = False
    update_s = NVML_UPDATE_S.value
    resolution_s = 1.0
    short: tuple[float, Interval] | None = (NVML_SHORT_S.value, NVML_SHORT.value)
    idle_is_exact = False

    def __init__(self, held: Library, index: int, proc: Path) -> None:
        self.name = f"nvml:{index}"
        self.factor = NVML.value
        self._nvml: Any = held.nvml
        self._held: Library | None = None
        self._instant = True
        try:
            self._handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
            self.gpu_name = _text(self._nvml.nvmlDeviceGetName(self._handle))
        except self._nvml.NVMLError as error:
            raise SensorError(f"{self.name} cannot be opened: {error}") from error
        self.module = any(name in self.gpu_name for name in _MODULES)
        """Whether it sits on a module with a processor: then only its own power is read, and never the module's."""
        self.counts = not self.module and self._try("nvmlDeviceGetTotalEnergyConsumption") is not None
        """Whether the GPU counts its energy; else its power is integrated."""
        self.period_s = (NVML_PERIOD_S if self.counts else GAUGE_PERIOD_S).value
        self.fill: Fill = "power" if self.counts else "time"
        limit_mw = self._try("nvmlDeviceGetEnforcedPowerLimit") or self._try("nvmlDeviceGetPowerManagementLimit")
        self.max_power_w: float | None = limit_mw / 1e3 if limit_mw else None
        self.idle_power_w: Interval | None = None
        if self.max_power_w is not None:
            self.idle_power_w = GPU_CURVE_FACTOR.value.scaled(GPU_IDLE_OVER_TDP.value * self.max_power_w)
        self._check()
        self.mig = bool((self._try("nvmlDeviceGetMigMode") or [0])[0])
        """Whether the GPU is cut into instances; its energy is that of the whole board all the same."""
        self._last: tuple[float, float] | None = None
        self._total = Reading(0.0, 0.0, 0.0, 0.0)
        self._power_w: float | None = None
        self._lowest_w: float | None = None
        self._users = NvmlUsers(self._nvml, self._handle, self._try, mig=self.mig, proc=proc)
        held.hold()
        self._held = held

    def _check(self) -> None:
        """See that it tells something.

        Raises:
            UntoldError: it tells neither energy nor power.
            SensorError: what it tells is not of the GPU alone.
        """
        if self.counts or self._present_w() is not None:
            return
        if self.module:
            raise SensorError(
                f"{self.name} ({self.gpu_name}) tells only its module's energy, processor and memory included: "
                "beside the processor's own figure they would count twice"
            )
        raise UntoldError(f"{self.name} ({self.gpu_name}) tells neither energy nor power")

    def peek(self) -> float:
        """The energy counter in joules, or watts where there is none.

        Raises:
            SensorError: the GPU is lost, or the driver does not answer.
        """
        try:
            if self.counts:
                return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
            power_w = self._present_w(strict=True)
        except self._nvml.NVMLError as error:
            raise SensorError(f"{self.name} ({self.gpu_name}) does not answer: {error}") from error
        if power_w is None:
            raise SensorError(f"{self.name} ({self.gpu_name}) does not tell its power at present")
        return power_w

    def advance(self, time_s: float, raw: float) -> Reading:
        """Cumulative joules since the first call; `raw` is what `peek` returned."""
        if not self.counts:
            self._lowest_w = raw if self._lowest_w is None else min(raw, self._lowest_w)
        if self._last is None:
            self._last = (time_s, raw)
            self._total = Reading(time_s, 0.0, 0.0, 0.0)
            return self._total
        step_s = time_s - self._last[0]
        if step_s <= 0.0:  # nothing can be said of no time; the next step holds what this one brought
            return self._total
        step = self._counted(step_s, raw - self._last[1]) if self.counts else self._integrated(step_s, raw)
        self._last = (time_s, raw)
        total = self._total
        self._total = Reading(time_s, total.low_j + step.low, total.energy_j + step.best, total.high_j + step.high)
        return self._total

    def _counted(self, step_s: float, step_j: float) -> Interval:
        if step_j < 0.0 or implausible(step_j, step_s, self.max_power_w):
            # The driver was loaded again and its counter with it, or it told nonsense: go on at the last power seen.
            bridged_j = (self._power_w or 0.0) * step_s
            return Interval(0.0, bridged_j, max(bridged_j, (self.max_power_w or 0.0) * step_s))
        if step_s >= self.update_s:
            self._power_w = step_j / step_s
        return Interval(step_j * self.factor.low, step_j, step_j * self.factor.high)

    def _integrated(self, step_s: float, power_w: float) -> Interval:
        last_w = self._last[1] if self._last is not None else power_w
        step_j = (last_w + power_w) / 2 * step_s
        if step_s <= GAUGE_LATE_S.value:
            return Interval(step_j * self.factor.low, step_j, step_j * self.factor.high)
        low_j = min(self._lowest_w or 0.0, power_w) * step_s * self.factor.low
        return Interval(low_j, step_j, max((self.max_power_w or 0.0) * step_s, step_j * self.factor.high))

    def skip(self, time_s: float, raw: float) -> None:
        """Go on from here; the step since the last reading is dropped."""
        self._last = (time_s, raw)
        self._total = self._total._replace(time_s=time_s)

    def power_w(self) -> float | None:
        """Present power in watts; None where the GPU does not tell it, or where `peek` reads it already."""
        return self._present_w() if self.counts else None

    def use(self, pids: AbstractSet[int]) -> GpuUse:
        """Who used the GPU since the last call, `pids` being the kernel's process tree."""
        return self._users.use(pids)

    def close(self) -> None:
        """Give NVML back."""
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def _try(self, function: str, *arguments: Any) -> Any:
        """What an NVML function answers about this GPU, or None where it does not answer."""
        try:
            return getattr(self._nvml, function)(self._handle, *arguments)
        except self._nvml.NVMLError:  # not offered by this GPU or driver; `peek` tells when the GPU is lost
            return None

    def _present_w(self, strict: bool = False) -> float | None:
        """Momentary power by its field, else by the older function (a mean over 1 s on some GPUs); None where neither
        tells it, or one tells what no board draws (all ones stand for nothing in some drivers).

        Raises:
            NVMLError: only where `strict`, the GPU does not answer.
        """
        power_w = self._told_w(strict)
        most_w = RAPL_IMPLAUSIBLE.value * (self.max_power_w or GPU_UNKNOWN_MAX_W.value)
        return power_w if power_w is not None and 0.0 <= power_w <= most_w else None

    def _told_w(self, strict: bool) -> float | None:
        if self._instant:
            fields = self._try("nvmlDeviceGetFieldValues", [(_FIELD_POWER_INSTANT, 0)])
            member = _FIELD_VALUES.get(fields[0].valueType) if fields and fields[0].nvmlReturn == _SUCCESS else None
            if member is not None:
                return float(getattr(fields[0].value, member)) / 1e3
            self._instant = self.module
        if self.module:
            return None
        if strict:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1e3
        power_mw = self._try("nvmlDeviceGetPowerUsage")
        return None if power_mw is None else float(power_mw) / 1e3


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
