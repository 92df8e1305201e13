"""A sensor that was looked for: used, read beside the others, or left alone, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from carbon_magic.power.sensor import Domain, Provenance, Sensor

Figures = dict[str, float | str | bool]


@dataclass(frozen=True)
class Candidate:
    """A sensor that was looked for."""

    name: str
    domain: Domain
    provenance: Provenance
    used: bool
    """Whether its joules count."""
    reason: str
    """Why it is used, or why not."""
    fix: str | None = None
    """What the user can do to have it used; nothing here is ever done unasked."""
    figures: Figures = field(default_factory=dict)
    """What was found out: `tdp_w`, `tdp_source`, `vcpu_idle_w`, `memory_gib` and the like."""
    sensor: Sensor | None = None
    """The opened sensor, in the used and the watched ones only."""
    watched: bool = False
    """Whether it is read beside the others, to explain and to compare; its joules never count."""
    whole: bool = False
    """Whether it is a meter of the whole machine."""
