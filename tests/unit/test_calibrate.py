"""`carbon-magic calibrate`, as a user calls it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
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


@pytest.mark.parametrize("where", ["a-file", "a-file/below/it", "/proc/carbon-magic"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-file").write_text("no folder")
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / where))
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("amd", tmp_path / "tree")))
    assert main(["calibrate"]) == 2
    said = capsys.readouterr().err
    assert "the calibration " in said
    assert "cannot be written" in said
    assert "Looking whether" not in said
    assert (tmp_path / "a-file").read_text() == "no folder"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_what_is_no_file_is_not_written_to(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(path_in(home))
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("amd", tmp_path / "tree")))
    assert main(["calibrate"]) == 2
    assert "what stands there is no file" in capsys.readouterr().err


def test_a_folder_that_is_not_there_yet_is_not_made_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "some/where"))
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(build("laptop", tmp_path / "tree")))
    assert main(["calibrate"]) == 2
    assert "sudo carbon-magic calibrate" in capsys.readouterr().err
    assert not (tmp_path / "some").exists()


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


def test_forget_deletes_a_link_that_leads_nowhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path_in(home).symlink_to("nowhere")
    assert main(["calibrate", "--forget"]) == 0
    assert "is deleted" in capsys.readouterr().err
    assert not path_in(home).is_symlink()


@pytest.fixture
def called_by(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a user without rights who calls sudo, in a folder that they can reach."""
    import pwd

    if os.geteuid() != 0:
        pytest.skip("only root acts for others")
    with tempfile.TemporaryDirectory(prefix="caller-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        home.parent.chmod(0o755)
        os.chown(home, 65534, 65534)
        caller = pwd.struct_passwd(("nobody", "x", 65534, 65534, "", str(home), "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwuid", {65534: caller}.__getitem__)
        yield home


SUDO = {"SUDO_UID": "65534"}


def test_under_sudo_all_that_is_made_is_the_callers(called_by: Path) -> None:
    path = path_in(calibrate._home(SUDO))
    calibrate._keep(a_fit(), path, SUDO)
    made = list(called_by.rglob("*"))
    assert path in made
    assert {found.stat().st_uid for found in made} == {65534}
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.geteuid() == 0


def test_under_sudo_no_link_leads_to_a_file_of_somebody_else(called_by: Path) -> None:
    other = called_by.parent / "of-root"
    other.write_text("mine")
    path = path_in(calibrate._home(SUDO))
    path.parent.mkdir(parents=True)
    path.symlink_to(other)
    with pytest.raises(PermissionError):
        calibrate._keep(a_fit(), path, SUDO)
    assert other.read_text() == "mine"
    assert other.stat().st_uid == 0
    assert os.geteuid() == 0


def test_under_sudo_a_folder_closed_to_the_caller_is_told_at_once(called_by: Path) -> None:
    os.chown(called_by, 0, 0)
    with pytest.raises(UsageError, match="cannot be written: you have no permission"):
        calibrate._check_writable(path_in(calibrate._home(SUDO)), SUDO)
    assert os.geteuid() == 0
    assert list(called_by.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform has no sudo")
@pytest.mark.parametrize("number", ["\N{SUPERSCRIPT TWO}", "-1", "9" * 5000, "4294967295", ""])
def test_a_caller_that_is_nobody_is_none(number: str) -> None:
    assert calibrate._caller({"SUDO_UID": number}) is None


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
