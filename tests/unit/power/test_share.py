"""The share's rule on made-up machines, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.rig import Rig

from carbon_magic.power.share import Measurement, Part, Witness, measure
from carbon_magic.power.timeline import Mark

WHOLE = Part(1.0, 1.0, 1.0, 20)
PACKAGE = "intel-rapl:0"


@pytest.fixture
def desktop(tmp_path: Path) -> Rig:
    """A 20-CPU desktop with a package counter of 125 W; memory is modelled at 32 GiB x 0.3 W."""
    return Rig(tmp_path, "intel-desktop", {PACKAGE: 5_000_000})


def measured(rig: Rig, start_s: float, end_s: float, part: Part = WHOLE) -> Measurement:
    """The window between two times, covered by the ticks around it as the session does it."""
    timeline = rig.sampler.timeline
    ticks = timeline.ticks.times
    cover = (max(t for t in ticks if t <= start_s), min(t for t in ticks if t >= end_s))
    witnesses = [Witness(channel.sensor, channel.baseline.power_w()) for channel in rig.sampler.channels]
    marks = (timeline.mark(start_s), timeline.mark(end_s))
    return measure(marks, (timeline.mark(cover[0]), timeline.mark(cover[1])), witnesses, part)


def learn_idle(rig: Rig, watts: float) -> None:
    """Ten quiet seconds, from which the idle power is known."""
    rig.tick()
    for _ in range(10):
        rig.run(1.0, {PACKAGE: watts}, others=0.1)
        rig.tick()


def test_a_machine_of_ones_own_is_charged_whole_while_only_the_kernel_works(desktop: Rig) -> None:
    learn_idle(desktop, 10.0)
    start_s = desktop.now_s
    for _ in range(4):
        desktop.run(1.0, {PACKAGE: 70.0}, own=6.0)
        desktop.tick()
    window = measured(desktop, start_s, desktop.now_s)
    cpu = window.domains["cpu"]
    assert cpu.machine_j.best == pytest.approx(280.0)
    assert cpu.marginal_j == pytest.approx(240.0)
    assert cpu.own_j.best == pytest.approx(280.0)
    # 5 % either way for RAPL on Intel, and one millisecond of four seconds.
    assert cpu.own_j.low == pytest.approx(280.0 * 0.95, rel=1e-3)
    assert cpu.own_j.high == pytest.approx(280.0 * 1.05, rel=1e-3)
    assert window.domains["dram"].own_j.best == pytest.approx(32 * 0.3 * 4.0)
    assert window.share == pytest.approx(1.0)


def test_the_dynamic_part_goes_by_cpu_seconds_and_the_idle_part_by_allotment(desktop: Rig) -> None:
    learn_idle(desktop, 10.0)
    start_s = desktop.now_s
    for _ in range(10):
        desktop.run(1.0, {PACKAGE: 50.0}, own=1.0, others=3.0)
        desktop.tick()
    cpu = measured(desktop, start_s, desktop.now_s, Part(0.25, 0.25, 1.0, 20)).domains["cpu"]
    assert cpu.marginal_j == pytest.approx(0.25 * 400.0)
    assert cpu.own_j.best == pytest.approx(0.25 * 400.0 + 0.25 * 100.0)
    assert cpu.machine_j.best == pytest.approx(500.0)


def test_a_sleeping_notebook_on_a_quiet_shared_server_pays_for_its_cpu_time_alone(desktop: Rig) -> None:
    """The flaw of dividing idle energy by the share of work: the one busy for 1 % would pay for the whole server."""
    learn_idle(desktop, 100.0)
    start_s = desktop.now_s
    for _ in range(10):
        desktop.run(1.0, {PACKAGE: 100.2}, own=0.01)
        desktop.tick()
    window = measured(desktop, start_s, desktop.now_s, Part(None, None, None, 20))
    cpu = window.domains["cpu"]
    assert cpu.marginal_j == pytest.approx(2.0, rel=1e-3)
    assert cpu.own_j.best == pytest.approx(2.0 + 1000.0 * 0.01 / 20, rel=1e-3)
    assert cpu.machine_j.best == pytest.approx(1002.0)
    assert window.domains["dram"].own_j.best == pytest.approx(32 * 0.3 * 10.0 * 0.01 / 20)


def test_two_kernels_and_the_rest_add_up_to_the_machine(desktop: Rig) -> None:
    learn_idle(desktop, 10.0)
    start_s = desktop.now_s
    for second in range(6):
        desktop.run(1.0, {PACKAGE: 40.0 + second}, own=2.0, others=3.0)
        desktop.tick()
    half = Part(0.5, 0.5, 0.5, 20)
    first = measured(desktop, start_s, desktop.now_s, half)
    # The other kernel sees the same machine and has two of the three other CPUs; the rest has one.
    cpu = first.domains["cpu"]
    dynamic_j = cpu.machine_j.best - 60.0
    second_j = dynamic_j * 2.0 / 5.0 + 0.5 * 60.0
    rest_j = dynamic_j * 1.0 / 5.0
    assert cpu.own_j.best + second_j + rest_j == pytest.approx(cpu.machine_j.best)


def test_short_bursts_keep_their_share_though_busy_seconds_are_counted_in_hundredths(desktop: Rig) -> None:
    """A kernel that is busy 10 % of the time, in bursts that the machine's own count sees only now and then."""
    learn_idle(desktop, 10.0)
    start_s = desktop.now_s
    for second in range(30):
        desktop.now_s += 1.0
        desktop.usage.own_s += 0.1
        desktop.usage.busy_s += (0.05, 0.16, 0.09)[second % 3]
        desktop.run(0.0, {})
        desktop.counters_uj[PACKAGE] += 12_000_000
        desktop.run(0.0, {PACKAGE: 0.0})
        desktop.tick()
    window = measured(desktop, start_s, desktop.now_s)
    assert window.domains["cpu"].marginal_j == pytest.approx(60.0, rel=0.02)


