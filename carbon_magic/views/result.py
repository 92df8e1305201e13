"""What `%%carbon` shows under a cell: four facts in one compact block, as HTML and as text of at most 79 columns.

Energy and emissions with their ranges, time and mean power; the split by domain with how each part was obtained; the
grid and how it was found; one equivalent.
"""

from __future__ import annotations

from typing import get_args

from carbon_magic import written
from carbon_magic.grid.equivalents import choose
from carbon_magic.grid.own import OWN
from carbon_magic.grid.regions import by_id
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.quantity import Interval
from carbon_magic.views import markup
from carbon_magic.views.parts import (
    CELL,
    Fact,
    Part,
    Words,
    emissions_fact,
    energy_fact,
    largest_first,
    mean_power_fact,
    origin,
    place_sentence,
    split_lines,
)
from carbon_magic.views.plain import TEXT_WIDTH, clean, cut, fill, for_text, interval, number, paragraph, to_ascii
from carbon_magic.views.shown import Shown


def result(record: CellRecord, ascii_only: bool = False, words: Words = CELL) -> Shown:
    """The block in both forms, for IPython's `display`."""
    return Shown(result_text(record, ascii_only=ascii_only, words=words), result_html(record, words))


def result_text(record: CellRecord, width: int = TEXT_WIDTH, ascii_only: bool = False, words: Words = CELL) -> str:
    """The block as lines of at most `width` columns."""
    lines = fill(
        [for_text(fact.text) for fact in record_facts(record)],
        width,
        first=f"{cut(record_label(record) or words.unnamed, width - 2)}: ",
        rest="  ",
        gap="   ",
    )
    lines += split_lines(record_parts(record), width)
    lines += paragraph(_sentences(record, words), width)
    text = "\n".join(lines)
    return to_ascii(text) if ascii_only else text


def result_html(record: CellRecord, words: Words = CELL) -> str:
    """The block as HTML that an untrusted notebook keeps whole."""
    parts = record_parts(record)
    label = clean(record.label) if record.label else ""
    return markup.block(
        markup.facts(label, record_facts(record)),
        markup.strip(parts),
        markup.legend(parts),
        markup.notes(_sentences(record, words)),
    )


def record_label(record: CellRecord) -> str:
    """The cell's label, else its number, else nothing."""
    if record.label and clean(record.label):
        return clean(record.label)
    return f"[{clean(record.execution_count, 8)}]" if record.execution_count is not None else ""


def record_energy(record: CellRecord) -> Interval | None:
    """The cell's energy in joules with its range, None where unknown."""
    return interval(record.energy_j_low, record.energy_j, record.energy_j_high)


def record_emissions(record: CellRecord) -> Interval | None:
    """The cell's emissions in grams with their range, None where unknown."""
    return interval(record.emissions_g_low, record.emissions_g, record.emissions_g_high)


def time_words(record: CellRecord) -> str:
    """How long it ran, and how it ended where that was not well."""
    duration_s = number(record.duration_s)
    if duration_s is None:
        return "time unknown"
    if record.status == "running":
        return f"{written.running(duration_s)}, running"
    lasted = written.duration(duration_s)
    if record.status == "ok":
        return lasted
    return f"{clean(record.status, 20)} after {lasted}"


def record_facts(record: CellRecord) -> list[Fact]:
    """Energy, emissions, time and mean power."""
    energy_j = record_energy(record)
    listed = [energy_fact(energy_j, record.below_resolution)]
    if energy_j is not None:
        known = record.region_source != "unknown"
        listed.append(emissions_fact(record_emissions(record), known, record.below_resolution))
    listed.append(Fact(time_words(record)))
    mean = mean_power_fact(energy_j, number(record.duration_s), record.below_resolution)
    return [*listed, mean] if mean is not None else listed


def record_parts(record: CellRecord) -> list[Part]:
    """The split by domain, largest first; a domain nobody knows anything of is left out."""
    told: tuple[tuple[Domain, float | None, Provenance | None], ...] = (
        ("cpu", number(record.cpu_energy_j), record.cpu_provenance),
        ("gpu", number(record.gpu_energy_j), record.gpu_provenance),
        ("dram", number(record.dram_energy_j), record.dram_provenance),
    )
    return largest_first(
        Part(domain, energy_j, known, origin(domain, known, record.sensors))
        for domain, energy_j, provenance in told
        for known in [provenance if provenance in get_args(Provenance) else None]
        if energy_j is not None
    )


def region_name(region_id: str) -> str:
    """A region's name for people; of one that this edition of the table does not have, the id."""
    if region_id == OWN:
        return "Own figure"
    try:
        return by_id(str(region_id)).title
    except KeyError:
        return region_id


def _sentences(record: CellRecord, words: Words) -> list[str]:
    energy_j = record_energy(record)
    if energy_j is None:
        return [words.unmeasured]
    said = []
    if record.below_resolution:
        said.append("Below the sensor’s resolution: power × time.")
    if not record.final:
        said.append("First figures: a slow sensor has yet to report.")
    if record.concurrent:
        said.append(words.concurrent)
    said.append(words.scope)
    place = place_sentence(
        region_name(record.region),
        record.region_source,
        interval(record.intensity_low, record.intensity_g_per_kwh, record.intensity_high),
        by=record.intensity_source,
        year=record.intensity_year,
        pue=number(record.pue),
        set_region=words.set_region,
        found="from the environment" if record.region == OWN and record.region_source == "environment" else "",
    )
    other_j = number(record.other_energy_j)
    rest = f"Supply, fans and disks: {written.energy(other_j)}, assumed, not added." if other_j else None
    known = record.region if record.region_source != "unknown" else None
    found = None if record.below_resolution else choose(energy_j, record_emissions(record), known)
    pictured = None if found is None else found.sentence
    # What to do comes last.
    listed = [rest, pictured, place] if record.region_source == "unknown" else [place, rest, pictured]
    return said + [sentence for sentence in listed if sentence]
