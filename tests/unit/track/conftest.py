"""The machine and the ledger of the tests of `track`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from machines.build import build
from unit.track.work import forget


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A made-up desktop whose package counter moves only when a test says so, and a ledger of its own."""
    made_up = build("intel-desktop", tmp_path / "machine")
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(made_up))
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "home"))
    forget()
    yield made_up
    forget()
