"""A meter that the user names in the settings: watched at once, shown by the doctor, a part of no figure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from machines.build import build
from traitlets import TraitError

from carbon_magic.config import CarbonMagic
from carbon_magic.session import Session
from carbon_magic.views.doctor import doctor_text


@pytest.fixture
def address() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"power": 123}')

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/#power@W"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def start(**settings: Any) -> Session:
        root = build("intel-desktop", tmp_path / "machine")
        environ = {"CARBON_MAGIC_ROOT": str(root), "CARBON_MAGIC_HOME": str(tmp_path / "kept")}
        opened.append(Session(CarbonMagic(**settings), environ))
        opened[-1].on()
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def watched(session: Session) -> list[str]:
    """The names of watched sensors, once the sampler has had its turn."""
    deadline_s = time.monotonic() + 10.0
    while time.monotonic() < deadline_s:
        names = [candidate.name for candidate in session.findings().candidates if candidate.watched]
        if names:
            return names
        time.sleep(0.05)
    return []


def test_a_source_of_the_settings_is_watched_and_its_joules_never_count(
    session: Callable[..., Session], address: str
) -> None:
    one = session(power_source=address)
    assert watched(one) == ["power-source"]
    page = doctor_text(one.findings())
    assert "Other power-source             measured  compared" in page
    assert set(one.snapshot().domains) <= {"cpu", "dram"}


def test_a_source_that_is_named_while_cells_run_is_watched_at_once(
    session: Callable[..., Session], address: str
) -> None:
    one = session()
    assert one.findings().rest is None
    one.config.power_source = address
    assert watched(one) == ["power-source"]
    with pytest.raises(TraitError, match="is not this machine"):
        one.config.power_source = "http://10.1.2.3/#power"
    assert watched(one) == ["power-source"]
