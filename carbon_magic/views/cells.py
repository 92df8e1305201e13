"""What `%carbon cells` shows: a table of cells, the most expensive first or in the order they ran.

Cells that overlapped are listed and marked, but not part of the sum, because each of them holds the other's energy;
what is unknown is counted in words, not as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from carbon_magic import written
from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import Interval, sum_same_source
from carbon_magic.snapshot import RunningCell
from carbon_magic.views import markup
from carbon_magic.views.aligned import aligned
from carbon_magic.views.parts import Part, below_sentences, emissions_fact, energy_fact
from carbon_magic.views.plain import TEXT_WIDTH, clean, escape, for_text, number, to_ascii
from carbon_magic.views.result import record_emissions, record_energy, record_parts, time_words
from carbon_magic.views.shown import Shown

Sort = Literal["energy", "time"]
"""`energy`: the most expensive first. `time`: in the order they ran, the last of them."""

LIMIT = 10
_LABEL_AT_LEAST, _LABEL_AT_MOST = 8, 30
_BAR = 8
_BAR_PX = 90


class Row(NamedTuple):
    """One line of the table, in words."""

    prompt: str
    """`[12]`, or nothing."""
    label: str
    energy: str
    bounds: str
    emissions: str
    emissions_bounds: str
    time: str
    best_j: float = 0.0
    parts: tuple[Part, ...] = ()
    strong: bool = False


def cells(
    records: Sequence[CellRecord],
    limit: int | None = LIMIT,
    sort: Sort = "energy",
    *,
    running: Sequence[RunningCell] = (),
    between_j: Interval | None = None,
    ascii_only: bool = False,
) -> Shown:
    """The table in both forms, for IPython's `display`."""
    return Shown(
        cells_text(records, limit, sort, running=running, between_j=between_j, ascii_only=ascii_only),
        cells_html(records, limit, sort, running=running, between_j=between_j),
    )


def cells_text(
    records: Sequence[CellRecord],
    limit: int | None = LIMIT,
    sort: Sort = "energy",
    *,
    running: Sequence[RunningCell] = (),
    between_j: Interval | None = None,
    width: int = TEXT_WIDTH,
    ascii_only: bool = False,
) -> str:
    """The table as lines of at most `width` columns; where they are few, first the bars go and then the ranges.

    Args:
        records: the finished cells, oldest first.
        limit: how many of them to list, None for all.
        sort: which, and in which order.
        running: listed on top whatever the order.
        between_j: what was used while no cell ran, for a row of its own.
        width: columns of the terminal.
        ascii_only: for terminals that know nothing else.
    """
    if not records and not running:
        return _NOTHING
    listed = _rows(records, limit, sort, running, between_j)
    text = "\n".join([*_laid_out(listed, width), *(for_text(note) for note in _notes(records))])
    return to_ascii(text) if ascii_only else text


def cells_html(
    records: Sequence[CellRecord],
    limit: int | None = LIMIT,
    sort: Sort = "energy",
    *,
    running: Sequence[RunningCell] = (),
    between_j: Interval | None = None,
) -> str:
    """The table as HTML that an untrusted notebook keeps whole. Arguments as in `cells_text`."""
    if not records and not running:
        return markup.block(markup.notes([_NOTHING]))
    listed = _rows(records, limit, sort, running, between_j)
    largest = max((row.best_j for row in listed if row.parts), default=0.0)
    heads = [(name, name in _RIGHT) for name in ("", "Cell", *_RIGHT, "")]
    table = markup.table(heads, (_html_row(row, largest) for row in listed))
    return markup.block(table, markup.notes(_notes(records)), max_width=760)


_NOTHING = "No cell has run since tracking began."
_RIGHT = ("Energy", written.CO2E_SCREEN, "Time")


def _rows(
    records: Sequence[CellRecord],
    limit: int | None,
    sort: Sort,
    running: Sequence[RunningCell],
    between_j: Interval | None,
) -> list[Row]:
    if limit is not None and limit < 1:
        raise ValueError(f"limit is 1 or more, not {limit}")
    shown, left = _chosen(records, limit, sort)
    rows = [_running_row(cell) for cell in running]
    rest = _sum_row(f"{len(left)} {'more' if sort == 'energy' else 'earlier'} cell{'s'[: len(left) != 1]}", left)
    if left and sort == "time":
        rows.append(rest)
    rows += [_record_row(record) for record in shown]
    if left and sort == "energy":
        rows.append(rest)
    if between_j is not None:
        figures = written.energy_range(between_j)
        rows.append(Row("", "Between cells", figures.best, figures.bounds, "", "", ""))
    if len(records) > 1:
        rows.append(_sum_row("All cells", records)._replace(strong=True))
    return rows


def _chosen(
    records: Sequence[CellRecord], limit: int | None, sort: Sort
) -> tuple[Sequence[CellRecord], Sequence[CellRecord]]:
    """The records to list, in order, and the others."""
    if sort == "time":
        first = 0 if limit is None else max(len(records) - limit, 0)
        return records[first:], records[:first]
    ordered = sorted(records, key=_expense)
    return (ordered, []) if limit is None else (ordered[:limit], ordered[limit:])


def _expense(record: CellRecord) -> tuple[bool, float]:
    energy_j = record_energy(record)
    return (energy_j is None, 0.0 if energy_j is None else -energy_j.best)


