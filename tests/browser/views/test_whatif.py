"""What if elsewhere: ranking, search, filters, sorting and removal, by mouse and by keyboard, without a kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.views_page import Panels, plain, texts
from playwright.sync_api import Locator, expect


def what_if(panels: Panels, state: str = "example", **options: Any) -> Locator:
    return panels.show(state, open=["whatif"], **options)


def rows(panel: Locator) -> list[str]:
    return [(row.get_attribute("aria-label") or "").split(":")[0] for row in panel.locator(".cbm-Row[tabindex]").all()]


RANKED = ["Here, France", "Quebec", "Sweden", "AWS eu-north-1", "California", "Germany", "Poland", "India"]


def test_regions_are_ranked_with_ratio_range_and_overlap(panels: Panels) -> None:
    panel = what_if(panels)
    assert rows(panel) == RANKED
    india = panel.get_by_role("row", name=re.compile("^India"))
    assert india.get_attribute("aria-label") == (
        "India: 671 grams per kilowatt-hour, 28 grams, 16 times here, range 12 to 20"
    )
    quebec = panel.get_by_role("row", name=re.compile("^Quebec"))
    assert (quebec.get_attribute("aria-label") or "").endswith("ranges overlap, not clearly lower")
    assert quebec.locator(".cbm-Row-ratio").evaluate("(node) => getComputedStyle(node).fontWeight") == "400"
    assert india.locator(".cbm-Row-ratio").evaluate("(node) => getComputedStyle(node).fontWeight") == "600"
    # Hollow: the bar has the ground's own colour.
    ground = panel.locator(".cbm-Panel").evaluate("(node) => getComputedStyle(node).backgroundColor")
    bar = "(node) => getComputedStyle(node).backgroundColor"
    assert quebec.locator(".cbm-Track-bar").evaluate(bar) == ground
    assert india.locator(".cbm-Track-bar").evaluate(bar) != ground
    assert "Lowest: Quebec 0.68×, not clearly lower" in plain(panel.locator(".cbm-Best").inner_text())


def test_bars_begin_at_here_and_stand_still_while_energy_grows(panels: Panels) -> None:
    panel = what_if(panels)
    bars = "(panel) => [...panel.box.querySelectorAll('.cbm-Track i')].map((node) => node.getAttribute('style'))"
    before = panels.do(bars)
    panels.do("(panel, { fixtures }) => panel.send(fixtures.tick({totals: fixtures.totals(82.6)}))")
    assert panels.do(bars) == before
    assert plain(panel.get_by_role("row", name=re.compile("^India")).locator(".cbm-Row-mass").inner_text()) == "55"


def test_columns_sort_both_ways(panels: Panels) -> None:
    panel = what_if(panels)
    region = panel.get_by_role("columnheader", name="Region")
    region.get_by_role("button").click()
    expect(region).to_have_attribute("aria-sort", "ascending")
    assert rows(panel) == [
        "Here, France",
        "AWS eu-north-1",
        "California",
        "Germany",
        "India",
        "Poland",
        "Quebec",
        "Sweden",
    ]
    region.get_by_role("button").press("Enter")
    expect(region).to_have_attribute("aria-sort", "descending")
    assert rows(panel)[1] == "Sweden"
    assert panel.locator("[aria-sort]").count() == 1
    assert panels.do("(panel) => panel.memory.get('whatif').sorting") == {"key": "name", "down": True}


def test_a_region_is_found_by_keyboard_alone(panels: Panels) -> None:
    panel = what_if(panels)
    box = panel.get_by_role("combobox", name="Search regions by name or id", exact=True)
    expect(box).to_have_attribute("placeholder", "Search 491 regions")
    box.fill("par")
    options = panel.get_by_role("option")
    assert texts(options)[0].startswith("Paraguay")
    assert any("eu-west-3, Paris" in text for text in texts(options))
    assert options.nth(1).locator("b").inner_text().lower() == "par"
    box.press("ArrowDown")
    assert options.nth(1).get_attribute("aria-selected") == "true"
    assert box.get_attribute("aria-activedescendant") == options.nth(1).get_attribute("id")
    box.press("ArrowUp")
    box.press("Enter")
    assert "Paraguay" in rows(panel)
    expect(box).to_have_value("")
    box.fill("frank")
    box.press("Escape")
    expect(box).to_have_value("")
    expect(panel.get_by_role("listbox")).to_have_count(0)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("FR", "France"),
        ("aws:eu-north-1", "AWS eu-north-1, Stockholm"),
        ("europe-west9", "Google europe-west9, Paris"),
        ("us-ca", "California, United States"),
        ("stockholm", "AWS eu-north-1, Stockholm"),
        ("sao paulo", "AWS sa-east-1, Sao Paulo"),
        ("cote", "Cote d'Ivoire"),
    ],
)
def test_search_by_name_id_and_city(panels: Panels, typed: str, first: str) -> None:
    panel = what_if(panels)
    panel.get_by_role("combobox", name="Search regions by name or id", exact=True).fill(typed)
    found = panel.get_by_role("option").first.locator(".cbm-Options-name").inner_text()
    assert found.replace("’", "'").replace("ô", "o") == first


def test_a_search_that_finds_nothing_says_so_and_can_be_cleared(panels: Panels) -> None:
    panel = what_if(panels)
    box = panel.get_by_role("combobox", name="Search regions by name or id", exact=True)
    box.fill("<b>atlantis</b>")
    assert "No region matches “<b>atlantis</b>”. Try a country, a state or a cloud region’s id." in panel.inner_text()
    panel.get_by_role("button", name="Clear").click()
    expect(box).to_have_value("")
    expect(box).to_be_focused()


def test_a_row_is_removed_by_delete_and_by_its_cross(panels: Panels) -> None:
    panel = what_if(panels)
    panel.get_by_role("row", name=re.compile("^Sweden")).press("Delete")
    assert "Sweden" not in rows(panel)
    expect(panel.get_by_role("row", name=re.compile("^AWS eu-north-1"))).to_be_focused()
    poland = panel.get_by_role("row", name=re.compile("^Poland"))
    poland.hover()
    poland.get_by_role("button", name="Remove Poland").click()
    assert rows(panel) == ["Here, France", "Quebec", "AWS eu-north-1", "California", "Germany", "India"]
    here = panel.get_by_role("row", name=re.compile("^Here"))
    here.press("Delete")
    assert rows(panel)[0] == "Here, France"


def test_arrows_go_from_row_to_row(panels: Panels) -> None:
    panel = what_if(panels)
    panel.get_by_role("row", name=re.compile("^Here")).press("ArrowDown")
    expect(panel.get_by_role("row", name=re.compile("^Quebec"))).to_be_focused()


def test_a_provider_lists_its_regions_thirty_at_first(panels: Panels) -> None:
    panel = what_if(panels)
    panel.get_by_role("combobox", name="Provider").select_option("AWS")
    assert len(rows(panel)) == 31
    count = sum(row["provider"] == "aws" for row in panels.regions)
    panel.get_by_role("button", name=f"Show all {count}").click()
    assert len(rows(panel)) == count + 1
    assert all(name.startswith("AWS") for name in rows(panel)[1:])
    panel.get_by_role("combobox", name="Provider").select_option("Provider")
    assert rows(panel) == RANKED


def test_filters_by_continent_union_and_distance(panels: Panels) -> None:
    panel = what_if(panels)
    panel.get_by_role("combobox", name="Continent").select_option("Oceania")
    assert "New South Wales" in rows(panel)
    assert "Germany" not in rows(panel)
    panel.get_by_role("combobox", name="Continent").select_option("Continent")
    panel.get_by_role("checkbox", name="EU only").check()
    panel.get_by_role("button", name=re.compile("^Show all")).click()
    listed = rows(panel)
    assert {"Sweden", "Poland", "AWS eu-north-1"} <= set(listed)
    assert not {"Switzerland", "United Kingdom", "India"} & set(listed)
    panel.get_by_role("checkbox", name="Near here").check()
    near = rows(panel)
    assert {"Belgium", "Germany", "AWS eu-west-3"} <= set(near)
    assert "Finland" not in near
    panel.get_by_role("checkbox", name="EU only").uncheck()
    assert "Switzerland" in rows(panel)
    panel.get_by_role("combobox", name="Continent").select_option("Africa")
    assert len(rows(panel)) < 6


def test_filters_that_nothing_fits_say_so_and_can_be_cleared(panels: Panels) -> None:
    filters = {"continent": "Oceania", "provider": "", "eu": True, "near": False}
    panel = what_if(panels, kept={"whatif": {"filters": filters}})
    assert "No region matches these filters." in panel.inner_text()
    panel.get_by_role("button", name="Clear").click()
    assert rows(panel) == RANKED


def test_choices_are_remembered(panels: Panels) -> None:
    kept = {"whatif": {"regions": ["PL", "SE", "no such"], "sorting": {"key": "ratio", "down": True}}}
    assert rows(what_if(panels, kept=kept)) == ["Here, France", "Poland", "Sweden"]
    # Whatever was kept, by whatever version: what is not understood is as if it were not there.
    for odd in ({"whatif": 7}, {"whatif": {"regions": 5, "filters": [], "sorting": {"key": "toString"}}}):
        assert rows(what_if(panels, kept=odd)) == RANKED


def test_the_tooltip_tells_year_source_basis_and_the_direct_figure(panels: Panels) -> None:
    panel = what_if(panels)
    quebec = panel.get_by_role("row", name=re.compile("^Quebec"))
    quebec.focus()
    tip = panel.get_by_role("tooltip")
    expect(tip).to_be_visible()
    assert quebec.get_attribute("aria-describedby") == tip.get_attribute("id")
    told = plain(tip.inner_text())
    assert "CA-QC" in told
    assert "28 g CO₂e/kWh (16–40), life cycle" in told
    assert "for the same 41 Wh" in told
    assert "Published direct figure: 2.6 g/kWh (Environment Canada, 2024); combustion only, not comparable." in told
    quebec.press("Escape")
    expect(tip).to_be_hidden()
    panel.get_by_role("row", name=re.compile("^AWS eu-north-1")).hover()
    assert "PUE 1.10 (2024)" in plain(tip.inner_text())


def test_the_energy_of_one_cell_can_be_compared(panels: Panels) -> None:
    panel = what_if(panels)
    energy = panel.get_by_role("combobox", name="Energy to compare")
    energy.select_option("[9] search = RandomizedSearchCV(clf, space, n_iter=40)")
    india = panel.get_by_role("row", name=re.compile("^India"))
    # 18 Wh at 671 g/kWh.
    assert india.locator(".cbm-Row-mass").inner_text() == "12"
    panels.do("(panel, { fixtures }) => panel.send(fixtures.tick())")
    assert india.locator(".cbm-Row-mass").inner_text() == "12"


def test_all_of_it_works_after_the_kernel_has_died(panels: Panels) -> None:
    panel = what_if(panels, "dead")
    assert rows(panel) == RANKED
    panel.get_by_role("combobox", name="Provider").select_option("Azure")
    assert len(rows(panel)) == 31


def test_without_energy_there_are_intensities_only(panels: Panels) -> None:
    panel = what_if(panels, "first")
    assert "g/kWh only, no grams yet" in panel.inner_text()
    assert set(texts(panel.locator(".cbm-Row-mass"))) == {"–"}
    assert rows(panel) == RANKED


def test_without_a_region_the_worlds_average_stands_in_and_says_so(panels: Panels) -> None:
    panel = what_if(panels, "unknown")
    assert rows(panel)[0] == "Here unknown, World average"
    assert "times the world’s average" in (
        panel.get_by_role("row", name=re.compile("^India")).get_attribute("aria-label") or ""
    )
    expect(panel.get_by_role("checkbox", name="Near here")).to_be_disabled()


def test_the_users_own_rows_are_listed_and_are_text(panels: Panels) -> None:
    panel = what_if(panels, "hostile")
    panel.get_by_role("combobox", name="Search regions by name or id", exact=True).fill("onerror")
    assert "<img src=x onerror=" in panel.get_by_role("option").first.inner_text()
    panel.get_by_role("row", name=re.compile("^Here")).hover()
    assert "<img src=x onerror=" in panel.get_by_role("tooltip").inner_text()
    assert panels.page.evaluate("window.hacked") is None
