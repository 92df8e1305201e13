"""From joules to grams: ranges that are made by one rule, places, and the product."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.grid.intensity import emissions, intensity, place
from carbon_magic.grid.regions import DATA_VERSION, UnknownRegion, all_regions
from carbon_magic.quantity import Interval

KWH = 3.6e6


def bounds(region_id: str) -> tuple[float, float, float]:
    interval = intensity(region_id)
    return interval.low, interval.best, interval.high


def test_every_best_lies_well_inside_its_range() -> None:
    rows = all_regions()
    assert len(rows) == 491
    for row in rows:
        interval = intensity(row.id)
        assert interval.best == row.lifecycle_g_per_kwh, row.id
        assert 0.0 < interval.low <= 0.8 * interval.best * (1 + 1e-12), row.id
        assert interval.high >= 1.2 * interval.best * (1 - 1e-12), row.id


def test_a_row_without_second_source_has_forty_percent_and_its_own_years() -> None:
    # 41.45 x 0.6 below; 78.55 is the greatest yearly value since 2021 and more than 41.45 x 1.4.
    assert bounds("FR") == pytest.approx((24.87, 41.45, 78.55))
    assert bounds("SE") == pytest.approx((35.35 * 0.6, 35.35, 35.35 * 1.4))


def test_a_row_that_a_second_source_confirms_has_twenty_percent() -> None:
    assert bounds("US") == pytest.approx((384.4 * 0.8, 384.4, 384.4 * 1.2))
    # Germany: twenty percent below, the years 2021 to 2025 above.
    assert bounds("DE") == pytest.approx((329.65 * 0.8, 329.65, 420.11))


def test_a_second_source_that_disagrees_lies_inside_the_range() -> None:
    # Uzbekistan: its own mix implies 57 % less than what is published.
    assert bounds("UZ") == pytest.approx((430.0, 1000.0, 1400.0))
    # Google publishes 575.77 g direct for us-east1, times 303.9 / 270.5 of its eGRID subregion.
    assert bounds("gcp:us-east1") == pytest.approx((303.9 * 0.6, 303.9, 646.9), rel=1e-3)


def test_ratio_rows_scale_their_published_range_by_their_own_ratio() -> None:
    # 195 direct (195 to 226.5) and 219.1 life cycle; Google's 169.28 x 219.1 / 195 = 190.2 confirms it.
    assert bounds("US-EGRID-CAMX") == pytest.approx((219.1 * 0.8, 219.1, max(219.1 * 1.2, 226.5 * 219.1 / 195)))
    # North-west China: 2022 was much higher than 2023 in no row, so the floor decides.
    assert bounds("CN-SD") == pytest.approx((680.9 * 0.6, 680.9, 680.9 * 1.4))


def test_direct_ranges_that_no_ratio_brings_over_are_not_used() -> None:
    assert bounds("CA-QC") == pytest.approx((28 * 0.6, 28.0, 28 * 1.4))
    assert bounds("AU-VIC") == pytest.approx((870 * 0.6, 870.0, 870 * 1.4))


def test_a_cloud_region_has_the_range_of_its_grid() -> None:
    assert bounds("aws:eu-north-1") == bounds("SE")
    assert bounds("aws:eu-west-3") == bounds("FR")


def test_the_worlds_range_is_the_fifth_to_the_ninety_fifth_percentile_of_countries() -> None:
    values = sorted(row.lifecycle_g_per_kwh for row in all_regions() if row.kind == "country")
    assert len(values) == 212
    low, best, high = bounds("WORLD")
    assert best == 458.49
    assert sum(value < low for value in values) == 11
    assert sum(value > high for value in values) == 11


def test_an_unknown_place_is_the_world_and_says_so() -> None:
    unknown = place(None, "user")
    assert (unknown.region, unknown.source, unknown.known, unknown.pue) == ("WORLD", "unknown", False, 1.0)
    assert unknown.intensity_g_per_kwh == intensity("WORLD")


def test_a_named_place() -> None:
    france = place("fra", "config")
    assert (france.region, france.name, france.source, france.known) == ("FR", "France", "config", True)
    assert (france.intensity_source, france.intensity_year, france.pue) == ("Ember", 2025, 1.0)
    assert france.data_version == DATA_VERSION == "2026-11-23"


def test_the_source_of_a_cloud_place_is_that_of_its_life_cycle_figure() -> None:
    iowa = place("gcp:us-central1", "user")
    assert (iowa.intensity_source, iowa.intensity_year) == ("US EPA eGRID", 2023)


def test_pue_is_the_users_else_the_clouds_else_one() -> None:
    assert place("aws:us-east-1", "user").pue == 1.15
    assert place("aws:us-east-1", "user", pue=1.3).pue == 1.3
    assert place("US-VA", "user").pue == 1.0
    assert place(None, "unknown", pue=1.5).pue == 1.5


@pytest.mark.parametrize("pue", [0.9, 0.0, -1.0, 11.0, math.nan, math.inf])
def test_a_pue_that_cannot_be_is_refused(pue: float) -> None:
    with pytest.raises(ValueError, match="PUE"):
        place("FR", "user", pue=pue)


def test_a_place_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownRegion):
        place("atlantis", "user")


def test_emissions_are_energy_times_pue_times_intensity() -> None:
    grams = emissions(Interval.exact(41.3 * 3600), place("FR", "user"))
    assert grams.best == pytest.approx(0.0413 * 41.45)
    assert (grams.low, grams.high) == pytest.approx((0.0413 * 24.87, 0.0413 * 78.55))
    cloud = emissions(Interval.exact(KWH), place("aws:us-east-1", "user"))
    assert cloud.best == pytest.approx(1.15 * 303.9)


def test_emissions_join_both_ranges_in_quadrature_of_logarithms() -> None:
    grams = emissions(Interval(KWH / 2, KWH, 2 * KWH), place("SE", "user"))
    assert grams.high == pytest.approx(35.35 * math.exp(math.hypot(math.log(2), math.log(1.4))))
    assert grams.low == pytest.approx(35.35 * math.exp(-math.hypot(math.log(2), math.log(1 / 0.6))))


@given(st.tuples(*[st.floats(0, 1e18)] * 3), st.sampled_from(["FR", "WORLD", "gcp:us-west1", "CA-QC"]))
def test_emissions_of_any_energy_are_in_order(energies: tuple[float, float, float], region_id: str) -> None:
    low, best, high = sorted(energies)
    grams = emissions(Interval(low, best, high), place(region_id, "user"))
    assert 0.0 <= grams.low <= grams.best <= grams.high < math.inf


def test_no_energy_is_no_emissions() -> None:
    assert emissions(Interval(0.0, 0.0, 0.0), place("FR", "user")) == Interval(0.0, 0.0, 0.0)
