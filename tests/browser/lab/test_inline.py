"""`%carbon panel` in a notebook of a real JupyterLab: one panel, with the live chart in its section."""

from __future__ import annotations

import re

from browser.lab_server import Lab, Server
from playwright.sync_api import Locator, expect

CELLS = [
    "%load_ext carbon_magic",
    "%carbon panel",
    "import time\nbegan = time.time()\nwhile time.time() < began + 12:\n    sum(range(10_000))",
]
NARROW_PX, WIDE_PX = 300, 600
BOTTOM_PX = 12
"""Seconds of the work; a chart that is filled while the cell runs shows it long before its end."""


def shoot(lab: Lab, panel: Locator, name: str) -> None:
    """The panel at both widths, light and dark."""
    for dark in (False, True):
        lab.command("apputils:change-theme", theme=f"JupyterLab {'Dark' if dark else 'Light'}")
        expect(lab.page.locator(f"body[data-jp-theme-light='{str(not dark).lower()}']")).to_have_count(1)
        for width in (NARROW_PX, WIDE_PX):
            panel.evaluate("(node, width) => { node.parentElement.style.width = `${width}px`; }", width)
            lab.page.wait_for_timeout(1500)
            panel.screenshot(path=f"/tmp/shots-comm/{name}-{width}-{'dark' if dark else 'light'}.png")


def test_look(lab: Lab, server: Server) -> None:
    lab.open(server.notebook("inline.ipynb", CELLS), panel=False)
    lab.run(0)
    lab.run(1)
    panel = lab.book.locator(".cbm-Panel")
    expect(panel).to_have_count(1, timeout=30_000)
    lab.run(2)
    lab.page.wait_for_timeout(6000)
    shoot(lab, panel, "look")
    print(lab.errors)
