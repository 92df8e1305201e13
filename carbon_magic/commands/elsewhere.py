"""`%carbon compare`: its words, and which energy of the session they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from carbon_magic.commands.comparing import Asked, Energy, Run, clock, compared, distance_km, top
from carbon_magic.grid.choice import Wanted
from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import sum_same_source
from carbon_magic.snapshot import Place, Snapshot
from carbon_magic.views.compare import Compared
from carbon_magic.views.plain import clean, interval, number
from carbon_magic.views.result import record_energy, region_name

if TYPE_CHECKING:
    from carbon_magic.live import LiveState

FLAGS = ("--same-provider", "--eu")
VALUED: dict[str, Callable[[str], Any]] = {
    "--near": distance_km,
    "--top": top,
    "--at": clock,
    "--cell": str,
    "--label": str,
}
OPTIONS = (*FLAGS, *VALUED)
_SHOWN_NUMBERS = 5


class Words(NamedTuple):
    """What stood behind `%carbon compare`."""

    asked: Asked
    cell: str | None
    label: str | None


def parse(words: Sequence[str]) -> Words:
    """The words after `%carbon compare`, checked.

    Raises:
        ValueError: an option does not exist, misses its value or has a wrong one; the nearest, or examples, are named.
    """
    named: list[str] = []
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            named.append(word)
            continue
        option, sign, value = word.partition("=")
        if option not in OPTIONS:
            near = get_close_matches(option, OPTIONS, n=2, cutoff=0.4) or list(OPTIONS)
            raise ValueError(f"there is no {clean(option)!r}. Nearest: {', '.join(near)}")
        if option in FLAGS:
            if sign:
                raise ValueError(f"{option} takes no value")
            given[option] = True
            continue
        if not value:
            if not rest or rest[0].startswith("--"):
                raise ValueError(f"{option} misses its value")
            value = rest.pop(0)
        try:
            given[option] = VALUED[option](value)
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
    if "--cell" in given and "--label" in given:
        raise ValueError("--cell and --label: one of them")
    wanted = Wanted(tuple(named), "--same-provider" in given, "--eu" in given, given.get("--near"))
    return Words(Asked(wanted, given.get("--top"), given.get("--at")), given.get("--cell"), given.get("--label"))


def elsewhere(words: Words, snapshot: Snapshot, pue: float | None, live: LiveState | None = None) -> Compared:
    """The comparison that was asked for.

    Args:
        pue: the user's own, by the settings.
        live: what a live provider tells of here, whose forecast may know of another time of day.

    Raises:
        ValueError: no cell has that number or label; a region does not exist; a filter cannot be applied.
    """
    energy = _energy(words, snapshot)
    shown = compared(energy, words.asked, pue)
    if words.asked.at is None or live is None or live.live is None or energy.run is None:
        return shown
    from carbon_magic.commands.forecast import forecast_sentence

    ahead = forecast_sentence(live, words.asked.at, energy.run.duration_s, datetime.now(timezone.utc))
    return shown if ahead is None else shown._replace(hours=(*shown.hours, ahead))


def _energy(words: Words, snapshot: Snapshot) -> Energy:
    if words.cell is not None:
        return _cell(words.cell, snapshot)
    if words.label is not None:
        return _label(words.label, snapshot)
    run = _run(snapshot.started_at, snapshot.duration_s)
    return Energy("Session", snapshot.energy_j, snapshot.place, run)


def _cell(asked: str, snapshot: Snapshot) -> Energy:
    """The latest cell with this number."""
    digits = asked.strip().strip("[]")
    for record in reversed(snapshot.records):
        if str(record.execution_count) == digits:
            run = _run(record.started_at, record.duration_s)
            return Energy(f"Cell [{record.execution_count}]", record_energy(record), _place(record), run)
    if any(str(cell.execution_count) == digits for cell in snapshot.running):
        raise ValueError(f"--cell: cell [{clean(digits, 20)}] has not ended yet")
    known = [str(record.execution_count) for record in snapshot.records if record.execution_count is not None]
    raise ValueError(
        f"--cell: no cell [{clean(asked, 20)}] in this session{_those(known[-_SHOWN_NUMBERS:], 'The last')}"
    )


def _label(asked: str, snapshot: Snapshot) -> Energy:
    """All cells of this label that overlap no other, their errors all going the same way."""
    found = [record for record in snapshot.records if record.label == asked]
    if not found:
        known = list(dict.fromkeys(clean(record.label) for record in snapshot.records if record.label))
        near = get_close_matches(clean(asked), known, n=3, cutoff=0.4) or known[-_SHOWN_NUMBERS:]
        raise ValueError(f"--label: no cell is called {clean(asked)!r}{_those(near, 'Nearest')}")
    alone = [record for record in found if not record.concurrent] if len(found) > 1 else found
    energies = [energy_j for energy_j in map(record_energy, alone) if energy_j is not None]
    durations = [number(record.duration_s) or 0.0 for record in alone]
    places = {_place(record) for record in alone}
    count = f" ({len(alone)} cells)" if len(alone) != 1 else ""
    return Energy(
        f"{clean(asked)}{count}",
        sum_same_source(energies) if energies else None,
        places.pop() if len(places) == 1 else snapshot.place,
        _run(alone[0].started_at, sum(durations)) if alone else None,
    )


def _those(known: Sequence[str], head: str) -> str:
    return f". {head}: {', '.join(known)}" if known else ""


def _place(record: CellRecord) -> Place:
    """Where a cell ran, by its record."""
    grid = interval(record.intensity_low, record.intensity_g_per_kwh, record.intensity_high)
    if grid is None:
        raise ValueError("the record does not say what its grid emits")
    return Place(
        region=record.region,
        name=region_name(record.region),
        source=record.region_source,
        intensity_g_per_kwh=grid,
        intensity_source=record.intensity_source,
        intensity_year=record.intensity_year,
        pue=number(record.pue) or 1.0,
        data_version=record.data_version,
    )


def _run(started_at: str, duration_s: float) -> Run | None:
    try:
        return Run(datetime.fromisoformat(started_at.replace("Z", "+00:00")), number(duration_s) or 0.0)
    except ValueError:
        return None  # then no other time of day is compared with it, and that is said
