"""One measurement of `track`, and its figures: readable while it runs and after.

A figure that is asked for while the measurement runs is that of a window from its beginning to the present; one asked
for after its end is final as soon as every sensor has been read after it, and until then power times duration with a
wide range. Asking waits 50 ms at most, and asks the sensors no more than ten times a second. Unknown is None.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from carbon_magic.books import Books, kernel_session
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.windows import Window, is_interrupt

if TYPE_CHECKING:
    from carbon_magic.views.parts import Words

LOOK_S = 0.1
"""A figure of something that runs is at least this old before the sensors are asked again."""


class Figures(ABC):
    """The figures of a measurement. Energies in joules, emissions in grams of CO2e, of this process and its children;
    each is None where it is unknown."""

    @property
    @abstractmethod
    def record(self) -> CellRecord | None:
        """All of them in one record, as it would be stored; None before there is anything."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it has begun and not ended."""

    @property
    @abstractmethod
    def duration_s(self) -> float | None:
        """Seconds it took, or has taken so far."""

    def _figure(self, name: str) -> float | None:
        record = self.record
        value: float | None = None if record is None else getattr(record, name)
        return value

    @property
    def energy_j(self) -> float | None:
        """The energy that this process and its children used: their part of what is above idle, and of what is
        allotted to them of the idle energy."""
        return self._figure("energy_j")

    @property
    def energy_j_low(self) -> float | None:
        """At 95 %, the energy is not below this."""
        return self._figure("energy_j_low")

    @property
    def energy_j_high(self) -> float | None:
        """At 95 %, the energy is not above this."""
        return self._figure("energy_j_high")

    @property
    def marginal_energy_j(self) -> float | None:
        """The part of the energy that is above idle."""
        return self._figure("marginal_energy_j")

    @property
    def machine_energy_j(self) -> float | None:
        """The energy of the whole machine in the same time."""
        return self._figure("machine_energy_j")

    @property
    def cpu_energy_j(self) -> float | None:
        """The processors' part of the energy."""
        return self._figure("cpu_energy_j")

    @property
    def gpu_energy_j(self) -> float | None:
        """The GPUs' part of the energy."""
        return self._figure("gpu_energy_j")

    @property
    def dram_energy_j(self) -> float | None:
        """The memory's part of the energy."""
        return self._figure("dram_energy_j")

    @property
    def emissions_g(self) -> float | None:
        """What the energy emitted, by the grid's mean life-cycle intensity. Where the region is unknown this is for
        the world's mean, and low and high span its grids."""
        return self._figure("emissions_g")

    @property
    def emissions_g_low(self) -> float | None:
        """The emissions' lower bound."""
        return self._figure("emissions_g_low")

    @property
    def emissions_g_high(self) -> float | None:
        """The emissions' upper bound."""
        return self._figure("emissions_g_high")

    @property
    def power_w(self) -> float | None:
        """Mean power in watts: the energy by the duration."""
        record = self.record
        if record is None or record.energy_j is None or record.duration_s <= 0.0:
            return None
        return record.energy_j / record.duration_s


class Run(Figures):
    """One measurement, from its beginning to its end."""

    def __init__(self, name: str | None, *, cell: bool) -> None:
        self.name = name
        self.cell = cell
        """Whether it is, or would be, recorded: what begins inside it is part of it."""
        self.pid = os.getpid()
        self._thread = threading.get_ident()

    @abstractmethod
    def end(self, status: Status) -> None:
        """End it. Calling it again does nothing."""

    @property
    def here(self) -> bool:
        """Whether it runs, in this process and on this thread."""
        return self.running and self.pid == os.getpid() and self._thread == threading.get_ident()

    def __repr__(self) -> str:
        return shown(self, self.name)

    def _repr_html_(self) -> str | None:
        return shown_html(self)


class Span(Run):
    """A measurement without a break."""

    def __init__(self, name: str | None, books: Books, window: Window, *, cell: bool) -> None:
        super().__init__(name, cell=cell)
        self._books = books
        self._window = window
        self._look: CellRecord | None = None
        self._looked_s = float("-inf")
        self._probe: Window | None = None

    def end(self, status: Status) -> None:
        if self.pid == os.getpid():
            self._books.end(self._window, status)
        elif self._window.closed_s is None:
            # Begun before the fork: it goes on in the parent, and here nothing was measured.
            self._window.closed_s = time.monotonic()

    def promote(self) -> None:
        """What it is a part of ends before it: it is to be recorded itself."""
        self.cell = True
        self._books.promote(self._window)

    @property
    def running(self) -> bool:
        return self._window.closed_s is None

    @property
    def duration_s(self) -> float:
        until_s = self._window.closed_s
        return max(0.0, (time.monotonic() if until_s is None else until_s) - self._window.opened_s)

    @property
    def record(self) -> CellRecord | None:
        window = self._window
        if window.record is None and self.pid == os.getpid():
            now_s = time.monotonic()
            if now_s - self._looked_s >= LOOK_S or (window.closed_s is not None and self._is_running(self._look)):
                self._looked_s = now_s
                self._look_again()
        return window.record or self._look

    @staticmethod
    def _is_running(look: CellRecord | None) -> bool:
        return look is None or look.status == "running"

    def _look_again(self) -> None:
        window = self._window
        if window.closed_s is not None:
            self._books.poke()
            if window.record is None:
                self._look = self._books.estimate(window)
            return
        if window.cover is None:
            self._books.poke()  # its beginning has yet to be read
        self._take_probe()
        if self._probe is None:
            self._probe = self._books.probe(window)
            if self._probe is not None:
                self._books.poke()
                self._take_probe()

    def _take_probe(self) -> None:
        if self._probe is not None and self._probe.record is not None:
            self._look = replace(self._probe.record, status="running", final=False)
            self._probe = None


def ending(error: BaseException | None) -> Status:
    """How what was measured ended: well also where it exits with 0, or is a generator that nobody asks any more."""
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    if isinstance(error, SystemExit):
        return "error" if error.code else "ok"
    return "interrupted" if is_interrupt(error) else "error"


def shown(figures: Figures, name: str | None) -> str:
    """What a terminal shows of a measurement."""
    record = figures.record
    if record is None:
        state = "running" if figures.running else "not measured"
        return f"<track {name!r}, {state}>" if name else f"<track, {state}>"
    from carbon_magic.views.result import result_text

    return result_text(record, words=_words())


def shown_html(figures: Figures) -> str | None:
    """What a page shows of it; None leaves it to the text."""
    record = figures.record
    if record is None:
        return None
    from carbon_magic.views.result import result_html

    return result_html(record, _words())


def _words() -> Words:
    from carbon_magic.views.parts import Words

    concurrent = "Something else was measured at the same time: the two overlap and are never added."
    unmeasured = "No sensor and no model gave figures for it."
    if kernel_session() is not None:
        return Words(unnamed="This block", unmeasured=f"{unmeasured} What was tried: %carbon doctor")
    return Words(
        unnamed="This block",
        scope="Chips only, this process’s share.",
        set_region='track(region="FR"), or CARBON_MAGIC_REGION=FR',
        unmeasured=unmeasured,
        concurrent=concurrent,
    )
