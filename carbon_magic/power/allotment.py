"""What part of the machine is set aside for this work, from the limits that the system itself enforces or announces.

The idle energy of a machine belongs to those it is kept running for. A quota (of a container, of a batch job, of a
Hub) says what part that is; a machine of one's own is allotted whole; on a server shared without quotas nobody can
say, and the caller falls back on the part used. Nothing here divides by the notebooks that share the allotment.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from carbon_magic.power.machine import Machine, count_cpus, is_there, read_count, read_text, whole_number

Scope = Literal["dedicated", "quota", "shared"]
ScopeOption = Literal["auto", "dedicated", "shared"]

_MIB = 1024**2
_NO_LIMIT_BYTES = 1 << 62
"""cgroup v1 writes about 2^63 where there is no limit."""


@dataclass(frozen=True)
class Allotment:
    """The part of the machine that is set aside for this work."""

    scope: Scope
    cpu_part: float | None
    """Part of the machine's CPUs, above 0 to 1; None on a shared server without quota."""
    memory_part: float | None
    """Part of the machine's memory, above 0 to 1; None where nobody can say."""
    memory_bytes: int | None
    """The same in bytes, where the machine's memory is known."""
    reason: str
    """One sentence that says where this comes from."""


class _Limit(NamedTuple):
    amount: float
    origin: str


def allotment(machine: Machine, environ: Mapping[str, str], scope: ScopeOption = "auto") -> Allotment:
    """What part of `machine` is set aside for this process, whose environment is `environ`.

    Args:
        scope: `dedicated` and `shared` are the user's word and override what is found.

    Raises:
        ValueError: there is no such scope.
    """
    if scope not in ("auto", "dedicated", "shared"):
        raise ValueError(f"no such scope: {scope!r}; it is one of auto, dedicated, shared")
    if scope == "dedicated":
        why = "The scope is set to dedicated: the whole machine is this work's."
        return Allotment("dedicated", 1.0, 1.0, machine.memory_bytes, why)
    if scope == "shared":
        return Allotment("shared", None, None, None, "The scope is set to shared: idle energy goes by CPU time used.")

    cpus = _cpu_limit(machine, environ)
    memory = _memory_limit(machine, environ)
    kind, why = _kind(machine, environ, cpus)
    cpu_part = {"dedicated": 1.0, "shared": None}.get(kind, cpus.amount / machine.logical_cpus if cpus else None)
    memory_part = cpu_part
    if memory and machine.memory_bytes:
        memory_part = memory.amount / machine.memory_bytes
        amount_gib, all_gib = memory.amount / 1024**3, machine.memory_bytes / 1024**3
        part = f"{amount_gib:.3g} of {all_gib:.3g} GiB of memory"
        why += f", and {part} ({memory.origin})" if cpus else f". {part} are set aside for this work ({memory.origin})"
    allotted = memory.amount if memory else None
    if allotted is None and memory_part is not None and machine.memory_bytes:
        allotted = machine.memory_bytes * memory_part
    return Allotment(kind, cpu_part, memory_part, None if allotted is None else int(allotted), why + ".")


def _kind(machine: Machine, environ: Mapping[str, str], cpus: _Limit | None) -> tuple[Scope, str]:
    """The scope and the sentence for it, without its full stop."""
    if cpus:
        of = f"of {machine.logical_cpus} CPU{'s' if machine.logical_cpus > 1 else ''}"
        verb = "is" if cpus.amount == 1 else "are"
        whole = cpus.amount >= machine.logical_cpus
        return (
            "dedicated" if whole else "quota",
            f"{cpus.amount:.4g} {of} {verb} set aside for this work ({cpus.origin})",
        )
    sharer = None
    if "KUBERNETES_SERVICE_HOST" in environ:
        sharer = "This is a Kubernetes pod"
    elif _has_hub(environ):
        sharer = "A JupyterHub started this"
    elif machine.form == "server":
        sharer = "This is a server"
    if sharer:
        return "shared", f"{sharer} without a CPU quota, so others are taken to share the machine"
    if machine.form == "unknown" and machine.platform not in ("darwin", "win32"):
        return "dedicated", (
            "Nothing tells what kind of machine this is; it is taken to be your own, so that its idle energy is not "
            "left out (set the scope to shared if others use it)"
        )
    own = {"vm": "virtual machine", "laptop": "laptop", "desktop": "desktop"}.get(machine.form, "computer")
    return "dedicated", f"This is a {own} of your own, without a CPU quota"


