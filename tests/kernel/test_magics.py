"""`%carbon` and `%%carbon` in real kernels, on both ends of the IPython range."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, Outcome, records

RECORD = "__import__('json').dumps({}.as_dict())"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kernel]]:
    """One tracked kernel of each environment, started when first asked for."""
    started: dict[str, Kernel] = {}

    def kernel_of(name: str) -> Kernel:
        if name not in started:
            started[name] = Kernel(name, tmp_path_factory.mktemp(name) / "work")
            started[name].run(LOAD, allow_error=False)
        return started[name]

    yield kernel_of
    for kernel in started.values():
        kernel.close()


@pytest.fixture
def tracked(kernels: Callable[[str], Kernel], kernel_name: str) -> Kernel:
    """The tracked kernel that this module's tests share."""
    return kernels(kernel_name)


def record(kernel: Kernel, name: str) -> dict[str, Any]:
    """The record in a variable of the kernel."""
    text = kernel.ask(RECORD.format(name))
    found: dict[str, Any] = json.loads(text[1:-1].encode().decode("unicode_escape"))
    return found


def said(outcome: Outcome) -> str:
    """What a magic printed, displayed as text, or wrote as its error."""
    shown = "".join(content["data"]["text/plain"] for content in outcome.of("display_data"))
    return outcome.text() + shown + outcome.text("stderr")


