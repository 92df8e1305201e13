"""Every state of the panel, at every width, light and dark: its words, its one action, and that it fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.views_page import SCREENSHOTS, Panels, plain
from playwright.sync_api import expect

WIDTHS = (250, 280, 300, 440, 600)
FACES = ["none", "language", "off", "looking", "starting", "refused", "missing", "dead", "ended", "lost", "versions"]
TRACKING = [
    *["example", "paused", "partial", "problem", "first", "oneCell"],
    *["unknown", "many", "day", "huge", "tiny", "hostile"],
]
ALL = ["power", "cells", "whatif", "sources"]
EVERYTHING = [
    *["start", "retry", "alwaysStart", "keepLive", "setRegion", "reveal", "restart", "changeKernel"],
    *["copy", "menu", "popOut", "doctor"],
]


@pytest.mark.parametrize("state", [*FACES, *TRACKING])
def test_every_state_fits_at_every_width(panels: Panels, state: str) -> None:
    kept = {f"open.{name}": True for name in ALL}
    shown = [{"fixture": state, "width": width, "kept": kept} for width in WIDTHS]
    panels.show_all(shown)
    panels.do("() => null")
    assert panels.page.evaluate("harness.looks.tooWide()") == []
    assert panels.page.evaluate("harness.looks.overlapping()") == []
    for name, dark in (("light", False), ("dark", True)) if SCREENSHOTS else ():
        panels.show_all(shown, dark=dark)
        panels.do("() => null")
        panels.page.screenshot(path=Path(SCREENSHOTS or "") / f"views-{state}-{name}.png", full_page=True)
    assert panels.page.evaluate("window.hacked") is None
    assert panels.page.locator("#stage img").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(panels: Panels, dark: bool) -> None:
    """All text has a contrast of 4.5 or more with what it stands on."""
    for state in ("example", "unknown", "off", "missing"):
        panels.show(state, dark=dark, open=ALL)
        assert panels.page.evaluate("harness.looks.hardToRead()") == []


# The words of the states, and their one action.


@pytest.mark.parametrize(
    ("state", "words", "action", "call"),
    [
        ("none", "No notebook is open", None, None),
        ("language", "This kernel runs R", "Change kernel…", "changeKernel"),
        ("off", "Cells that have already run are not counted.", "Start tracking", "start"),
        ("refused", "The folder for records is read-only.", "Try again", "retry"),
        ("missing", "carbon-magic is not in this kernel’s environment", "Copy", "copy"),
        ("dead", "Up to then: 41.3 Wh, 1.7 g CO₂e. Its records are kept.", "Restart kernel", "restart"),
        ("lost", "No word from the kernel since 14:49:02.", None, None),
        ("paused", "Paused while the kernel is idle. The next cell brings it up to date.", "Keep live", "keepLive"),
        ("partial", "Chart and cells come back when cell [12] ends. The totals above stay live.", None, None),
        ("versions", "This panel speaks protocol 1, the kernel’s carbon-magic 1.3 speaks 2.", "Copy", "copy"),
    ],
)
def test_each_state_has_its_words_and_its_one_action(
    panels: Panels, state: str, words: str, action: str | None, call: str | None
) -> None:
    panel = panels.show(state, open=[])
    assert words in plain(panel.inner_text())
    if action is None:
        return
    panel.get_by_role("button", name=action, exact=True).click()
    assert [name for name, _ in panels.do("(panel) => panel.calls")] == [call]


def test_copy_then_try_again(panels: Panels) -> None:
    panel = panels.show("missing")
    panel.get_by_role("button", name="Copy").click()
    panel.get_by_role("button", name="Try again").click()
    assert panels.do("(panel) => panel.calls") == [["copy", "%pip install carbon-magic"], ["retry", None]]


def test_what_a_host_cannot_do_is_not_offered(panels: Panels) -> None:
    panel = panels.show("example", open=ALL, without=EVERYTHING)
    for name in ("More", "Show in the notebook area", "Change", "What would give better figures"):
        expect(panel.get_by_role("button", name=name, exact=True)).to_have_count(0)
    assert panel.locator(".cbm-Cells button").count() == 0
    expect(panels.show("off", without=EVERYTHING).get_by_role("button")).to_have_count(0)


def test_the_focus_follows_from_start_to_the_figures(panels: Panels) -> None:
    panel = panels.show("off")
    panel.get_by_role("button", name="Start tracking").focus()
    panels.do("(panel) => panel.change({face: 'starting'})")
    expect(panel.get_by_role("heading", name="Starting…")).to_be_focused()
    panels.do("(panel, { fixtures }) => panel.set(fixtures.FIXTURES.first())")
    expect(panel.get_by_role("region", name="Session totals")).to_be_focused()


def test_a_word_from_the_kernel_ends_what_was_said_of_its_silence(panels: Panels) -> None:
    panel = panels.show("lost", open=[])
    panels.do("(panel, { fixtures }) => panel.send(fixtures.tick())")
    assert "14:49:02" not in panel.inner_text()
    assert panel.locator(".cbm-Notice").is_hidden()


def test_a_region_that_the_kernel_refuses_is_told_once(panels: Panels) -> None:
    panel = panels.show("example", open=[])
    panels.do("(panel) => panel.send({type: 'refused', what: 'region', why: 'No region \"XY\".'})")
    assert 'No region "XY".' in panel.inner_text()
    panels.do("(panel, { fixtures }) => panel.send(fixtures.opening())")
    assert "XY" not in panel.inner_text()


def test_the_order_of_tab(panels: Panels) -> None:
    panel = panels.show("example", open=ALL)
    panel.get_by_role("button", name="Show in the notebook area").focus()
    reached = []
    for _ in range(60):
        name = panels.page.evaluate(
            """() => {
              const node = document.activeElement;
              if (!node.closest('.cbm-Panel')) return '';
              const section = node.closest('section');
              return (section ? section.querySelector('.cbm-Section-title') : node).textContent;
            }"""
        )
        if not reached or reached[-1] != name:
            reached.append(name)
        panels.page.keyboard.press("Tab")
    assert reached[:7] == ["", "Change", "Power", "Cells", "What if elsewhere", "Sources", ""]
