"""What machine this is: the few facts that choose a model, read once and cheaply.

Everything is read below a root that a test may replace by a made-up tree, in a handful of bounded reads (under 2 ms
on a machine of 256 CPUs). A file that is missing or nonsense leaves its fact unknown; nothing here raises, because a
machine that tells nothing about itself is still one to be measured, only with a wider range.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

Form = Literal["laptop", "desktop", "server", "vm", "unknown"]

_CPUINFO_BYTES = 4096
"""Enough for the first CPU; the whole file takes the kernel milliseconds on machines of many CPUs."""

_MOST_SOCKETS = 32
"""The largest machines of one system have as many packages (HPE Superdome Flex); common boards end at 8."""
_THREADS_OF_MANY = 4
"""Processors for more than two packages have at least so many hardware threads each."""
_MOST_CPUS = 1024
"""The package of so many CPUs is asked for, where the list of one package cannot be right."""

_CHASSIS: dict[int, Form] = {
    **dict.fromkeys((3, 4, 6, 7, 13, 15, 16, 24, 35, 36), "desktop"),
    **dict.fromkeys((8, 9, 10, 14, 30, 31, 32), "laptop"),
    **dict.fromkeys((17, 23, 25, 28, 29), "server"),
}
"""Chassis types of the SMBIOS specification (DSP0134, 7.4.1). What is ambiguous (5, pizza box) is left out."""

_WORDS: dict[str, Form] = {
    **dict.fromkeys(("xeon", "epyc", "opteron", "altra", "ampereone", "neoverse", "graviton", "kunpeng"), "server"),
    **dict.fromkeys(("threadripper", "ryzen", "athlon", "core", "pentium", "celeron"), "desktop"),
}
"""Whole words of a processor's name, in this order, where the chassis says nothing."""

_ARM_SERVER_PARTS = frozenset({"0xd0c", "0xd40", "0xd49", "0xd4f", "0xd84", "0xd8e"})
"""ARM's part numbers of Neoverse N1, V1, N2, V2, V3 and N3 (Linux, arch/arm64/include/asm/cputype.h)."""

_VIRTUAL_PRODUCTS = frozenset(
    {
        "alibaba cloud ecs",
        "droplet",
        "google compute engine",
        "hvm domu",
        "kvm",
        "kvm virtual machine",
        "openstack compute",
        "openstack nova",
        "qemu virtual machine",
        "standard pc (i440fx + piix, 1996)",
        "standard pc (q35 + ich9, 2009)",
        "vserver",
        "virtual machine",
        "virtualbox",
        "vmware virtual platform",
    }
)
"""Names that virtual machines give themselves where the processor has no hypervisor flag (ARM, Windows)."""

_VIRTUAL_VENDORS = frozenset({"qemu", "vmware, inc.", "xen", "innotek gmbh", "parallels software international inc."})


@dataclass(frozen=True)
class Machine:
    """The machine as far as it tells. `None` and `unknown` mean just that."""

    root: Path
    """Where its files are: `/`, or a made-up tree."""
    platform: str
    """As `sys.platform`: `linux`, `darwin`, `win32`."""
    cpu_name: str | None
    """The processor's name as it gives it itself, not normalised."""
    cpu_vendor: str | None
    """As the processor gives it: `GenuineIntel`, `AuthenticAMD`, `Apple`."""
    logical_cpus: int
    """Hardware threads that are on line, of the whole machine and not of a container; 1 where nothing tells."""
    sockets: int
    """Processor packages; 1 where nothing tells."""
    form: Form
    memory_bytes: int | None
    """Memory that the kernel sees, which is a little less than what is installed."""

    @classmethod
    def of(cls, root: Path = Path("/"), platform: str = sys.platform) -> Machine:
        """The machine whose files stand below `root`. Never raises."""
        if platform == "darwin" and sys.platform == "darwin":
            return _of_macos(root)
        if platform == "win32" and sys.platform == "win32":
            return _of_windows(root)
        return _of_linux(root, platform)


