"""The processor's energy by other ways than powercap: perf events, zeusd, AMD's graphics, boards, Apple, Windows."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from machines.build import MadeUp, ZoneFiles, write, write_machine
from machines.gallery import GALLERY, hwmon, power_pmu
from machines.stand_ins import AppleChip, EnergyMeter, MadeUpKernel

from carbon_magic.power import emi, jetson, perf, whole, zeusd
from carbon_magic.power.asking import Unanswered
from carbon_magic.power.discover import discover
from carbon_magic.power.hwmon import chips, number, watts_of
from carbon_magic.power.ioreport import open_chip
from carbon_magic.power.machine import Machine
from carbon_magic.power.sensor import GpuSensor, Sensor, SensorError
from carbon_magic.power.sources import Ways, measured_elsewhere

COUNT_J = 2.0**-32
INTEL = MadeUp("Xeon", "GenuineIntel", cpus=96, sockets=2, chassis=23, memory_bytes=2**34)


def made(made_up: MadeUp, root: Path) -> Machine:
    return Machine.of(write_machine(made_up, root), "linux")


def step(sensor: Sensor, change: Callable[[], Any], seconds: float = 1.0) -> tuple[float, float, float]:
    """Low, best and high joules of what `change` does to the hardware, over so many seconds."""
    sensor.advance(10.0, sensor.peek())
    change()
    return sensor.advance(10.0 + seconds, sensor.peek())[1:]


# Performance events


def test_each_package_and_its_memory_are_opened_on_their_cpu(tmp_path: Path) -> None:
    machine = made(MadeUp("Xeon", "GenuineIntel", cpus=96, sockets=2, extra=power_pmu("0,48")), tmp_path)
    kernel = MadeUpKernel()
    sensors = perf.open_events(machine, perf.events(machine), kernel)
    names = ["perf:package-0", "perf:package-1", "perf:dram-0", "perf:dram-1"]
    assert [sensor.name for sensor in sensors] == names
    assert sorted(kernel.opened.values()) == [(2, 0), (2, 48), (3, 0), (3, 48)]
    assert all(sensor.cheap for sensor in sensors)

    def burn() -> None:
        kernel.counts[2, 48] = 100 * 2**32
        kernel.counts[3, 48] = 10 * 2**32

    assert step(sensors[1], burn) == pytest.approx((95.0, 100.0, 105.0))
    for sensor in sensors:
        sensor.close()
        sensor.close()
    assert kernel.opened == {}


def test_dies_of_an_amd_package_are_opened_once(tmp_path: Path) -> None:
    topology = {
        f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id": f"{cpu // 64}\n" for cpu in (0, 32, 64)
    }
    made_up = MadeUp(
        "EPYC", "AuthenticAMD", cpus=128, sockets=2, extra={**power_pmu("0,32,64", memory=False), **topology}
    )
    found = perf.events(made(made_up, tmp_path))
    assert [(event.name, event.cpu) for event in found] == [("perf:package-0", 0), ("perf:package-1", 64)]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("type", "x"),
        ("cpumask", ""),
        ("cpumask", "0;1"),
        ("events/energy-pkg.scale", "nan"),
        ("events/energy-pkg", "2"),
    ],
)
def test_nonsense_about_the_power_pmu_is_no_event(tmp_path: Path, file: str, text: str) -> None:
    machine = made(MadeUp("Xeon", "GenuineIntel", extra=power_pmu(memory=False)), tmp_path)
    write(tmp_path, f"{perf.PMU}/{file}", text)
    assert perf.events(machine) == []


def test_a_kernel_that_refuses_says_why_and_what_opens_it(tmp_path: Path) -> None:
    machine = made(MadeUp("Xeon", "GenuineIntel", extra={**power_pmu(), perf.PARANOID: "4\n"}), tmp_path)
    (found,) = measured_elsewhere(machine, Ways({}, lambda: MadeUpKernel(allows=False)), None)
    assert not found.used
    assert found.reason == ("Not opened: kernel.perf_event_paranoid is 4; reading needs 0 or less, or CAP_PERFMON.")
    assert found.fix == perf.FIX
    assert "PLATYPUS" in perf.FIX


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="only this architecture has a power PMU"
)
def test_the_real_call_opens_an_event_or_is_refused_in_earnest() -> None:
    kernel = perf.KernelEvents()
    opened: list[int] = []
    told = None
    try:
        opened.append(kernel.open(1, 0, 0))  # the software PMU's clock: of one CPU and all processes, as RAPL's
    except OSError as error:
        told = error.errno
    assert told in (None, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOSYS)  # refused, but not a wrong call
    for fd in opened:
        first = int.from_bytes(kernel.read(fd), sys.byteorder)
        assert int.from_bytes(kernel.read(fd), sys.byteorder) >= first
        kernel.close(fd)


# zeusd


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A real HTTP server on a Unix socket that answers as zeusd does, or as `behave` says."""

    daemon_threads = True
    answer: Any = None
    status = 200
    delay_s = 0.0
    length: str | None = None
    """What it says of its answer's length; None says what it is."""
    asked: list[str] = []  # noqa: RUF012 - set anew for each


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            time.sleep(server.delay_s)
            body = server.answer if isinstance(server.answer, bytes) else json.dumps(server.answer).encode()
            self.send_response(server.status)
            self.send_header("Content-Length", server.length or str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked may have had enough
                self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

        def address_string(self) -> str:
            return "unix"

    path = tmp_path / "var/run/zeusd.sock"
    path.parent.mkdir(parents=True)
    server = Daemon(os.fspath(path), Handler)
    server.asked = []
    server.answer = {
        "0": {"cpu_energy_uj": 5_000_000, "dram_energy_uj": 1_000_000},
        "1": {"cpu_energy_uj": 7_000_000, "dram_energy_uj": None},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_zeusd_tells_packages_and_memory_with_one_question(daemon: Daemon, tmp_path: Path) -> None:
    found = discover(made(INTEL, tmp_path), lambda: 0.0, ways=Ways({}))
    sensors = {candidate.name: candidate.sensor for candidate in found if candidate.used}
    assert sorted(sensors) == ["zeusd:dram-0", "zeusd:package-0", "zeusd:package-1"]
    package = sensors["zeusd:package-0"]
    assert package is not None
    assert not package.cheap
    assert set(daemon.asked) == {"/cpu/get_cumulative_energy?cpu=true&dram=true"}
    time.sleep(zeusd._ONE_TICK_S)  # an answer is shared for so long

    def burn() -> None:
        time.sleep(zeusd._ONE_TICK_S)
        daemon.answer["0"]["cpu_energy_uj"] = 25_000_000

    assert step(package, burn) == pytest.approx((19.0, 20.0, 21.0))


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (401, {}, "asks for a token"),
        (404, {}, "HTTP 404"),
        (302, {}, "not followed"),
        (200, b"hello", "no JSON"),
        (200, b"[" * 5000, "no JSON"),
        (200, [], "names no package"),
        (200, {"0": {"cpu_energy_uj": -1}}, "no energy"),
        (200, {"0": {"cpu_energy_uj": True}}, "no energy"),
        (200, {"0": {}}, "no energy"),
        (200, b"x" * (2 << 20), "more than a mebibyte"),
    ],
)
def test_a_daemon_that_answers_wrongly_leaves_the_model(
    daemon: Daemon, tmp_path: Path, status: int, answer: Any, words: str
) -> None:
    daemon.status, daemon.answer = status, answer
    found = {c.name: c for c in discover(made(INTEL, tmp_path), lambda: 0.0, ways=Ways({}))}
    assert not found["zeusd"].used
    assert words in found["zeusd"].reason
    assert found["vcpu-model"].used


