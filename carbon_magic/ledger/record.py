"""The record of one cell: what is shown, sent, stored and exported, always with these names.

Unknown is None, never 0. `marginal_energy_j` <= `energy_j` <= `machine_energy_j`, and CPU, GPU and DRAM add up to
`energy_j`. Low and high say how wrong the measurement may be at 95 %, the rule of the share being given.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Literal

from carbon_magic.power.sensor import Provenance

Status = Literal["ok", "error", "interrupted", "killed", "running"]

BOUNDARY = "components"
"""The one boundary of every figure: processors, memory and accelerators at their own pins."""

_NBFORMAT_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One executed cell. Units stand in the names; times are UTC, ISO 8601."""

    record_id: str
    session_id: str
    project: str | None
    notebook: str | None
    cell_id: str | None
    execution_count: int | None
    label: str | None
    status: Status
    final: bool
    concurrent: bool
    started_at: str
    duration_s: float
    energy_j: float | None
    energy_j_low: float | None
    energy_j_high: float | None
    marginal_energy_j: float | None
    idle_energy_j: float | None
    machine_energy_j: float | None
    machine_energy_j_low: float | None
    machine_energy_j_high: float | None
    cpu_energy_j: float | None
    gpu_energy_j: float | None
    dram_energy_j: float | None
    other_energy_j: float | None
    share: float | None
    scope: str
    boundary: str = BOUNDARY
    emissions_g: float | None
    emissions_g_low: float | None
    emissions_g_high: float | None
    region: str
    region_source: str
    intensity_g_per_kwh: float
    intensity_low: float
    intensity_high: float
    intensity_source: str
    intensity_year: int | None
    pue: float
    data_version: str
    cpu_seconds: float | None
    gpu_utilization: float | None
    cpu_provenance: Provenance | None
    gpu_provenance: Provenance | None
    dram_provenance: Provenance | None
    sensors: tuple[str, ...]
    version: str
    below_resolution: bool = False
    """Shorter than its sensors can tell: power times duration, shown with an almost-equal sign."""

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON has it: field names as keys, in the order of this page."""
        return {**asdict(self), "sensors": list(self.sensors)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CellRecord:
        """The inverse of `as_dict`. Unknown keys are ignored, so that a newer writer can be read.

        Raises:
            TypeError: a field without default is missing.
        """
        known = {field.name for field in fields(cls)}
        kept = {key: value for key, value in data.items() if key in known}
        if "sensors" in kept:
            kept["sensors"] = tuple(kept["sensors"])
        return cls(**kept)


def safe_cell_id(cell_id: object) -> str | None:
    """A notebook cell's id as it may be stored: nbformat's own ids as they are, anything else hashed.

    VS Code puts the notebook's path there, and a path is nobody's business.
    """
    if not isinstance(cell_id, str) or not cell_id:
        return None
    if _NBFORMAT_ID.fullmatch(cell_id):
        return cell_id
    return "sha256-" + sha256(cell_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]
