"""What `%carbon history` shows: what projects, notebooks, days or labels have cost so far, as the ledger has it.

Groups are sums of cells; the last row is that of whole sessions, with the time between their cells. Ranges add up, and
of what was counted with the region unknown there is only a range of emissions. What was imported has no range, and a
sum of nothing else shows none. Cells too short for their sensor are counted below the table, and a sum of nothing else
has their sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from carbon_magic import written
from carbon_magic.ledger.sums import Group
from carbon_magic.quantity import Interval, sum_same_source
from carbon_magic.views import markup
from carbon_magic.views.aligned import aligned
from carbon_magic.views.parts import below_sentence, emissions_fact, energy_fact
from carbon_magic.views.plain import TEXT_WIDTH, clean, columns, escape, for_text, to_ascii
from carbon_magic.views.shown import Shown

LIMIT = 30
"""Rows that are listed; the others are one row."""
EMPTY = "Nothing has been recorded yet."
EMPTY_SINCE = "Nothing has been recorded in that time."

_HEADS = {"project": "Project", "notebook": "Notebook", "day": "Day", "label": "Label"}
_PLURALS = {"project": "projects", "notebook": "notebooks", "day": "days", "label": "labels"}
_NAME_AT_LEAST, _NAME_AT_MOST = 12, 48
_BAR = 8
_BAR_PX = 90
_PROBLEMS_SHOWN = 5


class History(NamedTuple):
    """What is shown: groups as the ledger's reader gives them, and what is to be said with them."""

    groups: Sequence[Group]
    total: Group
    by: str
    """`project`, `notebook`, `day` or `label`."""
    since: datetime | None = None
    imported: int = 0
    """Runs of other tools among them, whose range nobody knows."""
    problems: Sequence[str] = ()
    """What of the ledger could not be read."""
    methods: str = "%carbon methods"


class _Row(NamedTuple):
    name: str
    cells: str
    energy: str
    bounds: str
    emissions: str
    emissions_bounds: str
    time: str
    best_j: float | None = None
    """For the bar, None for none."""
    strong: bool = False


def history(shown: History, ascii_only: bool = False) -> Shown:
    """The table in both forms, for IPython's `display`."""
    return Shown(history_text(shown, ascii_only=ascii_only), history_html(shown))


def history_text(shown: History, width: int = TEXT_WIDTH, ascii_only: bool = False) -> str:
    """The table as lines of at most `width` columns; where they are few, first the bars go, then emissions' ranges,
    then energy's."""
    lines = [] if _is_empty(shown) else _laid_out(shown, width)
    lines += [line for note in _notes(shown) for line in _wrapped(for_text(note), width)]
    text = "\n".join(lines)
    return to_ascii(text) if ascii_only else text


def history_html(shown: History) -> str:
    """The table as HTML that an untrusted notebook keeps whole."""
    notes = markup.notes(_notes(shown))
    if _is_empty(shown):
        return markup.block(notes)
    rows = _rows(shown)
    largest = max((row.best_j or 0.0 for row in rows), default=0.0)
    heads = (_HEADS[shown.by], "Cells", "Energy", written.CO2E_SCREEN, "Time", "")
    table = markup.table([(name, 0 < i < 5) for i, name in enumerate(heads)], (_html_row(row, largest) for row in rows))
    return markup.block(table, notes, max_width=760)


def _is_empty(shown: History) -> bool:
    return not shown.groups and not shown.total.first_at


def _rows(shown: History) -> list[_Row]:
    groups = list(shown.groups)
    left: list[Group] = []
    if len(groups) > LIMIT + 1:  # one more is listed in the place of a row that would say so
        by_day = shown.by == "day"
        groups, left = (groups[-LIMIT:], groups[:-LIMIT]) if by_day else (groups[:LIMIT], groups[LIMIT:])
    rows = [_row(_name(group.name, shown.by), group, _is_below(group), bar=True) for group in groups]
    if left:
        which = "earlier" if shown.by == "day" else "more"
        rest = _row(f"{len(left)} {which} {_PLURALS[shown.by]}", _sum(left), all(map(_is_below, left)))
        rows.insert(0 if shown.by == "day" else len(rows), rest)
    # Between cells nothing is too short.
    below = not _between(shown) and all(_is_below(group) for group in shown.groups) and bool(shown.groups)
    rows.append(_row("All", shown.total, below)._replace(strong=True))
    return rows


def _row(name: str, group: Group, below_resolution: bool, *, bar: bool = False) -> _Row:
    energy = energy_fact(group.energy_j, below_resolution)
    emissions = emissions_fact(group.emissions_g, group.emissions_known, below_resolution)
    has_grams = group.emissions_g is not None and has_range(group.emissions_g)
    return _Row(
        name=name,
        cells=f"{group.cells}",
        energy="unknown" if group.energy_j is None else energy.figure,
        bounds=energy.bounds if group.energy_j is not None and has_range(group.energy_j) else "",
        # The column's head says CO₂e.
        emissions="unknown"
        if group.emissions_g is None
        else emissions.figure.replace(written.NBSP + written.CO2E_SCREEN, ""),
        emissions_bounds=emissions.bounds if emissions.best and has_grams else "",
        time=written.duration(group.duration_s),
        best_j=group.energy_j.best if bar and group.energy_j is not None else None,
    )


