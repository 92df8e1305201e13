"""The sampler by hand: borders, late ticks, suspends, lost sensors; and its thread for real."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines.build import set_counter
from machines.rig import Rig

from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import discover, fallback_cpu
from carbon_magic.power.sampler import Pace, Sampler
from carbon_magic.power.usage import usage_of

PACKAGE = "intel-rapl:0"


@pytest.fixture
def desktop(tmp_path: Path) -> Rig:
    return Rig(tmp_path, "intel-desktop", {PACKAGE: 5_000_000})


def joules(rig: Rig, name: str = "powercap:package-0") -> float:
    return rig.sampler.timeline.mark(rig.now_s).joules[name].best


def test_a_cell_between_two_ticks_is_measured_at_its_own_borders(desktop: Rig) -> None:
    desktop.tick()
    desktop.run(0.3, {PACKAGE: 10.0})
    start_s = desktop.sampler.border()
    desktop.run(0.05, {PACKAGE: 100.0}, own=1.0)
    end_s = desktop.sampler.border()
    desktop.run(0.65, {PACKAGE: 10.0})
    desktop.tick()
    timeline = desktop.sampler.timeline
    start, end = timeline.mark(start_s), timeline.mark(end_s)
    name = "powercap:package-0"
    assert end.joules[name].best - start.joules[name].best == pytest.approx(5.0)
    assert end.own_s - start.own_s == pytest.approx(0.05)


def test_a_border_that_came_while_a_tick_was_reading_never_makes_the_counter_run_backwards(desktop: Rig) -> None:
    desktop.tick()
    desktop.run(1.0, {PACKAGE: 50.0})
    desktop.now_s += 0.004  # the cell's thread read the counter, but a tick with an earlier time had read on
    desktop.sampler.border()
    desktop.now_s -= 0.004
    desktop.run(0.0, {})
    set_counter(desktop.root, PACKAGE, desktop.counters_uj[PACKAGE] + 200_000)
    desktop.tick()
    assert joules(desktop) == pytest.approx(50.2)
    desktop.counters_uj[PACKAGE] += 200_000
    desktop.run(1.0, {PACKAGE: 50.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(100.2)


def test_a_late_tick_is_no_gap_in_energy(desktop: Rig) -> None:
    desktop.tick()
    desktop.run(30.0, {PACKAGE: 50.0}, own=3.0)
    desktop.tick()
    assert joules(desktop) == pytest.approx(1500.0)


def test_a_counter_that_wraps_is_counted_through(tmp_path: Path) -> None:
    range_uj = 262_143_328_850
    rig = Rig(tmp_path, "intel-desktop", {PACKAGE: range_uj - 20_000_000})
    rig.tick()
    set_counter(rig.root, PACKAGE, 30_000_000)
    rig.run(1.0)
    rig.tick()
    assert joules(rig) == pytest.approx(50.0)


def test_what_a_suspend_put_on_the_counter_is_dropped_and_marked(desktop: Rig) -> None:
    desktop.tick()
    desktop.run(1.0, {PACKAGE: 50.0})
    desktop.tick()
    desktop.asleep_s += 3600.0
    desktop.run(1.0, {PACKAGE: 40.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(50.0)
    desktop.run(1.0, {PACKAGE: 50.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(100.0)
    assert [why for _, _, why in desktop.sampler.timeline.gaps] == ["suspended"]


def test_a_border_before_the_next_tick_sees_the_suspend_too(desktop: Rig) -> None:
    desktop.tick()
    desktop.asleep_s += 3600.0
    desktop.run(1.0, {PACKAGE: 40.0})
    desktop.sampler.border()
    desktop.run(0.5, {PACKAGE: 50.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(25.0)


def test_idle_power_is_a_guess_until_it_was_seen(desktop: Rig) -> None:
    channel = next(c for c in desktop.sampler.channels if c.sensor.domain == "cpu")
    desktop.tick()
    assert channel.baseline.power_w().best == pytest.approx(0.2 * 125)
    desktop.run(1.0, {PACKAGE: 18.0}, own=10.0)
    desktop.tick()
    # Never above the lowest power that was seen, quiet or not.
    assert channel.baseline.power_w().best == pytest.approx(18.0)
    assert not channel.baseline.seen
    for watts in (9.0, 8.0, 8.5, 9.5, 8.2):
        desktop.run(1.0, {PACKAGE: watts}, others=0.2)
        desktop.tick()
    assert channel.baseline.seen
    assert channel.baseline.power_w().best == pytest.approx(8.0)


def test_a_counter_that_stays_away_is_replaced_by_the_model(desktop: Rig) -> None:
    usage = desktop.usage
    candidates = discover(desktop.machine, lambda: usage.busy_s)
    desktop.sampler = Sampler(
        usage,
        candidates,
        cpus=20,
        on_tick=lambda now_s: None,
        replace_cpu=lambda: fallback_cpu(desktop.machine, lambda: usage.busy_s),
        clock=lambda: desktop.now_s,
        suspend_clock=lambda: 0.0,
    )
    desktop.tick()
    desktop.run(1.0, {PACKAGE: 50.0}, own=1.0)
    desktop.tick()
    set_counter(desktop.root, PACKAGE, "unreadable")
    for _ in range(10):
        desktop.run(1.0, own=20.0)
        desktop.tick()
    working = {channel.sensor.name for channel in desktop.sampler.working()}
    assert working == {"cpu-model", "dram-model"}
    assert any("powercap:package-0" in problem for problem in desktop.sampler.problems())
    assert joules(desktop) == pytest.approx(50.0)
    before = joules(desktop, "cpu-model")
    desktop.run(1.0, own=20.0)
    desktop.tick()
    assert joules(desktop, "cpu-model") - before == pytest.approx(125.0)


def test_a_counter_that_comes_back_counts_what_it_missed(desktop: Rig) -> None:
    desktop.tick()
    set_counter(desktop.root, PACKAGE, "unreadable")
    desktop.run(1.0)
    desktop.tick()
    assert desktop.sampler.problems()
    desktop.run(3.0, {PACKAGE: 20.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(60.0)
    assert not desktop.sampler.problems()


def test_a_sensor_whose_answer_nobody_thought_of_fails_alone(desktop: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(self: object) -> float:
        raise OverflowError("int too large to convert to float")

    desktop.tick()
    (package,) = [one for one in desktop.sampler.channels if one.sensor.name == "powercap:package-0"]
    before = joules(desktop, "dram-model")
    with monkeypatch.context() as patch:
        patch.setattr(type(package.sensor), "peek", odd)
        desktop.run(1.0)
        desktop.tick()
        assert desktop.sampler.problems() == ["powercap:package-0: int too large to convert to float"]
    assert joules(desktop, "dram-model") > before
    desktop.run(3.0, {PACKAGE: 20.0})
    desktop.tick()
    assert joules(desktop) == pytest.approx(60.0)
    assert not desktop.sampler.problems()


def test_an_error_in_a_listener_stays_in_the_thread(desktop: Rig) -> None:
    def broken(now_s: float) -> None:
        raise RuntimeError("the listener is broken")

    desktop.made(discover(desktop.machine, lambda: 0.0), broken)
    desktop.sampler.tick()
    assert desktop.sampler.problem == "RuntimeError: the listener is broken"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Sampler]:
    """A sampler with its thread and the machine's own clock and load."""
    rig = Rig(tmp_path, "intel-desktop")
    usage = usage_of()
    sampler = Sampler(
        usage,
        discover(rig.machine, lambda: usage.busy_s),
        cpus=rig.machine.logical_cpus,
        on_tick=lambda now_s: None,
        pace=Pace(busy_s=60.0, rest_s=60.0),
    )
    sampler.start()
    yield sampler
    sampler.stop()


