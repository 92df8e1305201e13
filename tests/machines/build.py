"""Made-up machines: trees of the files of `/proc` and `/sys` that the sensors read, built where a test wants them.

Each machine is a row of plain data below; `build` writes its files. Folders, symbolic links and permissions are laid
out as Linux lays them out, for a sensor that only works on a tidied copy does not work.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

GIB = 1024**3
INTEL_RANGE_UJ = 262_143_328_850
AMD_RANGE_UJ = 65_532_610_987
POWERCAP = "sys/class/powercap"


@dataclass(frozen=True)
class ZoneFiles:
    """One powercap zone; `zone` is its folder's name, which says where it is nested."""

    zone: str
    name: str
    energy_uj: int | str = 1_000_000
    range_uj: int = INTEL_RANGE_UJ
    max_power_w: float | None = None
    pl1_w: float | None = None
    pl2_w: float | None = None


@dataclass(frozen=True)
class MadeUp:
    """What a machine's files say."""

    model_name: str | None = None
    vendor: str | None = None
    flags: str = "fpu sse2"
    cpus: int | None = None
    sockets: int = 1
    chassis: int | None = None
    dmi: tuple[str, str] | None = None
    battery: bool = False
    memory_bytes: int | None = None
    zones: tuple[ZoneFiles, ...] = ()
    root_only: bool = False
    extra: dict[str, str] = field(default_factory=dict)


_INTEL_DESKTOP = MadeUp(
    "12th Gen Intel(R) Core(TM) i7-12700K",
    "GenuineIntel",
    cpus=20,
    chassis=3,
    memory_bytes=32 * GIB,
    zones=(
        ZoneFiles("intel-rapl:0", "package-0", max_power_w=125, pl1_w=200, pl2_w=241),
        ZoneFiles("intel-rapl:0:0", "core", 500_000),
        ZoneFiles("intel-rapl:0:1", "uncore", 100_000),
        ZoneFiles("intel-rapl-mmio:0", "package-0", max_power_w=125, pl1_w=125),
    ),
)
_SERVER_ZONES = tuple(
    zone
    for number in (0, 1)
    for zone in (
        ZoneFiles(f"intel-rapl:{number}", f"package-{number}", max_power_w=205, pl1_w=205, pl2_w=246),
        ZoneFiles(f"intel-rapl:{number}:0", "dram", 2_000_000, 65_712_999_613),
    )
)
_QUOTA_HOST = MadeUp(
    "AMD EPYC 7763 64-Core Processor",
    "AuthenticAMD",
    cpus=64,
    chassis=23,
    memory_bytes=512 * GIB,
)

