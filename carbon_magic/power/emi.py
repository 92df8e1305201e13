"""Windows' Energy Meter Interface: RAPL, and the rails of boards that measure them, without administrator's rights.

A device tells its channels (their names and units) once and their joules whenever it is asked, as structures of
bytes: `emi.h` of the Windows driver kit. Reading those is plain arithmetic and is done anywhere; asking a device is
done on Windows alone. A channel of a processor is called `RAPL_Package0_PKG`, of its memory `RAPL_Package0_DRAM`.
"""

from __future__ import annotations

import ctypes
import re
import struct
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from carbon_magic.power.constants import RAPL_DRAM, RAPL_PKG_AMD, RAPL_PKG_INTEL, RAPL_UPDATE_S
from carbon_magic.power.cumulative import Counter
from carbon_magic.power.sensor import Domain, SensorError

GUID = "{45BD8344-7ED6-49CF-A440-C276C933B053}"
"""Of the device interface (GUID_DEVICE_ENERGY_METER)."""
GET_VERSION, GET_METADATA_SIZE, GET_METADATA, GET_MEASUREMENT = 0x224000, 0x224004, 0x224008, 0x22400C
"""CTL_CODE(FILE_DEVICE_UNKNOWN, 0 to 3, METHOD_BUFFERED, FILE_READ_ACCESS)."""
J_PER_PWH = 3.6e-9
_NAMES_BYTES = 64
"""HardwareOEM and HardwareModel, 16 UTF-16 units each."""
_PWH = 0
_MEASUREMENT = struct.Struct("<QQ")
_RAPL = re.compile(r"RAPL_Package([0-9]{1,3})_(PKG|DRAM)", re.IGNORECASE)
_MAX_CHANNELS = 256
_MAX_METADATA = 1 << 16


class Channel(NamedTuple):
    """One channel of a device."""

    number: int
    name: str
    unit: int
    """0 is picowatt-hours, the only one there is."""


def parse_metadata(version: int, raw: bytes) -> list[Channel]:
    """The channels that a device describes.

    Raises:
        ValueError: another version, or bytes that end too early.
    """
    try:
        if version == 1:
            (unit,) = struct.unpack_from("<I", raw, 0)
            (size,) = struct.unpack_from("<H", raw, 4 + _NAMES_BYTES + 2)
            return [Channel(0, _name(raw, 4 + _NAMES_BYTES + 4, size), unit)]
        if version == 2:
            (count,) = struct.unpack_from("<H", raw, _NAMES_BYTES + 2)
            channels, at = [], _NAMES_BYTES + 4
            for index in range(min(count, _MAX_CHANNELS)):
                unit, size = struct.unpack_from("<IH", raw, at)
                channels.append(Channel(index, _name(raw, at + 6, size), unit))
                at += 6 + size
            return channels
    except struct.error as error:
        raise ValueError(f"its description ends after {len(raw)} bytes") from error
    raise ValueError(f"version {version} of the interface is not known")


def _name(raw: bytes, start: int, size: int) -> str:
    if start + size > len(raw):
        raise ValueError(f"its description ends after {len(raw)} bytes")
    return raw[start : start + size].decode("utf-16-le", "replace").rstrip("\0")


def parse_measurement(raw: bytes, index: int) -> float:
    """Joules of one channel.

    Raises:
        ValueError: the bytes do not hold it.
    """
    start = index * _MEASUREMENT.size
    if start + _MEASUREMENT.size > len(raw):
        raise ValueError(f"its measurement ends after {len(raw)} bytes")
    energy_pwh, _ = _MEASUREMENT.unpack_from(raw, start)
    return float(energy_pwh) * J_PER_PWH


class Device(Protocol):
    """A device that answers control codes with bytes: Windows', or a test's."""

    def control(self, code: int, size: int) -> bytes:
        """What it answers, at most `size` bytes. Raises OSError."""

    def close(self) -> None: ...


def open_device(device: Device, vendor: str | None) -> list[Counter]:
    """The sensors of one device: processors and memory that it tells.

    Raises:
        SensorError: it does not answer as it should, or tells no processor.
    """
    try:
        version = int.from_bytes(device.control(GET_VERSION, 2), "little")
        size = int.from_bytes(device.control(GET_METADATA_SIZE, 4), "little")
        channels = parse_metadata(version, device.control(GET_METADATA, min(size, _MAX_METADATA)))
    except (OSError, ValueError) as error:
        raise SensorError(f"an energy meter does not answer: {error}") from error
    known = [(channel, match) for channel in channels if (match := _RAPL.fullmatch(channel.name))]
    if any(channel.unit != _PWH for channel, _ in known):
        raise SensorError("an energy meter counts in a unit that is not known")
    package = (RAPL_PKG_INTEL if vendor == "GenuineIntel" else RAPL_PKG_AMD).value
    sensors = []
    for channel, match in known:
        domain: Domain = "cpu" if match[2].upper() == "PKG" else "dram"
        sensors.append(
            Counter(
                f"emi:{'package' if domain == 'cpu' else 'dram'}-{int(match[1])}",
                domain,
                _reader(device, len(channels), channel.number),
                factor=package if domain == "cpu" else RAPL_DRAM.value,
                update_s=RAPL_UPDATE_S.value,
            )
        )
    if not any(sensor.domain == "cpu" for sensor in sensors):
        raise SensorError("the energy meter tells no processor")
    return sensors


