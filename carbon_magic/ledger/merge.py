"""Ledgers of other machines, taken into one file without counting anything twice.

Sessions and records go by their ids, and what a file knows later takes the place of what another knew earlier, so a
file can be merged again whenever it has grown. The sources are only read. Nothing is copied that another file of the
same ledger knows as well: its reader takes each session from one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from carbon_magic.ledger.opened import Opened
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.store import Store

MERGED = "ledger-merged.db"
"""The file of a ledger that holds what was merged into it."""
_AT_ONCE = 2000
"""Rows that are written between two commits: other writers of the file wait no longer than for these."""


class Merged(NamedTuple):
    """What came of one merge."""

    sessions: int
    """New in the ledger, of the file merged into."""
    records: int
    problems: list[str]
    """Rows of a source that made no sense."""


def merge(sources: Sequence[Path], into: Path, others: Sequence[Path] = (), *, network: bool = False) -> Merged:
    """Take the sessions and records of other files into one.

    Args:
        sources: the files to merge, closed or in use.
        into: the file that takes them in; begun where it does not exist.
        others: more files of the ledger that `into` belongs to: what they know as well is not copied.
        network: `into` is on a network file system.

    Raises:
        NewerError: a source, or `into`, is of a later major version. Nothing is merged.
        LedgerError: one is no ledger, or broken. Nothing is merged.
        OSError, sqlite3.Error: one cannot be read or written.
    """
    for source in sources:
        Opened(source).close()
    problems: list[str] = []
    with Reader(paths=[path for path in others if path != into]) as rest:
        elsewhere = {row.session_id: row.heartbeat_at for row in rest.sessions()}
        store = Store.open(into, network)
        try:
            before = _counts(into)
            for source in sources:
                problems += _take(source, store, rest, elsewhere)
            after = _counts(into)
        finally:
            store.close()
    return Merged(after[0] - before[0], after[1] - before[1], problems)


def _take(source: Path, store: Store, rest: Reader, elsewhere: dict[str, str]) -> list[str]:
    """Put a source's rows into the store, but what the rest of the ledger knows; in words what of it made no sense."""
    with Reader(paths=[source]) as reader:
        rows = reader.sessions()
        wanted = {row.session_id for row in rows if elsewhere.get(row.session_id, "") < row.heartbeat_at}
        unwanted = {row.session_id for row in rows} - wanted
        without_row: dict[str, set[str]] = {}
        put = 0
        # Records come first: until its row is there, a session is still counted where it stood before.
        for kept in reader.kept():
            session_id = kept.record.session_id
            if session_id in unwanted:
                continue
            if session_id not in wanted:
                if session_id not in without_row:
                    without_row[session_id] = {record.record_id for record in rest.records(session_id=session_id)}
                if kept.record.record_id in without_row[session_id]:
                    continue
            store.put_record(kept.record, kept.source_sha256, kept.source)
            put += 1
            if put % _AT_ONCE == 0:
                store.commit()
        for row in rows:
            if row.session_id in wanted:
                store.put_session(row)
        store.commit()
        return reader.problems


def _counts(path: Path) -> tuple[int, int]:
    """How many sessions and records a file holds."""
    opened = Opened(path)
    try:
        sessions, records = opened.execute(
            "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM records)"
        ).fetchone()
        return sessions, records
    finally:
        opened.close()