def at_once(path: str, flags: int) -> int:
    """Opens a file without waiting: a pipe that nobody writes to would keep the notebook for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def is_there(path: Path) -> bool:
    """Whether a file or folder is there. One in a folder that we may not enter is not; Path's own raises then."""
    return os.path.exists(path)  # noqa: PTH110


def read_text(path: Path, limit: int = 4096) -> str | None:
    """The first `limit` bytes of a small file as text without surrounding blanks, or None where it cannot be read."""
    try:
        with open(path, "rb", buffering=0, opener=at_once) as file:
            content = file.read(limit)
    except OSError:  # absent, not ours to read, or a device that does not answer: all mean "not known"
        return None
    return (content or b"").decode("utf-8", "replace").strip()


def read_count(path: Path) -> int | None:
    """A file that holds one whole number of 0 or more and nothing else, or None."""
    return whole_number(read_text(path, 64))


def whole_number(text: str | None) -> int | None:
    """A whole number of 0 or more in plain digits, at most 20 of them, or None."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,20}", text) else None


def count_cpus(listed: str | None) -> int | None:
    """How many CPUs a kernel list such as `0-3,8,10-11` names, or None where it names none or is no such list."""
    if not listed or not re.fullmatch(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*", listed):
        return None
    count = 0
    for part in listed.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count if count > 0 else None


def _of_linux(root: Path, platform: str) -> Machine:
    cpuinfo = read_text(root / "proc/cpuinfo", _CPUINFO_BYTES) or ""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    cpus = root / "sys/devices/system/cpu"
    logical = count_cpus(read_text(cpus / "online"))
    if logical is None:
        logical = (os.cpu_count() if root == Path("/") else None) or 1
    name = fields.get("model name") or None
    return Machine(
        root=root,
        platform=platform,
        cpu_name=name,
        cpu_vendor=fields.get("vendor_id") or None,
        logical_cpus=logical,
        sockets=_sockets_linux(cpus, logical, whole_number(fields.get("siblings"))),
        form=_form_linux(root, fields, name),
        memory_bytes=_memory_linux(root),
    )


def _sockets_linux(cpus: Path, logical: int, siblings: int | None) -> int:
    """The number of packages by one package's list of CPUs: reading all CPUs' package ids costs a file each. That is
    done where the list cannot be right; 1 where the ids cannot be either.

    Args:
        siblings: the CPUs of one package where there is no list.
    """
    listed = read_text(cpus / "cpu0/topology/core_siblings_list")
    package = count_cpus(listed) or siblings
    sockets = -(-logical // package) if package and package < logical else 1
    if sockets == 1:
        return 1
    inside = set(_cpus_in(listed))
    outside = next((cpu for cpu in range(len(inside) + 1) if cpu not in inside), None) if inside else None
    own = _package_of(cpus, 0)
    same = outside is not None and own is not None and own == _package_of(cpus, outside)
    if _is_plausible(sockets, logical) and not same:
        return sockets
    online = _cpus_in(read_text(cpus / "online"))
    ids = {_package_of(cpus, cpu) for cpu in islice(online, _MOST_CPUS)} - {None}
    return len(ids) if ids and _is_plausible(len(ids), logical) else 1


def _is_plausible(sockets: int, logical_cpus: int) -> bool:
    return sockets <= 2 or (sockets <= _MOST_SOCKETS and logical_cpus >= _THREADS_OF_MANY * sockets)


def _package_of(cpus: Path, number: int) -> int | None:
    """Which package a CPU is in; None where that is not told."""
    return read_count(cpus / f"cpu{number}/topology/physical_package_id")


def _cpus_in(listed: str | None) -> Iterator[int]:
    """The numbers of the CPUs that a kernel list names, up to so many; none where it is no such list."""
    if listed is None or count_cpus(listed) is None:
        return iter(())
    parts = (part.partition("-") for part in listed.split(","))
    return islice(
        (cpu for first, _, last in parts for cpu in range(int(first), int(last or first) + 1)), 8 * _MOST_CPUS
    )


def _memory_linux(root: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+([0-9]{1,15}) kB$", read_text(root / "proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 if found and int(found[1]) > 0 else None


def _form_linux(root: Path, fields: dict[str, str], cpu_name: str | None) -> Form:
    dmi = root / "sys/class/dmi/id"
    product = read_text(dmi / "product_name", 256)
    if "hypervisor" in fields.get("flags", "").split() or is_virtual(read_text(dmi / "sys_vendor", 256), product):
        return "vm"
    try:
        if any(entry.name.startswith("BAT") for entry in os.scandir(root / "sys/class/power_supply")):
            return "laptop"
    except OSError:  # no such folder: no battery is known
        pass
    chassis = _CHASSIS.get(read_count(dmi / "chassis_type") or 0)
    if chassis is not None:
        return chassis
    if fields.get("cpu implementer") == "0x41" and fields.get("cpu part", "").lower() in _ARM_SERVER_PARTS:
        return "server"
    return form_by_name(cpu_name)


def is_virtual(vendor: str | None, product: str | None) -> bool:
    """Whether the firmware's own vendor and product are those of a virtual machine."""
    vendor, product = (vendor or "").lower(), (product or "").lower()
    # An EC2 instance of a `.metal` type is a whole machine; all others are virtual.
    on_ec2 = vendor == "amazon ec2" and ".metal" not in product
    return on_ec2 or vendor in _VIRTUAL_VENDORS or product in _VIRTUAL_PRODUCTS


