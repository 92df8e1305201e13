"""What the whole machine, or one command with all that it starts, costs while somebody watches.

Books of a kind of their own: of a command they count what this process's children use, without itself; of the machine
they take everything that the sensors saw. Both go into the ledger as a session of kind `monitor` with one cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from carbon_magic.accounts import Accounts
from carbon_magic.books import Asked
from carbon_magic.describe import Facts
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.measured import Span
from carbon_magic.power.sampler import Pace, Sampler
from carbon_magic.power.sensor import Domain
from carbon_magic.power.share import DomainEnergy, Measurement
from carbon_magic.power.timeline import Mark
from carbon_magic.power.usage import usage_of_children
from carbon_magic.process import OwnBooks
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place
from carbon_magic.spans import Spans
from carbon_magic.windows import Window

SETTLE_S = 2.0
"""At the end a sensor that is read once a second is waited for: no cell and no command waits any more."""


class Now(NamedTuple):
    """How things stand: None is unknown."""

    duration_s: float
    energy_j: Interval | None
    emissions_g: Interval | None
    region_known: bool
    power_w: float | None
    parts_w: tuple[tuple[Domain, float], ...]
    """Domain and present power, largest first."""


class Monitor:
    """Measures from `start` to `stop`.

    Args:
        label: what is measured, in a word: the name of the command.
        machine: everything; else this process's children.
        place: the grid; without, the environment's.
        interval_s: seconds between two readings.

    Raises:
        UnknownRegion: `CARBON_MAGIC_REGION` names no region.
    """

    def __init__(
        self,
        label: str,
        *,
        machine: bool,
        place: Place | None = None,
        interval_s: float = 1.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        pace = Pace(interval_s, interval_s)
        books = _MachineBooks if machine else OwnBooks
        self._books = books(environ, kind="monitor", place=place, usage=usage_of_children, pace=pace)
        self._label = label
        self._span: Span | None = None
        self._window: Window | None = None

    def start(self) -> None:
        """Take the first reading."""
        self._window = self._books.begin(Asked(self._label), cell=True)
        self._span = Span(self._label, self._books, self._window, cell=True)

    def stop(self, status: Status) -> CellRecord | None:
        """Take the last reading; the record, None where nothing was measured."""
        if self._span is None:
            return None
        self._books.finish(self._span.end, status, SETTLE_S)
        return self._span.record

    def drop(self) -> None:
        """Keep nothing: there was nothing to measure."""
        if self._window is not None:
            self._books.drop(self._window)

    def close(self) -> None:
        """End every thread, with what was measured in the ledger."""
        self._books.close()

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        return self._books.problems()

    def now(self) -> Now:
        """As of the last reading."""
        snapshot = self._books.accounts.snapshot
        powers = [(domain, total.power_w) for domain, total in snapshot.domains.items() if total.power_w is not None]
        return Now(
            duration_s=0.0 if self._span is None else self._span.duration_s,
            energy_j=snapshot.energy_j,
            emissions_g=snapshot.emissions_g,
            region_known=snapshot.emissions_known,
            power_w=snapshot.power_w,
            parts_w=tuple(sorted(powers, key=lambda part: -part[1])),
        )


class _MachineSpans(Spans):
    """Those in which all that the sensors saw is one's own."""

    def measured(
        self, start: Mark | None, cover: Mark | None, end_s: float, *, exact: bool = False, past: bool = False
    ) -> Measurement | None:
        measured = super().measured(start, cover, end_s, exact=exact, past=past)
        return None if measured is None else whole(measured)


class _MachineBooks(OwnBooks):
    def _new_accounts(self, facts: Facts) -> Accounts:
        whole_machine = facts._replace(scope="dedicated", scope_reason="The whole machine.", part=1.0)
        return Accounts(whole_machine, self.place, self._meter.part, _MachineSpans)

    def _start(self) -> Sampler:
        sampler = super()._start()
        # Whoever watches the machine is no work on it, and has no part of its idle energy.
        if self._meter.neighbours is not None:
            self._meter.neighbours.leave()
        return sampler


def whole(measured: Measurement) -> Measurement:
    """The measurement of everything, from one that tells what part of it is somebody's. What of it is above idle
    is known by that part alone."""
    domains = {
        domain: DomainEnergy(energy.machine_j, energy.machine_j, energy.marginal_j, energy.provenance)
        for domain, energy in measured.domains.items()
    }
    return measured._replace(own_j=measured.machine_j, marginal_j=None, domains=domains, share=None, cpu_s=None)
