"""Whose books a measurement goes into: the session's in a kernel that tracks its cells, else the process's own.

A process has books of its own once, however many measurements come and go, and they are closed when it ends. A forked
child has none: its parent's measurements go on in the parent alone, and the child's first one starts books anew.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable

from carbon_magic.books import Books, KernelBooks, kernel_session
from carbon_magic.process import OwnBooks

_lock = threading.RLock()
_kernel: KernelBooks | None = None
_own: OwnBooks | None = None
before_the_end: list[Callable[[], None]] = []
"""What is called before this process's books are closed."""


def books() -> Books:
    """Where a measurement that begins now belongs.

    Raises:
        UnknownRegion: `CARBON_MAGIC_REGION` names no region.
    """
    global _kernel, _own  # noqa: PLW0603 - one process has one
    session = kernel_session()
    with _lock:
        # With tracking off a session lets its sampler go whenever no cell asks for it: no cell knows of `track`.
        if session is not None and session.tracking and session._pid == os.getpid():
            if _kernel is None or _kernel.session is not session:
                _kernel = KernelBooks(session)
            return _kernel
        if _own is None or (_own.closed and not sys.is_finalizing()):
            # What was to be called at the exit before the first measurement is called after the books' end.
            late = _own is not None or not threading.main_thread().is_alive()
            _own = OwnBooks(late=late)
            if not late:
                _at_exit(_end)
        return _own


def _end() -> None:
    """The process ends."""
    for end in before_the_end:
        end()
    if _own is not None:
        _own.close()


def _at_exit(close: Callable[[], None]) -> None:
    """Call `close` when the process ends; a forked worker of multiprocessing ends without the interpreter's own."""
    atexit.register(close)
    workers = sys.modules.get("multiprocessing.util")
    if workers is not None:
        workers.Finalize(None, close, exitpriority=0)


def _forget() -> None:
    """After fork, in the child: the thread is the parent's, and a lock may be held by a thread that is not here."""
    global _lock, _kernel, _own
    _lock, _kernel, _own = threading.RLock(), None, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
