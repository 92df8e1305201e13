"""What `%carbon compare` and `carbon-magic compare` show: here on top, then what the same energy emits elsewhere.

Bars are as long as intensity x PUE, whatever the energy. A bar is hollow where its range meets the range of here, and
words say that the region is then not clearly lower or higher: a ratio never stands without that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from carbon_magic import written
from carbon_magic.grid.compare import Row
from carbon_magic.quantity import Interval
from carbon_magic.views import markup
from carbon_magic.views.parts import bar
from carbon_magic.views.plain import TEXT_WIDTH, clean, columns, cut, escape, fill, for_text, pad, paragraph, to_ascii
from carbon_magic.views.shown import Shown

LIMIT = 30
"""So many regions are listed beside here if nobody says how many."""
_NAME_AT_LEAST, _NAME_AT_MOST = 12, 28
_BAR, _BAR_AT_MOST, _BAR_PX = 8, 20, 90
_HERE = " (here)"


class Compared(NamedTuple):
    """A comparison, and what is said about it."""

    what: str
    """What used the energy, and how much: `Session: 41 Wh (34–52)`."""
    energy_j: Interval | None
    rows: Sequence[Row]
    """As `grid.compare.compare` gives them: here first."""
    known: bool
    """Whether it is known where here is."""
    chosen: str = ""
    """How the regions were chosen, where nobody named them: a sentence."""
    hours: tuple[str, ...] = ()
    """What another time of day would change: sentences."""
    limit: int = LIMIT
    found: str = ""
    """How here was found, or why it was not, where nobody has said it."""
    set_region: str = "%carbon region FR"
    methods: str = "%carbon methods"


class _Line(NamedTuple):
    """One row in words."""

    name: str
    intensity: str
    grams: str
    grams_bounds: str
    ratio: str
    ratio_bounds: str
    words: str
    length: float
    """Of its bar, in g/kWh; 0 where only a range is known."""
    overlaps: bool
    credit: str


def comparison(compared: Compared, ascii_only: bool = False) -> Shown:
    """The comparison in both forms, for IPython's `display`."""
    return Shown(compare_text(compared, ascii_only=ascii_only), compare_html(compared))


def compare_text(compared: Compared, width: int = TEXT_WIDTH, ascii_only: bool = False) -> str:
    """The comparison as lines of at most `width` columns; where they are few, bars go first and then ranges."""
    lines = _laid_out(_lines(compared), compared, width)
    for sentence in _sentences(compared):
        lines += paragraph([sentence], width)
    text = "\n".join(lines + paragraph(_credits(compared), width))
    return to_ascii(text.replace("─", "-")) if ascii_only else text


def compare_html(compared: Compared) -> str:
    """The comparison as HTML that an untrusted notebook keeps whole."""
    listed = _lines(compared)
    largest = max(line.length for line in listed)
    heads = [
        (clean(compared.what, 79), False),
        ("g/kWh", True),
        (written.CO2E_SCREEN, True),
        ("× here", True),
        ("", False),
    ]
    table = markup.table(
        [(escape(name), right) for name, right in heads if _has(name, compared)],
        (_html_row(line, compared, largest, index == 0) for index, line in enumerate(listed)),
    )
    return markup.block(table, markup.notes(_sentences(compared)), max_width=760)


def verdict(row: Row) -> str:
    """`not clearly lower`, where the ranges of here and there meet; nothing where they do not."""
    if not row.overlaps or row.ratio is None:
        return ""
    if row.ratio.best == 1.0:
        return "the same"
    return "not clearly lower" if row.ratio.best < 1.0 else "not clearly higher"


def short_name(row: Row) -> str:
    """A region's name; a cloud region's without what its provider calls the place beside."""
    name = row.name.partition(", ")[0].partition(" (")[0] if row.of.provider else row.name
    return clean(name, 60)


def _has(head: str, compared: Compared) -> bool:
    """Without energy there are no grams, without knowing here no ratios."""
    return not (
        (head == written.CO2E_SCREEN and compared.energy_j is None) or (head == "× here" and not compared.known)
    )


def _shown(compared: Compared) -> Sequence[Row]:
    return compared.rows[: compared.limit + 1]


