"""What killed processes had noted and not written, taken into the ledger by whoever opens it next.

Of a cell that had ended, all is known but its energy, unless it ran long enough to have a row: then its last figures
are carried on to its end. A cell that was running is killed. Where the ledger has the final record, it stays as it is,
and a slip may be taken in any number of times. It is somebody's who was killed in the middle, perhaps of writing it:
what makes no sense is left out.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, get_args

from carbon_magic.describe import Facts, record_of, unknown
from carbon_magic.grid.intensity import place
from carbon_magic.grid.regions import UnknownRegion
from carbon_magic.held import priced
from carbon_magic.ledger.alive import this_process
from carbon_magic.ledger.check import checked_record, checked_session, utc_text
from carbon_magic.ledger.home import is_network, own_file
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.ledger.row import Ending, SessionRow
from carbon_magic.ledger.slip import END_AT, HEADER_BYTES, LEFT_BYTES, SLOT_BYTES, SLOTS, SLOTS_AT
from carbon_magic.ledger.store import LedgerError, Store
from carbon_magic.options import CellOptions
from carbon_magic.power.neighbours import process_started
from carbon_magic.snapshot import Place
from carbon_magic.troubles import in_words
from carbon_magic.windows import Window

SETTLED_S = 10.0
"""A session's row that was written so long after a cell's end was written with its record; if that is not there, it was
forgotten since."""

UNREADABLE_S = 60.0
"""A slip that says nothing after so long will not say it later: its process was killed while it made it."""

_CARRIED = [
    field.name
    for field in fields(CellRecord)
    if field.name == "cpu_seconds" or (field.name.endswith(("_j", "_g", "_high")) and field.name != "intensity_high")
]
"""What grows with a cell's length; its low is no less than it was."""


class _Head(NamedTuple):
    """Whose a slip is: read before its cells, because most slips are those of processes that live."""

    home: str
    row: SessionRow
    ticked_s: float
    """Of the last look while a cell ran; 0 where there was none."""


class _Slip(NamedTuple):
    """One file, read."""

    row: SessionRow
    cells: list[CellRecord]
    """Running and ended ones."""
    sessions: list[SessionRow]
    records: list[CellRecord]
    """What the process could not write."""


