"""One file of the ledger, open for reading: its rows come out as checked records and sessions.

Nothing in a file is trusted. Columns go by name, what is missing is unknown, rows that make no sense are left out and
counted. A file is opened for writing where that is allowed, because only then can SQLite finish what a killed process
left half done; nothing but that is ever changed by reading.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from carbon_magic.ledger.alive import ending_of
from carbon_magic.ledger.check import MAX_TEXT, checked_record, checked_session
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import Ending, SessionRow
from carbon_magic.ledger.schema import MAJOR, columns_of, version_of
from carbon_magic.ledger.store import BUSY_S, MAX_SOURCE, CorruptError, EmptyError, LedgerError, NewerError, is_corrupt

MAX_ROW_BYTES = 8 * MAX_SOURCE
"""A row longer than this was not written by carbon-magic."""

_RECORD = [field.name for field in fields(CellRecord)]
_FLAGS = ("final", "concurrent", "below_resolution")
_SESSION = [field.name for field in fields(SessionRow)]
_SQLITE_LIMIT_LENGTH = 0


class Kept(NamedTuple):
    """A record, and what is kept beside it of the cell's text."""

    record: CellRecord
    source_sha256: str | None
    source: str | None


Place = tuple[Any, Any]
"""When a record began and its id, as they stand in the file."""


class Opened:
    """One file.

    Raises:
        NewerError: it is of a later major version.
        CorruptError: it is no database.
        EmptyError, LedgerError: it holds no ledger.
        OSError, sqlite3.Error: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_out: dict[str, int] = {}
        """By table: the rows that made no sense, the most that one question met."""
        self.excluded: frozenset[str] = frozenset()
        """Sessions that another file knows more of."""
        self._endings: dict[str, Ending | None] = {}
        self._connection = _connect(path)
        try:
            major, minor = version_of(self._connection)
            if major > MAJOR:
                raise NewerError(f"it is of version {major}.{minor}, which this carbon-magic does not know")
            self._has = {table: set(columns_of(self._connection, table)) for table in ("sessions", "records")}
            if not self.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise EmptyError("it holds no ledger")
            if "record_id" not in self._has["records"] or "session_id" not in self._has["sessions"]:
                raise LedgerError("it holds no ledger")
            self._connection.create_function("kept", 1, lambda session_id: session_id not in self.excluded)
        except BaseException as error:
            self._connection.close()
            if is_corrupt(error):
                raise CorruptError(str(error)) from error
            raise

    def close(self) -> None:
        self._connection.close()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Any question, of a file of this version."""
        return self._connection.execute(statement, values)

    def has_all(self, table: str, names: Sequence[str]) -> bool:
        """Whether the file has these columns: an older or foreign one may not."""
        return self._has[table].issuperset(names)

    def sessions(self, where: str, values: Sequence[Any]) -> Iterator[SessionRow]:
        """The sessions that a condition chooses, in no order, each with the ending that it has by now."""
        now = datetime.now(timezone.utc)
        bad = 0
        for data in self._rows("sessions", _SESSION, f"WHERE {where} {self._and_kept()}", values):
            row = checked_session(data)
            if row is None:
                bad += 1
                continue
            yield _ended(row, ending_of(row, now))
        self._count_out("sessions", bad)

    def kept(self, rest: str, values: Sequence[Any]) -> Iterator[tuple[Place, Kept | None]]:
        """The records that `rest` (from WHERE on) chooses, in its order, each with where it stands in time; None in
        place of one that makes no sense."""
        for data in self._rows("records", [*_RECORD, "source_sha256", "source"], rest, values):
            yield (data["started_at"], data["record_id"]), self._kept(data)

    def conditions(self, given: dict[str, Any]) -> tuple[str, list[Any]]:
        """`a = ? AND ...` of what is not None, without the sessions that another file knows more of."""
        said = {condition: value for condition, value in given.items() if value is not None}
        return " AND ".join(["1", *said]) + self._and_kept(), list(said.values())

    def _and_kept(self) -> str:
        return " AND kept(session_id)" if self.excluded else ""

    def _rows(self, table: str, names: Sequence[str], rest: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
        listed = ", ".join(name if name in self._has[table] else f"NULL AS {name}" for name in names)
        for row in self._connection.execute(f"SELECT {listed} FROM {table} {rest}", values):
            yield dict(zip(names, row, strict=True))

    def _kept(self, data: dict[str, Any]) -> Kept | None:
        sha256, source = data.pop("source_sha256"), data.pop("source")
        for flag in _FLAGS:
            data[flag] = {0: False, 1: True}.get(data[flag]) if isinstance(data[flag], int) else data[flag]
        data["below_resolution"] = data["below_resolution"] or False
        try:
            data["sensors"] = json.loads(data["sensors"]) if len(data["sensors"]) <= MAX_TEXT * 10 else None
        except (TypeError, ValueError, RecursionError):
            return None
        record = checked_record(data)
        if record is None:
            return None
        if record.status == "running" and self._ending(record.session_id) not in (None, "running"):
            # Its session ended under it.
            record = replace(record, status="killed", final=True)
        valid_hash = isinstance(sha256, str) and len(sha256) <= MAX_TEXT
        valid_source = isinstance(source, str) and len(source) <= MAX_SOURCE
        return Kept(record, sha256 if valid_hash else None, source if valid_source else None)

    def _ending(self, session_id: str) -> Ending | None:
        """How a session stands by now, None where this file does not know it."""
        if session_id not in self._endings:
            found = list(self.sessions("session_id = ?", (session_id,)))
            self._endings[session_id] = found[0].ending if found else None
        return self._endings[session_id]

    def _count_out(self, table: str, bad: int) -> None:
        self.left_out[table] = max(bad, self.left_out.get(table, 0))

    def count_out_records(self, bad: int) -> None:
        """So many rows were met that are no records."""
        self._count_out("records", bad)


def _ended(row: SessionRow, ending: Ending) -> SessionRow:
    if ending == row.ending:
        return row
    return replace(row, ending=ending, ended_at=row.heartbeat_at)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing.

    Raises:
        OSError: there is no such file, or it is not ours to read.
        sqlite3.Error: SQLite cannot read it.
    """
    with path.open("rb"):
        pass  # SQLite's own word for a missing or forbidden file is "unable to open"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        connection = _open(path, "mode=rw")
    else:
        connection = _open(path, "mode=ro")
        try:
            version_of(connection)
        except sqlite3.OperationalError:
            # A log that cannot be made beside the file, because the folder is closed. Where there is none, nothing
            # is written at present, and the file alone is all there is.
            connection.close()
            if path.with_name(path.name + "-wal").exists():
                raise
            connection = _open(path, "immutable=1")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open(path: Path, how: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    if hasattr(connection, "setlimit"):  # from Python 3.11 on
        connection.setlimit(_SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    return connection
