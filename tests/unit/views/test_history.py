"""What the history shows: rows and their order, sums, ranges only where there are any, words for what is unknown."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest
from unit.views.made_records import HOSTILE, WH, check_text, read_html

from carbon_magic.commands.history import as_data
from carbon_magic.ledger.sums import Group
from carbon_magic.quantity import Interval
from carbon_magic.views.history import LIMIT, History, history, history_html, history_text


def group(name: str | None, wh: float | None = 10.0, grams: float | None = 1.0, **changed: Any) -> Group:
    """10 cells in 100 s: energy between 0.9 and 1.2 times its best, emissions between half and twice."""
    values: dict[str, Any] = {
        "name": name,
        "cells": 10,
        "duration_s": 100.0,
        "energy_j": None if wh is None else Interval(0.9 * wh * WH, wh * WH, 1.2 * wh * WH),
        "emissions_g": None if grams is None else Interval(0.5 * grams, grams, 2 * grams),
        "emissions_known": True,
        "first_at": "2026-11-01T12:00:00.000+00:00",
        "last_at": "2026-11-23T12:00:00.000+00:00",
        **changed,
    }
    return Group(**values)


def shown(*groups: Group, total: Group | None = None, by: str = "project", **more: Any) -> History:
    if total is None:
        wh = sum(one.energy_j.best for one in groups if one.energy_j is not None) / WH
        total = group(None, wh, cells=sum(one.cells for one in groups))
    return History(groups, total, by, **more)


def table(text: str) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in text.split("\n") if "  " in line.strip()]


def test_a_row_has_cells_energy_emissions_and_time_and_the_last_is_all() -> None:
    text = check_text(history_text(shown(group("demo", 40.0, 4.0), group("thesis", 10.0, 1.0))))
    assert table(text) == [
        ["Project", "Cells", "Energy", "CO2e", "Time"],
        ["demo", "10", "40 Wh (36–48)", "4.0 g (2.0–8.0)", "1 min 40 s", "████████"],
        ["thesis", "10", "10 Wh (9.0–12)", "1.0 g (0.50–2.0)", "1 min 40 s", "██"],
        ["All", "20", "50 Wh (45–60)", "1.0 g (0.50–2.0)", "1 min 40 s"],
    ]
    assert "2026-11-01 to 2026-11-23." in text
    assert "between their cells" not in text


def test_time_between_cells_is_said_to_be_in_the_total() -> None:
    text = history_text(shown(group("demo", 40.0), total=group(None, 44.0)))
    assert "The last row is of whole sessions, the time between their cells included." in " ".join(text.split())


def test_with_the_region_unknown_there_is_only_a_range_of_emissions() -> None:
    text = check_text(history_text(shown(group("demo", 40.0, 4.0, emissions_known=False), group("known", 1.0, 7.0))))
    assert table(text)[1][3] == "2.0–8.0 g"
    assert "4.0 g" not in text
    assert table(text)[2][3] == "7.0 g (3.5–14)"
    assert "Where the region was unknown, only a range of emissions is given." in text


def test_what_is_unknown_is_a_word() -> None:
    text = check_text(history_text(shown(group("dark", None, None))))
    assert table(text)[1][:4] == ["dark", "10", "unknown", "unknown"]
    words = read_html(history_html(shown(group("dark", None, None))))
    assert "dark 10 unknown unknown 1 min 40 s" in words


def test_what_was_imported_has_no_range() -> None:
    exact = group("old", energy_j=Interval.exact(40.0 * WH), emissions_g=Interval.exact(4.0))
    view = shown(exact, imported=2)
    text = check_text(history_text(view))
    assert table(text)[1][2:4] == ["40 Wh", "4.0 g"]
    assert "How far the figures of 2 imported runs may be wrong is unknown" in " ".join(text.split())
    assert "old 10 40 Wh 4.0 g 1 min 40 s" in read_html(history_html(view))
    assert "How the figures are made: %carbon methods" in read_html(history_html(view))
    assert history_text(view._replace(methods="carbon-magic methods")).endswith("carbon-magic methods")


def test_a_sum_of_nothing_but_cells_below_resolution_has_their_sign() -> None:
    view = shown(group("short", 0.004, 0.002, below_resolution=10), group("both", 40.0, 4.0, below_resolution=3))
    text = check_text(history_text(view))
    assert [row[2:4] for row in table(text)[1:]] == [
        ["≈ 4 mWh (3.6–4.8)", "≈ 2 mg (1.0–4.0)"],
        ["40 Wh (36–48)", "4.0 g (2.0–8.0)"],
        ["40 Wh (36–49)", "1.0 g (0.50–2.0)"],
    ]
    assert "≈ below resolution, power × time: 13 cells." in text
    words = read_html(history_html(view))
    assert "short 10 ≈ 4 mWh (3.6–4.8)" in words
    assert "≈ below resolution, power × time: 13 cells." in words


def test_a_few_cells_below_resolution_are_said_without_the_sign() -> None:
    view = shown(group("both", 40.0, below_resolution=1), group("long", 10.0))
    text = check_text(history_text(view))
    assert "Below resolution, power × time: 1 of 20 cells." in text
    assert "≈" not in text
    assert "resolution" not in history_text(shown(group("long")))
    assert [one["below_resolution"] for one in as_data(view)["groups"]] == [1, 0]
    assert as_data(view)["total"]["below_resolution"] == 1


def test_the_total_of_nothing_but_such_cells_has_the_sign_unless_time_between_them_is_in_it() -> None:
    short = group("short", 0.004, below_resolution=10)
    assert table(check_text(history_text(shown(short))))[-1][2] == "≈ 4 mWh (3.6–4.8)"
    assert table(check_text(history_text(shown(short, total=group(None, 4.0)))))[-1][2] == "4.0 Wh (3.6–4.8)"


@pytest.mark.parametrize("by", ["project", "notebook", "label"])
def test_cells_without_a_name_have_a_row_of_their_own(by: str) -> None:
    assert table(history_text(shown(group(None), by=by)))[1][0] == f"no {by}"


def test_of_a_long_list_the_rest_is_one_row() -> None:
    many = [group(f"p{number}", 100.0 - number) for number in range(LIMIT + 5)]
    rows = table(check_text(history_text(shown(*many))))
    assert len(rows) == LIMIT + 3
    # 70, 69, 68, 67 and 66 Wh.
    assert rows[LIMIT + 1][:3] == ["5 more projects", "50", "0.34 kWh (0.30–0.41)"]
    assert len(table(history_text(shown(*many[: LIMIT + 1])))) == LIMIT + 3


def test_of_many_days_the_last_are_listed() -> None:
    days = [group(f"2026-{month:02}-{day:02}") for month in (9, 10) for day in range(1, 31)]
    rows = table(check_text(history_text(shown(*days, by="day"))))
    assert rows[1][:3] == ["30 earlier days", "300", "0.30 kWh (0.27–0.36)"]
    assert [row[0] for row in rows[2:-1]] == [f"2026-10-{day:02}" for day in range(1, 31)]


def test_of_a_long_path_the_end_is_kept() -> None:
    path = "/home/somebody/" + "folder/" * 20 + "analysis.ipynb"
    name = table(history_text(shown(group(path), by="notebook"), width=120))[1][0]
    assert name.startswith("…")
    assert name.endswith("folder/analysis.ipynb")


AWKWARD = [
    group(HOSTILE, 1e9, 1e12),
    group("漢字" * 30, 1e-9, 1e-12, emissions_known=False),
    group(None, None, None, cells=10**9, duration_s=1e9),
]


@pytest.mark.parametrize("width", [120, 79, 60, 45])
def test_text_keeps_its_width(width: int) -> None:
    view = shown(*AWKWARD, problems=[HOSTILE, "x " * 200], imported=3)
    text = history_text(view, width)
    for line in text.split("\n"):
        check_text(line.replace("漢", "xx").replace("字", "xx"), width)
    assert history_text(view, width, ascii_only=True).isascii()


def test_html_is_harmless() -> None:
    html = history_html(shown(*AWKWARD, problems=[HOSTILE]))
    words = read_html(html)
    assert "<img" not in html
    assert "<img src=x onerror=alert(1)> red" in words


def test_an_empty_ledger_is_said_in_words() -> None:
    nothing = Group(None, 0, 0.0, None, None, True, "", "")
    assert history_text(History([], nothing, "day")) == "Nothing has been recorded yet."
    since = History([], nothing, "day", datetime(2026, 11, 1, tzinfo=timezone.utc))
    assert history_text(since) == "Nothing has been recorded in that time."
    assert read_html(history_html(since)) == "Nothing has been recorded in that time."


def test_what_could_not_be_read_is_said_below() -> None:
    nothing = Group(None, 0, 0.0, None, None, True, "", "")
    view = History([], nothing, "day", problems=["ledger-x.db is broken: no", *(f"p{n}" for n in range(6))])
    text = check_text(history_text(view))
    assert "Not read: ledger-x.db is broken: no." in text
    assert "2 more problems: %carbon doctor" in text
    assert "p5" not in text
    assert "Not read: ledger-x.db is broken: no." in read_html(history_html(view))


def test_both_forms_together() -> None:
    view = shown(group("demo"))
    assert history(view).text == history_text(view)
    assert history(view).html == history_html(view)
