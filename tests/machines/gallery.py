"""A gallery of made-up machines, as people have them: each with what its doctor should say, kept in `snapshots/`.

A machine is files, an environment, GPUs behind the stand-in for NVIDIA's library, and a kernel that allows performance
events or does not. What the doctor says of each is reviewed by eye; after a change that is meant, write it anew with
`python tests/machines/doctor.py --write` and read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from machines.build import AMD_RANGE_UJ, GIB, MACHINES, MadeUp, ZoneFiles
from machines.stand_ins import AppleChip, EnergyMeter

from carbon_magic.power.machine import Machine

Files = dict[str, str]


def hwmon(number: int, driver: str, **files: str | int) -> Files:
    """The files of one hardware monitor; a double underscore stands for a folder."""
    folder = f"sys/class/hwmon/hwmon{number}"
    told = {name.replace("__", "/"): value for name, value in files.items()}
    return {f"{folder}/{name}": f"{value}\n" for name, value in {"name": driver, **told}.items()}


def power_pmu(cpumask: str = "0", *, memory: bool = True) -> Files:
    """The power PMU of performance events."""
    folder = "sys/bus/event_source/devices/power"
    events = {"energy-pkg": 2, "energy-cores": 1, **({"energy-ram": 3} if memory else {})}
    files = {f"{folder}/type": "9\n", f"{folder}/cpumask": f"{cpumask}\n"}
    for event, config in events.items():
        files[f"{folder}/events/{event}"] = f"event=0x0{config}\n"
        files[f"{folder}/events/{event}.scale"] = "2.3283064365386962890625e-10\n"
        files[f"{folder}/events/{event}.unit"] = "Joules\n"
    return files


def supply(name: str, **files: str | int) -> Files:
    """The files of one power supply: a battery, a charger, a contract."""
    return {f"sys/class/power_supply/{name}/{file}": f"{value}\n" for file, value in files.items()}


def paranoid(level: int) -> Files:
    """How far the kernel allows performance events."""
    return {"proc/sys/kernel/perf_event_paranoid": f"{level}\n"}


@dataclass(frozen=True)
class Exhibit:
    """One machine of the gallery."""

    made_up: MadeUp
    environ: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[Mapping[str, Any], ...] | None = None
    allows_events: bool = False
    machine: Callable[[Path], Machine] | None = None
    """The machine, where it is no Linux."""
    apple: Any | None = None
    meters: tuple[EnergyMeter, ...] = ()


_CONTENTS = MACHINES
_LAPTOP = replace(
    _CONTENTS["laptop"],
    battery=False,
    zones=(
        ZoneFiles("intel-rapl:0", "package-0", max_power_w=15, pl1_w=25, pl2_w=44),
        ZoneFiles("intel-rapl:0:0", "core", 500_000),
        ZoneFiles("intel-rapl:0:2", "dram", 2_000_000),
        ZoneFiles("intel-rapl:1", "psys", 9_000_000),
        ZoneFiles("intel-rapl-mmio:0", "package-0", max_power_w=15, pl1_w=25),
    ),
    extra={
        **supply("AC", type="Mains", online=1),
        **supply("BAT0", type="Battery", status="Full", energy_now=50_000_000, power_now=0),
        **supply("hidpp_battery_0", type="Battery", scope="Device", status="Discharging"),
        **supply("ucsi-source-psy-USBC000:001", type="USB", voltage_now=20_000_000, current_now=3_250_000),
        **power_pmu(),
        **paranoid(2),
    },
)
_ON_BATTERY = {
    **_LAPTOP.extra,
    **supply("BAT0", type="Battery", status="Discharging", energy_now=42_000_000, power_now=9_500_000),
}
_RYZEN_FILES = hwmon(0, "amdgpu", power1_average=7_012_000, in1_label="vddnb", in1_input=850)
_H100 = {"name": "NVIDIA-H100-80GB-HBM3", "limit": 700, "energy": 1000, "steps": "0:90", "util": 0}
_SLURM = {"SLURM_JOB_ID": "42", "SLURM_CPUS_ON_NODE": "16", "SLURM_MEM_PER_NODE": "65536"}
_GRACE_FILES = {
    **hwmon(0, "power_meter", device__power1_oem_info="Module Power Socket 0", device__power1_average=310_000_000),
    **hwmon(1, "power_meter", device__power1_oem_info="Grace Power Socket 0", device__power1_average=92_000_000),
    **hwmon(2, "power_meter", device__power1_oem_info="CPU Power Socket 0", device__power1_average=61_000_000),
    **hwmon(3, "power_meter", device__power1_oem_info="SysIO Power Socket 0", device__power1_average=14_000_000),
}

GALLERY: dict[str, Exhibit] = {
    "intel_laptop": Exhibit(_LAPTOP),
    "intel_laptop_root_only": Exhibit(replace(_LAPTOP, root_only=True)),
    "intel_laptop_perf_events": Exhibit(
        replace(_LAPTOP, root_only=True, extra={**_LAPTOP.extra, **paranoid(0)}), allows_events=True
    ),
    "laptop_on_battery": Exhibit(replace(_LAPTOP, root_only=True, extra=_ON_BATTERY)),
    "intel_desktop": Exhibit(
        replace(MACHINES["intel-desktop"], extra={**power_pmu(), **paranoid(-1)}), allows_events=True
    ),
    "amd_desktop": Exhibit(
        replace(
            MACHINES["amd"],
            extra=hwmon(
                1,
                "amdgpu",
                power1_average=38_000_000,
                power1_cap=264_000_000,
                fan1_input=900,
                in1_label="vddgfx",
                device__drm__renderD128__dev="226:128",
            ),
        )
    ),
    "ryzen_apu": Exhibit(
        MadeUp(
            "AMD Ryzen 7 5800U with Radeon Graphics",
            "AuthenticAMD",
            cpus=16,
            chassis=10,
            memory_bytes=16 * GIB,
            zones=(ZoneFiles("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ),),
            root_only=True,
            extra={
                **_RYZEN_FILES,
                **supply("BAT0", type="Battery", status="Charging", charge_now=3_000_000, current_now=1_000_000),
            },
        )
    ),
    "ryzen_desktop_small_graphics": Exhibit(
        MadeUp(
            "AMD Ryzen 9 7950X 16-Core Processor",
            "AuthenticAMD",
            cpus=32,
            chassis=3,
            memory_bytes=64 * GIB,
            zones=(ZoneFiles("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ),),
            root_only=True,
            extra=hwmon(2, "amdgpu", power1_input=1_034_000, in1_label="vddnb"),
        )
    ),
    "threadripper": Exhibit(
        MadeUp(
            "AMD Ryzen Threadripper 2990WX 32-Core Processor",
            "AuthenticAMD",
            cpus=64,
            chassis=3,
            memory_bytes=128 * GIB,
            zones=tuple(
                ZoneFiles(f"intel-rapl:{die}", f"package-0-die-{die}", range_uj=AMD_RANGE_UJ) for die in range(2)
            ),
        )
    ),
    "epyc_server": Exhibit(
        replace(MACHINES["amd-dies"], extra=hwmon(0, "power_meter", power1_average=412_000_000)),
    ),
    "dual_socket": Exhibit(
        replace(
            MACHINES["two-sockets"],
            extra={
                **power_pmu("0,48"),
                **hwmon(0, "power_meter", device__power1_average=540_000_000, device__power1_average_interval=30_000),
            },
        ),
        allows_events=True,
    ),
    "vm_kvm": Exhibit(
        MadeUp(
            "Intel Xeon Processor (Icelake)",
            "GenuineIntel",
            flags="fpu sse2 hypervisor",
            cpus=8,
            dmi=("QEMU", "Standard PC (Q35 + ICH9, 2009)"),
            memory_bytes=32 * GIB,
        )
    ),
    "vm_ec2": Exhibit(MACHINES["vm"]),
    "colab_vm": Exhibit(
        MadeUp(
            "Intel(R) Xeon(R) CPU @ 2.00GHz",
            "GenuineIntel",
            flags="fpu sse2 hypervisor",
            cpus=2,
            dmi=("Google", "Google Compute Engine"),
            memory_bytes=13 * GIB,
            extra={"dev/nvidiactl": ""},
        ),
        environ={"COLAB_RELEASE_TAG": "release-colab"},
        gpus=(
            {"name": "Tesla-T4", "limit": 70, "counter": 1, "energy": 100, "steps": "0:11", "compute": "4000000:20"},
        ),
    ),
    "docker_quota": Exhibit(MACHINES["quota-v2"]),
    "cgroup_v1": Exhibit(MACHINES["quota-v1"]),
    "slurm_node": Exhibit(replace(MACHINES["two-sockets"], root_only=True), environ=_SLURM),
    "jetson_orin": Exhibit(
        MadeUp(
            cpus=6,
            memory_bytes=8 * GIB,
            extra=hwmon(
                1,
                "ina3221",
                in1_label="VDD_IN",
                in1_input=5000,
                curr1_input=1200,
                in2_label="VDD_CPU_GPU_CV",
                in2_input=5000,
                curr2_input=400,
                in3_label="VDD_SOC",
                in3_input=5000,
                curr3_input=300,
            ),
        )
    ),
    "jetson_xavier": Exhibit(
        MadeUp(
            cpus=8,
            memory_bytes=32 * GIB,
            extra={
                **hwmon(
                    1,
                    "ina3221",
                    in1_label="GPU",
                    in1_input=19_000,
                    curr1_input=40,
                    in2_label="CPU",
                    in2_input=19_000,
                    curr2_input=90,
                ),
                **hwmon(2, "ina3221", in2_label="VDDRQ", in2_input=19_000, curr2_input=20),
            },
        )
    ),
    "graviton": Exhibit(MadeUp(cpus=4, dmi=("Amazon EC2", "m7g.xlarge"), memory_bytes=16 * GIB)),
    "gh200": Exhibit(
        replace(MACHINES["grace"], extra={**MACHINES["grace"].extra, **_GRACE_FILES, "dev/nvidiactl": ""}),
        gpus=({"name": "NVIDIA-GH200-480GB", "limit": 900, "energy": 5000, "steps": "0:105", "util": 0},),
    ),
    "h100_server": Exhibit(
        replace(MACHINES["two-sockets"], root_only=True, extra={"dev/nvidiactl": ""}), gpus=(_H100, _H100)
    ),
    "mig_slice": Exhibit(
        replace(MACHINES["quota-v2"], extra={**MACHINES["quota-v2"].extra, "dev/nvidiactl": ""}),
        gpus=({**_H100, "mig": 1, "slices": 3, "util": -1, "sm": 0},),
    ),
    "intel_arc": Exhibit(
        replace(
            MACHINES["intel-desktop"],
            extra=hwmon(
                4,
                "xe",
                energy1_input=1_000_000,
                energy1_label="card",
                power1_rated_max=225_000_000,
                device__drm__renderD128__dev="226:128",
            ),
        )
    ),
    "corsair_desktop": Exhibit(
        replace(
            MACHINES["intel-desktop"],
            extra=hwmon(
                3,
                "corsairpsu",
                power1_label="power total",
                power1_input=88_000_000,
                power2_label="power +12v",
                power2_input=70_000_000,
            ),
        )
    ),
    "smart_plug": Exhibit(
        MACHINES["intel-desktop"],
        environ={"CARBON_MAGIC_POWER_SOURCE": "http://192.168.1.20/cm?cmnd=Status%208#Power@W"},
    ),
    "raspberry_pi": Exhibit(MACHINES["arm-board"]),
    "chromebook": Exhibit(
        MadeUp(
            "Intel(R) Celeron(R) N4020 CPU @ 1.10GHz",
            "GenuineIntel",
            cpus=2,
            memory_bytes=4 * GIB,
            extra=supply(
                "BAT0",
                type="Battery",
                status="Discharging",
                charge_now=3_000_000,
                current_now=520_000,
                voltage_now=7_700_000,
            ),
        )
    ),
    "macbook": Exhibit(
        MadeUp(),
        machine=lambda root: Machine(root, "darwin", "Apple M2", "Apple", 8, 1, "laptop", 16 * GIB),
        apple=AppleChip(cpu_total_mj=1000, gpu_mj=200, gpu_sram_mj=None, ane_mj=0, dram_mj=300),
    ),
    "windows_laptop": Exhibit(
        MadeUp(),
        machine=lambda root: Machine(
            root, "win32", "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "GenuineIntel", 8, 1, "laptop", 16 * GIB
        ),
        meters=(EnergyMeter({"RAPL_Package0_PKG": 10**12, "RAPL_Package0_DRAM": 10**11, "RAPL_Package0_PP0": 10**11}),),
    ),
}
