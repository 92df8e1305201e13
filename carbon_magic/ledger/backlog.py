"""What waits to be written: bounded, each row once, ready to be taken whole.

A row that says more of the same session or cell takes the place of what waits of it. Where nothing can be written for
long, what was known of running cells is dropped first; a finished record only when ten thousand wait, and then it is
counted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.ledger.record import CellRecord

if TYPE_CHECKING:
    from carbon_magic.ledger.row import SessionRow

MOST = 10_000
"""Records that wait at a time: about 20 MB."""
MOST_SESSIONS = 1000


class Item(NamedTuple):
    """A record, and the text of its cell where it is known."""

    record: CellRecord
    source: str | None = None
    keep_source: bool = False
    """Whether that text itself is kept, and not only its hash."""


class Batch(NamedTuple):
    """Rows that are written together."""

    sessions: dict[str, SessionRow]
    items: dict[str, Item]


class Backlog:
    """Filled by any thread, emptied by the writer's. Its lock is held for a few assignments only, never over I/O."""

    def __init__(self) -> None:
        self.lost = 0
        """Finished records that were dropped."""
        self._lock = threading.Lock()
        self._sessions: dict[str, SessionRow] = {}
        self._items: dict[str, Item] = {}

    def __len__(self) -> int:
        """Rows that wait."""
        return len(self._items) + len(self._sessions)

    @property
    def records(self) -> int:
        """Records that wait."""
        return len(self._items)

    def put_session(self, row: SessionRow) -> None:
        with self._lock:
            self._sessions[row.session_id] = row
            while len(self._sessions) > MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    def put_record(self, item: Item) -> None:
        with self._lock:
            self._items[item.record.record_id] = item
            self._shorten()

    def take(self) -> Batch:
        """Everything that waits, the oldest first. From now on it is the caller's to write or to give back."""
        with self._lock:
            batch = Batch(self._sessions, self._items)
            self._sessions, self._items = {}, {}
        return batch

    def give_back(self, batch: Batch) -> None:
        """What could not be written waits again, before and not in place of what came meanwhile."""
        with self._lock:
            self._sessions = {**batch.sessions, **self._sessions}
            self._items = {**batch.items, **self._items}
            self._shorten()

    def _shorten(self) -> None:
        excess = len(self._items) - MOST
        if excess <= 0:
            return
        running = [key for key, item in self._items.items() if not item.record.final][:excess]
        for key in running:
            del self._items[key]
        finished = list(self._items)[: excess - len(running)]
        for key in finished:
            del self._items[key]
        self.lost += len(finished)
