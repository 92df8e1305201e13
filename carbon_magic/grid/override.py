"""People's own figures for many regions: the file that `CARBON_MAGIC_DATA` names, laid over the table.

It is a CSV with a header, whose columns are some of those of `regions.csv`; `id` must be among them. A row with an id
of the table, or a country's ISO3 code, replaces what it gives, and leaves the rest; a new id adds a region. Its
intensities are life-cycle figures in g CO2e/kWh. Cloud regions follow the grid they have their figure from, unless the
file names them. Nothing of a file is used that is not right from its first to its last line.
"""

from __future__ import annotations

import csv
import io
import math
import os
import stat
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from carbon_magic.grid.table import DataFileError

COLUMNS = (
    "id",
    "name",
    "intensity_g_per_kwh",
    "lifecycle_g_per_kwh",
    "intensity_low",
    "intensity_high",
    "year",
    "source",
    "note",
    "pue",
)
RESERVED = ("own", "auto")
"""A figure without a row, in records, and what takes back what was said."""
MOST_BYTES = 1_000_000
MOST_ROWS = 5_000
MOST_TEXT = 200
MOST_ID = 60
HIGHEST_G_PER_KWH = 5_000.0
"""No power station emits as much: the worst lignite plants emit 1,500 g."""
LOWEST_G_PER_KWH = 0.1
"""Nothing that is built and maintained emits nothing over its life."""
_SOURCE = "own data"


def laid_over(columns: Sequence[str], rows: Mapping[str, list[str]], path: Path) -> tuple[dict[str, list[str]], str]:
    """The rows with those of the file laid over them, and a mark of the file's content.

    Raises:
        DataFileError: the file cannot be read, is too large, or is wrong in a line that is named.
    """
    content = _content(path)
    place = {name: index for index, name in enumerate(columns)}
    found = {region_id: list(row) for region_id, row in rows.items()}
    ids = {region_id.casefold(): region_id for region_id in rows}
    for cells in rows.values():
        if cells[place["kind"]] == "country":
            ids.setdefault(cells[place["iso3"]].casefold(), cells[place["id"]])
    given: set[str] = set()
    seen: set[str] = set()
    for line, values in _lines(content):
        region_id = ids.get(values["id"].casefold(), values["id"])
        if region_id in seen:
            raise DataFileError(f"line {line}, column id: {region_id} is there twice")
        seen.add(region_id)
        row = found.get(region_id)
        new = row is None
        if row is None:
            row = found[region_id] = _new_row(columns, region_id)
            ids[region_id.casefold()] = region_id
        try:
            if _lay(row, values, place, new=new):
                given.add(region_id)
        except DataFileError as error:
            raise DataFileError(f"line {line}, {error}") from None
    _follow(found, place, given)
    return found, f"own.{sha256(content.encode()).hexdigest()[:8]}"


