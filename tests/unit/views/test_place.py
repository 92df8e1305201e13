"""How a region was found, in words, with a live provider and without."""

from __future__ import annotations

import pytest

from carbon_magic.views.parts import found_words

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