def _cpu_limit(machine: Machine, environ: Mapping[str, str]) -> _Limit | None:
    """The tightest limit in CPUs, or None.

    A cgroup that allows the whole machine or more is no limit; a batch job that was given the whole machine is one,
    for then the machine is the job's own.
    """
    limits = [limit for limit in _cgroup_cpus(machine.root) if limit.amount < machine.logical_cpus]
    on_node = _positive(environ, "SLURM_CPUS_ON_NODE")
    per_task = _positive(environ, "SLURM_CPUS_PER_TASK")
    if per_task and not (on_node and per_task.amount > on_node.amount):
        limits.append(per_task)
    elif on_node:
        limits.append(on_node)
    hub = _positive(environ, "CPU_LIMIT") if _has_hub(environ) else None
    if hub and hub.amount < machine.logical_cpus:
        limits.append(hub)
    tightest = min(limits, default=None)
    if tightest and tightest.amount > machine.logical_cpus:
        return None
    return tightest


def _memory_limit(machine: Machine, environ: Mapping[str, str]) -> _Limit | None:
    """The tightest limit in bytes below the machine's memory, or None."""
    limits = list(_cgroup_memory(machine.root))
    per_node = _positive(environ, "SLURM_MEM_PER_NODE")
    if per_node:
        limits.append(_Limit(per_node.amount * _MIB, per_node.origin))
    hub = _positive(environ, "MEM_LIMIT") if _has_hub(environ) else None
    if hub:
        limits.append(hub)
    most = min(machine.memory_bytes or _NO_LIMIT_BYTES, _NO_LIMIT_BYTES)
    return min((limit for limit in limits if limit.amount < most), default=None)


def _has_hub(environ: Mapping[str, str]) -> bool:
    """Whether a Hub stands behind `CPU_LIMIT` and `MEM_LIMIT`, whose names alone could be anybody's."""
    return any(name.startswith("JUPYTERHUB_") for name in environ)


def _positive(environ: Mapping[str, str], name: str) -> _Limit | None:
    """A variable that holds a finite number above 0, or None."""
    try:
        amount = float(environ.get(name, "")[:32])
    except ValueError:  # empty or no number: it limits nothing
        return None
    return _Limit(amount, name) if 0 < amount < math.inf else None


def _cgroup_cpus(root: Path) -> Iterator[_Limit]:
    for folder in _cgroup_folders(root, "cpu"):
        quota, _, period = (read_text(folder / "cpu.max", 64) or "").partition(" ")
        yield from _quota(whole_number(quota), whole_number(period), "cgroup cpu.max")
        v1_quota, v1_period = read_count(folder / "cpu.cfs_quota_us"), read_count(folder / "cpu.cfs_period_us")
        yield from _quota(v1_quota, v1_period, "cgroup cpu.cfs_quota_us")
    for folder in _cgroup_folders(root, "cpuset"):
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
            allowed = count_cpus(read_text(folder / name))
            if allowed:
                yield _Limit(float(allowed), f"cgroup {name}")


def _quota(quota_us: int | None, period_us: int | None, origin: str) -> Iterator[_Limit]:
    if quota_us and period_us:
        yield _Limit(quota_us / period_us, origin)


def _cgroup_memory(root: Path) -> Iterator[_Limit]:
    for folder in _cgroup_folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = read_count(folder / name)
            if limit:
                yield _Limit(float(limit), f"cgroup {name}")


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The process's own cgroup that has this controller, and those above it up to the mount, for v2 and v1."""
    mount = root / "sys/fs/cgroup"
    unified = mount if is_there(mount / "cgroup.controllers") else mount / "unified"
    for line in (read_text(root / "proc/self/cgroup", 65536) or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            yield from _upwards(unified, path)
        elif controller in controllers.split(","):
            joint = mount / controllers
            yield from _upwards(joint if is_there(joint) else mount / controller, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """`mount/path` and what lies above it, ending with `mount`, which stands alone where there is no such path.

    In a container the path is `/`, or it is the host's and not to be found below the container's mount.
    """
    parts = [part for part in PurePosixPath(path).parts if part != "/"]
    if ".." not in parts and is_there(mount.joinpath(*parts)):
        for length in range(len(parts), 0, -1):
            yield mount.joinpath(*parts[:length])
    yield mount
