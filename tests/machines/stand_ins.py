"""Stand-ins for what a made-up machine cannot have: a kernel's performance events, Apple's monitor, a Windows meter."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Mapping
from types import SimpleNamespace

from carbon_magic.power import emi


class MadeUpKernel:
    """Performance events whose counts a test sets, by (config, CPU)."""

    def __init__(self, allows: bool = True) -> None:
        self.allows = allows
        self.counts: dict[tuple[int, int], int] = {}
        self.opened: dict[int, tuple[int, int]] = {}
        self._next = 100

    def open(self, pmu: int, config: int, cpu: int) -> int:
        if not self.allows:
            raise PermissionError(errno.EACCES, "Permission denied")
        self._next += 1
        self.opened[self._next] = (config, cpu)
        return self._next

    def read(self, fd: int) -> bytes:
        return self.counts.get(self.opened[fd], 0).to_bytes(8, sys.byteorder)

    def close(self, fd: int) -> None:
        del self.opened[fd]


class AppleChip:
    """Shaped like the module `zeus_apple_silicon`: cumulative millijoules by part, None where there is none."""

    def __init__(self, **millijoules: int | None) -> None:
        self.millijoules = millijoules
        self.asked = 0

    def AppleEnergyMonitor(self) -> AppleChip:  # noqa: N802 - as the module calls it
        return self

    def get_cumulative_energy(self) -> SimpleNamespace:
        self.asked += 1
        return SimpleNamespace(**self.millijoules)


class EnergyMeter:
    """A device of Windows' Energy Meter Interface, version 2, that answers as bytes; energies in picowatt-hours."""

    def __init__(self, channels: Mapping[str, int], *, unit: int = 0) -> None:
        self.channels = dict(channels)
        self.unit = unit
        self.closed = False

    def metadata(self) -> bytes:
        names = [name.encode("utf-16-le") + b"\0\0" for name in self.channels]
        head = "OEM".encode("utf-16-le").ljust(32, b"\0") + "Model".encode("utf-16-le").ljust(32, b"\0")
        body = b"".join(struct.pack("<IH", self.unit, len(name)) + name for name in names)
        return head + struct.pack("<HH", 1, len(names)) + body

    def control(self, code: int, size: int) -> bytes:
        answers = {
            emi.GET_VERSION: struct.pack("<H", 2),
            emi.GET_METADATA_SIZE: struct.pack("<I", len(self.metadata())),
            emi.GET_METADATA: self.metadata(),
            emi.GET_MEASUREMENT: b"".join(struct.pack("<QQ", energy, 0) for energy in self.channels.values()),
        }
        return answers[code][:size]

    def close(self) -> None:
        self.closed = True
