"""Whose work an AMD or Intel GPU does: the engine time of every process that has it open, as far as they can be seen.

The kernel tells it beside each open file of the GPU (`/proc/PID/fdinfo`, Linux, Documentation/gpu/drm-usage-stats):
nanoseconds of an engine, or its cycles of so many that passed. One client may be open in several processes and counts
once. What this work's own processes have open is always seen; other users' is not without rights, nor what lies outside
a container, so where something may be hidden our part of what is seen is an upper figure, and marked as unsure. Work
that AMD's compute driver (`/dev/kfd`) queues is in nobody's engine time: there it goes by who has that open.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from carbon_magic.power import rawread
from carbon_magic.power.drm_fdinfo import Engine, Told, parsed
from carbon_magic.power.sensor import GpuUse

MAX_PROCESSES = 512
"""As many processes of others that have anything open are looked at."""
MAX_LISTED = 8192
MAX_FILES = 1024
"""As many open files of one process are looked at."""
MAX_CLIENTS = 512
OTHERS_AGAIN_S = 60.0
"""So long after the last look at other processes that are known it is looked whether they have opened the GPU."""
MAX_OWN = 32
"""As many of this work's own processes are looked at at once, those first that were longest ago: new files alone, and
all of them again after so long."""
OWN_AGAIN_S = 10.0
INITIAL_PIDS = "pid:[4026531836]"
"""The machine's own process ids, by the kernel's fixed number (PROC_PID_INIT_INO): no container hides others."""
KFD = "/dev/kfd"

_NODE = re.compile(r"(?:card|renderD)[0-9]{1,4}")


@dataclass(slots=True)
class _Client:
    places: set[tuple[int, str]] = field(default_factory=set)
    """Process and file number, wherever it is open."""
    last: dict[str, Engine] = field(default_factory=dict)
    counts: bool = False
    """Whether what an engine has used and was not told before is new: not in what was there at the first look."""


def clients_of(device: Path, root: Path, *, compute: bool = False) -> Clients | None:
    """The clients of a GPU; None where its files do not tell under which names it is opened.

    Args:
        device: the folder of the GPU among the system's devices.
        compute: whether it may be given work by AMD's compute driver.
    """
    if sys.platform != "linux":
        return None
    try:
        names = [entry.name for entry in (device / "drm").iterdir() if _NODE.fullmatch(entry.name)]
    except OSError:  # a device without nodes, or not ours to see
        return None
    nodes = frozenset(f"/dev/dri/{name}" for name in names)
    return Clients(nodes, str(root / "proc"), compute=compute) if nodes else None


class Clients:
    """The processes that have one GPU open.

    Args:
        nodes: the device files of the GPU.
        proc: where processes are looked up.
        compute: whether it may be given work by AMD's compute driver.
        clock: for made-up time.
    """

    def __init__(
        self, nodes: AbstractSet[str], proc: str, *, compute: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nodes = nodes
        self._proc = proc
        self._compute = compute
        self._clock = clock
        self._clients: dict[int, _Client] = {}
        self._queuing: set[int] = set()
        """Processes that have AMD's compute driver open."""
        self._looked: dict[int, float] = {}
        self._files: dict[int, tuple[float, frozenset[str]]] = {}
        """Of our own processes: when they were last looked at, and what they had open."""
        self._own_seen = False
        """Whether all of our own were looked at the last time."""
        self._untold: set[int] = set()
        """Clients that are so new that their cycles have no rate yet."""
        self._hidden: set[int] = set()
        self._all_listed = False
        self._others_known = False
        """Whether other processes were looked at the last time. While ours use no GPU they are left alone."""
        self._silent = False
        """Whether somebody has it open and the kernel does not tell what it does."""
        self._last_s: float | None = None
        self._share = 1.0
        self._had: frozenset[int] = frozenset()
        """Our processes that had it open at the last look."""

    def use(self, pids: AbstractSet[int], busy: float | None) -> GpuUse | None:
        """Who used the GPU since the last call; None where nobody tells.

        Args:
            pids: this work's process tree.
            busy: how busy the GPU is, where something else tells.
        """
        now_s = self._clock()
        first, span_s = self._last_s is None, now_s - (self._last_s or now_s)
        self._look(pids, now_s, first=first)
        work_s, busiest = self._work(span_s)
        self._last_s = now_s
        openers = {number: {pid for pid, _ in client.places} for number, client in self._clients.items()}
        ours = {number for number, there in openers.items() if there & pids}
        had, self._had = self._had, frozenset(pid for number in ours for pid in openers[number] & pids)
        if first or span_s <= 0.0 or self._silent or self._hidden & pids:
            return None
        if self._queuing:
            return self._by_process(pids, openers, work_s, busy)
        utilization = busy if busy is not None else min(1.0, busiest) if self._sees_all else None
        total_s, own_s = sum(work_s.values()), sum(work_s[number] for number in ours)
        if own_s > 0.0 and not ours & self._untold:
            self._share = own_s / total_s
            return GpuUse(self._share, utilization, self._sees_all)
        # What one of ours did before it ended, or one that was not looked at, nobody tells.
        untold = had - self._had or ours & self._untold or not self._own_seen
        # Without knowing when the GPU was busy, a pause must not weigh as much as the work.
        if untold or (ours and utilization is None):
            return GpuUse(self._share, utilization, False)
        return GpuUse(0.0, utilization, True)

    @property
    def _sees_all(self) -> bool:
        return self._all_listed and not self._hidden

    def _by_process(
        self, pids: AbstractSet[int], openers: dict[int, set[int]], work_s: dict[int, float], busy: float | None
    ) -> GpuUse:
        """Where engine time does not tell all: as with NVIDIA's GPUs that have no samples, by number."""
        present = set(self._queuing).union(*(openers[number] for number, used_s in work_s.items() if used_s > 0.0))
        ours = present & pids
        if not ours:
            return GpuUse(0.0, busy, True)
        return GpuUse(len(ours) / len(present), busy, ours == present and self._sees_all)

    def _work(self, span_s: float) -> tuple[dict[int, float], float]:
        """Engine seconds of each client since the last call, and how busy the busiest kind of engine was."""
        self._untold.clear()
        work_s: dict[int, float] = {}
        by_engine: dict[str, float] = {}
        for number, client in list(self._clients.items()):
            told = self._read(number, client)
            if told is None:
                del self._clients[number]
                continue
            work_s[number] = 0.0
            for name, engine in told.engines.items():
                before = client.last.get(name)
                used_s = _seconds(engine, before, span_s) if before is not None or client.counts else 0.0
                work_s[number] += used_s
                if before is None and client.counts and engine.passed is not None and engine.used:
                    self._untold.add(number)
                if span_s > 0.0:
                    by_engine[name] = by_engine.get(name, 0.0) + used_s / span_s / engine.capacity
                # A value may fall for a while; what was larger holds.
                if before is None or engine.used >= before.used:
                    client.last[name] = engine
            client.counts = True
        return work_s, max(by_engine.values(), default=0.0)

    def _read(self, number: int, client: _Client) -> Told | None:
        """What is told of a client now, by the first place where it is still open."""
        for pid, name in sorted(client.places):
            told = parsed(rawread.read_once(f"{self._proc}/{pid}/fdinfo/{name}"))
            if told is not None and told.client == number:
                return told
            client.places.discard((pid, name))
        return None

    def _look(self, pids: AbstractSet[int], now_s: float, *, first: bool) -> None:
        """See who has opened the GPU: our own processes often, others when they are new and now and then. While none of
        ours has, others are left alone."""
        self._look_at_own(pids, now_s, new=not first)
        if not (self._queuing & pids or any(pid in pids for one in self._clients.values() for pid, _ in one.places)):
            self._all_listed = self._others_known = False
            self._clients.clear()
            self._queuing.clear()
            self._hidden &= pids
            self._looked.clear()
            return
        listed = rawread.list_names(self._proc)
        alive = {int(name) for name in listed[:MAX_LISTED] if name.isdigit()}
        self._all_listed = len(listed) <= MAX_LISTED and 1 in alive
        self._all_listed &= rawread.link_of(f"{self._proc}/self/ns/pid") == INITIAL_PIDS
        self._looked = {pid: at_s for pid, at_s in self._looked.items() if pid in alive}
        self._hidden &= alive
        self._queuing &= alive
        looked = 0
        for pid in sorted(alive - pids, reverse=True):
            if now_s - self._looked.get(pid, float("-inf")) < OTHERS_AGAIN_S:
                continue
            if looked >= MAX_PROCESSES:
                self._all_listed = False
                break
            # What another process did before it was noticed is not of this moment; what a new one did is.
            new = self._others_known and pid not in self._looked
            self._looked[pid] = now_s
            looked += bool(self._look_at(pid, new=new))
        self._others_known = looked < MAX_PROCESSES

    def _look_at_own(self, pids: AbstractSet[int], now_s: float, *, new: bool) -> None:
        """Our own processes: at each look those that opened something since the last one."""
        nothing: tuple[float, frozenset[str]] = (float("-inf"), frozenset())
        self._files = {pid: seen for pid, seen in self._files.items() if pid in pids}
        chosen = sorted(pids, key=lambda pid: self._files.get(pid, nothing)[0])[:MAX_OWN]
        self._own_seen = len(chosen) == len(pids)
        again_s = OWN_AGAIN_S * max(1.0, len(pids) / MAX_OWN)
        for pid in chosen:
            known = self._files.get(pid, nothing)[1]
            # A file may have been closed, and its number given to another.
            if now_s - self._looked.get(pid, float("-inf")) >= again_s:
                self._looked[pid], known = now_s, frozenset()
            self._files[pid] = (now_s, frozenset(self._look_at(pid, known, new=new)))

    def _look_at(self, pid: int, known: AbstractSet[str] = frozenset(), *, new: bool) -> list[str]:
        """Look at one process's open files but those that are known; all that it has."""
        try:
            names = rawread.first_names(f"{self._proc}/{pid}/fd", MAX_FILES)
        except PermissionError:
            self._hidden.add(pid)
            return []
        self._hidden.discard(pid)
        if not known:
            self._queuing.discard(pid)
        if len(names) == MAX_FILES:
            self._hidden.add(pid)
        for name in names:
            if name in known:
                continue
            target = rawread.link_of(f"{self._proc}/{pid}/fd/{name}")
            if target == KFD and self._compute:
                self._queuing.add(pid)
            elif target in self._nodes:
                self._found(pid, name, new=new)
        return names

    def _found(self, pid: int, name: str, *, new: bool) -> None:
        """A process has the GPU open."""
        text = rawread.read_once(f"{self._proc}/{pid}/fdinfo/{name}")
        told = parsed(text)
        if told is None:
            self._silent |= bool(text)  # else it was closed just now
            return
        if told.client not in self._clients and len(self._clients) >= MAX_CLIENTS:
            self._hidden.add(pid)
            return
        self._clients.setdefault(told.client, _Client(counts=new)).places.add((pid, name))


def _seconds(engine: Engine, before: Engine | None, span_s: float) -> float:
    """Seconds of engines that were used in the last `span_s`; without `before` since the client was opened."""
    used = max(0, engine.used - (before.used if before is not None else 0))
    if engine.passed is None:
        return used * 1e-9
    # Cycles have no rate of their own: those that passed give it. Of a client that is new their number is unknown, and
    # it has its first figure at the next look.
    passed = engine.passed - before.passed if before is not None and before.passed is not None else 0
    return span_s * used / passed if passed > 0 else 0.0
