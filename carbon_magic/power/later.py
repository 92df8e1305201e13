"""What is looked for in the sampler's thread, where nobody waits: the GPUs, and what measures the whole machine.

Drivers may take seconds to answer, and a meter over HTTP is slow by nature. Meters of the whole machine are watched
and never counted. What could measure the processor but is not needed is listed too, with the reason, so that the
doctor's list is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_magic.power.candidate import Candidate, Figures
from carbon_magic.power.discover import discover_gpus
from carbon_magic.power.machine import Machine
from carbon_magic.power.sensor import Domain, SensorError
from carbon_magic.power.sources import Ways, perf_events, used, watched

if TYPE_CHECKING:
    from carbon_magic.power.cumulative import GpuCounter, GpuGauge
    from carbon_magic.power.hwmon import Chip

ALLOWED = "It explains the rest of the machine, and is never added."
AMD_SMI_FIX = """\
For its energy counter and activity, install AMD’s package of your ROCm release:
pip install amdsmi
What it exposes: nothing that every program on this machine cannot read already."""


def discover_later(
    machine: Machine, ways: Ways, opened: Sequence[Candidate], library: Path | None = None
) -> list[Candidate]:
    """GPUs and meters, opened. May take long.

    Args:
        opened: what `discover` found.
        library: NVIDIA's management library to load in place of the system's.
    """
    found: list[Chip] = []
    if machine.platform == "linux":
        from carbon_magic.power.hwmon import chips

        found = chips(machine.root)
    gpus = [*discover_gpus(library, machine.root), *_amd_gpus(machine, ways, found), *_intel_gpus(machine, found)]
    if any(candidate.used for candidate in opened if candidate.domain == "gpu"):
        gpus = [_measured_already(candidate) for candidate in gpus]
    told = any(candidate.used for candidate in (*gpus, *opened) if candidate.domain == "gpu")
    if told or any(candidate.name.startswith("jetson:") for candidate in opened):
        gpus = [candidate for candidate in gpus if candidate.used or candidate.name != "nvml"]
    return [*gpus, *_processors(machine, ways, found, opened), *_meters(machine, ways, found)]


def _measured_already(candidate: Candidate) -> Candidate:
    """A model is not added to a sensor of the same chip's graphics (Jetson)."""
    if candidate.provenance != "modelled" or candidate.sensor is None:
        return candidate
    candidate.sensor.close()
    return replace(candidate, used=False, reason="The graphics are measured; a model would add to it.", sensor=None)


def _amd_gpus(machine: Machine, ways: Ways, found: Sequence[Chip]) -> list[Candidate]:
    from carbon_magic.power import amd_smi, amdgpu

    boards = [chip for chip in amdgpu.found_in(found) if not amdgpu.is_apu(chip)]
    library = amd_smi.library(ways.environ, machine.root)
    candidates: list[Candidate] = []
    if library is not None:
        try:
            opened = amd_smi.open_gpus(library, machine.root)
        except SensorError as error:
            candidates.append(Candidate("amdsmi", "gpu", "measured", False, f"{error}."))
            opened = []
        for gpu in opened:
            if isinstance(gpu, tuple):
                candidates.append(Candidate(gpu[0], "gpu", "measured", False, gpu[1]))
            else:
                how = gpu.distrust or "its energy counter, compared with its power"
                candidates.append(used(gpu, f"Measured by AMD SMI: {how} ({gpu.gpu_name}).", _limit(gpu.max_power_w)))
    by_library = any(candidate.used for candidate in candidates)
    for index, chip in enumerate(boards):
        name = f"amdgpu:{index}"
        if by_library:
            candidates.append(Candidate(name, "gpu", "measured", False, "AMD SMI tells the same board’s energy."))
            continue
        try:
            sensor = amdgpu.board(chip, index, machine.root)
        except SensorError as error:
            candidates.append(Candidate(name, "gpu", "measured", False, f"{error}."))
            continue
        reason = f"The GPU’s power, told by its driver and integrated; {_whose(sensor)}."
        candidates.append(used(sensor, reason, _limit(sensor.max_power_w)))
    if amd_smi.kfd(machine.root) and library is None and boards:
        reason = "The package amdsmi or its library is not installed."
        candidates.append(Candidate("amdsmi", "gpu", "measured", False, reason, AMD_SMI_FIX))
    return candidates


def _limit(max_power_w: float | None) -> Figures:
    return {} if max_power_w is None else {"max_power_w": max_power_w}


