"""A stand-in shaped like the package `amdsmi`: GPUs whose power, energy and activity a test sets."""

from __future__ import annotations

from typing import Any


class AmdSmiLibraryException(Exception):  # noqa: N818 - as the package calls it
    """What the package raises."""

    def get_error_info(self) -> str:
        return str(self)


class AmdSmi:
    """The module's functions over a list of GPUs, each a dict: watts, joules, busy, cap_w, name, bdf. None: not
    told."""

    AmdSmiLibraryException = AmdSmiLibraryException

    def __init__(self, *gpus: dict[str, Any]) -> None:
        self.gpus = list(gpus)
        self.broken = False

    def amdsmi_init(self) -> None:
        if self.broken:
            raise AmdSmiLibraryException("Driver not loaded")

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(len(self.gpus)))

    def _told(self, handle: int, key: str) -> Any:
        value = self.gpus[handle].get(key)
        if value is None:
            raise AmdSmiLibraryException("Not supported")
        return value

    def amdsmi_get_gpu_asic_info(self, handle: int) -> dict[str, Any]:
        return {"market_name": self._told(handle, "name")}

    def amdsmi_get_power_cap_info(self, handle: int) -> dict[str, Any]:
        return {"power_cap": round(self._told(handle, "cap_w") * 1e6)}

    def amdsmi_get_power_info(self, handle: int) -> dict[str, Any]:
        watts = self.gpus[handle].get("watts")
        return {"current_socket_power": "N/A", "average_socket_power": "N/A" if watts is None else watts}

    def amdsmi_get_energy_count(self, handle: int) -> dict[str, Any]:
        joules = self._told(handle, "joules")
        return {"energy_accumulator": round(joules / 15.3e-6), "counter_resolution": 15.3, "timestamp": 0}

    def amdsmi_get_gpu_activity(self, handle: int) -> dict[str, Any]:
        return {"gfx_activity": self._told(handle, "busy")}

    def amdsmi_get_gpu_device_bdf(self, handle: int) -> str:
        return str(self._told(handle, "bdf"))