def test_a_short_cell_is_charged_by_what_a_cpu_second_cost_around_it(desktop: Rig) -> None:
    """100 ms on one CPU inside a second in which others used half a CPU throughout."""
    learn_idle(desktop, 10.0)
    desktop.run(0.4, {PACKAGE: 25.0}, others=0.5)
    start_s = desktop.sampler.border()
    desktop.run(0.1, {PACKAGE: 55.0}, own=1.0, others=0.5)
    end_s = desktop.sampler.border()
    desktop.run(0.5, {PACKAGE: 25.0}, others=0.5)
    desktop.tick()
    cpu = measured(desktop, start_s, end_s).domains["cpu"]
    assert cpu.machine_j.best == pytest.approx(5.5)
    # 18 J above idle for 0.6 CPU seconds: 30 J each, and a tenth of one is the cell's.
    assert cpu.marginal_j == pytest.approx(3.0)
    assert cpu.own_j.best == pytest.approx(3.0 + 1.0)


def test_below_the_resolution_the_figure_is_power_by_time_and_wide(desktop: Rig) -> None:
    learn_idle(desktop, 10.0)
    desktop.run(0.5, {PACKAGE: 40.0}, own=1.0)
    start_s = desktop.sampler.border()
    desktop.run(0.002, {}, own=1.0)  # the counter has not moved
    end_s = desktop.sampler.border()
    desktop.run(0.498, {PACKAGE: 40.0}, own=1.0)
    desktop.tick()
    window = measured(desktop, start_s, end_s)
    cpu = window.domains["cpu"]
    assert window.below_resolution
    assert cpu.machine_j.best == pytest.approx(39.92 * 0.002, rel=1e-3)
    assert cpu.machine_j.low < 0.51 * cpu.machine_j.best
    assert cpu.machine_j.high > 1.99 * cpu.machine_j.best


