"""`carbon-magic regions`: a list of regions, or all that is known of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from carbon_magic import written
from carbon_magic.grid.geography import children, continent, in_eu
from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.table import Region, by_id
from carbon_magic.views.plain import clean, columns, cut, fill, for_text, pad, to_ascii

_MOST_BELOW = 12
HEAD = ("Id", "Name", "g CO2e/kWh", "Year", "Source", "How", "PUE")
BASIS = "Life cycle, annual averages; in brackets the range, at 95 %."


def grid_of(row: Region) -> Region:
    """The row whose life-cycle figure a region has."""
    return row if row.grid_region is None else by_id(row.grid_region)


def how(row: Region) -> str:
    """How the life-cycle figure came about, in a word or two."""
    if row.grid_region is not None:
        return f"grid of {row.grid_region}"
    words = {
        "published": "published",
        "ratio": "direct × ratio",
        "mix": "mix × IPCC",
        "scope3": "scope 2 + 3",
        "own": "yours",
    }
    return words.get(row.lifecycle_method, row.lifecycle_method)


def regions_text(rows: Sequence[Region], width: int, *, ascii_only: bool = False) -> str:
    """The table, in lines of at most `width` columns: names are cut where they do not fit."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    wide = [max(columns(line[index]) for line in lines) for index in range(len(HEAD))]
    over = sum(wide) + 2 * (len(wide) - 1) - width
    if over > 0:  # what can be short, and how short, in this order
        for index, least in ((4, 14), (1, 16), (5, 9), (4, 5), (0, 12)):
            less = min(max(over, 0), max(wide[index] - least, 0))
            wide[index] -= less
            over -= less
    text = []
    for line in lines:
        cells = (pad(cut(cell, wide[index]), wide[index]) for index, cell in enumerate(line))
        text.append("  ".join(cells).rstrip())
    count = f"{len(rows)} regions. " if len(rows) != 1 else ""
    text += ["", *fill((count + BASIS).split(" "), width)]
    whole = for_text("\n".join(text))
    return to_ascii(whole) if ascii_only else whole


def _cells(row: Region) -> tuple[str, ...]:
    grid = grid_of(row)
    pue = "" if row.pue is None else f"{row.pue:.2f}"
    year = "" if grid.year is None else str(grid.year)
    return (
        clean(row.id, 30),
        clean(row.title if row.provider is None else row.name, 60),
        _figure(row),
        year,
        clean(grid.publisher, 40),
        how(row),
        pue,
    )


def _figure(row: Region) -> str:
    span = written.intensity_range(intensity(row.id))
    return f"{span.best.partition(written.NBSP)[0]} {span.bounds}"


def region_text(row: Region, width: int, *, ascii_only: bool = False) -> str:
    """All that is known of one region."""
    grid = grid_of(row)
    credit = ", ".join(part for part in (grid.publisher, str(grid.year or "")) if part)
    lines = [f"{clean(row.title, 70)} ({clean(row.id, 30)})", ""]
    lines += _line("Intensity", f"{written.intensity_range(intensity(row.id))}, life cycle ({credit})", width)
    lines += _line("How", f"{how(row)}.", width)
    if row.basis == "direct":
        by = "" if row.publisher == grid.publisher else f" by {row.publisher}"
        lines += _line(
            "Published",
            f"{row.intensity_g_per_kwh:g} g CO2e/kWh{by}, direct: at the power plants alone, "
            "not comparable with life-cycle figures.",
            width,
        )
    if row.pue is not None:
        year = f" ({row.pue_year})" if row.pue_year else ""
        lines += _line("PUE", f"{row.pue:.2f}{year}", width)
    # Of some cloud regions a country is all that is said of the city: Ireland.
    lines += _line("Where", ", ".join(dict.fromkeys(_where(row))), width)
    below = children(row.id) if row.kind in ("country", "subdivision") else []
    if below:
        more = f" and {len(below) - _MOST_BELOW} more" if len(below) > _MOST_BELOW else ""
        lines += _line("Holds", ", ".join(below[:_MOST_BELOW]) + more, width)
    if row.note:
        lines += _line("Note", f"{clean(row.note, 300)}", width)
    whole = for_text("\n".join(lines))
    return to_ascii(whole) if ascii_only else whole


def _where(row: Region) -> Iterable[str]:
    if row.city:
        yield clean(row.city, 40)
    if row.subdivision is not None:
        state = by_id(row.subdivision).name
        if state != row.city:
            yield state
    if row.parent not in (None, "WORLD"):
        yield by_id(str(row.parent)).name
    found = continent(row.id)
    yield found or "the world"
    if in_eu(row.id):
        yield "European Union"


def _line(title: str, text: str, width: int) -> list[str]:
    return fill(clean(text, 600).split(" "), width, first=pad(title, 11), rest=" " * 11)


def as_data(row: Region) -> dict[str, object]:
    """One region as JSON has it: intensities in g CO2e/kWh on the life-cycle basis; null for what is unknown."""
    grid, span = grid_of(row), intensity(row.id)
    return {
        "region": row.id,
        "name": row.title,
        "kind": row.kind,
        "parent": row.parent,
        "iso3": row.iso3,
        "continent": continent(row.id),
        "eu": in_eu(row.id),
        "provider": row.provider,
        "city": row.city,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "intensity_g_per_kwh": span.best,
        "intensity_low": span.low,
        "intensity_high": span.high,
        "basis": "lifecycle",
        "method": row.lifecycle_method,
        "grid_region": row.grid_region,
        "year": grid.year,
        "source": grid.publisher,
        "published_g_per_kwh": row.intensity_g_per_kwh,
        "published_basis": row.basis,
        "published_by": row.publisher,
        "published_year": row.year,
        "pue": row.pue,
        "pue_year": row.pue_year,
        "note": row.note,
    }
