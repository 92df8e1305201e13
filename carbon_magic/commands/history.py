"""`carbon-magic history` and `%carbon history`: what has been recorded so far, summed up."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import datetime
from typing import Any

from carbon_magic.commands.files import plain_output
from carbon_magic.ledger.check import utc_text
from carbon_magic.ledger.read import BYS, By, Reader
from carbon_magic.ledger.sums import Group
from carbon_magic.views.history import History, has_range, history_text

DEFAULT: By = "project"
_WIDTH_OF_FILES = 120


def gather(by: By, since: datetime | None) -> History:
    """What the ledger has, summed up.

    Raises:
        HomelessError: no folder for records is known.
    """
    with Reader() as reader:
        groups = reader.groups(by, since=since)
        total = reader.totals(since=since)
        imported = sum(row.kind == "imported" for row in reader.sessions(since=since))
        return History(groups, total, by, since, imported, reader.problems)


def history(by: By, since: datetime | None, *, as_json: bool = False) -> int:
    """Print it, as a table or as JSON."""
    shown = gather(by, since)
    if as_json:
        json.dump(as_data(shown), plain_output(), indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    shown = shown._replace(methods="carbon-magic methods")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_OF_FILES
    text = history_text(shown, max(width, 40))
    encoding = sys.stdout.encoding or "ascii"
    if text != text.encode(encoding, "replace").decode(encoding):
        text = history_text(shown, max(width, 40), ascii_only=True)
    sys.stdout.write(text + "\n")
    return 0


def as_data(shown: History) -> dict[str, Any]:
    """The history as JSON has it: joules, grams and seconds; null for what is unknown."""
    return {
        "by": shown.by,
        "since": utc_text(shown.since) if shown.since is not None else None,
        "groups": [_group(group) for group in shown.groups],
        "total": _group(shown.total._replace(below_resolution=sum(group.below_resolution for group in shown.groups))),
        "imported": shown.imported,
        "problems": list(shown.problems),
    }


def _group(group: Group) -> dict[str, Any]:
    energy, grams = group.energy_j, group.emissions_g
    energy_range = energy if energy and has_range(energy) else None
    grams_range = grams if grams and has_range(grams) else None
    return {
        "name": group.name,
        "cells": group.cells,
        # So many of them were too short for their sensor: power times time.
        "below_resolution": group.below_resolution,
        "duration_s": group.duration_s,
        "energy_j": energy.best if energy else None,
        "energy_j_low": energy_range.low if energy_range else None,
        "energy_j_high": energy_range.high if energy_range else None,
        # Where the region was unknown for a part there is no best, only a range.
        "emissions_g": grams.best if grams and group.emissions_known else None,
        "emissions_g_low": grams_range.low if grams_range else None,
        "emissions_g_high": grams_range.high if grams_range else None,
        "emissions_known": group.emissions_known,
        "first_at": group.first_at or None,
        "last_at": group.last_at or None,
    }


def options(words: list[str]) -> tuple[By, datetime | None]:
    """What stands behind `%carbon history`: `--since` and `--by`.

    Raises:
        ValueError: one does not exist, misses its value or has a wrong one; the nearest, or examples, are named.
    """
    from difflib import get_close_matches

    from carbon_magic.commands.since import moment

    by, since = DEFAULT, None
    rest = list(words)
    while rest:
        option, _, value = rest.pop(0).partition("=")
        if option not in OPTIONS:
            near = get_close_matches(option, OPTIONS, n=1, cutoff=0.4) or list(OPTIONS)
            raise ValueError(f"there is no {option!r}. Nearest: {', '.join(near)}")
        if not value:
            if not rest:
                raise ValueError(f"{option} misses its value")
            value = rest.pop(0)
        if option == "--since":
            since = moment(value)
        else:
            by = checked_by(value)
    return by, since


OPTIONS = ("--since", "--by")


def checked_by(text: str) -> By:
    """One of the ways to group.

    Raises:
        ValueError: it is none; the nearest is named.
    """
    from difflib import get_close_matches

    for by in BYS:
        if text == by:
            return by
    near = get_close_matches(text, BYS, n=1, cutoff=0.4) or list(BYS)
    raise ValueError(f"cells are not grouped by {text!r}. Nearest: {', '.join(near)}")
