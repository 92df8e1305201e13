"""Interval arithmetic: order is kept, exact is neutral, and how errors are related decides how far they grow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.quantity import ZERO, Interval, sum_independent, sum_same_source

MAGNITUDES = st.one_of(st.just(0.0), st.floats(1e-12, 1e18, allow_nan=False))
POSITIVE = st.floats(1e-12, 1e18)


@st.composite
def intervals(draw: st.DrawFn, magnitudes: st.SearchStrategy[float] = MAGNITUDES) -> Interval:
    low, best, high = sorted(draw(st.tuples(magnitudes, magnitudes, magnitudes)))
    return Interval(low, best, high)


def close(one: Interval, other: Interval) -> bool:
    pairs = ((one.low, other.low), (one.best, other.best), (one.high, other.high))
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-30) for a, b in pairs)


def in_order(interval: Interval) -> bool:
    return 0.0 <= interval.low <= interval.best <= interval.high < math.inf


@pytest.mark.parametrize(
    "bounds",
    [
        (2.0, 1.0, 3.0),
        (1.0, 3.0, 2.0),
        (-1.0, 0.0, 1.0),
        (math.nan, 1.0, 2.0),
        (1.0, math.nan, 2.0),
        (1.0, 1.0, math.nan),
        (0.0, 1.0, math.inf),
    ],
)
def test_what_is_no_interval_cannot_be_made(bounds: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(*bounds)


@given(MAGNITUDES)
def test_exact_has_no_width(value: float) -> None:
    exact = Interval.exact(value)
    assert (exact.low, exact.best, exact.high) == (value, value, value)


@given(intervals(), MAGNITUDES)
def test_scaling_scales_each_bound(interval: Interval, factor: float) -> None:
    scaled = interval.scaled(factor)
    assert in_order(scaled)
    assert (scaled.low, scaled.best, scaled.high) == (
        interval.low * factor,
        interval.best * factor,
        interval.high * factor,
    )


def test_scaling_by_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(1.0, 2.0, 3.0).scaled(-1.0)


@given(intervals(), intervals(), intervals())
def test_plus_is_commutative_associative_and_in_order(a: Interval, b: Interval, c: Interval) -> None:
    assert a.plus(b) == b.plus(a)
    assert close(a.plus(b).plus(c), a.plus(b.plus(c)))
    assert in_order(a.plus(b))
    assert a.plus(ZERO) == a


@given(intervals(), intervals(), intervals())
def test_times_is_commutative_associative_and_in_order(a: Interval, b: Interval, c: Interval) -> None:
    assert in_order(a.times(b))
    assert close(a.times(b), b.times(a))
    assert a.times(b).best == a.best * b.best


@given(intervals(POSITIVE), POSITIVE)
def test_times_an_exact_factor_is_scaling(interval: Interval, factor: float) -> None:
    assert close(interval.times(Interval.exact(factor)), interval.scaled(factor))
    assert close(interval.times(Interval.exact(1.0)), interval)


@given(intervals(POSITIVE), intervals(POSITIVE))
def test_a_product_is_wider_than_its_widest_factor_but_not_than_the_product_of_bounds(a: Interval, b: Interval) -> None:
    product = a.times(b)
    up, up_a, up_b = product.high / product.best, a.high / a.best, b.high / b.best
    assert up >= max(up_a, up_b) * (1 - 1e-9)
    assert up <= up_a * up_b * (1 + 1e-9)
    down, down_a, down_b = product.best / product.low, a.best / a.low, b.best / b.low
    assert down >= max(down_a, down_b) * (1 - 1e-9)
    assert down <= down_a * down_b * (1 + 1e-9)


def test_a_product_adds_half_widths_of_logarithms_in_quadrature() -> None:
    # ln 2 times 3 and times 4: together ln 2 times 5, which is a factor of 32.
    product = Interval(10 / 8, 10.0, 80.0).times(Interval(1 / 16, 1.0, 16.0))
    assert product.low == pytest.approx(10 / 32)
    assert product.best == 10.0
    assert product.high == pytest.approx(320.0)


def test_a_low_of_zero_stays_zero_and_an_unknown_best_keeps_its_high() -> None:
    assert Interval(0.0, 2.0, 2.0).times(Interval.exact(3.0)) == Interval(0.0, 6.0, 6.0)
    assert Interval(0.0, 0.0, 5.0).times(Interval(1.0, 2.0, 3.0)) == Interval(0.0, 0.0, 15.0)
    assert ZERO.times(Interval(1.0, 2.0, 3.0)) == ZERO


def test_a_best_of_almost_zero_is_no_overflow() -> None:
    assert Interval(0.0, 1e-313, 1.0).times(Interval(1.0, 2.0, 4.0)) == Interval(0.0, 1e-313 * 2.0, 4.0)


@given(st.lists(intervals(), max_size=6))
def test_sums_agree_on_the_best_and_independent_errors_never_add_up_to_more(parts: list[Interval]) -> None:
    same, independent = sum_same_source(parts), sum_independent(parts)
    assert in_order(same)
    assert in_order(independent)
    assert independent.best == pytest.approx(same.best, rel=1e-12)
    slack = 1e-9 * same.high
    assert independent.low >= same.low - slack
    assert independent.high <= same.high + slack


def test_independent_half_widths_add_in_quadrature() -> None:
    total = sum_independent([Interval(7.0, 10.0, 13.0), Interval(16.0, 20.0, 24.0)])
    assert total == Interval(25.0, 30.0, 35.0)


def test_an_independent_sum_does_not_go_below_zero() -> None:
    total = sum_independent([Interval(0.0, 1.0, 1.0), Interval(0.0, 1.0, 1.0), Interval(1.0, 1.0, 9.0)])
    assert total.low == pytest.approx(3 - math.sqrt(2))
    assert sum_independent([]) == ZERO
    assert sum_same_source([]) == ZERO


@given(intervals())
def test_a_sum_of_one_is_that_one(interval: Interval) -> None:
    assert sum_same_source([interval]) == interval
    independent = sum_independent([interval])
    assert independent.best == interval.best
    assert independent.low == pytest.approx(interval.low, abs=1e-12 * interval.high)
    assert independent.high == pytest.approx(interval.high, rel=1e-12)