def recover(home: Path, slips: Sequence[Path], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Take what these slips hold for this ledger into it, and remove them; in words what was in the way."""
    problems = []
    for path in slips:
        try:
            head = _head(path)
            if head is None and time.time() - path.stat().st_mtime > UNREADABLE_S:
                path.unlink(missing_ok=True)
            if head is None or os.path.realpath(head.home) != os.path.realpath(home) or _lives(head.row):
                continue
            _take(_read(path, head), home, is_network(home, environ=environ))
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process has just done so
        except (OSError, sqlite3.Error, LedgerError) as error:
            problems.append(f"what a process noted before its end is not in the ledger yet: {in_words(error)}")
    return problems


def _lives(row: SessionRow) -> bool:
    here = this_process()
    if row.host != here.host or row.pid is None:
        return True  # of another machine, with which this one shares the folder
    if row.boot_id is not None and here.boot_id is not None and row.boot_id != here.boot_id:
        # Started anew since; or in a container beside this one, whose processes cannot be seen.
        return row.boot_id.partition("/")[0] == here.boot_id.partition("/")[0]
    return process_started(row.pid) == row.process_started


# Into the ledger


def _take(slip: _Slip, home: Path, network: bool) -> None:
    store = Store.open(_file(slip.row.session_id, home, network), network)
    try:
        store.begin()
        new = _heard(store, slip.row.session_id) is None
        if new and not slip.cells:
            return  # nothing ran
        for row in [slip.row] * new + slip.sessions:
            store.put_session(row)
        for record in slip.records:
            store.put_record(record)
        running = False
        heard = {cell.session_id: _heard(store, cell.session_id) for cell in slip.cells}
        for cell in slip.cells:
            running |= cell.status == "running"
            _put(store, cell, heard[cell.session_id])
        # A worker that was ended while it measured nothing has lost nothing.
        ending: Ending = "ended" if slip.row.kind == "script" and not running else "killed"
        store.put_gone([slip.row.session_id], ending)
        store.commit()
    finally:
        store.close()


def _file(session_id: str, home: Path, network: bool) -> Path:
    """Where the session was written, or would be."""
    own = own_file(home, session_id, network=True)
    return own if own.exists() else own_file(home, session_id, network)


def _heard(store: Store, session_id: str) -> datetime | None:
    """When a session was last heard of; None where the ledger does not know it."""
    row = store.session(session_id)
    return None if row is None else datetime.fromisoformat(str(row["heartbeat_at"]))


def _put(store: Store, cell: CellRecord, heard: datetime | None) -> None:
    ended = datetime.fromisoformat(cell.started_at) + timedelta(seconds=cell.duration_s)
    before = store.record(cell.record_id)
    if heard is None or (before is not None and before["final"]):
        return
    if before is None and heard - ended > timedelta(seconds=SETTLED_S):
        return
    finished = cell.status != "running"
    if not finished:
        cell = replace(cell, status="killed")
    if before is not None:
        cell = _carried_on(before, cell)
    store.put_record(replace(cell, final=True))
    store.add_to_session(cell.session_id, int(finished), utc_text(ended))


def _carried_on(before: Mapping[str, Any], cell: CellRecord) -> CellRecord:
    """What was known of a cell while it ran, carried on to its end; of one that was killed, as it was."""
    data = {field.name: before.get(field.name) for field in fields(CellRecord)}
    data |= {name: bool(data[name]) for name in ("final", "concurrent", "below_resolution")}
    try:
        known = checked_record({**data, "sensors": json.loads(str(data["sensors"]))})
    except ValueError:
        known = None
    if known is None:
        return cell
    known = replace(known, status=cell.status, execution_count=cell.execution_count)
    if cell.status == "killed" or cell.duration_s <= known.duration_s or not known.duration_s:
        return known
    times = cell.duration_s / known.duration_s
    longer = {name: value * times for name in _CARRIED if (value := getattr(known, name)) is not None}
    return replace(known, duration_s=cell.duration_s, **longer)


# From the file


def _head(path: Path) -> _Head | None:
    """Whose a slip is, or None where it is none."""
    with path.open("rb") as file:
        head = file.read(SLOTS_AT)
    header = _json(head)
    row = checked_session(header.get("row")) if isinstance(header, dict) else None
    if row is None or not isinstance(header, dict) or not isinstance(header.get("home"), str):
        return None
    try:
        ticked_s = float(head[HEADER_BYTES:].split(b"\n")[0])
    except ValueError:
        ticked_s = 0.0  # no tick came while a cell ran
    return _Head(header["home"], row, ticked_s)


def _read(path: Path, head: _Head) -> _Slip:
    with path.open("rb") as file:
        file.seek(SLOTS_AT)
        slots = file.read(SLOTS * SLOT_BYTES)
        left = file.read(LEFT_BYTES)
    cells = (_cell(slots[at : at + SLOT_BYTES], head.row, head.ticked_s) for at in range(0, len(slots), SLOT_BYTES))
    rest = [_json(line) for line in left.split(b"\n")]
    found = [value for value in rest if isinstance(value, dict)]
    sessions = (checked_session(value.get("session")) for value in found)
    records = (checked_record(value.get("record")) for value in found)
    return _Slip(
        head.row,
        [cell for cell in cells if cell is not None],
        [session for session in sessions if session is not None],
        [record for record in records if record is not None],
    )


def _cell(slot: bytes, row: SessionRow, ticked_s: float) -> CellRecord | None:
    said = slot[:END_AT].split(b"\n")[0].decode("utf-8", "replace").split("\t")
    if len(said) != 10:
        return None
    record_id, session_id, numbered, cell_id, begun, opened, region, source, pue, label = said
    try:
        status, until_s, count = _end(slot[END_AT:]) or ("running", ticked_s, _count(numbered))
        grid = _grid(region, source, float(pue))
        duration_s = until_s - float(opened)
        named = CellOptions(json.loads(label))
        begun_at_s = float(begun)
    except (UnknownRegion, ValueError):
        return None
    if not math.isfinite(duration_s):
        return None
    facts = Facts(session_id, row.started_at, row.project, row.notebook, row.version, "unknown", "shared", "", None)
    window = Window(
        count,
        None if cell_id == "None" else cell_id,
        named,
        begun_at_s=begun_at_s,
        status=status,
        record_id=record_id,
    )
    try:
        record = record_of(window, priced([(unknown(max(0.0, duration_s)), grid)]), facts, final=False)
    except (ValueError, OverflowError, OSError):
        return None  # a time that no calendar has
    return checked_record({**record.as_dict(), "scope": row.scope})


def _grid(region: str, source: str, pue: float) -> Place:
    """Where it ran; unknown where the region was a figure of the user's own, of which nothing else is left."""
    try:
        return place(None if source == "unknown" else region, source, pue)
    except UnknownRegion:
        return place(None, "unknown", pue)


def _end(line: bytes) -> tuple[Status, float, int | None] | None:
    """How, when and with which number a cell ended; None where it was running."""
    parts = line.split(b"\n")[0].decode("ascii", "replace").split()
    status = next((known for known in get_args(Status) if [known] == parts[:1]), None)
    try:
        _, until_s, count = parts
        return None if status is None else (status, float(until_s), _count(count))
    except ValueError:
        return None


def _count(text: str) -> int | None:
    return None if text == "None" else int(text)


def _json(line: bytes) -> object:
    try:
        found: object = json.loads(line.split(b"\n")[0])
    except (ValueError, RecursionError):
        return None
    return found
