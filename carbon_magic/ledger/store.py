"""One open database file of the ledger, and everything that is ever written to it.

Rows are put by their ids, so that putting one again changes nothing unless it says more: a cell's final record takes
the place of what was known while it ran, a session's later heartbeat that of an earlier one. Columns go by name: a
file with fewer gets the missing ones, one with more keeps them. A connection belongs to the thread that opened it; a
forked child leaves it alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from carbon_magic.ledger.check import utc_text
from carbon_magic.ledger.home import make_home, make_private
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import Ending, SessionRow
from carbon_magic.ledger.schema import MAJOR, MINOR, migrate, version_of

BUSY_S = 5.0
"""So long a statement waits for another process's write. 0.1 s lost rows with eight writers."""
MAX_SOURCE = 1 << 20
"""Characters of a cell's text that are kept, where it is asked for."""

_CORRUPT = 11
_NOT_A_DATABASE = 26
"""SQLite's result codes SQLITE_CORRUPT and SQLITE_NOTADB."""

_KEEP_SESSION = (
    "excluded.heartbeat_at > heartbeat_at"
    " OR (excluded.heartbeat_at = heartbeat_at AND (ending = 'running' OR excluded.ending <> 'running'))"
)
_KEEP_RECORD = (
    "(excluded.final AND (NOT final OR status = 'killed'))"
    " OR (NOT excluded.final AND NOT final AND excluded.duration_s >= duration_s)"
)
"""A cell that was taken for killed (its machine was out of reach) and ended after all says so itself."""


class LedgerError(Exception):
    """A file of the ledger cannot be used; the message says why."""


class NewerError(LedgerError):
    """It was begun by a later version, whose columns may mean something else. It is left alone."""


class EmptyError(LedgerError):
    """It was begun, and nothing was written to it yet: perhaps there was no room."""


class CorruptError(LedgerError):
    """It is no database, or a broken one."""


class Store:
    """One database file, open for writing."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._pid = os.getpid()
        self.file_id = file_id(path)

    @classmethod
    def open(cls, path: Path, network: bool, patience_s: float | None = None) -> Store:
        """Open a file, or begin it. It and its folder are for this user alone.

        Args:
            path: the file.
            network: it is on a network file system: no shared memory, one writer.
            patience_s: so long another process's write is waited for; `BUSY_S` if not said.

        Raises:
            NewerError: it is of a later major version.
            CorruptError: it is no database.
            OSError: it cannot be made.
            sqlite3.Error: anything else that SQLite meets: a full disk, a lock.
        """
        make_home(path.parent)
        # SQLite gives its own files beside this one the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        for suffix in ("", "-wal", "-shm", "-journal"):
            make_private(path.with_name(path.name + suffix), 0o600)
        if not _begins_well(path):
            # Known before SQLite sees it, which would clear away the log beside it.
            raise CorruptError(f"{path.name} is broken: it does not begin as a database does")
        connection = sqlite3.connect(path, timeout=BUSY_S if patience_s is None else patience_s, isolation_level=None)
        try:
            _prepare(connection, network)
            return cls(path, connection)
        except BaseException as error:
            connection.close()
            if is_corrupt(error):
                raise CorruptError(f"{path.name} is broken: {error}") from error
            raise

    @property
    def moved(self) -> bool:
        """Whether the path no longer leads to the open file: somebody has removed it or set it aside."""
        return file_id(self.path) != self.file_id

    def put_session(self, row: SessionRow) -> None:
        """Add a session, or bring it up to date where this row is the later one."""
        self._put("sessions", {field.name: getattr(row, field.name) for field in fields(row)}, _KEEP_SESSION)

    def put_record(self, record: CellRecord, source_sha256: str | None = None, source: str | None = None) -> None:
        """Add a record, or finish it where it was still running. A final one stays as it is."""
        values = {field.name: getattr(record, field.name) for field in fields(record)}
        values["sensors"] = json.dumps(record.sensors)
        values["source_sha256"] = source_sha256
        values["source"] = source if source is None or len(source) <= MAX_SOURCE else None
        self._put("records", values, _KEEP_RECORD)

    def put_gone(self, session_ids: Iterable[str], ending: Ending = "killed") -> None:
        """These sessions' processes are gone without a word: so are the cells that they ran."""
        for session_id in session_ids:
            self._write(
                "UPDATE sessions SET ending = ?, ended_at = heartbeat_at WHERE session_id = ? AND ending = 'running'",
                (ending, session_id),
            )
            self._write(
                "UPDATE records SET status = 'killed', final = 1 WHERE session_id = ? AND status = 'running'",
                (session_id,),
            )

    def add_to_session(self, session_id: str, cells: int, heard_at: str) -> None:
        """A session had so many finished cells more, and was alive then."""
        self._write(
            "UPDATE sessions SET cells = cells + ?, heartbeat_at = max(heartbeat_at, ?) WHERE session_id = ?",
            (cells, heard_at, session_id),
        )

    def begin(self) -> None:
        """Let no other process write from here to `commit`: what is looked at stays so."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def running(self) -> list[dict[str, Any]]:
        """The rows of sessions that have not said how they ended, as they are."""
        return self._rows("SELECT * FROM sessions WHERE ending = 'running'", ())

    def session(self, session_id: str) -> dict[str, Any] | None:
        """A session's row as it is; None where there is none."""
        return next(iter(self._rows("SELECT * FROM sessions WHERE session_id = ?", (session_id,))), None)

    def record(self, record_id: str) -> dict[str, Any] | None:
        """A record's row as it is; None where there is none."""
        return next(iter(self._rows("SELECT * FROM records WHERE record_id = ?", (record_id,))), None)

    def forget(
        self, *, session_id: str | None = None, notebook: str | None = None, before: datetime | None = None
    ) -> int:
        """Delete for good, from the file's free pages and its log too, and give the number of records deleted.

        Args:
            session_id: this session and its records.
            notebook: the records of this notebook, and the sessions that ran it.
            before: records that began earlier, and sessions that were last heard of earlier. A session that went on
                after it keeps its sums.

        Raises:
            ValueError: not exactly one of them is given.
            sqlite3.Error: it could not be done; nothing is deleted.
        """
        given = [
            ("session_id = ?", "session_id = ?", session_id),
            ("notebook = ?", "notebook = ?", notebook),
            ("heartbeat_at < ?", "started_at < ?", utc_text(before) if before is not None else None),
        ]
        chosen = [choice for choice in given if choice[2] is not None]
        if len(chosen) != 1:
            raise ValueError("say one of session_id, notebook and before")
        of_sessions, of_records, value = chosen[0]
        self._connection.execute("PRAGMA secure_delete = ON")
        try:
            self._write(f"DELETE FROM sessions WHERE {of_sessions}", (value,))
            count = self._write(f"DELETE FROM records WHERE {of_records}", (value,))
            self.commit()
        finally:
            self.roll_back()
            self._connection.execute("PRAGMA secure_delete = OFF")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def commit(self) -> None:
        """What was put since the last time is kept. Without anything it does nothing."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """What was put since the last commit is dropped. Without anything it does nothing."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close it; what was not committed is dropped. In a forked child the file is the parent's."""
        if os.getpid() == self._pid:
            self._connection.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Keep the connection from ever being closed: in a forked child SQLite must not touch the parent's file."""
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        cursor = self._connection.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, found, strict=True)) for found in cursor]

    def _put(self, table: str, values: Mapping[str, Any], keep: str) -> None:
        self._write(_upsert(table, tuple(values), keep), tuple(_stored(value) for value in values.values()))

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        self.begin()
        return self._connection.execute(statement, values).rowcount


