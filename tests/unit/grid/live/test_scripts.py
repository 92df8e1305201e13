"""Live intensity outside notebooks: in scripts and in the monitor, by the environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines.build import build
from stubs.service import Service, electricity_maps, says, service

from carbon_magic.books import Asked
from carbon_magic.grid.live.choose import UnknownProvider
from carbon_magic.ledger.record import CellRecord
from carbon_magic.process import OwnBooks


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with service() as running:
        running.answer = says(electricity_maps(43))
        yield running


def environ(folder: Path, server: Service, **more: str) -> dict[str, str]:
    return {
        "CARBON_MAGIC_ROOT": str(build("vm", folder / "vm")),
        "CARBON_MAGIC_HOME": str(folder / "home"),
        "CARBON_MAGIC_REGION": "FR",
        "CARBON_MAGIC_ELECTRICITYMAPS_URL": server.url,
        "ELECTRICITYMAPS_TOKEN": "token",
        **more,
    }


def measured(books: OwnBooks) -> CellRecord:
    """A short measurement, once it is final."""
    window = books.begin(Asked("block"), cell=True)
    time.sleep(0.02)
    books.end(window, "ok")
    deadline = time.monotonic() + 20.0
    while window.record is None and time.monotonic() < deadline:
        books.poke(0.1)
    assert window.record is not None
    return window.record


def test_a_script_goes_by_the_live_value_once_it_has_come(tmp_path: Path, server: Service) -> None:
    books = OwnBooks(environ(tmp_path, server, CARBON_MAGIC_LIVE="electricitymaps"))
    try:
        sources = [measured(books).intensity_source]
        while sources[-1] != "Electricity Maps, live" and len(sources) < 200:
            sources.append(measured(books).intensity_source)
    finally:
        books.close()
    assert sources[-1] == "Electricity Maps, live"
    assert set(sources) <= {"Ember, no live value", "Electricity Maps, live"}
    assert len(server.asked) == 1


def test_a_failure_is_among_the_problems(tmp_path: Path, server: Service) -> None:
    server.answer = says({}, 500)
    books = OwnBooks(environ(tmp_path, server, CARBON_MAGIC_LIVE="electricitymaps"))
    try:
        deadline = time.monotonic() + 20.0
        while not books.problems() and time.monotonic() < deadline:
            record = measured(books)
            assert record.intensity_g_per_kwh == 41.45
        assert books.problems() == ["live intensity: Electricity Maps is out of order (500)"]
    finally:
        books.close()


def test_nobody_is_asked_unless_somebody_is_named(tmp_path: Path, server: Service) -> None:
    books = OwnBooks(environ(tmp_path, server))
    assert measured(books).intensity_source == "Ember"
    books.close()
    assert not server.asked
    with pytest.raises(UnknownProvider, match=r"CARBON_MAGIC_LIVE: No provider.*Nearest: electricitymaps"):
        OwnBooks(environ(tmp_path, server, CARBON_MAGIC_LIVE="electricity-maps"))


def test_the_monitor_names_the_nearest_provider(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "carbon_magic", "monitor", "--", sys.executable, "-c", "pass"],
        env={**os.environ, "CARBON_MAGIC_LIVE": "electricitymap", "CARBON_MAGIC_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "CARBON_MAGIC_LIVE: No provider" in done.stderr
    assert "Traceback" not in done.stderr
