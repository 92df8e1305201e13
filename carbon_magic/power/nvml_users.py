"""Who used an NVIDIA GPU: by process ids and samples of their use, or by the slices of a board that is cut.

Process ids mean nothing across the border of a container: what cannot be matched counts as ours and is marked as
unsure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from carbon_magic.power.sensor import GpuUse

_SUCCESS, _NOT_FOUND = 0, 6
_MIG_SLICES = 7
"""Compute slices of a board that is cut into instances."""


class NvmlUsers:
    """The processes on one GPU.

    Args:
        nvml: NVML's functions.
        handle: of the GPU.
        ask: what one of these functions answers about the GPU, or None where it does not answer.
        mig: whether the GPU is cut into instances.
        proc: where processes are looked up.
    """

    def __init__(self, nvml: Any, handle: Any, ask: Callable[..., Any], *, mig: bool, proc: Path) -> None:
        self._nvml = nvml
        self._handle = handle
        self._try = ask
        self._mig = mig
        self._proc = proc
        self._samples_us = 0
        self._ours: frozenset[int] = frozenset()
        self._sampled()  # what was sampled before now is nobody's business

    def use(self, pids: AbstractSet[int]) -> GpuUse:
        """Who used the GPU since the last call, `pids` being the kernel's process tree."""
        rates = self._try("nvmlDeviceGetUtilizationRates")
        utilization = None if rates is None else min(max(rates.gpu / 100.0, 0.0), 1.0)
        if self._mig:
            return GpuUse(self._mig_part(), utilization, False)
        running = self._running()
        sampled = self._sampled()
        present = (running or frozenset()) | {pid for pid, sm in (sampled or {}).items() if sm > 0}
        # A process of ours that has just ended is still in the samples.
        ours = present & (pids | self._ours)
        self._ours = frozenset(present & pids)
        if not present:
            nobody = running is not None and utilization == 0.0
            return GpuUse(0.0 if nobody else 1.0, utilization, nobody)
        if ours == present:
            return GpuUse(1.0, utilization, True)
        if not ours:
            known = all(self._exists(pid) for pid in present)
            return GpuUse(0.0 if known else 1.0, utilization, known)
        total = sum(sampled.values()) if sampled else 0
        if sampled and total > 0:
            return GpuUse(sum(sampled.get(pid, 0) for pid in ours) / total, utilization, True)
        return GpuUse(len(ours) / len(present), utilization, False)

    def _running(self) -> frozenset[int] | None:
        """Processes that have the GPU open for work, or None where the driver does not tell."""
        lists = [self._try(f"nvmlDeviceGet{kind}RunningProcesses") for kind in ("Compute", "Graphics")]
        if all(processes is None for processes in lists):
            return None
        return frozenset(process.pid for processes in lists for process in processes or [])

    def _mig_part(self) -> float:
        """The part of the board that the instances in sight have; all of it where they do not tell."""
        slices = 0
        for index in range(min(self._try("nvmlDeviceGetMaxMigDeviceCount") or 0, _MIG_SLICES)):
            instance = self._try("nvmlDeviceGetMigDeviceHandleByIndex", index)
            if instance is not None:
                try:
                    slices += int(self._nvml.nvmlDeviceGetAttributes(instance).gpuInstanceSliceCount)
                except self._nvml.NVMLError:  # an instance that was taken away just now
                    continue
        return min(slices / _MIG_SLICES, 1.0) if slices else 1.0

    def _sampled(self) -> dict[int, int] | None:
        """Samples of SM use since the last call, summed by process, or None where the driver does not tell."""
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(self._handle, self._samples_us)
        except self._nvml.NVMLError as error:
            return {} if error.value in (_SUCCESS, _NOT_FOUND) else None
        used: dict[int, int] = {}
        newest_us = self._samples_us
        for sample in samples:
            if sample.timeStamp > self._samples_us and sample.smUtil <= 100:
                used[sample.pid] = used.get(sample.pid, 0) + sample.smUtil
                newest_us = max(newest_us, sample.timeStamp)
        self._samples_us = newest_us
        return used

    def _exists(self, pid: int) -> bool:
        if sys.platform == "linux":
            return (self._proc / str(pid)).exists()
        import psutil

        return bool(psutil.pid_exists(pid))