def test_two_sockets_add_and_psys_does_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "two-sockets")
    used = {c.name for c in rig.sampler.candidates if c.used}
    assert used == {"powercap:package-0", "powercap:package-1", "powercap:dram-0", "powercap:dram-1"}
    folders = {
        str(c.figures["zone"]): {"powercap:package-0": 80.0, "powercap:package-1": 60.0}.get(c.name, 10.0)
        for c in rig.sampler.candidates
        if c.used
    }
    rig.run(0.0, dict.fromkeys(folders, 0.0))
    rig.tick()
    start_s = rig.now_s
    for _ in range(5):
        rig.run(1.0, folders, own=40.0)
        rig.tick()
    window = measured(rig, start_s, rig.now_s)
    assert window.domains["cpu"].machine_j.best == pytest.approx(700.0)
    assert window.domains["dram"].machine_j.best == pytest.approx(100.0)
    assert window.machine_j is not None
    assert window.machine_j.best == pytest.approx(800.0)
    # One source: the lows and highs of the packages add. CPU and DRAM are independent: half-widths in quadrature.
    cpu, dram = window.domains["cpu"].machine_j, window.domains["dram"].machine_j
    assert cpu.low == pytest.approx(700.0 * 0.95, rel=1e-3)
    assert window.machine_j.high - 800.0 == pytest.approx(((cpu.high - 700.0) ** 2 + (dram.high - 100.0) ** 2) ** 0.5)


def test_a_lost_sensor_leaves_an_open_end_above(desktop: Rig) -> None:
    learn_idle(desktop, 10.0)
    start_s = desktop.now_s
    desktop.run(1.0, {PACKAGE: 50.0}, own=1.0)
    lost_s = desktop.tick()
    timeline = desktop.sampler.timeline
    desktop.now_s += 2.0
    channel = next(c for c in desktop.sampler.channels if c.sensor.domain == "cpu")
    end = Mark(lost_s + 2.0, *timeline.mark(lost_s)[1:])
    witness = Witness(channel.sensor, channel.baseline.power_w(), missing_s=2.0)
    window = measure((timeline.mark(start_s), end), (timeline.mark(start_s), end), [witness], WHOLE)
    assert window.machine_j is not None
    assert window.machine_j.best == pytest.approx(50.0)
    assert channel.sensor.max_power_w is not None
    assert window.machine_j.high == pytest.approx(50.0 * 1.05 + 2.0 * channel.sensor.max_power_w, rel=1e-2)
    known = Witness(channel.sensor, channel.baseline.power_w(), missing_s=2.0, missing_w=50.0)
    window = measure((timeline.mark(start_s), end), (timeline.mark(start_s), end), [known], WHOLE)
    assert window.machine_j is not None
    assert window.machine_j.best == pytest.approx(150.0)
    assert window.machine_j.low == pytest.approx(50.0 * 0.95, rel=1e-2)
    assert window.domains["cpu"].provenance == "assumed"


def test_without_any_sensor_the_energy_is_unknown_and_not_nothing() -> None:
    marks = (Mark(0.0, 0.0, 0.0, {}, {}), Mark(1.0, 0.5, 1.0, {}, {}))
    window = measure(marks, marks, [], WHOLE)
    assert window.own_j is None
    assert window.machine_j is None
    assert window.marginal_j is None
    assert window.idle_j is None


@given(
    own=st.floats(0.0, 20.0),
    others=st.floats(0.0, 20.0),
    watts=st.floats(0.0, 400.0),
    idle=st.floats(0.0, 50.0),
    seconds=st.integers(1, 5),
    cpu=st.none() | st.floats(0.01, 1.0),
)
def test_marginal_own_and_machine_are_always_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    own: float,
    others: float,
    watts: float,
    idle: float,
    seconds: int,
    cpu: float | None,
) -> None:
    rig = Rig(tmp_path_factory.mktemp("rig"), "intel-desktop", {PACKAGE: 5_000_000})
    learn_idle(rig, idle)
    start_s = rig.now_s
    for _ in range(seconds):
        rig.run(1.0, {PACKAGE: watts}, own=own, others=others)
        rig.tick()
    window = measured(rig, start_s, rig.now_s, Part(cpu, cpu, cpu, 20))
    assert window.own_j is not None
    assert window.machine_j is not None
    assert window.marginal_j is not None
    assert 0.0 <= window.marginal_j <= window.own_j.best * (1 + 1e-9)
    assert window.own_j.best <= window.machine_j.best * (1 + 1e-9) + 1e-9
    assert sum(d.own_j.best for d in window.domains.values()) == pytest.approx(window.own_j.best)
    assert window.share is not None
    assert 0.0 <= window.share <= 1.0
