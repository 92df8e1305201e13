"""Tab completion after `%carbon` and `%%carbon`: subcommands, options, regions.

`OFFERS` has, by subcommand, what may come next; a subcommand that takes nothing has no entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CELL_OPTIONS = ["-n", "-r", "-o", "-q", "-h"]


def complete_line(shell: Any, event: Any) -> list[str]:
    """What IPython's completer offers after `%carbon` and `%%carbon`."""
    words = event.line.split()
    last = event.symbol or ""
    before = words[1:-1] if last and words and words[-1].endswith(last) else words[1:]
    if event.line.lstrip().startswith("%%"):
        offered = _regions(event) if before and before[-1] in ("-r", "--region") else CELL_OPTIONS
    elif not before:
        from carbon_magic.magic_words import COMMANDS

        offered = list(COMMANDS)
    else:
        offer = OFFERS.get(before[0])
        offered = offer(before, event) if offer is not None else []
    return [word for word in offered if word.lower().startswith(last.lower())]


def _cells(before: list[str], event: Any) -> list[str]:
    from carbon_magic.magic_words import SORTS

    return list(SORTS) if before[-1] == "--sort" else ["-n", "--sort"]


def _history(before: list[str], event: Any) -> list[str]:
    from carbon_magic.commands.history import OPTIONS
    from carbon_magic.ledger.read import BYS

    if before[-1] == "--by":
        return list(BYS)
    return ["24h", "7d", "30d"] if before[-1] == "--since" else list(OPTIONS)


def _compare(before: list[str], event: Any) -> list[str]:
    from carbon_magic.commands.elsewhere import OPTIONS

    after = {"--near": ["500km", "1000km"], "--top": ["5", "10"], "--at": ["03:00"], "--cell": [], "--label": []}
    return after[before[-1]] if before[-1] in after else [*OPTIONS, *_regions(event)]


def _region(before: list[str], event: Any) -> list[str]:
    from carbon_magic.region_line import AUTO, OPTIONS

    if before[-1] == "--mix":
        from carbon_magic.grid.own import fuel_factors

        return [f"{fuel}=" for fuel in fuel_factors()]
    if before[-1] in OPTIONS:
        return []
    return [*_regions(event), *([AUTO] if len(before) == 1 else []), *OPTIONS]


def _regions(event: Any) -> list[str]:
    """Regions that go on from what is typed. A colon ends a word for the completer, not for a region's id."""
    from carbon_magic.grid.regions import complete

    typed = event.line.split()[-1] if event.line and not event.line[-1].isspace() else ""
    head = typed[: len(typed) - len(event.symbol or "")]
    found = complete(typed)
    return [name[len(head) :] for name in found if name.lower().startswith(head.lower())] if head else found


def _live(before: list[str], event: Any) -> list[str]:
    from carbon_magic.grid.live.choose import names

    return [*names(), "off"] if len(before) == 1 else []


def _doctor(before: list[str], event: Any) -> list[str]:
    from carbon_magic.magic_words import DOCTOR_OPTIONS

    return list(DOCTOR_OPTIONS) if len(before) == 1 else []


OFFERS: dict[str, Callable[[list[str], Any], list[str]]] = {
    "cells": _cells,
    "history": _history,
    "compare": _compare,
    "region": _region,
    "live": _live,
    "doctor": _doctor,
}
"""By subcommand: what may come after the words before."""
