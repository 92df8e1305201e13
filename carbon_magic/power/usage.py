"""Who used the processors: CPU seconds of this kernel's process tree, and of the whole machine.

On Linux each live process of the tree is asked by its CPU clock, in nanoseconds; what its dead children used stands in
the counters of the parent that reaped them. A child that died without being reaped (its parent ignores SIGCHLD, or it
was handed to init) would take its seconds with it, so what was last seen of it is kept: the sum never falls. Elsewhere
psutil tells the same less finely.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from carbon_magic.power import rawread
from carbon_magic.power.machine import is_there

MAX_PROCESSES = 512
"""The most processes of a tree that are followed; a scan must stay bounded whatever a cell starts."""


class Usage(Protocol):
    """CPU seconds of the kernel's tree and of the machine."""

    def tick(self) -> tuple[float, float]:
        """(seconds of the tree, busy seconds of the machine), the tree found anew. For the sampler's thread."""

    @property
    def busy_s(self) -> float:
        """Busy seconds of the machine as of the last `tick`."""

    @property
    def stolen_s(self) -> float:
        """CPU seconds that the host of a virtual machine gave to others, as of the last `tick`; no part of `busy_s`."""

    def border(self) -> float:
        """Seconds of the tree as known, read at once. For a cell's thread; may lag behind `tick` by new children."""

    @property
    def pids(self) -> frozenset[int]:
        """The live processes of the tree as of the last `tick`."""

    def close(self) -> None: ...


class _Seen(NamedTuple):
    """What was last seen of one descendant."""

    clock_s: float
    reaped_s: float
    start: int

    @property
    def total_s(self) -> float:
        return self.clock_s + self.reaped_s


if sys.platform == "linux":
    import resource

    _TICKS_PER_S = os.sysconf("SC_CLK_TCK")
    _ANEW_S = 1.0
    """Counters of the machine that fall by more than this were begun anew; by less, they are summed up unevenly."""

    def _reaped_here_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def _clock_s(pid: int) -> float | None:
        """CPU time of a process by its own clock (clock id of `clock_getcpuclockid`), None once it is gone."""
        try:
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            return None

    class LinuxUsage:
        """`Usage` by procfs and CPU clocks. `root` may be a made-up machine: it gives the machine's busy seconds.

        Without `itself` it is that of this process's children alone, and of theirs.
        """

        def __init__(self, root: Path = Path("/"), proc: str = "/proc", *, itself: bool = True) -> None:
            try:
                self._stat: rawread.HeldFile | None = rawread.HeldFile(root / "proc" / "stat")
            except OSError:
                self._stat = None  # then the machine is taken to have been as busy as the tree
            self._proc = proc
            self._pid = os.getpid()
            self._itself = itself
            self._seen: dict[int, _Seen] = {}
            self._reaped_s = _reaped_here_s()
            self._lost_s = 0.0
            self._own_s = 0.0
            self._told_s = 0.0
            """Busy seconds as the machine told them last."""
            self.busy_s = 0.0
            self.stolen_s = 0.0
            self._has_children_files = is_there(
                Path(proc) / "self" / "task" / str(threading.get_native_id()) / "children"
            )

        @property
        def pids(self) -> frozenset[int]:
            return frozenset(self._seen) | ({self._pid} if self._itself else frozenset())

        def close(self) -> None:
            if self._stat is not None:
                self._stat.close()

        def border(self) -> float:
            own = self._itself_s() + _reaped_here_s() + self._lost_s
            known = self._seen
            fresh: list[int] = []
            if rawread.has_children():
                listed = self._children_of(self._pid, str(threading.get_native_id()))
                fresh = [pid for pid in listed if pid not in known]
            for pid in (*known, *fresh):
                clock_s = _clock_s(pid)
                if clock_s is not None:
                    own += clock_s + (known[pid].reaped_s if pid in known else 0.0)
            return own

        def tick(self) -> tuple[float, float]:
            for _ in range(3):
                # A child reaped in the middle of the pass would be seen twice, or not at all: look again.
                before = _reaped_here_s()
                seen = self._scan()
                reaped = _reaped_here_s()
                if reaped == before:
                    break
            gone = [pid for pid in self._seen if pid not in seen]
            risen = reaped - self._reaped_s
            risen += sum(
                max(0.0, now.reaped_s - self._seen[pid].reaped_s) for pid, now in seen.items() if pid in self._seen
            )
            self._lost_s += max(0.0, sum(self._seen[pid].total_s for pid in gone) - risen)
            self._seen, self._reaped_s = seen, reaped
            own = self._itself_s() + reaped + self._lost_s + sum(entry.total_s for entry in seen.values())
            before_s, self._own_s = self._own_s, max(self._own_s, own)
            if self._stat is None:
                self.busy_s = self._own_s
            else:
                self._look_at_machine(self._stat, self._own_s - before_s)
            return self._own_s, self.busy_s

        def _look_at_machine(self, stat: rawread.HeldFile, own_s: float) -> None:
            """The machine's seconds go on; `own_s` are the tree's since the last look."""
            try:
                content = stat.read()
                told_s, stolen_s = busy_seconds(content), stolen_seconds(content)
            except (OSError, ValueError, OverflowError):
                told_s, stolen_s = 0.0, self.stolen_s
            if told_s <= 0.0:  # a container's own file system for it (LXCFS) has gone: as where there is no such file
                self.busy_s += own_s
                return
            if told_s < self._told_s - _ANEW_S:
                self._told_s = told_s  # LXCFS came back, or the machine went on elsewhere: it counts anew
            self.busy_s += max(0.0, told_s - self._told_s)
            self._told_s = max(self._told_s, told_s)
            self.stolen_s = stolen_s

        def _itself_s(self) -> float:
            return time.process_time() if self._itself else 0.0

        def _scan(self) -> dict[int, _Seen]:
            """Every live descendant, and those known ones that were handed to another parent."""
            seen: dict[int, _Seen] = {}
            queue = [*self._all_children(self._pid), *self._seen]
            while queue and len(seen) < MAX_PROCESSES:
                pid = queue.pop(0)
                if pid in seen or (entry := self._look(pid)) is None:
                    continue
                if pid in self._seen and self._seen[pid].start != entry.start:
                    continue  # the number has been given to another process
                seen[pid] = entry
                queue.extend(self._all_children(pid))
            return seen

        def _look(self, pid: int) -> _Seen | None:
            clock_s = _clock_s(pid)
            line = rawread.read_once(f"{self._proc}/{pid}/stat")
            if clock_s is None or not line:
                return None
            # The name in parentheses may hold anything, parentheses and blanks too: count from the last one.
            fields = line[line.rfind(b")") + 2 :].split()
            if len(fields) < 20:
                return None
            return _Seen(clock_s, (int(fields[13]) + int(fields[14])) / _TICKS_PER_S, int(fields[19]))

        def _children_of(self, pid: int, task: str) -> list[int]:
            listed = rawread.read_once(f"{self._proc}/{pid}/task/{task}/children")
            return [int(number) for number in listed.split()] if listed else []

        def _all_children(self, pid: int) -> list[int]:
            if not self._has_children_files:
                return _children_by_psutil(pid)
            tasks = rawread.list_names(f"{self._proc}/{pid}/task")
            return [child for task in tasks for child in self._children_of(pid, task)]

    def _children_by_psutil(pid: int) -> list[int]:
        """For kernels built without CONFIG_PROC_CHILDREN."""
        import psutil

        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []


