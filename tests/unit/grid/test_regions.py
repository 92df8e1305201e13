"""Regions: the table by value, and how what people type becomes one of its rows or an error that helps."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import carbon_magic
from carbon_magic.grid.regions import SOURCES, UnknownRegion, all_regions, by_id, complete, nearest, region

DATA = Path(carbon_magic.__file__).parent / "data"


@pytest.mark.parametrize(
    ("region_id", "lifecycle", "published", "basis", "year"),
    [
        ("WORLD", 458.49, 458.49, "lifecycle", 2025),
        ("FR", 41.45, 41.45, "lifecycle", 2025),
        ("SE", 35.35, 35.35, "lifecycle", 2025),
        ("DE", 329.65, 329.65, "lifecycle", 2025),
        ("US", 384.4, 384.4, "lifecycle", 2025),
        ("US-CA", 228.1, 207.51, "direct", 2022),
        ("US-EGRID-CAMX", 219.1, 195.0, "direct", 2023),
        ("CA-QC", 28.0, 2.6, "direct", 2024),
        ("AU-VIC", 870.0, 780.0, "direct", 2025),
        ("CN-SD", 680.9, 619.1, "direct", 2023),
        ("aws:us-east-1", 303.9, 270.5, "direct", 2023),
        ("aws:eu-north-1", 35.35, 35.35, "lifecycle", 2025),
        ("gcp:us-central1", 472.2, 412.72, "direct", 2024),
    ],
)
def test_rows_by_value(region_id: str, lifecycle: float, published: float, basis: str, year: int) -> None:
    row = region(region_id)
    assert (row.lifecycle_g_per_kwh, row.intensity_g_per_kwh, row.basis, row.year) == (
        lifecycle,
        published,
        basis,
        year,
    )


def test_a_whole_row() -> None:
    row = region("gcp:us-central1")
    assert (row.kind, row.parent, row.iso3, row.provider) == ("cloud", "US", "USA", "gcp")
    assert (row.latitude, row.longitude) == (41.878, -93.0977)
    assert (row.pue, row.pue_year, row.cfe_percent) == (1.1, 2024, 87.0)
    assert (row.subdivision, row.grid_region, row.lifecycle_method) == ("US-IA", "US-EGRID-MROW", "grid")
    assert (row.intensity_low, row.intensity_high, row.range_years) == (412.72, 460.0, "2022-2024")
    assert row.note is None
    assert region("azure:israelcentral").latitude is None


def test_the_table_holds_together() -> None:
    rows = all_regions()
    assert len(rows) == 491
    ids = {row.id for row in rows}
    assert len(ids) == 491
    for row in rows:
        assert (row.parent is None) == (row.id == "WORLD")
        assert row.parent is None or row.parent in ids
        assert row.grid_region is None or row.grid_region in ids
        assert row.subdivision is None or row.subdivision in ids
        assert row.source in SOURCES
        assert 1.0 <= row.lifecycle_g_per_kwh <= 1500.0
        assert row.pue is None or 1.0 <= row.pue <= 2.0
        assert (row.lifecycle_method == "grid") == (row.kind == "cloud")


def test_a_cloud_region_has_the_life_cycle_figure_of_its_grid() -> None:
    for row in all_regions():
        if row.grid_region is not None:
            assert row.lifecycle_g_per_kwh == by_id(row.grid_region).lifecycle_g_per_kwh, row.id


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("FR", "FR"),
        ("fr", "FR"),
        ("FRA", "FR"),
        ("France", "FR"),
        (" france ", "FR"),
        ("us-ca", "US-CA"),
        ("California", "US-CA"),
        ("AWS:EU-NORTH-1", "aws:eu-north-1"),
        ("eu-north-1", "aws:eu-north-1"),
        ("europe-west9", "gcp:europe-west9"),
        ("world", "WORLD"),
        ("CA", "CA"),
        ("us-egrid-camx", "US-EGRID-CAMX"),
    ],
)
def test_lookup(asked: str, found: str) -> None:
    assert region(asked).id == found


def test_an_ambiguous_name_raises_with_each() -> None:
    with pytest.raises(UnknownRegion) as caught:
        region("Georgia")
    assert "GE (Georgia)" in str(caught.value)
    assert "US-GA (Georgia, United States)" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "nearest_id"),
    [
        ("FRR", "FR (France)"),
        ("Frnace", "FR (France)"),
        ("Germny", "DE (Germany)"),
        ("aws:eu-nort-1", "aws:eu-north-1 ("),
        ("us_ca", "US-CA (California, United States)"),
    ],
)
def test_a_mistyped_region_raises_with_the_nearest(asked: str, nearest_id: str) -> None:
    with pytest.raises(UnknownRegion) as caught:
        region(asked)
    assert str(caught.value).startswith(f'No region "{asked}". Nearest: ')
    assert nearest_id in str(caught.value)


@pytest.mark.parametrize("asked", ["", "   ", "zzzzzzzz", "x" * 100_000])
def test_what_is_like_nothing_raises_with_what_an_id_looks_like(asked: str) -> None:
    with pytest.raises(UnknownRegion) as caught:
        region(asked)
    assert "aws:eu-north-1" in str(caught.value)
    assert len(str(caught.value)) < 200
    assert nearest(asked) == []


def test_a_message_repeats_nothing_that_a_terminal_obeys() -> None:
    with pytest.raises(UnknownRegion) as caught:
        region("\x1b[2Jatlantis\u202e")
    assert str(caught.value).startswith('No region "?[2Jatlantis?"')


def test_an_unknown_region_is_a_value_error() -> None:
    assert issubclass(UnknownRegion, ValueError)


def test_completion() -> None:
    assert complete("aws:eu-n") == ["aws:eu-north-1"]
    assert complete("US-C") == ["US-CA", "US-CO", "US-CT"]
    assert complete("us-c") == complete("US-C")
    assert len(complete("")) == 491
    assert complete("?") == []


def test_titles_tell_the_cloud() -> None:
    assert region("FR").title == "France"
    assert region("aws:eu-north-1").title == "AWS eu-north-1, Europe (Stockholm)"
    assert region("gcp:us-central1").title == "Google Cloud us-central1 (Iowa)"


def test_the_table_ships_with_its_sources_and_licences() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    with (DATA / "regions.csv").open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    for word in [*columns, *SOURCES]:
        assert f"`{word}`" in readme or word in ("name", "provider", "city", "latitude", "longitude"), word
    assert "Open Government Licence - Canada" in readme
    licences = {path.name for path in (DATA / "LICENSES").iterdir()}
    texts = {"Apache-2.0.txt", "MIT.txt", "CC-BY-4.0.txt", "Open-Government-Licences.txt", "Licence-Ouverte-2.0.txt"}
    assert texts <= licences
    attribution = readme.partition("## Attribution")[2]
    for name in ("CC BY 4.0", "Open Government Licence v3.0", "Licence Ouverte 2.0", "Apache-2.0", "MIT"):
        assert name in attribution, name
