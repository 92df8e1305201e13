"""Opens the quickstart in the JupyterLab of an environment, runs it from top to bottom, and looks at the panel.

Run by `make binder-check`, with the interpreter of the environment that binder/postBuild has filled. Chromium and what
drives it are this interpreter's.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab_server import Lab, serving  # noqa: E402 - of the tests, which are no package
from browser.views_page import CHROMIUM, LAUNCH  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402

QUICKSTART = ROOT / "binder" / "quickstart.ipynb"
LONGEST_MS = 120_000
STARTED = 1
"""The cell that loads the extension is not tracked."""
CODE_CELLS = "window.jupyterapp.shell.currentWidget.content.widgets.filter((one) => one.model.type === 'code')"
ALL_HAVE_RUN = f"() => {CODE_CELLS}.every((one) => one.model.executionCount !== null)"
FAILED = f"""() => {CODE_CELLS}.flatMap((one) => one.model.outputs.toJSON())
  .filter((output) => output.output_type === 'error').map((output) => `${{output.ename}}: ${{output.evalue}}`)"""


def look(lab: Lab, picture: Path | None) -> list[str]:
    """What is wrong, after all cells have run."""
    lab.open(QUICKSTART.name)
    lab.command("runmenu:run-all")
    lab.until(ALL_HAVE_RUN, timeout_ms=LONGEST_MS)
    expect(lab.panel.get_by_role("group", name=re.compile("^Energy: .*watt-hours"))).to_be_visible()
    expect(lab.panel.locator(".cbm-Chart-figure svg").first).to_be_visible()
    if picture:
        lab.page.screenshot(path=picture)
    wrong = [f"a cell failed: {text}" for text in lab.page.evaluate(FAILED)]
    cells = lab.book.locator(".jp-CodeCell").count()
    figures = lab.book.locator(".cbm-Badge").count()
    if figures < cells - STARTED:
        wrong.append(f"only {figures} of {cells} cells have a figure under them")
    return wrong + [f"the page complains: {text}" for text in lab.errors]


def main(python: str, picture: str | None = None) -> int:
    """Gives 0, or 1 where the panel or a cell does not do what it should."""
    if CHROMIUM is None:
        print("no chromium: install it, or name one by CARBON_MAGIC_TEST_CHROMIUM", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "lab", python=python) as server,
        sync_playwright() as playwright,
    ):
        shutil.copy(QUICKSTART, server.root)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        wrong = look(Lab(page, server), Path(picture) if picture else None)
        browser.close()
    for what in wrong:
        print(what, file=sys.stderr)
    if not wrong:
        print("the quickstart runs in JupyterLab, with a figure under each cell and the panel beside it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
