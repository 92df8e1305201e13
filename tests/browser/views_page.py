"""A page with the browser's modules and made-up hosts, served to Chromium from the working tree.

Tests drive it through `window.harness` (`harness/harness.js`), and look at it by role and label as a user would.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page

HARNESS = Path(__file__).parent / "harness"
MODULES = Path(__file__).resolve().parent.parent.parent / "carbon_magic" / "views" / "browser"
CHROMIUM = os.environ.get("CARBON_MAGIC_TEST_CHROMIUM") or shutil.which("chromium")
SCREENSHOTS = os.environ.get("CARBON_MAGIC_SCREENSHOTS")
"""A folder that takes a picture of each state; none are taken without it."""
LAUNCH = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The modules under /browser/, the table of regions under /regions, and the harness."""

    def translate_path(self, path: str) -> str:
        wanted = urlsplit(path).path
        if wanted == "/regions":
            return str(MODULES / "regions.json")
        for prefix, folder in (("/browser/", MODULES), ("/harness/", HARNESS)):
            if wanted.startswith(prefix):
                return str(folder / Path(wanted).name)
        return str(HARNESS / "index.html")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Nothing: a test's output is what failed."""


@contextmanager
def served() -> Iterator[str]:
    """The address of the harness's page."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Panels:
    """The panels on the page, and what was said to their hosts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def show(self, fixture: str, *, dark: bool = False, closed: bool = False, **options: Any) -> Locator:
        """One panel in the state of a fixture; `open` names the sections that are open, by their key."""
        sections = options.pop("open", None)
        if sections is not None:
            kept = {f"open.{name}": name in sections for name in ("power", "cells", "whatif", "sources")}
            options["kept"] = {**kept, **options.get("kept", {})}
        self.show_all([{"fixture": fixture, **options}], dark=dark)
        return self.page.locator("#stage > div").first

    def show_all(self, panels: list[dict[str, Any]], *, dark: bool = False) -> None:
        """Several at once, side by side."""
        self.page.evaluate("([panels, dark]) => harness.show(panels, dark)", [panels, dark])

    def do(self, script: str, *values: Any) -> Any:
        """Runs a function of (shown panel, harness, ...values) in the page, and waits until it was drawn."""
        call = f"(values) => harness.drawn(({script})(harness.shown[0], harness, ...values))"
        return self.page.evaluate(call, list(values))

    @functools.cached_property
    def regions(self) -> list[dict[str, Any]]:
        """The table's rows by column."""
        table = self.page.evaluate("async () => (await fetch('/regions')).json()")
        # What is unknown at the end of a row is left out.
        return [dict.fromkeys(table["columns"]) | dict(zip(table["columns"], row)) for row in table["rows"]]  # noqa: B905


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u00a0", " ").replace("\u2060", "")


def texts(found: Locator) -> list[str]:
    """What is seen of each."""
    return [plain(text) for text in found.all_inner_texts()]
