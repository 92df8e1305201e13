"""`%carbon` and `%%carbon`: what people type.

`%carbon` answers from the session. `%%carbon` comes here only where its line could not be taken off the cell: for
help, with options that do not parse, without a body, or inside another cell's run. The usual `%%carbon` cell runs as
if it had no such line, and its result is shown by the hook that ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from carbon_magic.magic_words import COMMANDS, DOCTOR_OPTIONS, HELP, cells_options, no_more, unknown, words_of
from carbon_magic.options import cell_parser, parse_cell_line
from carbon_magic.session import Session
from carbon_magic.snapshot import Place
from carbon_magic.windows import Window

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
            self._line(words_of(line))
        else:
            self._cell(line, cell)

    def _line(self, words: list[str]) -> None:
        command, *rest = words or [""]
        if command in ("", "summary"):
            no_more("", rest)
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
            raise UsageError(unknown("%carbon has no", command, COMMANDS))
        actions[command](rest)

    def _summary(self) -> None:
        from carbon_magic.views.summary import summary

        _display(summary(self.session.snapshot()))

    def _cells(self, words: list[str]) -> None:
        from carbon_magic.views.cells import cells

        limit, sort = cells_options(words)
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
        no_more("panel", words)
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
        no_more("on", words)
        self.session.config.auto_track = True
        self.session.on()
        print("Tracking every cell, from the next one on.")

    def _off(self, words: list[str]) -> None:
        no_more("off", words)
        self.session.config.auto_track = False
        self.session.off()
        print("Tracking is off. A cell that begins with %%carbon is still measured.")

    def _doctor(self, words: list[str]) -> None:
        for word in words:
            if word not in DOCTOR_OPTIONS:
                raise UsageError(unknown("%carbon doctor has no", word, DOCTOR_OPTIONS))
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
        no_more("reset", words)
        self.session.reset()
        print("Begun anew: this session's figures are at nothing.")

    def _methods(self, words: list[str]) -> None:
        no_more("methods", words)
        from carbon_magic.commands.methods import methods_page

        _display(methods_page())

    def _help(self, words: list[str]) -> None:
        no_more("help", words)
        print(HELP, end="")

    def _cell(self, line: str, cell: str) -> None:
        words = words_of(line)
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


def _about(place: Place) -> str:
    from carbon_magic.views.place import place_text

    return place_text(place)