def test_a_length_that_no_number_can_hold_is_no_answer(daemon: Daemon, tmp_path: Path) -> None:
    daemon.length = "9" * 20
    with pytest.raises(SensorError):
        zeusd.open_daemon(tmp_path / "var/run/zeusd.sock", None)


def test_a_daemon_that_hangs_costs_a_quarter_of_a_second(daemon: Daemon, tmp_path: Path) -> None:
    daemon.delay_s = 3.0
    with pytest.raises(SensorError, match=r"no answer within 0\.25 s"):
        zeusd.open_daemon(tmp_path / "var/run/zeusd.sock", None)
    daemon.delay_s = 0.0


def test_the_socket_that_was_named_is_asked(daemon: Daemon, tmp_path: Path) -> None:
    elsewhere = made(INTEL, tmp_path / "elsewhere")
    named = Ways({zeusd.VARIABLE: os.fspath(tmp_path / "var/run/zeusd.sock")})
    assert any(candidate.used for candidate in measured_elsewhere(elsewhere, named, None))
    (wrong,) = measured_elsewhere(elsewhere, Ways({zeusd.VARIABLE: os.fspath(tmp_path / "none")}), None)
    assert wrong.reason == "ZEUSD_SOCK_PATH names no socket that can be reached."


def test_a_package_that_is_told_no_more_is_a_failed_reading() -> None:
    assert zeusd.parse({"0": {"cpu_energy_uj": 1_500_000}}) == {"package-0": 1.5}
    with pytest.raises(Unanswered):
        zeusd.parse({"zero": {"cpu_energy_uj": 1}})


