"""RAPL through the kernel's performance events: the same counters as powercap's, where the kernel lets them be opened.

The power PMU describes itself in sysfs: its type, one event for each domain with a scale, and one CPU of each package.
An event is opened for such a CPU and answers 64 bits, so it never wraps. The kernel allows it to whoever has
CAP_PERFMON, or to all where `kernel.perf_event_paranoid` is 0 or less.
"""

from __future__ import annotations

import ctypes
import errno
import math
import os
import platform
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from carbon_magic.power.constants import RAPL_DRAM, RAPL_PKG_AMD, RAPL_PKG_INTEL, RAPL_UPDATE_S
from carbon_magic.power.cumulative import Counter
from carbon_magic.power.machine import Machine, read_count, read_text
from carbon_magic.power.sensor import Domain, SensorError

PMU = "sys/bus/event_source/devices/power"
PARANOID = "proc/sys/kernel/perf_event_paranoid"
FIX = """\
To let all users read them, an administrator runs: sysctl kernel.perf_event_paranoid=0
What it exposes: every user can learn about others' computations from power and from processor events (PLATYPUS, \
CVE-2020-8694). It lasts until the next start; a file in /etc/sysctl.d keeps it."""

_SYSCALLS = {"x86_64": 298, "amd64": 298, "i386": 336, "i686": 336}
"""`perf_event_open` by machine (Linux, arch/x86/entry/syscalls); no other architecture has a power PMU."""
_EVENTS: dict[str, Domain] = {"energy-pkg": "cpu", "energy-ram": "dram"}
"""The events that add up to the machine; `energy-cores` and `energy-gpu` are parts of a package, `energy-psys` is
another total."""
_LABELS: dict[Domain, str] = {"cpu": "package", "dram": "dram"}
_ATTR_BYTES = 64
"""`perf_event_attr` in its first version."""
_CLOEXEC = 8
_MAX_PACKAGES = 64


class PerfEvents(Protocol):
    """What opens and reads performance events: the kernel, or a test's made-up one."""

    def open(self, pmu: int, config: int, cpu: int) -> int:
        """A descriptor of the event `config` of the PMU on one CPU. Raises OSError."""

    def read(self, fd: int) -> bytes:
        """The event's count, 8 bytes. Raises OSError."""

    def close(self, fd: int) -> None: ...


class KernelEvents:
    """The running kernel's performance events, through the C library.

    Raises:
        OSError: this machine has none.
    """

    def __init__(self) -> None:
        number = _SYSCALLS.get(platform.machine().lower())
        if sys.platform != "linux" or number is None:
            raise OSError(errno.ENOSYS, "no power events on this architecture")
        self._number = number
        # PyDLL keeps the GIL: a read takes a microsecond, and giving the GIL up would cost thousands.
        self._libc = ctypes.PyDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        self._libc.read.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
        self._libc.read.restype = ctypes.c_ssize_t
        self._buffer = ctypes.create_string_buffer(8)

    def open(self, pmu: int, config: int, cpu: int) -> int:
        attributes = ctypes.create_string_buffer(struct.pack("=IIQ", pmu, _ATTR_BYTES, config), _ATTR_BYTES)
        fd: int = self._libc.syscall(
            ctypes.c_long(self._number),
            attributes,
            ctypes.c_long(-1),
            ctypes.c_long(cpu),
            ctypes.c_long(-1),
            ctypes.c_ulong(_CLOEXEC),
        )
        if fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return fd

    def read(self, fd: int) -> bytes:
        size = self._libc.read(fd, self._buffer, 8)
        if size < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return self._buffer.raw[:size]

    def close(self, fd: int) -> None:
        os.close(fd)


class Event(NamedTuple):
    """One event of the power PMU on one package."""

    name: str
    """`perf:package-0`."""
    domain: Domain
    pmu: int
    config: int
    cpu: int
    joules: float
    """What one count is worth."""


def events(machine: Machine) -> list[Event]:
    """The events that add up to the machine, for each package; none where there is no power PMU."""
    folder = machine.root / PMU
    pmu = read_count(folder / "type")
    cpus = _cpus(read_text(folder / "cpumask"))
    if pmu is None or not cpus:
        return []
    found = []
    for event, domain in _EVENTS.items():
        config = re.fullmatch(r"event=0x([0-9a-fA-F]{1,8})", read_text(folder / "events" / event, 64) or "")
        joules = _scale(read_text(folder / "events" / f"{event}.scale", 64))
        unit = read_text(folder / "events" / f"{event}.unit", 64)
        if config and joules and unit == "Joules":
            found += [
                Event(f"perf:{_LABELS[domain]}-{number}", domain, pmu, int(config[1], 16), cpu, joules)
                for number, cpu in enumerate(_packages(machine, cpus))
            ]
    return found


def _cpus(listed: str | None) -> list[int]:
    """The CPUs that a mask such as `0,64` or `0-1` names."""
    if not listed or not re.fullmatch(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*", listed):
        return []
    cpus: list[int] = []
    for part in listed.split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), min(int(last or first), int(first) + _MAX_PACKAGES) + 1)
    return cpus[:_MAX_PACKAGES]


def _packages(machine: Machine, cpus: Sequence[int]) -> list[int]:
    """One CPU of each package: AMD names one of each die, and each of those shows the whole package."""
    if machine.cpu_vendor not in ("AuthenticAMD", "HygonGenuine"):
        return list(cpus)
    by_package: dict[int, int] = {}
    for cpu in cpus:
        package = read_count(machine.root / f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id")
        by_package.setdefault(cpu if package is None else package, cpu)
    return list(by_package.values())


def _scale(text: str | None) -> float | None:
    try:
        scale = float(text or "")
    except ValueError:  # no number: not known
        return None
    return scale if math.isfinite(scale) and 0.0 < scale < 1.0 else None


def open_events(machine: Machine, found: Sequence[Event], kernel: PerfEvents) -> list[Counter]:
    """Sensors for all of these events; where one cannot be opened for none, as a part of a machine is no total.

    Raises:
        SensorError: an event cannot be opened; the message says why.
    """
    opened: list[Counter] = []
    for event in found:
        try:
            fd = kernel.open(event.pmu, event.config, event.cpu)
        except OSError as error:
            for sensor in opened:
                sensor.close()
            raise SensorError(_why(error, machine.root)) from error
        opened.append(_sensor(machine, event, kernel, fd))
    return opened


def _sensor(machine: Machine, event: Event, kernel: PerfEvents, fd: int) -> Counter:
    def read() -> float:
        content = kernel.read(fd)
        if len(content) != 8:
            raise ValueError(f"{len(content)} bytes in place of 8")
        return int.from_bytes(content, sys.byteorder) * event.joules

    package = RAPL_PKG_INTEL if machine.cpu_vendor == "GenuineIntel" else RAPL_PKG_AMD
    return Counter(
        event.name,
        event.domain,
        read,
        factor=(RAPL_DRAM if event.domain == "dram" else package).value,
        cheap=True,
        update_s=RAPL_UPDATE_S.value,
        resolution_s=0.005,
        close=lambda: kernel.close(fd),
    )


def _why(error: OSError, root: Path) -> str:
    """Why an event was refused, in words."""
    if error.errno in (errno.EACCES, errno.EPERM):
        level = read_text(root / PARANOID, 16)
        told = f"kernel.perf_event_paranoid is {level}" if level else "the kernel does not allow it"
        return f"{told}; reading needs 0 or less, or CAP_PERFMON"
    return f"the kernel refuses it: {error.strerror or error}"
