"""The words behind `%carbon`: which there are, the help that lists them, and how a line is taken apart."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import Literal

from IPython.core.error import UsageError

HELP = """\
%carbon                 what this session has cost so far
%carbon cells           its most expensive cells
        [-n N]            so many, 10 if not said
        [--sort KEY]      by energy (as if not said) or by time
%carbon history         what was recorded so far, in all notebooks
        [--since WHEN]    since 90m, 36h, 7d, 4w ago or 2026-11-01
        [--by WHAT]       by project (as if not said), notebook, day or label
%carbon compare         what the session would have emitted elsewhere
        [REGION...]       in these: FR, US-CA, Quebec, aws:eu-north-1
        [--same-provider] [--eu] [--near 1000km] [--top N]
        [--cell N]        not the session's energy, but that of cell [N]
        [--label LABEL]   or that of all cells of this name
        [--at 03:00]      what beginning at that time of day would change
%carbon panel           all of it, live, with a chart of power
%carbon region          the grid in use, and how it was found
%carbon region ID       use this grid from now on: FR, US-CA, aws:eu-north-1
%carbon region auto     use what the settings say, or what is found, again
        [--intensity G]   your own g CO2e/kWh, and what it is of: "our solar roof"
        [--low G --high G]  and its range, 40 % either way if not said
        [--mix MIX]       your own mix of power stations: wind=0.6,gas=0.4
        [--pue P]         power usage effectiveness of the building
        [--note TEXT]     beside the figures: certificates bought; changes none
%carbon on              track every cell
%carbon off             track only cells that begin with %%carbon
%carbon live            the live intensity: whose it is, its value, the last error
%carbon live PROVIDER   ask electricitymaps or carbonintensity from now on
%carbon live off        ask nobody, use annual figures
%carbon doctor          the sensors found, which are used and why
        [--json]          as JSON
        [--report]        as a block for bug reports, without names or paths
%carbon reset           forget this session's figures and begin anew
%carbon methods         how the figures are made, and what they leave out
%carbon help            this page

%%carbon                run the cell and show what it cost under it
        [-n LABEL]        name its record
        [-r REGION]       convert by this grid
        [-o VAR]          put the record into a variable
        [-q]              show nothing

Settings: %config CarbonMagic
"""
COMMANDS = ("cells", "history", "compare", "panel", "region", "live", "on", "off", "doctor", "reset", "methods", "help")
Sort = Literal["energy", "time"]
SORTS = ("energy", "time")
DOCTOR_OPTIONS = ("--json", "--report")
MOST_CELLS = 1000
_INSIDE_A_WORD = re.compile(r"(?<=\w)'(?=\w)")
"""An apostrophe that opens no quotation: Côte d'Ivoire."""


def words_of(line: str) -> list[str]:
    """The words of a line, as a shell takes them.

    Raises:
        UsageError: a quotation is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        with suppress(ValueError):
            return shlex.split(_INSIDE_A_WORD.sub(r"\\'", line))
        raise UsageError(f"%carbon: {error} in: {line}") from None


def no_more(command: str, words: list[str]) -> None:
    """Refuse words behind a subcommand that takes none.

    Raises:
        UsageError: there are some.
    """
    if words:
        raise UsageError(f"%carbon {command} takes nothing after it, not {words[0]!r}")


def unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    """What is said of a word that is not known, with the nearest that are."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=2, cutoff=0.4)
    return f"{what} {word!r}. Nearest: {', '.join(near or known)}"


def cells_options(words: list[str]) -> tuple[int, Sort]:
    """How many cells `%carbon cells` shows, and in what order.

    Raises:
        UsageError: there is no such option, or its value cannot be.
    """
    limit = 10
    sort: Sort = "energy"
    rest = list(words)
    while rest:
        option, _, value = rest.pop(0).partition("=")
        if option not in ("-n", "--sort"):
            raise UsageError(unknown("%carbon cells has no", option, ("-n", "--sort")))
        if not value:
            if not rest:
                raise UsageError(f"%carbon cells: {option} misses its value")
            value = rest.pop(0)
        if option == "--sort":
            if value not in SORTS:
                raise UsageError(unknown("%carbon cells cannot sort by", value, SORTS))
            sort = "time" if value == "time" else "energy"
        elif value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_CELLS:
            limit = int(value)
        else:
            raise UsageError(f"%carbon cells: -n takes a number from 1 to {MOST_CELLS}, not {value!r}")
    return limit, sort
