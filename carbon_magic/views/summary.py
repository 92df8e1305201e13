"""What `%carbon` shows: the session so far, in the same block as a cell's result, and what to do next."""

from __future__ import annotations

from carbon_magic import written
from carbon_magic.grid.equivalents import equivalent_of
from carbon_magic.snapshot import Snapshot
from carbon_magic.views import markup
from carbon_magic.views.parts import (
    SCOPE,
    Fact,
    Part,
    below_sentences,
    emissions_fact,
    energy_fact,
    largest_first,
    note_sentence,
    origin,
    sentence_of,
    split_lines,
)
from carbon_magic.views.plain import TEXT_WIDTH, clean, fill, for_text, number, paragraph, to_ascii
from carbon_magic.views.shown import Shown

_FIRST_FIGURES_S = 5.0
"""How long the second reading may take before "not yet" becomes "unknown"."""
_PROBLEMS_SHOWN = 3
_SENSORS_FROM_LAST = 20


def summary(snapshot: Snapshot, ascii_only: bool = False) -> Shown:
    """The session in both forms, for IPython's `display`."""
    return Shown(summary_text(snapshot, ascii_only=ascii_only), summary_html(snapshot))


def summary_text(snapshot: Snapshot, width: int = TEXT_WIDTH, ascii_only: bool = False) -> str:
    """The session as lines of at most `width` columns."""
    lines: list[str] = []
    listed = _facts(snapshot)
    if listed:
        lines += fill([for_text(fact.text) for fact in listed], width, first="Session: ", rest="  ", gap="   ")
        lines += split_lines(_parts(snapshot), width)
    lines += paragraph(_sentences(snapshot), width, indent="  " if listed else "")
    text = "\n".join(lines)
    return to_ascii(text) if ascii_only else text


def summary_html(snapshot: Snapshot) -> str:
    """The session as HTML that an untrusted notebook keeps whole."""
    listed = _facts(snapshot)
    parts = _parts(snapshot)
    return markup.block(
        markup.facts("Session", listed) if listed else "",
        markup.strip(parts),
        markup.legend(parts),
        markup.notes(_sentences(snapshot)),
    )


def _facts(snapshot: Snapshot) -> list[Fact]:
    """Energy, emissions, time, present and mean power; nothing where tracking never began."""
    if snapshot.energy_j is None:
        if not snapshot.tracking:
            return []
        if snapshot.duration_s < _FIRST_FIGURES_S:
            return [Fact(written.NOT_YET, headline=True, best=False)]
        return [energy_fact(None), Fact(written.duration(snapshot.duration_s))]
    listed = [energy_fact(snapshot.energy_j), _emissions_fact(snapshot), Fact(written.duration(snapshot.duration_s))]
    now_w, mean_w = number(snapshot.power_w), number(snapshot.mean_power_w)
    power = [f"now {written.power(now_w)}"] if now_w is not None and snapshot.tracking else []
    if mean_w is not None:
        power.append(f"mean {written.power(mean_w)}")
    return [*listed, Fact(", ".join(power))] if power else listed


def _emissions_fact(snapshot: Snapshot) -> Fact:
    fact = emissions_fact(snapshot.emissions_g, snapshot.emissions_known)
    if snapshot.emissions_g is not None and not snapshot.emissions_known and snapshot.place.known:
        return fact._replace(bounds="region unknown for a part")
    return fact


def _parts(snapshot: Snapshot) -> list[Part]:
    sensors = {name for record in snapshot.records[-_SENSORS_FROM_LAST:] for name in record.sensors}
    return largest_first(
        Part(domain, total.energy_j.best, total.provenance, origin(domain, total.provenance, sensors))
        for domain, total in snapshot.domains.items()
    )


def _sentences(snapshot: Snapshot) -> list[str]:
    said: list[str] = []
    todo: list[str] = []
    if snapshot.energy_j is None and snapshot.tracking:
        if snapshot.duration_s < _FIRST_FIGURES_S:
            said.append("First figures in a second.")
        else:
            said.append("No sensor and no model gives figures.")
            if not snapshot.problems:
                todo.append("What was tried: %carbon doctor")
    if snapshot.energy_j is not None or snapshot.tracking:
        said.append(_cells_sentence(snapshot))
        said += below_sentences(record.below_resolution for record in snapshot.records)
        measured = _measured_share(snapshot)
        if measured is not None:
            said.append(f"{written.share(measured)} of the energy measured.")
        said += [SCOPE, *_sentence(snapshot.scope_reason)]
        place = snapshot.place
        where = sentence_of(place)
        (said if place.known else todo).append(where)
        noted = note_sentence(place.note)
        if noted is not None:
            said.append(noted)
    emissions_g = snapshot.emissions_g if snapshot.emissions_known else None
    pictured = equivalent_of(snapshot.energy_j, emissions_g, snapshot.place)
    if pictured is not None:
        said.append(" ".join(pictured) + ".")
    for problem in snapshot.problems[:_PROBLEMS_SHOWN]:
        said += _sentence(problem)
    if snapshot.problems:
        more = len(snapshot.problems) - _PROBLEMS_SHOWN
        todo.append(f"{more} more problems: %carbon doctor" if more > 0 else "More about it: %carbon doctor")
    if not snapshot.tracking:
        said.append("Tracking is off in this kernel.")
        if snapshot.energy_j is None:
            said.append("Cells that have already run are not counted.")
        todo.append("Start it: %carbon on")
    return said + todo


def _cells_sentence(snapshot: Snapshot) -> str:
    """`12 cells, one running now; 3.6 Wh (9 %) between cells.`"""
    done, now = len(snapshot.records), len(snapshot.running)
    if not done and not now:
        return "No cell has run since tracking began."
    said = f"{done} cell{'s' if done != 1 else ''}" if done else "No cell has ended yet"
    if now:
        said += f", {'one' if now == 1 else now} running now"
    between, whole = snapshot.between_cells_j, snapshot.energy_j
    if between is not None and whole is not None and whole.best > 0.0:
        part = written.share(min(between.best / whole.best, 1.0))
        said += f"; {written.energy(between.best)} ({part}) between cells"
    return said + "."


def _measured_share(snapshot: Snapshot) -> float | None:
    """The share of the energy whose domain was measured, None where there is no energy to speak of."""
    parts = snapshot.domains.values()
    total = sum(part.energy_j.best for part in parts)
    if total <= 0.0:
        return None
    return sum(part.energy_j.best for part in parts if part.provenance == "measured") / total


def _sentence(text: str) -> list[str]:
    """Somebody else's words as one sentence, or none."""
    said = clean(text, 200)
    if not said:
        return []
    return [said if said.endswith((".", "!", "?", "…")) else said + "."]