def _record_row(record: CellRecord) -> Row:
    energy_j = record_energy(record)
    figure = energy_fact(energy_j, record.below_resolution)
    emissions = emissions_fact(record_emissions(record), record.region_source != "unknown", record.below_resolution)
    return Row(
        prompt=f"[{clean(record.execution_count, 8)}]" if record.execution_count is not None else "",
        label=clean(record.label, _LABEL_AT_MOST) if record.label else "",
        energy="unknown" if energy_j is None else figure.figure,
        bounds=figure.bounds,
        emissions="unknown" if record_emissions(record) is None else _grams(emissions.figure),
        emissions_bounds=emissions.bounds if emissions.best else "",
        time=time_words(record) + ("*" if record.concurrent else ""),
        best_j=0.0 if energy_j is None else energy_j.best,
        parts=tuple(record_parts(record)),
    )


def _running_row(cell: RunningCell) -> Row:
    energy_j, duration_s = number(cell.energy_j), number(cell.duration_s)
    return Row(
        prompt=f"[{cell.execution_count}]" if cell.execution_count is not None else "[*]",
        label=clean(cell.label, _LABEL_AT_MOST) if cell.label else "",
        energy=written.NOT_YET if energy_j is None else written.energy(energy_j),
        bounds="",
        emissions=written.NOT_YET,
        emissions_bounds="",
        time=f"{written.NOT_YET if duration_s is None else written.running(duration_s)}, running",
    )


def _sum_row(name: str, records: Sequence[CellRecord]) -> Row:
    """The sum of what can be added: cells that overlap no other, their errors all going the same way."""
    alone = [record for record in records if not record.concurrent]
    energies = [energy_j for energy_j in map(record_energy, alone) if energy_j is not None]
    grams = [emissions_g for emissions_g in map(record_emissions, alone) if emissions_g is not None]
    figure = energy_fact(sum_same_source(energies)) if energies else None
    known = all(record.region_source != "unknown" for record in alone)
    emissions = emissions_fact(sum_same_source(grams), known) if grams else None
    durations = [duration_s for duration_s in (number(record.duration_s) for record in alone) if duration_s is not None]
    return Row(
        prompt="",
        label=name,
        energy="" if figure is None else figure.figure,
        bounds="" if figure is None else figure.bounds,
        emissions="" if emissions is None else _grams(emissions.figure),
        emissions_bounds=emissions.bounds if emissions is not None and emissions.best else "",
        time=written.duration(sum(durations)) if durations else "",
    )


def _grams(figure: str) -> str:
    """The column's head says CO₂e."""
    return figure.replace(written.NBSP + written.CO2E_SCREEN, "")


def _notes(records: Sequence[CellRecord]) -> list[str]:
    said = []
    overlapping = sum(record.concurrent for record in records)
    if overlapping:
        said.append(f"* ran beside another cell: not in the sum ({overlapping}).")
    unknown = sum(record_energy(record) is None for record in records)
    if unknown:
        said.append(f"Energy unknown, not in the sum: {unknown} cell{'s'[: unknown != 1]}.")
    said += below_sentences(record.below_resolution for record in records)
    if any(record.region_source == "unknown" for record in records):
        said.append("Where the region was unknown, only a range of emissions is given.")
    return said


def _laid_out(rows: Sequence[Row], width: int) -> list[str]:
    """The rows in columns. What does not fit goes in this order: bars, ranges, the ends of labels."""
    head = Row("", "Cell", "Energy", "", "CO2e", "", "Time")
    return aligned(
        [
            ([_texts(row, with_bounds) for row in (head, *rows)], bar_width)
            for with_bounds, bar_width in ((True, _BAR), (True, 0), (False, 0))
        ],
        width,
        bars=[row.best_j if row.parts else None for row in (head, *rows)],
        largest=max((row.best_j for row in rows), default=0.0),
        named=1,
        name_at_least=_LABEL_AT_LEAST,
        right=(0, 4),
    )


def _texts(row: Row, with_bounds: bool) -> list[str]:
    bounds = f" {row.bounds}" if row.bounds and with_bounds else ""
    return [row.prompt, row.label, row.energy + bounds, row.emissions, row.time]


def _html_row(row: Row, largest: float) -> str:
    weight = "font-weight:600" if row.strong else ""
    cells_in_row = (
        markup.cell(escape(row.prompt), right=True, css=markup.MUTED)
        + markup.cell(escape(row.label), css=weight)
        + markup.cell(markup.figure(row.energy, row.bounds), right=True, css=weight)
        + markup.cell(markup.figure(row.emissions, row.emissions_bounds), right=True, css=weight)
        + markup.cell(escape(row.time), right=True, css="white-space:nowrap")
        + markup.cell(_html_bar(row, largest), css=f"width:{_BAR_PX}px;font-size:0;line-height:0;vertical-align:middle")
    )
    return f'<tr style="background:none">{cells_in_row}</tr>'


def _html_bar(row: Row, largest: float) -> str:
    """Length by energy, split by domain."""
    if not row.parts or largest <= 0.0 or row.best_j <= 0.0:
        return ""
    pixels = max(_BAR_PX * row.best_j / largest, 1.0)
    spans: Iterable[str] = (
        f'<span style="display:inline-block;height:4px;width:{width:.1f}px;vertical-align:middle;'
        f'{markup.twice("background-color:{}", part.domain)}"></span>'
        for part, width in markup.segment_widths(row.parts, whole=pixels, least=0.5)
    )
    return f'<span style="white-space:nowrap">{"".join(spans)}</span>'
