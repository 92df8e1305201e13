"""A session fed with IPython's events by hand, on made-up machines with the real clock and the real thread."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from machines.build import build, set_counter
from traitlets import TraitError

from carbon_magic.config import CarbonMagic
from carbon_magic.grid.own import Said
from carbon_magic.grid.regions import UnknownRegion
from carbon_magic.ledger.record import CellRecord
from carbon_magic.session import Session
from carbon_magic.windows import Window

Gpus = Callable[..., None]


@dataclass
class Info:
    """What IPython tells of a run that begins."""

    raw_cell: str = "pass"
    silent: bool = False
    store_history: bool = True
    cell_id: str | None = "cell"


@dataclass
class Result:
    """What IPython tells of a run that ended."""

    info: Info
    execution_count: int | None = 1
    error_before_exec: BaseException | None = None
    error_in_exec: BaseException | None = None


@dataclass
class Kernel:
    """A session and the way its cells are run."""

    session: Session
    config: CarbonMagic
    count: int = 0
    errors: list[str] = field(default_factory=list)

    def run(self, work: Callable[[], Any] = lambda: None, error: BaseException | None = None, **info: Any) -> Any:
        begun = Info(**info)
        self.count += 1
        self.session.cells.pre_run_cell(begun, self.count)
        work()
        return self.session.cells.post_run_cell(Result(begun, self.count, error_in_exec=error))

    def record(self, work: Callable[[], Any] = lambda: None, **info: Any) -> CellRecord:
        window = self.run(work, **info)
        assert isinstance(window, Window)
        assert self.session.settle(10.0)
        assert window.record is not None
        return window.record


@pytest.fixture
def kernels(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Starts sessions on a made-up machine, with an environment and settings."""
    sessions: list[Session] = []

    def start(machine: str = "intel-desktop", environ: dict[str, str] | None = None, **settings: Any) -> Kernel:
        root = build(machine, tmp_path / f"{machine}-{len(sessions)}")
        config = CarbonMagic(**settings)
        where = {"CARBON_MAGIC_ROOT": str(root), "CARBON_MAGIC_HOME": str(tmp_path / "kept")}
        session = Session(config, {**where, **(environ or {})})
        sessions.append(session)
        session.on()
        return Kernel(session, config)

    yield start
    for session in sessions:
        session.close()


def sampler_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "carbon-magic sampler"]


