"""What `%%carbon` shows: the design's example to the letter, and honest words wherever something is not so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from unit.views.made_records import HOSTILE, WH, check_text, read_html, record

from carbon_magic.ledger.record import CellRecord
from carbon_magic.views.result import result, result_html, result_text

VARIANTS: dict[str, dict[str, Any]] = {
    "example": {},
    "no label": {"label": None},
    "nothing known": {"wh": None, "label": None, "execution_count": None},
    "hostile": {"label": HOSTILE, "status": "error"},
    "wide": {"label": "漢字" * 40},
    "cloud": {"region": "gcp:northamerica-northeast1"},
    "unknown region": {"region": None},
    "one domain": {"gpu_energy_j": None, "dram_energy_j": None, "cpu_energy_j": 4.6 * WH},
    "no split": {"gpu_energy_j": None, "dram_energy_j": None, "cpu_energy_j": None},
    "idle gpu": {"gpu_energy_j": 0.0},
    "tiny": {"wh": (1e-12, 2e-12, 9e-12), "duration_s": 1e-5},
    "huge": {"wh": (1e6, 3e9, 8e14), "duration_s": 4e7, "other_energy_j": 1e13},
    "all at once": {"final": False, "concurrent": True, "other_energy_j": 900.0, "region": "aws:us-east-1"},
    "zero": {"wh": (0.0, 0.0, 0.0), "duration_s": 0.0},
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("width", [79, 60, 40])
def test_text_keeps_its_width(name: str, width: int) -> None:
    made = record(**VARIANTS[name])
    check_text(result_text(made, width), width)
    assert result_text(made, width, ascii_only=True).isascii()
    check_text(result_text(made, width, ascii_only=True), width)


@pytest.mark.parametrize("name", VARIANTS)
def test_html_is_harmless_and_says_what_the_text_says(name: str) -> None:
    made = record(**VARIANTS[name])
    words = read_html(result_html(made)).replace("CO₂e", "CO2e").replace("’", "'")
    text = check_text(result_text(made))
    for line in text.split("\n"):
        for figure in line.split("   ")[0].split():
            if figure[0].isdigit() and "%" not in figure:
                assert figure in words, figure


def test_the_designs_example() -> None:
    assert check_text(result_text(record())) == "\n".join(
        [
            "encode: 4.6 Wh (4.0–5.6)   0.19 g CO2e (0.11–0.38)   1 min 34 s   mean 176 W",
            "  GPU   2.9  Wh  NVML       █████████████████████",
            "  CPU   1.6  Wh  RAPL       ███████████",
            "  DRAM  0.15 Wh  modelled   █",
            "  Chips only, this kernel's share. France, 41 g CO2e/kWh (Ember, 2025), set by",
            "  you. A 9 W LED bulb for 31 min (26–38).",
        ]
    )


def test_the_html_has_the_same_facts_and_edges() -> None:
    html = result_html(record())
    assert read_html(html) == (
        "encode 4.6 Wh (4.0–5.6) 0.19 g CO₂e (0.11–0.38) 1 min 34 s mean 176 W "
        "GPU 2.9 Wh NVML CPU 1.6 Wh RAPL DRAM 0.15 Wh modelled "
        "Chips only, this kernel’s share. France, 41 g/kWh (Ember, 2025), set by you. "
        "A 9 W LED bulb for 31 min (26–38)."
    )
    assert "border-top:3px solid #d95f02;border-top:3px solid var(--cbm-gpu,#d95f02)" in html
    assert "border-top:3px dashed #1899a6" in html
    assert "dotted" not in html


def test_what_is_not_measured_has_its_edge_and_its_word() -> None:
    made = record(cpu_provenance="assumed", gpu_provenance="modelled", dram_provenance="measured", sensors=())
    html = result_html(made)
    assert "3px dotted #2b6fc4" in html
    assert "3px dashed #d95f02" in html
    assert "3px solid #1899a6" in html
    words = read_html(html)
    assert "CPU 1.6 Wh assumed" in words
    assert "GPU 2.9 Wh modelled" in words
    assert "DRAM 0.15 Wh measured" in words
    text = check_text(result_text(made))
    assert "assumed" in text
    assert "RAPL" not in text
    assert "NVML" not in text


@pytest.mark.parametrize(
    ("status", "duration_s", "words"),
    [
        ("error", 0.6, "error after 0.6 s"),
        ("interrupted", 21.0, "interrupted after 21 s"),
        ("killed", 94.0, "killed after 1 min 34 s"),
        ("running", 134.2, "2:14, running"),
        ("ok", 18.0, "18 s"),
    ],
)
def test_how_a_cell_ended(status: str, duration_s: float, words: str) -> None:
    made = record(status=status, duration_s=duration_s)
    assert words in check_text(result_text(made))
    assert words in read_html(result_html(made))


def test_below_the_sensors_resolution_it_says_about_and_why() -> None:
    made = record((0.1e-3, 0.3e-3, 0.89e-3), below_resolution=True, duration_s=0.04)
    for shown in (check_text(result_text(made)).replace("'", "’"), read_html(result_html(made))):
        assert "≈ 0.3 mWh (0.10–0.89)" in shown
        assert "≈ 12 µg" in shown
        assert "0.04 s" in shown
        assert "Below the sensor’s resolution: power × time." in shown
        assert "LED bulb" not in shown
    assert "≈" not in result_text(record())


def test_an_unknown_region_shows_no_best_and_says_what_to_do() -> None:
    made = record(region=None)
    text, html = check_text(result_text(made)), result_html(made)
    words = read_html(html)
    assert "0.17–3.9 g CO2e, region unknown" in text
    assert "0.17–3.9 g CO₂e, region unknown" in words
    best = "2.1 g"  # 4.6 Wh at the world's 458 g/kWh
    assert best not in text
    assert best not in words
    assert "<b" not in html.split("0.17–3.9")[0].rsplit("<span", 1)[1]
    assert "grids of the world, 37–814 g CO2e/kWh" in " ".join(text.split())
    assert text.endswith("%carbon region FR")
    assert words.endswith("%carbon region FR")


def test_unknown_energy_is_said_and_never_zero() -> None:
    made = record(None)
    for shown in (check_text(result_text(made)), read_html(result_html(made))):
        assert "energy unknown" in shown
        assert "%carbon doctor" in shown
        assert "0 Wh" not in shown
        assert "CO2e" not in shown
        assert "mean" not in shown
        assert "1 min 34 s" in shown


def test_unknown_emissions_are_said() -> None:
    made = record(emissions_g=None)
    assert "emissions unknown" in check_text(result_text(made))
    assert "emissions unknown" in read_html(result_html(made))


def test_a_hostile_label_is_short_harmless_text() -> None:
    made = record(label=HOSTILE)
    text, html = check_text(result_text(made)), result_html(made)
    assert text.startswith("<img src=x onerror=alert(1)> red revers…:")
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt; red revers…" in html
    assert "zzz" not in text
    assert "title" not in text
    assert len(html) < 6000


def test_mathematics_in_a_label_stays_text() -> None:
    html = result_html(record(label="a $x$ \\(y\\)"))
    assert "a <span>$</span>x<span>$</span> <span>\\</span>(y<span>\\</span>)" in html


def test_a_record_from_a_hostile_file_still_shows() -> None:
    broken: dict[str, Any] = {
        "execution_count": "\x1b[2J<b>7</b>",
        "status": "<script>",
        "duration_s": float("nan"),
        "cpu_energy_j": -5.0,
        "gpu_energy_j": float("inf"),
        "dram_energy_j": "12",
        "region": "<img src=x>" * 100,
        "region_source": "\x1b[31m<u>",
        "intensity_source": "<i>\x07",
        "intensity_year": "<s>\x1b[2J",
        "intensity_g_per_kwh": float("nan"),
        "pue": -3.0,
        "cpu_provenance": "<b>",
        "label": None,
    }
    made = replace(record(), **broken)
    assert "[<b>7</b>]" in check_text(result_text(made))
    read_html(result_html(made))
    assert "energy unknown" in check_text(result_text(record(energy_j_low=9e9)))
    assert "origin unknown" in check_text(result_text(record(gpu_provenance="<b>")))


def test_the_cell_that_ran_beside_another_and_the_first_figures_are_marked() -> None:
    text = " ".join(check_text(result_text(record(concurrent=True, final=False))).split())
    assert "First figures: a slow sensor has yet to report." in text
    assert "Another cell ran at the same time: the two overlap and are never added." in text


def test_the_rest_of_the_machine_is_beside_and_not_in_the_headline() -> None:
    text = check_text(result_text(record(other_energy_j=1.5 * WH)))
    assert text.startswith("encode: 4.6 Wh (4.0–5.6)")
    assert "Supply, fans and disks: 1.5 Wh, assumed, not added." in " ".join(text.split())


def test_the_grid_names_its_pue_only_where_it_is_not_one() -> None:
    cloud = " ".join(check_text(result_text(record(region="aws:us-east-1", source="environment"))).split())
    assert (
        "AWS us-east-1, US East (N. Virginia), 304 g CO2e/kWh (US EPA eGRID, 2023), PUE 1.15, "
        "from CARBON_MAGIC_REGION." in cloud
    )
    assert "PUE" not in result_text(record())


def test_without_label_the_prompt_stands_for_the_cell() -> None:
    assert result_text(record(label=None)).startswith("[7]: ")
    assert result_text(record(label=None, execution_count=None)).startswith("This cell: ")


def test_bars_are_of_blocks_or_hashes() -> None:
    assert "█" in result_text(record())
    assert "#" * 21 in result_text(record(), ascii_only=True)


def test_display_takes_html_on_a_page_and_text_in_a_terminal() -> None:
    made: CellRecord = record()
    data, _ = DisplayFormatter().format(result(made))
    assert data == {"text/plain": result_text(made), "text/html": result_html(made)}
    assert repr(result(made)) == str(result(made)) == result_text(made)
