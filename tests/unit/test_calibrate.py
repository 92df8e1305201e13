"""`carbon-magic calibrate`, as a user calls it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from machines.build import MACHINES, build, write_machine
from machines.gallery import supply
from unit.power.test_calibration import a_fit

from carbon_magic.cli import main
from carbon_magic.commands import calibrate
from carbon_magic.power.busywork import PROGRAMS, busy
from carbon_magic.power.calibration import path_in, written
from carbon_magic.power.machine import Machine
from carbon_magic.run import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_without_any_sensor_it_says_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("laptop", tmp_path / "tree")))
    assert main(["calibrate"]) == 2
    said = capsys.readouterr().err
    assert "sudo carbon-magic calibrate" in said
    assert "--against wall" in said
    assert list(home.iterdir()) == []


def test_a_sensor_that_is_not_there_is_refused_with_those_that_are(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("amd", tmp_path / "tree")))
    assert main(["calibrate", "--against", "powercap:package-1"]) == 2
    assert "Nearest: powercap:package-0" in capsys.readouterr().err


def test_a_virtual_machine_has_no_wall(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("vm", tmp_path / "tree")))
    assert main(["calibrate", "--against", "wall"]) == 2
    assert "no plug of its own" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this platform has no affinity")
def test_a_process_that_may_not_use_all_processors_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The made-up machine has 32 processors, and this process is allowed those of the real one.
    assert len(os.sched_getaffinity(0)) < 32
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("amd", tmp_path / "tree")))
    assert main(["calibrate"]) == 1
    assert "of 32 processors" in capsys.readouterr().err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("seconds", ["3", "61", "nan", "x"])
def test_a_wrong_time_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "--seconds", seconds])
    assert ended.value.code == 2
    assert "from 4 to 60" in capsys.readouterr().err


def test_forget_deletes_the_fit_and_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path_in(home).write_text(written(a_fit()), encoding="utf-8")
    assert main(["calibrate", "--forget"]) == 0
    assert not path_in(home).exists()
    assert main(["calibrate", "--forget"]) == 0
    assert "There is no calibration" in capsys.readouterr().err


@pytest.mark.parametrize("program", PROGRAMS)
def test_workers_run_while_they_are_wanted(program: str) -> None:
    import psutil

    me = psutil.Process()
    before = len(me.children())
    with busy(2, program):
        assert len(me.children()) == before + 2
    assert len(me.children()) == before


@pytest.mark.parametrize(("status", "expected"), [("Discharging", "battery"), ("Charging", None)])
def test_a_battery_is_a_reference_while_it_discharges(tmp_path: Path, status: str, expected: str | None) -> None:
    files = supply("BAT0", type="Battery", status=status, energy_now=50_000_000)
    machine = Machine.of(write_machine(replace(MACHINES["laptop"], extra=files), tmp_path), "linux")
    told = calibrate.Told(lambda text: None, lambda question: "")
    if expected is None:
        with pytest.raises(UsageError, match="unplug a laptop"):
            calibrate._reference(machine, None, told)
    else:
        reference = calibrate._reference(machine, None, told)
        assert (reference.name, reference.boundary) == (expected, "wall")
        reference.close()
