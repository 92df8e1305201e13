"""One daemon thread that writes to the ledger, so that nobody ever waits for a disk.

Rows are put into a backlog and written a batch at a time. The thread starts with the first batch, sleeps without
waking while there is nothing to write, and alone imports and touches SQLite. What cannot be written (a full disk, a
folder that is closed, a file of a later version) stays in memory and is tried again with growing pauses; a file that
is broken is set aside and a new one begun. Nothing is ever deleted, and `problems` says how things stand.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_magic.ledger.backlog import Backlog, Batch, Item
from carbon_magic.ledger.home import HomelessError, home, is_network, own_file, set_aside
from carbon_magic.ledger.record import CellRecord
from carbon_magic.threads import in_background
from carbon_magic.troubles import in_words

if TYPE_CHECKING:
    from carbon_magic.ledger.row import SessionRow
    from carbon_magic.ledger.store import Store

EXIT_S = 0.5
"""At the end of the process so long is waited for the last batch."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Between two attempts, each pause twice the one before."""

_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


class Writer:
    """Writes the rows of one process.

    Args:
        session_id: names the file where each session has its own.
        environ: `CARBON_MAGIC_HOME`, and `CARBON_MAGIC_MOUNTINFO` for a made-up list of mounts.
    """

    def __init__(self, session_id: str, environ: Mapping[str, str] = os.environ) -> None:
        self.backlog = Backlog()
        self._session_id = session_id
        self._environ = environ
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._asked: list[threading.Event] = []
        self._stopping = False
        self._writing: Batch | None = None
        """What was taken and is not written yet."""
        self._store: Store | None = None
        self._path: Path | None = None
        self._failing: str | None = None
        self._pause_s = 0.0
        self._retry_at_s = float("-inf")
        self._patience_s: float | None = None
        """So long another process's lock is waited for; without, as long as the database itself thinks right."""
        self._notes: list[str] = []
        self._unfit = 0
        _writers.add(self)

    # What any thread calls

    def put_session(self, row: SessionRow) -> None:
        """Have a session's row written with the next batch."""
        if os.getpid() == self._pid:
            self.backlog.put_session(row)

    def put_record(self, record: CellRecord, source: str | None = None, *, keep_source: bool = False) -> None:
        """Have a record written with the next batch: with the hash of its cell's text, and the text if it is kept."""
        if os.getpid() == self._pid:
            self.backlog.put_record(Item(record, source, keep_source))

    def send(self) -> None:
        """Write what was put, at once but not in this thread."""
        if os.getpid() == self._pid and len(self.backlog) and self._start():
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Write what was put and wait for it. False where it is not written by then."""
        if os.getpid() != self._pid or not self._pending or not self._start():
            return not self._pending
        done = threading.Event()
        self._asked.append(done)
        self._wake.set()
        return done.wait(timeout_s) and not self._pending

    def close(self, timeout_s: float = EXIT_S) -> bool:
        """Write what was put, end the thread and close the file. False where something is not written by then.

        A thread that waits for another process's lock ends by itself when that is over. What is put later begins a
        thread anew.
        """
        if os.getpid() != self._pid:
            return False
        if len(self.backlog):
            self._start()  # which tries once more what has failed
        self._stopping = True
        if self._thread is not None:
            self._wake.set()
            self._thread.join(timeout_s)
        elif len(self.backlog):
            self._patience_s = timeout_s
            self._run()  # the interpreter lets no thread start any more
        return not self._pending

    def problems(self) -> list[str]:
        """What is not as it should be, in words."""
        found = list(self._notes)
        waiting, lost, unfit = self.backlog.records, self.backlog.lost, self._unfit
        if self._failing is not None:
            kept = f"; {_records(waiting)} wait{'s' * (waiting == 1)} in memory" if waiting else ""
            found.append(f"records are not written: {self._failing}{kept}")
        if lost:
            found.append(f"{_records(lost)} could not be kept: too many waited to be written")
        if unfit:
            found.append(f"{_records(unfit)} could not be kept: a value is none that the database takes")
        return found

    def unwritten(self) -> tuple[list[SessionRow], list[CellRecord]]:
        """The sessions and finished records that wait, or are being written."""
        batch = self.left_over(keep=True)
        return list(batch.sessions.values()), [item.record for item in batch.items.values() if item.record.final]

    def left_over(self, *, keep: bool = False) -> Batch:
        """All that waits or is being written; taken away from here, unless it is kept."""
        writing, waiting = self._writing, self.backlog.take()
        if keep:
            self.backlog.give_back(waiting)
        if writing is None:
            return waiting
        return Batch({**writing.sessions, **waiting.sessions}, {**writing.items, **waiting.items})

    @property
    def path(self) -> Path | None:
        """The file that is written to, once it is known."""
        return self._path

    @property
    def _pending(self) -> bool:
        """Whether anything is not written."""
        return self._writing is not None or len(self.backlog) > 0

    # The thread

    def _start(self) -> bool:
        """Whether there is a thread to write, started now if need be."""
        if self._thread is not None and self._thread.is_alive():
            return True
        thread = in_background(threading.Thread(target=self._run, name="carbon-magic ledger"))
        self._stopping = False
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            self._failing = str(error)
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            if not (self._stopping or self._asked):
                self._wake.wait(self._wait_s())
            self._wake.clear()
            stopping = self._stopping
            asked, self._asked = self._asked, []
            if asked or stopping or time.monotonic() >= self._retry_at_s:
                self._write_all()
            for done in asked:
                done.set()
            if stopping:
                break
        if self._store is not None:
            self._store.close()
            self._store = None

    def _wait_s(self) -> float | None:
        """How long to sleep; None until something is put."""
        if self._failing is None or not len(self.backlog):
            return None
        return max(0.0, self._retry_at_s - time.monotonic())

    def _write_all(self) -> None:
        if not len(self.backlog):
            return
        batch = self._writing = self.backlog.take()
        try:
            self._write(batch)
        except Exception as error:
            # Nothing may leave this thread: what is not written stays in memory, and the doctor says why.
            self.backlog.give_back(batch)
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2.0 * self._pause_s))
            self._retry_at_s = time.monotonic() + self._pause_s
            where = f"{self._path}: " if self._path is not None and not isinstance(error, HomelessError) else ""
            self._failing = f"{where}{error if isinstance(error, HomelessError) else in_words(error)}"
        else:
            self._failing, self._pause_s, self._retry_at_s = None, 0.0, float("-inf")
        self._writing = None

    def _write(self, batch: Batch) -> None:
        from carbon_magic.ledger.store import is_corrupt

        store = self._ready()
        try:
            self._put(store, batch)
            store.commit()
        except Exception as error:
            broken = is_corrupt(error)
            self._store = None
            store.close()
            if not broken:
                raise
            self._set_aside(store.path, store.file_id)
            store = self._ready()
            self._put(store, batch)
            store.commit()

    def _put(self, store: Store, batch: Batch) -> None:
        for row in batch.sessions.values():
            store.put_session(row)
        for record_id, item in list(batch.items.items()):
            hashed = sha256(item.source.encode("utf-8", "surrogatepass")).hexdigest() if item.source else None
            try:
                store.put_record(item.record, hashed, item.source if item.keep_source else None)
            except (OverflowError, TypeError, ValueError):
                # A number beyond 64 bits, say: it will never be written, and must not hold up the others.
                del batch.items[record_id]
                self._unfit += 1

    def _ready(self) -> Store:
        """The open file; opened now where it is not, or is no longer what stands at its path."""
        if self._store is not None and self._store.moved:
            self._store.close()
            self._store = None
        if self._store is None:
            folder = home(self._environ)
            network = is_network(folder, environ=self._environ)
            self._path = own_file(folder, self._session_id, network)
            for said in set_aside(folder):
                self._note(said)
            self._store = self._opened(self._path, network)
            self._path = self._store.path
            self._bury(self._store)
        return self._store

    def _opened(self, path: Path, network: bool) -> Store:
        from carbon_magic.ledger.schema import MAJOR
        from carbon_magic.ledger.store import CorruptError, NewerError, Store, file_id

        found = file_id(path)
        try:
            return Store.open(path, network, self._patience_s)
        except NewerError as error:
            beside = path.with_name(f"{path.stem}.v{MAJOR}.db")
            if path.stem.endswith(f".v{MAJOR}"):
                raise
            self._note(f"{path.name} is left alone: {error}; records go to {beside.name}")
            return self._opened(beside, network)
        except CorruptError:
            self._set_aside(path, found)
            return Store.open(path, network, self._patience_s)

    def _set_aside(self, path: Path, found: tuple[int, int] | None) -> None:
        """Give a broken file another name, with what belongs to it, unless another process has done so already."""
        from carbon_magic.ledger.store import file_id

        if found is None or file_id(path) != found:
            return
        aside = path.with_name(f"{path.name}.corrupt-{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}")
        # The log first: beside a new file of the same name it would be taken for that one's.
        for suffix in ("-wal", "-shm", "-journal", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self._note(f"{path.name} was broken; it is set aside as {aside.name}, and a new one begun")

    def _bury(self, store: Store) -> None:
        """Write down which of the file's sessions were killed."""
        from carbon_magic.ledger.alive import ending_of
        from carbon_magic.ledger.check import checked_session
        from carbon_magic.ledger.slip import abandoned

        slips = abandoned()
        if slips:
            from carbon_magic.ledger.recover import recover

            for problem in recover(store.path.parent, slips, self._environ):
                self._note(problem)
        now = datetime.now(timezone.utc)
        rows = (checked_session(data) for data in store.running())
        store.put_gone(row.session_id for row in rows if row is not None and ending_of(row, now) == "killed")
        store.commit()

    def _note(self, said: str) -> None:
        if said not in self._notes:
            self._notes.append(said)

    def _forget(self) -> None:
        """After fork, in the child: the thread is the parent's, and so is the file, which SQLite must not touch."""
        self._thread = None
        if self._store is not None:
            self._store.abandon()
            self._store = None


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def _forget_all() -> None:
    for writer in list(_writers):
        writer._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
