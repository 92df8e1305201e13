"""RAPL counters: exact joules through steps, wraps, resets and gaps."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.build import AMD_RANGE_UJ, INTEL_RANGE_UJ, build, set_counter

from carbon_magic.power.powercap import PowercapSensor, Zone, zones
from carbon_magic.power.sensor import Sensor, SensorError
from carbon_magic.quantity import Interval


def zone(root: Path, folder: str) -> Zone:
    return next(found for found in zones(root) if found.folder.name == folder)


@pytest.fixture
def intel(tmp_path: Path) -> PowercapSensor:
    """A desktop's package: TDP 125 W, PL2 241 W, wraps at 262 kJ."""
    return PowercapSensor(zone(build("intel-desktop", tmp_path / "intel"), "intel-rapl:0"), "GenuineIntel")


@pytest.fixture
def amd(tmp_path: Path) -> PowercapSensor:
    """A package without any limits told, which wraps at 65.5 kJ."""
    return PowercapSensor(zone(build("amd", tmp_path / "amd"), "intel-rapl:0"), "AuthenticAMD")


def test_what_the_zone_tells(intel: PowercapSensor, amd: PowercapSensor) -> None:
    assert isinstance(intel, Sensor)
    assert (intel.name, intel.domain, intel.provenance) == ("powercap:package-0", "cpu", "measured")
    assert intel.max_power_w == 241.0
    assert intel.idle_power_w == Interval(0.10 * 125, 0.20 * 125, 0.34 * 125)
    assert (amd.max_power_w, amd.idle_power_w) == (None, None)


def test_the_long_term_maximum_goes_before_a_raised_limit(tmp_path: Path) -> None:
    found = zone(build("intel-desktop", tmp_path), "intel-rapl:0")
    assert (found.tdp_w, found.pl2_w) == (125.0, 241.0)
    (found.folder / "constraint_0_max_power_uw").write_text("0\n")
    assert zone(tmp_path, "intel-rapl:0").tdp_w == 200.0
    (found.folder / "constraint_0_power_limit_uw").write_text("4095000000\n")
    assert zone(tmp_path, "intel-rapl:0").tdp_w is None


def test_a_tdp_from_elsewhere_gives_the_plausible_maximum(tmp_path: Path) -> None:
    sensor = PowercapSensor(zone(build("amd", tmp_path), "intel-rapl:0"), "AuthenticAMD", 105.0)
    assert sensor.max_power_w == 210.0
    assert sensor.idle_power_w == Interval(0.10 * 105, 0.20 * 105, 0.34 * 105)


def test_joules_from_the_file(tmp_path: Path) -> None:
    root = build("intel-desktop", tmp_path)
    sensor = PowercapSensor(zone(root, "intel-rapl:0"), "GenuineIntel")
    assert sensor.advance(10.0, sensor.peek()) == (10.0, 0.0, 0.0, 0.0)
    set_counter(root, "intel-rapl:0", 1_000_000 + 50_000_000)
    assert sensor.advance(11.0, sensor.peek()) == pytest.approx((11.0, 47.5, 50.0, 52.5))
    sensor.close()
    sensor.close()
    with pytest.raises(SensorError, match="package-0 cannot be read"):
        sensor.peek()


def test_dram_has_its_own_domain_and_factor(tmp_path: Path) -> None:
    sensor = PowercapSensor(zone(build("two-sockets", tmp_path), "intel-rapl:1:0"), "GenuineIntel")
    assert (sensor.name, sensor.domain, sensor.idle_power_w) == ("powercap:dram-1", "dram", None)
    sensor.advance(0.0, 0.0)
    assert sensor.advance(1.0, 10e6) == pytest.approx((1.0, 8.5, 10.0, 12.0))


def test_amd_has_the_wider_factor(amd: PowercapSensor) -> None:
    amd.advance(0.0, 0.0)
    assert amd.advance(1.0, 100e6) == pytest.approx((1.0, 90.0, 100.0, 110.0))


def test_a_wrap_is_counted(intel: PowercapSensor) -> None:
    intel.advance(0.0, INTEL_RANGE_UJ - 30e6)
    assert intel.advance(1.0, 20e6).energy_j == pytest.approx(50.0)


def test_a_session_over_many_wraps_is_exact(amd: PowercapSensor) -> None:
    counter, reading = 0.0, amd.advance(0.0, 0.0)
    for tick in range(1, 2001):
        counter = (counter + 250e6) % AMD_RANGE_UJ
        reading = amd.advance(float(tick), counter)
    assert reading.energy_j == pytest.approx(500_000.0, rel=1e-9)
    assert (reading.low_j, reading.high_j) == pytest.approx((450_000.0, 550_000.0))


