"""`carbon-magic forget`: what was recorded, deleted for good, once it has been said what that is."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from carbon_magic.ledger.alive import is_alive
from carbon_magic.ledger.home import files, home, is_network
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.store import BUSY_S, LedgerError, Store
from carbon_magic.run import UsageError
from carbon_magic.troubles import in_words
from carbon_magic.views.plain import clean

_SHORTEST_ID = 4
"""Characters of a session's id that may stand for all of it."""
_NEAREST = 3


class Choice(NamedTuple):
    """What is to be forgotten: one of the three."""

    session_id: str | None = None
    notebook: str | None = None
    before: datetime | None = None


class _Chosen(NamedTuple):
    """What of the ledger that is."""

    choice: Choice
    sessions: list[SessionRow]
    records: int
    first_at: str
    last_at: str


def forget(choice: Choice, *, yes: bool = False) -> int:
    """Say what would be deleted, ask, and delete it from every file of the ledger.

    Args:
        choice: what to delete; a session's id may be shortened, a notebook be named by its file alone.
        yes: do not ask.

    Returns:
        The exit code: 0, also where there is nothing to delete; 1 where the answer was no.

    Raises:
        UsageError: there is no such session or notebook, one that still runs is among them, it can neither ask nor
            was told not to, or a file could not be written.
    """
    folder = home()
    with Reader(folder) as reader:
        chosen = _chosen(reader, choice)
        for problem in reader.problems:
            sys.stderr.write(f"carbon-magic forget: not read: {clean(problem, 300)}\n")
    _refuse_live(chosen.sessions)
    if not chosen.sessions and not chosen.records:
        sys.stdout.write("There is nothing to forget.\n")
        return 0
    what = _words(chosen)
    if not yes and not _agreed(what):
        sys.stdout.write("Nothing was deleted.\n")
        return 1
    problems = [problem for path in files(folder) for problem in _forget(path, chosen.choice, is_network(folder))]
    if problems:
        raise UsageError(f"not everything is deleted: {'; '.join(problems)}")
    sys.stdout.write(f"Deleted: {what}.\n")
    return 0


def _chosen(reader: Reader, asked: Choice) -> _Chosen:
    sessions = reader.sessions()
    if asked.session_id is not None:
        choice = Choice(session_id=_session(asked.session_id, sessions))
        matching = [row for row in sessions if row.session_id == choice.session_id]
        records = reader.records(session_id=choice.session_id)
    elif asked.notebook is not None:
        choice = Choice(notebook=_notebook(asked.notebook, reader, sessions))
        matching = [row for row in sessions if row.notebook == choice.notebook]
        records = reader.records(notebook=choice.notebook)
    else:
        assert asked.before is not None
        choice = asked
        matching = [row for row in sessions if datetime.fromisoformat(row.heartbeat_at) < asked.before]
        records = reader.records(until=asked.before)
    count, first, last = 0, "", ""
    for record in records:
        count, first, last = count + 1, first or record.started_at, record.started_at
    starts = sorted([row.started_at for row in matching] + [text for text in (first, last) if text])
    return _Chosen(choice, matching, count, *((starts[0], starts[-1]) if starts else ("", "")))


def _session(asked: str, sessions: list[SessionRow]) -> str:
    ids = [row.session_id for row in sessions]
    if asked in ids:
        return asked
    found = [session_id for session_id in ids if session_id.startswith(asked)] if len(asked) >= _SHORTEST_ID else []
    if len(found) == 1:
        return found[0]
    shown = clean(asked, 80)
    if found:
        raise UsageError(f"--session: {len(found)} sessions begin with {shown!r}: {_listed(found)}")
    raise UsageError(f"--session: there is no session {shown!r}. The last ones: {_listed(ids) or 'none'}")


def _notebook(asked: str, reader: Reader, sessions: list[SessionRow]) -> str:
    """The notebook as the ledger has it: by exactly this name, by its whole path, or by its file's name alone."""
    names = {row.notebook for row in sessions} | {group.name for group in reader.groups("notebook")}
    known = sorted(name for name in names if name is not None)
    for name in (asked, os.path.abspath(asked)):  # noqa: PTH100 - links stay as they are named
        if name in known:
            return name
    found = [name for name in known if Path(name).name == asked]
    if len(found) == 1:
        return found[0]
    shown = clean(asked, 200)
    if found:
        raise UsageError(f"--notebook: {len(found)} notebooks are called {shown!r}: {_listed(found)}")
    from difflib import get_close_matches

    near = get_close_matches(asked, known, _NEAREST, 0.4)
    raise UsageError(f"--notebook: there are no records of {shown!r}. Nearest: {_listed(near) or 'none'}")


def _listed(names: list[str]) -> str:
    return ", ".join(clean(name, 200) for name in names[:_NEAREST]) + (", ..." if len(names) > _NEAREST else "")


def _refuse_live(sessions: list[SessionRow]) -> None:
    # A script that measures nothing at present has said that it may be over.
    live = [row for row in sessions if row.ending == "running" or is_alive(row)]
    if not live:
        return
    row = live[0]
    where = f"{row.session_id[:12]} on {clean(row.host, 60)}" + (f", process {row.pid}" if row.pid is not None else "")
    more = f", and {len(live) - 1} more" if len(live) > 1 else ""
    raise UsageError(f"a session among them still runs ({where}{more}): shut its kernel down first")


def _words(chosen: _Chosen) -> str:
    sessions, records = len(chosen.sessions), chosen.records
    first, last = (
        datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
        for text in (chosen.first_at, chosen.last_at)
    )
    span = f"begun {first}" if first == last else f"begun from {first} to {last}"
    counted = f"{sessions} session{'s'[: sessions != 1]} and {records} record{'s'[: records != 1]}, {span}"
    if chosen.choice.notebook is not None:
        counted += f", of {clean(chosen.choice.notebook, 300)}"
    return counted


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"this would delete {what}: say --yes to do it")
    sys.stderr.write(f"This deletes {what}. There is no way back. Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _forget(path: Path, choice: Choice, network: bool) -> list[str]:
    """Delete from one file; in words what was in the way."""
    try:
        store = Store.open(path, network)
        try:
            store.forget(session_id=choice.session_id, notebook=choice.notebook, before=choice.before)
        finally:
            store.close()
        # Rows that were changed before leave older copies of themselves in pages; a file built anew has none.
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (LedgerError, sqlite3.Error, OSError) as error:
        return [f"{path.name}: {clean(in_words(error), 200)}"]
    return []
