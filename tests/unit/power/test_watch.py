"""Meters of the whole machine: what they measure, what is left over, and where two sources disagree."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from machines.build import GIB, MACHINES, MadeUp, write, write_machine
from machines.gallery import GALLERY, hwmon, power_pmu, supply
from machines.rig import Rig
from machines.stand_ins import MadeUpKernel

from carbon_magic.config import CarbonMagic
from carbon_magic.power.battery import BatterySensor, supplies
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.discover import discover
from carbon_magic.power.later import discover_later
from carbon_magic.power.machine import Machine
from carbon_magic.power.named import EXAMPLE, Source, WrongSource, number_in, sensor_of, source_of
from carbon_magic.power.sensor import SensorError
from carbon_magic.power.sources import Ways
from carbon_magic.power.watch import Rest, Watch
from carbon_magic.views.doctor import rest_text

PACKAGE = "intel-rapl:0"
PSU = "sys/class/hwmon/hwmon3/power1_input"
KERNEL = MadeUpKernel()


# The battery


def battery(root: Path, **files: str | int) -> BatterySensor:
    for path, text in supply("BAT0", type="Battery", **files).items():
        write(root, path, text)
    return BatterySensor(supplies(root).batteries)


def set_battery(root: Path, **files: str | int) -> None:
    for path, text in supply("BAT0", **files).items():
        write(root, path, text)


def test_what_has_left_the_battery_is_the_difference_of_its_energy(tmp_path: Path) -> None:
    sensor = battery(tmp_path, status="Discharging", energy_now=50_000_000)
    assert sensor.advance(0.0, sensor.peek()).energy_j == 0.0
    set_battery(tmp_path, energy_now=49_500_000)
    assert sensor.advance(180.0, sensor.peek())[1:] == pytest.approx((1710.0, 1800.0, 1890.0))
    assert sensor.resolution_s == 120.0


def test_on_the_mains_it_tells_nothing_and_begins_anew_after(tmp_path: Path) -> None:
    sensor = battery(tmp_path, status="Discharging", energy_now=50_000_000)
    sensor.advance(0.0, sensor.peek())
    set_battery(tmp_path, status="Charging", energy_now=49_000_000)
    assert sensor.advance(60.0, sensor.peek()).energy_j == 0.0
    assert sensor.since_s is None
    set_battery(tmp_path, status="Discharging", energy_now=51_000_000)
    sensor.advance(120.0, sensor.peek())
    set_battery(tmp_path, energy_now=50_900_000)
    assert sensor.advance(180.0, sensor.peek()).energy_j == pytest.approx(360.0)
    assert sensor.since_s == 120.0


def test_a_plug_between_two_readings_is_no_negative_energy(tmp_path: Path) -> None:
    sensor = battery(tmp_path, status="Discharging", energy_now=50_000_000)
    sensor.advance(0.0, sensor.peek())
    set_battery(tmp_path, energy_now=50_500_000)
    assert sensor.advance(60.0, sensor.peek()).energy_j == 0.0
    assert sensor.since_s == 60.0


def test_a_battery_without_energy_is_integrated_and_two_are_added(tmp_path: Path) -> None:
    for name, current in (("BAT0", 1_000_000), ("BAT1", -500_000)):
        files = supply(name, type="Battery", status="Discharging", current_now=current, voltage_now=10_000_000)
        for path, text in files.items():
            write(tmp_path, path, text)
    sensor = BatterySensor(supplies(tmp_path).batteries)
    assert sensor.peek() == pytest.approx(15.0)
    sensor.advance(0.0, 15.0)
    assert sensor.advance(10.0, 25.0).energy_j == pytest.approx(200.0)


def test_peripherals_chargers_and_contracts_are_no_battery(tmp_path: Path) -> None:
    write_machine(GALLERY["intel_laptop"].made_up, tmp_path)
    found = supplies(tmp_path)
    assert [path.name for path in found.batteries] == ["BAT0"]
    assert found.contracts == ("ucsi-source-psy-USBC000:001",)
    assert supplies(tmp_path / "none").batteries == ()


# Beside the counted sensors


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., Rig]:
    """An Intel desktop with more files, and a rig on it that watches whatever `discover_later` finds there."""

    def make(extra: dict[str, str], name: str = "intel-desktop", kernel: MadeUpKernel | None = None) -> Rig:
        rig = Rig(tmp_path, name, {PACKAGE: 0} if name == "intel-desktop" else None)
        for path, text in extra.items():
            write(rig.root, path, text)
        ways = Ways({}, (lambda: kernel) if kernel else None)
        opened = discover(rig.machine, lambda: rig.usage.busy_s, ways=ways)
        rig.made([*opened, *discover_later(rig.machine, ways, opened)])
        return rig

    return make


def run(rig: Rig, seconds: int, watts: float) -> None:
    for _ in range(seconds):
        rig.run(1, {PACKAGE: watts})
        rig.tick()


def test_what_the_power_supply_shows_beyond_the_parts_is_the_rest_and_never_added(
    watched: Callable[..., Rig],
) -> None:
    rig = watched(hwmon(3, "corsairpsu", power1_label="power total", power1_input=100_000_000))
    rig.tick()
    run(rig, 20, 50.0)
    assert rig.sampler.rest() is None  # not yet for long enough
    run(rig, 20, 50.0)
    rest = rig.sampler.rest()
    assert rest is not None
    memory_w = 32 * 0.3
    assert (rest.source, rest.whole_w, rest.parts_w) == ("corsairpsu:3.1", 100.0, pytest.approx(50.0 + memory_w))
    assert rest.rest_w == pytest.approx(100.0 - 50.0 - memory_w)
    assert rest.over_s == pytest.approx(40.0)
    assert rig.sampler.problems() == []
    assert [channel.sensor.name for channel in rig.sampler.channels] == ["powercap:package-0", "dram-model"]
    assert "corsairpsu:3.1" not in rig.sampler.timeline.mark(rig.now_s).joules


def test_parts_that_exceed_the_meter_are_told_with_what_must_be_wrong(watched: Callable[..., Rig]) -> None:
    rig = watched(hwmon(3, "corsairpsu", power1_label="power total", power1_input=40_000_000))
    rig.tick()
    run(rig, 31, 60.0)
    (told,) = rig.sampler.problems()
    assert told == (
        "corsairpsu:3.1 shows 40 W for the whole machine and powercap:package-0, dram-model 69.6 W for parts of it, "
        "over 31 s. The meter is right: dram-model must be too high, but only they tell the parts apart."
    )
    rest = rig.sampler.rest()
    assert rest is not None
    assert rest.rest_w == 0.0


def test_a_tenth_is_no_disagreement(watched: Callable[..., Rig]) -> None:
    rig = watched(hwmon(3, "corsairpsu", power1_label="power total", power1_input=64_000_000))
    rig.tick()
    run(rig, 40, 60.0)
    assert rig.sampler.problems() == []


@pytest.mark.parametrize(("watts", "told"), [(50.0, 0), (53.0, 0), (56.0, 1), (40.0, 1)])
def test_powercap_and_performance_events_are_compared(watched: Callable[..., Rig], watts: float, told: int) -> None:
    kernel = MadeUpKernel()
    rig = watched(power_pmu(memory=False), kernel=kernel)
    rig.tick()
    for _ in range(35):
        kernel.counts[2, 0] = kernel.counts.get((2, 0), 0) + round(watts * 2**32)
        run(rig, 1, 50.0)
    problems = rig.sampler.problems()
    assert len(problems) == told
    if told:
        assert problems[0].startswith(f"perf:package-0 tells {watts:.3g} W and powercap:package-0 50 W, over 35 s.")
        assert "The latter is used" in problems[0]
    rig.sampler.stop()
    assert kernel.opened == {}


def test_the_packages_of_two_sockets_are_compared_together(watched: Callable[..., Rig]) -> None:
    kernel = MadeUpKernel()
    rig = watched(power_pmu("0,48", memory=False), "two-sockets", kernel)
    rig.tick()
    for _ in range(35):
        for cpu, watts in ((0, 80), (48, 20)):  # the kernel numbers them its own way
            kernel.counts[2, cpu] = kernel.counts.get((2, cpu), 0) + watts * 2**32
        rig.run(1, {"intel-rapl:0": 20.0, "intel-rapl:1": 80.0})
        rig.tick()
    assert rig.sampler.problems() == []
    for _ in range(35):
        kernel.counts[2, 0] += 70 * 2**32
        rig.run(1, {"intel-rapl:0": 20.0, "intel-rapl:1": 80.0})
        rig.tick()
    (told,) = rig.sampler.problems()
    assert told.startswith("perf:package-0, perf:package-1 tells 85 W and powercap:package-0, powercap:package-1 100 W")


def test_a_battery_needs_two_minutes_and_a_plug_begins_them_anew(watched: Callable[..., Rig]) -> None:
    level = {"uwh": 50_000_000.0}
    rig = watched(supply("BAT0", type="Battery", status="Discharging", energy_now=50_000_000))

    def drain(seconds: int) -> None:
        for _ in range(seconds):
            level["uwh"] -= 72.0 / 3.6e-3  # 72 W
            set_battery(rig.root, energy_now=round(level["uwh"]))
            run(rig, 1, 20.0)

    rig.tick()
    drain(100)
    assert rig.sampler.rest() is None
    drain(40)
    rest = rig.sampler.rest()
    assert rest is not None
    assert rest.whole_w == pytest.approx(72.0)
    set_battery(rig.root, status="Charging")
    drain(10)
    set_battery(rig.root, status="Discharging")
    drain(60)
    assert rig.sampler.rest() is None
    assert rig.sampler.problems() == []


def test_a_meter_that_is_lost_is_a_problem_and_tells_no_rest(watched: Callable[..., Rig]) -> None:
    rig = watched(hwmon(3, "corsairpsu", power1_label="power total", power1_input=100_000_000))
    rig.tick()
    run(rig, 40, 50.0)
    (rig.root / PSU).unlink()
    run(rig, 1, 50.0)
    assert rig.sampler.rest() is None
    assert rig.sampler.problems() == ["corsairpsu:3.1 cannot be read: No such file or directory"]
    assert all(channel.working for channel in rig.sampler.channels)


def test_the_doctor_puts_the_rest_into_one_sentence() -> None:
    told = rest_text(Rest("battery", 12.0, 5.0, 150.0)).replace("\N{NO-BREAK SPACE}", " ")
    assert told == (
        "7.0 W of the 12 W that battery shows are drawn by what is no processor, memory or accelerator, over the last "
        "2 min 30 s. Never added."
    )


def test_nothing_is_watched_where_there_is_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "intel-desktop", {PACKAGE: 0})
    rig.tick()
    run(rig, 40, 50.0)
    assert rig.sampler.rest() is None
    assert Watch(lambda: 0.0).problems == ()


# A source that the user named


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("http://127.0.0.1:8080/metrics#scaph_host_power_microwatts", ("127.0.0.1", 8080, "/metrics", "uW")),
        ("http://localhost/cm?cmnd=Status%208#StatusSNS.ENERGY.Power", ("localhost", 80, "/cm?cmnd=Status%208", "W")),
        ("http://[::1]:9/#kepler_node_cpu_joules_total", ("::1", 9, "/", "J")),
        ("http://127.0.0.1/#meters[0].total@kWh", ("127.0.0.1", 80, "/", "kWh")),
    ],
)
def test_what_a_setting_names(setting: str, expected: tuple[str, int, str, str]) -> None:
    source = source_of(setting)
    assert (source.host, source.port, source.path, source.unit) == expected


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("https://127.0.0.1/#a", "begins with http://"),
        ("http://user:secret@127.0.0.1/#a", "no user name"),
        ("http://127.0.0.1/metrics", "Behind #"),
        ("http://127.0.0.1/#a@horses", "'horses' is no unit"),
        ("http://user:secret@127.0.0.1:99999/#a", "no address"),
        ("http://user:secret/#a", "no address"),
        ("http://user:secret@[x/#a", "no address"),
        ("http://127.0.0.1/a b#c", "no blanks"),
        ("http://10.0.0.7/#a", "10.0.0.7 is not this machine"),
        ("http://metadata.google.internal/#a", "is not this machine"),
    ],
)
def test_what_may_not_be_asked_says_why(setting: str, words: str) -> None:
    with pytest.raises(WrongSource, match=words) as caught:
        source_of(setting)
    assert "secret" not in str(caught.value)


def test_a_host_beyond_this_machine_must_be_named_twice() -> None:
    assert source_of("http://192.168.1.20/cm#Power@W", "192.168.1.20").host == "192.168.1.20"
    with pytest.raises(WrongSource):
        source_of("http://192.168.1.20/cm#Power@W", "192.168.1.21")
    config = CarbonMagic(power_source_host="192.168.1.20", power_source="http://192.168.1.20/cm#Power@W")
    assert config.power_source == "http://192.168.1.20/cm#Power@W"
    with pytest.raises(Exception, match="is not this machine"):
        CarbonMagic(power_source="http://192.168.1.20/cm#Power@W")


METRICS = b"""# HELP scaph_host_power_microwatts the host
scaph_host_power_microwatts 42000000 1700000000000
node_power_watts{zone="a b"} 10
node_power_watts{zone="c"} 2.5e1
"""


@pytest.mark.parametrize(
    ("body", "what", "value"),
    [
        (METRICS, "scaph_host_power_microwatts", 42e6),
        (METRICS, "node_power_watts", 35.0),
        (METRICS, 'node_power_watts{zone="c"}', 25.0),
        (b'{"a": {"b": [1, {"c": "12.5"}]}}', "a.b[1].c", 12.5),
        (b'[{"power": 7}]', "[0].power", 7.0),
    ],
)
def test_the_number_that_is_named(body: bytes, what: str, value: float) -> None:
    assert number_in(body, what) == value


@pytest.mark.parametrize(
    ("body", "what", "words"),
    [
        (METRICS, "node_power", "no metric node_power"),
        (METRICS, "a.b", "no name of a metric"),
        (b'{"a": 1}', "b", "has no b; there are a"),
        (b'{"a": true}', "a", "no number"),
        (b'{"a": NaN}', "a", "no number"),
        (b'{"a": 1' + b"0" * 400 + b"}", "a", "no number"),
        (b'{"a": [', "a", "no JSON"),
        (b"m 1e999\n", "m", "no number"),
        (b"\xff\xfe", "m", "no metric m"),
    ],
)
def test_an_answer_without_it_says_what_is_missing(body: bytes, what: str, words: str) -> None:
    with pytest.raises(OSError, match=words):
        number_in(body, what)


class Plug(ThreadingHTTPServer):
    """A real server on the loopback."""

    daemon_threads = True
    body = b'{"power": 60}'
    status = 200
    delay_s = 0.0
    asked = 0


@pytest.fixture
def plug() -> Iterator[Plug]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked += 1
            time.sleep(server.delay_s)
            self.send_response(server.status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked may have had enough
                self.wfile.write(server.body)

        def log_message(self, *words: Any) -> None:
            pass

    server = Plug(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def named(plug: Plug, what: str = "power@W") -> Source:
    return source_of(f"http://127.0.0.1:{plug.server_port}/status?password=hidden#{what}")


def test_a_plug_is_integrated_and_a_meter_of_energy_counted(plug: Plug) -> None:
    power = sensor_of(named(plug))
    power.advance(0.0, power.peek())
    assert power.advance(5.0, power.peek()).energy_j == pytest.approx(300.0)
    energy = sensor_of(named(plug, "power@Wh"))
    energy.advance(0.0, energy.peek())
    plug.body = b'{"power": 61}'
    assert energy.advance(60.0, energy.peek()).energy_j == pytest.approx(3600.0)
    assert "hidden" not in named(plug).shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"delay_s": 2.0}, "no answer within"),
        ({"status": 500}, "HTTP 500"),
        ({"status": 302}, "not followed"),
        ({"status": 401}, "token"),
        ({"body": b"<html>"}, "no metric"),
        ({"body": b'{"power": -3}'}, "negative"),
        ({"body": b'{"power": 1e308}'}, "more than a machine"),
        ({"body": b"x" * (3 << 20)}, "mebibyte"),
    ],
)
def test_a_plug_that_answers_wrongly_or_slowly_is_a_failed_reading(
    plug: Plug, changes: dict[str, Any], words: str
) -> None:
    for name, value in changes.items():
        setattr(plug, name, value)
    with pytest.raises(SensorError, match=words):
        sensor_of(named(plug, "power")).peek()
    plug.delay_s = 0.0


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while not stop.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=drip)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stop.set)
        with pytest.raises(SensorError, match="no answer within"):
            sensor_of(source_of(f"http://127.0.0.1:{server.getsockname()[1]}/#power")).peek()


def test_nothing_is_asked_unless_it_was_named(plug: Plug, tmp_path: Path) -> None:
    machine = Machine.of(write_machine(MACHINES["intel-desktop"], tmp_path), "linux")
    address = f"http://127.0.0.1:{plug.server_port}/#power@W"

    def watched_names(environ: dict[str, str]) -> list[str]:
        found: list[Candidate] = discover_later(machine, Ways(environ), [])
        return [candidate.name for candidate in found if candidate.watched]

    assert watched_names({}) == []
    assert plug.asked == 0
    assert watched_names({"CARBON_MAGIC_POWER_SOURCE": address}) == ["power-source"]
    assert plug.asked == 1
    assert EXAMPLE.startswith("http://127.0.0.1")


# GPUs beside NVIDIA's


def test_an_intel_board_is_counted_and_nobody_knows_by_whom(tmp_path: Path) -> None:
    exhibit = GALLERY["intel_arc"].made_up
    machine = Machine.of(write_machine(replace(exhibit, memory_bytes=GIB), tmp_path), "linux")
    (board,) = [candidate for candidate in discover_later(machine, Ways({}), []) if candidate.used]
    sensor: Any = board.sensor
    assert (board.name, sensor.max_power_w) == ("intel-gpu:0", 225.0)
    sensor.advance(0.0, sensor.peek())
    write(tmp_path, "sys/class/hwmon/hwmon4/energy1_input", "101000000\n")
    assert sensor.advance(1.0, sensor.peek())[1:] == pytest.approx((90.0, 100.0, 110.0))
    assert sensor.use({1}) == (1.0, None, False)


def test_an_amd_board_is_integrated_and_tells_how_busy_it_is(tmp_path: Path) -> None:
    files = hwmon(1, "amdgpu", power1_average=50_000_000, power1_cap=250_000_000, device__gpu_busy_percent=30)
    machine = Machine.of(write_machine(MadeUp(extra=files), tmp_path), "linux")
    (board,) = [candidate for candidate in discover_later(machine, Ways({}), []) if candidate.used]
    sensor: Any = board.sensor
    sensor.advance(0.0, sensor.peek())
    write(tmp_path, "sys/class/hwmon/hwmon1/power1_average", "150000000\n")
    assert sensor.advance(0.5, sensor.peek()).energy_j == pytest.approx(50.0)
    assert sensor.use({os.getpid()}) == (1.0, 0.3, False)
    os.unlink(tmp_path / "sys/class/hwmon/hwmon1/power1_average")  # noqa: PTH108 - as short as it is
    with pytest.raises(SensorError, match="amdgpu:0 cannot be read"):
        sensor.peek()


def test_the_platform_counter_of_a_laptop_is_watched_and_that_of_a_server_is_not(tmp_path: Path) -> None:
    laptop = Machine.of(write_machine(GALLERY["intel_laptop"].made_up, tmp_path / "laptop"), "linux")
    found = {candidate.name: candidate for candidate in discover(laptop, lambda: 0.0, ways=Ways({}))}
    assert (found["powercap:psys"].watched, found["powercap:psys"].whole) == (True, True)
    server = Machine.of(write_machine(MACHINES["two-sockets"], tmp_path / "server"), "linux")
    found = {candidate.name: candidate for candidate in discover(server, lambda: 0.0, ways=Ways({}))}
    assert not found["powercap:psys"].watched