def _lines(compared: Compared) -> list[_Line]:
    ours, *others = _shown(compared)
    return [_here(ours, compared), *map(_line, others)]


def _here(row: Row, compared: Compared) -> _Line:
    line = _line(row)
    if compared.known:
        return line._replace(name=short_name(row) + _HERE, ratio="1×", ratio_bounds="", words="", overlaps=False)
    grams = "" if row.emissions_g is None else written.mass_span(row.emissions_g.low, row.emissions_g.high)
    spread = written.intensity_range(row.intensity_g_per_kwh)
    return line._replace(
        name="Here, unknown", intensity=f"{spread.low}–{spread.high}", grams=grams, grams_bounds="", length=0.0
    )


def _line(row: Row) -> _Line:
    grams = None if row.emissions_g is None else written.mass_range(row.emissions_g)
    ratio = None if row.ratio is None else written.count_range(row.ratio)
    return _Line(
        short_name(row),
        written.intensity(row.intensity_g_per_kwh.best).partition(written.NBSP)[0],
        "" if grams is None else grams.best,
        "" if grams is None else grams.bounds,
        "" if row.ratio is None else written.ratio(row.ratio.best),
        "" if ratio is None else ratio.bounds,
        verdict(row),
        row.footprint_g_per_kwh.best,
        bool(row.overlaps),
        ", ".join(part for part in (clean(row.of.source, 40), _year(row), _pue(row)) if part),
    )


def _year(row: Row) -> str:
    return "" if row.of.year is None else str(row.of.year)


def _pue(row: Row) -> str:
    if row.pue == 1.0:
        return ""
    year = "" if row.pue_year is None else f" ({row.pue_year})"
    return f"PUE{written.NBSP}{row.pue:.2f}{year}"


def _sentences(compared: Compared) -> list[str]:
    """What came out, what it rests on, and what can be done."""
    said, todo = [], []
    others = compared.rows[1:]
    best = others[0] if others else None
    if best is not None and best.ratio is not None:
        count = len(others)
        said.append(_lowest(best, best.ratio, count))
    if not others:
        said.append("Nothing is left to compare with here.")
    more = len(others) - compared.limit
    if more > 0:
        said.append(f"{more} more {'is' if more == 1 else 'are'} higher than these; --top N lists N.")
    if compared.energy_j is None:
        said.append("No energy yet: g/kWh only, no grams.")
    if compared.chosen:
        said.append(compared.chosen)
    said += compared.hours
    said.append("The same energy everywhere: rows differ by intensity and PUE, life cycle, annual averages.")
    if compared.known and compared.found:
        said.append(f"Here: {clean(compared.found, 160)}.")
    ours = compared.rows[0].of
    if compared.known and ours.method is None:
        said.append(f"Here is not the table’s figure but {clean(ours.source, 40)}’s.")
    if not compared.known:
        why = f" ({clean(compared.found, 100)})" if compared.found else ""
        todo.append(
            f"Region unknown{why}, so nothing is said to be lower or higher. Say where you are: {compared.set_region}"
        )
    todo.append(f"How it is computed: {compared.methods}")
    return said + todo


def _lowest(best: Row, ratio: Interval, count: int) -> str:
    if ratio.best >= 1.0:
        return f"None of the {count} is lower than here." if count > 1 else "It is not lower than here."
    figures = written.count_range(ratio)
    first = f"Lowest of {count}" if count > 1 else "Lowest"
    if best.overlaps:
        return f"{first}: {short_name(best)}, {written.ratio(ratio.best)} here, {verdict(best)}."
    return f"{first}: {short_name(best)}, {written.ratio(ratio.best)} here {figures.bounds}."


def _credits(compared: Compared) -> list[str]:
    """Whose figures these are, by id: `Ember 2025: FR, SE.`"""
    by: dict[str, list[str]] = {}
    for row in _shown(compared):
        credit = " ".join(part for part in (clean(row.of.source, 40), _year(row)) if part)
        by.setdefault(credit, []).append(clean(row.region, 40))
        if row.pue != 1.0:
            by.setdefault(_pue(row), []).append(clean(row.region, 40))
    return [f"{credit}: {', '.join(ids)}." for credit, ids in by.items()]