# Hardware monitors


def test_chips_come_by_number_and_nonsense_is_left_out(tmp_path: Path) -> None:
    for made_up in (hwmon(10, "xe"), hwmon(2, "amdgpu"), hwmon(3, "bad name\x07")):
        for path, text in made_up.items():
            write(tmp_path, path, text)
    assert [(chip.driver, chip.number) for chip in chips(tmp_path)] == [("amdgpu", "2"), ("xe", "10")]
    assert chips(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["", "x", "1e6", "999999999999999", "-5"])
def test_a_power_that_is_none_is_a_failed_reading(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "power1_average", text)
    with pytest.raises(ValueError):  # noqa: PT011 - any words
        watts_of(path)()


def test_the_package_around_amd_graphics_is_integrated(tmp_path: Path) -> None:
    made_up = MadeUp("AMD Ryzen 7 5800U", "AuthenticAMD", cpus=16, chassis=10, extra=GALLERY["ryzen_apu"].made_up.extra)
    (found,) = measured_elsewhere(made(made_up, tmp_path), Ways({}), 15.0)
    assert found.sensor is not None
    assert (found.name, found.domain, found.sensor.fill) == ("amdgpu:package", "cpu", "cpu")
    power = tmp_path / "sys/class/hwmon/hwmon0/power1_average"
    write(tmp_path, os.fspath(power.relative_to(tmp_path)), "10000000\n")
    got = step(found.sensor, lambda: power.write_text("20000000\n"))
    assert got == pytest.approx((13.5, 15.0, 16.5))


def test_an_amd_board_and_small_graphics_are_no_package(tmp_path: Path) -> None:
    board = MadeUp(extra=hwmon(0, "amdgpu", power1_average=9_000_000, power1_cap=250_000_000))
    assert measured_elsewhere(made(board, tmp_path / "board"), Ways({}), 65.0) == []
    small = MadeUp(extra=hwmon(0, "amdgpu", power1_input=1_000_000, in1_label="vddnb"))
    (found,) = measured_elsewhere(made(small, tmp_path / "small"), Ways({}), 105.0)
    assert (found.used, "the graphics alone" in found.reason) == (False, True)


def test_rails_are_told_apart_by_their_labels(tmp_path: Path) -> None:
    found = measured_elsewhere(made(GALLERY["jetson_orin"].made_up, tmp_path), Ways({}), None)
    told = {c.name: (c.used, c.watched, c.sensor.peek() if c.sensor else None) for c in found}
    assert told == {
        "jetson:VDD_IN": (False, True, pytest.approx(6.0)),
        "jetson:VDD_CPU_GPU_CV": (True, False, pytest.approx(2.0)),
    }
    graphics = jetson.Rail("GPU", "gpu", lambda: 4.0)
    assert isinstance(jetson.sensor_of(graphics), GpuSensor)


def test_what_a_server_meter_measures_is_told_by_the_firmware(tmp_path: Path) -> None:
    write_machine(GALLERY["gh200"].made_up, tmp_path)
    found = whole.meters(chips(tmp_path))
    assert [(meter.domain, meter.whole) for meter in found] == [
        ("other", True),
        ("other", False),
        ("cpu", False),
        ("other", False),
    ]
    assert number(found[2].path) == 61_000_000


