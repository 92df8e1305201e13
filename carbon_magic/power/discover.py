"""Which sensors this machine has, which of them are used, and why the others are not.

Looking for sensors gives a list of candidates: the used ones carry an opened sensor, the others the reason in words
and, where the user can do something about it, what. The doctor prints the list as it stands, so that a modelled figure
is never a riddle. What may block, the GPU driver, is looked for apart from the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_magic.power.candidate import Candidate, Figures
from carbon_magic.power.constants import GPU_IDLE_OVER_TDP, GPU_SLOPE_OVER_TDP, TDP_DESKTOP_W, TDP_LAPTOP_W
from carbon_magic.power.cpu_model import CpuModel, LoadModel, VcpuModel, table_tdp, vcpu_watts
from carbon_magic.power.dram import GIB, DramModel, watts_per_gib
from carbon_magic.power.machine import Machine, is_there
from carbon_magic.power.powercap import ROOT_ONLY, PowercapSensor, Zone, zones
from carbon_magic.power.sensor import Domain, SensorError
from carbon_magic.power.sources import Ways, measured_elsewhere

if TYPE_CHECKING:
    from carbon_magic.power.calibration import Fit

BusySeconds = Callable[[], float]

UDEV_RULE = (
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*", '
    'RUN+="/usr/bin/chgrp rapl /sys/%p/energy_uj", RUN+="/usr/bin/chmod g+r /sys/%p/energy_uj"'
)
"""Lets the group `rapl` read the energy counters, from each start of the machine on."""

RAPL_FIX = f"""\
To let a group read the counters, an administrator runs:
groupadd --system rapl
usermod --append --groups rapl USER
puts this line into /etc/udev/rules.d/90-rapl.rules:
{UDEV_RULE}
and runs:
udevadm control --reload
udevadm trigger --subsystem-match=powercap
Then you log in again. What it exposes: other users on this machine, those of the group, can learn about your \
computations from power (PLATYPUS, CVE-2020-8694)."""


def discover(
    machine: Machine, busy_s: BusySeconds, fit: Fit | None = None, ways: Ways | None = None
) -> list[Candidate]:
    """The sensors of processors and memory, used ones first within each domain.

    Args:
        busy_s: busy CPU seconds of the machine since some moment, summed over its CPUs; for the models.
        fit: the curve of this very machine, if it was calibrated.
        ways: what leads to the hardware, where powercap does not.
    """
    found = zones(machine.root) if machine.platform == "linux" else []
    measured = _powercap(machine, found)
    if not any(item.used and item.domain == "cpu" for item in measured):
        measured = _elsewhere(machine, found, measured, ways or Ways.of(machine))
    packages = [item for item in measured if item.used and item.domain == "cpu"]
    model = _cpu_model(machine, found, busy_s, fit)
    if packages:
        model = _unused(model, "The processor is measured; this model takes over if that fails.")
    elif isinstance(model.sensor, VcpuModel):
        measured = [_without_memory(item) if item.used else item for item in measured]
    memory = _dram(machine, measured, model)
    return [*packages, model, *(item for item in measured if item not in packages), *memory]


def _elsewhere(machine: Machine, found: Sequence[Zone], measured: Sequence[Candidate], ways: Ways) -> list[Candidate]:
    """What measures the processor where powercap does not, and powercap's own zones."""
    others = measured_elsewhere(machine, ways, _tdp(machine, found)[0])
    same = any(item.used and item.name.startswith(("perf:", "zeusd:", "emi:")) for item in others)
    return [*others, *(replace(item, fix=None) if same else item for item in measured)]


def fallback_cpu(machine: Machine, busy_s: BusySeconds, fit: Fit | None = None) -> Candidate:
    """The CPU model, opened: what stands in when the counters fail while the notebook runs.

    `figures["memory_included"]` tells whether its joules hold the memory's already.
    """
    found = zones(machine.root) if machine.platform == "linux" else []
    return _cpu_model(machine, found, busy_s, fit)


