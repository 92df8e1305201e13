"""What `%carbon` shows: the design's session, and every state of it with its words."""

from __future__ import annotations

from typing import Any

import pytest
from unit.views.made_records import HOSTILE, WH, check_text, read_html, record, snapshot

from carbon_magic.power.sensor import Provenance
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import DomainTotal, RunningCell
from carbon_magic.views.summary import summary, summary_html, summary_text

NOTHING_YET: dict[str, Any] = {
    "energy_j": None,
    "emissions_g": None,
    "between_cells_j": None,
    "domains": {},
    "power_w": None,
    "mean_power_w": None,
    "records": (),
}
RUNNING = RunningCell(execution_count=12, label=HOSTILE, duration_s=134.0, energy_j=None)
STATES: dict[str, dict[str, Any]] = {
    "example": {},
    "first second": {**NOTHING_YET, "duration_s": 0.4},
    "no sensors": NOTHING_YET,
    "off": {"tracking": False},
    "never on": {**NOTHING_YET, "tracking": False},
    "running": {"running": (RUNNING, RUNNING)},
    "unknown region": {"region": None},
    "problems": {"problems": (HOSTILE, "NVML: GPU is lost", "c", "d", "e")},
    "partly unknown": {"emissions_known": False},
    "huge": {"energy_j": Interval(1e14, 1e15, 1e18), "duration_s": 1e9},
}


def flat(text: str) -> str:
    return " ".join(check_text(text).split())


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("width", [79, 50])
def test_text_keeps_its_width(name: str, width: int) -> None:
    made = snapshot(**STATES[name])
    check_text(summary_text(made, width), width)
    assert summary_text(made, width, ascii_only=True).isascii()


@pytest.mark.parametrize("name", STATES)
def test_html_is_harmless_and_says_what_the_text_says(name: str) -> None:
    made = snapshot(**STATES[name])
    words = read_html(summary_html(made)).replace("CO₂e", "CO2e").replace("’", "'").replace("g CO2e/kWh", "g/kWh")
    said = summary_text(made).replace("\u00a0", " ").replace("g CO2e/kWh", "g/kWh")
    for word in said.replace("█", " ").replace("▌", " ").replace("Session:", "Session").split():
        assert word in words, word
    assert summary(made).html == summary_html(made)
    assert str(summary(made)) == summary_text(made)


def test_the_designs_session() -> None:
    assert check_text(summary_text(snapshot())) == "\n".join(
        [
            "Session: 41 Wh (34–52)   1.7 g CO2e (0.99–3.4)   1 h 12 min",
            "  now 186 W, mean 34 W",
            "  GPU   25  Wh  NVML       █████████████████████",
            "  CPU   12  Wh  RAPL       ██████████▌",
            "  DRAM  3.7 Wh  modelled   ███",
            "  1 cell; 3.6 Wh (9 %) between cells. 91 % of the energy measured. Chips only,",
            "  this kernel's share. This is a laptop of your own, without a CPU quota.",
            "  France, 41 g CO2e/kWh (Ember, 2025), from CARBON_MAGIC_REGION. 1.5 cups of",
            "  water boiled (1.2–2.0).",
        ]
    )


def test_first_figures_come_in_a_second() -> None:
    said = flat(summary_text(snapshot(**STATES["first second"])))
    assert said.startswith("Session: – First figures in a second. No cell has run since tracking began.")
    assert "0 Wh" not in said


def test_without_sensors_it_says_unknown_and_where_to_look() -> None:
    said = flat(summary_text(snapshot(**NOTHING_YET)))
    assert said.startswith("Session: energy unknown 1 h 12 min No sensor and no model gives figures.")
    assert said.endswith("What was tried: %carbon doctor")
    assert "0 Wh" not in said
    assert "CO2e (" not in said


def test_tracking_off_says_how_to_start() -> None:
    never = summary_text(snapshot(**STATES["never on"]))
    assert never == (
        "Tracking is off in this kernel. Cells that have already run are not counted.\nStart it: %carbon on"
    )
    stopped = flat(summary_text(snapshot(tracking=False)))
    assert stopped.startswith("Session: 41 Wh (34–52)")
    assert "now 186 W" not in stopped
    assert stopped.endswith("Tracking is off in this kernel. Start it: %carbon on")


def test_an_unknown_region_shows_the_range_alone_and_what_to_do_last() -> None:
    said = flat(summary_text(snapshot(region=None)))
    assert "1.5–36 g CO2e, region unknown" in said
    assert "19 g" not in said  # 41.3 Wh at the world's mean
    assert said.endswith("Say where you are: %carbon region FR")


def test_emissions_that_were_partly_counted_without_a_region_have_no_best() -> None:
    said = flat(summary_text(snapshot(emissions_known=False)))
    assert "0.99–3.4 g CO2e, region unknown for a part" in said
    assert "1.7 g" not in said


@pytest.mark.parametrize(
    ("done", "running", "words"),
    [
        (0, 0, "No cell has run since tracking began."),
        (1, 0, "1 cell; 3.6 Wh (9 %) between cells."),
        (12, 1, "12 cells, one running now; 3.6 Wh (9 %) between cells."),
        (2, 3, "2 cells, 3 running now;"),
        (0, 1, "No cell has ended yet, one running now;"),
    ],
)
def test_cells_are_counted(done: int, running: int, words: str) -> None:
    made = snapshot(records=(record(),) * done, running=(RUNNING,) * running)
    assert words in flat(summary_text(made))


@pytest.mark.parametrize(
    ("cpu", "dram", "words"),
    [
        ("measured", "modelled", "91 % of the energy measured."),
        ("modelled", "assumed", "0 % of the energy measured."),
        ("measured", "measured", "100 % of the energy measured."),
    ],
)
def test_the_measured_share_is_that_of_the_energy(cpu: Provenance, dram: Provenance, words: str) -> None:
    domains = {
        "cpu": DomainTotal(energy_j=Interval.exact(91 * WH), provenance=cpu, power_w=None),
        "dram": DomainTotal(energy_j=Interval.exact(9 * WH), provenance=dram, power_w=None),
    }
    assert words in flat(summary_text(snapshot(domains=domains)))


def test_problems_are_told_in_words_three_of_them_and_the_doctor_has_the_rest() -> None:
    made = snapshot(problems=(HOSTILE, "NVML: GPU is lost", "c", "d", "e"))
    said, html = flat(summary_text(made)), summary_html(made)
    assert "NVML: GPU is lost." in said
    assert said.endswith("2 more problems: %carbon doctor")
    assert "<img" not in html
    assert flat(summary_text(snapshot(problems=("RAPL: no permission.",)))).endswith(
        "RAPL: no permission. More about it: %carbon doctor"
    )


def test_cells_below_a_sensors_resolution_are_counted_in_words() -> None:
    short = record((0.1e-3, 0.3e-3, 0.89e-3), below_resolution=True, duration_s=0.04)
    shown = flat(summary_text(snapshot(records=(short, short))))
    assert "≈ below resolution, power × time: 2 cells." in shown
