"""Whose work an AMD or Intel GPU does: engine time of made-up processes, and what cannot be seen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from machines.build import build, write
from machines.gallery import hwmon
from machines.rig import Rig
from stubs.amd_smi import AmdSmi

from carbon_magic.power import amd_smi, drm_clients, rawread
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.cumulative import GpuGauge
from carbon_magic.power.drm_clients import INITIAL_PIDS, Clients, clients_of
from carbon_magic.power.drm_fdinfo import Engine, Told, parsed
from carbon_magic.power.hwmon import chips
from carbon_magic.power.intel_gpu import board
from carbon_magic.power.sensor import GpuUse
from carbon_magic.power.share import Part, Witness, measure
from carbon_magic.quantity import Interval

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it in Linux's procfs")

NODE = "/dev/dri/renderD128"
OURS, OTHER = 100, 200
PIDS = frozenset({OURS, 101})


def about(value: float) -> float:
    """The same but for rounding."""
    found: float = pytest.approx(value)
    return found


class Gpu:
    """A machine with one GPU and processes that have it open, or another file; a second passes with each look."""

    def __init__(self, folder: Path, *, compute: bool = False) -> None:
        self.proc = folder / "proc"
        self.now_s = 10.0
        self.process(1)
        self.process(OURS)
        self.link("self/ns/pid", INITIAL_PIDS)
        self.clients = Clients({NODE}, str(self.proc), compute=compute, clock=lambda: self.now_s)

    def link(self, path: str, target: str) -> None:
        place = self.proc / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def process(self, pid: int, *targets: str) -> None:
        (self.proc / f"{pid}/fd").mkdir(parents=True, exist_ok=True)
        for number, target in enumerate(targets):
            self.link(f"{pid}/fd/{number}", target)

    def opened(self, pid: int, client: int, engines: str, *, driver: str = "xe", fd: int = 7, node: str = NODE) -> None:
        """The process has the GPU open, and the kernel tells this of it."""
        self.process(pid)
        self.link(f"{pid}/fd/{fd}", node)
        told = f"pos:\t0\ndrm-driver:\t{driver}\ndrm-client-id:\t{client}\ndrm-pdev:\t0000:03:00.0\n{engines}"
        write(self.proc, f"{pid}/fdinfo/{fd}", told)

    def did(self, pid: int, client: int, **milliseconds: int) -> None:
        """So much of each engine was used by now."""
        engines = "".join(f"drm-engine-{name}:\t{value * 1_000_000} ns\n" for name, value in milliseconds.items())
        self.opened(pid, client, engines, driver="amdgpu")

    def use(self, busy: float | None = None, seconds: float = 1.0) -> GpuUse | None:
        self.now_s += seconds
        return self.clients.use(PIDS, busy)


@pytest.fixture
def gpu(tmp_path: Path) -> Gpu:
    return Gpu(tmp_path)


# What the kernel writes


def test_nanoseconds_cycles_and_capacities_are_read() -> None:
    text = b"drm-client-id: 3\ndrm-engine-render:\t25662044495 ns\ndrm-engine-capacity-video:\t2\n"
    text += b"drm-engine-video: 7 ns\ndrm-total-vram0: 5 KiB\ndrm-maxfreq-render: 9 MHz\n"
    assert parsed(text) == Told(3, {"render": Engine(25662044495, None, 1), "video": Engine(7, None, 2)})
    text = b"drm-client-id: 3\ndrm-cycles-rcs: 28257900\ndrm-total-cycles-rcs: 7655183225\ndrm-cycles-bcs: 4\n"
    assert parsed(text) == Told(3, {"rcs": Engine(28257900, 7655183225, 1)})


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"",
        b"pos: 0\nflags: 02\n",
        b"drm-driver: i915\ndrm-client-id: 3\n",  # as with submission by firmware, where it tells none
        b"drm-client-id: x\ndrm-engine-render: 4 ns\n",
        b"drm-client-id: 3\ndrm-engine-render: many ns\n",
        b"drm-client-id: 3\ndrm-engine-render: " + b"9" * 3000 + b" ns\n",
        b"\xff" * 4096,
    ],
)
def test_a_file_that_tells_no_engines_tells_nothing(text: bytes | None) -> None:
    assert parsed(text) is None


def test_amds_driver_leaves_out_engines_that_did_nothing() -> None:
    assert parsed(b"drm-driver:\tamdgpu\ndrm-client-id:\t3\n") == Told(3, {})


# The share


def test_the_work_is_shared_by_engine_time(gpu: Gpu) -> None:
    gpu.did(OURS, 1, gfx=5_000, dma=100)
    gpu.did(OTHER, 2, gfx=9_000)
    assert gpu.use() is None, "nothing is known of the time before the first look"
    gpu.did(OURS, 1, gfx=5_300, dma=200)
    gpu.did(OTHER, 2, gfx=9_100)
    assert gpu.use() == GpuUse(about(0.8), about(0.4), True)
    gpu.did(OTHER, 2, gfx=10_100)
    assert gpu.use() == GpuUse(0.0, 1.0, True)
    assert gpu.use() == GpuUse(0.0, 0.0, True)


def test_a_utilization_that_something_else_tells_is_taken(gpu: Gpu) -> None:
    gpu.did(OURS, 1, gfx=0)
    gpu.use(0.9)
    gpu.did(OURS, 1, gfx=500)
    assert gpu.use(0.9) == GpuUse(1.0, 0.9, True)


def test_cycles_are_shared_by_those_that_passed(gpu: Gpu) -> None:
    def now(ours: int, other: int, passed: int) -> None:
        for pid, client, used in ((OURS, 1, ours), (OTHER, 2, other)):
            told = f"drm-cycles-ccs:\t{used}\ndrm-total-cycles-ccs:\t{passed}\ndrm-engine-capacity-ccs:\t2\n"
            gpu.opened(pid, client, told)

    now(100, 4000, 10_000)
    gpu.use()
    now(700, 4200, 11_000)
    # 0.6 and 0.2 of one engine's second, of two engines that could have worked.
    assert gpu.use() == GpuUse(about(0.75), about(0.4), True)


def test_a_client_that_is_open_in_several_places_counts_once_and_is_ours_if_one_of_them_is(gpu: Gpu) -> None:
    for pid in (OURS, 101, OTHER):
        gpu.did(pid, 1, gfx=0)
    gpu.did(300, 2, gfx=0)
    gpu.use()
    for pid in (OURS, 101, OTHER):
        gpu.did(pid, 1, gfx=300)
    gpu.did(300, 2, gfx=100)
    assert gpu.use() == GpuUse(about(0.75), about(0.4), True)


def test_a_gpu_that_ours_never_opened_is_not_ours_whoever_is_hidden(gpu: Gpu) -> None:
    gpu.link("self/ns/pid", "pid:[4026532999]")
    gpu.process(OURS, "/dev/null", "/dev/dri/renderD129")
    gpu.use()
    assert gpu.use(0.8) == GpuUse(0.0, 0.8, True)
    assert gpu.use() == GpuUse(0.0, None, True)


@pytest.mark.parametrize("hidden", ["a container", "hidepid", "another user"])
def test_where_others_are_hidden_ours_is_an_upper_figure(
    gpu: Gpu, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hidden == "a container":
        gpu.link("self/ns/pid", "pid:[4026532999]")
    elif hidden == "hidepid":
        (gpu.proc / "1/fd").rmdir()
        (gpu.proc / "1").rmdir()
    else:
        closed_to_us(monkeypatch, f"{gpu.proc}/1/fd")
    gpu.did(OURS, 1, gfx=0)
    gpu.did(OTHER, 2, gfx=0)
    gpu.use()
    gpu.did(OURS, 1, gfx=300)
    gpu.did(OTHER, 2, gfx=100)
    assert gpu.use() == GpuUse(about(0.75), None, False)
    # In a pause of both it is unknown when the hidden ones work: the share stays what it was.
    assert gpu.use() == GpuUse(about(0.75), None, False)
    # With a utilization the pause weighs as little as it should.
    assert gpu.use(0.0) == GpuUse(0.0, 0.0, True)


def closed_to_us(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """As a folder of another user's process; root may look into all, so its answer is made up."""
    first_names = rawread.first_names

    def refuse(path: str, most: int = sys.maxsize) -> list[str]:
        if path == folder:
            raise PermissionError(13, "Permission denied", path)
        return first_names(path, most)

    monkeypatch.setattr(rawread, "first_names", refuse)