def test_over_a_long_gap_the_high_holds_the_wraps_nobody_saw(amd: PowercapSensor) -> None:
    range_j = AMD_RANGE_UJ * 1e-6
    amd.advance(0.0, 0.0)
    # 400 W (no limit is told) for 600 s are at most 240 kJ: 10 kJ and up to 3 ranges of 65.5 kJ.
    reading = amd.advance(600.0, 10_000e6)
    assert reading.energy_j == pytest.approx(10_000.0)
    assert reading.low_j == pytest.approx(9_000.0)
    assert reading.high_j == pytest.approx((10_000.0 + 3 * range_j) * 1.10)


def test_a_gap_below_half_the_wrap_time_widens_nothing(amd: PowercapSensor) -> None:
    amd.advance(0.0, 0.0)
    assert amd.advance(80.0, 8_000e6).high_j == pytest.approx(8_800.0)


def test_a_counter_that_starts_anew_is_bridged_at_the_last_power(intel: PowercapSensor) -> None:
    intel.advance(0.0, 200_000e6)
    intel.advance(1.0, 200_060e6)
    # Backwards, and no wrap: that would be 62 kJ in two seconds.
    reading = intel.advance(3.0, 5e6)
    assert reading == pytest.approx((3.0, 57.0, 60.0 + 120.0, 63.0 + 2 * 241.0))
    assert intel.advance(4.0, 15e6) == pytest.approx((4.0, 66.5, 190.0, 63.0 + 482.0 + 10.5))


def test_a_jump_forwards_that_no_processor_makes_is_no_energy(intel: PowercapSensor) -> None:
    intel.advance(0.0, 0.0)
    assert intel.advance(1.0, 100_000e6) == pytest.approx((1.0, 0.0, 0.0, 241.0))


def test_two_reads_around_one_stroke_of_the_counter_are_no_jump(intel: PowercapSensor) -> None:
    intel.advance(0.0, 0.0)
    # 0.2 ms apart, but the counter moved by the 1 ms that it had gathered at 200 W.
    assert intel.advance(0.0002, 200_000.0).energy_j == pytest.approx(0.2)


def test_no_time_is_no_step_and_loses_nothing(intel: PowercapSensor) -> None:
    intel.advance(1.0, 0.0)
    assert intel.advance(1.0, 5e6).energy_j == 0.0
    assert intel.advance(2.0, 10e6).energy_j == pytest.approx(10.0)


def test_a_suspended_step_is_dropped(intel: PowercapSensor) -> None:
    intel.advance(0.0, 0.0)
    intel.advance(1.0, 10e6)
    intel.skip(5.0, 400e6)
    assert intel.advance(5.0, 400e6).energy_j == pytest.approx(10.0)
    assert intel.advance(6.0, 410e6).energy_j == pytest.approx(20.0)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, INTEL_RANGE_UJ)), max_size=40))
def test_none_of_the_three_ever_falls(steps: list[tuple[float, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sensor = PowercapSensor(zone(build("intel-desktop", Path(folder)), "intel-rapl:0"), "GenuineIntel")
        sensor.close()
    time_s, before = 0.0, sensor.advance(0.0, 0.0)
    for step_s, raw in steps:
        time_s += step_s
        after = sensor.advance(time_s, raw)
        assert after.low_j >= before.low_j
        assert after.energy_j >= before.energy_j
        assert after.high_j >= before.high_j
        assert after.low_j <= after.energy_j * (1 + 1e-12)
        assert after.energy_j <= after.high_j * (1 + 1e-12)
        before = after


@pytest.mark.parametrize("content", ["", "-1", "1e9", "nan", "1" * 21, "energy", "1 2"])
def test_what_is_no_energy_is_an_error_in_words(tmp_path: Path, content: str) -> None:
    root = build("intel-desktop", tmp_path)
    sensor = PowercapSensor(zone(root, "intel-rapl:0"), "GenuineIntel")
    set_counter(root, "intel-rapl:0", content)
    with pytest.raises(SensorError, match="holds no energy"):
        sensor.peek()


def test_a_zone_that_vanished_cannot_be_opened(tmp_path: Path) -> None:
    found = zone(build("intel-desktop", tmp_path), "intel-rapl:0")
    (found.folder / "energy_uj").unlink()
    with pytest.raises(SensorError, match="cannot be opened"):
        PowercapSensor(found, "GenuineIntel")
