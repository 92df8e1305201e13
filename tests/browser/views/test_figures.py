"""Figures: the browser writes what Python writes, digit by digit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from browser.views_page import Panels, plain

from carbon_magic import written
from carbon_magic.quantity import Interval

WH = 3600.0


def values(low: float, high: float, count: int, seed: int) -> list[float]:
    """From low to high evenly in their logarithms, with the corners where rounding turns over."""
    chance = random.Random(seed)
    spread = [math.exp(chance.uniform(math.log(low), math.log(high))) for _ in range(count)]
    corners = [
        0.0,
        0.005,
        0.0995,
        0.095,
        0.9949,
        0.995,
        0.0949999,
        9.95,
        9.949,
        99.5,
        99.49,
        994.9,
        995,
        999.5,
        0.125,
        2.5,
    ]
    return [*spread, *corners, *(WH * corner for corner in corners)]


def intervals(low: float, high: float, count: int, seed: int) -> list[list[float]]:
    chance = random.Random(seed)
    return [
        [best * chance.uniform(0.2, 1), best, best * chance.uniform(1, 4)] for best in values(low, high, count, seed)
    ]


Pair = tuple[str, Callable[[Any], str], Callable[[float], str]]


@pytest.mark.parametrize(
    ("name", "python", "low", "high"),
    [
        ("energy", written.energy, 1e-4, 1e16),
        ("mass", written.mass, 1e-8, 1e8),
        ("power", written.power, 1e-7, 1e8),
        ("intensity", written.intensity, 1e-2, 1e4),
        ("share", written.share, 1e-4, 1.0),
        ("ratio", written.ratio, 1e-4, 1e4),
        ("duration", written.duration, 1e-4, 1e7),
        ("running", written.running, 1.0, 1e6),
        ("aboutEnergy", lambda joules: written.about(written.energy(joules)), 1e-4, 1e16),
        ("aboutMass", lambda grams: written.about(written.mass(grams)), 1e-8, 1e8),
    ],
)
def test_the_browser_writes_figures_as_python_does(
    panels: Panels, name: str, python: Callable[[float], str], low: float, high: float
) -> None:
    asked = values(low, high, 300, seed=len(name))
    got = panels.page.evaluate(
        "([name, values]) => { const f = harness.format.formats('en'); return values.map((value) => f[name](value)); }",
        [name, asked],
    )
    # Thousands are grouped on screen only.
    assert [text.replace(",", "") for text in got] == [python(value) for value in asked]


@pytest.mark.parametrize(
    ("name", "python", "low", "high"),
    [
        ("energyRange", written.energy_range, 1e-4, 1e16),
        ("massRange", written.mass_range, 1e-8, 1e8),
        ("powerRange", written.power_range, 1e-7, 1e8),
        ("intensityRange", written.intensity_range, 1e-2, 1e4),
    ],
)
def test_ranges_are_rounded_outwards_as_python_does(
    panels: Panels, name: str, python: Callable[[Interval], written.Written], low: float, high: float
) -> None:
    asked = intervals(low, high, 200, seed=len(name))
    got = panels.page.evaluate(
        "([name, all]) => { const f = harness.format.formats('en');"
        " return all.map((range) => { const w = f[name](range); return [w.figure, w.low, w.high, w.unit]; }); }",
        [name, asked],
    )
    assert [[part.replace(",", "") for part in parts] for parts in got] == [list(python(Interval(*of))) for of in asked]


def test_decimal_signs_are_the_readers_own(panels: Panels) -> None:
    write = "(tag) => ((f) => [f.mass(1.7), f.ratio(0.68), f.number(1306, 0)])(harness.format.formats(tag))"
    assert panels.page.evaluate(write, "de") == ["1,7\u00a0g", "0,68×", "1.306"]
    assert panels.page.evaluate(write, "no such tag!")[0].endswith("\u00a0g")


def test_the_headline_has_three_digits_and_its_prefix_only_goes_up(panels: Panels) -> None:
    write = """([wh, least]) =>
      harness.format.formats('en').energyRange(Array(3).fill(wh * 3600), {digits: 3, atLeast: least}).best"""
    assert plain(panels.page.evaluate(write, [41.27, 0])) == "41.3 Wh"
    assert plain(panels.page.evaluate(write, [4.128, 0])) == "4.13 Wh"
    assert plain(panels.page.evaluate(write, [0.4128, 0])) == "0.41 Wh"
    assert plain(panels.page.evaluate(write, [0.05, 2])) == "0.05 Wh"


@pytest.mark.parametrize(
    ("unit", "joules", "text", "about"),
    [
        ("auto", 16560, "4.6 Wh", "≈ 4.6 Wh"),
        ("J", 16560, "17 kJ", "≈ 17 kJ"),
        ("J", 0.3, "0.30 J", "≈ 0.3 J"),
        ("J", 1e-4, "0.10 mJ", "≈ 0.1 mJ"),
        ("J", 3.6e12, "3.6 TJ", "≈ 3.6 TJ"),
        ("J", 0, "0 J", "≈ 0 J"),
        ("Wh", 16560, "4.6 Wh", "≈ 4.6 Wh"),
        ("Wh", 1.08, "0.00030 Wh", "≈ 0.0003 Wh"),
        ("Wh", 1e-4, "<0.000001 Wh", "≈ <0.000001 Wh"),
        ("Wh", 4.5e7, "12,000 Wh", "≈ 12,000 Wh"),
    ],
)
def test_energy_is_written_in_the_unit_that_is_wanted(
    panels: Panels, unit: str, joules: float, text: str, about: str
) -> None:
    write = """([unit, joules]) => {
      const format = harness.format.formatsOf({ locale: 'en', unit });
      return [format.energy(joules), format.aboutEnergy(joules)]; }"""
    assert [plain(one) for one in panels.page.evaluate(write, [unit, joules])] == [text, about]
