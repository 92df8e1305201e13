"""The figures under cells stay with what ran, whatever is done to the notebook."""

from __future__ import annotations

import re

import nbformat
from browser.lab_server import Lab, Server
from playwright.sync_api import expect

JOULES = re.compile(r"\d\s[µmk]?J")


def test_figures_follow_their_cells(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("badges.ipynb", ["a = 1\na", "b = 2\nb", "c = 3"]))
    lab.start()
    for index in range(2):
        lab.run(index)
        expect(lab.badge(index)).to_contain_text("Wh", timeout=10_000)

    def shown() -> list[bool]:
        cells = lab.book.locator(".jp-CodeCell")
        lab.page.wait_for_timeout(300)
        return [cells.nth(at).locator(".cbm-Badge").count() == 1 for at in range(cells.count())]

    lab.run(0)
    lab.command("notebook:move-cell-down")
    lab.page.wait_for_timeout(500)
    assert shown() == [True, True, False]
    assert "a = 1" in lab.book.locator(".jp-CodeCell").nth(1).inner_text()

    lab.command("notebook:duplicate-below")
    assert shown() == [True, True, False, False]
    lab.command("notebook:delete-cell")
    assert shown() == [True, True, False]

    lab.book.locator(".jp-CodeCell").nth(1).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.press("Escape")
    lab.command("notebook:delete-cell")
    assert shown() == [True, False]
    lab.command("notebook:undo-cell-action")
    assert shown() == [True, True, False]

    lab.book.locator(".jp-CodeCell").nth(1).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.type("# later")
    expect(lab.badge(1)).to_contain_text("edited since")
    lab.shoot("10-badges")
    lab.page.keyboard.press("Escape")
    lab.command("notebook:clear-cell-output")
    assert shown() == [True, False, False]


def test_figures_are_kept_in_the_notebook_only_if_asked_for(lab: Lab, server: Server) -> None:
    name = server.notebook("kept.ipynb", ["1 + 1"])
    lab.open(name)
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_contain_text("Wh")
    lab.command("docmanager:save")
    saved = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
    lab.until(saved)
    assert "carbon_magic" not in nbformat.read(server.root / name, 4).cells[0].metadata
    lab.page.evaluate(
        """async () => {
          const plugin = 'carbon-magic:plugin';
          await window.jupyterapp.serviceManager.settings.save(plugin, JSON.stringify({ badges: 'file' }));
        }"""
    )
    try:
        lab.open(name)
        lab.run(0)
        expect(lab.badge(0)).to_contain_text("Wh")
        lab.command("docmanager:save")
        lab.until(saved)
        kept = nbformat.read(server.root / name, 4).cells[0].metadata["carbon_magic"]
        assert kept["energy_j"][1] > 0
        assert set(kept) >= {"cell_id", "execution_count", "emissions_g"}
        server.end_kernels()
        lab.open(name)
        expect(lab.badge(0)).to_have_text(re.compile("Wh"))
    finally:
        lab.page.evaluate("() => window.jupyterapp.serviceManager.settings.save('carbon-magic:plugin', '{}')")


def test_the_unit_of_energy_is_the_readers_and_changes_at_once(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("unit.ipynb", ["sum(range(10_000_000))"]))
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_contain_text("Wh")
    with lab.setting("unit", "Joules", "Automatic: mWh, Wh, kWh"):
        expect(lab.badge(0)).to_contain_text(JOULES)
        expect(lab.panel.get_by_role("group", name=re.compile(r"^Energy: .*joules"))).to_be_visible()
        expect(lab.panel.get_by_role("button", name=re.compile(rf"^Cell \[1\]: .*{JOULES.pattern}"))).to_be_visible()
        item = lab.page.get_by_role("button", name=re.compile("^Carbon: "))
        expect(item).to_have_attribute("title", re.compile(rf"{JOULES.pattern} \("))
        lab.shoot("14-joules")
    expect(lab.badge(0)).to_contain_text("Wh")
