"""What the tests of the views share: one page with made-up hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.views_page import Panels, served
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as url:
        yield url


@pytest.fixture(scope="module")
def one_page(browser: Browser, address: str) -> Iterator[Panels]:
    """One page for all tests: each shows panels of its own in it, with hosts of their own."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(10_000)
    shown = Panels(page)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield shown
    page.close()


@pytest.fixture
def panels(one_page: Panels) -> Iterator[Panels]:
    one_page.errors.clear()
    one_page.page.mouse.move(0, 0)
    yield one_page
    assert one_page.errors == []
