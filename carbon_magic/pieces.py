"""A measurement with breaks: a generator's, which works only while somebody asks it for the next item.

Each advance is a window of its own, and the figures are their sum; the time in between belongs to whoever uses the
items. A generator that yields a million items a second cannot be read a million times: an advance that begins within
20 ms of the last reading and is shorter than that is only timed, and counted at the mean power of those that were
read. Where that was done the range says so.
"""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace

from carbon_magic.books import Asked, Books
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.measured import Run, ending
from carbon_magic.power.sensor import Provenance
from carbon_magic.power.share import BELOW_RESOLUTION, WEAKER
from carbon_magic.whose import before_the_end
from carbon_magic.windows import Window

UNREAD_S = 0.02
"""An advance shorter than this, and as soon after the last reading, is timed only."""
FOLD = 256
"""So many windows are kept before those that are settled are summed up."""

_RANGES = {name: (f"{name}_low", f"{name}_high") for name in ("energy_j", "machine_energy_j", "emissions_g")}
_SUMS = (
    *(name for best, bounds in _RANGES.items() for name in (best, *bounds)),
    "duration_s",
    "marginal_energy_j",
    "idle_energy_j",
    "cpu_energy_j",
    "gpu_energy_j",
    "dram_energy_j",
    "other_energy_j",
    "cpu_seconds",
)


class Pieces(Run):
    """One generator's measurement, from its first advance to its end."""

    def __init__(self, asked: Asked, books: Books, *, cell: bool) -> None:
        super().__init__(asked.label, cell=cell)
        self._asked = asked
        self._books = books
        self._active_s = 0.0
        self._since_s: float | None = None
        """When the present advance began; None between two."""
        self._read_s = float("-inf")
        self._window: Window | None = None
        self._windows: list[Window] = []
        self._sum: CellRecord | None = None
        self._status: Status = "running"
        # Never looked at: while it is open the sampler goes on between two advances.
        self._holding = books.begin(asked, cell=False)
        _unfinished.add(self)

    def advance_begins(self) -> None:
        """The generator is asked for its next item."""
        if self.running:
            self._since_s = time.monotonic()
            if self.pid == os.getpid() and self._since_s - self._read_s >= UNREAD_S:
                self._window = self._books.begin(self._asked, cell=False)

    def advance_ends(self, error: BaseException | None) -> None:
        """It has given one, or ended; running out is how it ends well."""
        self._end(ending(None if isinstance(error, (StopIteration, StopAsyncIteration)) else error))

    def _end(self, status: Status) -> None:
        if self._since_s is None:
            return  # the process has ended, or does so in the middle of an advance
        now_s, since_s, self._since_s = time.monotonic(), self._since_s, None
        window, self._window = self._window, None
        if self.pid == os.getpid() and window is None and now_s - since_s >= UNREAD_S:
            window = self._books.begin(self._asked, cell=False, at_s=since_s)
        if window is None or self.pid != os.getpid():
            self._active_s += now_s - since_s
            return
        self._books.end(window, status)
        self._read_s = window.closed_s or now_s
        self._active_s += self._read_s - window.opened_s
        self._windows.append(window)
        if len(self._windows) >= FOLD:
            self._fold()

    def end(self, status: Status) -> None:
        if self._status != "running":
            return
        self._end(status)
        self._status = status
        _unfinished.discard(self)
        if self.pid != os.getpid():
            return
        self._books.end(self._holding, status)
        record = self.record
        if self.cell and record is not None:
            # Its windows are no cells of their own: the sum is handed over here, with what is known by now.
            self._books.hand_over(replace(record, record_id=self._holding.record_id, final=True), self._holding)

    @property
    def running(self) -> bool:
        return self._status == "running"

    @property
    def duration_s(self) -> float:
        """Seconds it took to advance, without what was in between."""
        since_s = self._since_s
        return self._active_s + (0.0 if since_s is None else time.monotonic() - since_s)

    @property
    def record(self) -> CellRecord | None:
        if self.pid != os.getpid():
            return None
        if any(window.record is None for window in self._windows):
            self._books.poke()
        self._fold()
        parts = [self._sum] if self._sum is not None else []
        waiting = [self._books.estimate(window) for window in self._windows]
        if not parts and not waiting:
            return None
        record = stretched(added([*parts, *waiting]), self._active_s)
        return replace(record, status=self._status, final=not waiting and not self.running)

    def _fold(self) -> None:
        """Sum up what is settled."""
        done = [window for window in self._windows if window.record is not None]
        if done:
            self._windows = [window for window in self._windows if window.record is None]
            parts = [window.record for window in done if window.record is not None]
            self._sum = added(parts if self._sum is None else [self._sum, *parts])


