"""What a run says when it has ended: why it ended, a table of cells for each notebook, and what the figures mean.

Source text, labels and tracebacks are the notebook's and shown as plain text: no markup of the table's library is
interpreted in them, and of a terminal's control sequences only a traceback's colours pass, only to a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from carbon_magic import written
from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import Interval, sum_same_source
from carbon_magic.run.notebooks import plain
from carbon_magic.run.runner import CellRun, Outcome

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH_OF_FILES = 120
_MAX_TRACEBACK = 100_000
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,40}m)")
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])")
_STATUS_OF_END = {"complete": "ok", "error": "error", "killed": "killed", "timeout": "interrupted"}


def explain(outcome: Outcome, *, colours: bool) -> str:
    """Why a notebook did not complete, in one sentence after the traceback where there is one; else nothing."""
    name = plain(outcome.notebook.given, 300)
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
        console.print(plain(outcome.notebook.given, 300))
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
    lines = ["Chips only: this kernel's share of CPU, GPU and memory. In brackets the range, at 95 %."]
    unknown = sum(record.energy_j is None for record in records)
    concurrent = sum(record.concurrent for record in records)
    if unknown:
        lines.append(f"Energy unknown for {unknown} of {len(records)} cells: not in the total.")
    if concurrent:
        lines.append(f"{concurrent} cells ran at the same time as others: not in the total.")
    if any(record.region_source == "unknown" for record in records):
        lines.append("Region unknown: emissions span the grids of the world. Name yours with --region, for one FR.")
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
    figures = sum(max(map(len, column)) for i, column in enumerate(zip(heads, footer, *rows, strict=True)) if i != 1)
    room = max(width - figures - 3 * len(heads) - 2, len(footer[1]))
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    for head, foot in zip(heads, footer, strict=True):
        table.add_column(head, Text(foot), justify="left" if head in ("cell", "status") else "right", no_wrap=True)
    for number, name, *rest in rows:
        table.add_row(*(Text(text) for text in (number, plain(name, min(room, 60)), *rest)))
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
    energy = _interval(record.energy_j_low, record.energy_j, record.energy_j_high)
    emissions = _interval(record.emissions_g_low, record.emissions_g, record.emissions_g_high)
    if energy is None:
        energy_text = "unknown"
    elif record.below_resolution:
        energy_text = f"{written.about(written.energy(energy.best))} {written.energy_range(energy).bounds}"
    else:
        energy_text = str(written.energy_range(energy))
    return energy_text, _mass(emissions, [record]), written.duration(record.duration_s), record.status


def _total(records: list[CellRecord]) -> tuple[str, str, str]:
    summed = [record for record in records if not record.concurrent]
    energy = _sum(_interval(each.energy_j_low, each.energy_j, each.energy_j_high) for each in summed)
    emissions = _sum(_interval(each.emissions_g_low, each.emissions_g, each.emissions_g_high) for each in summed)
    energy_text = "unknown" if energy is None else str(written.energy_range(energy))
    return energy_text, _mass(emissions, summed), written.duration(sum(each.duration_s for each in summed))


def _sum(parts: Iterable[Interval | None]) -> Interval | None:
    known = [part for part in parts if part is not None]
    return sum_same_source(known) if known else None


def _mass(grams: Interval | None, records: list[CellRecord]) -> str:
    """Grams with their range, or the range alone where the region of any record is unknown."""
    if grams is None:
        return "unknown"
    if any(record.region_source == "unknown" for record in records):
        return written.mass_span(grams.low, grams.high)
    return str(written.mass_range(grams))


def _interval(low: float | None, best: float | None, high: float | None) -> Interval | None:
    if low is None or best is None or high is None:
        return None
    return Interval(low, best, high)


def _number(execution_count: int | None, position: int) -> str:
    return f"[{execution_count}]" if execution_count is not None else f"#{position}"
