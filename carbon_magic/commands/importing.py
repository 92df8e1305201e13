"""`carbon-magic import`: runs that CodeCarbon measured, taken into the ledger."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from carbon_magic.ledger.emissions_csv import NotCodeCarbonError
from carbon_magic.ledger.home import home, is_network
from carbon_magic.ledger.imported import Imported, ReadFile, read_codecarbon
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.store import Store
from carbon_magic.run import UsageError
from carbon_magic.troubles import in_words
from carbon_magic.views.plain import clean

IMPORTED = "ledger-imported.db"
"""The file of the ledger that holds what was imported."""


def import_files(paths: list[str]) -> int:
    """Take in what these files hold, and say of each what came of it. All are read before anything is written.

    Raises:
        UsageError: one cannot be read or is no such file; nothing is taken in.
    """
    read = [(path, _read(path)) for path in paths]
    folder = home()
    with Reader(folder) as reader:
        known = {row.session_id: row for row in reader.sessions()}
    try:
        store = Store.open(folder / IMPORTED, is_network(folder))
        try:
            for path, found in read:
                _tell(path, found, *_put(found.runs, store, known))
        finally:
            store.close()
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"{folder / IMPORTED} cannot be written: {in_words(error)}") from None
    return 0


def _read(path: str) -> ReadFile:
    shown = clean(path, 300)
    try:
        return read_codecarbon(Path(path))
    except NotCodeCarbonError as error:
        raise UsageError(f"{shown}: {error}") from None
    except FileNotFoundError:
        raise UsageError(f"{shown}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {in_words(error)}") from None
    except ValueError as error:  # a path that no file can have
        raise UsageError(f"{shown}: cannot be read: {error}") from None


def _put(runs: list[Imported], store: Store, known: dict[str, SessionRow]) -> tuple[int, int, int]:
    """Put the runs into the store: how many are new, have grown and were there already."""
    new = grown = there = 0
    for run in runs:
        before = known.get(run.session.session_id)
        if before is not None and not _more(run.session, before):
            there += 1
            continue
        if before is not None:
            # Its record is final, and stays so unless it goes.
            store.commit()
            store.forget(session_id=run.session.session_id)
        store.put_session(run.session)
        store.put_record(run.record)
        known[run.session.session_id] = run.session
        new += before is None
        grown += before is not None
    store.commit()
    return new, grown, there


def _more(run: SessionRow, before: SessionRow) -> bool:
    """Whether a run has gone on since it was imported, perhaps within the same second: times are told in whole ones."""
    later = (run.heartbeat_at, run.energy_j or 0.0) > (before.heartbeat_at, before.energy_j or 0.0)
    return before.kind == "imported" and later


def _tell(path: str, found: ReadFile, new: int, grown: int, there: int) -> None:
    said = [f"{new} run{'s'[: new != 1]} imported"]
    if grown:
        said.append(f"{grown} brought up to date")
    if there:
        said.append(f"{there} already there")
    if found.superseded:
        said.append(f"{found.superseded} line{'s'[: found.superseded != 1]} held by a later line of the same run")
    if found.refused_count:
        reasons = "; ".join([*found.refused, *(["..."] if found.refused_count > len(found.refused) else [])])
        lines = f"{found.refused_count} line{'s'[: found.refused_count != 1]}"
        said.append(f"{lines} refused ({reasons})" if reasons else f"{lines} refused")
    sys.stdout.write(f"{clean(path, 300)}: {', '.join(said)}\n")
