"""The words under a cell and in the status bar."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.views_page import Panels, plain
from playwright.sync_api import Page


def badge(page: Page, script: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        "() => { const { fixtures, badge } = harness; const { cell, totals } = fixtures;"
        " const host = harness.makeHost(fixtures.FIXTURES.example()).host; return " + script + "; }"
    )
    return {key: plain(value) if isinstance(value, str) else value for key, value in found.items()}


@pytest.mark.parametrize(
    ("script", "text", "heat"),
    [
        ("badge.badgeText(cell(7, 4.6), totals(), host)", "4.6 Wh · 0.19 g · 1 min 34 s · 11 % of session", 1),
        (
            "badge.badgeText(cell(9, 18, {duration_s: 362}), totals(), host)",
            "18 Wh · 0.75 g · 6 min 2 s · 44 % of session",
            2,
        ),
        ("badge.badgeText(cell(9, 30), totals(), host)", "30 Wh · 1.2 g · 1 min 34 s · 73 % of session", 3),
        ("badge.badgeText(cell(5, 0.42, {duration_s: 18}), totals(), host)", "0.42 Wh · 17 mg · 18 s", 0),
        (
            "badge.badgeText(cell(6, 3e-4, {duration_s: 0.04, below_resolution: true}), totals(), host)",
            "≈ 0.3 mWh · ≈ 12 µg · 0.04 s",
            0,
        ),
        (
            "badge.badgeText(cell(8, 3.1e-3, {status: 'error', duration_s: 0.6}), totals(), host)",
            "3.1 mWh · 0.13 mg · error after 0.6 s",
            0,
        ),
        (
            "badge.badgeText(cell(8, 0.9, {status: 'interrupted', duration_s: 21}), totals(), host)",
            "0.90 Wh · 37 mg · interrupted after 21 s",
            0,
        ),
        ("badge.badgeText(fixtures.running(), totals(), host)", "6.9 Wh · 0.29 g · 2:14, running · 17 % of session", 1),
        (
            "badge.badgeText(cell(5, 0.42, {duration_s: 18}), totals(), host, {edited: true})",
            "0.42 Wh · 17 mg · 18 s · edited since",
            0,
        ),
        (
            "badge.badgeText(cell(5, 1.1, {region_known: false, duration_s: 430}), totals(), host)",
            "1.1 Wh · region unknown · 7 min 10 s",
            0,
        ),
        ("badge.badgeText(null, totals(), host)", "not tracked", 0),
    ],
)
def test_badges(panels: Panels, script: str, text: str, heat: int) -> None:
    found = badge(panels.page, script)
    assert (found["text"], found["heat"]) == (text, heat)
    assert found["figure"] + found["rest"] == text


@pytest.mark.parametrize(
    ("state", "text"),
    [("example", "186 W · 1.7 g"), ("unknown", "7.9 W · region?"), ("off", "off"), ("dead", "off"), ("first", "– W")],
)
def test_status_bar(panels: Panels, state: str, text: str) -> None:
    found = badge(panels.page, f"badge.statusText(fixtures.FIXTURES.{state}(), host)")
    assert found["text"] == text
    assert (found["exception"] == "modelled") is (state == "unknown")


def test_status_bar_where_the_region_was_named_after_the_first_cells(panels: Panels) -> None:
    named = "{ ...fixtures.FIXTURES.unknown(), region: fixtures.FIXTURES.example().region }"
    found = badge(panels.page, f"badge.statusText({named}, host)")
    assert re.fullmatch(r"7\.9 W · [\d.]+–[\d.]+ \w?g", found["text"])
    assert "region unknown for a part" in found["title"]
