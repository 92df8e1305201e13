"""What people type: `%carbon`, `%%carbon`, `%config CarbonMagic`, and what help and completion say about them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, Outcome, records

from carbon_magic.grid.regions import complete

SUBCOMMANDS = ["cells", "region", "live", "on", "off", "doctor", "reset", "help"]
OPTIONS = ["--sort", "-n", "-r", "-o", "-q", "-h"]
ALL_REGIONS = complete("")
SESSION = "__import__('carbon_magic.session').session.current()"


def said(outcome: Outcome) -> str:
    """All that a cell printed, on either stream."""
    return outcome.text("stdout") + outcome.text("stderr")


def refused(kernel: Kernel, code: str) -> str:
    """The message of the UsageError that a cell ends with. IPython prints it in one line."""
    outcome = kernel.run(code)
    assert outcome.status == "error", outcome.published
    assert outcome.content["ename"] == "UsageError"
    assert "Traceback" not in said(outcome)
    return str(outcome.content["evalue"])


def completions(kernel: Kernel, code: str) -> list[str]:
    """What the line can become, for each offer."""
    content = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    return [code[: content["cursor_start"]] + match for match in content["matches"]]


@pytest.fixture(autouse=True)
def usual_settings(tracked: Kernel) -> None:
    """Each test begins tracking every cell, in no region."""
    tracked.run(
        f"{SESSION}.config.region = None\n{SESSION}.config.auto_track = True\n{SESSION}.on()",
        silent=True,
        store_history=False,
        allow_error=False,
    )


# %carbon


def test_summary(tracked: Kernel) -> None:
    tracked.run("x = 1", allow_error=False)
    (shown,) = tracked.run("%carbon", allow_error=False).of("display_data")
    assert set(shown["data"]) == {"text/plain", "text/html"}
    assert max(len(line) for line in shown["data"]["text/plain"].splitlines()) <= 79
    assert re.search(r"\d\s[µmk]?Wh", shown["data"]["text/plain"])


def test_cells(tracked: Kernel) -> None:
    tracked.run("%carbon reset", allow_error=False)
    tracked.run("%%carbon -q -n short\nx = 1", allow_error=False)
    tracked.run("%%carbon -q -n long\nsum(range(3_000_000))", allow_error=False)
    records(tracked)
    for line in ("%carbon cells", "%carbon cells -n 5 --sort=energy"):
        text = tracked.run(line, allow_error=False).of("display_data")[0]["data"]["text/plain"]
        assert text.index("long") < text.index("short"), line
    text = tracked.run("%carbon cells --sort time", allow_error=False).of("display_data")[0]["data"]["text/plain"]
    assert text.index("short") < text.index("long"), "in the order they ran"
    text = tracked.run("%carbon cells -n 1", allow_error=False).of("display_data")[0]["data"]["text/plain"]
    assert "long" in text
    assert "short" not in text


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("cels", ["cells"]),
        ("regoin", ["region"]),
        ("docter", ["doctor"]),
        ("of", ["off"]),
        ("xyz", SUBCOMMANDS),
        ("cells --sort eneergy", ["energy"]),
        ("cells --sorted time", ["--sort"]),
        ("cells -m 3", ["-n"]),
        ("cells -n 0", ["1", "1000", "0"]),
        ("cells -n ten", ["ten"]),
        ("cells -n", ["-n"]),
        ("cells --sort", ["--sort"]),
        ("on please", ["please"]),
        ("off 1", ["1"]),
        ("doctor who", ["who", "--json", "--report"]),
        ("doctor --jsn", ["--json"]),
        ("doctor --json --report", ["--report"]),
        ("reset all", ["all"]),
        ("help me", ["me"]),
        ("region Fance", ["France", "FR"]),
        ("region aws:eu-nort-1", ["aws:eu-north-1"]),
        ("region 'unclosed", ["unclosed"]),
    ],
)
def test_a_mistake_is_refused_and_names_what_is_near(tracked: Kernel, line: str, names: list[str]) -> None:
    message = refused(tracked, f"%carbon {line}")
    assert all(name in message for name in names), message
    assert "\n" not in message.strip()


def test_region(tracked: Kernel) -> None:
    assert "unknown" in said(tracked.run("%carbon region", allow_error=False)).lower()
    assert "France" in said(tracked.run("%carbon region FR", allow_error=False))
    assert "France" in said(tracked.run("%carbon region", allow_error=False))
    assert "Stockholm" in said(tracked.run("%carbon region aws:eu-north-1", allow_error=False))
    refused(tracked, "%carbon region nowhere")
    assert "Stockholm" in said(tracked.run("%carbon region", allow_error=False)), "the one before stays"
    tracked.run("%%carbon -o r -q\nx = 1", allow_error=False)
    assert tracked.ask("(r.region, r.region_source)") == "('aws:eu-north-1', 'user')"


def test_off_and_on(tracked: Kernel) -> None:
    tracked.run("%carbon off", allow_error=False)
    before = records(tracked)
    tracked.run("x = 1", allow_error=False)
    assert records(tracked) == before
    outcome = tracked.run("%%carbon -o r\nx = 2\nx", allow_error=False)
    assert len(outcome.panels()) == 1
    assert records(tracked) == before + 1, "what is asked for is measured"
    tracked.run("x = 3", allow_error=False)
    assert records(tracked) == before + 1
    tracked.run("%carbon on", allow_error=False)
    tracked.run("x = 4", allow_error=False)
    assert records(tracked) >= before + 2


def test_off_stops_the_thread(tracked: Kernel) -> None:
    threads = "[t.name for t in __import__('threading').enumerate() if t.name == 'carbon-magic sampler']"
    assert tracked.ask(threads) == "['carbon-magic sampler']"
    tracked.run("%carbon off", allow_error=False)
    tracked.run(
        "import threading\nfor t in threading.enumerate():\n    if t.name == 'carbon-magic sampler':\n        t.join(20)",
        allow_error=False,
    )
    assert tracked.ask(threads) == "[]"


def test_doctor(tracked: Kernel) -> None:
    (shown,) = tracked.run("%carbon doctor", allow_error=False).panels()
    text = shown["text/plain"]
    assert "RAPL" in text or "powercap" in text
    assert "NVML" in text or "GPU" in text
    assert re.search(r"carbon-magic \d", text)
    assert "The sampler's thread has used" in text
    assert "Idle power" in shown["text/html"]
    found = json.loads(said(tracked.run("%carbon doctor --json", allow_error=False)))
    assert {sensor["domain"] for sensor in found["sensors"]} >= {"cpu", "gpu", "dram"}
    assert found["overhead"]["cpu_s"] > 0
    assert found["overhead"]["figures_bytes"] > 0
    report = said(tracked.run("%carbon doctor --report", allow_error=False))
    assert report.startswith("```text\ncarbon-magic ")


def test_reset(tracked: Kernel) -> None:
    tracked.run("x = 1", allow_error=False)
    assert records(tracked) > 0
    tracked.run("%carbon reset", allow_error=False)
    assert records(tracked) <= 1, "the cell that resets may count, nothing before it"


def test_help(tracked: Kernel) -> None:
    text = said(tracked.run("%carbon help", allow_error=False))
    assert all(f"%carbon {name}" in text for name in SUBCOMMANDS)
    assert all(option in text for option in ("-n LABEL", "-r REGION", "-o VAR", "-q"))
    assert said(tracked.run("%carbon -h", allow_error=False)) == text
    text = said(tracked.run("%%carbon -h\nprint('not run')", allow_error=False))
    assert all(option in text for option in ("-n", "-r", "-o", "-q"))
    assert "not run" not in text


# %%carbon


INVARIANTS = """\
r.energy_j_low <= r.energy_j <= r.energy_j_high
r.machine_energy_j_low <= r.machine_energy_j <= r.machine_energy_j_high
0 <= r.marginal_energy_j <= r.energy_j <= r.machine_energy_j
abs(sum(j or 0 for j in (r.cpu_energy_j, r.gpu_energy_j, r.dram_energy_j)) - r.energy_j) < 1e-9 * max(1, r.energy_j)
r.emissions_g_low <= r.emissions_g <= r.emissions_g_high
abs(r.emissions_g - r.energy_j / 3.6e6 * r.pue * r.intensity_g_per_kwh) < 1e-9
r.intensity_low <= r.intensity_g_per_kwh <= r.intensity_high
r.duration_s > 0 and r.cpu_seconds >= 0
r.label == 'a name' and r.region == 'FR' and r.region_source == 'cell' and r.status == 'ok'
"""


def test_the_record_in_a_variable(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -n 'a name' -r FR -o r\nx = sum(range(2_000_000))", allow_error=False)
    (panel,) = outcome.panels()
    assert "a name" in panel["text/plain"]
    assert "France" in panel["text/plain"]
    for check in INVARIANTS.splitlines():
        assert tracked.ask(check) == "True", check
    count = int(tracked.ask("r.execution_count"))
    assert count == outcome.content["execution_count"]
    assert "France" not in said(tracked.run("%carbon region", allow_error=False)), "-r is for its cell alone"


@pytest.mark.parametrize("body", ["x = 1", "1/0"])
def test_quiet_still_fills_the_variable(tracked: Kernel, body: str) -> None:
    tracked.run("r = None", silent=True)
    outcome = tracked.run(f"%%carbon -q -o r\n{body}")
    assert outcome.panels() == []
    assert tracked.ask("r.status") == ("'ok'" if body == "x = 1" else "'error'")


def test_the_session_keeps_the_same_record(tracked: Kernel) -> None:
    tracked.run("%%carbon -q -o r -n kept\nx = 1", allow_error=False)
    records(tracked)
    last = f"[k for k in {SESSION}.snapshot().records if k.label == 'kept'][-1]"
    assert tracked.ask(f"{last}.execution_count == r.execution_count and {last}.started_at == r.started_at") == "True"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "label", ["<img src=x onerror=alert(1)>", "</div><script>x</script>", "\"'><b onload=y>", "a & b &amp; <i>"]
)
def test_a_label_is_text(tracked: Kernel, label: str) -> None:
    quoted = "'" + label.replace("'", "'\\''") + "'"
    outcome = tracked.run("%%carbon -n " + quoted.replace("'\\''", "'\"'\"'") + "\nx = 1", allow_error=False)
    (panel,) = outcome.panels()
    found = _Tags()
    found.feed(panel["text/html"])
    assert found.tags <= {"div", "span", "b", "code"}
    assert found.attributes <= {"style", "title"}
    assert label in found.text
    assert label in panel["text/plain"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("--nam x", ["--name"]),
        ("-z", ["-q"]),
        ("-r Fance", ["France"]),
        ("-r", ["-r"]),
        ("-n", ["-n"]),
        ("-o 1x", ["1x"]),
        ("-o a.b", ["a.b"]),
        ("-n 'unclosed", ["unclosed"]),
        ("label", ["label"]),
    ],
)
def test_wrong_options_are_refused_and_the_cell_is_not_run(tracked: Kernel, line: str, names: list[str]) -> None:
    message = refused(tracked, f"%%carbon {line}\nran = True")
    assert all(name in message for name in names), message
    assert tracked.ask("'ran' in globals()") == "False"


@pytest.mark.parametrize("cell", ["%%carbon", "%%carbon\n", "%%carbon -n x\n\n  \n", "%%carbon -q"])
def test_nothing_below_it(tracked: Kernel, cell: str) -> None:
    """IPython itself refuses it, in its own words, where nothing follows the line at all."""
    message = refused(tracked, cell)
    assert "nothing below it to measure" in message or "the cell body is empty" in message


@pytest.mark.parametrize("cell", ["%%carbon?", "%carbon?", "%%carbon??"])
def test_question_mark(tracked: Kernel, cell: str) -> None:
    outcome = tracked.run(cell, allow_error=False)
    (page,) = outcome.content["payload"]
    assert "energy" in page["data"]["text/plain"]


def test_within_another_cell(tracked: Kernel) -> None:
    before = records(tracked)
    outcome = tracked.run("get_ipython().run_cell('%%carbon -n inner -o r\\nx = 41\\nx + 1')\nNone", allow_error=False)
    assert [content["data"]["text/plain"] for content in outcome.of("execute_result")] == ["42"]
    assert "inner" in outcome.panels()[0]["text/plain"]
    assert tracked.ask("(r.label, x)") == "('inner', 41)"
    assert records(tracked) == before + 1, "it is part of the cell around it"


# %config


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('region = "FRR"', ["FR"]),
        ('region = "Atlantis"', ["Atlantis"]),
        ("nope = 1", ["nope", "pue"]),
        ("regio = 1", ["region"]),
        ("pue = 0.5", ["1", "10"]),
        ("pue = 'x'", ["pue"]),
        ("interval_s = 0", ["0.2"]),
        ("rest_interval_s = 1e9", ["60"]),
        ("scope = 'mine'", ["auto", "dedicated", "shared"]),
        ("auto_track = 'maybe'", ["auto_track"]),
    ],
)
def test_a_setting_that_cannot_be(tracked: Kernel, line: str, names: list[str]) -> None:
    before = tracked.ask(f"{SESSION}.config.trait_values()")
    outcome = tracked.run(f"%config CarbonMagic.{line}")
    # IPython's %config catches whatever is raised, and logs the message.
    assert all(name in said(outcome) for name in names), said(outcome)
    assert tracked.ask(f"{SESSION}.config.trait_values()") == before
    outcome = tracked.run("%config CarbonMagic.project = 'next'")
    assert (outcome.status, said(outcome)) == ("ok", ""), "the next one is not refused for the last one"
    assert tracked.ask(f"{SESSION}.config.project") == "'next'"
    assert said(tracked.run("%config CarbonMagic.project = None", allow_error=False)) == ""


def test_settings_are_listed(tracked: Kernel) -> None:
    assert "CarbonMagic" in said(tracked.run("%config", allow_error=False))
    text = said(tracked.run("%config CarbonMagic", allow_error=False))
    assert all(f"CarbonMagic.{name}" in text for name in ("region", "pue", "auto_track", "scope", "interval_s"))


def test_settings_take_effect(tracked: Kernel) -> None:
    tracked.run('%config CarbonMagic.region = "se"\n%config CarbonMagic.pue = 2.0', allow_error=False)
    tracked.run("%%carbon -q -o r\nx = 1", allow_error=False)
    assert tracked.ask("(r.region, r.region_source, r.pue)") == "('SE', 'config', 2.0)"
    tracked.run("%config CarbonMagic.pue = None\n%config CarbonMagic.auto_track = False", allow_error=False)
    before = records(tracked)
    tracked.run("x = 1", allow_error=False)
    assert records(tracked) == before


# The environment


def test_region_of_the_environment(start: Start) -> None:
    kernel = start(environ={"CARBON_MAGIC_REGION": "us-ca"})
    kernel.run(LOAD, allow_error=False)
    kernel.run("%%carbon -q -o r\nx = 1", allow_error=False)
    assert kernel.ask("(r.region, r.region_source)") == "('US-CA', 'environment')"


def test_wrong_region_of_the_environment(start: Start) -> None:
    """It is refused at once, where the extension is loaded, and nothing is left half loaded."""
    kernel = start(environ={"CARBON_MAGIC_REGION": "Fance"})
    outcome = kernel.run(LOAD)
    assert outcome.status == "error"
    assert outcome.content["ename"] == "UsageError"
    assert outcome.content["evalue"].startswith(
        'carbon_magic: CARBON_MAGIC_REGION: No region "Fance". Nearest: FR (France)'
    )
    assert kernel.run("x = 1\nx").published[2:-1] != []
    assert kernel.run("%carbon").status == "error"
    kernel.run("import os\nos.environ['CARBON_MAGIC_REGION'] = 'FR'", allow_error=False)
    kernel.run(LOAD, allow_error=False)
    assert "France" in said(kernel.run("%carbon region", allow_error=False))


# Completion and inspection


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%carbon c", ["%carbon cells"]),
        ("%carbon re", ["%carbon region", "%carbon reset"]),
        ("%carbon cells --s", ["%carbon cells --sort"]),
        ("%carbon cells --sort t", ["%carbon cells --sort time"]),
        ("%carbon region aws:eu-n", ["%carbon region aws:eu-north-1"]),
        ("%carbon region US-C", ["%carbon region US-CA", "%carbon region US-CO", "%carbon region US-CT"]),
        ("%carbon region us-ca", ["%carbon region US-CA"]),
        ("%%carbon -r aws:eu-n", ["%%carbon -r aws:eu-north-1"]),
        ("%%carbon -n x -r US-C", ["%%carbon -n x -r US-CA", "%%carbon -n x -r US-CO", "%%carbon -n x -r US-CT"]),
        ("carbon c", ["carbon cells"]),
    ],
)
def test_completion(tracked: Kernel, line: str, expected: list[str]) -> None:
    begun = line[: line.rindex(" ") + 1]
    ours = {begun + word for word in (*ALL_REGIONS, *SUBCOMMANDS, *OPTIONS, "energy", "time")}
    # IPython adds what Python itself could mean by the word.
    assert sorted(ours & set(completions(tracked, line))) == sorted(expected)


def test_completion_of_what_is_not_begun(tracked: Kernel) -> None:
    assert {f"%carbon {name}" for name in SUBCOMMANDS} <= set(completions(tracked, "%carbon "))
    assert {f"%%carbon {option}" for option in ("-n", "-r", "-o", "-q")} <= set(completions(tracked, "%%carbon -"))
    assert {"%carbon", "%%carbon"} <= {line.strip() for line in completions(tracked, "%carb")} | {
        line.strip() for line in completions(tracked, "%%carb")
    }
    assert "%%carbon" in completions(tracked, "%%carb")


def test_completion_in_the_body_is_pythons(tracked: Kernel) -> None:
    tracked.run("some_long_name = 1", allow_error=False)
    assert "%%carbon -n x\nsome_long_name" in completions(tracked, "%%carbon -n x\nsome_lo")


@pytest.mark.parametrize("code", ["%carbon", "%%carbon", "%carbon cells"])
def test_inspection(tracked: Kernel, code: str) -> None:
    request = {"code": code, "cursor_pos": 3, "detail_level": 0}
    content: dict[str, Any] = tracked.request("inspect_request", request).content
    assert content["found"], json.dumps(content)
    assert "energy" in content["data"]["text/plain"]
