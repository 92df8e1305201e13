"""What a run says when it has ended: why it ended, a table of cells for each notebook, and what the figures mean.

Source text, labels and tracebacks are the notebook's and shown as plain text: no markup of the table's library is
interpreted in them, and of a terminal's control sequences only a traceback's colours pass, only to a terminal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from carbon_magic import written
from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import Interval, sum_same_source
from carbon_magic.run.runner import CellRun, Outcome
from carbon_magic.views.parts import SCOPE, found_words, note_sentence
from carbon_magic.views.plain import clean, columns, for_text
from carbon_magic.views.result import record_emissions, record_energy

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH_OF_FILES = 120
_MAX_TRACEBACK = 100_000
_MAX_REGIONS = 5
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,40}m)")
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])")
_STATUS_OF_END = {"complete": "ok", "error": "error", "killed": "killed", "timeout": "interrupted"}


def explain(outcome: Outcome, *, colours: bool) -> str:
    """Why a notebook did not complete, in one sentence after the traceback where there is one; else nothing."""
    name = clean(outcome.notebook.given, 300)
    if outcome.end == "complete":
        return ""
    if outcome.end == "stopped":
        return f"{name}: stopped\n"
    cell = f"cell {_number(outcome.cells[-1].execution_count, len(outcome.cells))}"
    if outcome.end == "error":
        return f"{traceback_text(outcome.traceback, colours=colours)}\n{name}: {cell} failed\n"
    if outcome.end == "killed":
        return f"{name}: the kernel died in {cell}; the records up to then are kept\n"
    return f"{name}: {cell} took longer than --timeout allows and was interrupted\n"


def traceback_text(text: str, *, colours: bool) -> str:
    """A traceback without control sequences, except for colours where they are wanted; of a very long one the end."""
    parts = _COLOUR.split(text[-_MAX_TRACEBACK:])
    kept = []
    for part in parts:
        if _COLOUR.fullmatch(part):
            kept.append(part if colours else "")
        else:
            bare = _SEQUENCE.sub("", part)
            kept.append("".join(char for char in bare if char in "\n\t" or char.isprintable()))
    return "".join(kept) + ("\x1b[0m" if colours else "")


def show(outcomes: list[Outcome], stream: TextIO) -> None:
    """Print the table of each notebook, and what the figures mean."""
    from rich.console import Console

    console = Console(
        file=stream,
        width=None if stream.isatty() else _WIDTH_OF_FILES,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )
    records = [record for outcome in outcomes for record in outcome.records]
    for outcome in outcomes:
        console.print(clean(outcome.notebook.given, 300))
        console.print(_table(outcome, console.width))
        if outcome.left_out:
            console.print(f"{outcome.left_out} lines were no records and are left out.")
    if len(outcomes) > 1:
        energy, emissions, _ = _total(records)
        console.print(f"All {len(outcomes)} notebooks: {energy}, {emissions}")
    for note in notes(records):
        console.print(note)


def notes(records: list[CellRecord]) -> list[str]:
    """What has to be known to read the figures, a sentence or two a line."""
    lines = [f"{for_text(SCOPE)} In brackets the range, at 95 %."]
    unknown = sum(record.energy_j is None for record in records)
    concurrent = sum(record.concurrent for record in records)
    if unknown:
        lines.append(f"Energy unknown for {unknown} of {len(records)} cells: not in the total.")
    if concurrent:
        lines.append(f"{concurrent} cells ran at the same time as others: not in the total.")
    if any(record.region_source == "unknown" for record in records):
        lines.append("Region unknown: emissions span the grids of the world. Name yours, for one --region FR.")
    known = {record.region: record for record in records if record.region_source != "unknown"}
    for region, record in list(known.items())[:_MAX_REGIONS]:
        year = "" if record.intensity_year is None else f" {record.intensity_year}"
        range_ = Interval(record.intensity_low, record.intensity_g_per_kwh, record.intensity_high)
        lines.append(
            f"Region {clean(region)}: {for_text(str(written.intensity_range(range_)))}, "
            f"{clean(record.intensity_source)}{year}, {for_text(found_words(record.region_source))}."
        )
    noted = note_sentence(os.environ.get("CARBON_MAGIC_NOTE", "").strip())
    if noted is not None:
        lines.append(for_text(noted))
    modelled = sorted(
        {
            f"{name} {provenance}"
            for record in records
            for name, provenance in (
                ("CPU", record.cpu_provenance),
                ("GPU", record.gpu_provenance),
                ("memory", record.dram_provenance),
            )
            if provenance not in (None, "measured")
        }
    )
    if modelled:
        lines.append(f"Not measured: {', '.join(modelled)}.")
    lines.append("How the figures are made: carbon-magic methods")
    return lines


def _table(outcome: Outcome, width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [_row(outcome, position, run) for position, run in enumerate(outcome.cells, start=1)]
    shown = {run.record.record_id for run in outcome.cells if run.record is not None}
    rows += [
        (_number(record.execution_count, 0), record.label or "", *_figures(record))
        for record in outcome.records
        if record.record_id not in shown
    ]
    count = len(outcome.records)
    footer = ("", f"total of {count} cell{'' if count == 1 else 's'}", *_total(outcome.records), "")
    heads = ("", "cell", "energy", written.CO2E, "time", "status")
    # The figures have the room they need, what is left is the source's.
    figures = sum(
        max(map(columns, column)) for i, column in enumerate(zip(heads, footer, *rows, strict=True)) if i != 1
    )
    room = max(width - figures - 3 * len(heads) - 2, len(footer[1]))
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    for head, foot in zip(heads, footer, strict=True):
        table.add_column(head, Text(foot), justify="left" if head in ("cell", "status") else "right", no_wrap=True)
    for number, name, *rest in rows:
        table.add_row(*(Text(text) for text in (number, clean(name, min(room, 60)), *rest)))
    return table


def _row(outcome: Outcome, position: int, run: CellRun) -> tuple[str, ...]:
    number, record = _number(run.execution_count, position), run.record
    first_line = next((line for line in run.source.splitlines() if line.strip()), "")
    name = (record.label if record is not None else None) or first_line
    if record is not None:
        return number, name, *_figures(record)
    is_last = run is outcome.cells[-1]
    status = _STATUS_OF_END.get(outcome.end, "interrupted") if is_last else "no record"
    return number, name, written.NOT_YET, written.NOT_YET, written.NOT_YET, status


def _figures(record: CellRecord) -> tuple[str, str, str, str]:
    below = record.below_resolution
    grams = _mass(record_emissions(record), [record], below)
    return _energy(record_energy(record), below), grams, written.duration(record.duration_s), record.status


def _total(records: list[CellRecord]) -> tuple[str, str, str]:
    """The sums of what can be added: cells that overlap no other, their errors all going the same way."""
    alone = [record for record in records if not record.concurrent]
    energy, grams = _sum(map(record_energy, alone)), _sum(map(record_emissions, alone))
    return _energy(energy), _mass(grams, alone), written.duration(sum(record.duration_s for record in alone))


def _sum(parts: Iterable[Interval | None]) -> Interval | None:
    known = [part for part in parts if part is not None]
    return sum_same_source(known) if known else None


def _energy(energy_j: Interval | None, below_resolution: bool = False) -> str:
    return "unknown" if energy_j is None else _figure(written.energy_range(energy_j), below_resolution)


def _mass(grams: Interval | None, records: list[CellRecord], below_resolution: bool = False) -> str:
    """Grams with their range, or the range alone where the region of any record is unknown."""
    if grams is None:
        return "unknown"
    if any(record.region_source == "unknown" for record in records):
        return written.mass_span(grams.low, grams.high)
    return _figure(written.mass_range(grams), below_resolution)


def _figure(figure: written.Written, below_resolution: bool) -> str:
    return f"{written.about(figure.best) if below_resolution else figure.best} {figure.bounds}"


def _number(execution_count: int | None, position: int) -> str:
    return f"[{execution_count}]" if execution_count is not None else f"#{position}"
