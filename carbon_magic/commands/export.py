"""`carbon-magic export`: the ledger as a file for tables, programs or CodeCarbon's readers."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Literal

from carbon_magic.commands.files import writing
from carbon_magic.ledger.read import Reader

Format = Literal["csv", "json", "codecarbon"]


def export(form: Format, output: str | None, since: datetime | None) -> int:
    """Write what was recorded.

    Args:
        form: `csv` and `json` have a record of each cell, `codecarbon` a line of each session.
        output: the file, or None for standard output.
        since: leave out cells that began earlier; of `codecarbon` sessions that began earlier.

    Raises:
        UsageError: the file cannot be written; what was there before is left.
        HomelessError: no folder for records is known.
    """
    with Reader() as reader:
        with writing(output) as stream:
            if form == "csv":
                from carbon_magic.ledger.export import write_csv

                count = write_csv(reader.records(since=since), stream)
            elif form == "json":
                from carbon_magic.ledger.export import write_json

                count = write_json(reader.records(since=since), stream)
            else:
                from carbon_magic.ledger.codecarbon import write_codecarbon

                # The oldest first, as lines are appended to such a file.
                sessions = [row for row in reversed(reader.sessions(since=since)) if _begun(row.started_at, since)]
                count = write_codecarbon(sessions, reader.records(since=since), stream)
        for problem in reader.problems:
            sys.stderr.write(f"carbon-magic export: not read: {problem}\n")
    if output is not None and output != "-":
        what = "session" if form == "codecarbon" else "record"
        sys.stderr.write(f"{count} {what}{'s'[: count != 1]} written to {output}\n")
    return 0


def _begun(started_at: str, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(started_at).astimezone(timezone.utc) >= since
