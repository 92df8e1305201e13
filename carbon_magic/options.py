"""What may stand behind `%%carbon`, and how its first line is taken off a cell.

`%%carbon` does not run the cell: nested runs lose `await`, the last expression and the reply's status. It is an input
transformer that turns its own line into a comment (line numbers stay, and `from __future__` may follow), or drops the
line where another cell magic comes next, which must stand first. The measuring is done by the hooks around the cell.
Whatever cannot be taken off (options that do not parse, `-h`, an empty body) is left to the registered magic, which
explains itself the way magics do.
"""

from __future__ import annotations

import argparse
import re
import shlex
import threading
from collections.abc import Callable
from keyword import iskeyword
from typing import NamedTuple, NoReturn

MAGIC = "%%carbon"

_PROMPT = re.compile(r"^\s*(?:>>>|In \[\d+\]:) ?")
"""Pasted prompts, which IPython takes off a cell before it runs it."""


class CellOptions(NamedTuple):
    """The options of one `%%carbon` line."""

    label: str | None = None
    region: str | None = None
    output: str | None = None
    quiet: bool = False


class OptionsError(ValueError):
    """The options do not parse; the message says why and names what is near."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionsError(message)


def cell_parser() -> argparse.ArgumentParser:
    """The parser of `%%carbon`'s line."""
    parser = _Parser(
        prog=MAGIC,
        description="Run the cell and show what it cost in energy and CO2e, compactly, under it.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-n", "--name", dest="label", metavar="LABEL", help="a name for the cell's record")
    parser.add_argument("-r", "--region", metavar="REGION", help="the grid for this cell: FR, US-CA, aws:eu-north-1")
    parser.add_argument("-o", "--output", metavar="VAR", help="put the record into this variable")
    parser.add_argument("-q", "--quiet", action="store_true", help="show nothing under the cell")
    return parser


def parse_cell_line(line: str) -> CellOptions:
    """The options in what follows `%%carbon` on its line.

    Raises:
        OptionsError: an option does not exist or misses its value, or VAR is no name; the nearest are named.
        carbon_magic.grid.regions.UnknownRegion: there is no such region.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise OptionsError(f"{error} in: {line}") from error
    known = {"-n", "--name", "-r", "--region", "-o", "--output", "-q", "--quiet", "-h", "--help"}
    parsed, unknown = cell_parser().parse_known_args(words)
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], sorted(known), n=2, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else " It takes -n LABEL, -r REGION, -o VAR and -q."
        raise OptionsError(f"no such option: {unknown[0]}.{hint}")
    if parsed.output is not None and (not parsed.output.isidentifier() or iskeyword(parsed.output)):
        raise OptionsError(f"-o takes the name of a variable, not {parsed.output!r}")
    if parsed.region is not None:
        from carbon_magic.grid.regions import region

        region(parsed.region)
    return CellOptions(parsed.label, parsed.region, parsed.output, parsed.quiet)


def split_cell(raw_cell: str) -> tuple[str, list[str]] | None:
    """(what follows `%%carbon`, the body's lines) of a cell that begins with it, else None.

    Blank lines and pasted prompts before it are passed over, as IPython does.
    """
    lines = raw_cell.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        first = _PROMPT.sub("", line).strip()
        if first == MAGIC or (first.startswith(MAGIC) and first[len(MAGIC)] in " \t"):
            return first[len(MAGIC) :].strip(), lines[index + 1 :]
        return None
    return None


def options_of(raw_cell: str) -> CellOptions | None:
    """The options of a cell that is to be measured by the hooks; None where the cell is not, or not so."""
    split = split_cell(raw_cell)
    if split is None or not any(line.strip() for line in split[1]):
        return None
    try:
        return parse_cell_line(split[0])
    except ValueError:
        return None  # left to the registered magic, which raises the same error where people see it


class CellTransformer:
    """The input transformer. What it makes of a cell depends on its lines and on whether this thread is in a cell."""

    has_side_effects = True
    """Or else a terminal would try it on each line to see whether the cell is complete."""

    def __init__(self, inside_a_cell: Callable[[], bool]) -> None:
        self._inside_a_cell = inside_a_cell
        self._noted: dict[int, CellOptions | None] = {}
        """By thread, what was taken off its latest cell: only IPython knows what it made of the raw one."""

    def take(self, raw_cell: str) -> CellOptions | None:
        """The options of the cell that begins on this thread now, which is the one that was just transformed."""
        return self._noted.pop(threading.get_ident(), None)

    def __call__(self, lines: list[str]) -> list[str]:
        if self._inside_a_cell():
            return lines
        self._noted.pop(threading.get_ident(), None)
        if not lines or not lines[0].startswith(MAGIC):
            return lines
        options = options_of("".join(lines))
        if options is None:
            return lines
        self._noted[threading.get_ident()] = options
        done = ["#" + lines[0]]
        for index, line in enumerate(lines[1:], start=1):
            if line.startswith(MAGIC) and options_of("".join(lines[index:])) is not None:
                done.append("#" + line)  # a second one: the cell is measured already, by the first one's options
            elif line.startswith("%%"):
                return lines[index:]
            elif line.strip():
                return [*done, *lines[index:]]
            else:
                done.append(line)
        return done
