"""A table of texts in columns, with a bar behind each row, in as many columns of the terminal as there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from carbon_magic.views.parts import bar
from carbon_magic.views.plain import columns, cut, pad


def aligned(
    choices: Sequence[tuple[Sequence[Sequence[str]], int]],
    width: int,
    *,
    bars: Sequence[float | None],
    largest: float,
    named: int,
    name_at_least: int,
    right: Collection[int],
) -> list[str]:
    """The rows of the first choice that fits, or of the last.

    Args:
        choices: the same rows in fuller and shorter words, each with the width of its bars, 0 for none.
        width: columns of the terminal.
        bars: what each row's bar shows of `largest`; None where it has none.
        named: the column of names, whose ends go where even the last choice is too wide,
        name_at_least: and so much of which is to stay in any choice before.
        right: the columns whose texts end on the right.
    """
    for table, bar_width in choices:
        widths = [max(columns(line[index]) for line in table) for index in range(len(table[0]))]
        others = sum(widths) - widths[named] + 2 * (len(widths) - 1) + (2 + bar_width if bar_width else 0)
        if others + min(widths[named], name_at_least) <= width:
            break
    widths[named] = max(min(widths[named], width - others), 1)
    lines = []
    for texts, shown in zip(table, bars, strict=True):
        line = "  ".join(pad(cut(text, widths[i]), widths[i], right=i in right) for i, text in enumerate(texts))
        if bar_width and shown is not None:
            line += "  " + bar(shown, largest, bar_width)
        lines.append(cut(line.rstrip(), width))
    return lines