def _reader(device: Device, channels: int, index: int) -> Callable[[], float]:
    def read() -> float:
        return parse_measurement(device.control(GET_MEASUREMENT, channels * _MEASUREMENT.size), index)

    return read


if sys.platform == "win32":
    from ctypes import wintypes

    _INVALID = ctypes.c_void_p(-1).value
    _setupapi = ctypes.WinDLL("setupapi", use_last_error=True)
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)

    class _Guid(ctypes.Structure):
        _fields_ = (
            ("data1", wintypes.DWORD),
            ("data2", wintypes.WORD),
            ("data3", wintypes.WORD),
            ("data4", ctypes.c_ubyte * 8),
        )

    class _Interface(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("guid", _Guid),
            ("flags", wintypes.DWORD),
            ("reserved", ctypes.c_size_t),
        )

    _setupapi.SetupDiGetClassDevsW.restype = ctypes.c_void_p
    _setupapi.SetupDiGetClassDevsW.argtypes = [ctypes.c_void_p, wintypes.LPCWSTR, ctypes.c_void_p, wintypes.DWORD]
    _setupapi.SetupDiEnumDeviceInterfaces.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
    ]
    _setupapi.SetupDiGetDeviceInterfaceDetailW.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    _setupapi.SetupDiDestroyDeviceInfoList.argtypes = [ctypes.c_void_p]
    _kernel32.CreateFileW.restype = ctypes.c_void_p
    _kernel32.CreateFileW.argtypes = [
        wintypes.LPCWSTR,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.c_void_p,
    ]
    _kernel32.DeviceIoControl.argtypes = [
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    _kernel32.CloseHandle.argtypes = [ctypes.c_void_p]

    def _paths() -> list[str]:
        """The paths of all present energy meters."""
        import uuid

        guid = _Guid.from_buffer_copy(uuid.UUID(GUID).bytes_le)
        present_interfaces = 0x12
        handle = _setupapi.SetupDiGetClassDevsW(ctypes.byref(guid), None, None, present_interfaces)
        if handle in (None, _INVALID):
            return []
        paths: list[str] = []
        try:
            interface = _Interface(size=ctypes.sizeof(_Interface))
            while len(paths) < _MAX_CHANNELS and _setupapi.SetupDiEnumDeviceInterfaces(
                handle, None, ctypes.byref(guid), len(paths), ctypes.byref(interface)
            ):
                needed = wintypes.DWORD(0)
                _setupapi.SetupDiGetDeviceInterfaceDetailW(
                    handle, ctypes.byref(interface), None, 0, ctypes.byref(needed), None
                )
                detail = ctypes.create_string_buffer(max(needed.value, 8))
                # cbSize is that of the fixed part, as the compiler pads it.
                struct.pack_into("<I", detail, 0, 8 if ctypes.sizeof(ctypes.c_void_p) == 8 else 6)
                if not _setupapi.SetupDiGetDeviceInterfaceDetailW(
                    handle, ctypes.byref(interface), detail, needed, None, None
                ):
                    break
                paths.append(ctypes.wstring_at(ctypes.addressof(detail) + 4))
        finally:
            _setupapi.SetupDiDestroyDeviceInfoList(handle)
        return paths

    class WindowsDevice:
        """One energy meter, opened for reading.

        Raises:
            OSError: it cannot be opened.
        """

        def __init__(self, path: str) -> None:
            generic_read, share_read, open_existing = 0x80000000, 1, 3
            self._handle = _kernel32.CreateFileW(path, generic_read, share_read, None, open_existing, 0, None)
            if self._handle in (None, _INVALID):
                raise ctypes.WinError(ctypes.get_last_error())

        def control(self, code: int, size: int) -> bytes:
            answer = ctypes.create_string_buffer(max(size, 1))
            told = wintypes.DWORD(0)
            if not _kernel32.DeviceIoControl(self._handle, code, None, 0, answer, size, ctypes.byref(told), None):
                raise ctypes.WinError(ctypes.get_last_error())
            return answer.raw[: told.value]

        def close(self) -> None:
            handle, self._handle = self._handle, None
            if handle is not None:
                _kernel32.CloseHandle(handle)

    def devices() -> Sequence[Device]:
        """The energy meters of this machine, opened. Raises OSError."""
        return [WindowsDevice(path) for path in _paths()]

else:

    def devices() -> Sequence[Device]:
        """None but on Windows."""
        return []
