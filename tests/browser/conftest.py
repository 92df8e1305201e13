"""What all tests in a browser share: Chromium, which may be missing, but under CI may not."""

from __future__ import annotations

import os
from typing import Any

import pytest
from browser.views_page import CHROMIUM, LAUNCH


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    if CHROMIUM is None:
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail("no chromium: install it, or name one by CARBON_MAGIC_TEST_CHROMIUM")
        pytest.skip("no chromium: install it, or name one by CARBON_MAGIC_TEST_CHROMIUM")
    return {"executable_path": CHROMIUM, "args": LAUNCH}