def _whose(sensor: GpuCounter | GpuGauge) -> str:
    """How it is known whose work a GPU does, as the end of a sentence."""
    if sensor.clients is None:
        return "whose work it does nobody tells"
    return "whose work it does goes by the engine time of the processes that can be seen"


def _intel_gpus(machine: Machine, found: Sequence[Chip]) -> list[Candidate]:
    from carbon_magic.power import intel_gpu

    candidates = []
    for index, chip in enumerate(intel_gpu.found_in(found)):
        try:
            sensor = intel_gpu.board(chip, index, machine.root)
        except SensorError as error:
            candidates.append(Candidate(f"intel-gpu:{index}", "gpu", "measured", False, f"{error}."))
            continue
        reason = f"Measured by the GPU’s energy counter (driver {chip.driver}); {_whose(sensor)}."
        candidates.append(used(sensor, reason, _limit(sensor.max_power_w)))
    return candidates


def _processors(machine: Machine, ways: Ways, found: Sequence[Chip], opened: Sequence[Candidate]) -> list[Candidate]:
    """What else tells the processor's energy: performance events beside powercap, the package beside both."""
    names = {candidate.name for candidate in opened}
    candidates: list[Candidate] = []
    counted = [candidate.name for candidate in opened if candidate.used and candidate.domain == "cpu"]
    if any(name.startswith("powercap:") for name in counted):
        for candidate in perf_events(machine, ways):
            if candidate.sensor is None:
                candidates.append(Candidate(candidate.name, "cpu", "measured", False, candidate.reason))
            elif candidate.domain == "cpu":
                candidates.append(watched(candidate.sensor, "The same counter by another way, compared with it."))
            else:
                candidate.sensor.close()
    if counted and "amdgpu:package" not in names:
        from carbon_magic.power import amdgpu

        if any(amdgpu.is_apu(chip) for chip in amdgpu.found_in(found)):
            reason = "The processor measures itself; this is the same package again."
            candidates.append(Candidate("amdgpu:package", "cpu", "measured", False, reason))
    return candidates


def _meters(machine: Machine, ways: Ways, found: Sequence[Chip]) -> list[Candidate]:
    """What measures the whole machine, the surest first."""
    candidates = named_source(ways)
    if machine.platform != "linux":
        return candidates
    from carbon_magic.power import whole
    from carbon_magic.power.battery import BatterySensor, discharging, supplies

    for meter in whole.meters(found):
        if meter.domain == "cpu":
            continue
        sensor = whole.sensor_of(meter)
        try:
            sensor.peek()
        except SensorError as error:
            candidates.append(_whole(meter.name, f"{error}."))
            continue
        what = f"{meter.what[:1].upper()}{meter.what[1:]}."
        reason = f"{what} {ALLOWED}" if meter.whole else f"{what} It holds what is counted already."
        if meter.whole:
            candidates.append(watched(sensor, reason, whole=True))
        else:
            candidates.append(_whole(meter.name, reason))
    there = supplies(machine.root)
    if there.batteries:
        battery = BatterySensor(there.batteries)
        try:
            battery.peek()
        except SensorError as error:
            candidates.append(_whole("battery", f"{error}."))
        else:
            now = "Discharging." if discharging(there.batteries) else "On the mains: it tells nothing until unplugged."
            candidates.append(watched(battery, f"{now} {ALLOWED}", whole=True))
    candidates += [_whole(name, "What a plug may give, not what is drawn: never used.") for name in there.contracts]
    return candidates


def _whole(name: str, reason: str) -> Candidate:
    domain: Domain = "other"
    return Candidate(name, domain, "measured", False, reason)


def named_source(ways: Ways) -> list[Candidate]:
    """The source that the user named, if one was."""
    from carbon_magic.power.named import HOST_VARIABLE, VARIABLE, WrongSource, sensor_of, source_of

    setting = ways.environ.get(VARIABLE)
    if not setting:
        return []
    try:
        source = source_of(setting, ways.environ.get(HOST_VARIABLE))
    except WrongSource as error:
        return [_whole("power-source", str(error))]
    sensor = sensor_of(source)
    reason = f"The source you named, {source.shown}. {ALLOWED}"
    try:
        sensor.peek()
    except SensorError as error:
        reason = f"The source you named, {source.shown}, is asked again and again: {error}."
    return [watched(sensor, reason, whole=True)]
