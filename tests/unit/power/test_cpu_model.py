"""The models of CPU and memory: exact watts by curve, load and table."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.power.cpu_model import (
    TABLE,
    CpuModel,
    VcpuModel,
    normalised_name,
    package_curve,
    power_at,
    table_tdp,
    vcpu_watts,
)
from carbon_magic.power.dram import GIB, DramModel
from carbon_magic.power.sensor import Sensor, SensorError
from carbon_magic.quantity import Interval


def as_tuple(interval: Interval) -> tuple[float, float, float]:
    return (interval.low, interval.best, interval.high)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("12th Gen Intel(R) Core(TM) i7-12700K", "intel core i7-12700k"),
        ("Intel(R) Xeon(R) Platinum 8268 CPU @ 2.90GHz", "intel xeon platinum 8268"),
        ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", "intel core2 duo e8400"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "amd ryzen 9 5950x"),
        ("AMD Ryzen 7 4700U with Radeon Graphics", "amd ryzen 7 4700u"),
        ("AMD EPYC 7763 64-Core Processor", "amd epyc 7763"),
        ("Apple M1 Pro", "apple m1 pro"),
        ("AMD A10-7850K APU with Radeon(TM) R7 Graphics", "amd a10-7850k"),
    ],
)
def test_names_as_the_table_writes_them(name: str, key: str) -> None:
    assert normalised_name(name) == key


def rows() -> list[list[str]]:
    lines = TABLE.read_text(encoding="ascii").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_every_row_of_the_table_is_found_by_its_name_and_no_other() -> None:
    assert len(rows()) > 5000
    for key, tdp_w, *_ in rows()[::50]:
        found = table_tdp(key)
        assert found is not None
        assert found.tdp_w == float(tdp_w)
        assert table_tdp(key[:-1] + "?") is None


def test_the_table_is_sorted_its_keys_are_unique_and_its_watts_plausible() -> None:
    keys = [row[0] for row in rows()]
    assert keys == sorted(set(keys))
    assert all(normalised_name(key) == key for key in keys)
    assert all(1 <= float(row[1]) <= 500 for row in rows())


@pytest.mark.parametrize(
    "name",
    ["AMD EPYC", "Intel Xeon Processor (Skylake, IBRS)", "Intel(R) Xeon(R) Processor", "", None, "\n", "\t", "#"],
)
def test_names_of_whole_families_match_nothing(name: str | None) -> None:
    assert table_tdp(name) is None


def test_where_sources_disagree_the_source_says_so() -> None:
    key = next(row[0] for row in rows() if row[4] == "disagree")
    found = table_tdp(key)
    assert found is not None
    assert "differs by over 10 %" in found.source


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (0.0, (5.0, 12.0, 25.0)),
        (0.1, (18.0, 30.0, 45.0)),
        (0.3, (29.0, 47.5, 69.0)),
        (0.5, (40.0, 65.0, 93.0)),
        (0.75, (57.5, 82.5, 111.5)),
        (1.0, (75.0, 100.0, 130.0)),
    ],
)
def test_package_power_of_a_server(load: float, expected: tuple[float, float, float]) -> None:
    assert as_tuple(power_at(package_curve(100.0, client=False), load)) == pytest.approx(expected)


@pytest.mark.parametrize(("pl2_w", "high_w"), [(None, 200.0), (150.0, 150.0), (400.0, 200.0), (80.0, 100.0)])
def test_turbo_of_a_desktop_is_capped_by_its_short_term_limit(pl2_w: float | None, high_w: float) -> None:
    assert package_curve(100.0, client=True, pl2_w=pl2_w)[-1] == (1.0, Interval(60.0, 100.0, high_w))


def model(tdp_w: float = 100.0, client: bool = False) -> CpuModel:
    return CpuModel(lambda: 0.0, 4, tdp_w=tdp_w, client=client)


def test_joules_of_a_load() -> None:
    sensor = model()
    assert isinstance(sensor, Sensor)
    assert sensor.idle_power_w == Interval(5.0, 12.0, 25.0)
    assert sensor.advance(0.0, 1000.0) == (0.0, 0.0, 0.0, 0.0)
    # 4 CPU seconds in 2 s on 4 CPUs are half the machine.
    assert sensor.advance(2.0, 1004.0) == pytest.approx((2.0, 80.0, 130.0, 186.0))
    assert sensor.advance(3.0, 1004.0) == pytest.approx((3.0, 85.0, 142.0, 211.0))


def test_a_load_beyond_the_machine_or_below_nothing_is_clipped() -> None:
    sensor = model()
    sensor.advance(0.0, 10.0)
    assert sensor.advance(1.0, 1000.0).energy_j == pytest.approx(100.0)
    assert sensor.advance(2.0, 0.0).energy_j == pytest.approx(112.0)
    # What counted backwards is not charged again when it comes back.
    assert sensor.advance(3.0, 1000.0).energy_j == pytest.approx(124.0)


def test_over_a_long_step_bursts_widen_the_range() -> None:
    sensor = model()
    sensor.advance(0.0, 0.0)
    reading = sensor.advance(20.0, 8.0)
    # A tenth of 4 CPUs: low 5 + .1 * (75 - 5) instead of 18, high the curve's 45, above the line's 35.5.
    assert reading == pytest.approx((20.0, 12.0 * 20, 30.0 * 20, 45.0 * 20))


def test_over_a_long_step_the_turbo_of_a_desktop_may_have_been_in_bursts() -> None:
    sensor = model(client=True)
    sensor.advance(0.0, 0.0)
    assert sensor.advance(20.0, 40.0).high_j == pytest.approx((25.0 + 0.5 * 175.0) * 20)


def test_a_suspended_step_is_dropped() -> None:
    sensor = model()
    sensor.advance(0.0, 0.0)
    sensor.skip(100.0, 50.0)
    assert sensor.advance(100.0, 50.0).energy_j == 0.0
    assert sensor.advance(101.0, 50.0).energy_j == pytest.approx(12.0)


def test_cpu_times_that_cannot_be_read_are_an_error_in_words() -> None:
    def fails() -> float:
        raise OSError(5, "Input/output error")

    with pytest.raises(SensorError, match="CPU times cannot be read"):
        CpuModel(fails, 4, tdp_w=65.0, client=True).peek()


def test_a_guessed_tdp_is_assumed() -> None:
    assert model().provenance == "modelled"
    assert CpuModel(lambda: 0.0, 4, tdp_w=65.0, client=True, assumed=True).provenance == "assumed"


def test_watts_per_vcpu_are_brought_from_the_wall_to_the_components() -> None:
    idle, full = vcpu_watts()
    below = math.hypot(math.log(0.65 / 0.2), math.log(1.9 / 1.4))
    above = math.hypot(math.log(1.65 / 0.65), math.log(1.4 / 1.15))
    assert as_tuple(idle) == pytest.approx((0.65 / 1.4 * math.exp(-below), 0.65 / 1.4, 0.65 / 1.4 * math.exp(above)))
    assert full.best == pytest.approx(3.3 / 1.4)
    # Wider than either factor alone, narrower than both at their worst at once.
    assert 1.2 / 1.9 < full.low < 1.2 / 1.4
    assert 5.4 / 1.4 < full.high < 5.4 / 1.15


def test_joules_of_vcpus_are_straight_from_idle_to_full() -> None:
    sensor = VcpuModel(lambda: 0.0, 2)
    idle, full = vcpu_watts()
    assert sensor.provenance == "modelled"
    assert VcpuModel(lambda: 0.0, 2, assumed=True).provenance == "assumed"
    assert sensor.idle_power_w == idle.scaled(2)
    sensor.advance(0.0, 0.0)
    reading = sensor.advance(1.0, 0.5)
    assert reading == pytest.approx(
        (1.0, *(2 * (0.75 * low + 0.25 * high) for low, high in zip(as_tuple(idle), as_tuple(full), strict=True)))
    )


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e6)), max_size=30))
def test_none_of_the_three_ever_falls(steps: list[tuple[float, float]]) -> None:
    sensor, time_s = model(), 0.0
    before = sensor.advance(0.0, 0.0)
    for step_s, raw in steps:
        time_s += step_s
        after = sensor.advance(time_s, raw)
        assert all(new >= old for new, old in zip(after, before, strict=True))
        assert after.low_j <= after.energy_j <= after.high_j
        before = after


def test_memory_of_a_server_and_of_a_laptop() -> None:
    server, laptop = DramModel(64 * GIB, laptop=False), DramModel(16 * GIB, laptop=True)
    assert isinstance(server, Sensor)
    assert server.idle_power_w is not None
    assert as_tuple(server.idle_power_w) == pytest.approx((6.4, 19.2, 38.4))
    assert as_tuple(laptop.power_w) == pytest.approx((0.48, 1.28, 3.2))
    assert server.advance(5.0, 0.0) == (5.0, 0.0, 0.0, 0.0)
    assert server.advance(7.0, 0.0) == pytest.approx((7.0, 12.8, 38.4, 76.8))
    server.skip(100.0, 0.0)
    assert server.advance(101.0, 0.0).energy_j == pytest.approx(38.4 + 19.2)


def test_the_table_is_built_from_the_projects_rows(tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[3] / "tools" / "build_cpu_power.py"
    source, target = tmp_path / "source.csv", tmp_path / "table.txt"
    source.write_text(
        "key,tdp_w,cores,disagreement,source\n"
        "maker b2\u200b,65.0,8,1,Eco2AI cpu_names.csv\n"
        "maker a1,12.5,,0,CodeCarbon cpu_power.csv\n"
        "maker family,100,,0,CodeCarbon cpu_power.csv\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, str(script), str(source), str(target)], check=True, capture_output=True)
    lines = target.read_text(encoding="ascii").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "maker a1\t12.5\t\t4\t",
        "maker b2\t65\t8\t5\tdisagree",
    ]
    assert table_tdp("Maker(R) B2 8-Core Processor", target) == (
        65.0,
        "table by name (Eco2AI; another source differs by over 10 %)",
    )
    assert all(licence in "".join(lines) for licence in ("MIT", "Apache-2.0", "CC BY 4.0"))