def discover_gpus(library: Path | None = None, root: Path = Path("/")) -> list[Candidate]:
    """The NVIDIA GPUs, opened; one unused candidate with the reason where there is none.

    Loads the driver's library, which takes long and may block: call it where nobody waits.

    Args:
        library: the management library to load in place of the system's.
        root: where the device files are looked for.
    """
    if library is None and sys.platform == "linux":
        signs = ("proc/driver/nvidia", "dev/nvidiactl", "dev/dxg")
        if not any(is_there(root / sign) for sign in signs):
            return [Candidate("nvml", "gpu", "measured", False, "There is no NVIDIA GPU, or its driver is not loaded.")]
    from carbon_magic.power.nvml import NvmlSensor, open_gpus  # only the sampler's thread may wait for the driver

    candidates = []
    for found in open_gpus(library, root / "proc"):
        if isinstance(found, NvmlSensor):
            how = "the GPU's energy counter" if found.counts else "the GPU's power, integrated"
            if found.module:
                how += "; its counter is that of the module, whose processor has a figure of its own"
            if found.mig:
                how += "; it is cut into instances, and ours have their slices' part of the board"
            figures: Figures = {"gpu": found.gpu_name, "counter": found.counts, "mig": found.mig}
            if found.max_power_w is not None:
                figures["max_power_w"] = found.max_power_w
            reason = f"Measured by {how} ({found.gpu_name})."
            if found.provenance == "modelled":
                reason = (
                    f"Power from {GPU_IDLE_OVER_TDP.value:.0%} of its limit at rest to "
                    f"{GPU_IDLE_OVER_TDP.value + GPU_SLOPE_OVER_TDP.value:.0%} at work, by its utilization, because it "
                    f"tells neither energy nor power ({found.gpu_name})."
                )
            candidates.append(Candidate(found.name, "gpu", found.provenance, True, reason, None, figures, found))
        else:
            candidates.append(Candidate(found.name, "gpu", "measured", False, found.reason))
    return candidates


def replaced_by(candidate: Candidate, error: str, name: str) -> Candidate:
    """A candidate that was used and failed for good, so that another took its place."""
    return replace(candidate, used=False, reason=f"It failed, and {name} took its place: {error}.")


def _unused(candidate: Candidate, reason: str) -> Candidate:
    if candidate.sensor is not None:
        candidate.sensor.close()
    return Candidate(
        candidate.name, candidate.domain, candidate.provenance, False, reason, candidate.fix, candidate.figures
    )


def _without_memory(candidate: Candidate) -> Candidate:
    return _unused(candidate, "The watts per hardware thread hold the memory already.")


def _powercap(machine: Machine, found: Sequence[Zone]) -> list[Candidate]:
    """All zones, with sensors opened for every package and every `dram`, or for none of the kind."""
    if not found:
        if machine.platform != "linux":
            return []
        why = "virtual machines hide them" if machine.form == "vm" else "neither processor nor kernel offers them"
        return [Candidate("powercap", "cpu", "measured", False, f"There are no RAPL counters here: {why}.")]
    duplicates = _duplicates(machine, found)
    candidates: list[Candidate] = []
    for kind in ("package", "dram"):
        wanted = [zone for zone in found if zone.kind == kind and zone not in duplicates]
        candidates += _open_all(machine, wanted)
    apart = {"psys": "It is the whole platform and holds the packages: it explains, and is never added."}
    inside = "It is a part of the package and never added."
    for zone in found:
        name = f"powercap{'-mmio' if zone.mmio else ''}:{zone.label}"
        domain: Domain = {"dram": "dram", "psys": "other"}.get(zone.kind, "cpu")  # type: ignore[assignment]
        reason = duplicates.get(zone) or (None if zone.kind in ("package", "dram") else apart.get(zone.kind, inside))
        if reason and zone.kind == "psys" and machine.form == "laptop" and zone.trouble is None:
            candidates.append(_platform(machine, zone, reason))
        elif reason:
            candidates.append(Candidate(name, domain, "measured", False, reason, figures=_zone_figures(zone)))
    return candidates


