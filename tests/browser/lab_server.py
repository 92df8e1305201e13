"""A JupyterLab of the tests' own, and what a person does in it.

The server runs from the tests' environment with folders of its own, so that nothing of the user's is read or written.
Pages are driven by what is seen: labels, roles, texts.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from browser.views_page import CHROMIUM, LAUNCH
from playwright.sync_api import Locator, Page, expect, sync_playwright

START_S = 60
SCREENSHOTS = Path(__file__).parent / "screenshots"
"""Pictures of what was seen, kept by continuous integration."""

_HARMLESS = [
    # The server has no language server and no terminals to offer in some environments.
    re.compile(r"/(lsp|api/terminals|lab/api/translations)"),
    # A kernel that restarts closes its socket, which the browser says itself.
    re.compile(r"WebSocket connection to .* failed|WebSocket is closed before"),
    # A notebook that is loaded while its kernel starts asks for a session that is not there yet; a kernel that has
    # been ended is asked for once more.
    re.compile(r"the server responded with a status of 404 .*/api/(sessions|kernels)/[-0-9a-f]+"),
    # bqplot places its axes' labels once before it knows its own height.
    re.compile(r"Error: <\w+> attribute \w+: .*undefined.* \(.*/lab/extensions/bqplot/"),
]


class Server:
    """The address of a running JupyterLab, and the folder it shows."""

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root

    def notebook(self, name: str, cells: Sequence[str], kernel: str = "python3", language: str = "python") -> str:
        """Writes a notebook of code cells."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        book.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": language}
        nbformat.write(book, self.root / name)
        return name

    def get(self, path: str) -> Any:
        """What the server's API says."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def call(self, method: str, path: str) -> None:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method), timeout=20):
            pass

    def end_kernels(self) -> None:
        for session in self.get("/api/sessions"):
            self.call("DELETE", f"/api/sessions/{session['id']}")


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    environ: dict[str, str] | None = None,
    python: str = sys.executable,
    app: str = "jupyterlab",
) -> Iterator[Server]:
    """A JupyterLab, or the app `notebook`, of an interpreter on a free port of this machine, ended with the block."""
    root, home = folder / "notebooks", folder / "home"
    root.mkdir(parents=True)
    home.mkdir()
    overrides = home / "config" / "lab-settings"
    notices = overrides / "@jupyterlab" / "apputils-extension"
    notices.mkdir(parents=True)
    (notices / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", app, "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--ServerApp.root_dir={root}", *arguments]
    own = {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(overrides),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "CARBON_MAGIC_HOME": str(home / "records"),
        "CARBON_MAGIC_REGION": "FR",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **own, **(environ or {})}, cwd=folder
        )
        server = Server(f"http://127.0.0.1:{port}", root)
        try:
            _wait_for(server, process, folder / "server.log")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            server.get("/api/status")
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Jupyter did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.2)


class Lab:
    """One page, and what is done and seen in it."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("console", lambda said: self._note(f"{said.text} ({said.location.get('url', '')})", said.type))

    def _note(self, text: str, kind: str = "error") -> None:
        if kind == "error" and not any(harmless.search(text) for harmless in _HARMLESS):
            self.errors.append(text)

    def open(self, name: str, *, panel: bool = True, ready: bool = True) -> None:
        """A notebook in a layout of its own, with its kernel ready and the panel shown.

        In the middle of a cell a page that is loaded anew is not told how its kernel is before the cell ends.
        """
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        if ready:
            # What is run before is dropped.
            self.until(
                "() => { const { currentWidget } = window.jupyterapp.shell;"
                " return ['idle', 'busy'].includes(currentWidget?.sessionContext?.session?.kernel?.status); }",
                timeout_ms=60_000,
            )
        if panel:
            self.command("carbon-magic:open")
            expect(self.panel).to_be_visible()

    def command(self, command: str, **arguments: Any) -> None:
        """Runs one of JupyterLab's commands, without waiting for what it does."""
        self.page.evaluate(
            "([id, args]) => { void window.jupyterapp.commands.execute(id, args).catch(() => undefined); }",
            [command, arguments],
        )

    @property
    def panel(self) -> Locator:
        return self.page.locator("#carbon-magic-sidebar")

    @property
    def book(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def start(self) -> None:
        """Tracking, by the panel's button."""
        self.panel.get_by_role("button", name="Start tracking").click()
        expect(self.panel.get_by_role("group", name=re.compile("^Energy: "))).to_be_visible(timeout=30_000)

    def run(self, index: int) -> None:
        """Runs a cell, without waiting for its end."""
        cell = self.book.locator(".jp-CodeCell").nth(index)
        cell.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")

    def badge(self, index: int) -> Locator:
        return self.book.locator(".jp-CodeCell").nth(index).locator(".cbm-Badge")

    def energy(self) -> str:
        """The headline, as a screen reader says it."""
        name = self.panel.get_by_role("group", name=re.compile("^Energy: ")).get_attribute("aria-label")
        return name or ""

    def until(self, condition: str, *values: Any, timeout_ms: int = 20_000) -> None:
        """Waits for a condition in the page."""
        self.page.wait_for_function(condition, arg=list(values), timeout=timeout_ms)

    @contextmanager
    def setting(self, key: str, chosen: str, after: str) -> Iterator[None]:
        """A setting of ours, chosen by its words in JupyterLab's own form, and then set back."""
        self._set(key, chosen)
        try:
            yield
        finally:
            self._set(key, after)

    def _set(self, key: str, chosen: str) -> None:
        name = self.book.first.evaluate("() => window.jupyterapp.shell.currentWidget.title.label")
        self.command("settingeditor:open", query="Carbon")
        self.page.locator(f"select[id='jp-SettingsEditor-carbon-magic:plugin_{key}']").select_option(label=chosen)
        self.page.get_by_role("tab", name=name).click()

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@contextmanager
def looking(width: int, height: int, timeout_ms: float) -> Iterator[Lab]:
    """A JupyterLab of its own in a browser of its own, both ended with the block; what is waited for comes in time."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "lab") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(timeout_ms)
        yield Lab(page, server)
        browser.close()
