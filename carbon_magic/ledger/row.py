"""The row of a session: one life of a kernel, or of a script that used `track`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["kernel", "script", "monitor", "imported"]
Ending = Literal["running", "ended", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session. Units stand in the names; times are UTC, ISO 8601. Unknown is None, never 0."""

    session_id: str
    kind: Kind
    host: str
    boot_id: str | None
    """Of the machine's present life: a process number means nothing in another one."""
    pid: int | None
    process_started: str | None
    """When the process began, in the platform's own unit: with the number it names a process for good."""
    user: str | None
    project: str | None
    notebook: str | None
    started_at: str
    heartbeat_at: str
    ended_at: str | None
    ending: Ending
    duration_s: float
    """Tracked time."""
    cells: int
    energy_j: float | None
    energy_j_low: float | None
    energy_j_high: float | None
    between_cells_j: float | None
    machine_energy_j: float | None
    emissions_g: float | None
    emissions_g_low: float | None
    emissions_g_high: float | None
    region: str
    region_source: str
    scope: str
    data_version: str
    version: str
    python: str
    platform: str