def _content(path: Path) -> str:
    try:
        # Without waiting: a pipe that nobody writes to would keep the notebook for ever.
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataFileError(f"{path}: not a plain file")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # a null character in the name
        raise DataFileError(f"{error}") from None
    if len(content) > MOST_BYTES:
        raise DataFileError(f"{path}: more than {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}: not UTF-8 at byte {error.start}") from None


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _lines(content: str) -> list[tuple[int, dict[str, str]]]:
    """Line number and what each column says, checked."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    listed: list[tuple[int, dict[str, str]]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(listed) == MOST_ROWS:
                raise DataFileError(f"more than {MOST_ROWS:,} rows")
            line = reader.line_num
            if len(cells) != len(header):
                raise DataFileError(f"line {line}: {len(cells)} cells, where the header has {len(header)}")
            values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            for column, text in values.items():
                _check(line, column, text)
            listed.append((line, values))
    except csv.Error as error:
        raise DataFileError(f"line {reader.line_num}: {error}") from None
    if not listed:
        raise DataFileError("no rows")
    return listed


def _check_header(header: Sequence[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            from difflib import get_close_matches

            near = get_close_matches(name, COLUMNS, n=1, cutoff=0.4)
            raise DataFileError(f"line 1: there is no column {_quoted(name)}; {_hint(near)}")
    if "id" not in header:
        raise DataFileError("line 1: the column id is missing")
    if len(set(header)) < len(header):
        raise DataFileError("line 1: a column is there twice")


def _hint(near: Sequence[str]) -> str:
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(COLUMNS)}"


def _check(line: int, column: str, text: str) -> None:
    where = f"line {line}, column {column}"
    longest = MOST_ID if column == "id" else MOST_TEXT
    if len(text) > longest:
        raise DataFileError(f"{where}: longer than {longest} characters")
    if not text.isprintable():
        raise DataFileError(f"{where}: a character that cannot be printed")
    if column == "id" and (not text or any(char.isspace() for char in text)):
        raise DataFileError(f"{where}: an id is one word, not {_quoted(text)}")
    if column == "id" and text.casefold() in RESERVED:
        raise DataFileError(f"{where}: {_quoted(text)} means something else already")
    if not text:
        return
    if column in ("intensity_low", "intensity_high"):
        _number(where, text, 0.0, HIGHEST_G_PER_KWH)
    elif column in ("intensity_g_per_kwh", "lifecycle_g_per_kwh"):
        _number(where, text, LOWEST_G_PER_KWH, HIGHEST_G_PER_KWH)
    elif column == "pue":
        _number(where, text, 1.0, 10.0)
    elif column == "year" and not (text.isascii() and text.isdigit() and 1900 <= int(text) <= 2200):
        raise DataFileError(f"{where}: a year is a whole number from 1900 to 2200, not {_quoted(text)}")


def _number(where: str, text: str, low: float, high: float) -> None:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise DataFileError(f"{where}: a number from {low:g} to {high:g}, not {_quoted(text)}")


def _quoted(text: str) -> str:
    return f'"{text[:40]}"'


def _new_row(columns: Sequence[str], region_id: str) -> list[str]:
    row = dict.fromkeys(columns, "")
    row.update(id=region_id, kind="own", name=region_id, parent="WORLD")
    return list(row.values())


def _lay(row: list[str], values: Mapping[str, str], place: Mapping[str, int], *, new: bool) -> bool:
    """Lay one line over a row. Whether it gave a figure for the grid."""
    for column in ("name", "note", "pue"):
        if values.get(column):
            row[place[column]] = values[column]
    if values.get("pue"):
        row[place["pue_year"]] = values.get("year", "")
    both = [values[name] for name in ("lifecycle_g_per_kwh", "intensity_g_per_kwh") if values.get(name)]
    if not both:
        bounds = next((name for name in ("intensity_low", "intensity_high") if values.get(name)), None)
        if new or bounds:
            raise DataFileError(
                f"column {bounds or 'intensity_g_per_kwh'}: the region's intensity_g_per_kwh is missing"
            )
        return False
    if float(both[0]) != float(both[-1]):
        raise DataFileError("column lifecycle_g_per_kwh: not what intensity_g_per_kwh says; one of them is enough")
    low, high = values.get("intensity_low", ""), values.get("intensity_high", "")
    if float(low or 0.0) > float(both[0]) or float(high or math.inf) < float(both[0]):
        raise DataFileError("column intensity_g_per_kwh: not between its intensity_low and intensity_high")
    laid = {
        "intensity_g_per_kwh": both[0],
        "lifecycle_g_per_kwh": both[0],
        "intensity_low": low,
        "intensity_high": high,
        "range_years": "",
        "basis": "lifecycle",
        "mix_basis": "",
        "lifecycle_method": "own",
        "second_g_per_kwh": "",
        "grid_region": "",
        "year": values.get("year", ""),
        "source": values.get("source") or _SOURCE,
    }
    for column, text in laid.items():
        row[place[column]] = text
    return True


def _follow(rows: Mapping[str, list[str]], place: Mapping[str, int], given: set[str]) -> None:
    """A cloud region has the life-cycle figure of its grid, also where that is people's own."""
    grid, lifecycle, second = place["grid_region"], place["lifecycle_g_per_kwh"], place["second_g_per_kwh"]
    for row in rows.values():
        if row[grid] in given:
            row[lifecycle] = rows[row[grid]][lifecycle]
            row[second] = ""
