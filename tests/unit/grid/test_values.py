"""Forty regions by value, against what their sources published; one basis; clouds on the right grid."""

from __future__ import annotations

import pytest

from carbon_magic.grid.intensity import intensity, place
from carbon_magic.grid.regions import all_regions, by_id, region

# Who published it, the year, the published figure on its basis, and the life-cycle figure, in g CO2e/kWh.
PUBLISHED = [
    ("WORLD", "Ember", 2025, "lifecycle", 458.49, 458.49),
    ("FR", "Ember", 2025, "lifecycle", 41.45, 41.45),
    ("DE", "Ember", 2025, "lifecycle", 329.65, 329.65),
    ("PL", "Ember", 2025, "lifecycle", 590.8, 590.8),
    ("SE", "Ember", 2025, "lifecycle", 35.35, 35.35),
    ("NO", "Ember", 2025, "lifecycle", 28.1, 28.1),
    ("GB", "Ember", 2025, "lifecycle", 217.41, 217.41),
    ("ES", "Ember", 2025, "lifecycle", 153.56, 153.56),
    ("IT", "Ember", 2025, "lifecycle", 284.63, 284.63),
    ("US", "Ember", 2025, "lifecycle", 384.4, 384.4),
    ("CN", "Ember", 2025, "lifecycle", 526.19, 526.19),
    ("IN", "Ember", 2025, "lifecycle", 670.55, 670.55),
    ("JP", "Ember", 2025, "lifecycle", 477.37, 477.37),
    ("KR", "Ember", 2025, "lifecycle", 417.14, 417.14),
    ("BR", "Ember", 2025, "lifecycle", 109.95, 109.95),
    ("ZA", "Ember", 2025, "lifecycle", 698.96, 698.96),
    ("AU", "Ember", 2025, "lifecycle", 524.59, 524.59),
    ("CA", "Ember", 2025, "lifecycle", 190.73, 190.73),
    ("CH", "Ember", 2025, "lifecycle", 39.22, 39.22),
    ("IE", "Ember", 2025, "lifecycle", 255.9, 255.9),
    ("NL", "Ember", 2025, "lifecycle", 253.56, 253.56),
    ("IS", "Ember via Our World in Data", 2023, "lifecycle", 28.33, 28.33),
    ("AE", "Ember via Our World in Data", 2023, "lifecycle", 492.7, 492.7),
    ("NG", "Ember", 2025, "lifecycle", 455.71, 455.71),
    ("KE", "Ember", 2025, "lifecycle", 95.44, 95.44),
    ("LU", "Ember", 2025, "lifecycle", 123.38, 123.38),
    ("US-CA", "US EPA eGRID", 2022, "direct", 207.51, 228.1),
    ("US-VA", "US EPA eGRID", 2022, "direct", 267.61, 294.1),
    ("US-WA", "US EPA eGRID", 2022, "direct", 84.35, 92.7),
    ("US-VT", "US EPA eGRID", 2022, "direct", 19.33, 21.2),
    ("US-EGRID-CAMX", "US EPA eGRID", 2023, "direct", 195, 219.1),
    ("US-EGRID-SRVC", "US EPA eGRID", 2023, "direct", 270.5, 303.9),
    ("US-EGRID-MROW", "US EPA eGRID", 2023, "direct", 420.3, 472.2),
    ("CA-QC", "Environment Canada", 2024, "direct", 2.6, 28),
    ("CA-ON", "Environment Canada", 2024, "direct", 73, 60.6),
    ("CA-AB", "Environment Canada", 2024, "direct", 346, 434.5),
    ("AU-VIC", "Australian DCCEEW", 2025, "direct", 780, 870),
    ("AU-TAS", "Australian DCCEEW", 2025, "direct", 200, 230),
    ("CN-SD", "China MEE", 2023, "direct", 619.1, 680.9),
    ("CN-YN", "China MEE", 2023, "direct", 133.3, 146.6),
]

RATIOS = {
    # Ember's national figure over the official direct one of the same year.
    "egrid2022": 410.37 / 373.35,
    "egrid2023": 392.85 / 349.67,
    "mee2023": 583.61 / 530.6,
}


def test_there_are_forty() -> None:
    assert len({row[0] for row in PUBLISHED}) == 40


@pytest.mark.parametrize(("region_id", "publisher", "year", "basis", "published", "lifecycle"), PUBLISHED)
def test_a_region_has_the_figure_its_source_published(
    region_id: str, publisher: str, year: int, basis: str, published: float, lifecycle: float
) -> None:
    row = region(region_id)
    assert (row.publisher, row.year, row.basis) == (publisher, year, basis)
    assert row.intensity_g_per_kwh == published
    assert row.lifecycle_g_per_kwh == lifecycle == intensity(region_id).best == place(region_id, "user")[3].best


def test_a_direct_figure_is_brought_over_by_the_ratio_of_its_own_country_and_year() -> None:
    rows = [row for row in all_regions() if row.lifecycle_method == "ratio"]
    assert len(rows) == 51 + 27 + 30
    for row in rows:
        expected = row.intensity_g_per_kwh * RATIOS[row.source]
        assert row.lifecycle_g_per_kwh == pytest.approx(expected, rel=2e-3, abs=0.06), row.id


def test_what_converts_and_compares_is_never_a_direct_figure() -> None:
    """On one basis Quebec is 28 g and not 2.6, beside France's 41 g."""
    for row in all_regions():
        if row.basis == "direct":
            assert intensity(row.id).best == row.lifecycle_g_per_kwh
        else:
            assert row.lifecycle_g_per_kwh == row.intensity_g_per_kwh or row.grid_region is not None
    assert place("CA-QC", "user").intensity_g_per_kwh.best == 28.0


@pytest.mark.parametrize(
    ("cloud", "grid"),
    [
        ("aws:us-east-1", "US-EGRID-SRVC"),
        ("aws:us-west-2", "US-EGRID-NWPP"),
        ("aws:eu-north-1", "SE"),
        ("aws:eu-west-3", "FR"),
        ("aws:ca-central-1", "CA-QC"),
        ("aws:ap-southeast-2", "AU-NSW"),
        ("gcp:us-central1", "US-EGRID-MROW"),
        ("gcp:us-west4", "US-NV"),
        ("gcp:europe-west9", "FR"),
        ("gcp:northamerica-northeast1", "CA-QC"),
        ("azure:eastus", "US-EGRID-SRVC"),
        ("azure:westeurope", "NL"),
    ],
)
def test_a_cloud_region_inherits_from_the_grid_it_draws_from(cloud: str, grid: str) -> None:
    row = by_id(cloud)
    assert row.grid_region == grid
    assert row.lifecycle_g_per_kwh == by_id(grid).lifecycle_g_per_kwh
    found = place(cloud, "user")
    assert (found.intensity_source, found.intensity_year) == (by_id(grid).publisher, by_id(grid).year)
