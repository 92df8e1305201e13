"""How a region was found, in words, with a live provider and without."""

from __future__ import annotations

from itertools import pairwise

import pytest

from carbon_magic.grid.intensity import place
from carbon_magic.live import LiveState
from carbon_magic.views.live import live_text
from carbon_magic.views.parts import found_words
from carbon_magic.views.place import place_text

LIVE = "live value of 14:00 to 15:00"


@pytest.mark.parametrize(
    ("source", "found", "words"),
    [
        ("user", "", "set by you"),
        ("environment", "", "from CARBON_MAGIC_REGION"),
        ("environment", "from the environment", "from the environment"),
        ("timezone", "from the time zone Europe/Paris", "from the time zone Europe/Paris, assumed"),
        ("cloud-init", "from cloud-init: aws us-west-2", "from cloud-init: aws us-west-2"),
        ("user", LIVE, f"set by you; {LIVE}"),
        ("config", LIVE, f"from the configuration; {LIVE}"),
        ("timezone", f"from the time zone Europe/Paris; {LIVE}", f"from the time zone Europe/Paris, assumed; {LIVE}"),
    ],
)
def test_a_live_value_does_not_hide_how_the_region_was_found(source: str, found: str, words: str) -> None:
    assert found_words(source, found) == words


@pytest.mark.parametrize("width", [40, 77, 79])
def test_the_region_is_laid_out_in_the_width_that_is_asked_for(width: int) -> None:
    why = "no live value: Electricity Maps cannot be reached (its name is not known, or there is no network)"
    lines = place_text(place("FR", "user")._replace(found=why), width).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= width for line in lines)
    assert all(len(f"{line} {after.split(' ')[0]}") > width for line, after in pairwise(lines)), "no line ends early"


def test_switched_off_live_intensity_says_how_to_switch_it_on() -> None:
    here = place("FR", "user")
    lines = live_text(LiveState(None, "", here, here)).splitlines()
    assert "To ask Electricity Maps, with a token of yours: %carbon live electricitymaps" in lines
    assert "To ask the operator of the British grid: %carbon live carbonintensity" in lines
