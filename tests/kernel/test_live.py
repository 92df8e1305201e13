"""Live intensity in real kernels, with a service on loopback: asked only by name, shown, recorded, and never a bother."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, records, trouble
from stubs.service import Service, electricity_maps, says, service

TOKEN = "s3cret-t0ken"
LAST = "__import__('carbon_magic.session').session.current().snapshot().records[-1]"
LOADED = "'httpx' in __import__('sys').modules"


@pytest.fixture
def server() -> Iterator[Service]:
    with service() as running:
        running.answer = says(electricity_maps(43))
        yield running


def environ(server: Service, home: Path, **more: str) -> dict[str, str]:
    return {
        "CARBON_MAGIC_REGION": "FR",
        "CARBON_MAGIC_HOME": str(home),
        "CARBON_MAGIC_ELECTRICITYMAPS_URL": server.url,
        "ELECTRICITYMAPS_TOKEN": TOKEN,
        "NO_PROXY": "127.0.0.1",
        **more,
    }


def said(kernel: Kernel, code: str) -> str:
    outcome = kernel.run(code, allow_error=False)
    shown = "".join(panel["text/plain"] for panel in outcome.panels())
    text = " ".join((outcome.text("stdout") + outcome.text("stderr") + shown).split())
    assert TOKEN not in text
    return text


def test_live_by_magic(start: Start, server: Service, tmp_path: Path) -> None:
    kernel = start(environ=environ(server, tmp_path / "home"))
    kernel.run("import logging; logging.basicConfig(level=logging.DEBUG)", allow_error=False)
    kernel.run(LOAD, allow_error=False)
    kernel.run("sum(range(1000))", allow_error=False)
    assert "Live intensity is off" in said(kernel, "%carbon live")
    assert not server.asked
    assert kernel.ask(LOADED) == "False"

    shown = said(kernel, "%carbon live electricitymaps")
    assert "Live intensity by Electricity Maps, set by you." in shown
    assert "Zone FR: 43 g CO2e/kWh (34–52) from" in shown.replace("\xa0", " ")
    assert "(Electricity Maps, live)" in shown
    assert f"the zone's name and your token, to {server.url.removeprefix('http://')}" in shown
    assert server.asked[0][1]["auth-token"] == TOKEN
    asked = len(server.asked)
    out = kernel.run("import time; time.sleep(0.3)", allow_error=False)
    assert out.text("stderr") == ""
    assert records(kernel) > 0
    assert kernel.ask(f"({LAST}.intensity_g_per_kwh, {LAST}.intensity_source, {LAST}.region)") == (
        "(43.0, 'Electricity Maps, live', 'FR')"
    )
    assert len(server.asked) == asked
    assert "Electricity Maps, live" in said(kernel, "%carbon region")

    server.answer = says({}, 401)
    shown = said(kernel, "%carbon live electricitymaps:DE")
    assert "No value yet." in shown
    assert "Last error: Electricity Maps refuses the token (401)." in shown
    assert "CARBON_MAGIC_ELECTRICITYMAPS_TOKEN and ELECTRICITYMAPS_TOKEN" in shown
    assert "refuses the token (401)" in said(kernel, "%carbon doctor")
    kernel.run("pass", allow_error=False)
    assert records(kernel) > 0
    assert kernel.ask(f"{LAST}.intensity_source") == "'Ember, no live value'"

    off = said(kernel, "%carbon live off")
    assert "Live intensity is off" in off
    assert "To ask Electricity Maps, with a token of yours: %carbon live electricitymaps" in off
    assert "live" not in said(kernel, "%carbon region")
    assert trouble(kernel) == "(None, None)"
    kept = [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert kept
    assert not any(TOKEN.encode() in text for text in kept)
    assert TOKEN not in kernel.terminal()


def test_live_by_the_environment_and_the_configuration(start: Start, server: Service, tmp_path: Path) -> None:
    kernel = start(environ=environ(server, tmp_path / "home", CARBON_MAGIC_LIVE="electricitymaps"))
    kernel.run(LOAD, allow_error=False)
    sources = []
    while sources[-1:] != ["'Electricity Maps, live'"] and len(sources) < 50:
        kernel.run("import time; time.sleep(0.3)", allow_error=False)
        assert records(kernel) > 0
        sources.append(kernel.ask(f"{LAST}.intensity_source"))
    assert sources[-1] == "'Electricity Maps, live'"
    assert set(sources[:-1]) <= {"'Ember, no live value'"}
    assert "from CARBON_MAGIC_LIVE" in said(kernel, "%carbon live")
    kernel.run('%config CarbonMagic.live = "off"', allow_error=False)
    assert "is off" in said(kernel, "%carbon live")
    assert "Nearest: electricitymaps" in said(kernel, '%config CarbonMagic.live = "electricitymap"')
    wrong = kernel.run("%carbon live electricitymap")
    assert wrong.content["ename"] == "UsageError"
    assert "Nearest: electricitymaps" in str(wrong.content["evalue"])
    wrong = kernel.run("%carbon live electricitymaps please")
    assert "takes one provider or off" in str(wrong.content["evalue"])
    kernel.run("%unload_ext carbon_magic", allow_error=False)
    threads = "[t.name for t in __import__('threading').enumerate() if 'carbon' in t.name]"
    kernel.run("import time; time.sleep(0.2)", allow_error=False)
    assert kernel.ask(threads) == "[]"


def test_a_provider_that_does_not_exist_in_the_environment_is_named_at_load(
    start: Start, server: Service, tmp_path: Path
) -> None:
    kernel = start(environ=environ(server, tmp_path / "home", CARBON_MAGIC_LIVE="carbonintensty"))
    failed = kernel.run(LOAD)
    assert failed.status == "error"
    assert "Nearest: carbonintensity" in str(failed.content["evalue"])
    assert kernel.run("1 + 1", allow_error=False).status == "ok"
