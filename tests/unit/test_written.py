"""How figures read: the examples of the design, and the rules that hold for every number."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carbon_magic import written
from carbon_magic.quantity import Interval

WH = 3600.0
UNITS = {
    "µWh": WH * 1e-6,
    "mWh": WH * 1e-3,
    "Wh": WH,
    "kWh": WH * 1e3,
    "MWh": WH * 1e6,
    "GWh": WH * 1e9,
    "TWh": WH * 1e12,
    "µg": 1e-6,
    "mg": 1e-3,
    "g": 1.0,
    "kg": 1e3,
    "t": 1e6,
    "µW": 1e-6,
    "mW": 1e-3,
    "W": 1.0,
    "kW": 1e3,
    "MW": 1e6,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "days": 86400.0,
    "years": 365 * 86400.0,
    "g/kWh": 1.0,
}
RANGES: list[Callable[[Interval], written.Written]] = [
    written.energy_range,
    written.mass_range,
    written.power_range,
    written.span_range,
    written.intensity_range,
]
VALUES = st.one_of(st.just(0.0), st.floats(1e-12, 1e18))


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (0, "0 Wh"),
        (41.3 * WH, "41 Wh"),
        (4.6 * WH, "4.6 Wh"),
        (0.42 * WH, "0.42 Wh"),
        (0.9 * WH, "0.90 Wh"),
        (18 * WH, "18 Wh"),
        (3.1e-3 * WH, "3.1 mWh"),
        (0.9996 * WH, "1.0 Wh"),
        (0.0999 * WH, "0.10 Wh"),
        (0.0994 * WH, "99 mWh"),
        (0.1e-3 * WH, "0.10 mWh"),
        (0.09e-3 * WH, "90 µWh"),
        (1e-12, "<0.01 µWh"),
        (12.5e3 * WH, "12 kWh"),
        (3.4e6 * WH, "3.4 MWh"),
        (1e18, "280 TWh"),
    ],
)
def test_energy(joules: float, text: str) -> None:
    assert plain(written.energy(joules)) == text


@pytest.mark.parametrize(
    ("grams", "text"),
    [(0.19, "0.19 g"), (0.017, "17 mg"), (12e-6, "12 µg"), (1.7, "1.7 g"), (2345.0, "2.3 kg"), (3e6, "3.0 t")],
)
def test_mass(grams: float, text: str) -> None:
    assert plain(written.mass(grams)) == text


@pytest.mark.parametrize(
    ("watts", "text"),
    [
        (176.4, "176 W"),
        (10.4, "10 W"),
        (7.94, "7.9 W"),
        (9.96, "10 W"),
        (0.4, "0.40 W"),
        (0.04, "40 mW"),
        (994.0, "994 W"),
        (999.6, "1.0 kW"),
        (12345.0, "12 kW"),
    ],
)
def test_power_is_in_whole_watts_from_ten(watts: float, text: str) -> None:
    assert plain(written.power(watts)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.001, "<0.01 s"),
        (0.04, "0.04 s"),
        (0.6, "0.6 s"),
        (9.96, "10 s"),
        (18.2, "18 s"),
        (59.6, "1 min"),
        (94.0, "1 min 34 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (8040.0, "2 h 14 min"),
        (86399.0, "1 d"),
        (90000.0, "1 d 1 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert plain(written.duration(seconds)) == text


def test_running_time_counts_whole_seconds() -> None:
    assert written.running(134.9) == "2:14"
    assert written.running(5.0) == "0:05"
    assert written.running(3722.0) == "1:02:02"


def test_ranges_as_in_the_design() -> None:
    assert plain(str(written.mass_range(Interval(1.31, 1.7, 3.38)))) == "1.7 g (1.3–3.4)"
    assert plain(str(written.energy_range(Interval(4.05 * WH, 4.6 * WH, 5.52 * WH)))) == "4.6 Wh (4.0–5.6)"
    assert plain(str(written.span_range(Interval(26.6 * 60, 30.7 * 60, 37.3 * 60)))) == "31 min (26–38)"
    assert plain(str(written.intensity_range(Interval(24.87, 41.45, 78.55)))) == "41 g/kWh (24–79)"
    assert plain(written.mass_span(0.034, 9.42)) == "0.03–9.5 g"


def test_bounds_without_error_of_their_own_are_not_moved_by_binary_noise() -> None:
    assert written.mass_range(Interval(0.1 + 0.2, 0.1 + 0.2, 0.1 + 0.2)).bounds == "(0.30–0.30)"


def test_about_means_below_resolution_and_claims_no_trailing_zero() -> None:
    assert plain(written.about(written.energy(0.3e-3 * WH))) == "≈ 0.3 mWh"
    assert plain(written.about(written.mass(12e-6))) == "≈ 12 µg"
    assert plain(written.about(written.power(100.0))) == "≈ 100 W"


def test_share_and_ratio() -> None:
    shares = [written.share(part) for part in (0.0, 0.001, 0.91, 1.0)]
    assert [plain(text) for text in shares] == ["0 %", "<1 %", "91 %", "100 %"]
    assert [written.ratio(value) for value in (0.676, 5.5, 14.4, 0.001)] == ["0.68×", "5.5×", "14×", "<0.01×"]
    assert plain(written.intensity(0.3)) == "<1 g/kWh"


@given(VALUES, VALUES, VALUES, st.sampled_from(RANGES))
@example(9.96, 9.96, 9.96, written.mass_range)
def test_the_written_range_holds_the_interval(
    a: float, b: float, c: float, write: Callable[[Interval], written.Written]
) -> None:
    low, best, high = sorted((a, b, c))
    shown = write(Interval(low, best, high))
    unit = UNITS[shown.unit]
    assert float(shown.low) * unit <= low * (1 + 1e-11)
    assert float(shown.high) * unit >= high * (1 - 1e-11)
    assert float(shown.low) <= float(shown.figure.lstrip("<")) or shown.low == "0"
    assert float(shown.figure.lstrip("<")) <= float(shown.high)


@given(st.floats(3600 * 0.1e-6, 3600 * 990e12))
def test_an_energy_has_two_digits_two_decimals_and_fits_its_prefix(joules: float) -> None:
    number, unit = written.energy(joules).split("\u00a0")
    assert 0.1 <= float(number) < 1000
    assert re.fullmatch(r"0\.[1-9]\d|[1-9]\.\d|[1-9]\d|[1-9]\d0", number)
    assert float(number) * UNITS[unit] == pytest.approx(joules, rel=0.06)


@given(VALUES, VALUES)
def test_more_never_reads_as_less(a: float, b: float) -> None:
    less, more = sorted((a, b))
    for write in (written.energy, written.mass, written.power):
        read = []
        for value in (less, more):
            number, unit = write(value).split("\u00a0")
            read.append(0.005 * UNITS[unit] if number.startswith("<") else float(number) * UNITS[unit])
        assert read[0] <= read[1] * (1 + 1e-12)


def test_the_notebooks_decimal_context_does_not_matter() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = True
        context.rounding = decimal.ROUND_UP
        assert plain(str(written.energy_range(Interval(123.4, 1234.5, 12345.6)))) == "0.34 Wh (0.03–3.5)"
        assert plain(written.duration(12.3)) == "12 s"
