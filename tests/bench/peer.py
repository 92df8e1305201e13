"""CodeCarbon as its users run it in a notebook, offline, and pointed at a made-up machine where that is asked for.

Its constructor has no argument for the folder of the RAPL counters, so their default is replaced in the process that
measures, and nowhere else.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

NAME = "CodeCarbon"
VERSION = "3.3.2"
J_PER_KWH = 3.6e6


def installed_version() -> str | None:
    """The version that is installed here, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("codecarbon")
    except PackageNotFoundError:
        return None


def new_tracker(**options: Any) -> Any:
    """A tracker that writes no file and asks no network, on the machine of `CARBON_MAGIC_ROOT` where that is set."""
    from codecarbon import OfflineEmissionsTracker

    root = os.environ.get("CARBON_MAGIC_ROOT")
    if root:
        point_at(Path(root))
    return OfflineEmissionsTracker(country_iso_code="FRA", output_methods=[], log_level="critical", **options)


def point_at(root: Path) -> None:
    """Have every tracker of this process look for RAPL below a root."""
    from codecarbon.core import cpu
    from codecarbon.external import hardware

    folder = str(root / "sys/devices/virtual/powercap")
    cpu.is_rapl_available = partial(_of(cpu.is_rapl_available), rapl_dir=folder)

    rapl = _of(cpu.IntelRAPL)

    def on_the_tree(**options: Any) -> Any:
        return rapl(**{**options, "rapl_dir": folder})

    hardware.IntelRAPL = on_the_tree


def what_it_reads(tracker: Any) -> list[str]:
    """What a tracker that has started reads its energy from: `RAPL`, `GPU`, and what it models."""
    return ["RAPL" if getattr(part, "_mode", "") == "intel_rapl" else type(part).__name__ for part in tracker._hardware]


def _of(function: Any) -> Any:
    """What `point_at` may have wrapped already."""
    return function.func if isinstance(function, partial) else function
