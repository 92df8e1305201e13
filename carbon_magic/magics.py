"""`%carbon` and `%%carbon`: what people type.

`%carbon` answers from the session. `%%carbon` comes here only where its line could not be taken off the cell: for
help, with options that do not parse, without a body, or inside another cell's run. The usual `%%carbon` cell runs as
if it had no such line, and its result is shown by the hook that ends it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from carbon_magic.options import cell_parser, parse_cell_line
from carbon_magic.session import Session
from carbon_magic.snapshot import Place
from carbon_magic.windows import Window

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
LIVE_S = 3.0
"""The live value is waited for at most this long."""
KEPT_S = 1.0
"""The history waits this long at most until the cells so far are in the ledger."""


@magics_class
class CarbonMagics(Magics):
    """The magics of one session."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self.session = session

    @line_cell_magic
    def carbon(self, line: str, cell: str | None = None) -> None:
        """What the cells of this notebook cost in energy and CO2e. `%carbon help` lists what can be asked."""
        if cell is None:
            self._line(_words(line))
        else:
            self._cell(line, cell)

    def _line(self, words: list[str]) -> None:
        command, *rest = words or [""]
        if command in ("", "summary"):
            _no_more("", rest)
            self._summary()
            return
        actions: dict[str, Callable[[list[str]], None]] = {
            "cells": self._cells,
            "history": self._history,
            "panel": self._panel,
            "compare": self._compare,
            "region": self._region,
            "live": self._live,
            "on": self._on,
            "off": self._off,
            "doctor": self._doctor,
            "reset": self._reset,
            "methods": self._methods,
            "help": self._help,
            "-h": self._help,
            "--help": self._help,
        }
        if command not in actions:
            raise UsageError(_unknown("%carbon has no", command, COMMANDS))
        actions[command](rest)

    def _summary(self) -> None:
        from carbon_magic.views.summary import summary

        _display(summary(self.session.snapshot()))

    def _cells(self, words: list[str]) -> None:
        from carbon_magic.views.cells import cells

        limit, sort = _cells_options(words)
        snapshot = self.session.snapshot()
        _display(cells(snapshot.records, limit, sort, running=snapshot.running, between_j=snapshot.between_cells_j))

    def _history(self, words: list[str]) -> None:
        import sqlite3

        from carbon_magic.commands.history import gather, options
        from carbon_magic.views.history import history

        try:
            by, since = options(words)
        except ValueError as error:
            raise UsageError(f"%carbon history: {error}") from None
        self.session.settle(KEPT_S)
        self.session.flush(KEPT_S)
        try:
            shown = gather(by, since)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"%carbon history: {error}") from None
        _display(history(shown))

    def _compare(self, words: list[str]) -> None:
        from carbon_magic.commands.elsewhere import elsewhere, parse
        from carbon_magic.views.compare import comparison

        try:
            asked = parse(words)
            if asked.asked.at is not None:
                self.session.live.ask_now(LIVE_S)
            live = self.session.live.state()
            shown = elsewhere(asked, self.session.snapshot(), self.session.config.pue, live)
        except ValueError as error:
            raise UsageError(f"%carbon compare: {error}") from None
        _display(comparison(shown))

    def _panel(self, words: list[str]) -> None:
        _no_more("panel", words)
        if self.session.link is None:
            raise UsageError("%carbon panel: it shows in notebooks only. %carbon has the same figures as text")
        from carbon_magic.views.panel import PanelMissing, panel

        try:
            shown = panel(self.session.link)
        except PanelMissing as missing:
            raise UsageError(f"%carbon panel: {missing}") from None
        _display(shown)

    def _region(self, words: list[str]) -> None:
        if not words:
            _say(_about(self.session.live.state().place))
            return
        from carbon_magic.region_line import parse_region_line

        try:
            found = self.session.say(parse_region_line(words))
        except ValueError as error:
            raise UsageError(f"%carbon region: {error}") from None
        _say(_about(found))

    def _live(self, words: list[str]) -> None:
        from carbon_magic.views.live import live_text

        if len(words) > 1:
            raise UsageError(f"%carbon live takes one provider or off, not {' '.join(words)!r}")
        try:
            if words:
                self.session.live.say(words[0])
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.session.live.ask_now(LIVE_S)
        _say(live_text(self.session.live.state()))

    def _on(self, words: list[str]) -> None:
        _no_more("on", words)
        self.session.config.auto_track = True
        self.session.on()
        print("Tracking every cell, from the next one on.")

    def _off(self, words: list[str]) -> None:
        _no_more("off", words)
        self.session.config.auto_track = False
        self.session.off()
        print("Tracking is off. A cell that begins with %%carbon is still measured.")

    def _doctor(self, words: list[str]) -> None:
        for word in words:
            if word not in DOCTOR_OPTIONS:
                raise UsageError(_unknown("%carbon doctor has no", word, DOCTOR_OPTIONS))
        if len(words) > 1:
            raise UsageError(f"%carbon doctor takes one of {' and '.join(DOCTOR_OPTIONS)}")
        found = self.session.findings()
        if not words:
            from carbon_magic.views.doctor import doctor

            _display(doctor(found))
            return
        from carbon_magic.views.doctor_data import in_form

        _say(in_form(found, words[0].lstrip("-"), self.session.environ).rstrip("\n"))

    def _reset(self, words: list[str]) -> None:
        _no_more("reset", words)
        self.session.reset()
        print("Begun anew: this session's figures are at nothing.")

    def _methods(self, words: list[str]) -> None:
        _no_more("methods", words)
        from carbon_magic.commands.methods import methods_page

        _display(methods_page())

    def _help(self, words: list[str]) -> None:
        _no_more("help", words)
        print(HELP, end="")

    def _cell(self, line: str, cell: str) -> None:
        words = _words(line)
        if "-h" in words or "--help" in words:
            print(cell_parser().format_help(), end="")
            return
        try:
            parse_cell_line(line)
        except ValueError as error:
            raise UsageError(f"%%carbon: {error}") from None
        if not cell.strip():
            raise UsageError("%%carbon: there is nothing below it to measure")
        # Inside another cell's run: that cell's window holds this one, and IPython gives it no events of its own.
        run_inside(self.shell, self.session, line, cell)