def _laid_out(listed: Sequence[_Line], compared: Compared, width: int) -> list[str]:
    """Title, heads and rows in columns. What does not fit goes in this order: bars, ranges, words to their own line."""
    head = _Line("", "g/kWh", "CO2e", "", "× here" if compared.known else "", "", "", 0.0, False, "")
    rows = [head, *listed]
    longest = max(columns(line.words) for line in rows)
    for with_bounds, end in ((True, max(longest, _BAR)), (True, longest), (False, longest), (False, 0)):
        table = [_texts(line, with_bounds) for line in rows]
        widths = [max(columns(texts[index]) for texts in table) for index in range(4)]
        used = [index for index in range(1, 4) if widths[index]]
        others = sum(widths[index] + 2 for index in used) + (end + 2 if end else 0)
        name = min(widths[0], _NAME_AT_MOST)
        if others + min(name, _NAME_AT_LEAST) <= width:
            break
    widths[0] = max(min(name, width - others), 1)
    room = max(end, min(width - widths[0] - others + end, _BAR_AT_MOST)) if end >= _BAR else 0
    largest = max(line.length for line in listed)
    lines = fill([for_text(clean(compared.what, 79))], width)
    for line, texts in zip(rows, table, strict=True):
        placed = [pad(_name(texts[0], widths[0]), widths[0])]
        placed += [pad(texts[index], widths[index], right=True) for index in used]
        if end:
            placed.append(line.words or bar(line.length, largest, room))
        lines.append(cut("  ".join(placed).rstrip(), width))
        if line.words and not end:
            lines.append(cut(f"  {line.words}", width))
        if line is listed[0]:
            under_here = len(lines)
    lines.insert(under_here, "─" * max(columns(line) for line in lines))
    return lines


def _name(name: str, width: int) -> str:
    """Cut so that it is still said which one is here."""
    if name.endswith(_HERE) and columns(name) > width > len(_HERE) + 1:
        return cut(name.removesuffix(_HERE), width - len(_HERE)) + _HERE
    return cut(name, width)


def _texts(line: _Line, with_bounds: bool) -> list[str]:
    grams = f"{line.grams} {line.grams_bounds}" if line.grams_bounds and with_bounds else line.grams
    return [line.name, line.intensity, grams, line.ratio]


def _html_row(line: _Line, compared: Compared, largest: float, here: bool) -> str:
    rule = "border-bottom:1px solid #9e9e9e" if here else ""
    weight = "" if here or line.overlaps else "font-weight:600"
    name = f'{escape(line.name)} <span style="{markup.MUTED};font-weight:400">{escape(line.credit)}</span>'
    cells = [
        markup.cell(name, css=rule),
        markup.cell(escape(line.intensity), right=True, css=_css(rule, "white-space:nowrap")),
    ]
    if compared.energy_j is not None:
        cells.append(markup.cell(markup.figure(line.grams, line.grams_bounds), right=True, css=rule))
    if compared.known:
        cells.append(markup.cell(markup.figure(line.ratio, line.ratio_bounds), right=True, css=_css(rule, weight)))
    cells.append(markup.cell(_html_bar(line, largest), css=_css(rule, "white-space:nowrap")))
    return f'<tr style="background:none">{"".join(cells)}</tr>'


def _css(*declared: str) -> str:
    return ";".join(part for part in declared if part)


def _html_bar(line: _Line, largest: float) -> str:
    """Length by intensity x PUE; hollow, with words, where it meets the range of here."""
    if largest <= 0.0 or line.length <= 0.0:
        return ""
    pixels = max(_BAR_PX * line.length / largest, 2.0)
    size = f"display:inline-block;box-sizing:border-box;height:8px;width:{pixels:.1f}px;vertical-align:middle"
    look = markup.twice("border:1px solid {}" if line.overlaps else "background-color:{}", "other")
    words = f' <span style="{markup.MUTED}">{escape(line.words)}</span>' if line.words else ""
    return f'<span style="{size};{look}"></span>{words}'
