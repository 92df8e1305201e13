"""Records as files: CSV for tables and spreadsheets, JSON for programs. Both are written as the records are read.

A spreadsheet takes a cell that begins with one of a few signs for a formula and runs it; labels and names of notebooks
are somebody else's. So in CSV such a text gets an apostrophe in front, which spreadsheets show as text. JSON has every
text as it is.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TextIO

from carbon_magic.ledger.record import CellRecord

COLUMNS = tuple(field.name for field in fields(CellRecord))
"""Of the CSV: the fields of a record, in its order."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\n")
"""What a spreadsheet may take for the beginning of a formula (OWASP, "CSV Injection")."""


def write_csv(records: Iterable[CellRecord], stream: TextIO) -> int:
    """Write a header and a line for each record; give their number.

    What is unknown is an empty cell, a flag `true` or `false`, sensors are joined by spaces, lines by a line feed.
    Numbers are written so that they read back as the same float.

    Raises:
        OSError: the stream cannot be written.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for record in records:
        writer.writerow([csv_cell(getattr(record, name)) for name in COLUMNS])
        count += 1
    return count


def write_json(records: Iterable[CellRecord], stream: TextIO) -> int:
    """Write an array with a record on each line; give their number.

    Raises:
        OSError: the stream cannot be written.
    """
    count = 0
    stream.write("[")
    for record in records:
        stream.write(",\n" if count else "\n")
        stream.write(json.dumps(record.as_dict(), allow_nan=False))
        count += 1
    stream.write("\n]\n" if count else "]\n")
    return count


def csv_cell(value: Any) -> str:
    """A field's value as a cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    # A lone carriage return is not put in quotes where lines end in a line feed, and would end the line.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "'" + text if text.startswith(FORMULA_SIGNS) else text