def test_whoever_asks_gets_a_tick(live: Sampler) -> None:
    count = len(live.timeline.ticks.times)
    assert live.poke(5.0)
    assert len(live.timeline.ticks.times) == count + 1


def test_stopping_ends_the_thread_and_closes_every_file(live: Sampler) -> None:
    held = set(Path("/proc/self/fd").iterdir())
    live.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "carbon-magic sampler"]
    assert len(held) - len(set(Path("/proc/self/fd").iterdir())) >= 2  # the package's counter and /proc/stat
    live.stop()
    assert not live.poke(0.01)


def test_a_debugger_leaves_the_thread_alone(live: Sampler) -> None:
    thread = next(thread for thread in threading.enumerate() if thread.name == "carbon-magic sampler")
    assert thread.daemon
    assert getattr(thread, "pydev_do_not_trace", False)
    assert getattr(thread, "is_pydev_daemon_thread", False)


def test_a_forked_child_has_no_sampler_and_does_not_hang(live: Sampler) -> None:
    pid = os.fork()
    if pid == 0:
        live.stop()
        os._exit(0 if not live.poke(0.01) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert live.poke(5.0)


def test_slow_sensors_are_looked_for_in_the_thread(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "intel-desktop")
    looked: list[str] = []

    def find() -> list[Candidate]:
        looked.append(threading.current_thread().name)
        return [Candidate("nvml", "gpu", "measured", False, "There is no GPU here.")]

    sampler = Sampler(rig.usage, [], cpus=1, on_tick=lambda now_s: None, find_gpus=find)
    sampler.start()
    assert sampler.poke(5.0)
    sampler.stop()
    assert looked == ["carbon-magic sampler"]
    assert [candidate.name for candidate in sampler.candidates] == ["nvml"]


def test_cells_that_follow_each_other_are_settled_after_the_last_one_or_at_the_next_tick(desktop: Rig) -> None:
    def due_after(*seconds: float) -> list[bool]:
        found = []
        for pause_s in seconds:
            desktop.sampler.hurry()
            desktop.run(pause_s)
            found.append(desktop.sampler.due())
        return found

    desktop.tick()
    assert due_after(0.125, 0.125, 0.125, 0.25) == [False, False, False, True]
    desktop.tick()
    assert not desktop.sampler.due()
    # However fast they come, it is no later than without any hurry.
    assert due_after(*[0.125] * 8) == [False] * 7 + [True]


def test_what_fails_in_the_samplers_thread_does_not_end_it(desktop: Rig) -> None:
    sampler = desktop.sampler
    sampler.start()
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("broken")

    sampler.call_soon(fail)
    assert failed.wait(10.0)
    assert sampler.poke(10.0)
    sampler.stop()
    assert all(not thread.name.startswith("carbon-magic sampler") for thread in threading.enumerate())
