"""Whether the process of a session still lives.

On the same machine a process is named for good by its number, when it began, and which life of the machine and which
namespace that number belongs to: no clock and no heartbeat is needed, so an idle kernel is never woken to prove that it
lives. Elsewhere only the heartbeat tells, and an idle kernel makes none, so there a session is taken to have ended only
after a long silence.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from carbon_magic.ledger.home import host
from carbon_magic.ledger.row import Ending, SessionRow
from carbon_magic.power.machine import read_text
from carbon_magic.power.neighbours import process_started

SILENT = timedelta(days=7)
"""A session of another machine that has said nothing for so long has ended: a kernel left idle over a weekend, or a
week's holiday, may come back, and then says so itself."""


class Process(NamedTuple):
    """What names a process for good."""

    host: str
    boot_id: str | None
    pid: int
    started: str | None


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    return Process(host(), boot_id(), pid, process_started(pid))


@lru_cache(maxsize=1)
def boot_id() -> str | None:
    """This life of the machine and, on Linux, the namespace of process numbers; None where nothing tells.

    Elsewhere a process's beginning is told by the calendar, which names it without this.
    """
    if sys.platform != "linux":
        return None
    from pathlib import Path

    boot = read_text(Path("/proc/sys/kernel/random/boot_id"), 64)
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (it points to no path)
    except OSError:
        namespace = ""
    return f"{boot}/{namespace.removeprefix('pid:').strip('[]')}" if boot else None


def ending_of(row: SessionRow, now: datetime) -> Ending:
    """How a session stands: `killed` where its process is gone without a word, `ended` where it can only be guessed."""
    if row.ending != "running":
        return row.ending
    silent = now - datetime.fromisoformat(row.heartbeat_at) > SILENT
    if row.host != host() or row.pid is None or row.process_started is None:
        return "ended" if silent else "running"
    here = boot_id()
    if row.boot_id == here:
        return "running" if process_started(row.pid) == row.process_started else "killed"
    if _boot_of(row.boot_id) == _boot_of(here):
        return "ended" if silent else "running"  # in a container beside this one, whose processes cannot be seen
    # This machine was started anew since; or another one has the same name, and then it will say so itself.
    return "killed" if datetime.fromisoformat(row.heartbeat_at) < _booted_at(now) or silent else "running"


def is_alive(row: SessionRow) -> bool:
    """Whether a session's process is there, on this machine, whatever it said last."""
    if row.host != host() or row.boot_id != boot_id() or row.pid is None or row.process_started is None:
        return False
    return process_started(row.pid) == row.process_started


def _boot_of(boot: str | None) -> str | None:
    return boot.partition("/")[0] if boot is not None else None


def _booted_at(now: datetime) -> datetime:
    """When this machine was started, from the clock that goes on while it is suspended."""
    import time

    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return now - timedelta(seconds=time.clock_gettime(clock) if clock is not None else time.monotonic())
