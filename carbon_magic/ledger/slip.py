"""Which cells began and ended, noted in the instant: what a killed process had no time to write.

A record is written a moment after its cell has ended, by another thread. A process that is killed in between would lose
the cell. So the cell's own thread notes its beginning and its end in a small file in memory (the folder of the user's
runtime files), which the system keeps when the process is gone; whoever opens the ledger next takes in what is missing
(`recover.py`). A process that ends as it should takes its file away.

The file has a header, the time of the last tick, a ring of slots, one for each cell, and room for rows that could not
be written before the process ended.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carbon_magic.ledger.mapped import Mapped
from carbon_magic.power.neighbours import make_private, own_folder, process_started
from carbon_magic.snapshot import Place
from carbon_magic.windows import Window

if TYPE_CHECKING:
    from carbon_magic.ledger.record import CellRecord
    from carbon_magic.ledger.row import SessionRow

KIND = "cells"
"""The file's name begins with this; what follows names the process."""
MAX_SLIPS = 20
"""As many files of processes that are gone wait at most, of a megabyte each, where the ledger cannot be written to."""
HEADER_BYTES = 8128
"""For the header's line; the time of the last tick stands behind it."""
SLOTS_AT = 8192
SLOT_BYTES = 640
END_AT = 560
"""In a slot: the beginning's line comes first, the end's here."""
SLOTS = 1024
"""A cell that ended so many cells ago is in the ledger, or nothing can be written there."""
LEFT_AT = SLOTS_AT + SLOTS * SLOT_BYTES
LEFT_BYTES = 256 << 10
"""Of rows that could not be written: more than a hundred records."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Slip:
    """The file of one process.

    Args:
        home: the ledger's folder.
        row: the session's row as it is now.
        folder: where the file is made; the user's own runtime folder if not said.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, home: Path, row: SessionRow, folder: Path | None = None) -> None:
        folder = folder or own_folder()
        make_private(folder)
        for path in abandoned(folder)[MAX_SLIPS:]:
            path.unlink(missing_ok=True)
        self._file = _new_file(folder)
        self._home = home
        self._slots = itertools.count()
        self.session(row)

    def session(self, row: SessionRow) -> None:
        """From now on cells are this session's."""
        values = asdict(row)
        header = _line({"home": str(self._home), "row": values})
        if len(header) > HEADER_BYTES:
            header = _line({"home": str(self._home), "row": {**values, "notebook": None, "project": None}})
        self._file.write(header[:HEADER_BYTES], 0)

    def begin(self, window: Window, session_id: str, place: Place) -> None:
        """A cell begins."""
        label = window.options.label if window.options else None
        said = (
            f"{window.record_id}\t{session_id}\t{window.execution_count}\t{window.cell_id}\t{window.begun_at_s!r}"
            f"\t{window.opened_s!r}\t{place.region}\t{place.source}\t{place.pue!r}\t"
        ).encode()
        line = said + (b"null\n" if label is None else _line(label))
        if len(line) > END_AT:
            line = said + _line(label and label[:60])
        window.slot = next(self._slots) % SLOTS
        # All of it: the slot may have been another cell's.
        self._file.write(line[:END_AT].ljust(SLOT_BYTES, b"\0"), _offset(window.slot))

    def end(self, window: Window) -> None:
        """It has ended."""
        if window.slot is not None:
            line = f"{window.status} {window.closed_s!r} {window.execution_count}\n"
            self._file.write(line.encode(), _offset(window.slot) + END_AT)

    def drop(self, window: Window) -> None:
        """It is not to leave a record."""
        if window.slot is not None:
            self._file.write(b"\n", _offset(window.slot))

    def ticked(self, now_s: float) -> None:
        """A tick came while a cell ran."""
        self._file.write(b"%r\n" % now_s, HEADER_BYTES)

    def leave(self, sessions: Iterable[SessionRow], records: Iterable[CellRecord]) -> None:
        """The process ends, and these could not be written: the next reader does so."""
        rows = [{"session": asdict(row)} for row in sessions] + [{"record": record.as_dict()} for record in records]
        self._file.write(b"".join(map(_line, rows)), LEFT_AT)

    def remove(self) -> None:
        """All of it is in the ledger."""
        with contextlib.suppress(OSError):  # whoever takes it in finds nothing new in it
            self._file.remove()


def _new_file(folder: Path) -> Mapped:
    """A file that names this process; it may have several, of a session that has ended and one that goes on."""
    pid = os.getpid()
    named = f"{KIND}-{pid}-{process_started(pid)}"
    for number in range(MAX_SLIPS):
        with contextlib.suppress(FileExistsError):
            return Mapped(folder / f"{named}-{number}", LEFT_AT + LEFT_BYTES)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder / named))


def abandoned(folder: Path | None = None) -> list[Path]:
    """The slips whose processes seem to be gone, the latest first; none where nobody has noted anything."""
    folder = folder or own_folder()
    try:
        names = os.listdir(folder)  # noqa: PTH208 (names are all that is needed)
    except OSError:
        return []
    found = []
    for name in names:
        parts = name.split("-")
        ours = parts[0] == KIND and len(parts) == 4 and parts[1].isascii() and parts[1].isdigit()
        if ours and process_started(int(parts[1])) != parts[2]:
            found.append(folder / name)
    return sorted(found, key=_changed_s, reverse=True)


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has just taken it in
        return 0.0


def _line(value: Any) -> bytes:
    return _encode(value).encode("utf-8", "backslashreplace") + b"\n"


def _offset(slot: int) -> int:
    return SLOTS_AT + slot * SLOT_BYTES
