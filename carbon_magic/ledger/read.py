"""Reading the ledger: the sessions, records and sums of every file in a folder.

Several kernels may be writing meanwhile. Nothing is locked for long: records come in pages, each read on its own, so
that a slow reader holds up nobody and a ledger of any size takes little memory. A session that stands in two files
(after a merge) is taken from the one that knows more of it.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from carbon_magic.ledger.check import LARGEST, utc_text
from carbon_magic.ledger.home import files, set_aside
from carbon_magic.ledger.home import home as usual_home
from carbon_magic.ledger.opened import Kept, Opened, Place
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.store import EmptyError, LedgerError, is_corrupt
from carbon_magic.ledger.sums import Group, Sum
from carbon_magic.ledger.tally import BYS, KEYS, By, add_cells, add_sessions
from carbon_magic.troubles import in_words

__all__ = ["BYS", "By", "Group", "Kept", "Reader"]

Answer = TypeVar("Answer")

PAGE = 2000
"""Records read at once, all files together."""
MAX_OPEN = 16
"""Files that are open at a time."""


class Reader:
    """The ledger of one folder.

    Args:
        home: the folder; the usual one if not said.
        paths: these files in its place, wherever they are.

    Raises:
        HomelessError: no folder is given or known.
    """

    def __init__(self, home: Path | None = None, paths: Sequence[Path] | None = None) -> None:
        self.home = home
        self._problems: dict[Path, str] = {}
        self._left_out: dict[tuple[Path, str], int] = {}
        self._open: dict[Path, Opened] = {}
        self._excluded: dict[Path, frozenset[str]] = {}
        self._aside: list[str] = []
        if paths is None:
            self.home = home or usual_home()
            self._recover(self.home)
            self._aside = set_aside(self.home)
            try:
                self._paths = files(self.home)
            except OSError as error:
                self._paths = []
                self._problems[self.home] = f"{self.home} cannot be read: {in_words(error)}"
        else:
            self._paths = list(paths)
        self._exclude_copies()

    def _recover(self, home: Path) -> None:
        """Take in what killed processes had no time to write."""
        from carbon_magic.ledger.slip import abandoned

        slips = abandoned()
        if slips:
            from carbon_magic.ledger.recover import recover

            problems = recover(home, slips)
            if problems:
                self._problems[home] = problems[0]

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back."""
        while self._open:
            self._open.popitem()[1].close()

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, in words."""
        found = [*self._problems.values(), *self._aside]
        for (path, table), count in self._left_out.items():
            rows = f"{count} row{'s' if count > 1 else ''} of its {table}"
            found.append(f"{path.name}: {rows} make{'' if count > 1 else 's'} no sense, left out")
        return found

    def sessions(self, *, since: datetime | None = None, project: str | None = None) -> list[SessionRow]:
        """The sessions that were heard of at `since` or later, the newest first, each with its ending by now."""
        given = {"heartbeat_at >= ?": utc_text(since) if since is not None else None, "project = ?": project}

        def ask(opened: Opened) -> list[SessionRow]:
            where, values = opened.conditions(given)
            return list(opened.sessions(where, values))

        found = itertools.chain.from_iterable(self._each(ask))
        return sorted(found, key=lambda row: (row.started_at, row.session_id), reverse=True)

    def records(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        session_id: str | None = None,
        project: str | None = None,
        notebook: str | None = None,
    ) -> Iterator[CellRecord]:
        """The records of cells that began at `since` or later and before `until`, the oldest first."""
        given = {
            "started_at >= ?": utc_text(since) if since is not None else None,
            "started_at < ?": utc_text(until) if until is not None else None,
            "session_id = ?": session_id,
            "project = ?": project,
            "notebook = ?": notebook,
        }
        return (kept.record for kept in self._kept(given))

    def kept(self) -> Iterator[Kept]:
        """All records, with what is kept beside each of its cell's text."""
        return self._kept({})

    def top(self, count: int, *, since: datetime | None = None) -> list[CellRecord]:
        """The records of most energy, the largest first."""
        given = {
            "energy_j <= ?": LARGEST,
            "started_at >= ?": utc_text(since) if since is not None else None,
        }

        def ask(opened: Opened) -> list[CellRecord]:
            if not opened.has_all("records", ["energy_j"]):
                return []
            where, values = opened.conditions(given)
            rows = opened.kept(f"WHERE {where} ORDER BY energy_j DESC", values)
            sound = (kept.record for _, kept in rows if kept is not None)
            return list(itertools.islice(sound, count))

        found = itertools.chain.from_iterable(self._each(ask))
        return heapq.nlargest(count, found, key=lambda record: record.energy_j or 0.0)

    def groups(self, by: By, *, since: datetime | None = None) -> list[Group]:
        """What cells used, by project, notebook, label or the local day they began on: the most energy first, days
        in their order. The time between cells belongs to none; it is in `totals` alone.

        Raises:
            ValueError: there is no such way of grouping.
        """
        if by not in BYS:
            raise ValueError(f"cells are grouped by {', '.join(BYS)}, not by {by!r}")
        sums: dict[str | None, Sum] = {}
        given = {"started_at >= ?": utc_text(since) if since is not None else None}
        self._each(lambda opened: add_cells(opened, sums, KEYS[by], given, count_out=True))
        found = [total.group(name) for name, total in sums.items()]
        if by == "day":
            return sorted(found, key=lambda group: group.name or "")
        return sorted(found, key=lambda group: (-(group.energy_j.best if group.energy_j else -1.0), group.name or ""))

    def totals(self, *, since: datetime | None = None) -> Group:
        """What whole sessions used, the time between their cells included. Of a session that began before `since`,
        and of one whose row is missing, its cells since then count."""
        begun = utc_text(since) if since is not None else None
        total = Sum()
        self._each(lambda opened: add_sessions(opened, total, begun))
        return total.group(None)

    def _kept(self, given: dict[str, Any]) -> Iterator[Kept]:
        size = max(10, PAGE // max(1, len(self._paths)))
        return heapq.merge(*(self._pages(path, given, size) for path in self._paths), key=_in_time)

    def _pages(self, path: Path, given: dict[str, Any], size: int) -> Iterator[Kept]:
        """The records of one file in their order, so many at a time."""
        after: Place = ("", "")
        bad = 0
        while True:

            def ask(opened: Opened, after: Place = after) -> list[tuple[Place, Kept | None]]:
                where, values = opened.conditions(given)
                rest = f"WHERE {where} AND (started_at, record_id) > (?, ?) ORDER BY started_at, record_id LIMIT ?"
                return list(opened.kept(rest, (*values, *after, size)))

            page = self._ask(path, ask) or []
            for after, kept in page:  # noqa: B007 (the last one's place is where the next page begins)
                if kept is None:
                    bad += 1
                else:
                    yield kept
            if len(page) < size:
                break
        self._count_out(path, "records", bad)

    def _each(self, ask: Callable[[Opened], Answer]) -> list[Answer]:
        """What each file answers; one that cannot is a problem, and left aside."""
        answers = (self._ask(path, ask) for path in self._paths)
        return [answer for answer in answers if answer is not None]

    def _ask(self, path: Path, ask: Callable[[Opened], Answer]) -> Answer | None:
        if path in self._problems:
            return None
        try:
            opened = self._opened(path)
            answer = ask(opened)
        except (OSError, sqlite3.Error, LedgerError) as error:
            if isinstance(error, FileNotFoundError | EmptyError):
                return None  # it was set aside, or forgotten, since the folder was looked at; or has only been begun
            broken = "is broken: " if is_corrupt(error) else "cannot be read: "
            self._problems[path] = f"{path.name} {broken}{in_words(error)}"
            forgotten = self._open.pop(path, None)
            if forgotten is not None:
                forgotten.close()
            return None
        for table, bad in opened.left_out.items():
            self._count_out(path, table, bad)
        return answer

    def _opened(self, path: Path) -> Opened:
        if path not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = Opened(path)
            self._open[path].excluded = self._excluded.get(path, frozenset())
        return self._open[path]

    def _count_out(self, path: Path, table: str, bad: int) -> None:
        if bad > self._left_out.get((path, table), 0):
            self._left_out[path, table] = bad

    def _exclude_copies(self) -> None:
        """Find the sessions that stand in several files: each counts where it was last heard of latest."""
        if len(self._paths) < 2:
            return
        best: dict[str, tuple[str, Path]] = {}
        copies: dict[Path, set[str]] = {path: set() for path in self._paths}
        for path in self._paths:
            rows = self._ask(path, lambda opened: list(opened.execute("SELECT session_id, heartbeat_at FROM sessions")))
            for session_id, heartbeat_at in rows or []:
                if not isinstance(session_id, str) or not isinstance(heartbeat_at, str):
                    continue  # no session: left out whichever file it stands in
                known = best.get(session_id)
                if known is not None:
                    copies[path if heartbeat_at <= known[0] else known[1]].add(session_id)
                if known is None or heartbeat_at > known[0]:
                    best[session_id] = (heartbeat_at, path)
        self._excluded = {path: frozenset(found) for path, found in copies.items() if found}
        for path, opened in self._open.items():
            opened.excluded = self._excluded.get(path, frozenset())


def _in_time(kept: Kept) -> tuple[str, str]:
    return kept.record.started_at, kept.record.record_id
