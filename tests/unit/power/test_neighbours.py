"""Counting the live kernels of a machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from machines.build import build

from carbon_magic.meter import Meter
from carbon_magic.power.neighbours import Neighbours
from carbon_magic.power.sampler import Pace

KERNEL = """
import sys
from pathlib import Path
from carbon_magic.power.neighbours import Neighbours
here = Neighbours(sys.argv[2], Path(sys.argv[1]))
print(here.count(), flush=True)
sys.stdin.readline()
"""


def kernel(folder: Path, group: str = "machine") -> subprocess.Popen[str]:
    """Another kernel; it has counted once when this returns."""
    started = subprocess.Popen(
        [sys.executable, "-c", KERNEL, str(folder), group], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert int(started.stdout.readline()) >= 1
    return started


def test_kernels_of_one_machine_count_each_other_and_those_that_were_killed_are_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    here = Neighbours("machine", folder)
    assert here.count() == 1
    first, second, elsewhere = kernel(folder), kernel(folder), kernel(folder, "another quota")
    try:
        assert here.count() == 3
        first.kill()
        first.wait()
        assert here.count() == 2
        assert len(list(folder.iterdir())) == 3
    finally:
        for process in (first, second, elsewhere):
            process.kill()
            process.communicate()
    assert here.count() == 1


def test_a_kernel_that_comes_or_goes_is_noticed_within_seconds(tmp_path: Path) -> None:
    """Or two kernels would both take the whole idle energy of the machine for a while."""
    meter = Meter({"CARBON_MAGIC_ROOT": str(build("vm", tmp_path / "vm"))}, "dedicated")
    meter.start(Pace(), lambda now_s: None, lambda: False, lambda sampler: None)
    try:
        until(lambda: meter.part().cpu == 1.0)
        other = kernel(Path(os.environ["XDG_RUNTIME_DIR"]) / f"carbon-magic-{os.getuid()}")
        until(lambda: meter.part().cpu == 0.5)
        other.kill()
        other.communicate()
        until(lambda: meter.part().cpu == 1.0)
    finally:
        meter.stop()


def until(reached: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10.0
    while not reached():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_leaving_takes_the_file_away(tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    here = Neighbours("machine", folder)
    assert len(list(folder.iterdir())) == 1
    here.leave()
    here.leave()
    assert not list(folder.iterdir())


def test_a_number_that_another_process_has_now_is_no_neighbour(tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    here = Neighbours("machine", folder)
    (mine,) = folder.iterdir()
    group = mine.name.split("-")[0]
    (folder / f"{group}-{os.getppid()}-1").touch()
    assert here.count() == 1


@pytest.mark.parametrize("name", ["", "x", "--", "-1-2", "½-½-½"])
def test_files_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "kernels"
    here = Neighbours("machine", folder)
    if name:
        (folder / name).touch()
    assert here.count() == 1
    assert not name or (folder / name).exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners of folders")
def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    folder.mkdir()
    folder.chmod(0o777)
    here = Neighbours("machine", folder)
    assert here.problem is not None
    assert here.count() == 1
    assert not list(folder.iterdir())
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert Neighbours("machine", link).problem is not None
