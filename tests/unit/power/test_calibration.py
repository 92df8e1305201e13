"""A machine's own curve: fitted by exact arithmetic, refused where it is none, kept and used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.build import build

from carbon_magic.power.busywork import PROGRAMS
from carbon_magic.power.calibration import (
    CalibrationError,
    Fit,
    Level,
    fitted,
    machine_id,
    path_in,
    read,
    usable,
    written,
)
from carbon_magic.power.constants import CALIBRATED_WORK, WALL_DESKTOP, WALL_METER
from carbon_magic.power.discover import discover
from carbon_magic.power.loads import Loads, RefusedError
from carbon_magic.power.machine import Machine
from carbon_magic.power.reference import Sensors, WallMeter
from carbon_magic.power.sensor import Domain, Provenance, Reading
from carbon_magic.quantity import Interval

IDLE_W = Interval(1.0, 2.0, 4.0)


def exact(*watts: float) -> tuple[Interval, ...]:
    return tuple(Interval.exact(power) for power in watts)


def levels(*watts: tuple[float, ...], noise: float = 0.0) -> list[Level]:
    """Levels evenly from rest to full."""
    return [Level(place / (len(watts) - 1), exact(*power), noise) for place, power in enumerate(watts)]


def test_the_curve_goes_through_the_mean_of_the_two_programs() -> None:
    points = fitted(levels((10.0,), (30.0, 34.0), (60.0, 80.0)), "components", "desktop", IDLE_W)
    assert [(load, power.best) for load, power in points] == [(0.0, 10.0), (0.5, 32.0), (1.0, 70.0)]
    assert points[0][1] == Interval.exact(10.0)
    full = Interval(60.0, 70.0, 80.0).times(CALIBRATED_WORK.value)
    assert points[-1][1] == full


def test_behind_a_power_supply_only_what_a_load_adds_is_measured() -> None:
    points = fitted(levels((50.0,), (170.0, 170.0)), "wall", "desktop", IDLE_W)
    assert points[0][1] == IDLE_W
    assert points[1][1].best == pytest.approx(IDLE_W.best + 120.0 / WALL_DESKTOP.value.best)
    assert points[1][1].low < points[1][1].best < points[1][1].high


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (levels((10.0,), (10.5, 10.5)), "does not see the processors"),
        (levels((10.0,), (60.0, 60.0), (40.0, 40.0)), "fell from 60 to 40 W"),
        (levels((10.0,), (60.0, 60.0), noise=0.2), "not steady"),
        ([Level(0.0, exact(10.0), 0.0)], "do not span"),
        ([Level(0.0, exact(10.0), 0.0), Level(0.5, exact(30.0), 0.0)], "do not span"),
    ],
)
def test_what_makes_no_curve_is_refused_with_the_reason(measured: list[Level], why: str) -> None:
    with pytest.raises(CalibrationError, match=why):
        fitted(measured, "components", "desktop", IDLE_W)


@given(
    st.lists(st.floats(1.0, 500.0), min_size=3, max_size=5),
    st.floats(0.5, 1.0),
    st.floats(1.0, 2.0),
    st.sampled_from(["components", "wall"]),
)
def test_a_curve_never_falls_and_every_best_lies_inside(
    steps: list[float], low: float, high: float, boundary: Any
) -> None:
    total, measured = 0.0, []
    for place, step in enumerate(steps):
        total += step
        power = Interval(total * low, total, total * high)
        measured.append(Level(place / (len(steps) - 1), (power,) if place == 0 else (power, power), 0.0))
    if total < steps[0] * 1.1:
        return
    points = fitted(measured, boundary, "laptop", IDLE_W)
    assert [load for load, _ in points] == sorted({load for load, _ in points})
    for (_, before), (_, after) in pairwise(points):
        assert before.best <= after.best
    assert all(power.low <= power.best <= power.high for _, power in points)


# Kept in a file


def a_fit(**changed: Any) -> Fit:
    values: dict[str, Any] = {
        "machine": "m",
        "cpu": "A CPU",
        "fitted_at": "2026-11-25T12:00:00+00:00",
        "reference": "powercap:package-0",
        "boundary": "components",
        "points": ((0.0, Interval(9.0, 10.0, 11.0)), (1.0, Interval(60.0, 70.0, 80.0))),
        "noise": 0.01,
        "version": "1",
    }
    return Fit(**{**values, **changed})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    assert read(path) is None
    path.write_text(written(a_fit()), encoding="utf-8")
    assert read(path) == a_fit()


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "something else"},
        {"format": 2},
        {"points": []},
        {"points": [[0.0, 9, 10, 11]]},
        {"points": [[0.0, 9, 10, 11], [1.0, 80, 70, 60]]},
        {"points": [[0.0, 9, 10, 11], [1.0, float("nan"), 70, 80]]},
        {"points": [[0.0, 9, 10, 11], [float("nan"), 60, 70, 80], [1.0, 60, 70, 80]]},
        {"points": [[0.0, 9, 10, 11], [1.0, 60, 70, 1e9]]},
        {"points": [[0.5, 9, 10, 11], [1.0, 60, 70, 80]]},
        {"points": [[1.0, 9, 10, 11], [0.0, 60, 70, 80]]},
        {"points": [[0.0, -1, 0, 1], [1.0, 60, 70, 80]]},
        {"points": [[0.0, 60, 70, 80], [1.0, 9, 10, 11]]},
        {"fitted_at": "yesterday"},
        {"points": [[place / 1000, 9, 10, 11] for place in range(1001)]},
        {"points": 7},
        {"boundary": "elsewhere"},
        {"noise": -1},
    ],
)
def test_a_file_that_holds_no_curve_is_refused_in_words(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = tmp_path / "calibration-x.json"
    path.write_text(json.dumps({**json.loads(written(a_fit())), **changed}), encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"calibration-x\.json is not used: "):
        read(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"[" * 100_000, b"{}", b"null", b'{"kind": 1' + b" " * 90_000]
)
def test_nonsense_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration-x.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationError, match=r"calibration-x\.json is not used: "):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes with names")
def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "calibration-x.json"
    os.mkfifo(path)
    with pytest.raises(CalibrationError, match=r"calibration-x\.json is not used: "):
        read(path)


# Used by the model


def test_the_model_of_this_machine_takes_its_own_curve_and_says_so(tmp_path: Path) -> None:
    machine = Machine.of(build("laptop", tmp_path / "tree"), "linux")
    home = tmp_path / "home"
    home.mkdir()
    path_in(home).write_text(written(a_fit(machine=machine_id(machine))), encoding="utf-8")
    environ = {"CARBON_MAGIC_HOME": str(home)}
    fit, trouble = usable(environ, machine)
    assert trouble is None
    model = next(item for item in discover(machine, lambda: 0.0, fit) if item.name == "cpu-model")
    assert "fitted to this machine on 2026-11-25 against powercap:package-0 (-14% to +14% at full load)" in model.reason
    assert model.sensor is not None
    assert model.provenance == "modelled"
    assert model.sensor.idle_power_w == Interval(9.0, 10.0, 11.0)
    model.sensor.advance(0.0, 0.0)
    reading = model.sensor.advance(10.0, 10.0 * machine.logical_cpus)
    assert (reading.low_j, reading.energy_j, reading.high_j) == (600.0, 700.0, 800.0)


def test_a_calibration_of_another_machine_is_not_used_and_said(tmp_path: Path) -> None:
    machine = Machine.of(build("laptop", tmp_path / "tree"), "linux")
    path_in(tmp_path).write_text(written(a_fit(machine=machine_id(machine))), encoding="utf-8")
    environ = {"CARBON_MAGIC_HOME": str(tmp_path)}
    assert usable(environ, machine)[0] is not None
    fit, trouble = usable(environ, replace(machine, logical_cpus=16))
    assert fit is None
    assert trouble is not None
    assert "another machine" in trouble


# Measured on a made-up machine


class MadeUpLoads:
    """Time passes when somebody sleeps; power follows the workers, the program and a stranger's load."""

    def __init__(self, cpus: int = 4, strangers: float = 0.0, given: float = 1.0, drift_w: float = 0.0) -> None:
        self.cpus, self.strangers, self.given, self.drift_w = cpus, strangers, given, drift_w
        self.now_s = self.busy_s = self.energy_j = 0.0
        self.workers, self.program = 0, ""
        self.pids: frozenset[int] = frozenset()

    def power_w(self) -> float:
        extra = {"interpreter": 0.0, "vectors": 5.0 * self.workers, "": 0.0}[self.program]
        return 10.0 + 20.0 * self.workers + extra + self.drift_w * self.now_s

    def sleep(self, seconds: float) -> None:
        self.energy_j += self.power_w() * seconds
        self.now_s += seconds
        self.busy_s += (self.workers * self.given + self.strangers) * seconds

    @contextmanager
    def work(self, workers: int, program: str) -> Iterator[None]:
        assert program in PROGRAMS
        self.workers, self.program = workers, program
        yield
        self.workers, self.program = 0, ""

    def tick(self) -> tuple[float, float]:
        return 0.0, self.busy_s

    def border(self) -> float:
        return 0.0

    def close(self) -> None: ...

    def loads(self, reference: Any = None) -> Loads:
        reference = reference or Sensors([Counter(self)], "components", lambda: self.now_s)
        return Loads(self, reference, self.cpus, work=self.work, sleep=self.sleep, clock=lambda: self.now_s)


