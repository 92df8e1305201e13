"""A machine whose true energy is known: a processor's counter that a program drives, and a GPU that a profile drives.

The counter stands in a file below the machine's root, on a file system in memory, and is written once a millisecond
from a formula of the time; the GPU is the stand-in library of the tests. What either used between two instants is
arithmetic, so a tool's figure can be held against it.
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from machines.build import MACHINES, POWERCAP, ZoneFiles, build  # noqa: E402
from stubs.nvml.build import SONAME, write_state  # noqa: E402

CONSTANT_W = 60.0
WAVES = ((25.0, 0.31), (15.0, 7.3))
"""Watts and hertz of what comes and goes: minutes of training, and the steps of a loop."""
ZONE = "intel-rapl:0"
GPU_STEPS = 60
GPU_IDLE_W, GPU_FULL_W = 40.0, 280.0


def memory_folder() -> Path | None:
    """A folder on a file system in memory, where there is one: a counter's file must not reach a disk."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None


def write_machine(root: Path) -> Path:
    """The files of a desktop with one RAPL package and no other sensor, with as many CPUs as this machine has.

    It has this machine's /proc/stat. Returns the counter's file.
    """
    MACHINES["bench"] = replace(
        MACHINES["intel-desktop"],
        cpus=os.cpu_count() or 1,
        memory_bytes=None,
        zones=(ZoneFiles(ZONE, "package-0", 0, max_power_w=125, pl1_w=125, pl2_w=241),),
    )
    build("bench", root)
    (root / "proc/stat").symlink_to("/proc/stat")
    return root / POWERCAP / ZONE / "energy_uj"


def joules(from_s: float, to_s: float) -> float:
    """What the processor uses between two times since its start."""

    def until(at_s: float) -> float:
        waves = ((watts, 2 * math.pi * hertz) for watts, hertz in WAVES)
        return CONSTANT_W * at_s + math.fsum(watts / omega * (1 - math.cos(omega * at_s)) for watts, omega in waves)

    return until(to_s) - until(from_s)


def gpu_steps(seed: int) -> list[tuple[float, float]]:
    """A minute of GPU work: (second, watts), at work and at rest by turns of about a second."""
    chance = random.Random(seed)
    steps, at_s = [], 0.0
    for number in range(GPU_STEPS):
        watts = chance.uniform(0.6, 1.0) * GPU_FULL_W if number % 3 else GPU_IDLE_W
        steps.append((round(at_s, 3), round(watts, 1)))
        at_s += chance.uniform(0.5, 1.5)
    return steps


def gpu_joules(steps: Sequence[tuple[float, float]], from_s: float, to_s: float) -> float:
    """What a GPU uses between two times of its profile."""
    total = 0.0
    for number, (begins_s, watts) in enumerate(steps):
        ends_s = steps[number + 1][0] if number + 1 < len(steps) else math.inf
        total += watts * max(0.0, min(to_s, ends_s) - max(from_s, begins_s))
    return total


class MadeUpMachine:
    """The machine while it runs; leaving it removes everything.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: what is to be compiled does not compile.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="carbon-magic-bench-", dir=memory_folder())
        self.folder = Path(self._folder.name)
        self.root = self.folder / "root"
        self.start_s = math.ceil(time.monotonic()) - 1.0
        self.late_ms: tuple[float, float] | None = None
        """How late the counter was: 99 % of the writes, and the latest one. Known once it has ended."""
        self._counter: subprocess.Popen[str] | None = None

    def __enter__(self) -> MadeUpMachine:
        file = write_machine(self.root)
        program = self.folder / "counter"
        _compile("counter.c", program, "-o")
        waves = [str(figure) for wave in WAVES for figure in wave]
        command = [str(program), str(file), str(self.start_s), str(CONSTANT_W), *waves]
        self._counter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        library = self.folder / "lib" / SONAME
        library.parent.mkdir()
        _compile("gpu.c", library, "-shared", "-fPIC", f"-Wl,-soname,{SONAME}", "-o")
        smi = self.folder / "bin" / "nvidia-smi"  # CodeCarbon looks for it before it asks the library
        smi.parent.mkdir()
        smi.write_text("#!/bin/sh\n", encoding="ascii")
        smi.chmod(0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._counter is not None:
            self._counter.send_signal(signal.SIGTERM)
            said = self._counter.communicate(timeout=10)[0].split()
            if len(said) == 2:
                self.late_ms = (float(said[0]), float(said[1]))
        self._folder.cleanup()

    def truth_j(self, from_s: float, to_s: float) -> float:
        """What the processor used between two times of the monotonic clock."""
        return joules(from_s - self.start_s, to_s - self.start_s)

    def environment(self) -> dict[str, str]:
        """What points carbon-magic at the machine without its GPU, and keeps it apart from other kernels."""
        return {"CARBON_MAGIC_ROOT": str(self.root), "XDG_RUNTIME_DIR": self._own_folder()}

    def with_gpu(self, state: Path) -> dict[str, str]:
        """What points both tools at the machine and the GPU, whose state stands in a file."""
        return {
            **self.environment(),
            "CARBON_MAGIC_NVML": str(self.folder / "lib" / SONAME),
            "NVML_STUB_STATE": str(state),
            "LD_LIBRARY_PATH": str(self.folder / "lib"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def new_gpu(self, steps: Sequence[tuple[float, float]] = ((0.0, 200.0),)) -> Path:
        """The state of a GPU at work, for `with_gpu`."""
        state = Path(tempfile.mkdtemp(dir=self.folder)) / "gpu"
        set_gpu(state, steps, time.monotonic(), None)
        return state

    def _own_folder(self) -> str:
        return tempfile.mkdtemp(dir=self.folder)


def set_gpu(state: Path, steps: Sequence[tuple[float, float]], start_s: float, user: int | None) -> None:
    """Have the GPU follow `steps` from a time of the monotonic clock on, used by the process `user`."""
    gpu: dict[str, str | int | float] = {
        "name": "bench",
        "limit": 300,
        "util": 90,
        "steps": ",".join(f"{second}:{watts}" for second, watts in steps),
    }
    if user is not None:
        gpu["compute"] = f"{user}:90"
    write_state(state, [gpu], start_s)


def _compile(source: str, into: Path, *flags: str) -> None:
    command = ["cc", "-std=gnu11", "-Wall", "-Werror", "-O2", str(HERE / source), *flags, str(into), "-lm"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, stderr=done.stderr)
