"""CPU time that a virtual machine's host gave to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machines.build import build, write
from machines.rig import Rig

from carbon_magic.diagnosis import share_notes
from carbon_magic.meter import Meter
from carbon_magic.power.share import Part, Witness, measure
from carbon_magic.power.steal import Steal, steal_note


def test_much_is_said_and_little_is_not() -> None:
    assert steal_note(94.0, 6.0, "since its start") == (
        "The host of this virtual machine gave 6% of the CPU time that was asked for since its start to others "
        "(steal). It is charged to nobody here, but cells take longer by it."
    )
    assert steal_note(95.0, 5.0, "") is None
    assert steal_note(0.0, 0.05, "") is None, "five hundredths of a second are within what is counted"


def test_the_last_minute_tells() -> None:
    steal = Steal()
    for second in range(4):
        steal.add(float(second), second * 1.0, second * 0.5)
    assert steal.note() is None, "too short"
    for second in range(4, 10):
        steal.add(float(second), second * 1.0, second * 0.5)
    assert "33%" in (steal.note() or "")
    for second in range(10, 80):
        steal.add(float(second), second * 1.0, 4.5)
    assert steal.note() is None, "that was more than a minute ago"
    steal.add(80.0, 80.0, 0.0)  # moved to another host, where it counts anew
    assert steal.note() is None


def test_stolen_time_is_neither_ours_nor_others(tmp_path: Path) -> None:
    """A machine of 4 CPUs: one is ours, one was stolen. The energy is that of one busy CPU, and all of it ours."""
    rig = Rig(tmp_path, "vm")
    rig.tick()
    start_s = rig.now_s
    for _ in range(10):
        rig.run(1.0, own=1.0)
        rig.usage.stolen_s += 1.0
        rig.tick()
    timeline = rig.sampler.timeline
    marks = (timeline.mark(start_s), timeline.mark(rig.now_s))
    witnesses = [Witness(channel.sensor, channel.baseline.power_w()) for channel in rig.sampler.channels]
    window = measure(marks, marks, witnesses, Part(1.0, 1.0, 1.0, 4))
    assert window.share == pytest.approx(1.0)
    model = rig.sampler.channels[0].sensor
    assert model.idle_power_w is not None
    assert window.machine_j is not None
    figures = next(c.figures for c in rig.sampler.candidates if c.used)
    idle_w, full_w = float(figures["vcpu_idle_w"]), float(figures["vcpu_full_w"])
    assert window.machine_j.best == pytest.approx(10.0 * (3 * idle_w + full_w))
    assert "50%" in (rig.sampler.steal.note() or "")


def test_the_doctor_on_the_command_line_tells_it_since_the_start(tmp_path: Path) -> None:
    root = build("vm", tmp_path)
    tick = os.sysconf("SC_CLK_TCK")
    write(root, "proc/stat", f"cpu  {900 * tick} 0 0 {5000 * tick} 0 0 0 {100 * tick} 0 0\n")
    meter = Meter({"CARBON_MAGIC_ROOT": str(root)}, "auto")
    assert [note for note in share_notes(meter) if "10% of the CPU time that was asked for since its start" in note]
    write(root, "proc/stat", "cpu  a b c d e f g h i j\n")
    assert share_notes(meter) == []