class Counter:
    """The made-up machine's energy counter."""

    name, cheap, fill, short, idle_is_exact = "made-up:0", True, "time", None, False
    domain: Domain = "cpu"
    provenance: Provenance = "measured"
    period_s = update_s = resolution_s = 0.0
    max_power_w = idle_power_w = None

    def __init__(self, made: MadeUpLoads) -> None:
        self.made = made

    def peek(self) -> float:
        return self.made.energy_j

    def advance(self, time_s: float, raw: float) -> Reading:
        return Reading(time_s, raw * 0.9, raw, raw * 1.1)

    def skip(self, time_s: float, raw: float) -> None: ...

    def close(self) -> None: ...


def test_a_load_is_measured_under_both_programs_with_the_sensors_range() -> None:
    level = MadeUpLoads().loads().level(2, 20.0)
    assert level.load == pytest.approx(0.5)
    assert [power.best for power in level.watts] == pytest.approx([50.0, 60.0])
    assert [power.low for power in level.watts] == pytest.approx([45.0, 54.0])
    assert level.noise == pytest.approx(0.0, abs=1e-9)


def test_power_that_drifts_shows_as_noise() -> None:
    level = MadeUpLoads(drift_w=2.0).loads().level(0, 21.0)
    # Two halves of 10 s: their means lie 20 W apart.
    assert level.noise == pytest.approx(20.0 / level.watts[0].best)


def test_a_busy_machine_is_refused_before_anything_is_started() -> None:
    with pytest.raises(RefusedError, match=r"busy \(25% of its processors\); close what runs"):
        MadeUpLoads(strangers=1.0).loads().check_rest()
    MadeUpLoads(strangers=0.3).loads().check_rest()


def test_a_stranger_that_begins_in_the_middle_is_noticed() -> None:
    with pytest.raises(RefusedError, match=r"something else uses the processors \(25% of them\)"):
        MadeUpLoads(strangers=1.0).loads().level(2, 10.0)


def test_a_quota_is_noticed() -> None:
    with pytest.raises(RefusedError, match=r"only 50% of the processors were given where 100% were asked for"):
        MadeUpLoads(given=0.5).loads().level(4, 10.0)


def test_a_person_is_asked_until_a_number_comes() -> None:
    answers = iter(["forty", "-3", "nan", "42,5 W\n"])
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    meter = WallMeter(ask)
    assert meter.watts() == WALL_METER.value.scaled(42.5)
    assert len(asked) == 4
    assert "'forty'" in asked[1]
