"""`%carbon panel` in a notebook of a real JupyterLab: one panel, with the live chart in its section."""

from __future__ import annotations

import re

from browser.lab_server import Lab, Server
from playwright.sync_api import Locator, expect

WORK_S = 12
CELLS = [
    "%load_ext carbon_magic",
    "%carbon panel",
    f"import time\nbegan = time.time()\nwhile time.time() < began + {WORK_S}:\n    sum(range(10_000))",
]
HOSTILE = "<img src=x onerror=document.title='owned'>"
NARROW_PX, WIDE_PX = 300, 600
MARGIN_PX = 38
DRAWN = "([px]) => document.querySelector('.cbm-Chart-figure .plotarea_events').getAttribute('height') === String(px)"
UNKNOWN_TARGET = "Exception opening new comm"
"""What JupyterLab says where the sidebar, which knows the comm, is not installed; the panel needs it not."""


def shoot(lab: Lab, panel: Locator) -> None:
    """The panel at two widths, light and dark; the chart is taller where there is room."""
    figure = panel.locator(".cbm-Chart-figure")
    for dark in (False, True):
        lab.command("apputils:change-theme", theme=f"JupyterLab {'Dark' if dark else 'Light'}")
        expect(lab.page.locator(f"body[data-jp-theme-light='{str(not dark).lower()}']")).to_have_count(1)
        for width, height in ((NARROW_PX, 150), (WIDE_PX, 190)):
            panel.evaluate("(node, width) => { node.parentElement.style.width = `${width}px`; }", width)
            expect(figure).to_have_css("height", f"{height}px")
            lab.until(DRAWN, height - MARGIN_PX)
            panel.scroll_into_view_if_needed()
            lab.shoot(f"inline-{width}-{'dark' if dark else 'light'}")


def test_the_inline_panel_draws_its_chart_while_a_cell_runs(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("inline.ipynb", CELLS), panel=False)
    lab.run(0)
    lab.run(1)
    panel = lab.book.locator(".cbm-Panel")
    expect(panel).to_have_count(1, timeout=30_000)
    plot = panel.get_by_role("img", name=re.compile("^Power"))
    expect(plot).to_have_count(1)  # the small chart has made room
    expect(panel.locator(".cbm-Chart-figure svg").first).to_be_visible()

    lab.run(2)
    expect(panel.get_by_text("[3] running")).to_be_visible()
    drawn = panel.locator(".cbm-Chart-figure path.area[d]").first
    before = drawn.get_attribute("d")
    lab.until(
        "([before]) => document.querySelector('.cbm-Chart-figure path.area[d]').getAttribute('d') !== before", before
    )
    span = panel.get_by_role("group", name="Time shown").get_by_role("button", name="1 min", exact=True)
    span.click()
    expect(span).to_have_attribute("aria-pressed", "true")
    expect(panel.locator(".cbm-Chart-figure").get_by_text("−40\u00a0s")).to_be_visible()
    expect(panel.get_by_text("[3] running")).to_be_visible()  # all of this while the kernel is busy

    plot.focus()
    for key in ("End", "ArrowLeft", "Shift+ArrowLeft"):
        lab.page.keyboard.press(key)
    expect(panel.locator(".cbm-Chart-when")).to_have_text(re.compile(r"\d:\d\d:\d\d"))
    lab.page.keyboard.press("Home")
    expect(panel.locator(".cbm-Chart-cursor")).to_have_css("left", "0px")
    panel.get_by_role("button", name="Show as table").click()
    expect(panel.get_by_role("table", name="Mean power up to each time").get_by_role("row")).to_have_count(21)
    panel.get_by_role("button", name="Show as table").click()
    shoot(lab, panel)
    if not lab.page.evaluate("window.jupyterapp.commands.hasCommand('carbon-magic:open')"):
        lab.errors = [text for text in lab.errors if UNKNOWN_TARGET not in text]


def test_an_inline_panel_names_the_cells_and_stays_when_its_kernel_is_gone(lab: Lab, server: Server) -> None:
    kill = "import os\nos.kill(os.getpid(), 9)"
    lab.open(server.notebook("gone.ipynb", [*CELLS[:2], f'"{HOSTILE}"', kill]), panel=False)
    for index in range(3):
        lab.run(index)
    panel = lab.book.locator(".cbm-Panel")
    # What ran is named by the kernel's memory, and stays text.
    expect(panel.get_by_role("group", name=re.compile(rf'^Cell \[3\]: "{re.escape(HOSTILE)}"'))).to_be_visible()
    assert panel.locator("img").count() == 0
    assert lab.page.title() != "owned"
    expect(panel.get_by_text("Paused while the kernel is idle.")).to_be_visible(timeout=30_000)
    lab.run(3)
    expect(panel.get_by_role("heading", name=re.compile(r"^The kernel died at \d"))).to_be_visible()
    expect(panel.get_by_text(re.compile("^Up to then: "))).to_be_visible()
    lab.page.get_by_role("button", name="Ok").click()
    expect(panel.get_by_role("button", name="Restart kernel")).to_have_count(0)  # not from here
    panel.get_by_role("button", name=re.compile("^What if elsewhere")).click()
    search = panel.get_by_role("combobox", name="Search regions by name or id")
    search.fill("norway")
    search.press("Enter")
    expect(panel.get_by_role("row", name=re.compile("^Norway"))).to_be_visible(timeout=1000)
    lab.shoot("inline-dead")

    for index in range(2):
        lab.run(index)
    expect(panel.get_by_role("heading", name="Power")).to_be_visible()
    lab.page.evaluate("() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(panel.get_by_role("heading", name=re.compile(r"^This session ended at \d"))).to_be_visible()
    lab.until("() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'")
