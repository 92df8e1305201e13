"""What the plug draws beyond processors, memory and accelerators: shown beside a figure, never added to it.

Power supply, fans, board, disks and screen cannot be seen by any sensor used here. What they draw is a factor on the
components' energy and some watts for as long as the machine is on; both are rough, so the result is `assumed`.
"""

from __future__ import annotations

from carbon_magic.power.constants import (
    WALL_DESKTOP,
    WALL_DESKTOP_W,
    WALL_LAPTOP,
    WALL_LAPTOP_W,
    WALL_SERVER,
)
from carbon_magic.power.machine import Form

_BEYOND: dict[Form, tuple[float, float]] = {
    "desktop": (WALL_DESKTOP.value.best, WALL_DESKTOP_W.value.best),
    "laptop": (WALL_LAPTOP.value.best, WALL_LAPTOP_W.value.best),
    "server": (WALL_SERVER.value.best, 0.0),
    "vm": (WALL_SERVER.value.best, 0.0),
}


def other_energy_j(form: Form, own_j: float, duration_s: float, part: float | None) -> float | None:
    """Joules beyond the components' `own_j`, `part` of the machine being this kernel's; None for an unknown form."""
    if form not in _BEYOND:
        return None
    factor, watts = _BEYOND[form]
    return own_j * (factor - 1.0) + watts * (part or 0.0) * duration_s
