"""The grid in use, in a sentence or two: `%carbon region`."""

from __future__ import annotations

from carbon_magic.snapshot import Place
from carbon_magic.views.parts import place_sentence
from carbon_magic.views.plain import TEXT_WIDTH, paragraph


def place_text(place: Place) -> str:
    """Name, intensity with its source and year, and how the place was found; what to do where it is unknown."""
    sentence = place_sentence(
        place.name,
        place.source,
        place.intensity_g_per_kwh,
        by=place.intensity_source,
        year=place.intensity_year,
        pue=place.pue,
    )
    return "\n".join(paragraph([sentence], TEXT_WIDTH, indent=""))