def run_inside(shell: Any, session: Session, line: str, cell: str) -> None:
    """Run a cell within a cell, and show what it cost. Its record is shown or handed over, not kept: the outer
    cell's record holds it."""
    options = parse_cell_line(line)
    window = session.cells.begin_inside(options)
    with _errors_left_to_the_caller(shell):
        result = shell.run_cell(cell, store_history=False)
    session.cells.end_inside(window, result)
    show_result(shell, session, window)
    result.raise_error()


@contextmanager
def _errors_left_to_the_caller(shell: Any) -> Iterator[None]:
    """A run within a run prints its traceback and goes on. Here it is raised again, and printed once, by the outer."""
    names = ("showtraceback", "showsyntaxerror", "showindentationerror")
    before = {name: shell.__dict__.get(name) for name in names}
    for name in names:
        setattr(shell, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, own in before.items():
            if own is None:
                delattr(shell, name)
            else:
                setattr(shell, name, own)


def show_result(shell: Any, session: Session, window: Window) -> None:
    """What `%%carbon` shows under its cell, and the variable that it fills."""
    options = window.options
    if options is None or (options.quiet and options.output is None):
        return
    record = session.result(window)
    if options.output is not None:
        shell.user_ns[options.output] = record
    if not options.quiet:
        from carbon_magic.views.result import result

        _display(result(record))


def _say(text: str) -> None:
    from carbon_magic.views.plain import for_stream

    print(for_stream(text, sys.stdout))


def _display(shown: Any) -> None:
    """HTML in notebooks, text in terminals."""
    from IPython.display import display

    display(shown)


_INSIDE_A_WORD = re.compile(r"(?<=\w)'(?=\w)")
"""An apostrophe that opens no quotation: Côte d'Ivoire."""


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        with suppress(ValueError):
            return shlex.split(_INSIDE_A_WORD.sub(r"\\'", line))
        raise UsageError(f"%carbon: {error} in: {line}") from None


def _no_more(command: str, words: list[str]) -> None:
    if words:
        raise UsageError(f"%carbon {command} takes nothing after it, not {words[0]!r}")


def _unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=2, cutoff=0.4)
    return f"{what} {word!r}. Nearest: {', '.join(near or known)}"


def _cells_options(words: list[str]) -> tuple[int, Sort]:
    limit = 10
    sort: Sort = "energy"
    rest = list(words)
    while rest:
        option, _, value = rest.pop(0).partition("=")
        if option not in ("-n", "--sort"):
            raise UsageError(_unknown("%carbon cells has no", option, ("-n", "--sort")))
        if not value:
            if not rest:
                raise UsageError(f"%carbon cells: {option} misses its value")
            value = rest.pop(0)
        if option == "--sort":
            if value not in SORTS:
                raise UsageError(_unknown("%carbon cells cannot sort by", value, SORTS))
            sort = "time" if value == "time" else "energy"
        elif value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_CELLS:
            limit = int(value)
        else:
            raise UsageError(f"%carbon cells: -n takes a number from 1 to {MOST_CELLS}, not {value!r}")
    return limit, sort


def _about(place: Place) -> str:
    from carbon_magic.views.place import place_text

    return place_text(place)
