"""The comparison as it is seen: here on top, words where ranges meet, nothing that a hostile name could do."""

from __future__ import annotations

import html
import re

import pytest
from unit.views.made_records import HOSTILE

from carbon_magic.grid.compare import compare
from carbon_magic.grid.intensity import place
from carbon_magic.grid.regions import all_regions
from carbon_magic.quantity import Interval
from carbon_magic.views.compare import Compared, compare_html, compare_text, comparison

ENERGY_J = Interval(34.7, 41.3, 51.6).scaled(3600.0)


def made(*ids: str, here: str | None = "FR", energy_j: Interval | None = ENERGY_J, limit: int = 30) -> Compared:
    at = place(here, "user")
    return Compared("Session: 41 Wh (34–52)", energy_j, compare(at, ids, energy_j), at.known, limit=limit)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def flat(text: str) -> str:
    return " ".join(plain(text).split())


def seen(page: str) -> str:
    return flat(html.unescape(re.sub(r"<[^>]+>", " ", page)))


def test_the_whole_table() -> None:
    text = plain(compare_text(made("CA-QC", "aws:eu-north-1", "PL")))
    assert text.splitlines() == [
        "Session: 41 Wh (34–52)",
        "                g/kWh              CO2e  × here",
        "France (here)      41  1.7 g (0.99–3.4)      1×  █▌",
        "─" * 69,
        "Quebec             28  1.2 g (0.67–1.8)   0.68×  not clearly lower",
        "AWS eu-north-1     35  1.6 g (0.93–2.5)   0.94×  not clearly lower",
        "Poland            591      24 g (14–37)     14×  ████████████████████",
        "  Lowest of 3: Quebec, 0.68× here, not clearly lower.",
        "  The same energy everywhere: rows differ by intensity and PUE, life cycle,",
        "  annual averages.",
        "  How it is computed: %carbon methods",
        "  Ember 2025: FR, aws:eu-north-1, PL. Environment Canada 2024: CA-QC. PUE 1.10",
        "  (2024): aws:eu-north-1.",
    ]


def test_what_is_clearly_lower_comes_with_its_range() -> None:
    text = flat(compare_text(made("SE", "FR", here="PL")))
    assert "Lowest of 2: Sweden, 0.06× here (0.03–0.12)." in text
    assert "not clearly" not in text
    assert "None of the 2 is lower than here." in flat(compare_text(made("PL", "IN", here="SE")))


def test_html_says_the_same() -> None:
    compared = made("CA-QC", "SE", "PL")
    page = compare_html(compared)
    text = seen(page)
    for word in ("France (here)", "Quebec", "0.68×", "not clearly lower", "Ember, 2025", "1.2 g", "(0.67–1.8)"):
        assert word in text, word
    assert text.count("not clearly lower") == 3  # two rows and the sentence
    assert page.count("border:1px solid #818181") == 2, "hollow where ranges meet"
    assert page.count("background-color:#818181") == 2
    assert "<script" not in page
    assert comparison(compared).html == page
    assert str(comparison(compared)) == compare_text(compared)


def test_an_unknown_here_has_a_range_and_no_ratio() -> None:
    compared = made("SE", "PL", here=None)
    text = flat(compare_text(compared))
    assert "Here, unknown 37–814 1.5–36 g" in text
    assert "×" not in text
    assert "lower than" not in text.replace("nothing is lower or higher", "")
    assert "Say where you are: %carbon region FR" in text
    assert "×" not in seen(compare_html(compared))


def test_a_here_of_its_own_is_said() -> None:
    live = place("FR", "user")._replace(intensity_g_per_kwh=Interval(20.0, 24.0, 30.0), intensity_source="RTE")
    compared = Compared("Session", ENERGY_J, compare(live, ["SE"], ENERGY_J), True)
    for text in (flat(compare_text(compared)), seen(compare_html(compared))):
        assert re.search("Here is not the table.s figure but RTE.s.", text)
    assert "not the table" not in compare_text(made("SE"))


def test_without_energy_there_are_intensities_and_ratios() -> None:
    compared = made("SE", here="PL", energy_j=None)
    for text in (flat(compare_text(compared)), seen(compare_html(compared))):
        assert "No energy yet" in text
        assert "0.06×" in text
        assert "CO2e 4" not in text
        assert " 0 g" not in text


def test_many_are_cut_and_counted() -> None:
    compared = made(*(row.id for row in all_regions()), limit=10)
    text = flat(compare_text(compared))
    assert "Lowest of 490" in text
    assert "480 more are higher than these" in text
    assert seen(compare_html(compared)).count("g/kWh") == 1


@pytest.mark.parametrize("width", [40, 60, 79, 120])
@pytest.mark.parametrize("here", ["FR", "gcp:northamerica-northeast1", None])
def test_no_line_is_too_long_and_no_ratio_lacks_its_overlap(width: int, here: str | None) -> None:
    compared = made("SE", "WORLD", "gcp:australia-southeast2", "azure:germanywestcentral", "AE", "CD", here=here)
    for ascii_only in (False, True):
        text = compare_text(compared, width, ascii_only)
        assert max(len(line) for line in text.splitlines()) <= width
        assert not ascii_only or text.isascii()
        assert "?" not in text
    if here is not None:
        assert flat(text).count("not clearly") >= sum(bool(row.overlaps) for row in compared.rows[1:]) - 1


def test_hostile_names_do_nothing() -> None:
    first, *others = made("SE", "PL").rows
    rows = [
        row._replace(of=row.of._replace(name=HOSTILE, region=HOSTILE, source=HOSTILE, note=HOSTILE, provider=provider))
        for row, provider in zip((first, *others), (None, "aws", None), strict=True)
    ]
    compared = Compared(HOSTILE, ENERGY_J, rows, True, hours=("fine.",))
    text, page = compare_text(compared), compare_html(compared)
    assert max(len(line) for line in text.splitlines()) <= 79
    for bad in ("\x1b", "\x07", "\u202e", "\x9b", "\r", "\x00"):
        assert bad not in text
        assert bad not in page
    assert "<img" not in page
    assert len(page) < 10_000
