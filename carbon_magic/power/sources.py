"""Who else tells the processor's energy where powercap does not: asked in order, until one answers.

The kernel's performance events and zeusd are the same counters by another way; then come the package power that AMD's
graphics tell, the meters of server processors, the rails of Jetson boards, Apple's and Windows' own reports. Looking
costs a listing of a few folders, and what is not there is never imported. `Ways` are the doors that all of them go
through; a test hands in its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carbon_magic.power.candidate import Candidate, Figures
from carbon_magic.power.machine import Machine, is_there
from carbon_magic.power.sensor import Sensor, SensorError

if TYPE_CHECKING:
    from carbon_magic.power.emi import Device
    from carbon_magic.power.hwmon import Chip
    from carbon_magic.power.perf import PerfEvents

ZEUSD_FIX = """\
Whoever started zeusd can open its socket to all users:
zeusd serve --socket-permissions 666
What it exposes: what that daemon allows, and power, from which others' computations can be learnt (PLATYPUS)."""


class Ways:
    """What leads from here to the hardware.

    Args:
        kernel: opens performance events; None where there is no kernel behind the files, as on a made-up machine.
        meters: Windows' energy meters.
        apple: what is taken for the package `zeus_apple_silicon`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        kernel: Callable[[], PerfEvents] | None = None,
        meters: Callable[[], Sequence[Device]] | None = None,
        apple: Any | None = None,
    ) -> None:
        self.environ = environ
        self.kernel = kernel
        self.meters = meters
        self.apple = apple

    @classmethod
    def of(cls, machine: Machine, environ: Mapping[str, str] | None = None) -> Ways:
        """The real ones, on the real machine."""
        environ = os.environ if environ is None else environ
        if machine.root != Path("/"):
            return cls(environ)
        return cls(environ, _kernel if machine.platform == "linux" else None, _windows_meters)


def _kernel() -> PerfEvents:
    from carbon_magic.power.perf import KernelEvents

    return KernelEvents()


def _windows_meters() -> Sequence[Device]:
    from carbon_magic.power.emi import devices

    return devices()


def measured_elsewhere(machine: Machine, ways: Ways, tdp_w: float | None) -> list[Candidate]:
    """Everything that was asked, up to the first that measures the processor."""
    candidates: list[Candidate] = []
    for found in _asked(machine, ways, tdp_w):
        candidates += found
        if any(candidate.used and candidate.domain == "cpu" for candidate in found):
            break
    return candidates


def _asked(machine: Machine, ways: Ways, tdp_w: float | None) -> Iterator[list[Candidate]]:
    if machine.platform == "linux":
        yield perf_events(machine, ways)
        yield _zeusd(machine, ways)
        if is_there(machine.root / "sys/class/hwmon"):
            from carbon_magic.power.hwmon import chips

            found = chips(machine.root)
            yield _apu(found, tdp_w)
            yield _processor_meters(found, tdp_w)
            yield _jetson(found)
    elif machine.platform == "darwin" and machine.cpu_vendor == "Apple" and machine.form != "vm":
        yield _apple(ways)
    elif machine.platform == "win32":
        yield _windows(machine, ways)


def used(sensor: Sensor, reason: str, figures: Figures | None = None) -> Candidate:
    """A sensor that is counted."""
    return Candidate(sensor.name, sensor.domain, sensor.provenance, True, reason, None, figures or {}, sensor)


def watched(sensor: Sensor, reason: str, *, whole: bool = False) -> Candidate:
    """A sensor that is read beside the others and never counted."""
    return Candidate(
        sensor.name, sensor.domain, sensor.provenance, False, reason, None, {}, sensor, watched=True, whole=whole
    )


def unused(name: str, reason: str, fix: str | None = None) -> Candidate:
    """A way to measure the processor that is closed."""
    return Candidate(name, "cpu", "measured", False, reason, fix)


def perf_events(machine: Machine, ways: Ways) -> list[Candidate]:
    """RAPL by the kernel's performance events."""
    if not is_there(machine.root / "sys/bus/event_source/devices/power"):
        return []
    from carbon_magic.power.perf import FIX, events, open_events

    found = events(machine)
    if not any(event.domain == "cpu" for event in found):
        return [unused("perf", "The kernel’s power events do not describe a package.")]
    if ways.kernel is None:
        return [unused("perf", "There is no kernel behind these files that could be asked.")]
    try:
        sensors = open_events(machine, found, ways.kernel())
    except SensorError as error:
        return [unused("perf", f"Not opened: {error}.", FIX if "paranoid" in str(error) else None)]
    except OSError as error:
        return [unused("perf", f"Not opened: {error.strerror}.")]
    reason = "Measured by the processor (RAPL, through the kernel’s performance events)."
    return [used(sensor, reason) for sensor in sensors]