def busy_seconds(stat: bytes) -> float:
    """Busy seconds of all CPUs from /proc/stat: user, nice, system, irq and softirq; guests are inside user already."""
    fields = stat.split(b"\n", 1)[0].split()
    if len(fields) < 8 or fields[0] != b"cpu":
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def stolen_seconds(stat: bytes) -> float:
    """CPU seconds that the hypervisor gave to others, from /proc/stat; 0 on a machine that is not virtual."""
    fields = stat.split(b"\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 and fields[0] == b"cpu" else 0.0


class PsutilUsage:
    """`Usage` by psutil, for macOS and Windows: seconds of children are lost where they end between two ticks.

    Without `itself` it is that of this process's children alone, and of theirs.
    """

    def __init__(self, *, itself: bool = True) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self._itself = itself
        self._seen: dict[int, float] = {}
        self._lost_s = 0.0
        self.busy_s = 0.0
        self.stolen_s = 0.0

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(self._seen) | ({self._process.pid} if self._itself else frozenset())

    def close(self) -> None:
        """Nothing is held."""

    def border(self) -> float:
        return self._itself_s() + self._lost_s + sum(self._seen.values())

    def tick(self) -> tuple[float, float]:
        seen: dict[int, float] = {}
        for child in self._process.children(recursive=True)[:MAX_PROCESSES]:
            try:
                times = child.cpu_times()
            except self._psutil.Error:
                continue  # it ended between the listing and the question
            seen[child.pid] = times.user + times.system
        self._lost_s += sum(seconds for pid, seconds in self._seen.items() if pid not in seen)
        self._seen = seen
        machine = self._psutil.cpu_times()
        self.busy_s = sum(getattr(machine, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
        return self._itself_s() + self._lost_s + sum(seen.values()), self.busy_s

    def _itself_s(self) -> float:
        return time.process_time() if self._itself else 0.0


def usage_of(root: Path = Path("/")) -> Usage:
    """The best `Usage` of this platform."""
    if sys.platform == "linux":
        return LinuxUsage(root)
    return PsutilUsage()


def usage_of_children(root: Path = Path("/")) -> Usage:
    """The same of what this process has started, without itself. What they have used up to their end is known exactly
    where this process waits for them."""
    if sys.platform == "linux":
        return LinuxUsage(root, itself=False)
    return PsutilUsage(itself=False)
