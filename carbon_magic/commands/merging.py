"""`carbon-magic merge`: ledgers of other machines, in one."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from carbon_magic.ledger.home import files, home, is_network
from carbon_magic.ledger.merge import MERGED, merge
from carbon_magic.ledger.opened import Opened
from carbon_magic.ledger.store import LedgerError
from carbon_magic.run import UsageError
from carbon_magic.troubles import in_words
from carbon_magic.views.plain import clean


def merge_files(paths: list[str], output: str | None) -> int:
    """Merge files into this machine's ledger, or into the file `output`, and say what came of it.

    Raises:
        UsageError: a file cannot be read, is no ledger or was written by a later major version; nothing is merged.
    """
    sources = list(dict.fromkeys(_source(path) for path in paths))
    if output is None:
        folder = home()
        into, others = folder / MERGED, files(folder)
    else:
        into, others = _target(output), []
        folder = into.parent
        if into in sources:
            raise UsageError(f"-o {clean(output, 300)} is one of the files to merge")
    wanted, network, existed = [source for source in sources if source != into], is_network(folder), into.exists()
    try:
        merged = merge(wanted, into, others, network=network)
    except (OSError, sqlite3.Error) as error:
        if not existed:
            _remove(into)
        raise UsageError(f"{clean(str(into), 300)} cannot be written: {in_words(error)}") from None
    for problem in merged.problems:
        sys.stderr.write(f"carbon-magic merge: not read: {clean(problem, 300)}\n")
    sessions = f"{merged.sessions} new session{'s'[: merged.sessions != 1]}"
    sys.stdout.write(f"{sessions} with {merged.records} record{'s'[: merged.records != 1]} in {into}\n")
    return 0


def _source(given: str) -> Path:
    shown = clean(given, 300)
    try:
        path = Path(given).resolve()
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UsageError(f"{shown}: cannot be merged: it is no ordinary file")  # opening a pipe may never end
        Opened(path).close()
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown}: cannot be read: {in_words(error)}") from None
    except (LedgerError, sqlite3.Error) as error:
        raise UsageError(f"{shown}: cannot be merged: {in_words(error)}") from None
    return path


def _target(given: str) -> Path:
    shown = clean(given, 300)
    try:
        path = Path(given).resolve()
        if path.is_dir():
            raise UsageError(f"-o {shown}: is a folder")
        if path.exists() and not path.is_file():
            raise UsageError(f"-o {shown}: is no ordinary file")
        if not path.parent.is_dir():
            raise UsageError(f"-o {shown}: there is no folder {clean(str(path.parent), 300)}")
        if path.exists() and path.stat().st_size:
            Opened(path).close()
    except (OSError, ValueError, LedgerError, sqlite3.Error) as error:
        raise UsageError(f"-o {shown}: cannot be written: {in_words(error)}") from None
    return path


def _remove(path: Path) -> None:
    """Take away a file that was begun and could not be completed, with what SQLite put beside it."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
