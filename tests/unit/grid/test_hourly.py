"""Another time of day: ratios of two hours of one grid, with a range that tells what the data bear."""

from __future__ import annotations

import csv
import math
import sys
import zoneinfo
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import carbon_magic
from carbon_magic.grid import hourly
from carbon_magic.grid.regions import all_regions
from carbon_magic.quantity import Interval

TABLE = Path(carbon_magic.__file__).parent / "data" / "hourly.csv"
JULY = datetime(2026, 7, 15, 20, 0, tzinfo=timezone.utc)  # 22:00 in Berlin
GRIDS = ("US-CA", "US-TX", "US-EGRID-NEWE", "US-NY", "US-EGRID-RFCE", "US-WA", "US-FL", "DE", "ES", "PL", "SE")


def mean(factors: dict[int, float], hours: list[int]) -> float:
    return math.fsum(factors[hour] for hour in hours) / len(hours)


@pytest.fixture(scope="module")
def germany() -> dict[int, dict[int, float]]:
    """The factors of Germany, by month and hour."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["grid"] == "DE"]
    return {int(row["month"]): {hour: float(row[f"h{hour:02}"]) for hour in range(24)} for row in rows}


def test_the_table_holds_eleven_grids_with_every_hour_of_every_month() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["grid"] for row in rows}) == 11
    assert len({(row["grid"], row["month"]) for row in rows}) == len(rows) == 132
    assert all(0.2 < float(row[f"h{hour:02}"]) < 3.0 for row in rows for hour in range(24))
    known = {region.id for region in all_regions()}
    assert set(hourly.covered_regions()) <= known


@pytest.mark.parametrize("region_id", GRIDS)
def test_the_factors_of_a_grid_are_about_one_in_the_mean(region_id: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    factors = [hourly.factor(region_id, start + timedelta(hours=hour)) for hour in range(365 * 24)]
    known = [value for value in factors if value is not None]
    assert len(known) == 365 * 24
    assert sum(known) / len(known) == pytest.approx(1.0, abs=0.01)


def test_a_factor_goes_by_the_clocks_of_the_grid(germany: dict[int, dict[int, float]]) -> None:
    assert hourly.factor("DE", datetime(2026, 7, 1, 12, tzinfo=timezone.utc)) == germany[7][14]
    assert hourly.factor("DE", datetime(2026, 1, 1, 12, tzinfo=timezone.utc)) == germany[1][13]
    assert hourly.factor("DE", datetime(2025, 12, 31, 23, 30)) == germany[1][0]  # without a zone: UTC
    assert hourly.factor("FR", JULY) is None


def test_which_regions_are_covered() -> None:
    for region_id in ("DE", "US-CA", "US-EGRID-CAMX", "aws:us-west-1", "aws:eu-central-1", "gcp:us-east4", "US-VT"):
        assert hourly.covered(region_id), region_id
    for region_id in ("FR", "US", "US-CO", "aws:eu-west-3", "WORLD", "Atlantis"):
        assert not hourly.covered(region_id), region_id
    assert hourly.ratio_at("FR", JULY, 60.0, time(3)) is None
    assert hourly.cleanest("FR", JULY, 60.0) is None
    assert "not in the tables" in hourly.why_not("FR")


def test_the_ratio_is_that_of_the_two_hours_and_its_range_is_made_by_the_rule(
    germany: dict[int, dict[int, float]],
) -> None:
    found = hourly.ratio_at("DE", JULY, 3600.0, time(14))
    assert found is not None

    def log(month: int) -> float:
        return math.log(germany[month][14] / germany[month][22])

    beside = max(abs(log(6) - log(7)), abs(log(8) - log(7)))
    half = math.hypot(0.75 * log(7), math.log(1.15), beside)
    assert found.best == pytest.approx(germany[7][14] / germany[7][22])
    assert found.low == pytest.approx(math.exp(log(7) - half))
    assert found.high == pytest.approx(math.exp(log(7) + half))


def test_a_run_over_several_hours_counts_each_by_its_time(germany: dict[int, dict[int, float]]) -> None:
    july = germany[7]
    half_past = JULY + timedelta(minutes=30)
    found = hourly.ratio_at("DE", half_past, 2 * 3600.0, time(3, 15))
    before = 0.5 * july[22] + july[23] + 0.5 * july[0]
    after = 0.75 * july[3] + july[4] + 0.25 * july[5]
    assert found is not None
    assert found.best == pytest.approx(after / before)
    long = hourly.ratio_at("DE", JULY, 26 * 3600.0, time(14))
    day = math.fsum(july.values())
    assert long is not None
    assert long.best == pytest.approx((day + july[14] + july[15]) / (day + july[22] + july[23]))


def test_the_same_hours_compare_nothing() -> None:
    assert hourly.ratio_at("DE", JULY, 3600.0, time(22)) == Interval(1.0, 1.0, 1.0)
    assert hourly.ratio_at("DE", JULY, 24 * 3600.0, time(5)) == Interval(1.0, 1.0, 1.0)
    assert hourly.words(Interval.exact(1.0), time(22)) == "The same run at 22:00 would emit as much."


def test_the_cleanest_hour_is_named_only_where_the_data_bear_it(germany: dict[int, dict[int, float]]) -> None:
    found = hourly.cleanest("DE", JULY, 3600.0)
    assert found is not None
    at, ratio = found
    assert germany[7][at.hour] == min(germany[7].values())
    assert ratio.high < 1.0
    # Sweden's hours are alike, and at the cleanest hour none is better.
    assert hourly.cleanest("SE", JULY, 3600.0) is None
    noon = datetime(2026, 7, 15, at.hour - 2, tzinfo=timezone.utc)
    assert hourly.cleanest("DE", noon, 3600.0) is None


def test_a_machine_without_time_zones_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert hourly.ratio_at("DE", JULY, 3600.0, time(3)) is None
        assert hourly.cleanest("DE", JULY, 3600.0) is None
        assert hourly.factor("DE", JULY) is None
        assert hourly.why_not("DE") == "The clock of Europe/Berlin is not known on this machine: pip install tzdata"
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_what_is_said() -> None:
    assert hourly.words(Interval(0.52, 0.69, 0.92), time(3)) == "The same run at 03:00 would emit 31\xa0% less (8–48)."
    assert (
        hourly.words(Interval(1.1, 1.8, 2.9), time(3, 30)) == "The same run at 03:30 would emit 80\xa0% more (10–190)."
    )
    said = hourly.words(Interval(0.8, 0.95, 1.1), time(3))
    assert said == "Whether the same run at 03:00 would emit less is open: from 20\xa0% less to 10\xa0% more."


@given(
    st.sampled_from(GRIDS),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
    st.floats(0.0, 1e7),
    st.times(),
)
def test_every_ratio_is_in_order_and_no_time_is_much_better_than_the_best_full_hour(
    region_id: str, when: datetime, duration_s: float, at: time
) -> None:
    ratio = hourly.ratio_at(region_id, when, duration_s, at)
    assert ratio is not None
    assert 0.0 < ratio.low <= ratio.best <= ratio.high < math.inf
    found = hourly.cleanest(region_id, when, duration_s)
    if found is not None:
        assert found[1].best <= ratio.best * 1.2
        assert found[1].best < 1.0
