"""The figures under cells stay with what ran, whatever is done to the notebook."""

from __future__ import annotations

import re

import nbformat
from browser.lab_server import Lab, Server
from playwright.sync_api import expect

KEPT = "window.jupyterapp.shell.currentWidget.content.widgets[0].model.getMetadata('carbon_magic')"
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
    with lab.setting("badges", "On, kept in the file", "On"):
        # What is known already goes into the file at once.
        lab.until("() => window.jupyterapp.shell.currentWidget.context.model.dirty")
        lab.run(0)
        lab.until(f"() => {KEPT}?.execution_count === 2")
        lab.command("docmanager:save")
        lab.until(saved)
        kept = nbformat.read(server.root / name, 4).cells[0].metadata["carbon_magic"]
        assert kept["energy_j"][1] > 0
        assert set(kept) >= {"cell_id", "execution_count", "emissions_g"}
        lab.open(name)
        expect(lab.badge(0)).to_have_text(re.compile("Wh"))
        lab.until(saved)  # to look at it is no change
        server.end_kernels()
        lab.open(name)
        expect(lab.badge(0)).to_have_text(re.compile("Wh"))
    # Switched off, nothing of it stays in the notebook.
    lab.until(f"() => !{KEPT}")
    lab.command("docmanager:save")
    lab.until(saved)
    assert "carbon_magic" not in nbformat.read(server.root / name, 4).cells[0].metadata


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


def test_what_ran_untracked_is_said_once_there_is_tracking(lab: Lab, server: Server) -> None:
    name = server.notebook("untracked.ipynb", ["a = 1\na", "b = 2\nb", "c = 3"])
    lab.open(name)
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible()
    lab.run(0)
    expect(lab.book.locator(".jp-OutputArea-output").first).to_be_visible()
    expect(lab.page.locator(".cbm-Badge")).to_have_count(0)  # nobody asked
    lab.start()
    expect(lab.badge(0)).to_have_text("not tracked")
    lab.run(1)
    expect(lab.badge(1)).to_contain_text("Wh")
    lab.command("carbon-magic:stop")
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible()
    lab.run(1)
    expect(lab.badge(1)).to_have_text("not tracked")
    lab.shoot("15-not-tracked")
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_contain_text("Wh")
    # A page that is loaded anew still knows; and what is edited there.
    lab.command("docmanager:save")
    lab.until("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    lab.open(name)
    expect(lab.badge(0)).to_contain_text("Wh")
    expect(lab.badge(1)).to_have_text("not tracked")
    lab.book.locator(".jp-CodeCell").nth(0).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.type("  # later")
    expect(lab.badge(0)).to_contain_text("edited since")
    for _ in range(len("  # later")):
        lab.page.keyboard.press("Backspace")
    expect(lab.badge(0)).not_to_contain_text("edited since")
    # In a new kernel the first cell has its number again, and is another execution.
    lab.page.evaluate("() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible()
    expect(lab.badge(0)).to_contain_text("Wh")  # what it cost is still known
    lab.run(0)
    expect(lab.badge(0)).to_have_text("not tracked")


def test_halves_of_a_split_cell_and_a_merged_one_have_no_figure_of_another(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("split.ipynb", ["a = 1\na", "b = 2\nb"]))
    lab.start()
    for index in range(2):
        lab.run(index)
        expect(lab.badge(index)).to_contain_text("Wh")
    lab.book.locator(".jp-CodeCell").nth(0).locator(".jp-InputArea-editor").click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.press("Home")
    lab.command("notebook:split-cell-at-cursor")
    cells = lab.book.locator(".jp-CodeCell")
    expect(cells).to_have_count(3)
    # The output stays with the second half, and so does what it cost, of a cell that was another.
    expect(lab.badge(1)).to_contain_text("edited since")
    expect(lab.badge(0)).to_have_count(0)
    lab.page.keyboard.press("Escape")
    lab.command("notebook:undo-cell-action")
    expect(cells).to_have_count(2)
    expect(lab.badge(0)).to_contain_text("Wh")
    expect(lab.badge(0)).not_to_contain_text("edited since")
    lab.command("notebook:merge-cell-below")
    expect(cells).to_have_count(1)
    expect(lab.badge(0)).to_have_count(0)
    lab.command("notebook:undo-cell-action")
    expect(cells).to_have_count(2)
    for index in range(2):
        expect(lab.badge(index)).to_contain_text("Wh")
        expect(lab.badge(index)).not_to_contain_text("edited since")


def test_commands_turn_figures_and_tint_on_and_off(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("commands.ipynb", ["sum(range(60_000_000))"]))
    lab.start()
    lab.run(0)
    badge = lab.book.get_by_role("note", name=re.compile("Wh · .* of session"))
    expect(badge).to_have_attribute("data-heat", "0")
    lab.command("apputils:activate-command-palette")
    palette = lab.page.get_by_role("dialog").or_(lab.page.locator(".jp-ModalCommandPalette")).first
    lab.page.keyboard.type("carbon")
    for label in ("Show the Carbon Panel", "Stop Tracking Energy in This Kernel", "Carbon Settings…"):
        expect(palette.get_by_text(label, exact=True)).to_be_visible()
    palette.get_by_text("Tint Cells by Their Share of the Session").click()
    try:
        expect(badge).to_have_attribute("data-heat", re.compile("[123]"))
        lab.shoot("16-tint")
        lab.command("carbon-magic:toggle-badges")
        expect(lab.badge(0)).to_have_count(0)
    finally:
        lab.page.evaluate("() => window.jupyterapp.commands.execute('carbon-magic:toggle-badges')")
        lab.page.evaluate("() => window.jupyterapp.commands.execute('carbon-magic:toggle-tint')")
    expect(badge).to_have_attribute("data-heat", "0")
    item = lab.page.get_by_role("button", name=re.compile("^Carbon: .*W"))
    expect(item).to_have_attribute("title", re.compile(r"Wh \(.*–.*\)\s.*CO₂e \(.*–.*\)", re.DOTALL))
    lab.command("application:toggle-right-area")
    expect(lab.panel).to_be_hidden()
    item.click()
    expect(lab.panel).to_be_visible()