MACHINES: dict[str, MadeUp] = {
    "intel-desktop": _INTEL_DESKTOP,
    "root-only": replace(_INTEL_DESKTOP, root_only=True),
    "two-sockets": MadeUp(
        "Intel(R) Xeon(R) Platinum 8268 CPU @ 2.90GHz",
        "GenuineIntel",
        cpus=96,
        sockets=2,
        chassis=23,
        memory_bytes=384 * GIB,
        zones=(*_SERVER_ZONES, ZoneFiles("intel-rapl:2", "psys", 9_000_000)),
    ),
    "amd": MadeUp(
        "AMD Ryzen 9 5950X 16-Core Processor",
        "AuthenticAMD",
        cpus=32,
        chassis=3,
        memory_bytes=64 * GIB,
        zones=(
            ZoneFiles("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ),
            ZoneFiles("intel-rapl:0:0", "core", range_uj=AMD_RANGE_UJ),
        ),
    ),
    "amd-dies": MadeUp(
        "AMD EPYC 7763 64-Core Processor",
        "AuthenticAMD",
        cpus=128,
        chassis=23,
        memory_bytes=256 * GIB,
        zones=tuple(ZoneFiles(f"intel-rapl:{die}", f"package-0-die-{die}", range_uj=AMD_RANGE_UJ) for die in range(4)),
    ),
    "mmio-only": replace(_INTEL_DESKTOP, zones=(ZoneFiles("intel-rapl-mmio:0", "package-0", pl1_w=125),)),
    "laptop": MadeUp(
        "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz",
        "GenuineIntel",
        cpus=8,
        chassis=10,
        battery=True,
        memory_bytes=16 * GIB,
    ),
    "vm": MadeUp(
        "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz",
        "GenuineIntel",
        flags="fpu sse2 hypervisor",
        cpus=4,
        dmi=("Amazon EC2", "m5.xlarge"),
        memory_bytes=16 * GIB,
    ),
    "arm-vm": MadeUp(cpus=2, dmi=("QEMU", "KVM Virtual Machine"), memory_bytes=4 * GIB),
    "metal": MadeUp(
        "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz",
        "GenuineIntel",
        cpus=96,
        sockets=2,
        chassis=23,
        dmi=("Amazon EC2", "m5.metal"),
        memory_bytes=384 * GIB,
    ),
    "server": _QUOTA_HOST,
    "quota-v2": replace(
        _QUOTA_HOST,
        extra={
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/cpuset.cpus.effective": "0-63\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
        },
    ),
    "quota-v2-nested": replace(
        _QUOTA_HOST,
        extra={
            "proc/self/cgroup": "0::/pods/user/kernel\n",
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
            "sys/fs/cgroup/pods/cpu.max": "800000 100000\n",
            "sys/fs/cgroup/pods/memory.max": f"{64 * GIB}\n",
            "sys/fs/cgroup/pods/user/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/pods/user/memory.max": "max\n",
            "sys/fs/cgroup/pods/user/kernel/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pods/user/kernel/memory.max": f"{128 * GIB}\n",
        },
    ),
    "quota-v1": replace(
        _QUOTA_HOST,
        extra={
            # The host's path, which does not exist below the container's own mount.
            "proc/self/cgroup": "5:memory:/docker/c0ffee\n4:cpu,cpuacct:/docker/c0ffee\n3:cpuset:/docker/c0ffee\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuset/cpuset.cpus": "0-63\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
        },
    ),
    "no-limits-v1": replace(
        _QUOTA_HOST,
        extra={
            "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/\n3:cpuset:/\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuset/cpuset.cpus": "0-63\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    ),
    "cpuset": replace(
        _QUOTA_HOST,
        extra={
            "proc/self/cgroup": "0::/slice\n",
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu memory\n",
            "sys/fs/cgroup/slice/cpu.max": "max 100000\n",
            "sys/fs/cgroup/slice/cpuset.cpus.effective": "0-3,8,10-11\n",
        },
    ),
    "gpus": replace(_QUOTA_HOST, extra={"dev/nvidiactl": "", "proc/driver/nvidia/version": "NVRM version\n"}),
    "grace": MadeUp(
        cpus=72,
        memory_bytes=480 * GIB,
        extra={
            "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd sve\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 0\n"
        },
    ),
    "arm-board": MadeUp(cpus=4, memory_bytes=4 * GIB, extra={"proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd08\n"}),
    "empty": MadeUp(),
}


def build(name: str, into: Path) -> Path:
    """Write a machine's files below a folder and return the folder, which is the machine's root."""
    return write_machine(MACHINES[name], into)


def write_machine(made_up: MadeUp, into: Path) -> Path:
    """Write the files of a machine below a folder and return the folder."""
    into.mkdir(parents=True, exist_ok=True)
    for path, text in _facts(made_up).items():
        write(into, path, text)
    for zone in made_up.zones:
        _write_zone(into, zone, made_up.root_only)
    for path, text in made_up.extra.items():
        write(into, path, text)
    return into


def write(root: Path, path: str, text: str) -> Path:
    """Write one file below a machine's root."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def set_counter(root: Path, zone: str, energy_uj: int | str) -> None:
    """Set a zone's energy, by its folder's name. The file stays the same one, as in sysfs, where it is held open."""
    (root / POWERCAP / zone / "energy_uj").write_text(f"{energy_uj}\n", encoding="ascii")


def _facts(made_up: MadeUp) -> dict[str, str]:
    files: dict[str, str] = {}
    if made_up.model_name is not None:
        per_socket = (made_up.cpus or 1) // made_up.sockets
        files["proc/cpuinfo"] = "".join(
            f"processor\t: {number}\nvendor_id\t: {made_up.vendor}\nmodel name\t: {made_up.model_name}\n"
            f"physical id\t: {number // per_socket}\nsiblings\t: {per_socket}\nflags\t\t: {made_up.flags}\n\n"
            for number in range(made_up.cpus or 1)
        )
    if made_up.cpus is not None:
        cpus = "sys/devices/system/cpu"
        files[f"{cpus}/online"] = f"0-{made_up.cpus - 1}\n"
        files[f"{cpus}/cpu0/topology/core_siblings_list"] = f"0-{made_up.cpus // made_up.sockets - 1}\n"
    if made_up.memory_bytes is not None:
        files["proc/meminfo"] = f"MemTotal:       {made_up.memory_bytes // 1024} kB\nMemFree:        1024 kB\n"
    if made_up.chassis is not None:
        files["sys/class/dmi/id/chassis_type"] = f"{made_up.chassis}\n"
    if made_up.dmi is not None:
        files["sys/class/dmi/id/sys_vendor"] = made_up.dmi[0] + "\n"
        files["sys/class/dmi/id/product_name"] = made_up.dmi[1] + "\n"
    if made_up.battery:
        files["sys/class/power_supply/BAT0/status"] = "Discharging\n"
    return files


def _write_zone(root: Path, zone: ZoneFiles, root_only: bool) -> None:
    """A zone as the kernel lays it out: nested below its parent among the devices, linked from the class's folder."""
    control, _, numbers = zone.zone.partition(":")
    nested = "/".join(
        f"{control}:{':'.join(numbers.split(':')[: depth + 1])}" for depth in range(numbers.count(":") + 1)
    )
    device = root / "sys/devices/virtual/powercap" / control / nested
    device.mkdir(parents=True, exist_ok=True)
    files = {"name": zone.name, "energy_uj": str(zone.energy_uj), "max_energy_range_uj": str(zone.range_uj)}
    for number, (kind, limit_w, max_w) in enumerate(
        (("long_term", zone.pl1_w, zone.max_power_w), ("short_term", zone.pl2_w, None))
    ):
        if limit_w is not None or max_w is not None:
            files[f"constraint_{number}_name"] = kind
            files[f"constraint_{number}_max_power_uw"] = str(int((max_w or 0) * 1e6))
            files[f"constraint_{number}_power_limit_uw"] = str(int((limit_w or 0) * 1e6))
    for name, text in files.items():
        (device / name).write_text(text + "\n", encoding="ascii")
    (device / "energy_uj").chmod(0o400 if root_only else 0o444 | 0o200)
    link = root / POWERCAP / zone.zone
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path("../../..") / device.relative_to(root))
