"""One line on a terminal that is painted again and again while something runs.

Where a command runs on the same terminal, the line has the bottom row for itself: the rest of the screen scrolls above
it, and what the command prints stays as it is. While the command reads single keys (an editor, a pager, a prompt), or
somebody else is in the foreground, nothing is painted. Where there is no command the line is rich's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from carbon_magic.views.plain import columns, cut

SMALLEST = (20, 5)
"""Columns and rows; on a smaller terminal nothing is painted."""


@contextlib.contextmanager
def live(stream: TextIO, text: Callable[[], str], *, every_s: float, shared: bool) -> Iterator[None]:
    """Show `text()` while the block runs and take it away afterwards; nothing where the stream is no terminal.

    Args:
        every_s: seconds between two times.
        shared: a command writes to the same terminal.
    """
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    done = threading.Event()
    paint = _on_bottom_row if shared else _by_rich
    if shared and sys.platform == "win32":
        yield
        return
    painter = threading.Thread(target=paint, args=(stream, text, every_s, done), name="carbon-magic line", daemon=True)
    painter.start()
    try:
        yield
    finally:
        done.set()
        painter.join(1.0)


def _by_rich(stream: TextIO, text: Callable[[], str], every_s: float, done: threading.Event) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=stream)
    with contextlib.suppress(OSError), Live(console=console, auto_refresh=False, transient=True) as shown:  # it is gone
        while not done.wait(every_s):
            shown.update(Text(text(), no_wrap=True, overflow="ellipsis"), refresh=True)


def _on_bottom_row(stream: TextIO, text: Callable[[], str], every_s: float, done: threading.Event) -> None:
    row = BottomRow(stream.fileno())
    try:
        while not done.wait(every_s):
            row.paint(text())
    finally:
        row.clear()


class BottomRow:
    """The last row of a terminal, kept out of what scrolls from the first time that it is painted."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size: tuple[int, int] | None = None

    def paint(self, text: str) -> None:
        """Show a line there, if that disturbs nobody now."""
        try:
            size = os.get_terminal_size(self._fd)
            if size.columns < SMALLEST[0] or size.lines < SMALLEST[1] or not _undisturbed(self._fd):
                return
            setup = ""
            if self._size is None:
                # A new line, so that the cursor is above the row whatever row it was in.
                setup = f"\n\x1b7\x1b[1;{size.lines - 1}r\x1b8\x1b[1A"
            elif self._size != size:
                setup = f"\x1b7\x1b[1;{size.lines - 1}r\x1b8"
            self._size = (size.columns, size.lines)
            line = cut(text, size.columns - 1)
            assert columns(line) < size.columns
            self._write(f"{setup}\x1b7\x1b[{size.lines};1H\x1b[2K{line}\x1b8")
        except OSError:
            return  # the terminal is gone

    def clear(self) -> None:
        """Take the line away and give the row back."""
        size, self._size = self._size, None
        if size is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self._write(f"\x1b7\x1b[r\x1b[{size[1]};1H\x1b[2K\x1b8")

    def _write(self, text: str) -> None:
        # In one call, so that what the command writes does not come in between.
        os.write(self._fd, text.encode("utf-8", "replace"))


def _undisturbed(fd: int) -> bool:
    """Whether nobody reads single keys from this terminal, and it is this process's to write to."""
    if sys.platform == "win32":
        return False
    import termios  # POSIX only

    if os.tcgetpgrp(fd) != os.getpgrp():
        return False
    modes: int = termios.tcgetattr(fd)[3]
    return bool(modes & termios.ICANON)
