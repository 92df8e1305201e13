"""The measuring of one process: its machine, the sampler while there is one, and its part of the machine.

Nothing here knows of cells or of IPython. A made-up machine takes the place of the real one where the environment says
so: `CARBON_MAGIC_ROOT` is the root of its `/proc` and `/sys`, `CARBON_MAGIC_NVML` its NVML library.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_magic.power.allotment import Allotment, ScopeOption, allotment
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import discover, fallback_cpu
from carbon_magic.power.machine import Machine, read_text
from carbon_magic.power.neighbours import Neighbours
from carbon_magic.power.sampler import Pace, Sampler
from carbon_magic.power.share import Part
from carbon_magic.power.sources import Ways
from carbon_magic.power.usage import Usage, usage_of

if TYPE_CHECKING:
    from carbon_magic.power.calibration import Fit

COUNT_AGAIN_S = 1.0
"""How often the other kernels of the machine are counted: a stale count lets two take the same idle energy."""


class Meter:
    """Starts and stops the sampler of this process.

    Args:
        environ: the process's environment.
        scope: whose the machine is.
        find_usage: who is measured on the machine with this root; without, this process.
    """

    def __init__(
        self, environ: Mapping[str, str], scope: ScopeOption, find_usage: Callable[[Path], Usage] | None = None
    ) -> None:
        self._environ = environ
        self._find_usage = find_usage or usage_of
        self._root = Path(environ.get("CARBON_MAGIC_ROOT") or "/")
        self.machine = Machine.of(self._root)
        self._ways = Ways.of(self.machine, environ)
        self._opened: list[Candidate] = []
        self.allotment: Allotment = allotment(self.machine, environ, scope)
        self.sampler: Sampler | None = None
        self.neighbours: Neighbours | None = None
        self.problem: str | None = None
        """Why the calibration that is kept is not used, in words."""
        self._counted = (float("-inf"), 1)

    def set_scope(self, scope: ScopeOption) -> None:
        """Look again at what part of the machine is this work's.

        Raises:
            ValueError: there is no such scope.
        """
        self.allotment = allotment(self.machine, self._environ, scope)

    def set_source(self, source: str | None, host: str | None) -> None:
        """Name the source of the whole machine's power that may be asked; None for none but the environment's.

        Takes effect at once.
        """
        from carbon_magic.power.later import named_source
        from carbon_magic.power.named import HOST_VARIABLE, VARIABLE

        named = {VARIABLE: source, HOST_VARIABLE: host or ""} if source else {}
        ways = Ways.of(self.machine, {**self._environ, **named})
        self._ways = ways
        if self.sampler is not None:
            self.sampler.watch_anew("power-source", lambda: named_source(ways))

    def start(
        self,
        pace: Pace,
        on_tick: Callable[[float], None],
        is_busy: Callable[[], bool],
        ready: Callable[[Sampler], None],
        *,
        threaded: bool = True,
    ) -> Sampler:
        """Open the sensors and begin to read them; `ready` gets the sampler before its first reading. Without a thread
        they are read when somebody asks."""
        self.neighbours = Neighbours(self._group())
        self._counted = (float("-inf"), 1)
        usage = self._find_usage(self._root)
        fit = self._fit()
        self._opened = discover(self.machine, lambda: usage.busy_s, fit, self._ways)
        sampler = Sampler(
            usage,
            self._opened,
            cpus=self.machine.logical_cpus,
            on_tick=on_tick,
            is_busy=is_busy,
            find_gpus=self._find_later,
            replace_cpu=lambda: fallback_cpu(self.machine, lambda: usage.busy_s, fit),
            pace=pace,
        )
        self.sampler = sampler
        ready(sampler)
        sampler.start(threaded=threaded)
        return sampler

    def stop(self) -> None:
        """Take a last reading, end the thread, close every sensor. Without a sampler it does nothing."""
        sampler, self.sampler = self.sampler, None
        if sampler is not None:
            sampler.stop()
        if self.neighbours is not None:
            self.neighbours.leave()
            self.neighbours = None

    def part(self) -> Part:
        """The part of the machine that is this process's at rest: what is allotted, divided among the live kernels."""
        given = self.allotment
        if given.scope == "shared":
            return Part(None, None, None, self.machine.logical_cpus)
        counted_s, kernels = self._counted
        now_s = time.monotonic()
        if self.neighbours is not None and now_s - counted_s > COUNT_AGAIN_S:
            kernels = self.neighbours.count()
            self._counted = (now_s, kernels)
        cpu = None if given.cpu_part is None else given.cpu_part / kernels
        memory = cpu if given.memory_part is None else given.memory_part / kernels
        return Part(cpu, memory, 1.0 / kernels, self.machine.logical_cpus)

    def _group(self) -> str:
        """Which kernels divide an allotment: those under one quota, or all of one machine."""
        if self.allotment.scope != "quota":
            return "machine"
        return read_text(self._root / "proc/self/cgroup") or self.allotment.reason

    def candidates(self) -> list[Candidate]:
        """The sensors that were found, used or not. Where nothing is measured, they are looked for now."""
        if self.sampler is not None:
            return list(self.sampler.candidates)
        self._opened = discover(self.machine, lambda: 0.0, self._fit(), self._ways)
        found = [*self._opened, *self._find_later()]
        for candidate in found:
            if candidate.sensor is not None:
                candidate.sensor.close()
        return found

    def _fit(self) -> Fit | None:
        """The curve of this very machine, if it was calibrated."""
        from carbon_magic.power.calibration import usable

        fit, self.problem = usable(self._environ, self.machine)
        return fit

    def _find_later(self) -> list[Candidate]:
        from carbon_magic.power.later import discover_later  # the sampler's thread waits for it, and nobody else

        library = self._environ.get("CARBON_MAGIC_NVML")
        return discover_later(self.machine, self._ways, self._opened, Path(library) if library else None)
