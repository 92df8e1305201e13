"""Totals, sections and cells: what people see and hear, and that ticks disturb nothing."""

from __future__ import annotations

import re

import pytest
from browser.views_page import Panels, plain, texts
from playwright.sync_api import expect

ALL = ["power", "cells", "whatif", "sources"]


def test_the_first_second_shows_no_zero(panels: Panels) -> None:
    panel = panels.show("first", open=["cells"])
    assert panel.get_by_role("group", name="Energy: not yet known").is_visible()
    shown = plain(panel.inner_text())
    assert "first figures in a second" in shown
    assert "– Wh" in shown.replace("–Wh", "– Wh")
    assert "No cell has run since tracking began." in shown
    assert not re.search(r"\b0 ?(Wh|g|W)\b", shown)


def test_totals_say_range_and_provenance(panels: Panels) -> None:
    panel = panels.show("example", open=[])
    assert panel.get_by_role("group", name="Energy: 41.3 watt-hours, between 34 and 52").is_visible()
    assert panel.get_by_role("group", name="Emissions: 1.7 grams of CO2 equivalent, between 1.3 and 3.4").is_visible()
    assert panel.get_by_role(
        "group", name="Cell 12 is running: 2 minutes 14 seconds, 6.9 watt-hours so far"
    ).is_visible()
    assert "From the time zone Europe/Paris" in panel.inner_text()
    assert panel.locator(".cbm-assumed", has_text="France").get_attribute("title") == "Assumed: from the time zone"


def test_the_unit_of_energy_changes_at_once(panels: Panels) -> None:
    panel = panels.show("example", open=["cells"])
    panels.do("(shown) => { shown.host.unit = 'J'; shown.change({}); }")
    label = panel.locator(".cbm-Figure").first.get_attribute("aria-label")
    assert label == "Energy: 0.15 megajoules, between 0.12 and 0.19"
    expect(panel.get_by_role("group", name=re.compile("^Cell 12 is running: .*, 25 kilojoules so far"))).to_be_visible()
    assert not re.search(r"\d [mk]?Wh", plain(panel.inner_text()))
    panels.do("(shown) => { shown.host.unit = 'Wh'; shown.change({}); }")
    expect(panel.get_by_role("group", name="Energy: 41.3 watt-hours, between 34 and 52")).to_be_visible()


@pytest.mark.parametrize("fixture", ["example", "unknown"])
@pytest.mark.parametrize("width", [250, 290, 600])
def test_the_answer_in_a_closed_heading_is_never_cut(panels: Panels, fixture: str, width: int) -> None:
    panel = panels.show(fixture, open=[], width=width)
    for heading in panel.get_by_role("heading", level=3).all():
        fits = "(node) => [node.scrollWidth <= node.clientWidth, node.offsetHeight]"
        assert heading.locator(".cbm-Section-aside").evaluate(fits)[0], heading.inner_text()
        assert heading.evaluate(fits)[1] == 32


def test_without_a_region_the_range_alone_is_the_headline(panels: Panels) -> None:
    panel = panels.show("unknown", open=["sources"])
    label = "Emissions: somewhere between 0.05 and 5.9 grams; the region is unknown"
    emissions = panel.get_by_role("group", name=label)
    assert emissions.locator(".cbm-Figure-value").evaluate("(node) => getComputedStyle(node).fontWeight") == "400"
    assert panel.get_by_role("group", name="Energy: 3.9 watt-hours, modelled, between 1.5 and 7.2").is_visible()
    shown = plain(panel.inner_text())
    assert "Region unknown" in shown
    assert "Time zone UTC. Grids of the world: 37–814 g/kWh" in shown


def test_the_region_is_changed_by_searching(panels: Panels) -> None:
    panel = panels.show("example", open=[])
    change = panel.get_by_role("button", name="Change")
    change.click()
    box = panel.get_by_role("combobox", name="Search the region of this kernel by name or id")
    expect(box).to_be_focused()
    box.fill("germ")
    box.press("Enter")
    assert panels.do("(panel) => panel.calls") == [["setRegion", "DE"]]
    expect(change).to_be_focused()
    expect(change).to_have_attribute("aria-expanded", "false")


def test_the_focus_survives_twenty_ticks_and_nothing_is_built_anew(panels: Panels) -> None:
    panel = panels.show("example", open=ALL)
    row = panel.get_by_role("row", name=re.compile("^Poland"))
    row.focus()
    panels.do("(panel) => { panel.seen = [...panel.box.querySelectorAll('.cbm-Panel *')].length; }")
    for count in range(20):
        panels.do(
            """(panel, { fixtures }, count) => {
              const total = fixtures.totals(41.3 + count, {power_w: 100 + count});
              panel.send(fixtures.tick({totals: total, running: [fixtures.running({duration_s: 134 + count})]}));
            }""",
            count,
        )
    expect(row).to_be_focused()
    assert panel.get_by_role("group", name=re.compile("^Energy: 60.3 watt-hours")).is_visible()
    assert "2:33" in panel.inner_text()