def _zeusd(machine: Machine, ways: Ways) -> list[Candidate]:
    said = ways.environ.get("ZEUSD_SOCK_PATH")
    if not said and not is_there(machine.root / "var/run/zeusd.sock"):
        return []
    from carbon_magic.power.zeusd import VARIABLE, is_socket, open_daemon, socket_path

    path, named = socket_path(machine.root, ways.environ)
    if not is_socket(path):
        return [unused("zeusd", f"{VARIABLE} names no socket that can be reached." if named else "No socket.")]
    try:
        sensors = open_daemon(path, machine.cpu_vendor)
    except SensorError as error:
        denied = "ermission" in str(error)
        return [unused("zeusd", f"The daemon is there, but {error}.", ZEUSD_FIX if denied else None)]
    return [used(sensor, "Measured by the processor (RAPL, told by zeusd).") for sensor in sensors]


def _apu(found: Sequence[Chip], tdp_w: float | None) -> list[Candidate]:
    if not any(chip.driver == "amdgpu" for chip in found):
        return []
    from carbon_magic.power import amdgpu

    for chip in amdgpu.found_in(found):
        if amdgpu.is_apu(chip):
            try:
                sensor = amdgpu.package(chip, tdp_w)
            except SensorError as error:
                return [unused("amdgpu:package", f"{str(error).removesuffix('.')}.".replace("it tells", "It tells", 1))]
            reason = "The power of the whole package, graphics included, told by AMD’s graphics driver and integrated."
            return [used(sensor, reason)]
    return []


def _processor_meters(found: Sequence[Chip], tdp_w: float | None) -> list[Candidate]:
    if not any(chip.driver == "power_meter" for chip in found):
        return []
    from carbon_magic.power import whole

    candidates = []
    for meter in whole.meters(found):
        if meter.domain == "cpu":
            sensor = whole.sensor_of(meter, tdp_w)
            try:
                sensor.peek()
            except SensorError as error:
                return [unused(meter.name, f"{error}.")]
            candidates.append(used(sensor, f"Measured by {meter.what}, integrated."))
    return candidates


def _jetson(found: Sequence[Chip]) -> list[Candidate]:
    if not any(chip.driver == "ina3221" for chip in found):
        return []
    from carbon_magic.power.jetson import rails, sensor_of

    candidates = []
    for rail in rails(found):
        if rail.domain == "other":
            reason = f"The board’s input {rail.label}: it explains the rest, and is never added."
            candidates.append(watched(sensor_of(rail), reason, whole=True))
        else:
            also = ", which feeds the graphics too" if "GPU" in rail.label and rail.domain == "cpu" else ""
            reason = f"The rail {rail.label}{also}, measured on the board and integrated."
            candidates.append(used(sensor_of(rail), reason))
    return candidates


def _apple(ways: Ways) -> list[Candidate]:
    from carbon_magic.power.ioreport import FIX, open_chip

    try:
        sensors = open_chip(ways.apple)
    except SensorError as error:
        return [unused("ioreport", f"Not read: {error}.", FIX if "not installed" in str(error) else None)]
    return [used(sensor, "Reported by the chip (IOReport).") for sensor in sensors]


def _windows(machine: Machine, ways: Ways) -> list[Candidate]:
    if ways.meters is None:
        return []
    from carbon_magic.power.emi import open_device

    try:
        devices = list(ways.meters())
    except OSError as error:
        return [unused("emi", f"Windows’ energy meters cannot be opened: {error}.")]
    if not devices:
        return [unused("emi", "Windows has no energy meter here (EMI): neither processor nor board offers one.")]
    candidates: list[Candidate] = []
    for device in devices:
        try:
            sensors = open_device(device, machine.cpu_vendor)
        except SensorError as error:
            device.close()
            candidates.append(unused("emi", f"{str(error)[:1].upper()}{str(error)[1:]}."))
            continue
        candidates += [used(sensor, "Measured by the processor (RAPL, through Windows’ EMI).") for sensor in sensors]
    return list({candidate.name: candidate for candidate in candidates}.values())