_unfinished: weakref.WeakSet[Pieces] = weakref.WeakSet()


def end_all() -> None:
    """The process ends: every generator that was not used up ends as `interrupted`."""
    for pieces in list(_unfinished):
        pieces.end("interrupted")


before_the_end.append(end_all)


def added(parts: Sequence[CellRecord]) -> CellRecord:
    """The sum of records of one thing over time, one after the other: one source, so lows and highs add."""
    first = parts[0]
    if len(parts) == 1:
        return first
    whole_s = math.fsum(part.duration_s for part in parts)

    def mean(name: str) -> float | None:
        """The mean over time of what is known."""
        told = [(value, part.duration_s) for part in parts if (value := getattr(part, name)) is not None]
        span_s = math.fsum(seconds for _, seconds in told)
        return math.fsum(value * seconds for value, seconds in told) / span_s if span_s > 0.0 else None

    # Parts whose energy is unknown count as much as the others.
    known = [part for part in parts if part.energy_j is not None] or parts
    known_s = math.fsum(part.duration_s for part in known)
    scale = whole_s / known_s if known_s > 0.0 else 1.0
    sums: dict[str, float | None] = {}
    for name in _SUMS:
        values = [value for part in known if (value := getattr(part, name)) is not None]
        sums[name] = math.fsum(values) * scale if values else None
    return replace(
        first,
        **sums,  # type: ignore[arg-type]
        **_intensity(parts),  # type: ignore[arg-type]
        share=mean("share"),
        gpu_utilization=mean("gpu_utilization"),
        cpu_provenance=_weakest(part.cpu_provenance for part in parts),
        gpu_provenance=_weakest(part.gpu_provenance for part in parts),
        dram_provenance=_weakest(part.dram_provenance for part in parts),
        sensors=tuple(dict.fromkeys(name for part in parts for name in part.sensors)),
        concurrent=any(part.concurrent for part in parts),
        final=all(part.final for part in parts),
        below_resolution=any(part.below_resolution for part in parts),
    )


def _intensity(parts: Sequence[CellRecord]) -> dict[str, float | str | int | None]:
    """The mean intensity of parts by energy, or by time where none is known; a live one changes with the hour."""
    latest = parts[-1]
    names = ("intensity_g_per_kwh", "intensity_low", "intensity_high")
    weights = [part.energy_j or 0.0 for part in parts]
    if not any(weights):
        weights = [part.duration_s for part in parts]
    whole = math.fsum(weights)
    if whole <= 0.0 or len({(part.intensity_g_per_kwh, part.intensity_source) for part in parts}) == 1:
        return {name: getattr(latest, name) for name in (*names, "intensity_source", "intensity_year")}
    best, low, high = (
        math.fsum(weight * getattr(part, name) for weight, part in zip(weights, parts, strict=True)) / whole
        for name in names
    )
    sources = [source for part in parts for source in part.intensity_source.split("; ")]
    years = {part.intensity_year for part in parts}
    return {
        "intensity_g_per_kwh": best,
        "intensity_low": min(low, best),
        "intensity_high": max(best, high),
        "intensity_source": "; ".join(dict.fromkeys(sources)),
        "intensity_year": years.pop() if len(years) == 1 else None,
    }


def stretched(record: CellRecord, duration_s: float) -> CellRecord:
    """A record of a part of the time for all of it, `duration_s`, at the same power; wider where much was unread."""
    if record.duration_s <= 0.0:
        return record
    factor = max(1.0, duration_s / record.duration_s)
    values = {name: value * factor for name in _SUMS if (value := getattr(record, name)) is not None}
    below = record.below_resolution
    if factor > 1.0 + 1e-3:
        below = True
        unread = 1.0 - 1.0 / factor
        for best, (low, high) in _RANGES.items():
            if best in values:
                value = values[best]
                values[low] = min(values[low], value * (1.0 - unread * (1.0 - BELOW_RESOLUTION.low)))
                values[high] = max(values[high], value * (1.0 + unread * (BELOW_RESOLUTION.high - 1.0)))
    return replace(record, **values, below_resolution=below)


def _weakest(provenances: Iterable[Provenance | None]) -> Provenance | None:
    known = [(WEAKER[provenance], provenance) for provenance in provenances if provenance is not None]
    return max(known)[1] if known else None
