"""An intensity that changes while cells run: each part of the energy by its own, worked out with pencil and paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.books import PACKAGE, Books

from carbon_magic.grid.intensity import emissions, place
from carbon_magic.grid.live.zone import InForce
from carbon_magic.held import mean_of, priced
from carbon_magic.pieces import added
from carbon_magic.power.sensor import Domain
from carbon_magic.power.share import DomainEnergy, Measurement
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

DRAM_W = 32 * 0.3
KWH = 3.6e6


class Hours:
    """A source of intensities, by region: from a time on, so many grams."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[float, float]] = {}
        self.wanted: list[bool] = []
        self.problem: list[str] = []

    def now(self, place: Place, *, wanted: bool) -> InForce:
        self.wanted.append(wanted)
        if place.region not in self.values:
            return InForce(place, None)
        since_s, best = self.values[place.region]
        interval = Interval(best * 0.8, best, best * 1.2)
        return InForce(
            place._replace(intensity_g_per_kwh=interval, intensity_source="Somebody, live", intensity_year=None),
            since_s,
        )

    def problems(self) -> list[str]:
        return self.problem


class Hourly(Books):
    """Books whose intensity changes by hand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hours = Hours()

    def live(self, since_s: float, best: float, region: str = "FR") -> None:
        self.hours.values[region] = (since_s, best)
        self.accounts.held.source = self.hours

    def run(self, seconds: int, watts: float, own: float = 1.0) -> None:
        super().run(seconds, watts, own)


@pytest.fixture
def books(tmp_path: Path) -> Hourly:
    found = Hourly(tmp_path)
    found.run(10, 10.0, own=0.0)  # its idle power
    return found


def joules(*parts: tuple[float, float]) -> list[float]:
    """The energy of stretches of (seconds, watts of the processor)."""
    return [seconds * (watts + DRAM_W) for seconds, watts in parts]


def test_energy_goes_by_the_intensity_of_its_hour(books: Hourly) -> None:
    """The value changes after 2 of 6 seconds; it is known only 2 s later, and counts from its own time."""
    books.live(0.0, 50.0)
    cell = books.open()
    books.run(2, 100.0)
    turn_s = books.rig.now_s
    books.run(2, 40.0)
    books.live(turn_s, 200.0)
    books.run(2, 40.0)
    books.close(cell)
    books.run(1, 10.0, own=0.0)
    (record,) = books.accounts.records
    before_j, after_j = joules((2, 100.0), (4, 40.0))
    assert record.energy_j == pytest.approx(before_j + after_j)
    assert record.emissions_g == pytest.approx((before_j * 50.0 + after_j * 200.0) / KWH)
    mean = (before_j * 50.0 + after_j * 200.0) / (before_j + after_j)
    assert record.intensity_g_per_kwh == pytest.approx(mean)
    assert (record.intensity_low, record.intensity_high) == pytest.approx((0.8 * mean, 1.2 * mean))
    assert record.emissions_g == pytest.approx((record.energy_j or 0.0) / KWH * record.intensity_g_per_kwh)
    assert (record.intensity_source, record.intensity_year) == ("Somebody, live", None)
    assert record.duration_s == pytest.approx(6.0)
    assert record.cpu_seconds == pytest.approx(6.0)
    assert not record.below_resolution


def test_low_and_high_of_the_parts_add(books: Hourly) -> None:
    """Each part is a product of its own; one source measured them all, so their bounds add."""
    books.live(0.0, 50.0)
    cell = books.open()
    books.run(3, 60.0)
    books.live(books.rig.now_s, 500.0)
    books.run(3, 60.0)
    whole = books.accounts.so_far(cell)
    assert whole is not None
    assert whole.emissions_g_low is not None
    assert whole.emissions_g_high is not None
    assert whole.energy_j_low is not None
    assert whole.energy_j_high is not None
    # Both stretches cost the same, so each has half of the energy and its range.
    part = Interval(whole.energy_j_low / 2, (whole.energy_j or 0.0) / 2, whole.energy_j_high / 2)
    parts = [
        emissions(part, books.accounts.place._replace(intensity_g_per_kwh=Interval(0.8 * best, best, 1.2 * best)))
        for best in (50.0, 500.0)
    ]
    assert whole.emissions_g_low == pytest.approx(parts[0].low + parts[1].low, rel=0.01)
    assert whole.emissions_g_high == pytest.approx(parts[0].high + parts[1].high, rel=0.01)


def test_cells_and_the_time_between_them_still_add_up_to_the_session(books: Hourly) -> None:
    books.live(0.0, 50.0)
    books.run(2, 10.0, own=0.0)
    for best in (80.0, 20.0, 300.0):
        cell = books.open()
        books.run(2, 90.0, own=3.0)
        books.live(books.rig.now_s - 0.5, best)
        books.run(2, 30.0, own=2.0)
        books.rig.run(0.4, {PACKAGE: 70.0}, own=2.0)
        books.close(cell)
        books.rig.run(0.6, {PACKAGE: 10.0})
        books.rig.tick()
    books.run(1, 10.0, own=0.0)
    snapshot = books.accounts.snapshot
    assert snapshot.energy_j is not None
    assert snapshot.between_cells_j is not None
    assert snapshot.emissions_g is not None
    cells_j = sum(record.energy_j or 0.0 for record in snapshot.records)
    assert snapshot.energy_j.best == pytest.approx(cells_j + snapshot.between_cells_j.best, rel=1e-12)
    cells_g = sum(record.emissions_g or 0.0 for record in snapshot.records)
    between = [(12.0, 10.0, 50.0), (0.6, 10.0, 80.0), (0.6, 10.0, 20.0), (1.6, 10.0, 300.0)]
    between_g = sum(seconds * (watts + DRAM_W) * best / KWH for seconds, watts, best in between)
    assert snapshot.emissions_g.best == pytest.approx(cells_g + between_g, rel=1e-6)
    assert snapshot.place.intensity_g_per_kwh.best == 300.0


def test_a_value_that_comes_after_the_cell_began_counts_from_its_beginning(books: Hourly) -> None:
    """The hour began before the cell: all of the cell is of that hour, though its value came late."""
    books.run(3, 10.0, own=0.0)
    cell = books.open()
    books.run(2, 60.0)
    books.live(books.rig.now_s - 1000.0, 70.0)
    books.run(1, 60.0)
    books.close(cell)
    books.run(1, 10.0, own=0.0)
    (record,) = books.accounts.records
    assert record.intensity_g_per_kwh == pytest.approx(70.0)
    assert record.emissions_g == pytest.approx(joules((3, 60.0))[0] * 70.0 / KWH)


def test_falling_back_to_the_annual_figure_is_in_the_record(books: Hourly) -> None:
    books.live(0.0, 100.0)
    cell = books.open()
    books.run(2, 60.0)
    books.accounts.held.source = None
    books.run(3, 60.0)
    books.close(cell)
    books.run(1, 10.0, own=0.0)
    (record,) = books.accounts.records
    # Switching off counts from the last tick before it was seen.
    live_s = 2.0
    assert record.emissions_g == pytest.approx(
        (joules((live_s, 60.0))[0] * 100.0 + joules((5.0 - live_s, 60.0))[0] * 41.45) / KWH
    )
    assert (record.intensity_source, record.intensity_year) == ("Somebody, live; Ember", None)


def test_cells_that_overlap_and_one_of_another_region_go_by_their_own(books: Hourly) -> None:
    books.live(0.0, 50.0)
    books.live(0.0, 700.0, "PL")
    outer = books.open()
    books.run(2, 60.0)
    poland = books.open(region="PL")
    books.run(2, 60.0)
    books.live(books.rig.now_s, 500.0)
    books.run(2, 60.0)
    books.close(poland)
    books.run(1, 60.0)
    books.close(outer)
    books.run(1, 10.0, own=0.0)
    first, second = books.accounts.records
    assert (first.region, first.concurrent, first.intensity_g_per_kwh) == ("PL", True, 700.0)
    assert first.emissions_g == pytest.approx(joules((4, 60.0))[0] * 700.0 / KWH)
    before_j, after_j = joules((4, 60.0), (3, 60.0))
    assert second.emissions_g == pytest.approx((before_j * 50.0 + after_j * 500.0) / KWH)


def test_a_cell_within_a_cell_is_cut_too(books: Hourly) -> None:
    books.live(0.0, 50.0)
    outer = books.open()
    books.run(1, 60.0)
    inner = books.open(inner=True)
    books.run(1, 60.0)
    books.live(books.rig.now_s, 150.0)
    books.run(1, 60.0)
    books.close(inner)
    books.run(1, 60.0)
    books.close(outer)
    books.run(1, 10.0, own=0.0)
    assert inner.record is not None
    assert inner.record.intensity_g_per_kwh == pytest.approx(100.0)
    (record,) = books.accounts.records
    assert record.intensity_g_per_kwh == pytest.approx(100.0)


def test_short_cells_around_a_change_are_settled_in_order(books: Hourly) -> None:
    """Many cells end between two ticks while the hour turns: none is lost, none counted twice."""
    books.live(0.0, 50.0)
    for number in range(300):
        if number == 150:
            books.live(books.rig.now_s, 500.0)
        cell = books.open()
        books.rig.run(0.01, {PACKAGE: 50.0}, own=1.0)
        books.close(cell)
        if number % 20 == 19:
            books.rig.tick()
    books.run(1, 10.0, own=0.0)
    snapshot = books.accounts.snapshot
    assert len({record.record_id for record in books.accounts.records}) == 300
    assert snapshot.machine_energy_j is not None
    counter_j = books.rig.counters_uj[PACKAGE] / 1e6 - 5.0
    assert snapshot.machine_energy_j.best == pytest.approx(counter_j + DRAM_W * 14.0, rel=1e-9)
    found = [record.intensity_g_per_kwh for record in books.accounts.records]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (50.0, 500.0)


def test_it_is_wanted_only_when_something_was_measured(books: Hourly) -> None:
    books.live(0.0, 50.0)
    books.run(2, 10.0, own=0.0)
    assert not any(books.hours.wanted)
    cell = books.open()
    books.rig.run(0.01, {PACKAGE: 50.0})
    books.close(cell)
    books.run(1, 10.0, own=0.0)
    assert any(books.hours.wanted)
    books.hours.wanted.clear()
    books.run(3, 10.0, own=0.0)
    assert not any(books.hours.wanted)


def test_a_failure_is_among_the_problems(books: Hourly) -> None:
    books.live(0.0, 50.0)
    books.hours.problem = ["live intensity: Somebody is out of order (500)"]
    books.run(1, 10.0, own=0.0)
    assert books.accounts.snapshot.problems == ("live intensity: Somebody is out of order (500)",)


def test_the_mean_of_places_is_by_weight() -> None:
    france = place("FR", "user")
    low = france._replace(intensity_g_per_kwh=Interval(10.0, 20.0, 30.0), intensity_source="A", intensity_year=2024)
    high = france._replace(intensity_g_per_kwh=Interval(40.0, 80.0, 160.0), intensity_source="B", intensity_year=None)
    mean = mean_of([(3.0, low), (1.0, high)])
    assert mean.intensity_g_per_kwh == Interval(17.5, 35.0, 62.5)
    assert (mean.intensity_source, mean.intensity_year) == ("A; B", None)
    assert mean_of([(3.0, low), (0.0, high)]).intensity_source == "A"
    assert mean_of([(0.0, low), (0.0, high)]) == high


def stretch(seconds: float, joules_: tuple[float, float, float]) -> Measurement:
    energy = Interval(*sorted(joules_))
    domains: dict[Domain, DomainEnergy] = {"cpu": DomainEnergy(energy, energy, energy.best / 2, "measured")}
    return Measurement(seconds, energy, energy, energy.best / 2, domains, 0.5, seconds, None, ("a",), False)


@given(
    st.lists(
        st.tuples(
            st.floats(1e-3, 1e5),
            st.tuples(*[st.floats(0.0, 1e9)] * 3),
            st.floats(0.0, 2000.0),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_parts_add_up_and_stay_in_order(
    parts: list[tuple[float, tuple[float, float, float], float]],
) -> None:
    france = place("FR", "user")
    told = [
        (stretch(seconds, energy), france._replace(intensity_g_per_kwh=Interval(0.8 * best, best, 1.2 * best)))
        for seconds, energy, best in parts
    ]
    found = priced(told)
    assert found.measured.own_j is not None
    assert found.grams is not None
    each = [emissions(measured.own_j, at) for measured, at in told if measured.own_j is not None]
    assert found.grams.best == pytest.approx(sum(grams.best for grams in each))
    assert found.grams.low == pytest.approx(sum(grams.low for grams in each))
    assert found.grams.high == pytest.approx(sum(grams.high for grams in each))
    assert found.measured.own_j.best == pytest.approx(sum(m.own_j.best for m, _ in told if m.own_j is not None))
    mean = found.place.intensity_g_per_kwh
    values = [best for _, _, best in parts]
    assert min(values) - 1e-9 <= mean.best <= max(values) + 1e-9
    if found.measured.own_j.best > 1.0:
        assert found.grams.best == pytest.approx(found.measured.own_j.best / KWH * mean.best, rel=1e-9, abs=1e-12)


def test_pieces_of_a_generator_have_their_mean_intensity(books: Hourly) -> None:
    records = []
    for best, watts in ((50.0, 90.0), (200.0, 30.0)):
        books.live(books.rig.now_s, best)
        books.run(2, 10.0, own=0.0)
        cell = books.open()
        books.run(2, watts)
        books.close(cell)
        books.run(1, 10.0, own=0.0)
        records.append(books.accounts.records[-1])
    record = added(records)
    first_j, second_j = joules((2, 90.0), (2, 30.0))
    assert record.emissions_g == pytest.approx((first_j * 50.0 + second_j * 200.0) / KWH)
    assert record.intensity_g_per_kwh == pytest.approx((first_j * 50.0 + second_j * 200.0) / (first_j + second_j))
    assert record.intensity_low <= record.intensity_g_per_kwh <= record.intensity_high
