"""Equivalents: one at a time, a count that reads well, its range, and words that are right for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.grid.equivalents import LEAST, MOST, choose, equivalent_of
from carbon_magic.grid.intensity import emissions, place
from carbon_magic.quantity import Interval
from carbon_magic.written import NBSP

WH = 3600.0


def said(wh: float, region_id: str | None = "FR", spread: float = 1.0) -> str | None:
    energy_j = Interval(wh * WH / spread, wh * WH, wh * WH * spread)
    found = choose(energy_j, emissions(energy_j, place(region_id, "user")), region_id)
    return None if found is None else found.sentence.replace(NBSP, " ")


def test_the_range_is_that_of_the_energy_and_of_the_thing() -> None:
    # 41.3 Wh (34.7 to 51.6) over 27.5 Wh (24.7 to 30.9): half-widths of the logarithms in quadrature.
    energy_j = Interval(34.7 * WH, 41.3 * WH, 51.6 * WH)
    assert equivalent_of(energy_j, None, place("FR", "user")) == ("1.5 cups of water boiled", "(1.2–2.0)")
    energy_j = Interval(3.96 * WH, 4.6 * WH, 5.6 * WH)
    assert equivalent_of(energy_j, None, place("FR", "user")) == (
        f"A 9{NBSP}W LED bulb for 31{NBSP}min",
        "(26–38)",
    )


@pytest.mark.parametrize(
    ("wh", "region_id", "words"),
    [
        (27.5, "FR", "1 cup of water boiled (0.88–1.2)."),
        (27.9, "FR", "1 cup of water boiled (0.90–1.2)."),
        (28.9, "FR", "1.1 cups of water boiled (0.93–1.2)."),
        (3000.0, "FR", "27 litres of water boiled (24–31)."),
        (12_500.0, "PL", "42 km in an average European car (22–63)."),
        (12_500.0, "US", "20 km in an average US petrol car (15–24)."),
        (1e6, "IN", "0.98 of a seat on a flight from Paris to New York (0.61–1.8)."),
        (1e6, "US", "34 days of an average US household’s electricity (25–57)."),
    ],
)
def test_words(wh: float, region_id: str, words: str) -> None:
    assert said(wh, region_id) == words


def test_where_the_region_is_unknown_emissions_count_for_nothing() -> None:
    assert said(12_500.0, None) == "A 9 W LED bulb for 58 days (57–58)."
    assert said(1e7, None) == "A 9 W LED bulb for 130 years (120–130)."
    unknown = place(None, "unknown")
    energy_j = Interval.exact(3e6 * WH)
    assert equivalent_of(energy_j, emissions(energy_j, unknown), unknown) == equivalent_of(energy_j, None, unknown)


def test_what_nobody_knows_and_what_is_too_little_has_none() -> None:
    assert choose(None, None, "FR") is None
    assert choose(Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0), "FR") is None
    assert choose(Interval(0.0, 0.1, 4.0), None, "FR") is None
    assert choose(Interval.exact(1e300), Interval.exact(1e300), "FR") is None


@given(
    best_j=st.floats(1e-6, 1e22),
    below=st.floats(0.0, 1.0),
    above=st.floats(1.0, 1e6),
    region_id=st.sampled_from(["FR", "PL", "US-CA", "CA-QC", "IN", "aws:eu-north-1", "nowhere", None]),
    grams_per_joule=st.floats(0.0, 1.0),
)
def test_every_count_reads_well_and_lies_in_its_range(
    best_j: float, below: float, above: float, region_id: str | None, grams_per_joule: float
) -> None:
    energy_j = Interval(best_j * below, best_j, best_j * above)
    found = choose(energy_j, energy_j.scaled(grams_per_joule), region_id)
    if found is None:
        return
    assert LEAST <= found.number <= MOST
    assert "tree" not in found.text
    assert "<" not in found.text
    low, high = (float(bound) for bound in found.bounds.strip("()").split("–"))
    assert low <= found.number <= high
    assert found == choose(energy_j, energy_j.scaled(grams_per_joule), region_id)
