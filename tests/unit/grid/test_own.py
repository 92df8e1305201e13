"""Own figures: an intensity, a mix, a PUE and a note, by magic, setting and environment."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.grid.choose import Whereabouts, choose, said_by
from carbon_magic.grid.intensity import emissions
from carbon_magic.grid.own import Said, fuel_factors, intensity_of_mix, parse_mix
from carbon_magic.quantity import Interval
from carbon_magic.region_line import parse_region_line

KWH = Interval.exact(3.6e6)
NOWHERE = Whereabouts(Path("/nonexistent"), {"TZ": "UTC"})


def test_an_own_figure_converts_and_says_whose_it_is() -> None:
    said = parse_region_line(["--intensity", "24", "our solar roof"])
    assert said is not None
    place = choose([("user", said)], NOWHERE)
    assert (place.region, place.source, place.intensity_source) == ("own", "user", "our solar roof")
    assert place.known
    assert emissions(KWH, place).best == pytest.approx(24.0)
    assert (place.intensity_g_per_kwh.low, place.intensity_g_per_kwh.high) == pytest.approx((14.4, 33.6))


def test_a_range_of_ones_own_is_taken_as_it_is() -> None:
    said = parse_region_line(["--intensity", "24", "our", "roof", "--low", "20", "--high", "30", "--pue", "1.5"])
    assert said is not None
    place = choose([("user", said)], NOWHERE)
    assert place.intensity_g_per_kwh == Interval(20.0, 24.0, 30.0)
    assert (place.intensity_source, place.pue) == ("our roof", 1.5)


def test_a_mix_is_its_shares_of_the_factors() -> None:
    said = parse_region_line(["--mix", "wind=0.6,gas=40%"])
    assert said is not None
    place = choose([("user", said)], NOWHERE)
    best = 0.6 * 11 + 0.4 * 490
    assert place.intensity_g_per_kwh.best == pytest.approx(best)
    assert place.intensity_g_per_kwh.high == pytest.approx(best * 1.4)
    assert (place.region, place.name, place.intensity_year) == ("own", "Own mix", 2014)
    assert place.intensity_source == "60 % wind, 40 % gas by IPCC"


def test_the_range_of_a_mix_holds_that_of_its_widest_fuel() -> None:
    hydro = intensity_of_mix({"hydro": 1.0})
    assert (hydro.low, hydro.best, hydro.high) == (1.0, 24.0, 2200.0)
    oil = intensity_of_mix({"oil": 1.0})
    assert (oil.low, oil.best, oil.high) == pytest.approx((504.0, 840.0, 1176.0))


def test_shares_are_rounded_when_they_are_written_down() -> None:
    assert sum(parse_mix("wind=0.333,gas=0.333,coal=0.333").values()) == pytest.approx(1.0)


@given(st.dictionaries(st.sampled_from(sorted(fuel_factors())), st.floats(0.01, 1.0), min_size=1))
def test_a_mix_lies_between_its_cleanest_and_its_dirtiest_fuel(weights: dict[str, float]) -> None:
    total = sum(weights.values())
    shares = parse_mix(",".join(f"{fuel}={weight / total!r}" for fuel, weight in weights.items()))
    factors = [fuel_factors()[fuel].best for fuel in weights]
    mixed = intensity_of_mix(shares)
    assert min(factors) * (1 - 1e-9) <= mixed.best <= max(factors) * (1 + 1e-9)
    assert 0.0 <= mixed.low <= 0.6 * mixed.best * (1 + 1e-9)
    assert mixed.high >= 1.4 * mixed.best * (1 - 1e-9)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--intensty 24", ["--intensity"]),
        ("--intensity", ["--intensity"]),
        ("--intensity lots", ["number", "lots"]),
        ("--intensity nan", ["number"]),
        ("--intensity -5", ["5000"]),
        ("--intensity 0", ["0.1"]),
        ("--intensity 1e9", ["5000"]),
        ("--intensity 24 --low 30", ["24", "low"]),
        ("--intensity 24 --high 20", ["24", "high"]),
        ("--low 20", ["--intensity"]),
        ("FR --mix gas=1", ["not both"]),
        ("--intensity 24 --mix gas=1", ["not both"]),
        ("--mix wnid=1", ["wind"]),
        ("--mix wind=0.5,gas=0.4", ["0.9"]),
        ("--mix wind=0.5,gas=0.52", ["1.02"]),
        ("--mix wind=0.5,wind=0.5", ["twice"]),
        ("--mix wind", ["wind=0.6"]),
        ("--mix wind=x", ["wind", "number"]),
        ("--mix wind=-1,gas=2", ["0 to 1"]),
        ("--pue 0.9", ["PUE", "1 to 10"]),
        ("--intensity 24 --pue 11", ["PUE", "1 to 10"]),
        ("FRR", ["FR (France)"]),
        ("--note " + "x" * 201, ["200"]),
    ],
)
def test_what_cannot_be_is_refused_in_words(line: str, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are looked at
        choose([("user", parse_region_line(line.split()) or Said())], NOWHERE)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_line_of_a_region_of_several_words() -> None:
    assert parse_region_line(["United", "States", "--pue", "1.2"]) == Said("United States", pue=1.2)
    assert parse_region_line(["auto"]) is None
    with pytest.raises(ValueError, match="stands alone"):
        parse_region_line(["auto", "--pue", "1.2"])


def test_the_environment_says_the_same() -> None:
    environ = {
        "CARBON_MAGIC_INTENSITY": "24",
        "CARBON_MAGIC_INTENSITY_LOW": "20",
        "CARBON_MAGIC_INTENSITY_HIGH": "30",
        "CARBON_MAGIC_INTENSITY_NAME": "our roof",
        "CARBON_MAGIC_PUE": "1.1",
        "CARBON_MAGIC_NOTE": "100 % wind certificates",
        "CARBON_MAGIC_REGION": "PL",
    }
    place = choose([("environment", said_by(environ))], NOWHERE)
    assert (place.region, place.source, place.intensity_source) == ("own", "environment", "our roof")
    assert (place.intensity_g_per_kwh, place.pue) == (Interval(20.0, 24.0, 30.0), 1.1)
    mixed = choose([("environment", said_by({"CARBON_MAGIC_MIX": "hydro=1"}))], NOWHERE)
    assert mixed.intensity_g_per_kwh.best == 24.0


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"CARBON_MAGIC_INTENSITY": "lots"}, "CARBON_MAGIC_INTENSITY"),
        ({"CARBON_MAGIC_PUE": "nan"}, "CARBON_MAGIC_PUE"),
        ({"CARBON_MAGIC_INTENSITY_LOW": "20"}, "CARBON_MAGIC_INTENSITY_LOW: .* range"),
        ({"CARBON_MAGIC_INTENSITY": "0"}, "CARBON_MAGIC_INTENSITY: "),
        ({"CARBON_MAGIC_PUE": "0.2", "CARBON_MAGIC_REGION": "FR"}, "CARBON_MAGIC_PUE: "),
        ({"CARBON_MAGIC_PUE": "0.2"}, "CARBON_MAGIC_PUE: "),
        ({"CARBON_MAGIC_MIX": "wnd=1"}, "CARBON_MAGIC_MIX: .*Nearest: wind"),
        ({"CARBON_MAGIC_REGION": "Frnace"}, r"CARBON_MAGIC_REGION: .*Nearest: FR \(France\)"),
    ],
)
def test_a_wrong_word_of_the_environment_is_an_error(environ: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        choose([("environment", said_by(environ))], NOWHERE)


def test_a_note_changes_no_figure() -> None:
    plain = choose([("user", Said("FR"))], NOWHERE)
    noted = choose([("user", Said("FR", note="offsets\x1b[2J bought"))], NOWHERE)
    assert noted.note.isprintable()
    assert noted._replace(note="") == plain
    assert math.isclose(emissions(KWH, noted).best, emissions(KWH, plain).best)