def is_corrupt(error: BaseException) -> bool:
    """Whether SQLite says that the file is no database or a broken one."""
    if not isinstance(error, sqlite3.DatabaseError):
        return isinstance(error, CorruptError)
    code = getattr(error, "sqlite_errorcode", None)  # from Python 3.11 on
    if code is not None:
        return code & 0xFF in (_CORRUPT, _NOT_A_DATABASE)
    return any(words in str(error) for words in ("malformed", "not a database"))


def _begins_well(path: Path) -> bool:
    """Whether a file is empty or has a database's header: its name, versions and three fixed fractions
    (sqlite.org/fileformat.html, 1.3)."""
    with path.open("rb") as file:
        head = file.read(24)
    return not head or (
        head.startswith(b"SQLite format 3\0")
        and {*head[18:20]} <= {1, 2}
        and head[21:] == bytes((64, 32, 32))  # of a page's payload: the most, the least, the least in a leaf
    )


def _prepare(connection: sqlite3.Connection, network: bool) -> None:
    """Set the connection up, and bring the file to this version."""
    connection.execute("PRAGMA cache_size = -512")  # in KiB; 2,000 if not said
    major, minor = version_of(connection)
    if major > MAJOR:
        raise NewerError(f"it is of version {major}.{minor}, and this carbon-magic knows {MAJOR}.{MINOR}")
    connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if network else 'WAL'}")
    connection.execute("PRAGMA synchronous = NORMAL")
    if (major, minor) < (MAJOR, MINOR):
        migrate(connection)


@lru_cache(maxsize=4)
def _upsert(table: str, names: tuple[str, ...], keep: str) -> str:
    key = names[0]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    marks = ", ".join("?" * len(names))
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        f" ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {keep}"
    )


def _stored(value: Any) -> Any:
    """A value as SQLite takes it: half a surrogate pair, as in a path of another encoding, is written out."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def file_id(path: Path) -> tuple[int, int] | None:
    """What names the file at a path for as long as it exists; None where there is none."""
    try:
        found = path.stat()
    except OSError:  # gone, or its folder is
        return None
    return found.st_dev, found.st_ino