def _platform(machine: Machine, zone: Zone, reason: str) -> Candidate:
    """The platform's counter of a laptop, watched: there it follows the plug; on servers nobody knows what it is."""
    name = f"powercap:{zone.label}"
    try:
        sensor = PowercapSensor(zone, machine.cpu_vendor)
    except SensorError as error:
        return Candidate(name, "other", "measured", False, f"{error}.", figures=_zone_figures(zone))
    figures = _zone_figures(zone)
    return Candidate(name, "other", "measured", False, reason, None, figures, sensor, watched=True, whole=True)


def _duplicates(machine: Machine, found: Sequence[Zone]) -> dict[Zone, str]:
    """Zones that show the energy of another one again, with the reason."""
    duplicates: dict[Zone, str] = {}
    seen: dict[str, Zone] = {}
    for zone in sorted(found, key=lambda zone: zone.mmio):
        label = zone.label
        if machine.cpu_vendor in ("AuthenticAMD", "HygonGenuine"):
            # Each die of an AMD package shows the counter of the whole package.
            label = label.partition("-die-")[0]
        first = seen.setdefault(label, zone)
        if first is not zone:
            duplicates[zone] = f"It shows the same energy as {first.folder.name}."
    return duplicates


def _open_all(machine: Machine, wanted: Sequence[Zone]) -> list[Candidate]:
    """Sensors for all of these zones; where one cannot be read, for none, as a part of a machine is no total."""
    looked_up = table_tdp(machine.cpu_name)
    opened: list[PowercapSensor] = []
    failed: dict[Zone, str] = {}
    for zone in wanted:
        if zone.trouble:
            failed[zone] = f"Its {zone.folder.name}/energy_uj {zone.trouble}."
            continue
        try:
            opened.append(PowercapSensor(zone, machine.cpu_vendor, looked_up.tdp_w if looked_up else None))
        except SensorError as error:
            failed[zone] = f"{error}."
    if failed:
        for sensor in opened:
            sensor.close()
        others = f"Another part of the machine cannot be read ({', '.join(zone.label for zone in failed)})."
        return [
            _zone_candidate(zone, failed.get(zone, others), RAPL_FIX if zone.trouble == ROOT_ONLY else None, None)
            for zone in wanted
        ]
    measured = "Measured by the processor (RAPL)."
    return [_zone_candidate(zone, measured, None, sensor) for zone, sensor in zip(wanted, opened, strict=True)]


def _zone_candidate(zone: Zone, reason: str, fix: str | None, sensor: PowercapSensor | None) -> Candidate:
    domain: Domain = "dram" if zone.kind == "dram" else "cpu"
    used = sensor is not None
    return Candidate(f"powercap:{zone.label}", domain, "measured", used, reason, fix, _zone_figures(zone), sensor)


def _zone_figures(zone: Zone) -> Figures:
    figures: Figures = {"zone": zone.folder.name, "readable": zone.trouble is None}
    if zone.tdp_w is not None:
        figures["tdp_w"] = zone.tdp_w
    if zone.pl2_w is not None:
        figures["pl2_w"] = zone.pl2_w
    return figures