def form_by_name(cpu_name: str | None) -> Form:
    """Server or desktop by a whole word of the processor's name, or `unknown`."""
    # A hyphen joins: "64-Core" is a count and says nothing, "Core(TM)" is a family.
    words = set(re.split(r"[^a-z0-9-]+", (cpu_name or "").lower()))
    return next((form for word, form in _WORDS.items() if word in words), "unknown")


def _of_macos(root: Path) -> Machine:
    import ctypes  # only macOS needs it here

    libc = ctypes.CDLL(None, use_errno=True)

    def ask(name: str) -> bytes:
        size = ctypes.c_size_t(256)
        buffer = ctypes.create_string_buffer(size.value)
        failed = libc.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0))
        return b"" if failed else buffer.raw[: size.value]

    def ask_text(name: str) -> str | None:
        return ask(name).rstrip(b"\0").decode("utf-8", "replace").strip() or None

    name = ask_text("machdep.cpu.brand_string")
    memory = int.from_bytes(ask("hw.memsize"), sys.byteorder)
    form: Form = "laptop" if (ask_text("hw.model") or "").startswith("MacBook") else "desktop"
    if int.from_bytes(ask("kern.hv_vmm_present"), sys.byteorder):
        form = "vm"
    vendor = "Apple" if (name or "").startswith("Apple") else ask_text("machdep.cpu.vendor")
    sockets = int.from_bytes(ask("hw.packages"), sys.byteorder)
    return Machine(root, "darwin", name, vendor, os.cpu_count() or 1, sockets or 1, form, memory or None)


def _of_windows(root: Path) -> Machine:
    import psutil  # only Windows needs it here

    def ask(path: str, value: str) -> str | None:
        if sys.platform != "win32":  # for the type checker, which knows winreg on Windows alone
            return None
        import winreg  # exists on Windows alone

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
                found = winreg.QueryValueEx(key, value)[0]
        except OSError:  # no such value: not known
            return None
        return str(found).strip() or None

    processor = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    bios = r"HARDWARE\DESCRIPTION\System\BIOS"
    name = ask(processor, "ProcessorNameString")
    form = form_by_name(name)
    if is_virtual(ask(bios, "SystemManufacturer"), ask(bios, "SystemProductName")):
        form = "vm"
    elif psutil.sensors_battery() is not None:
        form = "laptop"
    vendor = ask(processor, "VendorIdentifier")
    return Machine(root, "win32", name, vendor, os.cpu_count() or 1, 1, form, psutil.virtual_memory().total or None)
