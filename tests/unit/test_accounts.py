"""From borders to records and totals, on a made-up machine by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from machines.books import FACTS, PACKAGE, Books
from machines.build import set_counter

from carbon_magic.options import CellOptions
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.cumulative import GpuCounter
from carbon_magic.power.discover import fallback_cpu


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_a_record_has_every_part_of_the_cell(books: Books) -> None:
    books.run(10, 10.0)
    cell = books.open(CellOptions(label="fit"))
    books.run(5, 110.0, own=10.0)
    books.close(cell)
    books.run(1, 10.0)
    (record,) = books.accounts.records
    dram_j = 32 * 0.3 * 5
    assert record.machine_energy_j == pytest.approx(550.0 + dram_j)
    assert record.energy_j == pytest.approx(550.0 + dram_j)
    assert record.marginal_energy_j == pytest.approx(500.0)
    assert record.idle_energy_j == pytest.approx(50.0 + dram_j)
    assert record.cpu_energy_j is not None
    assert record.dram_energy_j is not None
    assert record.cpu_energy_j + record.dram_energy_j == pytest.approx(record.energy_j)
    assert record.gpu_energy_j is None
    assert record.emissions_g == pytest.approx((550.0 + dram_j) / 3.6e6 * 41.45)
    assert (record.cpu_provenance, record.dram_provenance, record.gpu_provenance) == ("measured", "modelled", None)
    assert record.cpu_seconds == pytest.approx(50.0)
    assert (record.label, record.region, record.region_source, record.final) == ("fit", "FR", "user", True)
    assert record.other_energy_j == pytest.approx(0.2 * (550.0 + dram_j) + 30.0 * 5)


def test_cells_and_the_time_between_them_add_up_to_the_session(books: Books) -> None:
    for watts in (40.0, 90.0, 20.0):
        books.run(3, 10.0, own=0.1)
        cell = books.open()
        books.run(2, watts, own=3.0)
        books.rig.run(0.4, {PACKAGE: watts}, own=3.0)
        books.close(cell)
        books.rig.run(0.6, {PACKAGE: 10.0})
        books.rig.tick()
    snapshot = books.accounts.snapshot
    cells = sum(record.energy_j or 0.0 for record in snapshot.records)
    assert snapshot.energy_j is not None
    assert snapshot.between_cells_j is not None
    assert len(snapshot.records) == 3
    assert snapshot.energy_j.best == pytest.approx(cells + snapshot.between_cells_j.best, rel=1e-12)
    counter_j = books.rig.counters_uj[PACKAGE] / 1e6 - 5.0
    assert snapshot.machine_energy_j is not None
    assert snapshot.machine_energy_j.best == pytest.approx(counter_j + 32 * 0.3 * 18.0, rel=1e-9)


def test_a_running_cell_is_in_the_snapshot_before_it_ends(books: Books) -> None:
    cell = books.open()
    books.run(2, 60.0, own=2.0)
    snapshot = books.accounts.snapshot
    (running,) = snapshot.running
    assert running.duration_s == pytest.approx(2.0)
    assert running.energy_j == pytest.approx(120.0 + 32 * 0.3 * 2)
    assert snapshot.power_w == pytest.approx(60.0 + 32 * 0.3)
    assert not snapshot.records
    books.close(cell)


def test_overlapping_cells_say_so_and_the_session_counts_the_time_once(books: Books) -> None:
    first = books.open()
    books.run(1, 50.0, own=1.0)
    second = books.open()
    books.run(1, 50.0, own=1.0)
    books.close(first)
    books.run(1, 50.0, own=1.0)
    books.close(second)
    books.run(1, 10.0)
    assert [record.concurrent for record in books.accounts.records] == [True, True]
    snapshot = books.accounts.snapshot
    assert snapshot.machine_energy_j is not None
    assert snapshot.machine_energy_j.best == pytest.approx(160.0 + 32 * 0.3 * 4)


def test_a_cell_within_a_cell_is_measured_but_belongs_to_the_outer_one(books: Books) -> None:
    outer = books.open()
    books.run(1, 50.0, own=1.0)
    inner = books.open(CellOptions(), inner=True)
    books.run(1, 80.0, own=1.0)
    books.close(inner)
    books.run(1, 50.0, own=1.0)
    books.close(outer)
    books.run(1, 10.0)
    assert inner.record is not None
    assert inner.record.machine_energy_j == pytest.approx(80.0 + 32 * 0.3)
    assert len(books.accounts.records) == 1
    assert not books.accounts.records[0].concurrent


def test_a_cells_own_region_counts_for_it_and_for_its_part_of_the_session(books: Books) -> None:
    cell = books.open(CellOptions(region="PL"), "PL")
    books.run(2, 50.0, own=1.0)
    books.close(cell)
    books.run(2, 10.0)
    (record,) = books.accounts.records
    assert (record.region, record.region_source) == ("PL", "cell")
    snapshot = books.accounts.snapshot
    assert snapshot.emissions_g is not None
    assert record.emissions_g is not None
    rest_j = 2 * (10.0 + 32 * 0.3)
    assert snapshot.emissions_g.best == pytest.approx(record.emissions_g + rest_j / 3.6e6 * 41.45)


def test_an_unknown_region_is_the_world_and_looks_unknown(tmp_path: Path) -> None:
    books = Books(tmp_path, None)
    cell = books.open()
    books.run(1, 50.0)
    books.close(cell)
    books.run(1, 10.0)
    (record,) = books.accounts.records
    assert (record.region, record.region_source) == ("WORLD", "unknown")
    assert not books.accounts.snapshot.emissions_known
    assert record.emissions_g_low is not None
    assert record.emissions_g_high is not None
    assert record.emissions_g_high > 10 * record.emissions_g_low


def test_a_cell_without_its_cpu_counter_is_never_the_memory_alone(books: Books) -> None:
    """The counter is lost before the cell begins, and no model is at hand."""
    books.run(5, 60.0, own=5.0)
    set_counter(books.rig.root, PACKAGE, "garbage")
    books.rig.run(1.0, own=5.0)
    books.rig.tick()
    cell = books.open()
    books.rig.run(1.0, own=5.0)
    books.rig.tick()
    books.close(cell)
    books.rig.run(1.0)
    books.rig.tick()
    (record,) = books.accounts.records
    assert record.cpu_energy_j == pytest.approx(60.0)
    assert record.cpu_provenance == "assumed"
    assert record.machine_energy_j_high is not None
    assert record.machine_energy_j_high > 125.0


def test_a_cell_between_a_lost_counter_and_the_model_in_its_place_has_the_power_before(books: Books) -> None:
    usage = books.rig.usage
    books.rig.sampler._reader._replace_cpu = lambda: fallback_cpu(books.rig.machine, lambda: usage.busy_s)
    books.run(5, 60.0, own=5.0)
    set_counter(books.rig.root, PACKAGE, "garbage")
    cell = books.open()
    books.rig.run(1.0, own=5.0)
    books.rig.tick()
    books.close(cell)
    for _ in range(4):
        books.rig.run(1.0, own=5.0)
        books.rig.tick()
    assert "cpu-model" in {channel.sensor.name for channel in books.rig.sampler.working()}
    (record,) = books.accounts.records
    assert record.cpu_energy_j == pytest.approx(60.0)
    assert record.cpu_provenance == "assumed"


def test_a_counter_that_stands_still_is_no_zero_and_the_model_takes_its_place(books: Books) -> None:
    usage = books.rig.usage
    books.rig.sampler._reader._replace_cpu = lambda: fallback_cpu(books.rig.machine, lambda: usage.busy_s)
    cell = books.open()
    books.rig.run(1.0, own=1.0)
    books.rig.tick()
    books.close(cell)
    for _ in range(5):
        books.rig.run(1.0, own=1.0)
        books.rig.tick()
    (record,) = books.accounts.records
    assert record.energy_j_high is not None
    assert record.energy_j_high > 241.0  # as much as the processor can draw
    assert "cpu-model" in {channel.sensor.name for channel in books.rig.sampler.working()}
    assert any("stands still: it counts nothing" in problem for problem in books.rig.sampler.problems())


def test_reset_begins_anew_with_another_session(books: Books) -> None:
    cell = books.open()
    books.run(2, 50.0)
    books.close(cell)
    books.run(1, 10.0)
    books.accounts.reset(FACTS._replace(session_id="next"), books.rig.now_s)
    books.rig.tick()
    assert books.accounts.snapshot.session_id == "next"
    assert not books.accounts.snapshot.records
    books.run(1, 10.0)
    snapshot = books.accounts.snapshot
    assert snapshot.machine_energy_j is not None
    assert snapshot.machine_energy_j.best == pytest.approx(10.0 + 32 * 0.3)


def test_what_was_read_is_kept_when_tracking_ends(books: Books) -> None:
    books.run(3, 20.0)
    books.accounts.end()
    snapshot = books.accounts.snapshot
    assert snapshot.machine_energy_j is not None
    assert snapshot.machine_energy_j.best == pytest.approx(60.0 + 32 * 0.3 * 3)
    assert snapshot.power_w is None


def test_a_spike_among_many_short_cells_is_in_the_session_whole(books: Books) -> None:
    """Each cell alone is too short for the counter; the session loses nothing of what it counted."""
    for number in range(100):
        cell = books.open()
        books.rig.run(0.001, {PACKAGE: 1000.0 if number == 50 else 10.0})
        books.close(cell)
        books.rig.run(0.001, {PACKAGE: 10.0})
    books.rig.run(0.8, {PACKAGE: 10.0})
    books.rig.tick()
    counter_j = books.rig.counters_uj[PACKAGE] / 1e6 - 5.0
    snapshot = books.accounts.snapshot
    assert snapshot.machine_energy_j is not None
    assert snapshot.machine_energy_j.best == pytest.approx(counter_j + 32 * 0.3 * 1.0, rel=1e-9)


def test_many_short_cells_are_each_there_once(books: Books) -> None:
    for _ in range(300):
        cell = books.open()
        books.rig.run(0.004, {PACKAGE: 50.0}, own=1.0)
        books.close(cell)
        books.rig.run(0.001, {PACKAGE: 50.0})
    books.rig.tick()
    records = books.accounts.records
    assert len({record.record_id for record in records}) == 300
    assert all(record.final and record.below_resolution for record in records)
    total = sum(record.machine_energy_j or 0.0 for record in records)
    assert total == pytest.approx(300 * 0.004 * (50.0 + 32 * 0.3), rel=0.02)


def test_a_gpu_that_is_read_once_a_second_draws_its_power_at_the_ticks_between_too(books: Books) -> None:
    counted = [0.0]
    sensor = GpuCounter("intel-gpu:0", "gpu", lambda: counted[0])
    books.rig.sampler._reader.add(Candidate("intel-gpu:0", "gpu", "measured", True, "Made up.", sensor=sensor))
    for _ in range(3):
        counted[0] += 60.0
        books.run(1, 20.0)
    cell = books.open()
    counted[0] += 6.0
    books.rig.run(0.1, {PACKAGE: 20.0})
    books.rig.tick()
    books.close(cell)
    assert books.accounts.snapshot.domains["gpu"].power_w == pytest.approx(60.0)
    estimate = books.accounts.estimate(cell)
    assert not estimate.final
    assert estimate.gpu_energy_j == pytest.approx(6.0)
