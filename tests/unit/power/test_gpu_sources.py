"""GPUs that are not told by NVIDIA's counter alone: AMD SMI, modules, instances, and work whose owner nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machines.build import build
from machines.rig import Rig
from stubs.amd_smi import AmdSmi

from carbon_magic.power import amd_smi
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.cumulative import GpuCounter, GpuGauge
from carbon_magic.power.discover import discover_gpus
from carbon_magic.power.nvml import NvmlSensor, Unopened, open_gpus
from carbon_magic.power.sensor import GpuUse, SensorError
from carbon_magic.power.share import Part, Witness, measure
from carbon_magic.power.timeline import Timeline
from carbon_magic.quantity import Interval

Gpus = Callable[..., None]


# AMD SMI


def seconds(sensor: Any, gpu: dict[str, Any], count: int, watts: float, counted_w: float) -> float:
    """Let seconds pass and give the joules that the sensor told of them."""
    start = sensor._total.energy_j
    begin = round(sensor._total.time_s)
    for second in range(begin + 1, begin + count + 1):
        gpu["watts"] = watts
        gpu["joules"] += counted_w
        sensor.advance(float(second), sensor.peek())
    told: float = sensor._total.energy_j - start
    return told


def amd(**changes: Any) -> tuple[dict[str, Any], list[Any]]:
    gpu = {"name": "AMD Instinct MI210", "watts": 100, "joules": 1000.0, "busy": 40, "cap_w": 300.0, **changes}
    return gpu, amd_smi.open_gpus(AmdSmi(gpu))


def test_a_counter_that_agrees_with_the_power_is_used() -> None:
    gpu, (sensor,) = amd()
    sensor.advance(0.0, sensor.peek())
    assert (sensor.name, sensor.max_power_w, sensor.gpu_name) == ("amdsmi:0", 300.0, "AMD Instinct MI210")
    assert seconds(sensor, gpu, 25, 100, 104.0) == pytest.approx(25 * 104.0, rel=1e-6)
    assert sensor.counts
    assert sensor.use({1}) == GpuUse(1.0, 0.4, False)


def test_a_counter_that_does_not_is_left_after_ten_seconds_for_the_power() -> None:
    gpu, (sensor,) = amd()
    sensor.advance(0.0, sensor.peek())
    assert seconds(sensor, gpu, 9, 100, 10.0) == pytest.approx(90.0, rel=1e-6)
    seconds(sensor, gpu, 1, 100, 10.0)
    assert not sensor.counts
    assert sensor.distrust == ("Its counter told 10 W over 10 s where its power was 100 W; its power is integrated.")
    assert seconds(sensor, gpu, 5, 100, 10.0) == pytest.approx(500.0)


def test_a_gpu_without_a_counter_is_integrated_from_the_start() -> None:
    gpu, (sensor,) = amd(joules=None)
    sensor.advance(0.0, sensor.peek())
    gpu["watts"] = 200
    assert sensor.advance(2.0, sensor.peek())[1:] == pytest.approx((270.0, 300.0, 330.0))


def test_the_second_half_of_a_double_board_is_named_and_left_out() -> None:
    _, (found,) = amd(watts=None)
    assert found[0] == "amdsmi:0"
    assert "double board" in found[1]


def test_a_gpu_that_is_lost_is_a_failed_reading() -> None:
    gpu, (sensor,) = amd()
    gpu["watts"] = None
    with pytest.raises(SensorError, match="tells no power at present"):
        sensor.peek()


def test_a_driver_that_does_not_answer_is_a_reason() -> None:
    library = AmdSmi()
    library.broken = True
    with pytest.raises(SensorError, match="Driver not loaded"):
        amd_smi.open_gpus(library)


def test_the_package_is_not_imported_where_no_driver_runs(tmp_path: Path) -> None:
    assert amd_smi.library({}, tmp_path) is None


# Modules and shapes


def test_of_a_grace_hopper_module_only_the_gpu_is_read(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([{"name": "NVIDIA-GH200-480GB", "energy": 9000, "steps": "0:105"}])
    (sensor,) = open_gpus(nvml_library, tmp_path)
    assert isinstance(sensor, NvmlSensor)
    assert (sensor.counts, sensor.peek()) == (False, 105.0)
    gpus([{"name": "NVIDIA-GH200-480GB", "energy": 9000, "steps": "0:105", "instant": 0}])
    (closed,) = open_gpus(nvml_library, tmp_path)
    assert isinstance(closed, Unopened)
    assert "count twice" in closed.reason


def test_a_cut_board_says_so(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([{"energy": 1, "mig": 1, "slices": 2, "util": -1}])
    (found,) = discover_gpus(nvml_library, build("gpus", tmp_path))
    assert "slices" in found.reason


class Samples(GpuCounter):
    """A GPU whose counter and power samples a test sets."""

    def __init__(self) -> None:
        super().__init__("gpu:0", "gpu", lambda: self.joules)
        self.fill = "power"
        self.joules = 0.0
        self.watts = 0.0
        self.present_w = lambda: self.watts


@pytest.mark.parametrize(("counted_w", "told"), [(100.0, False), (92.0, False), (80.0, True), (125.0, True)])
def test_a_gpu_counter_is_compared_with_its_power_samples(tmp_path: Path, counted_w: float, told: bool) -> None:
    rig = Rig(tmp_path, "intel-desktop")
    sensor = Samples()
    rig.made([Candidate("gpu:0", "gpu", "measured", True, "Made up.", sensor=sensor)])
    sensor.watts = 100.0
    rig.tick()
    for _ in range(40):
        rig.now_s += 1.0
        sensor.joules += counted_w
        rig.tick()
    problems = rig.sampler.problems()
    assert len(problems) == told
    if told:
        assert f"its energy counter tells {counted_w:.3g} W and its power samples 100 W" in problems[0]


# Nonsense for a moment


@pytest.mark.parametrize("nonsense", [0.0, 1e13])
def test_a_gpu_counter_that_tells_nonsense_once_costs_nothing(nonsense: float) -> None:
    """A driver that gives 0 or all ones for one reading, and goes on where it was."""
    sensor = GpuCounter("intel-gpu:0", "gpu", lambda: 0.0, max_power_w=225.0)
    told = [5000.0, 5060.0, nonsense, 5180.0, 5240.0]
    readings = [sensor.advance(float(second), raw) for second, raw in enumerate(told)]
    assert readings[-1].energy_j == pytest.approx(240.0)
    assert readings[-1].high_j >= 240.0


def test_a_power_that_the_gpu_cannot_draw_is_a_failed_reading() -> None:
    watts = [38.0]
    sensor = GpuGauge("amdgpu:0", "gpu", lambda: watts[0], max_power_w=264.0)
    assert sensor.peek() == 38.0
    watts[0] = 65_535.0
    with pytest.raises(SensorError, match="65535 W and can draw 264 W"):
        sensor.peek()


# Work whose owner nobody knows


def share_of(use: GpuUse) -> tuple[float, float, float]:
    """Low, best and high of ours: a GPU of 100 W at rest and 300 W now, for ten seconds, used like that."""
    sensor = Samples()
    timeline = Timeline()
    timeline.add_sensor(sensor)
    for second in (0.0, 10.0):
        timeline.own.append(second, 0.0)
        timeline.ticks.append(second, 0.0, 0.0)
        timeline.add_reading("gpu:0", sensor.advance(second, 300.0 * second))
        timeline.add_use("gpu:0", second, use)
    marks = (timeline.mark(0.0), timeline.mark(10.0))
    measured = measure(marks, marks, [Witness(sensor, Interval.exact(100.0))], Part(1.0, 1.0, 0.0, 8))
    assert measured.own_j is not None
    return measured.own_j.low, measured.own_j.best, measured.own_j.high


def test_a_sure_owner_has_the_range_of_the_sensor() -> None:
    assert share_of(GpuUse(1.0, 1.0, True)) == pytest.approx((1800.0, 2000.0, 2200.0))


def test_an_unknown_owner_may_have_used_nothing_or_all_of_it() -> None:
    assert share_of(GpuUse(1.0, 1.0, False)) == pytest.approx((0.0, 2000.0, 2200.0))


def test_an_instance_has_its_slices_at_best_and_the_whole_board_at_most() -> None:
    assert share_of(GpuUse(3 / 7, None, False)) == pytest.approx((0.0, 2000.0 * 3 / 7, 2200.0))