def test_a_meter_that_averages_over_half_a_minute_is_read_as_often(tmp_path: Path) -> None:
    write_machine(GALLERY["dual_socket"].made_up, tmp_path)
    (meter,) = whole.meters(chips(tmp_path))
    assert whole.sensor_of(meter).period_s == 30.0


# Apple and Windows


def test_apple_reports_processor_graphics_with_neural_engine_and_memory() -> None:
    chip = AppleChip(cpu_total_mj=1000, gpu_mj=200, gpu_sram_mj=None, ane_mj=50, dram_mj=None)
    sensors = {sensor.name: sensor for sensor in open_chip(chip)}
    assert sorted(sensors) == ["ioreport:cpu", "ioreport:gpu"]
    assert chip.asked == 1
    assert sensors["ioreport:gpu"].peek() == 0.25
    assert isinstance(sensors["ioreport:gpu"], GpuSensor)
    sensors["ioreport:cpu"].advance(0.0, 1.0)
    assert sensors["ioreport:cpu"].advance(1.0, 11.0)[1:] == pytest.approx((8.5, 10.0, 11.5))


def test_a_mac_without_the_package_is_told_how_to_get_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "darwin", "Apple M1", "Apple", 8, 1, "laptop", 2**34)
    (found,) = measured_elsewhere(machine, Ways({}), None)
    assert not found.used
    assert found.fix is not None
    assert "pip install 'carbon-magic[macos]'" in found.fix.splitlines()
    with pytest.raises(SensorError, match="does not report its processor"):
        open_chip(AppleChip(cpu_total_mj=None, gpu_mj=1))


def test_windows_counters_are_picowatt_hours() -> None:
    meter = EnergyMeter({"RAPL_Package0_PP0": 7, "RAPL_Package0_PKG": 0, "RAPL_Package0_DRAM": 0, "Battery": 1})
    package, memory = emi.open_device(meter, "GenuineIntel")
    assert (package.name, package.domain, memory.name, memory.domain) == ("emi:package-0", "cpu", "emi:dram-0", "dram")
    tenth_wh = 10**11
    got = step(package, lambda: meter.channels.update(RAPL_Package0_PKG=tenth_wh))
    assert got == pytest.approx((342.0, 360.0, 378.0))


def test_metadata_of_version_one_holds_one_channel() -> None:
    name = "RAPL_Package0_PKG\0".encode("utf-16-le")
    raw = b"\0" * 4 + b"\0" * 64 + b"\1\0" + len(name).to_bytes(2, "little") + name
    assert emi.parse_metadata(1, raw) == [emi.Channel(0, "RAPL_Package0_PKG", 0)]


@pytest.mark.parametrize("cut", [0, 10, 67, 70, 75, 90])
def test_metadata_that_ends_too_early_is_an_error_in_words(cut: int) -> None:
    raw = EnergyMeter({"RAPL_Package0_PKG": 1, "RAPL_Package0_DRAM": 1}).metadata()
    with pytest.raises(ValueError, match=r"ends after|None"):
        emi.parse_metadata(2, raw[:cut])
    with pytest.raises(ValueError, match="version 9"):
        emi.parse_metadata(9, raw)
    with pytest.raises(ValueError, match="ends after"):
        emi.parse_measurement(b"\0" * 31, 1)


def test_a_meter_of_another_unit_or_without_a_processor_is_not_used() -> None:
    with pytest.raises(SensorError, match="unit"):
        emi.open_device(EnergyMeter({"RAPL_Package0_PKG": 1}, unit=3), None)
    with pytest.raises(SensorError, match="no processor"):
        emi.open_device(EnergyMeter({"Vbat": 1}), None)


def test_powercap_that_can_be_read_comes_first(tmp_path: Path) -> None:
    made_up = MadeUp(
        "Xeon", "GenuineIntel", chassis=23, zones=(ZoneFiles("intel-rapl:0", "package-0"),), extra=power_pmu()
    )
    kernel = MadeUpKernel()
    found = discover(made(made_up, tmp_path), lambda: 0.0, ways=Ways({}, lambda: kernel))
    assert {candidate.name for candidate in found if candidate.used} == {"powercap:package-0"}
    assert kernel.opened == {}