def test_a_cell_has_the_joules_that_its_counter_moved(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels()
    root = Path(kernel.session.environ["CARBON_MAGIC_ROOT"])

    def work() -> None:
        time.sleep(0.2)
        set_counter(root, "intel-rapl:0", 1_000_000 + 15_000_000)
        set_counter(root, "intel-rapl:0:0", 14_000_000)

    record = kernel.record(work)
    assert record.machine_energy_j is not None
    assert record.dram_energy_j is not None
    dram_j = 32 * 0.3 * record.duration_s
    assert record.machine_energy_j == pytest.approx(15.0 + dram_j)
    assert (record.cpu_provenance, record.dram_provenance) == ("measured", "modelled")
    assert record.sensors == ("powercap:package-0", "dram-model")
    assert record.scope == "dedicated"


@pytest.mark.skipif(sys.platform != "linux", reason="needs the stand-in for NVML")
def test_two_gpus_are_measured_and_charged_by_who_uses_them(
    kernels: Callable[..., Kernel], nvml_library: Path, gpus: Gpus
) -> None:
    mine = os.getpid()
    gpus(
        [
            {"limit": 300, "steps": "0:100", "util": 50, "compute": f"{mine}:50"},
            {"limit": 300, "steps": "0:200", "util": 100, "compute": f"{os.getppid()}:100"},
        ],
        start_s=time.monotonic() - 10.0,
    )
    kernel = kernels("gpus", {"CARBON_MAGIC_NVML": str(nvml_library)}, scope="dedicated", interval_s=0.2)
    for pid in (mine, os.getppid()):  # both processes exist in the made-up machine too
        (Path(kernel.session.environ["CARBON_MAGIC_ROOT"]) / "proc" / str(pid)).mkdir()
    while not any(c.candidate.domain == "gpu" for c in kernel.session.sampler.channels):  # type: ignore[union-attr]
        time.sleep(0.01)
    kernel.run(lambda: time.sleep(1.2))
    record = kernel.record(lambda: time.sleep(1.5))
    assert {"nvml:0", "nvml:1"} <= set(record.sensors)
    assert record.gpu_provenance == "measured"
    assert record.gpu_utilization == pytest.approx(0.75, abs=0.01)
    assert record.gpu_energy_j is not None
    # All of the first GPU; of the second only the idle part: 10 % of its limit, as nobody has seen it at rest.
    assert record.gpu_energy_j == pytest.approx((100.0 + 30.0) * record.duration_s, rel=0.02)
    machine_gpu_j = 300.0 * record.duration_s
    assert record.machine_energy_j is not None
    assert record.machine_energy_j > machine_gpu_j * 0.98


def test_an_unknown_region_says_so_and_each_way_of_saying_it_wins_over_the_weaker_ones(
    kernels: Callable[..., Kernel],
) -> None:
    kernel = kernels("vm")
    assert (kernel.session.place.region, kernel.session.place.source) == ("WORLD", "unknown")
    kernel = kernels("vm", {"CARBON_MAGIC_REGION": "DE"})
    assert (kernel.session.place.region, kernel.session.place.source) == ("DE", "environment")
    kernel.config.region = "pl"
    assert (kernel.session.place.region, kernel.session.place.source) == ("PL", "config")
    kernel.session.set_region("US-CA")
    assert (kernel.session.place.region, kernel.session.place.source) == ("US-CA", "user")
    record = kernel.record(raw_cell="%%carbon -r SE\npass")
    assert (record.region, record.region_source) == ("SE", "cell")
    assert kernel.record().region == "US-CA"
    with pytest.raises(UnknownRegion, match="FR"):
        kernel.session.set_region("FRR")
    assert kernel.session.place.region == "US-CA"


def test_a_region_that_does_not_exist_in_the_environment_is_an_error_at_once(kernels: Callable[..., Kernel]) -> None:
    with pytest.raises(UnknownRegion, match="Nearest"):
        kernels("vm", {"CARBON_MAGIC_REGION": "Atlantis"})


def test_a_cell_keeps_the_region_that_held_when_it_began(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    before = kernel.run()
    kernel.session.set_region("FR")
    assert kernel.session.settle(10.0)
    assert before.record.region_source == "unknown"


def test_settings_are_checked_when_they_are_set() -> None:
    config = CarbonMagic()
    for name, value in (("region", "FRR"), ("pue", 0.9), ("interval_s", 0.0), ("rest_interval_s", 1e9), ("scope", "x")):
        with pytest.raises(TraitError):
            setattr(config, name, value)
    with pytest.raises(TraitError, match="France"):
        config.region = "Farnce"


def test_pue_multiplies_the_grams(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm", region="FR")
    kernel.config.pue = 1.5
    record = kernel.record(lambda: time.sleep(0.05))
    assert record.energy_j is not None
    assert record.pue == 1.5
    assert record.emissions_g == pytest.approx(record.energy_j / 3.6e6 * 1.5 * 41.45)


def test_with_tracking_off_only_cells_that_ask_are_measured(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    kernel.run()
    kernel.run(kernel.session.off)
    # On a busy machine the last reading may come too late for the cell's end; then the next one lets the thread go.
    assert kernel.run() is None
    assert not sampler_threads()
    record = kernel.record(lambda: time.sleep(0.05), raw_cell="%%carbon -n asked\nx = 1")
    assert record.label == "asked"
    assert record.energy_j is not None
    assert kernel.run() is None
    assert not sampler_threads()
    kernel.session.on()
    assert kernel.record().energy_j is not None
    assert [r.label for r in kernel.session.snapshot().records] == [None, None, "asked", None]


def test_what_is_hidden_silent_or_nested_is_no_cell(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    assert kernel.run(store_history=False) is None
    assert kernel.run(silent=True) is None
    inner: list[Any] = []
    outer = kernel.run(lambda: inner.append(kernel.run()))
    assert inner == [None]
    assert isinstance(outer, Window)
    # The loading cell ends without having begun, an interrupted coroutine ends without a result.
    assert kernel.session.cells.post_run_cell(Result(Info())) is None
    info = Info()
    kernel.session.cells.pre_run_cell(info, 9)
    window = kernel.session.cells.post_run_cell(None)
    assert window is not None
    assert window.status == "interrupted"
    assert kernel.session.settle(10.0)
    assert len(kernel.session.snapshot().records) == 2


def test_a_container_with_a_quota_is_charged_for_its_part(kernels: Callable[..., Kernel]) -> None:
    """Half a CPU and 1 GiB of a server with 64 cores and 512 GiB, all modelled."""
    kernel = kernels("quota-v2")
    cpus = kernel.session.snapshot().scope
    assert cpus == "quota"
    record = kernel.record(lambda: time.sleep(0.3))
    assert record.dram_energy_j == pytest.approx(1 * 0.3 * record.duration_s, rel=1e-6)
    assert record.idle_energy_j is not None
    assert record.machine_energy_j is not None
    assert record.machine_energy_j > 100 * record.idle_energy_j


def test_reset_forgets_and_begins_a_session_of_its_own(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    kernel.record(lambda: time.sleep(0.05))
    first = kernel.session.snapshot()
    kernel.session.reset()
    again = kernel.session.snapshot()
    assert not again.records
    assert again.session_id != first.session_id
    assert again.energy_j is None or again.energy_j.best < (first.energy_j.best if first.energy_j else 0.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_records_nothing_and_ends_promptly(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    pid = os.fork()
    if pid == 0:
        window = kernel.run()
        kernel.session.close()
        os._exit(0 if window is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert kernel.record().final


def test_a_result_that_is_asked_for_at_once_is_final(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("intel-desktop")
    window = kernel.run(lambda: time.sleep(0.02), raw_cell="%%carbon\npass")
    record = kernel.session.result(window)
    assert record.energy_j is not None
    assert record.status == "ok"


def test_what_a_vs_code_cell_id_says_is_not_kept(kernels: Callable[..., Kernel]) -> None:
    secret = "vscode-notebook-cell:/home/someone/secret.ipynb#W0"
    record = kernels("vm").record(cell_id=secret)
    assert record.cell_id is not None
    assert "secret" not in record.cell_id
    assert record.cell_id.startswith("sha256-")


def test_a_session_is_where_the_machine_is_until_somebody_says(kernels: Callable[..., Kernel]) -> None:
    environ = {"TZ": "Europe/Paris", "AWS_REGION": "us-east-1"}
    on_ec2 = kernels("vm", environ)
    assert (on_ec2.session.place.region, on_ec2.session.place.source) == ("aws:us-east-1", "cloud")
    kernel = kernels("laptop", environ)
    assert (kernel.session.place.region, kernel.session.place.source) == ("FR", "timezone")
    assert kernel.session.place.found == "from the time zone Europe/Paris"
    record = kernel.record()
    assert (record.region, record.region_source) == ("FR", "timezone")
    kernel.session.set_region("FR")
    assert kernel.session.place.source == "user"
    kernel.session.say(None)
    assert kernel.session.place.source == "timezone"


def test_utc_is_unknown_and_says_why(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm", {"TZ": "Etc/UTC"})
    assert (kernel.session.place.region, kernel.session.place.source) == ("WORLD", "unknown")
    assert kernel.session.place.found == "time zone Etc/UTC"
    assert kernel.record().region_source == "unknown"


def test_an_own_figure_is_in_the_records_and_gives_way_to_a_region(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm")
    kernel.session.say(Said(intensity_g_per_kwh=24.0, intensity_name="our roof", pue=1.2, note="certificates"))
    record = kernel.record(lambda: time.sleep(0.05))
    assert (record.region, record.region_source, record.intensity_source) == ("own", "user", "our roof")
    assert (record.intensity_low, record.intensity_g_per_kwh, record.intensity_high) == pytest.approx(
        (14.4, 24.0, 33.6)
    )
    assert record.energy_j is not None
    assert record.emissions_g == pytest.approx(record.energy_j / 3.6e6 * 1.2 * 24.0)
    kernel.session.say(Said(pue=1.5))
    assert (kernel.session.place.region, kernel.session.place.pue) == ("own", 1.5)
    kernel.session.say(Said(region="SE"))
    assert (kernel.session.place.region, kernel.session.place.pue) == ("SE", 1.0)
    assert kernel.session.place.note == "certificates"
    with pytest.raises(ValueError, match="PUE"):
        kernel.session.say(Said(pue=0.5))
    assert kernel.session.place.pue == 1.0


def test_own_figures_in_the_settings(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels("vm", {"CARBON_MAGIC_REGION": "PL"})
    kernel.config.mix = "hydro=1"
    assert (kernel.session.place.region, kernel.session.place.source) == ("own", "config")
    kernel.config.intensity = 50.0
    kernel.config.intensity_high = 60.0
    kernel.config.intensity_name = "our well"
    place = kernel.session.place
    assert (place.intensity_g_per_kwh.best, place.intensity_g_per_kwh.high) == (50.0, 60.0)
    assert place.intensity_source == "our well"
    kernel.config.intensity = kernel.config.mix = None
    assert kernel.session.place.region == "PL"
    for name, value in (("intensity", 0.0), ("intensity", 1e9), ("mix", "wnid=1"), ("region_note", "x" * 300)):
        with pytest.raises(TraitError):
            setattr(kernel.config, name, value)
    kernel.config.intensity_high = None
    kernel.config.intensity = 24.0
    with pytest.raises(TraitError, match="24"):
        kernel.config.intensity_low = 30.0
