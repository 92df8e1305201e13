"""A made-up machine that runs by hand: its clock, its load and its counters move only when a test says so.

The sensors are the real ones on a made-up tree of files; the sampler, the timeline and the share are real too, without
the thread. So every figure can be worked out with pencil and paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from machines.build import build, set_counter

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import discover
from carbon_magic.power.machine import Machine
from carbon_magic.power.sampler import Sampler


class RigUsage:
    """CPU seconds of the tree and the machine, as the test sets them."""

    def __init__(self) -> None:
        self.own_s = 0.0
        self.busy_s = 0.0
        self.pids: frozenset[int] = frozenset({1})
        self.closed = False

    def tick(self) -> tuple[float, float]:
        return self.own_s, self.busy_s

    def border(self) -> float:
        return self.own_s

    def close(self) -> None:
        self.closed = True


class Rig:
    """One machine. `run` lets time pass: seconds, watts by powercap zone, busy CPUs of the kernel and of the others."""

    def __init__(self, folder: Path, name: str, counters_uj: dict[str, int] | None = None) -> None:
        self.root = build(name, folder)
        self.machine = Machine.of(self.root, "linux")
        self.usage = RigUsage()
        self.now_s = 1000.0
        self.asleep_s = 0.0
        self.counters_uj = dict(counters_uj or {})
        for zone, energy_uj in self.counters_uj.items():
            set_counter(self.root, zone, energy_uj)
        self.ticks: list[float] = []
        self.sampler = self.made(discover(self.machine, lambda: self.usage.busy_s))

    def made(self, candidates: Sequence[Candidate], on_tick: Callable[[float], None] | None = None) -> Sampler:
        """A sampler on this machine's clock."""
        self.sampler = Sampler(
            self.usage,
            candidates,
            cpus=self.machine.logical_cpus,
            on_tick=on_tick or self.ticks.append,
            clock=lambda: self.now_s,
            suspend_clock=lambda: self.asleep_s,
        )
        return self.sampler

    def run(
        self, seconds: float, watts: dict[str, float] | None = None, *, own: float = 0.0, others: float = 0.0
    ) -> None:
        """Let `seconds` pass with so many watts in each zone, and so many CPUs busy."""
        self.now_s += seconds
        self.usage.own_s += own * seconds
        self.usage.busy_s += (own + others) * seconds
        for zone, power_w in (watts or {}).items():
            self.counters_uj[zone] = self.counters_uj.get(zone, 0) + round(power_w * seconds * 1e6)
            set_counter(self.root, zone, self.counters_uj[zone])

    def tick(self) -> float:
        """A tick of the sampler, now."""
        self.sampler.tick()
        assert self.sampler.problem is None, self.sampler.problem
        return self.now_s
