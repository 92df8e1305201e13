"""What the tests in a real JupyterLab share: one server, and a page for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.lab_server import Lab, Server, serving
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """A machine that is busy with more than the tests answers late."""
    expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("lab")
    with serving(folder) as running:
        yield running


@pytest.fixture
def lab(browser: Browser, server: Server) -> Iterator[Lab]:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.set_default_timeout(20_000)
    shown = Lab(page, server)
    yield shown
    page.close()
    server.end_kernels()
    assert shown.errors == [], shown.errors
