"""Interpolation between readings, and thinning."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.power.sensor import Domain, Fill, GpuUse, Provenance, Reading
from carbon_magic.power.timeline import Series, Timeline
from carbon_magic.quantity import Interval


@dataclass
class Made:
    """A sensor of which only the way its readings are filled matters."""

    fill: Fill = "time"
    idle_power_w: Interval | None = None
    name: str = "made"
    domain: Domain = "cpu"
    provenance: Provenance = "measured"
    cheap: bool = False
    period_s: float = 1.0
    update_s: float = 0.0
    resolution_s: float = 0.0
    short: tuple[float, Interval] | None = None
    max_power_w: float | None = None
    idle_is_exact: bool = True

    def peek(self) -> float:
        return 0.0

    def advance(self, time_s: float, raw: float) -> Reading:
        return Reading(time_s, raw, raw, raw)

    def skip(self, time_s: float, raw: float) -> None: ...

    def close(self) -> None: ...


def line(sensor: Made, *readings: tuple[float, float]) -> Timeline:
    timeline = Timeline()
    timeline.add_sensor(sensor)
    for time_s, energy_j in readings:
        timeline.add_reading("made", Reading(time_s, energy_j / 2, energy_j, energy_j * 2))
    return timeline


def test_a_counter_is_filled_evenly() -> None:
    joules = line(Made(), (10.0, 0.0), (11.0, 40.0)).mark(10.25).joules["made"]
    assert joules == pytest.approx((5.0, 10.0, 20.0))


def test_before_the_first_reading_there_is_nothing_and_after_the_last_nothing_more() -> None:
    timeline = line(Made(), (10.0, 0.0), (11.0, 40.0))
    assert timeline.mark(5.0).joules["made"].best == 0.0
    assert timeline.mark(99.0).joules["made"].best == 40.0


def test_a_model_is_filled_along_the_kernels_cpu_seconds() -> None:
    """Idle at 10 W; the kernel worked 0.2 s at the beginning of the second, others 0.1 s evenly."""
    timeline = line(Made("cpu", Interval(5.0, 10.0, 20.0)), (10.0, 0.0), (11.0, 40.0))
    timeline.ticks.append(10.0, 0.0, 0.0)
    timeline.ticks.append(11.0, 0.2, 0.3)
    for time_s, own_s in ((10.0, 0.0), (10.2, 0.2), (11.0, 0.2)):
        timeline.own.append(time_s, own_s)
    # By 10.2 s: 2 J of the 10 J idle, and 0.2 + 0.02 of the 0.3 CPU seconds that the other 30 J went with.
    assert timeline.mark(10.2).joules["made"].best == pytest.approx(2.0 + 30.0 * 0.22 / 0.3)
    assert timeline.mark(10.2).busy_s == pytest.approx(0.22)


def test_a_gpu_is_filled_along_its_power_samples() -> None:
    timeline = line(Made("power"), (10.0, 0.0), (11.0, 100.0))
    for time_s, power_w in ((10.0, 0.0), (10.25, 20.0), (10.5, 20.0), (10.75, 180.0), (11.0, 180.0)):
        timeline.add_power("made", time_s, power_w)
    assert timeline.mark(10.5).joules["made"].best == pytest.approx(10.0)
    assert timeline.mark(10.75).joules["made"].best == pytest.approx(55.0)


def test_a_gpu_without_samples_across_the_second_is_filled_evenly() -> None:
    timeline = line(Made("power"), (10.0, 0.0), (11.0, 100.0))
    timeline.add_power("made", 10.4, 50.0)
    timeline.add_power("made", 10.6, 150.0)
    assert timeline.mark(10.5).joules["made"].best == pytest.approx(50.0)


def test_the_use_of_a_gpu_adds_up_over_time() -> None:
    timeline = line(Made("power"), (10.0, 0.0), (12.0, 1.0))
    timeline.add_use("made", 10.0, GpuUse(0.0, 0.0, True))
    timeline.add_use("made", 11.0, GpuUse(0.5, 0.8, True))
    timeline.add_use("made", 12.0, GpuUse(1.0, 0.2, True))
    assert timeline.mark(12.0).gpu_use["made"] == pytest.approx((1.5, 0.6, 1.0))


def test_a_day_is_thinned_and_still_right() -> None:
    series = Series(1)
    for second in range(86_400):
        series.append(float(second), 3.0 * second)
        series.append(second + 0.5, 3.0 * second + 1.5)
    assert len(series.times) < 14_000
    assert series.at(500.0)[0] == pytest.approx(1500.0)
    assert series.at(86_399.5)[0] == pytest.approx(3.0 * 86_399.5)
    assert list(series.times) == sorted(series.times)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e9)), min_size=1, max_size=60), st.floats(0, 1e6))
def test_nothing_cumulative_ever_falls(points: list[tuple[float, float]], at_s: float) -> None:
    series = Series(1)
    for time_s, value in points:
        series.append(time_s, value)
    assert all(late >= early for early, late in zip(series.columns[0], series.columns[0][1:], strict=False))
    assert series.at(at_s)[0] <= series.at(at_s + 1.0)[0] + 1e-6
