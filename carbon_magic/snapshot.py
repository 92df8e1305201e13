"""One look at a session: everything a view may show of it, in one immutable value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.quantity import Interval

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest


class Place(NamedTuple):
    """The grid that energy is converted by, and how it was found."""

    region: str
    """An id of the regions table, or `own` for people's own figure; `WORLD` with `source` `unknown` where nobody said
    and nothing was found."""
    name: str
    source: str
    """`cell`, `user`, `config`, `environment`, what found it (`cloud-init`, `cloud`, `metadata`, `timezone`), or
    `unknown`."""
    intensity_g_per_kwh: Interval
    intensity_source: str
    """Short, for people: "Ember"."""
    intensity_year: int | None
    pue: float
    data_version: str
    found: str = ""
    """How it was found, where `source` alone does not say it: `from the time zone Europe/Paris`; of an unknown place,
    why it was not."""
    note: str = ""
    """What people note beside it: certificates they bought, offsets. It changes no figure."""

    @property
    def known(self) -> bool:
        return self.source != "unknown"


class DomainTotal(NamedTuple):
    """One domain's part of the session."""

    energy_j: Interval
    provenance: Provenance
    power_w: float | None
    """This kernel's share of the present power, or None before the second reading."""


class RunningCell(NamedTuple):
    """A cell that has not ended yet."""

    execution_count: int | None
    label: str | None
    duration_s: float
    energy_j: float | None
    energy: Interval | None = None
    """The same with its range."""
    record_id: str = ""
    """Of the record that it will be."""
    cell_id: str | None = None
    started_at: str = ""


class Snapshot(NamedTuple):
    """The state of a session at one moment. Energies are this kernel's share, in joules."""

    session_id: str
    tracking: bool
    started_at: str
    duration_s: float
    energy_j: Interval | None
    """None until the second reading."""
    machine_energy_j: Interval | None
    between_cells_j: Interval | None
    """The part of `energy_j` used while no cell ran."""
    emissions_g: Interval | None
    emissions_known: bool
    """False where any part of the emissions was counted with the region unknown."""
    power_w: float | None
    mean_power_w: float | None
    domains: dict[Domain, DomainTotal]
    place: Place
    scope: str
    scope_reason: str
    records: tuple[CellRecord, ...]
    """The finished cells, oldest first."""
    running: tuple[RunningCell, ...]
    problems: tuple[str, ...]
    """What does not work at present, in words: a sensor that fails, for one."""
    rest: Rest | None = None
    """What a meter of the whole machine shows beyond the components; never a part of any energy."""
