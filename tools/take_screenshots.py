"""Takes the README's pictures in a real JupyterLab: sidebar light and dark, a figure under a cell, what if elsewhere.

Run by `make screenshots`. What is measured is this machine's, so the figures differ from one run to the next.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab_server import Lab, looking  # noqa: E402 - of the tests, which are no package
from playwright.sync_api import expect  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LARGEST_BYTES = 150_000
CELLS = [
    "import numpy as np\n\nrng = np.random.default_rng(0)\na, b = rng.random((2, 1200, 1200))",
    "for _ in range(40):\n    product = a @ b",
    "np.linalg.svd(a[:500, :500]);",
    "import time\n\nend = time.time() + 25\nwhile time.time() < end:\n    product = a @ b",
]


def take(lab: Lab) -> None:
    """All pictures, in one session of one notebook."""
    lab.open(lab.server.notebook("train.ipynb", CELLS))
    lab.start()
    for index in range(3):
        lab.run(index)
        expect(lab.badge(index)).to_be_visible(timeout=60_000)
        expect(lab.badge(index)).not_to_contain_text("running", timeout=60_000)
    lab.book.locator(".jp-CodeCell").nth(1).screenshot(path=IMAGES / "badge.png")
    lab.run(3)
    expect(lab.panel.get_by_role("group", name=re.compile("^Cell 4 is running"))).to_be_visible()
    lab.page.wait_for_timeout(6000)
    lab.panel.screenshot(path=IMAGES / "sidebar-light.png")
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    lab.until("() => document.body.dataset.jpThemeLight === 'false'")
    lab.page.wait_for_timeout(2000)
    lab.panel.screenshot(path=IMAGES / "sidebar-dark.png")
    lab.command("apputils:change-theme", theme="JupyterLab Light")
    lab.until("() => document.body.dataset.jpThemeLight === 'true'")
    for name in ("Power", "Cells", "What if elsewhere"):
        lab.panel.get_by_role("button", name=re.compile(f"^{name}")).first.click()
    lab.page.wait_for_timeout(1000)
    lab.panel.screenshot(path=IMAGES / "what-if.png")


def main() -> int:
    """Gives 0, or 1 where a picture is too large for a README."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with looking(1400, 860, 30_000) as lab:
        take(lab)
    large = [image.name for image in IMAGES.glob("*.png") if image.stat().st_size > LARGEST_BYTES]
    if large:
        print(f"larger than {LARGEST_BYTES // 1000} kB: {', '.join(large)}", file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
