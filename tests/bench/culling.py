"""Whether an idle kernel is ended when it would be without us: a server that ends idle kernels after 15 s.

Three kernels: one that is not tracked, one that is tracked and that nobody looks at, one that is tracked and whose
panel is open. Prints after how many seconds each was gone, counted from its last cell; the second may be as late as the
server looks (every 5 s), the third 30 s later.

    python tests/bench/culling.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from browser.lab_server import Lab, Server, serving
from browser.views_page import CHROMIUM, LAUNCH
from playwright.sync_api import Browser, sync_playwright

IDLE_S = 15
LOOK_S = 5
LATER_S = 30
LONGEST_S = 120


def seconds_until_gone(browser: Browser, server: Server, name: str, *, tracked: bool, shown: bool) -> float:
    """From the last cell to the kernel's end."""
    server.notebook(name, ["1 + 1"])
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.set_default_timeout(30_000)
    lab = Lab(page, server)
    lab.open(name)
    if tracked:
        lab.start()
    if not shown:
        lab.command("application:toggle-right-area")
        page.wait_for_timeout(1000)
    lab.run(0)
    begun = time.monotonic()
    while server.get("/api/kernels"):
        if time.monotonic() - begun > LONGEST_S:
            break
        time.sleep(0.5)
    page.close()
    server.end_kernels()
    return time.monotonic() - begun


def main() -> int:
    """Gives 0 if the promise was kept."""
    cull = [f"--MappingKernelManager.cull_idle_timeout={IDLE_S}", f"--MappingKernelManager.cull_interval={LOOK_S}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "lab", *cull, "--MappingKernelManager.cull_connected=True") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        without = seconds_until_gone(browser, server, "without.ipynb", tracked=False, shown=False)
        shut = seconds_until_gone(browser, server, "shut.ipynb", tracked=True, shown=False)
        shown = seconds_until_gone(browser, server, "shown.ipynb", tracked=True, shown=True)
        browser.close()
    print(f"not tracked: {without:.0f} s; tracked, panel shut: {shut:.0f} s; tracked, panel open: {shown:.0f} s")
    return 0 if shut <= without + LOOK_S + 1 and shown <= without + LOOK_S + LATER_S + 1 else 1


if __name__ == "__main__":
    sys.exit(main())
