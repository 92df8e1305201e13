"""What is said about a figure, in words and numbers alone, the same for text and HTML.

A view lays out `Fact`s, `Part`s and sentences; here they are made. Nothing in here knows how a part looks, so what is
honest is decided once: no best where the region is unknown, a word for what was not measured, never 0 for unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from carbon_magic import written
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place
from carbon_magic.views.plain import clean, pad

SCOPE = "Chips only, this kernel’s share."
SET_REGION = "%carbon region FR"


class Words(NamedTuple):
    """What a result calls what it is about, and what people can do about it there."""

    unnamed: str = "This cell"
    scope: str = SCOPE
    set_region: str = SET_REGION
    unmeasured: str = "No sensor and no model gave figures for this cell. What was tried: %carbon doctor"
    concurrent: str = "Another cell ran at the same time: the two overlap and are never added."


CELL = Words()
NAMES: dict[Domain, str] = {"cpu": "CPU", "gpu": "GPU", "dram": "DRAM", "other": "Other"}

_SENSOR_WORDS: dict[Domain, tuple[tuple[str, str], ...]] = {
    "cpu": (("powercap:", "RAPL"),),
    "dram": (("powercap:", "RAPL"),),
    "gpu": (("nvml:", "NVML"),),
}

_FOUND = {
    "cell": "set for this cell",
    "user": "set by you",
    "config": "from the configuration",
    "environment": "from CARBON_MAGIC_REGION",
    "cloud-init": "from cloud-init",
    "cloud": "from the cloud’s own variables",
    "metadata": "from the cloud’s metadata service",
    "timezone": "from the time zone, assumed",
}


class Fact(NamedTuple):
    """One of the figures on top: `4.6 Wh` and `(4.0–5.6)`."""

    figure: str
    bounds: str = ""
    headline: bool = False
    best: bool = True
    """False where the figure is a range or a word: it is then in regular weight."""

    @property
    def text(self) -> str:
        if not self.bounds:
            return self.figure
        return f"{self.figure} {self.bounds}" if self.best else f"{self.figure}, {self.bounds}"


class Part(NamedTuple):
    """One domain's part of the energy and how it was obtained."""

    domain: Domain
    energy_j: float
    provenance: Provenance | None
    origin: str
    """`RAPL`, `NVML`, `measured`, `modelled`, `assumed`."""

    @property
    def name(self) -> str:
        return NAMES[self.domain]


def energy_fact(energy_j: Interval | None, below_resolution: bool = False) -> Fact:
    """The energy with its range; in words where it is unknown."""
    if energy_j is None:
        return Fact("energy unknown", headline=True, best=False)
    figures = written.energy_range(energy_j)
    best = written.about(figures.best) if below_resolution else figures.best
    return Fact(best, figures.bounds, headline=True)


def emissions_fact(emissions_g: Interval | None, region_known: bool, below_resolution: bool = False) -> Fact:
    """The emissions with their range; the range alone where the region is unknown."""
    unit = written.NBSP + written.CO2E_SCREEN
    if emissions_g is None:
        return Fact("emissions unknown", headline=True, best=False)
    if not region_known:
        span = written.mass_span(emissions_g.low, emissions_g.high)
        return Fact(span + unit, "region unknown", headline=True, best=False)
    figures = written.mass_range(emissions_g)
    best = written.about(figures.best) if below_resolution else figures.best
    return Fact(best + unit, figures.bounds, headline=True)


def below_sentences(below: Iterable[bool]) -> list[str]:
    """What the sign `≈` means, with how many of these cells have it; nothing where none has."""
    count = sum(below)
    return [below_sentence(count)] if count else []


def below_sentence(count: int, of: int | None = None) -> str:
    """The same of so many cells.

    Args:
        of: among so many, of which no figure has the sign: they stand in sums with others.
    """
    if of is None:
        return f"≈ below resolution, power × time: {count} cell{'s'[: count != 1]}."
    return f"Below resolution, power × time: {count} of {of} cells."


def mean_power_fact(energy_j: Interval | None, duration_s: float | None, below_resolution: bool) -> Fact | None:
    """`mean 176 W`, or None where there is nothing to divide."""
    if energy_j is None or not duration_s:
        return None
    power = written.power(energy_j.best / duration_s)
    return Fact(f"mean {written.about(power) if below_resolution else power}")


