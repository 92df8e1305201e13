"""Whose energy it is in containers, beside others, and in sum: the rule worked out by hand, and what holds always."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.build import build
from machines.rig import Rig

from carbon_magic.meter import Meter
from carbon_magic.power.machine import Machine
from carbon_magic.power.powercap import PowercapSensor, zones
from carbon_magic.power.share import DomainEnergy, Measurement, Part, Witness, measure
from carbon_magic.power.timeline import Joules, Mark
from carbon_magic.quantity import Interval


@pytest.mark.parametrize("name", ["quota-v2", "quota-v1"])
def test_half_a_cpu_and_one_gib_of_a_large_server_are_charged_for_their_part(tmp_path: Path, name: str) -> None:
    """64 CPUs of 280 W and 512 GiB; eight CPUs are busy, half of one with this container."""
    rig = Rig(tmp_path, name)
    part = Meter({"CARBON_MAGIC_ROOT": str(rig.root)}, "auto").part()
    assert part == (0.5 / 64, 1 / 512, 1.0, 64)
    window = seconds(rig, 10, part, own=0.5, others=7.5)
    # At an eighth of the load the curve is 1/16 of the way from .30 (at a tenth) to .65 (at half) of the TDP.
    machine_w = 280.0 * (0.30 + 0.35 / 16)
    idle_w = 280.0 * 0.12
    cpu, memory = window.domains["cpu"], window.domains["dram"]
    assert cpu.machine_j.best == pytest.approx(10.0 * machine_w)
    assert cpu.marginal_j == pytest.approx(10.0 * (machine_w - idle_w) / 16)
    assert cpu.own_j.best == pytest.approx(10.0 * (machine_w - idle_w) / 16 + 10.0 * idle_w * 0.5 / 64)
    assert memory.machine_j.best == pytest.approx(10.0 * 512 * 0.3)
    assert memory.own_j.best == pytest.approx(10.0 * 1 * 0.3)
    assert window.own_j is not None
    assert window.own_j.best == pytest.approx(35.328125 + 2.625 + 3.0)


def test_one_busy_beside_another_user_on_a_server_pays_for_itself(tmp_path: Path) -> None:
    """One CPU of 64 is ours and 31 are another user's; no quota, so the idle energy goes by CPU time and memory."""
    rig = Rig(tmp_path, "server")
    window = seconds(rig, 10, Part(None, 64 / 512, None, 64), own=1.0, others=31.0)
    machine_w, idle_w = 280.0 * 0.65, 280.0 * 0.12
    assert window.domains["cpu"].own_j.best == pytest.approx(10.0 * ((machine_w - idle_w) / 32 + idle_w / 64))
    assert window.domains["dram"].own_j.best == pytest.approx(10.0 * 64 * 0.3)
    assert window.share == pytest.approx(1 / 32)


def seconds(rig: Rig, count: int, part: Part, *, own: float, others: float) -> Measurement:
    """The last `count` seconds, after a quiet one, with so many CPUs busy."""
    rig.tick()
    rig.run(1.0)
    rig.tick()
    start = rig.sampler.timeline.mark(rig.now_s)
    for _ in range(count):
        rig.run(1.0, own=own, others=others)
        rig.tick()
    marks = (start, rig.sampler.timeline.mark(rig.now_s))
    witnesses = [Witness(channel.sensor, channel.baseline.power_w()) for channel in rig.sampler.channels]
    return measure(marks, marks, witnesses, part)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PowercapSensor:
    root = build("amd", tmp_path_factory.mktemp("amd"))
    (zone, *_) = [zone for zone in zones(root) if zone.kind == "package"]
    return PowercapSensor(zone, Machine.of(root, "linux").cpu_vendor)


def cpu_of(
    own_s: float, busy_s: float, joules: float, idle_w: Interval, part: Part, sensor: PowercapSensor
) -> DomainEnergy:
    """What one kernel has of ten seconds in which the machine used so many joules."""
    name = sensor.name
    start = Mark(0.0, 0.0, 0.0, {name: Joules(0.0, 0.0, 0.0)}, {})
    end = Mark(10.0, own_s, busy_s, {name: Joules(0.9 * joules, joules, 1.1 * joules)}, {})
    return measure((start, end), (start, end), [Witness(sensor, idle_w)], part).domains["cpu"]


@given(
    works=st.lists(st.floats(0.0, 50.0), min_size=1, max_size=6),
    others_s=st.floats(0.0, 100.0),
    joules=st.floats(0.0, 5000.0),
    idle_w=st.floats(0.0, 200.0),
    allotted=st.floats(0.0, 1.0),
    shared=st.booleans(),
)
def test_kernels_and_the_rest_are_the_machine(
    package: PowercapSensor,
    works: list[float],
    others_s: float,
    joules: float,
    idle_w: float,
    allotted: float,
    shared: bool,
) -> None:
    """However the work is spread: each kernel's marginal part is in its own, its own in the machine's, and what the
    kernels leave over is what the others' work and the idle part that is nobody's come to."""
    busy_s = sum(works) + others_s
    cpus = 32
    idle = Interval(idle_w / 2, idle_w, 2 * idle_w)
    part = Part(None, None, None, cpus) if shared else Part(allotted / len(works), None, None, cpus)
    found = [cpu_of(own_s, busy_s, joules, idle, part, package) for own_s in works]
    close = 1e-6 * max(1.0, joules)
    for one in found:
        assert -close <= one.marginal_j <= one.own_j.best + close
        assert one.own_j.best <= one.machine_j.best + close
        assert one.own_j.low <= one.own_j.best <= one.own_j.high
        assert one.machine_j.best == pytest.approx(joules)
    idle_j = min(10.0 * idle_w, joules)
    given_part = min(1.0, sum(works) / (cpus * 10.0)) if shared else allotted
    others = (joules - idle_j) * others_s / busy_s if busy_s > 0.0 else joules - idle_j
    rest = others + (1.0 - given_part) * idle_j
    assert sum(one.own_j.best for one in found) + rest == pytest.approx(joules, abs=close)
