"""What a machine tells about itself, and what is left unknown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from machines.build import GIB, MACHINES, build, write

from carbon_magic.power.discover import fallback_cpu
from carbon_magic.power.machine import Machine, count_cpus, form_by_name, is_virtual

Make = Callable[[str], Machine]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("intel-desktop", ("desktop", 20, 1, 32 * GIB)),
        ("two-sockets", ("server", 96, 2, 384 * GIB)),
        ("amd", ("desktop", 32, 1, 64 * GIB)),
        ("laptop", ("laptop", 8, 1, 16 * GIB)),
        ("vm", ("vm", 4, 1, 16 * GIB)),
        ("arm-vm", ("vm", 2, 1, 4 * GIB)),
        ("metal", ("server", 96, 2, 384 * GIB)),
        ("server", ("server", 64, 1, 512 * GIB)),
        ("grace", ("server", 72, 1, 480 * GIB)),
        ("arm-board", ("unknown", 4, 1, 4 * GIB)),
    ],
)
def test_made_up_machines(machine: Make, name: str, expected: tuple[str, int, int, int]) -> None:
    found = machine(name)
    assert (found.form, found.logical_cpus, found.sockets, found.memory_bytes) == expected
    assert (found.cpu_name, found.cpu_vendor) == (MACHINES[name].model_name, MACHINES[name].vendor)


def test_an_empty_tree_leaves_all_unknown(machine: Make) -> None:
    found = machine("empty")
    assert (found.cpu_name, found.cpu_vendor, found.memory_bytes, found.form) == (None, None, None, "unknown")
    assert (found.logical_cpus, found.sockets) == (1, 1)


def test_sockets_by_siblings_where_there_is_no_topology(tmp_path: Path) -> None:
    root = build("two-sockets", tmp_path)
    (root / "sys/devices/system/cpu/cpu0/topology/core_siblings_list").unlink()
    assert Machine.of(root, "linux").sockets == 2


@pytest.mark.parametrize(
    ("listed", "packages", "sockets"),
    [
        ("0", [0] * 64, 1),  # the list is broken, and the ids tell
        ("0", [0] * 32 + [1] * 32, 2),
        ("0", [0, 1] * 32, 2),
        ("0", list(range(64)), 1),  # the ids are broken as well
        ("0", None, 1),
        ("0-1", [0] * 64, 1),
        ("0-15", [0] * 64, 1),
        ("0-31", None, 2),
        ("0-31", [0] * 32 + [1] * 32, 2),
        ("0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30", [0, 1, 2, 3] * 16, 4),
        ("0-7", [number // 8 for number in range(64)], 8),
        ("0-999999", None, 1),
    ],
)
def test_no_more_sockets_are_counted_than_machines_have(
    tmp_path: Path, listed: str, packages: list[int] | None, sockets: int
) -> None:
    root = build("server", tmp_path)
    write(root, "sys/devices/system/cpu/cpu0/topology/core_siblings_list", f"{listed}\n")
    for cpu, package in enumerate(packages or []):
        write(root, f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id", f"{package}\n")
    assert Machine.of(root, "linux").sockets == sockets


def test_a_broken_list_does_not_multiply_the_power_of_a_server(tmp_path: Path) -> None:
    root = build("server", tmp_path)
    write(root, "sys/devices/system/cpu/cpu0/topology/core_siblings_list", "0\n")
    model = fallback_cpu(Machine.of(root, "linux"), lambda: 0.0)
    assert (model.figures["tdp_w"], model.figures["sockets"]) == (280.0, 1)


def test_a_server_processor_in_a_folder_without_firmware_is_known_by_its_name(tmp_path: Path) -> None:
    root = build("server", tmp_path)
    (root / "sys/class/dmi/id/chassis_type").unlink()
    assert Machine.of(root, "linux").form == "server"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("AMD EPYC 7763 64-Core Processor", "server"),
        ("Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", "server"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "desktop"),
        ("AMD Ryzen Threadripper 3970X 32-Core Processor", "desktop"),
        ("AMD Eng Sample 64-Core Processor", "unknown"),
        ("Xeonic 5", "unknown"),
        (None, "unknown"),
    ],
)
def test_form_by_whole_words_only(name: str | None, form: str) -> None:
    assert form_by_name(name) == form


def test_a_metal_instance_is_a_machine_and_others_are_not() -> None:
    assert is_virtual("Amazon EC2", "c7g.large")
    assert not is_virtual("Amazon EC2", "c7g.metal")
    assert not is_virtual("Dell Inc.", "PowerEdge R750")
    assert not is_virtual(None, None)


@pytest.mark.parametrize(
    ("listed", "count"),
    [("0", 1), ("0-3,8,10-11", 7), ("", None), (None, None), ("0-", None), ("a", None), ("3-1", None)],
)
def test_lists_of_cpus(listed: str | None, count: int | None) -> None:
    assert count_cpus(listed) == count


@pytest.mark.parametrize("nonsense", ["", "\0" * 5000, "MemTotal: many kB\n", "-5", "9" * 10_000, "ü\udcff" * 10])
def test_nonsense_in_every_file_is_unknown_and_never_an_error(tmp_path: Path, nonsense: str) -> None:
    root = build("laptop", tmp_path)
    for file in [path for path in root.rglob("*") if path.is_file()]:
        file.write_bytes(nonsense.encode("utf-8", "surrogateescape"))
    found = Machine.of(root, "linux")
    assert (found.cpu_name, found.memory_bytes, found.logical_cpus) == (None, None, 1)


def test_only_the_head_of_cpuinfo_is_read(tmp_path: Path) -> None:
    root = build("server", tmp_path)
    cpuinfo = (root / "proc/cpuinfo").read_text()
    write(root, "proc/cpuinfo", cpuinfo[:4096] + "\nmodel name\t: another\nflags\t: hypervisor\n")
    assert Machine.of(root, "linux").form == "server"


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux only")
def test_this_machine_is_read_as_it_is() -> None:
    found = Machine.of()
    assert found.logical_cpus == os.cpu_count()
    assert found.memory_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
