"""What `%carbon cells` shows: which cells, in which order, and sums of what may be added."""

from __future__ import annotations

import re
from typing import Any

import pytest
from unit.views.made_records import HOSTILE, WH, check_text, read_html, record

from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import RunningCell
from carbon_magic.views.cells import Sort, cells, cells_html, cells_text


def steps(count: int) -> list[CellRecord]:
    """Cells [1] to [count]; cell n takes n Wh and 10 n seconds."""
    return [
        record((0.9 * n, 1.0 * n, 1.2 * n), execution_count=n, label=f"step {n}", duration_s=10.0 * n)
        for n in range(1, count + 1)
    ]


def prompts(text: str) -> list[str]:
    return [line.split()[0] for line in text.split("\n") if line.strip().startswith("[")]


AWKWARD = [
    record(label=HOSTILE, status="interrupted", duration_s=3e6, execution_count=123456),
    record(None, label=None, execution_count=None),
    record(region=None, label="漢字" * 30),
    record((1e-12, 2e-12, 3e-12), below_resolution=True, concurrent=True),
    record((1e9, 1e10, 1e14), status="killed", region="aws:us-east-1"),
]
RUNNING = RunningCell(execution_count=9, label=HOSTILE, duration_s=134.0, energy_j=6.9 * WH)


@pytest.mark.parametrize("width", [79, 60, 50])
@pytest.mark.parametrize("sort", ["energy", "time"])
@pytest.mark.parametrize("limit", [1, 3, None])
def test_text_keeps_its_width(width: int, sort: Sort, limit: int | None) -> None:
    between = Interval(1.0, 2.0, 3.0)
    text = cells_text(AWKWARD, limit, sort, running=[RUNNING], between_j=between, width=width)
    table = [line for line in text.split("\n") if not line.startswith(("*", "Energy unk", "Where"))]
    for line in table:
        check_text(line.replace("漢", "xx").replace("字", "xx"), width)
    assert cells_text(AWKWARD, limit, sort, running=[RUNNING], width=width, ascii_only=True).isascii()


def test_html_is_harmless() -> None:
    html = cells_html(AWKWARD, running=[RUNNING], between_j=Interval(1.0, 2.0, 3.0))
    words = read_html(html)
    assert "<img" not in html
    assert "[9] <img src=x onerror=alert(1)>" in words
    assert "interrupted after" in words


def test_the_most_expensive_come_first_and_the_rest_is_summed() -> None:
    text = check_text(cells_text(steps(12), 4))
    assert prompts(text) == ["[12]", "[11]", "[10]", "[9]"]
    lines = text.split("\n")
    # 1 + ... + 8 = 36 Wh, and 78 Wh in all; lows and highs of one source add up.
    assert lines[5].split("  ")[3:5] == ["8 more cells", "36 Wh (32–44)"]
    assert lines[6].split() == ["All", "cells", "78", "Wh", "(70–94)", "3.2", "g", "13", "min"]


def test_in_order_of_time_the_last_are_shown() -> None:
    text = check_text(cells_text(steps(12), 4, "time"))
    assert prompts(text) == ["[9]", "[10]", "[11]", "[12]"]
    assert "8 earlier cells" in text.split("\n")[1]


def test_without_limit_all_are_shown_and_none_is_left() -> None:
    text = cells_text(steps(12), None)
    assert len(prompts(text)) == 12
    assert "more" not in text
    assert "more cell " in cells_text(steps(12), 11)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit is 1 or more"):
        cells_text(steps(2), limit)


def test_bars_are_as_long_as_the_energy() -> None:
    lines = check_text(cells_text(steps(8))).split("\n")
    assert lines[1].endswith(" " + "█" * 8)
    assert lines[5].endswith(" " + "█" * 4)
    assert lines[8].endswith(" █")
    lengths = [
        sum(float(width) for width in re.findall(r"height:4px;width:([\d.]+)px", row))
        for row in cells_html(steps(8)).split("<tr")[2:]
    ]
    assert lengths == pytest.approx([90 * n / 8 for n in range(8, 0, -1)] + [0.0], abs=0.2)


def test_cells_that_overlap_are_marked_and_not_in_the_sum() -> None:
    two = steps(2)
    text = check_text(cells_text([*two, record((5.0, 6.0, 7.0), concurrent=True, duration_s=60.0)]))
    assert "1 min*" in text
    assert "All cells  3.0 Wh (2.7–3.6)" in text
    assert "* ran beside another cell: not in the sum (1)." in text
    assert "*" not in cells_text(two)


def test_unknown_is_a_word_comes_last_and_is_counted_in_words() -> None:
    text = check_text(cells_text([record(None, label="dark"), *steps(2)]))
    assert prompts(text) == ["[2]", "[1]", "[7]"]
    assert "dark" in text.split("\n")[3]
    assert text.split("\n")[3].count("unknown") == 2
    assert "All cells  3.0 Wh (2.7–3.6)" in text
    assert "Energy unknown, not in the sum: 1 cell." in text
    assert " 0 " not in text


def test_an_unknown_region_gives_a_range_in_its_row_and_in_the_sum() -> None:
    text = check_text(cells_text([*steps(1), record((0.9, 1.0, 1.2), region=None, label="somewhere")]))
    somewhere = next(line for line in text.split("\n") if "somewhere" in line)
    assert "0.03–0.84 g" in somewhere
    assert "0.46 g" not in text  # 1 Wh at the world's mean
    total = next(line for line in text.split("\n") if "All cells" in line)
    assert "2.0 Wh (1.8–2.4)" in total
    assert "0.06–0.92 g" in total
    assert "Where the region was unknown, only a range of emissions is given." in text


def test_running_cells_are_on_top_and_between_cells_has_its_row() -> None:
    running = [RunningCell(execution_count=9, label="fit", duration_s=134.0, energy_j=None)]
    text = check_text(cells_text(steps(2), running=running, between_j=Interval(3 * WH, 3.6 * WH, 4.4 * WH)))
    assert text.split("\n")[1].split() == ["[9]", "fit", "–", "–", "2:14,", "running"]
    assert "Between cells  3.6 Wh (3.0–4.4)" in text


def test_no_cells() -> None:
    assert cells_text([]) == "No cell has run since tracking began."
    assert read_html(cells_html([])) == "No cell has run since tracking began."


def test_one_cell_needs_no_sum() -> None:
    assert "All cells" not in cells_text(steps(1))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"status": "error", "duration_s": 0.6}, "error after 0.6 s"),
        ({"status": "interrupted", "duration_s": 21.0}, "interrupted after 21 s"),
        ({"below_resolution": True, "duration_s": 0.04}, "≈ 4.6 Wh (4.0–5.6)"),
    ],
)
def test_rows_say_how_a_cell_ended(changed: dict[str, Any], words: str) -> None:
    assert words in check_text(cells_text([record(**changed)]))
    assert words in read_html(cells_html([record(**changed)]))


def test_both_forms_together() -> None:
    shown = cells(steps(3), 2, "time")
    assert shown.text == cells_text(steps(3), 2, "time")
    assert shown.html == cells_html(steps(3), 2, "time")


def test_what_is_below_a_sensors_resolution_is_said_in_words() -> None:
    text = check_text(cells_text([*steps(2), record((0.9, 1.0, 1.2), below_resolution=True)]))
    assert "≈ below resolution, power × time: 1 cell." in text
    assert "resolution" not in cells_text(steps(2))
