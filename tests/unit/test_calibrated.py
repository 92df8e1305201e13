"""`carbon-magic calibrate` from its start to the figures that it makes nearer, on a made-up machine in made-up time.

The machine's files are real ones, its power is a formula of the processors that are busy, and both move when somebody
waits. What is fitted is arithmetic then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from machines.build import INTEL_RANGE_UJ, MACHINES, ZoneFiles, set_counter, write, write_machine
from unit.track.work import forget

from carbon_magic import track
from carbon_magic.cli import main
from carbon_magic.commands import calibrate
from carbon_magic.ledger.record import CellRecord
from carbon_magic.power.busywork import PROGRAMS
from carbon_magic.power.calibration import path_in, read
from carbon_magic.power.constants import CALIBRATED_WORK, CPU_CURVE, CPU_CURVE_CLIENT_FULL, RAPL_PKG_INTEL
from carbon_magic.power.loads import Loads
from carbon_magic.power.reference import Sensors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="powercap is Linux's")
ZONE = "intel-rapl:0"
CPUS = 4


class MadeUpTime:
    """A desktop of 4 processors: 10 W, 15 W more for each busy one, 5 W more than that where it works on vectors."""

    def __init__(self, folder: Path) -> None:
        zone = ZoneFiles(ZONE, "package-0", 0, INTEL_RANGE_UJ, max_power_w=65, pl1_w=65, pl2_w=150)
        desktop = replace(MACHINES["intel-desktop"], cpus=CPUS, memory_bytes=None, zones=(zone,))
        self.root = write_machine(desktop, folder)
        self.now_s, self.busy_s, self.energy_j = 0.0, 1000.0, 1.0
        self.workers, self.each_w = 0, 0.0
        self.show()

    def show(self) -> None:
        set_counter(self.root, ZONE, round(self.energy_j * 1e6))
        ticks = round(self.busy_s * os.sysconf("SC_CLK_TCK"))
        write(self.root, "proc/stat", f"cpu  {ticks} 0 0 100 0 0 0 0 0 0\n")

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.busy_s += self.workers * seconds
        self.energy_j += (10.0 + self.workers * self.each_w) * seconds
        self.show()

    @contextmanager
    def work(self, workers: int, program: str) -> Iterator[None]:
        self.workers, self.each_w = workers, {"interpreter": 15.0, "vectors": 20.0}[program]
        yield
        self.workers = 0

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUpTime]:
    made = MadeUpTime(tmp_path / "machine")
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(made.root))
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CPUS)))
    monkeypatch.setattr(calibrate, "Loads", partial(Loads, work=made.work, sleep=made.sleep, clock=made.clock))
    monkeypatch.setattr(calibrate, "Sensors", partial(Sensors, clock=made.clock))
    assert set(PROGRAMS) == {"interpreter", "vectors"}
    forget()
    yield made
    forget()


def test_the_curve_is_fitted_kept_and_told(
    made_up: MadeUpTime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate"]) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "Calibrating against powercap:package-0. It takes about 83 s, in which the machine should do nothing else.",
        "Looking whether the machine is at rest.",
        "At rest, for 20 s.",
        "1 of 4 processors busy, for 20 s.",
        "2 of 4 processors busy, for 20 s.",
        "4 of 4 processors busy, for 20 s.",
    ]
    assert 83.0 <= made_up.now_s < 120.0, "it does not keep the time that it promises"
    fit = read(path_in(tmp_path / "home"))
    assert fit is not None
    assert [load for load, _ in fit.points] == pytest.approx([0.0, 0.25, 0.5, 1.0])
    assert [power.best for _, power in fit.points] == pytest.approx([10.0, 27.5, 45.0, 80.0])
    (_, rest), *_, (_, full) = fit.points
    rapl, work = RAPL_PKG_INTEL.value, CALIBRATED_WORK.value
    assert (rest.low, rest.high) == pytest.approx((10.0 * rapl.low, 10.0 * rapl.high))
    # The lesser program by the counter's low, the greater by its high, and what other work may draw.
    assert full.low == pytest.approx(fit_bound(80.0, 70.0 * rapl.low, work.low), rel=0.02)
    assert full.high == pytest.approx(fit_bound(80.0, 90.0 * rapl.high, work.high), rel=0.02)
    kind = CPU_CURVE_CLIENT_FULL.value
    low, high = fit.spread
    assert (
        f"Its range at full load is -{low:.0%} to +{high:.0%}; that of its kind is -{1 - kind.low:.0%} to "
        f"+{kind.high - 1:.0%}." in shown.out
    )
    assert "Kernels that cannot read powercap:package-0 use it from their next start on." in shown.out
    assert "100%     80.0 W" in shown.out


def fit_bound(best: float, bound: float, work: float) -> float:
    """A bound of two factors: their half-widths in logarithms, in quadrature."""
    from math import exp, hypot, log

    return best * exp((1.0 if bound > best else -1.0) * hypot(log(bound / best), log(work)))


def some_rest() -> CellRecord:
    """What a block in which nothing happens costs, by a session that begins with it and ends."""
    forget()
    with track("rest") as block:
        time.sleep(0.5)
    record = block.record
    assert record is not None
    assert record.sensors == ("cpu-model",)
    assert record.cpu_provenance == "modelled"
    return record


def bounds(record: CellRecord) -> tuple[float, float, float]:
    """Watts at best, and low and high as parts of it."""
    best_j, low_j, high_j = record.energy_j, record.energy_j_low, record.energy_j_high
    assert best_j is not None
    assert low_j is not None
    assert high_j is not None
    return best_j / record.duration_s, low_j / best_j, high_j / best_j


def test_a_session_that_cannot_read_the_counter_takes_the_curve_and_says_so(
    made_up: MadeUpTime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["calibrate"]) == 0
    (counter,) = made_up.root.rglob("energy_uj")
    counter.unlink()  # it was the administrator's to read
    fitted = bounds(some_rest())
    rapl, rest = RAPL_PKG_INTEL.value, CPU_CURVE[0][1].value
    assert fitted == pytest.approx((10.0, rapl.low, rapl.high), rel=0.02)
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (model,) = [sensor for sensor in told["sensors"] if sensor["used"]]
    assert (model["name"], model["provenance"]) == ("cpu-model", "modelled")
    day = model["figures"]["fitted_at"][:10]
    assert f"fitted to this machine on {day} against powercap:package-0 (-" in model["reason"]
    # Without it the same machine's range is that of all of its kind.
    assert main(["calibrate", "--forget"]) == 0
    usual = bounds(some_rest())
    assert usual == pytest.approx((65.0 * rest.best, rest.low / rest.best, rest.high / rest.best), rel=0.02)
    assert fitted[2] - fitted[1] < 0.1 * (usual[2] - usual[1])


def test_a_machine_that_does_something_else_is_not_calibrated(
    made_up: MadeUpTime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.workers, made_up.each_w = 1, 15.0
    assert main(["calibrate"]) == 1
    assert "Not calibrated: the machine is busy (25% of its processors)" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