def _cpu_model(machine: Machine, found: Sequence[Zone], busy_s: BusySeconds, fit: Fit | None) -> Candidate:
    """The best model that the machine's facts allow, opened."""
    cpus = machine.logical_cpus
    if fit is not None:
        return _calibrated(fit, busy_s, cpus)
    client = machine.form in ("laptop", "desktop")
    tdp_w, source = _tdp(machine, found)
    if machine.form == "vm" or (tdp_w is None and not client):
        idle, full = vcpu_watts()
        figures: Figures = {
            "vcpus": cpus,
            "vcpu_idle_w": idle.best,
            "vcpu_full_w": full.best,
            "memory_included": True,
        }
        why = "a virtual machine hides what it runs on" if machine.form == "vm" else "the processor is not known"
        reason = f"Watts per hardware thread of common servers, memory included, because {why}."
        vcpus = VcpuModel(busy_s, cpus, assumed=machine.form != "vm")
        return Candidate("vcpu-model", "cpu", vcpus.provenance, True, reason, None, figures, vcpus)
    assumed = tdp_w is None
    if tdp_w is None:
        tdp_w = (TDP_LAPTOP_W if machine.form == "laptop" else TDP_DESKTOP_W).value
        source = f"assumed for a {machine.form}"
    packages = _main_packages(machine, found)
    short_w = [zone.pl2_w for zone in packages if zone.pl2_w is not None]
    pl2_w = sum(short_w) if short_w and len(short_w) == len(packages) else None
    sensor = CpuModel(busy_s, cpus, tdp_w=tdp_w, client=client, pl2_w=pl2_w, assumed=assumed)
    figures = {"tdp_w": tdp_w, "tdp_source": source, "sockets": machine.sockets, "memory_included": False}
    if pl2_w is not None:
        figures["pl2_w"] = pl2_w
    reason = f"A curve of power over load, scaled to {tdp_w:g} W ({source})."
    return Candidate("cpu-model", "cpu", sensor.provenance, True, reason, None, figures, sensor)


def _calibrated(fit: Fit, busy_s: BusySeconds, cpus: int) -> Candidate:
    sensor = LoadModel("cpu-model", "modelled", fit.points, cpus, busy_s)
    low, high = fit.spread
    figures: Figures = {
        "fitted_at": fit.fitted_at,
        "fitted_against": fit.reference,
        "full_w": fit.points[-1][1].best,
        "idle_w": fit.points[0][1].best,
        "memory_included": False,
    }
    reason = (
        f"A curve of power over load, fitted to this machine on {fit.fitted_at[:10]} against {fit.reference} "
        f"(-{low:.0%} to +{high:.0%} at full load)."
    )
    return Candidate("cpu-model", "cpu", sensor.provenance, True, reason, None, figures, sensor)


def _main_packages(machine: Machine, found: Sequence[Zone]) -> list[Zone]:
    duplicates = _duplicates(machine, found)
    return [zone for zone in found if zone.kind == "package" and zone not in duplicates]


def _tdp(machine: Machine, found: Sequence[Zone]) -> tuple[float | None, str]:
    """TDP of all packages and where it comes from: the zones' constraints, else the table by exact name."""
    packages = _main_packages(machine, found)
    told = [zone.tdp_w for zone in packages if zone.tdp_w is not None]
    if told and len(told) == len(packages):
        return sum(told), "powercap constraints"
    looked_up = table_tdp(machine.cpu_name)
    if looked_up is None:
        return None, ""
    return looked_up.tdp_w * machine.sockets, looked_up.source


def _dram(machine: Machine, found: Sequence[Candidate], cpu_model: Candidate) -> list[Candidate]:
    measured = any(item.used and item.domain == "dram" for item in found)
    # Apple's, Jetson's and Grace's memory is low-power too, whatever the machine looks like.
    soldered = any(item.used and item.name.startswith(("jetson:", "power-meter:")) for item in found)
    low_power = machine.form == "laptop" or machine.cpu_vendor == "Apple" or soldered
    name = "dram-model"
    if machine.memory_bytes is None:
        return [Candidate(name, "dram", "modelled", False, "How much memory the machine has is not known.")]
    figures: Figures = {
        "memory_gib": machine.memory_bytes / GIB,
        "w_per_gib": watts_per_gib(low_power).best,
        "low_power": low_power,
    }
    if measured:
        return [Candidate(name, "dram", "modelled", False, "The memory is measured.", None, figures)]
    if cpu_model.used and cpu_model.figures.get("memory_included"):
        reason = "The watts per hardware thread hold the memory already."
        return [Candidate(name, "dram", "modelled", False, reason, None, figures)]
    kind = "low-power memory" if low_power else "memory modules"
    reason = f"{watts_per_gib(low_power).best:g} W per GiB of {kind}, because the memory is not measured."
    sensor = DramModel(machine.memory_bytes, low_power)
    return [Candidate(name, "dram", "modelled", True, reason, None, figures, sensor)]
