"""What the doctor looks at: sensors, their idle power, whose the machine is, versions, and what we cost ourselves.

In a kernel its session answers; on the command line everything is looked for anew, and nothing is measured. Nothing is
run or changed in either.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence

from carbon_magic import __version__
from carbon_magic.meter import Meter
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.machine import Machine, read_text
from carbon_magic.power.sampler import Sampler
from carbon_magic.power.sensor import Sensor
from carbon_magic.power.steal import steal_note
from carbon_magic.snapshot import Place
from carbon_magic.views.findings import GUESSED, MEASURED, MODEL, Findings, Idle, Overhead

PACKAGES = (
    *("ipython", "ipykernel", "ipywidgets", "jupyterlab", "nbclient", "psutil", "nvidia-ml-py", "amdsmi"),
    *("zeus-apple-silicon", "bqplot", "anywidget"),
)
"""Whose versions are told where they are installed."""
OVER_S = 60.0
"""Who works is told of the last minute."""
_GIB = 1024**3


def idle_powers(sampler: Sampler | None, candidates: Iterable[Candidate]) -> dict[str, Idle]:
    """The idle power of each sensor that counts; without a sampler that of the models, and what is guessed."""
    if sampler is None:
        used = (candidate.sensor for candidate in candidates if candidate.used and candidate.sensor is not None)
        return {sensor.name: Idle(sensor.idle_power_w, _unmeasured(sensor)) for sensor in used if sensor.idle_power_w}
    found = {}
    for channel in sampler.channels:
        baseline = channel.baseline
        measured = baseline.seen and not channel.sensor.idle_is_exact
        power_w = baseline.power_w()
        if measured or power_w.high > 0.0:
            origin = MEASURED if measured else _unmeasured(channel.sensor)
            found[channel.sensor.name] = Idle(power_w, origin, baseline.quiet)
    return found


def _unmeasured(sensor: Sensor) -> str:
    return MODEL if sensor.idle_is_exact else GUESSED


def share_notes(meter: Meter) -> list[str]:
    """What is to be known of the share beside the scope and its reason."""
    machine, sampler, notes = meter.machine, meter.sampler, []
    kernels = meter.kernels
    if kernels > 1 and meter.allotment.scope != "shared":
        notes.append(f"{kernels} tracked kernels live in it and divide its idle energy.")
    stolen = _stolen_since_start(machine) if sampler is None else sampler.steal.note()
    work = None if sampler is None else _who_works(sampler, machine.logical_cpus)
    return [*notes, *(note for note in (work, stolen) if note), *machine_notes(machine)]


def machine_notes(machine: Machine) -> list[str]:
    """What the kind of machine does to the share."""
    notes = []
    if machine.sockets > 1:
        notes.append(
            f"There are {machine.sockets} processor packages. Their energies are added up, and go by CPU time, "
            "whichever of them the work ran on."
        )
    return notes


def _who_works(sampler: Sampler, cpus: int) -> str | None:
    """How much of the machine's work of the last minute was this kernel's."""
    timeline = sampler.timeline
    last_s = timeline.ticks.last_s
    first_s = max(last_s - OVER_S, timeline.ticks.times[0]) if len(timeline.ticks.times) else last_s
    if not last_s - first_s >= 2.0:
        return None
    (own_then_s, busy_then_s), (own_s, busy_s) = timeline.ticks.at(first_s), timeline.ticks.at(last_s)
    busy = max(busy_s - busy_then_s, own_s - own_then_s)
    if busy <= 0.0:
        return None
    return (
        f"In the last {last_s - first_s:.0f} s {busy / (cpus * (last_s - first_s)):.0%} of the CPUs were busy, "
        f"{(own_s - own_then_s) / busy:.0%} of that with this kernel and what it started."
    )


def _stolen_since_start(machine: Machine) -> str | None:
    if machine.platform != "linux":
        return None
    from carbon_magic.power.usage import busy_seconds, stolen_seconds

    stat = (read_text(machine.root / "proc/stat", 4096) or "").encode()
    try:
        return steal_note(busy_seconds(stat), stolen_seconds(stat), "since its start")
    except ValueError:  # no numbers: then it tells nothing
        return None


def overhead_of(sampler: Sampler | None, started_s: float | None, loaded_bytes: int | None) -> Overhead | None:
    """What measuring has cost in this process, its sampler having started at a time of the monotonic clock."""
    if sampler is None:
        return None
    lasted_s = 0.0 if started_s is None else time.monotonic() - started_s
    return Overhead(sampler.cpu_s, lasted_s, sampler.timeline.held_bytes, loaded_bytes)


def versions() -> dict[str, str]:
    """Ours, Python's, the system's, and those of the packages that matter."""
    from importlib.metadata import PackageNotFoundError, version

    from carbon_magic.grid.table import data_version

    found = {
        "carbon-magic": __version__,
        "data": data_version(),
        platform.python_implementation(): platform.python_version(),
        platform.system() or "system": f"{platform.release()} {platform.machine()}".strip(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # not installed here: then it cannot be the cause
    return found


def machine_facts(machine: Machine) -> dict[str, str | int | float | None]:
    """What is known of the machine."""
    return {
        "cpu": machine.cpu_name,
        "cpus": machine.logical_cpus,
        "sockets": machine.sockets,
        "form": machine.form,
        "memory_gib": None if machine.memory_bytes is None else round(machine.memory_bytes / _GIB, 1),
    }


def _live_problems(environ: Mapping[str, str]) -> list[str]:
    """What of the environment's provider of live intensities would keep a kernel from loading."""
    from carbon_magic.live import VARIABLE

    asked = environ.get(VARIABLE, "").strip()
    if not asked:
        return []
    from carbon_magic.grid.live.choose import UnknownProvider, choice  # few name one

    try:
        choice(asked)
    except UnknownProvider as error:
        return [f"{VARIABLE}: {error}"]
    return []


def findings_of(
    meter: Meter,
    candidates: Sequence[Candidate],
    *,
    tracking: bool | None,
    place: Place,
    problems: Sequence[str],
    records: str,
    loaded_bytes: int | None = None,
    loads: bool = True,
) -> Findings:
    """What is found by a meter that measures, or by one that does not and has `candidates` alone."""
    sampler, given = meter.sampler, meter.allotment
    return Findings(
        candidates=candidates,
        idle=idle_powers(sampler, candidates),
        tracking=tracking,
        scope=given.scope,
        scope_reason=given.reason,
        share_notes=share_notes(meter),
        place=place,
        problems=problems,
        versions=versions(),
        machine=machine_facts(meter.machine),
        records=records,
        rest=sampler.rest() if sampler is not None else None,
        overhead=overhead_of(sampler, meter.started_s, loaded_bytes),
        loads=loads,
    )


def look(environ: Mapping[str, str] = os.environ) -> Findings:
    """What a session that began here now would find."""
    from carbon_magic.grid import table
    from carbon_magic.grid.choose import Whereabouts, choose_by
    from carbon_magic.ledger.home import HomelessError, home

    meter = Meter(environ, "auto")
    candidates = meter.candidates()
    place, refused = choose_by(environ, Whereabouts(meter.machine.root, environ))
    refused += _live_problems(environ)
    try:
        records = f"kept in {home(environ)} once a kernel records"
    except HomelessError as error:
        records = f"in memory only: {error}"
    return findings_of(
        meter,
        candidates,
        tracking=None,
        place=place,
        problems=[*refused, *([meter.problem] if meter.problem else []), *table.problems()],
        loads=not refused,
        records=records,
    )