def test_ticks_move_nothing(panels: Panels) -> None:
    panel = panels.show("example", open=ALL)
    places = """(panel) => [...panel.box.querySelectorAll('.cbm-Figure, .cbm-Stats, .cbm-Line, .cbm-Section')]
      .map((node) => JSON.stringify(node.getBoundingClientRect()))"""
    before = panels.do(places)
    panels.do(
        """(panel, { fixtures: { running, tick, totals } }) =>
          panel.send(tick({totals: totals(999, {power_w: 9}), running: [running({duration_s: 3599})]}))"""
    )
    assert panels.do(places) == before
    assert panel.is_visible()


def test_a_hidden_section_is_drawn_when_it_opens(panels: Panels) -> None:
    panel = panels.show("example", open=[])
    panels.do("(panel, { fixtures }) => panel.send(fixtures.record(fixtures.cell(13, 20)))")
    panel.get_by_role("button", name=re.compile("^Cells")).click()
    expect(panel.get_by_role("button", name=re.compile(r"^Cell \[13\]"))).to_be_visible()


def test_sections_keep_their_answer_when_closed_and_are_remembered(panels: Panels) -> None:
    panel = panels.show("example", open=["cells"])
    names = texts(panel.get_by_role("heading", level=3))
    assert names == [
        "POWER\n186 W now",
        "CELLS\n12, highest first",
        "WHAT IF ELSEWHERE\n0.68× to 16×",
        "SOURCES\n91 % measured",
    ]
    sources = panel.get_by_role("button", name=re.compile("^Sources"))
    expect(sources).to_have_attribute("aria-expanded", "false")
    sources.press("Enter")
    expect(sources).to_have_attribute("aria-expanded", "true")
    assert panels.do("(panel) => panel.memory.get('open.sources')") is True


def test_the_small_chart_gives_way_to_the_hosts_own(panels: Panels) -> None:
    panel = panels.show("example", open=["power"], chart=True)
    small = panel.get_by_role("img", name=re.compile("^Power, last 5 minutes, stacked: memory, CPU, GPU. Now 186 W."))
    expect(small).to_be_visible()
    panels.do("(panel) => { panel.chart.append(document.createElement('canvas')); panel.change({}); }")
    expect(small).to_be_hidden()


def test_cells_by_energy_and_a_click_goes_there(panels: Panels) -> None:
    panel = panels.show("example", open=["cells"])
    names = [name.get_attribute("aria-label") for name in panel.locator(".cbm-Cells button").all()]
    assert names[0] == (
        "Running cell [12]: model.fit(train_ds, epochs=40, validation_data=val_ds), "
        "6.9 Wh, 17\u00a0% of the session. Go to cell."
    )
    assert [name.split(":")[0] for name in names if name] == [
        "Running cell [12]",
        "Cell [9]",
        "Cell [7]",
        "Cell [10]",
        "Cell [5]",
    ]
    shown = plain(panel.inner_text())
    assert re.search(r"7 more cells\s+0.48 Wh", shown)
    assert re.search(r"Between cells\s+9.8 Wh", shown)
    panel.get_by_role("button", name=re.compile(r"^Cell \[9\]")).click()
    assert panels.do("(panel) => panel.calls") == [["reveal", "record-9"]]


def test_cells_that_ran_at_once_are_not_added_up(panels: Panels) -> None:
    panel = panels.show("example", open=["cells"])
    panels.do("(panel, { fixtures }) => panel.send(fixtures.record(fixtures.cell(20, 0.01, {concurrent: true})))")
    assert re.search(r"8 more cells\s+–", plain(panel.inner_text()))


@pytest.mark.parametrize(("state", "count"), [("many", 500), ("thousands", 5000)])
def test_a_long_list_draws_only_what_is_seen(panels: Panels, state: str, count: int) -> None:
    panel = panels.show(state, open=["cells"])
    panel.get_by_role("button", name=re.compile("^Show all")).click()
    listed = panel.locator(".cbm-Cells-all li")
    assert 8 <= listed.count() <= 20
    first = listed.first
    assert first.get_attribute("aria-posinset") == "1"
    assert first.get_attribute("aria-setsize") == str(count)
    scroller = panel.get_by_role("group", name="All cells, highest first")
    assert scroller.evaluate("(node) => node.scrollHeight") == count * 32
    scroller.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(panel.locator(f".cbm-Cells-all li[aria-posinset='{count}']")).to_be_visible()
    assert listed.count() <= 20
    panel.locator(f".cbm-Cells-all li[aria-posinset='{count}'] button").focus()
    panels.do("(panel, { fixtures }) => panel.send(fixtures.tick({totals: fixtures.totals(501)}))")
    expect(panel.locator(f".cbm-Cells-all li[aria-posinset='{count}'] button")).to_be_focused()
    panel.get_by_role("button", name="Show fewer").click()
    assert panel.locator(".cbm-Cells:not(.cbm-Cells-all) li").count() == 7


def test_a_page_that_came_late_knows_only_some_of_the_cells(panels: Panels) -> None:
    panel = panels.show("first", open=["cells"])
    panels.do(
        """(panel, { fixtures: { history, cell } }) =>
          panel.send(history([1, 2, 3, 4, 5, 6].map((at) => cell(at, at)), {count: 900, cells_energy_j: 7.2e6}))"""
    )
    shown = plain(panel.inner_text())
    assert re.search(r"896 more cells\s+2.0 kWh", shown)
    expect(panel.get_by_role("button", name="Show 6 of 900")).to_be_visible()