def _sum(groups: Sequence[Group]) -> Group:
    energies = [group.energy_j for group in groups if group.energy_j is not None]
    grams = [group.emissions_g for group in groups if group.emissions_g is not None]
    return Group(
        None,
        sum(group.cells for group in groups),
        sum(group.duration_s for group in groups),
        sum_same_source(energies) if energies else None,
        sum_same_source(grams) if grams else None,
        all(group.emissions_known for group in groups),
        min(group.first_at for group in groups),
        max(group.last_at for group in groups),
        sum(group.below_resolution for group in groups),
    )


def _is_below(group: Group) -> bool:
    """Whether all of it is power times time."""
    return 0 < group.cells == group.below_resolution


def _name(name: str | None, by: str) -> str:
    """A group's name in one line; of a path that is too long the end is kept, which tells notebooks apart."""
    if name is None or not clean(name):
        return f"no {by}"
    if by != "notebook":
        return clean(name, _NAME_AT_MOST)
    whole = clean(name, 1000)
    if columns(whole) <= _NAME_AT_MOST:
        return whole
    kept = whole
    while columns(kept) > _NAME_AT_MOST - 1:
        kept = kept[1:]
    return "…" + kept


def _notes(shown: History) -> list[str]:
    said = []
    if _is_empty(shown):
        said.append(EMPTY if shown.since is None else EMPTY_SINCE)
    else:
        said.append(f"{_span(shown.total)}.")
        if _between(shown):
            said.append("The last row is of whole sessions, the time between their cells included.")
        if not shown.total.emissions_known or not all(group.emissions_known for group in shown.groups):
            said.append("Where the region was unknown, only a range of emissions is given.")
        if below := sum(group.below_resolution for group in shown.groups):
            signed = any(_is_below(group) for group in shown.groups)
            said.append(below_sentence(below, None if signed else sum(group.cells for group in shown.groups)))
        if shown.imported:
            runs = f"{shown.imported} imported run{'s'[: shown.imported != 1]}"
            said.append(f"How far the figures of {runs} may be wrong is unknown: they widen no range.")
        said.append(f"How the figures are made: {shown.methods}")
    for problem in shown.problems[:_PROBLEMS_SHOWN]:
        said.append(f"Not read: {clean(problem, 200).rstrip('.')}.")
    if len(shown.problems) > _PROBLEMS_SHOWN:
        said.append(f"{len(shown.problems) - _PROBLEMS_SHOWN} more problems: %carbon doctor")
    return said


def _between(shown: History) -> bool:
    """Whether the sessions used more than their cells, beyond what rounding does."""
    cells = sum(group.energy_j.best for group in shown.groups if group.energy_j is not None)
    return shown.total.energy_j is not None and shown.total.energy_j.best > cells * (1 + 1e-9)


def has_range(figure: Interval) -> bool:
    """False where all of a sum was imported: nobody knows how far it may be wrong, and no bounds are shown."""
    return figure.best == 0.0 or not figure.low == figure.best == figure.high


def _span(total: Group) -> str:
    """`2026-11-01 to 2026-11-23`, by this machine's calendar."""
    ends = (total.first_at, total.last_at)
    first, last = (datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d") for text in ends)
    return first if first == last else f"{first} to {last}"


def _wrapped(note: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(note, width, break_on_hyphens=False)


def _laid_out(shown: History, width: int) -> list[str]:
    """The rows in columns. What does not fit goes in this order: bars, ranges, the ends of names."""
    rows = _rows(shown)
    head = _Row(_HEADS[shown.by], "Cells", "Energy", "", "CO2e", "", "Time")
    choices = ((True, True, _BAR), (True, True, 0), (True, False, 0), (False, False, 0))
    return aligned(
        [
            ([_texts(row, energy_bounds, emissions_bounds) for row in (head, *rows)], bar_width)
            for energy_bounds, emissions_bounds, bar_width in choices
        ],
        width,
        bars=[row.best_j for row in (head, *rows)],
        largest=max((row.best_j or 0.0 for row in rows), default=0.0),
        named=0,
        name_at_least=_NAME_AT_LEAST,
        right=(1, 4),
    )


def _texts(row: _Row, energy_bounds: bool, emissions_bounds: bool) -> list[str]:
    energy = f" {row.bounds}" if row.bounds and energy_bounds else ""
    emissions = f" {row.emissions_bounds}" if row.emissions_bounds and emissions_bounds else ""
    return [row.name, row.cells, row.energy + energy, row.emissions + emissions, row.time]


def _html_row(row: _Row, largest: float) -> str:
    weight = "font-weight:600" if row.strong else ""
    cells_in_row = (
        markup.cell(escape(row.name), css=weight)
        + markup.cell(escape(row.cells), right=True, css=weight)
        + markup.cell(markup.figure(row.energy, row.bounds), right=True, css=weight)
        + markup.cell(markup.figure(row.emissions, row.emissions_bounds), right=True, css=weight)
        + markup.cell(escape(row.time), right=True, css="white-space:nowrap")
        + markup.cell(_html_bar(row, largest), css=f"width:{_BAR_PX}px;font-size:0;line-height:0;vertical-align:middle")
    )
    return f'<tr style="background:none">{cells_in_row}</tr>'


def _html_bar(row: _Row, largest: float) -> str:
    if row.best_j is None or largest <= 0.0 or row.best_j <= 0.0:
        return ""
    pixels = max(_BAR_PX * row.best_j / largest, 1.0)
    return (
        f'<span style="display:inline-block;height:4px;width:{pixels:.1f}px;vertical-align:middle;'
        f'{markup.twice("background-color:{}", "other")}"></span>'
    )