def test_a_folder_that_may_not_be_entered_is_told_from_one_that_is_gone(tmp_path: Path) -> None:
    assert rawread.first_names(str(tmp_path / "gone")) == []
    for name in "abc":
        (tmp_path / name).touch()
    assert sorted(rawread.first_names(str(tmp_path))) == ["a", "b", "c"]
    assert len(rawread.first_names(str(tmp_path), 2)) == 2
    if os.geteuid() == 0:
        return  # root may enter all
    tmp_path.chmod(0)
    with pytest.raises(PermissionError):
        rawread.first_names(str(tmp_path))
    assert rawread.list_names(str(tmp_path)) == []
    tmp_path.chmod(0o700)


def test_of_ours_that_is_hidden_nobody_tells(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_to_us(monkeypatch, f"{gpu.proc}/{OURS}/fd")
    gpu.use()
    assert gpu.use(0.5) is None


def test_a_driver_that_tells_no_engines_leaves_it_unknown(gpu: Gpu) -> None:
    gpu.opened(OURS, 1, "", driver="i915")
    gpu.use()
    assert gpu.use() is None


def test_work_of_a_process_that_has_just_ended_is_unsure(gpu: Gpu) -> None:
    gpu.did(OURS, 1, gfx=0)
    gpu.did(101, 3, gfx=0)
    gpu.use()
    for place in ("fd", "fdinfo"):
        (gpu.proc / f"101/{place}/7").unlink()
    assert gpu.use() == GpuUse(1.0, 0.0, False)
    assert gpu.use() == GpuUse(0.0, 0.0, True)


def test_what_a_new_process_did_counts_from_its_start_and_of_a_known_one_from_when_it_was_noticed(gpu: Gpu) -> None:
    gpu.process(300)
    gpu.did(OURS, 1, gfx=0)
    gpu.use()
    gpu.did(OURS, 1, gfx=100)
    gpu.did(OTHER, 2, gfx=100)  # it was not there at the last look
    gpu.did(300, 3, gfx=90_000)  # it was, and is looked at again later
    assert gpu.use() == GpuUse(about(0.5), about(0.2), True)
    gpu.did(OURS, 1, gfx=200)
    assert gpu.use(seconds=80.0) == GpuUse(1.0, pytest.approx(100 / 80_000), True)
    gpu.did(300, 3, gfx=90_300)
    gpu.did(OURS, 1, gfx=300)
    assert gpu.use() == GpuUse(about(0.25), about(0.4), True)


def test_a_value_that_falls_for_a_while_is_no_work(gpu: Gpu) -> None:
    gpu.did(OURS, 1, gfx=1000)
    gpu.use()
    gpu.did(OURS, 1, gfx=900)
    assert gpu.use() == GpuUse(0.0, 0.0, True)
    gpu.did(OURS, 1, gfx=1100)
    assert gpu.use() == GpuUse(1.0, about(0.1), True)


def test_work_queued_by_the_compute_driver_goes_by_who_has_it_open(tmp_path: Path) -> None:
    gpu = Gpu(tmp_path, compute=True)
    gpu.did(OURS, 1, gfx=0)
    gpu.process(OURS, "/dev/kfd")
    gpu.use()
    assert gpu.use(0.9) == GpuUse(1.0, 0.9, True)
    gpu.process(OTHER, "/dev/kfd")
    assert gpu.use(0.9) == GpuUse(0.5, 0.9, False)
    (gpu.proc / f"{OURS}/fd/0").unlink()
    assert gpu.use(0.9, seconds=11.0) == GpuUse(0.0, 0.9, True)


def test_while_ours_do_not_use_it_nobody_else_is_looked_at(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    first_names = rawread.first_names

    def note(path: str, most: int = sys.maxsize) -> list[str]:
        looked.append(path)
        return first_names(path, most)

    monkeypatch.setattr(rawread, "first_names", note)
    gpu.did(OTHER, 2, gfx=0)
    gpu.use()
    assert gpu.use() == GpuUse(0.0, None, True)
    assert set(looked) == {f"{gpu.proc}/{pid}/fd" for pid in PIDS}
    gpu.did(OURS, 1, gfx=100)
    gpu.did(OTHER, 2, gfx=900_000)
    assert gpu.use() == GpuUse(1.0, about(0.1), True), "it was not noticed at once"
    gpu.did(OURS, 1, gfx=200)
    gpu.did(OTHER, 2, gfx=900_300)
    assert gpu.use() == GpuUse(about(0.25), about(0.4), True)


def test_of_cycles_that_are_new_the_rate_is_unknown_at_first(gpu: Gpu) -> None:
    def now(used: int, passed: int) -> None:
        gpu.opened(OURS, 1, f"drm-cycles-ccs:\t{used}\ndrm-total-cycles-ccs:\t{passed}\n")

    gpu.use()
    now(500, 1000)
    assert gpu.use() == GpuUse(1.0, 0.0, False)
    now(900, 2000)
    assert gpu.use() == GpuUse(1.0, about(0.4), True)


def test_of_many_own_processes_some_are_looked_at_by_turns(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drm_clients, "MAX_OWN", 2)
    pids = frozenset(range(400, 405))
    for pid in pids:
        gpu.process(pid, "/dev/null")

    def use() -> GpuUse | None:
        gpu.now_s += 1.0
        return gpu.clients.use(pids, 0.5)

    use()
    assert use() == GpuUse(1.0, 0.5, False), "one that was not looked at may use it"
    for pid in pids:
        gpu.did(pid, pid, gfx=100)
    assert [use() for _ in range(3)][-1] == GpuUse(1.0, 0.5, True)


@pytest.mark.parametrize("most", [3, 40])
def test_no_more_processes_are_looked_at_at_once_than_is_bearable(
    gpu: Gpu, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drm_clients, "MAX_PROCESSES", most)
    for pid in range(300, 310):
        gpu.process(pid, "/dev/null")
    gpu.did(OURS, 1, gfx=0)
    gpu.use()
    told = []
    for second in range(1, 6):
        gpu.did(OURS, 1, gfx=100 * second)
        told.append(gpu.use())
    # The others come by and by, and until then somebody may be hidden.
    sure = [one.sure for one in told if one is not None]
    assert sure == ([True] * 5 if most == 40 else [False, False, True, True, True])
    assert {one.own_share for one in told if one is not None} == {1.0}


# The boards


def test_a_board_without_such_files_is_as_before_and_no_process_is_looked_at(tmp_path: Path) -> None:
    for path, text in hwmon(0, "xe", energy1_input=1_000_000).items():
        write(tmp_path, path, text)
    (chip,) = chips(tmp_path)
    assert board(chip, 0, tmp_path).clients is None
    assert board(chip, 0, tmp_path).use(PIDS) == GpuUse(1.0, None, False)
    assert clients_of(tmp_path / "nowhere", tmp_path) is None


def test_amd_smi_finds_them_by_the_place_on_the_bus(tmp_path: Path) -> None:
    write(tmp_path, "sys/bus/pci/devices/0000:83:00.0/drm/renderD128/dev", "226:128\n")
    gpu = {"name": "AMD Instinct MI210", "watts": 100, "joules": 1000.0, "busy": 40, "cap_w": 300.0}
    (sensor,) = amd_smi.open_gpus(AmdSmi({**gpu, "bdf": "0000:83:00.0"}), tmp_path)
    assert isinstance(sensor, amd_smi.AmdSmiSensor)
    assert sensor.clients is not None
    for bdf in ("../../../../etc", "N/A", None):
        (sensor,) = amd_smi.open_gpus(AmdSmi({**gpu, "bdf": bdf}), tmp_path)
        assert isinstance(sensor, amd_smi.AmdSmiSensor)
        assert sensor.clients is None


def test_a_cell_is_charged_its_engine_time_of_the_boards_energy(tmp_path: Path) -> None:
    machine = Gpu(tmp_path / "gpu")
    machine.did(OURS, 1, gfx=0)
    machine.did(OTHER, 2, gfx=0)
    rig = Rig(tmp_path / "rig", "intel-desktop")
    sensor = GpuGauge("amdgpu:0", "gpu", lambda: 300.0, factor=Interval.exact(1.0))
    sensor.clients = machine.clients
    rig.usage.pids = PIDS
    rig.made([Candidate("amdgpu:0", "gpu", "measured", True, "Made up.", sensor=sensor)])
    rig.now_s = machine.now_s
    rig.tick()
    for second in range(1, 11):
        rig.now_s = machine.now_s = 10.0 + second
        machine.did(OURS, 1, gfx=second * 600)
        machine.did(OTHER, 2, gfx=second * 200)
        rig.tick()
    marks = (rig.sampler.timeline.mark(10.0), rig.sampler.timeline.mark(20.0))
    measured = measure(marks, marks, [Witness(sensor, Interval.exact(100.0))], Part(1.0, 1.0, 0.0, 8))
    # 200 W above rest for ten seconds, three quarters of them ours.
    assert measured.own_j is not None
    assert (measured.own_j.low, measured.own_j.best, measured.own_j.high) == pytest.approx((1500.0, 1500.0, 1500.0))
    assert measured.gpu_utilization == pytest.approx(0.8)


def test_this_machines_own_processes_can_be_looked_at(tmp_path: Path) -> None:
    root = build("intel-desktop", tmp_path)
    write(root, "device/drm/renderD128/dev", "226:128\n")
    (root / "proc").rename(root / "made-up")
    (root / "proc").symlink_to("/proc")
    clients = clients_of(root / "device", root)
    assert clients is not None
    clients.use({os.getpid()}, None)
    told = clients.use({os.getpid()}, None)
    assert told is not None
    assert (told.own_share, told.sure) == (0.0, True)
