"""Comparing regions: exact on made-up places; ranked by intensity and PUE alone, whatever the energy."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.grid.compare import Row, compare
from carbon_magic.grid.intensity import emissions, intensity, place
from carbon_magic.grid.regions import all_regions
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

KWH = 3.6e6
IDS = [row.id for row in all_regions()]
some_ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=12)
energies = st.builds(
    lambda best, below, above: Interval(best * below, best, best * above),
    st.floats(1e-6, 1e15),
    st.floats(0.0, 1.0),
    st.floats(1.0, 100.0),
)


def made_up(g_per_kwh: tuple[float, float, float], pue: float = 1.0, source: str = "user") -> Place:
    return Place("our-roof", "Our solar roof", source, Interval(*g_per_kwh), "you", None, pue, "2026-11-23")


def test_exact_figures() -> None:
    here = made_up((50.0, 100.0, 200.0), pue=1.5)
    first, sweden = compare(here, ["SE"], Interval.exact(2 * KWH))
    assert first.emissions_g is not None
    figures = (first.emissions_g.low, first.emissions_g.best, first.emissions_g.high)
    assert figures == pytest.approx((150.0, 300.0, 600.0))
    assert (first.ratio, first.overlaps) == (Interval.exact(1.0), True)
    assert (first.name, first.of.source, first.of.year, first.of.kind) == ("Our solar roof", "you", None, None)
    grid = intensity("SE")
    assert sweden.emissions_g is not None
    assert sweden.emissions_g.best == pytest.approx(2 * 35.35)
    assert sweden.emissions_g.low == pytest.approx(2 * grid.low)
    assert sweden.ratio is not None
    assert sweden.ratio.best == pytest.approx(35.35 / 150.0)
    # Sweden's low in quadrature with the high of here, each a half-width of a logarithm.
    below = math.hypot(math.log(35.35 / grid.low), math.log(2.0))
    assert sweden.ratio.low == pytest.approx(35.35 / 150.0 * math.exp(-below))
    assert sweden.overlaps is False  # 21 to 49 g against 75 to 300 g
    assert (sweden.of.source, sweden.of.year, sweden.of.direct_g_per_kwh) == ("Ember", 2025, None)


def test_ranges_that_meet_overlap() -> None:
    sweden = intensity("SE")
    just = made_up((sweden.high, 100.0, 100.0))
    assert compare(just, ["SE"])[1].overlaps is True
    apart = made_up((sweden.high * 1.000001, 100.0, 100.0))
    assert compare(apart, ["SE"])[1].overlaps is False


def test_direct_figures_stand_beside_and_are_never_compared() -> None:
    _, quebec = compare(place("FR", "user"), ["CA-QC"], Interval.exact(KWH))
    assert quebec.of.direct_g_per_kwh == 2.6
    assert quebec.intensity_g_per_kwh.best == 28.0
    assert quebec.emissions_g is not None
    assert quebec.emissions_g.best == pytest.approx(28.0)
    assert quebec.of.method == "mix"


def test_pue_is_a_clouds_own_else_the_users_else_1() -> None:
    ids = ["DE", "aws:eu-north-1", "gcp:europe-west10"]
    by_id = {row.region: row for row in compare(place("FR", "user"), ids)}
    assert [by_id[name].pue for name in ids] == [1.0, 1.1, 1.0]
    assert by_id["aws:eu-north-1"].pue_year == 2024
    by_id = {row.region: row for row in compare(place("FR", "user", 1.4), ids, pue=1.4)}
    assert [by_id[name].pue for name in ["FR", *ids]] == [1.4, 1.4, 1.1, 1.4]


def test_here_comes_first_then_the_lowest_ties_by_name() -> None:
    rows = compare(place("DE", "user"), ["PL", "aws:eu-west-3", "FR", "DE", "azure:francecentral", "SE", "PL"])
    assert [row.region for row in rows] == ["DE", "SE", "aws:eu-west-3", "azure:francecentral", "FR", "PL"]
    names = [row.name for row in rows[2:5]]
    assert names == sorted(names)


def test_where_here_is_unknown_nothing_is_lower_or_higher() -> None:
    here, *others = compare(place(None, "unknown"), ["SE", "PL"], Interval.exact(KWH))
    assert [row.region for row in others] == ["SE", "PL"]
    for row in (here, *others):
        assert row.ratio is None
        assert row.overlaps is None
        assert row.emissions_g is not None


def test_no_energy_gives_no_grams_and_no_zero() -> None:
    for row in compare(place("FR", "user"), ["SE", "PL"]):
        assert row.emissions_g is None
        assert row.ratio is not None


def test_a_figure_of_ones_own_does_not_take_the_tables_notes() -> None:
    live = place("BE", "user")._replace(intensity_g_per_kwh=Interval(20.0, 24.0, 30.0), intensity_source="you")
    (row,) = compare(live, [])
    assert row.of.kind == "country"
    assert row.of.note is None
    assert row.of.method is None
    assert (compare(place("BE", "user"), [])[0].of.note or "").startswith("the generation mix")


@pytest.mark.parametrize(
    "grid", [(0.0, 0.0, 0.0), (0.0, 0.0, 50.0), (0.0, 24.0, 24.0), (5e-324, 5e-324, 1e300), (1e-300, 1e300, 1e300)]
)
@pytest.mark.parametrize(
    "energy_j", [None, Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 1.0), Interval(0.0, 1.0, 1e300)]
)
def test_awkward_figures_stay_figures(grid: tuple[float, float, float], energy_j: Interval | None) -> None:
    try:
        here, sweden = compare(made_up(grid), ["SE"], energy_j)
    except ValueError:
        assert max(grid) * (energy_j.high if energy_j else 0.0) / KWH > 1e100  # no float holds the product
        return
    for row in (here, sweden):
        for figure in (row.emissions_g, row.ratio):
            assert figure is None or 0.0 <= figure.low <= figure.best <= figure.high
    assert (here.emissions_g is None) == (energy_j is None)


@given(ids=some_ids, energy_j=energies, other_j=energies, here=st.sampled_from(IDS))
def test_the_ranking_does_not_depend_on_the_energy(
    ids: list[str], energy_j: Interval, other_j: Interval, here: str
) -> None:
    def known(rows: list[Row]) -> list[tuple[object, ...]]:
        return [(row.region, row.ratio, row.overlaps) for row in rows]

    at = place(here, "user")
    rows = compare(at, ids, energy_j)
    assert known(rows) == known(compare(at, ids, other_j)) == known(compare(at, ids))
    assert len(rows) == 1 + len(set(ids) - {here})
    bests = [row.emissions_g.best for row in rows[1:] if row.emissions_g]
    assert all(lower <= higher * (1 + 1e-9) for lower, higher in pairwise(bests))


@given(one=st.sampled_from(IDS), other=st.sampled_from(IDS))
def test_from_and_to_are_inverse_of_each_other(one: str, other: str) -> None:
    if one == other:
        return
    there, back = (compare(place(a, "user"), [b])[1] for a, b in ((one, other), (other, one)))
    assert there.ratio is not None
    assert back.ratio is not None
    assert there.ratio.best * back.ratio.best == pytest.approx(1.0)
    assert there.ratio.low * back.ratio.high == pytest.approx(1.0)
    assert there.ratio.high * back.ratio.low == pytest.approx(1.0)
    assert there.overlaps == back.overlaps


@given(ids=some_ids, energy_j=energies, here=st.sampled_from(IDS))
def test_ranges_never_cross_and_grams_are_those_of_a_record(ids: list[str], energy_j: Interval, here: str) -> None:
    at = place(here, "user")
    for row in compare(at, ids, energy_j):
        where = at if row.region == here else place(row.region, "user")
        grams, ratio = row.emissions_g, row.ratio
        assert grams is not None
        assert ratio is not None
        assert grams.low <= grams.best <= grams.high
        assert 0.0 < ratio.low <= ratio.best <= ratio.high
        recorded = emissions(energy_j, where)
        assert grams.low == pytest.approx(recorded.low)
        assert grams.best == pytest.approx(recorded.best)
        assert grams.high == pytest.approx(recorded.high)
