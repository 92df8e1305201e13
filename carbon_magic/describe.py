"""From what was measured to what is kept and shown: the record of a cell and the snapshot of a session.

Pure functions: they take measurements and facts, and put them into the frozen pages that everything else is written
against.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic import __version__
from carbon_magic.held import Priced
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.allotment import Allotment, Scope
from carbon_magic.power.machine import Form
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.power.share import BELOW_RESOLUTION, DomainEnergy, Measurement
from carbon_magic.power.wall import other_energy_j
from carbon_magic.quantity import Interval, sum_independent
from carbon_magic.snapshot import DomainTotal, Place, RunningCell, Snapshot
from carbon_magic.totals import Totals
from carbon_magic.windows import Window

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest


class Facts(NamedTuple):
    """What stays the same over a session and stands in each of its records."""

    session_id: str
    started_at: str
    project: str | None
    notebook: str | None
    version: str
    form: Form
    scope: Scope
    scope_reason: str
    part: float | None
    """The part of the machine that is allotted to this work, all its kernels together."""


def new_facts(form: Form, given: Allotment, project: str | None, notebook: str | None = None) -> Facts:
    """The facts of a session that begins now, on a machine of a form of which so much is given to it."""
    return Facts(
        session_id=uuid.uuid4().hex,
        started_at=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        project=project,
        notebook=notebook,
        version=__version__,
        form=form,
        scope=given.scope,
        scope_reason=given.reason,
        part=given.cpu_part,
    )


def project_here() -> str | None:
    """The name of the git repository around the working directory, else the directory's own; None where it is gone."""
    try:
        folder = Path.cwd()
    except OSError:
        return None
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            return parent.name or None
    return folder.name or None


def record_of(window: Window, priced: Priced, facts: Facts, *, final: bool) -> CellRecord:
    """A window's record, with the grams of the place it ran in."""
    measured, place, grams = priced
    own, machine, domains = measured.own_j, measured.machine_j, measured.domains

    def best(domain: Domain) -> float | None:
        return domains[domain].own_j.best if domain in domains else None

    def provenance(domain: Domain) -> Provenance | None:
        return domains[domain].provenance if domain in domains else None

    return CellRecord(
        record_id=window.record_id,
        session_id=facts.session_id,
        project=facts.project,
        notebook=facts.notebook,
        cell_id=window.cell_id,
        execution_count=window.execution_count,
        label=window.options.label if window.options else None,
        status=window.status,
        final=final,
        concurrent=window.concurrent,
        started_at=window.started_at,
        duration_s=measured.duration_s,
        energy_j=own.best if own else None,
        energy_j_low=own.low if own else None,
        energy_j_high=own.high if own else None,
        marginal_energy_j=measured.marginal_j,
        idle_energy_j=measured.idle_j,
        machine_energy_j=machine.best if machine else None,
        machine_energy_j_low=machine.low if machine else None,
        machine_energy_j_high=machine.high if machine else None,
        cpu_energy_j=best("cpu"),
        gpu_energy_j=best("gpu"),
        dram_energy_j=best("dram"),
        other_energy_j=other_energy_j(facts.form, own.best, measured.duration_s, facts.part) if own else None,
        share=measured.share,
        scope=facts.scope,
        emissions_g=grams.best if grams else None,
        emissions_g_low=grams.low if grams else None,
        emissions_g_high=grams.high if grams else None,
        region=place.region,
        region_source=place.source,
        intensity_g_per_kwh=place.intensity_g_per_kwh.best,
        intensity_low=place.intensity_g_per_kwh.low,
        intensity_high=place.intensity_g_per_kwh.high,
        intensity_source=place.intensity_source,
        intensity_year=place.intensity_year,
        pue=place.pue,
        data_version=place.data_version,
        cpu_seconds=measured.cpu_s,
        gpu_utilization=measured.gpu_utilization,
        cpu_provenance=provenance("cpu"),
        gpu_provenance=provenance("gpu"),
        dram_provenance=provenance("dram"),
        sensors=measured.sensors,
        version=facts.version,
        below_resolution=measured.below_resolution,
    )


def estimate_of(snapshot: Snapshot, duration_s: float) -> Measurement:
    """A window that no reading has reached yet: the present power of each domain times the duration, widely."""
    domains = {}
    for domain, total in snapshot.domains.items():
        if total.power_w is not None:
            energy = Interval.exact(total.power_w * duration_s).times(BELOW_RESOLUTION)
            domains[domain] = DomainEnergy(energy, energy, 0.0, total.provenance)
    own = sum_independent(energy.own_j for energy in domains.values()) if domains else None
    return unknown(duration_s)._replace(own_j=own, machine_j=own, domains=domains, below_resolution=True)


def unknown(duration_s: float) -> Measurement:
    """A window of which nothing is known but how long it was."""
    return Measurement(
        duration_s=duration_s,
        own_j=None,
        machine_j=None,
        marginal_j=None,
        domains={},
        share=None,
        cpu_s=None,
        gpu_utilization=None,
        sensors=(),
        below_resolution=False,
    )


class Running(NamedTuple):
    """A cell that has not ended, and what it has cost up to the last tick."""

    window: Window
    duration_s: float
    measured: Measurement | None


def snapshot_of(
    facts: Facts,
    totals: Totals,
    place: Place,
    *,
    tracking: bool,
    present: Measurement | None,
    records: Sequence[CellRecord],
    running: Sequence[Running],
    problems: Sequence[str],
    rest: Rest | None = None,
) -> Snapshot:
    """The session as it is now; `present` is the last step that all was read at, for the power of the moment."""
    own = totals.own_j
    span_s = present.duration_s if present is not None else 0.0
    powers = {
        domain: energy.own_j.best / span_s for domain, energy in (present.domains.items() if present else ()) if span_s
    }
    return Snapshot(
        session_id=facts.session_id,
        tracking=tracking,
        started_at=facts.started_at,
        duration_s=totals.tracked_s,
        energy_j=own,
        machine_energy_j=totals.machine_j,
        between_cells_j=totals.between_j,
        emissions_g=totals.emissions_g,
        emissions_known=totals.emissions_known and place.known,
        power_w=sum(powers.values()) if powers else None,
        mean_power_w=own.best / totals.tracked_s if own is not None and totals.tracked_s > 0.0 else None,
        domains={
            domain: DomainTotal(energy_j=energy, provenance=provenance, power_w=powers.get(domain))
            for domain, (energy, provenance) in totals.domains.items()
        },
        place=place,
        scope=facts.scope,
        scope_reason=facts.scope_reason,
        records=tuple(records),
        running=tuple(
            RunningCell(
                execution_count=one.window.execution_count,
                label=one.window.options.label if one.window.options else None,
                duration_s=one.duration_s,
                energy_j=one.measured.own_j.best if one.measured and one.measured.own_j else None,
                energy=one.measured.own_j if one.measured else None,
                record_id=one.window.record_id,
                cell_id=one.window.cell_id,
                started_at=one.window.started_at,
            )
            for one in running
        ),
        problems=tuple(problems),
        rest=rest,
    )
