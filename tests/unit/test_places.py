"""Where scripts and commands are: found, said by the environment, told by the cloud; and own figures in files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from machines.build import build
from unit.ledger.stored import cell, session

from carbon_magic.books import Asked
from carbon_magic.ledger.codecarbon import write_codecarbon
from carbon_magic.process import OwnBooks
from carbon_magic.views.result import result_text


@pytest.fixture
def books(tmp_path: Path) -> Callable[..., OwnBooks]:
    """Books of a process on a made-up machine with this environment."""

    def made(machine: str = "laptop", **environ: str) -> OwnBooks:
        root = build(machine, tmp_path / machine)
        return OwnBooks({"CARBON_MAGIC_ROOT": str(root), "CARBON_MAGIC_HOME": str(tmp_path / "home"), **environ})

    return made


def test_a_script_is_where_its_machine_is(books: Callable[..., OwnBooks]) -> None:
    environ = {"TZ": "Europe/Paris", "AWS_REGION": "us-east-1"}
    on_a_laptop, on_ec2 = books("laptop", **environ).place, books("vm", **environ).place
    assert (on_a_laptop.region, on_a_laptop.source, on_a_laptop.found) == (
        "FR",
        "timezone",
        "from the time zone Europe/Paris",
    )
    assert (on_ec2.region, on_ec2.source) == ("aws:us-east-1", "cloud")
    assert books(TZ="UTC").place.source == "unknown"
    assert books().place.found == "no time zone is set"


def test_the_environment_wins_over_what_is_found_and_may_change(
    books: Callable[..., OwnBooks], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = books(TZ="Europe/Paris", CARBON_MAGIC_REGION="PL", CARBON_MAGIC_PUE="1.3")
    assert (made.place.region, made.place.source, made.place.pue) == ("PL", "environment", 1.3)
    made._environ["CARBON_MAGIC_INTENSITY"] = "24"  # type: ignore[index]
    assert (made.place.region, made.place.intensity_g_per_kwh.best) == ("own", 24.0)


def test_a_wrong_word_of_the_environment_is_said_before_the_work(books: Callable[..., OwnBooks]) -> None:
    with pytest.raises(ValueError, match="CARBON_MAGIC_INTENSITY"):
        books(CARBON_MAGIC_INTENSITY="lots")
    with pytest.raises(ValueError, match="wind"):
        books(CARBON_MAGIC_MIX="wnid=1")


def test_what_the_cloud_tells_late_counts_for_what_has_begun(books: Callable[..., OwnBooks]) -> None:
    answer = threading.Event()

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.wait(0.15)
            self.send_response(200 if self.headers.get("Metadata-Flavor") else 404)
            self.end_headers()
            self.wfile.write(b"projects/1/zones/europe-west9-a")

        do_PUT = do_GET  # noqa: N815 - http.server's own names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made = books(
        TZ="UTC",
        CARBON_MAGIC_CLOUD_METADATA="1",
        CARBON_MAGIC_CLOUD_METADATA_ADDRESS=f"127.0.0.1:{server.server_address[1]}",
    )
    window = made.begin(Asked("work"), cell=True)
    assert window.place is not None
    assert not window.place.known
    answer.set()
    deadline_s = time.monotonic() + 10.0
    while not made.place.known and time.monotonic() < deadline_s:
        time.sleep(0.01)
    made.end(window, "ok")
    made.close()
    server.shutdown()
    server.server_close()
    assert (window.place.region, window.place.source) == ("gcp:europe-west9", "metadata")


def run(tmp_path: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "carbon_magic", *words],
        env={**os.environ, "CARBON_MAGIC_HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_takes_own_figures_from_the_environment(tmp_path: Path) -> None:
    out = tmp_path / "cost.json"
    words = ("monitor", "--json", str(out), "--", sys.executable, "-c", "sum(range(3_000_000))")
    ended = run(
        tmp_path, *words, CARBON_MAGIC_INTENSITY="24", CARBON_MAGIC_INTENSITY_NAME="our roof", CARBON_MAGIC_PUE="2"
    )
    assert ended.returncode == 0, ended.stderr
    (record,) = json.loads(out.read_text())
    assert (record["region"], record["region_source"], record["pue"]) == ("own", "environment", 2.0)
    assert record["emissions_g"] == pytest.approx(record["energy_j"] / 3.6e6 * 2 * 24)
    assert "our roof" in ended.stderr
    refused = run(tmp_path, *words, CARBON_MAGIC_MIX="wnid=1")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "wind" in refused.stderr


def test_an_own_figure_is_shown_and_exported() -> None:
    own = {"region": "own", "intensity_source": "our roof", "intensity_year": None, "region_source": "environment"}
    record = replace(cell(), **own)  # type: ignore[arg-type]
    text = " ".join(result_text(record).replace("\u00a0", " ").split())
    assert "Own figure, 41 g CO2e/kWh (our roof), from the environment." in text
    stream = io.StringIO(newline="")
    assert write_codecarbon([session(region="own", region_source="user")], [record], stream) == 1
    head, line = stream.getvalue().splitlines()[:2]
    columns = dict(zip(head.split(","), line.split(","), strict=True))
    assert (columns["country_iso_code"], columns["on_cloud"]) == ("", "N")
    assert float(columns["emissions"]) > 0.0
