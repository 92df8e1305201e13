"""How much memory processes have in use, as the kernel counts it; read in microseconds.

What processes share (the pages of workers that were forked, libraries) is counted to each of them in part where the
kernel divides it for us. That takes it longer the more there is, and holds up the process meanwhile, so of a large one
all that is resident counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

LARGE_BYTES = 1 << 30
"""From here on dividing takes the kernel milliseconds, and a process is mostly its own."""


def resident_bytes(pid: int | str = "self", proc: str = "/proc") -> int | None:
    """Memory of a process that is in RAM, pages that it shares with others included; None where nobody tells."""
    try:
        with open(f"{proc}/{pid}/statm", "rb") as file:  # noqa: PTH123 (pathlib takes longer than the reading)
            fields = file.read(256).split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # it has ended, or this is not Linux
        return None


def held_bytes(pids: Iterable[int], proc: str = "/proc") -> int | None:
    """Memory that these processes hold together; None where nobody tells."""
    held = 0
    for pid in pids:
        resident = resident_bytes(pid, proc)
        if resident:
            part = _proportional_bytes(pid, proc) if resident < LARGE_BYTES else None
            held += resident if part is None else part
    return held or None


def _proportional_bytes(pid: int, proc: str) -> int | None:
    """A process's memory, what it shares divided among those that share it; None where the kernel does not tell."""
    try:
        with open(f"{proc}/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            for line in file.read(4096).splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):  # it has ended, is another user's, or the kernel is older than 4.14
        return None
    return None
