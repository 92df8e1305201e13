"""Sums that SQLite makes itself: cells by a name, and whole sessions.

A hundred thousand rows are summed in the database in a fraction of the time that it takes to look at each. What is
checked of a row elsewhere is a condition here: figures that are no numbers in order leave their row out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, get_args

from carbon_magic.ledger.check import LARGEST, MAX_TEXT, is_time
from carbon_magic.ledger.opened import Opened
from carbon_magic.ledger.sums import Figures, Sum, without_overlaps

By = Literal["project", "notebook", "day", "label"]
BYS: tuple[By, ...] = get_args(By)
KEYS: dict[By, str] = {
    "project": "project",
    "notebook": "notebook",
    "day": "date(started_at, 'localtime')",
    "label": "label",
}
"""What cells are grouped by. Days are people's, not UTC's."""

_ENERGY = ("energy_j_low", "energy_j", "energy_j_high")
_GRAMS = ("emissions_g_low", "emissions_g", "emissions_g_high")


def _sound(names: Sequence[str]) -> str:
    """The condition that figures are unknown, or numbers in order. In SQLite any text is greater than any number."""
    low, best, high = names
    ranged = f"(0 <= {low} AND {low} <= {best} AND {best} <= {high} AND {high} <= {LARGEST})"
    # What was imported has no range.
    alone = f"({low} IS NULL AND {high} IS NULL AND {best} BETWEEN 0 AND {LARGEST})"
    return f"({best} IS NULL OR {ranged} OR {alone})"


def _three(names: Sequence[str]) -> tuple[str, ...]:
    """Low, best and high as they are summed: where there is no range the best stands for its bounds, and widens
    none."""
    _, best, _ = names
    return tuple(f"CASE WHEN {best} IS NOT NULL THEN coalesce({name}, {best}) END" for name in names)


_SOUND = f"(duration_s BETWEEN 0 AND {LARGEST} AND typeof(started_at) = 'text' AND length(started_at) <= 40"
_SOUND += f" AND {_sound(_ENERGY)}"
_SOUND += f" AND {_sound(_GRAMS)}) IS 1"
_FIGURES = ("duration_s", *_three(_ENERGY), *_three(_GRAMS))
_SUMMED = ", ".join(f"sum({figure})" for figure in _FIGURES)
_EACH = ", ".join(_FIGURES)


def add_sessions(opened: Opened, total: Sum, begun: str | None) -> None:
    """Add a file's sessions to a sum: whole ones that began at `begun` or later, and of one that began earlier, or
    has no row, its cells since then."""
    wanted = ("duration_s", "cells", "started_at", "heartbeat_at", "region_source", *_ENERGY, *_GRAMS)
    if not opened.has_all("sessions", wanted):
        return
    where, values = opened.conditions({"started_at >= ?": begun})
    statement = f"SELECT sum(cells), {_SUMMED}, max(region_source = 'unknown'), min(started_at), max(heartbeat_at)"
    statement += f" FROM sessions WHERE {_SOUND} AND cells BETWEEN 0 AND 1e15 AND {where}"
    cells, *rest = opened.execute(statement, values).fetchone()
    if cells is not None:
        total.add(_figures(cells, rest))
    since = "" if begun is None else "WHERE started_at >= ?"
    others = f"SELECT DISTINCT session_id FROM records {since} EXCEPT SELECT session_id FROM sessions {since}"
    for (session_id,) in opened.execute(others, () if begun is None else (begun, begun)).fetchall():
        add_cells(opened, {None: total}, "NULL", {"session_id = ?": session_id, "started_at >= ?": begun})


def add_cells(
    opened: Opened, sums: dict[str | None, Sum], key: str, given: dict[str, Any], *, count_out: bool = False
) -> None:
    """Add the sums of all cells of a file that `given` chooses to those of their names."""
    wanted = ("duration_s", "started_at", "concurrent", "session_id", "region_source", *_ENERGY, *_GRAMS)
    if not opened.has_all("records", (*wanted, "project", "notebook", "label")):
        return
    where, values = opened.conditions(given)
    # A column of a later version: older files lack it.
    below = "below_resolution IS 1" if opened.has_all("records", ["below_resolution"]) else "0"
    statement = f"SELECT {key}, sum({below}), count(*), {_SUMMED}, max(region_source = 'unknown')"
    statement += ", min(started_at), max(started_at)"
    statement += f" FROM records WHERE {_SOUND} AND concurrent IS 0 AND {where} GROUP BY 1"
    for name, below_count, cells, *rest in opened.execute(statement, values):
        figures = _figures(cells, rest)._replace(below_resolution=below_count)
        sums.setdefault(_name(name), Sum()).add(figures)
    statement = f"SELECT {key}, session_id, {below}, {_EACH}, region_source = 'unknown', started_at, started_at"
    statement += f" FROM records WHERE {_SOUND} AND concurrent IS NOT 0 AND {where} ORDER BY 1, 2, started_at"
    rows = (row for row in opened.execute(statement, values) if is_time(row[-1]))
    for (name, _), cells_of_one in itertools.groupby(rows, key=lambda row: row[:2]):
        ones = (_figures(1, row[3:])._replace(below_resolution=row[2]) for row in cells_of_one)
        for figures in without_overlaps(ones):
            sums.setdefault(_name(name), Sum()).add(figures)
    if count_out:
        statement = f"SELECT count(*) FROM records WHERE NOT ({_SOUND}) AND {where}"
        opened.count_out_records(opened.execute(statement, values).fetchone()[0])


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _figures(cells: int, rest: Sequence[Any]) -> Figures:
    """From a row of: duration, energy's three, emissions' three, whether unknown, first, last."""
    duration_s, *figures, unknown, first_at, last_at = rest
    energy, grams = tuple(figures[:3]), tuple(figures[3:])
    return Figures(
        cells,
        duration_s,
        None if None in energy else energy,
        None if None in grams else grams,
        bool(unknown),
        first_at,
        last_at,
    )
