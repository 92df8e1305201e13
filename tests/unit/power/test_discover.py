"""Which sensors are used on each made-up machine, which are not, and what the user is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from machines.build import MACHINES, build, set_counter

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import RAPL_FIX, UDEV_RULE, discover, discover_gpus, fallback_cpu
from carbon_magic.power.machine import Machine

Make = Callable[[str], Machine]


def look(machine: Machine) -> dict[str, Candidate]:
    found = discover(machine, lambda: 0.0)
    assert len({candidate.name for candidate in found}) == len(found)
    return {candidate.name: candidate for candidate in found}


def used(machine: Machine) -> set[str]:
    return {name for name, candidate in look(machine).items() if candidate.used}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("intel-desktop", {"powercap:package-0", "dram-model"}),
        ("two-sockets", {"powercap:package-0", "powercap:package-1", "powercap:dram-0", "powercap:dram-1"}),
        ("amd", {"powercap:package-0", "dram-model"}),
        ("amd-dies", {"powercap:package-0-die-0", "dram-model"}),
        ("mmio-only", {"powercap:package-0", "dram-model"}),
        ("laptop", {"cpu-model", "dram-model"}),
        ("server", {"cpu-model", "dram-model"}),
        ("vm", {"vcpu-model"}),
        ("grace", {"vcpu-model"}),
        ("empty", {"vcpu-model"}),
    ],
)
def test_what_is_used(machine: Make, name: str, expected: set[str]) -> None:
    assert used(machine(name)) == expected


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_exactly_the_used_ones_carry_a_sensor_of_their_name_and_domain(machine: Make, name: str) -> None:
    for candidate in look(machine(name)).values():
        assert (candidate.sensor is not None) == (candidate.used or candidate.watched)
        assert candidate.reason.endswith(".")
        if candidate.sensor is not None:
            told = (candidate.sensor.name, candidate.sensor.domain, candidate.sensor.provenance)
            assert told == (candidate.name, candidate.domain, candidate.provenance)


def test_the_total_of_two_sockets_leaves_psys_and_cores_out(tmp_path: Path) -> None:
    root = build("two-sockets", tmp_path)
    sensors = [found.sensor for found in discover(Machine.of(root, "linux"), lambda: 0.0) if found.sensor is not None]
    for sensor in sensors:
        sensor.advance(0.0, sensor.peek())
    for number in (0, 1):
        set_counter(root, f"intel-rapl:{number}", 101_000_000)
        set_counter(root, f"intel-rapl:{number}:0", 12_000_000)
    set_counter(root, "intel-rapl:2", 999_000_000)
    total_j = sum(sensor.advance(1.0, sensor.peek()).energy_j for sensor in sensors)
    assert total_j == pytest.approx(2 * 100.0 + 2 * 10.0)


def test_psys_core_and_mmio_say_why_they_are_left_out(machine: Make, tmp_path: Path) -> None:
    server = look(machine("two-sockets"))
    assert "never added" in server["powercap:psys"].reason
    assert server["powercap:psys"].domain == "other"
    desktop = look(machine("intel-desktop"))
    assert "part of the package" in desktop["powercap:core-0"].reason
    assert "same energy as intel-rapl:0" in desktop["powercap-mmio:package-0"].reason


def test_beside_a_measured_processor_the_model_waits_as_a_fallback(machine: Make) -> None:
    made = machine("intel-desktop")
    waiting = look(made)["cpu-model"]
    assert not waiting.used
    assert waiting.figures["tdp_w"] == 125.0
    opened = fallback_cpu(made, lambda: 0.0)
    assert opened.used
    assert opened.sensor is not None
    assert opened.sensor.max_power_w == 241.0


def test_a_processor_that_is_readable_in_part_is_not_measured_at_all(tmp_path: Path) -> None:
    root = build("two-sockets", tmp_path)
    (root / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()
    found = look(Machine.of(root, "linux"))
    assert not found["powercap:package-0"].used
    assert "package-1" in found["powercap:package-0"].reason
    assert "cannot be read" in found["powercap:package-1"].reason
    assert found["cpu-model"].used
    assert found["cpu-model"].figures["tdp_w"] == 410.0


@pytest.mark.parametrize(
    ("name", "tdp_w", "source"),
    [
        ("intel-desktop", 125.0, "powercap constraints"),
        ("amd", 105.0, "table by name (CodeCarbon)"),
        ("server", 280.0, "table by name (CodeCarbon)"),
        ("metal", 420.0, "table by name (CodeCarbon)"),
        ("laptop", 15.0, "table by name (CodeCarbon)"),
    ],
)
def test_tdp_and_where_it_comes_from(machine: Make, name: str, tdp_w: float, source: str) -> None:
    figures = look(machine(name))["cpu-model"].figures
    assert (figures["tdp_w"], figures["tdp_source"]) == (tdp_w, source)


@pytest.mark.parametrize(("name", "tdp_w"), [("laptop", 15.0), ("amd", 65.0)])
def test_a_client_of_unknown_name_gets_an_assumed_tdp(tmp_path: Path, name: str, tdp_w: float) -> None:
    root = build(name, tmp_path)
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("model name", "model other"))
    shutil.rmtree(root / "sys/class/powercap", ignore_errors=True)
    model = look(Machine.of(root, "linux"))["cpu-model"]
    assert (model.provenance, model.figures["tdp_w"]) == ("assumed", tdp_w)
    assert "assumed" in str(model.figures["tdp_source"])


def test_watts_per_vcpu_hold_the_memory_and_no_name_is_looked_up_in_a_vm(machine: Make) -> None:
    found = look(machine("vm"))
    assert found["vcpu-model"].figures["vcpus"] == 4
    assert found["vcpu-model"].figures["memory_included"] is True
    assert "tdp_w" not in found["vcpu-model"].figures
    assert "hold the memory already" in found["dram-model"].reason
    assert fallback_cpu(machine("quota-v2"), lambda: 0.0).figures["memory_included"] is False


def test_other_systems_have_no_powercap(tmp_path: Path) -> None:
    root = build("intel-desktop", tmp_path)
    mac = Machine(root, "darwin", "Apple M1 Pro", "Apple", 10, 1, "laptop", 16 * 2**30)
    found = look(mac)
    assert {name for name, candidate in found.items() if candidate.used} == {"cpu-model", "dram-model"}
    assert found["cpu-model"].figures["tdp_w"] == 30.0


ROOT_ONLY = """
import json, os, sys
from pathlib import Path
from carbon_magic.power.discover import discover
from carbon_magic.power.machine import Machine
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = discover(Machine.of(Path(sys.argv[1]), "linux"), lambda: 0.0)
print(json.dumps([[c.name, c.used, c.reason, c.fix, c.figures] for c in found]))
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="POSIX only")
def test_root_only_counters_give_the_tdp_the_reason_and_the_rule() -> None:
    # pytest's own folder is closed to other users, and the check is made as one.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = build("root-only", Path(folder) / "machine")
        command = [sys.executable, "-c", ROOT_ONLY, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {row[0]: row[1:] for row in json.loads(done.stdout)}
    is_used, reason, fix, _ = found["powercap:package-0"]
    assert not is_used
    assert "energy_uj is readable by root only" in reason
    assert fix == RAPL_FIX
    model_used, _, _, figures = found["cpu-model"]
    assert model_used
    assert (figures["tdp_w"], figures["tdp_source"], figures["pl2_w"]) == (125.0, "powercap constraints", 241.0)


def test_the_fix_is_a_whole_udev_rule_and_says_what_it_exposes() -> None:
    assert UDEV_RULE == (
        'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*", RUN+="/usr/bin/chgrp rapl /sys/%p/energy_uj", '
        'RUN+="/usr/bin/chmod g+r /sys/%p/energy_uj"'
    )
    assert UDEV_RULE in RAPL_FIX.splitlines()
    assert "other users on this machine" in RAPL_FIX
    assert "can learn about your computations from power (PLATYPUS" in RAPL_FIX


def test_without_a_gpu_nothing_is_loaded_and_the_reason_is_told(machine: Make) -> None:
    (found,) = discover_gpus(root=machine("server").root)
    assert (found.used, found.sensor, found.domain) == (False, None, "gpu")
    assert "no NVIDIA GPU" in found.reason
