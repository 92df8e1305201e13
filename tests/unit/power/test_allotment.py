"""What part of a machine is set aside for the work, by every kind of limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from machines.build import GIB, build, write

from carbon_magic.power.allotment import ScopeOption, allotment
from carbon_magic.power.machine import Machine

Make = Callable[[str], Machine]


@pytest.mark.parametrize("name", ["quota-v2", "quota-v1"])
def test_half_a_cpu_and_one_gib_of_a_large_server(machine: Make, name: str) -> None:
    found = allotment(machine(name), {})
    assert (found.scope, found.cpu_part, found.memory_part, found.memory_bytes) == ("quota", 0.5 / 64, 1 / 512, GIB)
    assert "0.5 of 64 CPUs are set aside" in found.reason
    assert "1 of 512 GiB" in found.reason


def test_the_tightest_limit_on_the_way_up_holds(machine: Make) -> None:
    found = allotment(machine("quota-v2-nested"), {})
    assert (found.cpu_part, found.memory_part) == (2 / 64, 64 / 512)


def test_a_set_of_cpus_is_a_quota_and_memory_follows_it(machine: Make) -> None:
    found = allotment(machine("cpuset"), {})
    assert (found.scope, found.cpu_part, found.memory_part) == ("quota", 7 / 64, 7 / 64)
    assert found.memory_bytes == 56 * GIB


@pytest.mark.parametrize("name", ["no-limits-v1", "server"])
def test_a_server_without_a_quota_is_shared(machine: Make, name: str) -> None:
    found = allotment(machine(name), {})
    assert (found.scope, found.cpu_part, found.memory_part, found.memory_bytes) == ("shared", None, None, None)


@pytest.mark.parametrize("name", ["laptop", "vm", "intel-desktop"])
def test_a_machine_of_ones_own_is_allotted_whole(machine: Make, name: str) -> None:
    made = machine(name)
    found = allotment(made, {})
    assert (found.scope, found.cpu_part, found.memory_part) == ("dedicated", 1.0, 1.0)
    assert found.memory_bytes == made.memory_bytes


def test_an_unknown_machine_is_taken_whole_and_says_so(machine: Make) -> None:
    found = allotment(machine("empty"), {})
    assert (found.scope, found.cpu_part, found.memory_part, found.memory_bytes) == ("dedicated", 1.0, 1.0, None)
    assert "Nothing tells" in found.reason


@pytest.mark.parametrize("variable", ["KUBERNETES_SERVICE_HOST", "JUPYTERHUB_USER"])
def test_a_virtual_machine_of_a_cluster_is_shared(machine: Make, variable: str) -> None:
    assert allotment(machine("vm"), {variable: "x"}).scope == "shared"


def test_a_quota_larger_than_the_machine_is_none(tmp_path: Path) -> None:
    root = build("quota-v2", tmp_path)
    write(root, "sys/fs/cgroup/cpu.max", "12800000 100000\n")
    write(root, "sys/fs/cgroup/memory.max", f"{1024 * GIB}\n")
    assert allotment(Machine.of(root, "linux"), {}).scope == "shared"


def test_a_memory_limit_alone_on_a_laptop(tmp_path: Path) -> None:
    root = build("laptop", tmp_path)
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/cgroup.controllers", "memory\n")
    write(root, "sys/fs/cgroup/memory.max", f"{4 * GIB}\n")
    found = allotment(Machine.of(root, "linux"), {})
    assert (found.scope, found.cpu_part, found.memory_part, found.memory_bytes) == ("dedicated", 1.0, 0.25, 4 * GIB)


def test_a_path_that_leaves_the_mount_is_not_followed(tmp_path: Path) -> None:
    root = build("quota-v2", tmp_path)
    write(root, "proc/self/cgroup", "0::/../../secret\n")
    write(root, "sys/secret/cpu.max", "1 100000\n")
    assert allotment(Machine.of(root, "linux"), {}).cpu_part == 0.5 / 64


@pytest.mark.parametrize(
    ("environ", "scope", "cpu_part", "memory_part"),
    [
        ({"SLURM_CPUS_ON_NODE": "16", "SLURM_MEM_PER_NODE": "65536"}, "quota", 0.25, 0.125),
        ({"SLURM_CPUS_ON_NODE": "16", "SLURM_CPUS_PER_TASK": "4"}, "quota", 4 / 64, 4 / 64),
        ({"SLURM_CPUS_ON_NODE": "64"}, "dedicated", 1.0, 1.0),
        ({"SLURM_CPUS_ON_NODE": "64", "SLURM_MEM_PER_NODE": "0"}, "dedicated", 1.0, 1.0),
        ({"JUPYTERHUB_USER": "u", "CPU_LIMIT": "2.0", "MEM_LIMIT": str(8 * GIB)}, "quota", 2 / 64, 8 / 512),
        ({"JUPYTERHUB_USER": "u"}, "shared", None, None),
        ({"CPU_LIMIT": "2.0"}, "shared", None, None),
        ({"SLURM_CPUS_ON_NODE": "nan", "JUPYTERHUB_USER": "u", "CPU_LIMIT": "-1"}, "shared", None, None),
        ({"SLURM_CPUS_ON_NODE": "inf"}, "shared", None, None),
        ({"SLURM_CPUS_ON_NODE": "65"}, "shared", None, None),
    ],
)
def test_batch_jobs_and_hubs(
    machine: Make, environ: dict[str, str], scope: str, cpu_part: float | None, memory_part: float | None
) -> None:
    found = allotment(machine("server"), environ)
    assert (found.scope, found.cpu_part, found.memory_part) == (scope, cpu_part, memory_part)


def test_the_users_word_overrides_a_quota(machine: Make) -> None:
    made = machine("quota-v2")
    own, shared = allotment(made, {}, "dedicated"), allotment(made, {}, "shared")
    assert (own.scope, own.cpu_part, own.memory_part) == ("dedicated", 1.0, 1.0)
    assert (shared.scope, shared.cpu_part, shared.memory_part) == ("shared", None, None)
    assert "set to dedicated" in own.reason
    assert "set to shared" in shared.reason


def test_a_scope_that_does_not_exist_raises_with_those_that_do(machine: Make) -> None:
    wrong: Any = "deticated"
    with pytest.raises(ValueError, match="dedicated") as raised:
        allotment(machine("vm"), {}, wrong)
    assert all(option in str(raised.value) for option in get_args(ScopeOption))


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_machines_of_ones_own(tmp_path: Path, platform: str) -> None:
    made = Machine(tmp_path, platform, None, None, 8, 1, "unknown", 16 * GIB)
    assert allotment(made, {}).cpu_part == 1.0
