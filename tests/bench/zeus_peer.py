"""Zeus as its users run it around a piece of work, pointed at a made-up machine.

Its folder of RAPL counters is a constant of its module, which is replaced in the process that measures, and nowhere
else. It reads the counter at both ends of a window, on the caller's thread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

NAME = "Zeus"
VERSION = "0.16.0"


def missing() -> str | None:
    """None where Zeus can be measured, else the reason why not."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("zeus")
    except PackageNotFoundError:
        return "not installed"
    return None if found == VERSION else f"{found} is installed"


def new_monitor() -> Any:
    """A monitor of the processor of `CARBON_MAGIC_ROOT`, without GPUs.

    Raises:
        RuntimeError: it does not see that machine's counter.
    """
    from zeus.device.cpu import rapl
    from zeus.monitor import ZeusMonitor

    rapl.RAPL_DIR = str(Path(os.environ["CARBON_MAGIC_ROOT"]) / "sys/class/powercap")
    monitor = ZeusMonitor(gpu_indices=[])
    if monitor.cpu_indices != [0]:
        raise RuntimeError("Zeus does not see RAPL")
    return monitor


def end() -> None:
    """End the process that looks whether the counter wraps; it would keep this one's output open."""
    import multiprocessing

    for process in multiprocessing.active_children():
        process.kill()
        process.join()


def joules_of(monitor: Any, name: str) -> float:
    """End a window and give the processor's energy in it."""
    told = monitor.end_window(name, sync_execution=False)
    return float(sum(told.cpu_energy.values()))
