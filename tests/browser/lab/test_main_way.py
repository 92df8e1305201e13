"""The main way through JupyterLab, as a person goes it."""

from __future__ import annotations

import re

from browser.lab_server import Lab, Server
from browser.views_page import plain
from playwright.sync_api import expect

BUSY = "import time\nend = time.time() + {s}\nwhile time.time() < end:\n    sum(range(1000))"
MOVED = "([was]) => document.querySelector('#carbon-magic-sidebar .cbm-Figure').getAttribute('aria-label') !== was"


def test_one_click_starts_and_what_is_seen_is_live_while_a_cell_runs(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("main.ipynb", [BUSY.format(s=9), "1 + 1"]))
    expect(lab.panel.get_by_role("heading", name="Tracking is off in this kernel")).to_be_visible(timeout=30_000)
    lab.shoot("1-off")
    lab.start()
    # Nothing has run: the figures of the first seconds come all the same.
    lab.until(MOVED, "Energy: not yet known")
    # What widgets say while they are drawn makes a kernel seem idle: here it is the panel that is looked at.
    expect(lab.panel.locator(".cbm-Chart-figure").first).to_be_visible(timeout=30_000)
    lab.page.wait_for_timeout(2000)
    lab.run(0)
    expect(lab.panel.get_by_role("group", name=re.compile("^Cell 1 is running"))).to_be_visible()
    lab.until(MOVED, lab.energy(), timeout_ms=4000)
    expect(lab.badge(0)).to_contain_text("running")

    lab.panel.get_by_role("button", name=re.compile("What if elsewhere")).click()
    search = lab.panel.get_by_role("combobox", name="Search regions by name or id")
    search.fill("norway")
    search.press("Enter")
    expect(lab.panel.get_by_text("Norway")).to_be_visible(timeout=1000)
    lab.panel.get_by_role("button", name="Change", exact=True).click()
    lab.panel.get_by_role("combobox", name="Search the region of this kernel by name or id").fill("poland")
    lab.page.keyboard.press("Enter")
    # The region's message goes past the cell that runs.
    expect(lab.panel.locator(".cbm-Totals")).to_contain_text("Poland", timeout=3000)
    expect(lab.badge(0)).to_contain_text("running")
    # Neither for JupyterLab nor for the server that would end an idle kernel is it idle by what the panel says to it.
    assert [kernel["execution_state"] for kernel in server.get("/api/kernels")] == ["busy"]
    expect(lab.page.get_by_text("Python 3 (ipykernel) | Busy")).to_be_visible(timeout=1000)
    lab.shoot("2-running")

    expect(lab.badge(0)).not_to_contain_text("running", timeout=15_000)
    assert re.search(r"\d m?Wh · .*g · (8\.\d|9|10)", plain(lab.badge(0).inner_text()))
    lab.run(1)
    expect(lab.badge(1)).to_be_visible()
    expect(lab.page.get_by_role("button", name=re.compile(r"^Carbon: .*W · .*g"))).to_be_visible()
    lab.panel.get_by_role("button", name=re.compile(r"^Cell \[1\]: ")).first.click()
    expect(lab.book.locator(".jp-Cell").nth(0)).to_have_class(re.compile("jp-mod-active"))
    lab.shoot("3-after")


def test_a_page_loaded_anew_in_the_middle_of_a_cell_is_live_at_once(lab: Lab, server: Server) -> None:
    name = server.notebook("reload.ipynb", ["6 * 7", BUSY.format(s=120)])
    lab.open(name)
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_be_visible()
    lab.page.keyboard.press("Control+s")
    lab.run(1)
    expect(lab.badge(1)).to_contain_text("running")
    lab.open(name, ready=False)
    expect(lab.panel.get_by_role("group", name=re.compile("^Cell 2 is running"))).to_be_visible(timeout=12_000)
    lab.until(MOVED, lab.energy(), timeout_ms=4000)
    expect(lab.badge(1)).to_contain_text("running")
    # The first cell's figure came with the history, before the second has ended.
    expect(lab.badge(0)).to_contain_text("Wh")
    assert [kernel["execution_state"] for kernel in server.get("/api/kernels")] == ["busy"]
    lab.shoot("4-reloaded")


