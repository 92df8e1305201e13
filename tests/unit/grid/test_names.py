"""Regions by other names, by zone, by place; what a picker finds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.grid.geography import (
    CONTINENTS,
    EARTH_RADIUS_KM,
    children,
    continent,
    country,
    distance_km,
    in_eu,
    near,
    parents,
    point,
)
from carbon_magic.grid.names import ALIASES, folded
from carbon_magic.grid.regions import UnknownRegion, all_regions, by_id, region, search


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("Burma", "MM"),
        ("Czech Republic", "CZ"),
        ("UK", "GB"),
        ("U.S.A.", "US"),
        ("USA", "US"),
        ("the netherlands", "NL"),
        ("Holland", "NL"),
        ("South Korea", "KR"),
        ("Republic of Korea", "KR"),
        ("Ivory Coast", "CI"),
        ("Côte d'Ivoire", "CI"),
        ("COTE D’IVOIRE", "CI"),
        ("cote divoire", "CI"),
        ("Türkiye", "TR"),
        ("São Tomé and Príncipe", "ST"),
        ("Réunion", "RE"),
        ("Viet Nam", "VN"),
        ("Swaziland", "SZ"),
        ("us-west-2", "aws:us-west-2"),
        ("aws us-west-2", "aws:us-west-2"),
        ("Amazon us-west-2", "aws:us-west-2"),
        ("us-east-1a", "aws:us-east-1"),
        ("aws:us-gov-west-1b", "aws:us-gov-west-1"),
        ("europe-west9", "gcp:europe-west9"),
        ("europe-west9-b", "gcp:europe-west9"),
        ("Google Cloud europe-west9", "gcp:europe-west9"),
        ("West Europe", "azure:westeurope"),
        ("westeurope", "azure:westeurope"),
        ("Canada Central", "azure:canadacentral"),
        ("Canada (Central)", "aws:ca-central-1"),
    ],
)
def test_a_region_goes_by_every_name_in_use(asked: str, found: str) -> None:
    assert region(asked).id == found


@pytest.mark.parametrize("asked", ["us-east-9a", "europe-west99-a", "Congo-Léopoldville-Ville", "us_ca", "Korea"])
def test_what_is_nearly_a_name_is_none(asked: str) -> None:
    with pytest.raises(UnknownRegion):
        region(asked)


def test_other_names_are_folded_and_name_rows_of_the_table() -> None:
    for name, region_id in ALIASES.items():
        assert folded(name) == name
        assert region(name).id == region_id


def test_every_region_is_found_by_its_own_name_unless_two_have_it() -> None:
    for row in all_regions():
        if row.name == "Georgia":
            continue
        assert region(row.name).id == row.id
        assert region(row.id.lower()).id == row.id


@given(st.text(max_size=120))
def test_no_text_does_anything_but_find_or_explain(asked: str) -> None:
    said = ""
    try:
        region(asked)
    except UnknownRegion as error:
        said = str(error)
    assert len(said) < 700
    assert said.isprintable()


def test_parents_and_children_are_each_others_inverse() -> None:
    assert parents("aws:us-east-1") == ["US-VA", "US", "WORLD"]
    assert parents("FR") == ["WORLD"]
    assert parents("WORLD") == []
    for row in all_regions():
        for above in parents(row.id)[:1]:
            assert row.id in children(above)
        for below in children(row.id):
            assert row.id in parents(below)
    assert len(children("WORLD")) == 212


def test_every_country_has_a_continent_and_a_point() -> None:
    for row in all_regions():
        if row.kind == "world":
            assert continent(row.id) is None
        else:
            assert continent(row.id) in CONTINENTS
        if row.kind == "country":
            assert point(row.id) is not None
    found = {
        name: sum(continent(row.id) == name for row in all_regions() if row.kind == "country") for name in CONTINENTS
    }
    assert sum(found.values()) == 212
    assert continent("gcp:southamerica-east1") == "South America"
    assert continent("US-HI") == "North America"


def test_the_european_union_has_27_members_and_their_regions() -> None:
    outermost = {"GF", "GP", "MQ", "RE"}
    members = {row.id for row in all_regions() if row.kind == "country" and in_eu(row.id)}
    assert len(members - outermost) == 27
    assert outermost <= members
    assert not members & {"GB", "CH", "NO", "IS", "TR", "UA", "RS", "GL", "FO"}
    assert in_eu("aws:eu-west-3")
    assert not in_eu("aws:eu-west-2")
    assert not in_eu("WORLD")


def test_country_of_a_region() -> None:
    assert (country("aws:us-east-1"), country("CN-SD"), country("FR"), country("WORLD")) == ("US", "CN", "FR", None)


def test_distances() -> None:
    paris, stockholm = (48.8667, 2.3333), (59.3333, 18.05)
    assert distance_km(paris, stockholm) == pytest.approx(1544, rel=0.01)
    assert distance_km(paris, paris) == 0.0
    assert distance_km((90.0, 0.0), (-90.0, 0.0)) == pytest.approx(math.pi * EARTH_RADIUS_KM)


def test_what_is_near_comes_nearest_first_and_ends_at_the_distance() -> None:
    found = near("aws:eu-west-3", 700.0)
    distances = [away_km for _, away_km in found]
    assert distances == sorted(distances)
    assert all(away_km <= 700.0 for away_km in distances)
    ids = [row.id for row, _ in found]
    assert {"gcp:europe-west9", "FR", "BE", "aws:eu-west-2"} <= set(ids)
    assert "aws:eu-west-3" not in ids
    assert "aws:eu-north-1" not in ids
    assert [row.id for row, _ in near("aws:eu-west-3", 2000.0)].count("aws:eu-north-1") == 1


@pytest.mark.parametrize(
    ("region_id", "within_km"), [("WORLD", 100.0), ("FR", -1.0), ("FR", math.nan), ("FR", math.inf)]
)
def test_nothing_is_near_nowhere(region_id: str, within_km: float) -> None:
    with pytest.raises(ValueError, match=r"point|distance"):
        near(region_id, within_km)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("fr", ["FR"]),
        ("france", ["FR"]),
        ("burma", ["MM"]),
        ("georgia", ["GE", "US-GA"]),
        ("paris", ["aws:eu-west-3", "gcp:europe-west9", "azure:francecentral"]),
        ("europe-west9", ["gcp:europe-west9"]),
        ("aws paris", ["aws:eu-west-3"]),
        ("swe", ["SE"]),
    ],
)
def test_a_picker_finds_by_name_old_name_city_and_provider(query: str, first: list[str]) -> None:
    assert [row.id for row in search(query)][: len(first)] == first


def test_search_without_a_query_gives_everything_and_nonsense_nothing() -> None:
    assert len(search("")) == 491
    assert search("atlantis") == search("?!") == []
    assert len(search("a", 7)) == 7
    assert by_id("FR") in search("fra")
