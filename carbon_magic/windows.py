"""Which cell runs on which thread: IPython's two events turned into windows.

A window is a thread's outermost run that is not silent and is kept in history. Everything else (nested `run_cell`,
`%%capture`, the hidden code of VS Code and of variable inspectors) is part of the window around it, or lies between
cells. Events come in odd orders: the cell that loads the extension ends without having begun, an empty cell likewise,
an interrupted coroutine ends without a result. So an end is matched to its beginning by IPython's own info object.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from random import Random
from typing import Any

from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.options import CellOptions
from carbon_magic.power.share import Measurement
from carbon_magic.power.timeline import Mark
from carbon_magic.snapshot import Place

_random = Random()  # not the module's own, whose sequence is the user's


def new_id() -> str:
    """32 hexadecimal digits that no other record has."""
    return f"{_random.getrandbits(128):032x}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


@dataclass(slots=True, eq=False)
class Window:
    """One executed cell, from its beginning to its record. Times are of the monotonic clock."""

    execution_count: int | None
    cell_id: str | None
    options: CellOptions | None
    """What `%%carbon` was given; None for a cell without it."""
    place: Place | None = None
    """Where this cell is said to run, if `-r` says so."""
    begun_at_s: float = field(default_factory=time.time)
    """Of the calendar: seconds since 1970."""
    inner: bool = False
    """A `%%carbon` within another cell's run: shown, but part of that cell, whose record holds it."""
    concurrent: bool = False
    opened_s: float = 0.0
    closed_s: float | None = None
    status: Status = "running"
    start: Mark | None = None
    """The sampler's mark of the beginning, once every sensor has been read after it."""
    cover: Mark | None = None
    """The mark of the tick at the beginning."""
    measured: Measurement | None = None
    record: CellRecord | None = None
    record_id: str = field(default_factory=new_id)
    """Of its record, running or final."""
    source: str | None = None
    """The cell's text as it was run: its hash is kept with the record."""
    slot: int | None = None
    """Where its beginning is noted in the process's slip."""

    @property
    def started_at(self) -> str:
        """UTC, ISO 8601."""
        return datetime.fromtimestamp(self.begun_at_s, timezone.utc).isoformat(timespec="milliseconds")


@dataclass(slots=True)
class _Run:
    """One run of code on a thread: a window, or something inside or beside one."""

    info: Any
    window: Window | None


class Threads:
    """The runs in progress, by thread."""

    def __init__(self) -> None:
        self._stacks: dict[int, list[_Run]] = {}

    def inside(self) -> bool:
        """Whether this thread is in a run already."""
        return bool(self._stacks.get(threading.get_ident()))

    def outermost(self, info: Any) -> bool:
        """Whether a run that begins now with `info` is a cell of its own."""
        return not self.inside() and not info.silent and bool(info.store_history)

    def begin(self, info: Any, window: Window | None) -> None:
        self._stacks.setdefault(threading.get_ident(), []).append(_Run(info, window))

    def end(self, result: Any) -> Window | None:
        """The window that `result` ends, or None where it ends no window."""
        stack = self._stacks.get(threading.get_ident(), [])
        depth = self._depth(stack, result)
        if depth is None:
            return None
        ended = stack[depth]
        del stack[depth:]
        if not stack:
            self._stacks.pop(threading.get_ident(), None)
        return ended.window

    def forget(self, result: Any) -> None:
        """Take off whatever `result` ended, if it is still there."""
        if result is not None:
            self.end(result)

    def _depth(self, stack: list[_Run], result: Any) -> int | None:
        if not stack:
            return None
        if result is None:
            return len(stack) - 1
        for depth in range(len(stack) - 1, -1, -1):
            if stack[depth].info is result.info:
                return depth
        # IPython before 8 makes a new info for a run that was broken off; an empty run never began.
        raw = result.info.raw_cell
        return len(stack) - 1 if raw and not raw.isspace() and stack[-1].info.raw_cell == raw else None


def status_of(result: Any) -> Status:
    """How a cell ended. A coroutine that was cancelled was interrupted, and may have no result at all."""
    if result is None:
        return "interrupted"
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return "ok"
    return "interrupted" if is_interrupt(error) else "error"


def is_interrupt(error: BaseException) -> bool:
    """Whether it was stopped from outside: by Ctrl-C, or as a task that is cancelled."""
    # Importing asyncio costs a script 20 ms; where it is not imported nothing can have been cancelled.
    cancelled = getattr(sys.modules.get("asyncio"), "CancelledError", KeyboardInterrupt)
    return isinstance(error, (KeyboardInterrupt, cancelled))