def test_a_restart_forgets_and_can_be_started_again(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("restart.ipynb", ["1 + 1"]))
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_be_visible()
    lab.page.evaluate("() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible(timeout=20_000)
    lab.shoot("5-restarted")
    lab.start()
    lab.run(0)
    expect(lab.panel.get_by_role("button", name=re.compile(r"^Cell \[1\]: ")).first).to_be_visible()


def test_loading_in_a_cell_needs_no_click_and_notebooks_are_told_apart(lab: Lab, server: Server) -> None:
    second = server.notebook("second.ipynb", ["2"])
    lab.open(server.notebook("first.ipynb", ["%load_ext carbon_magic", "1"]))
    lab.run(0)
    expect(lab.panel.get_by_role("group", name=re.compile("^Energy: "))).to_be_visible(timeout=20_000)
    lab.command("docmanager:open", path=second)
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible(timeout=20_000)
    expect(lab.panel.locator(".cbm-Header-name")).to_have_text("second.ipynb")
    lab.shoot("6-second-notebook")
    lab.page.get_by_role("tab", name=re.compile("first.ipynb")).first.click()
    expect(lab.panel.locator(".cbm-Header-name")).to_have_text("first.ipynb")
    expect(lab.panel.get_by_role("group", name=re.compile("^Energy: "))).to_be_visible()
    # Another window on the same kernel finds the same session.
    browser = lab.page.context.browser
    assert browser is not None
    other = Lab(browser.new_page(), server)
    other.open("first.ipynb")
    expect(other.panel.get_by_role("group", name=re.compile("^Energy: "))).to_be_visible(timeout=20_000)
    other.run(1)
    expect(other.badge(1)).to_be_visible()
    other.page.close()
    assert other.errors == []


def test_the_chart_opens_after_cells_that_were_run_together(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("all.ipynb", ["%load_ext carbon_magic", "import time\ntime.sleep(2)", "1"]))
    lab.command("runmenu:run-all")
    expect(lab.badge(2)).to_be_visible()
    expect(lab.panel.locator(".cbm-Chart-figure svg").first).to_be_visible()


def test_a_kernel_that_died_in_mid_cell_is_said_to_have_died_until_the_next_cell(lab: Lab, server: Server) -> None:
    kill = "import os, time\ntime.sleep(3)\nos.kill(os.getpid(), 9)"
    lab.open(server.notebook("died.ipynb", [kill, "1 + 1"]))
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_contain_text("running")
    lab.page.get_by_role("dialog").get_by_role("button", name=re.compile("ok", re.IGNORECASE)).click()
    expect(lab.page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    expect(lab.panel.get_by_role("heading", name=re.compile(r"^The kernel died at \d"))).to_be_visible()
    expect(lab.badge(0)).to_have_count(0)  # it runs no longer
    lab.page.wait_for_timeout(1000)
    expect(lab.panel.get_by_text(re.compile("^Up to then: .*Its records are kept"))).to_be_visible()
    lab.shoot("17-died")
    lab.run(1)
    expect(lab.panel.get_by_role("button", name="Start tracking")).to_be_visible()


def test_what_is_said_of_another_session_costs_the_panel_nothing(lab: Lab, server: Server) -> None:
    forge = (
        "import comm\n[link] = [c for c in comm.get_comm_manager().comms.values() if c.target_name == 'carbon_magic']\n"
        "link.send({'type': 'tick', 'session_id': 'forged', 'totals': {'energy_j': [1e9, 1e9, 1e9]}})"
    )
    lab.open(server.notebook("forged.ipynb", ["1 + 1", forge]))
    lab.start()
    lab.run(0)
    expect(lab.badge(0)).to_contain_text("Wh")
    lab.run(1)
    expect(lab.badge(1)).to_contain_text("Wh")
    expect(lab.panel.get_by_role("button", name=re.compile(r"^Cell \[1\]: "))).to_be_visible()
    expect(lab.panel.locator(".cbm-Totals")).to_contain_text("France")
