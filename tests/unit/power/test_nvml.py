"""NVIDIA GPUs through a stand-in for the driver's library: energy, loss, and who used them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from machines.build import build

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import discover_gpus
from carbon_magic.power.later import discover_later
from carbon_magic.power.machine import Machine
from carbon_magic.power.nvml import NvmlSensor, Unopened, open_gpus
from carbon_magic.power.sensor import GpuSensor, GpuUse, SensorError
from carbon_magic.power.share import Part, Witness, measure
from carbon_magic.power.sources import Ways
from carbon_magic.power.timeline import Timeline
from carbon_magic.quantity import Interval

Gpus = Callable[..., None]
OURS, OTHER = 100, 200


@pytest.fixture
def opened(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> Callable[..., list[NvmlSensor]]:
    """Opens GPUs that are described as the stand-in wants it; `OURS` and `OTHER` are processes that exist."""
    for pid in (OURS, OTHER):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)

    def make(*described: dict[str, Any]) -> list[NvmlSensor]:
        gpus(described)
        found = open_gpus(nvml_library, tmp_path / "proc")
        assert all(isinstance(sensor, NvmlSensor) for sensor in found)
        return [sensor for sensor in found if isinstance(sensor, NvmlSensor)]

    return make


def test_two_gpus_with_counters(opened: Callable[..., list[NvmlSensor]], gpus: Gpus) -> None:
    first, second = opened({"name": "A100", "limit": 400, "energy": 1000, "steps": "0:55"}, {"energy": 7, "limit": 0})
    assert isinstance(first, GpuSensor)
    assert (first.name, second.name, first.gpu_name) == ("nvml:0", "nvml:1", "A100")
    assert (first.max_power_w, second.max_power_w) == (400.0, None)
    assert first.idle_power_w == Interval(20.0, 40.0, 56.0)
    assert (first.period_s, first.fill, first.counts) == (1.0, "power", True)
    assert first.short == (5.0, Interval(0.65, 1.0, 1.4))
    assert first.power_w() == 55.0
    assert second.power_w() is None
    for sensor in (first, second):
        assert sensor.advance(10.0, sensor.peek()) == (10.0, 0.0, 0.0, 0.0)
    gpus([{"energy": 1250.5}, {"energy": 8}])
    assert first.advance(11.0, first.peek()) == pytest.approx((11.0, 225.45, 250.5, 275.55))
    assert second.advance(11.0, second.peek()).energy_j == pytest.approx(1.0)


def test_energy_is_what_the_profile_holds(opened: Callable[..., list[NvmlSensor]], gpus: Gpus) -> None:
    (sensor,) = opened({"steps": "0:50,10:300", "base": 5})
    gpus([{"steps": "0:50,10:300,20:0", "base": 5}], start_s=0.0)
    assert sensor.peek() == pytest.approx(5 + 10 * 50 + 10 * 300)


def test_a_counter_that_starts_anew_is_bridged_at_the_last_power(opened: Callable[..., list[NvmlSensor]]) -> None:
    (sensor,) = opened({"energy": 1, "limit": 300})
    sensor.advance(0.0, 1000.0)
    sensor.advance(1.0, 1100.0)
    assert sensor.advance(3.0, 5.0) == pytest.approx((3.0, 90.0, 300.0, 110.0 + 600.0))
    assert sensor.advance(4.0, 25.0).energy_j == pytest.approx(320.0)


def test_an_old_gpu_is_integrated_from_its_power(opened: Callable[..., list[NvmlSensor]]) -> None:
    (sensor,) = opened({"counter": 0, "instant": 0, "steps": "0:77", "limit": 250})
    assert (sensor.counts, sensor.period_s, sensor.fill, sensor.power_w()) == (False, 0.25, "time", None)
    assert sensor.peek() == 77.0
    sensor.advance(0.0, 50.0)
    assert sensor.advance(1.0, 150.0) == pytest.approx((1.0, 90.0, 100.0, 110.0))
    # Ten seconds without a sample: from the lowest power seen to the limit.
    assert sensor.advance(11.0, 250.0) == pytest.approx((11.0, 90.0 + 450.0, 100.0 + 2000.0, 110.0 + 2500.0))
    sensor.skip(50.0, 60.0)
    assert sensor.advance(51.0, 60.0).energy_j == pytest.approx(2160.0)


@pytest.mark.parametrize("instant", [0, 1])
def test_a_power_that_no_board_draws_is_a_failed_reading(
    opened: Callable[..., list[NvmlSensor]], gpus: Gpus, instant: int
) -> None:
    """All ones in milliwatts."""
    (sensor,) = opened({"counter": 0, "instant": instant, "steps": "0:77", "limit": 250})
    gpus([{"counter": 0, "instant": instant, "steps": "0:4294967.295", "limit": 250}])
    with pytest.raises(SensorError, match="does not tell its power"):
        sensor.peek()


def test_a_gpu_that_is_lost_says_so_and_its_neighbour_goes_on(
    opened: Callable[..., list[NvmlSensor]], gpus: Gpus
) -> None:
    first, second = opened({"energy": 1, "name": "A100", "steps": "0:9"}, {"energy": 2})
    gpus([{"energy": 1, "lost_after": 0}, {"energy": 2}])
    with pytest.raises(SensorError, match=r"nvml:0 \(A100\) does not answer: GPU is lost"):
        first.peek()
    assert first.power_w() is None
    assert first.use({OURS}).sure is False
    assert second.peek() == 2.0


def test_a_gpu_that_is_lost_at_the_start_is_named(nvml_library: Path, gpus: Gpus) -> None:
    gpus([{"lost_after": 0}, {"energy": 1}])
    lost, fine = open_gpus(nvml_library)
    assert isinstance(lost, Unopened)
    assert lost.name == "nvml:0"
    assert "GPU is lost" in lost.reason
    assert isinstance(fine, NvmlSensor)


@pytest.mark.parametrize("less", [{"limit": 0}, {"util": -1}, {"mig": 1, "util": -1}])
def test_a_gpu_that_tells_nothing_is_no_sensor(nvml_library: Path, gpus: Gpus, less: dict[str, Any]) -> None:
    gpus([{"counter": 0, "name": "K80", "util": 40, "limit": 150, **less}])
    (found,) = open_gpus(nvml_library)
    assert isinstance(found, Unopened)
    assert found.reason == "nvml:0 (K80) tells neither energy nor power."


def test_a_gpu_that_tells_how_busy_it_is_and_its_limit_is_modelled(
    opened: Callable[..., list[NvmlSensor]], gpus: Gpus
) -> None:
    described = {"counter": 0, "name": "K80", "limit": 150, "compute": f"{OURS}:50", "util": 50}
    (sensor,) = opened(described)
    assert (sensor.provenance, sensor.counts, sensor.short) == ("modelled", False, None)
    assert sensor.peek() == pytest.approx(150 * (0.10 + 0.80 * 0.5))
    assert sensor.power_w() is None
    assert (sensor.idle_is_exact, sensor.idle_power_w) == (True, Interval(7.5, 15.0, 21.0))
    sensor.advance(0.0, 75.0)
    assert sensor.advance(1.0, sensor.peek()) == pytest.approx((1.0, 37.5, 75.0, 105.0))
    assert sensor.use({OURS}) == GpuUse(1.0, 0.5, True)
    for busy, watts in ((0, 15.0), (100, 135.0)):
        gpus([{**described, "util": busy}])
        assert sensor.peek() == pytest.approx(watts)
    gpus([{**described, "lost_after": 0}])
    with pytest.raises(SensorError, match="does not answer: GPU is lost"):
        sensor.peek()


def test_the_doctor_says_that_it_is_modelled_and_how(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([{"counter": 0, "name": "K80", "limit": 150, "util": 50}, {"energy": 1}])
    modelled, measured = discover_gpus(nvml_library, build("gpus", tmp_path))
    assert (modelled.provenance, modelled.used, measured.provenance) == ("modelled", True, "measured")
    assert modelled.reason == (
        "Power from 10% of its limit at rest to 90% at work, by its utilization, because it tells neither energy nor "
        "power (K80)."
    )
    assert modelled.figures["max_power_w"] == 150.0


def test_a_model_is_not_added_to_graphics_that_are_measured(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([{"counter": 0, "name": "Orin", "limit": 30, "util": 50}])
    machine = Machine.of(build("gpus", tmp_path), "linux")
    jetson = Candidate("jetson:gpu", "gpu", "measured", True, "Made up.")
    for opened, used in ((jetson, False), (replace(jetson, domain="cpu"), True)):
        found = {one.name: one for one in discover_later(machine, Ways({}), [opened], nvml_library)}
        assert (found["nvml:0"].used, found["nvml:0"].sensor is not None) == (used, used)


def test_a_window_of_a_modelled_gpu_has_the_models_range(
    opened: Callable[..., list[NvmlSensor]],
) -> None:
    (sensor,) = opened({"counter": 0, "limit": 200, "util": 100, "compute": f"{OURS}:100"})
    timeline = Timeline()
    timeline.add_sensor(sensor)
    for second in range(11):
        timeline.own.append(float(second), 0.0)
        timeline.ticks.append(float(second), 0.0, 0.0)
        timeline.add_reading(sensor.name, sensor.advance(float(second), sensor.peek()))
        timeline.add_use(sensor.name, float(second), sensor.use({OURS}))
    marks = (timeline.mark(0.0), timeline.mark(10.0))
    assert sensor.idle_power_w is not None
    found = measure(marks, marks, [Witness(sensor, sensor.idle_power_w)], Part(1.0, 1.0, 1.0, 8)).domains["gpu"]
    assert (found.own_j.low, found.own_j.best, found.own_j.high) == pytest.approx((900.0, 1800.0, 2520.0))
    assert found.provenance == "modelled"


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"compute": f"{OURS}:40", "util": 40}, GpuUse(1.0, 0.4, True)),
        ({"graphics": f"{OURS}:0", "util": 10}, GpuUse(1.0, 0.1, True)),
        ({"compute": f"{OTHER}:40", "util": 40}, GpuUse(0.0, 0.4, True)),
        ({"compute": f"{OURS}:60,{OTHER}:20", "util": 80}, GpuUse(0.75, 0.8, True)),
        ({"compute": f"{OURS}:60,{OTHER}:20", "util": 80, "sm": 0}, GpuUse(0.5, 0.8, False)),
        ({"compute": f"{OURS}:0,{OTHER}:0", "util": 0}, GpuUse(0.5, 0.0, False)),
        ({"compute": "4000000:40", "util": 40}, GpuUse(1.0, 0.4, False)),
        ({"util": 40}, GpuUse(1.0, 0.4, False)),
        ({"util": 0}, GpuUse(0.0, 0.0, True)),
        ({"list": 0, "sm": 0, "util": 0}, GpuUse(1.0, 0.0, False)),
        ({"compute": f"{OURS}:0", "util": -1, "sm": 0, "mig": 1}, GpuUse(1.0, None, False)),
        ({"util": -1, "mig": 1, "slices": 3}, GpuUse(3 / 7, None, False)),
    ],
)
def test_who_used_it(opened: Callable[..., list[NvmlSensor]], described: dict[str, Any], expected: GpuUse) -> None:
    (sensor,) = opened({"energy": 1, **described})
    assert sensor.mig == bool(described.get("mig"))
    assert sensor.use({OURS, 12345}) == expected


def test_a_process_of_ours_that_has_just_ended_still_counts_as_ours(
    opened: Callable[..., list[NvmlSensor]],
) -> None:
    (sensor,) = opened({"energy": 1, "compute": f"{OURS}:60,{OTHER}:20", "util": 80})
    assert sensor.use({OURS}).own_share == 0.75
    assert sensor.use(frozenset()).own_share == 0.75


def test_no_driver_no_gpu_and_no_library_are_reasons(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([], init=9)
    (found,) = open_gpus(nvml_library)
    assert "Driver Not Loaded" in found.reason  # type: ignore[union-attr]
    gpus([])
    assert open_gpus(nvml_library) == [Unopened("nvml", "The NVIDIA driver shows no GPU.")]
    (found,) = open_gpus(tmp_path / "none.so")
    assert isinstance(found, Unopened)
    assert "cannot be loaded" in found.reason


def test_the_library_is_shut_down_with_the_last_sensor(
    opened: Callable[..., list[NvmlSensor]], nvml_library: Path
) -> None:
    stub = ctypes.CDLL(str(nvml_library))
    before = stub.stub_inits()
    first, second = opened({"energy": 1}, {"energy": 2})
    assert stub.stub_inits() == before + 1
    first.close()
    first.close()
    assert stub.stub_inits() == before + 1
    second.close()
    assert stub.stub_inits() == before


def test_candidates_of_two_gpus(nvml_library: Path, gpus: Gpus, tmp_path: Path) -> None:
    gpus([{"energy": 1, "name": "A100", "limit": 400}, {"counter": 0, "steps": "0:70"}])
    first, second = discover_gpus(nvml_library, build("gpus", tmp_path / "machine"))
    assert first.used
    assert first.sensor is not None
    assert first.figures == {"gpu": "A100", "counter": True, "mig": False, "max_power_w": 400.0}
    assert "integrated" in second.reason


def test_whoever_asks_for_the_library_by_name_gets_the_one_that_was_named(
    nvml_library: Path, gpus: Gpus, tmp_path: Path
) -> None:
    gpus([{"energy": 3, "name": "Named"}])
    program = (
        "import sys; from pathlib import Path; from carbon_magic.power.discover import discover_gpus\n"
        "found = discover_gpus(Path(sys.argv[1])); print(found[0].figures['gpu'], found[0].sensor.peek())\n"
        "print('pynvml' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(nvml_library)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Named", "3.0", "False"]
    assert done.stderr == ""