def test_the_result_is_shown_under_the_cell_as_html_and_as_text(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -n 'my work'\nsum(range(200_000))")
    (panel,) = outcome.panels()
    assert outcome.of("execute_result")[0]["data"]["text/plain"] == "19999900000"
    assert panel["text/plain"].startswith("my work: ")
    assert "my work" in panel["text/html"]
    assert "CO2e" in panel["text/plain"]
    assert "region unknown" in panel["text/plain"]
    assert max(len(line) for line in panel["text/plain"].splitlines()) <= 79


def test_a_hostile_label_is_text(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -n '<img src=x onerror=alert(1)> \\u202e $x$'\npass")
    html = outcome.panels()[0]["text/html"]
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\u202e" not in html + outcome.panels()[0]["text/plain"]


def test_the_options_of_the_cell_magic(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -q -n quiet -r se -o kept\nx = sum(range(300_000))")
    assert outcome.panels() == []
    assert outcome.status == "ok"
    kept = record(tracked, "kept")
    assert (kept["label"], kept["region"], kept["region_source"], kept["status"]) == ("quiet", "SE", "cell", "ok")
    assert kept["energy_j_low"] <= kept["energy_j"] <= kept["energy_j_high"]
    assert kept["emissions_g_low"] <= kept["emissions_g"] <= kept["emissions_g_high"]
    assert kept["boundary"] == "components"


def test_a_cell_that_fails_shows_its_error_and_what_it_cost(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -o failed\n1/0")
    assert outcome.status == "error"
    assert outcome.of("error")[0]["ename"] == "ZeroDivisionError"
    assert "error after" in outcome.panels()[0]["text/plain"]
    assert record(tracked, "failed")["status"] == "error"


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("%%carbon -x\n1", "-x"),
        ("%%carbon --lable a\n1", "--name"),
        ("%%carbon -n\n1", "-n"),
        ("%%carbon -r FRR\n1", "FR (France)"),
        ("%%carbon -r Georgia\n1", "US-GA"),
        ("%%carbon -o 1x\n1", "1x"),
        ("%%carbon 'open\n1", "quotation"),
        ("%%carbon\n", "body is empty"),
        ("%%carbon\n   \n", "nothing below it"),
        ("%carbon regin", "region"),
        ("%carbon region FRR", "FR (France)"),
        ("%carbon cells --srt energy", "--sort"),
        ("%carbon cells --sort energi", "energy"),
        ("%carbon cells -n 0", "1 to"),
        ("%carbon cells -n", "misses"),
        ("%carbon on now", "now"),
    ],
)
def test_what_is_mistyped_is_an_error_at_once_that_says_what_is_near(tracked: Kernel, cell: str, names: str) -> None:
    before = records(tracked)
    outcome = tracked.run(cell)
    assert "UsageError" in said(outcome)
    assert names in said(outcome)
    assert outcome.of("execute_result") == []
    assert records(tracked) == before + 1


@pytest.mark.parametrize("cell", ["%%carbon -h\n1", "%%carbon --help\nx"])
def test_the_cell_magic_explains_itself(tracked: Kernel, cell: str) -> None:
    outcome = tracked.run(cell)
    assert "-n LABEL" in said(outcome)
    assert outcome.of("execute_result") == []


@pytest.mark.parametrize("cell", ["%carbon?", "%%carbon?"])
def test_help_on_the_magic_itself(tracked: Kernel, cell: str) -> None:
    (page,) = tracked.run(cell).content["payload"]
    assert "%carbon help" in page["data"]["text/plain"]


def test_the_lines_answer(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    assert "No cell" in said(kernel.run("%carbon cells")) or "running" in said(kernel.run("%carbon cells"))
    kernel.run("x = sum(range(300_000))")
    summary = kernel.run("%carbon")
    assert "Session" in said(summary)
    assert summary.panels()
    cells = said(kernel.run("%carbon cells -n 1 --sort=time"))
    assert "earlier" in cells
    doctor = said(kernel.run("%carbon doctor"))
    for word in ("Sensors", "used", "Region unknown", "Tracking", "Problems"):
        assert word in doctor
    assert "%carbon region ID" in said(kernel.run("%carbon help"))
    assert "France" in said(kernel.run("%carbon region FR"))
    assert "set by you" in said(kernel.run("%carbon region"))
    assert "Begun anew" in said(kernel.run("%carbon reset"))
    assert records(kernel) == 1  # the cell that reset it, which ended after that


def test_with_tracking_off_only_cells_that_ask_are_recorded(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    kernel.run("%carbon off")
    before = records(kernel)
    kernel.run("1")
    assert records(kernel) == before
    outcome = kernel.run("%%carbon\nsum(range(200_000))")
    assert outcome.panels()
    assert records(kernel) == before + 1
    kernel.run("%carbon on")
    kernel.run("1")
    assert records(kernel) >= before + 2
    assert "every cell" in said(kernel.run("%carbon doctor"))


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("region = 'FRR'", "FR (France)"),
        ("nope = 1", "no setting"),
        ("regoin = 'FR'", "region"),
        ("pue = 0.5", "1 to 10"),
        ("interval_s = 0", "0.2"),
        ("scope = 'mine'", "dedicated"),
    ],
)
def test_settings_are_checked_at_once(tracked: Kernel, setting: str, names: str) -> None:
    """`%config` itself turns what a setting raises into a line of its own; from code it is the error that it is."""
    assert names in tracked.run(f"%config CarbonMagic.{setting}").text("stderr")
    name, _, value = setting.partition(" = ")
    outcome = tracked.run(
        "from traitlets.config import Config\n"
        "config = next(c for c in get_ipython().configurables if type(c).__name__ == 'CarbonMagic')\n"
        f"config.update_config(Config({{'CarbonMagic': {{{name!r}: {value}}}}}))"
    )
    assert outcome.of("error")[0]["ename"] == "TraitError"
    assert names in outcome.of("error")[0]["evalue"]


def test_settings_take_effect(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    assert "CarbonMagic" in said(kernel.run("%config"))
    kernel.run("%config CarbonMagic.region = 'fr'", allow_error=False)
    kernel.run("%config CarbonMagic.pue = 1.5", allow_error=False)
    kernel.run("%%carbon -q -o r\nsum(range(300_000))", allow_error=False)
    found = record(kernel, "r")
    assert (found["region"], found["region_source"], found["pue"]) == ("FR", "config", 1.5)


def test_the_environments_region_is_used_and_a_wrong_one_is_an_error(start: Start) -> None:
    kernel = start("right", {"CARBON_MAGIC_REGION": "us-ca"})
    kernel.run(LOAD, allow_error=False)
    assert "California" in said(kernel.run("%carbon region"))
    kernel = start("wrong", {"CARBON_MAGIC_REGION": "Atlantis"})
    outcome = kernel.run(LOAD)
    assert outcome.status == "error"
    assert "Atlantis" in outcome.of("error")[0]["evalue"]
    assert kernel.run("1 + 1").of("execute_result")[0]["data"]["text/plain"] == "2"


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("%carbon ", {"cells", "region", "on", "off", "doctor", "reset", "help"}),
        ("%carbon re", {"region", "reset"}),
        ("%carbon cells --sort t", {"time"}),
        ("%carbon cells -", {"-n", "--sort"}),
        ("%carbon region US-C", {"US-CA", "US-CO", "US-CT"}),
        ("%%carbon -", {"-n", "-r", "-o", "-q", "-h"}),
        ("%%carbon -r CA-Q", {"CA-QC"}),
    ],
)
def test_tab_completes(tracked: Kernel, code: str, offered: set[str]) -> None:
    reply = tracked.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    assert offered <= {match.lstrip() for match in reply["matches"]}, reply


def test_tab_completes_a_clouds_region_to_its_whole_id(tracked: Kernel) -> None:
    code = "%carbon region aws:eu-n"
    reply = tracked.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    completed = {code[: reply["cursor_start"]] + match + code[reply["cursor_end"] :] for match in reply["matches"]}
    assert "%carbon region aws:eu-north-1" in completed
