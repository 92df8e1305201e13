"""Threads of our own: they end with the process, and a debugger leaves them alone."""

from __future__ import annotations

import threading
from typing import TypeVar

Of = TypeVar("Of", bound=threading.Thread)


def in_background(thread: Of) -> Of:
    """A thread that has not started yet, made one that nobody waits for and that debuggers neither stop nor list: they
    do so with every thread but those marked like this."""
    thread.daemon = True
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    return thread