def origin(domain: Domain, provenance: Provenance | None, sensors: Iterable[str]) -> str:
    """The word beside a part: its sensor where it was measured, else what it is."""
    if provenance is None:
        return "origin unknown"
    if provenance == "measured":
        names = [str(name) for name in sensors]
        for start, word in _SENSOR_WORDS.get(domain, ()):
            if any(name.startswith(start) for name in names):
                return word
    return provenance


def place_sentence(
    name: str,
    source: str,
    intensity_g_per_kwh: Interval | None,
    *,
    by: str,
    year: int | None,
    pue: float | None,
    set_region: str = SET_REGION,
    found: str = "",
) -> str:
    """`France, 41 g/kWh (Ember, 2025), set by you.`, or what to do where the region is unknown.

    Args:
        found: how it was found, or why it was not, where `source` alone does not say it.
    """
    if source == "unknown":
        why = f" ({clean(found, 100)})" if found else ""
        grids = ""
        if intensity_g_per_kwh is not None:
            grids = f": grids of the world, {written.intensity_range(intensity_g_per_kwh).alone}"
        return f"Region unknown{why}{grids} (5th to 95th percentile of countries). Say where you are: {set_region}"
    said = [clean(name, 60)]
    if intensity_g_per_kwh is not None:
        credit = ", ".join(part for part in (clean(by, 40), clean(year, 10) if year is not None else "") if part)
        said.append(written.intensity(intensity_g_per_kwh.best) + (f" ({credit})" if credit else ""))
    if pue is not None and pue != 1.0:
        said.append(f"PUE{written.NBSP}{pue:.2f}")
    said.append(found_words(source, found))
    return ", ".join(said) + "."


def sentence_of(place: Place) -> str:
    """The same of a place."""
    return place_sentence(
        place.name,
        place.source,
        place.intensity_g_per_kwh,
        by=place.intensity_source,
        year=place.intensity_year,
        pue=place.pue,
        found=place.found,
    )


def found_words(source: str, found: str = "") -> str:
    """How a region was found, in words: `set by you`, `from the time zone Europe/Paris, assumed`.

    Args:
        found: what is known of it beside the source, with what a live provider says behind a semicolon.
    """
    usual = _FOUND.get(source, f"from {clean(source, 40)}")
    if not found:
        return usual
    how, _, live = clean(found, 140).partition("; ")
    if not how.startswith("from "):
        how, live = usual, clean(found, 140)  # of a region that somebody has named only the live value is told
    elif source == "timezone":
        how += ", assumed"
    return f"{how}; {live}" if live else how


def note_sentence(note: str) -> str | None:
    """What people noted beside the region, which was subtracted from nothing; None where they did not."""
    return f"Noted, not subtracted: {clean(note, 200)}." if note else None


def largest_first(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: -part.energy_j)


def bar(value: float, largest: float, width: int) -> str:
    """A bar of blocks, half a block at least where there is anything."""
    if value <= 0.0 or largest <= 0.0:
        return ""
    halves = max(round(2 * width * min(value / largest, 1.0)), 1)
    return "█" * (halves // 2) + "▌" * (halves % 2)


def split_lines(parts: Sequence[Part], width: int) -> list[str]:
    """The split by domain as text: name, energy, how it was obtained, a bar."""
    figures = [written.energy(part.energy_j).partition(written.NBSP) for part in parts]
    number_width = max((len(figure[0]) for figure in figures), default=0)
    unit_width = max((len(figure[2]) for figure in figures), default=0)
    origin_width = max((len(part.origin) for part in parts), default=0)
    largest = max((part.energy_j for part in parts), default=0.0)
    lines = []
    for part, (digits, _, unit) in zip(parts, figures, strict=True):
        head = f"  {pad(part.name, 5)} {pad(digits, number_width)} {pad(unit, unit_width)}  "
        head += pad(part.origin, origin_width)
        room = min(width - len(head) - 3, 21)
        lines.append(f"{head}   {bar(part.energy_j, largest, room)}".rstrip())
    return lines
